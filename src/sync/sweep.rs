//! Sweeps: a read by change time sees no deletion, so between full scans all keys are read, in the same state of the database as the
//! changes. What the ledger knows and no key names is gone, as after a full scan; a key that the ledger does not know, or whose record it
//! took for gone, belongs to a row that came into view without a change time in reach, and is read at once.

use std::time::Duration;

use super::cycle::{CycleError, Run, Wanted};
use super::index::{At, Index};
use super::report::Stop;
use super::vanished;
use super::watermark::Watermark;
use crate::ledger::{Entry, Ledger, Refusal, Settlement, State};
use crate::portal::Portal;
use crate::record::{BindError, EncodeSettings, Key, KeyId, KeyReader, RowChunk, Schema};
use crate::source::{Column, RowStream, Source};
use crate::transport::is_due;

/// Shortest time between two attempts at a sweep of which the first broke off, in seconds: changes are read alone meanwhile, because a
/// query that is too slow for its keys may still be quick enough for its changes.
const PAUSE: i64 = 300;
/// Most unknown keys that one sweep keeps; the next one finds the others.
const MOST_STRAYS: usize = 100_000;

/// When the keys of a feed were last read. Kept for the life of a process: the first change read of the next one sweeps.
#[derive(Debug, Default)]
pub(super) struct Sweeps {
    begun: Option<i64>,
    done: bool,
    /// True when rows came into view that only a full scan can read, because no query can name their keys.
    pub(super) need_full_scan: bool,
}

impl Sweeps {
    /// True when the keys are to be read again.
    pub(super) fn is_due(&self, now: i64, every: Duration) -> bool {
        let Some(begun) = self.begun else { return true };
        let every = if self.done { every } else { every.max(Duration::from_secs(PAUSE.unsigned_abs())) };
        is_due(begun.saturating_add(every.as_secs().cast_signed()), now, every)
    }

    /// A read of all keys begins.
    pub(super) fn begin(&mut self, now: i64) {
        (self.begun, self.done) = (Some(now), false);
    }

    /// The read of all keys, or of all rows, that began last came to its end.
    pub(super) fn end(&mut self) {
        self.done = true;
    }
}

/// What a sweep has found.
pub(super) struct Swept {
    reader: KeyReader,
    guess: At,
    /// Sound keys read.
    pub(super) keys: u64,
    /// Keys whose rows are to be read: those that the ledger does not know, and those of records that it took for vanished.
    strays: Vec<Key>,
    /// Records that the ledger knows and no key names.
    pub(super) missing: Vec<KeyId>,
}

impl Swept {
    fn new(schema: &'static Schema, columns: &[Column], settings: &EncodeSettings) -> Result<Self, BindError> {
        let columns: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        Ok(Swept {
            reader: KeyReader::bind(schema, &columns, settings)?,
            guess: At::FIRST,
            keys: 0,
            strays: Vec::new(),
            missing: Vec::new(),
        })
    }

    /// Takes the keys of a chunk. A row without a sound key has no record that could be missed for it.
    fn take_chunk(&mut self, index: &mut Index, chunk: &RowChunk) {
        for row in chunk.rows() {
            let Some(id) = self.reader.key_id(row) else { continue };
            self.keys += 1;
            let known = index.find_near(id, self.guess);
            if let Some(at) = known {
                self.guess = at.next();
                index.see(at);
            }
            if is_to_be_read(index, known) && self.strays.len() < MOST_STRAYS {
                self.strays.extend(self.reader.key());
            }
        }
    }
}

/// True when the row of a key that a sweep has found is worth reading: the ledger does not know it, or took it for vanished.
fn is_to_be_read(index: &Index, known: Option<At>) -> bool {
    known.is_none_or(|at| index.state(at) == State::Gone)
}

impl<S: Source, P: Portal, L: Ledger> Run<'_, S, P, L> {
    /// Reads all keys. None when the cycle is to stop: then nothing follows from those that were read.
    pub(super) async fn sweep(&mut self, rows: &mut S::Rows) -> Result<Option<Swept>, CycleError> {
        let plan = &self.feed.plan;
        let mut swept = Swept::new(plan.schema, rows.key_columns(), &plan.encode)?;
        let mut chunk = RowChunk::default();
        loop {
            let more = tokio::select! {
                biased;
                () = self.line.stopping.cancelled() => {
                    self.report.stop = Some(Stop::Stopping);
                    return Ok(None);
                }
                more = rows.next_keys(&mut chunk) => more?,
            };
            let mut index = self.feed.index();
            if !more {
                swept.missing = index.unseen();
                index.begin_read();
                return Ok(Some(swept));
            }
            swept.take_chunk(&mut index, &chunk);
        }
    }

    /// What follows from a sweep whose changes have been read as well. A row that these had is there.
    pub(super) fn take_swept(&mut self, swept: Swept) {
        let index = self.feed.index();
        let is_unseen = |id: &KeyId| index.find(*id).is_some_and(|at| index.is_unseen(at));
        self.gone = swept.missing.into_iter().filter(is_unseen).collect();
        self.strays = swept.strays;
        self.report.swept = true;
        self.report.keys = swept.keys;
    }

    /// Reads the rows of keys that nobody here knew and that the changes did not bring.
    pub(super) async fn fetch_strays(
        &mut self,
        watermark: &mut Watermark,
        findings: &mut Vec<Refusal>,
    ) -> Result<(), CycleError> {
        let strays: Vec<Key> = {
            let index = self.feed.index();
            let strays = std::mem::take(&mut self.strays).into_iter();
            strays.filter(|key| is_to_be_read(&index, index.find(key.id()))).take(super::reading::MOST_KEYS).collect()
        };
        if strays.is_empty() || self.report.stop.is_some() {
            return Ok(());
        }
        if !self.feed.plan.schema.derived_key.is_empty() {
            self.feed.sweeps().need_full_scan = true;
            return Ok(());
        }
        if !self.order.dry_run {
            self.keep_those_found(&strays).await?;
        }
        self.read_and_settle(Wanted::Named(strays), watermark, findings).await
    }

    /// The sweep has found rows of records that were to be removed. Whatever the read of these rows comes to: none is removed before another
    /// sweep misses it again.
    async fn keep_those_found(&mut self, found: &[Key]) -> Result<(), CycleError> {
        let now = self.line.clock.now();
        let entries: Vec<Entry> = {
            let mut index = self.feed.index();
            let taken_for_gone = |at: &At| index.state(*at) == State::Gone && !index.in_flight(*at);
            let all: Vec<At> = found.iter().filter_map(|key| index.find(key.id())).filter(taken_for_gone).collect();
            all.into_iter().map(|at| vanished::found_again(&mut index, at, now)).collect()
        };
        if entries.is_empty() { Ok(()) } else { self.write(Settlement { entries, ..Settlement::default() }).await }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(30);

    #[test]
    fn a_sweep_is_due_at_once_and_then_after_its_time() {
        let mut sweeps = Sweeps::default();
        assert!(sweeps.is_due(100, EVERY));
        sweeps.begin(100);
        sweeps.end();
        assert!(!sweeps.is_due(129, EVERY) && sweeps.is_due(130, EVERY));
        assert!(sweeps.is_due(50, EVERY), "the clock stepped back");
    }

    #[test]
    fn one_that_broke_off_is_not_begun_again_at_once() {
        let mut sweeps = Sweeps::default();
        sweeps.begin(100);
        assert!(!sweeps.is_due(130, EVERY) && sweeps.is_due(100 + PAUSE, EVERY));
    }
}
