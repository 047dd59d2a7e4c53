//! The engine's clock: wall time that a simulation can move.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Tells the wall time in seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Kind);

#[derive(Debug, Clone, Copy)]
enum Kind {
    System,
    Simulated { base: i64, started: Instant },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Clock(Kind::System)
    }

    /// A clock that shows `base` now and follows tokio's clock, which tests may pause and advance.
    pub fn simulated(base: i64) -> Self {
        Clock(Kind::Simulated { base, started: Instant::now() })
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn now(&self) -> i64 {
        match self.0 {
            Kind::System => {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
            }
            Kind::Simulated { base, started } => base.saturating_add(started.elapsed().as_secs().cast_signed()),
        }
    }
}
