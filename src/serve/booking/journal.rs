//! The journal: what was answered lately, and how often what, for `status`. Times, codes and ids of slots; nothing about anybody.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::answer::{Answer, Code};
use super::{Verb, doubts::Doubt};

/// Answers that are remembered.
const REMEMBERED: usize = 50;
/// Shortest time between two lines of the log about one kind of trouble: a database that is away is one trouble, not one for each request.
const QUIET: Duration = Duration::from_secs(10);

/// Booking, for people and for machines.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BookingStatus {
    /// Where it listens.
    pub listen: String,
    /// What is to be registered at the gateway.
    pub public_url: Option<String>,
    /// Whether an unknown outcome can be found out.
    pub lookup: bool,
    /// How often what was answered since the start.
    pub answered: Vec<Answered>,
    /// Requests from addresses that may not call, since the start.
    pub refused_callers: u64,
    /// Where the last of these came from.
    pub last_refused_caller: Option<String>,
    /// Bookings of unknown outcome.
    pub uncertain: Vec<UncertainStatus>,
    /// The last answers, the newest first.
    pub last: Vec<JournalEntry>,
}

/// How often a verb was answered so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// `book` or `cancel`.
    pub verb: String,
    /// The code.
    pub code: u8,
    /// How often.
    pub count: u64,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// When, RFC 3339.
    pub at: String,
    /// `book` or `cancel`.
    pub verb: String,
    /// The code.
    pub code: u8,
    /// The slot, where its id is a GUID.
    pub slot: Option<String>,
    /// How long the answer took, in milliseconds.
    pub ms: u64,
    /// True when nobody knew whether it was done.
    pub uncertain: bool,
}

/// A booking of unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UncertainStatus {
    /// The slot, where its id is a GUID.
    pub slot: Option<String>,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// How often it was tried to find out.
    pub attempts: u32,
    /// True when it turned out made and could not be cancelled yet.
    pub stands: bool,
}

/// What happened since the start.
#[derive(Debug, Default)]
pub(super) struct Journal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: VecDeque<JournalEntry>,
    answered: BTreeMap<(Verb, Code), u64>,
    refused_callers: u64,
    last_refused_caller: Option<IpAddr>,
    told: BTreeMap<&'static str, Told>,
}

/// A kind of trouble that the log was told of.
#[derive(Debug)]
struct Told {
    at: Instant,
    since: u64,
}

impl Journal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an answer.
    pub fn answered(&self, verb: Verb, answer: &Answer, took: Duration, uncertain: bool) {
        let entry = JournalEntry {
            at: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            verb: verb.name().to_owned(),
            code: answer.code.number(),
            slot: answer.slot().map(|slot| slot.to_string()),
            ms: took.as_millis().try_into().unwrap_or(u64::MAX),
            uncertain,
        };
        let mut state = self.state();
        *state.answered.entry((verb, answer.code)).or_default() += 1;
        state.last.push_front(entry);
        state.last.truncate(REMEMBERED);
    }

    /// Notes that somebody called who may not.
    pub fn refused(&self, caller: IpAddr) {
        {
            let mut state = self.state();
            state.refused_callers += 1;
            state.last_refused_caller = Some(caller);
        }
        if let Some(more) = self.may_tell("caller") {
            tracing::warn!(
                %caller,
                more,
                "an address that booking.allow does not name was refused; if it is the gateway's, add it there"
            );
        }
    }

    /// Some, if the log has not been told of this kind of trouble for a while: how often it came meanwhile.
    pub fn may_tell(&self, trouble: &'static str) -> Option<u64> {
        let mut state = self.state();
        let now = Instant::now();
        match state.told.get_mut(trouble) {
            Some(told) if told.at.elapsed() < QUIET => {
                told.since += 1;
                None
            }
            told => {
                let since = told.map_or(0, |told| told.since);
                state.told.insert(trouble, Told { at: now, since: 0 });
                Some(since)
            }
        }
    }

    /// What `status` shows of it.
    pub fn status(&self, doubts: &[Doubt]) -> BookingStatus {
        let state = self.state();
        let answered = state.answered.iter().map(|((verb, code), count)| Answered {
            verb: verb.name().to_owned(),
            code: code.number(),
            count: *count,
        });
        BookingStatus {
            answered: answered.collect(),
            refused_callers: state.refused_callers,
            last_refused_caller: state.last_refused_caller.map(|caller| caller.to_string()),
            uncertain: doubts.iter().map(UncertainStatus::from).collect(),
            last: state.last.iter().cloned().collect(),
            ..BookingStatus::default()
        }
    }
}

impl From<&Doubt> for UncertainStatus {
    fn from(doubt: &Doubt) -> Self {
        let since = DateTime::from_timestamp(doubt.since_utc, 0);
        UncertainStatus {
            slot: doubt.fields.guid("slot_id").map(|slot| slot.to_string()),
            since: since.map(|since| since.to_rfc3339_opts(SecondsFormat::Secs, true)),
            attempts: doubt.attempts,
            stands: doubt.found.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::Fields;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_trouble_is_one_line_for_a_while_and_the_next_line_counts_the_rest() {
        let journal = Journal::default();
        assert_eq!(journal.may_tell("away"), Some(0));
        assert_eq!((journal.may_tell("away"), journal.may_tell("away")), (None, None));
        assert_eq!(journal.may_tell("other"), Some(0));
        tokio::time::advance(QUIET).await;
        assert_eq!(journal.may_tell("away"), Some(2));
    }

    #[tokio::test]
    async fn the_last_answers_are_kept_and_all_are_counted() {
        let journal = Journal::default();
        let fields = Fields::of([("slot_id", Some("11223344595".to_owned())), ("patient_id", Some("p".to_owned()))]);
        let answer = Answer::failed(Verb::Book, &fields);
        for _ in 0..REMEMBERED + 5 {
            journal.answered(Verb::Book, &answer, Duration::from_millis(7), true);
        }
        let status = journal.status(&[]);
        assert_eq!((status.last.len(), status.answered[0].count), (REMEMBERED, REMEMBERED as u64 + 5));
        let shown = serde_json::to_string(&status).unwrap();
        assert!(shown.contains("\"ms\":7") && !shown.contains("11223344595"), "what is no GUID is not shown: {shown}");
    }
}
