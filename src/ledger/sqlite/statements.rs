//! What the writer does to the tables, inside its transaction. Statements that go together go in one call: each call is a trip to
//! the connection's thread and back.

use secrecy::SecretString;
use sqlx::SqliteConnection;
use sqlx::error::ErrorKind;

use super::errors::Storage;
use super::exchanges;
use super::notes;
use super::refusals::Changes;
use super::writer::REWRITING;
use crate::ledger::codec::Body;
use crate::ledger::journal::{Standing, settling};
use crate::ledger::{Close, Counts, FeedId, LedgerError, MarkId, Note, NotePlace, Progress, Word, WordId};

const NAMING: &str = "adding a feed";
const MARKING: &str = "marking a batch";
const SETTLING: &str = "settling a batch";
const PROGRESS: &str = "writing progress";

/// A request of the writer's queue, encoded as far as can be by its caller.
#[derive(Debug)]
pub(super) enum Write {
    Feed {
        portal: String,
        name: String,
    },
    Mark {
        feed: FeedId,
        body: Body,
    },
    Settle {
        feed: FeedId,
        close: Vec<(MarkId, Close)>,
        rows: Vec<Body>,
        refusals: Changes,
        exchanges: Box<exchanges::Changes>,
        counts: Option<Counts>,
    },
    Progress {
        feed: FeedId,
        progress: Progress,
    },
    SetNote(Note),
    DropNote(NotePlace),
    Say(Word),
    Heard(Vec<WordId>),
    KeepSecret {
        portal: String,
        name: String,
        secret: SecretString,
    },
}

impl Write {
    /// What it does, for errors.
    pub(super) fn action(&self) -> &'static str {
        match self {
            Write::Feed { .. } => NAMING,
            Write::Mark { .. } => MARKING,
            Write::Settle { .. } => SETTLING,
            Write::Progress { .. } => PROGRESS,
            Write::SetNote(_) | Write::DropNote(_) => notes::WRITING,
            Write::Say(_) => notes::SAYING,
            Write::Heard(_) => notes::HEARING,
            Write::KeepSecret { .. } => exchanges::KEEPING,
        }
    }

    /// Bytes it brings into the transaction, roughly.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Write::Feed { .. }
            | Write::Progress { .. }
            | Write::DropNote(_)
            | Write::Say(_)
            | Write::Heard(_)
            | Write::KeepSecret { .. } => 0,
            Write::SetNote(note) => note.body.len(),
            Write::Mark { body, .. } => body.bytes.len(),
            Write::Settle { rows, refusals, exchanges, .. } => {
                rows.iter().map(|body| body.bytes.len()).sum::<usize>() + refusals.bytes() + exchanges.bytes()
            }
        }
    }
}

/// Numbers for journal rows. They only grow, so that a replay in their order is a replay in the order of the calls.
#[derive(Debug)]
pub(super) struct Ids {
    /// The first one of this process: open marks below it were left by an earlier one.
    first: i64,
    next: i64,
}

impl Ids {
    /// Goes on behind the last row.
    pub(super) async fn read(storage: &Storage, connection: &mut SqliteConnection) -> Result<Self, LedgerError> {
        let last: Option<i64> = sqlx::query_scalar("SELECT max(id) FROM journal_body")
            .fetch_one(connection)
            .await
            .map_err(|error| storage.refused("opening", error))?;
        let first = last.unwrap_or(0) + 1;
        Ok(Ids { first, next: first })
    }

    fn take(&mut self) -> i64 {
        let id = self.next;
        self.next += 1;
        id
    }
}

/// Carries out one write. Answers the number of what it made, 0 where it makes nothing.
pub(super) async fn apply(
    storage: &Storage,
    connection: &mut SqliteConnection,
    ids: &mut Ids,
    write: &Write,
) -> Result<i64, LedgerError> {
    match write {
        Write::Feed { portal, name } => add_feed(storage, connection, portal, name).await,
        Write::Mark { feed, body } => append(storage, connection, ids, *feed, body, Standing::Open).await,
        Write::Settle { feed, close, rows, refusals, exchanges, counts } => {
            for (mark, how) in close {
                end_mark(storage, connection, *feed, *mark, *how).await?;
            }
            for body in rows {
                append(storage, connection, ids, *feed, body, Standing::Stated).await?;
            }
            refusals.apply(storage, connection, *feed).await?;
            exchanges.apply(storage, connection, *feed).await?;
            if let Some(counts) = counts {
                set_counts(storage, connection, *feed, counts).await?;
            }
            Ok(0)
        }
        Write::Progress { feed, progress } => set_progress(storage, connection, *feed, progress).await.map(|()| 0),
        Write::SetNote(note) => notes::set(storage, connection, note).await.map(|()| 0),
        Write::DropNote(place) => notes::forget(storage, connection, place).await.map(|()| 0),
        Write::Say(word) => notes::say(storage, connection, word).await,
        Write::Heard(words) => notes::hear(storage, connection, words).await.map(|()| 0),
        Write::KeepSecret { portal, name, secret } => {
            exchanges::keep_secret(storage, connection, (portal, name), secret).await.map(|()| 0)
        }
    }
}

async fn add_feed(
    storage: &Storage,
    connection: &mut SqliteConnection,
    portal: &str,
    name: &str,
) -> Result<i64, LedgerError> {
    // The pointless update is what makes RETURNING answer for a feed that two callers asked for at once.
    let statement = "INSERT INTO feed (portal, name) VALUES (?1, ?2)
        ON CONFLICT (portal, name) DO UPDATE SET name = excluded.name RETURNING id";
    let added = sqlx::query_scalar(statement).bind(portal).bind(name).fetch_one(connection).await;
    added.map_err(|error| storage.refused(NAMING, error))
}

/// Appends a row of a rewrite.
pub(super) async fn append_stated(
    storage: &Storage,
    connection: &mut SqliteConnection,
    ids: &mut Ids,
    feed: FeedId,
    body: &Body,
) -> Result<(), LedgerError> {
    append(storage, connection, ids, feed, body, Standing::Stated).await.map(drop)
}

async fn append(
    storage: &Storage,
    connection: &mut SqliteConnection,
    ids: &mut Ids,
    feed: FeedId,
    body: &Body,
    standing: Standing,
) -> Result<i64, LedgerError> {
    let id = ids.take();
    let statement = "INSERT INTO journal (feed_id, id, state, entries) VALUES (?1, ?2, ?3, ?4);
        INSERT INTO journal_body (id, body) VALUES (?2, ?5);
        UPDATE feed SET journal_rows = journal_rows + 1, journal_entries = journal_entries + ?4 WHERE id = ?1";
    let appended = sqlx::query(statement)
        .bind(feed.0)
        .bind(id)
        .bind(standing.number())
        .bind(i64::from(body.entries))
        .bind(body.bytes.clone())
        .execute(connection)
        .await;
    let action = if standing == Standing::Open { MARKING } else { SETTLING };
    match appended {
        Ok(_) => Ok(id),
        Err(sqlx::Error::Database(error)) if error.kind() == ErrorKind::ForeignKeyViolation => {
            Err(storage.no_feed(action, feed.0))
        }
        Err(error) => Err(storage.refused(action, error)),
    }
}

async fn end_mark(
    storage: &Storage,
    connection: &mut SqliteConnection,
    feed: FeedId,
    mark: MarkId,
    how: Close,
) -> Result<(), LedgerError> {
    let ended = match how {
        Close::Acknowledged => acknowledge(connection, feed, mark).await,
        Close::Restated => forget(connection, feed, mark).await,
    };
    match ended.map_err(|error| storage.refused(SETTLING, error))? {
        true => Ok(()),
        false => Err(settling(format!("the feed has no open mark {}", mark.0))),
    }
}

async fn acknowledge(connection: &mut SqliteConnection, feed: FeedId, mark: MarkId) -> Result<bool, sqlx::Error> {
    let statement = "UPDATE journal SET state = 1 WHERE feed_id = ?1 AND id = ?2 AND state = 0";
    let updated = sqlx::query(statement).bind(feed.0).bind(mark.0).execute(connection).await?;
    Ok(updated.rows_affected() == 1)
}

/// The settlement states all of it anew, so the row has nothing more to say.
async fn forget(connection: &mut SqliteConnection, feed: FeedId, mark: MarkId) -> Result<bool, sqlx::Error> {
    let statement = "DELETE FROM journal WHERE feed_id = ?1 AND id = ?2 AND state = 0 RETURNING entries";
    let deleted = sqlx::query_scalar(statement).bind(feed.0).bind(mark.0);
    let entries: Option<i64> = deleted.fetch_optional(&mut *connection).await?;
    let Some(entries) = entries else { return Ok(false) };
    let statement = "DELETE FROM journal_body WHERE id = ?2;
        UPDATE feed SET journal_rows = journal_rows - 1, journal_entries = journal_entries - ?3 WHERE id = ?1";
    sqlx::query(statement).bind(feed.0).bind(mark.0).bind(entries).execute(connection).await?;
    Ok(true)
}

async fn set_counts(
    storage: &Storage,
    connection: &mut SqliteConnection,
    feed: FeedId,
    counts: &Counts,
) -> Result<(), LedgerError> {
    let statement = "UPDATE feed SET accepted = ?2, pending = ?3, held = ?4, rejected = ?5, unknown = ?6,
        oldest_pending = ?7 WHERE id = ?1";
    let stored = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let updated = sqlx::query(statement)
        .bind(feed.0)
        .bind(stored(counts.accepted))
        .bind(stored(counts.pending))
        .bind(stored(counts.held))
        .bind(stored(counts.rejected))
        .bind(stored(counts.unknown))
        .bind(counts.oldest_pending)
        .execute(connection)
        .await;
    touched_one(storage, SETTLING, feed, updated)
}

async fn set_progress(
    storage: &Storage,
    connection: &mut SqliteConnection,
    feed: FeedId,
    progress: &Progress,
) -> Result<(), LedgerError> {
    let statement =
        "UPDATE feed SET watermark = ?2, last_full_scan = ?3, last_success = ?4, encoder = ?5 WHERE id = ?1";
    let updated = sqlx::query(statement)
        .bind(feed.0)
        .bind(progress.watermark)
        .bind(progress.last_full_scan)
        .bind(progress.last_success)
        .bind(i64::from(progress.encoder))
        .execute(connection)
        .await;
    touched_one(storage, PROGRESS, feed, updated)
}

fn touched_one(
    storage: &Storage,
    action: &'static str,
    feed: FeedId,
    updated: Result<sqlx::sqlite::SqliteQueryResult, sqlx::Error>,
) -> Result<(), LedgerError> {
    match updated.map_err(|error| storage.refused(action, error))?.rows_affected() {
        0 => Err(storage.no_feed(action, feed.0)),
        _ => Ok(()),
    }
}

/// Deletes a feed's journal, to be followed by the rows of its rewrite. Marks that an earlier process left open are part of what
/// the caller loaded; one of this process is a batch in flight, which a rewrite would lose.
pub(super) async fn clear_journal(
    storage: &Storage,
    connection: &mut SqliteConnection,
    ids: &Ids,
    feed: FeedId,
) -> Result<(), LedgerError> {
    let statement = "SELECT count(*) FROM journal WHERE feed_id = ?1 AND state = 0 AND id >= ?2";
    let open: i64 = sqlx::query_scalar(statement)
        .bind(feed.0)
        .bind(ids.first)
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| storage.refused(REWRITING, error))?;
    if open > 0 {
        let reason = format!("{open} marks of the feed are open; settle them first");
        return Err(LedgerError::Storage { action: REWRITING, reason });
    }
    let statement = "DELETE FROM journal_body WHERE id IN (SELECT id FROM journal WHERE feed_id = ?1);
        DELETE FROM journal WHERE feed_id = ?1";
    let cleared = sqlx::query(statement).bind(feed.0).execute(&mut *connection).await;
    cleared.map_err(|error| storage.refused(REWRITING, error))?;
    let statement = "UPDATE feed SET journal_rows = 0, journal_entries = 0 WHERE id = ?1";
    let updated = sqlx::query(statement).bind(feed.0).execute(connection).await;
    touched_one(storage, REWRITING, feed, updated)
}
