//! An operator's word about a record of unknown outcome: that the portal has it, or that it does not.

use serde::{Deserialize, Serialize};

use super::inability::is_begun;
use super::line::Line;
use crate::ledger::{Ledger, LedgerError, State};
use crate::portal::{Finding, Inquiry, Portal};
use crate::record::{Key, Receipt, Stage};
use crate::source::Source;

/// What became of one record: the argument of a word of the kind [`crate::ledger::WordKind::Resolve`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolveWord {
    /// Its key, as it is printed.
    pub key: String,
    /// What the operator has found out.
    pub outcome: Resolution,
}

/// What an operator has found out at the portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// It is there, under this id.
    Sent(String),
    /// It is not there.
    NotSent,
}

/// What came of the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    /// The record goes on as the operator says.
    Done,
    /// The record is not of unknown outcome, or not any more.
    NotUnknown,
    /// The record is on its way at this moment: the word has to wait.
    Busy,
}

impl ResolveWord {
    /// The word as the ledger keeps it.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Reads a word back; none when it is not one.
    pub fn of_json(argument: &str) -> Option<Self> {
        serde_json::from_str(argument).ok()
    }
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Takes an operator's word about a record of which nobody knows whether the portal took it, or of which the portal has taken a part.
    pub async fn resolve(&self, feed: &str, word: &ResolveWord) -> Result<Resolved, LedgerError> {
        let Some(feed) = self.feed(feed) else { return Ok(Resolved::NotUnknown) };
        let key = Key::parse(&word.key);
        let in_part = {
            let index = feed.index();
            let Some(at) = index.find(key.id()) else { return Ok(Resolved::NotUnknown) };
            if index.in_flight(at) {
                return Ok(Resolved::Busy);
            }
            if index.state(at) != State::Unknown && is_begun(&index, at).is_none() {
                return Ok(Resolved::NotUnknown);
            }
            // What the operator found of a record that was on its way is the first request's work; of one that was begun, the last one's.
            index.state(at) == State::Unknown && self.portal.begins(feed.plan.schema)
        };
        let finding = match &word.outcome {
            Resolution::Sent(remote_id) if in_part => Finding::Begun(remote_id.clone()),
            Resolution::Sent(remote_id) => {
                let waits = feed.abilities.inquiry == Inquiry::UntilConfirmed;
                let stage = if waits { Stage::Sent } else { Stage::Confirmed };
                Finding::Held(Receipt { stage, remote_id: Some(remote_id.clone()), ..Receipt::default() })
            }
            Resolution::NotSent => Finding::Absent,
        };
        self.apply(feed, vec![(key, finding)]).await?;
        Ok(Resolved::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_survives_the_ledger() {
        for outcome in [Resolution::Sent("r-1".into()), Resolution::NotSent] {
            let word = ResolveWord { key: "k".into(), outcome };
            assert_eq!(ResolveWord::of_json(&word.to_json()), Some(word));
        }
        assert_eq!(ResolveWord::of_json("{\"key\":\"k\"}"), None);
    }
}
