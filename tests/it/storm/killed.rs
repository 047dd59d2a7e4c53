//! Killed at any instant: the daemon is killed without a word and started again, dozens of times, while the database changes, under the
//! living daemon and between two lives. The ledger is sound after every kill, and the mart ends equal to the source.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vitrina::ledger::Progress;

use super::seeded;
use super::site::{Settings, Site};
use super::workload::{Kinds, Workload};
use crate::support::database::postgres;
use crate::support::hospital::Hospital;
use crate::support::storm::Limits;

const SLOTS: usize = 400;
const RATE: usize = 1000;
/// No start of a daemon takes longer.
const START: Duration = Duration::from_secs(30);
/// Changes of one transaction: few, so that none lasts longer than what reads by change time reach back.
const CHANGES: usize = 20;

/// A hospital whose daemon is killed so often. Gives what the ledger said of the slots' reads after each kill, and at the end.
async fn killed(rounds: usize, kinds: Kinds, more: String) -> Vec<Progress> {
    let mut rng = seeded();
    let db = postgres().await;
    Hospital::new(SLOTS, false).fill(&db).await;
    let settings = Settings { requests_per_second: RATE, batch: 10, timeout: 5, more };
    let site = Site::new(db, &settings).await;
    let mut work = Workload::new(kinds, SLOTS, StdRng::seed_from_u64(rng.random()), &site.db).await;
    let mut reads = Vec::new();

    for round in 0..rounds {
        let before = site.receiver.journal().len();
        let mut daemon = site.start_daemon();
        // Some kills come a while after the start, some after the first request, and some after the first complete look at the slots.
        let (kind, started) = (round % 9, Instant::now());
        let in_time = || assert!(started.elapsed() < START, "nothing comes: {}", site.log());
        while matches!(kind, 1 | 2 | 5 | 7) && site.receiver.journal().len() == before {
            in_time();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        while matches!(kind, 4 | 8) && Some(site.slots_progress().await) == reads.last().copied() {
            in_time();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let after = if matches!(kind, 0 | 3 | 6) { rng.random_range(20..400) } else { rng.random_range(0..120) };
        let changes_at = rng.random_range(0..=after);
        let life = async {
            tokio::time::sleep(Duration::from_millis(changes_at)).await;
            work.change(&site.db, CHANGES).await;
        };
        let death = async {
            tokio::time::sleep(Duration::from_millis(after)).await;
            site.assert_runs(&mut daemon);
            site.kill(daemon).await;
        };
        tokio::join!(life, death);
        reads.push(site.slots_progress().await);
        for _ in 0..4 {
            work.change(&site.db, CHANGES).await;
        }
    }

    let mut daemon = site.start_daemon();
    let took = site.becomes_equal(START).await;
    site.assert_runs(&mut daemon);
    assert_eq!(daemon.stop(), Some(0), "{}", site.log());
    reads.push(site.slots_progress().await);
    let before = site.receiver.journal().len();
    let last = site.sync().await;
    let journal = site.receiver.journal();
    let marked = journal.kills.iter().filter(|kill| !kill.in_flight.is_empty()).count();
    println!("{rounds} kills, {marked} with requests in flight; equal {took:?} after the last");
    assert_eq!((last.code, journal.writes_since(before)), (0, 0), "a pass afterwards has nothing to do: {}", last.out);
    journal.assert_kept(Limits { requests_per_second: RATE });
    assert!(marked >= rounds / 10, "too few of the kills met a request in flight: {marked}");
    reads
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_lose_nothing() {
    killed(50, Kinds { removals: true, swaps: true }, Site::every_second()).await;
}

/// What a read by change time does not see, and no full scan comes to see either, is lost for good: nothing may be. (Removals are seen by
/// full scans alone, so there are none.)
#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_nothing_of_what_is_read_by_change_time() {
    let reads = killed(40, Kinds { removals: false, swaps: true }, Site::every_second_by_change_time()).await;
    let whole: BTreeSet<i64> = reads.iter().filter_map(|progress| progress.last_full_scan).collect();
    let marks: BTreeSet<i64> = reads.iter().filter_map(|progress| progress.watermark).collect();
    assert_eq!(whole.len(), 1, "the slots were read whole once");
    assert!(marks.len() >= 5, "the watermark stood in {} places", marks.len());
}
