//! `vitrina fuse`: a view that loses most of its rows removes nothing until an operator has said so.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use vitrina::demo::fer::{FerGateway, GatewaySettings, Running, Subsystem};

use crate::support::command::{Ran, run, vitrina, write_private};
use crate::support::database::{TestDb, sqlite};
use crate::support::hospital::Hospital;

struct Site {
    config: PathBuf,
    folder: tempfile::TempDir,
    db: TestDb,
    gateway: Running,
}

impl Site {
    /// A hospital of 100 slots at the mart, of whose rows all but ten are gone since.
    async fn after_a_loss() -> Self {
        let db = sqlite().await;
        Hospital::new(100, false).fill(&db).await;
        let account = GatewaySettings::default();
        let gateway = FerGateway::start(SocketAddr::from(([127, 0, 0, 1], 0)), account.clone()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n\
             [ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:0\"\n\
             [portals.fer]\nkind = \"fer\"\nurl = \"{}\"\nusername = \"{}\"\npassword = \"{}\"\nrequests_per_second = 1000\n",
            db.url,
            folder.path().join("ledger.db").display(),
            gateway.url(),
            account.username,
            account.password,
        );
        let config = write_private(folder.path(), "vitrina.toml", &text);
        let site = Site { config, folder, db, gateway };
        assert_eq!(site.run("sync", &[]).await.code, 0);
        site.db.execute(&["DELETE FROM vitrina_fer_slot WHERE rowid > 10"]).await;
        site.run("sync", &["--full"]).await;
        site
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
