//! The stage: what outlives a process of the engine, and the seed's plan of a run.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;
use vitrina::sync::Clock;

use crate::chance::Chance;
use crate::gateway::{Gateway, Manners};
use crate::hospital::{FEEDS, Feed, Hospital, Temper};
use crate::trace::{Trace, What};
use crate::{PLACES, REMOVAL};

/// A moment in 2023, at which every run begins.
pub const BEGINNING: i64 = 1_700_000_000;

/// How the engine is set up and what it has to live through.
#[derive(Debug, Clone)]
pub struct Plan {
    /// For how long things change and fail, in seconds.
    pub lasts: u64,
    /// Feeds that are read by change time.
    pub by_change: Vec<Feed>,
    pub batch: usize,
    pub max_batch_bytes: usize,
    pub in_flight: usize,
    /// At which step each process ends; those after the last live on.
    pub deaths: Vec<u64>,
    /// Pauses between changes of the tables, in milliseconds at most.
    pub haste: u64,
    /// Reads that fail, in a hundred.
    pub source_faults: u64,
    /// Reads that show less than there is and say nothing of it, in a thousand.
    pub lies: u64,
    /// Calls of the ledger that fail, in a thousand.
    pub ledger_faults: u64,
    /// Full reads after which a journal is shortened, in a hundred.
    pub rewrites: u64,
    /// Clocks step, in seconds at most.
    pub clock_steps: u64,
    /// The last rounds begin with a new process.
    pub fresh_end: bool,
    /// After the last full scans more happens, and sweeps alone must find it.
    pub ends_with_a_sweep: bool,
    /// What is done with strangers that hold a place.
    pub on_conflict: usize,
    pub engine_seed: u64,
    pub manners: Manners,
    pub temper: Temper,
}

/// The overlap of reads by change time, in seconds.
pub const OVERLAP: u64 = 60;
/// Longest time between full scans, in seconds.
pub const FULL_EVERY: u64 = 300;
/// How often all keys are read between full scans, in seconds.
pub const SWEEP_EVERY: u64 = 20;
/// When a refused version is tried again, in seconds.
pub const SLOW_RETRY: u64 = 900;
/// How long a blocked unit pauses, in seconds.
pub const UNIT_PAUSE: u64 = 120;

impl Plan {
    fn drawn(chance: &mut Chance) -> Self {
        let calm = chance.percent(15);
        let some = |chance: &mut Chance, most: u64| if calm || chance.percent(30) { 0 } else { chance.below(most + 1) };
        let by_change =
            if chance.percent(60) { FEEDS.into_iter().filter(|_| chance.percent(50)).collect() } else { Vec::new() };
        let in_flight = chance.between(1, 4) as usize;
        let deaths = (0..some(chance, 4)).map(|_| {
            let magnitude = chance.between(1, 9);
            chance.between(1, 1 << magnitude)
        });
        let deaths = deaths.collect();
        let clock_steps = if chance.percent(15) && !calm { chance.any(&[5, 100, 4000]) } else { 0 };
        Plan {
            deaths,
            lasts: chance.between(60, 300),
            by_change,
            batch: chance.between(1, 8) as usize,
            max_batch_bytes: if chance.percent(20) { 1200 } else { 1 << 20 },
            in_flight,
            haste: chance.any(&[3_000, 10_000, 30_000, 60_000]),
            source_faults: some(chance, 20),
            lies: some(chance, 30),
            ledger_faults: some(chance, 4),
            rewrites: if chance.percent(50) { 50 } else { 0 },
            clock_steps,
            fresh_end: chance.percent(50),
            ends_with_a_sweep: chance.percent(50) && clock_steps == 0,
            on_conflict: chance.below(3) as usize,
            engine_seed: chance.next(),
            manners: Manners {
                faults: some(chance, 50),
                dislikes: some(chance, 15),
                chokes: some(chance, 6),
                most_records: if chance.percent(20) { chance.between(1, 6) as usize } else { usize::MAX },
                blocks: chance.percent(50),
                parks: chance.percent(20),
                places: PLACES,
            },
            temper: Temper {
                places: PLACES,
                lateness: if chance.percent(40) { OVERLAP / 2 } else { 0 },
                nulls: chance.percent(20),
            },
        }
    }
}

/// Everything that one run shares.
#[derive(Debug)]
pub struct Stage {
    pub plan: Plan,
    hospital: Mutex<Hospital>,
    gateway: Mutex<Gateway>,
    trace: Mutex<Trace>,
    chance: Mutex<Chance>,
    quiet: AtomicBool,
    /// The engine's clock.
    pub clock: Clock,
    clock_steps: &'static AtomicI64,
    /// How far the database's clock is off, in seconds.
    database_off: AtomicI64,
    begun: Instant,
    /// Somebody asks about one record.
    pub tells_all: bool,
}

impl Stage {
    /// A stage on which one seed decides everything. Must be made inside a runtime whose clock is paused.
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut plan = Plan::drawn(&mut chance.fork());
        if !REMOVAL {
            plan.lies = 0;
        }
        let clock_steps: &'static AtomicI64 = Box::leak(Box::new(AtomicI64::new(0)));
        Stage {
            hospital: Mutex::new(Hospital::new(chance.fork(), plan.temper, BEGINNING)),
            gateway: Mutex::new(Gateway::new(chance.fork(), plan.manners)),
            trace: Mutex::default(),
            chance: Mutex::new(chance.fork()),
            quiet: AtomicBool::new(false),
            clock: Clock::stepping(BEGINNING, clock_steps),
            clock_steps,
            database_off: AtomicI64::new(0),
            begun: Instant::now(),
            tells_all: std::env::var_os("ABOUT").is_some(),
            plan,
        }
    }

    pub fn hospital(&self) -> MutexGuard<'_, Hospital> {
        self.hospital.lock().expect("nobody panics with the tables")
    }

    pub fn gateway(&self) -> MutexGuard<'_, Gateway> {
        self.gateway.lock().expect("nobody panics with the mart")
    }

    pub fn trace(&self) -> MutexGuard<'_, Trace> {
        self.trace.lock().expect("nobody panics with the trace")
    }

    pub fn chance(&self) -> MutexGuard<'_, Chance> {
        self.chance.lock().expect("nobody panics with chance")
    }

    /// Writes down what happened, at the time that the engine's clock shows.
    pub fn note(&self, what: What) {
        self.trace().push(self.clock.now(), what);
    }

    /// Milliseconds since the run began, whatever the clocks show.
    fn elapsed(&self) -> i64 {
        self.begun.elapsed().as_millis() as i64
    }

    /// True seconds since 1970.
    pub fn second(&self) -> i64 {
        BEGINNING + self.elapsed() / 1000
    }

    /// The database's clock: microseconds since 1970.
    pub fn database_now(&self) -> i64 {
        let off = self.database_off.load(Ordering::Relaxed);
        (BEGINNING * 1000 + self.elapsed() + off * 1000) * 1000
    }

    pub fn is_quiet(&self) -> bool {
        self.quiet.load(Ordering::Relaxed)
    }

    /// Nothing changes and nothing fails from here on.
    pub fn calm_down(&self) {
        self.quiet.store(true, Ordering::Relaxed);
        self.gateway().behave();
        self.note(What::Quiet);
    }

    /// Lets one of the clocks step back, or forward again.
    pub fn step_a_clock(&self) {
        let most = self.plan.clock_steps;
        let step = self.chance().below(most * 2 + 1) as i64 - most as i64;
        if self.chance().percent(50) {
            self.database_off.store(step, Ordering::Relaxed);
        } else {
            self.clock_steps.store(step, Ordering::Relaxed);
            self.note(What::ClockStepped);
        }
    }

    /// Waits for some time that the seed decides.
    pub async fn dawdle(&self, least: u64, most: u64) {
        let pause = self.chance().millis(least, most);
        if pause > Duration::ZERO {
            tokio::time::sleep(pause).await;
        }
    }
}
