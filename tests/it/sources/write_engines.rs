//! What writers promise on one engine alone: functions and procedures, connections that the server ended, a COMMIT that is refused or whose
//! answer is lost.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vitrina::source::{Engine, Run, Script, Values, WriteError, Writer, Written};

use crate::support::database::{self, TestDb};

const NAMES: &[&str] = &["key", "number"];

async fn run(db: &TestDb, writer: &Writer, texts: &[&str], values: Values<'_>) -> Written {
    let script = Script::parse(db.engine, texts, NAMES).unwrap();
    writer.run(Run { key: "booking.book", script: &script, values, limit: Duration::from_secs(10) }).await
}

fn column(written: Written, name: &str) -> Option<String> {
    match written {
        Written::Done(row) => row.unwrap().get(name).map(str::to_owned),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_function_of_postgres_is_called_with_texts_whatever_its_arguments_are() {
    let db = database::postgres().await;
    db.execute(&["CREATE FUNCTION book(slot uuid, price numeric, until date, VARIADIC tags text[] DEFAULT '{}') \
                  RETURNS TABLE (status_code integer, visit timestamptz) LANGUAGE plpgsql AS $$ BEGIN \
                  RETURN QUERY SELECT 0, '2026-03-01 10:00:00+05'::timestamptz; END $$"])
        .await;
    let writer = Writer::open(db.settings()).unwrap();
    let values: Values<'_> = &[("key", Some("ab7cbc4b-2e68-40d2-881b-6f957b044818")), ("number", Some("12.5"))];
    let texts = ["SELECT * FROM book(:key, :number, '2026-03-01')"];
    assert_eq!(column(run(&db, &writer, &texts, values).await, "status_code").as_deref(), Some("0"));
    let visit = column(run(&db, &writer, &texts, values).await, "visit");
    assert_eq!(visit.as_deref(), Some("2026-03-01 10:00:00+05"), "on the source's clock");
    let wrong: Values<'_> = &[("key", Some("no guid"))];
    let Written::RolledBack(error) = run(&db, &writer, &texts, wrong).await else { panic!("done") };
    assert!(
        error.to_string().contains("a value does not fit the type") && !error.to_string().contains("guid"),
        "{error}"
    );
}

#[tokio::test]
async fn a_procedure_of_mariadb_gives_its_last_row() {
    let db = database::mariadb().await;
    db.execute(&[
        "CREATE TABLE slot (id integer PRIMARY KEY, patient varchar(50)) ENGINE = InnoDB",
        "INSERT INTO slot VALUES (1, NULL)",
        "CREATE PROCEDURE book(IN slot_id integer, IN who varchar(50)) BEGIN \
         UPDATE slot SET patient = who WHERE id = slot_id AND patient IS NULL; \
         SELECT IF(ROW_COUNT() = 1, 0, 11) AS status_code, NOW() AS visit_time; END",
    ])
    .await;
    let writer = Writer::open(db.settings()).unwrap();
    let values: Values<'_> = &[("key", Some("1")), ("number", Some("Ёлкин"))];
    for expected in ["0", "11"] {
        let written = run(&db, &writer, &["CALL book(:key, :number)"], values).await;
        assert_eq!(column(written, "status_code").as_deref(), Some(expected));
    }
    let patient = run(&db, &writer, &["SELECT patient FROM slot"], &[]).await;
    assert_eq!(column(patient, "patient").as_deref(), Some("Ёлкин"));
}

#[tokio::test]
async fn a_connection_that_the_server_ended_is_replaced_before_anything_is_done() {
    for db in [database::postgres().await, database::mariadb().await] {
        let writer = Writer::open(db.settings()).unwrap();
        let (own, kill) = match db.engine {
            Engine::Postgres => ("SELECT pg_backend_pid() AS id", "SELECT pg_terminate_backend({})"),
            _ => ("SELECT CONNECTION_ID() AS id", "KILL {}"),
        };
        let id = column(run(&db, &writer, &[own], &[]).await, "id").unwrap();
        db.execute(&[&kill.replace("{}", &id)]).await;
        let next = column(run(&db, &writer, &[own], &[]).await, "id").unwrap();
        assert_ne!(next, id, "{:?}", db.engine);
        let again = column(run(&db, &writer, &[own], &[]).await, "id").unwrap();
        assert_eq!(again, next, "a good connection is kept");
    }
}

#[tokio::test]
async fn a_commit_that_the_database_refuses_is_rolled_back() {
    let db = database::postgres().await;
    db.execute(&["CREATE TABLE t (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED)", "INSERT INTO t VALUES (1)"]).await;
    let writer = Writer::open(db.settings()).unwrap();
    let written = run(&db, &writer, &["INSERT INTO t VALUES (1)"], &[]).await;
    assert!(matches!(&written, Written::RolledBack(WriteError::Statement { .. })), "{written:?}");
}

#[tokio::test]
async fn a_database_that_is_away_is_a_failure_and_not_an_unknown_outcome() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let db = database::postgres().await;
    let mut settings = db.settings();
    settings.url = format!("postgres://nobody:hunter2@{nobody}/mis");
    let written = run(&db, &Writer::open(settings).unwrap(), &["SELECT 1"], &[]).await;
    let Written::RolledBack(error) = written else { panic!("{written:?}") };
    assert!(error.to_string().starts_with("booking.book: source mis: cannot connect: connection refused"), "{error}");
    assert!(!error.to_string().contains("hunter2"));
}

#[tokio::test]
async fn an_account_that_may_only_read_is_told_of_write_url() {
    let db = database::sqlite().await;
    db.execute(&["CREATE TABLE t (n integer)", "CREATE VIEW v AS SELECT n FROM t"]).await;
    let written = run(&db, &Writer::open(db.settings()).unwrap(), &["INSERT INTO v VALUES (1)"], &[]).await;
    assert!(matches!(&written, Written::RolledBack(WriteError::Statement { .. })), "{written:?}");

    let db = database::postgres().await;
    let role = format!("reader_{}", db.url.rsplit('_').next().unwrap());
    db.execute(&["CREATE TABLE t (n integer)", &format!("CREATE ROLE {role} LOGIN")]).await;
    let mut settings = db.settings();
    settings.url = db.url.replace("postgres@", &format!("{role}@"));
    let written = run(&db, &Writer::open(settings).unwrap(), &["INSERT INTO t VALUES (1)"], &[]).await;
    let Written::RolledBack(error) = written else { panic!("{written:?}") };
    assert!(error.to_string().contains("write_url may name another account"), "{error}");
}

/// A way to the database that swallows everything the server says from COMMIT on, and then ends.
async fn deaf_to_commit(db: &TestDb) -> String {
    let server = db.url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = db.url.replace(&server, &address.to_string());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(pass(client, server));
        }
    });
    url
}

async fn pass(mut client: TcpStream, mut server: TcpStream) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    let mut deaf = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                deaf |= asked[..length].windows(6).any(|word| word == b"COMMIT");
                server.write_all(&asked[..length]).await.unwrap();
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if deaf {
                    return;
                }
                client.write_all(&answered[..length]).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_lost_answer_to_commit_is_the_one_uncertain_outcome() {
    for db in [database::postgres().await, database::mariadb().await] {
        db.execute(&["CREATE TABLE t (n integer)"]).await;
        let mut settings = db.settings();
        settings.url = deaf_to_commit(&db).await;
        let written = run(&db, &Writer::open(settings).unwrap(), &["INSERT INTO t VALUES (7)"], &[]).await;
        assert!(matches!(&written, Written::Uncertain(WriteError::Lost { .. })), "{:?}: {written:?}", db.engine);
        let found = run(&db, &Writer::open(db.settings()).unwrap(), &["SELECT n FROM t"], &[]).await;
        assert_eq!(column(found, "n").as_deref(), Some("7"), "it was done indeed");
    }
}
