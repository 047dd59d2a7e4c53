//! The clock: one job of tokio-cron-scheduler each second. It only pokes; what is due is asked of the timetable.
//!
//! Scheduler jobs have been seen to stop for good, so nobody relies on them alone: when no pulse came for a while the clock says so,
//! ticks by itself and starts the scheduler anew.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// A pulse that is this late is not coming.
const LATE: Duration = Duration::from_secs(5);

/// Pulses once a second.
pub struct Clock {
    scheduler: JobScheduler,
    pulse: Arc<Notify>,
}

impl Clock {
    /// Starts the scheduler.
    pub async fn start() -> Result<Self, JobSchedulerError> {
        let pulse = Arc::new(Notify::new());
        let scheduler = start_scheduler(&pulse).await?;
        Ok(Clock { scheduler, pulse })
    }

    /// Waits for the next pulse.
    pub async fn tick(&mut self) {
        if tokio::time::timeout(LATE, self.pulse.notified()).await.is_ok() {
            return;
        }
        tracing::warn!("the scheduler gave no pulse for {} s; it is started anew", LATE.as_secs());
        if let Err(error) = self.restart().await {
            tracing::warn!("the scheduler could not be started anew: {error}");
        }
    }

    async fn restart(&mut self) -> Result<(), JobSchedulerError> {
        let fresh = start_scheduler(&self.pulse).await?;
        let mut stale = std::mem::replace(&mut self.scheduler, fresh);
        stale.shutdown().await
    }

    /// Stops the scheduler: no pulse comes any more.
    pub async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!("the scheduler did not stop cleanly: {error}");
        }
    }
}

async fn start_scheduler(pulse: &Arc<Notify>) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let pulse = Arc::clone(pulse);
    scheduler.add(Job::new("* * * * * *", move |_, _| pulse.notify_one())?).await?;
    scheduler.start().await?;
    Ok(scheduler)
}
