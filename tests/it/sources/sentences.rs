//! What an operator reads of the databases' own errors: each code that hospitals meet has a sentence with what to do.

use std::time::Duration;

use tokio::time::sleep;
use vitrina::record::RowChunk;
use vitrina::source::{AnySource, Read, RowStream, Source};

use super::{ints, query, read, read_all};
use crate::support::database::{self, TestDb};
use crate::support::pgbouncer;

/// What a query that fails is told to be.
async fn told(db: &TestDb, sql: &str) -> String {
    match read(&db.source(), sql, Read::All).await {
        Ok(rows) => panic!("{sql}: {rows:?}"),
        Err(error) => error.to_string(),
    }
}

async fn each_is_told(db: &TestDb, cases: &[(&str, &str, &str)]) {
    for (sql, code, words) in cases {
        let told = told(db, sql).await;
        assert!(told.contains(code) && told.contains(words), "{sql}: {told}");
    }
}

#[tokio::test]
async fn postgres_says_what_is_wrong_with_the_query_or_its_values() {
    let db = database::postgres().await;
    db.execute(&[
        "CREATE TABLE t (id integer)",
        "INSERT INTO t VALUES (1), (2)",
        "CREATE FUNCTION raise(code text) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'Иванова' USING ERRCODE = code; END $$",
    ])
    .await;
    each_is_told(
        &db,
        &[
            ("SELECT (SELECT id FROM t) AS id", "SQLSTATE 21000", "more than one row"),
            ("SELECT 1 / (id - 1) AS id FROM t", "SQLSTATE 22012", "NULLIF"),
            ("SELECT id + 2147483647 AS id FROM t", "SQLSTATE 22003", "too large"),
            ("SELECT raise('P0001') AS id", "SQLSTATE P0001", "raised an error of its own"),
            ("SELECT convert_from('\\xff', 'UTF8') AS id", "SQLSTATE 22021", "vitrina check names it"),
            ("SELECT convert_to('Ә', 'WIN1251') AS id", "SQLSTATE 22P05", "vitrina check names the database's"),
            ("SELECT now() AT TIME ZONE 'Asia/Nowhere' AS id", "SQLSTATE 22023", "does the server know the zone"),
            ("SELECT raise('40001') AS id", "SQLSTATE 40001", "collided"),
        ],
    )
    .await;
}

#[tokio::test]
async fn mariadb_says_what_is_wrong_with_the_query_or_its_values() {
    let db = database::mariadb().await;
    db.execute(&[
        "CREATE TABLE t (id bigint unsigned)",
        "INSERT INTO t VALUES (1), (2)",
        "CREATE FUNCTION raise() RETURNS integer BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'Иванова'; RETURN 1; END",
    ])
    .await;
    each_is_told(
        &db,
        &[
            ("SELECT (SELECT id FROM t) AS id", "(1242)", "more than one row"),
            ("SELECT id - 2 AS id FROM t", "(1690)", "too large"),
            ("SELECT raise() AS id", "(1644)", "raised an error of its own"),
            ("SELECT 'a' COLLATE utf8mb4_bin = 'b' COLLATE utf8mb4_general_ci AS id", "(1267)", "COLLATE"),
        ],
    )
    .await;
}

#[tokio::test]
async fn sqlite_tells_a_value_that_a_function_does_not_take_from_a_query_that_is_wrong() {
    let db = database::sqlite().await;
    db.execute(&["CREATE TABLE t (id integer, doc text)", "INSERT INTO t VALUES (-9223372036854775808, 'Иванова')"])
        .await;
    each_is_told(
        &db,
        &[
            ("SELECT abs(id) AS id FROM t", "SQLite error 1", "too large"),
            ("SELECT doc ->> '$.a' AS id FROM t", "SQLite error 1", "reads as JSON is none"),
            ("SELECT json_set(doc, '$.a') AS id FROM t", "SQLite error 1", ""),
            ("SELECT zeroblob(2000000000) AS id FROM t", "SQLite error 18", "too large"),
            ("SELEKT 1", "SQLite error 1", "no single SELECT"),
        ],
    )
    .await;
    assert!(!told(&db, "SELECT doc ->> '$.a' AS id FROM t").await.contains("Иванова"));
}

/// A writer that was killed in the middle leaves a journal that must be undone first, which only a writer may do.
#[tokio::test]
async fn sqlite_with_a_writers_unfinished_transaction_says_what_undoes_it() {
    use sqlx::{Connection, Executor, SqliteConnection};
    let folder = tempfile::tempdir().unwrap();
    let (live, dead) = (folder.path().join("live.db"), folder.path().join("dead.db"));
    let mut writer = SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", live.display())).await.unwrap();
    writer
        .execute("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 2; CREATE TABLE t (id integer, x text)")
        .await
        .unwrap();
    let rows = "INSERT INTO t WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 2000) \
                SELECT n, printf('%500s', n) FROM s";
    writer.execute(rows).await.unwrap();
    writer.execute("BEGIN; UPDATE t SET x = x || 'y'").await.unwrap();
    std::fs::copy(&live, &dead).unwrap();
    std::fs::copy(folder.path().join("live.db-journal"), folder.path().join("dead.db-journal")).unwrap();
    let url = format!("sqlite:{}", dead.display());
    let source = AnySource::open(vitrina::source::SourceSettings::new("mis", url, database::ZONE)).unwrap();
    let told = read(&source, "SELECT id FROM t", Read::All).await.unwrap_err().to_string();
    assert!(told.contains("SQLite error 776: a writer ended in the middle"), "{told}");
}

#[tokio::test]
async fn a_statement_that_an_administrator_cancelled_is_no_time_out() {
    for (db, slow, running, cancel) in [
        (
            database::postgres().await,
            "SELECT pg_sleep(60)::text AS s",
            "SELECT pid AS id FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%' \
             AND pid <> pg_backend_pid()",
            "SELECT pg_cancel_backend(ID)",
        ),
        (
            database::mariadb().await,
            "SELECT count(*) AS s FROM seq_1_to_10000000 a, seq_1_to_1000 b",
            "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND command = 'Execute' \
             AND id <> CONNECTION_ID()",
            "KILL QUERY ID",
        ),
    ] {
        let mut rows = db.source().read(query(slow), Read::All).await.unwrap();
        let cancelling = async {
            let id = loop {
                match ints(read_all(&db, running).await)[..] {
                    [id] => break id,
                    _ => sleep(Duration::from_millis(20)).await,
                }
            };
            db.execute(&[&cancel.replace("ID", &id.to_string())]).await;
        };
        let mut chunk = RowChunk::default();
        let (end, ()) = tokio::join!(rows.next(&mut chunk), cancelling);
        let told = end.unwrap_err().to_string();
        assert!(told.ends_with("an administrator, or a tool of theirs, cancelled it"), "{:?}: {told}", db.engine);
    }
}

/// What is said when such a user of MariaDB connects and reads.
async fn of_user(db: &TestDb, user: &str, password: &str) -> String {
    let mut settings = db.settings();
    settings.url = settings.url.replace("root@", &format!("{user}@"));
    settings.password = Some(password.into());
    AnySource::open(settings).unwrap().now().await.unwrap_err().to_string()
}

#[tokio::test]
async fn mariadb_accounts_that_cannot_be_used_are_told_why() {
    let db = database::mariadb().await;
    db.execute(&[
        "INSTALL SONAME 'auth_ed25519'",
        "CREATE USER signer IDENTIFIED VIA ed25519 USING PASSWORD('s3cret')",
        "CREATE USER expired IDENTIFIED BY 's3cret' PASSWORD EXPIRE",
        "CREATE USER locked IDENTIFIED BY 's3cret' ACCOUNT LOCK",
        "GRANT SELECT ON *.* TO signer, expired, locked",
    ])
    .await;
    let signer = of_user(&db, "signer", "s3cret").await;
    assert!(
        signer.contains("signs in by client_ed25519, which is not supported") && signer.contains("ALTER USER"),
        "{signer}"
    );
    let expired = of_user(&db, "expired", "s3cret").await;
    assert!(expired.contains("(1820)") && expired.contains("password has expired"), "{expired}");
    let locked = of_user(&db, "locked", "s3cret").await;
    assert!(locked.contains("(4151)") && locked.contains("ACCOUNT UNLOCK"), "{locked}");
}

#[tokio::test]
async fn a_pooler_that_turns_us_away_is_named() {
    let db = database::postgres().await;
    let mut settings = db.settings();
    settings.url = format!("{}?options=-c%20geqo%3Doff", pgbouncer::before(&db.url).await);
    let told = AnySource::open(settings).unwrap().now().await.unwrap_err().to_string();
    assert!(told.contains("SQLSTATE 08P01: a pooler (pgbouncer) turned us away"), "{told}");
}
