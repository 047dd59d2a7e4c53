//! One contract for every source, held against a real database of each engine.

use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use vitrina::record::{Cell, Key, RowChunk, guid};
use vitrina::source::memory::Value;
use vitrina::source::{
    AnySource, CHUNK_BYTES, CHUNK_ROWS, Engine, Query, Read, RowStream, Rows, Source, SourceError, SourceSettings,
    Stamp,
};

use crate::support::database::{self, TestDb};

/// Makes each contract a test of each engine.
macro_rules! contracts {
    ($($contract:ident),+ $(,)?) => {
        mod sqlite { $(#[tokio::test] async fn $contract() { super::$contract(super::database::sqlite().await).await; })+ }
        mod postgres { $(#[tokio::test] async fn $contract() { super::$contract(super::database::postgres().await).await; })+ }
        mod mariadb { $(#[tokio::test] async fn $contract() { super::$contract(super::database::mariadb().await).await; })+ }
    };
}

contracts!(
    cells_arrive_as_the_engine_keeps_them,
    columns_are_told_without_reading_rows,
    an_empty_answer_is_a_complete_read,
    queries_may_end_as_people_end_them,
    change_reads_give_what_changed_since_and_what_never_said_when,
    change_reads_cross_between_clock_and_instant,
    keys_are_found_in_every_form,
    many_keys_are_found_over_several_statements,
    hostile_keys_find_nothing_and_break_nothing,
    long_answers_stream_in_bounded_chunks,
    a_read_sees_one_state_of_the_database,
    a_dropped_stream_ends_its_statement,
    a_statement_that_takes_too_long_is_ended,
    writes_are_refused,
    a_missing_view_is_named_by_code_alone,
    a_value_in_the_databases_message_stays_there,
    a_missing_column_is_an_error,
    a_missing_database_is_told,
    the_databases_clock_is_read,
    relations_are_found,
);

fn query(sql: &str) -> Query<'_> {
    Query { label: "fer.slot", sql }
}

fn own(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => Value::Text(text.into()),
        Cell::Bytes(bytes) => Value::Bytes(bytes.into()),
        Cell::Guid(value) => Value::Guid(value),
        Cell::Int(value) => Value::Int(value),
        Cell::Float(value) => Value::Float(value),
        Cell::Decimal(text) => Value::Decimal(text.into()),
        Cell::Bool(value) => Value::Bool(value),
        Cell::Date(days) => Value::Date(days),
        Cell::LocalTime(micros) => Value::LocalTime(micros),
        Cell::Instant(micros) => Value::Instant(micros),
    }
}

async fn drain(mut rows: Rows) -> Result<Vec<Vec<Value>>, SourceError> {
    let (mut chunk, mut all) = (RowChunk::default(), Vec::new());
    let width = rows.columns().len();
    while rows.next(&mut chunk).await? {
        all.extend(chunk.rows().map(|row| (0..width).map(|index| own(row.cell(index))).collect()));
    }
    Ok(all)
}

async fn read(source: &AnySource, sql: &str, read: Read<'_>) -> Result<Vec<Vec<Value>>, SourceError> {
    drain(source.read(query(sql), read).await?).await
}

async fn read_all(db: &TestDb, sql: &str) -> Vec<Vec<Value>> {
    read(&db.source(), sql, Read::All).await.unwrap()
}

/// The integers of a one-column answer, sorted.
fn ints(rows: Vec<Vec<Value>>) -> Vec<i64> {
    let mut ints: Vec<_> = rows
        .into_iter()
        .map(|row| match row[0] {
            Value::Int(value) => value,
            ref other => panic!("{other:?}"),
        })
        .collect();
    ints.sort_unstable();
    ints
}

/// 2026-07-01T12:00:00 on some clock: microseconds since 1970-01-01T00:00:00 on it.
const NOON: i64 = 1_782_907_200_000_000;
const HOUR: i64 = 3_600_000_000;
/// Days from 1970-01-01 to 2026-07-01.
const FIRST_OF_JULY: i32 = 20_635;
const GUID: u128 = 0xab7c_bc4b_2e68_40d2_881b_6f95_7b04_4818;
const UPPER: &str = "AB7CBC4B-2E68-40D2-881B-6F957B044818";
const HEX: &str = "ab7cbc4b2e6840d2881b6f957b044818";

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
            ("CAST(x'ff' AS TEXT)", Value::Bytes(vec![0xff])),
            ("'2026-07-01 12:00:00'", text("2026-07-01 12:00:00")),
            ("NULL", Value::Null),
        ],
    };
    samples.into_iter().map(|(sql, value)| (sql.to_owned(), value)).collect()
}

async fn cells_arrive_as_the_engine_keeps_them(db: TestDb) {
    let samples = samples(db.engine);
    let list: Vec<_> = samples.iter().enumerate().map(|(index, (sql, _))| format!("{sql} AS c{index}")).collect();
    let rows = read_all(&db, &format!("SELECT {}", list.join(", "))).await;
    assert_eq!(rows.len(), 1);
    for ((sql, expected), found) in samples.iter().zip(&rows[0]) {
        assert_eq!(found, expected, "{sql}");
    }
}

async fn columns_are_told_without_reading_rows(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer, \"name\" varchar(20))".replace('"', quote_of(&db)).as_str()]).await;
    let columns =
        db.source().columns(query("SELECT id, name AS \"Имя\" FROM t".replace('"', quote_of(&db)).as_str())).await;
    let names: Vec<_> = columns.unwrap().into_iter().map(|column| column.name).collect();
    assert_eq!(names, ["id", "Имя"]);
}

fn quote_of(db: &TestDb) -> &'static str {
    if db.engine == Engine::MySql { "`" } else { "\"" }
}

async fn an_empty_answer_is_a_complete_read(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer)"]).await;
    assert_eq!(read_all(&db, "SELECT * FROM t").await, Vec::<Vec<Value>>::new());
    let read = read(&db.source(), "SELECT * FROM t", Read::Keys { column: "id", keys: &[] }).await;
    assert_eq!(read.unwrap(), Vec::<Vec<Value>>::new());
}

async fn queries_may_end_as_people_end_them(db: TestDb) {
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

/// A table `t (id, at)` whose `at` is a zone-less time: before noon, at noon twice, after noon, never.
async fn table_of_changes(db: &TestDb, kind: &str) {
    db.execute(&[
        &format!("CREATE TABLE t (id integer, at {kind} NULL)"),
        "INSERT INTO t VALUES (1, '2026-07-01 11:59:59'), (2, '2026-07-01 12:00:00'), (3, '2026-07-01 12:00:00'), \
         (4, '2026-07-01 12:00:01'), (5, NULL)",
    ])
    .await;
}

async fn changed(db: &TestDb, since: Stamp) -> Vec<i64> {
    ints(read(&db.source(), "SELECT * FROM t", Read::Changed { column: "at", since }).await.unwrap())
}

fn clock_type(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "timestamp",
        Engine::MySql | Engine::Sqlite => "datetime",
    }
}

async fn change_reads_give_what_changed_since_and_what_never_said_when(db: TestDb) {
    table_of_changes(&db, clock_type(db.engine)).await;
    assert_eq!(changed(&db, Stamp::Local(NOON)).await, [2, 3, 4, 5]);
    assert_eq!(changed(&db, Stamp::Local(NOON + 2_000_000)).await, [5]);
    assert_eq!(changed(&db, Stamp::Local(i64::MIN)).await, [1, 2, 3, 4, 5]);
}

async fn change_reads_cross_between_clock_and_instant(db: TestDb) {
    table_of_changes(&db, clock_type(db.engine)).await;
    assert_eq!(changed(&db, Stamp::Instant(NOON - 5 * HOUR)).await, [2, 3, 4, 5]);
    let instants = match db.engine {
        Engine::Postgres => "CREATE VIEW v AS SELECT id, at AT TIME ZONE 'Asia/Yekaterinburg' AS at FROM t",
        Engine::MySql => {
            db.execute(&[
                "SET time_zone = '+05:00'; CREATE TABLE i (id integer, at timestamp NULL); INSERT INTO i SELECT * FROM t",
            ])
            .await;
            "CREATE VIEW v AS SELECT * FROM i"
        }
        Engine::Sqlite => "CREATE VIEW v AS SELECT id, replace(at, ' ', 'T') || '+05:00' AS at FROM t",
    };
    db.execute(&[instants]).await;
    for since in [Stamp::Local(NOON), Stamp::Instant(NOON - 5 * HOUR)] {
        let rows = read(&db.source(), "SELECT * FROM v", Read::Changed { column: "at", since }).await.unwrap();
        assert_eq!(ints(rows), [2, 3, 4, 5], "{since:?}");
    }
}

/// Column types in which a GUID may be kept, each with the literals of one GUID.
fn key_forms(engine: Engine) -> Vec<(&'static str, Vec<String>)> {
    let lower = UPPER.to_lowercase();
    let texts = [&lower, UPPER, HEX, &HEX.to_uppercase(), &format!("{{{lower}}}"), &format!("{{{UPPER}}}")];
    let texts: Vec<_> = texts.iter().map(|text| format!("'{text}'")).collect();
    let bytes = vec![format!("x'{HEX}'")];
    match engine {
        Engine::Postgres => vec![
            ("uuid", vec![format!("'{lower}'")]),
            ("text", texts.clone()),
            ("varchar(50)", texts.clone()),
            ("char(50)", texts),
            ("bytea", vec![format!("'\\x{HEX}'")]),
        ],
        Engine::MySql => vec![
            ("uuid", vec![format!("'{lower}'")]),
            ("varchar(50)", texts.clone()),
            ("varchar(50) COLLATE utf8mb4_bin", texts.clone()),
            ("char(50)", texts),
            ("binary(16)", bytes.clone()),
            ("varbinary(16)", bytes),
        ],
        Engine::Sqlite => vec![("TEXT", texts.clone()), ("\"\"", texts), ("BLOB", bytes)],
    }
}

async fn keys_are_found_in_every_form(db: TestDb) {
    let keys = [Key::Guid(GUID), Key::Guid(1)];
    for (table, (kind, literals)) in key_forms(db.engine).into_iter().enumerate() {
        let other = literals[0].replace("ab7c", "ab7d");
        let rows: Vec<_> = literals.iter().enumerate().map(|(id, literal)| format!("({id}, {literal})")).collect();
        db.execute(&[
            &format!("CREATE TABLE t{table} (id integer, k {kind})"),
            &format!("INSERT INTO t{table} VALUES (99, {other}), {}", rows.join(", ")),
        ])
        .await;
        let sql = format!("SELECT * FROM t{table}");
        let found = read(&db.source(), &sql, Read::Keys { column: "k", keys: &keys }).await.unwrap();
        assert_eq!(ints(found), (0..literals.len() as i64).collect::<Vec<_>>(), "{kind}");
    }
}

async fn many_keys_are_found_over_several_statements(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer, k varchar(50))"]).await;
    let guid_text = |value: u128| String::from_utf8(guid::format(value).to_vec()).unwrap();
    let rows: Vec<_> = (0..1300).map(|id| format!("({id}, '{}')", guid_text(id))).collect();
    db.execute(&[&format!("INSERT INTO t VALUES {}", rows.join(", "))]).await;
    let keys: Vec<_> = (0..1300).map(Key::Guid).collect();
    let found = read(&db.source(), "SELECT * FROM t", Read::Keys { column: "K", keys: &keys[..1201] }).await;
    assert_eq!(ints(found.unwrap()), (0..1201).collect::<Vec<_>>());
}

async fn hostile_keys_find_nothing_and_break_nothing(db: TestDb) {
    let hostile = ["'", "\\", "\\'", "') OR 1=1 --", "\"", "`", "$$", "Ж'\u{1F600}", ";"];
    db.execute(&["CREATE TABLE t (id integer, k varchar(50))", "INSERT INTO t VALUES (0, 'a')"]).await;
    let keys: Vec<_> = hostile.iter().chain(&["a\0b"]).map(|text| Key::Text((*text).into())).collect();
    let found = read(&db.source(), "SELECT * FROM t", Read::Keys { column: "k", keys: &keys }).await;
    assert_eq!(ints(found.unwrap()), Vec::<i64>::new());

    let values: Vec<_> =
        hostile.iter().enumerate().map(|(id, text)| format!("({id}, {})", by_code(&db, text))).collect();
    db.execute(&["DELETE FROM t", &format!("INSERT INTO t VALUES {}", values.join(", "))]).await;
    let found = read(&db.source(), "SELECT * FROM t", Read::Keys { column: "k", keys: &keys }).await;
    assert_eq!(ints(found.unwrap()), (0..hostile.len() as i64).collect::<Vec<_>>());
}

/// A text spelt without any quoting of ours.
fn by_code(db: &TestDb, text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    match db.engine {
        Engine::Postgres => format!("convert_from(decode('{hex}', 'hex'), 'UTF8')"),
        Engine::MySql => format!("CONVERT(x'{hex}' USING utf8mb4)"),
        Engine::Sqlite => format!("CAST(x'{hex}' AS TEXT)"),
    }
}

/// A query of so many rows with a number and a text of a hundred characters.
fn long_query(db: &TestDb, count: u32) -> String {
    match db.engine {
        Engine::Postgres => format!("SELECT n, repeat('x', 100) AS t FROM generate_series(1, {count}) AS n"),
        Engine::MySql => format!("SELECT seq AS n, repeat('x', 100) AS t FROM seq_1_to_{count}"),
        Engine::Sqlite => format!(
            "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) \
             SELECT n, printf('%100s', 'x') AS t FROM s"
        ),
    }
}

async fn long_answers_stream_in_bounded_chunks(db: TestDb) {
    let mut rows = db.source().read(query(&long_query(&db, 300_000)), Read::All).await.unwrap();
    let (mut chunk, mut count, mut sum) = (RowChunk::default(), 0u64, 0i64);
    while rows.next(&mut chunk).await.unwrap() {
        assert!(chunk.len() <= CHUNK_ROWS && chunk.arena_bytes() <= CHUNK_BYTES + 1000);
        for row in chunk.rows() {
            let Cell::Int(n) = row.cell(0) else { panic!("{:?}", row.cell(0)) };
            (count, sum) = (count + 1, sum + n);
        }
    }
    assert_eq!((count, sum), (300_000, 300_000 * 300_001 / 2));
}

async fn a_read_sees_one_state_of_the_database(db: TestDb) {
    // Three rows a key: the first chunk is full while the first of several statements still runs.
    let rows: Vec<_> = (0..3900).map(|id| format!("({id}, {})", id / 3)).collect();
    db.execute(&["CREATE TABLE t (id integer, k integer)", &format!("INSERT INTO t VALUES {}", rows.join(","))]).await;
    let keys: Vec<_> = (0..1300).map(|key| Key::Text(key.to_string().into())).collect();
    let read = Read::Keys { column: "k", keys: &keys };
    let mut stream = db.source().read(query("SELECT * FROM t"), read).await.unwrap();
    let mut chunk = RowChunk::default();
    assert!(stream.next(&mut chunk).await.unwrap());
    let mut count = chunk.len();
    db.execute(&["DELETE FROM t WHERE k > 900", "INSERT INTO t SELECT id + 10000, k FROM t"]).await;
    while stream.next(&mut chunk).await.unwrap() {
        count += chunk.len();
    }
    assert_eq!(count, 3900);
}

async fn a_dropped_stream_ends_its_statement(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer)", "INSERT INTO t VALUES (1)"]).await;
    // Reads the table too: in SQLite that is what holds its write-ahead log.
    let long = format!("SELECT * FROM ({}) l, t", long_query(&db, 5_000_000));
    let mut rows = db.source().read(query(&long), Read::All).await.unwrap();
    let mut chunk = RowChunk::default();
    assert!(rows.next(&mut chunk).await.unwrap());
    db.execute(&["INSERT INTO t VALUES (2)"]).await;
    assert!(is_being_read(&db).await);
    drop(rows);
    let start = Instant::now();
    while is_being_read(&db).await {
        assert!(start.elapsed() < Duration::from_secs(20), "the statement still runs");
    }
}

/// True while somebody else's statement reads the database.
async fn is_being_read(db: &TestDb) -> bool {
    let others = match db.engine {
        Engine::Postgres => {
            "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
             AND pid <> pg_backend_pid() AND query LIKE 'COPY%'"
        }
        Engine::MySql => {
            "SELECT count(*) AS n FROM information_schema.processlist WHERE db = DATABASE() \
             AND id <> CONNECTION_ID() AND command = 'Execute'"
        }
        Engine::Sqlite => {
            let options = SqliteConnectOptions::from_str(&db.url).unwrap().busy_timeout(Duration::ZERO);
            let mut connection = options.connect().await.unwrap();
            let checkpoint = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)");
            let (busy, _, _): (i64, i64, i64) = checkpoint.fetch_one(&mut connection).await.unwrap();
            return busy != 0;
        }
    };
    ints(read_all(db, others).await) != [0]
}

async fn a_statement_that_takes_too_long_is_ended(db: TestDb) {
    let mut settings = db.settings();
    settings.statement_timeout = Duration::from_millis(300);
    let source = AnySource::open(settings).unwrap();
    let slow = match db.engine {
        Engine::Postgres => "SELECT pg_sleep(30)::text AS s".to_owned(),
        Engine::MySql => "SELECT count(*) AS s FROM seq_1_to_10000000 a, seq_1_to_1000 b".to_owned(),
        Engine::Sqlite => {
            long_query(&db, 2_000_000_000).replace("SELECT n, printf('%100s', 'x') AS t", "SELECT count(*) AS s")
        }
    };
    let start = Instant::now();
    let error = read(&source, &slow, Read::All).await.unwrap_err();
    assert!(matches!(error, SourceError::Timeout { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

async fn writes_are_refused(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer)", "INSERT INTO t VALUES (1)"]).await;
    match db.engine {
        Engine::Postgres => {
            let writer = "CREATE FUNCTION w() RETURNS integer LANGUAGE sql AS 'INSERT INTO t VALUES (2) RETURNING id'";
            db.execute(&[writer]).await;
        }
        Engine::MySql => {
            let writer = "CREATE FUNCTION w() RETURNS integer BEGIN INSERT INTO t VALUES (2); RETURN 2; END";
            db.execute(&[writer]).await;
        }
        Engine::Sqlite => {}
    }
    for sql in
        ["SELECT w() AS id", "UPDATE t SET id = 3", "DELETE FROM t", "SELECT id FROM t; DELETE FROM t", "DROP TABLE t"]
    {
        let error = read(&db.source(), sql, Read::All).await.unwrap_err();
        assert!(matches!(error, SourceError::Statement { .. }), "{sql}: {error}");
    }
    assert_eq!(ints(read_all(&db, "SELECT id FROM t").await), [1]);
}

async fn a_missing_view_is_named_by_code_alone(db: TestDb) {
    let error = read(&db.source(), "SELECT * FROM vitrina_fer_slot", Read::All).await.unwrap_err();
    let (code, text) = match db.engine {
        Engine::Postgres => ("SQLSTATE 42P01", error.to_string()),
        Engine::MySql => ("SQLSTATE 42S02 (1146)", error.to_string()),
        Engine::Sqlite => ("SQLite error 1", error.to_string()),
    };
    let expected = format!(
        "source mis: full read of fer.slot failed with {code}: the query reads a table or view that is not there"
    );
    assert_eq!(text, expected);
}

async fn a_value_in_the_databases_message_stays_there(db: TestDb) {
    let sql = match db.engine {
        Engine::Postgres => "SELECT CAST(name AS integer) AS id FROM t",
        Engine::MySql => "SELECT refuse(name) AS id FROM t",
        Engine::Sqlite => "SELECT json_extract('{}', name) AS id FROM t",
    };
    db.execute(&["CREATE TABLE t (name varchar(50))", "INSERT INTO t VALUES ('Иванова Мария')"]).await;
    if db.engine == Engine::MySql {
        let refuse = "CREATE FUNCTION refuse(n varchar(50)) RETURNS integer \
                      BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = n; RETURN 1; END";
        db.execute(&[refuse]).await;
    }
    let error = read(&db.source(), sql, Read::All).await.unwrap_err();
    assert!(db.refusal(sql).await.contains("Иванова"));
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("Иванова") && shown.contains("fer.slot"), "{shown}");
}

async fn a_missing_column_is_an_error(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer, name varchar(10))"]).await;
    let read_of = |column| Read::Changed { column, since: Stamp::Local(0) };
    let missing = read(&db.source(), "SELECT * FROM t", read_of("updated_at")).await.unwrap_err();
    assert!(matches!(&missing, SourceError::Column { column, .. } if column == "updated_at"), "{missing}");
    if db.engine != Engine::Sqlite {
        let no_time = read(&db.source(), "SELECT * FROM t", read_of("name")).await.unwrap_err();
        assert!(matches!(no_time, SourceError::ChangeColumn { .. }), "{no_time}");
    }
}

async fn a_missing_database_is_told(db: TestDb) {
    let url = format!("{}_gone", db.url);
    let source = AnySource::open(SourceSettings::new("mis", url, database::ZONE)).unwrap();
    let error = source.now().await.unwrap_err();
    let expected = match db.engine {
        Engine::Postgres => "source mis: cannot connect: SQLSTATE 3D000: there is no such database",
        Engine::MySql => "source mis: cannot connect: SQLSTATE 42000 (1049): there is no such database",
        Engine::Sqlite => {
            "source mis: cannot connect: SQLite error 14: the file or its folder is not there or may not be read"
        }
    };
    assert_eq!(error.to_string(), expected);
}

async fn the_databases_clock_is_read(db: TestDb) {
    let before = chrono::Utc::now().timestamp_micros() - 1_000_000;
    let now = db.source().now().await.unwrap();
    assert!(now >= before && now <= chrono::Utc::now().timestamp_micros() + 1_000_000, "{now}");
}

async fn relations_are_found(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer)", "CREATE VIEW vitrina_fer_slot AS SELECT * FROM t"]).await;
    let source = db.source();
    for (name, there) in [("t", true), ("vitrina_fer_slot", true), ("vitrina_fer_book", false), ("' OR 1=1", false)] {
        assert_eq!(source.has_relation(name).await.unwrap(), there, "{name}");
    }
}
