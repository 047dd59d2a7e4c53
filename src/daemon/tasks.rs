//! Tasks: every task of the process has a name and one owner, and none ends unnoticed.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

/// The tasks of one stage of the stop order.
#[derive(Debug, Default)]
pub struct Tasks {
    running: JoinSet<&'static str>,
}

impl Tasks {
    /// Starts a task.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(async move {
            task.await;
            name
        });
    }

    /// Waits until a task ends or panics, and tells which. Never returns when there is none.
    pub async fn ended(&mut self) -> String {
        match self.running.join_next().await {
            Some(Ok(name)) => name.to_owned(),
            Some(Err(error)) if error.is_panic() => "a task that panicked".to_owned(),
            Some(Err(_)) => "a task that was cancelled".to_owned(),
            None => std::future::pending().await,
        }
    }

    /// True when none runs. Those that have ended are forgotten.
    pub fn is_empty(&mut self) -> bool {
        while self.running.try_join_next().is_some() {}
        self.running.is_empty()
    }

    /// Waits for all tasks to end by themselves, for at most `grace`; then cuts the rest off. True if none had to be cut off.
    pub async fn finish(&mut self, grace: Duration) -> bool {
        let all = async { while self.running.join_next().await.is_some() {} };
        let finished = timeout(grace, all).await.is_ok();
        self.running.shutdown().await;
        finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_outlives_its_grace_is_cut_off() {
        let mut tasks = Tasks::default();
        tasks.spawn("stubborn", std::future::pending());
        assert!(!tasks.finish(Duration::from_secs(3)).await);
    }

    #[tokio::test]
    async fn tasks_that_end_in_time_are_waited_for() {
        let mut tasks = Tasks::default();
        tasks.spawn("quick", tokio::task::yield_now());
        assert!(tasks.finish(Duration::from_secs(30)).await);
    }

    #[tokio::test]
    async fn tasks_that_have_ended_are_forgotten() {
        let mut tasks = Tasks::default();
        tasks.spawn("quick", async {});
        assert!(!tasks.is_empty());
        tokio::task::yield_now().await;
        assert!(tasks.is_empty());
        tasks.spawn("stubborn", std::future::pending());
        tokio::task::yield_now().await;
        assert!(!tasks.is_empty());
    }

    #[tokio::test]
    async fn an_end_is_told_by_name() {
        let mut tasks = Tasks::default();
        tasks.spawn("clock", async {});
        assert_eq!(tasks.ended().await, "clock");
    }
}
