//! The built program from end to end: real databases in, real HTTP to the mock gateway, until the mart holds what the source says.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use vitrina::demo::fer::{FerGateway, GatewaySettings, Running, Subsystem};

use crate::support::command::{Ran, run, vitrina, write_private};
use crate::support::database::{TestDb, mariadb, postgres, sqlite};
use crate::support::hospital::{Hospital, id};

/// A database, a gateway and a configuration between them.
struct Site {
    db: TestDb,
    gateway: Running,
    config: PathBuf,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn new(db: TestDb, more: &str) -> Self {
        Self::before(GatewaySettings::default(), db, more).await
    }

    /// A site whose gateway has these settings and the usual account.
    async fn before(gateway: GatewaySettings, db: TestDb, more: &str) -> Self {
        let gateway = FerGateway::start(SocketAddr::from(([127, 0, 0, 1], 0)), gateway).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let account = GatewaySettings::default();
        let text = format!(
            "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n\
             [ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:0\"\n\
             [portals.fer]\nkind = \"fer\"\nurl = \"{}\"\nusername = \"{}\"\npassword = \"{}\"\nrequests_per_second = 1000\n{more}",
            db.url,
            folder.path().join("ledger.db").display(),
            gateway.url(),
            account.username,
            account.password,
        );
        let config = write_private(folder.path(), "vitrina.toml", &text);
        Site { db, gateway, config, _folder: folder }
    }

    async fn sync(&self, more: &[&str]) -> Ran {
        let config = self.config.to_str().unwrap().to_owned();
        let more: Vec<String> = more.iter().map(|argument| (*argument).to_owned()).collect();
        let ran = tokio::task::spawn_blocking(move || {
            let mut arguments = vec!["sync", "--config", &config];
            arguments.extend(more.iter().map(String::as_str));
            run(vitrina(&arguments))
        });
        ran.await.unwrap()
    }

    fn held(&self, feed: &str) -> BTreeSet<String> {
        self.gateway.gateway().snapshot(Subsystem::parse(feed).unwrap()).into_keys().collect()
    }

    fn received(&self) -> u64 {
        Subsystem::ALL.iter().map(|subsystem| self.gateway.gateway().counters(*subsystem).received).sum()
    }

    /// Ids of the slots in all requests after the first `seen`.
    fn slots_since(&self, seen: usize) -> Vec<String> {
        let log = self.gateway.gateway().log();
        let posts = log.iter().skip(seen).filter(|entry| entry.method == "POST" && entry.path == "/api/slot");
        posts.flat_map(|entry| entry.ids.clone()).collect()
    }

    fn assert_mart_is(&self, hospital: &Hospital) {
        for (feed, ids) in &hospital.sound {
            assert_eq!(&self.held(feed), ids, "{feed}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_with_a_refused_password_do_not_log_in_again_and_one_with_another_does() {
    let db = sqlite().await;
    Hospital::new(20, false).fill(&db).await;
    let site = Site::new(db, "").await;
    let right = std::fs::read_to_string(&site.config).unwrap();
    let password = GatewaySettings::default().password;
    let wrong = right.replace(&format!("password = \"{password}\""), "password = \"mistyped\"");
    assert_ne!(right, wrong);
    std::fs::write(&site.config, wrong).unwrap();
    for told in ["does not accept the credentials", "is not tried again for", "is not tried again for"] {
        let ran = site.sync(&[]).await;
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        assert!(ran.out.contains(told), "{}{}", ran.out, ran.err);
        assert_eq!(site.gateway.gateway().totals().logins_refused, 1);
    }
    std::fs::write(&site.config, right).unwrap();
    let mended = site.sync(&[]).await;
    assert_eq!(mended.code, 0, "{}{}", mended.out, mended.err);
}

async fn a_pass_then_nothing_then_ten(db: TestDb) {
    let hospital = Hospital::new(3000, true);
    hospital.fill(&db).await;
    let site = Site::new(db, "").await;

    let first = site.sync(&[]).await;
    assert_eq!(first.code, 3, "{}{}", first.out, first.err);
    site.assert_mart_is(&hospital);
    for (feed, id, field, rule) in &hospital.faulty {
        let named = first
            .out
            .lines()
            .any(|line| [&format!("fer.{feed} "), id.as_str(), field, rule].iter().all(|word| line.contains(word)));
        assert!(named, "no line names {feed} {id} {field} {rule}:\n{}", first.out);
    }
    let refused: u64 = Subsystem::ALL.iter().map(|subsystem| site.gateway.gateway().counters(*subsystem).refused).sum();
    assert_eq!(refused, 0, "what the gateway would refuse stays at home");

    let received = site.received();
    let second = site.sync(&[]).await;
    assert_eq!(second.code, 3, "the faulty rows are still there");
    assert_eq!(site.received(), received, "nothing is sent twice");

    let before = site.gateway.gateway().log().len();
    let changed: BTreeSet<String> = (100..110).map(|number| id(6, number * 7)).collect();
    let list: Vec<String> = changed.iter().map(|id| format!("'{id}'")).collect();
    let update = format!("UPDATE vitrina_fer_slot SET status = 'BLOCKED' WHERE id IN ({})", list.join(", "));
    site.db.execute(&[&update]).await;
    site.sync(&[]).await;
    let sent = site.slots_since(before);
    assert_eq!(sent.len(), 10, "each once");
    assert_eq!(sent.into_iter().collect::<BTreeSet<_>>(), changed);
    let slots = site.gateway.gateway().snapshot(Subsystem::Slot);
    assert!(changed.iter().all(|id| slots[id]["status"] == "BLOCKED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_reaches_the_mart() {
    a_pass_then_nothing_then_ten(postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_reaches_the_mart() {
    a_pass_then_nothing_then_ten(mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_reaches_the_mart() {
    a_pass_then_nothing_then_ten(sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_engine_gives_the_same_bodies() {
    let hospital = Hospital::new(200, false);
    let mut marts = Vec::new();
    for db in [sqlite().await, postgres().await, mariadb().await] {
        hospital.fill(&db).await;
        let site = Site::new(db, "").await;
        let ran = site.sync(&[]).await;
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        marts.push(Subsystem::ALL.map(|subsystem| site.gateway.gateway().snapshot(subsystem)));
    }
    assert_eq!(marts[0], marts[1]);
    assert_eq!(marts[0], marts[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let db = sqlite().await;
    Hospital::new(100, true).fill(&db).await;
    let site = Site::new(db, "").await;
    let ran = site.sync(&["--dry-run"]).await;
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("fer.slot: 104 rows, 0 unchanged, would send 100"), "{}", ran.out);
    assert!(ran.out.contains("snils"), "{}", ran.out);
    assert_eq!(site.received(), 0);
    assert!(!site.config.with_file_name("ledger.db").exists(), "not even a ledger is made");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_feed_can_be_asked_for_and_a_wrong_name_is_told() {
    let db = sqlite().await;
    Hospital::new(10, false).fill(&db).await;
    let site = Site::new(db, "").await;
    assert_eq!(site.sync(&["fer.mo"]).await.code, 0);
    assert_eq!((site.held("mo").len(), site.held("resource").len()), (5, 0));
    let wrong = site.sync(&["fer.solt"]).await;
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("solt") && wrong.err.contains("slot"), "{}", wrong.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_that_is_down_fails_the_pass_and_the_next_one_finishes_it() {
    let db = sqlite().await;
    let hospital = Hospital::new(50, false);
    hospital.fill(&db).await;
    let site = Site::new(db, "[portals.fer.retry]\ninitial = \"1s\"\nmax = \"1s\"\n").await;
    let good = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(&site.config, good.replace(&site.gateway.url(), "http://127.0.0.1:1")).unwrap();
    let down = site.sync(&[]).await;
    assert_eq!(down.code, 1);
    assert!(down.out.contains("cannot connect"), "{}", down.out);
    std::fs::write(&site.config, good).unwrap();
    // What failed waits at most a second.
    let deadline = Instant::now() + Duration::from_secs(20);
    while site.sync(&[]).await.code != 0 || site.held("book").len() < 5 {
        assert!(Instant::now() < deadline, "the passes do not finish what failed");
    }
    site.assert_mart_is(&hospital);
}

/// A daemon that is ended with its test.
struct Running1(Child);

impl Drop for Running1 {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start_daemon(site: &Site) -> Running1 {
    let mut command = vitrina(&["run", "--config", site.config.to_str().unwrap()]);
    Running1(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

async fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn terminate(daemon: &Running1) {
    let sent = std::process::Command::new("kill").arg("-TERM").arg(daemon.0.id().to_string()).status().unwrap();
    assert!(sent.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_told_to_stop_in_mid_load_exits_cleanly_and_loses_nothing() {
    let db = postgres().await;
    let hospital = Hospital::new(20_000, false);
    hospital.fill(&db).await;
    let site = Site::new(db, "batch = 50\nin_flight = 2\n").await;
    let mut daemon = start_daemon(&site);
    wait_until("no slot arrives", || site.held("slot").len() > 1000).await;
    let asked = Instant::now();
    terminate(&daemon);
    let status = tokio::task::block_in_place(|| daemon.0.wait()).unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(20), "within the grace time");
    let held = site.held("slot").len();
    assert!(held < 20_000, "it was stopped in the middle");

    let received = site.received();
    let _again = start_daemon(&site);
    wait_until("the mart does not fill up", || site.held("book").len() == hospital.sound["book"].len()).await;
    site.assert_mart_is(&hospital);
    let missing = hospital.sound.values().map(BTreeSet::len).sum::<usize>() as u64;
    assert_eq!(
        site.received(),
        missing,
        "nothing that was acknowledged is sent again; {received} came before the stop"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_on_one_ledger_is_refused() {
    let db = sqlite().await;
    Hospital::new(10, false).fill(&db).await;
    let site = Site::new(db, "").await;
    let _first = start_daemon(&site);
    wait_until("the first daemon does nothing", || !site.held("mo").is_empty()).await;
    let second = site.sync(&[]).await;
    assert_eq!(second.code, 1);
    assert!(second.err.contains("in use"), "{}", second.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_carries_changes_by_itself() {
    let db = mariadb().await;
    Hospital::new(100, false).fill(&db).await;
    let site = Site::new(db, "[portals.fer.feeds.slot]\nevery = \"1s\"\n").await;
    let _daemon = start_daemon(&site);
    wait_until("the slots do not arrive", || site.held("slot").len() == 100).await;
    site.db.execute(&[&format!("UPDATE vitrina_fer_slot SET status = 'CANCELED' WHERE id = '{}'", id(6, 3))]).await;
    wait_until("the change does not arrive", || {
        site.gateway.gateway().snapshot(Subsystem::Slot)[&id(6, 3)]["status"] == "CANCELED"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_is_read_from_the_ledger_when_no_daemon_runs() {
    let db = sqlite().await;
    Hospital::new(30, true).fill(&db).await;
    let site = Site::new(db, "").await;
    site.sync(&[]).await;
    let config = site.config.to_str().unwrap().to_owned();
    let ran =
        tokio::task::spawn_blocking(move || run(vitrina(&["status", "--config", &config, "--json"]))).await.unwrap();
    assert_eq!(ran.code, 0, "{}", ran.err);
    let status: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let slot = status["feeds"].as_array().unwrap().iter().find(|feed| feed["feed"] == "slot").unwrap();
    assert_eq!(
        (slot["accepted"].as_u64(), slot["held"].as_u64(), slot["state"].as_str()),
        (Some(30), Some(1), Some("attention"))
    );
    assert_eq!(status["portals"][0]["state"], "stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_holds_what_the_part_of_the_document_asks_for_that_is_set() {
    let least = "CREATE VIEW vitrina_fer_referral AS SELECT '00000008-0000-4000-8000-000000000001' AS id, '17' AS patient_id, \
                 'RESEARCH' AS type, '2026-10-01' AS start_date, '00000001-0000-4000-8000-000000000001' AS to_mo_id, \
                 '97' AS to_profile_code, 'A04.10.002' AS to_service_id, 'ЭхоКГ' AS to_service_name, 'AVAILABLE' AS status";
    let by_scenario = || GatewaySettings { referral_by_scenario: true, ..GatewaySettings::default() };
    for (setting, code) in [("referral_required = \"scenario\"\n", 0), ("", 1)] {
        let db = sqlite().await;
        db.execute(&[least]).await;
        let site = Site::before(by_scenario(), db, setting).await;
        let ran = site.sync(&[]).await;
        assert_eq!((ran.code, site.held("referral").len()), (code, 1 - code as usize), "{}{}", ran.out, ran.err);
        assert!(code == 0 || ran.out.contains("referral_type_code"), "{}{}", ran.out, ran.err);
    }
}
