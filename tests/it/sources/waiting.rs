//! A reader that takes its time holds no writer, whatever the database's way of keeping the two apart.

use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use vitrina::record::{Cell, RowChunk};
use vitrina::source::{AnySource, Engine, Read, RowStream, Source};

use super::query;
use crate::support::database::{self, TestDb};

const ROWS: usize = 20_000;

/// A table `t (id, n, t)` of many rows whose `n` is 0: more than may be on the way between a server and its reader.
async fn fill(db: &TestDb, kind: &str) {
    let rows = match db.engine {
        Engine::Postgres => format!("SELECT n, 0, repeat('x', 1000) FROM generate_series(1, {ROWS}) n"),
        Engine::MySql => format!("SELECT seq, 0, repeat('x', 1000) FROM seq_1_to_{ROWS}"),
        Engine::Sqlite => format!(
            "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) \
             SELECT n, 0, printf('%1000s', n) FROM s"
        ),
    };
    let create = format!("CREATE TABLE t (id integer, n integer, t varchar(1000)){kind}");
    db.execute(&[&create, &format!("INSERT INTO t {rows}")]).await;
}

/// Changes a row, as a program does that waits for a second at most.
async fn write(db: &TestDb) {
    let change = "UPDATE t SET n = n + 1 WHERE id <= 10";
    match db.engine {
        Engine::Postgres => db.execute(&["SET lock_timeout = '1s'; UPDATE t SET n = n + 1 WHERE id <= 10"]).await,
        Engine::MySql => {
            db.execute(&[&format!("SET lock_wait_timeout = 1, innodb_lock_wait_timeout = 1; {change}")]).await
        }
        Engine::Sqlite => {
            let options = SqliteConnectOptions::from_str(&db.url).unwrap().busy_timeout(Duration::from_secs(1));
            let mut connection = options.connect().await.unwrap();
            connection.execute(sqlx::raw_sql(AssertSqlSafe(change))).await.unwrap();
        }
    }
}

/// Reads all rows with pauses in which others write. The rows must be those of one moment all the same.
async fn read_among_writers(db: &TestDb, source: &AnySource, sql: &str) {
    let mut rows = source.read(query(sql), Read::All).await.unwrap();
    write(db).await;
    let (mut chunk, mut values) = (RowChunk::default(), Vec::new());
    while rows.next(&mut chunk).await.unwrap() {
        values.extend(chunk.rows().map(|row| (row.cell(0), row.cell(1))).map(|(id, n)| match (id, n) {
            (Cell::Int(id), Cell::Int(n)) => (id, n),
            other => panic!("{other:?}"),
        }));
        write(db).await;
    }
    assert_eq!(values.len(), ROWS);
    let changed: Vec<i64> = values.iter().filter(|(id, _)| *id <= 10).map(|(_, n)| *n).collect();
    assert!(changed.iter().all(|n| *n == changed[0] && *n <= 1), "one state of the database: {changed:?}");
}

pub async fn a_reader_that_takes_its_time_holds_no_writer(db: TestDb) {
    fill(&db, "").await;
    let mut settings = db.settings();
    // Here nothing has to wait in a file: where one would be needed, the read would fail.
    settings.spool_folder = "/nowhere/at/all".into();
    read_among_writers(&db, &AnySource::open(settings).unwrap(), "SELECT id, n, t FROM t").await;
}

#[tokio::test]
async fn sqlite_without_a_write_ahead_log_lets_writers_go_on() {
    for mode in ["DELETE", "TRUNCATE", "PERSIST"] {
        let db = database::sqlite().await;
        db.execute(&[&format!("PRAGMA journal_mode = {mode}")]).await;
        fill(&db, "").await;
        read_among_writers(&db, &db.source(), "SELECT id, n, t FROM t").await;
    }
}

#[tokio::test]
async fn tables_without_transactions_let_writers_go_on() {
    for kind in [" ENGINE = MyISAM", " ENGINE = Aria"] {
        let db = database::mariadb().await;
        fill(&db, kind).await;
        db.execute(&["CREATE VIEW v AS SELECT id, n, t FROM t"]).await;
        read_among_writers(&db, &db.source(), "SELECT id, n, t FROM v").await;
    }
}

/// An account that may read the views alone does not see of what engine the tables behind them are.
#[tokio::test]
async fn tables_that_the_account_may_not_see_let_writers_go_on() {
    let db = database::mariadb().await;
    fill(&db, " ENGINE = MyISAM").await;
    let user = db.url.rsplit('/').next().unwrap().replace("test", "reader");
    db.execute(&[
        "CREATE VIEW v AS SELECT id, n, t FROM t",
        &format!("CREATE USER {user}"),
        &format!("GRANT SELECT ON v TO {user}"),
    ])
    .await;
    let mut settings = db.settings();
    settings.url = settings.url.replace("root@", &format!("{user}@"));
    read_among_writers(&db, &AnySource::open(settings).unwrap(), "SELECT id, n, t FROM v").await;
}

#[tokio::test]
async fn rows_that_find_no_room_to_wait_fail_the_read_with_what_to_do() {
    let db = database::sqlite().await;
    db.execute(&["PRAGMA journal_mode = DELETE"]).await;
    fill(&db, "").await;
    let mut settings = db.settings();
    settings.spool_folder = "/nowhere/at/all".into();
    let source = AnySource::open(settings).unwrap();
    let wide = "SELECT id, printf('%500s', n) AS n FROM t";
    let error = super::read(&source, wide, Read::All).await.unwrap_err().to_string();
    assert!(
        error
            .starts_with("source mis: full read of fer.slot: its rows cannot wait for the portal in /nowhere/at/all: "),
        "{error}"
    );
    super::read(&source, "SELECT id, n FROM t WHERE id <= 100", Read::All).await.unwrap();
}
