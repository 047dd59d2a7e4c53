//! The built program and the register of training: reading it by hand, and a takeover by an audit.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;
use vitrina::demo::sout::{RegisterSettings, Running};
use vitrina::portal::{Delivery, Portal};

use crate::support::command::{run, vitrina, write_private};
use crate::support::database::{TestDb, sqlite};
use crate::support::sout::{KEY, batch, portal, register, schema, settings, signing, training};

struct Site {
    _db: TestDb,
    running: Running,
    _folder: TempDir,
    config: PathBuf,
}

impl Site {
    /// A hospital with one row, `a-1`, and a register that another program has filled.
    async fn new() -> Self {
        let (db, running) = (sqlite().await, register(RegisterSettings::new(KEY)).await);
        db.execute(&[
            "CREATE TABLE done (id TEXT, number TEXT, at TEXT, state TEXT)",
            "INSERT INTO done (id) VALUES ('a-1')",
        ])
        .await;
        db.execute(&["CREATE VIEW vitrina_sout_training AS SELECT 'a-1' AS outer_id, 'Секретова' AS last_name, 'Анна' AS first_name,
             '11223344595' AS snils, 'врач' AS position, '7707083893' AS employer_inn, 'ООО' AS employer_title,
             '7707083893' AS organization_inn, 'УЦ' AS organization_title, '2026-10-02' AS test_date, '17/2' AS protocol_number,
             4 AS learn_program_id, 1 AS is_passed"])
            .await;
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[sources.mis]\nurl = \"{}\"\n[ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:0\"\n\
             [portals.sout]\nkind = \"sout\"\nurl = \"{}\"\napi_key = \"{KEY}\"\n\
             sign_command = [\"sh\", \"-c\", \"printf MAMCAQE= > $1.sig\", \"sign\"]\n[portals.sout.feeds.training]\n\
             write_back = \"UPDATE done SET number = :base_no, at = :registered_at, state = :status WHERE id = :key\"\n",
            db.url,
            folder.path().join("ledger.db").display(),
            running.url(),
        );
        let config = write_private(folder.path(), "vitrina.toml", &text);
        let elsewhere = portal(settings(&running.url(), Some(signing())));
        let pushed = elsewhere.deliver(schema(), &batch(&[training("other-1")])).await;
        assert!(matches!(pushed, Delivery::Judged(_)));
        Site { _db: db, running, _folder: folder, config }
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let config = ["--config", self.config.to_str().unwrap()];
        let ran = run(vitrina(&[arguments, &config].concat()));
        (ran.code, ran.out, ran.err)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_register_is_printed_in_every_form_and_nowhere_else() {
    let site = Site::new().await;
    let (code, out, err) =
        site.run(&["register", "sout", "--json", "--snils", "11223344595", "--tested-from", "2026-10-01"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let records: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&records[0]["outer_id"], &records[0]["last_name"]), (&"other-1".into(), &"Секретова".into()));
    assert_eq!(records[0]["base_no"].as_str().map(str::to_owned), site.running.mock().base_no("other-1"));
    let (_, csv, _) = site.run(&["register", "sout", "--csv"]);
    assert!(csv.starts_with("base_no,registered_at,set_id,outer_id,") && csv.contains("Секретова"), "{csv}");
    let (_, none, _) = site.run(&["register", "sout", "--json", "--last-name", "Никто"]);
    assert_eq!(none, "[]\n");
    let (code, out, err) = site.run(&["register", "sout", "--created-from", "yesterday"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("YYYY-MM-DD"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_by_an_audit_pushes_nothing_and_brings_the_numbers() {
    let site = Site::new().await;
    let (code, out, _) = site.run(&["audit", "sout"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("1 equal, 1 of the equal ones unknown to the ledger"), "{out}");
    let (code, out, _) = site.run(&["audit", "sout", "--repair"]);
    assert_eq!(code, 0, "{out}");
    let (code, out, err) = site.run(&["sync", "sout"]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(site.running.mock().counters().pushes, 1, "the other program's alone");
    let (_, log, _) = site.run(&["log", "sout"]);
    let number = site.running.mock().base_no("other-1").unwrap();
    assert!(log.contains("a-1 confirmed") && log.contains(&number), "{log}");
    assert!(!log.contains("to be written back"), "{log}");
}
