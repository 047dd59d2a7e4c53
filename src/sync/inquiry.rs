//! Inquiries: the portal is asked what became of records whose outcome nobody knows, or which it has yet to confirm. What it says, what it
//! pushes by itself, and what an operator says are taken alike.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::exchange::{OnUnknown, Told};
use super::inability::is_begun;
use super::index::{At, Index};
use super::line::{FeedLine, Line};
use super::plan::refusal;
use super::said::{self, Said};
use crate::ledger::{Entry, Ledger, LedgerError, Mark, Settlement, State};
use crate::portal::{Asked, Finding, Inquiry, Portal};
use crate::record::{Key, KeyId, Receipt, Stage};
use crate::source::Source;
use crate::transport::{Failure, is_due};

/// Code of a record that the portal took and then turned down.
pub(super) const TURNED_DOWN: &str = "TURNED_DOWN";
/// Code of a record that the portal took and holds no longer.
pub(super) const LOST_AT_PORTAL: &str = "LOST_AT_PORTAL";

/// What came of inquiries and write-backs.
#[derive(Debug, Default)]
pub struct FollowUp {
    /// Records whose outcome is known now, or that got further.
    pub settled: u64,
    /// Records that the portal turned down.
    pub refused: u64,
    /// Rows written back to the source.
    pub written_back: u64,
    /// Feeds that have work now.
    pub released: BTreeSet<&'static str>,
    /// True when there is more to do at once.
    pub more: bool,
    /// Why the portal could not be asked, if so.
    pub failure: Option<Failure>,
    /// What came of what was said last.
    pub(super) heard: Heard,
}

/// What came of what somebody else said of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Heard {
    /// It was taken, or is known already.
    #[default]
    Taken,
    /// The record is on its way at this moment, or has yet to be acknowledged: said again later, it will be taken.
    Later,
    /// There is no such record, or the portal was never given it.
    Unknown,
    /// There is no such record: the register keeps what was said under a code of its own.
    Kept,
}

/// What findings lead to, gathered for one transaction.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) settlement: Settlement,
    accepted: Vec<KeyId>,
    settled: u64,
    refused: u64,
    /// True when records are to be read, and perhaps sent, again.
    due: bool,
    heard: Heard,
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Asks about everything that is due, slice by slice, until the time is over.
    pub(super) async fn inquire(
        &self,
        feed: &FeedLine<S>,
        until: Option<Instant>,
        follow_up: &mut FollowUp,
    ) -> Result<(), LedgerError> {
        while self.silence(feed).is_none() && !self.stopping.is_cancelled() {
            let asked = self.to_inquire(feed, feed.plan.batch.max(1));
            if asked.is_empty() {
                return Ok(());
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                follow_up.more = true;
                return Ok(());
            }
            let Some(_place) = self.place_in_flight(false).await else { return Ok(()) };
            match self.portal.inquire(feed.plan.schema, &asked).await {
                Ok(findings) => {
                    self.answered(feed);
                    if let Some(mut register) = feed.register() {
                        register.inquiries.well();
                    }
                    let any = findings.iter().any(|finding| *finding != Finding::NotAsked);
                    self.take_findings(feed, asked, findings, follow_up).await?;
                    if !any {
                        return Ok(());
                    }
                }
                Err(failure) => {
                    self.not_answered(feed, &failure);
                    follow_up.failure = Some(failure);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// True when the portal is to be asked about something now.
    pub(super) fn has_inquiries(&self, feed: &FeedLine<S>) -> bool {
        self.silence(feed).is_none() && !self.to_inquire(feed, 1).is_empty()
    }

    fn to_inquire(&self, feed: &FeedLine<S>, most: usize) -> Vec<Asked> {
        let (now, longest_wait) = (self.clock.now(), self.settings.longest_wait());
        if feed.abilities.inquiry == Inquiry::Never {
            return Vec::new();
        }
        let index = feed.index();
        let Some(register) = feed.register().filter(|register| register.inquiries.is_over(now, longest_wait)) else {
            return Vec::new();
        };
        let mut asked = Vec::new();
        if index.counts().unknown > 0 {
            let has_come = |next: i64| is_due(next, now, longest_wait);
            let unknown = index
                .detailed()
                .filter(|(_, state, detail)| *state == State::Unknown && detail.next_attempt.is_none_or(has_come));
            asked.extend(unknown.take(most).map(|(at, ..)| {
                let row = register.open(index.id(at)).map(|open| &open.row);
                Asked {
                    key: index.key(at),
                    receipt: None,
                    sent: row.and_then(|row| row.sent).unwrap_or_default(),
                    signed: row.and_then(|row| row.receipt.as_ref()).and_then(|receipt| receipt.signed),
                }
            }));
        }
        let is_free = |id: KeyId| index.find(id).is_none_or(|at| !index.in_flight(at));
        let open = register.to_inquire(now, longest_wait).into_iter();
        let open = open.filter(|open| is_free(open.row.key.id())).take(most - asked.len());
        asked.extend(open.map(|open| Asked {
            key: open.row.key.clone(),
            receipt: open.row.receipt.clone(),
            sent: open.row.sent.unwrap_or_default(),
            signed: open.row.receipt.as_ref().and_then(|receipt| receipt.signed),
        }));
        asked
    }

    fn not_answered(&self, feed: &FeedLine<S>, failure: &Failure) {
        self.heed(feed, failure);
        let now = self.clock.now();
        if let Some(mut register) = feed.register() {
            let mut rng = self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            register.inquiries.fail(self.settings.retry, now, &mut rng);
        }
        tracing::warn!(
            portal = %self.name,
            feed = feed.plan.schema.feed,
            "the portal could not be asked what became of records; it is asked again: {}",
            failure.text
        );
    }

    async fn take_findings(
        &self,
        feed: &FeedLine<S>,
        asked: Vec<Asked>,
        findings: Vec<Finding>,
        follow_up: &mut FollowUp,
    ) -> Result<(), LedgerError> {
        // What the answer does not tell of was not asked about.
        let findings = findings.into_iter().chain(std::iter::repeat(Finding::NotAsked));
        let all = asked.into_iter().map(|asked| asked.key).zip(findings);
        let came = self.apply(feed, all.collect()).await?;
        follow_up.settled += came.settled;
        follow_up.refused += came.refused;
        follow_up.released.extend(came.released);
        Ok(())
    }

    /// Takes what is said of some records, whoever says it.
    pub(super) async fn apply(
        &self,
        feed: &FeedLine<S>,
        findings: Vec<(Key, Finding)>,
    ) -> Result<FollowUp, LedgerError> {
        let _one_at_a_time = feed.exchanging.lock().await;
        let now = self.clock.now();
        let mut found = Findings::default();
        {
            let mut index = feed.index();
            for (key, finding) in findings {
                self.find(feed, &mut index, &key, finding, &mut found, now);
            }
            found.settlement.counts = Some(index.counts());
        }
        self.write_findings(feed, found).await
    }

    /// Writes down what findings led to, and says what may go now.
    pub(super) async fn write_findings(&self, feed: &FeedLine<S>, found: Findings) -> Result<FollowUp, LedgerError> {
        let Findings { settlement, accepted, settled, refused, due, heard } = found;
        if !settlement.entries.is_empty() || !settlement.exchanged.is_empty() {
            self.ledger.settle(feed.id, settlement).await?;
        }
        let mut released = self.release_children(feed, &accepted);
        if due {
            released.insert(feed.plan.schema.feed);
        }
        feed.count_exchanges(&*self.ledger).await?;
        Ok(FollowUp { settled, refused, released, heard, ..FollowUp::default() })
    }

    fn find(&self, feed: &FeedLine<S>, index: &mut Index, key: &Key, finding: Finding, found: &mut Findings, now: i64) {
        let Some(at) = index.find(key.id()) else {
            // It was removed meanwhile: nothing more is to be known of it.
            if let Some(mut register) = feed.register() {
                register.close(key.id());
            }
            found.heard = Heard::Unknown;
            return;
        };
        if index.in_flight(at) {
            found.heard = Heard::Later;
            return;
        }
        let is_open = index.state(at) == State::Unknown || is_begun(index, at).is_some();
        match (finding, is_open) {
            (Finding::Held(receipt), true) => self.arrived(feed, index, at, receipt, found, now),
            (Finding::Held(receipt), false) => self.got_further(feed, index, at, receipt, found, now),
            (Finding::Absent, true) => self.send_again(feed, index, at, found, now),
            (Finding::Absent, false) => self.is_lost(feed, index, at, found, now),
            (Finding::Begun(remote_id), true) => self.go_on(feed, index, at, remote_id, found, now),
            // It is there whole.
            (Finding::Begun(_), false) => {}
            (Finding::Unclear, _) => self.still_unclear(feed, index, at, found, now),
            (Finding::Later, _) => self.wait_on(feed, index, at, now),
            // Its turn is still to come.
            (Finding::NotAsked, _) => {}
        }
    }

    /// The portal took the version that was in doubt.
    fn arrived(&self, feed: &FeedLine<S>, index: &mut Index, at: At, receipt: Receipt, found: &mut Findings, now: i64) {
        let mut entry = index.entry(at);
        let Some(version) = entry.mark.and_then(Mark::version) else { return };
        let has_changed = entry.wanted != Some(version);
        entry.close_mark();
        entry.remote_id = receipt.remote_id.clone().map(String::into_boxed_str).or(entry.remote_id);
        found.accepted.push(entry.key.id());
        self.enter(feed, index, at, (entry, has_changed), receipt, found, now);
    }

    /// The portal says how far a record has got that it took.
    fn got_further(
        &self,
        feed: &FeedLine<S>,
        index: &mut Index,
        at: At,
        mut receipt: Receipt,
        found: &mut Findings,
        now: i64,
    ) {
        let entry = index.entry(at);
        if entry.accepted.is_none() {
            // Sent again, it will be.
            found.heard = Heard::Later;
            return;
        }
        receipt.remote_id = receipt.remote_id.or_else(|| entry.remote_id.as_deref().map(str::to_owned));
        if let Some(mut register) = feed.register() {
            let same = register.open(entry.key.id()).is_some_and(|open| open.row.receipt.as_ref() == Some(&receipt));
            if same && receipt.stage != Stage::Confirmed {
                return register.ask_again(entry.key.id(), now, self.inquire_every(receipt.stage));
            }
        }
        let is_due = index.detail(at).is_some_and(|detail| detail.due);
        let entry = Entry { remote_id: receipt.remote_id.clone().map(String::into_boxed_str), ..entry };
        self.enter(feed, index, at, (entry, is_due), receipt, found, now);
    }

    /// Writes down what a receipt says of a record that the portal took.
    #[expect(clippy::too_many_arguments, reason = "one record's place in three memories")]
    fn enter(
        &self,
        feed: &FeedLine<S>,
        index: &mut Index,
        at: At,
        (mut entry, mut due): (Entry, bool),
        receipt: Receipt,
        found: &mut Findings,
        now: i64,
    ) {
        let key = entry.key.clone();
        found.settled += 1;
        let mut code = None;
        if receipt.stage != Stage::TurnedDown && is_turned_down(&entry) {
            // People at the portal have thought better of it.
            (entry.state, entry.wanted, entry.next_attempt) = (State::Accepted, None, None);
            found.accepted.push(key.id());
        }
        // What its row says by now is no matter of what the portal says of an earlier version, but for its being turned down.
        let speaks_of_it = matches!(entry.state, State::Accepted | State::Unknown);
        if receipt.stage == Stage::TurnedDown && speaks_of_it {
            found.refused += 1;
            turn_down(feed, &mut entry);
            code = Some(TURNED_DOWN.to_owned());
            let text = turned_down(&receipt);
            found.settlement.refused.push(refusal(Some(key), State::Rejected, TURNED_DOWN, Vec::new(), text, now));
        } else if receipt.stage == Stage::TurnedDown && !feed.abilities.update {
            // Whatever is wanted by now, nothing of the portal's is in its way any more.
            (entry.accepted, entry.remote_id, due) = (None, None, true);
            found.settlement.cleared.push(key);
            entry.state = State::Pending;
        } else if speaks_of_it {
            found.settlement.cleared.push(key);
        }
        if due && entry.state == State::Accepted {
            entry.state = State::Pending;
        }
        index.put_at(at, &entry, now);
        if due {
            index.make_due(at);
            found.due = true;
        }
        if let Some(mut register) = feed.register() {
            let again = now.saturating_add(self.inquire_every(receipt.stage).as_secs().cast_signed());
            let told = Told { receipt: Some(receipt), code, is_news: true, sent: None };
            found.settlement.exchanged.push(register.state(&entry, told, again, now));
        }
        found.settlement.entries.push(entry);
    }

    /// How soon the portal is asked again how far a record has got. Of one that was turned down news are rare, and come by themselves where
    /// the portal tells them.
    fn inquire_every(&self, stage: Stage) -> Duration {
        match stage {
            Stage::TurnedDown => self.settings.slow_retry,
            Stage::Sent | Stage::Draft | Stage::Confirmed => self.settings.exchange.inquire_every,
        }
    }

    /// The portal certainly did not take the record: it may be sent again.
    fn send_again(&self, feed: &FeedLine<S>, index: &mut Index, at: At, found: &mut Findings, now: i64) {
        let entry = Entry { mark: None, remote_id: None, attempts: 0, ..index.entry(at) };
        self.make_pending(feed, index, at, entry, found, now);
    }

    pub(super) fn make_pending(
        &self,
        feed: &FeedLine<S>,
        index: &mut Index,
        at: At,
        mut entry: Entry,
        found: &mut Findings,
        now: i64,
    ) {
        entry.state = State::Pending;
        entry.next_attempt = None;
        index.put_at(at, &entry, now);
        index.make_due(at);
        found.settled += 1;
        found.due = true;
        found.settlement.cleared.push(entry.key.clone());
        if let Some(mut register) = feed.register() {
            let told = Told { receipt: Some(Receipt::default()), code: None, is_news: false, sent: None };
            found.settlement.exchanged.push(register.state(&entry, told, now, now));
        }
        found.settlement.entries.push(entry);
    }

    /// The portal took the record, and holds it no longer. Sent again at once, it might be lost for ever and ever: it waits for its slow
    /// retry, or for an operator.
    fn is_lost(&self, feed: &FeedLine<S>, index: &mut Index, at: At, found: &mut Findings, now: i64) {
        let entry = index.entry(at);
        if entry.accepted.is_none() {
            return;
        }
        let is_current = entry.state == State::Accepted || is_turned_down(&entry);
        let mut entry = Entry { accepted: None, remote_id: None, ..entry };
        if !is_current {
            // Another version is wanted by now, and nothing is in its way any more.
            return self.make_pending(feed, index, at, entry, found, now);
        }
        entry.wanted = index.accepted(at);
        entry.state = State::Rejected;
        entry.next_attempt = Some(now.saturating_add(self.settings.slow_retry.as_secs().cast_signed()));
        found.settled += 1;
        let (key, text) = (Some(entry.key.clone()), Said::ours(said::HELD_NO_LONGER, &[]));
        found.settlement.refused.push(refusal(key, State::Rejected, LOST_AT_PORTAL, Vec::new(), text, now));
        index.put_at(at, &entry, now);
        if let Some(mut register) = feed.register() {
            let code = Some(LOST_AT_PORTAL.to_owned());
            let told = Told { receipt: Some(Receipt::default()), code, is_news: false, sent: None };
            found.settlement.exchanged.push(register.state(&entry, told, now, now));
        }
        found.settlement.entries.push(entry);
    }

    /// The portal took the first part of the version that was in doubt: the rest follows under its id.
    fn go_on(&self, feed: &FeedLine<S>, index: &mut Index, at: At, remote_id: String, found: &mut Findings, now: i64) {
        let before = index.entry(at);
        let mark = before.mark.and_then(Mark::version).map(Mark::Begun);
        let entry = Entry { mark, remote_id: Some(remote_id.into_boxed_str()), attempts: 0, ..before };
        self.make_pending(feed, index, at, entry, found, now);
    }

    /// Nobody knows more than before, and the portal will not say more.
    fn still_unclear(&self, feed: &FeedLine<S>, index: &mut Index, at: At, found: &mut Findings, now: i64) {
        let is_unknown = index.state(at) == State::Unknown;
        if is_unknown && self.settings.exchange.on_unknown == OnUnknown::Resend {
            let entry = index.entry(at);
            return self.make_pending(feed, index, at, entry, found, now);
        }
        self.wait_on(feed, index, at, now);
    }

    /// The portal is asked again after a growing while.
    fn wait_on(&self, feed: &FeedLine<S>, index: &mut Index, at: At, now: i64) {
        let mut entry = index.entry(at);
        if entry.state == State::Unknown {
            // Not worth a write: after a restart it is asked about once more.
            self.ask_later(&mut entry, now);
            index.put_at(at, &entry, now);
        } else if let Some(mut register) = feed.register() {
            register.ask_again(entry.key.id(), now, self.settings.exchange.inquire_every);
        }
    }

    /// Takes a receipt that the portal sends by itself, as if it had been asked for. What it does not name stays as it was. What it says of a
    /// record that it was never given is kept all the same.
    pub async fn told(&self, name: &str, key: &Key, receipt: Receipt) -> Result<Heard, LedgerError> {
        let standing = self.feed(name).map_or(Heard::Kept, |feed| {
            let index = feed.index();
            match index.find(key.id()) {
                Some(at) if index.in_flight(at) => Heard::Later,
                Some(at) if index.may_be_at_portal(at) => Heard::Taken,
                Some(_) | None => Heard::Kept,
            }
        });
        match (standing, self.feed(name)) {
            (Heard::Taken, Some(feed)) => {
                let before = self.ledger.exchange(feed.id, key).await?.and_then(|row| row.receipt);
                let receipt = receipt.over(before.unwrap_or_default());
                Ok(self.apply(feed, vec![(key.clone(), Finding::Held(receipt))]).await?.heard)
            }
            (Heard::Later, _) => Ok(Heard::Later),
            _ => self.keep_stray(name, key, receipt).await.map(|()| Heard::Kept),
        }
    }

    /// The key of the record that a portal knows by this id of its own.
    pub fn known_as(&self, feed: &str, remote_id: &str) -> Option<Key> {
        let index = self.feed(feed)?.index();
        let is_it = |id: &Option<Box<str>>| id.as_deref() == Some(remote_id);
        let found = index.detailed().find(|(.., detail)| is_it(&detail.remote_id)).map(|(at, ..)| at);
        found.map(|at| index.key(at))
    }
}

/// A record that the portal took is turned down: only another version of its row can be well. Where the portal can replace it, it still
/// holds it.
pub(super) fn turn_down<S: Source>(feed: &FeedLine<S>, entry: &mut Entry) {
    entry.wanted = entry.accepted;
    entry.state = State::Rejected;
    entry.next_attempt = None;
    if !feed.abilities.update {
        entry.accepted = None;
        entry.remote_id = None;
    }
}

/// True for a record whose very version was turned down that the portal still holds.
fn is_turned_down(entry: &Entry) -> bool {
    entry.state == State::Rejected && entry.accepted.is_some() && entry.wanted == entry.accepted
}

/// Why a record was turned down, in the portal's own words.
pub(super) fn turned_down(receipt: &Receipt) -> Said {
    match (&receipt.status, &receipt.reason) {
        (Some(status), Some(reason)) => Said::ours(said::TURNED_DOWN_AS, &[&format!("{status}: {reason}")]),
        (Some(word), None) | (None, Some(word)) => Said::ours(said::TURNED_DOWN_AS, &[word]),
        (None, None) => Said::ours(said::TURNED_DOWN, &[]),
    }
}
