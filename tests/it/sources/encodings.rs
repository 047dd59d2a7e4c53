//! Texts that are none: their own row suffers, and no other.

use vitrina::record::Key;
use vitrina::source::memory::Value;
use vitrina::source::{Read, Source};

use super::{ints, read, read_all};
use crate::support::database::{self, TestDb};

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// A table of three rows, the second of which has bytes that the database took without a look.
async fn with_a_bad_row(encoding: &str, bytes: &str) -> TestDb {
    let db = database::postgres_in(encoding).await;
    let bad = format!("INSERT INTO t VALUES (2, convert_from('{bytes}'::bytea, '{encoding}'))");
    db.execute(&[
        "CREATE TABLE t (id integer, name text)",
        "INSERT INTO t VALUES (1, 'Иванова')",
        &bad,
        "INSERT INTO t VALUES (3, 'Ёлкин')",
    ])
    .await;
    db
}

async fn advice(db: &TestDb) -> String {
    let advice = db.source().advice().await.unwrap();
    advice.into_iter().map(|advice| format!("{}: {}", advice.key, advice.text)).collect()
}

const EVERY_ROW: &str = "SELECT id, name, name::char(20) AS padded, name::varchar(20) AS short FROM t ORDER BY id";

#[tokio::test]
async fn bytes_that_are_no_utf_8_spoil_their_own_row_of_a_database_without_an_encoding() {
    // «Иван» in windows-1251.
    let db = with_a_bad_row("SQL_ASCII", "\\xc8e2e0ed").await;
    let rows = read_all(&db, EVERY_ROW).await;
    assert_eq!(rows[0][1..], [text("Иванова"), text("Иванова"), text("Иванова")]);
    assert_eq!(rows[1][1..], [Value::Undecodable, Value::Undecodable, Value::Undecodable]);
    assert_eq!(rows[2][1], text("Ёлкин"));

    let advice = advice(&db).await;
    assert!(advice.starts_with("url: the database keeps its texts in SQL_ASCII"), "{advice}");
    let way_out = advice.split("let the view give ").nth(1).unwrap().replace("COLUMN", "name");
    let rows = read_all(&db, &format!("SELECT {way_out} AS name FROM t WHERE id = 2")).await;
    assert_eq!(rows, [[text("Иван")]], "{way_out}");
}

#[tokio::test]
async fn a_byte_that_windows_1251_lacks_spoils_its_own_row() {
    let db = with_a_bad_row("WIN1251", "\\xc8e298ed").await;
    let rows = read_all(&db, EVERY_ROW).await;
    assert_eq!(rows[0][1..], [text("Иванова"), text("Иванова"), text("Иванова")]);
    assert_eq!(rows[1][1..], [Value::Undecodable, Value::Undecodable, Value::Undecodable]);
    assert_eq!(rows[2][1], text("Ёлкин"));

    let advice = advice(&db).await;
    assert!(advice.starts_with("url: the database keeps its texts in WIN1251"), "{advice}");
    let way_out = advice.split("let the view give ").nth(1).unwrap().replace("COLUMN", "name");
    let rows = read_all(&db, &format!("SELECT {way_out} AS name FROM t WHERE id = 2")).await;
    assert_eq!(rows, [[text("Ивн")]], "{way_out}");
}

#[tokio::test]
async fn every_byte_is_read_as_the_server_itself_reads_it() {
    for encoding in ["WIN1251", "KOI8R", "WIN866", "ISO_8859_5"] {
        let db = database::postgres_in(encoding).await;
        let bytes = format!(
            "SELECT n, convert_from(set_byte('\\x00'::bytea, 0, n), '{encoding}') AS t FROM generate_series(1, 255) n"
        );
        db.execute(&[&format!("CREATE TABLE t AS {bytes}")]).await;
        let utf8 = format!("convert(convert_to(t, '{encoding}'), '{encoding}', 'UTF8')");
        let hole = if encoding == "WIN1251" { 0x98 } else { 0 };
        let of_the_server = read_all(&db, &format!("SELECT n, {utf8} AS t FROM t WHERE n <> {hole} ORDER BY n")).await;
        let ours = read_all(&db, &format!("SELECT n, t FROM t WHERE n <> {hole} ORDER BY n")).await;
        for (server, ours) in of_the_server.iter().zip(&ours) {
            let Value::Text(ours) = &ours[1] else { panic!("{encoding} {ours:?}") };
            assert_eq!(server[1], Value::Bytes(ours.as_bytes().to_vec()), "{encoding} {:?}", server[0]);
        }
    }
}

#[tokio::test]
async fn a_key_that_the_database_cannot_hold_is_in_none_of_its_rows() {
    let db = with_a_bad_row("WIN1251", "\\xc8e2e0ed").await;
    let keys = ["Иванова", "Ә", "😀"].map(|key| Key::Text(key.into()));
    let found = read(&db.source(), "SELECT id, name FROM t", Read::Keys { column: "name", keys: &keys }).await;
    assert_eq!(ints(found.unwrap()), [1]);
}

#[tokio::test]
async fn a_database_in_utf_8_needs_no_advice() {
    assert_eq!(advice(&database::postgres().await).await, "");
    assert_eq!(advice(&database::sqlite().await).await, "");
}
