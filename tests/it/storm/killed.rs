//! Killed at any instant: the daemon is killed without a word and started again, fifty times, while the database changes. The ledger
//! is sound after every kill, and the mart ends equal to the source.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::seeded;
use super::site::{Settings, Site};
use super::workload::{Kinds, Workload};
use crate::support::database::postgres;
use crate::support::hospital::Hospital;
use crate::support::storm::Limits;

const ROUNDS: usize = 50;
const SLOTS: usize = 400;
const RATE: usize = 1000;
/// No start of a daemon takes longer.
const START: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_lose_nothing() {
    let mut rng = seeded();
    let db = postgres().await;
    Hospital::new(SLOTS, false).fill(&db).await;
    let settings = Settings { requests_per_second: RATE, batch: 10, timeout: 5, more: Site::every_second() };
    let site = Site::new(db, &settings).await;
    let mut work =
        Workload::new(Kinds { removals: true, swaps: true }, SLOTS, StdRng::seed_from_u64(rng.random()), &site.db)
            .await;

    for round in 0..ROUNDS {
        let before = site.receiver.journal().len();
        let mut daemon = site.start_daemon();
        // Every third kill comes some time after the start, the others some time after the first request.
        let started = Instant::now();
        while round % 3 > 0 && site.receiver.journal().len() == before {
            assert!(started.elapsed() < START, "no request comes: {}", site.log());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let after = if round % 3 > 0 { rng.random_range(0..120) } else { rng.random_range(20..400) };
        tokio::time::sleep(Duration::from_millis(after)).await;
        site.assert_runs(&mut daemon);
        site.kill(daemon).await;
        work.change(&site.db, SLOTS / 4).await;
    }

    let mut daemon = site.start_daemon();
    let took = site.becomes_equal(START).await;
    site.assert_runs(&mut daemon);
    assert_eq!(daemon.stop(), Some(0), "{}", site.log());
    let before = site.receiver.journal().len();
    let last = site.sync().await;
    let journal = site.receiver.journal();
    let marked = journal.kills.iter().filter(|kill| !kill.in_flight.is_empty()).count();
    println!("{ROUNDS} kills, {marked} with requests in flight; equal {took:?} after the last");
    assert_eq!((last.code, journal.writes_since(before)), (0, 0), "a pass afterwards has nothing to do: {}", last.out);
    journal.assert_kept(Limits { requests_per_second: RATE });
    assert!(marked >= ROUNDS / 10, "too few of the kills met a request in flight: {marked}");
}
