//! What is refused, what goes wrong, and what is said of it.

use vitrina::source::{AnySource, Engine, Read, Source, SourceError, SourceSettings, Stamp};

use super::{ints, read, read_all};
use crate::support::database::{self, TestDb};

pub async fn writes_are_refused(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer)", "INSERT INTO t VALUES (1)"]).await;
    match db.engine {
        Engine::Postgres => {
            let writer = "CREATE FUNCTION w() RETURNS integer LANGUAGE sql AS 'INSERT INTO t VALUES (2) RETURNING id'";
            db.execute(&[writer]).await;
        }
        Engine::MySql => {
            let writer = "CREATE FUNCTION w() RETURNS integer BEGIN INSERT INTO t VALUES (2); RETURN 2; END";
            db.execute(&[writer]).await;
        }
        Engine::Sqlite => {}
    }
    for sql in
        ["SELECT w() AS id", "UPDATE t SET id = 3", "DELETE FROM t", "SELECT id FROM t; DELETE FROM t", "DROP TABLE t"]
    {
        let error = read(&db.source(), sql, Read::All).await.unwrap_err();
        assert!(matches!(error, SourceError::Statement { .. }), "{sql}: {error}");
    }
    assert_eq!(ints(read_all(&db, "SELECT id FROM t").await), [1]);
}

pub async fn a_missing_view_is_named_by_code_alone(db: TestDb) {
    let error = read(&db.source(), "SELECT * FROM vitrina_fer_slot", Read::All).await.unwrap_err();
    let (code, text) = match db.engine {
        Engine::Postgres => ("SQLSTATE 42P01", error.to_string()),
        Engine::MySql => ("SQLSTATE 42S02 (1146)", error.to_string()),
        Engine::Sqlite => ("SQLite error 1", error.to_string()),
    };
    let expected = format!(
        "source mis: full read of fer.slot failed with {code}: the query reads a table or view that is not there"
    );
    assert_eq!(text, expected);
}

pub async fn a_value_in_the_databases_message_stays_there(db: TestDb) {
    let sql = match db.engine {
        Engine::Postgres => "SELECT CAST(name AS integer) AS id FROM t",
        Engine::MySql => "SELECT refuse(name) AS id FROM t",
        Engine::Sqlite => "SELECT json_extract('{}', name) AS id FROM t",
    };
    db.execute(&["CREATE TABLE t (name varchar(50))", "INSERT INTO t VALUES ('Иванова Мария')"]).await;
    if db.engine == Engine::MySql {
        let refuse = "CREATE FUNCTION refuse(n varchar(50)) RETURNS integer \
                      BEGIN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = n; RETURN 1; END";
        db.execute(&[refuse]).await;
    }
    let error = read(&db.source(), sql, Read::All).await.unwrap_err();
    assert!(db.refusal(sql).await.contains("Иванова"));
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("Иванова") && shown.contains("fer.slot"), "{shown}");
}

pub async fn a_missing_column_is_an_error(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer, name varchar(10))"]).await;
    let read_of = |column| Read::Changed { column, since: Stamp::Local(0) };
    let missing = read(&db.source(), "SELECT * FROM t", read_of("updated_at")).await.unwrap_err();
    assert!(matches!(&missing, SourceError::Column { column, .. } if column == "updated_at"), "{missing}");
    if db.engine != Engine::Sqlite {
        let no_time = read(&db.source(), "SELECT * FROM t", read_of("name")).await.unwrap_err();
        assert!(matches!(no_time, SourceError::ChangeColumn { .. }), "{no_time}");
    }
}

pub async fn a_missing_database_is_told(db: TestDb) {
    let url = format!("{}_gone", db.url);
    let source = AnySource::open(SourceSettings::new("mis", url, database::ZONE)).unwrap();
    let error = source.now().await.unwrap_err();
    let expected = match db.engine {
        Engine::Postgres => "source mis: cannot connect: SQLSTATE 3D000: there is no such database",
        Engine::MySql => "source mis: cannot connect: SQLSTATE 42000 (1049): there is no such database",
        Engine::Sqlite => {
            "source mis: cannot connect: SQLite error 14: the file or its folder is not there or may not be read"
        }
    };
    assert_eq!(error.to_string(), expected);
}

pub async fn the_databases_clock_is_read(db: TestDb) {
    let before = chrono::Utc::now().timestamp_micros() - 1_000_000;
    let now = db.source().now().await.unwrap();
    assert!(now >= before && now <= chrono::Utc::now().timestamp_micros() + 1_000_000, "{now}");
}

pub async fn relations_are_found(db: TestDb) {
    db.execute(&["CREATE TABLE t (id integer)", "CREATE VIEW vitrina_fer_slot AS SELECT * FROM t"]).await;
    let source = db.source();
    for (name, there) in [("t", true), ("vitrina_fer_slot", true), ("vitrina_fer_book", false), ("' OR 1=1", false)] {
        assert_eq!(source.has_relation(name).await.unwrap(), there, "{name}");
    }
}
