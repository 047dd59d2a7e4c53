//! Probation: how pauses of units begin and end on a line, in memory and in the ledger, and who may go when one ends.

use std::collections::{BTreeMap, BTreeSet};

use super::deliver::TOO_LARGE;
use super::index::At;
use super::line::{FeedLine, Line};
use super::removal::Removed;
use super::units::{Admission, PausedUnit, Released, UnitTrouble, Units};
use crate::ledger::{Ledger, LedgerError, Note, NoteKind, NotePlace, Refusal, State};
use crate::portal::Portal;
use crate::record::{Key, KeyId, Unit};
use crate::source::Source;

/// True when the portal itself counts this refusal: not what our own checks refuse, and not what never reached it.
fn is_held_against(refusal: &Refusal) -> bool {
    refusal.is_of_portal() && refusal.code != TOO_LARGE
}

/// Counts the portal's refusals that the ledger remembers, by unit.
pub(super) async fn load_refusals<S: Source, L: Ledger>(
    units: &Units,
    ledger: &L,
    feeds: impl Iterator<Item = &FeedLine<S>>,
    now: i64,
) -> Result<(), LedgerError> {
    let mut times: BTreeMap<KeyId, Vec<i64>> = BTreeMap::new();
    for feed in feeds {
        for refusal in ledger.refusals(feed.id).await? {
            if !is_held_against(&refusal) || !units.counts(refusal.since, now) {
                continue;
            }
            let index = feed.index();
            let known = refusal.key.as_ref().and_then(|key| index.find(key.id()));
            if let Some(unit) = known.and_then(|at| index.unit_of(at)) {
                times.entry(unit).or_default().push(refusal.since);
            }
        }
    }
    units.load_refusals(times, now);
    Ok(())
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Units whose records wait, or of which one record is tried alone, ordered by key.
    pub fn paused_units(&self) -> Vec<PausedUnit> {
        self.units.list()
    }

    /// An operator's word: the unit's records go out again, whatever was held against it. False when it was not paused.
    ///
    /// All feeds are worth a poke afterwards.
    pub async fn resume_unit(&self, unit: &Key) -> Result<bool, LedgerError> {
        self.units.forgive(unit.id());
        let paused = self.units.holds_back(unit.id());
        self.end_pause(unit).await?;
        Ok(paused)
    }

    /// True when one of these units is paused, or on probation.
    pub(super) fn any_paused(&self, units: &[Key]) -> bool {
        units.iter().any(|unit| self.units.holds_back(unit.id()))
    }

    /// The portal has blocked the unit. What it does to the unit's own record is undone by sending that once more when the pause is over.
    pub(super) async fn block_unit(&self, unit: &Key, said: &str) -> Result<(), LedgerError> {
        let Some(pause) = self.units.block(unit, self.clock.now()) else { return Ok(()) };
        let (portal, hours) = (&self.name, (pause.until - self.clock.now()) / 3600);
        if pause.times == 1 {
            tracing::error!(%portal, %unit, hours, "a unit is blocked and pauses; ask the portal's support to lift it, then say `vitrina unit resume`, or wait: it is tried again by itself: {said}");
        } else {
            tracing::warn!(%portal, %unit, hours, times = pause.times, "a unit is still blocked and pauses again: {said}");
        }
        // Before the pause itself: a crash between the two costs a request, the other way round it would leave the unit closed.
        for feed in self.feeds_of_units() {
            if feed.index().is_at_portal(unit) {
                self.doubt_all(feed, std::slice::from_ref(unit)).await?;
                self.units.await_own(unit.id(), feed.plan.schema.feed);
            }
        }
        self.remember(&pause).await
    }

    /// Feeds whose records are units themselves.
    fn feeds_of_units(&self) -> impl Iterator<Item = &FeedLine<S>> {
        self.feeds.values().filter(|feed| feed.plan.schema.unit == Unit::Itself)
    }

    /// The units that are ours: those that the feeds of units know.
    pub(super) fn own_units(&self) -> BTreeSet<KeyId> {
        self.feeds_of_units().flat_map(|feed| feed.index().ids().collect::<Vec<_>>()).collect()
    }

    /// True when the unit is ours.
    pub(super) fn is_own_unit(&self, unit: &Key) -> bool {
        self.feeds_of_units().any(|feed| feed.index().find(unit.id()).is_some())
    }

    /// The units' own records that were to be sent after a pause when the process ended are so still.
    pub(super) fn remember_own_records(&self) {
        let is_blocked = |pause: &PausedUnit| pause.why == UnitTrouble::Blocked;
        for pause in self.units.list().iter().filter(|pause| is_blocked(pause)) {
            let waits = |feed: &&FeedLine<S>| feed.index().waits_to_be_sent_again(&pause.unit);
            if let Some(feed) = self.feeds_of_units().find(waits) {
                self.units.await_own(pause.unit.id(), feed.plan.schema.feed);
            }
        }
    }

    /// Feeds that have a unit's own record to send, because the unit's pause is over; each is named once a pause.
    pub fn wake_after_pauses(&self) -> Released {
        self.units.wake(self.clock.now())
    }

    /// The portal refused a record of the unit.
    pub(super) async fn count_refusal(&self, unit: &Key) -> Result<(), LedgerError> {
        let Some(pause) = self.units.refuse(unit, self.clock.now()) else { return Ok(()) };
        tracing::error!(
            portal = %self.name, %unit,
            "a unit pauses before the portal blocks it, because {}; mend the rows that `vitrina rejects list` names, then say `vitrina unit resume`, or wait: it is tried again by itself",
            pause.why
        );
        self.remember(&pause).await
    }

    /// Ends a unit's pause. Gives the feeds of which records waited for that.
    pub(super) async fn end_pause(&self, unit: &Key) -> Result<Released, LedgerError> {
        if !self.units.end(unit.id()) {
            return Ok(Released::new());
        }
        tracing::info!(portal = %self.name, %unit, "a unit's pause has ended");
        self.ledger.drop_note(&self.place_of(unit)).await?;
        let is_pending = |state: State| matches!(state, State::Pending | State::Gone | State::Yielded);
        let mut released = Released::new();
        for feed in self.feeds.values() {
            let mut index = feed.index();
            let details = index.detailed().filter(|(at, state, _)| is_pending(*state) && !index.in_flight(*at));
            let belonging = self.belonging(feed);
            let is_of_unit = |at: &At| {
                index.unit_of(*at) == Some(unit.id()) || belonging.units(&index, *at).iter().any(|one| one == unit)
            };
            let waiting: Vec<_> = details.map(|(at, ..)| at).filter(is_of_unit).collect();
            drop(belonging);
            if !waiting.is_empty() {
                released.insert(feed.plan.schema.feed);
            }
            waiting.into_iter().for_each(|at| index.make_due(at));
        }
        Ok(released)
    }

    /// Tries units on probation of which nothing but removals waits: one record stands for each, if it can be one that nothing hangs on.
    pub(super) async fn try_units_by_removal(
        &self,
        feed: &FeedLine<S>,
        removed: &mut Removed,
    ) -> Result<(), LedgerError> {
        let on_probation = self.candidates(feed, |_, units| self.any_paused(units));
        let is_alone = |at: &At| {
            let key = feed.index().key(*at);
            self.subtree(feed, vec![key]).feeds.is_empty()
        };
        let (alone, with_children): (Vec<_>, Vec<_>) = on_probation.into_iter().partition(is_alone);
        for at in alone {
            self.try_unit_by(feed, at, false, removed).await?;
        }
        for at in with_children {
            if self.may_go_with_children(feed, at, removed) {
                self.try_unit_by(feed, at, true, removed).await?;
            }
        }
        Ok(())
    }

    /// Tries a unit on probation by the removal of one record.
    async fn try_unit_by(
        &self,
        feed: &FeedLine<S>,
        at: At,
        with_children: bool,
        removed: &mut Removed,
    ) -> Result<(), LedgerError> {
        let key = feed.index().key(at);
        let mut units = self.units_at_portal(feed, &key);
        units.retain(|unit| self.units.holds_back(unit.id()));
        let Some(_place) = self.place_in_flight(false).await else { return Ok(()) };
        let admits = |unit: &Key| self.units.admit(unit.id(), feed.plan.schema.feed, || self.clock.now());
        // One whose units are all well again goes with the others.
        if units.is_empty() || units.iter().any(|unit| admits(unit) != Admission::Alone) {
            return Ok(());
        }
        let judged = removed.removed + removed.refused;
        removed.alone = true;
        if with_children {
            self.remove_gone_one(feed, at, removed).await?;
        } else {
            self.remove_group(feed, vec![at], removed).await?;
        }
        removed.alone = false;
        if removed.removed + removed.refused > judged {
            for unit in &units {
                removed.released.extend(self.end_pause(unit).await?);
            }
        }
        Ok(())
    }

    /// Ends the pauses that have outlived their reason.
    pub(super) async fn let_quiet_units_go(&self) -> Result<(), LedgerError> {
        for unit in self.units.quiet(self.clock.now()) {
            self.end_pause(&unit).await?;
        }
        Ok(())
    }

    async fn remember(&self, pause: &PausedUnit) -> Result<(), LedgerError> {
        self.ledger.set_note(&Note { place: self.place_of(&pause.unit), body: pause.body() }).await
    }

    fn place_of(&self, unit: &Key) -> NotePlace {
        NotePlace { portal: self.name.clone(), feed: String::new(), kind: NoteKind::Unit, name: unit.to_string() }
    }
}
