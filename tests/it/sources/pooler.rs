//! Through a pooler that gives a connection to one transaction at a time: everything works, and nothing stays behind in the connection.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Row};
use vitrina::record::Key;
use vitrina::source::{AnySource, Read, Run, Script, Source, Stamp, Writer, Written};

use super::{NOON, ints, query, read};
use crate::support::database::{self, TestDb};
use crate::support::pgbouncer;

const ROWS: &str = "SELECT id, kind, at, name FROM t";

/// The database behind a pooler with one connection, which all share.
async fn pooled() -> (TestDb, String) {
    let db = database::postgres().await;
    db.execute(&[
        "CREATE TYPE kind AS ENUM ('FREE', 'BUSY')",
        "CREATE TABLE t (id integer, kind kind, at timestamp, name text)",
        "INSERT INTO t SELECT n, 'FREE', '2026-07-01 12:00:00', 'n' || n FROM generate_series(1, 3000) n",
    ])
    .await;
    let url = pgbouncer::before(&db.url).await;
    (db, url)
}

#[tokio::test]
async fn reads_and_scripts_work_again_and_again() {
    let (db, url) = pooled().await;
    let mut settings = db.settings();
    settings.url = url;
    let source = AnySource::open(settings.clone()).unwrap();
    let writer = Writer::open(settings).unwrap();
    let keys = [Key::Text("7".into()), Key::Text("3000".into())];
    for round in 0..3 {
        assert!(source.now().await.unwrap() > 0);
        assert!(source.has_relation("t").await.unwrap());
        assert_eq!(source.columns(query(ROWS)).await.unwrap().len(), 4);
        assert_eq!(read(&source, ROWS, Read::All).await.unwrap().len(), 3000);
        assert_eq!(ints(read(&source, ROWS, Read::Keys { column: "id", keys: &keys }).await.unwrap()), [7, 3000]);
        let changed = Read::Changed { column: "at", since: Stamp::Local(NOON + 1) };
        assert_eq!(read(&source, ROWS, changed).await.unwrap().len(), 0);
        assert!(read(&source, "SELECT 1 / (id - 1) AS id FROM t", Read::All).await.is_err());
        let book = ["UPDATE t SET kind = 'BUSY' WHERE id = :key", "SELECT kind AS state FROM t WHERE id = :key"];
        assert_eq!(state(&writer, &book).await.as_deref(), Ok("BUSY"), "{round}");
        assert!(state(&writer, &["SELECT 1 / 0 AS state"]).await.is_err());
        let script = Script::parse(vitrina::source::Engine::Postgres, &book, &["key"]).unwrap();
        let columns = writer.columns("booking.book", &script, Duration::from_secs(10)).await;
        assert_eq!(columns, Ok(Some(vec!["state".to_owned()])), "{round}");
    }
}

/// What a script of the site answers.
async fn state(writer: &Writer, texts: &[&str]) -> Result<String, String> {
    let script = Script::parse(vitrina::source::Engine::Postgres, texts, &["key"]).unwrap();
    let values: vitrina::source::Values<'_> = &[("key", Some("7"))];
    let run = Run { key: "booking.book", script: &script, values, limit: Duration::from_secs(10) };
    match writer.run(run).await {
        Written::Done(row) => Ok(row.unwrap().get("state").unwrap().to_owned()),
        other => Err(format!("{other:?}")),
    }
}

#[tokio::test]
async fn nothing_stays_behind_in_the_poolers_connection() {
    let (db, url) = pooled().await;
    let mut settings = db.settings();
    settings.url.clone_from(&url);
    let source = AnySource::open(settings.clone()).unwrap();
    let writer = Writer::open(settings).unwrap();
    let options: PgConnectOptions = url.parse().unwrap();
    let mut neighbour = options.extra_float_digits(None).connect().await.unwrap();
    let session = "SELECT pg_backend_pid() AS pid, (SELECT count(*) FROM pg_prepared_statements) AS prepared, \
                   (SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings \
                   WHERE name IN ('default_transaction_read_only', 'statement_timeout', 'lock_timeout', 'TimeZone', \
                   'DateStyle', 'IntervalStyle', 'client_min_messages', 'client_connection_check_interval')) AS settings";
    let mut seen = Vec::new();
    for round in 0..2 {
        if round == 1 {
            assert_eq!(read(&source, ROWS, Read::All).await.unwrap().len(), 3000);
            assert!(source.has_relation("t").await.unwrap());
            assert!(state(&writer, &["SELECT kind AS state FROM t WHERE id = :key"]).await.is_ok());
        }
        let row = sqlx::raw_sql(session).fetch_one(&mut neighbour).await.unwrap();
        let of = |column| row.try_get_unchecked::<String, _>(column).unwrap();
        seen.push((of("pid"), of("prepared"), of("settings")));
    }
    assert_eq!(seen[0].1, "0");
    assert_eq!(seen[0], seen[1]);
}
