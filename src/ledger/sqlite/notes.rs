//! Notes and words in their two small tables.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqliteExecutor, SqlitePool};

use super::errors::Storage;
use crate::ledger::{LedgerError, Note, NoteKind, NotePlace, Word, WordId, WordKind};

pub(super) const WRITING: &str = "writing a note";
pub(super) const SAYING: &str = "leaving a word";
pub(super) const HEARING: &str = "taking words up";
const READING: &str = "reading notes";
const LISTENING: &str = "reading words";

/// Writes a note over the one that was at its place.
pub(super) async fn set(storage: &Storage, connection: &mut SqliteConnection, note: &Note) -> Result<(), LedgerError> {
    let statement = "INSERT INTO note (portal, feed, kind, name, body) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (portal, feed, kind, name) DO UPDATE SET body = excluded.body";
    let NotePlace { portal, feed, kind, name } = &note.place;
    let set = sqlx::query(statement).bind(portal).bind(feed).bind(kind.name()).bind(name).bind(&note.body);
    set.execute(connection).await.map(drop).map_err(|error| storage.refused(WRITING, error))
}

/// Forgets a note, if it is there.
pub(super) async fn forget(
    storage: &Storage,
    connection: &mut SqliteConnection,
    place: &NotePlace,
) -> Result<(), LedgerError> {
    let statement = "DELETE FROM note WHERE portal = ?1 AND feed = ?2 AND kind = ?3 AND name = ?4";
    let NotePlace { portal, feed, kind, name } = place;
    let forgotten = sqlx::query(statement).bind(portal).bind(feed).bind(kind.name()).bind(name);
    forgotten.execute(connection).await.map(drop).map_err(|error| storage.refused(WRITING, error))
}

/// Leaves a word; answers its number.
pub(super) async fn say(
    storage: &Storage,
    connection: impl SqliteExecutor<'_>,
    word: &Word,
) -> Result<i64, LedgerError> {
    let statement = "INSERT INTO word (portal, feed, kind, argument, said) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id";
    let said = sqlx::query_scalar(statement).bind(&word.portal).bind(&word.feed).bind(word.kind.name());
    let said = said.bind(&word.argument).bind(word.said).fetch_one(connection).await;
    said.map_err(|error| storage.refused(SAYING, error))
}

/// Forgets words that were taken up.
pub(super) async fn hear(
    storage: &Storage,
    connection: &mut SqliteConnection,
    words: &[WordId],
) -> Result<(), LedgerError> {
    for word in words {
        let heard = sqlx::query("DELETE FROM word WHERE id = ?1").bind(word.0).execute(&mut *connection).await;
        heard.map_err(|error| storage.refused(HEARING, error))?;
    }
    Ok(())
}

/// The notes of a portal, ordered by place. A kind that a later version wrote is none of ours.
pub(super) async fn of_portal(storage: &Storage, readers: &SqlitePool, portal: &str) -> Result<Vec<Note>, LedgerError> {
    let statement = "SELECT portal, feed, kind, name, body FROM note WHERE portal = ?1";
    let rows = sqlx::query(statement).bind(portal).fetch_all(readers).await;
    let notes = rows.and_then(|rows| rows.iter().map(note).collect::<Result<Vec<_>, _>>());
    let mut notes: Vec<Note> = notes.map_err(|error| storage.refused(READING, error))?.into_iter().flatten().collect();
    notes.sort_by(|one, other| one.place.cmp(&other.place));
    Ok(notes)
}

/// Words that nobody has taken up.
pub(super) async fn words(storage: &Storage, readers: &SqlitePool) -> Result<Vec<(WordId, Word)>, LedgerError> {
    let rows =
        sqlx::query("SELECT id, portal, feed, kind, argument, said FROM word ORDER BY id").fetch_all(readers).await;
    let words = rows.and_then(|rows| rows.iter().map(word).collect::<Result<Vec<_>, _>>());
    Ok(words.map_err(|error| storage.refused(LISTENING, error))?.into_iter().flatten().collect())
}

fn note(row: &SqliteRow) -> Result<Option<Note>, sqlx::Error> {
    let Some(kind) = NoteKind::of(row.try_get("kind")?) else { return Ok(None) };
    let (portal, feed, name) = (row.try_get("portal")?, row.try_get("feed")?, row.try_get("name")?);
    Ok(Some(Note { place: NotePlace { portal, feed, kind, name }, body: row.try_get("body")? }))
}

fn word(row: &SqliteRow) -> Result<Option<(WordId, Word)>, sqlx::Error> {
    let Some(kind) = WordKind::of(row.try_get("kind")?) else { return Ok(None) };
    let word = Word {
        portal: row.try_get("portal")?,
        feed: row.try_get("feed")?,
        kind,
        argument: row.try_get("argument")?,
        said: row.try_get("said")?,
    };
    Ok(Some((WordId(row.try_get("id")?), word)))
}
