//! The ledger of one daemon: a SQLite file with one writer and any number of readers.
//!
//! All writes go through one task that owns the writing connection ([`writer`]) and commits what is queued together; reads go
//! over connections of their own, which the write-ahead log never keeps waiting.

mod errors;
mod exchanges;
mod files;
mod notes;
mod open;
mod reader;
mod refusals;
mod statements;
mod writer;

use std::path::Path;

use secrecy::SecretString;
use sqlx::SqlitePool;

use self::errors::Storage;
use self::statements::Write;
use self::writer::Writer;
use super::{
    Entry, Exchange, ExchangeCounts, FeedId, FeedSummary, Ledger, LedgerError, MarkId, Note, NotePlace, Progress,
    Refusal, Replay, Room, Settlement, Word, WordId, journal,
};
use crate::record::Key;

/// A ledger in a SQLite file.
#[derive(Debug)]
pub struct SqliteLedger {
    storage: Storage,
    readers: SqlitePool,
    access: Access,
}

/// What this process may write.
#[derive(Debug)]
enum Access {
    /// Everything: it holds the lock.
    All(Writer),
    /// Words, beside the process that holds the lock.
    Words(SqlitePool),
    /// Nothing.
    Nothing,
}

impl SqliteLedger {
    /// Opens the ledger for writing, makes it if there is none, and brings its tables up to date. One process at a time.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] while another process writes; [`LedgerError::Unusable`] with what to do when the file is none of
    /// ours, damaged, of a newer version, or where it may not be written.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        let storage = Storage::new(path.as_ref());
        let lock = files::prepare(&storage)?;
        let connection = open::writer(&storage).await?;
        let writer = Writer::start(storage.clone(), connection, lock).await?;
        let readers = open::readers(&storage).await?;
        Ok(SqliteLedger { storage, readers, access: Access::All(writer) })
    }

    /// Opens an existing ledger for reading only: takes no lock and changes nothing.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`] when there is no such file, when it is none of ours or damaged, or when its tables are older or
    /// newer than this program's.
    pub async fn open_read_only(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        let storage = Storage::new(path.as_ref());
        files::probe_existing(&storage)?;
        let readers = open::readers(&storage).await?;
        open::check_tables(&storage, &readers).await?;
        Ok(SqliteLedger { storage, readers, access: Access::Nothing })
    }

    /// As [`Self::open_read_only`], and words may be left for the process that holds the ledger, or for the next that will.
    ///
    /// # Errors
    /// As [`Self::open_read_only`].
    pub async fn open_for_words(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        let reading = Self::open_read_only(path).await?;
        let words = open::words(&reading.storage).await?;
        Ok(SqliteLedger { access: Access::Words(words), ..reading })
    }

    /// Reads the whole file and compares its trees: for `check`, too slow for every start.
    ///
    /// # Errors
    /// [`LedgerError::Unusable`] naming the first damage found.
    pub async fn verify(&self) -> Result<(), LedgerError> {
        reader::verify(&self.storage, &self.readers).await
    }

    /// What it takes of its disk; none when the disk does not say.
    pub fn room(&self) -> Option<Room> {
        files::room(&self.storage)
    }

    async fn write(&self, write: Write) -> Result<i64, LedgerError> {
        match &self.access {
            Access::All(writer) => writer.write(write).await,
            Access::Words(_) | Access::Nothing => Err(read_only(write.action())),
        }
    }
}

impl Ledger for SqliteLedger {
    async fn feed(&self, portal: &str, feed: &str) -> Result<FeedId, LedgerError> {
        if let Some(known) = reader::feed(&self.storage, &self.readers, portal, feed).await? {
            return Ok(known);
        }
        let write = Write::Feed { portal: portal.to_owned(), name: feed.to_owned() };
        self.write(write).await.map(FeedId)
    }

    async fn feeds(&self) -> Result<Vec<FeedSummary>, LedgerError> {
        reader::feeds(&self.storage, &self.readers).await
    }

    async fn load(&self, feed: FeedId, visit: &mut (dyn FnMut(Replay) + Send)) -> Result<(), LedgerError> {
        reader::load(&self.storage, &self.readers, feed, visit).await
    }

    async fn mark(&self, feed: FeedId, entries: &[Entry]) -> Result<MarkId, LedgerError> {
        let body = journal::marked(entries)?;
        self.write(Write::Mark { feed, body }).await.map(MarkId)
    }

    async fn settle(&self, feed: FeedId, settlement: Settlement) -> Result<(), LedgerError> {
        journal::check(&settlement)?;
        let rows = journal::stated(&settlement);
        let Settlement { exchanged, remarked, dropped, .. } = &settlement;
        let exchanges = Box::new(exchanges::Changes::new(exchanged, remarked, dropped));
        let Settlement { close, refused, cleared, findings, counts, .. } = settlement;
        let refusals = refusals::Changes::new(&refused, &cleared, findings.as_deref());
        let write = Write::Settle { feed, close, rows, refusals, exchanges, counts };
        self.write(write).await.map(drop)
    }

    async fn progress(&self, feed: FeedId) -> Result<Progress, LedgerError> {
        reader::progress(&self.storage, &self.readers, feed).await
    }

    async fn set_progress(&self, feed: FeedId, progress: Progress) -> Result<(), LedgerError> {
        self.write(Write::Progress { feed, progress }).await.map(drop)
    }

    async fn refusals(&self, feed: FeedId) -> Result<Vec<Refusal>, LedgerError> {
        reader::refusals(&self.storage, &self.readers, feed).await
    }

    async fn each_refusal(&self, feed: FeedId, visit: &mut (dyn FnMut(&Refusal) + Send)) -> Result<(), LedgerError> {
        reader::each_refusal(&self.storage, &self.readers, feed, visit).await
    }

    async fn wants_rewrite(&self, feed: FeedId, live: u64) -> Result<bool, LedgerError> {
        let (rows, steps) = reader::journal_size(&self.storage, &self.readers, feed).await?;
        Ok(journal::is_long(rows, steps, live))
    }

    async fn rewrite(
        &self,
        feed: FeedId,
        entries: &mut (dyn Iterator<Item = Entry> + Send),
    ) -> Result<(), LedgerError> {
        match &self.access {
            Access::All(writer) => writer.rewrite(feed, journal::snapshot(entries)).await,
            Access::Words(_) | Access::Nothing => Err(read_only(writer::REWRITING)),
        }
    }

    async fn notes(&self, portal: &str) -> Result<Vec<Note>, LedgerError> {
        notes::of_portal(&self.storage, &self.readers, portal).await
    }

    async fn set_note(&self, note: &Note) -> Result<(), LedgerError> {
        self.write(Write::SetNote(note.clone())).await.map(drop)
    }

    async fn drop_note(&self, place: &NotePlace) -> Result<(), LedgerError> {
        self.write(Write::DropNote(place.clone())).await.map(drop)
    }

    async fn exchanges(&self, feed: FeedId, after: Option<&Key>, most: usize) -> Result<Vec<Exchange>, LedgerError> {
        exchanges::page(&self.storage, &self.readers, feed, after, most).await
    }

    async fn exchange(&self, feed: FeedId, key: &Key) -> Result<Option<Exchange>, LedgerError> {
        exchanges::one(&self.storage, &self.readers, feed, key).await
    }

    async fn exchange_counts(&self, feed: FeedId) -> Result<ExchangeCounts, LedgerError> {
        exchanges::counts(&self.storage, &self.readers, feed).await
    }

    async fn secret(&self, portal: &str, name: &str) -> Result<Option<SecretString>, LedgerError> {
        exchanges::secret(&self.storage, &self.readers, portal, name).await
    }

    async fn keep_secret(&self, portal: &str, name: &str, secret: SecretString) -> Result<(), LedgerError> {
        let write = Write::KeepSecret { portal: portal.to_owned(), name: name.to_owned(), secret };
        self.write(write).await.map(drop)
    }

    async fn say(&self, word: &Word) -> Result<WordId, LedgerError> {
        let said = match &self.access {
            Access::Words(words) => notes::say(&self.storage, words, word).await,
            Access::All(_) | Access::Nothing => self.write(Write::Say(word.clone())).await,
        };
        said.map(WordId)
    }

    async fn words(&self) -> Result<Vec<(WordId, Word)>, LedgerError> {
        notes::words(&self.storage, &self.readers).await
    }

    async fn heard(&self, words: &[WordId]) -> Result<(), LedgerError> {
        self.write(Write::Heard(words.to_vec())).await.map(drop)
    }

    async fn close(&self) -> Result<(), LedgerError> {
        if self.readers.is_closed() {
            return Err(LedgerError::Closed);
        }
        self.readers.close().await;
        match &self.access {
            Access::All(writer) => writer.close().await,
            Access::Words(words) => {
                words.close().await;
                Ok(())
            }
            Access::Nothing => Ok(()),
        }
    }
}

fn read_only(action: &'static str) -> LedgerError {
    LedgerError::Storage { action, reason: "it was opened for reading only".to_owned() }
}
