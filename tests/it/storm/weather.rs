//! The storm: a third of all requests meet a fault, the database changes every second, the daemon is killed again and again. Then
//! all is calm, and the mart must be equal to the source.
//!
//! `STORM_SECONDS` makes it longer; from two minutes on it is also ten times as large. `SEED` repeats its dice.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::seeded;
use super::site::{Settings, Site};
use super::workload::{Kinds, Workload};
use crate::support::database::postgres;
use crate::support::hospital::Hospital;
use crate::support::storm::{Limits, Plan};

/// What of a hundred requests meets a fault.
const FAULTS: u32 = 30;
/// One cycle, after the longest pauses that the faults may have set.
const CALM: Duration = Duration::from_secs(60);

/// How long and how large.
struct Size {
    storm: Duration,
    slots: usize,
    /// Requests a second.
    rate: usize,
    batch: usize,
    /// A feed looks at the database so often, and one slot of a hundred changes each time.
    cycle: Duration,
    between_kills: Duration,
}

impl Size {
    fn of_environment() -> Self {
        let seconds = std::env::var("STORM_SECONDS").ok().map_or(20, |seconds| seconds.parse().expect("STORM_SECONDS"));
        let storm = Duration::from_secs(seconds);
        if seconds < 120 {
            let cycle = Duration::from_secs(1);
            Size { storm, slots: 2_000, rate: 20, batch: 25, cycle, between_kills: Duration::from_secs(3) }
        } else {
            let cycle = Duration::from_secs(5);
            Size { storm, slots: 20_000, rate: 40, batch: 500, cycle, between_kills: Duration::from_secs(20) }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_storm_the_mart_is_equal_to_the_source() {
    let mut rng = seeded();
    let size = Size::of_environment();
    let db = postgres().await;
    Hospital::new(size.slots, false).fill(&db).await;
    let settings =
        Settings { requests_per_second: size.rate, batch: size.batch, timeout: 1, more: Site::every(size.cycle) };
    let site = Site::new(db, &settings).await;
    let mut fork = || StdRng::seed_from_u64(rng.random());
    let mut work = Workload::new(Kinds { removals: true, swaps: true }, size.slots, fork(), &site.db).await;
    site.receiver.follow(Plan::Storm { percent: FAULTS, rng: Box::new(fork()) });

    let (began, mut killed) = (Instant::now(), Instant::now());
    let mut daemon = site.start_daemon();
    while began.elapsed() < size.storm {
        let cycle = Instant::now();
        work.change(&site.db, size.slots / 100).await;
        // As near to it as cycles allow.
        if killed.elapsed() + size.cycle / 2 > size.between_kills {
            site.kill(daemon).await;
            killed = Instant::now();
            daemon = site.start_daemon();
        }
        site.assert_runs(&mut daemon);
        tokio::time::sleep_until((cycle + size.cycle).into()).await;
    }
    site.receiver.calm();
    let took = site.becomes_equal(CALM).await;
    assert_eq!(daemon.stop(), Some(0), "{}", site.log());

    let before = site.receiver.journal().len();
    let last = site.sync().await;
    let journal = site.receiver.journal();
    println!(
        "{} requests, {} records, {} kills, equal {took:?} after the storm; faults: {:?}",
        journal.len(),
        journal.writes_since(0),
        journal.kills.len(),
        journal.faults(),
    );
    assert_eq!((last.code, journal.writes_since(before)), (0, 0), "a pass afterwards has nothing to do: {}", last.out);
    journal.assert_kept(Limits { requests_per_second: size.rate });
    assert!(!site.log().contains("panicked"), "{}", site.log());
}
