//! Values: each engine's types, as cells.

use vitrina::record::Key;
use vitrina::source::memory::Value;
use vitrina::source::{Engine, Read, Source};

use super::{FIRST_OF_JULY, GUID, HOUR, NOON, UPPER, ints, query, read, read_all};
use crate::support::database::TestDb;

/// Each engine's literal and what it is read as.
fn samples(engine: Engine) -> Vec<(String, Value)> {
    let text = |text: &str| Value::Text(text.into());
    let bytes = Value::Bytes(GUID.to_be_bytes().to_vec());
    let samples: Vec<(&str, Value)> = match engine {
        Engine::Postgres => vec![
            ("'ab7cbc4b-2e68-40d2-881b-6f957b044818'::uuid", Value::Guid(GUID)),
            ("'AB7CBC4B-2E68-40D2-881B-6F957B044818'::text", text(UPPER)),
            ("'AB7CBC4B-2E68-40D2-881B-6F957B044818'::char(40)", text(UPPER)),
            ("'\\xab7cbc4b2e6840d2881b6f957b044818'::bytea", bytes),
            ("'Иванова'::varchar(50)", text("Иванова")),
            ("'n'::name", text("n")),
            ("7::int2", Value::Int(7)),
            ("-7::int4", Value::Int(-7)),
            ("9223372036854775807::int8", Value::Int(i64::MAX)),
            ("0.1::float4", Value::Float(0.1)),
            ("2.5::float8", Value::Float(2.5)),
            ("'NaN'::float8", text("NaN")),
            ("1234554645::numeric(11)", Value::Decimal("1234554645".into())),
            ("-12.50::numeric(8,2)", Value::Decimal("-12.50".into())),
            ("'NaN'::numeric", text("NaN")),
            ("true", Value::Bool(true)),
            ("'2026-07-01'::date", Value::Date(FIRST_OF_JULY)),
            ("'infinity'::date", text("infinity")),
            ("'2026-07-01 12:00:00.000001'::timestamp", Value::LocalTime(NOON + 1)),
            ("'-infinity'::timestamp", text("-infinity")),
            ("'2026-07-01 12:00:00+05'::timestamptz", Value::Instant(NOON - 5 * HOUR)),
            // The session's clock is the source's: Yekaterinburg, five hours ahead.
            ("'2026-07-01 12:00:00+00'::timestamptz::timestamp", Value::LocalTime(NOON + 5 * HOUR)),
            ("'12:30'::time", text("12:30:00")),
            ("'{\"a\": 1}'::jsonb", text("{\"a\": 1}")),
            ("ARRAY[1,2]", text("{1,2}")),
            ("NULL::uuid", Value::Null),
        ],
        Engine::MySql => vec![
            ("CAST('ab7cbc4b-2e68-40d2-881b-6f957b044818' AS uuid)", text("ab7cbc4b-2e68-40d2-881b-6f957b044818")),
            ("'AB7CBC4B-2E68-40D2-881B-6F957B044818'", text(UPPER)),
            ("'AB7CBC4B' COLLATE utf8mb4_bin", text("AB7CBC4B")),
            ("CAST(x'ab7cbc4b2e6840d2881b6f957b044818' AS binary(16))", bytes),
            ("'Иванова'", text("Иванова")),
            ("CAST(-7 AS signed)", Value::Int(-7)),
            ("CAST(18446744073709551615 AS unsigned)", Value::Decimal("18446744073709551615".into())),
            ("CAST(1234554645 AS decimal(11))", Value::Decimal("1234554645".into())),
            ("CAST(-12.5 AS decimal(8,2))", Value::Decimal("-12.50".into())),
            ("CAST(2.5 AS double)", Value::Float(2.5)),
            ("true", Value::Int(1)),
            ("CAST('2026-07-01' AS date)", Value::Date(FIRST_OF_JULY)),
            ("CAST('2026-07-01 12:00:00.000001' AS datetime(6))", Value::LocalTime(NOON + 1)),
            ("CAST('12:30' AS time)", text("12:30:00")),
            ("NULL", Value::Null),
        ],
        Engine::Sqlite => vec![
            ("'AB7CBC4B-2E68-40D2-881B-6F957B044818'", text(UPPER)),
            ("x'ab7cbc4b2e6840d2881b6f957b044818'", bytes),
            ("'Иванова'", text("Иванова")),
            ("-7", Value::Int(-7)),
            ("1234554645", Value::Int(1_234_554_645)),
            ("2.5", Value::Float(2.5)),
            ("9e999", text("infinity")),
            ("CAST(x'ff' AS TEXT)", Value::Undecodable),
            ("CAST(x'610062' AS TEXT)", Value::Undecodable),
            ("x'610062'", Value::Bytes(b"a\0b".to_vec())),
            ("'2026-07-01 12:00:00'", text("2026-07-01 12:00:00")),
            ("NULL", Value::Null),
        ],
    };
    samples.into_iter().map(|(sql, value)| (sql.to_owned(), value)).collect()
}

pub async fn cells_arrive_as_the_engine_keeps_them(db: TestDb) {
    let samples = samples(db.engine);
    let list: Vec<_> = samples.iter().enumerate().map(|(index, (sql, _))| format!("{sql} AS c{index}")).collect();
    let rows = read_all(&db, &format!("SELECT {}", list.join(", "))).await;
    assert_eq!(rows.len(), 1);
    for ((sql, expected), found) in samples.iter().zip(&rows[0]) {
        assert_eq!(found, expected, "{sql}");
    }
}

pub async fn columns_are_told_without_reading_rows(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer, \"name\" varchar(20))".replace('"', quote_of(&db)).as_str()]).await;
    let columns =
        db.source().columns(query("SELECT id, name AS \"Имя\" FROM t".replace('"', quote_of(&db)).as_str())).await;
    let names: Vec<_> = columns.unwrap().into_iter().map(|column| column.name).collect();
    assert_eq!(names, ["id", "Имя"]);
}

fn quote_of(db: &TestDb) -> &'static str {
    if db.engine == Engine::MySql { "`" } else { "\"" }
}

pub async fn an_empty_answer_is_a_complete_read(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer)"]).await;
    assert_eq!(read_all(&db, "SELECT * FROM t").await, Vec::<Vec<Value>>::new());
    let read = read(&db.source(), "SELECT * FROM t", Read::Keys { column: "id", keys: &[] }).await;
    assert_eq!(read.unwrap(), Vec::<Vec<Value>>::new());
}

pub async fn queries_may_end_as_people_end_them(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer)", "INSERT INTO t VALUES (1)"]).await;
    let keys = [Key::Text("1".into())];
    for sql in [
        "SELECT id FROM t;",
        "SELECT id FROM t -- all of it",
        "SELECT id FROM t ; -- all; of it\n",
        "SELECT id FROM t /* ; */",
    ] {
        assert_eq!(ints(read_all(&db, sql).await), [1], "{sql}");
        let by_key = read(&db.source(), sql, Read::Keys { column: "id", keys: &keys }).await;
        assert_eq!(ints(by_key.unwrap()), [1], "{sql}");
    }
}

pub async fn two_columns_of_one_name_are_an_error_of_the_query(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer, k integer)", "INSERT INTO t VALUES (1, 2)"]).await;
    let sql = "SELECT a.id, b.id, a.k FROM t a JOIN t b ON a.id = b.id";
    let columns = db.source().columns(query(sql)).await.unwrap();
    let names: Vec<_> = columns.into_iter().map(|column| column.name).collect();
    assert_eq!(names, ["id", "id", "k"], "as the check compares them");
    let refused = read(&db.source(), sql, Read::All).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "source mis: full read of fer.slot: column id appears twice in the query; give one of them another name"
    );
}
