//! What a writer promises, on every engine: one transaction, the last row as texts, an outcome that is never a guess.

use std::time::{Duration, Instant};

use vitrina::source::{Engine, Run, Script, Values, WriteError, Writer, Written};

use crate::support::database::TestDb;

const NAMES: &[&str] = &["key", "status", "number", "day"];
const LIMIT: Duration = Duration::from_secs(20);
const GUID: &str = "ab7cbc4b-2e68-40d2-881b-6f957b044818";
/// What would end a statement, a literal or a comment somewhere.
const HOSTILE: &str = "'; DROP TABLE training; -- \\' \" ` $$ Ёж :key ?1";

async fn table(db: &TestDb) {
    let columns = match db.engine {
        Engine::Postgres => "id uuid PRIMARY KEY, number integer UNIQUE, status text, day date, at timestamptz",
        Engine::MySql => "id char(36) PRIMARY KEY, number integer UNIQUE, status text, day date, at timestamp NULL",
        Engine::Sqlite => "id text PRIMARY KEY, number integer UNIQUE, status text, day date, at text",
    };
    let create = format!("CREATE TABLE training ({columns})");
    db.execute(&[&create, &format!("INSERT INTO training (id, number) VALUES ('{GUID}', 1)")]).await;
}

fn script(db: &TestDb, texts: &[&str]) -> Script {
    Script::parse(db.engine, texts, NAMES).unwrap()
}

async fn run(writer: &Writer, script: &Script, values: Values<'_>, limit: Duration) -> Written {
    writer.run(Run { key: "portals.sout.feeds.training.write_back", script, values, limit }).await
}

/// A statement that outlasts every limit of these tests.
fn endless(db: &TestDb) -> &'static str {
    match db.engine {
        Engine::Postgres => "SELECT pg_sleep(60)",
        Engine::MySql => "SELECT SLEEP(60)",
        Engine::Sqlite => "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    }
}

/// Runs a script that is to be done and gives the column `x` of its last row.
async fn x(db: &TestDb, writer: &Writer, texts: &[&str], values: Values<'_>) -> Option<String> {
    match run(writer, &script(db, texts), values, LIMIT).await {
        Written::Done(row) => row.and_then(|row| row.get("X").map(str::to_owned)),
        other => panic!("{other:?}"),
    }
}

fn writer(db: &TestDb) -> Writer {
    Writer::open(db.settings()).unwrap()
}

pub async fn texts_serve_columns_of_every_type(db: TestDb) {
    table(&db).await;
    let writer = writer(&db);
    let update = "UPDATE training SET number = :number, status = :status, day = :day WHERE id = :key";
    let values: Values<'_> =
        &[("key", Some(GUID)), ("number", Some("77")), ("status", Some(HOSTILE)), ("day", Some("2026-03-01"))];
    assert_eq!(x(&db, &writer, &[update], values).await, None, "an update gives no row");
    for (column, expected) in [("id", GUID), ("number", "77"), ("status", HOSTILE), ("day", "2026-03-01")] {
        let select = format!("SELECT {column} AS x FROM training WHERE number = :number");
        assert_eq!(x(&db, &writer, &[&select], values).await.as_deref(), Some(expected));
    }
}

pub async fn what_is_not_given_is_null_and_null_comes_back(db: TestDb) {
    table(&db).await;
    let writer = writer(&db);
    let texts = ["UPDATE training SET status = 'old'", "UPDATE training SET status = :status WHERE id = :key"];
    x(&db, &writer, &texts, &[("key", Some(GUID))]).await;
    let select = script(&db, &["SELECT status AS x, number AS n FROM training"]);
    let Written::Done(Some(row)) = run(&writer, &select, &[], LIMIT).await else { panic!("no row") };
    assert_eq!((row.get("x"), row.has("x"), row.get("n"), row.has("y")), (None, true, Some("1"), false));
    assert!(!format!("{row:?}").contains('1'), "a row's values are not printed");
}

pub async fn the_last_row_of_all_statements_is_the_answer(db: TestDb) {
    table(&db).await;
    let writer = writer(&db);
    let texts = [
        "INSERT INTO training (id, number) VALUES ('ab7cbc4b-2e68-40d2-881b-6f957b044819', 2)",
        "SELECT number AS x FROM training ORDER BY number",
        "UPDATE training SET status = 'sent'",
    ];
    assert_eq!(x(&db, &writer, &texts, &[]).await.as_deref(), Some("2"));
    assert_eq!(x(&db, &writer, &["SELECT number AS x FROM training WHERE number > 9"], &[]).await, None);
}

pub async fn a_refused_statement_undoes_those_before_it_and_names_no_value(db: TestDb) {
    table(&db).await;
    let writer = writer(&db);
    let texts =
        ["UPDATE training SET status = 'half done'", "INSERT INTO training (id, number) VALUES (:key, :number)"];
    let values: Values<'_> = &[("key", Some(GUID)), ("number", Some("1"))];
    let Written::RolledBack(error) = run(&writer, &script(&db, &texts), values, LIMIT).await else { panic!("done") };
    let text = error.to_string();
    assert!(text.starts_with("portals.sout.feeds.training.write_back: source mis: failed with SQL"), "{text}");
    assert!(text.contains("a constraint of a table refuses the row") && !text.contains(GUID), "{text}");
    assert_eq!(x(&db, &writer, &["SELECT status AS x FROM training"], &[]).await, None, "nothing is left of it");
}

pub async fn a_locked_row_ends_with_the_limit_and_without_a_trace(db: TestDb) {
    table(&db).await;
    let (holder, waiting) = (writer(&db), writer(&db));
    let held = script(&db, &["UPDATE training SET status = 'held'", "SELECT status AS x FROM training", endless(&db)]);
    let holding = tokio::spawn(async move { run(&holder, &held, &[], LIMIT).await });
    let update = script(&db, &["UPDATE training SET number = :number"]);
    // Until the holder has its lock, the update passes; then it must not.
    let mut round = 100;
    let (error, took) = loop {
        round += 1;
        let (start, number) = (Instant::now(), round.to_string());
        match run(&waiting, &update, &[("number", Some(&number))], Duration::from_secs(1)).await {
            Written::RolledBack(error) => break (error, start.elapsed()),
            Written::Done(_) => assert!(!holding.is_finished(), "never waited"),
            Written::Uncertain(error) => panic!("{error}"),
        }
    };
    assert!(matches!(error, WriteError::Timeout { .. }), "{error}");
    assert!(took <= Duration::from_millis(1500), "{took:?}");
    assert!(!holding.is_finished(), "the lock was held all the time");
    holding.abort();
    let number = x(&db, &waiting, &["SELECT number AS x FROM training"], &[]).await;
    assert_ne!(number, Some(round.to_string()), "the one that waited left nothing");
}

pub async fn a_statement_that_takes_too_long_is_ended_and_rolled_back(db: TestDb) {
    table(&db).await;
    let writer = writer(&db);
    let script = script(&db, &["UPDATE training SET status = 'half done'", endless(&db)]);
    let start = Instant::now();
    let written = run(&writer, &script, &[], Duration::from_secs(1)).await;
    assert!(matches!(&written, Written::RolledBack(WriteError::Timeout { .. })), "{written:?}");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(x(&db, &writer, &["SELECT status AS x FROM training"], &[]).await, None);
}

pub async fn many_at_once_each_have_their_transaction(db: TestDb) {
    table(&db).await;
    let writer = writer(&db);
    let add = script(&db, &["UPDATE training SET number = number + 1", "SELECT number AS x FROM training"]);
    let runs = (0..40).map(|_| run(&writer, &add, &[], LIMIT));
    let mut seen = Vec::new();
    for written in futures_util::future::join_all(runs).await {
        let Written::Done(Some(row)) = written else { panic!("{written:?}") };
        seen.push(row.get("x").unwrap().parse::<u32>().unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (2..=41).collect::<Vec<_>>(), "none was lost, none seen twice");
}

pub async fn a_dropped_run_leaves_nothing_and_blocks_nobody(db: TestDb) {
    table(&db).await;
    let writer = writer(&db);
    let script = script(&db, &["UPDATE training SET status = 'abandoned'", endless(&db)]);
    let abandoned = tokio::time::timeout(Duration::from_millis(500), run(&writer, &script, &[], LIMIT)).await;
    assert!(abandoned.is_err());
    // The server notices within some seconds that nobody listens; then the row is free and as it was.
    let touched = ["UPDATE training SET number = 2 WHERE status IS NULL", "SELECT number AS x FROM training"];
    assert_eq!(x(&db, &writer, &touched, &[]).await.as_deref(), Some("2"));
}
