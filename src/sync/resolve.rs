//! An operator's word about a record of unknown outcome: that the portal has it, or that it does not.

use serde::{Deserialize, Serialize};

use super::inability::is_begun;
use super::index::At;
use super::inquiry::{Findings, Heard};
use super::line::{FeedLine, Line};
use crate::ledger::{Entry, Ledger, LedgerError, Mark, State};
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
    /// Nothing is to be said of the record, or not any more.
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
    /// Takes an operator's word about a record of which nobody knows whether the portal took it, of which the portal has taken a part,
    /// or which it holds under an id that is not known here.
    pub async fn resolve(&self, feed: &str, word: &ResolveWord) -> Result<Resolved, LedgerError> {
        let Some(feed) = self.feed(feed) else { return Ok(Resolved::NotUnknown) };
        let key = Key::parse(&word.key);
        if let Resolution::Sent(remote_id) = &word.outcome
            && self.is_accepted_nowhere(feed, &key)
        {
            return match self.is_there_whole(feed, &key, remote_id).await? {
                true => self.is_well(feed, key, remote_id).await,
                false => self.learn_id(feed, &key, remote_id).await,
            };
        }
        let (is_refused, in_part) = {
            let index = feed.index();
            let Some(at) = index.find(key.id()) else { return Ok(Resolved::NotUnknown) };
            if index.in_flight(at) {
                return Ok(Resolved::Busy);
            }
            let (state, is_begun) = (index.state(at), is_begun(&index, at).is_some());
            if !is_begun && !matches!(state, State::Unknown | State::Rejected) {
                return Ok(Resolved::NotUnknown);
            }
            // What the operator found of a record that was on its way is the first request's work; of one that was begun, the last one's.
            (!is_begun && state == State::Rejected, state == State::Unknown && self.portal.begins(feed.plan.schema))
        };
        if is_refused {
            return self.resolve_refused(feed, &key, &word.outcome).await;
        }
        let finding = match &word.outcome {
            Resolution::Sent(remote_id) if in_part => Finding::Begun(remote_id.clone()),
            Resolution::Sent(remote_id) => {
                let waits = feed.abilities.inquiry == Inquiry::UntilConfirmed;
                let stage = if waits { Stage::Sent } else { Stage::Confirmed };
                Finding::Held(Receipt { stage, remote_id: Some(remote_id.clone()), ..Receipt::default() })
            }
            Resolution::NotSent => Finding::Absent,
        };
        Ok(match self.apply(feed, vec![(key, finding)]).await?.heard {
            Heard::Taken => Resolved::Done,
            Heard::Later => Resolved::Busy,
            Heard::Unknown | Heard::Kept => Resolved::NotUnknown,
        })
    }

    /// True for a record of which no request may have made anything at the portal, where the portal can go on with what another hand has
    /// made there, once it is told its id.
    fn is_accepted_nowhere(&self, feed: &FeedLine<S>, key: &Key) -> bool {
        let takes_ids = !feed.abilities.idempotent && (feed.abilities.update || self.portal.begins(feed.plan.schema));
        let index = feed.index();
        let sent = |at: At| index.in_flight(at) || index.may_be_at_portal(at) || index.state(at) == State::Unknown;
        takes_ids && !index.find(key.id()).is_some_and(sent)
    }

    /// True when an operator names once more the id under which the portal has just refused the rest of the record: nothing of it is missing.
    async fn is_there_whole(&self, feed: &FeedLine<S>, key: &Key, remote_id: &str) -> Result<bool, LedgerError> {
        let is_known = {
            let index = feed.index();
            let is_it = |at: &At| {
                index.state(*at) == State::Rejected
                    && index.detail(*at).is_some_and(|detail| detail.remote_id.as_deref() == Some(remote_id))
            };
            self.portal.begins(feed.plan.schema) && index.find(key.id()).filter(is_it).is_some()
        };
        let code = self.ledger.exchange(feed.id, key).await?.and_then(|row| row.code);
        Ok(is_known && code.is_some_and(|code| self.portal.lacks_id(&code)))
    }

    /// The portal holds the version that it refused.
    async fn is_well(&self, feed: &FeedLine<S>, key: Key, remote_id: &str) -> Result<Resolved, LedgerError> {
        {
            let mut index = feed.index();
            let Some(at) = index.find(key.id()) else { return Ok(Resolved::NotUnknown) };
            let entry = index.entry(at);
            let there = Entry { mark: entry.wanted.map(Mark::Begun), ..entry };
            index.put_at(at, &there, self.clock.now());
        }
        let receipt = Receipt { stage: Stage::Confirmed, remote_id: Some(remote_id.to_owned()), ..Receipt::default() };
        self.apply(feed, vec![(key, Finding::Held(receipt))]).await?;
        Ok(Resolved::Done)
    }

    /// What the record is about was made at the portal by another hand, under this id: the first write of the record is one to that. It may
    /// be a record whose row nobody has read yet.
    async fn learn_id(&self, feed: &FeedLine<S>, key: &Key, remote_id: &str) -> Result<Resolved, LedgerError> {
        let _one_at_a_time = feed.exchanging.lock().await;
        let (mut found, now) = (Findings::default(), self.clock.now());
        {
            let mut index = feed.index();
            let before = index.find(key.id()).map_or_else(|| Entry::new(key.clone()), |at| index.entry(at));
            let at = index.put(&before, now);
            let entry = Entry { remote_id: Some(remote_id.into()), attempts: 0, ..before };
            self.make_pending(feed, &mut index, at, entry, &mut found, now);
            found.settlement.counts = Some(index.counts());
        }
        self.write_findings(feed, found).await?;
        Ok(Resolved::Done)
    }

    /// A record that was refused because the portal holds it under an id that nobody here knew. With the id it is written again, so that
    /// what the portal holds is this very version; if it is not there after all, it is created.
    async fn resolve_refused(
        &self,
        feed: &FeedLine<S>,
        key: &Key,
        outcome: &Resolution,
    ) -> Result<Resolved, LedgerError> {
        let code = self.ledger.exchange(feed.id, key).await?.and_then(|row| row.code);
        if !code.is_some_and(|code| self.portal.lacks_id(&code)) {
            return Ok(Resolved::NotUnknown);
        }
        let _one_at_a_time = feed.exchanging.lock().await;
        let mut found = Findings::default();
        {
            let mut index = feed.index();
            let waits = |at: &At| index.state(*at) == State::Rejected && !index.in_flight(*at);
            let Some(at) = index.find(key.id()).filter(waits) else { return Ok(Resolved::Busy) };
            let before = Entry { attempts: 0, ..index.entry(at) };
            let entry = match outcome {
                Resolution::Sent(remote_id) => Entry { remote_id: Some(remote_id.as_str().into()), ..before },
                Resolution::NotSent => Entry { accepted: None, remote_id: None, ..before },
            };
            self.make_pending(feed, &mut index, at, entry, &mut found, self.clock.now());
            found.settlement.counts = Some(index.counts());
        }
        self.write_findings(feed, found).await?;
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
