//! Operators' words that refused records are to be tried again, and that a unit's pause is to end, as the ledger carries them from a verb
//! to the engine.

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

    /// The records that it names; none when it speaks of every refused record with a fitting code.
    pub fn named(&self) -> Option<Vec<Key>> {
        self.keys.as_ref().map(|keys| keys.iter().map(|key| Key::parse(key)).collect())
    }

    /// True when it speaks of refusals with this code.
    pub fn fits(&self, code: &str) -> bool {
        self.code.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(code))
    }
}

/// Ends the pause of a unit: the argument of a word of the kind [`crate::ledger::WordKind::ResumeUnit`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeWord {
    /// The unit's key, as it is printed.
    pub unit: String,
}

impl ResumeWord {
    /// The word as the ledger keeps it.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Reads a word back; none when it is not one.
    pub fn of_json(argument: &str) -> Option<Self> {
        serde_json::from_str(argument).ok()
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
    fn it_names_records_by_key_or_by_code() {
        let by_code = RetryWord { code: Some("R-330".into()), keys: None };
        assert!(by_code.fits("r-330") && !by_code.fits("R-310"));
        assert_eq!(by_code.named(), None);
        let by_key = RetryWord { code: None, keys: Some(vec![Key::Guid(7).to_string()]) };
        assert!(by_key.fits("CHECK"));
        assert_eq!(by_key.named(), Some(vec![Key::Guid(7)]));
    }
}
