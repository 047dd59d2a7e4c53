//! Interned keys: parents and units are named by many records, written down once, and then called by a number.

use hashbrown::HashTable;

use crate::record::Key;

/// Keys written down once and then called by a number.
#[derive(Debug, Default)]
pub(super) struct Interned {
    keys: Vec<Key>,
    table: HashTable<u32>,
}

/// The number of no key.
pub(super) const NONE: u32 = u32::MAX;

/// A key's two halves.
pub(super) fn split(value: u128) -> [u64; 2] {
    [(value >> 64) as u64, value as u64]
}

/// The halves of a key put together.
pub(super) fn join(parts: [u64; 2]) -> u128 {
    (u128::from(parts[0]) << 64) | u128::from(parts[1])
}

/// Mixes a key into a hash: databases also hand out GUIDs in sequence.
pub(super) fn mix(id: [u64; 2]) -> u64 {
    let product = u128::from(id[0] ^ 0x9e37_79b9_7f4a_7c15) * u128::from(id[1] ^ 0xd1b5_4a32_d192_ed03);
    (product as u64) ^ (product >> 64) as u64
}

impl Interned {
    /// The key's number, given on first use.
    pub(super) fn number(&mut self, key: &Key) -> u32 {
        let hash = mix(split(key.id().0));
        let keys = &self.keys;
        if let Some(found) = self.table.find(hash, |&number| keys[number as usize] == *key) {
            return *found;
        }
        let number = self.keys.len() as u32;
        self.keys.push(key.clone());
        let keys = &self.keys;
        self.table.insert_unique(hash, number, |&number| mix(split(keys[number as usize].id().0)));
        number
    }

    /// The key's number, if it has one.
    pub(super) fn find(&self, key: &Key) -> Option<u32> {
        self.table.find(mix(split(key.id().0)), |&number| self.keys[number as usize] == *key).copied()
    }

    /// The key with this number.
    pub(super) fn key(&self, number: u32) -> Option<Key> {
        self.keys.get(number as usize).cloned()
    }
}
