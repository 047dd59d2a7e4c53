//! What only one engine has.

use std::time::{Duration, Instant};

use vitrina::record::RowChunk;
use vitrina::source::memory::Value;
use vitrina::source::{AnySource, Read, RowStream, Source, Stamp};

use super::{FIRST_OF_JULY, HOUR, NOON, ints, query, read, read_all};
use crate::support::database;

#[tokio::test]
async fn sqlite_change_columns_may_hold_numbers_and_any_iso_text() {
    let db = database::sqlite().await;
    // Each pair: a second before 2026-07-01T07:00:00Z, which is noon on the source's clock, and that instant itself.
    let pairs = [
        ("1782889199", "1782889200"),
        ("1782889199000", "1782889200000"),
        ("julianday('2026-07-01 06:59:59')", "julianday('2026-07-01 07:00:01')"),
        ("'2026-07-01T06:59:59Z'", "'2026-07-01T07:00:00Z'"),
        ("'2026-07-01 09:59:59.5+03:00'", "'2026-07-01 10:00:00.0+03:00'"),
        ("'2026-07-01T11:59:59'", "'2026-07-01T12:00:00.000'"),
        ("'2026-06-30'", "'2026-07-02'"),
    ];
    let rows =
        pairs.iter().enumerate().map(|(id, (before, after))| format!("(-{id}, {before}), ({id} + 100, {after})"));
    let rows: Vec<_> = rows.collect();
    for kind in ["", "datetime"] {
        let insert = format!("INSERT INTO t VALUES {}", rows.join(", "));
        db.execute(&["DROP TABLE IF EXISTS t", &format!("CREATE TABLE t (id integer, at {kind})"), &insert]).await;
        let changed = Read::Changed { column: "at", since: Stamp::Local(NOON) };
        let found = ints(read(&db.source(), "SELECT * FROM t", changed).await.unwrap());
        assert_eq!(found, (100..100 + pairs.len() as i64).collect::<Vec<_>>(), "{kind}");
    }
}

#[tokio::test]
async fn mariadb_columns_of_every_type_are_read() {
    let db = database::mariadb().await;
    db.execute(&[
        "SET sql_mode = ''; SET time_zone = '+00:00'; \
         CREATE TABLE t (flag bool, small tinyint unsigned, year year, kind enum('FREE', 'BUSY'), tags set('a', 'b'), \
         doc json, bits bit(12), ip inet6, at timestamp(3) NULL, day date, zero_day date, zero_time datetime, snils int, \
         single float, note mediumtext, picture mediumblob, padded char(10)); \
         INSERT INTO t VALUES (true, 200, 2026, 'BUSY', 'a,b', '[1]', b'100000000001', '::1', \
         '2026-07-01 12:00:00.250', '2026-07-01', '0000-00-00', '0000-00-00 00:00:00', 1234554645, 0.1, \
         'Ж', x'00ff', 'ab')",
    ])
    .await;
    let text = |text: &str| Value::Text(text.into());
    let expected = vec![
        Value::Int(1),
        Value::Int(200),
        Value::Int(2026),
        text("BUSY"),
        text("a,b"),
        text("[1]"),
        Value::Int(0b1000_0000_0001),
        text("::1"),
        Value::Instant(NOON + 250_000),
        Value::Date(FIRST_OF_JULY),
        text("0000-00-00"),
        text("0000-00-00"),
        Value::Int(1_234_554_645),
        Value::Float(0.1),
        text("Ж"),
        Value::Bytes(vec![0, 0xff]),
        text("ab"),
    ];
    assert_eq!(read_all(&db, "SELECT * FROM t").await, [expected]);
}

#[tokio::test]
async fn mariadb_sessions_run_on_the_sources_clock() {
    let db = database::mariadb().await;
    let rows = read_all(&db, "SELECT UTC_TIMESTAMP() AS utc, NOW() AS here").await;
    let [Value::LocalTime(utc), Value::LocalTime(here)] = rows[0][..] else { panic!("{rows:?}") };
    assert_eq!(here - utc, 5 * HOUR);
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let db = database::mariadb().await;
    let mut settings = db.settings();
    settings.password = Some("s3cret".into());
    let source = AnySource::open(settings).unwrap();
    let error = source.now().await.unwrap_err();
    assert_eq!(error.to_string(), "source mis: cannot connect: SQLSTATE 28000 (1045): wrong user or password");
    assert!(!format!("{source:?} {error:?}").contains("s3cret"));
}

/// Before the first row the server sends nothing, so only the server's own look at the connection can tell that the reader is gone.
#[tokio::test]
async fn postgres_notices_a_reader_that_left_before_the_first_row() {
    let db = database::postgres().await;
    let mut rows = db.source().read(query("SELECT pg_sleep(50)::text AS s"), Read::All).await.unwrap();
    let mut chunk = RowChunk::default();
    let running = "SELECT count(*) AS n FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'COPY%'";
    let waiting = async { while ints(read_all(&db, running).await) != [1] {} };
    tokio::select! {
        biased;
        end = rows.next(&mut chunk) => panic!("{end:?}"),
        () = waiting => {}
    }
    drop(rows);
    let start = Instant::now();
    while ints(read_all(&db, running).await) != [0] {
        assert!(start.elapsed() < Duration::from_secs(20), "the statement still runs");
    }
}

#[tokio::test]
async fn postgres_account_without_a_grant_is_told() {
    let db = database::postgres().await;
    db.execute(&[
        "CREATE TABLE t (id integer)",
        "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    ])
    .await;
    let mut settings = db.settings();
    settings.url = settings.url.replace("postgres@", "reader@");
    let error = read(&AnySource::open(settings).unwrap(), "SELECT * FROM t", Read::All).await.unwrap_err().to_string();
    assert!(error.ends_with("SQLSTATE 42501: the database account lacks a grant"), "{error}");
}
