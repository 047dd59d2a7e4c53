//! Unknown outcomes: records of which nobody knows whether the portal took them, and which must not be sent again before somebody does.
//! They wait, whatever becomes of their rows, until the portal or an operator says what became of them.

use std::time::Duration;

use super::exchange::{OnUnknown, Told, code_of, growing, later};
use super::index::{At, Index};
use super::line::{FeedLine, Line};
use super::plan::{Plan, refusal};
use super::said::{self, Said};
use crate::ledger::{Entry, Ledger, LedgerError, Mark, Note, NoteKind, NotePlace, Refusal, Settlement, State};
use crate::portal::{Inquiry, Portal};
use crate::record::{Fingerprint, Key, Phrase, Receipt, Stage};
use crate::source::Source;

/// Code of a record of which nobody knows whether the portal took it.
pub(super) const OUTCOME_UNKNOWN: &str = "OUTCOME_UNKNOWN";

/// So many times a record of unknown outcome is asked about at the pace of failed requests, then at that of inquiries.
const EAGER: u16 = 16;
/// The longest that it waits for an inquiry.
const SLOWEST: Duration = Duration::from_secs(3600);

impl<S: Source> FeedLine<S> {
    /// True when a second request with the same record would make a second record at the portal.
    pub(super) fn repeats_harm(&self, remote_id: Option<&str>) -> bool {
        !self.abilities.idempotent && remote_id.is_none()
    }
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// True when a record that may be at the portal is not to be sent again before somebody knows.
    pub(super) fn must_know_first(&self, feed: &FeedLine<S>, entry: &Entry) -> bool {
        let can_ask = feed.abilities.inquiry != Inquiry::Never;
        feed.repeats_harm(entry.remote_id.as_deref())
            && (can_ask || self.settings.exchange.on_unknown == OnUnknown::Ask)
    }

    /// Records whose marks were open when the last process ended: nobody will ever hear what became of them. They went out as that process
    /// sent them, signed or not.
    pub(super) async fn own_up_after_crash(&self, feed: &FeedLine<S>, signed: Option<bool>) -> Result<(), LedgerError> {
        self.state_left_open(feed, signed).await?;
        let signs = self.portal.signs(feed.plan.schema);
        if signs.is_none() || signs == signed || self.settings.read_only {
            return Ok(());
        }
        // Before anything is sent.
        let body = serde_json::json!(signs).to_string();
        self.ledger.set_note(&Note { place: self.signing_place(feed), body }).await
    }

    /// Where it is noted whether the records of a feed go out signed.
    pub(super) fn signing_place(&self, feed: &FeedLine<S>) -> NotePlace {
        let (portal, feed) = (self.name.clone(), feed.plan.schema.feed.to_owned());
        NotePlace { portal, feed, kind: NoteKind::Signing, name: String::new() }
    }

    async fn state_left_open(&self, feed: &FeedLine<S>, signed: Option<bool>) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let mut settlement = Settlement::default();
        let mut unknown_now = 0;
        {
            let mut index = feed.index();
            let mut lost_at = None;
            for at in self.waiting_in_vain(feed, &index) {
                let entry = Entry { state: State::Pending, next_attempt: None, ..index.entry(at) };
                index.put_at(at, &entry, now);
                index.make_due(at);
                settlement.cleared.push(entry.key.clone());
                settlement.entries.push(entry);
            }
            for at in self.left_open(feed, &index) {
                unknown_now += 1;
                let mut entry = index.entry(at);
                entry.state = State::Unknown;
                entry.next_attempt = None;
                index.put_at(at, &entry, now);
                settlement.refused.push(unknown(entry.key.clone(), said::CUT_OFF, now));
                if let Some(mut register) = feed.register() {
                    // It went out at some time before now. Nobody may take its absence at the portal for final too early.
                    let (receipt, code) = (how_sent(signed), code_of(entry.state));
                    let sent = *lost_at.get_or_insert_with(|| register.lost_at(now));
                    let told = Told { receipt, code, is_news: false, sent: Some(sent) };
                    settlement.exchanged.push(register.state(&entry, told, now, now));
                }
                settlement.entries.push(entry);
            }
            settlement.counts = Some(index.counts());
        }
        if settlement.entries.is_empty() || self.settings.read_only {
            return Ok(());
        }
        self.warn_of_unknown(feed, unknown_now);
        self.ledger.settle(feed.id, settlement).await
    }

    /// Records of unknown outcome which, by what is configured now, wait for nobody.
    fn waiting_in_vain(&self, feed: &FeedLine<S>, index: &Index) -> Vec<At> {
        let unknown = index.detailed().filter(|(_, state, _)| *state == State::Unknown).map(|(at, ..)| at);
        unknown.filter(|at| !self.must_know_first(feed, &index.entry(*at))).collect()
    }

    /// Records that may be at the portal, are not known to be, and would be sent again.
    fn left_open(&self, feed: &FeedLine<S>, index: &Index) -> Vec<At> {
        let is_open = |state: State, mark: Option<Mark>| {
            mark.and_then(Mark::version).is_some() && matches!(state, State::Accepted | State::Pending | State::Held)
        };
        index
            .detailed()
            .filter(|(_, state, detail)| is_open(*state, detail.mark))
            .map(|(at, ..)| at)
            .filter(|at| self.must_know_first(feed, &index.entry(*at)))
            .collect()
    }

    /// The answer about this record was lost, and it must not be sent again before somebody knows. The portal is asked after a while, if it
    /// can be.
    pub(super) fn not_known(&self, entry: &mut Entry, superseded: bool, now: i64) -> Refusal {
        entry.state = State::Unknown;
        if superseded {
            // What its row says by now nobody has looked at yet.
            entry.wanted = None;
        }
        unknown(entry.key.clone(), said::ANSWER_LOST, now)
    }

    /// The record is asked about again after a growing while.
    pub(super) fn ask_later(&self, entry: &mut Entry, now: i64) {
        entry.next_attempt = Some(match entry.attempts.checked_sub(EAGER) {
            None => {
                let mut rng = self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                later(self.settings.retry, entry.attempts, now, &mut rng)
            }
            Some(more) => {
                let pause = growing(self.settings.exchange.inquire_every, more).min(SLOWEST);
                now.saturating_add(pause.as_secs().cast_signed())
            }
        });
        entry.attempts = entry.attempts.saturating_add(1);
    }

    pub(super) fn warn_of_unknown(&self, feed: &FeedLine<S>, records: u64) {
        if records > 0 {
            let (portal, feed) = (self.name.as_str(), feed.plan.schema.feed);
            tracing::warn!(
                portal,
                feed,
                records,
                "nobody knows whether the portal took these records; none of them is sent again before that is known: see \
                 `vitrina rejects list {portal}.{feed}`"
            );
        }
    }
}

impl Plan {
    /// Notes what the row of a record of unknown outcome says by now. Nothing is sent.
    pub(super) fn await_outcome(&mut self, index: &mut Index, at: At, version: Fingerprint) {
        self.report.postponed += 1;
        if index.detail(at).is_some_and(|detail| detail.wanted == Some(version)) {
            return;
        }
        let mut entry = index.entry(at);
        entry.wanted = Some(version);
        index.put_at(at, &entry, self.now());
        self.notes.entries.push(entry);
    }
}

/// What the register keeps of a sending whose answer was lost; none where nothing depends on it.
pub(super) fn how_sent(signed: Option<bool>) -> Option<Receipt> {
    signed.map(|signed| Receipt { stage: Stage::Sent, signed: Some(signed), ..Receipt::default() })
}

fn unknown(key: Key, phrase: Phrase, now: i64) -> Refusal {
    refusal(Some(key), State::Unknown, OUTCOME_UNKNOWN, Vec::new(), Said::ours(phrase, &[]), now)
}
