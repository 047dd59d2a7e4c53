//! Reloading: the portals that a changed configuration speaks of are closed and opened again; the others never notice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;
use tokio_cron_scheduler::JobSchedulerError;
use tokio_util::sync::CancellationToken;

use super::tasks::Tasks;
use super::{AnyLine, Assembly, AssemblyError, Daemon, share};
use crate::config::Config;

/// Why a configuration did not come into force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It cannot be brought to life: the old one goes on.
    #[error(transparent)]
    Refused(AssemblyError),
    /// What it changes is closed and cannot be opened again: the process must end.
    #[error("{0}")]
    Broken(String),
}

impl From<JobSchedulerError> for ReloadError {
    fn from(error: JobSchedulerError) -> Self {
        ReloadError::Broken(format!("the clock cannot be started: {error}"))
    }
}

impl Daemon {
    /// Brings a configuration into force of which these sections have changed. What it says of the ledger, the process and its listeners
    /// counts for nothing. Gives the names of the portals that were closed or opened.
    pub async fn reload(&mut self, config: &Config, changed: &BTreeSet<String>) -> Result<Vec<String>, ReloadError> {
        let metrics = self.shared.metrics.clone();
        let kept = Assembly::keeps(config, &metrics, &self.ledger, self.lines(), changed);
        let kept = Box::pin(kept).await.map_err(ReloadError::Refused)?;
        let (kept, closed): (Vec<_>, Vec<_>) =
            self.lines().iter().cloned().partition(|line| kept.contains(line.name.as_str()));
        let mut touched: Vec<String> = closed.iter().map(|line| line.name.clone()).collect();
        touched.extend(config.portals.keys().filter(|name| kept.iter().all(|line| line.name != **name)).cloned());
        touched.sort_unstable();
        touched.dedup();
        self.close_lines(&closed).await;
        let opened = Box::pin(Assembly::open_over(config, &metrics, Arc::clone(&self.ledger), kept)).await;
        let assembly = opened.map_err(|error| ReloadError::Broken(error.to_string()))?;
        self.go_on_with(&assembly).await?;
        Ok(touched)
    }

    /// Nothing more is begun; what these lines do is brought to its end.
    async fn close_lines(&mut self, closed: &[Arc<AnyLine>]) {
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
    async fn go_on_with(&mut self, assembly: &Assembly) -> Result<(), ReloadError> {
        let (mut shared, timetable) = share(assembly, self.shared.metrics.clone());
        shared.fatal = self.shared.fatal.clone();
        shared.aftermath = Arc::clone(&self.shared.aftermath);
        shared.watch = Arc::clone(&self.shared.watch);
        if let Some(answering) = self.shared.booking.get() {
            let _set_once = shared.booking.set(Arc::clone(answering));
        }
        let shared = Arc::new(shared);
        shared.ready.store(true, Ordering::Relaxed);
        let _replaced_once = self.shared.successor.set(Arc::downgrade(&shared));
        self.retired.retain(|tasks| !tasks.is_empty());
        self.retired.push(std::mem::take(&mut self.workers));
        self.stop_clock = CancellationToken::new();
        self.shared = Arc::clone(&shared);
        *self.platform_lines.write().unwrap_or_else(std::sync::PoisonError::into_inner) = shared.lines.clone();
        self.front.show(&shared);
        if let Some(hears) = &self.hears {
            hears.join(&shared);
            self.keep_fresh();
        }
        self.start_work();
        self.clock = Tasks::default();
        self.start_clock(timetable).await?;
        Ok(())
    }
}
