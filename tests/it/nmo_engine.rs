//! Modules and results from a hospital's database to the mock portal, through the whole engine: nothing twice, nothing lost, nobody locked
//! out, nobody shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use vitrina::config::{Environment, load};
use vitrina::daemon::{Access, AnyLine, Assembly, Daemon, DaemonSettings, Platform, platforms};
use vitrina::demo::nmo::{Evaluation, Fault, NmoMock, NmoMockSettings, RunningNmo};
use vitrina::ledger::{Exchange, ExchangeState, Ledger, State};
use vitrina::record::{Key, Receipt, Stage};
use vitrina::serve::Listener;
use vitrina::sync::{CycleReport, Heard, Order};
use vitrina::telemetry::Metrics;

use crate::support::nmo::{CLIENT_SECRET, PASSWORD, PIN, SNILS, mock_settings, start};
use crate::support::traces::Traces;

const TABLES: &str = "
CREATE TABLE vitrina_nmo_module (module_id TEXT, name TEXT, description TEXT, annotation TEXT, hours INTEGER, is_paid INTEGER,
    price NUMERIC, type TEXT, specialities TEXT, organization_inn TEXT, organization_name TEXT, nmo_url TEXT, nmo_state TEXT,
    actual INTEGER, version INTEGER, nmo_word TEXT, nmo_reason TEXT);
CREATE TABLE vitrina_nmo_result (module_id TEXT, snils TEXT, pin TEXT, status TEXT, status_date TEXT, result_mark INTEGER);
";

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database, a portal, and a configuration between them.
struct Site {
    folder: TempDir,
    database: SqlitePool,
    portal: RunningNmo,
    config: PathBuf,
}

impl Site {
    async fn new(settings: NmoMockSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mis.db");
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
        let database = SqlitePool::connect_with(options).await.unwrap();
        sqlx::raw_sql(TABLES).execute(&database).await.unwrap();
        let portal = start(settings).await;
        let config = folder.path().join("vitrina.toml");
        std::fs::write(&config, configuration(folder.path(), &portal.url())).unwrap();
        Site { folder, database, portal, config }
    }

    fn mock(&self) -> &NmoMock {
        self.portal.mock()
    }

    async fn sql(&self, statement: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&self.database).await.unwrap();
    }

    async fn module(&self, id: &str) {
        let specialities = r#"[{"level":"university","name":"Терапия","main":true}]"#;
        self.sql(&format!(
            "INSERT INTO vitrina_nmo_module VALUES
            ('{id}', 'Модуль', 'Описание', 'Аннотация', 2, 1, 12500.5, 'iomT', '{specialities}', NULL, NULL, NULL, NULL, NULL, 1, NULL, NULL)"
        ))
        .await;
    }

    async fn result(&self, module: &str, snils: &str, status: &str) {
        let mark = if status == "completed" { "5" } else { "NULL" };
        self.sql(&format!(
            "INSERT INTO vitrina_nmo_result VALUES ('{module}', '{snils}', '{PIN}', '{status}', '2026-01-03', {mark})"
        ))
        .await;
    }

    async fn assembly(&self) -> Assembly {
        let config = load(&self.config, &Environment::of([("", ""); 0])).unwrap().config;
        Assembly::open(&config, &Metrics::new().unwrap(), Access::Write).await.unwrap()
    }

    async fn line(&self) -> (Assembly, Arc<AnyLine>) {
        let assembly = self.assembly().await;
        let line = Arc::clone(&assembly.lines[0]);
        (assembly, line)
    }
}

fn configuration(folder: &Path, url: &str) -> String {
    let folder = folder.display();
    format!(
        r#"
[sources.mis]
url = "sqlite:{folder}/mis.db"
timezone = "Asia/Yekaterinburg"
[ledger]
url = "sqlite:{folder}/ledger.db"
[serve]
platform_listen = "127.0.0.1:9465"
[portals.nmo]
kind = "nmo"
url = "{url}"
client_id = "client"
client_secret = "{CLIENT_SECRET}"
username = "smith"
password = "{PASSWORD}"
requests_per_second = 1000
inquire_every = "1s"
retry = {{ initial = "1s", max = "1s" }}
[portals.nmo.platform]
portal_id = "EduPortal"
portal_secret = "portal-secret-never-shown"
redirect_template = "https://edu.hospital.ru/{{module_id}}"
[portals.nmo.feeds.module]
write_back = "UPDATE vitrina_nmo_module SET nmo_url = :url, nmo_state = :status, nmo_word = :portal_status, nmo_reason = :reason WHERE module_id = :key"
"#
    )
}

async fn cycle(line: &Arc<AnyLine>, feed: &str) -> CycleReport {
    line.cycle(feed, Order::default()).await.unwrap()
}

async fn register(assembly: &Assembly, line: &Arc<AnyLine>, feed: &str) -> Vec<Exchange> {
    assembly.ledger.exchanges(line.feed(feed).unwrap().id, None, 1000).await.unwrap()
}

/// Runs cycles of a feed until its register stands so.
async fn until(assembly: &Assembly, line: &Arc<AnyLine>, feed: &str, stands: impl Fn(&[Exchange]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        cycle(line, feed).await;
        let rows = register(assembly, line, feed).await;
        if stands(&rows) {
            return;
        }
        assert!(Instant::now() < deadline, "{rows:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn all(state: ExchangeState) -> impl Fn(&[Exchange]) -> bool {
    move |rows| !rows.is_empty() && rows.iter().all(|row| row.state == state)
}

#[tokio::test]
async fn modules_and_results_arrive_are_confirmed_and_nobody_is_shown() {
    let (traces, _guard) = Traces::capture();
    let site = Site::new(NmoMockSettings { plan_everything: true, ..mock_settings() }).await;
    site.module("A").await;
    site.module("ab7cbc4b-2e68-40d2-881b-6f957b044818").await;
    site.result("A", SNILS, "started").await;
    site.result("A", "08765430300", "completed").await;
    let (assembly, line) = site.line().await;
    cycle(&line, "module").await;
    assert_eq!(cycle(&line, "result").await.accepted, 2);
    until(&assembly, &line, "module", all(ExchangeState::Confirmed)).await;
    assert!(all(ExchangeState::Confirmed)(&register(&assembly, &line, "result").await));
    let shown: Vec<(String, String)> =
        sqlx::query_as("SELECT nmo_url, nmo_state FROM vitrina_nmo_module ORDER BY module_id")
            .fetch_all(&site.database)
            .await
            .unwrap();
    let urls: Vec<String> = site.mock().modules().into_values().map(|module| module.url).collect();
    assert_eq!(shown, urls.into_iter().map(|url| (url, "confirmed".to_owned())).collect::<Vec<_>>());
    // Nothing is sent again, not even after a restart: keys that are made of persons' numbers stay the same.
    let calls = site.mock().calls().len();
    assembly.ledger.close().await.unwrap();
    drop((assembly, line));
    let (_assembly, line) = site.line().await;
    for feed in ["module", "result"] {
        assert_eq!(cycle(&line, feed).await.sent, 0, "{feed}");
    }
    assert_eq!(site.mock().calls().len(), calls);
    let traced = traces.text();
    assert!(traced.contains("/rest/online-platforms/iom/create"), "nothing was captured");
    let ledger =
        ["ledger.db", "ledger.db-wal"].map(|file| std::fs::read(site.folder.path().join(file)).unwrap_or_default());
    for secret in [SNILS, "08765430300", PIN, PASSWORD, CLIENT_SECRET, "portal-secret-never-shown"] {
        assert!(!traced.contains(secret), "{secret} is traced");
        let is_kept = |file: &Vec<u8>| file.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!ledger.iter().any(is_kept), "{secret} is in the ledger");
    }
}

#[tokio::test]
async fn lost_answers_make_no_second_module_and_lose_no_result() {
    let site = Site::new(NmoMockSettings { plan_everything: true, ..mock_settings() }).await;
    site.module("A").await;
    site.result("A", SNILS, "completed").await;
    site.mock().fault("iom/create", Fault::LoseAnswer);
    site.mock().fault("results/completed", Fault::LoseAnswer);
    let (assembly, line) = site.line().await;
    until(&assembly, &line, "module", all(ExchangeState::Confirmed)).await;
    until(&assembly, &line, "result", all(ExchangeState::Confirmed)).await;
    assert_eq!((site.mock().modules().len(), site.mock().results().len()), (1, 1));
    let told = register(&assembly, &line, "result").await.remove(0).receipt.unwrap().status;
    assert_eq!(told.as_deref(), Some("already_completed"));
}

#[tokio::test]
async fn maintenance_and_pages_of_html_are_waited_out() {
    let site = Site::new(mock_settings()).await;
    site.module("A").await;
    for fault in [Fault::Maintenance, Fault::Fail, Fault::Page, Fault::Lag] {
        site.mock().fault("iom/create", fault);
    }
    let (assembly, line) = site.line().await;
    until(&assembly, &line, "module", all(ExchangeState::Confirmed)).await;
    assert_eq!((site.mock().modules()["A"].versions, site.mock().logins().granted), (1, 1));
}

/// Sends one module, lets something happen to the tokens, sends another.
async fn two_modules(settings: NmoMockSettings, meanwhile: impl AsyncFnOnce(&NmoMock)) -> Site {
    let site = Site::new(settings).await;
    site.module("A").await;
    let (assembly, line) = site.line().await;
    until(&assembly, &line, "module", all(ExchangeState::Confirmed)).await;
    meanwhile(site.mock()).await;
    site.module("B").await;
    until(&assembly, &line, "module", |rows| rows.len() == 2 && all(ExchangeState::Confirmed)(rows)).await;
    assert!(site.mock().modules().values().all(|module| module.versions == 1));
    site
}

#[tokio::test]
async fn an_access_token_that_was_revoked_is_refreshed_and_no_module_goes_twice() {
    let site = two_modules(mock_settings(), async |mock| mock.revoke_access()).await;
    let logins = site.mock().logins();
    assert_eq!((logins.granted, logins.refreshed, site.mock().unauthorized()), (1, 1, 1));
}

#[tokio::test]
async fn tokens_that_the_portal_has_forgotten_are_replaced_by_one_login() {
    let site = two_modules(mock_settings(), async |mock| mock.forget_tokens()).await;
    let logins = site.mock().logins();
    assert_eq!((logins.granted, logins.unrefreshed, logins.refused), (2, 1, 0));
}

#[tokio::test]
async fn an_access_token_that_has_expired_is_refreshed_and_no_module_goes_twice() {
    let token_life = Duration::from_secs(1);
    let settings = NmoMockSettings { token_life, ..mock_settings() };
    let site = two_modules(settings, async |_| tokio::time::sleep(token_life).await).await;
    let logins = site.mock().logins();
    assert_eq!(logins.granted, 1);
    assert!(logins.refreshed > 0);
}

#[tokio::test]
async fn a_module_that_was_turned_down_goes_again_when_its_row_has_changed() {
    let site = Site::new(NmoMockSettings { approved_after: None, ..mock_settings() }).await;
    site.module("A").await;
    let (assembly, line) = site.line().await;
    until(&assembly, &line, "module", all(ExchangeState::Sent)).await;
    let reason = "Раздел 3, слайд 12: нет ссылки на «Приказ № 203н»";
    site.mock().evaluate("A", Evaluation::NotApproved(reason.into()));
    until(&assembly, &line, "module", all(ExchangeState::Refused)).await;
    cycle(&line, "module").await;
    let written: Vec<(String, String, Option<String>)> =
        sqlx::query_as("SELECT nmo_state, nmo_word, nmo_reason FROM vitrina_nmo_module")
            .fetch_all(&site.database)
            .await
            .unwrap();
    assert_eq!(written, [("refused".into(), "not_approved".into(), Some(reason.into()))]);
    let refusals = assembly.ledger.refusals(line.feed("module").unwrap().id).await.unwrap();
    assert_eq!((refusals.len(), refusals[0].state), (1, State::Rejected));
    assert!(refusals[0].text.ends_with(&format!("not_approved: {reason}")), "{}", refusals[0].text);
    site.sql("UPDATE vitrina_nmo_module SET description = 'Теперь есть'").await;
    until(&assembly, &line, "module", all(ExchangeState::Sent)).await;
    let receipt = register(&assembly, &line, "module").await.remove(0).receipt.unwrap();
    assert_eq!((receipt.status.as_deref(), receipt.reason), (Some("in_progress"), None));
    assert_eq!(site.mock().modules()["A"].versions, 2);
}

#[tokio::test]
async fn what_the_portal_tells_of_a_module_that_is_not_fed_is_kept_whether_its_feed_is_on_or_off() {
    let site = Site::new(mock_settings()).await;
    let told = |word: &str, stage| Receipt { stage, status: Some(word.into()), ..Receipt::default() };
    let (assembly, line) = site.line().await;
    for (word, stage) in [("in_progress", Stage::Sent), ("not_approved", Stage::TurnedDown)] {
        let heard = line.told("module", &Key::parse("by hand"), told(word, stage)).await.unwrap();
        assert_eq!(heard, Heard::Kept);
        cycle(&line, "module").await;
    }
    assert_eq!(site.mock().count("iom/status"), 0, "the portal is not asked about a stray");
    assembly.ledger.close().await.unwrap();
    drop((assembly, line));
    let mut config = std::fs::read_to_string(&site.config).unwrap();
    config.truncate(config.find("[portals.nmo.feeds.module]").unwrap());
    std::fs::write(&site.config, config).unwrap();
    site.sql("DROP TABLE vitrina_nmo_module").await;
    let (assembly, line) = site.line().await;
    assert!(line.feed("module").is_none());
    line.told("module", &Key::parse("another"), told("approved", Stage::Confirmed)).await.unwrap();
    let id = assembly.ledger.feed("nmo", "module").await.unwrap();
    let rows = assembly.ledger.exchanges(id, None, 10).await.unwrap();
    let shown: Vec<_> = rows.iter().map(|row| (row.key.to_string(), row.state, row.code.as_deref())).collect();
    let code = Some("NOT_FED");
    assert_eq!(
        shown,
        [("another".into(), ExchangeState::Confirmed, code), ("by hand".into(), ExchangeState::Refused, code)]
    );
}

#[tokio::test]
async fn a_module_that_is_gone_is_withdrawn_and_a_result_that_is_gone_is_noted() {
    let site = Site::new(NmoMockSettings { plan_everything: true, ..mock_settings() }).await;
    for id in ["A", "B"] {
        site.module(id).await;
        site.result(id, SNILS, "started").await;
    }
    let (assembly, line) = site.line().await;
    cycle(&line, "module").await;
    cycle(&line, "result").await;
    site.sql(
        "DELETE FROM vitrina_nmo_result WHERE module_id = 'B'; DELETE FROM vitrina_nmo_module WHERE module_id = 'B'",
    )
    .await;
    let calls = site.mock().count("results/started");
    let deadline = Instant::now() + PATIENCE;
    while site.mock().modules()["B"].actual {
        cycle(&line, "result").await;
        cycle(&line, "module").await;
        assert!(Instant::now() < deadline, "the module is not withdrawn");
    }
    assert!(site.mock().modules()["A"].actual);
    assert_eq!(site.mock().count("results/started"), calls);
    let codes: Vec<_> = register(&assembly, &line, "result").await.into_iter().filter_map(|row| row.code).collect();
    assert_eq!(codes, ["NO_REMOVAL"]);
    // A module that comes back is current again.
    site.module("B").await;
    cycle(&line, "module").await;
    assert!(site.mock().modules()["B"].actual);
}

#[tokio::test]
async fn a_row_that_is_not_actual_withdraws_its_module_whatever_its_other_columns_hold() {
    let site = Site::new(mock_settings()).await;
    site.module("A").await;
    let (assembly, line) = site.line().await;
    until(&assembly, &line, "module", all(ExchangeState::Confirmed)).await;
    site.sql("UPDATE vitrina_nmo_module SET actual = 0, name = NULL, hours = -1, specialities = 'none'").await;
    assert_eq!(cycle(&line, "module").await.accepted, 1);
    assert!(!site.mock().modules()["A"].actual);
    assert_eq!(site.mock().calls().pop().unwrap().body, json!({"module_id": "A", "actual": false}));
    assert!(assembly.ledger.refusals(line.feed("module").unwrap().id).await.unwrap().is_empty());
    // Nothing of what is ignored is news.
    let calls = site.mock().calls().len();
    site.sql("UPDATE vitrina_nmo_module SET name = 'Другое', version = 2").await;
    assert_eq!((cycle(&line, "module").await.sent, site.mock().calls().len()), (0, calls));
    // Sound and current again, it is sent whole.
    site.sql("UPDATE vitrina_nmo_module SET actual = 1, hours = 3, specialities = '[{\"level\":\"university\",\"name\":\"Терапия\",\"main\":1}]'")
        .await;
    cycle(&line, "module").await;
    let module = &site.mock().modules()["A"];
    assert_eq!((module.actual, &module.fields["hours"]), (true, &json!(3)));
}

#[tokio::test]
async fn changed_content_is_announced_by_its_version_alone_and_empty_texts_go_out_empty() {
    let site = Site::new(mock_settings()).await;
    site.module("A").await;
    site.sql("UPDATE vitrina_nmo_module SET description = '', annotation = NULL").await;
    let (assembly, line) = site.line().await;
    until(&assembly, &line, "module", all(ExchangeState::Confirmed)).await;
    let sent = site.mock().modules()["A"].fields.clone();
    assert_eq!((&sent["description"], &sent["annotation"], sent.get("version")), (&json!(""), &json!(""), None));
    site.sql("UPDATE vitrina_nmo_module SET version = 2").await;
    cycle(&line, "module").await;
    assert_eq!((site.mock().count("iom/update"), site.mock().modules()["A"].versions), (1, 2));
    until(&assembly, &line, "module", all(ExchangeState::Confirmed)).await;
    assert_eq!(cycle(&line, "module").await.sent, 0);
    assert_eq!(site.mock().modules()["A"].fields.get("version"), None);
}

#[tokio::test]
async fn wrong_rows_stay_at_home_with_every_rule_they_break() {
    let site = Site::new(mock_settings()).await;
    site.module("A").await;
    site.sql("UPDATE vitrina_nmo_module SET organization_inn = '7707083893', price = NULL, specialities = '[]'").await;
    let (assembly, line) = site.line().await;
    cycle(&line, "module").await;
    let refusals = assembly.ledger.refusals(line.feed("module").unwrap().id).await.unwrap();
    let broken: Vec<&str> = refusals[0].violations.iter().map(|violation| violation.field.as_ref()).collect();
    assert_eq!(broken, ["price", "specialities"]);
    site.sql(
        r#"UPDATE vitrina_nmo_module SET price = 1, specialities = '[{"level":"high","name":"Терапия","main":1}]'"#,
    )
    .await;
    cycle(&line, "module").await;
    let refusals = assembly.ledger.refusals(line.feed("module").unwrap().id).await.unwrap();
    assert_eq!(refusals[0].violations[0].field, "organization_name");
    assert!(site.mock().calls().is_empty());
}

#[tokio::test]
async fn a_wrong_password_is_shown_once_however_often_the_feeds_run() {
    let site = Site::new(NmoMockSettings { lock_after: 2, ..mock_settings() }).await;
    site.mock().change_password("another");
    site.module("A").await;
    let (_assembly, line) = site.line().await;
    for _ in 0..20 {
        cycle(&line, "module").await;
    }
    let logins = site.mock().logins();
    assert_eq!((logins.refused, logins.locked), (1, false));
}

#[tokio::test]
async fn what_the_portal_tells_by_itself_stands_in_the_register() {
    let site = Site::new(NmoMockSettings { approved_after: None, ..mock_settings() }).await;
    site.module("A").await;
    let config = load(&site.config, &Environment::of([("", ""); 0])).unwrap().config;
    let metrics = Metrics::new().unwrap();
    let assembly = Assembly::open(&config, &metrics, Access::Write).await.unwrap();
    let (ledger, id) = (Arc::clone(&assembly.ledger), assembly.lines[0].feed("module").unwrap().id);
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let settings = DaemonSettings { workers: 2, ..DaemonSettings::of(&config) };
    let mut daemon = Daemon::start(assembly, listener, metrics, settings).await.unwrap();
    let listener = Listener::bind_for("serve.platform_listen", "127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/statusUpdate", listener.address);
    daemon.serve_platform(Platform::new(listener, platforms(&config).unwrap()));
    let row = async || ledger.exchanges(id, None, 10).await.unwrap().pop();
    let deadline = Instant::now() + PATIENCE;
    while row().await.is_none_or(|row| row.state != ExchangeState::Sent) {
        assert!(Instant::now() < deadline, "the module is not sent");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let tell = |module: &str| {
        let body = json!({"module_id": module, "status": "approved"}).to_string();
        let request = reqwest::Client::builder().no_proxy().build().unwrap().post(&url);
        request.basic_auth("EduPortal", Some("portal-secret-never-shown")).body(body).send()
    };
    assert_eq!(tell("A").await.unwrap().text().await.unwrap(), r#"{"success":true}"#);
    let row = row().await.unwrap();
    let receipt = row.receipt.unwrap();
    assert_eq!((row.state, receipt.status.as_deref()), (ExchangeState::Confirmed, Some("approved")));
    assert_eq!(receipt.url, Some(site.mock().modules()["A"].url.clone()), "what was known before stays");
    let (asked, kept) = (site.mock().count("iom/status"), tell("never sent").await.unwrap().text().await.unwrap());
    assert_eq!(kept, r#"{"success":true}"#);
    let stray = ledger.exchange(id, &Key::parse("never sent")).await.unwrap().unwrap();
    let receipt = stray.receipt.unwrap();
    assert_eq!((stray.state, stray.code.as_deref()), (ExchangeState::Confirmed, Some("NOT_FED")));
    assert_eq!((receipt.status.as_deref(), site.mock().count("iom/status")), (Some("approved"), asked));
    daemon.stop().await;
}
