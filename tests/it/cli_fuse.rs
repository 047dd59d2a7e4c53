//! `vitrina fuse`: a view that loses most of its rows removes nothing until an operator has said so.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use vitrina::demo::fer::{FerGateway, GatewaySettings, Running, Subsystem};

use crate::support::command::{Ran, run, vitrina, write_private};
use crate::support::daemon::Daemon;
use crate::support::database::{TestDb, sqlite};
use crate::support::hospital::Hospital;

/// What a pass says of a fuse.
const HOLDS: &str = "fer.slot: the fuse holds removals back: 90 of 100 records of slot would be removed";
/// The fuse as a metric.
const METRIC: &str = "vitrina_fuse_tripped{feed=\"slot\",portal=\"fer\"}";

struct Site {
    config: PathBuf,
    folder: tempfile::TempDir,
    db: TestDb,
    gateway: Running,
    listen: SocketAddr,
}

impl Site {
    /// A hospital of 100 slots at the mart, of whose rows all but ten are gone since.
    async fn after_a_loss() -> Self {
        Site::after_a_loss_with("").await
    }

    /// As [`Site::after_a_loss`], with more in the configuration.
    async fn after_a_loss_with(more: &str) -> Self {
        let site = Site::before_a_loss(more).await;
        site.db.execute(&["DELETE FROM vitrina_fer_slot WHERE rowid > 10"]).await;
        let tripped = site.run("sync", &["--full"]).await;
        assert_eq!(tripped.code, 3, "{}{}", tripped.out, tripped.err);
        assert_eq!(tripped.out.matches(HOLDS).count(), 1, "{}", tripped.out);
        site
    }

    /// A hospital of 100 slots at the mart.
    async fn before_a_loss(more: &str) -> Self {
        let db = sqlite().await;
        Hospital::new(100, false).fill(&db).await;
        db.execute(&["DELETE FROM vitrina_fer_book"]).await;
        let account = GatewaySettings::default();
        let gateway = FerGateway::start(SocketAddr::from(([127, 0, 0, 1], 0)), account.clone()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        // A port of our own, so that nobody else's daemon answers for ours.
        let listen = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let text = format!(
            "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n\
             [ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"{listen}\"\n\
             [portals.fer]\nkind = \"fer\"\nurl = \"{}\"\nusername = \"{}\"\npassword = \"{}\"\nrequests_per_second = 1000\n{more}",
            db.url,
            folder.path().join("ledger.db").display(),
            gateway.url(),
            account.username,
            account.password,
        );
        let config = write_private(folder.path(), "vitrina.toml", &text);
        let site = Site { config, folder, db, gateway, listen };
        assert_eq!(site.run("sync", &[]).await.code, 0);
        site
    }

    /// What the gateway holds of slots.
    fn slots(&self) -> usize {
        self.gateway.gateway().len(Subsystem::Slot)
    }

    /// What the daemon says at this path; nothing while it does not answer.
    async fn ask(&self, path: &str) -> Option<String> {
        let answer = reqwest::get(format!("http://{}{path}", self.listen)).await.ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    }

    /// What the daemon says at this path, as soon as that fits.
    async fn told(&self, path: &str, fits: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let told = self.ask(path).await;
            if let Some(told) = told.as_ref().filter(|told| fits(told)) {
                return told.clone();
            }
            assert!(Instant::now() < deadline, "{path}: {told:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn run(&self, verb: &str, more: &[&str]) -> Ran {
        let config = self.config.to_str().unwrap();
        let words: Vec<&str> = verb.split(' ').chain(["--config", config]).chain(more.iter().copied()).collect();
        let command = vitrina(&words);
        tokio::task::spawn_blocking(move || run(command)).await.unwrap()
    }

    async fn words(&self) -> Vec<(String, String)> {
        let url = format!("sqlite:{}?mode=ro", self.folder.path().join("ledger.db").display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let words = sqlx::query_as("SELECT kind, feed FROM word ORDER BY id");
        words.fetch_all(&mut connection).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tripped_fuse_is_listed_with_what_it_holds_back() {
    let site = Site::after_a_loss().await;
    assert_eq!(site.gateway.gateway().len(Subsystem::Slot), 100, "nothing is removed");
    let list = site.run("fuse list", &[]).await;
    assert_eq!(list.code, 0, "{}", list.err);
    for told in ["90 of 100 records of slot", "vitrina fuse accept fer.slot", "and others"] {
        assert!(list.out.contains(told), "{told} is not in {}", list.out);
    }
    let russian = site.run("fuse list", &["fer.slot", "--lang", "ru"]).await;
    assert!(russian.out.contains("slot — 90 из 100"), "{}", russian.out);
    let json = site.run("fuse list", &["--json"]).await;
    let fuses: Vec<Value> = serde_json::from_str(&json.out).unwrap();
    assert_eq!(fuses.len(), 1);
    assert_eq!((&fuses[0]["feed"], &fuses[0]["accepted"]), (&"slot".into(), &false.into()));
    assert_eq!(fuses[0]["keys"].as_array().unwrap().len(), 90);
    let other = site.run("fuse list", &["fer.mo"]).await;
    assert_eq!(other.out, "No fuse has tripped.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_word_is_left_for_whoever_holds_the_ledger() {
    let site = Site::after_a_loss().await;
    let wrong = site.run("fuse accept", &["fer.mo"]).await;
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("the fuse of fer.mo has not tripped"), "{}", wrong.err);
    let whole = site.run("fuse accept", &["fer"]).await;
    assert!(whole.err.contains("name the feed too"), "{}", whole.err);
    assert_eq!(site.words().await, []);
    let accepted = site.run("fuse accept", &["fer.slot"]).await;
    assert_eq!(accepted.code, 0, "{}", accepted.err);
    assert!(accepted.out.contains("90 of 100") && accepted.out.contains("No daemon answers"), "{}", accepted.out);
    assert_eq!(site.words().await, [("accept_fuse".to_owned(), "slot".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_does_not_ask_the_fuse_says_all_the_same_that_it_stands() {
    let site = Site::after_a_loss_with("[portals.fer.feeds.slot]\nchanged_at = \"create_ts\"\n").await;
    for more in [&[][..], &["fer.slot"], &["--dry-run"], &["--dry-run", "--full"]] {
        let ran = site.run("sync", more).await;
        assert_eq!(ran.code, 3, "{more:?}: {}{}", ran.out, ran.err);
        assert_eq!(ran.out.matches(HOLDS).count(), 1, "{more:?}: {}", ran.out);
    }
    let other = site.run("sync", &["fer.mo"]).await;
    assert_eq!(other.code, 0, "what was not selected is not told of: {}", other.out);
    assert_eq!(site.slots(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_change_column_one_pass_removes_a_deleted_row_and_one_over_an_emptied_view_exits_3() {
    let site = Site::before_a_loss("[portals.fer.feeds.slot]\nchanged_at = \"create_ts\"\n").await;
    site.db.execute(&["DELETE FROM vitrina_fer_slot WHERE rowid = 7"]).await;
    let pretended = site.run("sync", &["--dry-run"]).await;
    assert!(pretended.out.contains("1 gone from the source"), "{}", pretended.out);
    let pass = site.run("sync", &[]).await;
    assert_eq!((pass.code, site.slots()), (0, 99), "{}{}", pass.out, pass.err);
    assert!(pass.out.contains("fer.slot: 99 keys, "), "{}", pass.out);

    site.db.execute(&["DELETE FROM vitrina_fer_slot"]).await;
    let emptied = site.run("sync", &[]).await;
    assert_eq!((emptied.code, site.slots()), (3, 99), "{}{}", emptied.out, emptied.err);
    let named = "fer.slot: the fuse holds removals back: the query returned no row at all; 99 of 99 records of slot";
    assert!(emptied.out.contains(named), "{}", emptied.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_tells_of_the_fuse_without_a_daemon() {
    let site = Site::after_a_loss().await;
    let text = site.run("status", &[]).await;
    assert_eq!(text.code, 0, "{}", text.err);
    for told in ["fer.slot: the fuse has tripped: 90 of 100", "vitrina fuse accept fer.slot", "fer.slot attention"] {
        let words: Vec<&str> = text.out.split_whitespace().collect();
        assert!(words.join(" ").contains(told), "{told} is not in {}", text.out);
    }
    let json: Value = serde_json::from_str(&site.run("status", &["--json"]).await.out).unwrap();
    assert_eq!(fuse_of_slots(&json), 90);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_operators_word_a_pass_removes_what_was_held_back() {
    let site = Site::after_a_loss_with("[portals.fer.feeds.slot]\nchanged_at = \"create_ts\"\n").await;
    assert_eq!(site.run("fuse accept", &["fer.slot"]).await.code, 0);
    let pass = site.run("sync", &[]).await;
    assert_eq!(pass.code, 0, "{}{}", pass.out, pass.err);
    assert!(pass.out.contains("90 removed") && !pass.out.contains("the fuse"), "{}", pass.out);
    assert_eq!((site.slots(), site.words().await.len()), (10, 0));
    let again = site.run("sync", &["--full"]).await;
    assert_eq!((again.code, site.slots()), (0, 10), "{}", again.out);
    assert_eq!(site.run("fuse list", &[]).await.out, "No fuse has tripped.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_shows_the_fuse_and_hears_the_operators_word() {
    let site = Site::after_a_loss().await;
    let _daemon = Daemon::start(&site.config);
    let metrics = site.told("/metrics", |text| text.contains(METRIC)).await;
    assert!(metrics.contains(&format!("{METRIC} 1")), "{metrics}");
    let status: Value = serde_json::from_str(&site.told("/api/status", |_| true).await).unwrap();
    assert_eq!(fuse_of_slots(&status), 90);
    assert!(site.run("status", &[]).await.out.contains("the fuse has tripped: 90 of 100"));

    let accepted = site.run("fuse accept", &["fer.slot"]).await;
    assert!(accepted.out.contains("The running daemon takes it up"), "{}{}", accepted.out, accepted.err);
    site.told("/metrics", |text| text.contains(&format!("{METRIC} 0"))).await;
    site.told("/api/status", |_| site.slots() == 10).await;
    assert_eq!(site.words().await, [], "a word is heard once");
}

/// How many records the fuse of slots holds back, in a status that calls for attention.
fn fuse_of_slots(status: &Value) -> u64 {
    let feeds = status["feeds"].as_array().unwrap();
    let slots = feeds.iter().find(|feed| feed["feed"] == "slot").unwrap();
    assert_eq!(slots["state"], "attention", "{slots}");
    assert!(slots["fuse"]["reason"].as_str().unwrap().starts_with("90 of 100 records of slot"), "{slots}");
    slots["fuse"]["removals"].as_u64().unwrap()
}
