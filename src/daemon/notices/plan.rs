//! The plan: which of the troubles are told now. Pure, over what was told before; each channel has a memory of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::daemon::trouble::{OVER_AFTER, Trouble};
use crate::record::Actor;

/// A trouble is told once it has stood for so long: what comes with it is then told with it. In seconds.
pub(super) const SETTLE: i64 = 60;
/// The longest pause between two reminders, in seconds, where `quiet` is no longer.
const LONGEST_PAUSE: i64 = 86_400;
/// A morning's state that is so late, in seconds, is told no more.
const DIGEST_LATE: i64 = 12 * 3600;

/// How often people are told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// The same trouble is not told again before this.
    pub quiet: Duration,
    /// When each morning's state is told.
    pub digest: Option<NaiveTime>,
    /// True when it is told of even where all is well.
    pub always: bool,
    /// The clock of the digest.
    pub zone: Tz,
}

/// What one channel has told: the body of a note.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// By cause.
    told: BTreeMap<String, Once>,
    /// When the last digest was told, or passed over. None before the first look.
    digested: Option<i64>,
    /// When each cause was first and last seen by this process.
    #[serde(skip)]
    sighted: BTreeMap<String, (i64, i64)>,
}

/// A trouble that was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Once {
    /// When last.
    at: i64,
    /// How often, one reminder after the other.
    times: u32,
    /// True once it was told that it is over.
    over: bool,
    /// As it was told, to say what is over.
    trouble: Trouble,
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tell {
    /// Something is wrong, or still is. What else stands and was told before follows.
    Wrong { fresh: Vec<Trouble>, standing: Vec<Trouble> },
    /// Something is over.
    Over { over: Vec<Trouble>, standing: Vec<Trouble> },
    /// The state of the morning.
    Digest { troubles: Vec<Trouble>, due: i64 },
}

impl Memory {
    /// Takes what is seen at `now`.
    pub(super) fn sight(&mut self, troubles: &[Trouble], now: i64) {
        for cause in troubles.iter().filter(|trouble| is_work(trouble)).map(|trouble| &trouble.cause) {
            let (_, last) = self.sighted.entry(cause.clone()).or_insert((now, now));
            *last = now;
        }
        // What was told before a restart may still stand: it has as long to show itself as any other.
        for cause in self.told.iter().filter(|(_, once)| !once.over).map(|(cause, _)| cause) {
            self.sighted.entry(cause.clone()).or_insert((now, now));
        }
        // A clock that steps back starts the wait anew.
        self.sighted.values_mut().filter(|(_, last)| *last > now).for_each(|sight| *sight = (now, now));
        let stands = |(_, last): &(i64, i64)| now - *last <= OVER_AFTER;
        let told = &self.told;
        self.sighted.retain(|cause, sight| stands(sight) || told.get(cause).is_some_and(|once| !once.over));
    }

    /// What is to be told at `now`, if anything is.
    pub(super) fn plan(&self, rules: &Rules, troubles: &[Trouble], now: i64) -> Option<Tell> {
        let work = || troubles.iter().filter(|trouble| is_work(trouble));
        let fresh: Vec<Trouble> = work().filter(|trouble| self.is_due(rules, trouble, now)).cloned().collect();
        let others = |told: &[Trouble]| -> Vec<Trouble> {
            let stands =
                |trouble: &&Trouble| self.stands_told(trouble) && told.iter().all(|one| one.cause != trouble.cause);
            work().filter(stands).cloned().collect()
        };
        if !fresh.is_empty() {
            return Some(Tell::Wrong { standing: others(&fresh), fresh });
        }
        let over = self.over(now);
        if !over.is_empty() {
            return Some(Tell::Over { standing: others(&over), over });
        }
        let due = last_time(rules.digest?, rules.zone, now)?;
        let is_due = self.digested.is_some_and(|last| last < due) && now - due < DIGEST_LATE;
        let troubles: Vec<Trouble> = work().cloned().collect();
        (is_due && (rules.always || !troubles.is_empty())).then_some(Tell::Digest { troubles, due })
    }

    /// True when a trouble has stood long enough to be told, and was not told lately.
    fn is_due(&self, rules: &Rules, trouble: &Trouble, now: i64) -> bool {
        let first = self.sighted.get(&trouble.cause).map_or(now, |(first, _)| *first);
        let Some(once) = self.told.get(&trouble.cause) else { return now - first >= SETTLE };
        let quiet = i64::try_from(rules.quiet.as_secs()).unwrap_or(LONGEST_PAUSE);
        // Reminders come ever more rarely; who flaps is told of as who stands.
        let pause = quiet.saturating_mul(1 << once.times.saturating_sub(1).min(20)).min(LONGEST_PAUSE.max(quiet));
        !(0..pause).contains(&(now - once.at))
    }

    fn stands_told(&self, trouble: &Trouble) -> bool {
        self.told.get(&trouble.cause).is_some_and(|once| !once.over)
    }

    /// What was told and has not been seen for long.
    fn over(&self, now: i64) -> Vec<Trouble> {
        let last = |cause: &String| self.sighted.get(cause).map_or(i64::MIN, |(_, last)| *last);
        let is_over = |(cause, once): &(&String, &Once)| !once.over && now.saturating_sub(last(cause)) > OVER_AFTER;
        self.told.iter().filter(is_over).map(|(_, once)| once.trouble.clone()).collect()
    }

    /// It was told at `now`.
    pub(super) fn has_told(&mut self, tell: &Tell, now: i64) {
        match tell {
            Tell::Wrong { fresh, .. } => fresh.iter().for_each(|trouble| self.note(trouble, now)),
            Tell::Digest { troubles, due } => {
                troubles.iter().for_each(|trouble| self.note(trouble, now));
                self.digested = Some(*due);
            }
            Tell::Over { over, .. } => {
                for once in over.iter().map(|trouble| trouble.cause.clone()) {
                    self.sighted.remove(&once);
                    self.told.entry(once).and_modify(|once| once.over = true);
                }
            }
        }
    }

    fn note(&mut self, trouble: &Trouble, now: i64) {
        let times = self.told.get(&trouble.cause).map_or(0, |once| once.times);
        let once = Once { at: now, times: times.saturating_add(1), over: false, trouble: trouble.clone() };
        self.told.insert(trouble.cause.clone(), once);
    }

    /// Forgets what nobody need be spared any more, and passes over digests that need not be told. True when something of it is to be
    /// written down.
    pub(super) fn tidy(&mut self, rules: &Rules, now: i64) -> bool {
        let before = (self.told.len(), self.digested);
        let quiet = i64::try_from(rules.quiet.as_secs()).unwrap_or(LONGEST_PAUSE);
        self.told.retain(|_, once| !once.over || (0..quiet).contains(&(now - once.at)));
        let due = rules.digest.and_then(|time| last_time(time, rules.zone, now));
        match (self.digested, due) {
            (None, _) => self.digested = Some(now),
            // All was well when it was due.
            (Some(last), Some(due)) if last < due => self.digested = Some(due),
            (Some(_), _) => {}
        }
        before != (self.told.len(), self.digested)
    }
}

/// True when somebody must act for it.
fn is_work(trouble: &Trouble) -> bool {
    trouble.who != Actor::Nobody
}

/// The last moment up to `now` at which a clock of this zone showed this time.
fn last_time(time: NaiveTime, zone: Tz, now: i64) -> Option<i64> {
    let here = DateTime::from_timestamp(now, 0)?.with_timezone(&zone);
    let moments = [0, 1].into_iter().filter_map(|days| {
        let day = here.date_naive().checked_sub_signed(TimeDelta::days(days))?;
        let local = day.and_time(time);
        // An hour that a clock change skips comes when it has ended.
        let moment = zone.from_local_datetime(&local).earliest();
        moment.or_else(|| zone.from_local_datetime(&(local + TimeDelta::hours(1))).earliest())
    });
    moments.map(|moment| moment.timestamp()).filter(|moment| *moment <= now).max()
}

#[cfg(test)]
mod tests;
