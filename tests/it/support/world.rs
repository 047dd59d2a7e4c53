//! A small hospital, a ledger and a portal in memory with a line between them, for tests of the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use vitrina::ledger::{Ledger, MemoryLedger, State};
use vitrina::portal::fer::SCHEMAS;
use vitrina::record::{EncodeSettings, Key, VisitTimeZone};
use vitrina::source::memory::{MemorySource, Value};
use vitrina::sync::{
    Clock, CycleReport, ErrorBudget, ExchangeSettings, FeedPlan, FuseSettings, Line, LineSettings, OnConflict, Order,
    WriteBack,
};
use vitrina::transport::RetryTiming;

use super::portal::ScriptedPortal;

/// A moment in 2023.
pub const NOW: i64 = 1_700_000_000;
/// The unit that every world has.
pub const MO: u128 = 0xa0;
/// The room that every world has.
pub const RESOURCE: u128 = 0xb0;

/// A small hospital, a ledger that survives restarts, and a portal.
pub struct World {
    pub source: MemorySource,
    pub ledger: MemoryLedger,
    pub portal: ScriptedPortal,
    pub tables: BTreeMap<&'static str, BTreeMap<u128, Vec<Value>>>,
    pub changed_at: Option<&'static str>,
    pub sweep_every: Duration,
    pub batch: usize,
    pub on_conflict: OnConflict,
    pub budget: ErrorBudget,
    pub in_flight: usize,
    pub exchange: ExchangeSettings,
    pub write_back: Option<Arc<dyn WriteBack>>,
    /// What decides the engine's dice.
    pub seed: u64,
}

/// The line over a world.
pub type TestLine = Arc<Line<MemorySource, ScriptedPortal, MemoryLedger>>;

/// Columns of a feed's table.
pub fn columns(feed: &str) -> &'static [&'static str] {
    match feed {
        "mo" => &["id", "parent_id", "branch_oid", "name", "address", "enabled", "create_ts", "tag_age"],
        "resource" => &["id", "type", "mo_id", "enabled", "create_ts", "room_number", "room_name"],
        "slot" => &[
            "id",
            "mo_id",
            "resource_id",
            "tag_type",
            "tag_age",
            "visit_time",
            "duration",
            "status",
            "create_ts",
            "updated_at",
        ],
        "book" => &["id", "patient_id", "slot_id", "status_code", "tag_source", "type", "create_ts"],
        "unaccessable_period" => &["period_id", "resource_id", "reason", "beg_date", "end_date", "create_ts"],
        other => panic!("{other}"),
    }
}

/// The feeds of a world, parents first.
pub const FEEDS: [&str; 5] = ["mo", "resource", "unaccessable_period", "slot", "book"];

pub fn guid(id: u128) -> Value {
    Value::Guid(id)
}

/// A row of a unit.
pub fn mo(id: u128, name: &str) -> Vec<Value> {
    vec![
        guid(id),
        "1.2.3".into(),
        "1.2.3.4".into(),
        name.into(),
        "Street 1".into(),
        "ALL".into(),
        "2023-10-01".into(),
        "ALL".into(),
    ]
}

/// A row of a room of a unit.
pub fn room(id: u128, mo: u128) -> Vec<Value> {
    vec![guid(id), "ROOM".into(), guid(mo), "ALL".into(), "2023-10-01".into(), "7".into(), "Room".into()]
}

/// A row of a slot of [`RESOURCE`], at a time of its own.
pub fn slot(id: u128, status: &str) -> Vec<Value> {
    let minute = i64::try_from(id % 100_000).unwrap();
    let visit = (NOW + 86_400 + minute * 60) * 1_000_000;
    vec![
        guid(id),
        guid(MO),
        guid(RESOURCE),
        "EPGU".into(),
        "ALL".into(),
        Value::LocalTime(visit),
        20.into(),
        status.into(),
        "2023-10-01".into(),
        Value::Instant(NOW * 1_000_000),
    ]
}

/// A row of a booking.
pub fn book(id: u128, slot: u128, status: i64) -> Vec<Value> {
    vec![guid(id), guid(0x9a71), guid(slot), status.into(), "REG".into(), "APPOINTMENT".into(), "2023-10-01".into()]
}

/// A row of a time at which [`RESOURCE`] is away.
pub fn period(id: u128) -> Vec<Value> {
    let times = ["2023-11-20T00:00:00", "2023-11-30T00:00:00", "2023-10-01T00:00:00"].map(Value::from);
    let [from, to, created] = times;
    vec![guid(id), guid(RESOURCE), "VACATION".into(), from, to, created]
}

/// A row of a slot that is at the time of another one.
pub fn slot_at(id: u128, time_of: u128, status: &str) -> Vec<Value> {
    let mut row = slot(id, status);
    row[5] = slot(time_of, status)[5].clone();
    row
}

impl World {
    /// A unit, a room and no slots.
    pub fn new() -> Self {
        let mut world = World {
            source: MemorySource::new(Tz::UTC),
            ledger: MemoryLedger::default(),
            portal: ScriptedPortal::default(),
            tables: BTreeMap::new(),
            changed_at: None,
            sweep_every: Duration::from_secs(30),
            batch: 10,
            on_conflict: OnConflict::Report,
            budget: ErrorBudget { rejects: 100, window: Duration::from_secs(3600) },
            in_flight: 2,
            exchange: ExchangeSettings::default(),
            write_back: None,
            seed: 7,
        };
        world.put("mo", MO, mo(MO, "Unit"));
        world.put("resource", RESOURCE, room(RESOURCE, MO));
        world.source.set_now(NOW * 1_000_000);
        for feed in ["unaccessable_period", "slot", "book"] {
            world.tables.entry(feed).or_default();
            world.publish(feed);
        }
        world
    }

    /// As [`World::new`], with slots 1 to `count`.
    pub fn with_slots(count: u128) -> Self {
        let mut world = World::new();
        (1..=count).for_each(|id| world.put("slot", id, slot(id, "AVAILABLE")));
        world
    }

    /// Writes a row.
    pub fn put(&mut self, feed: &'static str, id: u128, row: Vec<Value>) {
        self.tables.entry(feed).or_default().insert(id, row);
        self.publish(feed);
    }

    /// Deletes a row.
    pub fn delete(&mut self, feed: &'static str, id: u128) {
        self.tables.get_mut(feed).unwrap().remove(&id).unwrap();
        self.publish(feed);
    }

    /// Lets the source give what is in the table.
    pub fn publish(&self, feed: &'static str) {
        self.source.set(feed, columns(feed), self.tables[feed].values().cloned().collect());
    }

    /// Starts the engine anew over what the ledger remembers.
    pub async fn start(&self) -> TestLine {
        self.start_at(Clock::simulated(NOW)).await
    }

    pub async fn start_at(&self, clock: Clock) -> TestLine {
        let plan = |feed: &'static str| FeedPlan {
            schema: SCHEMAS.iter().copied().find(|schema| schema.feed == feed).unwrap(),
            source: Arc::new(self.source.clone()),
            query: format!("SELECT * FROM {feed}"),
            changed_at: self.changed_at.filter(|_| feed == "slot").map(str::to_owned),
            full_every: Duration::from_secs(3600),
            sweep_every: self.sweep_every,
            overlap: Duration::from_secs(300),
            encode: EncodeSettings {
                zone: Tz::UTC,
                visit_time_zone: VisitTimeZone::Source,
                defaults: BTreeMap::new(),
                salt: None,
            },
            batch: self.batch,
            max_batch_bytes: 1 << 20,
            urgent: feed == "slot",
            write_back: self.write_back.clone().filter(|_| feed == "mo"),
        };
        let plans = FEEDS.map(plan).into();
        let settings = LineSettings {
            in_flight: self.in_flight,
            retry: RetryTiming::new(Duration::from_secs(1), Duration::from_secs(60)).unwrap(),
            slow_retry: Duration::from_secs(86_400),
            unit_pause: Duration::from_secs(3600),
            fuse: FuseSettings { share: 0.2, min: 50 },
            on_conflict: self.on_conflict,
            exchange: self.exchange,
            slice: Duration::from_secs(5),
            unit_error_budget: self.budget,
            scan_stall: Duration::from_secs(60),
            read_only: false,
            seed: self.seed,
        };
        let ledger = Arc::new(self.ledger.clone());
        Arc::new(Line::open("fer", self.portal.clone(), ledger, plans, settings, clock).await.unwrap())
    }

    /// What the ledger lists as refused: key, state and code.
    pub async fn refusals(&self, line: &TestLine, feed: &str) -> Vec<(Option<Key>, State, String)> {
        let refusals = self.ledger.refusals(line.feed(feed).unwrap().id).await.unwrap();
        refusals.into_iter().map(|refusal| (refusal.key, refusal.state, refusal.code)).collect()
    }
}

/// One cycle of a feed.
pub async fn cycle(line: &TestLine, feed: &str) -> CycleReport {
    line.cycle(feed, Order::default()).await.unwrap()
}

/// One pass over all feeds, parents first.
pub async fn pass(line: &TestLine) -> u64 {
    let mut sent = 0;
    for feed in FEEDS {
        sent += cycle(line, feed).await.sent;
    }
    sent
}

/// Passes until no feed has anything left that is due.
pub async fn passes(line: &TestLine) {
    for _ in 0..20 {
        let mut more = false;
        for feed in FEEDS {
            more |= !cycle(line, feed).await.released.is_empty();
        }
        if !more {
            return;
        }
    }
    panic!("something is always due");
}
