//! A hospital's database, the faulty receiver, and the built program between them, started, killed and looked into.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};
use vitrina::demo::fer::{GatewaySettings, Subsystem};
use vitrina::ledger::{Ledger, Progress, Replay, SqliteLedger};
use vitrina::source::Engine;

use super::workload::CHANGED_AT;
use crate::support::command::{Ran, run, vitrina, write_private};
use crate::support::daemon::Daemon;
use crate::support::database::TestDb;
use crate::support::storm::{Kill, Receiver};

/// How the program is set.
pub struct Settings {
    pub requests_per_second: usize,
    pub batch: usize,
    /// Seconds.
    pub timeout: u64,
    /// Keys of the portal's section beside these.
    pub more: String,
}

/// A database, a receiver and a configuration between them.
pub struct Site {
    pub db: TestDb,
    pub receiver: Receiver,
    folder: tempfile::TempDir,
    config: PathBuf,
}

/// A record's fields, by the record's id.
type Rows = BTreeMap<String, Map<String, Value>>;

impl Site {
    pub async fn new(db: TestDb, settings: &Settings) -> Self {
        let receiver = Receiver::start(Duration::from_secs(settings.timeout)).await;
        let folder = tempfile::tempdir().unwrap();
        let account = GatewaySettings::default();
        let text = format!(
            "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n\
             [ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:0\"\n\
             [portals.fer]\nkind = \"fer\"\nurl = \"{}\"\nusername = \"{}\"\npassword = \"{}\"\n\
             requests_per_second = {}\nbatch = {}\ntimeout = \"{}s\"\nretry = {{ initial = \"1s\", max = \"1s\" }}\n{}",
            db.url,
            folder.path().join("ledger.db").display(),
            receiver.url,
            account.username,
            account.password,
            settings.requests_per_second,
            settings.batch,
            settings.timeout,
            settings.more,
        );
        let config = write_private(folder.path(), "vitrina.toml", &text);
        Site { db, receiver, folder, config }
    }

    /// Every feed looks at the database each second.
    pub fn every_second() -> String {
        Site::every(Duration::from_secs(1))
    }

    /// Every feed looks at the database so often.
    pub fn every(cycle: Duration) -> String {
        let seconds = cycle.as_secs();
        let section =
            |subsystem: Subsystem| format!("[portals.fer.feeds.{}]\nevery = \"{seconds}s\"\n", subsystem.name());
        Subsystem::ALL.map(section).concat()
    }

    /// Every feed looks at the database each second, at slots by the times of their changes alone once
    /// they were read whole.
    pub fn every_second_by_change_time() -> String {
        let slots = format!("[portals.fer.feeds.{}]\n", Subsystem::Slot.name());
        let by_time = format!("{slots}changed_at = \"{CHANGED_AT}\"\noverlap = \"2s\"\nfull_every = \"24h\"\n");
        Site::every_second().replace(&slots, &by_time)
    }

    /// One pass of the built program.
    pub async fn sync(&self) -> Ran {
        self.run(&["sync"]).await
    }

    /// Another verb of the program.
    pub async fn run(&self, words: &[&str]) -> Ran {
        let words = [words, &["--config", self.config.to_str().unwrap()]].concat();
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let ran =
            tokio::task::spawn_blocking(move || run(vitrina(&words.iter().map(String::as_str).collect::<Vec<_>>())));
        let ran = ran.await.unwrap();
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        ran
    }

    /// What the ledger says of the slots' reads, whoever writes it. Nothing when there is none yet.
    pub async fn slots_progress(&self) -> Progress {
        let path = self.folder.path().join("ledger.db");
        let Ok(ledger) = SqliteLedger::open_read_only(&path).await else { return Progress::default() };
        let feeds = ledger.feeds().await.unwrap();
        ledger.close().await.unwrap();
        feeds.into_iter().find(|feed| feed.feed == "slot").map(|feed| feed.progress).unwrap_or_default()
    }

    /// The built program as a daemon; its log goes to a file of the site.
    pub fn start_daemon(&self) -> Daemon {
        let log = std::fs::File::options().create(true).append(true).open(self.log_path()).unwrap();
        Daemon::start_telling(&self.config, log)
    }

    /// Panics if the daemon has ended by itself.
    pub fn assert_runs(&self, daemon: &mut Daemon) {
        if let Some(status) = daemon.ended() {
            panic!("the daemon ended by itself: {status}\n{}", self.log());
        }
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What all daemons so far have logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Kills the daemon without a word, and notes what its ledger had in flight. The ledger must be sound.
    pub async fn kill(&self, daemon: Daemon) {
        let at = Instant::now();
        daemon.kill();
        let in_flight = self.in_flight().await;
        self.receiver.journal().killed(Kill { at, in_flight });
    }

    /// Feed and id of every record that the ledger holds a mark on. Nothing when there is no ledger yet.
    async fn in_flight(&self) -> BTreeSet<(String, String)> {
        let path = self.folder.path().join("ledger.db");
        let mut marked = BTreeSet::new();
        if !path.exists() {
            return marked;
        }
        let ledger = SqliteLedger::open(&path).await.expect("a killed daemon leaves a ledger that opens");
        ledger.verify().await.expect("a killed daemon leaves a sound ledger");
        for feed in ledger.feeds().await.unwrap() {
            let mut take = |step: Replay| match step {
                Replay::Put(entry) if entry.mark.is_some() => {
                    marked.insert((feed.feed.clone(), entry.key.to_string()));
                }
                Replay::Put(entry) => {
                    marked.remove(&(feed.feed.clone(), entry.key.to_string()));
                }
                Replay::Drop(key) => {
                    marked.remove(&(feed.feed.clone(), key.to_string()));
                }
            };
            ledger.load(feed.id, &mut take).await.unwrap();
        }
        ledger.close().await.unwrap();
        marked
    }

    /// Where mart and source differ, a few lines of it; nothing when they are equal.
    pub async fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        for subsystem in Subsystem::ALL {
            let (source, mart) = (self.rows(subsystem).await, self.receiver.held(subsystem.name()));
            let missing = source.keys().filter(|id| !mart.contains_key(*id)).map(|id| format!("lacks {id}"));
            let foreign = mart.keys().filter(|id| !source.contains_key(*id)).map(|id| format!("still has {id}"));
            let stale = mart.iter().filter_map(|(id, record)| {
                let row = source.get(id)?;
                let field =
                    record.iter().find(|(field, value)| plain(value) != row.get(*field).map_or(String::new(), plain));
                let status = record.get("status").map_or(String::new(), plain);
                field.map(|(field, value)| format!("{id} ({status}): {field} is {value}, not {:?}", row.get(field)))
            });
            let all = missing.chain(foreign).chain(stale);
            differences.extend(all.take(5).map(|text| format!("{} {text}", subsystem.name())));
        }
        differences
    }

    /// The rows of a feed as the database has them.
    async fn rows(&self, subsystem: Subsystem) -> Rows {
        let table = format!("vitrina_fer_{}", subsystem.name());
        let texts: Vec<String> = match self.db.engine {
            Engine::Postgres => {
                let mut connection = PgConnection::connect(&self.db.url).await.unwrap();
                let statement = format!("SELECT row_to_json(t)::text FROM {table} t");
                sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(&mut connection).await.unwrap()
            }
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(&self.db.url).await.unwrap();
                let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
                    .bind(&table)
                    .fetch_all(&mut connection)
                    .await
                    .unwrap();
                let pairs: Vec<String> = columns.iter().map(|name| format!("'{name}', {name}")).collect();
                let statement = format!("SELECT json_object({}) FROM {table}", pairs.join(", "));
                sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(&mut connection).await.unwrap()
            }
            Engine::MySql => unreachable!("no test here uses it"),
        };
        let row = |text: String| {
            let row: Map<String, Value> = serde_json::from_str(&text).unwrap();
            let id = row[subsystem.key_field()].as_str().unwrap().to_owned();
            (id, row)
        };
        texts.into_iter().map(row).collect()
    }

    /// Waits until the mart is equal to the source, and says how long that took.
    pub async fn becomes_equal(&self, within: Duration) -> Duration {
        let from = Instant::now();
        loop {
            let differences = self.differences().await;
            if differences.is_empty() {
                return from.elapsed();
            }
            if from.elapsed() > within {
                let config = self.config.to_str().unwrap();
                let rejects = run(vitrina(&["rejects", "list", "--config", config]));
                let log = self.log();
                let last: Vec<&str> = log.lines().rev().take(30).collect();
                let ids = differences.iter().flat_map(|text| text.split([' ', ':'])).filter(|word| word.len() == 36);
                let of = |id: &str| format!("{id}\n{}", self.receiver.journal().history(id).join("\n"));
                panic!(
                    "not equal after {within:?}: {differences:#?}\n{}\n{}\nlast of the log, newest first:\n{}",
                    rejects.out,
                    ids.map(of).collect::<Vec<_>>().join("\n"),
                    last.join("\n")
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A value as both sides would write it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.replacen(' ', "T", usize::from(is_time(text))),
        Value::Number(number) => number.as_f64().unwrap().to_string(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn is_time(text: &str) -> bool {
    chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").is_ok()
}
