//! A cycle: one run of a feed. Rows stream out of the source into the plan (`reading.rs`), full requests go out while the scan goes on
//! (`sending.rs`), and the end of a complete scan says what is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::contest::{Contest, Wants};
use super::index::At;
use super::line::{self, FeedLine, Line};
use super::removal::Removed;
use super::report::{CycleReport, Stop};
use super::settle::Settled;
use super::units::Claims;
use super::watermark::Watermark;
use crate::ledger::{Ledger, LedgerError, Refusal, Settlement};
use crate::portal::Portal;
use crate::record::{BindError, Key, KeyId};
use crate::source::{Source, SourceError};

/// What a cycle is asked to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Order {
    /// Read every row even if a read of the changed ones would do.
    pub full: bool,
    /// Read the keys of all rows beside the changed ones, whenever that was done last.
    pub sweep: bool,
    /// Send nothing and remember nothing; say what would be done.
    pub dry_run: bool,
    /// Go on until all is done, however long removals take. Otherwise what is left of them is left to the next run after a while.
    pub whole: bool,
}

/// Why a cycle could not be done.
#[derive(Debug, thiserror::Error)]
pub enum CycleError {
    /// There is no such feed.
    #[error("there is no feed {0}")]
    NoSuchFeed(String),
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The query does not fit the schema.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The change column is not among the query's columns.
    #[error(
        "the query of feed {feed} does not return its change column {column}; add it to the query, or take changed_at out"
    )]
    NoChangeColumn {
        /// The feed.
        feed: &'static str,
        /// The column.
        column: String,
    },
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A delivery ended unexpectedly.
    #[error("a delivery ended unexpectedly")]
    Delivery(#[from] JoinError),
    /// The look at what rows name outside the source panicked.
    #[error("the look at the files of rows ended unexpectedly")]
    Examination(#[source] JoinError),
}

/// What a read of one cycle asks for.
pub(super) enum Wanted {
    All,
    Keys(Vec<Key>),
    Changed(crate::source::Stamp),
    /// All keys, and what has changed.
    Swept(crate::source::Stamp),
    /// Contested records and the holders of their places.
    Contested(Vec<Key>),
    /// Records that somebody has named. One that does not come back may never have been there.
    Named(Vec<Key>),
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Runs one cycle of a feed. Cycles of one feed follow each other; cycles of several feeds may run at once.
    pub async fn cycle(self: &Arc<Self>, feed: &str, order: Order) -> Result<CycleReport, CycleError> {
        let feed = self.feeds.get(feed).ok_or_else(|| CycleError::NoSuchFeed(feed.to_owned()))?;
        let _one_at_a_time = feed.cycle.lock().await;
        if let Some(stop) = self.standstill(feed).filter(|_| !order.dry_run) {
            let stop = if stop == Stop::PortalFailed { Stop::PortalPaused } else { stop };
            return Ok(CycleReport { stop: Some(stop), ..CycleReport::default() });
        }
        let _claims = Claims::of(&self.units, feed.plan.schema.feed);
        Run::begin(self, feed, order).run().await
    }

    /// The feeds that hold records of this one back, parents first.
    pub(super) fn parents_of(&self, feed: &FeedLine<S>) -> Vec<&FeedLine<S>> {
        let is_parent =
            |other: &&FeedLine<S>| feed.plan.schema.holding_edges().any(|edge| edge.feed == other.plan.schema.feed);
        self.feeds().into_iter().filter(is_parent).collect()
    }
}

/// A running cycle.
pub(super) struct Run<'a, S: Source, P: Portal, L: Ledger> {
    pub(super) line: &'a Arc<Line<S, P, L>>,
    pub(super) feed: &'a FeedLine<S>,
    pub(super) order: Order,
    pub(super) number: u64,
    /// How long removals, and contests, may go on before the rest of them is left to the next run.
    slice: Option<Duration>,
    /// True when its requests may take the place in flight that is kept free.
    pub(super) urgent: bool,
    pub(super) deliveries: JoinSet<Result<Settled, LedgerError>>,
    pub(super) report: CycleReport,
    /// Records that were planned and put back: they count as sent until the cycle ends.
    pub(super) put_back: u64,
    /// Records whose place another record holds.
    pub(super) contested: Vec<Contest>,
    /// Records that a read should have seen and did not.
    pub(super) gone: Vec<KeyId>,
    /// Records that give their places up, each with the one that it gives way to, as far as the portal may hold them.
    pub(super) giving_way: BTreeMap<KeyId, Key>,
    /// Keys of rows that nobody here knew before a sweep found them.
    pub(super) strays: Vec<Key>,
    /// Which places the rows of the last read of contested records want.
    pub(super) wants: Wants,
    /// What the portal said of contested records.
    pub(super) said: BTreeMap<Key, (String, String)>,
    /// Records that were read by their keys, and counted by that.
    pub(super) by_key: BTreeSet<KeyId>,
    /// Strangers that were removed to make room.
    pub(super) replaced: u64,
    /// Holders of places that the portal was asked for.
    pub(super) looked_for: BTreeSet<At>,
}

impl<'a, S: Source, P: Portal, L: Ledger> Run<'a, S, P, L> {
    /// A run at its beginning. Nobody else runs the feed.
    pub(super) fn begin(line: &'a Arc<Line<S, P, L>>, feed: &'a FeedLine<S>, order: Order) -> Self {
        for counter in [&feed.live.rows, &feed.live.sent, &feed.live.accepted] {
            counter.store(0, Ordering::Relaxed);
        }
        feed.begin_search();
        Run {
            line,
            feed,
            order,
            number: line.begin_run(),
            slice: (!order.whole).then_some(line.settings.slice),
            urgent: feed.plan.urgent,
            deliveries: JoinSet::new(),
            report: CycleReport::default(),
            put_back: 0,
            contested: Vec::new(),
            gone: Vec::new(),
            giving_way: BTreeMap::new(),
            strays: Vec::new(),
            wants: Wants::new(),
            said: BTreeMap::new(),
            by_key: BTreeSet::new(),
            replaced: 0,
            looked_for: BTreeSet::new(),
        }
    }

    /// What was planned and then put back did not go out.
    pub(super) fn forget_put_back(&mut self) {
        self.report.sent -= std::mem::take(&mut self.put_back);
    }

    async fn run(mut self) -> Result<CycleReport, CycleError> {
        self.follow_up().await?;
        // What may go on by that goes on in this very cycle.
        self.report.released.remove(self.feed.plan.schema.feed);
        let (reads, mut watermark) = self.reads().await?;
        self.report.full = matches!(reads[..], [Wanted::All]);
        let mut findings = Vec::new();
        let read = self.read_all(reads, &mut watermark, &mut findings).await;
        // Whatever ended the reading: nobody else decides on these.
        self.leave_undecided();
        self.feed.index().forget_strangers();
        read?;
        self.forget_put_back();
        self.finish(watermark, findings).await?;
        if self.report.complete() && !self.order.dry_run {
            self.remove().await?;
        }
        self.release();
        self.follow_up().await?;
        self.report.search_goes_on = self.feed.has_searched_enough();
        Ok(self.report)
    }

    /// Asks about what is open, and writes back what is due.
    async fn follow_up(&mut self) -> Result<(), CycleError> {
        if self.order.dry_run {
            return Ok(());
        }
        let done = self.line.follow_up_within(self.feed, self.slice.is_some()).await?;
        self.report.refused += done.refused;
        self.report.released.extend(done.released);
        if let Some(failure) = done.failure {
            self.report.failures += 1;
            self.report.failure = Some(failure.text);
        }
        Ok(())
    }

    async fn read_all(
        &mut self,
        reads: Vec<Wanted>,
        watermark: &mut Watermark,
        findings: &mut Vec<Refusal>,
    ) -> Result<(), CycleError> {
        for read in reads {
            self.read_and_settle(read, watermark, findings).await?;
            if self.report.stop.is_some() {
                return Ok(());
            }
        }
        self.fetch_strays(watermark, findings).await?;
        if self.order.dry_run { Ok(()) } else { self.settle_contests(watermark, findings).await }
    }

    /// One read, and the settlement of all it sends: no other read may see the same rows before.
    pub(super) async fn read_and_settle(
        &mut self,
        wanted: Wanted,
        watermark: &mut Watermark,
        findings: &mut Vec<Refusal>,
    ) -> Result<(), CycleError> {
        let mut read = self.read(wanted, watermark, findings).await;
        // Whatever stopped the reading, or kept a request from being settled: what is under way comes to its end first.
        while let Some(settled) = self.deliveries.join_next().await {
            match settled.map_err(CycleError::from).and_then(|settled| Ok(settled?)) {
                Ok(settled) => self.count(settled),
                Err(error) => read = read.and(Err(error)),
            }
        }
        read
    }

    pub(super) fn add(&mut self, read: &CycleReport) {
        self.report.rows += read.rows;
        self.report.unchanged += read.unchanged;
        self.report.sent += read.sent;
        self.report.invalid += read.invalid;
        self.report.held += read.held;
        self.report.postponed += read.postponed;
        self.report.findings += read.findings;
        self.report.missing.extend(&read.missing);
    }

    /// The end of a cycle: what is gone, where the next read starts, and the feed's numbers.
    async fn finish(&mut self, watermark: Watermark, findings: Vec<Refusal>) -> Result<(), CycleError> {
        let now = self.line.clock.now();
        let mut settlement = Settlement::default();
        let complete = self.report.complete();
        if complete && self.report.full {
            self.feed.note_read();
        }
        if complete {
            self.let_go_of_what_is_gone(&mut settlement, now).await?;
        }
        let counts = {
            let mut index = self.feed.index();
            if complete && self.report.full {
                index.findings = self.report.findings;
                settlement.findings = Some(findings);
            }
            index.find_oldest_pending();
            index.counts()
        };
        settlement.counts = Some(counts);
        self.write_if_new(settlement, counts).await?;
        if self.order.dry_run {
            return Ok(());
        }
        self.line.let_quiet_units_go().await?;
        if !complete {
            return Ok(());
        }
        let progress = {
            let mut progress = self.feed.progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress.watermark = watermark.reached().or(progress.watermark);
            if self.report.failures == 0 {
                progress.last_success = Some(now);
            }
            if self.report.full {
                progress.last_full_scan = Some(now);
            }
            *progress
        };
        self.note_that_all_was_seen(now);
        self.line.ledger.set_progress(self.feed.id, progress).await?;
        if self.report.full {
            line::shorten(&*self.line.ledger, self.feed).await?;
        }
        Ok(())
    }

    /// A full scan is a sweep as well.
    fn note_that_all_was_seen(&self, now: i64) {
        let mut sweeps = self.feed.sweeps();
        if self.report.full {
            sweeps.begin(now);
            sweeps.need_full_scan = false;
        }
        if self.report.sees_all() {
            sweeps.end();
        }
    }

    /// When what begins now is left to the next run. The time begins anew for each part of a cycle: however long the scan took, each run
    /// brings every part on.
    pub(super) fn until(&self) -> Option<Instant> {
        self.slice.map(|slice| Instant::now() + slice)
    }

    /// Removes at the portal what the fuse has let go.
    async fn remove(&mut self) -> Result<(), CycleError> {
        let removed = self.line.remove_gone(self.feed, self.until()).await?;
        self.take_removed(removed);
        Ok(())
    }

    pub(super) fn take_removed(&mut self, removed: Removed) {
        self.report.removed += removed.removed;
        self.report.refused += removed.refused;
        self.report.released.extend(removed.released);
        if removed.more {
            self.report.released.insert(self.feed.plan.schema.feed);
        }
        if let Some(failure) = removed.failure {
            self.report.failures += 1;
            self.report.failure = Some(failure.text);
        }
    }

    /// Says which feeds have work now that this run is over.
    fn release(&mut self) {
        let own = self.feed.plan.schema.feed;
        if self.feed.index().release_places() > 0 {
            self.report.released.insert(own);
        }
        if !self.report.complete() || self.order.dry_run {
            return;
        }
        let before = self.feed.ran(self.number);
        for other in self.line.feeds.values().filter(|other| other.plan.schema.feed != own) {
            // What it removes waited for this feed, so that no child, or child of a child, that has moved away goes with it.
            let waited = self.line.hangs_on(own, other.plan.schema.feed);
            if waited && other.index().any_gone_between(before, self.number) {
                self.report.released.insert(other.plan.schema.feed);
            }
        }
    }
}
