//! The views that `init --views` prints: one per feed, generated from its schema, with a typed NULL for each column. Each can be created
//! as it stands, gives no rows, and is then filled in column by column.

use std::fmt::Write;

use crate::portal;
use crate::record::{Field, Kind, Language, Phrase, Presence, Schema};

use super::{Dialect, words};

/// Columns of the terminal that comments keep to.
const WIDTH: usize = 110;

/// The views of kinds of portals.
pub(super) fn text(dialect: Dialect, kinds: &[&portal::Kind], language: Language) -> String {
    let mut sql = String::new();
    comment(&mut sql, "", words::HEAD.said_in(language));
    for kind in kinds {
        for schema in kind.schemas {
            sql.push('\n');
            view(&mut sql, dialect, kind.name, schema, language);
        }
    }
    sql
}

fn view(sql: &mut String, dialect: Dialect, kind: &str, schema: &Schema, language: Language) {
    comment(sql, "", &title(schema, language));
    line(sql, &format!("CREATE VIEW vitrina_{kind}_{} AS", schema.feed));
    line(sql, "SELECT");
    for (index, field) in schema.fields.iter().enumerate() {
        comment(sql, "    ", &wanted(schema, field, language));
        let comma = if index + 1 < schema.fields.len() { "," } else { "" };
        line(sql, &format!("    {} AS {}{comma}", nothing(dialect, field), field.name));
    }
    line(sql, no_rows(dialect));
}

/// The line above a view.
pub(super) fn title(schema: &Schema, language: Language) -> String {
    words::TITLE.about_in(language, &[&schema.feed, &schema.table, &schema.key])
}

/// What the document wants of a field.
pub(super) fn wanted(schema: &Schema, field: &Field, language: Language) -> String {
    format!("{}; {}", presence(schema, field.presence, language), content(field.kind, language))
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

fn presence(schema: &Schema, presence: Presence, language: Language) -> String {
    let discriminator = schema.discriminator.unwrap_or("type");
    let is = |value: &str| format!("{discriminator} is {value}");
    let (phrase, condition) = match presence {
        Presence::Mandatory => (&words::MANDATORY, String::new()),
        Presence::Optional => (&words::OPTIONAL, String::new()),
        Presence::OrEmpty => (&words::OR_EMPTY, String::new()),
        Presence::Withdraws => (&words::WITHDRAWS, String::new()),
        Presence::OnlyWhen(value) => (&words::ONLY_IF, is(value)),
        Presence::MandatoryWhen(value) => (&words::MANDATORY_IF, is(value)),
        Presence::OnlyIf(condition) => (&words::ONLY_IF, condition.told()),
        Presence::OptionalIf(condition) => (&words::OPTIONAL_IF, condition.told()),
        Presence::MandatoryIf(condition) => (&words::MANDATORY_IF, condition.told()),
        Presence::RemoteId => (&words::REMOTE_ID, String::new()),
    };
    let condition = match language {
        Language::English => condition,
        Language::Russian => condition.replace(" is ", " = ").replace(" or ", " или ").replace("empty", "пусто"),
    };
    phrase.about_in(language, &[&condition])
}

fn content(kind: Kind, language: Language) -> String {
    let plain = |phrase: &Phrase| phrase.said_in(language).to_owned();
    match kind {
        Kind::Guid => "GUID".into(),
        Kind::Oid => plain(&words::OID),
        Kind::Text(length) => words::TEXT.about_in(language, &[&length]),
        Kind::IdText(length) | Kind::GuidOrText(length) => words::ID_TEXT.about_in(language, &[&length]),
        Kind::Int { min, max } => words::WHOLE.about_in(language, &[&min, &max]),
        Kind::Number => plain(&words::NUMBER),
        Kind::Enum(values) => words::ONE_OF.about_in(language, &[&values.join(", ")]),
        Kind::EnumWithAliases(values, aliases) => {
            let alias = |(alias, word): &(&str, &str)| words::ALIAS.about_in(language, &[alias, word]);
            let others: Vec<String> = aliases.iter().map(alias).collect();
            words::ONE_OF_ALSO.about_in(language, &[&values.join(", "), &others.join(", ")])
        }
        Kind::EnumList(values) => words::SEVERAL_OF.about_in(language, &[&values.join(", ")]),
        Kind::IntEnum(numbers) => words::ONE_OF.about_in(language, &[&joined(numbers, ", ")]),
        Kind::Time => plain(&words::TIME),
        Kind::PeriodEnd => format!("{}; {}", plain(&words::TIME), plain(&words::END_OF_DAY)),
        Kind::VisitTime => plain(&words::VISIT_TIME),
        Kind::Snils | Kind::PrintedSnils => plain(&words::SNILS),
        Kind::Bool => plain(&words::BOOL),
        Kind::Date => plain(&words::DATE),
        Kind::Epoch => plain(&words::EPOCH),
        Kind::EpochEnd => format!("{}; {}", plain(&words::EPOCH), plain(&words::END_OF_DAY)),
        Kind::Inn => plain(&words::INN),
        Kind::Oktmo(count) => words::OKTMO.about_in(language, &[&count]),
        Kind::Digits(counts) => words::DIGITS.about_in(language, &[&joined(counts, words::OR.said_in(language))]),
        Kind::Version => plain(&words::VERSION),
        Kind::Identifier(length) => words::IDENTIFIER.about_in(language, &[&length]),
        Kind::Objects(fields) => {
            let field = |field: &Field| format!("{} ({})", field.name, content(field.kind, language));
            let fields: Vec<String> = fields.iter().map(field).collect();
            words::OBJECTS.about_in(language, &[&fields.join("; ")])
        }
    }
}

fn joined(numbers: &[impl ToString], between: &str) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
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
        shown: &[],
        parents: &[],
        unit: Unit::None,
        expires: Expiry::Never,
        place: &[],
        status: None,
        spare: &[],
        yields: &[],
    };

    static KIND: portal::Kind = portal::Kind {
        name: "fer",
        schemas: &[&EVERYTHING],
        remedies: &[],
        unnamed: &[],
        wire_words: &portal::WireWords::NONE,
    };

    #[tokio::test]
    async fn a_view_can_be_created_as_it_stands_and_has_every_column_and_no_row() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.expect("a database");
        let sql = text(Dialect::Sqlite, &[&KIND], Language::English);
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
        let sql = text(Dialect::Postgres, &[&KIND], Language::English);
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
    fn what_is_wanted_is_told_in_russian_too() {
        let sql = text(Dialect::Postgres, &[&KIND], Language::Russian);
        for expected in [
            "-- everything: приложение 1, таблица 0. Ключ: id.",
            "    -- обязательно; GUID\n    CAST(NULL AS uuid) AS id,",
            "    -- обязательно, если type = ROOM, иначе NULL; текст, не длиннее 20 знаков\n",
            "    -- необязательно; одно из 5000, 5010\n",
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
