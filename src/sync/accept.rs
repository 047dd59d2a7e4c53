//! An operator's word that lets a tripped fuse go, as the ledger carries it from a verb to the engine.

use serde::{Deserialize, Serialize};

use super::fuse::Tripped;
use crate::record::Fingerprint;

/// Lets one set of records go, and no other: the argument of a word of the kind [`crate::ledger::WordKind::AcceptFuse`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptFuse {
    /// Stands for what was shown to the operator.
    set: String,
}

impl AcceptFuse {
    /// The word for what a fuse holds back.
    pub fn of(fuse: &Tripped) -> Self {
        let shown = serde_json::json!([fuse.empty, fuse.losses, fuse.ids]).to_string();
        AcceptFuse { set: format!("{:032x}", Fingerprint::of(shown.as_bytes()).0) }
    }

    /// The word as the ledger keeps it.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Reads a word back; none when it is not one.
    pub fn of_json(argument: &str) -> Option<Self> {
        serde_json::from_str(argument).ok()
    }

    /// True when the fuse still holds back what was shown. One that has tripped anew meanwhile waits for a word of its own.
    pub fn is_about(&self, fuse: &Tripped) -> bool {
        *self == AcceptFuse::of(fuse)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::fuse::Loss;
    use super::*;
    use crate::record::KeyId;

    fn fuse(records: u128, accepted: bool) -> Tripped {
        let losses = BTreeMap::from([("slot".to_owned(), Loss { removed: 60, of: 100 })]);
        let ids = (0..records).map(KeyId).collect();
        Tripped { since: 7, empty: false, accepted, losses, ids, keys: Vec::new() }
    }

    #[test]
    fn a_word_survives_the_ledger_and_knows_its_set() {
        let word = AcceptFuse::of_json(&AcceptFuse::of(&fuse(60, false)).to_json()).unwrap();
        assert!(word.is_about(&fuse(60, false)));
        assert!(word.is_about(&fuse(60, true)), "hearing it twice does no harm");
        assert!(!word.is_about(&fuse(61, false)), "one more record was never shown");
        assert_eq!(AcceptFuse::of_json("{}"), None);
    }
}
