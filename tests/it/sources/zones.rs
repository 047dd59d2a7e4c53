//! MySQL's and MariaDB's clocks: what the server makes of a moment is on the source's own clock, in every season.

use std::time::Duration;

use chrono_tz::Tz;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vitrina::source::memory::Value;
use vitrina::source::{AnySource, Read, Run, Script, Source, Stamp, Writer, Written};

use super::{HOUR, ints, read};
use crate::support::database::{self, TestDb};

/// 2012-07-01T00:00:00Z, when Moscow's clocks showed 04:00: microseconds since 1970.
const JULY_2012: i64 = 1_341_100_800_000_000;

/// A source over the database on the clock of a zone.
fn source_in(db: &TestDb, zone: Tz) -> AnySource {
    let mut settings = db.settings();
    settings.zone = zone;
    AnySource::open(settings).unwrap()
}

/// A table `t (id, ts)` of moments: that one, and an hour later.
async fn table_of_moments(db: &TestDb) {
    db.execute(&["SET time_zone = '+00:00'; CREATE TABLE t (id integer, ts timestamp NULL); \
                  INSERT INTO t VALUES (1, '2012-07-01 00:00:00'), (2, '2012-07-01 01:00:00')"])
        .await;
}

const EVERY_FORM: &str = "SELECT ts, COALESCE(ts, ts) AS a, FROM_UNIXTIME(1341100800) AS b, CAST(ts AS datetime) AS c, \
                          DATE_FORMAT(ts, '%Y-%m-%d %H:%i') AS d FROM t WHERE id = 1";

async fn advice(source: &AnySource) -> String {
    let advice = source.advice().await.unwrap();
    advice.into_iter().map(|advice| format!("{}: {}", advice.key, advice.text)).collect()
}

#[tokio::test]
async fn a_moment_of_another_offset_reads_the_same_in_every_form() {
    let db = database::mariadb().await;
    database::load_zone(&db, "Europe/Moscow", "Europe/Moscow").await;
    table_of_moments(&db).await;
    let source = source_in(&db, Tz::Europe__Moscow);
    let rows = read(&source, EVERY_FORM, Read::All).await.unwrap();
    let shown = Value::LocalTime(JULY_2012 + 4 * HOUR);
    let coalesced = rows[0][1].clone();
    assert!(coalesced == shown || coalesced == Value::Instant(JULY_2012), "{coalesced:?}");
    assert_eq!(rows[0][0], Value::Instant(JULY_2012));
    assert_eq!(rows[0][2..], [shown.clone(), shown, Value::Text("2012-07-01 04:00".into())]);
    assert_eq!(advice(&source).await, "");

    let changed = Read::Changed { column: "ts", since: Stamp::Instant(JULY_2012 + 1) };
    assert_eq!(ints(read(&source, "SELECT id, ts FROM t", changed).await.unwrap()), [2]);
}

#[tokio::test]
async fn without_the_zones_table_columns_are_right_and_the_site_is_told() {
    let db = database::mariadb().await;
    table_of_moments(&db).await;
    let source = source_in(&db, Tz::Europe__Volgograd);
    let rows = read(&source, EVERY_FORM, Read::All).await.unwrap();
    assert_eq!(rows[0][0], Value::Instant(JULY_2012));
    let advice = advice(&source).await;
    assert!(advice.starts_with("timezone: the server has no table of the zone Europe/Volgograd"), "{advice}");
    assert!(advice.contains("mariadb-tzinfo-to-sql"), "{advice}");
    assert_eq!(self::advice(&source_in(&db, Tz::UTC)).await, "", "a zone that never changed needs no table");
}

#[tokio::test]
async fn a_table_that_differs_is_not_trusted() {
    let db = database::mariadb().await;
    database::load_zone(&db, "Asia/Omsk", "Asia/Tomsk").await;
    table_of_moments(&db).await;
    let source = source_in(&db, Tz::Asia__Tomsk);
    assert_eq!(read(&source, EVERY_FORM, Read::All).await.unwrap()[0][0], Value::Instant(JULY_2012));
    let advice = advice(&source).await;
    assert!(advice.starts_with("timezone: the server has another table than this program of the zone"), "{advice}");
}

/// A way to the server on which it is no MariaDB by its own word: what it is asked for then, it does not know.
async fn under_another_name(db: &TestDb) -> String {
    let server = db.url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = db.url.replace(&server, &listener.local_addr().unwrap().to_string());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (from_server, to_server) = TcpStream::connect(&server).await.unwrap().into_split();
            let (from_client, to_client) = client.into_split();
            tokio::spawn(pass(from_client, to_server, false));
            tokio::spawn(pass(from_server, to_client, true));
        }
    });
    url
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, rename: bool) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let said = &mut buffer[..length];
        while rename && let Some(at) = said.windows(7).position(|word| word == b"MariaDB") {
            said[at..at + 7].copy_from_slice(b"Percona");
        }
        if to.write_all(said).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_server_without_a_limit_of_its_own_works_and_what_takes_too_long_is_ended() {
    let db = database::mariadb().await;
    table_of_moments(&db).await;
    let mut settings = db.settings();
    settings.url = under_another_name(&db).await;
    let writer = Writer::open(settings.clone()).unwrap();
    let source = AnySource::open(settings.clone()).unwrap();
    assert_eq!(ints(read(&source, "SELECT id FROM t", Read::All).await.unwrap()), [1, 2]);
    let script = Script::parse(db.engine, &["UPDATE t SET id = 3 WHERE id = 2", "SELECT 'done' AS a"], &[]).unwrap();
    let run = Run { key: "booking.book", script: &script, values: &[], limit: Duration::from_secs(10) };
    assert!(matches!(writer.run(run).await, Written::Done(Some(_))));

    settings.statement_timeout = Duration::from_millis(300);
    let source = AnySource::open(settings).unwrap();
    let slow = read(&source, "SELECT SLEEP(20) AS id", Read::All).await.unwrap_err();
    assert!(slow.to_string().ends_with("took longer than the statement_timeout"), "{slow}");
}
