//! `vitrina unit`: a paused unit is listed with its reason, and resumed by an operator's word that the next process hears.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;
use vitrina::demo::fer::{FerGateway, GatewaySettings, Running, Subsystem};
use vitrina::ledger::{Ledger, Note, NoteKind, NotePlace, SqliteLedger};

use crate::support::command::{Ran, run, vitrina, write_private};
use crate::support::database::{TestDb, sqlite};
use crate::support::hospital::{Hospital, id};

struct Site {
    config: PathBuf,
    folder: tempfile::TempDir,
    _db: TestDb,
    gateway: Running,
    unit: String,
}

impl Site {
    /// A hospital of five units, one of which was blocked by the portal before anything of it was sent.
    async fn with_a_blocked_unit() -> Self {
        let db = sqlite().await;
        Hospital::new(20, false).fill(&db).await;
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
        let unit = id(1, 0);
        let site = Site { config, folder, _db: db, gateway, unit };
        site.block().await;
        site
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
