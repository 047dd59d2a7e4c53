//! `vitrina log`, `rejects resolve` and what `status` says of exchanges, by the built program over a ledger.

use std::net::TcpListener;
use std::path::PathBuf;

use serde_json::Value;
use vitrina::ledger::{Exchange, ExchangeState, Ledger, Refusal, Settlement, SqliteLedger, State, WordKind};
use vitrina::record::{Key, Receipt};

use crate::support::command::{Ran, run, vitrina, write_private};

/// A ledger that knows one record that is confirmed and one of unknown outcome.
struct Site {
    config: PathBuf,
    folder: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A port of our own, so that nobody else's daemon answers for ours.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let path = folder.path().join("ledger.db");
        let text = format!(
            "[sources.mis]\nurl = \"sqlite:/nowhere\"\n[ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:{port}\"\n\
             [portals.fer]\nkind = \"fer\"\nurl = \"http://127.0.0.1:1\"\nusername = \"1.2.3\"\npassword = \"p\"\n",
            path.display(),
        );
        let config = write_private(folder.path(), "vitrina.toml", &text);
        let site = Site { config, folder };
        site.fill().await;
        site
    }

    async fn ledger(&self) -> SqliteLedger {
        SqliteLedger::open(self.folder.path().join("ledger.db")).await.unwrap()
    }

    async fn fill(&self) {
        let ledger = self.ledger().await;
        let feed = ledger.feed("fer", "slot").await.unwrap();
        let confirmed = Exchange {
            key: Key::Guid(1),
            version: None,
            state: ExchangeState::Confirmed,
            receipt: Some(Receipt { remote_id: Some("r-1".into()), ..Receipt::default() }),
            sent: Some(60),
            changed: 120,
            code: None,
            write_back: None,
        };
        let unknown = Exchange {
            key: Key::Guid(2),
            state: ExchangeState::Unknown,
            receipt: None,
            code: Some("OUTCOME_UNKNOWN".into()),
            ..confirmed.clone()
        };
        let refused = Refusal {
            key: Some(Key::Guid(2)),
            state: State::Unknown,
            code: "OUTCOME_UNKNOWN".into(),
            violations: Vec::new(),
            text: "the answer was lost: nobody knows whether the portal took the record".into(),
            since: 60,
        };
        let exchanged = vec![confirmed, unknown];
        let settlement = Settlement { exchanged, refused: vec![refused], ..Settlement::default() };
        ledger.settle(feed, settlement).await.unwrap();
        ledger.close().await.unwrap();
    }

    async fn run(&self, verb: &str, more: &[&str]) -> Ran {
        let config = self.config.to_str().unwrap();
        let words: Vec<&str> = verb.split(' ').chain(["--config", config]).chain(more.iter().copied()).collect();
        let command = vitrina(&words);
        tokio::task::spawn_blocking(move || run(command)).await.unwrap()
    }
}

#[tokio::test]
async fn the_register_is_listed_in_three_forms() {
    let site = Site::new().await;
    let text = site.run("log", &["fer"]).await;
    assert_eq!(text.code, 0, "{}", text.err);
    assert!(text.out.contains("fer.slot 00000000-0000-0000-0000-000000000001 confirmed"), "{}", text.out);
    assert!(text.out.contains("OUTCOME_UNKNOWN: "), "codes are explained: {}", text.out);
    let rows: Value = serde_json::from_str(&site.run("log", &["--json", "--state", "unknown"]).await.out).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!((&rows[0]["code"], &rows[0]["sent"]), (&"OUTCOME_UNKNOWN".into(), &"1970-01-01T00:01:00Z".into()));
    let table = site.run("log", &["fer.slot", "--csv"]).await.out;
    assert_eq!(table.lines().count(), 3);
    assert!(table.starts_with("portal,feed,key,state,sent,"), "{table}");
    assert_eq!(site.run("log", &["fer.mo"]).await.out, "nothing was exchanged\n");
    assert_eq!(site.run("log", &["pos"]).await.code, 2);
}

#[tokio::test]
async fn status_counts_the_register() {
    let site = Site::new().await;
    let text = site.run("status", &[]).await.out;
    assert!(text.contains("fer.slot: exchanged: 1 confirmed, 1 unknown; see `vitrina log fer.slot`"), "{text}");
    let status: Value = serde_json::from_str(&site.run("status", &["--json"]).await.out).unwrap();
    let register = &status["feeds"][0]["register"];
    assert_eq!(
        (&register["confirmed"], &register["unknown"], &register["write_back"]),
        (&1.into(), &1.into(), &0.into())
    );
}

#[tokio::test]
async fn an_unknown_outcome_is_listed_with_both_ways_out_in_both_languages() {
    let site = Site::new().await;
    for (language, word) in [("en", "look for the record"), ("ru", "найдите запись на портале")] {
        let more = ["--state", "unknown", "--json", "--lang", language];
        let items: Value = serde_json::from_str(&site.run("rejects list", &more).await.out).unwrap();
        let remedy = items[0]["remedy"].as_str().unwrap();
        assert_eq!((&items[0]["state"], &items[0]["code"]), (&"unknown".into(), &"OUTCOME_UNKNOWN".into()));
        assert!(remedy.contains("--sent") && remedy.contains("--not-sent") && remedy.contains(word), "{remedy}");
    }
}

#[tokio::test]
async fn a_resolution_leaves_a_word_and_is_refused_for_what_is_not_unknown() {
    let site = Site::new().await;
    let key = Key::Guid(2).to_string();
    let said = site.run("rejects resolve", &["fer.slot", &key.to_uppercase(), "--sent", "r-2"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains(&format!("fer.slot {key} is at the portal as r-2")), "{}", said.out);
    assert_eq!(site.run("rejects resolve", &["fer.slot", &key, "--not-sent"]).await.code, 0);
    let other = Key::Guid(1).to_string();
    for more in [
        vec!["fer.slot", &other, "--not-sent"],
        vec!["fer.slot", &key],
        vec!["fer.slot", &key, "--sent", "r", "--not-sent"],
        vec!["fer.slot", &key, "--sent", " "],
        vec!["fer", &key, "--not-sent"],
        vec!["fer.book", &key, "--not-sent"],
    ] {
        let refused = site.run("rejects resolve", &more).await;
        assert_eq!(refused.code, 2, "{more:?}: {}", refused.out);
    }
    let words = site.ledger().await.words().await.unwrap();
    let arguments: Vec<Value> = words.iter().map(|(_, word)| serde_json::from_str(&word.argument).unwrap()).collect();
    assert_eq!(words.iter().filter(|(_, word)| word.kind == WordKind::Resolve).count(), 2);
    assert_eq!(arguments[0], serde_json::json!({"key": key, "outcome": {"sent": "r-2"}}));
    assert_eq!(arguments[1], serde_json::json!({"key": key, "outcome": "not_sent"}));
}
