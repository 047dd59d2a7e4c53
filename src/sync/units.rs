//! Units: departments whose records wait, because the portal has blocked them, or because it would soon.
//!
//! A pause begins when the portal answers 405 for a unit alone, or when it refuses more records of the unit than the error budget bears. It
//! stands in the ledger as a note, so a restart does not end it. When it is over, the unit is on probation: one of its records goes out
//! alone; the portal's judgement of it, whichever, ends the pause, and another 405 doubles it.
//!
//! A portal that blocks a unit also closes it, and opens it only when the unit's own record is sent again. That record was valid when it
//! was accepted, so it is the one that risks least: it has the first turn on probation.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use humantime_serde::re::humantime::format_duration;
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use crate::ledger::{Note, NoteKind};
use crate::record::{Key, KeyId};
use crate::transport::is_due;

/// The longest pause of a unit that the portal has blocked.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after a pause the other records of the unit let the unit's own one go first.
const FIRST_TURN: Duration = Duration::from_secs(60);

/// How many refusals of a unit's records are borne within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorBudget {
    /// Refusals that are borne.
    pub rejects: u32,
    /// Within this time.
    pub window: Duration,
}

/// Why a unit's records wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitTrouble {
    /// The portal has blocked it (405).
    Blocked,
    /// The portal refused more of its records than the error budget bears: it would block the unit soon.
    Budget {
        /// Refusals counted.
        refused: u32,
        /// Within so many seconds.
        window: u64,
    },
}

/// A unit whose records wait, or which is on probation after that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedUnit {
    /// The unit.
    pub unit: Key,
    /// End of the pause: seconds since 1970-01-01T00:00:00Z. In the past: one of its records is to be tried alone.
    pub until: i64,
    /// Why it waits.
    pub why: UnitTrouble,
    /// Pauses in a row, this one included.
    pub times: u32,
}

/// The body of the ledger's note about a paused unit; the note's name is the unit's key.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    until: i64,
    why: UnitTrouble,
    times: u32,
}

impl fmt::Display for UnitTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnitTrouble::Blocked => f.write_str("the portal has blocked it (405)"),
            UnitTrouble::Budget { refused, window } => {
                let window = format_duration(Duration::from_secs(*window));
                write!(f, "the portal refused {refused} of its records within {window}")
            }
        }
    }
}

impl PausedUnit {
    /// The paused units among a portal's notes. Notes that cannot be read are left out: a newer version wrote them.
    pub fn in_notes(notes: &[Note]) -> Vec<PausedUnit> {
        let of_note = |note: &Note| {
            let body: Body = serde_json::from_str(&note.body).ok()?;
            let unit = Key::parse(&note.place.name);
            Some(PausedUnit { unit, until: body.until, why: body.why, times: body.times })
        };
        notes.iter().filter(|note| note.place.kind == NoteKind::Unit).filter_map(of_note).collect()
    }

    /// The body of the note that remembers it.
    pub(super) fn body(&self) -> String {
        let body = Body { until: self.until, why: self.why.clone(), times: self.times };
        serde_json::to_string(&body).unwrap_or_default()
    }

    /// True when the pause is over: the unit is on probation.
    fn is_over(&self, now: i64) -> bool {
        self.is_over_since(Duration::ZERO, now)
    }

    /// True when the pause has been over for so long.
    fn is_over_since(&self, so_long: Duration, now: i64) -> bool {
        let longest = match self.why {
            UnitTrouble::Blocked => LONGEST,
            UnitTrouble::Budget { window, .. } => Duration::from_secs(window),
        };
        is_due(self.until.saturating_add_unsigned(so_long.as_secs()), now, longest.saturating_add(so_long))
    }
}

/// Whether a record of a unit may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Free,
    /// It may, in a request of its own: the unit is on probation, and this record stands for it.
    Alone,
    /// It waits.
    Wait,
}

/// The units of a line.
#[derive(Debug)]
pub(super) struct Units {
    first_pause: Duration,
    budget: ErrorBudget,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    paused: BTreeMap<KeyId, Paused>,
    /// Times of the portal's refusals, oldest first, for units that had any within the window.
    refused: BTreeMap<KeyId, VecDeque<i64>>,
}

#[derive(Debug)]
struct Paused {
    pause: PausedUnit,
    /// The feed of the record that stands for a unit on probation.
    claimed_by: Option<&'static str>,
    /// The feed of the unit's own record, while that is to be sent again.
    own: Option<Own>,
}

/// The unit's own record waits for the end of the pause.
#[derive(Debug, Clone, Copy)]
struct Own {
    feed: &'static str,
    /// True once its feed was woken for it.
    woken: bool,
}

impl Paused {
    /// True when a record of this feed may stand for the unit.
    fn may_try(&self, feed: &str, now: i64) -> bool {
        let is_turn = |own: Own| own.feed == feed || self.pause.is_over_since(FIRST_TURN, now);
        self.claimed_by.is_none() && self.pause.is_over(now) && self.own.is_none_or(is_turn)
    }
}

impl Units {
    /// No unit is paused. `first_pause` is the first pause of a blocked unit.
    pub(super) fn new(first_pause: Duration, budget: ErrorBudget) -> Self {
        Units { first_pause, budget, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the pauses that are remembered.
    pub(super) fn load(&self, pauses: Vec<PausedUnit>) {
        let paused = |pause: PausedUnit| (pause.unit.id(), Paused { pause, claimed_by: None, own: None });
        self.state().paused.extend(pauses.into_iter().map(paused));
    }

    /// Takes the times of refusals that are remembered, in any order.
    pub(super) fn load_refusals(&self, refused: BTreeMap<KeyId, Vec<i64>>, now: i64) {
        let mut state = self.state();
        for (unit, mut times) in refused {
            times.retain(|at| self.counts(*at, now));
            times.sort_unstable();
            let spare = times.len().saturating_sub(self.most_times());
            state.refused.insert(unit, times.into_iter().skip(spare).collect());
        }
    }

    /// True when a refusal of that time counts at `now`. One from the future is from before the clock stepped back.
    pub(super) fn counts(&self, at: i64, now: i64) -> bool {
        at <= now && now.saturating_sub(at).unsigned_abs() < self.budget.window.as_secs()
    }

    /// Times that are worth keeping for one unit: with one more than is borne the unit pauses.
    fn most_times(&self) -> usize {
        self.budget.rejects as usize + 1
    }

    /// Asks for one record of a unit. [`Admission::Alone`] is a claim for this feed, until [`Units::release`].
    pub(super) fn admit(&self, unit: KeyId, feed: &'static str, now: impl FnOnce() -> i64) -> Admission {
        match self.state().paused.get_mut(&unit) {
            None => Admission::Free,
            Some(paused) if paused.may_try(feed, now()) => {
                paused.claimed_by = Some(feed);
                Admission::Alone
            }
            Some(_) => Admission::Wait,
        }
    }

    /// The cycle that held this feed's claims has ended: who is still on probation may be tried again.
    pub(super) fn release(&self, feed: &'static str) {
        for paused in self.state().paused.values_mut() {
            paused.claimed_by = paused.claimed_by.filter(|claimant| *claimant != feed);
        }
    }

    /// True when no record of the unit may go out with others.
    pub(super) fn holds_back(&self, unit: KeyId) -> bool {
        self.state().paused.contains_key(&unit)
    }

    /// True when no record of the unit that is of this feed may go out at all, not even alone.
    pub(super) fn keeps_back(&self, unit: KeyId, feed: &str, now: impl FnOnce() -> i64) -> bool {
        let state = self.state();
        let paused = state.paused.get(&unit);
        paused.is_some_and(|paused| !paused.may_try(feed, now()))
    }

    /// True when no record of the unit is worth reading: its pause lasts.
    pub(super) fn rests(&self, unit: KeyId, now: i64) -> bool {
        self.state().paused.get(&unit).is_some_and(|paused| !paused.pause.is_over(now))
    }

    /// The portal has blocked the unit. Gives the pause that begins, if one does: several requests may meet one block.
    pub(super) fn block(&self, unit: &Key, now: i64) -> Option<PausedUnit> {
        let mut state = self.state();
        let before = state.paused.get(&unit.id()).map(|paused| &paused.pause);
        let times = match before {
            Some(pause) if pause.why == UnitTrouble::Blocked && !pause.is_over(now) => return None,
            Some(PausedUnit { why: UnitTrouble::Blocked, times, .. }) => times.saturating_add(1),
            Some(_) | None => 1,
        };
        let length = self.first_pause.saturating_mul(1 << (times - 1).min(16)).min(LONGEST);
        let until = now.saturating_add(length.as_secs().cast_signed());
        // A pause that the budget began may last longer than the first one of a block.
        let until = before.filter(|pause| !pause.is_over(now)).map_or(until, |pause| pause.until.max(until));
        Some(state.pause(PausedUnit { unit: unit.clone(), until, why: UnitTrouble::Blocked, times }))
    }

    /// The portal refused a record of the unit by name. Gives the pause that begins, if that was one too many.
    pub(super) fn refuse(&self, unit: &Key, now: i64) -> Option<PausedUnit> {
        let mut state = self.state();
        let times = state.refused.entry(unit.id()).or_default();
        times.retain(|at| self.counts(*at, now));
        times.push_back(now);
        if times.len() > self.most_times() {
            times.pop_front();
        }
        let refused = u32::try_from(times.len()).unwrap_or(u32::MAX);
        let before = state.paused.get(&unit.id());
        if refused <= self.budget.rejects || before.is_some_and(|paused| !paused.pause.is_over(now)) {
            return None;
        }
        let times = before.map_or(1, |paused| paused.pause.times.saturating_add(1));
        let window = self.budget.window.as_secs();
        let until = now.saturating_add(window.cast_signed());
        let why = UnitTrouble::Budget { refused, window };
        Some(state.pause(PausedUnit { unit: unit.clone(), until, why, times }))
    }

    /// The unit's own record, of this feed, is to be sent again after the pause.
    pub(super) fn await_own(&self, unit: KeyId, feed: &'static str) {
        if let Some(paused) = self.state().paused.get_mut(&unit) {
            paused.own = Some(Own { feed, woken: false });
        }
    }

    /// Feeds with a unit's own record of which the pause is over, each once a pause.
    pub(super) fn wake(&self, now: i64) -> Released {
        let mut state = self.state();
        let over = state.paused.values_mut().filter(|paused| paused.pause.is_over(now));
        let own = over.filter_map(|paused| paused.own.as_mut());
        own.filter_map(|own| (!std::mem::replace(&mut own.woken, true)).then_some(own.feed)).collect()
    }

    /// Ends the pause of a unit. False when it had none.
    pub(super) fn end(&self, unit: KeyId) -> bool {
        self.state().paused.remove(&unit).is_some()
    }

    /// An operator answers for the unit: its refusals so far count no longer.
    pub(super) fn forgive(&self, unit: KeyId) {
        self.state().refused.remove(&unit);
    }

    /// Units on probation that need none any more: they were paused by our own budget, and a whole window has gone by in which nothing of
    /// them wanted to go out.
    pub(super) fn quiet(&self, now: i64) -> Vec<Key> {
        let is_quiet = |paused: &&Paused| match paused.pause.why {
            UnitTrouble::Blocked => false,
            UnitTrouble::Budget { window, .. } => {
                paused.claimed_by.is_none()
                    && is_due(paused.pause.until.saturating_add_unsigned(window), now, Duration::from_secs(2 * window))
            }
        };
        self.state().paused.values().filter(is_quiet).map(|paused| paused.pause.unit.clone()).collect()
    }

    /// Units that are paused or on probation.
    pub(super) fn list(&self) -> Vec<PausedUnit> {
        self.state().paused.values().map(|paused| paused.pause.clone()).collect()
    }
}

impl State {
    fn pause(&mut self, pause: PausedUnit) -> PausedUnit {
        let (claimed_by, own) = (None, None);
        self.paused.insert(pause.unit.id(), Paused { pause: pause.clone(), claimed_by, own });
        pause
    }
}

/// What planning asks before it sends a record.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    units: Arc<Units>,
    feed: &'static str,
    clock: Clock,
    /// A dry run claims nothing: it says what would go out once the unit has stood its probation.
    dry_run: bool,
    longest_wait: Duration,
}

impl Gate {
    /// `longest_wait` is the longest that any record waits for its next attempt.
    pub(super) fn new(
        units: &Arc<Units>,
        feed: &'static str,
        clock: Clock,
        dry_run: bool,
        longest_wait: Duration,
    ) -> Self {
        Gate { units: Arc::clone(units), feed, clock, dry_run, longest_wait }
    }

    /// True when a record's next attempt has come by `now`.
    pub(super) fn has_come(&self, next_attempt: i64, now: i64) -> bool {
        is_due(next_attempt, now, self.longest_wait)
    }

    /// True when this unit is paused, or on probation after that.
    pub(super) fn is_paused(&self, unit: &Key) -> bool {
        self.units.holds_back(unit.id())
    }

    /// True when no record of this unit may go out: nothing is claimed.
    pub(super) fn keeps_back(&self, unit: Option<&Key>) -> bool {
        unit.is_some_and(|unit| match self.dry_run {
            true => self.units.rests(unit.id(), self.clock.now()),
            false => self.units.keeps_back(unit.id(), self.feed, || self.clock.now()),
        })
    }

    /// Asks for a record of this unit.
    pub(super) fn admit(&self, unit: Option<&Key>) -> Admission {
        match unit.map(Key::id) {
            None => Admission::Free,
            Some(unit) if self.dry_run => match self.units.rests(unit, self.clock.now()) {
                true => Admission::Wait,
                false => Admission::Free,
            },
            Some(unit) => self.units.admit(unit, self.feed, || self.clock.now()),
        }
    }
}

/// The claims of a feed's running cycle, given back when it ends in whatever way.
pub(super) struct Claims<'a> {
    units: &'a Units,
    feed: &'static str,
}

impl<'a> Claims<'a> {
    pub(super) fn of(units: &'a Units, feed: &'static str) -> Self {
        Claims { units, feed }
    }
}

impl Drop for Claims<'_> {
    fn drop(&mut self) {
        self.units.release(self.feed);
    }
}

/// Feeds whose records may go now.
pub(super) type Released = BTreeSet<&'static str>;

#[cfg(test)]
mod tests;
