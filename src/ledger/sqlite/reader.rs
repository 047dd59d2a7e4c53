//! What is read from the ledger, each over a connection of its own and from one state of the file.

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::errors::Storage;
use super::refusals as stored_refusals;
use crate::ledger::journal::{self, Standing};
use crate::ledger::{Counts, FeedId, FeedSummary, LedgerError, Progress, Refusal, Replay};

const FEEDS: &str = "reading feeds";
const LOADING: &str = "loading the journal";
const PROGRESS: &str = "reading progress";
const REFUSALS: &str = "reading refusals";
const SIZE: &str = "reading the journal's size";
const VERIFYING: &str = "verifying";

/// The feed's number, if it has one.
pub(super) async fn feed(
    storage: &Storage,
    readers: &SqlitePool,
    portal: &str,
    name: &str,
) -> Result<Option<FeedId>, LedgerError> {
    let known = sqlx::query_scalar("SELECT id FROM feed WHERE portal = ?1 AND name = ?2").bind(portal).bind(name);
    let id: Option<i64> = known.fetch_optional(readers).await.map_err(|error| storage.refused(FEEDS, error))?;
    Ok(id.map(FeedId))
}

/// Every feed, from its own table alone.
pub(super) async fn feeds(storage: &Storage, readers: &SqlitePool) -> Result<Vec<FeedSummary>, LedgerError> {
    let rows = sqlx::query("SELECT * FROM feed ORDER BY portal, id").fetch_all(readers).await;
    let summaries = rows.and_then(|rows| rows.iter().map(summary).collect::<Result<_, _>>());
    summaries.map_err(|error| storage.refused(FEEDS, error))
}

/// Streams the feed's journal into `visit`.
pub(super) async fn load(
    storage: &Storage,
    readers: &SqlitePool,
    feed: FeedId,
    visit: &mut (dyn FnMut(Replay) + Send),
) -> Result<(), LedgerError> {
    // LEFT, so that a body gone missing is noticed, and so that the journal is the outer loop.
    let statement = "SELECT j.id, j.state, b.body FROM journal j LEFT JOIN journal_body b ON b.id = j.id
        WHERE j.feed_id = ?1 ORDER BY j.id";
    let mut rows = sqlx::query(statement).bind(feed.0).fetch(readers);
    while let Some(row) = rows.try_next().await.map_err(|error| storage.refused(LOADING, error))? {
        let (id, state, body) = journal_row(&row).map_err(|error| storage.refused(LOADING, error))?;
        let body = body.ok_or_else(|| storage.damaged(format_args!("journal row {id} has no body")))?;
        let standing = Standing::of(state)
            .ok_or_else(|| storage.damaged(format_args!("journal row {id} has the unknown state {state}")))?;
        journal::replay(standing, body, visit).map_err(|damage| storage.damaged_row(id, damage))?;
    }
    Ok(())
}

/// Number, state, body.
fn journal_row(row: &SqliteRow) -> Result<(i64, i64, Option<&[u8]>), sqlx::Error> {
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}

/// What a feed remembers beside its records.
pub(super) async fn progress(storage: &Storage, readers: &SqlitePool, feed: FeedId) -> Result<Progress, LedgerError> {
    let row = one_feed(storage, readers, feed, PROGRESS).await?;
    progress_of(&row).map_err(|error| storage.refused(PROGRESS, error))
}

/// Rows and steps of a feed's journal.
pub(super) async fn journal_size(
    storage: &Storage,
    readers: &SqlitePool,
    feed: FeedId,
) -> Result<(u64, u64), LedgerError> {
    let row = one_feed(storage, readers, feed, SIZE).await?;
    let size = number(&row, "journal_rows").and_then(|rows| Ok((rows, number(&row, "journal_entries")?)));
    size.map_err(|error| storage.refused(SIZE, error))
}

/// Refusals and findings of a feed, ordered by key, keyless ones last.
pub(super) async fn refusals(
    storage: &Storage,
    readers: &SqlitePool,
    feed: FeedId,
) -> Result<Vec<Refusal>, LedgerError> {
    let statement = "SELECT key, state, code, violations, text, since, -1 AS position FROM refusal WHERE feed_id = ?1
        UNION ALL SELECT key, state, code, violations, text, since, position FROM finding WHERE feed_id = ?1
        ORDER BY key NULLS LAST, position";
    let rows = sqlx::query(statement).bind(feed.0).fetch_all(readers).await;
    let rows = rows.map_err(|error| storage.refused(REFUSALS, error))?;
    rows.iter().map(|row| stored_refusals::read(storage, row)).collect()
}

/// Streams refusals and findings of a feed into `visit`.
pub(super) async fn each_refusal(
    storage: &Storage,
    readers: &SqlitePool,
    feed: FeedId,
    visit: &mut (dyn FnMut(&Refusal) + Send),
) -> Result<(), LedgerError> {
    let statement = "SELECT key, state, code, violations, text, since FROM refusal WHERE feed_id = ?1
        UNION ALL SELECT key, state, code, violations, text, since FROM finding WHERE feed_id = ?1";
    let mut rows = sqlx::query(statement).bind(feed.0).fetch(readers);
    while let Some(row) = rows.try_next().await.map_err(|error| storage.refused(REFUSALS, error))? {
        visit(&stored_refusals::read(storage, &row)?);
    }
    Ok(())
}

/// Checks every tree of the file.
pub(super) async fn verify(storage: &Storage, readers: &SqlitePool) -> Result<(), LedgerError> {
    let checked = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(readers).await;
    let words: String = checked.map_err(|error| storage.refused(VERIFYING, error))?;
    if words == "ok" { Ok(()) } else { Err(storage.damaged(words)) }
}

async fn one_feed(
    storage: &Storage,
    readers: &SqlitePool,
    feed: FeedId,
    action: &'static str,
) -> Result<SqliteRow, LedgerError> {
    let row = sqlx::query("SELECT * FROM feed WHERE id = ?1").bind(feed.0).fetch_optional(readers).await;
    row.map_err(|error| storage.refused(action, error))?.ok_or_else(|| storage.no_feed(action, feed.0))
}

fn summary(row: &SqliteRow) -> Result<FeedSummary, sqlx::Error> {
    Ok(FeedSummary {
        id: FeedId(row.try_get("id")?),
        portal: row.try_get("portal")?,
        feed: row.try_get("name")?,
        counts: Counts {
            accepted: number(row, "accepted")?,
            pending: number(row, "pending")?,
            held: number(row, "held")?,
            rejected: number(row, "rejected")?,
            unknown: number(row, "unknown")?,
            oldest_pending: row.try_get("oldest_pending")?,
        },
        progress: progress_of(row)?,
    })
}

fn progress_of(row: &SqliteRow) -> Result<Progress, sqlx::Error> {
    Ok(Progress {
        watermark: row.try_get("watermark")?,
        last_full_scan: row.try_get("last_full_scan")?,
        last_success: row.try_get("last_success")?,
        encoder: row.try_get("encoder")?,
    })
}

fn number(row: &SqliteRow, column: &str) -> Result<u64, sqlx::Error> {
    row.try_get::<i64, _>(column).map(|value| u64::try_from(value).unwrap_or(0))
}
