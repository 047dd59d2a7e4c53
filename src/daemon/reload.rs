//! Reloading: the portals that a changed configuration speaks of are closed and opened again; the others never notice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;
use tokio_cron_scheduler::JobSchedulerError;
use tokio_util::sync::CancellationToken;

use super::booking::{self, Prepared};
use super::notices::{NoticeError, Notices};
use super::platform::{self, Served};
use super::tasks::Tasks;
use super::{
    AnyLine, Assembly, AssemblyError, BookingError, Daemon, DaemonSettings, Platform, PlatformError, Shared, share,
};
use crate::config::{Config, is_of_platform};

/// Why a configuration did not come into force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It cannot be brought to life: the old one goes on.
    #[error(transparent)]
    Refused(AssemblyError),
    /// Bookings cannot be answered as it says: the old one goes on.
    #[error(transparent)]
    Booking(#[from] BookingError),
    /// The platform cannot be served as it says: the old one goes on.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// People cannot be told as it says: the old one goes on.
    #[error("notify: {0}")]
    Notices(#[from] NoticeError),
    /// What it changes is closed and cannot be opened again: the process must end.
    #[error("{0}")]
    Broken(String),
}

impl From<JobSchedulerError> for ReloadError {
    fn from(error: JobSchedulerError) -> Self {
        ReloadError::Broken(format!("the clock cannot be started: {error}"))
    }
}

/// What takes the place of the listeners that a changed configuration speaks of. None for one that stays as it is.
struct Listeners {
    booking: Option<Option<Prepared>>,
    platform: Option<Option<Platform>>,
}

impl Listeners {
    fn touched(&self) -> impl Iterator<Item = String> {
        let booking = self.booking.is_some().then_some("[booking]");
        booking.into_iter().chain(self.platform.is_some().then_some("[portals.*.platform]")).map(str::to_owned)
    }
}

impl Daemon {
    /// Brings a configuration into force of which these sections have changed. What it says of the ledger, the log and the page's listener
    /// counts for nothing. Gives the names of the portals that were closed or opened, and of the sections whose listeners were.
    pub async fn reload(&mut self, config: &Config, changed: &BTreeSet<String>) -> Result<Vec<String>, ReloadError> {
        let metrics = self.shared.metrics.clone();
        let listeners = self.prepare(config, changed).await?;
        let notices = match changed.contains("notify") {
            true => Some(Notices::open(config)?),
            false => None,
        };
        let kept = Assembly::keeps(config, &metrics, &self.ledger, self.lines(), changed);
        let kept = Box::pin(kept).await.map_err(ReloadError::Refused)?;
        let (kept, closed): (Vec<_>, Vec<_>) =
            self.lines().iter().cloned().partition(|line| kept.contains(line.name.as_str()));
        let mut touched: Vec<String> = closed.iter().map(|line| line.name.clone()).collect();
        touched.extend(config.portals.keys().filter(|name| kept.iter().all(|line| line.name != **name)).cloned());
        touched.sort_unstable();
        touched.dedup();
        touched.extend(listeners.touched());
        self.close_lines(&closed).await;
        let opened = {
            let recorder = self.recorder.clone();
            Box::pin(Assembly::open_over(config, &metrics, Arc::clone(&self.ledger), kept, recorder)).await
        };
        let assembly = opened.map_err(|error| ReloadError::Broken(error.to_string()))?;
        self.settings = DaemonSettings::of(config);
        self.shared.heart.be_patient(self.settings.patience);
        self.go_on_with(&assembly, listeners).await?;
        if let Some(notices) = notices {
            self.tell_people(notices);
            touched.push("[notify]".to_owned());
        }
        Ok(touched)
    }

    /// Binds and reads all that changed listeners need, and closes nothing yet.
    async fn prepare(&self, config: &Config, changed: &BTreeSet<String>) -> Result<Listeners, ReloadError> {
        let answering = self.shared.booking.get().map(Arc::as_ref);
        let is_changed =
            answering.map_or(changed.contains(booking::SECTION), |answering| answering.is_changed(changed));
        let booking = match is_changed {
            true => Some(booking::prepare(config, &self.shared.metrics, answering, changed).await?),
            false => None,
        };
        let platform = match changed.iter().any(|section| is_of_platform(section)) {
            true => Some(platform::prepare(config, &self.platform).await?),
            false => None,
        };
        Ok(Listeners { booking, platform })
    }

    /// Lets the changed listeners take over. The old ones answer what they have begun.
    fn exchange_listeners(&mut self, shared: &Arc<Shared>, listeners: Listeners) {
        let before = self.shared.booking.get().cloned();
        match listeners.booking {
            None => before.into_iter().for_each(|before| {
                before.hears().join(shared);
                let _set_once = shared.booking.set(before);
            }),
            Some(next) => {
                self.stop_booking.cancel();
                self.retired.push(std::mem::take(&mut self.booking));
                if let Some(before) = &before {
                    before.hears().join(shared);
                }
                if let Some(next) = next {
                    (self.booking, self.stop_booking) = next.begin_after(before.as_deref()).join(shared);
                }
            }
        }
        if let Some(next) = listeners.platform {
            let next = next.map_or_else(Served::default, |next| next.begin(Arc::clone(&self.platform_lines)));
            let before = std::mem::replace(&mut self.platform, next);
            before.stop.cancel();
            self.retired.push(before.tasks);
        }
    }

    /// Nothing more is begun; what these lines do is brought to its end.
    async fn close_lines(&mut self, closed: &[Arc<AnyLine>]) {
        self.shared.heart.rest_clock(self.settings.grace + self.settings.patience);
        self.stop_clock.cancel();
        self.clock.finish(Duration::from_secs(2)).await;
        self.shared.stopping.cancel();
        closed.iter().for_each(|line| line.stopping.cancel());
        let all = async {
            for line in closed {
                line.at_rest().await;
            }
        };
        if timeout(self.settings.grace, all).await.is_err() {
            tracing::warn!(
                "requests of a portal that is closed were still in flight after the grace time; they are cut off, marked, and asked about when it is opened again"
            );
            // Whoever works on them works for portals that stay as well; their cycles begin anew.
            self.workers.finish(Duration::ZERO).await;
        }
        self.shared.doubt_the_last().await;
    }

    /// Cycles of portals that stay go on beside the new workers, one at a time for each feed.
    async fn go_on_with(&mut self, assembly: &Assembly, listeners: Listeners) -> Result<(), ReloadError> {
        let (mut shared, timetable) = share(assembly, self.shared.metrics.clone(), Arc::clone(&self.shared.heart));
        shared.fatal = self.shared.fatal.clone();
        shared.aftermath = Arc::clone(&self.shared.aftermath);
        shared.watch = Arc::clone(&self.shared.watch);
        shared.notices = Arc::clone(&self.shared.notices);
        shared.history = Arc::clone(&self.shared.history);
        let shared = Arc::new(shared);
        self.exchange_listeners(&shared, listeners);
        shared.ready.store(true, Ordering::Relaxed);
        let _replaced_once = self.shared.successor.set(Arc::downgrade(&shared));
        self.retired.retain_mut(|tasks| !tasks.is_empty());
        self.retired.push(std::mem::take(&mut self.workers));
        self.stop_clock = CancellationToken::new();
        self.shared = Arc::clone(&shared);
        *self.platform_lines.write().unwrap_or_else(std::sync::PoisonError::into_inner) = shared.lines.clone();
        self.front.show(&shared);
        let feeds = shared.feeds.iter().map(|feed| (feed.line.name.clone(), feed.name)).collect();
        shared.metrics.keep_only(&feeds);
        if shared.booking.get().is_some() {
            self.keep_fresh();
        }
        self.start_work();
        self.clock = Tasks::default();
        self.start_clock(timetable).await?;
        Ok(())
    }
}
