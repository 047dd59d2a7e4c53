//! Steps of a process: each call through a seam takes one before and one after its effect, and at one of them, if the seed says so, the
//! process is no more.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

/// The steps of one process of the engine.
#[derive(Debug)]
pub struct Steps {
    taken: AtomicU64,
    last: AtomicU64,
    over: CancellationToken,
}

impl Steps {
    /// A process that ends at this step, unless it ends before.
    pub fn until(last: u64) -> Self {
        Steps { taken: AtomicU64::new(0), last: AtomicU64::new(last), over: CancellationToken::new() }
    }

    /// Takes one step. The call that takes the last one never returns, and neither does any after it.
    pub async fn step(&self) {
        if self.taken.fetch_add(1, Ordering::Relaxed) + 1 >= self.last.load(Ordering::Relaxed) {
            self.over.cancel();
        }
        if self.over.is_cancelled() {
            std::future::pending::<()>().await;
        }
    }

    /// From now on nothing ends the process.
    pub fn spare(&self) {
        self.last.store(u64::MAX, Ordering::Relaxed);
    }

    /// Waits for the last step.
    pub async fn ended(&self) {
        self.over.cancelled().await;
    }
}
