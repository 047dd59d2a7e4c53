//! A batch: the canonical bodies of some records, joined once, ready to be framed and sent.

use std::ops::Range;

use crate::record::{Fingerprint, Key};

/// Records that go out in one request. Bodies stand one after another, joined by commas.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    body: Vec<u8>,
    records: Vec<Sent>,
}

/// One record of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its key.
    pub key: Key,
    /// The version that is sent.
    pub fingerprint: Fingerprint,
    /// The portal's own id of the record, where an earlier version got one.
    pub remote_id: Option<Box<str>>,
    /// True when the portal has acknowledged an earlier version: this one is an update.
    pub known: bool,
    /// True when an earlier request with this version may have been carried out: its answer was lost.
    pub open: bool,
    span: Range<u32>,
}

impl Batch {
    /// An empty batch with room for so many records and bytes, and a little more.
    pub fn with_capacity(records: usize, bytes: usize) -> Self {
        Batch { body: Vec::with_capacity(bytes + bytes / 16), records: Vec::with_capacity(records) }
    }

    /// Appends a record with its canonical body.
    pub fn push(&mut self, key: Key, fingerprint: Fingerprint, remote_id: Option<Box<str>>, known: bool, body: &[u8]) {
        if !self.records.is_empty() {
            self.body.push(b',');
        }
        let start = self.body.len() as u32;
        self.body.extend_from_slice(body);
        self.records.push(Sent {
            key,
            fingerprint,
            remote_id,
            known,
            open: false,
            span: start..self.body.len() as u32,
        });
    }

    /// An earlier request with the record that was added last may have been carried out.
    pub fn note_open(&mut self) {
        if let Some(last) = self.records.last_mut() {
            last.open = true;
        }
    }

    /// The records, in the order in which they were added.
    pub fn records(&self) -> &[Sent] {
        &self.records
    }

    /// The bodies joined by commas: the inside of a JSON array.
    pub fn joined(&self) -> &[u8] {
        &self.body
    }

    /// The body of the record at `index`.
    pub fn body(&self, index: usize) -> &[u8] {
        let span = &self.records[index].span;
        &self.body[span.start as usize..span.end as usize]
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True when there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of the joined bodies.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// A batch of the records at these positions.
    pub fn pick(&self, positions: &[usize]) -> Batch {
        let mut picked = Batch::default();
        for &position in positions {
            let record = &self.records[position];
            picked.push(
                record.key.clone(),
                record.fingerprint,
                record.remote_id.clone(),
                record.known,
                self.body(position),
            );
            if record.open {
                picked.note_open();
            }
        }
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Batch {
        let mut batch = Batch::default();
        for (key, body) in [(1, "{\"a\":1}"), (2, "{\"a\":2}"), (3, "{\"a\":3}")] {
            batch.push(Key::Guid(key), Fingerprint::of(body.as_bytes()), None, false, body.as_bytes());
        }
        batch
    }

    #[test]
    fn bodies_are_joined_by_commas() {
        assert_eq!(three().joined(), br#"{"a":1},{"a":2},{"a":3}"#);
    }

    #[test]
    fn a_picked_batch_holds_just_those_records() {
        let picked = three().pick(&[0, 2]);
        assert_eq!(picked.joined(), br#"{"a":1},{"a":3}"#);
        assert_eq!(picked.body(1), br#"{"a":3}"#);
        assert_eq!(picked.records()[1].key, Key::Guid(3));
    }
}
