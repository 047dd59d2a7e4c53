//! The life of the daemon as the machine sees it: what answers before its databases do, what becomes of it when nobody reads its log, when its
//! configuration changes, and when strangers hold on to its listeners.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;

use vitrina::demo::fer::{FerGateway, GatewaySettings, Running, Subsystem};
use vitrina::demo::pos::{Kind, PosAccount, PosMock};

use crate::support::command::write_private;
use crate::support::daemon::{Daemon, until};
use crate::support::database::{TestDb, sqlite};
use crate::support::hospital::{Hospital, id};

/// A database, a gateway, a configuration between them, and a port for the listener.
struct Site {
    db: TestDb,
    gateway: Running,
    config: PathBuf,
    port: u16,
    folder: tempfile::TempDir,
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

impl Site {
    async fn new(more: &str) -> Self {
        let db = sqlite().await;
        Hospital::new(40, false).fill(&db).await;
        let gateway = FerGateway::start(any(), GatewaySettings::default()).await.unwrap();
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let mut site = Site { db, gateway, config: PathBuf::new(), port, folder };
        site.write(&site.text(&site.db.url, more));
        site
    }

    fn text(&self, source: &str, more: &str) -> String {
        let account = GatewaySettings::default();
        format!(
            "[sources.mis]\nurl = \"{source}\"\ntimezone = \"Asia/Yekaterinburg\"\n\
             [ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:{}\"\n\
             [portals.fer]\nkind = \"fer\"\nurl = \"{}\"\nusername = \"{}\"\npassword = \"{}\"\nrequests_per_second = 1000\n\
             [portals.fer.feeds.slot]\nevery = \"1s\"\n{more}",
            self.folder.path().join("ledger.db").display(),
            self.port,
            self.gateway.url(),
            account.username,
            account.password,
        )
    }

    fn write(&mut self, text: &str) {
        self.config = write_private(self.folder.path(), "vitrina.toml", text);
    }

    fn slots(&self) -> usize {
        self.gateway.gateway().snapshot(Subsystem::parse("slot").unwrap()).len()
    }

    async fn get(&self, path: &str) -> Option<(u16, String)> {
        let answer = reqwest::get(format!("http://127.0.0.1:{}{path}", self.port)).await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.unwrap()))
    }

    /// Waits until a path answers like this.
    async fn answers(&self, path: &str, wanted: impl Fn(u16, &str) -> bool) {
        for _ in 0..6000 {
            if self.get(path).await.is_some_and(|(status, text)| wanted(status, &text)) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{path} never answers so, but {:?}", self.get(path).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_answer_while_a_database_is_waited_for() {
    let mut site = Site::new("").await;
    let nobody = format!("postgres://vitrina@127.0.0.1:{}/mis", free_port());
    site.write(&site.text(&nobody, ""));
    let daemon = Daemon::start(&site.config);
    site.answers("/readyz", |status, text| status == 503 && text == "waiting for source mis\n").await;
    assert_eq!(site.get("/healthz").await.unwrap().0, 200);
    let (status, metrics) = site.get("/metrics").await.unwrap();
    assert!(status == 200 && metrics.contains("vitrina_build_info"), "{metrics}");
    assert!(metrics.contains("vitrina_ready 0\n") && metrics.contains("vitrina_healthy 1\n"), "{metrics}");
    let shown = daemon.run("status", &[]);
    assert!(shown.code == 0 && shown.out.contains("waiting for source mis"), "{}{}", shown.out, shown.err);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_is_no_reason_to_end() {
    let site = Site::new("").await;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let daemon = Daemon::start_telling(&site.config, writer);
    until("the slots at the gateway", || site.slots() > 0).await;
    site.answers("/readyz", |status, _| status == 200).await;
    assert_eq!(daemon.stop(), Some(0), "it still stops as it should");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_whose_reader_has_gone_ends_quietly() {
    let site = Site::new("").await;
    for verb in
        [&["init"][..], &["status", "--config", site.config.to_str().unwrap()], &["sync", "--config", "/nowhere"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = crate::support::command::vitrina(verb);
        let ended = command.stdout(writer.try_clone().unwrap()).stderr(writer).status().unwrap();
        assert!(ended.code().is_some_and(|code| code <= 2), "{verb:?}: {ended}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reloads_what_has_changed_and_interrupts_nothing_else() {
    let mut site = Site::new("").await;
    site.db.execute(&[
        "CREATE TABLE vitrina_pos_poll (title TEXT, external_id TEXT, participants_count INTEGER, reg_oktmo TEXT, level TEXT)",
        "INSERT INTO vitrina_pos_poll VALUES ('Опрос', '4', 5, '78', 'Региональный')",
    ])
    .await;
    let pos = PosMock::new(PosAccount::default());
    let host = pos.serve(any()).await.unwrap();
    let mut daemon = Daemon::start(&site.config);
    until("the slots at the gateway", || site.slots() == 40).await;
    let logins = site.gateway.gateway().totals().tokens_issued;

    // What is wrong is refused, and the old goes on.
    site.write(&site.text(&site.db.url, "[portals.pos]\nkind = \"pos\"\n"));
    daemon.signal("HUP");
    site.answers("/metrics", |_, text| text.contains("vitrina_config_last_reload_successful 0")).await;
    assert!(daemon.ended().is_none());

    // A portal comes, the ledger and the listener stay, and the gateway's portal never notices.
    let more = format!(
        "[portals.pos]\nkind = \"pos\"\nurl = \"{}\"\naccess_token = \"demo-access\"\nrefresh_token = \"demo-refresh\"\nname = \"vitrina\"\n\
         [portals.pos.feeds.poll]\nevery = \"1s\"\n",
        PosMock::url(&host)
    );
    let text = site.text(&site.db.url, &more).replace("ledger.db", "another.db");
    site.write(&text);
    daemon.signal("HUP");
    until("the poll at the new portal", || pos.activities(Kind::Polls).len() == 1).await;
    site.answers("/metrics", |_, text| text.contains("vitrina_config_last_reload_successful 1")).await;
    site.answers("/api/status", |_, text| text.contains("\"portal\":\"pos\"")).await;
    assert!(!site.folder.path().join("another.db").exists(), "the ledger is the old one");

    // It goes, and the gateway's still works.
    site.write(&site.text(&site.db.url, ""));
    daemon.signal("HUP");
    site.answers("/api/status", |_, text| !text.contains("\"portal\":\"pos\"")).await;
    let is_forgotten = |_, text: &str| text.contains("portal=\"fer\"") && !text.contains("portal=\"pos\"");
    site.answers("/metrics", is_forgotten).await;
    site.db.execute(&["DELETE FROM vitrina_pos_poll"]).await;
    site.answers("/readyz", |status, _| status == 200).await;
    assert_eq!(site.gateway.gateway().totals().tokens_issued, logins, "the gateway's portal was never closed");
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_portal_is_opened_anew_without_sending_anything_twice() {
    let mut site = Site::new("").await;
    let daemon = Daemon::start(&site.config);
    until("the slots at the gateway", || site.slots() == 40).await;
    let received = || site.gateway.gateway().counters(Subsystem::parse("slot").unwrap()).received;
    site.answers("/api/status", |_, text| text.contains("\"feed\":\"slot\",\"state\":\"ok\"")).await;
    let (before, logins) = (received(), site.gateway.gateway().totals().tokens_issued);
    let text = site.text(&site.db.url, "").replace("requests_per_second = 1000", "requests_per_second = 900");
    let config = site.config.clone();
    std::fs::write(config, text).unwrap();
    daemon.signal("HUP");
    let extra = "INSERT INTO vitrina_fer_slot SELECT * FROM vitrina_fer_slot WHERE 0";
    let _a_view_may_take_no_rows = extra;
    site.answers("/metrics", |_, text| text.contains("vitrina_config_last_reload_successful 1")).await;
    site.answers("/api/status", |_, text| text.contains("\"feed\":\"slot\",\"state\":\"ok\"")).await;
    assert_eq!(received(), before, "what was accepted is not sent again");
    assert!(site.gateway.gateway().totals().tokens_issued >= logins);
    site.write(&site.text(&site.db.url, ""));
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections_leave_cycles_and_bookings_alone() {
    let booking = free_port();
    let refused = "SELECT 11 AS status_code, 'занято' AS status_message, NULL AS book_ext_id, NULL AS slot_id, \
                   NULL AS visit_time, NULL AS duration";
    let site = Site::new(&format!(
        "[booking]\nlisten = \"127.0.0.1:{booking}\"\nallow = \"127.0.0.1\"\nbook = \"{refused}\"\ncancel = \"{refused}\"\n"
    ))
    .await;
    let daemon = Daemon::start_telling(&site.config, Stdio::null());
    site.answers("/readyz", |status, _| status == 200).await;
    let address = SocketAddr::from(([127, 0, 0, 1], site.port));
    let idle: Vec<TcpStream> = (0..1000).filter_map(|_| TcpStream::connect(address).ok()).collect();
    assert!(idle.len() > 900, "{}", idle.len());
    until("the slots at the gateway", || site.slots() == 40).await;
    let wish = serde_json::json!({"slot_id": id(6, 1), "patient_id": id(9, 1)});
    let asked = reqwest::Client::new().post(format!("http://127.0.0.1:{booking}/booking/book")).json(&wish).send();
    let answer: serde_json::Value = asked.await.unwrap().json().await.unwrap();
    assert_eq!(answer["status"]["status_code"], 11, "{answer}");
    let closed = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        matches!(stream.peek(&mut [0]), Ok(0))
            || stream.peek(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
    };
    until("only so many connections are kept", || idle.iter().filter(|stream| closed(stream)).count() > 700).await;
    drop(idle);
    site.answers("/healthz", |status, _| status == 200).await;
    assert_eq!(daemon.stop(), Some(0));
}
