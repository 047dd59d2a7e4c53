//! What reaches a running daemon from outside: news that a portal tells, and the words of operators about exchanges.

use std::net::{SocketAddr, TcpListener};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use vitrina::demo::fault::Fault;
use vitrina::demo::pos::{Kind, PosAccount, PosMock};

use crate::support::command::write_private;
use crate::support::daemon::{Daemon, until};
use crate::support::database::sqlite;
use crate::support::nmo;

/// A port of our own, for a listener whose address nobody prints.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluation_that_the_portal_tells_stands_in_the_register() {
    let db = sqlite().await;
    db.execute(&["CREATE VIEW vitrina_nmo_module AS SELECT 'M-1' AS module_id, 'Кардиология' AS name, 'Описание' AS description, \
                  'Аннотация' AS annotation, 36 AS hours, 0 AS is_paid, 'iomT' AS type, 'lecture' AS kind, \
                  '[{\"level\": \"university\", \"name\": \"Кардиология\", \"main\": true}]' AS specialities"])
        .await;
    let portal = nmo::mock().await;
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let text = format!(
        "[sources.mis]\nurl = \"{}\"\n[ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:0\"\nplatform_listen = \"127.0.0.1:{port}\"\n\
         [portals.nmo]\nkind = \"nmo\"\nurl = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\nusername = \"{}\"\npassword = \"{}\"\n\
         inquire_every = \"1h\"\n[portals.nmo.platform]\nportal_id = \"EduPortal\"\nportal_secret = \"told-to-nobody\"\n\
         redirect_template = \"https://edu.hospital.ru/{{module_id}}\"\n[portals.nmo.feeds.module]\nevery = \"1s\"\n",
        db.url,
        folder.path().join("ledger.db").display(),
        portal.url(),
        portal.mock().settings().client_id,
        nmo::CLIENT_SECRET,
        portal.mock().settings().username,
        nmo::PASSWORD,
    );
    let daemon = Daemon::start(&write_private(folder.path(), "vitrina.toml", &text));
    let state = || daemon.log("nmo.module").first().map(|line| line["state"].clone());
    until("the module at the portal", || state().is_some_and(|state| state == "sent")).await;

    let told = reqwest::Client::new()
        .post(format!("http://127.0.0.1:{port}/statusUpdate"))
        .header("authorization", format!("Basic {}", STANDARD.encode("EduPortal:told-to-nobody")))
        .header("content-type", "application/json")
        .body(json!({"module_id": "M-1", "status": "approved"}).to_string())
        .send()
        .await
        .unwrap();
    assert!(told.status().is_success(), "{told:?}");
    until("the news in the register", || state().is_some_and(|state| state == "confirmed")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_about_an_unknown_outcome_is_heard_while_the_daemon_runs() {
    let db = sqlite().await;
    db.execute(&[
        "CREATE TABLE vitrina_pos_poll (title TEXT, external_id TEXT, participants_count INTEGER, reg_oktmo TEXT, level TEXT)",
        "INSERT INTO vitrina_pos_poll VALUES ('Опрос', '4', 5, '78', 'Региональный')",
    ])
    .await;
    let pos = PosMock::new(PosAccount::default());
    let host = pos.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    pos.plan(Fault::LoseAnswer);
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[sources.mis]\nurl = \"{}\"\n[ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:0\"\n\
         [portals.pos]\nkind = \"pos\"\nurl = \"{}\"\naccess_token = \"demo-access\"\nrefresh_token = \"demo-refresh\"\nname = \"vitrina\"\n\
         [portals.pos.feeds.poll]\nevery = \"1s\"\n",
        db.url,
        folder.path().join("ledger.db").display(),
        PosMock::url(&host),
    );
    let daemon = Daemon::start(&write_private(folder.path(), "vitrina.toml", &text));
    let is = |wanted: &str| daemon.log("pos.poll").first().is_some_and(|line| line["state"] == wanted);
    until("an unknown outcome", || is("unknown")).await;

    db.execute(&["UPDATE vitrina_pos_poll SET title = 'Опрос жителей'"]).await;
    let id = *pos.activities(Kind::Polls).keys().next().unwrap();
    let said = daemon.run("rejects resolve", &["pos.poll", "4", "--sent", &id.to_string()]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    until("the change at the portal", || pos.activities(Kind::Polls)[&id]["title"] == "Опрос жителей").await;
    until("a confirmed exchange", || is("confirmed")).await;
    assert_eq!(pos.counts().created, 1, "there is one activity");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_with_a_time_of_its_own_runs_at_its_first_start_and_then_only_at_that_time() {
    let db = sqlite().await;
    let columns = "title TEXT, external_id TEXT, participants_count INTEGER, reg_oktmo TEXT, level TEXT";
    db.execute(&[
        &format!("CREATE TABLE vitrina_pos_poll ({columns})"),
        &format!("CREATE TABLE vitrina_pos_voting ({columns})"),
        "INSERT INTO vitrina_pos_poll VALUES ('Опрос', '4', 5, '78', 'Региональный')",
    ])
    .await;
    let pos = PosMock::new(PosAccount::default());
    let host = pos.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[sources.mis]\nurl = \"{}\"\n[ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:0\"\n\
         [portals.pos]\nkind = \"pos\"\nurl = \"{}\"\naccess_token = \"demo-access\"\nrefresh_token = \"demo-refresh\"\nname = \"vitrina\"\n\
         [portals.pos.feeds.poll]\ncron = \"0 0 0 29 2 *\"\n[portals.pos.feeds.voting]\nevery = \"1s\"\n",
        db.url,
        folder.path().join("ledger.db").display(),
        PosMock::url(&host),
    );
    let config = write_private(folder.path(), "vitrina.toml", &text);
    let daemon = Daemon::start(&config);
    until("the poll of the first start", || daemon.log("pos.poll").iter().any(|line| line["state"] == "confirmed"))
        .await;
    assert_eq!(daemon.stop(), Some(0));

    db.execute(&["UPDATE vitrina_pos_poll SET title = 'Опрос жителей'"]).await;
    let _daemon = Daemon::start(&config);
    // Whatever runs at a start has run by the time of a second round.
    for number in [1, 2] {
        let row = format!("INSERT INTO vitrina_pos_voting VALUES ('Голосование', '{number}', 5, '78', 'Региональный')");
        db.execute(&[&row]).await;
        until("a voting", || pos.activities(Kind::Voting).len() == number).await;
    }
    assert!(pos.activities(Kind::Polls).values().all(|poll| poll["title"] == "Опрос"));
}
