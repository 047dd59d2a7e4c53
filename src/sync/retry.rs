//! An operator's word that refused records are to be tried again, as the ledger carries it from a verb to the engine.

use serde::{Deserialize, Serialize};

use crate::record::Key;

/// Which refused records of a feed are to be tried again: the argument of a word of the kind [`crate::ledger::WordKind::Retry`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryWord {
    /// Only records refused with this code; none for any.
    pub code: Option<String>,
    /// Only the records with these keys, as they are printed; none for all.
    pub keys: Option<Vec<String>>,
}

impl RetryWord {
    /// The word as the ledger keeps it.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Reads a word back; none when it is not one.
    pub fn of_json(argument: &str) -> Option<Self> {
        serde_json::from_str(argument).ok()
    }

    /// True when it speaks of a record that is refused with this code.
    pub fn is_about(&self, key: &Key, code: &str) -> bool {
        let named = |keys: &Vec<String>| keys.iter().any(|named| Key::parse(named) == *key);
        self.code.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(code))
            && self.keys.as_ref().is_none_or(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_survives_the_ledger() {
        let word = RetryWord { code: Some("R-330".into()), keys: Some(vec!["a".into()]) };
        assert_eq!(RetryWord::of_json(&word.to_json()), Some(word));
        assert_eq!(RetryWord::of_json("[]"), None);
    }

    #[test]
    fn it_speaks_of_the_records_that_it_names() {
        let key = Key::Guid(7);
        let all = RetryWord::default();
        let by_code = RetryWord { code: Some("R-330".into()), keys: None };
        let by_key = RetryWord { code: None, keys: Some(vec![key.to_string()]) };
        assert!(all.is_about(&key, "CHECK"));
        assert!(by_code.is_about(&key, "R-330") && !by_code.is_about(&key, "R-310"));
        assert!(by_key.is_about(&key, "R-310") && !by_key.is_about(&Key::Guid(8), "R-310"));
    }
}
