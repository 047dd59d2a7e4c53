//! Status: what `vitrina status`, `/api/status` and the gauges of `/metrics` show.

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

use crate::ledger::{Counts, Progress};
use crate::sync::Tripped;
use crate::transport::Health;

/// Everything there is to see.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The feeds, by portal, parents first.
    pub feeds: Vec<FeedStatus>,
    /// The portals.
    pub portals: Vec<PortalStatus>,
}

/// One feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedStatus {
    /// The portal's name.
    pub portal: String,
    /// The feed's name.
    pub feed: String,
    /// `ok`, `behind` (records wait to be sent), `attention` (records are rejected, held or unknown, or the fuse
    /// has tripped), `new` (never run to its end).
    pub state: String,
    /// Age of the oldest change not yet acknowledged, in seconds.
    pub lag_seconds: u64,
    /// End of the last cycle that did all it had to, RFC 3339.
    pub last_success: Option<String>,
    /// Records the portal holds as wanted.
    pub accepted: u64,
    /// Records to be sent.
    pub pending: u64,
    /// Records that wait for a parent.
    pub held: u64,
    /// Records refused.
    pub rejected: u64,
    /// Records of unknown outcome.
    pub unknown: u64,
    /// What a tripped fuse holds back, if one has.
    pub fuse: Option<FuseStatus>,
}

/// A fuse that has tripped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FuseStatus {
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Records whose rows are gone.
    pub removals: u64,
    /// What would be removed, for people.
    pub reason: String,
}

/// One portal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PortalStatus {
    /// Its name.
    pub portal: String,
    /// `open`, `paused`, `parked` (a person must act), `stopped` (no daemon runs).
    pub state: String,
    /// Until when, RFC 3339.
    pub until: Option<String>,
    /// Why, for people.
    pub why: Option<String>,
    /// Units that the portal has blocked.
    pub units_paused: usize,
}

impl FeedStatus {
    /// A feed with these numbers at `now`.
    pub fn new(portal: &str, feed: &str, counts: &Counts, progress: &Progress, now: i64) -> Self {
        let state = if counts.rejected + counts.held + counts.unknown > 0 {
            "attention"
        } else if progress.last_success.is_none() {
            "new"
        } else if counts.pending > 0 {
            "behind"
        } else {
            "ok"
        };
        FeedStatus {
            portal: portal.to_owned(),
            feed: feed.to_owned(),
            state: state.to_owned(),
            lag_seconds: counts.oldest_pending.map_or(0, |since| now.saturating_sub(since).max(0).unsigned_abs()),
            last_success: progress.last_success.and_then(rfc3339),
            accepted: counts.accepted,
            pending: counts.pending,
            held: counts.held,
            rejected: counts.rejected,
            unknown: counts.unknown,
            fuse: None,
        }
    }

    /// The same feed with what its fuse holds back.
    pub fn fused(mut self, fuse: Option<FuseStatus>) -> Self {
        if fuse.is_some() {
            self.state = "attention".to_owned();
        }
        self.fuse = fuse;
        self
    }
}

impl FuseStatus {
    /// A fuse as it is shown.
    pub fn of(fuse: &Tripped) -> Self {
        FuseStatus { since: rfc3339(fuse.since), removals: fuse.removals(), reason: fuse.reason() }
    }
}

impl PortalStatus {
    /// A portal that does like this.
    pub fn new(portal: &str, health: &Health, units_paused: usize) -> Self {
        let (state, until, why) = match health {
            Health::Open => ("open", None, None),
            Health::Paused { until, why } => ("paused", Some(*until), Some(why.clone())),
            Health::Parked { until, why } => ("parked", Some(*until), Some(why.clone())),
        };
        PortalStatus {
            portal: portal.to_owned(),
            state: state.to_owned(),
            until: until.and_then(rfc3339),
            why,
            units_paused,
        }
    }

    /// A portal that no daemon serves at the moment.
    pub fn stopped(portal: &str) -> Self {
        PortalStatus { portal: portal.to_owned(), state: "stopped".to_owned(), until: None, why: None, units_paused: 0 }
    }
}

fn rfc3339(seconds: i64) -> Option<String> {
    DateTime::from_timestamp(seconds, 0).map(|moment| moment.to_rfc3339_opts(SecondsFormat::Secs, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(counts: Counts, last_success: Option<i64>) -> String {
        let progress = Progress { last_success, ..Progress::default() };
        FeedStatus::new("fer", "slot", &counts, &progress, 100).state
    }

    #[test]
    fn what_needs_a_person_is_told_before_what_needs_time() {
        assert_eq!(state(Counts { held: 1, pending: 1, ..Counts::default() }, Some(1)), "attention");
        assert_eq!(state(Counts { pending: 1, ..Counts::default() }, Some(1)), "behind");
        assert_eq!(state(Counts::default(), None), "new");
        assert_eq!(state(Counts::default(), Some(1)), "ok");
    }
}
