//! When a failed thing is tried again: the one file that owns retry timing, and the only one that knows the `backoff` crate.
//!
//! The crate gives the ceiling of an attempt; the delay is drawn from zero to that ceiling by the caller's generator ("full
//! jitter"), so that a seed decides it in tests and many daemons do not come back in step.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;
use rand::{Rng, RngExt};

/// From this many doublings on, the ceiling is the cap whatever the settings.
const MOST_DOUBLINGS: u16 = 64;
/// Longest delay that may be configured.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long attempts wait: doubling from `initial` up to `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryTiming {
    initial: Duration,
    max: Duration,
}

/// Why two durations are no retry timing. The key is relative to the section that holds `retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RetryTimingError {
    /// A zero start never grows.
    #[error("retry.initial: must be longer than zero")]
    ZeroInitial,
    /// The cap lies under the start.
    #[error("retry.max: must not be shorter than retry.initial")]
    MaxBelowInitial,
    /// Nobody waits that long.
    #[error("retry.max: must not be longer than 24 hours")]
    MaxTooLong,
}

impl Default for RetryTiming {
    /// From one second up to five minutes.
    fn default() -> Self {
        RetryTiming { initial: Duration::from_secs(1), max: Duration::from_secs(300) }
    }
}

/// True when the moment `at` has come by `now`, both in seconds since 1970-01-01T00:00:00Z. `longest` is the longest wait that anybody could
/// have set: a moment further ahead by more than an eighth of it was set before the clock stepped back, and nobody waits for it. (A clock
/// that is put right by some seconds is no reason to do at once what was to wait for a day.)
pub fn is_due(at: i64, now: i64, longest: Duration) -> bool {
    let longest = i64::try_from(longest.as_secs()).unwrap_or(i64::MAX);
    at <= now || at > now.saturating_add(longest).saturating_add(longest / 8)
}

impl RetryTiming {
    /// A timing whose first ceiling is `initial` and whose largest is `max`.
    pub const fn new(initial: Duration, max: Duration) -> Result<Self, RetryTimingError> {
        if initial.is_zero() {
            return Err(RetryTimingError::ZeroInitial);
        }
        if max.as_nanos() < initial.as_nanos() {
            return Err(RetryTimingError::MaxBelowInitial);
        }
        if max.as_nanos() > LONGEST.as_nanos() {
            return Err(RetryTimingError::MaxTooLong);
        }
        Ok(RetryTiming { initial, max })
    }

    /// The longest that any attempt waits.
    pub fn longest(&self) -> Duration {
        self.max
    }

    /// The longest that attempt number `attempt` (the first retry is 0) may wait.
    pub fn ceiling(&self, attempt: u16) -> Duration {
        let mut growth = ExponentialBackoff {
            current_interval: self.initial,
            initial_interval: self.initial,
            max_interval: self.max,
            multiplier: 2.0,
            randomization_factor: 0.0,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        for _ in 0..attempt.min(MOST_DOUBLINGS) {
            growth.next_backoff();
        }
        growth.current_interval.min(self.max)
    }

    /// The wait before attempt number `attempt`, at least half of its ceiling: for what must be asked ever more rarely.
    pub fn growing_delay(&self, attempt: u16, rng: &mut impl Rng) -> Duration {
        let ceiling = self.ceiling(attempt);
        rng.random_range(ceiling / 2..=ceiling)
    }

    /// The wait before attempt number `attempt`: anything from zero to its ceiling.
    pub fn delay(&self, attempt: u16, rng: &mut impl Rng) -> Duration {
        rng.random_range(Duration::ZERO..=self.ceiling(attempt))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn timing() -> RetryTiming {
        RetryTiming::new(Duration::from_secs(1), Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn ceilings_double_up_to_the_cap_and_stay_there() {
        let seconds: Vec<u64> =
            [0, 1, 2, 3, 4, 5, 63, 64, u16::MAX].map(|attempt| timing().ceiling(attempt).as_secs()).to_vec();
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10, 10, 10, 10]);
    }

    #[test]
    fn a_delay_is_drawn_from_zero_to_its_ceiling() {
        let mut rng = StdRng::seed_from_u64(7);
        let drawn: Vec<Duration> = (0..1000).map(|_| timing().delay(2, &mut rng)).collect();
        assert!(drawn.iter().all(|delay| *delay <= Duration::from_secs(4)));
        assert!(drawn.iter().any(|delay| *delay < Duration::from_millis(400)));
        assert!(drawn.iter().any(|delay| *delay > Duration::from_millis(3600)));
    }

    #[test]
    fn a_moment_that_no_wait_can_have_set_has_come() {
        let day = Duration::from_secs(86_400);
        for (at, due) in [(999, true), (1000, true), (1001, false), (98_200, false), (98_201, true), (i64::MAX, true)] {
            assert_eq!(is_due(at, 1000, day), due, "{at}");
        }
        assert!(!is_due(i64::MAX, i64::MAX - 5, Duration::MAX));
    }

    #[test]
    fn one_seed_gives_one_series() {
        let series = |seed| {
            let mut rng = StdRng::seed_from_u64(seed);
            (0..8).map(|attempt| timing().delay(attempt, &mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(series(1), series(1));
        assert_ne!(series(1), series(2));
    }

    #[test]
    fn senseless_settings_are_refused_by_key() {
        let second = Duration::from_secs(1);
        assert_eq!(RetryTiming::new(Duration::ZERO, second), Err(RetryTimingError::ZeroInitial));
        assert_eq!(RetryTiming::new(second * 2, second), Err(RetryTimingError::MaxBelowInitial));
        assert_eq!(RetryTiming::new(second, LONGEST + second), Err(RetryTimingError::MaxTooLong));
    }
}
