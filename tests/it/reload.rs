//! What a hangup brings into force at the listeners for bookings and for platforms, without turning a caller away; and what it cannot.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};

use crate::support::command::write_private;
use crate::support::daemon::{Daemon, until};
use crate::support::database::{TestDb, postgres, sqlite};
use crate::support::hospital::id;

/// A portal without feeds.
const IDLE: &str = "[portals.idle]\nkind = \"nmo\"\nurl = \"http://127.0.0.1:1\"\nclient_id = \"client\"\nclient_secret = \"a-client-secret\"\n\
                    username = \"smith\"\npassword = \"a-password\"\n";

const PATIENCE: std::time::Duration = std::time::Duration::from_millis(20);

struct Site {
    config: PathBuf,
    log: PathBuf,
    page: u16,
    other: u16,
    folder: tempfile::TempDir,
    client: Client,
    mis: TestDb,
}

fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

impl Site {
    /// A site whose configuration is still to be written; `other` is the port of the listener that changes.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, log) = (folder.path().join("vitrina.toml"), folder.path().join("log"));
        // Each request on a connection of its own, so that every one of them must be let in.
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Site { config, log, page: free_port(), other: free_port(), folder, client, mis: sqlite().await }
    }

    fn write(&self, more: &str) {
        let text = format!(
            "[sources.mis]\nurl = \"{}\"\n[ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:{}\"\n{more}{IDLE}",
            self.mis.url,
            self.folder.path().join("ledger.db").display(),
            self.page
        );
        write_private(self.folder.path(), "vitrina.toml", &text);
    }

    fn start(&self) -> Daemon {
        Daemon::start_telling(&self.config, File::create(&self.log).unwrap())
    }

    /// Lines of the log that hold these words.
    fn logged(&self, words: &str) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        log.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }

    async fn page(&self, path: &str) -> String {
        match self.client.get(format!("http://127.0.0.1:{}{path}", self.page)).send().await {
            Ok(answer) => answer.text().await.unwrap(),
            Err(_) => String::new(),
        }
    }

    async fn shows(&self, path: &str, wanted: &str) {
        for _ in 0..6000 {
            if self.page(path).await.contains(wanted) {
                return;
            }
            tokio::time::sleep(PATIENCE).await;
        }
        panic!("{path} never shows {wanted}: {}", self.page(path).await);
    }

    fn booking(&self, database: &TestDb, public_url: &str, book: &str) -> String {
        format!(
            "[sources.lab]\nurl = \"{}\"\n[booking]\nlisten = \"127.0.0.1:{}\"\npublic_url = \"{public_url}\"\nallow = \"127.0.0.1\"\n\
             source = \"lab\"\nbook = {book}\ncancel = \"{}\"\n",
            database.url,
            self.other,
            refused(11)
        )
    }

    /// Asks for a slot; gives the code of the answer.
    fn book(&self, slot: usize) -> impl Future<Output = i64> + Send + use<> {
        let wish = json!({"slot_id": id(6, slot), "patient_id": id(9, 1)});
        let asked = self.client.post(format!("http://127.0.0.1:{}/booking/book", self.other)).json(&wish).send();
        async move { asked.await.unwrap().json::<Value>().await.unwrap()["status"]["status_code"].as_i64().unwrap() }
    }
}

fn refused(code: u8) -> String {
    format!(
        "SELECT {code} AS status_code, 'занято' AS status_message, NULL AS book_ext_id, NULL AS slot_id, NULL AS visit_time, \
         NULL AS duration"
    )
}

/// Calls the listener again and again on new connections, until it is told to stop; gives how many calls were turned away.
fn calls(site: &Site, stop: &Arc<AtomicBool>) -> tokio::task::JoinHandle<(u32, u32)> {
    let (client, stop) = (site.client.clone(), Arc::clone(stop));
    let url = format!("http://127.0.0.1:{}/booking/book", site.other);
    tokio::spawn(async move {
        let (mut answered, mut turned_away) = (0, 0);
        while !stop.load(Ordering::Relaxed) {
            match client.get(&url).send().await {
                Ok(answer) if answer.status() == StatusCode::OK => answered += 1,
                _ => turned_away += 1,
            }
        }
        (answered, turned_away)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_bookings_are_taken_up_without_turning_a_caller_away() {
    let (site, database) = (Site::new().await, postgres().await);
    let slow = format!("[\"SELECT pg_advisory_xact_lock(42)\", \"{}\"]", refused(11));
    site.write(&site.booking(&database, "http://10.0.0.5:1", &slow));
    let daemon = site.start();
    site.shows("/readyz", "ok").await;
    let mut holder = PgConnection::connect(&database.url).await.unwrap();
    holder.execute("SELECT pg_advisory_lock(42)").await.unwrap();
    let begun = tokio::spawn(site.book(1));
    let mut waiting = 0;
    while waiting == 0 {
        let count = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        waiting = sqlx::query_scalar::<_, i64>(count).fetch_one(&mut holder).await.unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let calls = calls(&site, &stop);

    site.write(&site.booking(&database, "http://10.0.0.5:2", &format!("\"{}\"", refused(12))));
    daemon.signal("HUP");
    site.shows("/api/status", "http://10.0.0.5:2").await;
    assert_eq!(site.book(2).await, 12, "the new statement answers");
    assert!(!begun.is_finished(), "what was begun is still in work");
    let next_in_turn = tokio::spawn(site.book(1));
    holder.execute("SELECT pg_advisory_unlock(42)").await.unwrap();
    assert_eq!(begun.await.unwrap(), 11, "and is answered by the old one");
    assert_eq!(next_in_turn.await.unwrap(), 12);
    stop.store(true, Ordering::Relaxed);
    let (answered, turned_away) = calls.await.unwrap();
    assert!(answered > 0 && turned_away == 0, "{answered} {turned_away}");
    let status: Value = serde_json::from_str(&site.page("/api/status").await).unwrap();
    assert_eq!(status["booking"]["answered"].as_array().map_or(0, |all| all.len()), 2, "{status}");
    assert_eq!(site.logged("what is named was opened anew").len(), 1);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_come_and_go_and_a_wrong_section_changes_nothing() {
    let (site, database) = (Site::new().await, sqlite().await);
    let with = |public_url: &str, code| site.booking(&database, public_url, &format!("\"{}\"", refused(code)));
    site.write(&with("http://10.0.0.5:1", 11));
    let daemon = site.start();
    site.shows("/readyz", "ok").await;

    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let elsewhere = format!("127.0.0.1:{}", taken.local_addr().unwrap().port());
    site.write(&with("http://10.0.0.5:2", 12).replace(&format!("127.0.0.1:{}", site.other), &elsewhere));
    daemon.signal("HUP");
    site.shows("/metrics", "vitrina_config_last_reload_successful 0").await;
    assert_eq!(site.logged("booking.listen: cannot listen on").len(), 1);
    assert_eq!(site.book(1).await, 11, "the old section is in force");

    site.write("");
    daemon.signal("HUP");
    site.shows("/metrics", "vitrina_config_last_reload_successful 1").await;
    until("the listener is closed", || std::net::TcpStream::connect(("127.0.0.1", site.other)).is_err()).await;
    assert!(!site.page("/api/status").await.contains("10.0.0.5"));

    site.write(&with("http://10.0.0.5:3", 13));
    daemon.signal("HUP");
    site.shows("/api/status", "http://10.0.0.5:3").await;
    assert_eq!(site.book(1).await, 13);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_source_is_taken_up_by_bookings_too() {
    let (site, first, second) = (Site::new().await, sqlite().await, sqlite().await);
    for (database, code) in [(&first, 11), (&second, 12)] {
        database.execute(&[&format!("CREATE VIEW answer AS {}", refused(code))]).await;
    }
    site.write(&site.booking(&first, "http://10.0.0.5:1", "\"SELECT * FROM answer\""));
    let daemon = site.start();
    site.shows("/readyz", "ok").await;
    assert_eq!(site.book(1).await, 11);
    site.write(&site.booking(&second, "http://10.0.0.5:1", "\"SELECT * FROM answer\""));
    daemon.signal("HUP");
    until("the change is in force", || site.logged("what is named was opened anew").len() == 1).await;
    assert_eq!(site.book(1).await, 12);
    assert_eq!(daemon.stop(), Some(0));
}

impl Site {
    fn platform(&self, secret: &str, host: &str) -> String {
        format!(
            "platform_listen = \"127.0.0.1:{}\"\n[portals.nmo]\nkind = \"nmo\"\nurl = \"http://127.0.0.1:1\"\nclient_id = \"client\"\n\
             client_secret = \"a-client-secret\"\nusername = \"smith\"\npassword = \"a-password\"\n\
             [portals.nmo.platform]\nportal_id = \"EduPortal\"\nportal_secret = \"{secret}\"\n\
             redirect_template = \"https://{host}/{{module_id}}\"\n",
            self.other
        )
    }

    async fn call(&self, path: &str, authorization: &str) -> (StatusCode, String) {
        let request = self.client.post(format!("http://127.0.0.1:{}{path}", self.other));
        let answer = request.header("authorization", authorization).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_platform_keeps_the_tokens_of_a_portal_whose_secret_is_the_same() {
    const PATH: &str = "/getUrl?snils=11223344595&moduleId=A&pin=P";
    let basic = |secret: &str| format!("Basic {}", STANDARD.encode(format!("EduPortal:{secret}")));
    let site = Site::new().await;
    site.write(&site.platform("the-first-secret", "old.hospital.ru"));
    let daemon = site.start();
    site.shows("/readyz", "ok").await;
    let (_, granted) = site.call("/getToken?snils=11223344595", &basic("the-first-secret")).await;
    let granted: Value = serde_json::from_str(&granted).unwrap();
    let bearer = format!("Bearer {}", granted["access_token"].as_str().unwrap());
    assert_eq!(site.call(PATH, &bearer).await, (StatusCode::OK, "https://old.hospital.ru/A".to_owned()));

    site.write(&site.platform("the-first-secret", "new.hospital.ru"));
    daemon.signal("HUP");
    until("the change is in force", || site.logged("what is named was opened anew").len() == 1).await;
    assert_eq!(site.call(PATH, &bearer).await, (StatusCode::OK, "https://new.hospital.ru/A".to_owned()));

    site.write(&site.platform("another-secret-now", "new.hospital.ru"));
    daemon.signal("HUP");
    until("the change is in force", || site.logged("what is named was opened anew").len() == 2).await;
    assert_eq!(site.call(PATH, &bearer).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(site.call(PATH, &basic("another-secret-now")).await.0, StatusCode::OK);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_restart_is_named_in_one_line() {
    let site = Site::new().await;
    site.write("[daemon]\nlog_level = \"info\"\n");
    let daemon = site.start();
    site.shows("/readyz", "ok").await;
    let text = std::fs::read_to_string(&site.config).unwrap();
    let text = text.replace("ledger.db", "another.db").replace(&site.page.to_string(), &free_port().to_string());
    std::fs::write(&site.config, text.replace("\"info\"", "\"warn\"\ngrace = \"30s\"")).unwrap();
    daemon.signal("HUP");
    until("it is told", || !site.logged("only a restart").is_empty()).await;
    let told = site.logged("only a restart");
    assert!(told.len() == 1 && told[0].contains(": daemon.log_level, ledger, serve.listen;"), "{told:?}");
    // The next one says it again: what is in force is still the old.
    daemon.signal("HUP");
    until("it is told again", || site.logged("only a restart").len() == 2).await;
    assert_eq!(daemon.stop(), Some(0));
}
