//! Reads by key.

use vitrina::record::{Key, guid};
use vitrina::source::{Engine, Read};

use super::{GUID, HEX, UPPER, ints, read};
use crate::support::database::TestDb;

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

pub async fn keys_are_found_in_every_form(db: TestDb) {
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

pub async fn many_keys_are_found_over_several_statements(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer, k varchar(50))"]).await;
    let guid_text = |value: u128| guid::format(value);
    let rows: Vec<_> = (0..1300).map(|id| format!("({id}, '{}')", guid_text(id))).collect();
    db.execute(&[&format!("INSERT INTO t VALUES {}", rows.join(", "))]).await;
    let keys: Vec<_> = (0..1300).map(Key::Guid).collect();
    let found = read(&db.source(), "SELECT * FROM t", Read::Keys { column: "K", keys: &keys[..1201] }).await;
    assert_eq!(ints(found.unwrap()), (0..1201).collect::<Vec<_>>());
}

pub async fn hostile_keys_find_nothing_and_break_nothing(db: TestDb) {
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
