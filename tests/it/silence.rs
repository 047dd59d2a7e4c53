//! What the built program never logs, at whatever level: keys, passwords, tokens, and the people whose records it carries.

use std::fs::File;
use std::net::SocketAddr;
use std::time::Duration;

use vitrina::demo::ekdo::{EkdoAccount, EkdoMock};
use vitrina::demo::fault::Fault;
use vitrina::demo::nmo::NmoMockSettings;
use vitrina::demo::pos::{Kind, PosAccount, PosMock};
use vitrina::demo::sout::RegisterSettings;

use crate::support::command::write_private;
use crate::support::daemon::{Daemon, until};
use crate::support::database::{TestDb, sqlite};
use crate::support::nmo::{self, CLIENT_SECRET, PASSWORD, PIN, SNILS};
use crate::support::papers::{pdf, signature, write};
use crate::support::sout::{self, KEY};

const WRONG_KEY: &str = "00000000000000000000000000000bad";
const ACCESS: &str = "first-access-never-shown";
const REFRESH: &str = "first-refresh-never-shown";
/// How the people of the records are called.
const PEOPLE: [&str; 4] = ["Секретова", "Щукин", "Феофан", "order-of-somebody"];

async fn fill(db: &TestDb) {
    db.execute(&[
        "CREATE VIEW vitrina_sout_training AS SELECT 'a-1' AS outer_id, 'Секретова' AS last_name, 'Анна' AS first_name,
         NULL AS middle_name, '112-233-445 95' AS snils, 0 AS is_foreign_snils, NULL AS foreign_snils, NULL AS citizenship,
         'врач' AS position, '7707083893' AS employer_inn, 'ООО' AS employer_title, NULL AS organization_unit_id,
         '7707083893' AS organization_inn, 'УЦ' AS organization_title, '2026-10-02' AS test_date, '17/2' AS protocol_number,
         4 AS learn_program_id, NULL AS learn_program_title, 1 AS is_passed",
        "CREATE TABLE told (number TEXT)",
        "CREATE TABLE vitrina_pos_poll (title TEXT, external_id TEXT, participants_count INTEGER, reg_oktmo TEXT, level TEXT)",
        "INSERT INTO vitrina_pos_poll VALUES ('Кто такая Секретова', '4', 5, '78', 'Региональный')",
        "CREATE TABLE vitrina_ekdo_document (id TEXT, employee_name TEXT, subtype TEXT, number TEXT, date TEXT, file_path TEXT,
         signature_path TEXT, signature_type TEXT)",
        "INSERT INTO vitrina_ekdo_document VALUES ('17', 'Щукин Феофан', 'Приказ', '4', '2026-11-02', 'order-of-somebody.pdf',
         'order-of-somebody.sig', 'УКЭП')",
        "CREATE TABLE vitrina_nmo_module (module_id TEXT, name TEXT, description TEXT, annotation TEXT, hours INTEGER, is_paid INTEGER,
         type TEXT, kind TEXT, specialities TEXT)",
        "INSERT INTO vitrina_nmo_module VALUES ('M-1', 'Модуль', 'Описание', 'Аннотация', 36, 0, 'iomT', 'lecture',
         '[{\"level\": \"university\", \"name\": \"Кардиология\", \"main\": true}]')",
    ])
    .await;
    let result = format!(
        "CREATE VIEW vitrina_nmo_result AS SELECT 'M-1' AS module_id, '{SNILS}' AS snils, '{PIN}' AS pin, 'started' AS status,
         '2026-01-03' AS status_date, NULL AS result_mark"
    );
    db.execute(&[&result]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_of_the_log_holds_a_secret_or_a_person() {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let register = sout::register(RegisterSettings::new(KEY)).await;
    let education = nmo::start(NmoMockSettings { plan_everything: true, ..nmo::mock_settings() }).await;
    let account = PosAccount { access_token: ACCESS.into(), refresh_token: REFRESH.into(), ..PosAccount::default() };
    let pos = PosMock::new(account);
    let votes = pos.serve(any).await.unwrap();
    let account =
        EkdoAccount { password: PASSWORD.into(), user_id: "user-id-never-shown".into(), ..EkdoAccount::default() };
    let ekdo = EkdoMock::new(account);
    let office = ekdo.serve(any).await.unwrap();
    let db = sqlite().await;
    fill(&db).await;
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("order-of-somebody.pdf", pdf(100_000)), ("order-of-somebody.sig", signature())] {
        write(&folder.path().join(name), &bytes, Duration::from_secs(60));
    }
    let text = format!(
        "[sources.mis]\nurl = \"{}\"\n[ledger]\nurl = \"sqlite:{folder}/ledger.db\"\n[serve]\nlisten = \"127.0.0.1:0\"\n\
         [portals.sout]\nkind = \"sout\"\nurl = \"{sout}\"\napi_key = \"{KEY}\"\ninquire_every = \"1s\"\n\
         sign_command = [\"sh\", \"-c\", \"printf MAMCAQE= > $1.sig\", \"sign\"]\n[portals.sout.feeds.training]\nevery = \"1s\"\n\
         write_back = \"INSERT INTO told VALUES (:base_no)\"\n\
         [portals.closed]\nkind = \"sout\"\nurl = \"{sout}\"\napi_key = \"{WRONG_KEY}\"\n[portals.closed.feeds.training]\nevery = \"1s\"\n\
         query = \"SELECT * FROM vitrina_sout_training\"\n\
         [portals.nmo]\nkind = \"nmo\"\nurl = \"{}\"\nclient_id = \"client\"\nclient_secret = \"{CLIENT_SECRET}\"\nusername = \"smith\"\n\
         password = \"{PASSWORD}\"\ninquire_every = \"1s\"\nretry = {{ initial = \"1s\", max = \"1s\" }}\n\
         [portals.nmo.feeds.module]\nevery = \"1s\"\n[portals.nmo.feeds.result]\nevery = \"1s\"\n\
         [portals.pos]\nkind = \"pos\"\nurl = \"{}\"\naccess_token = \"{ACCESS}\"\nrefresh_token = \"{REFRESH}\"\nname = \"vitrina\"\n\
         [portals.pos.feeds.poll]\nevery = \"1s\"\n\
         [portals.ekdo]\nkind = \"ekdo\"\nurl = \"{}\"\nusername = \"demo\"\npassword = \"{PASSWORD}\"\nuser_id = \"user-id-never-shown\"\n\
         files_root = \"{folder}\"\n[portals.ekdo.feeds.document]\nevery = \"1s\"\n",
        db.url,
        education.url(),
        PosMock::url(&votes),
        EkdoMock::url(&office),
        sout = register.url(),
        folder = folder.path().display(),
    );
    let log = folder.path().join("log");
    let daemon =
        Daemon::start_tracing(&write_private(folder.path(), "vitrina.toml", &text), File::create(&log).unwrap());
    let confirmed = |feed: &str, count: usize| {
        let lines = daemon.log(feed);
        lines.len() == count && lines.iter().all(|line| line["state"] == "confirmed")
    };
    until("everything at its portal", || {
        ["sout.training", "nmo.module", "nmo.result", "pos.poll", "ekdo.document"].iter().all(|feed| confirmed(feed, 1))
    })
    .await;
    until("a wrong key", || register.mock().counters().wrong_keys > 0).await;

    // All tokens are exchanged once, and portals repeat what they were sent.
    let mut secrets: Vec<String> =
        [KEY, WRONG_KEY, ACCESS, REFRESH, CLIENT_SECRET, PASSWORD, "user-id-never-shown"].map(str::to_owned).into();
    secrets.extend(education.mock().tokens().into_iter().chain(ekdo.tokens()));
    education.mock().revoke_access();
    ekdo.revoke_tokens();
    pos.revoke_access();
    db.execute(&[
        "UPDATE vitrina_pos_poll SET title = 'Секретова и другие'",
        "INSERT INTO vitrina_ekdo_document SELECT '18', employee_name, subtype, '5', date, file_path, signature_path, signature_type
         FROM vitrina_ekdo_document",
        "UPDATE vitrina_nmo_module SET name = 'Другой модуль'",
    ])
    .await;
    until("the second versions", || {
        pos.activities(Kind::Polls).values().any(|poll| poll["title"] == "Секретова и другие")
            && ekdo.documents().values().filter(|document| document.signature.is_some()).count() == 2
            && education.mock().modules()["M-1"].versions == 2
    })
    .await;
    pos.plan(Fault::Says(422, r#"{"success":false,"message":"Секретова: 11223344595, first-access-never-shown"}"#));
    db.execute(&["INSERT INTO vitrina_pos_poll VALUES ('Секретова', '5', 5, '78', 'Региональный')"]).await;
    let refused = || daemon.log("pos.poll").iter().any(|line| line["state"] == "refused");
    until("a refusal", refused).await;
    let (access, refresh) = pos.pair();
    secrets.extend([access, refresh]);
    secrets.extend(education.mock().tokens().into_iter().chain(ekdo.tokens()));
    secrets.extend(PEOPLE.map(str::to_owned));
    secrets.extend([SNILS, "112-233-445 95", PIN].map(str::to_owned));
    assert_eq!(daemon.stop(), Some(0));

    let logged = String::from_utf8(std::fs::read(&log).unwrap()).unwrap();
    for shown in ["TRACE", "/docs", "/polls", "/refresh-token", "/rest/online-platforms/iom/update", "/api/set/push"] {
        assert!(logged.contains(shown), "{shown} was not logged");
    }
    for secret in secrets {
        let line = logged.lines().find(|line| line.contains(&secret));
        assert!(line.is_none(), "{secret} stands in: {}", line.unwrap_or_default());
    }
}
