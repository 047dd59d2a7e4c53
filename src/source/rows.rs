//! The rows of one read. The future that reads owns the connection and fills a chunk; it runs only while somebody asks for the
//! next chunk, so a slow reader holds the database back, and it dies with the stream, and the connection with it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use super::failure::Place;
use super::spool::Spool;
use super::{CHUNK_BYTES, CHUNK_ROWS, Column, RowStream, SourceError};
use crate::record::RowChunk;

/// How long a database may stay silent beyond the statement time-out before it counts as lost.
const SILENCE: Duration = Duration::from_secs(10);

type Reading = Pin<Box<dyn Future<Output = Result<(), SourceError>> + Send>>;

/// Waits for an answer that is no stream, no longer than a database may be silent.
pub(super) async fn answer<T>(
    statement_timeout: Duration,
    place: &Place,
    asking: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    let limit = statement_timeout.saturating_add(SILENCE);
    tokio::time::timeout(limit, asking).await.unwrap_or_else(|_| Err(place.lost()))
}

/// The rows of one read of a database.
pub struct Rows {
    columns: Vec<Column>,
    key_columns: Vec<Column>,
    /// True until the keys that come before the rows are over.
    in_keys: bool,
    /// None once the read has ended.
    reading: Option<Reading>,
    slot: Slot,
    patience: Duration,
    place: Place,
}

/// Where a full chunk waits to be taken.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    chunk: RowChunk,
    full: bool,
    /// Nothing but the end of the keys.
    ends_keys: bool,
}

/// What was taken from the reader.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Chunk,
    EndOfKeys,
    End,
}

/// The reading end of [`Rows`]: takes cells and hands chunks over.
pub(super) struct Outlet {
    slot: Slot,
    chunk: RowChunk,
    /// Columns of the keys while these are read, then of the rows.
    columns: usize,
    columns_of_rows: usize,
    in_keys: bool,
    rows: usize,
    /// Where chunks wait for the end of the read, if they must.
    spool: Option<Spool>,
    place: Place,
}

impl Rows {
    /// Rows that `read` gives once it is polled. Where there are columns of keys, it gives all keys first and then calls
    /// [`Outlet::keys_done`].
    pub(super) fn new<F>(
        columns: Vec<Column>,
        keys: Option<Vec<Column>>,
        statement_timeout: Duration,
        place: Place,
        read: impl FnOnce(Outlet) -> F,
    ) -> Self
    where
        F: Future<Output = Result<(), SourceError>> + Send + 'static,
    {
        let slot = Slot::default();
        let width = keys.as_ref().map_or(columns.len(), Vec::len);
        let mut outlet = Outlet {
            slot: slot.clone(),
            chunk: RowChunk::default(),
            columns: width,
            columns_of_rows: columns.len(),
            in_keys: keys.is_some(),
            rows: 0,
            spool: None,
            place: place.clone(),
        };
        outlet.chunk.reset(width);
        let reading = Some(Box::pin(read(outlet)) as Reading);
        let in_keys = keys.is_some();
        Rows {
            columns,
            key_columns: keys.unwrap_or_default(),
            in_keys,
            reading,
            slot,
            patience: statement_timeout.saturating_add(SILENCE),
            place,
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>, chunk: &mut RowChunk) -> Poll<Result<Taken, SourceError>> {
        if let Some(reading) = &mut self.reading
            && let Poll::Ready(end) = reading.as_mut().poll(cx)
        {
            self.reading = None;
            end?;
        }
        if let Some(taken) = self.slot.take(chunk) {
            return Poll::Ready(Ok(taken));
        }
        if self.reading.is_some() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(Taken::End))
    }

    async fn take(&mut self, chunk: &mut RowChunk) -> Result<Taken, SourceError> {
        let answer = tokio::time::timeout(self.patience, poll_fn(|cx| self.poll_chunk(cx, chunk))).await;
        answer.unwrap_or_else(|_| {
            self.reading = None;
            Err(self.place.lost())
        })
    }
}

impl RowStream for Rows {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn key_columns(&self) -> &[Column] {
        &self.key_columns
    }

    async fn next_keys(&mut self, chunk: &mut RowChunk) -> Result<bool, SourceError> {
        let is_over = !self.in_keys;
        match if is_over { Taken::EndOfKeys } else { self.take(chunk).await? } {
            Taken::Chunk => return Ok(true),
            Taken::EndOfKeys => self.in_keys = false,
            // A reader that forgot to say so: what it gave cannot be told from rows.
            Taken::End => return Err(self.place.unreadable()),
        }
        chunk.reset(self.key_columns.len());
        Ok(false)
    }

    async fn next(&mut self, chunk: &mut RowChunk) -> Result<bool, SourceError> {
        while self.in_keys && self.next_keys(chunk).await? {}
        if self.take(chunk).await? == Taken::Chunk {
            return Ok(true);
        }
        chunk.reset(self.columns.len());
        Ok(false)
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the waiting chunk and leaves the reader's old one, whose memory is used again.
    fn take(&self, chunk: &mut RowChunk) -> Option<Taken> {
        let mut waiting = self.lock();
        if !mem::take(&mut waiting.full) {
            return None;
        }
        mem::swap(&mut waiting.chunk, chunk);
        let ends_keys = mem::take(&mut waiting.ends_keys);
        Some(if ends_keys { Taken::EndOfKeys } else { Taken::Chunk })
    }
}

impl Outlet {
    /// The chunk to put cells into.
    pub(super) fn chunk(&mut self) -> &mut RowChunk {
        &mut self.chunk
    }

    /// Lets rows wait until [`Self::finish`]: from here on nobody has to wait before the read has ended. Keys never wait: no portal hears of
    /// them.
    pub(super) fn spool_in(&mut self, folder: &Path) {
        self.spool = Some(Spool::new(folder));
    }

    /// To be called after each whole row: hands the chunk over when it is full, and waits until it is taken.
    pub(super) async fn row_done(&mut self) -> Result<(), SourceError> {
        self.rows += 1;
        if self.rows >= CHUNK_ROWS || self.chunk.arena_bytes() >= CHUNK_BYTES {
            self.pass_on().await?;
        }
        Ok(())
    }

    /// Hands over what is left. To be called when the database has been let go.
    pub(super) async fn finish(mut self) -> Result<(), SourceError> {
        if self.rows > 0 {
            self.pass_on().await?;
        }
        let Some(mut spool) = self.spool.take() else { return Ok(()) };
        spool.rewind().await.map_err(|fault| self.place.no_room(spool.folder(), &fault))?;
        while self.take_from(&mut spool).await? {
            self.hand_over(false).await;
        }
        Ok(())
    }

    async fn take_from(&mut self, spool: &mut Spool) -> Result<bool, SourceError> {
        let taken = spool.take(&mut self.chunk, self.columns).await;
        taken.map_err(|fault| self.place.no_room(spool.folder(), &fault))
    }

    /// Hands the chunk over, or lets it wait.
    async fn pass_on(&mut self) -> Result<(), SourceError> {
        match &mut self.spool {
            Some(spool) if !self.in_keys => {
                let kept = spool.put(&self.chunk, self.columns).await;
                kept.map_err(|fault| self.place.no_room(spool.folder(), &fault))?;
                self.start_chunk();
            }
            Some(_) | None => self.hand_over(false).await,
        }
        Ok(())
    }

    fn start_chunk(&mut self) {
        self.chunk.reset(self.columns);
        self.rows = 0;
    }

    /// To be called after the last key: what comes from here on are rows.
    pub(super) async fn keys_done(&mut self) {
        if self.rows > 0 {
            self.hand_over(false).await;
        }
        (self.columns, self.in_keys) = (self.columns_of_rows, false);
        self.hand_over(true).await;
    }

    async fn hand_over(&mut self, ends_keys: bool) {
        {
            let mut waiting = self.slot.lock();
            mem::swap(&mut waiting.chunk, &mut self.chunk);
            waiting.full = true;
            waiting.ends_keys = ends_keys;
        }
        self.start_chunk();
        // No waker is kept: whoever takes the chunk polls this future again when it asks for the next one.
        poll_fn(|_| if self.slot.lock().full { Poll::Pending } else { Poll::Ready(()) }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Cell;

    fn rows_of(count: i64, end: Result<(), SourceError>) -> Rows {
        let columns = vec![Column { name: "n".into(), type_name: "int".into() }];
        Rows::new(
            columns,
            None,
            Duration::from_secs(1),
            Place::new("mis", "full read", "test"),
            move |mut outlet| async move {
                for n in 0..count {
                    outlet.chunk().push(Cell::Int(n));
                    outlet.row_done().await?;
                }
                end?;
                outlet.finish().await
            },
        )
    }

    #[tokio::test]
    async fn every_row_arrives_once_in_bounded_chunks() {
        let mut rows = rows_of(2500, Ok(()));
        let (mut chunk, mut seen, mut sizes) = (RowChunk::default(), Vec::new(), Vec::new());
        while rows.next(&mut chunk).await.unwrap() {
            sizes.push(chunk.len());
            seen.extend(chunk.rows().map(|row| if let Cell::Int(n) = row.cell(0) { n } else { -1 }));
        }
        assert_eq!(sizes, [1024, 1024, 452]);
        assert_eq!(seen, (0..2500).collect::<Vec<_>>());
        assert!(!rows.next(&mut chunk).await.unwrap());
    }

    fn swept_rows(keys: i64, rows: i64, break_off: bool) -> Rows {
        let column = |name: &str| Column { name: name.into(), type_name: "int".into() };
        let place = Place::new("mis", "sweep", "test");
        let lost = place.lost();
        let columns = vec![column("n"), column("m")];
        let wait = Duration::from_secs(1);
        Rows::new(columns, Some(vec![column("n")]), wait, place, move |mut outlet| async move {
            for n in 0..keys {
                outlet.chunk().push(Cell::Int(n));
                outlet.row_done().await?;
            }
            if break_off {
                return Err(lost);
            }
            outlet.keys_done().await;
            for n in 0..rows {
                outlet.chunk().push(Cell::Int(n));
                outlet.chunk().push(Cell::Int(-n));
                outlet.row_done().await?;
            }
            outlet.finish().await
        })
    }

    async fn count(rows: &mut Rows, keys: bool) -> usize {
        let (mut chunk, mut all) = (RowChunk::default(), 0);
        while if keys { rows.next_keys(&mut chunk).await.unwrap() } else { rows.next(&mut chunk).await.unwrap() } {
            all += chunk.len();
        }
        all
    }

    #[tokio::test]
    async fn keys_come_before_the_rows_and_may_be_skipped() {
        for (keys, changed) in [(0, 0), (3, 0), (0, 3), (1024, 1024), (2500, 1500)] {
            let mut rows = swept_rows(keys, changed, false);
            assert_eq!(count(&mut rows, true).await, keys as usize);
            assert_eq!(count(&mut rows, true).await, 0, "once they are over they stay over");
            assert_eq!(count(&mut rows, false).await, changed as usize);
            assert_eq!(count(&mut swept_rows(keys, changed, false), false).await, changed as usize);
        }
    }

    #[tokio::test]
    async fn a_sweep_that_breaks_off_is_an_error_and_no_end() {
        let mut rows = swept_rows(5, 0, true);
        let mut chunk = RowChunk::default();
        assert!(rows.next_keys(&mut chunk).await.is_err());
        assert!(swept_rows(5, 0, true).next(&mut chunk).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_database_counts_as_lost() {
        let place = Place::new("mis", "full read", "test");
        let mut rows = Rows::new(Vec::new(), None, Duration::from_secs(1), place, |outlet| async move {
            std::future::pending::<()>().await;
            outlet.finish().await
        });
        assert!(matches!(rows.next(&mut RowChunk::default()).await, Err(SourceError::Lost { .. })));
    }

    #[tokio::test]
    async fn an_error_ends_the_read_as_an_error() {
        let mut rows = rows_of(10, Err(Place::new("mis", "full read", "test").lost()));
        assert!(rows.next(&mut RowChunk::default()).await.is_err());
    }
}
