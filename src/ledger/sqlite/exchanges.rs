//! The register of exchange and the secrets, in their tables. Rows go in as JSON that SQLite unfolds, like refusals.

use secrecy::{ExposeSecret, SecretString};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};

use super::errors::Storage;
use super::refusals::{hex, key};
use crate::ledger::{Exchange, ExchangeCounts, ExchangeState, FeedId, LedgerError, Remark, WriteBackDue};
use crate::record::{Fingerprint, Key, Receipt};

const WRITING: &str = "writing the register of exchange";
const READING: &str = "reading the register of exchange";
pub(super) const KEEPING: &str = "keeping a secret";
const RECALLING: &str = "reading a secret";
/// Rows of one statement.
const ROWS: usize = 512;

/// What a settlement does to a feed's register: JSON arrays, some rows each.
#[derive(Debug, Default)]
pub(super) struct Changes {
    stated: Vec<String>,
    remarked: Vec<String>,
    dropped: Vec<String>,
}

impl Changes {
    pub(super) fn new(stated: &[Exchange], remarked: &[Remark], dropped: &[Key]) -> Self {
        let all = |rows: &[serde_json::Value]| serde_json::json!(rows).to_string();
        let stated: Vec<_> = stated.iter().map(row).collect();
        let remarked: Vec<_> =
            remarked.iter().map(|remark| serde_json::json!([hex(&remark.key), remark.code])).collect();
        let dropped: Vec<_> = dropped.iter().map(|key| serde_json::Value::String(hex(key))).collect();
        Changes {
            stated: stated.chunks(ROWS).map(all).collect(),
            remarked: remarked.chunks(ROWS).map(all).collect(),
            dropped: dropped.chunks(ROWS).map(all).collect(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.stated.iter().chain(&self.remarked).chain(&self.dropped).map(String::len).sum()
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
        for rows in &self.stated {
            // Without the WHERE, SQLite takes ON for the beginning of a join.
            let statement = "INSERT INTO exchange (feed_id, key, version, state, receipt, sent, changed, code,
                    write_back_attempts, write_back_next)
                SELECT ?1, unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5,
                    value ->> 6, value ->> 7, value ->> 8
                FROM json_each(?2) WHERE true
                ON CONFLICT (feed_id, key) DO UPDATE SET version = excluded.version, state = excluded.state,
                    receipt = coalesce(excluded.receipt, receipt), sent = coalesce(excluded.sent, sent),
                    changed = excluded.changed, code = excluded.code,
                    write_back_attempts = excluded.write_back_attempts, write_back_next = excluded.write_back_next";
            sqlx::query(statement).bind(feed.0).bind(rows).execute(&mut *connection).await?;
        }
        for rows in &self.remarked {
            let statement = "UPDATE exchange SET code = said.code
                FROM (SELECT unhex(value ->> 0) AS key, value ->> 1 AS code FROM json_each(?2)) AS said
                WHERE feed_id = ?1 AND exchange.key = said.key";
            sqlx::query(statement).bind(feed.0).bind(rows).execute(&mut *connection).await?;
        }
        for keys in &self.dropped {
            let statement = "DELETE FROM exchange WHERE feed_id = ?1 AND state = ?3
                AND key IN (SELECT unhex(value) FROM json_each(?2))";
            let ready = ExchangeState::Ready.number();
            sqlx::query(statement).bind(feed.0).bind(keys).bind(ready).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

fn row(exchange: &Exchange) -> serde_json::Value {
    let version = exchange.version.map(|version| format!("{:032x}", version.0));
    let receipt = exchange.receipt.as_ref().map(|receipt| serde_json::json!(receipt).to_string());
    serde_json::json!([
        hex(&exchange.key),
        version,
        exchange.state.number(),
        receipt,
        exchange.sent,
        exchange.changed,
        exchange.code,
        exchange.write_back.map(|due| due.attempts),
        exchange.write_back.map(|due| due.next_attempt),
    ])
}

/// Rows of a feed's register behind a key, ordered by key.
pub(super) async fn page(
    storage: &Storage,
    readers: &SqlitePool,
    feed: FeedId,
    after: Option<&Key>,
    most: usize,
) -> Result<Vec<Exchange>, LedgerError> {
    let statement = "SELECT key, version, state, receipt, sent, changed, code, write_back_attempts, write_back_next
        FROM exchange WHERE feed_id = ?1 AND key > unhex(?2) ORDER BY key LIMIT ?3";
    let after = after.map(hex).unwrap_or_default();
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = sqlx::query(statement).bind(feed.0).bind(after).bind(most).fetch_all(readers).await;
    let rows = rows.map_err(|error| storage.refused(READING, error))?;
    rows.iter().map(|row| read(storage, row)).collect()
}

/// The row of one record.
pub(super) async fn one(
    storage: &Storage,
    readers: &SqlitePool,
    feed: FeedId,
    key: &Key,
) -> Result<Option<Exchange>, LedgerError> {
    let statement = "SELECT key, version, state, receipt, sent, changed, code, write_back_attempts, write_back_next
        FROM exchange WHERE feed_id = ?1 AND key = unhex(?2)";
    let row = sqlx::query(statement).bind(feed.0).bind(hex(key)).fetch_optional(readers).await;
    row.map_err(|error| storage.refused(READING, error))?.map(|row| read(storage, &row)).transpose()
}

fn read(storage: &Storage, row: &SqliteRow) -> Result<Exchange, LedgerError> {
    let column = |error| storage.refused(READING, error);
    let damaged = |what| storage.damaged(format_args!("an exchange with an unreadable {what}"));
    let stored: &[u8] = row.try_get(0).map_err(column)?;
    let version: Option<&[u8]> = row.try_get(1).map_err(column)?;
    let version = version.map(|bytes| bytes.try_into().map_err(|_| damaged("version"))).transpose()?;
    let receipt: Option<&str> = row.try_get(3).map_err(column)?;
    let receipt = receipt.map(|text| serde_json::from_str::<Receipt>(text).map_err(|_| damaged("receipt")));
    let attempts: Option<u16> = row.try_get(7).map_err(column)?;
    let next_attempt: Option<i64> = row.try_get(8).map_err(column)?;
    Ok(Exchange {
        key: key(stored).ok_or_else(|| damaged("key"))?,
        version: version.map(|bytes| Fingerprint(u128::from_be_bytes(bytes))),
        state: ExchangeState::of(row.try_get(2).map_err(column)?).ok_or_else(|| damaged("state"))?,
        receipt: receipt.transpose()?.filter(|receipt| !receipt.is_empty()),
        sent: row.try_get(4).map_err(column)?,
        changed: row.try_get(5).map_err(column)?,
        code: row.try_get(6).map_err(column)?,
        write_back: attempts.map(|attempts| WriteBackDue { attempts, next_attempt: next_attempt.unwrap_or_default() }),
    })
}

/// How many rows of a feed's register stand where.
pub(super) async fn counts(
    storage: &Storage,
    readers: &SqlitePool,
    feed: FeedId,
) -> Result<ExchangeCounts, LedgerError> {
    let statement =
        "SELECT state, count(*), count(write_back_attempts) FROM exchange WHERE feed_id = ?1 GROUP BY state";
    let rows: Result<Vec<(i64, i64, i64)>, _> = sqlx::query_as(statement).bind(feed.0).fetch_all(readers).await;
    let mut counts = ExchangeCounts::default();
    for (state, count, write_back) in rows.map_err(|error| storage.refused(READING, error))? {
        let state = ExchangeState::of(state)
            .ok_or_else(|| storage.damaged(format_args!("an exchange with the unknown state {state}")))?;
        *counts.at(state) = count.unsigned_abs();
        counts.write_back += write_back.unsigned_abs();
    }
    Ok(counts)
}

/// A portal's secret.
pub(super) async fn secret(
    storage: &Storage,
    readers: &SqlitePool,
    portal: &str,
    name: &str,
) -> Result<Option<SecretString>, LedgerError> {
    let statement = "SELECT secret FROM secret WHERE portal = ?1 AND name = ?2";
    let secret: Result<Option<String>, _> =
        sqlx::query_scalar(statement).bind(portal).bind(name).fetch_optional(readers).await;
    Ok(secret.map_err(|error| storage.refused(RECALLING, error))?.map(SecretString::from))
}

/// Keeps a portal's secret in place of an earlier one.
pub(super) async fn keep_secret(
    storage: &Storage,
    connection: &mut SqliteConnection,
    (portal, name): (&str, &str),
    secret: &SecretString,
) -> Result<(), LedgerError> {
    let statement = "INSERT INTO secret (portal, name, secret) VALUES (?1, ?2, ?3)
        ON CONFLICT (portal, name) DO UPDATE SET secret = excluded.secret";
    let kept = sqlx::query(statement).bind(portal).bind(name).bind(secret.expose_secret()).execute(connection).await;
    kept.map(drop).map_err(|error| storage.refused(KEEPING, error))
}
