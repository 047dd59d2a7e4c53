//! The whole engine between a source and the register, over a ledger on disk: no second set for one row, whatever happens on the way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono_tz::Tz;
use futures_util::future::BoxFuture;
use vitrina::demo::sout::{Fault, RegisterSettings, Running};
use vitrina::ledger::{AnyLedger, Exchange, ExchangeState, Ledger, Refusal, State};
use vitrina::portal::sout::{SignSettings, SoutPortal, SoutSettings};
use vitrina::portal::{Delivery, Portal, Verdict};
use vitrina::record::{EncodeSettings, VisitTimeZone};
use vitrina::source::memory::{MemorySource, Value};
use vitrina::sync::audit::{AuditOrder, FeedAudit, Kind as AuditKind};
use vitrina::sync::{
    Clock, ErrorBudget, ExchangeSettings, FeedPlan, FuseSettings, Line, LineSettings, OnConflict, OnUnknown, Order,
    Resolution, ResolveWord, Resolved, WriteBack, WriteBackError,
};
use vitrina::transport::RetryTiming;

use crate::support::sout::{KEY, batch, portal, register, schema, settings, signing, training};

/// A running engine and its ledger.
struct Engine {
    line: Arc<Line<MemorySource, SoutPortal, AnyLedger>>,
    ledger: Arc<AnyLedger>,
}

const COLUMNS: [&str; 13] = [
    "outer_id",
    "last_name",
    "first_name",
    "snils",
    "position",
    "employer_inn",
    "employer_title",
    "organization_inn",
    "organization_title",
    "test_date",
    "protocol_number",
    "learn_program_id",
    "is_passed",
];

fn row(id: &str, position: &str) -> Vec<Value> {
    let texts = [id, "Секретова", "Анна", "11223344595", position, "7707083893", "ООО", "7707083893", "УЦ"];
    let mut row: Vec<Value> = texts.map(Value::from).into();
    row.extend(["02.10.2026".into(), "17/2".into(), Value::Int(4), Value::Bool(true)]);
    row
}

/// What was written back: key, status, number.
#[derive(Default)]
struct Written(Mutex<Vec<(String, String, Option<String>)>>);

impl WriteBack for Written {
    fn write<'a>(
        &'a self,
        parameters: BTreeMap<&'static str, Option<&'a str>>,
    ) -> BoxFuture<'a, Result<(), WriteBackError>> {
        let text = |name: &str| parameters.get(name).copied().flatten().map(str::to_owned);
        let written = (text("key").unwrap(), text("status").unwrap(), text("base_no"));
        self.0.lock().unwrap().push(written);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A hospital with training records, a register, and a ledger on disk.
struct Site {
    source: MemorySource,
    folder: tempfile::TempDir,
    running: Running,
    written: Arc<Written>,
}

impl Site {
    async fn new(ids: &[&str], settings: RegisterSettings) -> Self {
        let source = MemorySource::new(Tz::UTC);
        source.set_now(chrono::Utc::now().timestamp_micros());
        let site = Site {
            source,
            folder: tempfile::tempdir().unwrap(),
            running: register(settings).await,
            written: Arc::default(),
        };
        site.rows(ids.iter().map(|id| row(id, "врач")).collect());
        site
    }

    fn rows(&self, rows: Vec<Vec<Value>>) {
        self.source.set("training", &COLUMNS, rows);
    }

    fn signed(&self) -> SoutSettings {
        settings(&self.running.url(), Some(signing()))
    }

    /// Starts the engine over what the ledger remembers.
    async fn start(&self, settings: SoutSettings) -> Engine {
        self.start_with(settings, 5000).await
    }

    /// The same with sets of at most so many records.
    async fn start_with(&self, settings: SoutSettings, batch: usize) -> Engine {
        let plan = FeedPlan {
            schema: schema(),
            source: Arc::new(self.source.clone()),
            query: "SELECT * FROM training".into(),
            changed_at: None,
            full_every: Duration::from_secs(3600),
            sweep_every: Duration::from_secs(300),
            overlap: Duration::from_secs(300),
            encode: EncodeSettings {
                zone: Tz::UTC,
                visit_time_zone: VisitTimeZone::Source,
                defaults: BTreeMap::new(),
                salt: None,
            },
            batch,
            max_batch_bytes: 16 << 20,
            urgent: false,
            write_back: Some(Arc::clone(&self.written) as Arc<dyn WriteBack>),
        };
        let settings_of_line = LineSettings {
            in_flight: 1,
            retry: RetryTiming::new(Duration::from_millis(10), Duration::from_millis(20)).unwrap(),
            slow_retry: Duration::from_secs(86_400),
            unit_pause: Duration::from_secs(3600),
            fuse: FuseSettings { share: 0.2, min: 50 },
            on_conflict: OnConflict::Report,
            exchange: ExchangeSettings { inquire_every: Duration::from_secs(1), on_unknown: OnUnknown::Ask },
            slice: Duration::from_secs(5),
            unit_error_budget: ErrorBudget { rejects: 100, window: Duration::from_secs(3600) },
            scan_stall: Duration::from_secs(60),
            read_only: false,
            seed: 7,
        };
        let ledger = format!("sqlite:{}", self.folder.path().join("ledger.db").display());
        let ledger = Arc::new(AnyLedger::open(&ledger).await.unwrap());
        let portal = portal(settings);
        let line = Line::open("sout", portal, Arc::clone(&ledger), vec![plan], settings_of_line, Clock::system()).await;
        Engine { line: Arc::new(line.unwrap()), ledger }
    }

    /// No row of the source stands in two sets.
    fn assert_no_second_set(&self) {
        for set in self.running.mock().sets() {
            for id in set.outer_ids {
                assert_eq!(self.running.mock().copies(&id), 1, "{id}");
            }
        }
    }
}

impl Engine {
    async fn cycle(&self) {
        self.line.cycle("training", Order::default()).await.unwrap();
    }

    async fn exchanges(&self) -> Vec<Exchange> {
        self.ledger.exchanges(self.line.feed("training").unwrap().id, None, usize::MAX).await.unwrap()
    }

    async fn states(&self) -> Vec<ExchangeState> {
        self.exchanges().await.iter().map(|row| row.state).collect()
    }

    async fn refusals(&self) -> Vec<Refusal> {
        self.ledger.refusals(self.line.feed("training").unwrap().id).await.unwrap()
    }

    async fn stop(self) {
        self.ledger.close().await.unwrap();
    }
}

/// Runs cycles until all rows of the register stand so.
async fn until_all(engine: &Engine, state: ExchangeState) {
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        engine.cycle().await;
        let states = engine.states().await;
        if !states.is_empty() && states.iter().all(|found| *found == state) {
            return;
        }
        assert!(Instant::now() < give_up, "{states:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_set_goes_out_and_its_numbers_come_back() {
    let slow = RegisterSettings { reads_before_number: 1, ..RegisterSettings::new(KEY) };
    let site = Site::new(&["a-1", "a-2"], slow).await;
    let engine = site.start(site.signed()).await;
    engine.cycle().await;
    assert_eq!(site.running.mock().sets().len(), 1);
    until_all(&engine, ExchangeState::Confirmed).await;
    let mock = site.running.mock();
    for row in engine.exchanges().await {
        let receipt = row.receipt.unwrap();
        assert_eq!(receipt.base_no, mock.base_no(&row.key.to_string()));
        assert_eq!(receipt.set_id.as_deref(), Some(mock.sets()[0].id.as_str()));
        let last = (row.key.to_string(), "confirmed".to_owned(), receipt.base_no);
        assert!(site.written.0.lock().unwrap().contains(&last), "{last:?}");
    }
    assert_eq!(mock.counters().pushes, 1);
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_set() {
    let site = Site::new(&["a-1", "a-2", "a-3", "a-4", "a-5"], RegisterSettings::new(KEY)).await;
    site.running.mock().inject(Fault::LoseAnswer);
    let engine = site.start(site.signed()).await;
    until_all(&engine, ExchangeState::Confirmed).await;
    site.assert_no_second_set();
    assert_eq!(site.running.mock().counters().pushes, 1);
    assert!(
        engine
            .exchanges()
            .await
            .iter()
            .all(|row| row.receipt.as_ref().is_some_and(|receipt| receipt.base_no.is_some()))
    );
}

#[tokio::test]
async fn a_push_that_never_arrived_is_repeated_once() {
    let site = Site::new(&["a-1", "a-2", "a-3", "a-4", "a-5"], RegisterSettings::new(KEY)).await;
    site.running.mock().inject(Fault::LoseRequest);
    let engine = site.start(site.signed()).await;
    until_all(&engine, ExchangeState::Confirmed).await;
    site.assert_no_second_set();
    assert_eq!(site.running.mock().counters().pushes, 2);
}

#[tokio::test]
async fn a_signed_set_that_the_portal_kept_back_and_did_not_answer_for_is_pushed_again_and_its_draft_stays() {
    let site = Site::new(&["a-1", "a-2"], RegisterSettings::new(KEY)).await;
    site.running.mock().inject(Fault::NotSentOnAndLost);
    let engine = site.start(site.signed()).await;
    until_all(&engine, ExchangeState::Confirmed).await;
    let sets: Vec<bool> = site.running.mock().sets().iter().map(|set| set.sent).collect();
    assert_eq!(sets, [false, true], "no read-back shows a draft: a person deletes it");
}

#[tokio::test]
async fn five_thousand_and_one_records_are_a_full_set_and_one_more() {
    let ids: Vec<String> = (1..=5001).map(|number| format!("a-{number}")).collect();
    let site = Site::new(&ids.iter().map(String::as_str).collect::<Vec<_>>(), RegisterSettings::new(KEY)).await;
    let engine = site.start(SoutSettings { page_size: 5000, ..site.signed() }).await;
    engine.cycle().await;
    let sizes: Vec<usize> = site.running.mock().sets().iter().map(|set| set.outer_ids.len()).collect();
    assert_eq!(sizes, [5000, 1]);
    until_all(&engine, ExchangeState::Confirmed).await;
    site.assert_no_second_set();
}

#[tokio::test]
async fn a_maintenance_of_the_register_delays_a_set_and_doubles_none() {
    let site = Site::new(&["a-1", "a-2"], RegisterSettings::new(KEY)).await;
    site.running.mock().inject(Fault::Maintenance);
    site.running.mock().inject(Fault::Maintenance);
    let engine = site.start(site.signed()).await;
    until_all(&engine, ExchangeState::Confirmed).await;
    assert_eq!(site.running.mock().sets().len(), 1);
    site.assert_no_second_set();
}

/// Pushes, and kills the engine when the set is made and its answer has not come.
async fn crash_after_push(site: &Site, settings: SoutSettings) {
    site.running.mock().inject(Fault::HoldAnswer);
    let engine = site.start(settings).await;
    let running = Arc::clone(&engine.line);
    let task = tokio::spawn(async move { running.cycle("training", Order::default()).await });
    let give_up = Instant::now() + Duration::from_secs(60);
    while site.running.mock().sets().is_empty() {
        assert!(Instant::now() < give_up, "nothing was pushed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    task.abort();
    let _ = task.await;
    engine.stop().await;
}

#[tokio::test]
async fn a_crash_between_push_and_settling_makes_no_second_set() {
    // One of the keys is a GUID: it is found again all the same.
    let site = Site::new(&["a-1", "ab7cbc4b-2e68-40d2-881b-6f957b044818"], RegisterSettings::new(KEY)).await;
    crash_after_push(&site, site.signed()).await;
    let engine = site.start(site.signed()).await;
    assert_eq!(engine.states().await, [ExchangeState::Unknown; 2]);
    until_all(&engine, ExchangeState::Confirmed).await;
    site.assert_no_second_set();
    assert_eq!(site.running.mock().counters().pushes, 1);
    engine.stop().await;
    // And the next process knows it.
    let engine = site.start(site.signed()).await;
    engine.cycle().await;
    assert_eq!(engine.states().await, [ExchangeState::Confirmed; 2]);
    assert_eq!(site.running.mock().counters().pushes, 1);
}

#[tokio::test]
async fn after_a_crash_a_record_that_is_not_shown_yet_is_not_taken_for_absent() {
    let site = Site::new(&["a-1"], RegisterSettings::new(KEY)).await;
    // What this one pushes is a draft, which no read-back shows: as a set is that is on its way.
    crash_after_push(&site, settings(&site.running.url(), None)).await;
    let patient = SoutSettings { absent_after: Duration::from_secs(900), ..site.signed() };
    let engine = site.start(patient).await;
    for _ in 0..3 {
        engine.cycle().await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    assert!(site.running.mock().counters().reads > 0, "it was looked for");
    assert_eq!(engine.states().await, [ExchangeState::Unknown]);
    assert_eq!(site.running.mock().counters().pushes, 1);
    site.running.mock().send_drafts();
    until_all(&engine, ExchangeState::Confirmed).await;
    site.assert_no_second_set();
}

#[tokio::test]
async fn what_went_out_unsigned_is_not_sent_again_because_sets_are_signed_by_now() {
    for crash in [true, false] {
        let site = Site::new(&["a-1"], RegisterSettings::new(KEY)).await;
        let unsigned = settings(&site.running.url(), None);
        if crash {
            crash_after_push(&site, unsigned).await;
        } else {
            site.running.mock().inject(Fault::LoseAnswer);
            let engine = site.start(unsigned).await;
            engine.cycle().await;
            engine.stop().await;
        }
        // Here what is signed and not shown is called absent at once.
        let engine = site.start(site.signed()).await;
        let reads = site.running.mock().counters().reads;
        let give_up = Instant::now() + Duration::from_secs(60);
        while site.running.mock().counters().reads == reads {
            assert!(Instant::now() < give_up, "it was not looked for");
            engine.cycle().await;
        }
        engine.cycle().await;
        assert_eq!(engine.states().await, [ExchangeState::Unknown]);
        assert_eq!(site.running.mock().counters().pushes, 1, "crash: {crash}");
    }
}

#[tokio::test]
async fn a_lost_draft_waits_for_an_operators_word() {
    const GUID: &str = "ab7cbc4b-2e68-40d2-881b-6f957b044818";
    let site = Site::new(&[GUID], RegisterSettings::new(KEY)).await;
    site.running.mock().inject(Fault::LoseAnswer);
    let engine = site.start(settings(&site.running.url(), None)).await;
    for _ in 0..5 {
        engine.cycle().await;
        site.rows(vec![row(GUID, "главный врач")]);
    }
    assert_eq!(engine.states().await, [ExchangeState::Unknown]);
    let refusals = engine.refusals().await;
    assert_eq!((refusals[0].state, refusals[0].code.as_str()), (State::Unknown, "OUTCOME_UNKNOWN"));
    site.rows(vec![row(GUID, "врач")]);
    let set = site.running.mock().sets()[0].id.clone();
    let word = ResolveWord { key: GUID.to_owned(), outcome: Resolution::Sent(set) };
    assert_eq!(engine.line.resolve("training", &word).await.unwrap(), Resolved::Done);
    site.running.mock().send_drafts();
    until_all(&engine, ExchangeState::Confirmed).await;
    assert_eq!(site.running.mock().counters().pushes, 1);
}

#[tokio::test]
async fn a_record_at_fault_is_found_and_its_neighbours_go_once() {
    let ids: Vec<String> = (1..=16).map(|number| format!("a-{number}")).collect();
    let site = Site::new(&ids.iter().map(String::as_str).collect::<Vec<_>>(), RegisterSettings::new(KEY)).await;
    site.running.mock().refuse("a-5", "Запись 5: некорректный ИНН");
    let engine = site.start(site.signed()).await;
    for _ in 0..3 {
        engine.cycle().await;
    }
    site.assert_no_second_set();
    let sent: usize = site.running.mock().sets().iter().map(|set| set.outer_ids.len()).sum();
    assert_eq!(sent, 15);
    let refusals = engine.refusals().await;
    assert_eq!(refusals.len(), 1);
    assert_eq!(
        (refusals[0].key.as_ref().unwrap().to_string().as_str(), refusals[0].code.as_str()),
        ("a-5", "SOUT-400")
    );
    assert!(site.running.mock().counters().pushes <= 12, "{:?}", site.running.mock().counters());
}

#[tokio::test]
async fn what_the_register_cannot_do_is_not_tried() {
    let site = Site::new(&["a-1", "a-2"], RegisterSettings::new(KEY)).await;
    let engine = site.start(site.signed()).await;
    until_all(&engine, ExchangeState::Confirmed).await;
    site.rows(vec![row("a-1", "главный врач")]);
    for _ in 0..3 {
        engine.cycle().await;
    }
    assert_eq!(site.running.mock().counters().pushes, 1);
    let refusals = engine.refusals().await;
    let codes: Vec<_> = refusals.iter().map(|refusal| refusal.code.as_str()).collect();
    assert!(codes.contains(&"NO_UPDATE"), "{codes:?}");
    let noted = engine.exchanges().await.into_iter().find(|row| row.key.to_string() == "a-2").unwrap();
    assert_eq!(noted.code.as_deref(), Some("NO_REMOVAL"));
}

/// Signing settings whose program leaves a line in a file at each run.
fn counted_signing(runs: &std::path::Path) -> SignSettings {
    let script = format!("echo x >> {}; printf 'MAMCAQE=' > \"$1.sig\"", runs.display());
    let command = ["sh", "-c", &script, "sign"].map(str::to_owned).to_vec();
    SignSettings { command, ..signing() }
}

fn lines(path: &std::path::Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn a_fault_of_the_signature_blames_no_record_and_the_next_process_tries_at_once() {
    for words in [
        "Срок действия ключа проверки электронной подписи истёк",
        "Сертификат отозван",
        "Подпись набора не распознана",
        "В архиве olot нет файла Data.xml.sig",
        "NeedSend равен true, но набор не подписан",
    ] {
        let ids: Vec<String> = (1..=16).map(|number| format!("a-{number}")).collect();
        let site = Site::new(&ids.iter().map(String::as_str).collect::<Vec<_>>(), RegisterSettings::new(KEY)).await;
        let runs = site.folder.path().join("runs");
        let signed = SoutSettings { sign: Some(counted_signing(&runs)), ..site.signed() };
        site.running.mock().refuse_sets(words);
        let engine = site.start(signed.clone()).await;
        for _ in 0..3 {
            engine.cycle().await;
        }
        assert_eq!((site.running.mock().counters().pushes, lines(&runs)), (1, 1), "{words}");
        assert_eq!(engine.refusals().await.len(), 0, "{words}");
        let now = chrono::Utc::now().timestamp();
        let (_, why) = engine.line.feed("training").unwrap().rest(now).unwrap();
        assert!(why.contains("sign_command") && why.contains("certificate") && !why.contains(KEY), "{why}");
        assert!(engine.line.breaker().lets_pass(now), "the account is well");
        engine.stop().await;
        site.running.mock().refuse_nothing();
        let engine = site.start(signed).await;
        engine.cycle().await;
        assert_eq!(engine.states().await, vec![ExchangeState::Sent; 16], "{words}");
        assert_eq!(lines(&runs), 2);
    }
}

#[tokio::test]
async fn numbers_come_back_while_nothing_can_be_signed() {
    let slow = RegisterSettings { reads_before_number: 1, ..RegisterSettings::new(KEY) };
    let site = Site::new(&["a-1"], slow).await;
    let engine = site.start(site.signed()).await;
    engine.cycle().await;
    site.rows(vec![row("a-1", "врач"), row("a-2", "врач")]);
    site.running.mock().refuse_sets("Сертификат отозван");
    engine.cycle().await;
    let give_up = Instant::now() + Duration::from_secs(60);
    while !engine.states().await.contains(&ExchangeState::Confirmed) {
        assert!(Instant::now() < give_up);
        engine.line.follow_up("training").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn two_thousand_refused_records_make_at_most_fifty_pushes_in_a_pass() {
    let ids: Vec<String> = (1..=2000).map(|number| format!("a-{number}")).collect();
    for batch in [5000, 500, 100, 1] {
        let site = Site::new(&ids.iter().map(String::as_str).collect::<Vec<_>>(), RegisterSettings::new(KEY)).await;
        ids.iter().for_each(|id| site.running.mock().refuse(id, "Неверный СНИЛС"));
        let engine = site.start_with(site.signed(), batch).await;
        let report = engine.line.cycle("training", Order::default()).await.unwrap();
        let counters = site.running.mock().counters();
        assert!(counters.pushes <= 50, "batch {batch}: {counters:?}");
        let refused = engine.refusals().await.len();
        assert!((1..=50).contains(&refused), "batch {batch}: {refused}");
        assert_eq!((report.failures, report.refused), (0, refused as u64));
        assert!(report.search_goes_on || report.postponed > 0, "batch {batch}");
    }
}

#[tokio::test]
async fn a_signed_set_that_was_not_sent_on_needs_a_person_until_it_is() {
    let site = Site::new(&["a-1", "a-2"], RegisterSettings::new(KEY)).await;
    site.running.mock().inject(Fault::NotSentOn);
    let engine = site.start(site.signed()).await;
    engine.cycle().await;
    let feed = engine.line.feed("training").unwrap();
    let now = chrono::Utc::now().timestamp();
    let drafts = feed.drafts();
    assert!(drafts.count == 2 && drafts.oldest.is_some_and(|sent| sent <= now), "{drafts:?}");
    let receipt = engine.exchanges().await[0].receipt.clone().unwrap();
    assert_eq!((receipt.status.as_deref(), receipt.reason.as_deref()), (Some("draft"), Some("Набор был создан")));
    let told: Vec<String> = site.written.0.lock().unwrap().iter().map(|(_, status, _)| status.clone()).collect();
    assert_eq!(told, ["draft", "draft"]);
    engine.stop().await;
    // The next process knows it too.
    let engine = site.start(site.signed()).await;
    assert_eq!(engine.line.feed("training").unwrap().drafts().count, 2);
    site.running.mock().send_drafts();
    until_all(&engine, ExchangeState::Confirmed).await;
    assert_eq!(engine.line.feed("training").unwrap().drafts().count, 0);
    assert!(engine.exchanges().await.iter().all(|row| row.receipt.as_ref().unwrap().reason.is_none()));
    assert!(site.written.0.lock().unwrap().iter().filter(|(_, status, _)| status == "confirmed").count() >= 2);
}

#[tokio::test]
async fn an_unsigned_draft_is_as_it_should_be() {
    let site = Site::new(&["a-1"], RegisterSettings::new(KEY)).await;
    let engine = site.start(settings(&site.running.url(), None)).await;
    engine.cycle().await;
    let drafts = engine.line.feed("training").unwrap().drafts();
    assert_eq!((drafts.count, drafts.unsigned), (0, 1), "it waits for a signature, and nothing is wrong");
    assert!(drafts.oldest_unsigned.is_some());
    assert_eq!(site.written.0.lock().unwrap()[0].1, "draft");
}

/// Another program's set in the register: these records, signed, under whatever ids.
async fn push_elsewhere(site: &Site, records: &[serde_json::Value]) {
    let portal = portal(site.signed());
    let Delivery::Judged(verdicts) = portal.deliver(schema(), &batch(records)).await else { panic!("not judged") };
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Accepted { .. })), "{verdicts:?}");
}

async fn audit(engine: &Engine, repair: bool) -> FeedAudit {
    let order = AuditOrder { ticket: "t".into(), repair, restart: true, ..AuditOrder::default() };
    let progress = engine.line.begin_audit(order).await.unwrap();
    engine.line.audit(progress).await.unwrap().feeds.remove(0)
}

#[tokio::test]
async fn a_lost_ledger_pushes_nothing_twice_after_an_audit() {
    let ids: Vec<String> = (1..=30).map(|number| format!("a-{number}")).collect();
    let mut site = Site::new(&ids.iter().map(String::as_str).collect::<Vec<_>>(), RegisterSettings::new(KEY)).await;
    let rows = |count: usize| {
        let of = |number: usize| {
            let mut row = row(&format!("a-{number}"), "врач");
            row[10] = Value::from(format!("17/{number}").as_str());
            row
        };
        (1..=count).map(of).collect::<Vec<_>>()
    };
    site.rows(rows(30));
    let engine = site.start(site.signed()).await;
    until_all(&engine, ExchangeState::Confirmed).await;
    engine.stop().await;
    site.folder = tempfile::tempdir().unwrap();
    site.written.0.lock().unwrap().clear();
    site.rows(rows(31));
    let engine = site.start(SoutSettings { page_size: 7, ..site.signed() }).await;
    let seen = audit(&engine, false).await;
    assert_eq!((seen.tally.equal, seen.tally.unknown, seen.count(AuditKind::Missing)), (30, 30, 1));
    assert!(engine.states().await.is_empty(), "without --repair nothing is taken over");
    let done = audit(&engine, true).await;
    assert_eq!((done.tally.adopted, done.left()), (30, 1));
    assert_eq!(site.running.mock().counters().pushes, 1, "an audit sends nothing");
    assert_eq!(engine.states().await, vec![ExchangeState::Confirmed; 30]);
    engine.cycle().await;
    until_all(&engine, ExchangeState::Confirmed).await;
    site.assert_no_second_set();
    assert_eq!((site.running.mock().counters().pushes, site.running.mock().copies("a-31")), (2, 1));
    let written = site.written.0.lock().unwrap().clone();
    for id in &ids {
        let number = site.running.mock().base_no(id);
        assert!(written.iter().any(|(key, _, base_no)| key == id && *base_no == number), "{id}");
    }
    assert_eq!(audit(&engine, true).await.left(), 0);
}

#[tokio::test]
async fn what_another_program_registered_is_found_by_person_programme_date_and_protocol() {
    let site = Site::new(&["a-1", "a-2"], RegisterSettings::new(KEY)).await;
    let mut second = row("a-2", "врач");
    second[11] = Value::Int(6);
    site.rows(vec![row("a-1", "врач"), second]);
    let of = |id: &str, program: i64| {
        let mut record = training(id);
        record["last_name"] = "СЕКРЕТОВА".into();
        record["learn_program_id"] = program.into();
        record
    };
    let mut failed = of("other-3", 6);
    failed["is_passed"] = false.into();
    let mut stranger = of("other-4", 4);
    stranger["protocol_number"] = "99".into();
    push_elsewhere(&site, &[of("other-1", 4), failed, stranger]).await;
    let engine = site.start(site.signed()).await;
    let done = audit(&engine, true).await;
    assert_eq!((done.tally.equal, done.tally.adopted), (1, 1));
    let differences: Vec<_> = done.differences.iter().map(|one| (one.key.as_str(), one.kind)).collect();
    assert_eq!(differences, [("other-4", AuditKind::Foreign), ("a-2", AuditKind::Stale)]);
    assert_eq!(done.differences[1].fields, ["is_passed"]);
    for _ in 0..2 {
        engine.cycle().await;
    }
    assert_eq!(site.running.mock().counters().pushes, 1);
    let codes: Vec<_> = engine.refusals().await.into_iter().map(|refusal| refusal.code).collect();
    assert_eq!(codes, ["NO_UPDATE"], "what differs there is not sent over it");
}

#[tokio::test]
async fn an_audit_leaves_alone_what_is_on_its_way() {
    let site = Site::new(&["a-1", "a-2"], RegisterSettings::new(KEY)).await;
    site.running.mock().inject(Fault::NotSentOn);
    let engine = site.start(site.signed()).await;
    engine.cycle().await;
    let done = audit(&engine, true).await;
    assert_eq!((done.tally.on_the_way, done.left()), (2, 0));
    engine.cycle().await;
    assert_eq!(site.running.mock().counters().pushes, 1);
}
