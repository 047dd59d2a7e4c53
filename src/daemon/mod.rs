//! The daemon: a clock that pokes, a pool that runs what was poked, and an order in which it all stops.

mod after;
mod assembly;
mod audits;
mod booking;
mod clock;
mod exchanges;
mod files;
mod fresh;
mod front;
mod heartbeat;
pub mod notices;
mod notify;
mod page;
mod platform;
mod pool;
mod reload;
mod resume;
mod status;
mod tasks;
mod timetable;
pub mod trouble;
mod words;
mod write_back;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use chrono::Utc;
use secrecy::SecretString;
use tokio_cron_scheduler::JobSchedulerError;
use tokio_util::sync::CancellationToken;

pub use assembly::{Access, AnyLine, Assembly, AssemblyError, account, open_portal, open_source, referral_required};
pub use booking::{Booking, BookingError, booking_certificate, booking_statements, open_booking};
pub use files::fit as fit_open_files;
pub use front::Door;
pub use notify::{ready as tell_ready, reloading as tell_reloading, says as tell_status};
pub use platform::{Platform, PlatformError, open_platform, platforms};
pub use reload::ReloadError;
pub use status::{
    FailingStatus, FeedStatus, FuseStatus, IncidentStatus, PortalStatus, RegisterStatus, Status, UnitStatus,
};
pub use words::hear_words;
pub use write_back::open_writer;

use crate::config::{Config, Schedule};
use crate::ledger::{AnyLedger, Ledger};
use crate::recording::Recorder;
use crate::serve::{Listener, Shown};
use crate::sync::Order;
use crate::telemetry::Metrics;
use after::{After, Aftermath};
use booking::Answering;
use clock::Clock;
use fresh::Fresh;
use front::Front;
use heartbeat::{Heart, Pulse};
use notices::Notices;
use page::History;
use platform::Served;
use pool::{Job, Pool, Priority};
use tasks::Tasks;
use timetable::{Scheduled, Timetable};
use trouble::Watch;

/// What a cycle may need beyond the longest of its time-outs before it counts as stuck.
const MARGIN: Duration = Duration::from_secs(300);

/// What a stop needs beside the grace time: for the clock, the listeners and the ledger.
const AFTER_GRACE: Duration = Duration::from_secs(15);

/// How the process runs.
#[derive(Debug, Clone, Copy)]
pub struct DaemonSettings {
    /// Feeds that run at one time; one of these workers is kept for slots.
    pub workers: usize,
    /// How long what is in flight may take to finish.
    pub grace: Duration,
    /// How long a cycle may wait for one thing before it counts as stuck.
    pub patience: Duration,
}

impl DaemonSettings {
    /// As a configuration says. A cycle waits for a database and for a portal, each as long as their time-outs let it.
    pub fn of(config: &Config) -> Self {
        let source = |source: &crate::config::SourceConfig| source.statement_timeout + source.connect_timeout * 2;
        let portal = |portal: &crate::config::PortalConfig| portal.timeout + portal.sign_timeout().unwrap_or_default();
        let longest_source = config.sources.values().map(source).max().unwrap_or_default();
        let longest_portal = config.portals.values().map(portal).max().unwrap_or_default();
        DaemonSettings {
            workers: config.daemon.workers,
            grace: config.daemon.grace,
            patience: longest_source + longest_portal + MARGIN,
        }
    }
}

/// One feed as the pool knows it.
struct Feed {
    line: Arc<AnyLine>,
    name: &'static str,
    /// Longest pause that its schedule leaves between two runs.
    pause: Option<Duration>,
}

/// What all tasks of the daemon share.
struct Shared {
    feeds: Vec<Feed>,
    lines: Vec<Arc<AnyLine>>,
    pool: Pool,
    ledger: Arc<AnyLedger>,
    metrics: Metrics,
    aftermath: Arc<Aftermath>,
    watch: Arc<Watch>,
    notices: Arc<RwLock<Option<Notices>>>,
    history: Arc<History>,
    /// What bookings have changed, for each line.
    fresh: Vec<Fresh>,
    booking: OnceLock<Arc<Answering>>,
    /// Who goes on in its place: what cycles of this one still ask for is asked of that.
    successor: OnceLock<Weak<Shared>>,
    heart: Arc<Heart>,
    last_tick: AtomicI64,
    ready: AtomicBool,
    stopping: CancellationToken,
    fatal: CancellationToken,
}

/// A running daemon.
pub struct Daemon {
    shared: Arc<Shared>,
    ledger: Arc<AnyLedger>,
    settings: DaemonSettings,
    clock: Tasks,
    workers: Tasks,
    listeners: Tasks,
    booking: Tasks,
    watchdog: Tasks,
    front: Arc<Front>,
    platform: Served,
    /// What platforms are told reaches these.
    platform_lines: Arc<RwLock<Vec<Arc<AnyLine>>>>,
    /// Who tells people of troubles.
    notices: Tasks,
    stop_notices: CancellationToken,
    /// Records what the lines exchange, to the end of the process.
    recorder: Option<Arc<Recorder>>,
    /// Workers of before a reload, each at its last cycle.
    retired: Vec<Tasks>,
    stop_booking: CancellationToken,
    stop_clock: CancellationToken,
    stop_listeners: CancellationToken,
}

impl Daemon {
    /// Starts listeners, workers and clock over what is open.
    pub async fn start(
        assembly: Assembly,
        listener: Listener,
        metrics: Metrics,
        settings: DaemonSettings,
    ) -> Result<Self, JobSchedulerError> {
        let portals = assembly.lines.iter().map(|line| line.name.clone()).collect();
        let door = Door::open(listener, metrics.clone(), portals);
        Daemon::start_behind(door, assembly, metrics, settings).await
    }

    /// Starts workers and clock over what is open, behind a door that answers already.
    pub async fn start_behind(
        door: Door,
        assembly: Assembly,
        metrics: Metrics,
        settings: DaemonSettings,
    ) -> Result<Self, JobSchedulerError> {
        let (shared, timetable) = share(&assembly, metrics, Heart::new(settings.patience));
        let shared = Arc::new(shared);
        let (front, listeners, stop_listeners) = door.lead_to(&shared);
        let platform_lines = Arc::new(RwLock::new(shared.lines.clone()));
        let mut daemon = Daemon {
            shared,
            ledger: assembly.ledger,
            recorder: assembly.recorder,
            settings,
            clock: Tasks::default(),
            workers: Tasks::default(),
            listeners,
            booking: Tasks::default(),
            watchdog: Tasks::default(),
            front,
            platform: Served::default(),
            platform_lines,
            notices: Tasks::default(),
            stop_notices: CancellationToken::new(),
            retired: Vec::new(),
            stop_booking: CancellationToken::new(),
            stop_clock: CancellationToken::new(),
            stop_listeners,
        };
        daemon.start_work();
        daemon.start_clock(timetable).await?;
        if let Some(pace) = notify::watchdog_pause() {
            daemon.watchdog.spawn("watchdog", Arc::clone(&daemon.shared.heart).feed(pace, notify::alive));
        }
        daemon.shared.ready.store(true, Ordering::Relaxed);
        Ok(daemon)
    }

    fn start_work(&mut self) {
        for worker in 0..self.settings.workers.max(2) {
            let (name, shared) = ("worker", Arc::clone(&self.shared));
            let work = move |pulse: Arc<Pulse>| async move { shared.work(worker == 0, &pulse).await };
            self.workers.spawn(name, self.shared.heart.watch(name, work));
        }
        let (name, words) = ("words", Arc::clone(&self.shared).hear(Arc::clone(&self.ledger)));
        self.workers.spawn(name, self.shared.heart.watch(name, |_| words));
        let (name, troubles) = ("troubles", Arc::clone(&self.shared).watch_over());
        self.workers.spawn(name, self.shared.heart.watch(name, |_| troubles));
        let (name, history) = ("history", Arc::clone(&self.shared).remember());
        self.workers.spawn(name, self.shared.heart.watch(name, |_| history));
        for line in self.shared.lines.iter().filter(|line| line.keeps_registers()) {
            let (name, follow_up) = ("exchanges", Arc::clone(&self.shared).follow_up(Arc::clone(line)));
            self.workers.spawn(name, self.shared.heart.watch(name, |_| follow_up));
        }
    }

    async fn start_clock(&mut self, timetable: Timetable) -> Result<(), JobSchedulerError> {
        let (shared, stop) = (Arc::clone(&self.shared), self.stop_clock.clone());
        self.clock.spawn("clock", run_clock(Clock::start().await?, timetable, shared, stop));
        Ok(())
    }

    fn keep_fresh(&mut self) {
        for line in 0..self.shared.lines.len() {
            let (name, fresh) = ("fresh", Arc::clone(&self.shared).keep_fresh(line));
            self.workers.spawn(name, self.shared.heart.watch(name, |_| fresh));
        }
    }

    /// Lets portals of medical education call the platform.
    pub fn serve_platform(&mut self, platform: Platform) {
        self.platform = platform.begin(Arc::clone(&self.platform_lines));
    }

    /// Takes over the answering of bookings, and brings what they change to the portals at once.
    pub fn serve_booking(&mut self, booking: Booking) {
        (self.booking, self.stop_booking) = booking.join(&self.shared);
        self.keep_fresh();
    }

    /// Tells people of troubles from now on; nobody any more where there is none to tell.
    pub fn tell_people(&mut self, notices: Option<Notices>) {
        self.stop_notices.cancel();
        self.retired.push(std::mem::take(&mut self.notices));
        self.stop_notices = CancellationToken::new();
        let (ledger, shared) = (&self.ledger, &self.shared);
        if let Some(notices) = &notices {
            let of = (ledger, &shared.watch, &shared.metrics);
            notices.start(&mut self.notices, of, crate::sync::Clock::system(), &self.stop_notices);
        }
        *shared.notices.write().unwrap_or_else(PoisonError::into_inner) = notices;
    }

    /// Lets who shows this token act from the page.
    pub fn admit(&self, token: SecretString) {
        self.front.page.admit(token);
    }

    /// The lines it runs.
    pub fn lines(&self) -> &[Arc<AnyLine>] {
        &self.shared.lines
    }

    /// What is to be seen.
    pub fn status(&self) -> Status {
        self.shared.current()
    }

    /// Waits until a task ends that should not have, or the ledger fails, and tells which.
    pub async fn failed(&mut self) -> String {
        tokio::select! {
            () = self.shared.fatal.cancelled() => "the ledger".to_owned(),
            name = self.clock.ended() => name,
            name = self.workers.ended() => name,
            name = self.booking.ended() => name,
            name = self.platform.tasks.ended() => name,
            name = self.watchdog.ended() => name,
            name = self.notices.ended() => name,
            name = self.listeners.ended() => name,
        }
    }

    /// Stops: the clock, then bookings (those that are begun are answered) and the pool (what is in flight is finished, or released, within the
    /// grace time), then the listeners, then the ledger. True if everything in flight was finished.
    pub async fn stop(mut self) -> bool {
        notify::stopping(self.settings.grace.max(booking::GRACE) + AFTER_GRACE);
        self.shared.ready.store(false, Ordering::Relaxed);
        self.stop_clock.cancel();
        self.clock.finish(Duration::from_secs(2)).await;
        self.shared.stopping.cancel();
        self.shared.lines.iter().for_each(|line| line.stopping.cancel());
        self.stop_booking.cancel();
        self.stop_notices.cancel();
        let grace = self.settings.grace;
        let mut retired = std::mem::take(&mut self.retired);
        let all_retired = futures_util::future::join_all(retired.iter_mut().map(|tasks| tasks.finish(grace)));
        let (finished, retired, _) =
            tokio::join!(self.workers.finish(grace), all_retired, self.booking.finish(booking::GRACE));
        self.notices.finish(Duration::from_secs(2)).await;
        let finished = finished && retired.into_iter().all(|finished| finished);
        if !finished {
            tracing::warn!(
                "requests were still in flight after the grace time; they are marked, and asked about at the next start"
            );
        }
        self.shared.doubt_the_last().await;
        self.stop_listeners.cancel();
        self.platform.stop.cancel();
        let two = Duration::from_secs(2);
        tokio::join!(self.listeners.finish(two), self.platform.tasks.finish(two));
        if let Err(error) = self.ledger.close().await {
            tracing::error!("{error}");
        }
        finished
    }
}

fn share(assembly: &Assembly, metrics: Metrics, heart: Arc<Heart>) -> (Shared, Timetable) {
    let mut feeds: Vec<Feed> = Vec::new();
    let mut jobs = Vec::new();
    let mut schedules = Vec::new();
    let now = Utc::now();
    for line in &assembly.lines {
        for feed in line.feeds() {
            let Some((schedule, zone)) = assembly.schedules.get(&(line.name.clone(), feed.plan.schema.feed)) else {
                continue;
            };
            // A feed that has been filled before does not wait for its parents at a start.
            let progress = feed.progress();
            let new = progress.last_full_scan.is_none();
            // A site that names a time names the one at which a read does no harm. What is still to be sent was read then.
            let missed = progress.last_success.is_none_or(|last| schedule.has_come_since(last, now, *zone));
            let waits = !new && !missed && matches!(schedule, Schedule::Cron(_)) && feed.counts().pending == 0;
            let is_parent = |other: &Feed| {
                Arc::ptr_eq(&other.line, line) && feed.plan.schema.parents.iter().any(|edge| edge.feed == other.name)
            };
            let runs_now = |job: usize| schedules.get(job).is_some_and(|job: &Scheduled| !job.waits);
            let parents = feeds.iter().enumerate().filter(|(job, other)| new && runs_now(*job) && is_parent(other));
            let after = parents.map(|(job, _)| job).collect();
            let priority = if feed.plan.urgent { Priority::Slot } else { Priority::Feed };
            jobs.push(Job { priority, after_first_run_of: after });
            schedules.push(Scheduled { schedule: schedule.clone(), zone: *zone, waits });
            let pause = schedule.pause(now, *zone);
            feeds.push(Feed { line: Arc::clone(line), name: feed.plan.schema.feed, pause });
        }
    }
    let shared = Shared {
        feeds,
        lines: assembly.lines.clone(),
        pool: Pool::new(jobs),
        ledger: Arc::clone(&assembly.ledger),
        metrics,
        aftermath: Arc::default(),
        watch: Arc::default(),
        notices: Arc::default(),
        history: Arc::default(),
        fresh: assembly.lines.iter().map(|_| Fresh::default()).collect(),
        booking: OnceLock::new(),
        successor: OnceLock::new(),
        heart,
        last_tick: AtomicI64::new(Utc::now().timestamp()),
        ready: AtomicBool::new(false),
        stopping: CancellationToken::new(),
        fatal: CancellationToken::new(),
    };
    (shared, Timetable::new(schedules, Utc::now()))
}

async fn run_clock(mut clock: Clock, mut timetable: Timetable, shared: Arc<Shared>, stop: CancellationToken) {
    let mut spread = false;
    loop {
        for job in timetable.due(Utc::now()) {
            shared.pool.poke(job);
        }
        if !std::mem::replace(&mut spread, true) {
            timetable.spread();
        }
        shared.poke_wanted();
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = clock.tick() => {
                shared.last_tick.store(Utc::now().timestamp(), Ordering::Relaxed);
                shared.heart.tick();
            }
        }
    }
    clock.stop().await;
}

impl Shared {
    /// A worker: runs what was poked until the daemon stops.
    async fn work(&self, reserved: bool, pulse: &Pulse) {
        loop {
            let ticket = tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                ticket = self.pool.next(reserved) => ticket,
            };
            let Some(feed) = self.feeds.get(ticket.job) else { continue };
            let busy = pulse.runs(&feed.line.name, feed.name);
            let started = tokio::time::Instant::now();
            let result = feed.line.cycle(feed.name, Order::default()).await;
            self.metrics.observe_cycle(&feed.line.name, feed.name, started.elapsed());
            let after = self.aftermath.take(&feed.line, feed.name, result, started.elapsed(), &self.metrics);
            drop(ticket);
            drop(busy);
            match after {
                After::Released(released) => released.into_iter().for_each(|child| self.poke(&feed.line, child)),
                After::CannotGoOn => return self.fatal.cancel(),
            }
        }
    }

    /// Pokes what cycles asked for.
    fn poke_wanted(&self) {
        for line in &self.lines {
            for poked in self.aftermath.pokes(&line.name, Utc::now().timestamp(), |feed| line.lets_pass(feed)) {
                self.poke(line, poked);
            }
            line.wake_after_pauses().into_iter().for_each(|feed| self.poke(line, feed));
        }
    }

    fn poke(&self, line: &Arc<AnyLine>, name: &str) {
        if let Some(successor) = self.successor.get().and_then(Weak::upgrade) {
            return successor.poke(line, name);
        }
        if let Some(job) = self.feeds.iter().position(|feed| feed.name == name && Arc::ptr_eq(&feed.line, line)) {
            self.pool.poke(job);
        }
    }

    fn current(&self) -> Status {
        let now = Utc::now().timestamp();
        let feeds = self.feeds.iter().filter_map(|feed| {
            let line = feed.line.feed(feed.name)?;
            let fuse = line.fuse().as_ref().map(FuseStatus::of);
            let status = FeedStatus::new(&feed.line.name, feed.name, &line.counts(), &line.progress(), now);
            let status = status.fused(fuse).registered(line.exchanges()).drafted(line.drafts());
            let failing = self.aftermath.failing(&feed.line.name, feed.name);
            let status = status.timed(line.plan.urgent, feed.pause, failing);
            Some(match line.rest(now) {
                Some((until, why)) => status.parked(until, why),
                None => status,
            })
        });
        let portals = self.lines.iter().map(|line| {
            let health = line.breaker().health(now);
            PortalStatus::new(&line.name, &health, &line.paused_units()).since(line.breaker().incident())
        });
        let booking = self.booking.get().map(|booking| booking.status());
        let seen = self.watch.seen();
        Status {
            feeds: feeds.collect(),
            portals: portals.collect(),
            booking,
            notices: self
                .notices
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .flat_map(Notices::status)
                .collect(),
            troubles: seen.troubles.clone(),
            well_since: seen.well_since.and_then(status::rfc3339),
        }
    }
}

impl Shown for Shared {
    fn metrics(&self) -> Result<String, String> {
        let now = Utc::now().timestamp();
        for feed in &self.feeds {
            if let Some(line) = feed.line.feed(feed.name) {
                self.metrics.show_feed(&feed.line.name, feed.name, &line.counts(), line.progress().last_success, now);
                self.metrics.show_fuse(&feed.line.name, feed.name, line.fuse_holds());
                if let Some(pause) = feed.pause {
                    self.metrics.show_schedule(&feed.line.name, feed.name, pause);
                }
                self.metrics.show_drafts(&feed.line.name, feed.name, &line.drafts(), now);
                self.metrics.show_parked(&feed.line.name, feed.name, line.rest(now).is_some());
            }
        }
        for line in &self.lines {
            self.metrics.show_portal(&line.name, &line.breaker().health(now), line.paused_units().len());
            if let Some(token) = line.portal().token_outlook() {
                self.metrics.show_token(&line.name, &token);
            }
            if let Some(skew) = line.portal().clock_skew() {
                self.metrics.show_skew(&line.name, skew.num_seconds());
            }
        }
        if let Some(room) = self.ledger.room() {
            self.metrics.show_ledger(room);
        }
        self.metrics.show_tick(self.last_tick.load(Ordering::Relaxed));
        self.metrics.show_health(self.sick().is_none(), self.not_ready().is_none());
        self.metrics.text().map_err(|error| error.to_string())
    }

    fn sick(&self) -> Option<String> {
        self.heart.stuck(tokio::time::Instant::now())
    }

    fn not_ready(&self) -> Option<String> {
        if self.ready.load(Ordering::Relaxed) { self.sick() } else { Some("starting or stopping".to_owned()) }
    }

    fn status(&self) -> impl serde::Serialize + Send {
        self.current()
    }
}
