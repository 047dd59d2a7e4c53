//! Long answers: bounded, consistent, and ended when nobody reads on.

use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use vitrina::record::{Cell, Key, RowChunk};
use vitrina::source::{AnySource, CHUNK_BYTES, CHUNK_ROWS, Engine, Read, RowStream, Source, SourceError};

use super::{ints, query, read, read_all};
use crate::support::database::TestDb;

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

pub async fn long_answers_stream_in_bounded_chunks(db: TestDb) {
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

pub async fn a_read_sees_one_state_of_the_database(db: TestDb) {
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

pub async fn a_dropped_stream_ends_its_statement(db: TestDb) {
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
            // An error while others open or close the file leaves it open whether somebody reads: ask again.
            let options = SqliteConnectOptions::from_str(&db.url).unwrap().busy_timeout(Duration::ZERO);
            let Ok(mut connection) = options.connect().await else { return true };
            let checkpoint = sqlx::query_as::<_, (i64, i64, i64)>("PRAGMA wal_checkpoint(TRUNCATE)");
            return !checkpoint.fetch_one(&mut connection).await.is_ok_and(|(busy, _, _)| busy == 0);
        }
    };
    ints(read_all(db, others).await) != [0]
}

pub async fn a_statement_that_takes_too_long_is_ended(db: TestDb) {
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

pub async fn a_killed_connection_is_no_complete_read(db: TestDb) {
    let killers = match db.engine {
        Engine::Postgres => {
            "SELECT pg_terminate_backend(pid)::int4 AS n FROM pg_stat_activity \
                             WHERE datname = current_database() AND query LIKE 'COPY%' AND pid <> pg_backend_pid()"
        }
        Engine::MySql => {
            "BEGIN NOT ATOMIC \
                          FOR p IN (SELECT id FROM information_schema.processlist WHERE db = DATABASE() \
                                    AND command = 'Execute' AND id <> CONNECTION_ID()) \
                          DO KILL p.id; END FOR; END"
        }
        // No server, no connection.
        Engine::Sqlite => return,
    };
    let mut rows = db.source().read(query(&long_query(&db, 2_000_000)), Read::All).await.unwrap();
    let mut chunk = RowChunk::default();
    assert!(rows.next(&mut chunk).await.unwrap());
    db.execute(&[killers]).await;
    let end = loop {
        match rows.next(&mut chunk).await {
            Ok(true) => {}
            end => break end,
        }
    };
    assert!(matches!(end, Err(SourceError::Lost { .. })), "{end:?}");
}
