//! Records that somebody else may have written at the portal: which version it holds of them nobody here knows, so that each is sent once
//! more, whatever its row says.

use super::{At, Index};
use crate::ledger::{Entry, Mark, State};
use crate::record::{Fingerprint, Key};

impl Index {
    /// Somebody else may have written this record at the portal. Gives it as the ledger is to have it, if that is news. Of one in flight that is
    /// noted when its request is settled: what is sent now may be overwritten, and what was written may be overwritten by it.
    pub fn doubt(&mut self, at: At, now: i64) -> Option<Entry> {
        if self.in_flight(at) {
            self.doubted.insert(at, now);
            return None;
        }
        // What is to go goes all the same, and what is past is nobody's concern any more.
        if matches!(self.state(at), State::Gone | State::Past | State::Unknown) || self.is_stranger(at) {
            return None;
        }
        let (was_marked, was_due) =
            self.detail(at).map_or((false, false), |detail| (detail.mark.is_some(), detail.due));
        if was_marked {
            // What the portal has refused waits all the same.
            if matches!(self.state(at), State::Pending | State::Held) {
                self.make_due(at);
            }
            return None;
        }
        let mut entry = self.entry(at);
        entry.mark = Some(unknown_version(&entry));
        if entry.state == State::Accepted {
            entry.state = State::Pending;
        }
        self.put_at(at, &entry, now);
        if was_due || entry.state == State::Pending {
            self.make_due(at);
        }
        Some(entry)
    }

    /// True when the portal holds, or may hold, a record with this key.
    pub fn is_at_portal(&self, key: &Key) -> bool {
        let may_be_there = |at: At| {
            let is_marked = self.detail(at).is_some_and(|detail| detail.mark.is_some());
            self.accepted(at).is_some() || is_marked
        };
        self.find(key.id()).is_some_and(may_be_there)
    }

    /// True when the record with this key waits to be sent although the portal holds, or may hold, a version of it.
    pub fn waits_to_be_sent_again(&self, key: &Key) -> bool {
        self.is_at_portal(key) && self.find(key.id()).is_some_and(|at| self.state(at) == State::Pending)
    }

    /// True when somebody else may have written the record since it was taken into its request.
    pub fn is_doubted(&self, at: At) -> bool {
        self.doubted.contains_key(&at)
    }

    /// Somebody else has brought a record to the portal that nobody here knows, and that hangs on these parents. From here on it is ours: sent if
    /// it has a row, taken away if a complete read has none.
    pub fn take_over(&mut self, key: Key, parents: [Option<Key>; 2], now: i64) -> Entry {
        let mut entry = Entry { parents, ..Entry::new(key) };
        entry.mark = Some(unknown_version(&entry));
        let at = self.put(&entry, now);
        self.make_due(at);
        entry
    }
}

/// What may be at the portal where nobody knows what is. That it is the acknowledged version says that its place is no guess.
fn unknown_version(entry: &Entry) -> Mark {
    Mark::Version(entry.accepted.unwrap_or_else(Fingerprint::unknown))
}
