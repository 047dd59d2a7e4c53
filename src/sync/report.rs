//! Reports: what a cycle did, for operators, metrics and exit codes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::ledger::Refusal;
use crate::record::Key;

/// Numbers of a cycle while it runs, for progress bars. They start from zero with each cycle.
#[derive(Debug, Default)]
pub struct Live {
    /// Rows read.
    pub rows: AtomicU64,
    /// Records put into requests.
    pub sent: AtomicU64,
    /// Records that the portal accepted.
    pub accepted: AtomicU64,
}

impl Live {
    pub(super) fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }
}

/// Why a cycle did not read all it wanted or send all it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The portal is paused; nothing was read.
    PortalPaused,
    /// The portal failed so often that it is left alone for now, while the cycle ran.
    PortalFailed,
    /// The portal refuses the address of this feed, or what its records travel in, so nothing is sent for now; nothing was read, or the cycle
    /// was cut short.
    FeedParked,
    /// The scan waited too long for the portal and was closed.
    Stalled,
    /// The daemon is stopping.
    Stopping,
}

/// What a cycle did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CycleReport {
    /// True when every row was asked for, not only the changed ones.
    pub full: bool,
    /// True when all keys were read beside what had changed.
    pub swept: bool,
    /// Sound keys that such a sweep has read.
    pub keys: u64,
    /// Rows read.
    pub rows: u64,
    /// Rows whose record the portal holds already.
    pub unchanged: u64,
    /// Records put into requests, or, in a dry run, those that would be.
    pub sent: u64,
    /// Records that the portal accepted.
    pub accepted: u64,
    /// Records that the portal refused by name.
    pub refused: u64,
    /// Rows that our own checks refused.
    pub invalid: u64,
    /// Records that wait for a parent.
    pub held: u64,
    /// Records that give way to others.
    pub yielded: u64,
    /// Records left for a later cycle: their next attempt is not due, or their unit is paused, or delivery failed.
    pub postponed: u64,
    /// Records of which nobody knows whether the portal took them.
    pub unknown: u64,
    /// Records that the portal holds and whose rows are gone, their time still to come: to be removed.
    pub vanished: u64,
    /// Records that were removed at the portal.
    pub removed: u64,
    /// Why nothing is removed, if the fuse has tripped.
    pub fused: Option<String>,
    /// Rows that are second of their key, or have none.
    pub findings: u64,
    /// Requests that came to nothing; their records are tried again later.
    pub failures: u64,
    /// What the last of these came to nothing by.
    pub failure: Option<String>,
    /// True when so many records were refused one by one that the rest of what was to be sent waits for another cycle, soon.
    pub search_goes_on: bool,
    /// Why the cycle ended early, if it did.
    pub stop: Option<Stop>,
    /// Refusals that a dry run would have written down.
    #[serde(skip)]
    pub refusals: Vec<Refusal>,
    /// Records that a look named and of which no row came.
    #[serde(skip)]
    pub unfound: Vec<Key>,
    /// Feeds of which records are missing as parents.
    #[serde(skip)]
    pub missing: BTreeSet<&'static str>,
    /// Feeds that have work which is due now: waiting records may go, or not all was done in one run.
    #[serde(skip)]
    pub released: BTreeSet<&'static str>,
}

impl CycleReport {
    /// True when the cycle asked for every row, or at least for the key of every row: it can say what is gone.
    pub fn sees_all(&self) -> bool {
        self.full || self.swept
    }

    /// True when nothing that came shows a row with a key.
    pub(super) fn saw_none(&self) -> bool {
        // Rows of which none has a usable key are as good as none.
        (self.full && self.rows == self.findings) || (self.swept && self.keys == 0)
    }

    /// True when every row was read.
    pub fn complete(&self) -> bool {
        self.stop.is_none()
    }
}
