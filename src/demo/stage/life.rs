//! The life of the demo's hospital while the stage is open, and the counting of its rows for the live view.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::demo::feed::Feed;
use crate::demo::hospital::Hospital;

/// How often the schedules move on.
const SCHEDULES: Duration = Duration::from_millis(400);
/// How often one of the other offices does something.
const OFFICES: Duration = Duration::from_millis(1_200);
/// How often rows are counted for the live view.
const COUNTING: Duration = Duration::from_secs(1);

/// What the view shows and somebody must count.
#[derive(Debug, Default)]
pub(super) struct Counts {
    rows: Mutex<BTreeMap<Feed, u64>>,
    changes: AtomicU64,
}

impl Counts {
    /// Rows of each feed at the last count.
    pub(super) fn rows(&self) -> BTreeMap<Feed, u64> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes that the hospital's life has made so far.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Counts the rows of all feeds anew.
    pub(super) async fn count(&self, hospital: &Hospital) -> Result<()> {
        for feed in Feed::all() {
            let rows = hospital.rows(feed).await?;
            self.rows.lock().unwrap_or_else(PoisonError::into_inner).insert(feed, rows);
        }
        Ok(())
    }
}

/// Lives, and counts, until it is stopped.
pub(super) async fn live(hospital: Hospital, counts: Arc<Counts>, stop: CancellationToken) -> Result<()> {
    let (mut life, mut office_life) = (hospital.life(rand::random()), hospital.office_life(rand::random()));
    let (mut schedules, mut offices) = (clock(SCHEDULES), clock(OFFICES));
    let mut counted: Option<Instant> = None;
    loop {
        if counted.is_none_or(|counted| counted.elapsed() >= COUNTING) {
            counts.count(&hospital).await?;
            counted = Some(Instant::now());
        }
        let changes = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            _ = offices.tick() => office_life.tick().await?,
            _ = schedules.tick() => life.tick().await?.total(),
        };
        counts.changes.fetch_add(changes, Ordering::Relaxed);
    }
}

fn clock(period: Duration) -> Interval {
    let mut clock = tokio::time::interval(period);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock
}
