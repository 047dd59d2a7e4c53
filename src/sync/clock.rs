//! The engine's clock: wall time that a simulation can move.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Tells the wall time in seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Kind);

#[derive(Debug, Clone, Copy)]
enum Kind {
    System,
    Simulated { base: i64, started: Instant, steps: Option<&'static AtomicI64> },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Clock(Kind::System)
    }

    /// A clock that shows `base` now and follows tokio's clock, which tests may pause and advance.
    pub fn simulated(base: i64) -> Self {
        Clock(Kind::Simulated { base, started: Instant::now(), steps: None })
    }

    /// As [`Self::simulated`], but `steps` seconds ahead of it: as machines' clocks do, it may step while it is in use.
    pub fn stepping(base: i64, steps: &'static AtomicI64) -> Self {
        Clock(Kind::Simulated { base, started: Instant::now(), steps: Some(steps) })
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn now(&self) -> i64 {
        match self.0 {
            Kind::System => {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
            }
            Kind::Simulated { base, started, steps } => {
                let stepped = steps.map_or(0, |steps| steps.load(Ordering::Relaxed));
                base.saturating_add(started.elapsed().as_secs().cast_signed()).saturating_add(stepped)
            }
        }
    }
}
