//! Standstill: whether a feed may speak to its portal, and what answers and failures change about that.

use std::sync::{MutexGuard, PoisonError};

use rand::RngExt;

use super::line::{FeedLine, Line};
use super::report::Stop;
use crate::ledger::Ledger;
use crate::portal::Portal;
use crate::source::Source;
use crate::transport::{Failure, Parking, Trouble};

impl<S: Source> FeedLine<S> {
    /// Whether the portal refuses this feed's address: see [`Parking`].
    pub(super) fn parking(&self) -> MutexGuard<'_, Parking> {
        self.parking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the feed sends nothing because of what its records travel in.
    pub(super) fn sending(&self) -> MutexGuard<'_, Parking> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when the feed sends nothing at `now`, and why, if a person must act for it.
    pub fn rest(&self, now: i64) -> Option<(i64, String)> {
        let rest = |parking: MutexGuard<'_, Parking>| parking.rest(now).map(|(until, why)| (until, why.to_owned()));
        rest(self.parking()).or_else(|| rest(self.sending()))
    }
}

/// The right to be the one request that shows whether a portal is well again.
pub(super) type Trial<'a> = tokio::sync::MutexGuard<'a, ()>;

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// After a pause one request goes out alone: waits for its outcome, or for the right to send it. None where the portal is well.
    pub(super) async fn trial(&self) -> Option<Trial<'_>> {
        let on_trial = || self.breaker().on_trial(self.clock.now());
        if !on_trial() {
            return None;
        }
        let trial = self.trial.lock().await;
        on_trial().then_some(trial)
    }

    /// A number that decides which record of several is tried first.
    pub(super) fn dice(&self) -> usize {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        rng.random_range(0..usize::from(u16::MAX))
    }

    /// True when a cycle of this feed may send to the portal now.
    pub fn lets_pass(&self, feed: &str) -> bool {
        self.feeds.get(feed).is_some_and(|feed| self.standstill(feed).is_none())
    }

    /// Waits until no cycle of any feed runs. Nothing keeps the next one from beginning but [`Line::stopping`].
    pub async fn at_rest(&self) {
        for feed in self.feeds.values() {
            drop(feed.cycle.lock().await);
            drop(feed.exchanging.lock().await);
        }
    }

    /// Why nothing of the feed goes out now, if that is so.
    pub(super) fn standstill(&self, feed: &FeedLine<S>) -> Option<Stop> {
        let rests = || feed.sending().rest(self.clock.now()).is_some();
        self.silence(feed).or_else(|| rests().then_some(Stop::FeedParked))
    }

    /// Why the portal is not even asked about the feed's records now, if that is so.
    pub(super) fn silence(&self, feed: &FeedLine<S>) -> Option<Stop> {
        let now = self.clock.now();
        if !self.breaker().lets_pass(now) {
            Some(Stop::PortalFailed)
        } else if feed.parking().rest(now).is_some() {
            Some(Stop::FeedParked)
        } else {
            None
        }
    }

    /// A request of the feed was answered.
    pub(super) fn answered(&self, feed: &FeedLine<S>) {
        let now = self.clock.now();
        self.breaker().succeed(now);
        feed.parking().succeed(now);
    }

    /// The portal has judged records: what they travelled in was well.
    pub(super) fn judged(&self, feed: &FeedLine<S>) {
        self.answered(feed);
        feed.sending().succeed(self.clock.now());
    }

    /// A request of the feed came to nothing, for a reason that is not in its records.
    pub(super) fn heed(&self, feed: &FeedLine<S>, failure: &Failure) {
        let now = self.clock.now();
        let name = feed.plan.schema.feed;
        match failure.trouble {
            Trouble::FeedParked => {
                if feed.parking().park(&failure.text, now) {
                    tracing::error!(portal = %self.name, feed = name, "the feed is parked and tried again rarely; the other feeds go on: {}", failure.text);
                }
            }
            Trouble::BatchAtFault => {
                if feed.sending().park(&failure.text, now) {
                    tracing::error!(portal = %self.name, feed = name, "the feed sends nothing for now and tries again rarely; no record is to blame: {}", failure.text);
                }
            }
            Trouble::Transient { .. }
            | Trouble::TimedOut
            | Trouble::TooLarge
            | Trouble::Unattributed
            | Trouble::Foreign { .. }
            | Trouble::UnitBlocked
            | Trouble::Maintenance { .. }
            | Trouble::Parked => {
                let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
                self.breaker().fail(failure, now, &mut *rng);
            }
        }
    }
}
