//! The log at its most talkative: the whole demo, and nothing of a person or a secret in it.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{Row, TypeInfo, ValueRef};

use crate::support::command::vitrina;

/// Columns that name people, by parts of their names.
const PERSONAL: [&str; 10] =
    ["last_name", "first_name", "middle_name", "snils", "phone", "mail", "oms", "birth", "patient_name", "case_number"];
/// Keys of the demo's configuration that hold secrets.
const SECRET: [&str; 9] = [
    "password",
    "api_key",
    "client_id",
    "client_secret",
    "access_token",
    "refresh_token",
    "portal_secret",
    "handover_secret",
    "name",
];

/// The folder that a demo makes in this one, once its hospital is built and its daemon configured.
fn folder_of(parent: &Path) -> PathBuf {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let mut inside = std::fs::read_dir(parent).unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        if let Some(found) = inside.find(|path| path.join("ledger.db").exists()) {
            return found;
        }
        assert!(Instant::now() < deadline, "the demo did not start");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What the hospital's tables say of people.
async fn people(database: &Path) -> BTreeSet<String> {
    let options = SqliteConnectOptions::new().filename(database).read_only(true).busy_timeout(Duration::from_secs(30));
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let columns = "SELECT m.name, p.name FROM sqlite_schema m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'";
    let mut people = BTreeSet::new();
    for row in sqlx::query(columns).fetch_all(&pool).await.unwrap() {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        if !PERSONAL.iter().any(|part| column.contains(part)) {
            continue;
        }
        let values =
            format!("SELECT DISTINCT CAST(\"{column}\" AS TEXT) FROM \"{table}\" WHERE \"{column}\" IS NOT NULL");
        for value in sqlx::query(sqlx::AssertSqlSafe(values)).fetch_all(&pool).await.unwrap() {
            assert_eq!(value.try_get_raw(0).unwrap().type_info().name(), "TEXT");
            people.insert(value.get::<String, _>(0));
        }
    }
    pool.close().await;
    people
}

/// The values of a configuration's secret keys.
fn secrets(configuration: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(configuration).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once(" = "));
    let secrets = pairs.filter(|(key, _)| SECRET.contains(key)).map(|(_, value)| value.trim_matches('"').to_owned());
    secrets.collect()
}

/// True when a text holds a word that is no part of a longer one.
fn holds(text: &str, word: &str) -> bool {
    let is_part = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    text.match_indices(word)
        .any(|(at, _)| !is_part(text[..at].chars().next_back()) && !is_part(text[at + word.len()..].chars().next()))
}

#[tokio::test]
async fn the_whole_demo_at_trace_level_names_no_person_and_no_secret() {
    let parent = tempfile::tempdir().unwrap();
    let log = parent.path().join("log");
    let mut command = vitrina(&["demo", "--for", "12s", "--slots", "300", "--listen", "127.0.0.1:0"]);
    command.env("TMPDIR", parent.path()).env("RUST_LOG", "trace").stdout(Stdio::null());
    let mut demo = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
    let folder = folder_of(parent.path());
    let (people, secrets) = (people(&folder.join("hospital.db")).await, secrets(&folder.join("vitrina.toml")));
    let ended = tokio::task::spawn_blocking(move || demo.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "{ended}");
    assert!(people.len() > 100 && secrets.len() > 6, "{} people, {} secrets", people.len(), secrets.len());
    let log = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
    assert!(log.contains("TRACE") && log.contains("exchange"), "nothing was logged");
    for personal in people.iter().filter(|value| value.chars().count() > 3) {
        assert!(!holds(&log, personal), "the log names {personal}: {}", around(&log, personal));
    }
    for secret in secrets.iter().chain(["Bearer ".to_owned()].iter()) {
        assert!(!log.contains(secret.as_str()), "the log holds a secret: {}", around(&log, secret));
    }
}

#[test]
fn the_journal_reads_a_priority_from_each_line_and_no_second_time() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("log");
    let log = File::create(&path).unwrap();
    let stream = log.metadata().map(|stderr| format!("{}:{}", stderr.dev(), stderr.ino())).unwrap();
    let mut command = vitrina(&["demo", "--for", "3s", "--slots", "100", "--listen", "127.0.0.1:0"]);
    command.env("RUST_LOG", "vitrina=info").env("JOURNAL_STREAM", stream).stdout(Stdio::null());
    assert!(command.stderr(log).status().unwrap().success());
    let log = std::fs::read_to_string(&path).unwrap();
    let cycles = log.lines().filter(|line| line.starts_with("<6>cycle portal=")).count();
    assert!(cycles > 5, "{log}");
    for line in log.lines() {
        assert!(line.starts_with('<') && line.get(2..3) == Some(">") && !line.contains("INFO"), "{line}");
    }
}

/// The first line with it.
fn around<'a>(log: &'a str, word: &str) -> &'a str {
    log.lines().find(|line| line.contains(word)).unwrap_or_default()
}
