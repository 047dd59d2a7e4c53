//! The simulation: the whole engine over a source, a ledger and a portal in memory, on a clock that only waiting moves, where one
//! number decides everything that changes, fails and dies.
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

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The engine takes away at the portal what is gone from the source.
pub const REMOVAL: bool = true;
/// The engine knows who holds a place, and clears it for whom it belongs to.
pub const PLACES: bool = true;

/// Seeds that every run of the tests tries.
const SEEDS: u64 = 2000;
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

/// Tries seeds on all cores until `next` gives no more; gives the complaints.
fn try_seeds(next: impl Fn() -> Option<u64> + Sync) -> Vec<(u64, String)> {
    let complaints = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while complaints.lock().unwrap().len() < number("ENOUGH").map_or(ENOUGH, |most| most as usize)
                    && let Some(seed) = next()
                {
                    if let Some(complaint) = try_seed(seed) {
                        complaints.lock().unwrap().push((seed, complaint));
                    }
                }
            });
        }
    });
    complaints.into_inner().unwrap()
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
