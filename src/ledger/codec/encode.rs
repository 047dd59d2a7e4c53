//! Writing steps into a blob.

use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::ledger::{Entry, Mark};
use crate::record::Fingerprint;

/// A finished blob.
#[derive(Debug, Clone)]
pub(in crate::ledger) struct Body {
    /// Steps in it.
    pub(in crate::ledger) entries: u32,
    /// The blob.
    pub(in crate::ledger) bytes: Vec<u8>,
}

/// Collects steps into a blob.
#[derive(Debug)]
pub(in crate::ledger) struct Encoder {
    bytes: Vec<u8>,
    entries: u32,
    before: Before,
}

/// Bytes set aside for a step: a slot's entry in flight with its own parents.
const USUAL_STEP: usize = 96;

impl Encoder {
    /// An empty blob with room for so many steps of the usual size.
    pub(in crate::ledger) fn with_capacity(steps: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEAD + CHECKSUM + steps * USUAL_STEP);
        bytes.push(VERSION);
        bytes.extend_from_slice(&[0; HEAD - 1]);
        Encoder { bytes, entries: 0, before: Before::default() }
    }

    /// Steps written.
    pub(in crate::ledger) fn len(&self) -> usize {
        self.entries as usize
    }

    /// Writes how a record stands.
    pub(in crate::ledger) fn put(&mut self, entry: &Entry) {
        let flags = self.flags_of(entry);
        self.begin(flags, &entry.key);
        self.fingerprint(entry.accepted);
        self.fingerprint(entry.mark.and_then(Mark::version));
        self.fingerprint(entry.wanted);
        for (parent, shift) in entry.parents.iter().zip(PARENT_SHIFT) {
            self.link((flags >> shift) & PARENT, parent.as_ref());
        }
        self.link((flags >> UNIT_SHIFT) & UNIT, entry.unit.as_ref());
        self.details(entry);
        self.before.parents.clone_from(&entry.parents);
        self.before.unit.clone_from(&entry.unit);
    }

    /// Writes that a record is forgotten.
    pub(in crate::ledger) fn forget(&mut self, key: &Key) {
        self.begin(DROPPED | key_flag(key), key);
    }

    /// The blob, with its number of steps and its checksum.
    pub(in crate::ledger) fn finish(mut self) -> Body {
        self.bytes[1..HEAD].copy_from_slice(&self.entries.to_le_bytes());
        let checksum = xxh3_64(&self.bytes);
        self.bytes.extend_from_slice(&checksum.to_le_bytes());
        Body { entries: self.entries, bytes: self.bytes }
    }

    fn flags_of(&self, entry: &Entry) -> u32 {
        let mark = match entry.mark {
            None => 0,
            Some(Mark::Version(_)) => MARK_VERSION,
            Some(Mark::Removal) => MARK_REMOVAL,
            Some(Mark::Begun(_) | Mark::Finishing(_)) => MARK_BEGUN,
        };
        let [first, second] = &entry.parents;
        let unit = match &entry.unit {
            None => LINK_NONE,
            unit if unit == first => LINK_PARENT[0],
            unit if unit == second => LINK_PARENT[1],
            unit => link_flag(unit.as_ref(), self.before.unit.as_ref()),
        };
        let optional = |given: bool, flag: u32| if given { flag } else { 0 };
        let state = u32::from(state_number(entry.state));
        state & STATE
            | optional(state > STATE, STATE_HIGH)
            | key_flag(&entry.key)
            | optional(entry.accepted.is_some(), ACCEPTED)
            | mark << MARK_SHIFT
            | optional(entry.wanted.is_some(), WANTED)
            | link_flag(first.as_ref(), self.before.parents[0].as_ref()) << PARENT_SHIFT[0]
            | link_flag(second.as_ref(), self.before.parents[1].as_ref()) << PARENT_SHIFT[1]
            | unit << UNIT_SHIFT
            | optional(entry.expires.is_some(), EXPIRES)
            | optional(entry.status.is_some(), STATUS)
            | optional(entry.place.is_some(), PLACE)
            | optional(entry.remote_id.is_some(), REMOTE_ID)
            | optional(entry.write_back_due, WRITE_BACK_DUE)
            | optional(entry.attempts != 0, ATTEMPTS)
            | optional(entry.next_attempt.is_some(), NEXT_ATTEMPT)
            | optional(matches!(entry.mark, Some(Mark::Finishing(_))), FINISHING)
    }

    fn begin(&mut self, flags: u32, key: &Key) {
        let [low, middle, high, _] = flags.to_le_bytes();
        self.bytes.extend_from_slice(&[low, middle, high]);
        self.key(key);
        self.entries += 1;
    }

    fn details(&mut self, entry: &Entry) {
        if let Some(expires) = entry.expires {
            self.signed(expires);
        }
        if let Some(status) = entry.status {
            self.bytes.push(status);
        }
        if let Some(place) = entry.place {
            self.bytes.extend_from_slice(&place.to_le_bytes());
        }
        if let Some(remote_id) = &entry.remote_id {
            self.text(remote_id);
        }
        if entry.attempts != 0 {
            self.bytes.extend_from_slice(&entry.attempts.to_le_bytes());
        }
        if let Some(next_attempt) = entry.next_attempt {
            self.signed(next_attempt);
        }
    }

    fn fingerprint(&mut self, fingerprint: Option<Fingerprint>) {
        if let Some(Fingerprint(value)) = fingerprint {
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn link(&mut self, how: u32, key: Option<&Key>) {
        if let (LINK_GUID | LINK_TEXT, Some(key)) = (how, key) {
            self.key(key);
        }
    }

    fn key(&mut self, key: &Key) {
        match key {
            Key::Guid(guid) => self.bytes.extend_from_slice(&guid.to_be_bytes()),
            Key::Text(text) => self.text(text),
        }
    }

    fn text(&mut self, text: &str) {
        self.varint(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn signed(&mut self, value: i64) {
        self.varint(((value << 1) ^ (value >> 63)) as u64);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

fn key_flag(key: &Key) -> u32 {
    match key {
        Key::Guid(_) => 0,
        Key::Text(_) => KEY_IS_TEXT,
    }
}

fn link_flag(key: Option<&Key>, before: Option<&Key>) -> u32 {
    match key {
        None => LINK_NONE,
        key if key == before => LINK_BEFORE,
        Some(Key::Guid(_)) => LINK_GUID,
        Some(Key::Text(_)) => LINK_TEXT,
    }
}
