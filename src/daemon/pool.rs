//! The pool: which feed a free worker runs next. Pokes are coalesced, urgent feeds go first and have a worker of their own.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::Utc;
use tokio::sync::Notify;

/// How urgent a job is; smaller goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Slots: every 30 seconds, whatever else there is.
    Slot,
    /// Everything else.
    Feed,
}

/// What the pool knows of a job.
#[derive(Debug, Clone)]
pub struct Job {
    /// How urgent it is.
    pub priority: Priority,
    /// Jobs that must have run once before this one starts for the first time.
    pub after_first_run_of: Vec<usize>,
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing asks for it. Set at the end of a run.
    Idle,
    /// It waits for a worker. Set by a poke.
    Queued,
    /// A worker runs it. Set when a worker takes it.
    Running,
    /// A worker runs it, and it was poked since. Set by a poke.
    RunningAgain,
}

#[derive(Debug)]
struct State {
    phases: Vec<Phase>,
    ran_once: Vec<bool>,
    /// When the run of each that runs began: seconds since 1970-01-01T00:00:00Z.
    begun: Vec<i64>,
    queue: BTreeSet<(Priority, u64, usize)>,
    pokes: u64,
}

/// Jobs by number, and the queue of those that want to run.
#[derive(Debug)]
pub struct Pool {
    jobs: Vec<Job>,
    state: Mutex<State>,
    wake: Notify,
}

/// A job that a worker runs. Dropping it ends the run, whatever way the run ended.
#[derive(Debug)]
pub struct Ticket<'a> {
    pool: &'a Pool,
    /// The job's number.
    pub job: usize,
}

impl Pool {
    /// A pool of these jobs, none of them poked.
    pub fn new(jobs: Vec<Job>) -> Self {
        let state = State {
            phases: vec![Phase::Idle; jobs.len()],
            ran_once: vec![false; jobs.len()],
            begun: vec![0; jobs.len()],
            queue: BTreeSet::new(),
            pokes: 0,
        };
        Pool { jobs, state: Mutex::new(state), wake: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a run of a job. While it waits for a worker, further pokes add nothing; while it runs, one more run follows.
    pub fn poke(&self, job: usize) {
        let Some(known) = self.jobs.get(job) else { return };
        let mut state = self.state();
        match state.phases[job] {
            Phase::Idle => state.enqueue(known.priority, job),
            Phase::Running => state.phases[job] = Phase::RunningAgain,
            Phase::Queued | Phase::RunningAgain => return,
        }
        drop(state);
        self.wake.notify_waiters();
    }

    /// Takes the most urgent job that may start, as soon as there is one. A worker with `reserved` takes urgent jobs only.
    pub async fn next(&self, reserved: bool) -> Ticket<'_> {
        loop {
            let woken = self.wake.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            if let Some(job) = self.take(reserved) {
                return Ticket { pool: self, job };
            }
            woken.await;
        }
    }

    /// The jobs that run, each with when its run began: seconds since 1970-01-01T00:00:00Z.
    pub fn running(&self) -> Vec<(usize, i64)> {
        let state = self.state();
        let runs = |phase: &Phase| matches!(phase, Phase::Running | Phase::RunningAgain);
        let running = state.phases.iter().zip(&state.begun).enumerate().filter(|(_, (phase, _))| runs(phase));
        running.map(|(job, (_, begun))| (job, *begun)).collect()
    }

    fn take(&self, reserved: bool) -> Option<usize> {
        let mut state = self.state();
        let may_start = |job: &(Priority, u64, usize)| {
            let (priority, _, job) = *job;
            (!reserved || priority == Priority::Slot)
                && (state.ran_once[job] || self.jobs[job].after_first_run_of.iter().all(|other| state.ran_once[*other]))
        };
        let next = state.queue.iter().find(|job| may_start(job)).copied()?;
        state.queue.remove(&next);
        state.phases[next.2] = Phase::Running;
        state.begun[next.2] = Utc::now().timestamp();
        Some(next.2)
    }
}

impl State {
    fn enqueue(&mut self, priority: Priority, job: usize) {
        self.pokes += 1;
        self.queue.insert((priority, self.pokes, job));
        self.phases[job] = Phase::Queued;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.ran_once[self.job] = true;
        match state.phases[self.job] {
            Phase::RunningAgain => state.enqueue(self.pool.jobs[self.job].priority, self.job),
            Phase::Running | Phase::Idle | Phase::Queued => state.phases[self.job] = Phase::Idle,
        }
        drop(state);
        self.pool.wake.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn pool(priorities: &[Priority]) -> Pool {
        Pool::new(
            priorities.iter().map(|priority| Job { priority: *priority, after_first_run_of: Vec::new() }).collect(),
        )
    }

    fn taken(pool: &Pool, reserved: bool) -> Option<Ticket<'_>> {
        Box::pin(pool.next(reserved)).now_or_never()
    }

    #[test]
    fn what_runs_is_known_until_its_ticket_goes() {
        let pool = pool(&[Priority::Feed, Priority::Feed]);
        pool.poke(1);
        let ticket = taken(&pool, false).unwrap();
        assert_eq!(pool.running().iter().map(|(job, _)| *job).collect::<Vec<_>>(), [1]);
        drop(ticket);
        assert_eq!(pool.running(), []);
    }

    #[test]
    fn many_pokes_are_one_run() {
        let pool = pool(&[Priority::Feed]);
        pool.poke(0);
        pool.poke(0);
        drop(taken(&pool, false).unwrap());
        assert!(taken(&pool, false).is_none());
    }

    #[test]
    fn a_poke_during_a_run_is_one_more_run() {
        let pool = pool(&[Priority::Feed]);
        pool.poke(0);
        let ticket = taken(&pool, false).unwrap();
        pool.poke(0);
        pool.poke(0);
        assert!(taken(&pool, false).is_none(), "never twice at once");
        drop(ticket);
        drop(taken(&pool, false).unwrap());
        assert!(taken(&pool, false).is_none());
    }

    #[test]
    fn slots_go_first_whoever_came_first() {
        let pool = pool(&[Priority::Feed, Priority::Feed, Priority::Slot]);
        [1, 0, 2].into_iter().for_each(|job| pool.poke(job));
        let order: Vec<usize> = (0..3).map(|_| taken(&pool, false).unwrap().job).collect();
        assert_eq!(order, [2, 1, 0], "then in the order of their pokes");
    }

    #[test]
    fn the_reserved_worker_takes_slots_only() {
        let pool = pool(&[Priority::Feed, Priority::Slot]);
        pool.poke(0);
        assert!(taken(&pool, true).is_none());
        pool.poke(1);
        assert_eq!(taken(&pool, true).unwrap().job, 1);
    }

    #[test]
    fn a_first_run_waits_for_the_first_run_of_its_parents() {
        let parent = Job { priority: Priority::Feed, after_first_run_of: Vec::new() };
        let child = Job { priority: Priority::Slot, after_first_run_of: vec![0] };
        let pool = Pool::new(vec![parent, child]);
        pool.poke(1);
        assert!(taken(&pool, false).is_none());
        pool.poke(0);
        drop(taken(&pool, false).unwrap());
        assert_eq!(taken(&pool, true).unwrap().job, 1);
    }
}
