//! The built program audits a mock gateway over real databases: alone, and beside a daemon that sends.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use vitrina::demo::fer::{FerGateway, GatewaySettings, Running, Subsystem};

use crate::support::command::{Ran, run, vitrina, write_private};
use crate::support::daemon::Daemon;
use crate::support::database::{TestDb, postgres, sqlite};
use crate::support::hospital::{Hospital, id};

/// A hospital's database, a gateway and a configuration between them.
struct Site {
    db: TestDb,
    gateway: Running,
    folder: tempfile::TempDir,
    config: PathBuf,
}

impl Site {
    async fn new(db: TestDb, slots: usize, rate: u32, more: &str) -> Self {
        Hospital::new(slots, false).fill(&db).await;
        let account = GatewaySettings::default();
        let gateway = FerGateway::start(SocketAddr::from(([127, 0, 0, 1], 0)), account.clone()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n[ledger]\nurl = \"sqlite:{}\"\n\
             [serve]\nlisten = \"127.0.0.1:0\"\n[portals.fer]\nkind = \"fer\"\nurl = \"{}\"\nusername = \"{}\"\n\
             password = \"{}\"\nrequests_per_second = {rate}\n{more}",
            db.url,
            folder.path().join("ledger.db").display(),
            gateway.url(),
            account.username,
            account.password,
        );
        let config = write_private(folder.path(), "vitrina.toml", &text);
        Site { db, gateway, folder, config }
    }

    async fn run(&self, verb: &str, more: &[&str]) -> Ran {
        let mut arguments = vec![verb.to_owned(), "--config".to_owned(), self.config.to_str().unwrap().to_owned()];
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        let ran = tokio::task::spawn_blocking(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(vitrina(&arguments))
        });
        ran.await.unwrap()
    }

    async fn sync(&self, more: &[&str]) {
        let ran = self.run("sync", more).await;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    }

    /// What an audit with `--json` found: feed, key, kind, fields, whether it was mended; and its exit code.
    async fn audit(&self, more: &[&str]) -> (i32, Vec<Value>) {
        let ran = self.run("audit", &[&["fer", "--json"], more].concat()).await;
        let found = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
        (ran.code, found)
    }

    fn lose_the_ledger(&self) {
        for file in std::fs::read_dir(self.folder.path()).unwrap().flatten() {
            if file.file_name().to_string_lossy().starts_with("ledger.db") {
                std::fs::remove_file(file.path()).unwrap();
            }
        }
    }

    fn count(&self, counted: impl Fn(vitrina::demo::fer::Counters) -> u64) -> u64 {
        Subsystem::ALL.iter().map(|subsystem| counted(self.gateway.gateway().counters(*subsystem))).sum()
    }

    fn slots(&self) -> BTreeMap<String, serde_json::Map<String, Value>> {
        self.gateway.gateway().snapshot(Subsystem::Slot)
    }

    /// Another program of the organisation at the gateway.
    async fn stranger(&self) -> Stranger {
        let account = GatewaySettings::default();
        let http = reqwest::Client::new();
        let login = json!({"username": account.username, "password": account.password});
        let answer = http.post(format!("{}/auth.svc", self.gateway.url())).json(&login).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let token = format!("bearer {}", answer["Result"]["Value"].as_str().unwrap());
        Stranger { http, url: self.gateway.url(), token }
    }

    /// A daemon that has filled the mart, and so holds the ledger.
    async fn daemon_over_a_full_mart(&self) -> Daemon {
        let daemon = Daemon::start(&self.config);
        let is_full = |site: &Self| {
            [Subsystem::Book, Subsystem::Service].iter().all(|feed| site.gateway.gateway().len(*feed) == 40)
        };
        self.until("the mart is full", is_full).await;
        daemon
    }

    async fn until(&self, what: &str, reached: impl Fn(&Self) -> bool) {
        let since = Instant::now();
        while !reached(self) {
            assert!(since.elapsed() < Duration::from_secs(60), "{what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

struct Stranger {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Stranger {
    async fn writes(&self, feed: &str, record: Value) {
        let request = self.http.post(format!("{}/api/{feed}", self.url)).header("Authorization", &self.token);
        let answer = request.json(&json!({ "data": [record] })).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }

    async fn removes(&self, feed: &str, id: &str) {
        let request = self.http.delete(format!("{}/api/{feed}?id={id}", self.url));
        assert_eq!(request.header("Authorization", &self.token).send().await.unwrap().status(), 200);
    }
}

/// Takes a slot away, changes another and a service, and adds a slot that the hospital does not know.
async fn three_differences_and_a_service(site: &Site) {
    let stranger = site.stranger().await;
    let slots = site.slots();
    stranger.removes("slot", &id(6, 3)).await;
    let mut blocked = slots[&id(6, 4)].clone();
    blocked["status"] = "BLOCKED".into();
    stranger.writes("slot", Value::Object(blocked)).await;
    let mut unknown = slots[&id(6, 5)].clone();
    unknown["id"] = id(0xf0, 1).into();
    let soon = chrono::Utc::now() + chrono::TimeDelta::days(2);
    unknown["visit_time"] = soon.format("%Y-%m-%dT%H:%M:%S").to_string().into();
    stranger.writes("slot", Value::Object(unknown)).await;
    let mut dearer = site.gateway.gateway().snapshot(Subsystem::Service)[&id(3, 7)].clone();
    dearer["price"] = json!(2000);
    stranger.writes("service", Value::Object(dearer)).await;
}

fn line(feed: &str, key: String, kind: &str, fields: &[&str], repaired: bool) -> Value {
    json!({"portal": "fer", "feed": feed, "key": key, "kind": kind, "fields": fields, "repaired": repaired})
}

fn four_lines(repaired: bool) -> Vec<Value> {
    vec![
        line("service", id(3, 7), "stale", &["price"], repaired),
        line("slot", id(6, 3), "missing", &[], repaired),
        line("slot", id(6, 4), "stale", &["status"], repaired),
        line("slot", id(0xf0, 1), "foreign", &[], repaired),
    ]
}

async fn found_then_mended(db: TestDb) {
    let site = Site::new(db, 400, 1000, "").await;
    site.sync(&[]).await;
    let before = site.slots();
    assert_eq!(site.audit(&[]).await, (0, Vec::new()));

    three_differences_and_a_service(&site).await;
    assert_eq!(site.audit(&[]).await, (3, four_lines(false)));
    let readable = site.run("audit", &["fer", "service", "slot"]).await;
    for words in ["fer.service: 39 equal, 1 stale", ": price", "fer.slot: 398 equal, 1 missing, 1 stale, 1 foreign"] {
        assert!(readable.out.contains(words), "{}", readable.out);
    }

    let received = site.count(|counters| counters.received);
    assert_eq!(site.audit(&["--repair"]).await, (0, four_lines(true)));
    assert_eq!(site.count(|counters| counters.received) - received, 3, "only what differed is sent");
    assert_eq!(site.slots(), before);
    assert_eq!(site.audit(&[]).await, (0, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn differences_are_found_and_mended_over_sqlite() {
    found_then_mended(sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn differences_are_found_and_mended_over_postgres() {
    found_then_mended(postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn visits_on_the_clock_of_utc_read_back_as_they_were_sent() {
    let site = Site::new(sqlite().await, 40, 1000, "visit_time_zone = \"utc\"\n").await;
    site.sync(&[]).await;
    assert_eq!(site.audit(&[]).await, (0, Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_ledger_is_adopted_from_the_mart_within_the_rate() {
    const RATE: u32 = 100;
    let site = Site::new(sqlite().await, 400, RATE, "").await;
    site.sync(&[]).await;
    site.lose_the_ledger();
    let (received, reads) = (site.count(|counters| counters.received), site.count(|counters| counters.reads));
    let since = Instant::now();
    assert_eq!(site.audit(&["--repair"]).await, (0, Vec::new()));
    let asked = site.count(|counters| counters.reads) - reads;
    assert!(asked > 200, "{asked}");
    assert!(since.elapsed() >= Duration::from_secs(1) * (asked as u32 - 1) / RATE, "{asked} in {:?}", since.elapsed());
    site.sync(&["--full"]).await;
    assert_eq!(site.count(|counters| counters.received), received, "nothing is sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_takes_the_audit_over_and_slots_keep_going() {
    let more = "[portals.fer.feeds.slot]\nevery = \"1s\"\n";
    let site = Site::new(sqlite().await, 400, 40, more).await;
    let daemon = site.daemon_over_a_full_mart().await;
    three_differences_and_a_service(&site).await;
    let audit = tokio::spawn({
        let config = site.config.clone();
        async move { audit_beside(&config).await }
    });
    let reads = site.count(|counters| counters.reads);
    site.until("the daemon reads", |site| site.count(|counters| counters.reads) > reads + 20).await;
    let changed = id(6, 11);
    let update = format!("UPDATE vitrina_fer_slot SET status = 'RESERVED' WHERE id = '{changed}'");
    site.db.execute(&[&update]).await;
    let since = Instant::now();
    site.until("the slot arrives", |site| site.slots()[&changed]["status"] == "RESERVED").await;
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    assert!(!audit.is_finished(), "the audit goes on meanwhile");
    let (code, found) = audit.await.unwrap();
    assert_eq!((code, found), (0, four_lines(true)));
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_that_a_stop_of_the_daemon_interrupts_goes_on_at_its_next_start() {
    let site = Site::new(sqlite().await, 400, 40, "").await;
    let daemon = site.daemon_over_a_full_mart().await;
    three_differences_and_a_service(&site).await;
    let reads = site.count(|counters| counters.reads);
    let audit = tokio::spawn({
        let config = site.config.clone();
        async move { audit_beside(&config).await }
    });
    site.until("the daemon reads", |site| site.count(|counters| counters.reads) > reads + 20).await;
    assert_eq!(daemon.stop(), Some(0));
    assert!(!audit.is_finished());
    let next = Daemon::start(&site.config);
    let (code, found) = audit.await.unwrap();
    assert_eq!((code, found), (0, four_lines(true)));
    assert_eq!(next.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_may_not_be_read_is_named_and_the_others_are_told() {
    let site = Site::new(sqlite().await, 20, 1000, "").await;
    site.sync(&[]).await;
    three_differences_and_a_service(&site).await;
    let denied =
        |request: &Request| request.method() == Method::GET && request.uri().path().starts_with("/api/service");
    let deny = from_fn(move |request: Request, next: Next| async move {
        if denied(&request) { StatusCode::FORBIDDEN.into_response() } else { next.run(request).await }
    });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let door = site.gateway.gateway().router().layer(deny);
    tokio::spawn(async move { axum::serve(listener, door).await });
    let text = std::fs::read_to_string(&site.config).unwrap().replace(&site.gateway.url(), &url);
    std::fs::write(&site.config, text).unwrap();

    let ran = site.run("audit", &["fer"]).await;
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    for told in ["fer.service: could not be read: ", "HTTP 403", "fer.slot: 18 equal, 1 missing, 1 stale, 1 foreign"] {
        assert!(ran.out.contains(told), "{told} is not in {}", ran.out);
    }
    assert!(ran.err.contains("service of fer could not be read"), "{}", ran.err);
    assert_eq!(site.audit(&["slot", "mo"]).await, (3, four_lines(false)[1..].to_vec()), "the others alone");
}

/// `audit fer --repair --json` as soon as a daemon holds the ledger: its exit code and what it found.
async fn audit_beside(config: &Path) -> (i32, Vec<Value>) {
    let config = config.to_str().unwrap().to_owned();
    let ran =
        tokio::task::spawn_blocking(move || run(vitrina(&["audit", "--config", &config, "fer", "--repair", "--json"])));
    let ran = ran.await.unwrap();
    assert!(ran.err.contains("the running daemon does the audit"), "{}", ran.err);
    (ran.code, serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err)))
}
