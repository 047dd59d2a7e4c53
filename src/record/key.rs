//! The key of a record: what the portal, the source and the ledger all call it by.

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use super::guid;

/// A record's key inside its feed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A GUID; printed lower case with hyphens, as the portals want it.
    Guid(u128),
    /// Any other key, as it stands on the wire.
    Text(Arc<str>),
}

/// A key in sixteen bytes: the GUID itself, or a hash of the text. Keys of one feed are all of one kind, so the two
/// never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u128);

impl Key {
    /// The key's sixteen-byte form.
    pub fn id(&self) -> KeyId {
        match self {
            Key::Guid(guid) => KeyId(*guid),
            Key::Text(text) => KeyId(xxh3_128(text.as_bytes())),
        }
    }

    /// Reads a key back from its printed form: a canonical GUID becomes [`Key::Guid`], all else is text.
    pub fn parse(text: &str) -> Key {
        match guid::parse_canonical(text.as_bytes()) {
            Some(guid) => Key::Guid(guid),
            None => Key::Text(text.into()),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Guid(value) => f.write_str(&guid::format(*value)),
            Key::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_being_printed_and_read() {
        for text in ["ab7cbc4b-2e68-40d2-881b-6f957b044818", "protocol-17/2", ""] {
            let key = Key::parse(text);
            assert_eq!(key.to_string(), text);
            assert_eq!(Key::parse(&key.to_string()), key);
        }
    }

    #[test]
    fn a_guid_is_its_own_id_and_texts_differ() {
        assert_eq!(Key::Guid(5).id(), KeyId(5));
        assert_ne!(Key::Text("a".into()).id(), Key::Text("b".into()).id());
    }
}
