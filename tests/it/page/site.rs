//! A small hospital with a daemon whose page is looked at.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use vitrina::demo::fer::{FerGateway, GatewaySettings, Running, Subsystem};

use crate::support::command::{run, vitrina, write_private};
use crate::support::daemon::Daemon;
use crate::support::database::{TestDb, sqlite};
use crate::support::hospital::Hospital;

pub const TOKEN: &str = "0d8f6c1e-a-long-token-of-the-tests";

pub struct Site {
    pub config: PathBuf,
    pub folder: tempfile::TempDir,
    pub db: TestDb,
    pub gateway: Running,
    pub listen: SocketAddr,
}

impl Site {
    /// 100 slots at the gateway.
    pub async fn in_step() -> Self {
        let account = GatewaySettings::default();
        let gateway = FerGateway::start(SocketAddr::from(([127, 0, 0, 1], 0)), account.clone()).await.unwrap();
        let site = Site::over(gateway, &account.password).await;
        assert_eq!(site.sync(&[]).await, 0);
        site
    }

    /// As [`Site::in_step`], and all slots but ten have vanished since: the fuse has tripped.
    pub async fn after_a_loss() -> Self {
        let site = Site::in_step().await;
        site.db.execute(&["DELETE FROM vitrina_fer_slot WHERE rowid > 10"]).await;
        assert_eq!(site.sync(&["--full"]).await, 3);
        site
    }

    /// A hospital whose account the gateway refuses.
    pub async fn refused() -> Self {
        let gateway =
            FerGateway::start(SocketAddr::from(([127, 0, 0, 1], 0)), GatewaySettings::default()).await.unwrap();
        Site::over(gateway, "not the password").await
    }

    async fn over(gateway: Running, password: &str) -> Self {
        let db = sqlite().await;
        Hospital::new(100, false).fill(&db).await;
        db.execute(&["DELETE FROM vitrina_fer_book"]).await;
        let folder = tempfile::tempdir().unwrap();
        // A port of our own, so that no other daemon answers for ours.
        let listen = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let text = format!(
            "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n\
             [ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"{listen}\"\nadmin_token = \"{TOKEN}\"\n\
             [portals.fer]\nkind = \"fer\"\nurl = \"{}\"\nusername = \"{}\"\npassword = \"{password}\"\nrequests_per_second = 1000\n",
            db.url,
            folder.path().join("ledger.db").display(),
            gateway.url(),
            GatewaySettings::default().username,
        );
        let config = write_private(folder.path(), "vitrina.toml", &text);
        Site { config, folder, db, gateway, listen }
    }

    pub async fn sync(&self, more: &[&str]) -> i32 {
        let words: Vec<&str> =
            ["sync", "--config", self.config.to_str().unwrap()].into_iter().chain(more.iter().copied()).collect();
        let command = vitrina(&words);
        tokio::task::spawn_blocking(move || run(command)).await.unwrap().code
    }

    /// Leaves in the ledger what a daemon of yesterday remembered: a busy day, and nothing stuck.
    pub async fn remember_a_day(&self) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let url = format!("sqlite:{}", self.folder.path().join("ledger.db").display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        for (feed, most) in [("slot", 300), ("resource", 40), ("referral", 120)] {
            let piece = |ago: u64| {
                let at = (now / 300 - ago) * 300;
                let waves = most * (288 - ago) * ago / (144 * 144) * (ago % 7) / 6;
                let (pending, lag) = if ago == 150 { (most, 725) } else { (waves.min(most), waves * 600 / most) };
                json!([at, lag, pending, 0])
            };
            let pieces: Vec<Value> = (1..288).rev().map(piece).collect();
            let insert = "INSERT INTO note (portal, feed, kind, name, body) VALUES ('fer', ?1, 'history', '', ?2)";
            sqlx::query(insert).bind(feed).bind(json!(pieces).to_string()).execute(&mut connection).await.unwrap();
        }
    }

    /// A daemon, once its page answers.
    pub async fn daemon(&self) -> Daemon {
        let daemon = Daemon::start(&self.config);
        self.ready().await;
        daemon
    }

    pub async fn ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !reqwest::get(self.at("/readyz")).await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(Instant::now() < deadline, "the daemon is not ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.listen)
    }

    /// Slots that the gateway holds.
    pub fn slots(&self) -> usize {
        self.gateway.gateway().len(Subsystem::Slot)
    }

    /// An action as a program asks for it: status and answer.
    pub async fn act(&self, action: &str, headers: &[(&'static str, &str)], body: Value) -> (u16, Value) {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.post(self.at(&format!("/api/{action}"))).headers(headers).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(json!(null)))
    }
}
