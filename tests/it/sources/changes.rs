//! Reads by change time.

use vitrina::source::{Engine, Read, Stamp};

use super::{HOUR, NOON, ints, read};
use crate::support::database::TestDb;

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

pub async fn change_reads_give_what_changed_since_and_what_never_said_when(db: TestDb) {
    table_of_changes(&db, clock_type(db.engine)).await;
    assert_eq!(changed(&db, Stamp::Local(NOON)).await, [2, 3, 4, 5]);
    assert_eq!(changed(&db, Stamp::Local(NOON + 2_000_000)).await, [5]);
    assert_eq!(changed(&db, Stamp::Local(i64::MIN)).await, [1, 2, 3, 4, 5]);
}

pub async fn change_reads_cross_between_clock_and_instant(db: TestDb) {
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
