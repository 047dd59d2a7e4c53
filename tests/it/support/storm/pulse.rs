//! How late this very process is: a clock that should beat every few milliseconds. Arrivals cannot be told apart more finely than
//! that, so what the rate is held against gives way by it, and by no more.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often it should beat.
const BEAT: Duration = Duration::from_millis(5);
/// Lateness that any timer shows.
const USUAL: Duration = Duration::from_millis(5);

/// Stretches of time in which the process was late: from when, to when.
#[derive(Clone, Default)]
pub struct Pulse {
    stalls: Arc<Mutex<Vec<(Instant, Instant)>>>,
}

impl Pulse {
    pub fn start() -> Self {
        let pulse = Pulse::default();
        let stalls = Arc::downgrade(&pulse.stalls);
        tokio::spawn(async move {
            let mut last = Instant::now();
            loop {
                tokio::time::sleep(BEAT).await;
                let now = Instant::now();
                let Some(stalls) = stalls.upgrade() else { return };
                if now - last > BEAT + USUAL {
                    stalls.lock().unwrap().push((last, now));
                }
                last = now;
            }
        });
        pulse
    }

    /// How long the process was late between two moments.
    pub fn lateness(&self, from: Instant, to: Instant) -> Duration {
        let overlap = |stall: &(Instant, Instant)| stall.1.min(to).saturating_duration_since(stall.0.max(from));
        self.stalls.lock().unwrap().iter().map(overlap).sum()
    }
}
