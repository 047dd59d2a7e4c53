//! What waits for the end of a read: records that give their place up to any other of the read, and first rows of keys of which the portal
//! holds the second.

use super::{DUPLICATE_KEY, ParentFeed, Plan, lock_parents};
use crate::record::{Record, Rule, Schema, Violation};
use crate::source::Source;
use crate::sync::index::{At, Index};
use crate::sync::line::FeedLine;

/// Most records that wait with their bodies for the end of a read; more are sent in their turn.
const MOST_LATE: usize = 10_000;

/// A record that is planned at the end of a read.
pub(super) struct Late {
    known: Option<At>,
    record: Record,
    body: Box<[u8]>,
}

impl Plan {
    /// Plans the records that were late: the read is at its end, and who else wants their places has them.
    pub(in crate::sync) fn take_late<S: Source>(&mut self, feed: &FeedLine<S>, parents: &[&FeedLine<S>]) {
        if self.late.is_empty() {
            return;
        }
        let mut index = feed.index();
        let parents = lock_parents(feed, parents);
        for Late { known, record, body } in std::mem::take(&mut self.late) {
            let now_known = index.find(record.key.id());
            if known.is_none()
                && let Some(at) = now_known
            {
                // Another row of its key came in between and was used.
                self.find(Some(index.key(at)), DUPLICATE_KEY, vec![second_row(self.encoder.schema())]);
                continue;
            }
            self.late_body = Some(body);
            match now_known {
                // It may have been taken away meanwhile, with its parent.
                Some(at) => self.take_known(&mut index, &parents, at, record),
                None => self.send_or_hold(&mut index, &parents, None, record),
            }
            self.late_body = None;
        }
    }

    /// The record would take a place that it gives up to any other.
    pub(super) fn is_late(&self, index: &Index, known: Option<At>, record: &Record) -> bool {
        let takes_place = record.place.is_some() && known.and_then(|at| index.place(at)) != record.place;
        takes_place && self.yields(record.status) && self.late_body.is_none() && self.late.len() < MOST_LATE
    }

    /// The last read had two rows of this key, and this is not the one that the portal holds: the other one may come yet.
    pub(super) fn awaits_second(&self, index: &mut Index, at: At, record: &Record) -> bool {
        if self.late_body.is_some() {
            index.forget_two_rows(at);
            return false;
        }
        index.had_two_rows(at) && index.accepted(at) != Some(record.fingerprint) && self.late.len() < MOST_LATE
    }

    fn is_put_off(&self, at: At) -> bool {
        self.late.iter().any(|late| late.known == Some(at))
    }

    /// Leaves a record to the end of the read.
    pub(super) fn put_off(&mut self, known: Option<At>, record: Record) {
        let body = self.body().into();
        self.late.push(Late { known, record, body });
    }

    /// A second row of one key. The copy that the portal holds is used, else the first.
    pub(super) fn take_duplicate(
        &mut self,
        index: &mut Index,
        parents: &[Option<ParentFeed<'_>>],
        at: At,
        sound: bool,
    ) {
        // Where that is in doubt, the first copy goes and settles it.
        let in_doubt = index.detail(at).is_some_and(|detail| detail.mark.is_some());
        let held_by_portal = sound && !in_doubt && index.accepted(at) == Some(self.encoder.fingerprint());
        let first_differs = !index.holds(at, self.encoder.fingerprint()) || self.is_put_off(at);
        if held_by_portal && first_differs {
            self.use_second(index, parents, at);
        }
        self.find(Some(index.key(at)), DUPLICATE_KEY, vec![second_row(self.encoder.schema())]);
    }

    /// Takes back what was planned by the first row of a key, whose second row is what the portal holds.
    fn use_second(&mut self, index: &mut Index, parents: &[Option<ParentFeed<'_>>], at: At) {
        if self.filling.withdraw(at) {
            index.put_back(at);
            self.report.sent -= 1;
        }
        self.late.retain(|late| late.known != Some(at));
        let Some(record) = self.encoder.record().filter(|_| !index.in_flight(at)) else { return };
        // What the first row wanted, it wanted in vain, and nothing that others wait for hangs on it.
        self.contested.retain(|contest| contest.key != record.key);
        self.faults.retain(|contest| contest.key != record.key);
        self.notes.refused.retain(|refused| refused.key.as_ref() != Some(&record.key));
        index.wait_no_longer(at);
        index.note_two_rows(at);
        self.tell(record.key.id(), record.place, record.status);
        // It stands as before the read, and that may be as one without a row.
        if !index.holds(at, record.fingerprint) {
            self.take_known(index, parents, at, record);
        }
    }
}

/// What is wrong with a second row of a key.
fn second_row(schema: &Schema) -> Violation {
    Violation {
        field: schema.key.into(),
        rule: Rule::DuplicateKey,
        text: "is the key of more than one row; one of them is used, the others are not".into(),
    }
}
