//! The audit: reads back what the portal holds, compares it with the source, and, where that is wanted, makes the ledger say what the
//! portal holds, so that ordinary cycles with all their protections mend the rest.
//!
//! Feeds go parents first. One feed is read parent by parent, or record by record where the portal has no list; what seems to differ is
//! looked at a second time before it is told, because the portal commits late and the source moves meanwhile. Requests go out one at a
//! time, so that an audit never has more than one of them waiting for its turn before the slots'.

mod alike;
mod confirm;
mod fit;
mod mend;
mod progress;
mod rows;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

pub use progress::{AuditOrder, AuditProgress, AuditState, Difference, FeedAudit, Kind, Stage, Tally};

use super::cycle::CycleError;
use super::line::{FeedLine, Line};
use crate::ledger::{Ledger, LedgerError};
use crate::portal::{Ask, Held, Portal, Reading, Registered};
use crate::record::{BindError, Key, Schema};
use crate::source::{Source, SourceError};
use crate::transport::{Failure, Trouble};

/// How often the progress is written.
const SAVE_EVERY: Duration = Duration::from_secs(2);
/// Most attempts at one request.
const MOST_ATTEMPTS: u16 = 6;
/// Longest time that an audit waits for a portal that is paused.
const PATIENCE: Duration = Duration::from_secs(1800);
/// How often a paused portal is looked at.
const GLANCE: Duration = Duration::from_secs(1);

/// Why an audit could not go on.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// There is no such feed.
    #[error("there is no feed {0}, or it is off")]
    NoSuchFeed(String),
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A query does not fit its schema.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The portal does not let itself be read.
    #[error("reading {feed} back failed: {text}")]
    Portal {
        /// The feed.
        feed: &'static str,
        /// What happened.
        text: String,
    },
    /// The portal refuses the address of one feed: the others can be read.
    #[error("the portal does not let {feed} be read: {text}")]
    Denied {
        /// The feed.
        feed: &'static str,
        /// What the portal said.
        text: String,
    },
    /// The portal is paused and stays so.
    #[error("the portal is paused: {why}")]
    Paused {
        /// Why.
        why: String,
    },
    /// A cycle that was to mend what differs failed.
    #[error(transparent)]
    Cycle(#[from] CycleError),
    /// The process is stopping.
    #[error("interrupted; the next audit with the same options goes on where this one stopped")]
    Stopped,
}

/// What a portal told.
enum Told {
    Held(Vec<Held>),
    Registered(Vec<Registered>),
}

/// A running audit.
struct Auditor<'a, S: Source, P: Portal, L: Ledger> {
    line: &'a Arc<Line<S, P, L>>,
    progress: AuditProgress,
    /// The feed at hand.
    at: usize,
    saved: Instant,
    /// Records under which the children of a feed are to be listed, where its own audit met all of them.
    walked: BTreeMap<&'static str, BTreeSet<Key>>,
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Notes durably that an audit is to be done, or to be gone on with if an interrupted one serves this order.
    pub async fn begin_audit(&self, order: AuditOrder) -> Result<AuditProgress, AuditError> {
        let now = self.clock.now();
        let unknown = order.feeds.iter().find(|name| !self.feeds.contains_key(name.as_str())).cloned();
        let wanted = |name: &&str| order.feeds.is_empty() || order.feeds.iter().any(|feed| feed == name);
        let feeds: Vec<&str> = self.feeds().iter().map(|feed| feed.plan.schema.feed).filter(wanted).collect();
        let left = AuditProgress::load(&*self.ledger, &self.name).await?;
        let mut progress = match left.filter(|left| left.serves(&order, &feeds, now)) {
            Some(left) => AuditProgress { order, resumed: true, state: AuditState::Running, waits: None, ..left },
            None => AuditProgress::new(order, feeds.into_iter(), now),
        };
        let failed = unknown.map(AuditError::NoSuchFeed);
        if let Some(error) = &failed {
            progress.state = AuditState::Failed { why: error.to_string() };
        }
        progress.save(&*self.ledger, &self.name, now).await?;
        failed.map_or(Ok(progress), Err)
    }

    /// Does an audit that was begun. Whatever ends it, its progress is written.
    pub async fn audit(self: &Arc<Self>, progress: AuditProgress) -> Result<AuditProgress, AuditError> {
        let mut auditor = Auditor { line: self, progress, at: 0, saved: Instant::now(), walked: BTreeMap::new() };
        let result = Box::pin(auditor.run()).await;
        auditor.progress.waits = None;
        auditor.progress.state = match &result {
            Ok(()) => AuditState::Finished,
            Err(AuditError::Stopped) => AuditState::Running,
            Err(error) => AuditState::Failed { why: error.to_string() },
        };
        auditor.progress.save(&*self.ledger, &self.name, self.clock.now()).await?;
        result.map(|()| auditor.progress)
    }
}

impl<S: Source, P: Portal, L: Ledger> Auditor<'_, S, P, L> {
    async fn run(&mut self) -> Result<(), AuditError> {
        let line = self.line;
        for at in 0..self.progress.feeds.len() {
            self.at = at;
            let Some(feed) = line.feeds.get(self.feed().feed.as_str()) else { continue };
            if self.feed().stage == Stage::Waiting {
                self.feed().stage = match line.portal.reading(feed.plan.schema) {
                    Reading::Unsupported => Stage::Unreadable,
                    Reading::ByKey | Reading::Whole | Reading::Register(_) | Reading::OfParent { .. } => {
                        Stage::Reading { after: None }
                    }
                };
            }
            match self.compare_feed(feed).await {
                Err(denied @ AuditError::Denied { .. }) => self.feed().give_up(denied.to_string()),
                compared => compared?,
            }
            self.save().await?;
        }
        if self.progress.order.repair { self.mend().await } else { Ok(()) }
    }

    async fn compare_feed(&mut self, feed: &FeedLine<S>) -> Result<(), AuditError> {
        if let Stage::Reading { after } = self.feed().stage.clone() {
            self.read_back(feed, after.as_deref()).await?;
        }
        if self.feed().stage == Stage::Confirming {
            self.confirm(feed).await?;
            self.feed().stage = Stage::Compared;
        }
        Ok(())
    }

    /// The audit of the feed at hand.
    fn feed(&mut self) -> &mut FeedAudit {
        &mut self.progress.feeds[self.at]
    }

    fn is_past(&self, expires: Option<i64>) -> bool {
        expires.is_some_and(|expires| expires < self.line.clock.now())
    }

    async fn save(&mut self) -> Result<(), AuditError> {
        self.saved = Instant::now();
        self.progress.save(&*self.line.ledger, &self.line.name, self.line.clock.now()).await?;
        Ok(())
    }

    /// Writes the progress if that was not done a moment ago.
    async fn save_at_times(&mut self) -> Result<(), AuditError> {
        if self.saved.elapsed() >= SAVE_EVERY { self.save().await } else { Ok(()) }
    }

    /// Asks the portal, again and again within limits where time may help. The breaker is looked at and never moved: whether the portal can
    /// be written to is not for a reader to say.
    async fn ask(&mut self, schema: &'static Schema, ask: Ask<'_>) -> Result<Vec<Held>, AuditError> {
        match self.ask_any(schema, Some(ask)).await? {
            Told::Held(held) => Ok(held),
            Told::Registered(_) => Ok(Vec::new()),
        }
    }

    /// All records of the register behind the portal.
    async fn ask_register(&mut self, schema: &'static Schema) -> Result<Vec<Registered>, AuditError> {
        match self.ask_any(schema, None).await? {
            Told::Registered(registered) => Ok(registered),
            Told::Held(_) => Ok(Vec::new()),
        }
    }

    /// Asks for records, or for the whole register.
    async fn ask_any(&mut self, schema: &'static Schema, ask: Option<Ask<'_>>) -> Result<Told, AuditError> {
        let line = self.line;
        let mut attempt = 0;
        loop {
            self.wait_for_portal().await?;
            let answer = tokio::select! {
                biased;
                () = line.stopping.cancelled() => return Err(AuditError::Stopped),
                answer = async {
                    let _place = line.place_in_flight(false).await;
                    match ask {
                        Some(ask) => line.portal.read_back(schema, ask).await.map(Told::Held),
                        None => line.portal.registered(schema).await.map(Told::Registered),
                    }
                } => answer,
            };
            let failure = match answer {
                Ok(told) => return Ok(told),
                Err(failure) => failure,
            };
            let Some(pause) = self.pause_after(&failure, attempt).filter(|_| attempt + 1 < MOST_ATTEMPTS) else {
                let (feed, text) = (schema.feed, failure.text);
                return Err(match failure.trouble {
                    Trouble::FeedParked => AuditError::Denied { feed, text },
                    _ => AuditError::Portal { feed, text },
                });
            };
            attempt += 1;
            self.wait(pause, &failure.text).await?;
        }
    }

    /// How long to wait after a failure; none when waiting does not help.
    fn pause_after(&self, failure: &Failure, attempt: u16) -> Option<Duration> {
        let retry_after = match failure.trouble {
            Trouble::Transient { retry_after }
            | Trouble::Maintenance { retry_after }
            | Trouble::Foreign { retry_after } => retry_after,
            Trouble::TimedOut => None,
            Trouble::TooLarge
            | Trouble::Unattributed
            | Trouble::UnitBlocked
            | Trouble::FeedParked
            | Trouble::BatchAtFault
            | Trouble::Parked => return None,
        };
        let mut rng = self.line.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let delay = self.line.settings.retry.delay(attempt, &mut *rng);
        Some(delay.max(retry_after.unwrap_or_default()).min(PATIENCE))
    }

    async fn wait_for_portal(&mut self) -> Result<(), AuditError> {
        let since = Instant::now();
        loop {
            let now = self.line.clock.now();
            if self.line.breaker().lets_pass(now) {
                return Ok(());
            }
            let why = match self.line.breaker().health(now) {
                crate::transport::Health::Open => String::new(),
                crate::transport::Health::Paused { why, .. } | crate::transport::Health::Parked { why, .. } => why,
            };
            if since.elapsed() >= PATIENCE {
                return Err(AuditError::Paused { why });
            }
            self.wait(GLANCE, &why).await?;
        }
    }

    /// Waits, saying why, unless the process is to stop.
    async fn wait(&mut self, pause: Duration, why: &str) -> Result<(), AuditError> {
        self.progress.waits = Some(why.to_owned());
        self.save_at_times().await?;
        self.rest(pause).await?;
        self.progress.waits = None;
        Ok(())
    }

    async fn rest(&self, pause: Duration) -> Result<(), AuditError> {
        tokio::select! {
            biased;
            () = self.line.stopping.cancelled() => Err(AuditError::Stopped),
            () = sleep(pause) => Ok(()),
        }
    }
}
