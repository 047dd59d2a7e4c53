//! Standstill: whether a feed may speak to its portal, and what answers and failures change about that.

use std::sync::{MutexGuard, PoisonError};

use super::line::{FeedLine, Line};
use super::report::Stop;
use crate::ledger::Ledger;
use crate::portal::Portal;
use crate::source::Source;
use crate::transport::{Failure, Parking, Trouble};

impl<S: Source> FeedLine<S> {
    /// Whether the portal refuses this feed's address: see [`Parking`].
    pub fn parking(&self) -> MutexGuard<'_, Parking> {
        self.parking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// True when a cycle of this feed may speak to the portal now.
    pub fn lets_pass(&self, feed: &str) -> bool {
        self.feeds.get(feed).is_some_and(|feed| self.standstill(feed).is_none())
    }

    /// Why nothing of the feed goes out now, if that is so.
    pub(super) fn standstill(&self, feed: &FeedLine<S>) -> Option<Stop> {
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

    /// A request of the feed came to nothing, for a reason that is not in its records.
    pub(super) fn heed(&self, feed: &FeedLine<S>, failure: &Failure) {
        let now = self.clock.now();
        if failure.trouble != Trouble::FeedParked {
            let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
            return self.breaker().fail(failure, now, &mut *rng);
        }
        if feed.parking().park(&failure.text, now) {
            let feed = feed.plan.schema.feed;
            tracing::error!(portal = %self.name, feed, "the feed is parked and tried again rarely; the other feeds go on: {}", failure.text);
        }
    }
}
