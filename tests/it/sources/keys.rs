//! Reads by key.

use vitrina::record::RowChunk;
use vitrina::record::{Key, guid};
use vitrina::source::memory::Value;
use vitrina::source::{Engine, Read, RowStream, Rows, Sought, Source, Stamp, rows_with_key};

use super::{GUID, HEX, NOON, UPPER, drain, ints, own, query, read, read_all};
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

/// The keys of a sweep.
async fn keys_of(rows: &mut Rows) -> Vec<Vec<Value>> {
    let (mut chunk, mut all) = (RowChunk::default(), Vec::new());
    let width = rows.key_columns().len();
    while rows.next_keys(&mut chunk).await.unwrap() {
        all.extend(chunk.rows().map(|row| (0..width).map(|index| own(row.cell(index))).collect::<Vec<_>>()));
    }
    all
}

pub async fn a_sweep_gives_every_key_in_its_own_form_and_then_the_changes(db: TestDb) {
    for (table, (kind, literals)) in key_forms(db.engine).into_iter().enumerate() {
        let rows: Vec<_> = literals
            .iter()
            .enumerate()
            .map(|(id, literal)| format!("({id}, {literal}, '2026-07-01 11:00:00')"))
            .collect();
        let at = if db.engine == Engine::Postgres { "timestamp" } else { "datetime" };
        db.execute(&[
            &format!("CREATE TABLE s{table} (id integer, k {kind}, at {at} NULL)"),
            &format!("INSERT INTO s{table} VALUES (98, NULL, '2026-07-01 13:00:00'), {}", rows.join(", ")),
        ])
        .await;
        let sql = format!("SELECT * FROM s{table}");
        let all = read(&db.source(), &sql, Read::All).await.unwrap();
        let swept = Read::Swept { column: "at", since: Stamp::Local(NOON), keys: &["absent", "K", "id"] };
        let mut rows = db.source().read(query(&sql), swept).await.unwrap();
        let keys = keys_of(&mut rows).await;
        let expected: Vec<_> = all.iter().map(|row| vec![row[1].clone(), row[0].clone()]).collect();
        assert_eq!(keys, expected, "{kind}");
        assert_eq!(ints(drain(rows).await.unwrap()), [98], "{kind}");
    }
}

pub async fn a_sweep_and_its_changes_see_one_state(db: TestDb) {
    let at = if db.engine == Engine::Postgres { "timestamp" } else { "datetime" };
    db.execute(&[
        &format!("CREATE TABLE t (id integer, at {at} NULL)"),
        "INSERT INTO t VALUES (1, '2026-07-01 13:00:00'), (2, '2026-07-01 13:00:00')",
    ])
    .await;
    if db.engine == Engine::Sqlite {
        // A reader of the rollback journal would keep the writer waiting.
        db.execute(&["PRAGMA journal_mode = wal"]).await;
    }
    let swept = Read::Swept { column: "at", since: Stamp::Local(NOON), keys: &["id"] };
    let mut rows = db.source().read(query("SELECT * FROM t"), swept).await.unwrap();
    assert_eq!(keys_of(&mut rows).await.len(), 2);
    db.execute(&["DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (3, '2026-07-01 13:00:00')"]).await;
    assert_eq!(ints(drain(rows).await.unwrap()), [1, 2]);
}

pub async fn rows_whose_key_cannot_be_read_are_found_by_what_is_shown_of_it(db: TestDb) {
    let guid = "ab7cbc4b-2e68-40d2-881b-6f957b044895";
    db.execute(&[
        "CREATE TABLE t (n integer, id varchar(60) NULL)",
        &format!("INSERT INTO t VALUES (1, '{guid}'), (2, '{{{}}}'), (3, NULL), (4, ' ')", guid.to_uppercase()),
        "INSERT INTO t VALUES (5, '112-233-445 95 '), (6, 'it''s no key'), (7, 'Иванов')",
    ])
    .await;
    for (sought, found) in [
        (&[Sought::Missing][..], vec![3, 4]),
        (&[Sought::Whole("it's no key")], vec![6]),
        (&[Sought::NoGuid, Sought::Ending("95")], vec![5]),
        (&[Sought::Ending("ов")], vec![7]),
        (&[Sought::NoGuid], vec![4, 5, 6, 7]),
    ] {
        for from in ["t", "(SELECT * FROM t)"] {
            let sql = format!("{} ORDER BY n", rows_with_key(db.engine, from, "id", sought));
            assert_eq!(ints(read_all(&db, &sql).await), found, "{sql}");
        }
    }
}
