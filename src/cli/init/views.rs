//! The views that `init --views` prints: one per feed, generated from its schema, with a typed NULL for each column. Each can be created
//! as it stands, gives no rows, and is then filled in column by column.

use std::fmt::Write;

use crate::portal;
use crate::record::{Field, Kind, Presence, Schema};

use super::Dialect;

/// Columns of the terminal that comments keep to.
const WIDTH: usize = 110;

/// The views of kinds of portals.
pub(super) fn text(dialect: Dialect, kinds: &[&portal::Kind]) -> String {
    let mut sql = String::from(
        "-- Views that vitrina reads. Each can be created as it stands and gives no rows. Fill it in: put an expression in place of\n\
         -- each CAST(NULL AS ...), FROM and WHERE of your own in place of the last line. Delete the views that are not needed:\n\
         -- a feed without a view is off. Times without a zone are read in the zone that the configuration names for the source.\n",
    );
    for kind in kinds {
        for schema in kind.schemas {
            sql.push('\n');
            view(&mut sql, dialect, kind.name, schema);
        }
    }
    sql
}

fn view(sql: &mut String, dialect: Dialect, kind: &str, schema: &Schema) {
    comment(sql, "", &format!("{}: {}. Key: {}.", schema.feed, schema.table, schema.key));
    line(sql, &format!("CREATE VIEW vitrina_{kind}_{} AS", schema.feed));
    line(sql, "SELECT");
    for (index, field) in schema.fields.iter().enumerate() {
        comment(sql, "    ", &wanted(schema, field));
        let comma = if index + 1 < schema.fields.len() { "," } else { "" };
        line(sql, &format!("    {} AS {}{comma}", nothing(dialect, field), field.name));
    }
    line(sql, no_rows(dialect));
}

/// What the document wants of a field.
pub(super) fn wanted(schema: &Schema, field: &Field) -> String {
    format!("{}; {}", presence(schema, field.presence), content(field.kind))
}

/// A typed NULL in place of a field.
pub(super) fn nothing(dialect: Dialect, field: &Field) -> String {
    format!("CAST(NULL AS {})", sql_type(dialect, field))
}

pub(super) fn line(sql: &mut String, text: &str) {
    sql.push_str(text);
    sql.push('\n');
}

/// Writes a comment, broken between words into as many lines as it needs.
pub(super) fn comment(sql: &mut String, indent: &str, text: &str) {
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count() + 1;
        if used == 0 || used + length > WIDTH {
            let lead = if used == 0 { "" } else { "\n" };
            // Writing to a String does not fail.
            let _ = write!(sql, "{lead}{indent}--");
            used = indent.len() + 2;
        }
        let _ = write!(sql, " {word}");
        used += length;
    }
    sql.push('\n');
}

fn no_rows(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Mysql => "FROM DUAL WHERE 1 = 0;",
        Dialect::Postgres | Dialect::Sqlite => "WHERE 1 = 0;",
    }
}

fn presence(schema: &Schema, presence: Presence) -> String {
    let discriminator = schema.discriminator.unwrap_or("type");
    match presence {
        Presence::Mandatory => "mandatory".into(),
        Presence::Optional => "optional".into(),
        Presence::OrEmpty => "mandatory column; empty is sent as an empty text".into(),
        Presence::Withdraws => "optional; false withdraws the record, whatever the other columns hold".into(),
        Presence::OnlyWhen(value) => format!("mandatory when {discriminator} is {value}, NULL otherwise"),
        Presence::MandatoryWhen(value) => format!("mandatory when {discriminator} is {value}, otherwise optional"),
        Presence::OnlyIf(condition) => format!("mandatory when {}, NULL otherwise", condition.told()),
        Presence::OptionalIf(condition) => format!("optional when {}, NULL otherwise", condition.told()),
        Presence::MandatoryIf(condition) => format!("mandatory when {}, otherwise optional", condition.told()),
        Presence::RemoteId => "optional, not sent; the portal's own id of what it has already".into(),
    }
}

fn content(kind: Kind) -> String {
    match kind {
        Kind::Guid => "GUID".into(),
        Kind::Oid => "OID: digits and dots".into(),
        Kind::Text(length) => format!("text, at most {length} characters"),
        Kind::IdText(length) | Kind::GuidOrText(length) => format!("GUID or text, at most {length} characters"),
        Kind::Int { min, max } => format!("whole number, {min} to {max}"),
        Kind::Number => "number".into(),
        Kind::Enum(words) => format!("one of {}", words.join(", ")),
        Kind::EnumWithAliases(words, aliases) => {
            let others: Vec<String> = aliases.iter().map(|(alias, word)| format!("{alias} for {word}")).collect();
            format!("one of {}; also {}", words.join(", "), others.join(", "))
        }
        Kind::EnumList(words) => format!("one or several, joined by commas, of {}", words.join(", ")),
        Kind::IntEnum(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            format!("one of {}", numbers.join(", "))
        }
        Kind::Time => "date and time".into(),
        Kind::PeriodEnd => "date and time; a date alone is the end of that day".into(),
        Kind::VisitTime => "date and time, sent on the clock that visit_time_zone names".into(),
        Kind::Snils | Kind::PrintedSnils => "SNILS".into(),
        Kind::Bool => "true or false".into(),
        Kind::Date => "date".into(),
        Kind::Epoch => "date and time, or seconds since 1970-01-01T00:00:00Z, from the year 2000 on".into(),
        Kind::EpochEnd => format!("{}; a date alone is the end of that day", content(Kind::Epoch)),
        Kind::Inn => "INN".into(),
        Kind::Oktmo(count) => {
            format!("the first {count} digits of an OKTMO code; a whole one of 8 or 11 digits is cut")
        }
        Kind::Digits(counts) => {
            let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
            format!("{} digits", counts.join(" or "))
        }
        Kind::Version => "anything that changes with the content: a number, a text, a time".into(),
        Kind::Identifier(length) => format!("Latin letters, digits and hyphens, at most {length}"),
        Kind::Objects(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|field| format!("{} ({})", field.name, content(field.kind))).collect();
            format!("JSON array of objects with {}", fields.join("; "))
        }
    }
}

fn sql_type(dialect: Dialect, field: &Field) -> &'static str {
    match (field.kind, dialect) {
        (Kind::Guid, Dialect::Postgres) => "uuid",
        (Kind::Guid, Dialect::Mysql) => "CHAR(36)",
        (Kind::Int { .. } | Kind::IntEnum(_), Dialect::Postgres) => "bigint",
        (Kind::Int { .. } | Kind::IntEnum(_), Dialect::Mysql) => "SIGNED",
        (Kind::Int { .. } | Kind::IntEnum(_), Dialect::Sqlite) => "INTEGER",
        (Kind::Number, Dialect::Postgres) => "numeric",
        (Kind::Number, Dialect::Mysql) => "DECIMAL(18, 6)",
        (Kind::Number, Dialect::Sqlite) => "REAL",
        (Kind::Bool, Dialect::Postgres) => "boolean",
        (Kind::Bool, Dialect::Mysql) => "SIGNED",
        (Kind::Bool, Dialect::Sqlite) => "INTEGER",
        (Kind::Date, Dialect::Postgres) => "date",
        (Kind::Date, Dialect::Mysql) => "DATE",
        (Kind::Epoch | Kind::EpochEnd, Dialect::Postgres) => "timestamp",
        (Kind::Epoch | Kind::EpochEnd, Dialect::Mysql) => "DATETIME",
        (Kind::Time | Kind::PeriodEnd | Kind::VisitTime, Dialect::Postgres) => "timestamp",
        (Kind::Time | Kind::PeriodEnd | Kind::VisitTime, Dialect::Mysql) => "DATETIME",
        (_, Dialect::Mysql) => "CHAR",
        (_, Dialect::Postgres) => "text",
        (_, Dialect::Sqlite) => "TEXT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Expiry, Unit, may, must, must_when, only_when};
    use sqlx::{Connection, Executor, Row, SqliteConnection};

    static EVERYTHING: Schema = Schema {
        feed: "everything",
        table: "приложение 1, таблица 0",
        fields: &[
            must("id", Kind::Guid),
            must("type", Kind::Enum(&["ROOM", "MACHINE"])),
            only_when("ROOM", "room_number", Kind::Text(20)),
            must_when("MACHINE", "machine_name", Kind::Text(100)),
            may("oid", Kind::Oid),
            may("duration", Kind::Int { min: 1, max: 1440 }),
            may("weight", Kind::Number),
            may("access", Kind::EnumList(&["A", "B"])),
            may("kind", Kind::EnumWithAliases(&["P"], &[("PA", "P")])),
            may("status", Kind::IntEnum(&[5000, 5010])),
            may("create_ts", Kind::Time),
            may("visit_time", Kind::VisitTime),
            may("snils", Kind::Snils),
        ],
        key: "id",
        discriminator: Some("type"),
        cascades: &[],
        urgent: false,
        persons: false,
        derived_key: &[],
        parents: &[],
        unit: Unit::None,
        expires: Expiry::Never,
        place: &[],
        status: None,
        spare: &[],
        yields: &[],
    };

    static KIND: portal::Kind = portal::Kind { name: "fer", schemas: &[&EVERYTHING], remedies: &[], unnamed: &[] };

    #[tokio::test]
    async fn a_view_can_be_created_as_it_stands_and_has_every_column_and_no_row() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.expect("a database");
        let sql = text(Dialect::Sqlite, &[&KIND]);
        connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("valid SQL");
        let columns = sqlx::query("SELECT name FROM pragma_table_info('vitrina_fer_everything')");
        let columns: Vec<String> =
            columns.fetch_all(&mut connection).await.expect("columns").iter().map(|row| row.get(0)).collect();
        let fields: Vec<&str> = EVERYTHING.fields.iter().map(|field| field.name).collect();
        assert_eq!(columns, fields);
        let rows = sqlx::query("SELECT * FROM vitrina_fer_everything").fetch_all(&mut connection).await.expect("rows");
        assert!(rows.is_empty());
    }

    #[test]
    fn each_column_says_what_the_document_wants_of_it() {
        let sql = text(Dialect::Postgres, &[&KIND]);
        for expected in [
            "-- everything: приложение 1, таблица 0. Key: id.",
            "    -- mandatory; GUID\n    CAST(NULL AS uuid) AS id,",
            "    -- mandatory when type is ROOM, NULL otherwise; text, at most 20 characters\n",
            "    -- mandatory when type is MACHINE, otherwise optional; text, at most 100 characters\n",
            "    -- optional; one of 5000, 5010\n    CAST(NULL AS bigint) AS status,",
            "CAST(NULL AS text) AS snils\nWHERE 1 = 0;",
        ] {
            assert!(sql.contains(expected), "{expected}\nis not in\n{sql}");
        }
    }

    #[test]
    fn a_long_comment_is_broken_and_each_line_stays_a_comment() {
        let mut sql = String::new();
        comment(&mut sql, "    ", &"word ".repeat(60));
        assert!(sql.lines().count() > 1);
        assert!(sql.lines().all(|line| line.starts_with("    -- word") && line.len() <= WIDTH), "{sql}");
    }
}
