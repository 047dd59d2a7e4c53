//! Slots never wait: while the largest set of training records and the largest document are on their way, a slot that changes is at the
//! mart in time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use vitrina::demo::ekdo::{EkdoAccount, EkdoMock};
use vitrina::demo::fer::{FerGateway, GatewaySettings, Subsystem};
use vitrina::demo::sout::RegisterSettings;
use vitrina::portal::ekdo::MOST_FILE_BYTES;

use crate::support::command::write_private;
use crate::support::daemon::{Daemon, until};
use crate::support::database::{TestDb, postgres};
use crate::support::hospital::{Hospital, id};
use crate::support::papers::{pdf, signature, write};
use crate::support::sluice::Sluice;
use crate::support::sout;

const TRAININGS: usize = 5_000;
const KEY: &str = "0123456789abcdef0123456789abcdef";
/// What the gateway's document allows from the change of a slot to the mart.
const IN_TIME: Duration = Duration::from_secs(30);
/// More than a request of few words has, less than a set or a document.
const PASSES: usize = 32 << 10;

async fn fill(db: &TestDb) {
    Hospital::new(500, false).fill(db).await;
    let trainings = format!(
        "CREATE VIEW vitrina_sout_training AS SELECT 'a-' || n AS outer_id, 'Секретова' AS last_name, 'Анна' AS first_name,
         NULL AS middle_name, '112-233-445 95' AS snils, false AS is_foreign_snils, NULL AS foreign_snils, NULL AS citizenship,
         'врач ' || md5(n::text) AS position, '7707083893' AS employer_inn, 'ООО «Ромашка»' AS employer_title, NULL AS organization_unit_id,
         '7707083893' AS organization_inn, 'УЦ' AS organization_title, DATE '2026-10-02' AS test_date, '17/2' AS protocol_number,
         4 AS learn_program_id, NULL AS learn_program_title, true AS is_passed FROM generate_series(1, {TRAININGS}) n"
    );
    let documents = "CREATE VIEW vitrina_ekdo_document AS SELECT '17' AS id, 'Секретова Анна' AS employee_name, 'Приказ' AS subtype,
         '4' AS number, DATE '2026-11-02' AS date, 'order.pdf' AS file_path, 'order.sig' AS signature_path, 'УКЭП' AS signature_type";
    db.execute(&[&trainings, documents]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_keep_their_time_while_a_large_set_and_a_large_document_are_uploaded() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let gateway = FerGateway::start(any, GatewaySettings::default()).await.unwrap();
    let register =
        sout::register(RegisterSettings { drafts_sent_after: Some(Duration::ZERO), ..RegisterSettings::new(KEY) })
            .await;
    let account = EkdoAccount { user_id: "u-1".to_owned(), ..EkdoAccount::default() };
    let ekdo = EkdoMock::new(account.clone());
    let office = ekdo.serve(any).await.unwrap();
    let (to_register, to_office) =
        (Sluice::before(register.addr, PASSES).await, Sluice::before(office.addr, PASSES).await);
    let db = postgres().await;
    fill(&db).await;
    let folder = tempfile::tempdir().unwrap();
    let finished = Duration::from_secs(60);
    write(&folder.path().join("order.pdf"), &pdf(MOST_FILE_BYTES as usize), finished);
    write(&folder.path().join("order.sig"), &signature(), finished);
    let fer = GatewaySettings::default();
    let text = format!(
        "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n[ledger]\nurl = \"sqlite:{folder}/ledger.db\"\n\
         [serve]\nlisten = \"127.0.0.1:0\"\n\
         [portals.fer]\nkind = \"fer\"\nurl = \"{}\"\nusername = \"{}\"\npassword = \"{}\"\n[portals.fer.feeds.slot]\nevery = \"1s\"\n\
         [portals.sout]\nkind = \"sout\"\nurl = \"http://{}\"\napi_key = \"{KEY}\"\ntimeout = \"5m\"\n\
         inquire_every = \"1s\"\n[portals.sout.feeds.training]\nevery = \"1s\"\n\
         [portals.ekdo]\nkind = \"ekdo\"\nurl = \"http://{}\"\nusername = \"{}\"\npassword = \"{}\"\nuser_id = \"{}\"\nfiles_root = \"{folder}\"\n\
         [portals.ekdo.feeds.document]\nevery = \"1s\"\n",
        db.url,
        gateway.url(),
        fer.username,
        fer.password,
        to_register.address,
        to_office.address,
        account.username,
        account.password,
        account.user_id,
        folder = folder.path().display(),
    );
    let config = write_private(folder.path(), "vitrina.toml", &text);
    let daemon = Daemon::start(&config);

    until("the middle of both uploads", || to_register.stuck() > 0 && to_office.stuck() > 0).await;
    for (number, status) in ["BLOCKED", "AVAILABLE", "BLOCKED"].into_iter().enumerate() {
        let slot = id(6, 7 + number);
        let at_mart = || gateway.gateway().snapshot(Subsystem::Slot).get(&slot).map(|slot| slot["status"].clone());
        until("the slot as it was", || at_mart().is_some()).await;
        let changed = Instant::now();
        db.execute(&[&format!("UPDATE vitrina_fer_slot SET status = '{status}' WHERE id = '{slot}'")]).await;
        until("the slot as it is", || at_mart().is_some_and(|at_mart| at_mart == status)).await;
        assert!(changed.elapsed() < IN_TIME, "{:?}", changed.elapsed());
    }
    assert_eq!((register.mock().sets().len(), ekdo.documents().len()), (0, 0), "both are still on their way");
    assert!(to_register.stuck() > 0 && to_office.stuck() > 0);

    to_register.open();
    to_office.open();
    until("a number for every record", || {
        (1..=TRAININGS).all(|number| register.mock().base_no(&format!("a-{number}")).is_some())
    })
    .await;
    until("the signature", || ekdo.documents().values().any(|document| document.signature.is_some())).await;
    assert_eq!((register.mock().sets().len(), ekdo.documents().len()), (1, 1), "each went once");
    let confirmed = |feed: &str, count: usize| {
        let lines = daemon.log(feed);
        lines.len() == count && lines.iter().all(|line| line["state"] == "confirmed")
    };
    until("all confirmed", || confirmed("sout.training", TRAININGS) && confirmed("ekdo.document", 1)).await;
}
