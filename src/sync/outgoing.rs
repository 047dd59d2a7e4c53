//! Outgoing: the records of one request on their way from plan to settlement.

use super::index::{At, Index};
use crate::ledger::{Entry, Mark};
use crate::portal::Batch;
use crate::record::Key;

/// Records that are planned to go out together. Nothing is sent before their mark is durable.
#[derive(Debug, Default)]
pub struct Outgoing {
    pub(super) batch: Batch,
    /// Each record as it shall stand once acknowledged, with its mark set.
    pub(super) entries: Vec<Entry>,
    /// Where each record is in its index.
    pub(super) at: Vec<At>,
    /// What was in doubt of each record before.
    pub(super) before: Vec<Option<Mark>>,
    /// True when its one record stands for a unit on probation.
    pub(super) alone: bool,
}

impl Outgoing {
    /// Adds a record with its body.
    pub(super) fn push(&mut self, at: At, mut entry: Entry, before: Option<Mark>, body: &[u8]) {
        if before == Some(Mark::Removal) {
            // The portal may hold nothing: once a request may have brought this version there, that would be forgotten.
            entry.accepted = None;
        }
        if let Some(version) = entry.mark.and_then(Mark::version) {
            let known = entry.accepted.is_some();
            self.batch.push(entry.key.clone(), version, entry.remote_id.clone(), known, body);
            if Mark::leaves_open(before, version) {
                self.batch.note_open();
            }
            self.entries.push(entry);
            self.at.push(at);
            self.before.push(before);
        }
    }

    /// An empty one with room for as much as is in this one.
    pub(super) fn of_same_size(&self) -> Self {
        let records = self.len();
        Outgoing {
            batch: Batch::with_capacity(records, self.batch.bytes()),
            entries: Vec::with_capacity(records),
            at: Vec::with_capacity(records),
            before: Vec::with_capacity(records),
            alone: false,
        }
    }

    /// Takes a record out again, if it is in.
    pub(super) fn withdraw(&mut self, at: At) -> bool {
        let Some(out) = self.at.iter().position(|other| *other == at) else { return false };
        let kept: Vec<usize> = (0..self.at.len()).filter(|position| *position != out).collect();
        self.batch = self.batch.pick(&kept);
        self.entries.remove(out);
        self.at.remove(out);
        self.before.remove(out);
        true
    }

    /// Puts all records back: nothing of them was sent.
    pub(super) fn put_back(&self, index: &mut Index) {
        self.at.iter().for_each(|at| index.put_back(*at));
    }

    /// The unit for which its one record stands, if it is sent for that.
    pub(super) fn stands_for(&self) -> Option<Key> {
        self.entries.first().filter(|_| self.alone)?.unit.clone()
    }

    /// Number of records.
    pub(super) fn len(&self) -> usize {
        self.at.len()
    }
}
