//! Which rows of a SQLite query a read asks for. A column holds whatever was put into it, so each condition names every storage
//! class apart; each part is a plain comparison first, so that an index on the column serves.

use chrono_tz::Tz;

use super::super::failure::Place;
use super::super::sql::{self, KEYS_PER_STATEMENT};
use super::super::{Column, Engine, Read, SourceError, Stamp, stamp};
use crate::record::Key;

const DAY: i64 = 86_400_000_000;
/// Numbers below this are julian days, as SQLite itself takes them.
const JULIAN_END: i64 = 5_373_485;
/// Numbers from here on are milliseconds, not seconds, since 1970.
const MILLIS_START: i64 = 100_000_000_000;
const JULIAN_EPOCH: f64 = 2_440_587.5;

/// The WHERE clauses of the statements that make up the read, each with a blank before it.
pub(super) fn conditions(
    columns: &[Column],
    read: Read<'_>,
    zone: Tz,
    place: &Place,
) -> Result<Vec<String>, SourceError> {
    let name = |column: &str| {
        let (_, column) = Column::find(columns, column).ok_or_else(|| place.no_column(column))?;
        Ok(format!("q.{}", sql::name(Engine::Sqlite, &column.name)))
    };
    match read {
        Read::All => Ok(vec![String::new()]),
        Read::Changed { column, since } | Read::Swept { column, since, .. } => {
            Ok(vec![format!(" WHERE {}", changed(&name(column)?, since, zone))])
        }
        Read::Keys { column, keys } => {
            let column = name(column)?;
            let list = |keys: &[Key]| format!(" WHERE {column} IN ({})", literals(keys).join(","));
            Ok(keys.chunks(KEYS_PER_STATEMENT).map(list).collect())
        }
    }
}

/// ISO texts compare as texts; the last day before the bound is let in for texts with a zone and looked at closely.
fn changed(column: &str, since: Stamp, zone: Tz) -> String {
    let (local, instant) = (since.local(zone), since.instant(zone));
    let first_text = stamp::date_text(local.min(instant).saturating_sub(DAY));
    let (local, instant) = (local.div_euclid(1_000_000), instant.div_euclid(1_000_000));
    let julian = (instant as f64) / 86_400.0 + JULIAN_EPOCH;
    let millis = instant.saturating_mul(1000).max(MILLIS_START);
    let has_zone = format!("({column} GLOB '*Z' OR {column} GLOB '*[+-][0-9][0-9]:[0-9][0-9]')");
    format!(
        "({column} IS NULL \
         OR ({column} >= '{first_text}' AND \
             coalesce(unixepoch({column}) >= CASE WHEN {has_zone} THEN {instant} ELSE {local} END, 1)) \
         OR ({column} >= {julian} AND {column} < {JULIAN_END}) \
         OR ({column} >= {instant} AND {column} >= {JULIAN_END} AND {column} < {MILLIS_START}) \
         OR ({column} >= {millis} AND {column} < ''))"
    )
}

/// Every literal under which the keys may be stored.
fn literals(keys: &[Key]) -> Vec<String> {
    let mut literals = Vec::with_capacity(keys.len() * 7);
    for key in keys {
        literals.extend(sql::key_texts(key).iter().filter_map(|text| sql::literal(Engine::Sqlite, text)));
        literals.push(format!("x'{}'", sql::hex(&sql::key_bytes(key))));
        literals.extend(sql::key_number(key).map(str::to_owned));
    }
    literals
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnection;
    use sqlx::{AssertSqlSafe, Connection, Executor, Row};

    use super::*;

    /// How SQLite goes about a read of a table with an index on `at` and on `id`.
    async fn way(read: Read<'_>) -> String {
        let columns = ["id", "at"].map(|name| Column { name: name.into(), type_name: "text".into() });
        let place = Place::new("mis", "read", "fer.slot");
        let conditions = conditions(&columns, read, Tz::Asia__Yekaterinburg, &place).unwrap();
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let schema = "CREATE TABLE t (id text, at datetime); CREATE INDEX t_at ON t (at); CREATE INDEX t_id ON t (id)";
        connection.execute(sqlx::raw_sql(schema)).await.unwrap();
        let statement = format!("EXPLAIN QUERY PLAN SELECT * FROM (SELECT * FROM t) AS q{}", conditions[0]);
        let steps = sqlx::query(AssertSqlSafe(statement)).fetch_all(&mut connection).await.unwrap();
        steps.iter().map(|step| step.get::<String, _>("detail") + "; ").collect()
    }

    #[tokio::test]
    async fn indexes_serve_change_and_key_reads() {
        let changed = way(Read::Changed { column: "at", since: Stamp::Local(0) }).await;
        assert!(changed.contains("USING INDEX t_at") && !changed.contains("SCAN"), "{changed}");
        let keyed = way(Read::Keys { column: "id", keys: &[Key::Guid(1)] }).await;
        assert!(keyed.contains("USING INDEX t_id") && !keyed.contains("SCAN"), "{keyed}");
    }
}
