//! `vitrina unit`: a paused unit is listed with its reason, and resumed by an operator's word that the next process hears.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};
use vitrina::demo::fer::{FerGateway, GatewaySettings, NamedBy, Running, Subsystem};
use vitrina::ledger::{Ledger, Note, NoteKind, NotePlace, SqliteLedger};

use crate::support::command::{Ran, run, vitrina, write_private};
use crate::support::database::{TestDb, sqlite};
use crate::support::hospital::{Hospital, id};

struct Site {
    config: PathBuf,
    folder: tempfile::TempDir,
    db: TestDb,
    gateway: Running,
    unit: String,
}

impl Site {
    /// A hospital of five units, one of which was blocked by the portal before anything of it was sent.
    async fn with_a_blocked_unit() -> Self {
        let site = Site::new(GatewaySettings::default()).await;
        site.block().await;
        site
    }

    /// A hospital of five units and a gateway that knows none of them yet.
    async fn new(account: GatewaySettings) -> Self {
        let db = sqlite().await;
        Hospital::new(20, false).fill(&db).await;
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
        let unit = id(1, 0);
        Site { config, folder, db, gateway, unit }
    }

    /// Another client of the account sends the gateway a slot of the unit that is refused, and so gets the unit blocked.
    async fn another_client_gets_it_blocked(&self) {
        let (http, url) = (reqwest::Client::new(), self.gateway.url());
        let account = GatewaySettings::default();
        let login = json!({"username": account.username, "password": account.password});
        let signed_in: Value =
            http.post(format!("{url}/auth.svc")).json(&login).send().await.unwrap().json().await.unwrap();
        let token = format!("bearer {}", signed_in["Result"]["Value"].as_str().unwrap());
        let slots = self.gateway.gateway().snapshot(Subsystem::Slot);
        let mut slot = slots.values().find(|slot| slot["mo_id"] == self.unit.as_str()).unwrap().clone();
        slot["status"] = "FREE".into();
        let request = http.post(format!("{url}/api/slot")).header("Authorization", token);
        assert_eq!(request.json(&json!({"data": [slot]})).send().await.unwrap().status(), 422);
        assert_eq!(self.gateway.gateway().blocked_units(), [self.unit.as_str()]);
    }

    /// What the gateway says of whom the unit receives.
    fn enabled(&self) -> Value {
        self.gateway.gateway().snapshot(Subsystem::Mo)[&self.unit]["enabled"].clone()
    }

    async fn block(&self) {
        let ledger = SqliteLedger::open(self.folder.path().join("ledger.db")).await.unwrap();
        let place =
            NotePlace { portal: "fer".into(), feed: String::new(), kind: NoteKind::Unit, name: self.unit.clone() };
        let until = chrono::Utc::now().timestamp() + 3600;
        let body = format!("{{\"until\":{until},\"why\":\"blocked\",\"times\":1}}");
        ledger.set_note(&Note { place, body }).await.unwrap();
        ledger.close().await.unwrap();
    }

    async fn run(&self, verb: &str, more: &[&str]) -> Ran {
        let config = self.config.to_str().unwrap();
        let words: Vec<&str> = verb.split(' ').chain(["--config", config]).chain(more.iter().copied()).collect();
        let command = vitrina(&words);
        tokio::task::spawn_blocking(move || run(command)).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_unit_is_listed_and_sends_nothing_until_it_is_resumed() {
    let site = Site::with_a_blocked_unit().await;
    let listed = site.run("unit list", &["--lang", "en"]).await;
    assert!(listed.out.contains("the portal has blocked it (405)"), "{}", listed.out);
    assert!(listed.out.contains(&format!("vitrina unit resume fer {}", site.unit)), "{}", listed.out);
    let json: Value = serde_json::from_str(&site.run("unit list", &["fer", "--json"]).await.out).unwrap();
    assert_eq!((&json[0]["unit"], &json[0]["times"]), (&Value::from(site.unit.as_str()), &Value::from(1)));
    site.run("sync", &[]).await;
    let units = || site.gateway.gateway().len(Subsystem::Mo);
    assert_eq!(units(), 4, "the others are served");
    let resumed = site.run("unit resume", &["fer", &site.unit.to_uppercase()]).await;
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    assert_eq!(site.run("sync", &[]).await.code, 0);
    assert_eq!((units(), site.gateway.gateway().len(Subsystem::Slot)), (5, 20));
    assert!(site.run("unit list", &["--lang", "ru"]).await.out.contains("Ни одно подразделение"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_or_portal_that_is_not_there_is_an_error_that_names_those_that_are() {
    let site = Site::with_a_blocked_unit().await;
    let nobody = site.run("unit resume", &["fer", "00000000-0000-0000-0000-000000000009"]).await;
    assert_eq!(nobody.code, 2);
    assert!(nobody.err.contains(&site.unit), "{}", nobody.err);
    let nowhere = site.run("unit list", &["pos"]).await;
    assert!(nowhere.code == 2 && nowhere.err.contains("configured are: fer"), "{}", nowhere.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_was_blocked_opens_again_with_the_operators_word() {
    let site = Site::new(GatewaySettings { block_unit_after: Some(1), ..GatewaySettings::default() }).await;
    assert_eq!(site.run("sync", &[]).await.code, 0);
    site.another_client_gets_it_blocked().await;
    site.db.execute(&["UPDATE vitrina_fer_slot SET duration = 25"]).await;
    site.run("sync", &[]).await;
    assert_eq!(site.enabled(), "NONE");
    assert!(site.gateway.gateway().unblock_unit(&site.unit));
    assert_eq!(site.enabled(), "NONE", "lifting the block opens nothing");
    assert_eq!(site.run("unit resume", &["fer", &site.unit]).await.code, 0);
    let synced = site.run("sync", &[]).await;
    assert_eq!((synced.code, site.enabled()), (0, Value::from("ALL")), "{}", synced.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn referrals_wait_for_the_unit_that_gives_them_if_it_is_ours_and_for_no_other() {
    let site = Site::with_a_blocked_unit().await;
    site.db.execute(&["ALTER TABLE vitrina_fer_referral ADD COLUMN from_mo_id TEXT"]).await;
    let from = |number: usize, unit: &str| {
        format!("UPDATE vitrina_fer_referral SET from_mo_id = '{unit}' WHERE id = '{}'", id(7, number))
    };
    // All of them lead to the unit that is blocked. One is given by another hospital's unit, one by a blocked unit of ours.
    site.db.execute(&["DELETE FROM vitrina_fer_book"]).await;
    let (elsewhere, ours) = (from(0, &id(0xf1, 1)), from(1, &site.unit));
    site.db.execute(&[&elsewhere]).await;
    site.run("sync", &[]).await;
    assert_eq!(site.gateway.gateway().len(Subsystem::Referral), 2);
    site.db.execute(&[&ours]).await;
    site.run("sync", &[]).await;
    let referrals = site.gateway.gateway().snapshot(Subsystem::Referral);
    let held = |number: usize| referrals[&id(7, number)].get("from_mo_id").cloned();
    assert_eq!((held(0), held(1)), (Some(Value::from(id(0xf1, 1))), None), "ours waits for its unit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_a_405_names_pauses_without_a_try_of_each() {
    for (named, requests) in [
        (NamedBy::Nothing, 6),
        (NamedBy::Field("id"), 2),
        (NamedBy::Field("branch_oid"), 2),
        (NamedBy::Field("name"), 2),
        // The organisation's own OID is that of all its units.
        (NamedBy::Field("parent_id"), 6),
    ] {
        let account =
            GatewaySettings { block_unit_after: Some(1), blocked_unit_named: named, ..GatewaySettings::default() };
        let site = Site::new(account).await;
        let oids = (0..5).map(|n| {
            format!("UPDATE vitrina_fer_mo SET branch_oid = '1.2.643.5.{n}', parent_id = '1.2.643.5.1.13.13.12.2.86.8902' WHERE id = '{}'", id(1, n))
        });
        for oid in oids {
            site.db.execute(&[&oid]).await;
        }
        assert_eq!(site.run("sync", &[]).await.code, 0);
        site.another_client_gets_it_blocked().await;
        site.db.execute(&["UPDATE vitrina_fer_slot SET duration = 25"]).await;
        let before = site.gateway.gateway().log().len();
        site.run("sync", &[]).await;
        let log = site.gateway.gateway().log();
        let sent = log[before..].iter().filter(|entry| entry.method == "POST" && entry.subsystem == Subsystem::Slot);
        assert_eq!(sent.count(), requests, "{named:?}");
        let listed: Value = serde_json::from_str(&site.run("unit list", &["fer", "--json"]).await.out).unwrap();
        assert_eq!(listed.as_array().unwrap().len(), 1, "{named:?}");
        assert_eq!(listed[0]["unit"], site.unit.as_str(), "{named:?}");
    }
}
