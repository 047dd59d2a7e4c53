//! The line: one portal with its feeds, and everything a cycle needs to know of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::batch_size::{self, BatchSize};
use super::clock::Clock;
use super::exchange::{self, ExchangeSettings, Register, SLOWEST_INQUIRY};
use super::fuse::{FuseSettings, Tripped};
use super::index::Index;
use super::order;
use super::probation;
use super::report::Live;
use super::suspects::Suspects;
use super::sweep::Sweeps;
use super::units::{ErrorBudget, PausedUnit, Units};
use super::write_back::WriteBack;
use crate::ledger::{Counts, Entry, FeedId, Ledger, LedgerError, Note, NoteKind, Progress};
use crate::portal::{Abilities, Portal};
use crate::record::{ENCODER_VERSION, EncodeSettings, Key, Schema};
use crate::source::Source;
use crate::transport::{Breaker, Parking, RetryTiming};

/// Most requests that a cycle makes to find records to blame, all its requests together.
const MOST_SEARCHES: usize = 44;

/// How a feed is read.
#[derive(Debug)]
pub struct FeedPlan<S> {
    /// What its records look like.
    pub schema: &'static Schema,
    /// Where its rows come from.
    pub source: Arc<S>,
    /// The query, as configured or over the default view.
    pub query: String,
    /// Column with the change time, for reading only what changed.
    pub changed_at: Option<String>,
    /// Longest time between two full scans.
    pub full_every: Duration,
    /// How often, between full scans, all keys are read beside what has changed.
    pub sweep_every: Duration,
    /// How far behind the newest change a read starts, for transactions that commit late.
    pub overlap: Duration,
    /// How cells become fields.
    pub encode: EncodeSettings,
    /// Most records of a request.
    pub batch: usize,
    /// Most bytes of a request's body before compression.
    pub max_batch_bytes: usize,
    /// True for the feed that never waits for others: one place in flight is kept free for it.
    pub urgent: bool,
    /// Brings what the portal gave back for a record to the hospital's database.
    pub write_back: Option<Arc<dyn WriteBack>>,
}

/// What holds for all feeds of a portal.
#[derive(Debug, Clone)]
pub struct LineSettings {
    /// Requests under way at once.
    pub in_flight: usize,
    /// When a failed delivery is tried again.
    pub retry: RetryTiming,
    /// When a record that the portal refused is tried again without having changed.
    pub slow_retry: Duration,
    /// How long a unit stays paused when the portal has blocked it; twice as long each time in a row, up to a day.
    pub unit_pause: Duration,
    /// How many refusals of a unit's records are borne before it pauses.
    pub unit_error_budget: ErrorBudget,
    /// How long a scan may wait for a place in flight before it is closed.
    pub scan_stall: Duration,
    /// How much may be removed at once.
    pub fuse: FuseSettings,
    /// What is done with a record whose place the portal holds for one that nobody here knows.
    pub on_conflict: OnConflict,
    /// What holds for feeds whose writes are exchanges of documents.
    pub exchange: ExchangeSettings,
    /// How long one cycle may spend on removals and on contests for places before other changes get their turn.
    pub slice: Duration,
    /// True when nothing may be written to the ledger: only dry runs are possible.
    pub read_only: bool,
    /// Seed of the random part of retry times.
    pub seed: u64,
}

/// What is done with a record whose place the portal holds for one that neither the ledger nor the source knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// It is reported as rejected.
    Report,
    /// The other one is removed, and ours is sent.
    Replace,
    /// The other one is taken for one of ours whose row is gone: it is removed under the fuse, and ours is sent then.
    Adopt,
}

impl LineSettings {
    /// The longest that a record waits for its next attempt.
    pub(super) fn longest_wait(&self) -> Duration {
        self.slow_retry
            .max(self.retry.longest())
            .max(self.exchange.inquire_every)
            .max(SLOWEST_INQUIRY)
            .max(Duration::from_secs(1))
    }
}

/// A feed's numbers and findings as the ledger has them.
#[derive(Debug, PartialEq)]
pub(super) struct Written {
    pub(super) counts: Counts,
    pub(super) findings: Vec<(Option<Key>, String)>,
}

/// A feed with its memory.
pub struct FeedLine<S> {
    /// How it is read.
    pub plan: FeedPlan<S>,
    /// Its number in the ledger.
    pub id: FeedId,
    /// Numbers of the running cycle.
    pub live: Live,
    /// What its portal can do with its records.
    pub(super) abilities: Abilities,
    /// What is open of its register; none where it has none.
    pub(super) register: Option<Mutex<Register>>,
    /// What is said of records that are not on their way is taken, and written back, one after another.
    pub(super) exchanging: tokio::sync::Mutex<()>,
    pub(super) index: Mutex<Index>,
    pub(super) progress: Mutex<Progress>,
    pub(super) written: Mutex<Option<Written>>,
    /// When a full scan was last begun: seconds since 1970-01-01T00:00:00Z.
    pub(super) full_begun: Mutex<Option<i64>>,
    pub(super) sweeps: Mutex<Sweeps>,
    pub(super) cycle: tokio::sync::Mutex<()>,
    /// Shared by removals of other feeds that have records of this one marked: its journal cannot be shortened meanwhile.
    pub(super) journal: Arc<tokio::sync::RwLock<()>>,
    pub(super) parking: Mutex<Parking>,
    /// The rest after a fault of what records travel in: nothing is sent, and the portal is asked all the same.
    pub(super) sending: Mutex<Parking>,
    pub(super) batch_size: Mutex<BatchSize>,
    /// Requests of the running cycle that were refused, or made to find who is to blame.
    searches: AtomicUsize,
    /// A request with many records makes one new thing at the portal, taken or refused as a whole.
    sets_are_made: bool,
    pub(super) suspects: Mutex<Suspects>,
    pub(super) children: Vec<&'static str>,
    pub(super) fuse: Mutex<Option<Tripped>>,
    /// The number of the last run that did all it had to; 0 before the first one of this process.
    has_run: AtomicU64,
    /// True once the feed was read to its end, by whatever process: a record that is not known then is none of ours.
    is_read: AtomicBool,
}

impl<S: Source> FeedLine<S> {
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sweeps(&self) -> MutexGuard<'_, Sweeps> {
        self.sweeps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn suspects(&self) -> MutexGuard<'_, Suspects> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every record as the ledger writes it. The index is locked for a page at a time only.
    pub(super) fn snapshot(&self) -> impl Iterator<Item = Entry> + Send {
        const PAGE: usize = 1024;
        let mut from = 0;
        let pages = std::iter::from_fn(move || {
            let (page, next) = self.index().page(from, PAGE);
            let more = next > from;
            from = next;
            more.then_some(page)
        });
        pages.flatten()
    }

    /// What the feed remembers beside its records.
    pub fn progress(&self) -> Progress {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The feed's numbers.
    pub fn counts(&self) -> Counts {
        self.index().counts()
    }

    /// The fuse, if it has tripped and no operator has let it go yet.
    pub fn fuse(&self) -> Option<Tripped> {
        let fuse = self.fuse.lock().unwrap_or_else(PoisonError::into_inner);
        fuse.as_ref().filter(|fuse| !fuse.accepted).cloned()
    }

    /// True while the fuse holds removals back.
    pub fn fuse_holds(&self) -> bool {
        let fuse = self.fuse.lock().unwrap_or_else(PoisonError::into_inner);
        fuse.as_ref().is_some_and(|fuse| !fuse.accepted)
    }

    /// True once the feed was read to its end.
    pub(super) fn is_read(&self) -> bool {
        self.is_read.load(Ordering::Relaxed)
    }

    /// The feed was read to its end.
    pub(super) fn note_read(&self) {
        self.is_read.store(true, Ordering::Relaxed);
    }

    /// A cycle begins.
    pub(super) fn begin_search(&self) {
        self.searches.store(0, Ordering::Relaxed);
    }

    /// A request was answered: one that was refused, or is made only to find the record that is to blame, counts.
    pub(super) fn searched(&self, counts: bool) {
        self.searches.fetch_add(usize::from(counts), Ordering::Relaxed);
    }

    /// True when so many requests of this cycle found no end of records to blame that something else is wrong. Where a request makes
    /// something new at the portal of many records (a set that is signed, numbered and kept), nothing more goes out before the next cycle.
    pub(super) fn has_searched_enough(&self) -> bool {
        self.sets_are_made && self.searches.load(Ordering::Relaxed) >= MOST_SEARCHES
    }

    /// Makes the next read a full one.
    pub(super) fn ask_for_full_scan(&self) -> Progress {
        *self.full_begun.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.last_full_scan = None;
        *progress
    }

    /// A run has done all it had to. Gives the last one before it.
    pub(super) fn ran(&self, run: u64) -> u64 {
        self.has_run.fetch_max(run, Ordering::Relaxed)
    }

    /// True when a run that began after the one with this number has done all it had to.
    pub(super) fn has_run_since(&self, run: u64) -> bool {
        self.has_run.load(Ordering::Relaxed) > run
    }
}

/// One portal with its feeds.
pub struct Line<S, P, L> {
    /// The portal's name in the configuration.
    pub name: String,
    /// What holds for all its feeds.
    pub settings: LineSettings,
    /// Told to stop: scans end early, requests under way are finished.
    pub stopping: CancellationToken,
    pub(super) portal: P,
    pub(super) ledger: Arc<L>,
    pub(super) feeds: BTreeMap<&'static str, FeedLine<S>>,
    pub(super) clock: Clock,
    pub(super) breaker: Mutex<Breaker>,
    pub(super) units: Arc<Units>,
    pub(super) rng: Mutex<StdRng>,
    /// Held by the one request that shows whether the portal is well again.
    pub(super) trial: tokio::sync::Mutex<()>,
    runs: AtomicU64,
    shared: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Opens the line: numbers its feeds in the ledger and replays what is remembered of them.
    pub async fn open(
        name: &str,
        portal: P,
        ledger: Arc<L>,
        plans: Vec<FeedPlan<S>>,
        settings: LineSettings,
        clock: Clock,
    ) -> Result<Self, LedgerError> {
        let schemas: Vec<_> = plans.iter().map(|plan| plan.schema).collect();
        let mut feeds = BTreeMap::new();
        let notes = ledger.notes(name).await?;
        for plan in plans {
            let abilities = portal.abilities(plan.schema);
            let read_only = settings.read_only;
            let sets_are_made = !abilities.idempotent && portal.most_records(plan.schema) > 1;
            let feed =
                open_feed(name, &*ledger, (plan, abilities, sets_are_made), &schemas, &notes, read_only, clock.now())
                    .await?;
            let fuse =
                notes.iter().find(|note| note.place.kind == NoteKind::Fuse && note.place.feed == feed.plan.schema.feed);
            // A note that cannot be read is one of another version: the next scan rules anew.
            *feed.fuse.lock().unwrap_or_else(PoisonError::into_inner) =
                fuse.and_then(|note| serde_json::from_str(&note.body).ok());
            feeds.insert(feed.plan.schema.feed, feed);
        }
        let units = Units::new(settings.unit_pause, settings.unit_error_budget);
        units.load(PausedUnit::in_notes(&notes));
        if !settings.read_only {
            probation::load_refusals(&units, &*ledger, feeds.values(), clock.now()).await?;
        }
        let reserved = usize::from(settings.in_flight > 1);
        let line = Line {
            name: name.to_owned(),
            stopping: CancellationToken::new(),
            portal,
            ledger,
            feeds,
            clock,
            breaker: Mutex::new(Breaker::new(settings.retry)),
            units: Arc::new(units),
            rng: Mutex::new(StdRng::seed_from_u64(settings.seed)),
            trial: tokio::sync::Mutex::default(),
            runs: AtomicU64::new(0),
            shared: Arc::new(Semaphore::new(settings.in_flight.max(1) - reserved)),
            reserved: Arc::new(Semaphore::new(reserved)),
            settings,
        };
        line.remember_own_records();
        for feed in line.feeds.values() {
            let signing = |note: &&Note| note.place == line.signing_place(feed);
            let signed = notes.iter().find(signing).and_then(|note| serde_json::from_str(&note.body).ok());
            line.own_up_after_crash(feed, signed).await?;
        }
        Ok(line)
    }

    /// The feeds, parents first, otherwise in the order of the portal's document.
    pub fn feeds(&self) -> Vec<&FeedLine<S>> {
        order::parents_first(self.portal.schemas()).iter().filter_map(|schema| self.feeds.get(schema.feed)).collect()
    }

    /// A feed by its name.
    pub fn feed(&self, name: &str) -> Option<&FeedLine<S>> {
        self.feeds.get(name)
    }

    /// The portal behind the line.
    pub fn portal(&self) -> &P {
        &self.portal
    }

    /// How the portal does: see [`Breaker`].
    pub fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers a run that begins now.
    pub(super) fn begin_run(&self) -> u64 {
        self.runs.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number of the last run that has begun.
    pub(super) fn last_run(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Waits for a place in flight. Only an urgent feed may take the reserved one.
    pub(super) async fn place_in_flight(&self, urgent: bool) -> Option<OwnedSemaphorePermit> {
        let shared = Arc::clone(&self.shared).acquire_owned();
        if !urgent {
            return shared.await.ok();
        }
        tokio::select! {
            biased;
            permit = shared => permit.ok(),
            permit = Arc::clone(&self.reserved).acquire_owned() => permit.ok(),
        }
    }
}

/// The number of a feed that the ledger does not know and may not be told.
const UNKNOWN: FeedId = FeedId(-1);

async fn open_feed<S: Source, L: Ledger>(
    portal: &str,
    ledger: &L,
    (plan, abilities, sets_are_made): (FeedPlan<S>, Abilities, bool),
    schemas: &[&'static Schema],
    notes: &[Note],
    read_only: bool,
    now: i64,
) -> Result<FeedLine<S>, LedgerError> {
    let feed = plan.schema.feed;
    let known = ledger.feeds().await?.into_iter().find(|known| known.portal == portal && known.feed == feed);
    let id = match &known {
        Some(known) => known.id,
        None if read_only => UNKNOWN,
        None => ledger.feed(portal, feed).await?,
    };
    let mut index = Index::default();
    let counts = known.as_ref().map(|known| known.counts).unwrap_or_default();
    index.reserve(usize::try_from(counts.accepted + counts.held + counts.rejected).unwrap_or_default());
    if known.is_some() {
        ledger.load(id, &mut |step| index.replay(step, now)).await?;
    }
    // What is rejected and no record is a finding of the last full scan.
    index.findings = counts.rejected.saturating_sub(index.counts().rejected);
    index.after_replay();
    let mut progress = known.map(|known| known.progress).unwrap_or_default();
    let is_read = progress.last_full_scan.is_some();
    if progress.encoder != 0 && progress.encoder != ENCODER_VERSION {
        tracing::warn!(
            portal,
            feed,
            "records are encoded anew by this version; every record of the feed is sent once more"
        );
        progress.watermark = None;
        progress.last_full_scan = None;
    }
    progress.encoder = ENCODER_VERSION;
    let register = if abilities.registered || plan.write_back.is_some() {
        Some(Mutex::new(exchange::load(ledger, id, abilities, plan.write_back.is_some()).await?))
    } else {
        None
    };
    let line = FeedLine {
        id,
        live: Live::default(),
        abilities,
        register,
        exchanging: tokio::sync::Mutex::default(),
        index: Mutex::new(index),
        progress: Mutex::new(progress),
        written: Mutex::default(),
        full_begun: Mutex::default(),
        sweeps: Mutex::default(),
        cycle: tokio::sync::Mutex::new(()),
        journal: Arc::default(),
        fuse: Mutex::default(),
        has_run: AtomicU64::new(0),
        is_read: AtomicBool::new(is_read),
        searches: AtomicUsize::new(0),
        sets_are_made,
        parking: Mutex::default(),
        sending: Mutex::default(),
        batch_size: Mutex::new(BatchSize::new(plan.batch, batch_size::remembered(notes, feed))),
        suspects: Mutex::default(),
        children: order::children_of(feed, schemas).iter().map(|schema| schema.feed).collect(),
        plan,
    };
    if !read_only {
        shorten(ledger, &line).await?;
    }
    Ok(line)
}

/// Shortens the feed's journal if that pays. No request of the feed may be under way. While another feed's removal has records of it
/// marked, that is left to a later time.
pub(super) async fn shorten<S: Source, L: Ledger>(ledger: &L, feed: &FeedLine<S>) -> Result<(), LedgerError> {
    let Ok(_alone) = feed.journal.try_write() else { return Ok(()) };
    let live = feed.index().len() as u64;
    if ledger.wants_rewrite(feed.id, live).await? {
        ledger.rewrite(feed.id, &mut feed.snapshot()).await?;
    }
    Ok(())
}
