//! What the gateway was asked: counters per subsystem and a bounded log of the last requests, for tests and `/mock/stats`.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::subsystem::Subsystem;

/// What one subsystem was asked since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// POST requests with a good token.
    pub requests: u64,
    /// Records in them.
    pub received: u64,
    /// Records that were stored.
    pub accepted: u64,
    /// Records that were refused.
    pub refused: u64,
    /// DELETE requests.
    pub deletes: u64,
    /// Records that went, cascades included (counted where the request was made).
    pub removed: u64,
    /// GET requests.
    pub reads: u64,
    /// Body bytes of POST requests after gunzip.
    pub raw_bytes: u64,
    /// Body bytes of POST requests that came as gzip, as sent.
    pub gzip_bytes: u64,
}

/// What the gateway as a whole was asked since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Tokens issued.
    pub tokens_issued: u64,
    /// Wrong names or passwords.
    pub logins_refused: u64,
    /// Requests without a good token.
    pub unauthorized: u64,
    /// Bookings and cancellations that were forwarded to a webhook.
    pub webhook_calls: u64,
    /// Bookings that a hospital made.
    pub bookings: u64,
    /// Bookings that a hospital cancelled.
    pub cancellations: u64,
}

/// One request that reached a subsystem.
#[derive(Debug, Clone, Serialize)]
pub struct LogEntry {
    /// When its answer was ready.
    pub at: DateTime<Utc>,
    /// The HTTP method.
    pub method: &'static str,
    /// The subsystem it was for.
    pub subsystem: Subsystem,
    /// Path and query.
    pub path: String,
    /// Ids of the records it carried or named, in its order.
    pub ids: Vec<String>,
    /// The HTTP status of the answer.
    pub status: u16,
}

/// Counters and log.
pub(super) struct Journal {
    counters: [Counters; Subsystem::ALL.len()],
    totals: Totals,
    log: VecDeque<LogEntry>,
    logged_ids: usize,
    most_requests: usize,
    most_ids: usize,
}

impl Journal {
    pub(super) fn new(most_requests: usize, most_ids: usize) -> Self {
        Journal {
            counters: Default::default(),
            totals: Totals::default(),
            log: VecDeque::new(),
            logged_ids: 0,
            most_requests,
            most_ids,
        }
    }

    pub(super) fn count(&mut self, subsystem: Subsystem, count: impl FnOnce(&mut Counters)) {
        count(&mut self.counters[subsystem.index()]);
    }

    pub(super) fn count_total(&mut self, count: impl FnOnce(&mut Totals)) {
        count(&mut self.totals);
    }

    /// Keeps a request and forgets the oldest ones beyond the limits.
    pub(super) fn note(&mut self, entry: LogEntry) {
        self.logged_ids += entry.ids.len();
        self.log.push_back(entry);
        while self.log.len() > self.most_requests || (self.logged_ids > self.most_ids && self.log.len() > 1) {
            let Some(oldest) = self.log.pop_front() else { break };
            self.logged_ids -= oldest.ids.len();
        }
    }

    pub(super) fn counters(&self, subsystem: Subsystem) -> Counters {
        self.counters[subsystem.index()]
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        self.log.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(ids: usize) -> LogEntry {
        LogEntry {
            at: Utc::now(),
            method: "POST",
            subsystem: Subsystem::Slot,
            path: "/api/slot".to_owned(),
            ids: vec![String::new(); ids],
            status: 200,
        }
    }

    #[test]
    fn the_log_is_bounded_by_requests_and_by_ids() {
        let mut journal = Journal::new(3, 10);
        (0..5).for_each(|_| journal.note(entry(1)));
        assert_eq!(journal.entries().count(), 3);
        journal.note(entry(9));
        assert_eq!(journal.entries().count(), 2);
        journal.note(entry(50));
        assert_eq!(journal.entries().map(|entry| entry.ids.len()).collect::<Vec<_>>(), [50]);
    }
}
