//! Removal: records whose rows are gone are taken away at the portal, after the upserts, with what hangs on them.
//!
//! Whatever is about to go is marked first, so that a crash leaves no record of which nobody knows whether the portal still has it. What
//! the portal removes together with a parent is marked in its own feed and follows; its rows may still be there, so it is not forgotten but
//! decided anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use tokio::sync::OwnedRwLockReadGuard;
use tokio::time::Instant;

use super::cascade::{Fate, Fates};
use super::deliver::REFUSED;
use super::inability::REMOVED;
use super::index::{At, Index};
use super::line::{FeedLine, Line};
use super::plan::refusal;
use super::said::{self, Said};
use crate::ledger::{Close, Entry, Ledger, LedgerError, Mark, MarkId, Remark, Settlement, State};
use crate::portal::{Delivery, Portal, Verdict};
use crate::record::Key;
use crate::source::Source;
use crate::transport::{Failure, Trouble, is_due};

/// Records without children that are marked together and removed one after another.
const GROUP: usize = 20;
/// Records of one mark: see the ledger's limit.
const MOST_MARKED: usize = 20_000;

/// What came of a round of removals.
#[derive(Debug, Default)]
pub(super) struct Removed {
    /// Records that the portal has removed.
    pub(super) removed: u64,
    /// Records whose removal the portal refused.
    pub(super) refused: u64,
    /// True when there is more to do at once.
    pub(super) more: bool,
    /// True when a record could not go because one that hangs on it is in a request.
    pub(super) busy: bool,
    /// Feeds that have work now: what hung on a removed record is to be decided anew, or must first move away from it.
    pub(super) released: BTreeSet<&'static str>,
    /// Why the round ended early.
    pub(super) failure: Option<Failure>,
    /// True while one removal stands for a unit on probation.
    pub(super) alone: bool,
}

/// Why a record is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Its row is gone.
    Gone,
    /// Its row may be there: it stands in the way for a moment, or goes with its parent.
    ForNow,
}

/// What became of one record.
enum Away {
    Done,
    Refused {
        code: String,
        text: String,
    },
    Open {
        maybe_applied: bool,
    },
    /// Another has gone, and whether it went along will be seen when it is sent again.
    MayBeGone,
    NotAsked,
}

/// Records that are going. None of them may have reached the portal's ear before it is marked.
struct Leaving {
    /// Rows of the journal; none before they are marked.
    marks: Vec<MarkId>,
    /// Keeps the journal from being shortened under the marks.
    journal: Option<OwnedRwLockReadGuard<()>>,
    /// Each record as it is marked, and what was in doubt of it before.
    records: Vec<(At, Entry, Option<Mark>)>,
    /// What becomes of them when the record goes on which they hang, where that is not certain.
    fates: BTreeMap<At, Fate>,
}

impl Leaving {
    /// Records that are not marked yet.
    fn of(records: Vec<(At, Entry, Option<Mark>)>) -> Self {
        Leaving { marks: Vec::new(), journal: None, records, fates: BTreeMap::new() }
    }
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Removes what is gone from a feed, until nothing is left that may go now or the time is over.
    pub(super) async fn remove_gone(&self, feed: &FeedLine<S>, until: Option<Instant>) -> Result<Removed, LedgerError> {
        let mut removed = Removed::default();
        let mut passed_over = BTreeSet::new();
        if feed.fuse_holds() {
            return Ok(removed);
        }
        while removed.failure.is_none() && !self.stopping.is_cancelled() && self.standstill(feed).is_none() {
            let group = self.next_group(feed, &mut passed_over, &mut removed);
            if group.is_empty() {
                self.try_units_by_removal(feed, &mut removed).await?;
                return Ok(removed);
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                removed.more = true;
                return Ok(removed);
            }
            let Some(_place) = self.place_in_flight(false).await else { return Ok(removed) };
            // One that cannot be asked for now, because somebody is busy with a child of it, is left to the next run.
            passed_over.extend(&group);
            match group[..] {
                [at] => {
                    self.remove_gone_one(feed, at, &mut removed).await?;
                }
                _ => self.remove_group(feed, group, &mut removed).await?,
            }
        }
        Ok(removed)
    }

    /// Removes a record whose row is gone, with everything that hangs on it.
    pub(super) async fn remove_gone_one(
        &self,
        feed: &FeedLine<S>,
        at: At,
        removed: &mut Removed,
    ) -> Result<(), LedgerError> {
        self.remove_with_children(feed, at, Purpose::Gone, removed).await?;
        if std::mem::take(&mut removed.busy) {
            // The feeds of its children call it when they have run again.
            self.may_go_with_children(feed, at, removed);
        }
        Ok(())
    }

    /// Takes a record away although its row is there, to free its place. It is sent anew afterwards.
    pub(super) async fn make_room(&self, feed: &FeedLine<S>, at: At) -> Result<Removed, LedgerError> {
        let mut removed = Removed::default();
        if let Some(_place) = self.place_in_flight(false).await {
            self.remove_with_children(feed, at, Purpose::ForNow, &mut removed).await?;
        }
        Ok(removed)
    }

    /// Removes a record that neither the ledger nor the source knows.
    pub(super) async fn remove_stranger(&self, feed: &FeedLine<S>, at: At) -> Result<Removed, LedgerError> {
        let mut removed = Removed::default();
        if let Some(_place) = self.place_in_flight(false).await {
            self.remove_with_children(feed, at, Purpose::Gone, &mut removed).await?;
        }
        Ok(removed)
    }

    /// The next records to go: several that nothing hangs on, or one.
    fn next_group(&self, feed: &FeedLine<S>, passed_over: &mut BTreeSet<At>, removed: &mut Removed) -> Vec<At> {
        loop {
            let candidates = self.candidates(feed, |at, units| !passed_over.contains(&at) && !self.any_paused(units));
            if candidates.is_empty() {
                return candidates;
            }
            let keys = {
                let index = feed.index();
                candidates.iter().map(|at| index.key(*at)).collect()
            };
            if self.subtree(feed, keys).feeds.is_empty() {
                return candidates;
            }
            for at in candidates {
                if self.may_go_with_children(feed, at, removed) {
                    return vec![at];
                }
                passed_over.insert(at);
            }
        }
    }

    /// Records that are to go, and may by this rule.
    pub(super) fn candidates(&self, feed: &FeedLine<S>, may: impl Fn(At, &[Key]) -> bool) -> Vec<At> {
        let (now, longest_wait) = (self.clock.now(), self.settings.longest_wait());
        let index = feed.index();
        let belonging = self.belonging(feed);
        let is_ready = |at: At| !index.in_flight(at) && !is_past(index.expiry(at), now);
        let may_go = |at: &At| is_ready(*at) && may(*at, &belonging.units(&index, *at));
        let due = index.detailed().filter(|(at, state, detail)| {
            let has_come = |next: i64| is_due(next, now, longest_wait);
            let leaves = *state == State::Gone || index.is_to_make_way(*at);
            leaves && (detail.due || detail.next_attempt.is_none_or(has_come))
        });
        due.map(|(at, ..)| at).filter(may_go).take(GROUP).collect()
    }

    /// True when every feed with children of a record has run since the record was found gone. Those that have not are asked to.
    pub(super) fn may_go_with_children(&self, feed: &FeedLine<S>, at: At, removed: &mut Removed) -> bool {
        let (key, since) = {
            let index = feed.index();
            (index.key(at), index.detail(at).map_or(0, |detail| detail.gone_in))
        };
        let waits_for: Vec<_> = self
            .feeds_with_children(feed, vec![key])
            .into_iter()
            .filter(|child| !child.has_run_since(since))
            .map(|child| child.plan.schema.feed)
            .collect();
        removed.released.extend(&waits_for);
        waits_for.is_empty()
    }

    /// Removes records that nothing hangs on.
    pub(super) async fn remove_group(
        &self,
        feed: &FeedLine<S>,
        group: Vec<At>,
        removed: &mut Removed,
    ) -> Result<(), LedgerError> {
        let Some(leaving) = self.leave(feed, group).await? else { return Ok(()) };
        let mut outcomes = Vec::with_capacity(leaving.records.len());
        for (_, entry, _) in &leaving.records {
            let stop = removed.failure.is_some() || self.stopping.is_cancelled();
            let stays = stop || is_past(entry.expires, self.clock.now());
            outcomes.push(if stays { Away::NotAsked } else { self.ask(feed, entry, removed).await? });
        }
        self.settle_removals(feed, leaving, outcomes, Purpose::Gone, removed).await
    }

    /// Removes a record with everything that hangs on it: first what the portal does not remove by itself, then the record, and what the
    /// portal removes with it follows.
    async fn remove_with_children(
        &self,
        feed: &FeedLine<S>,
        at: At,
        purpose: Purpose,
        removed: &mut Removed,
    ) -> Result<(), LedgerError> {
        let Some((mut own, children)) = self.take_with_children(feed, at).await? else {
            removed.busy = true;
            // It waits until its children's feeds have run, and they call it then.
            feed.index().gone_in(at, self.last_run());
            return Ok(());
        };
        let goes_with_it = |child: &FeedLine<S>| feed.plan.schema.cascades.contains(&child.plan.schema.feed);
        let (mut with_it, mut before_it) = (Vec::new(), Vec::new());
        for (child, leaving) in children {
            removed.released.insert(child.plan.schema.feed);
            let leaving = self.let_others_stay(child, leaving).await?;
            if goes_with_it(child) { &mut with_it } else { &mut before_it }.push((child, leaving));
        }
        let mut hindrance = None;
        for (child, leaving) in before_it.into_iter().rev() {
            if hindrance.is_none() {
                hindrance = self.remove_first(child, leaving, removed).await?;
            } else {
                self.let_stay(child, leaving).await?;
            }
        }
        for (child, leaving) in with_it.iter_mut().rev() {
            if hindrance.is_none() {
                self.mark(child, leaving).await?;
            }
        }
        let outcome = match (hindrance, own.records.first()) {
            (None, Some((_, entry, _))) => {
                let entry = entry.clone();
                self.mark(feed, &mut own).await?;
                let stays = purpose == Purpose::Gone && is_past(entry.expires, self.clock.now());
                if stays { Away::NotAsked } else { self.ask(feed, &entry, removed).await? }
            }
            (hindrance, _) => hindrance.unwrap_or(Away::NotAsked),
        };
        for (child, leaving) in with_it {
            let fate = |at: &At| leaving.fates.get(at).copied().unwrap_or(Fate::Goes);
            let outcomes = leaving.records.iter().map(|(at, ..)| outcome.of_child(fate(at))).collect();
            self.settle_removals(child, leaving, outcomes, Purpose::ForNow, &mut Removed::default()).await?;
        }
        self.settle_removals(feed, own, vec![outcome], purpose, removed).await
    }

    /// Takes a record and everything that hangs on it, parents first, before anything is written or asked: a child that is planned from
    /// here on finds its parent leaving, and waits. None, and nothing taken, when one of them is in a request.
    async fn take_with_children<'a>(
        &'a self,
        feed: &FeedLine<S>,
        at: At,
    ) -> Result<Option<(Leaving, Vec<(&'a FeedLine<S>, Leaving)>)>, LedgerError> {
        let Some(own) = take(&mut feed.index(), &[at]) else { return Ok(None) };
        let key = feed.index().key(at);
        let mut fates = Fates::of(feed.plan.schema.feed, key.id());
        let mut children = Vec::new();
        let mut busy = false;
        self.walk(feed, vec![key], |child, index, found| {
            let found: Vec<At> = found.iter().copied().collect();
            let decided = found.iter().map(|at| (*at, fates.decide(child.plan.schema, index, *at)));
            let uncertain = decided.filter(|(_, fate)| *fate != Fate::Goes).collect();
            match take(index, &found) {
                Some(leaving) if !busy => children.push((child, Leaving { fates: uncertain, ..leaving })),
                Some(leaving) => leaving.records.iter().for_each(|(at, ..)| index.put_back(*at)),
                None => busy = true,
            }
        });
        if !busy {
            return Ok(Some((own, children)));
        }
        for (child, leaving) in children {
            self.let_stay(child, leaving).await?;
        }
        self.let_stay(feed, own).await?;
        Ok(None)
    }

    /// Removes children that the portal does not remove with their parent. None when all of them are gone, otherwise what that means for the
    /// parent.
    async fn remove_first(
        &self,
        child: &FeedLine<S>,
        leaving: Leaving,
        removed: &mut Removed,
    ) -> Result<Option<Away>, LedgerError> {
        let mut hindrance = None;
        let mut rest = leaving.records.into_iter().peekable();
        while rest.peek().is_some() {
            let mut group = Leaving::of(rest.by_ref().take(GROUP).collect());
            if hindrance.is_some() {
                self.let_stay(child, group).await?;
                continue;
            }
            self.mark(child, &mut group).await?;
            let mut outcomes = Vec::with_capacity(GROUP);
            for (_, entry, _) in &group.records {
                let stop = removed.failure.is_some() || self.stopping.is_cancelled();
                let outcome = if stop { Away::NotAsked } else { self.ask(child, entry, removed).await? };
                hindrance = hindrance.or_else(|| outcome.of_parent(child.plan.schema.feed, entry));
                outcomes.push(outcome);
            }
            self.settle_removals(child, group, outcomes, Purpose::ForNow, removed).await?;
        }
        Ok(hindrance)
    }

    /// Marks records as going, durably. None, and nothing marked, when one of them is in a request.
    async fn leave(&self, feed: &FeedLine<S>, records: Vec<At>) -> Result<Option<Leaving>, LedgerError> {
        let Some(mut leaving) = take(&mut feed.index(), &records) else { return Ok(None) };
        self.mark(feed, &mut leaving).await?;
        Ok(Some(leaving))
    }

    async fn mark(&self, feed: &FeedLine<S>, leaving: &mut Leaving) -> Result<(), LedgerError> {
        leaving.journal = Some(Arc::clone(&feed.journal).read_owned().await);
        for part in leaving.records.chunks(MOST_MARKED) {
            let entries: Vec<Entry> = part.iter().map(|(_, entry, _)| entry.clone()).collect();
            match self.ledger.mark(feed.id, &entries).await {
                Ok(mark) => leaving.marks.push(mark),
                Err(error) => {
                    let mut index = feed.index();
                    leaving.records.iter().for_each(|(at, ..)| index.put_back(*at));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Gives the records that the portal may hold and that hang on what goes. Of the others nothing goes: marked, they would be in doubt for
    /// nothing.
    async fn let_others_stay(&self, feed: &FeedLine<S>, leaving: Leaving) -> Result<Leaving, LedgerError> {
        let (at_portal, others): (Vec<_>, Vec<_>) = {
            let index = feed.index();
            let hangs_elsewhere = |at: &At| leaving.fates.get(at) == Some(&Fate::Stays);
            leaving.records.into_iter().partition(|(at, ..)| index.may_be_at_portal(*at) && !hangs_elsewhere(at))
        };
        self.let_stay(feed, Leaving::of(others)).await?;
        Ok(Leaving { records: at_portal, ..leaving })
    }

    /// Nothing was asked about these.
    async fn let_stay(&self, feed: &FeedLine<S>, leaving: Leaving) -> Result<(), LedgerError> {
        let outcomes = leaving.records.iter().map(|_| Away::NotAsked).collect();
        self.settle_removals(feed, leaving, outcomes, Purpose::ForNow, &mut Removed::default()).await
    }

    /// Asks the portal to remove one record.
    async fn ask(&self, feed: &FeedLine<S>, entry: &Entry, removed: &mut Removed) -> Result<Away, LedgerError> {
        let units = self.units_at_portal(feed, &entry.key);
        if (!removed.alone && self.any_paused(&units)) || self.standstill(feed).is_some() {
            return Ok(Away::NotAsked);
        }
        match self.portal.remove(feed.plan.schema, &entry.key).await {
            Delivery::Judged(verdicts) => {
                self.answered(feed);
                match verdicts.into_iter().next() {
                    Some(Verdict::Accepted { .. }) => Ok(Away::Done),
                    Some(Verdict::Rejected { code, text, .. }) => self.not_allowed(&units, code, text).await,
                    Some(Verdict::Begun { .. } | Verdict::Unknown) | None => Ok(Away::Open { maybe_applied: true }),
                }
            }
            Delivery::Blocked { unit, failure } if self.is_own_unit(&unit) => {
                self.not_removed(feed, &[unit], failure, removed).await
            }
            Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => {
                self.not_removed(feed, &units, failure, removed).await
            }
        }
    }

    /// The portal refused a removal, and holds it against each unit to which it may count the record.
    async fn not_allowed(&self, units: &[Key], code: String, text: String) -> Result<Away, LedgerError> {
        for unit in units {
            self.count_refusal(unit).await?;
        }
        Ok(Away::Refused { code, text })
    }

    async fn not_removed(
        &self,
        feed: &FeedLine<S>,
        units: &[Key],
        failure: Failure,
        removed: &mut Removed,
    ) -> Result<Away, LedgerError> {
        match failure.trouble {
            Trouble::Unattributed => {
                self.answered(feed);
                self.not_allowed(units, REFUSED.into(), failure.text).await
            }
            Trouble::UnitBlocked => {
                // It may be of any of these; the one that is not blocked comes back with its next record.
                for unit in units {
                    self.block_unit(unit, &failure.text).await?;
                }
                Ok(Away::Open { maybe_applied: false })
            }
            Trouble::Transient { .. }
            | Trouble::TimedOut
            | Trouble::Maintenance { .. }
            | Trouble::Foreign { .. }
            | Trouble::TooLarge
            | Trouble::FeedParked
            | Trouble::BatchAtFault
            | Trouble::Parked => {
                let failure = failure.of_portal();
                self.heed(feed, &failure);
                let maybe_applied = failure.maybe_applied;
                removed.failure = Some(failure);
                Ok(Away::Open { maybe_applied })
            }
        }
    }

    /// Writes down what became of records that were to go.
    async fn settle_removals(
        &self,
        feed: &FeedLine<S>,
        leaving: Leaving,
        outcomes: Vec<Away>,
        purpose: Purpose,
        removed: &mut Removed,
    ) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let close: Vec<_> = leaving.marks.iter().map(|mark| (*mark, Close::Restated)).collect();
        let is_marked = !close.is_empty();
        let mut settlement = Settlement { close, ..Settlement::default() };
        {
            let mut index = feed.index();
            for ((at, entry, before), outcome) in leaving.records.into_iter().zip(outcomes) {
                match outcome {
                    Away::NotAsked if !is_marked && !index.is_superseded(at) => index.put_back(at),
                    Away::Done => {
                        removed.removed += 1;
                        gone(&mut index, at, entry, purpose, &mut settlement, now);
                    }
                    Away::Refused { code, text } => {
                        removed.refused += 1;
                        if is_refused(&entry) {
                            // Its row was refused before this. That stands: what helps is still to mend the row.
                            restate(&mut index, at, Entry { mark: before, ..entry }, &mut settlement, now);
                            continue;
                        }
                        let said = Said::ours(said::REMOVAL_REFUSED, &[&text]);
                        let key = Some(entry.key.clone());
                        settlement.refused.push(refusal(key, State::Rejected, &code, Vec::new(), said, now));
                        let slow = now.saturating_add(self.settings.slow_retry.as_secs().cast_signed());
                        // What gives way goes on doing so: its row has nothing else to say.
                        let gives_way = entry.state == State::Yielded;
                        let entry = Entry {
                            mark: before,
                            state: if gives_way { State::Yielded } else { State::Rejected },
                            wanted: entry.wanted.filter(|_| gives_way),
                            next_attempt: Some(slow),
                            ..entry
                        };
                        restate(&mut index, at, entry, &mut settlement, now);
                    }
                    Away::Open { maybe_applied } => {
                        let mark = if maybe_applied { entry.mark } else { before };
                        let entry = self.later(Entry { mark, ..entry }, now);
                        restate(&mut index, at, entry, &mut settlement, now);
                    }
                    Away::MayBeGone => {
                        let entry = if waits_on(&entry) {
                            entry
                        } else {
                            Entry { state: State::Pending, attempts: 0, next_attempt: None, ..entry }
                        };
                        restate(&mut index, at, entry, &mut settlement, now);
                    }
                    Away::NotAsked => restate(&mut index, at, Entry { mark: before, ..entry }, &mut settlement, now),
                }
            }
            settlement.counts = Some(index.counts());
        }
        if feed.abilities.registered {
            let removed = settlement.dropped.iter().cloned();
            settlement.remarked = removed.map(|key| Remark { key, code: Some(REMOVED) }).collect();
        }
        if !is_marked && settlement.entries.is_empty() {
            return Ok(());
        }
        self.ledger.settle(feed.id, settlement).await
    }

    /// The record's next attempt comes later. What was accepted is in doubt if it is marked. A version that was refused is refused still,
    /// and its own time comes.
    fn later(&self, mut entry: Entry, now: i64) -> Entry {
        if waits_on(&entry) {
            return entry;
        }
        let delay = {
            let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
            self.settings.retry.delay(entry.attempts, &mut *rng)
        };
        if !matches!(entry.state, State::Gone | State::Yielded) && entry.mark.is_some() {
            entry.state = State::Pending;
        }
        entry.attempts = entry.attempts.saturating_add(1);
        entry.next_attempt = Some(now.saturating_add(delay.as_secs().cast_signed().max(1)));
        entry
    }
}

impl Away {
    /// What follows for a record that the portal removes with this one.
    fn of_child(&self, fate: Fate) -> Away {
        match (self, fate) {
            (_, Fate::Stays) | (Away::Refused { .. } | Away::NotAsked, _) => Away::NotAsked,
            (Away::Done, Fate::Goes) => Away::Done,
            (Away::Done, Fate::MayGo) | (Away::MayBeGone, _) => Away::MayBeGone,
            (Away::Open { maybe_applied }, _) => Away::Open { maybe_applied: *maybe_applied },
        }
    }

    /// What follows for the parent that this record has to precede; none when it is out of the way. Whatever it is, the parent waits: asked
    /// again at once, a portal that refuses would be asked without end.
    fn of_parent(&self, feed: &str, child: &Entry) -> Option<Away> {
        match self {
            Away::Done => None,
            Away::Refused { code, text } => Some(Away::Refused {
                code: code.clone(),
                text: said::CHILD_FIRST.about(&[&format_args!("{feed} {}", child.key), text]),
            }),
            Away::Open { .. } | Away::MayBeGone | Away::NotAsked => Some(Away::Open { maybe_applied: false }),
        }
    }
}

/// True when a record need not be removed any more: its time has come since it was found gone. The next complete read forgets it.
fn is_past(expires: Option<i64>, now: i64) -> bool {
    expires.is_some_and(|expires| expires < now)
}

/// Takes records that are to go. None, and nothing taken, when one of them is in a request.
fn take(index: &mut Index, records: &[At]) -> Option<Leaving> {
    if records.iter().any(|at| index.in_flight(*at)) {
        return None;
    }
    let going = |at: &At| {
        let mut entry = index.entry(*at);
        let before = entry.mark.replace(Mark::Removal);
        index.take_away(*at);
        (*at, entry, before)
    };
    Some(Leaving::of(records.iter().map(going).collect()))
}

/// A record that the portal has removed is forgotten, unless its row is, or may be, there.
fn gone(index: &mut Index, at: At, entry: Entry, purpose: Purpose, settlement: &mut Settlement, now: i64) {
    let is_back = index.is_superseded(at);
    let is_past = entry.state == State::Past;
    let has_row = entry.state == State::Yielded;
    if (purpose == Purpose::Gone || is_past) && !is_back && !has_row {
        settlement.cleared.push(entry.key.clone());
        settlement.dropped.push(entry.key);
        index.forget(at);
        return;
    }
    let entry = Entry { accepted: None, mark: None, status: None, place: None, ..entry };
    if has_row && !is_back && purpose == Purpose::Gone {
        settlement.cleared.push(entry.key.clone());
        return restate(index, at, Entry { attempts: 0, next_attempt: None, ..entry }, settlement, now);
    }
    if is_refused(&entry) {
        return restate(index, at, entry, settlement, now);
    }
    let entry = Entry { state: State::Pending, wanted: None, attempts: 0, next_attempt: None, ..entry };
    restate(index, at, entry, settlement, now);
    index.make_due(at);
}

/// The portal, or our own checks, refused what the record's row says. That it is no longer at the portal does not change that.
fn is_refused(entry: &Entry) -> bool {
    entry.state == State::Rejected && entry.wanted.is_some()
}

/// Nothing is sent of the record now, whatever may have become of the versions that the portal held.
fn waits_on(entry: &Entry) -> bool {
    entry.state == State::Past || is_refused(entry)
}

fn restate(index: &mut Index, at: At, mut entry: Entry, settlement: &mut Settlement, now: i64) {
    let superseded = index.is_superseded(at);
    if superseded && matches!(entry.state, State::Accepted | State::Gone | State::Past | State::Yielded) {
        // Its row was seen meanwhile, and what that says is not known: it is read again before anything else becomes of the record.
        entry.state = State::Pending;
        entry.next_attempt = None;
    }
    let due = superseded || index.detail(at).is_some_and(|detail| detail.due);
    index.put_at(at, &entry, now);
    if due {
        index.make_due(at);
    }
    settlement.entries.push(entry);
}
