//! After a cycle: what is logged and counted of it, and which feeds it makes look at the database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;

use super::AnyLine;
use super::resume::Resuming;
use crate::ledger::Counts;
use crate::sync::{CycleError, CycleReport, Stop};
use crate::telemetry::{Metrics, Outcome};
use crate::transport::is_due;

/// First pause between two pokes of a feed whose records are missing as parents, in seconds.
const FIRST_PAUSE: i64 = 15;
/// Longest such pause, in seconds.
const LONGEST_PAUSE: i64 = 3600;

/// Pokes that cycles asked for.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    /// Feeds that were asked for: records of them are missing as parents, or a look at them was not enough.
    wanted: Mutex<Pokes>,
    /// Feeds whose last cycle did not do all it had to.
    again: Mutex<Pokes>,
    /// Feeds that wait for their portal.
    resuming: Mutex<Resuming>,
    /// Feeds whose last cycle could not be done: since when, and why.
    failing: Mutex<Failing>,
}

/// What a cycle leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum After {
    /// These feeds have records that may go now.
    Released(BTreeSet<&'static str>),
    /// The ledger failed: the process must end.
    CannotGoOn,
}

type Failing = BTreeMap<(String, &'static str), (i64, String)>;

type Pokes = BTreeMap<(String, &'static str), Wanted>;

/// How often a feed was asked for.
#[derive(Debug, Default)]
struct Wanted {
    asked: bool,
    pause: i64,
    not_before: i64,
}

impl Aftermath {
    /// Takes the result of a cycle.
    pub(super) fn take(
        &self,
        line: &AnyLine,
        feed: &'static str,
        result: Result<CycleReport, CycleError>,
        took: Duration,
        metrics: &Metrics,
    ) -> After {
        let portal = line.name.as_str();
        match result {
            Ok(report) => {
                if let Some((since, _)) = self.failures().remove(&(portal.to_owned(), feed)) {
                    let seconds = Utc::now().timestamp().saturating_sub(since);
                    tracing::info!(portal, feed, seconds, "cycles are done again");
                }
                count(metrics, portal, feed, &report);
                metrics.count_cycle_done(portal, feed);
                log(portal, feed, &report, took);
                if let Some(counts) = line.feed(feed).map(|feed| feed.counts()) {
                    metrics.show_drain(portal, feed, drain_estimate(&counts, &report, took));
                }
                let urgent = line.feed(feed).is_some_and(|feed| feed.plan.urgent);
                self.follow_up(portal, feed, urgent, &report);
                let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
                for poked in &report.missing {
                    wanted.entry((portal.to_owned(), *poked)).or_default().asked = true;
                }
                After::Released(report.released)
            }
            Err(CycleError::Ledger(error)) => {
                tracing::error!(
                    portal,
                    feed,
                    "{error}; the process ends, and the open requests are asked about at the next start"
                );
                After::CannotGoOn
            }
            Err(CycleError::Delivery(error)) => {
                tracing::error!(
                    portal,
                    feed,
                    "a delivery ended unexpectedly ({error}); the process ends and starts afresh"
                );
                After::CannotGoOn
            }
            Err(error) => {
                self.again(portal, feed);
                self.resuming().came_through(portal, feed);
                metrics.count_cycle_failure(portal, feed);
                match self.fails(portal, feed, &error) {
                    true => tracing::warn!(portal, feed, "cycle not done: {error}"),
                    // It was said, and is said again when it changes or ends.
                    false => tracing::debug!(portal, feed, "cycle still not done: {error}"),
                }
                After::Released(BTreeSet::new())
            }
        }
    }

    /// When the feed looks at its database again, if before its time.
    fn follow_up(&self, portal: &str, feed: &'static str, urgent: bool, report: &CycleReport) {
        match report.stop {
            // The pause itself says when: the pauses of the feed's own failures do not grow by it.
            Some(Stop::PortalPaused | Stop::PortalFailed | Stop::FeedParked) => {
                self.well(portal, feed);
                self.resuming().wait(portal, feed, urgent);
            }
            Some(Stop::Stalled) => self.again(portal, feed),
            Some(Stop::Stopping) => {}
            None => {
                self.resuming().came_through(portal, feed);
                if report.failures == 0 && !report.search_goes_on {
                    self.well(portal, feed);
                } else {
                    self.again(portal, feed);
                }
            }
        }
    }

    /// The feed is to look at the whole of its database: a look at a few records did not find all of them, or could not send them.
    pub(super) fn want(&self, portal: &str, feed: &'static str) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.entry((portal.to_owned(), feed)).or_default().asked = true;
    }

    /// Since when cycles of a feed cannot be done, and why the last could not.
    pub(super) fn failing(&self, portal: &str, feed: &'static str) -> Option<(i64, String)> {
        self.failures().get(&(portal.to_owned(), feed)).cloned()
    }

    /// Notes that a cycle could not be done. True when the one before it could, or failed for another reason.
    fn fails(&self, portal: &str, feed: &'static str, error: &CycleError) -> bool {
        let mut failures = self.failures();
        let now = Utc::now().timestamp();
        let (_, why) = failures.entry((portal.to_owned(), feed)).or_insert((now, String::new()));
        let text = error.to_string();
        let is_new = *why != text;
        *why = text;
        is_new
    }

    fn failures(&self) -> MutexGuard<'_, Failing> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resuming(&self) -> MutexGuard<'_, Resuming> {
        self.resuming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The feed did not do all it had to: it is poked again before its time.
    fn again(&self, portal: &str, feed: &'static str) {
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = again.entry((portal.to_owned(), feed)).or_default();
        if wanted.pause == 0 {
            wanted.not_before = Utc::now().timestamp() + FIRST_PAUSE;
        }
        wanted.asked = true;
    }

    fn well(&self, portal: &str, feed: &'static str) {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).remove(&(portal.to_owned(), feed));
    }

    /// The feeds of a portal that are to be poked now. One that is asked for again and again is poked ever more rarely; one that waits for
    /// its portal is poked as soon as that `lets_pass`.
    pub(super) fn pokes(&self, portal: &str, now: i64, lets_pass: impl Fn(&'static str) -> bool) -> Vec<&'static str> {
        let mut pokes = self.resuming().pokes(portal, lets_pass);
        for list in [&self.wanted, &self.again] {
            due(&mut list.lock().unwrap_or_else(PoisonError::into_inner), portal, now, &mut pokes);
        }
        pokes
    }
}

fn due(list: &mut Pokes, portal: &str, now: i64, pokes: &mut Vec<&'static str>) {
    for ((_, feed), wanted) in list.iter_mut().filter(|((name, _), _)| name == portal) {
        if !wanted.asked || !is_due(wanted.not_before, now, Duration::from_secs(LONGEST_PAUSE.unsigned_abs())) {
            continue;
        }
        let quiet = now - wanted.not_before > 2 * LONGEST_PAUSE;
        wanted.pause = if quiet || wanted.pause == 0 { FIRST_PAUSE } else { (wanted.pause * 2).min(LONGEST_PAUSE) };
        wanted.not_before = now + wanted.pause;
        wanted.asked = false;
        pokes.push(*feed);
    }
}

/// Counts what became of the records of a cycle.
pub(super) fn count(metrics: &Metrics, portal: &str, feed: &str, report: &CycleReport) {
    for (outcome, count) in [
        (Outcome::Accepted, report.accepted),
        (Outcome::Refused, report.refused),
        (Outcome::Invalid, report.invalid),
        (Outcome::Removed, report.removed),
        (Outcome::Postponed, report.postponed),
    ] {
        metrics.count_records(portal, feed, outcome, count);
    }
}

fn log(portal: &str, feed: &str, report: &CycleReport, took: Duration) {
    let ms = took.as_millis() as u64;
    let (rows, sent, accepted, removed, refused, held, invalid) =
        (report.rows, report.sent, report.accepted, report.removed, report.refused, report.held, report.invalid);
    match &report.stop {
        Some(Stop::PortalPaused) => tracing::debug!(portal, feed, "cycle skipped: the portal is paused"),
        Some(Stop::PortalFailed) => {
            let why = report.failure.as_deref().unwrap_or_default();
            tracing::warn!(portal, feed, rows, sent, accepted, ms, "cycle cut short: {why}");
        }
        Some(Stop::FeedParked) if rows == 0 => tracing::debug!(portal, feed, "cycle skipped: the feed is parked"),
        Some(Stop::FeedParked) => {
            let why = report.failure.as_deref().unwrap_or_default();
            tracing::warn!(portal, feed, rows, sent, accepted, ms, "cycle cut short, the feed is parked: {why}");
        }
        Some(Stop::Stalled) => {
            tracing::warn!(portal, feed, rows, sent, accepted, ms, "cycle cut short: the portal is too slow")
        }
        Some(Stop::Stopping) => tracing::info!(portal, feed, rows, sent, accepted, ms, "cycle cut short: stopping"),
        None if report.failures > 0 => {
            let (failures, why) = (report.failures, report.failure.as_deref().unwrap_or_default());
            tracing::warn!(
                portal,
                feed,
                rows,
                sent,
                accepted,
                failures,
                ms,
                "some requests failed and are made again: {why}"
            );
        }
        None if sent + refused + removed > 0 => {
            tracing::info!(portal, feed, rows, sent, accepted, removed, refused, held, invalid, ms, "cycle")
        }
        None => tracing::debug!(portal, feed, rows, held, invalid, ms, "cycle"),
    }
}

/// Seconds that the pending records will take at the pace of this cycle.
fn drain_estimate(counts: &Counts, report: &CycleReport, took: Duration) -> f64 {
    let pace = report.accepted as f64 / took.as_secs_f64().max(0.001);
    if counts.pending == 0 || pace == 0.0 { 0.0 } else { counts.pending as f64 / pace }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(aftermath: &Aftermath) {
        let mut wanted = aftermath.wanted.lock().unwrap();
        wanted.entry(("fer".to_owned(), "mo")).or_default().asked = true;
    }

    #[test]
    fn a_missing_parent_is_asked_for_ever_more_rarely() {
        let aftermath = Aftermath::default();
        let mut poked = Vec::new();
        for second in 0..200 {
            ask(&aftermath);
            if !aftermath.pokes("fer", 1000 + second, |_| true).is_empty() {
                poked.push(second);
            }
        }
        assert_eq!(poked, [0, 15, 45, 105]);
    }

    #[test]
    fn nobody_is_poked_who_was_not_asked_for() {
        let aftermath = Aftermath::default();
        ask(&aftermath);
        assert!(aftermath.pokes("other", 1000, |_| true).is_empty());
        assert_eq!(aftermath.pokes("fer", 1000, |_| true), ["mo"]);
        assert!(aftermath.pokes("fer", 9000, |_| true).is_empty());
    }

    #[test]
    fn a_clock_that_steps_back_does_not_put_pokes_off() {
        let aftermath = Aftermath::default();
        ask(&aftermath);
        assert_eq!(aftermath.pokes("fer", 1_000_000, |_| true), ["mo"]);
        ask(&aftermath);
        assert_eq!(aftermath.pokes("fer", 900_000, |_| true), ["mo"]);
    }

    #[test]
    fn a_feed_that_a_pause_cut_short_is_poked_the_moment_the_pause_is_over() {
        let aftermath = Aftermath::default();
        let stopped = |stop| CycleReport { stop: Some(stop), failures: 1, ..CycleReport::default() };
        for _ in 0..10 {
            aftermath.follow_up("fer", "mo", false, &stopped(Stop::PortalFailed));
            aftermath.follow_up("fer", "mo", false, &stopped(Stop::PortalPaused));
            assert!(aftermath.pokes("fer", 1000, |_| false).is_empty());
            assert_eq!(aftermath.pokes("fer", 1000, |_| true), ["mo"], "however often it happens");
        }
    }

    #[test]
    fn a_failure_is_said_when_it_begins_and_when_it_changes() {
        let aftermath = Aftermath::default();
        let error = |feed: &str| CycleError::NoSuchFeed(feed.to_owned());
        let said: Vec<bool> = ["a", "a", "b", "b"].map(|why| aftermath.fails("fer", "mo", &error(why))).into();
        assert_eq!(said, [true, false, true, false]);
        assert_eq!(aftermath.failing("fer", "mo").map(|(_, why)| why), Some(error("b").to_string()));
    }

    #[test]
    fn slots_lead_after_a_pause_and_the_others_follow() {
        let aftermath = Aftermath::default();
        let paused = CycleReport { stop: Some(Stop::PortalPaused), ..CycleReport::default() };
        for (feed, urgent) in [("mo", false), ("slot", true)] {
            aftermath.follow_up("fer", feed, urgent, &paused);
        }
        assert_eq!(aftermath.pokes("fer", 1000, |_| true), ["slot"]);
        assert!(aftermath.pokes("fer", 1000, |_| true).is_empty());
        aftermath.follow_up("fer", "slot", true, &CycleReport::default());
        assert_eq!(aftermath.pokes("fer", 1000, |_| true), ["mo"]);
    }
}
