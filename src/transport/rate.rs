//! The pace of one portal: so many requests in any second. How many are under way at once is the engine's matter.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// A second as the limiter spaces it. The portal counts arrivals, and the network moves two of them closer together: without
/// some slack a burst-free schedule would still show one request too many in some of the portal's seconds.
const SPACED_SECOND: Duration = Duration::from_millis(1050);

/// Limit of one portal. Everything that goes there passes here: authentication, deliveries, removals, reads.
#[derive(Debug)]
pub struct Rate {
    limiter: DefaultDirectRateLimiter,
}

impl Rate {
    /// At most `requests_per_second` requests in any sliding second.
    pub fn new(requests_per_second: NonZeroU32) -> Self {
        let limiter = RateLimiter::direct(quota(requests_per_second));
        // A process that was just restarted may have used this second up: the first turn is one spacing away.
        let _used = limiter.check();
        Rate { limiter }
    }

    /// Waits for the right to send one request now.
    pub async fn turn(&self) {
        self.limiter.until_ready().await;
    }
}

/// One request per spacing and no burst: with a burst, an idle limiter would let twice the rate into one second.
fn quota(requests_per_second: NonZeroU32) -> Quota {
    let spacing = SPACED_SECOND / requests_per_second.get();
    let evenly = Quota::with_period(spacing).unwrap_or_else(|| Quota::per_second(requests_per_second));
    evenly.allow_burst(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn rate(requests_per_second: u32) -> Rate {
        Rate::new(NonZeroU32::new(requests_per_second).unwrap())
    }

    #[tokio::test]
    async fn any_sliding_second_holds_at_most_the_rate() {
        let rate = rate(20);
        let mut turns = Vec::new();
        for _ in 0..42 {
            rate.turn().await;
            turns.push(Instant::now());
        }
        for window in turns.windows(21) {
            assert!(window[20] - window[0] >= Duration::from_secs(1));
        }
    }

    #[test]
    fn the_spacing_has_slack_for_what_the_network_moves_closer_together() {
        for requests_per_second in [1, 3, 20, 100] {
            let spacing = quota(NonZeroU32::new(requests_per_second).unwrap()).replenish_interval();
            assert!(spacing * requests_per_second >= Duration::from_millis(1040), "{requests_per_second}");
        }
    }

    #[tokio::test]
    async fn a_new_limiter_counts_its_first_second_as_used() {
        let started = Instant::now();
        rate(5).turn().await;
        assert!(started.elapsed() >= Duration::from_millis(200));
    }
}
