//! Heartbeat: whether the clock ticks and the workers get on. While one of them is stuck systemd is not fed, and restarts the process.
//!
//! Tasks are watched from outside, by how they are polled. A poll that does not return blocks its thread: a deadlock, or a loop without end.
//! A busy worker that is not polled at all waits for an answer that never comes: every lawful wait of a cycle ends with a time-out.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// A tick that is this late shows a dead clock.
const TICK_LATE: Duration = Duration::from_secs(30);
/// A poll that takes this long shows a blocked thread: none of them waits for anything.
const POLL_LATE: Duration = Duration::from_secs(30);
/// Pause before a stuck process is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What the watchdog asks.
#[derive(Debug)]
pub(super) struct Heart(Mutex<State>);

#[derive(Debug)]
struct State {
    ticked: Instant,
    patience: Duration,
    pulses: Vec<Weak<Pulse>>,
}

/// What is known of one task.
#[derive(Debug)]
pub(super) struct Pulse {
    task: &'static str,
    beat: Mutex<Beat>,
}

#[derive(Debug)]
struct Beat {
    /// The feed that a worker runs.
    busy: Option<String>,
    /// Since when its future is being polled.
    entered: Option<Instant>,
    /// When something woke it last.
    moved: Instant,
}

/// A worker is busy until this is dropped.
pub(super) struct Busy<'a>(&'a Pulse);

/// A poll goes on until this is dropped.
struct Within<'a>(&'a Pulse);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Heart {
    /// A heart whose workers may wait for one thing so long.
    pub(super) fn new(patience: Duration) -> Arc<Self> {
        Arc::new(Heart(Mutex::new(State { ticked: Instant::now(), patience, pulses: Vec::new() })))
    }

    /// Other time-outs are in force.
    pub(super) fn be_patient(&self, patience: Duration) {
        lock(&self.0).patience = patience;
    }

    /// The clock has ticked.
    pub(super) fn tick(&self) {
        lock(&self.0).ticked = Instant::now();
    }

    /// The clock is stopped for at most so long, on purpose.
    pub(super) fn rest_clock(&self, longest: Duration) {
        lock(&self.0).ticked = Instant::now() + longest;
    }

    /// The same task, watched. It is given its pulse, to say when it is busy.
    pub(super) fn watch<F, B>(&self, task: &'static str, begin: B) -> impl Future<Output = ()> + Send + use<F, B>
    where
        F: Future<Output = ()> + Send,
        B: FnOnce(Arc<Pulse>) -> F,
    {
        let beat = Beat { busy: None, entered: None, moved: Instant::now() };
        let pulse = Arc::new(Pulse { task, beat: Mutex::new(beat) });
        let mut state = lock(&self.0);
        state.pulses.retain(|pulse| pulse.strong_count() > 0);
        state.pulses.push(Arc::downgrade(&pulse));
        drop(state);
        let mut work = Box::pin(begin(Arc::clone(&pulse)));
        poll_fn(move |context| {
            let _within = pulse.enter();
            work.as_mut().poll(context)
        })
    }

    /// What is stuck at this moment.
    pub(super) fn stuck(&self, now: Instant) -> Option<String> {
        let state = lock(&self.0);
        let silent = now.saturating_duration_since(state.ticked);
        if silent > TICK_LATE {
            return Some(format!("the clock has not ticked for {} s", silent.as_secs()));
        }
        state.pulses.iter().filter_map(Weak::upgrade).find_map(|pulse| pulse.stuck(now, state.patience))
    }

    /// Feeds systemd at this pace, as long as nothing is stuck.
    pub(super) async fn feed(self: Arc<Self>, pace: Duration, feed: impl Fn()) {
        let mut told = false;
        loop {
            let stuck = self.stuck(Instant::now());
            if let Some(stuck) = &stuck
                && !told
            {
                tracing::error!("{stuck}; systemd's watchdog is not fed any more and will restart the service");
            }
            told = stuck.is_some();
            if told {
                sleep(LOOK_AGAIN).await;
            } else {
                feed();
                sleep(pace).await;
            }
        }
    }
}

impl Pulse {
    fn enter(&self) -> Within<'_> {
        lock(&self.beat).entered = Some(Instant::now());
        Within(self)
    }

    /// The worker runs this feed now.
    pub(super) fn runs(&self, portal: &str, feed: &str) -> Busy<'_> {
        lock(&self.beat).busy = Some(format!("{portal}.{feed}"));
        Busy(self)
    }

    fn stuck(&self, now: Instant, patience: Duration) -> Option<String> {
        let beat = lock(&self.beat);
        let at_what = beat.busy.as_ref().map(|feed| format!(" at {feed}")).unwrap_or_default();
        if let Some(entered) = beat.entered {
            let blocked = now.saturating_duration_since(entered);
            return (blocked > POLL_LATE).then(|| {
                format!("the task {}{at_what} has blocked its thread for {} s", self.task, blocked.as_secs())
            });
        }
        let silent = now.saturating_duration_since(beat.moved);
        (beat.busy.is_some() && silent > patience)
            .then(|| format!("the task {}{at_what} has waited in vain for {} s", self.task, silent.as_secs()))
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        lock(&self.0.beat).busy = None;
    }
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        let mut beat = lock(&self.0.beat);
        (beat.entered, beat.moved) = (None, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(600);
    const PACE: Duration = Duration::from_secs(30);

    /// A heart that is fed, how often it was, and a clock that ticks.
    fn fed() -> (Arc<Heart>, Arc<AtomicU64>) {
        let (heart, feeds) = (Heart::new(PATIENCE), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&feeds);
        tokio::spawn(Arc::clone(&heart).feed(PACE, move || _ = count.fetch_add(1, Ordering::Relaxed)));
        (heart, feeds)
    }

    fn ticking(heart: &Arc<Heart>) -> tokio::task::JoinHandle<()> {
        let heart = Arc::clone(heart);
        tokio::spawn(async move {
            loop {
                heart.tick();
                sleep(Duration::from_secs(1)).await;
            }
        })
    }

    async fn fed_within(feeds: &AtomicU64, time: Duration) -> u64 {
        let before = feeds.load(Ordering::Relaxed);
        sleep(time).await;
        feeds.load(Ordering::Relaxed) - before
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_daemon_is_fed() {
        let (heart, feeds) = fed();
        let _clock = ticking(&heart);
        tokio::spawn(heart.watch("worker", |_| std::future::pending()));
        assert!(fed_within(&feeds, Duration::from_secs(24 * 3600)).await >= 24 * 120 - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_stands_still_stops_the_feeding() {
        let (heart, feeds) = fed();
        let clock = ticking(&heart);
        assert!(fed_within(&feeds, Duration::from_secs(300)).await >= 9);
        clock.abort();
        sleep(TICK_LATE + PACE).await;
        assert_eq!(fed_within(&feeds, Duration::from_secs(600)).await, 0);
        let _again = ticking(&heart);
        assert!(fed_within(&feeds, Duration::from_secs(300)).await >= 9, "it has come back to life");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_rests_on_purpose_is_not_dead() {
        let (heart, feeds) = fed();
        heart.rest_clock(Duration::from_secs(600));
        assert!(fed_within(&feeds, Duration::from_secs(600)).await >= 19);
        sleep(TICK_LATE + PACE).await;
        assert_eq!(fed_within(&feeds, Duration::from_secs(600)).await, 0, "but it must come back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_waits_for_an_answer_that_never_comes_stops_the_feeding() {
        let (heart, feeds) = fed();
        let _clock = ticking(&heart);
        tokio::spawn(heart.watch("worker", |pulse| async move {
            let _busy = pulse.runs("fer", "slot");
            std::future::pending::<()>().await;
        }));
        sleep(PATIENCE + PACE).await;
        assert_eq!(fed_within(&feeds, Duration::from_secs(600)).await, 0);
        let stuck = heart.stuck(Instant::now()).expect("something is stuck");
        assert!(stuck.starts_with("the task worker at fer.slot has waited in vain for"), "{stuck}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_whose_cycle_is_long_but_gets_on_is_well() {
        let (heart, feeds) = fed();
        let _clock = ticking(&heart);
        tokio::spawn(heart.watch("worker", |pulse| async move {
            let _busy = pulse.runs("fer", "book");
            loop {
                sleep(PATIENCE - Duration::from_secs(1)).await;
            }
        }));
        assert!(fed_within(&feeds, 20 * PATIENCE).await >= 20 * 20 - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_blocks_its_thread_is_stuck_busy_or_not() {
        let heart = Heart::new(PATIENCE);
        let seen = Arc::clone(&heart);
        heart
            .watch("words", |_| async move {
                let soon = Instant::now() + POLL_LATE;
                assert_eq!(seen.stuck(soon), None);
                seen.rest_clock(PATIENCE);
                let stuck = seen.stuck(soon + Duration::from_secs(2)).expect("it blocks");
                assert_eq!(stuck, "the task words has blocked its thread for 32 s");
            })
            .await;
        assert_eq!(heart.stuck(Instant::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_has_ended_is_forgotten() {
        let heart = Heart::new(PATIENCE);
        let task = tokio::spawn(heart.watch("worker", |pulse| async move {
            let _busy = pulse.runs("fer", "slot");
            std::future::pending::<()>().await;
        }));
        tokio::task::yield_now().await;
        heart.rest_clock(2 * PATIENCE);
        assert!(heart.stuck(Instant::now() + 2 * PATIENCE).is_some());
        task.abort();
        assert!(task.await.is_err());
        assert_eq!(heart.stuck(Instant::now() + 2 * PATIENCE), None);
    }
}
