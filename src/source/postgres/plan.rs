//! The COPY statements of one read.

use chrono_tz::Tz;

use super::super::failure::Place;
use super::super::sql::{self, KEYS_PER_STATEMENT};
use super::super::{Column, Engine, Read, SourceError, Stamp, stamp};
use super::binary::Wire;
use super::encoding::Encoding;
use crate::record::{Key, guid};

/// What is sent to the server, and how its answer is to be read.
pub(super) struct Plan {
    /// The keys of a sweep: which columns they are, the COPY that reads them, and how they are sent.
    pub(super) keys: Option<Keys>,
    /// One COPY each; their rows follow one another.
    pub(super) statements: Vec<String>,
    /// How each column is sent.
    pub(super) wires: Vec<Wire>,
}

/// How all keys are read.
pub(super) struct Keys {
    pub(super) columns: Vec<Column>,
    pub(super) statement: String,
    pub(super) wires: Vec<Wire>,
}

impl Plan {
    pub(super) fn new(
        query: &str,
        columns: &[Column],
        wires: Vec<Wire>,
        read: Read<'_>,
        zone: Tz,
        encoding: Encoding,
        place: &Place,
    ) -> Result<Self, SourceError> {
        let list: Vec<_> = columns.iter().zip(&wires).map(|(column, wire)| selected(column, *wire, encoding)).collect();
        let select = format!("SELECT {} FROM {}", list.join(", "), sql::subquery(Engine::Postgres, query));
        let conditions = conditions(columns, &wires, read, zone, encoding, place)?;
        let copy = |condition| format!("COPY ({select}{condition}) TO STDOUT (FORMAT binary)");
        let keys = read.swept(columns, place)?.map(|keys| {
            let list: Vec<_> = keys.iter().map(|at| list[*at].as_str()).collect();
            let from = sql::subquery(Engine::Postgres, query);
            Keys {
                columns: keys.iter().map(|at| columns[*at].clone()).collect(),
                statement: format!("COPY (SELECT {} FROM {from}) TO STDOUT (FORMAT binary)", list.join(", ")),
                wires: keys.iter().map(|at| wires[*at]).collect(),
            }
        });
        Ok(Plan { keys, statements: conditions.into_iter().map(copy).collect(), wires })
    }
}

fn column_name(column: &Column) -> String {
    format!("q.{}", sql::name(Engine::Postgres, &column.name))
}

fn selected(column: &Column, wire: Wire, encoding: Encoding) -> String {
    let name = column_name(column);
    match (wire, encoding) {
        (Wire::AsText, _) | (Wire::Text | Wire::PaddedText, Encoding::Unknown | Encoding::Table(_)) => {
            encoding.asked(&name)
        }
        _ => name,
    }
}

/// The column as keys are compared with it.
fn compared(column: &Column, wire: Wire) -> String {
    let name = column_name(column);
    if wire == Wire::AsText { format!("{name}::text") } else { name }
}

/// The WHERE clauses of the statements that make up the read, each with a blank before it.
fn conditions(
    columns: &[Column],
    wires: &[Wire],
    read: Read<'_>,
    zone: Tz,
    encoding: Encoding,
    place: &Place,
) -> Result<Vec<String>, SourceError> {
    let find = |name: &str| {
        let (index, column) = Column::find(columns, name).ok_or_else(|| place.no_column(name))?;
        Ok((column, wires.get(index).copied().unwrap_or(Wire::AsText)))
    };
    match read {
        Read::All => Ok(vec![String::new()]),
        Read::Changed { column, since } | Read::Swept { column, since, .. } => {
            let (column, wire) = find(column)?;
            let bound =
                bound(wire, since, zone).ok_or_else(|| place.no_change_column(&column.name, &column.type_name))?;
            let name = column_name(column);
            Ok(vec![format!(" WHERE ({name} IS NULL OR {name} >= {bound})")])
        }
        Read::Keys { column, keys } => {
            let (column, wire) = find(column)?;
            let name = compared(column, wire);
            let lists = keys.chunks(KEYS_PER_STATEMENT).map(|keys| literals(keys, wire, encoding));
            let asked = lists.filter(|literals| !literals.is_empty());
            Ok(asked.map(|literals| format!(" WHERE {name} IN ({})", literals.join(","))).collect())
        }
    }
}

/// The stamp in the column's own type; none when the column is no time.
fn bound(wire: Wire, since: Stamp, zone: Tz) -> Option<String> {
    match wire {
        Wire::Timestamp => Some(format!("'{}'::timestamp", stamp::text(since.local(zone)))),
        Wire::TimestampTz => Some(format!("'{}+00'::timestamptz", stamp::text(since.instant(zone)))),
        Wire::Date => Some(format!("'{}'::date", stamp::date_text(since.local(zone)))),
        _ => None,
    }
}

/// The literals under which the keys may be stored in such a column. A key that the type cannot hold is in none of its rows.
fn literals(keys: &[Key], wire: Wire, encoding: Encoding) -> Vec<String> {
    let uuid = |value: u128| format!("'{}'", guid::format(value));
    let integer = |key: &Key| sql::key_number(key)?.parse::<i64>().ok().map(|number| number.to_string());
    match wire {
        Wire::Uuid => keys.iter().filter_map(sql::key_guid).map(uuid).collect(),
        Wire::Bytea => keys.iter().map(|key| format!("'\\x{}'::bytea", sql::hex(&sql::key_bytes(key)))).collect(),
        Wire::Int2 | Wire::Int4 | Wire::Int8 => keys.iter().filter_map(integer).collect(),
        Wire::Numeric | Wire::Float4 | Wire::Float8 => {
            keys.iter().filter_map(sql::key_number).map(str::to_owned).collect()
        }
        Wire::Text | Wire::PaddedText | Wire::AsText => {
            let texts = keys.iter().flat_map(sql::key_texts).filter(|text| encoding.holds(text));
            texts.filter_map(|text| sql::literal(Engine::Postgres, &text)).collect()
        }
        // No key is a truth value or a time.
        Wire::Bool | Wire::Date | Wire::Timestamp | Wire::TimestampTz => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Tz = Tz::Asia__Yekaterinburg;

    fn plan(wire: Wire, read: Read<'_>) -> Result<Vec<String>, SourceError> {
        let columns = [Column { name: "Id".into(), type_name: "x".into() }];
        let place = Place::new("mis", "read", "fer.slot");
        Plan::new("SELECT 1 -- one", &columns, vec![wire], read, ZONE, Encoding::Utf8, &place)
            .map(|plan| plan.statements)
    }

    #[test]
    fn a_comment_of_the_query_does_not_swallow_what_follows() {
        let statements = plan(Wire::AsText, Read::All).unwrap();
        assert_eq!(statements, ["COPY (SELECT q.\"Id\"::text FROM (\nSELECT 1\n) AS q) TO STDOUT (FORMAT binary)"]);
    }

    #[test]
    fn the_bound_is_written_in_the_columns_own_type() {
        let since = Stamp::Local(1_782_907_200_000_000);
        let read = Read::Changed { column: "id", since };
        for (wire, bound) in [
            (Wire::Timestamp, "'2026-07-01 12:00:00.000000'::timestamp"),
            (Wire::TimestampTz, "'2026-07-01 07:00:00.000000+00'::timestamptz"),
            (Wire::Date, "'2026-07-01'::date"),
        ] {
            let statements = plan(wire, read).unwrap();
            assert!(statements[0].contains(&format!("(q.\"Id\" IS NULL OR q.\"Id\" >= {bound})")), "{statements:?}");
        }
        assert!(matches!(plan(Wire::Text, read), Err(SourceError::ChangeColumn { .. })));
    }

    #[test]
    fn a_sweep_asks_for_the_key_columns_alone() {
        let columns = ["Id", "note", "at"].map(|name| Column { name: name.into(), type_name: "x".into() });
        let read = Read::Swept { column: "at", since: Stamp::Local(0), keys: &["absent", "id"] };
        let wires = vec![Wire::Uuid, Wire::Text, Wire::Timestamp];
        let plan = Plan::new(
            "SELECT 1",
            &columns,
            wires,
            read,
            ZONE,
            Encoding::Unknown,
            &Place::new("mis", "read", "fer.slot"),
        )
        .unwrap();
        let keys = plan.keys.unwrap();
        assert_eq!(keys.statement, "COPY (SELECT q.\"Id\" FROM (\nSELECT 1\n) AS q) TO STDOUT (FORMAT binary)");
        assert_eq!((keys.wires, plan.statements.len()), (vec![Wire::Uuid], 1));
    }

    #[test]
    fn many_keys_are_asked_for_in_several_statements() {
        let keys: Vec<_> = (0..1001).map(Key::Guid).collect();
        assert_eq!(plan(Wire::Uuid, Read::Keys { column: "Id", keys: &keys }).unwrap().len(), 3);
    }

    #[test]
    fn a_key_that_the_column_cannot_hold_is_not_asked_for() {
        let keys = [Key::Text("x' OR true --".into())];
        assert!(plan(Wire::Int8, Read::Keys { column: "Id", keys: &keys }).unwrap().is_empty());
        assert!(plan(Wire::Uuid, Read::Keys { column: "Id", keys: &keys }).unwrap().is_empty());
        let texts = plan(Wire::Text, Read::Keys { column: "Id", keys: &keys }).unwrap();
        assert!(texts[0].contains("IN ('x'' OR true --')"), "{texts:?}");
    }

    #[test]
    fn a_missing_column_is_named() {
        let error = plan(Wire::Text, Read::Keys { column: "key", keys: &[] }).unwrap_err().to_string();
        assert!(error.contains("needs a column key"), "{error}");
    }
}
