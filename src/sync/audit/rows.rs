//! The source's side: keys and fingerprints of all rows of a feed, never their bodies; and some rows again by their keys.

use std::collections::BTreeMap;

use super::{AuditError, Auditor};
use crate::ledger::Ledger;
use crate::portal::Portal;
use crate::record::{Encoder, Fingerprint, Key, Record, RowChunk};
use crate::source::{Query, Read, RowStream, Source};
use crate::sync::line::FeedLine;
use crate::sync::mart::fields;

/// Stands for the version of a row that breaks rules.
const BROKEN: Fingerprint = Fingerprint(0);
/// Stands for the parent of a row that names none.
const NO_PARENT: u32 = u32::MAX;

/// One record of the source: 64 bytes.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) key: Key,
    version: Fingerprint,
    parent: u32,
    expires: u32,
    pub(super) status: Option<u8>,
}

/// The records of a feed in the source, by key, each once.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: Vec<Row>,
    parents: Vec<Key>,
}

/// A row that was read again by its key.
pub(super) struct Again {
    /// Its record; none when it breaks rules.
    pub(super) record: Option<Record>,
    /// What it says of each field of the schema.
    pub(super) fields: Vec<Option<Box<[u8]>>>,
}

impl Row {
    /// The version that the source wants; none when the row breaks rules.
    pub(super) fn version(&self) -> Option<Fingerprint> {
        (self.version != BROKEN).then_some(self.version)
    }

    /// When its time is past, where the record itself says so.
    pub(super) fn expires(&self) -> Option<i64> {
        (self.expires != 0).then_some(i64::from(self.expires))
    }
}

impl Rows {
    pub(super) fn find(&self, key: &Key) -> Option<&Row> {
        let at = self.rows.binary_search_by(|row| row.key.cmp(key)).ok()?;
        self.rows.get(at)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Row> {
        self.rows.iter()
    }

    /// The key of the parent under which the portal lists a record.
    pub(super) fn parent(&self, row: &Row) -> Option<&Key> {
        self.parents.get(row.parent as usize)
    }

    /// The rows of each parent.
    pub(super) fn by_parent(&self) -> BTreeMap<Option<&Key>, Vec<&Row>> {
        let mut groups: BTreeMap<Option<&Key>, Vec<&Row>> = BTreeMap::new();
        for row in &self.rows {
            groups.entry(self.parent(row)).or_default().push(row);
        }
        groups
    }
}

impl<S: Source, P: Portal, L: Ledger> Auditor<'_, S, P, L> {
    /// Reads all rows of a feed. `edge` is the holding edge whose parent the portal lists them under.
    pub(super) async fn all_rows(&self, feed: &FeedLine<S>, edge: Option<usize>) -> Result<Rows, AuditError> {
        let mut stream = self.read(feed, Read::All).await?;
        let mut encoder = bind(feed, &stream)?;
        let mut numbers: BTreeMap<Key, u32> = BTreeMap::new();
        let mut rows = Vec::new();
        let mut chunk = RowChunk::default();
        while stream.next(&mut chunk).await? {
            if self.line.stopping.is_cancelled() {
                return Err(AuditError::Stopped);
            }
            for cells in chunk.rows() {
                let sound = encoder.encode(cells);
                // A row without a key is no record; the engine reports it.
                let Some(record) = encoder.record() else { continue };
                let parent = edge.and_then(|edge| record.parents.get(edge).cloned().flatten());
                let next = numbers.len() as u32;
                rows.push(Row {
                    version: if sound { record.fingerprint } else { BROKEN },
                    parent: parent.map_or(NO_PARENT, |parent| *numbers.entry(parent).or_insert(next)),
                    expires: record.expires.map_or(0, |at| u32::try_from(at.max(1)).unwrap_or(u32::MAX)),
                    status: record.status,
                    key: record.key,
                });
            }
        }
        let mut parents: Vec<(Key, u32)> = numbers.into_iter().collect();
        parents.sort_by_key(|(_, number)| *number);
        let rows = once_each(rows, |row| {
            let index = feed.index();
            let known = index.find(row.key.id()).and_then(|at| index.accepted(at));
            known == row.version()
        });
        Ok(Rows { rows, parents: parents.into_iter().map(|(key, _)| key).collect() })
    }

    /// Reads some rows of a feed again by their keys.
    pub(super) async fn rows_again(
        &self,
        feed: &FeedLine<S>,
        keys: &[Key],
    ) -> Result<BTreeMap<Key, Again>, AuditError> {
        let mut rows = BTreeMap::new();
        if keys.is_empty() {
            return Ok(rows);
        }
        let mut stream = self.read(feed, Read::Keys { column: feed.plan.schema.key, keys }).await?;
        let mut encoder = bind(feed, &stream)?;
        let mut chunk = RowChunk::default();
        while stream.next(&mut chunk).await? {
            for cells in chunk.rows() {
                let sound = encoder.encode(cells);
                let Some(record) = encoder.record() else { continue };
                let key = record.key.clone();
                let again = Again { record: sound.then_some(record), fields: fields(&encoder) };
                rows.entry(key).or_insert(again);
            }
        }
        Ok(rows)
    }

    async fn read(&self, feed: &FeedLine<S>, read: Read<'_>) -> Result<S::Rows, AuditError> {
        let query = Query { label: feed.plan.schema.feed, sql: &feed.plan.query };
        Ok(feed.plan.source.read(query, read).await?)
    }
}

fn bind<S: Source>(feed: &FeedLine<S>, rows: &S::Rows) -> Result<Encoder, AuditError> {
    let columns: Vec<&str> = rows.columns().iter().map(|column| column.name.as_str()).collect();
    Ok(Encoder::bind(feed.plan.schema, &columns, &feed.plan.encode)?)
}

/// Sorts rows by key. Of several rows of one key the one that the portal is known to hold is kept, else the first, as a cycle does.
fn once_each(mut rows: Vec<Row>, is_held: impl Fn(&Row) -> bool) -> Vec<Row> {
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    rows.dedup_by(|next, kept| {
        let same = next.key == kept.key;
        if same && is_held(next) && !is_held(kept) {
            std::mem::swap(next, kept);
        }
        same
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: u128, version: u128) -> Row {
        Row { key: Key::Guid(key), version: Fingerprint(version), parent: NO_PARENT, expires: 0, status: None }
    }

    fn kept(held: u128) -> Vec<(Key, u128)> {
        let rows = vec![row(2, 5), row(1, 7), row(1, 8), row(1, 9)];
        let rows = once_each(rows, |row| row.version.0 == held);
        rows.into_iter().map(|row| (row.key, row.version.0)).collect()
    }

    #[test]
    fn of_two_rows_of_a_key_the_held_one_is_kept_else_the_first() {
        assert_eq!(kept(0), [(Key::Guid(1), 7), (Key::Guid(2), 5)]);
        assert_eq!(kept(9), [(Key::Guid(1), 9), (Key::Guid(2), 5)]);
    }

    #[test]
    fn a_row_stays_small() {
        assert_eq!(size_of::<Row>(), 64);
    }
}
