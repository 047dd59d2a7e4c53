//! Refusals and findings as the tables hold them. They go in as JSON that SQLite unfolds: one statement for hundreds of rows,
//! whatever SQLite's limit of bound variables.

use sqlx::Row;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::errors::Storage;
use crate::ledger::codec::{state_number, state_of};
use crate::ledger::{FeedId, LedgerError, Refusal};
use crate::record::{Key, Violation};

const WRITING: &str = "writing refusals";
/// Rows of one statement.
const ROWS: usize = 512;

/// What a settlement does to a feed's refusals and findings: JSON arrays, some rows each.
#[derive(Debug, Default)]
pub(super) struct Changes {
    cleared: Vec<String>,
    refused: Vec<String>,
    /// Positions of the first row, then the rows.
    findings: Option<Vec<(usize, String)>>,
}

impl Changes {
    pub(super) fn new(refused: &[Refusal], cleared: &[Key], findings: Option<&[Refusal]>) -> Self {
        let keys = |keys: &[Key]| json(keys.iter().map(|key| serde_json::Value::String(hex(key))));
        let rows = |rows: &[Refusal]| json(rows.iter().map(row));
        Changes {
            cleared: cleared.chunks(ROWS).map(keys).collect(),
            refused: refused.chunks(ROWS).map(rows).collect(),
            findings: findings
                .map(|all| all.chunks(ROWS).enumerate().map(|(chunk, part)| (chunk * ROWS, rows(part))).collect()),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let findings = self.findings.iter().flatten().map(|(_, rows)| rows);
        self.cleared.iter().chain(&self.refused).chain(findings).map(String::len).sum()
    }

    pub(super) async fn apply(
        &self,
        storage: &Storage,
        connection: &mut SqliteConnection,
        feed: FeedId,
    ) -> Result<(), LedgerError> {
        self.write(connection, feed).await.map_err(|error| storage.refused(WRITING, error))
    }

    async fn write(&self, connection: &mut SqliteConnection, feed: FeedId) -> Result<(), sqlx::Error> {
        for keys in &self.cleared {
            let statement =
                "DELETE FROM refusal WHERE feed_id = ?1 AND key IN (SELECT unhex(value) FROM json_each(?2))";
            sqlx::query(statement).bind(feed.0).bind(keys).execute(&mut *connection).await?;
        }
        for rows in &self.refused {
            let statement = "INSERT OR REPLACE INTO refusal (feed_id, key, state, code, violations, text, since)
                SELECT ?1, unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
                FROM json_each(?2)";
            sqlx::query(statement).bind(feed.0).bind(rows).execute(&mut *connection).await?;
        }
        let Some(findings) = &self.findings else { return Ok(()) };
        sqlx::query("DELETE FROM finding WHERE feed_id = ?1").bind(feed.0).execute(&mut *connection).await?;
        for (first, rows) in findings {
            let statement = "INSERT INTO finding (feed_id, position, key, state, code, violations, text, since)
                SELECT ?1, ?3 + key, unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
                FROM json_each(?2)";
            sqlx::query(statement).bind(feed.0).bind(rows).bind(*first as i64).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

fn json(rows: impl Iterator<Item = serde_json::Value>) -> String {
    serde_json::Value::Array(rows.collect()).to_string()
}

fn row(refusal: &Refusal) -> serde_json::Value {
    let violations = serde_json::json!(refusal.violations).to_string();
    serde_json::json!([
        refusal.key.as_ref().map(hex),
        state_number(refusal.state),
        refusal.code,
        violations,
        refusal.text,
        refusal.since,
    ])
}

/// A key as the tables hold it, so that their order is that of [`Key`]; in hex, because JSON has no bytes.
pub(super) fn hex(key: &Key) -> String {
    let (kind, bytes) = match key {
        Key::Guid(guid) => ("00", &guid.to_be_bytes()[..]),
        Key::Text(text) => ("01", text.as_bytes()),
    };
    let digits =
        bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|nibble| char::from_digit(nibble.into(), 16));
    kind.chars().chain(digits).collect()
}

/// The key that the tables hold.
pub(super) fn key(stored: &[u8]) -> Option<Key> {
    match stored.split_first()? {
        (0, guid) => guid.try_into().ok().map(|bytes| Key::Guid(u128::from_be_bytes(bytes))),
        (1, text) => std::str::from_utf8(text).ok().map(|text| Key::Text(text.into())),
        _ => None,
    }
}

/// Reads a row of either table: key, state, code, violations, text, since.
pub(super) fn read(storage: &Storage, row: &SqliteRow) -> Result<Refusal, LedgerError> {
    let column = |error| storage.refused("reading refusals", error);
    let damaged = |what| storage.damaged(format_args!("a refusal with an unreadable {what}"));
    let stored_key: Option<&[u8]> = row.try_get(0).map_err(column)?;
    let state: u32 = row.try_get(1).map_err(column)?;
    let violations: &str = row.try_get(3).map_err(column)?;
    Ok(Refusal {
        key: stored_key.map(|bytes| key(bytes).ok_or_else(|| damaged("key"))).transpose()?,
        state: state_of(state).ok_or_else(|| damaged("state"))?,
        code: row.try_get(2).map_err(column)?,
        violations: serde_json::from_str::<Vec<Violation>>(violations).map_err(|_| damaged("list of violations"))?,
        text: row.try_get(4).map_err(column)?,
        since: row.try_get(5).map_err(column)?,
    })
}
