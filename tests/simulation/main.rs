//! The simulation: the whole engine over a source, a ledger and a portal in memory, on a clock that only waiting moves, where one
//! number decides everything that changes, fails and dies.
//!
//! - `chance`: the generator; each part draws from a stream of its own.
//! - `hospital`, `wire`: the tables, all the ways in which they change, and what each row must look like when it arrives.
//! - `gateway`: the scripted portal, its mart and its faults.
//! - `engine`: the only file that speaks the engine's API: source, portal and ledger wrapped, so that each call takes its steps, meets
//!   its faults and leaves its trace. When the engine's seams change, this file follows.
//! - `steps`: where a process dies; `stage`: what outlives it, and the seed's plan; `run`: processes one after another until all is
//!   quiet, and then the last round of cycles.
//! - `trace`: what happened; `oracle`: what must be true of it, one file for each question, and the oracle's own tests.
//!
//! `SEED=7 cargo test --test simulation` runs one seed; with `TRACE=1` it shows the whole trace of a failing one, with `ABOUT="slot 17"` the
//! story of one record. `SEEDS`, `FIRST` choose a range, `ENOUGH` after how many failures to stop, `SECONDS` goes on with fresh
//! seeds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod chance;
mod engine;
mod gateway;
mod hospital;
mod oracle;
mod run;
mod stage;
mod steps;
mod trace;
mod wire;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The engine takes away at the portal what is gone from the source.
pub const REMOVAL: bool = true;
/// The engine knows who holds a place, and clears it for whom it belongs to.
pub const PLACES: bool = true;

/// Seeds that every run of the tests tries.
const SEEDS: u64 = 2000;
/// Longest real time that one seed may take; a tenth of a second is usual.
const STUCK: Duration = Duration::from_secs(60);
/// Failing seeds after which the rest is not tried.
const ENOUGH: usize = 5;

/// Runs one seed and says what is wrong with it.
fn try_seed(seed: u64) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| run::complaint(&run::run(seed)))) {
        Ok(complaint) => complaint,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(format!("a panic: {}", text.unwrap_or_default()))
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.trim().parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}

/// The seeds that are being tried, each with the time at which that began.
type Trying = Mutex<BTreeMap<u64, Instant>>;

/// Tries seeds on all cores until `next` gives no more; gives the complaints.
fn try_seeds(next: impl Fn() -> Option<u64> + Sync) -> Vec<(u64, String)> {
    let complaints = Mutex::new(Vec::new());
    let enough = number("ENOUGH").map_or(ENOUGH, |most| most as usize);
    let trying = Trying::default();
    let done = AtomicBool::new(false);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let work = || {
            while complaints.lock().unwrap().len() < enough
                && let Some(seed) = next()
            {
                trying.lock().unwrap().insert(seed, Instant::now());
                if let Some(complaint) = try_seed(seed) {
                    complaints.lock().unwrap().push((seed, complaint));
                }
                trying.lock().unwrap().remove(&seed);
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        scope.spawn(|| watch(&trying, &done));
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    complaints.into_inner().unwrap()
}

/// Ends everything when a seed spins: no clock of its own can end what never waits.
fn watch(trying: &Trying, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
        let stuck = trying.lock().unwrap().iter().find(|(_, since)| since.elapsed() > STUCK).map(|(seed, _)| *seed);
        if let Some(seed) = stuck {
            eprintln!("seed {seed} never ends (again alone: SEED={seed} cargo test --test simulation)");
            std::process::abort();
        }
    }
}

#[test]
fn whatever_happens_the_invariants_hold() {
    let tried = AtomicU64::new(0);
    let count = || tried.fetch_add(1, Ordering::Relaxed);
    let complaints = match (number("SEED"), number("SECONDS")) {
        (Some(seed), _) => try_seeds(|| (count() == 0).then_some(seed)),
        (None, Some(seconds)) => {
            let end = Instant::now() + Duration::from_secs(seconds);
            let first: u64 = rand::random::<u32>().into();
            println!("seeds from {first} on");
            try_seeds(|| (Instant::now() < end).then(|| first + count()))
        }
        (None, None) => {
            let first = number("FIRST").unwrap_or(0);
            let most = number("SEEDS").unwrap_or(SEEDS);
            try_seeds(|| Some(count()).filter(|tried| *tried < most).map(|tried| first + tried))
        }
    };
    for (seed, complaint) in &complaints {
        println!("---- seed {seed} (again alone: SEED={seed} cargo test --test simulation)\n{complaint}");
    }
    let seeds: Vec<u64> = complaints.iter().map(|(seed, _)| *seed).collect();
    assert!(seeds.is_empty(), "seeds {seeds:?} failed");
}

/// Hash of everything that happened under a seed, as people would read it.
fn story(seed: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    run::run(seed).evidence.events.iter().for_each(|event| event.to_string().hash(&mut hasher));
    hasher.finish()
}

#[test]
fn one_seed_is_one_story() {
    for seed in number("SEED").map_or(0..10, |seed| seed..seed + 1) {
        assert_eq!(story(seed), story(seed), "seed {seed}: what fails here could not be shown again");
    }
}
