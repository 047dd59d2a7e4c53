//! The statements of one read of MySQL.

use chrono_tz::Tz;

use super::super::failure::Place;
use super::super::sql::{self, KEYS_PER_STATEMENT};
use super::super::{Column, Engine, Read, SourceError, Stamp, stamp};
use super::cells::Kind;
use super::clock::Clock;
use crate::record::Key;

/// The clocks that stamps are translated between.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    /// The source's zone.
    pub(super) zone: Tz,
    /// The session's clock.
    pub(super) session: Clock,
}

pub(super) fn statements(
    query: &str,
    columns: &[Column],
    kinds: &[Kind],
    read: Read<'_>,
    clocks: Clocks,
    place: &Place,
) -> Result<Vec<String>, SourceError> {
    let find = |name: &str| {
        let (index, column) = Column::find(columns, name).ok_or_else(|| place.no_column(name))?;
        let kind = kinds.get(index).copied().unwrap_or(Kind::Null);
        Ok((column, kind, format!("q.{}", sql::name(Engine::MySql, &column.name))))
    };
    let select = |condition: String| format!("SELECT * FROM {} WHERE {condition}", sql::subquery(Engine::MySql, query));
    match read {
        // As it was described: MySQL keeps the prepared statement, and need not keep the rows of a subquery.
        Read::All => Ok(vec![sql::without_terminator(Engine::MySql, query).to_owned()]),
        Read::Changed { column, since } | Read::Swept { column, since, .. } => {
            let (column, kind, name) = find(column)?;
            let bound =
                bound(kind, since, clocks).ok_or_else(|| place.no_change_column(&column.name, &column.type_name))?;
            Ok(vec![select(format!("({name} IS NULL OR {name} >= {bound})"))])
        }
        Read::Keys { column, keys } => {
            let (_, kind, name) = find(column)?;
            let lists = keys.chunks(KEYS_PER_STATEMENT).map(|keys| literals(keys, kind));
            let asked = lists.filter(|literals| !literals.is_empty());
            Ok(asked.map(|literals| select(format!("{name} IN ({})", literals.join(",")))).collect())
        }
    }
}

/// The statement that reads all keys, which are these columns.
pub(super) fn sweep(query: &str, keys: &[Column]) -> String {
    let names: Vec<_> = keys.iter().map(|key| format!("q.{}", sql::name(Engine::MySql, &key.name))).collect();
    format!("SELECT {} FROM {}", names.join(", "), sql::subquery(Engine::MySql, query))
}

/// The stamp in the column's own type; none when the column is no time.
fn bound(kind: Kind, since: Stamp, clocks: Clocks) -> Option<String> {
    match kind {
        Kind::DateTime => Some(format!("'{}'", stamp::text(since.local(clocks.zone)))),
        Kind::Timestamp => {
            let shown = clocks.session.shows_at_most(since.instant(clocks.zone));
            Some(format!("'{}'", stamp::text(shown)))
        }
        Kind::Date => Some(format!("'{}'", stamp::date_text(since.local(clocks.zone)))),
        _ => None,
    }
}

/// The literals under which the keys may be stored in such a column. A key that the type cannot hold is in none of its rows.
fn literals(keys: &[Key], kind: Kind) -> Vec<String> {
    match kind {
        Kind::Text => {
            let texts = keys.iter().flat_map(sql::key_texts);
            texts.filter_map(|text| sql::literal(Engine::MySql, &text)).collect()
        }
        Kind::Bytes => keys.iter().map(|key| format!("x'{}'", sql::hex(&sql::key_bytes(key)))).collect(),
        Kind::Int { .. } | Kind::Bits | Kind::Float | Kind::Double | Kind::Decimal => {
            keys.iter().filter_map(sql::key_number).map(str::to_owned).collect()
        }
        // No key is a time.
        Kind::Null | Kind::Date | Kind::DateTime | Kind::Timestamp | Kind::Time => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCKS: Clocks = Clocks { zone: Tz::Asia__Yekaterinburg, session: Clock::Offset(5 * 3600) };

    fn one(kind: Kind, read: Read<'_>) -> Result<Vec<String>, SourceError> {
        let columns = [Column { name: "id".into(), type_name: "x".into() }];
        statements("SELECT 1 AS id; -- one", &columns, &[kind], read, CLOCKS, &Place::new("mis", "read", "fer.slot"))
    }

    #[test]
    fn the_bound_is_written_on_the_columns_own_clock() {
        let since = Stamp::Instant(1_782_889_200_000_000);
        for (kind, bound) in [
            (Kind::DateTime, "'2026-07-01 12:00:00.000000'"),
            (Kind::Timestamp, "'2026-07-01 12:00:00.000000'"),
            (Kind::Date, "'2026-07-01'"),
        ] {
            let statements = one(kind, Read::Changed { column: "id", since }).unwrap();
            assert!(statements[0].ends_with(&format!("(q.`id` IS NULL OR q.`id` >= {bound})")), "{statements:?}");
        }
        let refused = one(Kind::Text, Read::Changed { column: "id", since });
        assert!(matches!(refused, Err(SourceError::ChangeColumn { .. })));
    }

    #[test]
    fn all_rows_are_read_by_the_query_as_it_was_described() {
        assert_eq!(one(Kind::Text, Read::All).unwrap(), ["SELECT 1 AS id"]);
    }

    #[test]
    fn keys_are_looked_for_in_the_columns_own_form() {
        let keys = [Key::Guid(1), Key::Text("7".into())];
        let read = Read::Keys { column: "ID", keys: &keys };
        assert!(one(Kind::Bytes, read).unwrap()[0].contains("IN (x'00000000000000000000000000000001',x'37')"));
        assert!(one(Kind::Int { unsigned: false }, read).unwrap()[0].ends_with("IN (7)"));
        assert!(one(Kind::Date, read).unwrap().is_empty());
    }
}
