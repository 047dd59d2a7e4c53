//! The engine behind its seams: the only file that speaks its API. Source, portal and ledger are wrapped so that each call takes its
//! steps, meets its faults and leaves its trace.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use secrecy::SecretString;
use vitrina::ledger::{
    Entry, Exchange, ExchangeCounts, Fate, FeedId, FeedSummary, Ledger, LedgerError, Mark, MarkId, MemoryLedger, Note,
    NotePlace, Progress, Refusal, Replay, Settlement, Word, WordId,
};
use vitrina::portal::fer::SCHEMAS;
use vitrina::portal::{Abilities, Ask, Batch, Cure, Delivery, Held, Portal, Reading, Verdict};
use vitrina::record::{Cell, EncodeSettings, Key, RowChunk, Schema, VisitTimeZone};
use vitrina::source::memory::{Fault, MemoryRows, MemorySource, Value};
use vitrina::source::{Column, Query, Read, RowStream, Source, SourceError, Stamp};
use vitrina::sync::{
    AcceptFuse, CycleError, ErrorBudget, ExchangeSettings, FeedPlan, FuseSettings, Line, LineSettings, OnConflict,
    Order,
};
use vitrina::transport::{Failure, Mishap, RetryTiming};

use crate::hospital::{Body, FEEDS, Feed, Id, Row, Version};
use crate::stage::{FULL_EVERY, OVERLAP, SLOW_RETRY, SWEEP_EVERY, Stage, UNIT_PAUSE};
use crate::steps::Steps;
use crate::trace::{Answer, Asked, Doubt, Memory, Said, What};
use crate::wire::{self, PERSON};

/// The portal's name.
const PORTAL: &str = "fer";
/// A request that gets no answer is given up after this, in milliseconds.
const TIMEOUT: u64 = 10_000;

/// What all wrappers of one process share.
#[derive(Debug, Clone)]
pub struct Process {
    pub stage: Arc<Stage>,
    pub steps: Arc<Steps>,
}

impl Process {
    async fn step(&self) {
        self.steps.step().await;
    }
}

/// A line of one process.
pub type SimLine = Line<SimSource, SimPortal, SimLedger>;

/// Starts the engine over what is durable.
pub async fn open(process: &Process, disk: MemoryLedger) -> Result<Arc<SimLine>, LedgerError> {
    let plan = &process.stage.plan;
    let source = Arc::new(SimSource { process: process.clone(), inner: MemorySource::new(Tz::UTC) });
    let feeds = FEEDS.into_iter().map(|feed| FeedPlan {
        schema: SCHEMAS.iter().copied().find(|schema| schema.feed == feed.name()).expect("the document's feeds"),
        source: Arc::clone(&source),
        query: format!("SELECT * FROM {}", feed.name()),
        changed_at: plan.by_change.contains(&feed).then(|| "updated_at".to_owned()),
        full_every: Duration::from_secs(FULL_EVERY),
        sweep_every: Duration::from_secs(SWEEP_EVERY),
        overlap: Duration::from_secs(OVERLAP),
        encode: EncodeSettings {
            zone: Tz::UTC,
            visit_time_zone: VisitTimeZone::Source,
            defaults: BTreeMap::new(),
            salt: None,
        },
        batch: plan.batch,
        max_batch_bytes: plan.max_batch_bytes,
        urgent: feed == Feed::Slot,
        write_back: None,
    });
    let settings = LineSettings {
        in_flight: plan.in_flight,
        retry: RetryTiming::new(Duration::from_secs(1), Duration::from_secs(30)).expect("a sound timing"),
        slow_retry: Duration::from_secs(SLOW_RETRY),
        unit_pause: Duration::from_secs(UNIT_PAUSE),
        scan_stall: Duration::from_secs(20),
        unit_error_budget: ErrorBudget { rejects: 1000, window: Duration::from_secs(3600) },
        fuse: FuseSettings { share: 0.2, min: 50 },
        on_conflict: [OnConflict::Report, OnConflict::Replace, OnConflict::Adopt][plan.on_conflict],
        exchange: ExchangeSettings::default(),
        slice: Duration::from_secs(5),
        read_only: false,
        seed: plan.engine_seed,
    };
    let portal = SimPortal(process.clone());
    let ledger = Arc::new(SimLedger { process: process.clone(), disk });
    Line::open(PORTAL, portal, ledger, feeds.collect(), settings, process.stage.clock).await.map(Arc::new)
}

/// How a cycle ended, as far as the harness cares.
pub enum Ended {
    /// It did what it could, and let go what waited in other feeds.
    Done { complete: bool, released: Vec<Feed> },
    /// Its source failed: the next one may do better.
    SourceFailed,
    /// The ledger failed: the process ends.
    LedgerFailed,
    /// Something that must never happen.
    Broken(String),
}

/// Runs one cycle.
pub async fn cycle(line: &Arc<SimLine>, stage: &Stage, feed: Feed, full: bool, whole: bool) -> Ended {
    match line.cycle(feed.name(), Order { full, sweep: whole, dry_run: false, whole }).await {
        Ok(report) => {
            stage.note(What::CycleDone { feed, complete: report.complete() });
            let released = report.released.iter().map(|name| Feed::named(name)).collect();
            Ended::Done { complete: report.complete(), released }
        }
        Err(CycleError::Source(_)) => {
            stage.note(What::CycleFailed { feed });
            Ended::SourceFailed
        }
        Err(CycleError::Ledger(_)) => Ended::LedgerFailed,
        Err(error) => Ended::Broken(format!("cycle of {}: {error:?}", feed.name())),
    }
}

/// An operator lets go whatever fuses hold back; gives their feeds.
pub async fn accept_fuses(line: &SimLine) -> Vec<Feed> {
    let mut accepted = Vec::new();
    for feed in FEEDS {
        let fuse = line.feed(feed.name()).and_then(|line| line.fuse()).filter(|fuse| !fuse.accepted);
        if let Some(fuse) = fuse
            && line.accept_fuse(feed.name(), &AcceptFuse::of(&fuse)).await.expect("nothing fails any more")
        {
            accepted.push(feed);
        }
    }
    accepted
}

/// Everything that the ledger remembers of records, read through a copy of the disk.
pub async fn memories(disk: &MemoryLedger) -> Vec<Memory> {
    let copy = disk.snapshot();
    let mut all = BTreeMap::new();
    for known in copy.feeds().await.expect("a copy serves") {
        let feed = Feed::named(&known.feed);
        let mut visit = |step| match step {
            Replay::Put(entry) => drop(all.insert((feed, id_of(&entry.key)), entry)),
            Replay::Drop(key) => drop(all.remove(&(feed, id_of(&key)))),
        };
        copy.load(known.id, &mut visit).await.expect("a copy serves");
    }
    let memory = |((feed, id), entry): ((Feed, Id), Entry)| Memory {
        feed,
        id,
        accepted: entry.accepted.map(|version| version.0),
        doubt: entry.mark.map(|mark| match mark {
            Mark::Version(version) | Mark::Begun(version) | Mark::Finishing(version) => Doubt::Version(version.0),
            Mark::Removal => Doubt::Removal,
        }),
    };
    all.into_iter().map(memory).collect()
}

/// Texts that the ledger keeps for people.
pub async fn texts(disk: &MemoryLedger) -> Vec<String> {
    let copy = disk.snapshot();
    let mut texts = Vec::new();
    for known in copy.feeds().await.expect("a copy serves") {
        let refusals = copy.refusals(known.id).await.expect("a copy serves");
        let told = |refusal: &Refusal| {
            let key = refusal.key.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} {key} {refusal:?}", known.feed)
        };
        texts.extend(refusals.iter().map(told));
    }
    texts.extend(copy.notes(PORTAL).await.expect("a copy serves").into_iter().map(|note| note.body));
    texts
}

/// Hash of a body as the ledger keeps it.
pub fn hash(body: &str) -> u128 {
    xxhash_rust::xxh3::xxh3_128(body.as_bytes())
}

fn id_of(key: &Key) -> Id {
    match key {
        Key::Guid(id) => *id,
        Key::Text(text) => panic!("no key of the document is text: {text}"),
    }
}

// ---- source ----

/// A source whose tables are the hospital's at the moment of each read.
#[derive(Debug)]
pub struct SimSource {
    process: Process,
    inner: MemorySource,
}

/// The rows of one read, in chunks of any size.
#[derive(Debug)]
pub struct SimRows {
    process: Process,
    read: usize,
    inner: MemoryRows,
    keys: VecDeque<Vec<Value>>,
    keys_failed: Option<SourceError>,
    waiting: VecDeque<Vec<Value>>,
    failed: Option<SourceError>,
}

fn columns(feed: Feed) -> &'static [&'static str] {
    match feed {
        Feed::Mo => &["id", "parent_id", "branch_oid", "name", "address", "enabled", "create_ts", "tag_age"],
        Feed::Resource => &[
            "id",
            "type",
            "mo_id",
            "enabled",
            "create_ts",
            "post_id",
            "speciality_id",
            "snils",
            "last_name",
            "first_name",
        ],
        Feed::Service => &["id", "resource_id", "code", "create_ts"],
        Feed::Profile => &["id", "resource_id", "profile_code", "create_ts"],
        Feed::Period => &["period_id", "resource_id", "reason", "beg_date", "end_date", "create_ts"],
        Feed::Slot => {
            &["id", "mo_id", "resource_id", "tag_type", "tag_age", "visit_time", "duration", "status", "create_ts"]
        }
        Feed::Referral => &[
            "id",
            "patient_id",
            "speciality_id",
            "number",
            "type",
            "start_date",
            "end_date",
            "to_mo_id",
            "to_profile_code",
            "to_post_name",
            "from_resource_id",
            "status",
            "create_ts",
            "referral_type_code",
            "to_mo_oid",
            "from_mo_oid",
        ],
        Feed::Book => &["id", "patient_id", "slot_id", "status_code", "tag_source", "type", "referral_id", "create_ts"],
    }
}

/// A row as a database keeps it: in types and forms of its own.
fn cells(feed: Feed, row: &Row) -> Vec<Value> {
    let id = Value::Guid;
    let text = |text: String| Value::Text(text);
    let time = |seconds: i64| Value::LocalTime(seconds * 1_000_000);
    let created = || Value::from("2023-10-01");
    let detail = row.detail;
    let good = |word: &'static str| Value::from(if row.bad { "NONSENSE" } else { word });
    match feed {
        Feed::Mo => vec![
            id(row.id),
            "1.2.3".into(),
            "1.2.3.4".into(),
            text(format!("Unit {detail}")),
            "Street 1".into(),
            good("ALL"),
            created(),
            "ALL".into(),
        ],
        Feed::Resource => {
            let snils = if row.bad { format!("{PERSON} 12") } else { wire::snils(detail) };
            let name = format!("{PERSON}{detail}");
            vec![
                id(row.id),
                "SPECIALIST".into(),
                id(row.unit),
                "ALL".into(),
                created(),
                "4".into(),
                "5".into(),
                text(snils),
                text(name),
                "A".into(),
            ]
        }
        Feed::Service => {
            let code = if row.bad { Value::Null } else { text(format!("S{detail}")) };
            vec![id(row.id), id(row.resource), code, created()]
        }
        Feed::Profile => {
            let code = if row.bad { Value::Null } else { text(format!("P{detail}")) };
            vec![text(wire::guid(row.id).to_uppercase()), id(row.resource), code, created()]
        }
        Feed::Period => {
            vec![id(row.id), id(row.resource), good("REPAIR"), created(), time(row.time), created()]
        }
        Feed::Slot => vec![
            id(row.id),
            id(row.unit),
            id(row.resource),
            "EPGU".into(),
            "ALL".into(),
            time(row.time),
            Value::Int((detail % 90 + 1) as i64),
            good(row.status),
            created(),
        ],
        Feed::Referral => vec![
            id(row.id),
            PERSON.into(),
            "5".into(),
            text(format!("N{detail}")),
            "CONSULTATION".into(),
            created(),
            if row.time == 0 { Value::Null } else { time(row.time) },
            id(row.unit),
            "7".into(),
            "Post".into(),
            id(row.resource),
            good(row.status),
            created(),
            "1".into(),
            "1.2.3".into(),
            "1.2.3".into(),
        ],
        Feed::Book => vec![
            id(row.id),
            id(wire::patient(detail)),
            id(row.slot),
            good(row.status),
            "REG".into(),
            "APPOINTMENT".into(),
            row.referral.map_or(Value::Null, id),
            created(),
        ],
    }
}

impl SimSource {
    /// Puts the hospital's table before the inner source. `keep` says which rows it shows.
    fn show(&self, feed: Feed, table: &[usize], keep: impl Fn(usize) -> bool) {
        let hospital = self.process.stage.hospital();
        let row = |number: usize| {
            let Version { row, stamp, .. } = &hospital.versions[number];
            let mut cells = cells(feed, row);
            cells.push(stamp.map_or(Value::Null, Value::Instant));
            cells.push(Value::Int(number as i64));
            cells
        };
        let shown = table.iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, number)| row(*number)).collect();
        let columns: Vec<&str> = columns(feed).iter().copied().chain(["updated_at", "version"]).collect();
        self.inner.set(feed.name(), &columns, shown);
    }
}

impl Source for SimSource {
    type Rows = SimRows;

    async fn columns(&self, query: Query<'_>) -> Result<Vec<Column>, SourceError> {
        self.inner.columns(query).await
    }

    async fn read(&self, query: Query<'_>, read: Read<'_>) -> Result<SimRows, SourceError> {
        let Process { stage, .. } = &self.process;
        self.process.step().await;
        stage.dawdle(0, 400).await;
        let feed = Feed::named(query.label);
        let table = stage.hospital().tables[feed as usize].clone();
        let asked = match read {
            Read::All => Asked::All,
            Read::Changed { since: Stamp::Instant(since) | Stamp::Local(since), .. } => Asked::Changed(since),
            Read::Swept { since: Stamp::Instant(since) | Stamp::Local(since), .. } => Asked::Swept(since),
            Read::Keys { keys, .. } => Asked::Keys(keys.iter().map(id_of).collect()),
        };
        let number = stage.trace().next_read();
        stage.note(What::ReadBegun { read: number, feed, asked, table: table.clone() });
        let (fault, lie) = {
            let mut chance = stage.chance();
            let quiet = stage.is_quiet();
            let rows = chance.below(table.len() as u64 + 1) as usize;
            let fault =
                chance.any(&[Fault::Unreachable, Fault::Refused, Fault::TimeoutAfter(rows), Fault::LostAfter(rows)]);
            let fault = (!quiet && chance.percent(stage.plan.source_faults)).then_some(fault);
            (fault, (!quiet && chance.below(1000) < stage.plan.lies).then(|| chance.below(3)))
        };
        match lie {
            None => self.show(feed, &table, |_| true),
            Some(0) => self.show(feed, &table, |_| false),
            Some(_) => self.show(feed, &table, |at| at % 2 == 0),
        }
        if let Some(fault) = fault {
            self.inner.fail_next(fault);
        }
        let inner = self.inner.read(query, read).await?;
        Ok(SimRows {
            process: self.process.clone(),
            read: number,
            inner,
            keys: VecDeque::new(),
            keys_failed: None,
            waiting: VecDeque::new(),
            failed: None,
        })
    }

    async fn now(&self) -> Result<i64, SourceError> {
        self.process.step().await;
        let now = self.process.stage.database_now();
        self.process.stage.note(What::DatabaseClock(now / 1_000_000));
        Ok(now)
    }

    async fn has_relation(&self, name: &str) -> Result<bool, SourceError> {
        Ok(FEEDS.iter().any(|feed| feed.name() == name))
    }
}

impl SimRows {
    /// Takes all keys from the inner read; what ends them is kept for later.
    async fn gather_keys(&mut self) {
        let mut chunk = RowChunk::default();
        loop {
            match self.inner.next_keys(&mut chunk).await {
                Ok(true) => self.keys.extend(chunk.rows().map(|row| vec![owned(row.cell(0))])),
                Ok(false) => return,
                Err(error) => {
                    self.keys_failed = Some(error);
                    return;
                }
            }
        }
    }

    /// Takes everything from the inner read; what ends it is kept for later.
    async fn gather(&mut self) {
        let mut chunk = RowChunk::default();
        loop {
            match self.inner.next(&mut chunk).await {
                Ok(true) => {
                    let width = self.inner.columns().len();
                    self.waiting.extend(chunk.rows().map(|row| (0..width).map(|at| owned(row.cell(at))).collect()));
                }
                Ok(false) => return,
                Err(error) => {
                    self.failed = Some(error);
                    return;
                }
            }
        }
    }
}

/// The id that a key cell stands for, in whichever form it is kept.
fn id_in(key: &Value) -> Id {
    match key {
        Value::Guid(id) => *id,
        Value::Text(text) => vitrina::record::guid::parse(text).expect("the tables hold GUIDs"),
        other => panic!("no key is {other:?}"),
    }
}

fn owned(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => Value::Text(text.to_owned()),
        Cell::Guid(id) => Value::Guid(id),
        Cell::Int(number) => Value::Int(number),
        Cell::LocalTime(micros) => Value::LocalTime(micros),
        Cell::Instant(micros) => Value::Instant(micros),
        other => panic!("the tables hold no {other:?}"),
    }
}

impl RowStream for SimRows {
    fn columns(&self) -> &[Column] {
        self.inner.columns()
    }

    fn key_columns(&self) -> &[Column] {
        self.inner.key_columns()
    }

    async fn next_keys(&mut self, chunk: &mut RowChunk) -> Result<bool, SourceError> {
        let stage = Arc::clone(&self.process.stage);
        self.gather_keys().await;
        self.process.step().await;
        stage.dawdle(0, 300).await;
        chunk.reset(1);
        let count = self.keys.len().min(stage.chance().between(1, 30) as usize);
        let keys: Vec<_> = self.keys.drain(..count).flatten().collect();
        keys.iter().for_each(|key| chunk.push(key.cell()));
        if count > 0 {
            stage.note(What::KeysShown { read: self.read, ids: keys.iter().map(id_in).collect() });
            return Ok(true);
        }
        self.keys_failed.take().map_or(Ok(false), Err)
    }

    async fn next(&mut self, chunk: &mut RowChunk) -> Result<bool, SourceError> {
        let stage = Arc::clone(&self.process.stage);
        self.gather().await;
        self.process.step().await;
        stage.dawdle(0, 300).await;
        chunk.reset(self.inner.columns().len());
        let count = self.waiting.len().min(stage.chance().between(1, 30) as usize);
        let mut rows = Vec::with_capacity(count);
        for row in self.waiting.drain(..count) {
            row.iter().for_each(|value| chunk.push(value.cell()));
            if let Some(Value::Int(number)) = row.last() {
                rows.push(*number as usize);
            }
        }
        if count > 0 {
            stage.note(What::Shown { read: self.read, rows });
            return Ok(true);
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => {
                stage.note(What::ReadDone { read: self.read });
                Ok(false)
            }
        }
    }
}

// ---- portal ----

/// The scripted gateway at the end of a slow line.
#[derive(Debug)]
pub struct SimPortal(Process);

impl SimPortal {
    /// Waits as long as the answer is on its way; one that never comes is waited for until the time-out.
    async fn hear(&self, request: usize, answer: Answer) -> Answer {
        let stage = &self.0.stage;
        self.0.step().await;
        match answer {
            Answer::Timeout => stage.dawdle(TIMEOUT, TIMEOUT).await,
            _ => stage.dawdle(0, 900).await,
        }
        stage.note(What::Answered { request, answer: answer.clone() });
        answer
    }
}

fn delivery(answer: Answer) -> Delivery {
    match answer {
        Answer::Judged(said) => Delivery::Judged(said.into_iter().map(verdict).collect()),
        other => Delivery::Failed(failure(other)),
    }
}

fn failure(answer: Answer) -> Failure {
    let mishap = match answer {
        Answer::Judged(_) | Answer::Found(_) => panic!("this is an answer"),
        Answer::NoIds(code) => Mishap::Unnamed { code },
        Answer::Status { code, retry_after } => {
            Mishap::Status { code, retry_after: retry_after.map(Duration::from_secs) }
        }
        Answer::Unconnected => Mishap::Connect { reason: "connection refused".to_owned() },
        Answer::Timeout => Mishap::AnswerTimeout,
        Answer::Cut => Mishap::Cut,
        Answer::Garbage => Mishap::Unreadable { reason: "it is not JSON".to_owned() },
    };
    Failure::from(mishap)
}

fn verdict(said: Said) -> Verdict {
    match said {
        Said::Accepted => Verdict::Accepted { receipt: None },
        Said::Refused { holder } => Verdict::Rejected {
            code: if holder.is_some() { "R-330".to_owned() } else { "R-310".to_owned() },
            text: "refused".to_owned(),
            holder: holder.map(Key::Guid),
            cure: Cure::Time,
        },
        Said::Nothing => Verdict::Unknown,
    }
}

impl Portal for SimPortal {
    fn schemas(&self) -> &'static [&'static Schema] {
        SCHEMAS
    }

    fn abilities(&self, _: &Schema) -> Abilities {
        Abilities::KEYED
    }

    async fn deliver(&self, schema: &'static Schema, batch: &Batch) -> Delivery {
        let stage = &self.0.stage;
        self.0.step().await;
        let feed = Feed::named(schema.feed);
        let body = |at: usize| Body::from(std::str::from_utf8(batch.body(at)).expect("bodies are text"));
        let records: Vec<(Id, Body)> =
            batch.records().iter().enumerate().map(|(at, record)| (id_of(&record.key), body(at))).collect();
        let request = stage.trace().next_request();
        stage.note(What::Sent { request, feed, records: records.clone() });
        stage.dawdle(0, 600).await;
        let answer = stage.gateway().take(feed, &records, stage.clock.now(), &mut stage.trace());
        delivery(self.hear(request, answer).await)
    }

    async fn remove(&self, schema: &'static Schema, key: &Key) -> Delivery {
        let stage = &self.0.stage;
        self.0.step().await;
        let (feed, id) = (Feed::named(schema.feed), id_of(key));
        let request = stage.trace().next_request();
        stage.note(What::Asked { request, feed, id });
        stage.dawdle(0, 600).await;
        let answer = stage.gateway().remove(feed, id, stage.clock.now(), &mut stage.trace());
        delivery(self.hear(request, answer).await)
    }

    fn reading(&self, _: &Schema) -> Reading {
        Reading::ByKey
    }

    async fn read_back(&self, schema: &'static Schema, ask: Ask<'_>) -> Result<Vec<Held>, Failure> {
        let Ask::Record(key) = ask else { panic!("the engine asks for records by their keys alone") };
        let stage = &self.0.stage;
        self.0.step().await;
        let (feed, id) = (Feed::named(schema.feed), id_of(key));
        let request = stage.trace().next_request();
        stage.note(What::LookedFor { request, feed, id });
        stage.dawdle(0, 600).await;
        let answer = stage.gateway().show(feed, id, stage.clock.now());
        let held =
            |body: Body| Held { key: key.clone(), record: serde_json::from_str(&body).expect("bodies are objects") };
        match self.hear(request, answer).await {
            Answer::Found(body) => Ok(body.map(held).into_iter().collect()),
            other => Err(failure(other)),
        }
    }
}

// ---- ledger ----

/// A ledger that takes steps, fails now and then, and leaves a trace of its marks.
#[derive(Debug)]
pub struct SimLedger {
    process: Process,
    disk: MemoryLedger,
}

impl SimLedger {
    /// What comes before each call: a step, and maybe a fault. Gives what becomes of the call.
    async fn before(&self) -> Fate {
        self.process.step().await;
        let stage = &self.process.stage;
        let mut chance = stage.chance();
        if !stage.is_quiet() && chance.below(1000) < stage.plan.ledger_faults {
            let fate = chance.any(&[Fate::Refuse, Fate::LoseAnswer]);
            self.disk.script([fate]);
            return fate;
        }
        Fate::Serve
    }

    /// What comes after each call: a step.
    async fn after<T>(&self, served: T) -> T {
        self.process.step().await;
        served
    }
}

/// Forwards a call, with its steps.
macro_rules! served {
    ($ledger:ident, $call:expr) => {{
        $ledger.before().await;
        let served = $call.await;
        $ledger.after(served).await
    }};
}

impl Ledger for SimLedger {
    async fn feed(&self, portal: &str, feed: &str) -> Result<FeedId, LedgerError> {
        served!(self, self.disk.feed(portal, feed))
    }

    async fn feeds(&self) -> Result<Vec<FeedSummary>, LedgerError> {
        served!(self, self.disk.feeds())
    }

    async fn load(&self, feed: FeedId, visit: &mut (dyn FnMut(Replay) + Send)) -> Result<(), LedgerError> {
        served!(self, self.disk.load(feed, visit))
    }

    async fn mark(&self, feed: FeedId, entries: &[Entry]) -> Result<MarkId, LedgerError> {
        let fate = self.before().await;
        let marked = self.disk.mark(feed, entries).await;
        let stage = &self.process.stage;
        // One that is on the disk although the process was told otherwise puts its records in doubt for the next process. Its number is
        // not known: it is given one that no other has.
        let unheard = || (fate == Fate::LoseAnswer).then(|| -(stage.trace().events.len() as i64));
        if let Some(mark) = marked.as_ref().ok().map(|MarkId(mark)| *mark).or_else(unheard) {
            let feed = FEEDS[(feed.0 - 1) as usize];
            let ids = entries.iter().map(|entry| id_of(&entry.key)).collect();
            stage.note(What::Marked { mark, feed, ids });
        }
        self.after(marked).await
    }

    async fn settle(&self, feed: FeedId, settlement: Settlement) -> Result<(), LedgerError> {
        self.before().await;
        let of = FEEDS[(feed.0 - 1) as usize];
        for refusal in &settlement.refused {
            let unnamed = matches!(refusal.code.as_str(), "REFUSED" | "TOO_LARGE")
                && refusal.state == vitrina::ledger::State::Rejected;
            if let Some(key) = refusal.key.as_ref().filter(|_| unnamed) {
                self.process.stage.note(What::Condemned { feed: of, id: id_of(key) });
            }
        }
        if self.process.stage.tells_all {
            for entry in &settlement.entries {
                let text = format!(
                    "{:?} mark {:?} next {:?} accepted {:?} wanted {:?}",
                    entry.state, entry.mark, entry.next_attempt, entry.accepted, entry.wanted
                );
                self.process.stage.note(What::Stated { feed: of, id: id_of(&entry.key), entry: text });
            }
            for key in &settlement.dropped {
                self.process.stage.note(What::Stated { feed: of, id: id_of(key), entry: "dropped".to_owned() });
            }
        }
        let closed: Vec<MarkId> = settlement.close.iter().map(|(mark, _)| *mark).collect();
        let settled = self.disk.settle(feed, settlement).await;
        if settled.is_ok() {
            closed.into_iter().for_each(|MarkId(mark)| self.process.stage.note(What::Settled { mark }));
        }
        self.after(settled).await
    }

    async fn progress(&self, feed: FeedId) -> Result<Progress, LedgerError> {
        served!(self, self.disk.progress(feed))
    }

    async fn set_progress(&self, feed: FeedId, progress: Progress) -> Result<(), LedgerError> {
        served!(self, self.disk.set_progress(feed, progress))
    }

    async fn refusals(&self, feed: FeedId) -> Result<Vec<Refusal>, LedgerError> {
        served!(self, self.disk.refusals(feed))
    }

    async fn wants_rewrite(&self, feed: FeedId, live: u64) -> Result<bool, LedgerError> {
        let wants = served!(self, self.disk.wants_rewrite(feed, live))?;
        let stage = &self.process.stage;
        // A journal here is never as long as that takes.
        Ok(wants || stage.chance().percent(stage.plan.rewrites))
    }

    async fn rewrite(
        &self,
        feed: FeedId,
        entries: &mut (dyn Iterator<Item = Entry> + Send),
    ) -> Result<(), LedgerError> {
        served!(self, self.disk.rewrite(feed, entries))
    }

    async fn notes(&self, portal: &str) -> Result<Vec<Note>, LedgerError> {
        served!(self, self.disk.notes(portal))
    }

    async fn set_note(&self, note: &Note) -> Result<(), LedgerError> {
        served!(self, self.disk.set_note(note))
    }

    async fn drop_note(&self, place: &NotePlace) -> Result<(), LedgerError> {
        served!(self, self.disk.drop_note(place))
    }

    async fn exchanges(&self, feed: FeedId, after: Option<&Key>, most: usize) -> Result<Vec<Exchange>, LedgerError> {
        served!(self, self.disk.exchanges(feed, after, most))
    }

    async fn exchange(&self, feed: FeedId, key: &Key) -> Result<Option<Exchange>, LedgerError> {
        served!(self, self.disk.exchange(feed, key))
    }

    async fn exchange_counts(&self, feed: FeedId) -> Result<ExchangeCounts, LedgerError> {
        served!(self, self.disk.exchange_counts(feed))
    }

    async fn secret(&self, portal: &str, name: &str) -> Result<Option<SecretString>, LedgerError> {
        served!(self, self.disk.secret(portal, name))
    }

    async fn keep_secret(&self, portal: &str, name: &str, secret: SecretString) -> Result<(), LedgerError> {
        served!(self, self.disk.keep_secret(portal, name, secret))
    }

    async fn say(&self, word: &Word) -> Result<WordId, LedgerError> {
        served!(self, self.disk.say(word))
    }

    async fn words(&self) -> Result<Vec<(WordId, Word)>, LedgerError> {
        served!(self, self.disk.words())
    }

    async fn heard(&self, words: &[WordId]) -> Result<(), LedgerError> {
        served!(self, self.disk.heard(words))
    }

    async fn close(&self) -> Result<(), LedgerError> {
        self.disk.close().await
    }
}
