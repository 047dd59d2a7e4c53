//! POS and EKDO end to end: the whole engine over real HTTP, with answers that are lost, processes that end at the wrong moment, and files.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono_tz::Tz;
use tempfile::TempDir;
use vitrina::demo::ekdo::{EkdoAccount, EkdoMock};
use vitrina::demo::fault::Fault;
use vitrina::demo::host::Host;
use vitrina::demo::pos::{Kind, PosAccount, PosMock};
use vitrina::ledger::{Ledger, MemoryLedger, PortalSecrets, State};
use vitrina::portal::Portal;
use vitrina::portal::ekdo::{EkdoPortal, EkdoSettings, EkdoWire, MOST_FILE_BYTES};
use vitrina::portal::pos::{PosPortal, PosSettings};
use vitrina::record::{EncodeSettings, VisitTimeZone};
use vitrina::source::memory::{MemorySource, Value};
use vitrina::sync::{
    Clock, CycleReport, ErrorBudget, ExchangeSettings, FeedPlan, FuseSettings, Line, LineSettings, OnConflict, Order,
    Resolution, ResolveWord, Resolved,
};
use vitrina::transport::{Pauses, RetryTiming};

use crate::support::papers::{pdf, signature, signature_of, write};

const BASE: i64 = 1_700_000_000;

type TestLine<P> = Arc<Line<MemorySource, P, MemoryLedger>>;

/// What outlives a process: rows, the ledger, the wall clock.
struct Ground {
    source: MemorySource,
    ledger: MemoryLedger,
    steps: &'static AtomicI64,
}

impl Ground {
    fn new() -> Self {
        let source = MemorySource::new(Tz::UTC);
        source.set_now(BASE * 1_000_000);
        Ground { source, ledger: MemoryLedger::new(), steps: Box::leak(Box::new(AtomicI64::new(0))) }
    }

    /// The process ends; what was durable is there for the next.
    fn crash(&mut self) {
        self.ledger = self.ledger.crash();
    }

    fn pass_time(&self, hours: i64) {
        self.steps.fetch_add(hours * 3600, Ordering::Relaxed);
    }

    async fn open<P: Portal>(&self, name: &str, portal: P) -> TestLine<P> {
        let plan = |schema: &&'static vitrina::record::Schema| FeedPlan {
            schema,
            source: Arc::new(self.source.clone()),
            query: format!("SELECT * FROM {}", schema.feed),
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
            batch: 1,
            max_batch_bytes: 1 << 20,
            urgent: false,
            write_back: None,
        };
        let plans = portal.schemas().iter().map(plan).collect();
        let settings = LineSettings {
            in_flight: 2,
            retry: RetryTiming::new(Duration::from_secs(1), Duration::from_secs(60)).unwrap(),
            slow_retry: Duration::from_secs(86_400),
            unit_pause: Duration::from_secs(3600),
            fuse: FuseSettings { share: 0.2, min: 50 },
            on_conflict: OnConflict::Report,
            exchange: ExchangeSettings::default(),
            slice: Duration::from_secs(5),
            unit_error_budget: ErrorBudget { rejects: 100, window: Duration::from_secs(3600) },
            scan_stall: Duration::from_secs(60),
            read_only: false,
            seed: 7,
        };
        let ledger = Arc::new(self.ledger.clone());
        let clock = Clock::stepping(BASE, self.steps);
        Arc::new(Line::open(name, portal, ledger, plans, settings, clock).await.unwrap())
    }
}

async fn cycle<P: Portal>(line: &TestLine<P>, feed: &str) -> CycleReport {
    line.cycle(feed, Order::default()).await.unwrap()
}

/// Cycles over a long time.
async fn days<P: Portal>(ground: &Ground, line: &TestLine<P>, feed: &str) {
    for _ in 0..5 {
        ground.pass_time(30);
        cycle(line, feed).await;
    }
}

/// Refusals of a feed: state and code.
async fn refusals<P: Portal>(ground: &Ground, line: &TestLine<P>, feed: &str) -> Vec<(State, String)> {
    let refusals = ground.ledger.refusals(line.feed(feed).unwrap().id).await.unwrap();
    refusals.into_iter().map(|refusal| (refusal.state, refusal.code)).collect()
}

fn unknown() -> Vec<(State, String)> {
    vec![(State::Unknown, "OUTCOME_UNKNOWN".to_owned())]
}

fn sent(key: &str, id: &str) -> ResolveWord {
    ResolveWord { key: key.to_owned(), outcome: Resolution::Sent(id.to_owned()) }
}

fn quick() -> Pauses {
    let at_once = RetryTiming::new(Duration::from_millis(1), Duration::from_millis(1)).unwrap();
    Pauses { refused: at_once, unanswered: at_once }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A hospital with polls and votings, and POS.
struct Voting {
    ground: Ground,
    mock: PosMock,
    host: Host,
}

const ACTIVITY: [&str; 5] = ["title", "external_id", "participants_count", "reg_oktmo", "level"];

fn activity(title: &str, id: &str) -> Vec<Value> {
    vec![title.into(), id.into(), 5.into(), "78".into(), "Региональный".into()]
}

impl Voting {
    async fn new() -> Self {
        let mock = PosMock::new(PosAccount::default());
        let host = mock.serve(loopback()).await.unwrap();
        let ground = Ground::new();
        let objects = [&ACTIVITY[..], &["external_voting_id", "votes_for", "is_winner"]].concat();
        ground.source.set("voting_object", &objects, Vec::new());
        ground.source.set("voting", &ACTIVITY, Vec::new());
        ground.source.set("poll", &ACTIVITY, vec![activity("Опрос", "4")]);
        Voting { ground, mock, host }
    }

    async fn start(&self) -> TestLine<PosPortal> {
        let settings = PosSettings {
            url: PosMock::url(&self.host).parse().unwrap(),
            access_token: "demo-access".into(),
            refresh_token: "demo-refresh".into(),
            expires_at: None,
            name: "vitrina".into(),
            refresh_path: "/refresh-token".into(),
            timeout: Duration::from_secs(20),
            requests_per_second: NonZeroU32::new(1000).unwrap(),
            ca_file: None,
            pauses: quick(),
        };
        let secrets = Arc::new(PortalSecrets::new(Arc::new(self.ground.ledger.clone()), "pos"));
        self.ground.open("pos", PosPortal::new(settings, secrets, None).unwrap()).await
    }

    fn polls(&self) -> Vec<(u64, String)> {
        let held = self.mock.activities(Kind::Polls);
        held.into_iter().map(|(id, record)| (id, record["title"].as_str().unwrap().to_owned())).collect()
    }
}

#[tokio::test]
async fn one_row_is_one_activity_whatever_becomes_of_the_answer() {
    let mut world = Voting::new().await;
    world.mock.plan(Fault::LoseAnswer);
    let line = world.start().await;
    assert_eq!(cycle(&line, "poll").await.unknown, 1);
    days(&world.ground, &line, "poll").await;
    world.ground.source.set("poll", &ACTIVITY, vec![activity("Опрос 2", "4")]);
    days(&world.ground, &line, "poll").await;
    world.ground.crash();
    let line = world.start().await;
    days(&world.ground, &line, "poll").await;
    assert_eq!(world.polls(), [(1, "Опрос".to_owned())]);
    assert_eq!(refusals(&world.ground, &line, "poll").await, unknown());
    // A person looks it up; then the row's change goes to that very activity.
    assert_eq!(line.resolve("poll", &sent("4", "1")).await.unwrap(), Resolved::Done);
    cycle(&line, "poll").await;
    assert_eq!(world.polls(), [(1, "Опрос 2".to_owned())]);
    assert_eq!((world.mock.counts().created, world.mock.counts().changed), (1, 1));
    assert!(refusals(&world.ground, &line, "poll").await.is_empty());
}

#[tokio::test]
async fn what_pos_says_it_has_is_written_under_the_id_that_an_operator_finds() {
    let world = Voting::new().await;
    world.mock.plan(Fault::LoseAnswer);
    let line = world.start().await;
    cycle(&line, "poll").await;
    let word = ResolveWord { key: "4".into(), outcome: Resolution::NotSent };
    assert_eq!(line.resolve("poll", &word).await.unwrap(), Resolved::Done);
    world.mock.plan(Fault::Says(409, r#"{"success":false,"code":"DUP-7","message":"уже есть"}"#));
    cycle(&line, "poll").await;
    assert_eq!(refusals(&world.ground, &line, "poll").await, [(State::Rejected, "HTTP-409".to_owned())]);
    assert_eq!(line.resolve("poll", &sent("4", "1")).await.unwrap(), Resolved::Done);
    cycle(&line, "poll").await;
    assert!(refusals(&world.ground, &line, "poll").await.is_empty());
    assert_eq!((world.mock.counts().created, world.mock.counts().changed), (1, 1));
}

#[tokio::test]
async fn a_maintenance_of_pos_delays_an_activity_and_doubles_none() {
    let world = Voting::new().await;
    world.mock.plan(Fault::Status(503));
    world.mock.plan(Fault::Status(503));
    let line = world.start().await;
    cycle(&line, "poll").await;
    assert!(world.polls().is_empty());
    days(&world.ground, &line, "poll").await;
    assert_eq!((world.polls().len(), world.mock.counts().created), (1, 1));
    assert!(refusals(&world.ground, &line, "poll").await.is_empty());
}

#[tokio::test]
async fn a_process_that_ends_between_request_and_answer_makes_no_second_activity() {
    let mut world = Voting::new().await;
    world.mock.plan(Fault::Late(Duration::from_secs(60)));
    let line = world.start().await;
    let running = tokio::spawn({
        let line = Arc::clone(&line);
        async move { line.cycle("poll", Order::default()).await.map(|report| report.sent) }
    });
    while world.mock.counts().created == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.abort();
    world.ground.crash();
    let line = world.start().await;
    days(&world.ground, &line, "poll").await;
    assert_eq!((world.mock.counts().created, world.polls().len()), (1, 1));
    assert_eq!(refusals(&world.ground, &line, "poll").await, unknown());
    let word = ResolveWord { key: "4".into(), outcome: Resolution::NotSent };
    assert_eq!(line.resolve("poll", &word).await.unwrap(), Resolved::Done);
    cycle(&line, "poll").await;
    assert_eq!(world.mock.counts().created, 2, "an operator's word is obeyed, right or wrong");
}

#[tokio::test]
async fn an_object_waits_for_its_voting_and_a_guid_is_as_good_a_key_as_a_number() {
    let world = Voting::new().await;
    let guid = "123e4567-e89b-12d3-a456-426614174000";
    let object = |id: &str, voting: &str| {
        let mut row = activity("Парк", id);
        row.extend([voting.into(), 7.into(), Value::Bool(true)]);
        row
    };
    let columns = [&ACTIVITY[..], &["external_voting_id", "votes_for", "is_winner"]].concat();
    world.ground.source.set("voting", &ACTIVITY, vec![activity("Голосование", guid)]);
    world.ground.source.set("voting_object", &columns, vec![object("1", guid), object("2", "of another system")]);
    let line = world.start().await;
    cycle(&line, "voting_object").await;
    cycle(&line, "voting").await;
    cycle(&line, "voting_object").await;
    assert_eq!(world.mock.activities(Kind::VotingObjects).len(), 2);
    assert_eq!(world.mock.counts().orphans, 1, "the other system's, and only that");
}

#[tokio::test]
async fn a_row_that_goes_leaves_its_activity_and_a_new_version_is_a_change() {
    let world = Voting::new().await;
    let line = world.start().await;
    cycle(&line, "poll").await;
    world.ground.source.set("poll", &ACTIVITY, vec![activity("Опрос 2", "4"), activity("Опрос", "5")]);
    world.ground.pass_time(30);
    cycle(&line, "poll").await;
    world.ground.source.set("poll", &ACTIVITY, vec![activity("Опрос", "5")]);
    days(&world.ground, &line, "poll").await;
    assert_eq!(world.polls(), [(1, "Опрос 2".to_owned()), (2, "Опрос".to_owned())]);
    assert_eq!((world.mock.counts().created, world.mock.counts().changed, world.mock.counts().refused), (2, 1, 0));
}

#[tokio::test]
async fn exchanged_tokens_live_in_the_ledger_over_a_crash() {
    let mut world = Voting::new().await;
    world.mock.revoke_access();
    let line = world.start().await;
    cycle(&line, "poll").await;
    assert_eq!((world.mock.counts().refreshed, world.polls().len()), (1, 1));
    world.ground.crash();
    world.ground.source.set("poll", &ACTIVITY, vec![activity("Опрос 2", "4")]);
    let line = world.start().await;
    cycle(&line, "poll").await;
    assert_eq!(world.polls(), [(1, "Опрос 2".to_owned())]);
    assert_eq!((world.mock.counts().refreshed, world.mock.counts().refreshes_refused), (1, 0));
}

/// A poll that names the id that POS gave it.
fn named(title: &str, pos_id: Value) -> (Vec<&'static str>, Vec<Vec<Value>>) {
    let mut row = activity(title, "4");
    row.push(pos_id);
    ([&ACTIVITY[..], &["pos_id"]].concat(), vec![row])
}

impl Voting {
    fn name(&self, title: &str, pos_id: Value) {
        let (columns, rows) = named(title, pos_id);
        self.ground.source.set("poll", &columns, rows);
    }

    /// What a person has made in the personal account.
    fn by_hand(&self) -> u64 {
        self.mock.hold(Kind::Polls, serde_json::Map::from_iter([("title".to_owned(), "By hand".into())]))
    }

    fn created_and_changed(&self) -> (u64, u64) {
        (self.mock.counts().created, self.mock.counts().changed)
    }
}

#[tokio::test]
async fn a_row_that_names_its_id_changes_that_activity_from_its_first_write_on() {
    let mut world = Voting::new().await;
    let id = world.by_hand();
    world.name("Опрос", id.to_string().as_str().into());
    world.mock.plan(Fault::LoseAnswer);
    let line = world.start().await;
    assert_eq!(cycle(&line, "poll").await.unknown, 0, "a change may be repeated");
    // The id may leave the view again, and the row may change while the first answer is lost.
    world.name("Опрос 2", Value::Null);
    days(&world.ground, &line, "poll").await;
    assert_eq!(world.polls(), [(id, "Опрос 2".to_owned())]);
    assert_eq!(world.created_and_changed(), (0, 2));
    assert!(refusals(&world.ground, &line, "poll").await.is_empty());
    world.ground.crash();
    // What POS, or the ledger, says of the id is no change of the row.
    world.name("Опрос 2", "77".into());
    let line = world.start().await;
    days(&world.ground, &line, "poll").await;
    assert_eq!(world.created_and_changed(), (0, 2));
}

#[tokio::test]
async fn an_unknown_outcome_is_over_once_the_row_names_the_id() {
    let world = Voting::new().await;
    world.mock.plan(Fault::LoseAnswer);
    let line = world.start().await;
    assert_eq!(cycle(&line, "poll").await.unknown, 1);
    world.name("Опрос", 1.into());
    days(&world.ground, &line, "poll").await;
    assert!(refusals(&world.ground, &line, "poll").await.is_empty());
    assert_eq!(world.created_and_changed(), (1, 1));
    assert_eq!(line.feed("poll").unwrap().counts().unknown, 0);
    let register = line.feed("poll").unwrap().exchanges().unwrap();
    assert_eq!((register.confirmed, register.unknown), (1, 0));
}

#[tokio::test]
async fn an_operator_names_the_id_of_a_record_that_was_never_sent_from_here() {
    // Never read, read and found wrong, and refused by POS.
    for stage in 0..3 {
        let mut world = Voting::new().await;
        let id = world.by_hand();
        let line = world.start().await;
        match stage {
            0 => {}
            1 => {
                world.ground.source.set("poll", &ACTIVITY, vec![activity("", "4")]);
                cycle(&line, "poll").await;
            }
            _ => {
                world.mock.plan(Fault::Says(422, r#"{"success":false,"message":"есть такой опрос"}"#));
                cycle(&line, "poll").await;
            }
        }
        assert_eq!(line.resolve("poll", &sent("4", &id.to_string())).await.unwrap(), Resolved::Done, "{stage}");
        world.ground.source.set("poll", &ACTIVITY, vec![activity("Опрос", "4")]);
        world.ground.crash();
        let line = world.start().await;
        cycle(&line, "poll").await;
        assert_eq!(world.polls(), [(id, "Опрос".to_owned())], "{stage}");
        assert_eq!(world.created_and_changed(), (0, 1), "{stage}");
        assert_eq!(line.resolve("poll", &sent("4", "9")).await.unwrap(), Resolved::NotUnknown, "it is there");
    }
}

#[tokio::test]
async fn an_id_that_is_named_for_a_record_without_a_row_makes_nothing() {
    let world = Voting::new().await;
    world.ground.source.set("poll", &ACTIVITY, vec![activity("Опрос", "5")]);
    let line = world.start().await;
    assert_eq!(line.resolve("poll", &sent("4", "1")).await.unwrap(), Resolved::Done);
    days(&world.ground, &line, "poll").await;
    assert_eq!(world.created_and_changed(), (1, 0));
    assert_eq!(line.feed("poll").unwrap().counts().pending, 0);
}

#[tokio::test]
async fn an_activity_that_was_deleted_and_made_anew_by_hand_gets_its_new_id() {
    let world = Voting::new().await;
    let line = world.start().await;
    cycle(&line, "poll").await;
    assert!(world.mock.delete(Kind::Polls, 1));
    let id = world.by_hand();
    world.ground.source.set("poll", &ACTIVITY, vec![activity("Опрос 2", "4")]);
    world.ground.pass_time(30);
    cycle(&line, "poll").await;
    assert_eq!(refusals(&world.ground, &line, "poll").await, [(State::Rejected, "NOT_FOUND".to_owned())]);
    assert_eq!(line.resolve("poll", &sent("4", &id.to_string())).await.unwrap(), Resolved::Done);
    cycle(&line, "poll").await;
    assert_eq!(world.polls(), [(id, "Опрос 2".to_owned())]);
}

/// A hospital with one personnel document, and EKDO.
struct Personnel {
    ground: Ground,
    mock: EkdoMock,
    host: Host,
    files: TempDir,
}

const DOCUMENT: [&str; 8] =
    ["id", "employee_name", "subtype", "number", "date", "file_path", "signature_path", "signature_type"];

fn document(number: &str) -> Vec<Value> {
    document_of("17", number)
}

fn document_of(id: &str, number: &str) -> Vec<Value> {
    [id, "Щукин Феофан", "Приказ", number, "2026-03-02", "17.pdf", "17.sig", "УКЭП"].map(Value::from).into()
}

impl Personnel {
    async fn new() -> Self {
        Personnel::with(EkdoAccount::default()).await
    }

    async fn with(account: EkdoAccount) -> Self {
        let mock = EkdoMock::new(account);
        let host = mock.serve(loopback()).await.unwrap();
        let world = Personnel { ground: Ground::new(), mock, host, files: tempfile::tempdir().unwrap() };
        world.put("17.pdf", &pdf(5000));
        world.put("17.sig", &signature());
        world.ground.source.set("document", &DOCUMENT, vec![document("17")]);
        world
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        write(&self.files.path().join(name), bytes, Duration::from_secs(60));
    }

    async fn start(&self) -> TestLine<EkdoPortal> {
        let settings = EkdoSettings {
            url: EkdoMock::url(&self.host).parse().unwrap(),
            username: "demo".into(),
            password: "demo".into(),
            user_id: "".into(),
            files_root: self.files.path().to_owned(),
            max_file_bytes: MOST_FILE_BYTES,
            groups: BTreeMap::new(),
            default_group: None,
            wire: EkdoWire::default(),
            timeout: Duration::from_secs(20),
            requests_per_second: NonZeroU32::new(1000).unwrap(),
            ca_file: None,
            pauses: quick(),
        };
        Box::pin(self.ground.open("ekdo", EkdoPortal::new(settings, None).unwrap())).await
    }

    /// Ids of documents, and whether each is signed.
    fn documents(&self) -> Vec<(String, bool)> {
        self.mock.documents().into_iter().map(|(id, document)| (id, document.signature.is_some())).collect()
    }

    fn accepted(&self, line: &TestLine<EkdoPortal>) -> u64 {
        line.feed("document").unwrap().counts().accepted
    }
}

/// As many cycles as a document takes, one after another as the pool runs them.
async fn cycles(world: &Personnel, line: &TestLine<EkdoPortal>) {
    for _ in 0..3 {
        world.ground.pass_time(1);
        cycle(line, "document").await;
    }
}

#[tokio::test]
async fn a_document_is_uploaded_and_signed_once() {
    let world = Personnel::new().await;
    let line = world.start().await;
    let report = cycle(&line, "document").await;
    assert!(report.released.contains("document") || report.accepted == 1, "what is begun goes on at once");
    cycles(&world, &line).await;
    assert!(matches!(&world.documents()[..], [(_, true)]));
    days(&world.ground, &line, "document").await;
    assert_eq!((world.mock.counts().documents, world.mock.counts().signatures), (1, 1));
    assert_eq!(world.accepted(&line), 1);
}

#[tokio::test]
async fn a_document_that_was_begun_is_finished_after_a_restart_under_its_id() {
    let mut world = Personnel::new().await;
    for fault in [Fault::None, Fault::Status(503), Fault::Status(500)] {
        world.mock.plan(fault);
    }
    let line = world.start().await;
    cycle(&line, "document").await;
    cycle(&line, "document").await;
    assert!(matches!(&world.documents()[..], [(_, false)]));
    world.ground.crash();
    let line = world.start().await;
    days(&world.ground, &line, "document").await;
    assert!(matches!(&world.documents()[..], [(_, true)]), "{:?}", world.documents());
    assert_eq!((world.mock.counts().documents, world.mock.counts().signatures), (1, 1));
    assert_eq!(world.accepted(&line), 1);
}

#[tokio::test]
async fn a_document_whose_answer_was_lost_waits_for_a_word_and_is_then_signed() {
    let mut world = Personnel::new().await;
    world.mock.plan(Fault::LoseAnswer);
    let line = world.start().await;
    assert_eq!(cycle(&line, "document").await.unknown, 1);
    days(&world.ground, &line, "document").await;
    world.ground.crash();
    let line = world.start().await;
    days(&world.ground, &line, "document").await;
    let [(id, false)] = &world.documents()[..] else { panic!("{:?}", world.documents()) };
    assert_eq!(refusals(&world.ground, &line, "document").await, unknown());
    assert_eq!(line.resolve("document", &sent("17", id)).await.unwrap(), Resolved::Done);
    cycles(&world, &line).await;
    assert!(matches!(&world.documents()[..], [(_, true)]));
    assert_eq!(world.accepted(&line), 1);
    assert!(refusals(&world.ground, &line, "document").await.is_empty());
}

#[tokio::test]
async fn a_document_that_the_portal_says_it_has_is_signed_under_the_id_that_an_operator_finds() {
    let world = Personnel::new().await;
    world.mock.plan(Fault::LoseAnswer);
    let line = world.start().await;
    cycle(&line, "document").await;
    let word = ResolveWord { key: "17".into(), outcome: Resolution::NotSent };
    assert_eq!(line.resolve("document", &word).await.unwrap(), Resolved::Done);
    world.mock.plan(Fault::Says(409, r#"{"code":"DUPLICATE","message":"Документ уже есть"}"#));
    cycle(&line, "document").await;
    assert_eq!(refusals(&world.ground, &line, "document").await, [(State::Rejected, "HTTP-409".to_owned())]);
    let [(id, false)] = &world.documents()[..] else { panic!("{:?}", world.documents()) };
    assert_eq!(line.resolve("document", &sent("17", id)).await.unwrap(), Resolved::Done);
    cycles(&world, &line).await;
    assert!(matches!(&world.documents()[..], [(_, true)]));
    assert!(refusals(&world.ground, &line, "document").await.is_empty());
}

/// What is at EKDO after a second document, and how often its tokens were refused and got.
async fn second_document(world: &Personnel, line: &TestLine<EkdoPortal>) -> (u64, u64) {
    world.ground.source.set("document", &DOCUMENT, vec![document("17"), document_of("18", "18")]);
    days(&world.ground, line, "document").await;
    assert!(matches!(&world.documents()[..], [(_, true), (_, true)]), "{:?}", world.documents());
    let counts = world.mock.counts();
    assert_eq!((counts.documents, counts.signatures), (2, 2));
    (counts.unauthorized, counts.logins)
}

#[tokio::test]
async fn a_token_of_ekdo_that_was_revoked_is_replaced_and_nothing_is_uploaded_twice() {
    let world = Personnel::new().await;
    let line = world.start().await;
    cycles(&world, &line).await;
    world.mock.revoke_tokens();
    assert_eq!(second_document(&world, &line).await, (1, 2));
}

#[tokio::test]
async fn a_token_of_ekdo_that_has_expired_is_replaced_before_it_is_refused() {
    let life = Duration::from_secs(1);
    let world = Personnel::with(EkdoAccount { life, ..EkdoAccount::default() }).await;
    let line = world.start().await;
    cycles(&world, &line).await;
    let logins = world.mock.counts().logins;
    tokio::time::sleep(life).await;
    let (refused, later) = second_document(&world, &line).await;
    assert_eq!(refused, 0);
    assert!(later > logins, "{later}");
}

#[tokio::test]
async fn a_file_that_is_replaced_after_the_upload_is_a_change_that_the_portal_cannot_take() {
    let world = Personnel::new().await;
    let line = world.start().await;
    cycle(&line, "document").await;
    cycles(&world, &line).await;
    world.put("17.pdf", &pdf(6000));
    days(&world.ground, &line, "document").await;
    assert_eq!(refusals(&world.ground, &line, "document").await, [(State::Rejected, "NO_UPDATE".to_owned())]);
    assert_eq!(world.mock.counts().documents, 1);
    world.put("17.pdf", &pdf(5000));
    days(&world.ground, &line, "document").await;
    assert!(refusals(&world.ground, &line, "document").await.is_empty());
}

#[tokio::test]
async fn a_file_that_is_still_being_written_is_sent_when_it_is_finished() {
    let mut world = Personnel::new().await;
    write(&world.files.path().join("17.pdf"), &pdf(5000), Duration::ZERO);
    let line = world.start().await;
    cycle(&line, "document").await;
    assert_eq!(refusals(&world.ground, &line, "document").await, [(State::Held, "FILE".to_owned())]);
    assert!(world.documents().is_empty());
    world.ground.crash();
    let line = world.start().await;
    std::fs::remove_file(world.files.path().join("17.sig")).unwrap();
    world.put("17.pdf", &pdf(5000));
    cycles(&world, &line).await;
    assert_eq!(refusals(&world.ground, &line, "document").await, [(State::Held, "FILE".to_owned())]);
    assert_eq!(line.feed("document").unwrap().counts().held, 1);
    world.put("17.sig", &signature_of(&pdf(5000)));
    cycles(&world, &line).await;
    assert!(matches!(&world.documents()[..], [(_, true)]));
    assert!(refusals(&world.ground, &line, "document").await.is_empty());
}

#[tokio::test]
async fn a_document_whose_files_are_touched_after_it_was_signed_stays_signed() {
    let world = Personnel::new().await;
    let line = world.start().await;
    cycle(&line, "document").await;
    cycles(&world, &line).await;
    write(&world.files.path().join("17.pdf"), &pdf(5000), Duration::ZERO);
    days(&world.ground, &line, "document").await;
    assert_eq!(refusals(&world.ground, &line, "document").await, [(State::Held, "FILE".to_owned())]);
    world.put("17.pdf", &pdf(5000));
    days(&world.ground, &line, "document").await;
    assert!(refusals(&world.ground, &line, "document").await.is_empty());
    assert_eq!((world.accepted(&line), world.mock.counts().documents, world.mock.counts().signatures), (1, 1, 1));
}

#[tokio::test]
async fn a_signature_whose_answer_was_lost_is_there_after_a_crash_and_one_of_another_hand_is_for_a_person() {
    for lost in [true, false] {
        let mut world = Personnel::new().await;
        let second = if lost {
            Fault::LoseAnswer
        } else {
            Fault::Says(409, r#"{"success":false,"message":"Документ уже подписан"}"#)
        };
        world.mock.plan(Fault::None);
        world.mock.plan(second);
        let line = world.start().await;
        cycle(&line, "document").await;
        cycle(&line, "document").await;
        world.ground.crash();
        let line = world.start().await;
        days(&world.ground, &line, "document").await;
        let [(id, _)] = &world.documents()[..] else { panic!("{:?}", world.documents()) };
        if !lost {
            let refused = vec![(State::Rejected, "ALREADY_SIGNED".to_owned())];
            assert_eq!(refusals(&world.ground, &line, "document").await, refused);
            assert_eq!(line.resolve("document", &sent("17", id)).await.unwrap(), Resolved::Done);
        }
        assert!(refusals(&world.ground, &line, "document").await.is_empty());
        assert_eq!((world.accepted(&line), world.mock.counts().documents), (1, 1), "{lost}");
        assert_eq!(world.mock.counts().signatures, u64::from(lost));
    }
}

#[tokio::test]
async fn a_process_that_ends_while_the_signature_is_on_its_way_finds_it_there() {
    let mut world = Personnel::new().await;
    world.mock.plan(Fault::None);
    world.mock.plan(Fault::Late(Duration::from_secs(60)));
    let line = world.start().await;
    cycle(&line, "document").await;
    let running = tokio::spawn({
        let line = Arc::clone(&line);
        async move { line.cycle("document", Order::default()).await.map(|report| report.sent) }
    });
    while world.mock.counts().signatures == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.abort();
    world.ground.crash();
    let line = world.start().await;
    days(&world.ground, &line, "document").await;
    assert!(refusals(&world.ground, &line, "document").await.is_empty());
    assert_eq!((world.accepted(&line), world.mock.counts().documents, world.mock.counts().signatures), (1, 1, 1));
}

#[tokio::test]
async fn a_document_that_the_portal_does_not_call_signed_is_for_a_person_and_one_without_a_word_is_sent() {
    let world = Personnel::new().await;
    world.mock.call_signed("Черновик".into());
    let line = world.start().await;
    cycle(&line, "document").await;
    cycles(&world, &line).await;
    assert_eq!(refusals(&world.ground, &line, "document").await, [(State::Rejected, "NOT_SIGNED".to_owned())]);
    let [(id, _)] = &world.documents()[..] else { panic!("{:?}", world.documents()) };
    assert_eq!(line.resolve("document", &sent("17", id)).await.unwrap(), Resolved::Done);
    world.mock.call_signed(serde_json::Value::Null);
    world.ground.source.set("document", &DOCUMENT, vec![document("17"), document_of("18", "18")]);
    days(&world.ground, &line, "document").await;
    assert!(refusals(&world.ground, &line, "document").await.is_empty());
    let register = line.feed("document").unwrap().exchanges().unwrap();
    assert_eq!((register.confirmed, register.sent, world.mock.counts().signatures), (1, 1, 2));
}

#[tokio::test]
async fn a_document_that_was_put_there_and_signed_by_hand_is_left_alone_once_an_operator_says_so() {
    let world = Personnel::new().await;
    let line = world.start().await;
    assert_eq!(line.resolve("document", &sent("17", "d-5")).await.unwrap(), Resolved::Done);
    world.mock.plan(Fault::Says(409, r#"{"success":false,"message":"Документ уже подписан"}"#));
    cycle(&line, "document").await;
    assert_eq!(refusals(&world.ground, &line, "document").await, [(State::Rejected, "ALREADY_SIGNED".to_owned())]);
    assert_eq!(line.resolve("document", &sent("17", "d-5")).await.unwrap(), Resolved::Done);
    days(&world.ground, &line, "document").await;
    assert!(refusals(&world.ground, &line, "document").await.is_empty());
    assert_eq!((world.accepted(&line), world.mock.counts().documents), (1, 0));
}
