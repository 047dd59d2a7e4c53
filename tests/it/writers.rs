//! A slow portal never holds the hospital's own programs: while uploads stand still, they write as ever.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use vitrina::demo::fer::{FerGateway, GatewaySettings, Subsystem};

use crate::support::command::write_private;
use crate::support::daemon::{Daemon, until};
use crate::support::database::sqlite;
use crate::support::hospital::{Hospital, id};
use crate::support::sluice::Sluice;

const SLOTS: usize = 20_000;
/// More than all requests before the first slots have together, less than a batch of slots.
const PASSES: usize = 16 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_hospital_on_sqlite_writes_while_the_portal_does_not_answer() {
    let gateway = FerGateway::start(SocketAddr::from(([127, 0, 0, 1], 0)), GatewaySettings::default()).await.unwrap();
    let portal = Sluice::before(gateway.addr, PASSES).await;
    let db = sqlite().await;
    Hospital::new(SLOTS, false).fill(&db).await;
    db.execute(&["PRAGMA journal_mode = DELETE"]).await;
    let (folder, fer) = (tempfile::tempdir().unwrap(), GatewaySettings::default());
    let text = format!(
        "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n[ledger]\nurl = \"sqlite:{}/ledger.db\"\n\
         [serve]\nlisten = \"127.0.0.1:0\"\n[portals.fer]\nkind = \"fer\"\nurl = \"http://{}\"\nusername = \"{}\"\npassword = \"{}\"\n\
         batch = 2000\ntimeout = \"5m\"\n[portals.fer.feeds.slot]\nevery = \"1s\"\n",
        db.url,
        folder.path().display(),
        portal.address,
        fer.username,
        fer.password,
    );
    let _daemon = Daemon::start(&write_private(folder.path(), "vitrina.toml", &text));

    until("slots on their way", || portal.stuck() > 0).await;
    let slot = id(6, 7);
    for status in ["BLOCKED", "AVAILABLE"].into_iter().cycle().take(41) {
        let options = SqliteConnectOptions::from_str(&db.url).unwrap().busy_timeout(Duration::from_secs(1));
        let mut connection = options.connect().await.unwrap();
        let change = format!("UPDATE vitrina_fer_slot SET status = '{status}' WHERE id = '{slot}'");
        connection.execute(sqlx::raw_sql(AssertSqlSafe(change))).await.unwrap();
    }
    assert!(portal.stuck() > 0, "the portal has not answered meanwhile");

    portal.open();
    let at_mart = || gateway.gateway().snapshot(Subsystem::Slot);
    until("every slot", || at_mart().len() == SLOTS).await;
    until("the last change", || at_mart()[&slot]["status"] == "BLOCKED").await;
}
