//! A cycle: one run of a feed. Rows stream out of the source into the plan, full requests go out while the scan goes on, and the end
//! of a complete scan says what is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};

use super::contest::{self, Contest, Wants};
use super::examination::{Examination, Look};
use super::index::{At, Detail, Standing};
use super::line::{self, FeedLine, Line, Written};
use super::outgoing::Outgoing;
use super::plan::Plan;
use super::removal::Removed;
use super::report::{CycleReport, Live, Stop};
use super::settle::Settled;
use super::units::{Claims, Gate};
use super::watermark::Watermark;
use crate::ledger::{Counts, Ledger, LedgerError, Refusal, Settlement, State};
use crate::portal::Portal;
use crate::record::{BindError, Encoder, Hold, Key, KeyId, RowChunk};
use crate::source::{Query, Read, RowStream, Source, SourceError};
use crate::transport::is_due;

/// Notes are written down when this many have gathered.
const NOTES: usize = 1000;
/// Shortest time between two attempts at a full scan where changes can be read alone, in seconds.
const FULL_SCAN_PAUSE: i64 = 300;
/// Most records that are read again by their keys in one cycle.
const MOST_KEYS: usize = 10_000;

/// What a cycle is asked to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Order {
    /// Read every row even if a read of the changed ones would do.
    pub full: bool,
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
    fn parents_of(&self, feed: &FeedLine<S>) -> Vec<&FeedLine<S>> {
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
    deliveries: JoinSet<Result<Settled, LedgerError>>,
    pub(super) report: CycleReport,
    /// Records that were planned and put back: they count as sent until the cycle ends.
    put_back: u64,
    /// Records whose place another record holds.
    pub(super) contested: Vec<Contest>,
    /// Records that a read should have seen and did not.
    pub(super) gone: Vec<KeyId>,
    /// Which places the rows of the last read of contested records want.
    pub(super) wants: Wants,
    /// What the portal said of contested records.
    pub(super) said: BTreeMap<Key, (String, String)>,
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
            wants: Wants::new(),
            said: BTreeMap::new(),
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

    /// What this cycle reads: everything, or what is due by key and what has changed.
    async fn reads(&self) -> Result<(Vec<Wanted>, Watermark), CycleError> {
        let plan = &self.feed.plan;
        let progress = self.feed.progress();
        let now = self.line.clock.now();
        let is_over = |last: i64| is_due(last + plan.full_every.as_secs().cast_signed(), now, plan.full_every);
        let full_due = progress.last_full_scan.is_none_or(is_over);
        let Some(column) = &plan.changed_at else {
            return Ok((vec![Wanted::All], Watermark::none()));
        };
        let database_now = plan.source.now().await?;
        let watermark = Watermark::new(column, plan.encode.zone, progress.watermark, database_now);
        let full = self.order.full || (full_due && self.may_begin_full_scan(now));
        match watermark.since(plan.overlap) {
            Some(since) if !full => {
                let keys = self.due_keys(now);
                let mut reads = Vec::new();
                if !keys.is_empty() && !plan.schema.derived_key.is_empty() {
                    // No query can name keys that its rows may not bring.
                    return Ok((vec![Wanted::All], watermark));
                }
                if !keys.is_empty() {
                    reads.push(Wanted::Keys(keys));
                }
                reads.push(Wanted::Changed(since));
                Ok((reads, watermark))
            }
            _ => Ok((vec![Wanted::All], watermark)),
        }
    }

    /// A full scan that broke off is not begun again at once: changes are read meanwhile.
    fn may_begin_full_scan(&self, now: i64) -> bool {
        let mut begun = self.feed.full_begun.lock().unwrap_or_else(PoisonError::into_inner);
        let may = begun.is_none_or(|begun| begun + FULL_SCAN_PAUSE <= now || begun > now);
        if may {
            *begun = Some(now);
        }
        may
    }

    /// Records that no read by change time would bring back: released, to be tried again, or put off.
    fn due_keys(&self, now: i64) -> Vec<Key> {
        let parents = self.line.parents_of(self.feed);
        let index = self.feed.index();
        let longest_wait = self.line.settings.longest_wait();
        let has_come = |next: i64| is_due(next, now, longest_wait);
        let rests = |at: At| index.unit_of(at).is_some_and(|unit| self.line.units.rests(unit, now));
        let is_due = |state: State, detail: &Detail| match state {
            State::Rejected => detail.due || detail.next_attempt.is_some_and(has_come),
            State::Pending => detail.due || detail.next_attempt.is_none_or(has_come),
            State::Held => detail.due,
            State::Accepted | State::Unknown | State::Past | State::Gone => false,
        };
        let mut keys: Vec<Key> = index
            .detailed()
            .filter(|(at, state, detail)| is_due(*state, detail) && !rests(*at))
            .map(|(at, ..)| index.key(at))
            .take(MOST_KEYS)
            .collect();
        let edges: Vec<_> = self.feed.plan.schema.holding_edges().collect();
        let held: Vec<_> = index
            .detailed()
            .filter(|(at, state, detail)| *state == State::Held && !detail.due && !index.waits_for_place(*at))
            .map(|(at, ..)| at)
            .collect();
        for at in held.into_iter().take(MOST_KEYS - keys.len()) {
            let named = index.parents(at);
            let ready = edges.iter().zip(&named).all(|(edge, parent)| {
                let feed = parents.iter().find(|feed| feed.plan.schema.feed == edge.feed);
                let Some((feed, parent)) = feed.zip(parent.as_ref()) else { return true };
                match feed.index().standing(parent.id()) {
                    Standing::Accepted(_) => true,
                    Standing::Absent => edge.hold == Hold::AcceptedIfOurs && feed.is_read(),
                    Standing::NotAccepted => false,
                }
            });
            if ready {
                keys.push(index.key(at));
            }
        }
        keys
    }

    async fn read(
        &mut self,
        wanted: Wanted,
        watermark: &mut Watermark,
        findings: &mut Vec<Refusal>,
    ) -> Result<(), CycleError> {
        let plan = &self.feed.plan;
        let schema = plan.schema;
        let query = Query { label: schema.feed, sql: &plan.query };
        let read = match (&wanted, &plan.changed_at) {
            (Wanted::Keys(keys) | Wanted::Contested(keys) | Wanted::Named(keys), _) => {
                Read::Keys { column: schema.key, keys }
            }
            (Wanted::Changed(since), Some(column)) => Read::Changed { column, since: *since },
            _ => Read::All,
        };
        let mut rows = plan.source.read(query, read).await?;
        let columns: Vec<&str> = rows.columns().iter().map(|column| column.name.as_str()).collect();
        let encoder = Encoder::bind(schema, &columns, &plan.encode)?;
        watermark.bind(schema.feed, &columns)?;
        let (line, longest_wait) = (self.line, self.line.settings.longest_wait());
        let gate = Gate::new(&line.units, schema.feed, line.clock, self.order.dry_run, longest_wait);
        let mut planned = Plan::new(encoder, self.feed.batch_now(), plan.max_batch_bytes, gate, line.clock.now());
        planned.tells_all = self.order.dry_run;
        planned.wants = matches!(wanted, Wanted::Contested(_)).then(Wants::new);
        planned.abilities = self.feed.abilities;
        let examination = if self.feed.abilities.examines {
            let line = Arc::clone(self.line);
            let look: Look = Arc::new(move |body| line.portal.examine(schema, body));
            Some(Examination::new(Encoder::bind(schema, &columns, &plan.encode)?, look))
        } else {
            None
        };
        self.feed.index().begin_read();
        let scanned = self.scan(&mut rows, watermark, &mut planned, examination).await;
        drop(rows);
        if scanned.is_ok() {
            planned.close_filling();
        } else {
            planned.give_back(&mut self.feed.index());
        }
        // Whatever ended the scan: what is noted in the index is also written down.
        self.flush(&mut planned, true).await?;
        if scanned.is_ok() && self.report.stop.is_none() {
            self.note_gone(&wanted, planned.report.rows);
            self.look_again_at_faults(&mut planned);
        }
        self.add(&planned.report);
        findings.append(&mut planned.findings);
        self.contested.append(&mut planned.contested);
        self.wants = planned.wants.take().unwrap_or_default();
        scanned
    }

    /// Where only a version of unknown outcome may hold a place that two rows claimed, or the row of the one that holds it claims another by
    /// now and waits for that, both rows are asked again.
    fn look_again_at_faults(&self, planned: &mut Plan) {
        let index = self.feed.index();
        let faults = std::mem::take(&mut planned.faults);
        let waits: BTreeSet<&Key> = planned.contested.iter().map(|contest| &contest.key).collect();
        let is_again = |fault: &Contest| waits.contains(&fault.holder) || contest::may_be_over(fault, &index);
        let again: Vec<_> = faults.into_iter().filter(is_again).collect();
        planned.report.invalid -= again.len() as u64;
        planned.report.held += again.len() as u64;
        planned.contested.extend(again);
    }

    /// Notes which records a read should have seen and did not. Keys of which no row at all comes back say nothing: a view that has lost
    /// its rows looks like that.
    fn note_gone(&mut self, wanted: &Wanted, rows: u64) {
        let index = self.feed.index();
        self.gone.retain(|id| index.find(*id).is_some_and(|at| index.is_unseen(at)));
        match wanted {
            Wanted::All => self.gone = index.unseen(),
            Wanted::Keys(keys) if rows > 0 => {
                let unseen = |key: &&Key| index.find(key.id()).is_some_and(|at| index.is_unseen(at));
                self.gone.extend(keys.iter().filter(unseen).map(Key::id));
            }
            Wanted::Keys(_) | Wanted::Changed(_) | Wanted::Contested(_) | Wanted::Named(_) => {}
        }
    }

    /// Reads to the end, or until the cycle is to stop.
    async fn scan(
        &mut self,
        rows: &mut S::Rows,
        watermark: &mut Watermark,
        planned: &mut Plan,
        mut examination: Option<Examination>,
    ) -> Result<(), CycleError> {
        let parents = self.line.parents_of(self.feed);
        let mut chunk = RowChunk::default();
        while self.report.stop.is_none() {
            let more = tokio::select! {
                biased;
                () = self.line.stopping.cancelled() => {
                    self.report.stop = Some(Stop::Stopping);
                    break;
                }
                more = rows.next(&mut chunk) => more?,
            };
            if !more {
                break;
            }
            watermark.take(&chunk);
            match examination.take() {
                None => planned.take_chunk(self.feed, &parents, &chunk),
                Some(begun) => examination = self.take_examined(begun, planned, &parents, &mut chunk).await?,
            }
            Live::add(&self.feed.live.rows, chunk.len() as u64);
            self.flush(planned, false).await?;
        }
        Ok(())
    }

    /// Plans the rows of a chunk as they are examined; gives the examination back unless the cycle is to stop.
    async fn take_examined(
        &mut self,
        mut examination: Examination,
        planned: &mut Plan,
        parents: &[&FeedLine<S>],
        chunk: &mut RowChunk,
    ) -> Result<Option<Examination>, CycleError> {
        let mut next = 0;
        while next < chunk.len() {
            let (back, rows, examined) = tokio::select! {
                biased;
                // A look that hangs on a dead disk is left behind.
                () = self.line.stopping.cancelled() => {
                    self.report.stop = Some(Stop::Stopping);
                    return Ok(None);
                }
                done = examination.rows(std::mem::take(chunk), next) => done.map_err(CycleError::Examination)?,
            };
            (examination, *chunk) = (back, rows);
            let done = next..next + examined.len();
            next = done.end;
            planned.take_rows(self.feed, parents, chunk, done, examined);
        }
        Ok(Some(examination))
    }

    /// Sends the requests that are full and writes the notes that have gathered.
    async fn flush(&mut self, planned: &mut Plan, last: bool) -> Result<(), CycleError> {
        for outgoing in std::mem::take(&mut planned.full) {
            self.dispatch(outgoing).await?;
        }
        if planned.notes.entries.len() >= NOTES || (last && !planned.notes.entries.is_empty()) {
            let mut notes = std::mem::take(&mut planned.notes);
            {
                let index = self.feed.index();
                index.bring_up_to_date(&mut notes.entries);
                notes.counts = Some(index.counts());
            }
            self.write(notes).await?;
        }
        Ok(())
    }

    pub(super) async fn write(&mut self, settlement: Settlement) -> Result<(), CycleError> {
        if self.order.dry_run {
            self.report.refusals.extend(settlement.refused);
            self.report.refusals.extend(settlement.findings.into_iter().flatten());
            return Ok(());
        }
        self.line.ledger.settle(self.feed.id, settlement).await?;
        Ok(())
    }

    /// Writes the end of a cycle, unless the ledger has just that already: most cycles find nothing new.
    pub(super) async fn write_if_new(&mut self, settlement: Settlement, counts: Counts) -> Result<(), CycleError> {
        let name = |finding: &Refusal| (finding.key.clone(), finding.code.clone());
        let same = {
            let mut written = self.feed.written.lock().unwrap_or_else(PoisonError::into_inner);
            let before = written.take();
            let findings = match &settlement.findings {
                Some(findings) => findings.iter().map(name).collect(),
                None => before.as_ref().map(|before| before.findings.clone()).unwrap_or_default(),
            };
            let now = Written { counts, findings };
            let same = before.as_ref() == Some(&now)
                && settlement.entries.is_empty()
                && settlement.cleared.is_empty()
                && settlement.remarked.is_empty();
            *written = Some(now);
            same
        };
        if same && !self.order.dry_run { Ok(()) } else { self.write(settlement).await }
    }

    /// Starts one request as soon as there is a place for it; settles others meanwhile.
    async fn dispatch(&mut self, outgoing: Outgoing) -> Result<(), CycleError> {
        Live::add(&self.feed.live.sent, outgoing.len() as u64);
        if self.order.dry_run {
            self.pretend(outgoing);
            return Ok(());
        }
        match self.place().await? {
            Some(place) => {
                let (line, name) = (Arc::clone(self.line), self.feed.plan.schema.feed);
                self.deliveries.spawn(async move {
                    let settled = match line.feeds.get(name) {
                        Some(feed) => line.deliver(feed, outgoing).await,
                        None => Ok(Settled::default()),
                    };
                    drop(place);
                    settled
                });
            }
            None => {
                self.put_back += outgoing.len() as u64;
                outgoing.put_back(&mut self.feed.index());
            }
        }
        Ok(())
    }

    /// Waits for a place in flight and counts what is settled meanwhile. None when the cycle is to end instead.
    async fn place(&mut self) -> Result<Option<OwnedSemaphorePermit>, CycleError> {
        let (line, urgent) = (self.line, self.urgent);
        let place = async {
            tokio::select! {
                biased;
                () = line.stopping.cancelled() => Err(Stop::Stopping),
                place = timeout(line.settings.scan_stall, line.place_in_flight(urgent)) => place.map_err(|_| Stop::Stalled),
            }
        };
        tokio::pin!(place);
        while self.report.stop.is_none() {
            if let Some(stop) = line.standstill(self.feed) {
                self.report.stop = Some(stop);
                break;
            }
            tokio::select! {
                biased;
                Some(settled) = self.deliveries.join_next(), if !self.deliveries.is_empty() => {
                    self.count(settled??);
                }
                place = &mut place => match place {
                    Ok(place) => return Ok(place),
                    Err(stop) => self.report.stop = Some(stop),
                },
            }
        }
        Ok(None)
    }

    /// A dry run takes every record for accepted, so that children are judged as they would be.
    fn pretend(&mut self, outgoing: Outgoing) {
        self.report.accepted += outgoing.len() as u64;
        let mut index = self.feed.index();
        for (entry, at) in outgoing.entries.into_iter().zip(outgoing.at) {
            if let Some(entry) = entry.acknowledge() {
                index.put_at(at, &entry, 0);
            }
        }
    }

    fn count(&mut self, settled: Settled) {
        self.report.accepted += settled.accepted.len() as u64;
        self.report.refused += settled.refused;
        self.report.postponed += settled.postponed;
        self.report.unknown += settled.unknown;
        self.report.released.extend(settled.released);
        self.contested.extend(settled.contested);
        if settled.put_back > 0 {
            self.put_back += settled.put_back;
            let stop = self.line.standstill(self.feed).unwrap_or(Stop::PortalFailed);
            self.report.stop.get_or_insert(stop);
        }
        if let Some(failure) = settled.failure {
            self.report.failures += 1;
            self.report.failure = Some(failure.text);
            self.report.stop = self.report.stop.take().or_else(|| self.line.standstill(self.feed));
        }
    }

    fn add(&mut self, read: &CycleReport) {
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
        self.line.ledger.set_progress(self.feed.id, progress).await?;
        if self.report.full {
            line::shorten(&*self.line.ledger, self.feed).await?;
        }
        Ok(())
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
