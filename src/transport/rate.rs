//! The pace of one portal: so many requests in any second, so many at once, and a place that is never taken by bulk work.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};

/// A second as the limiter spaces it. The portal counts arrivals, and the network moves two of them closer together: without
/// some slack a burst-free schedule would still show one request too many in some of the portal's seconds.
const SPACED_SECOND: Duration = Duration::from_millis(1050);

/// Whose work a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Bulk work and removals: these queue for their places in the order in which they came, so neither starves the other.
    Ordinary,
    /// Work that must not wait behind the above (slots): may also take the place that ordinary work leaves free.
    Reserved,
}

/// Limits of one portal. Everything that goes there passes here: authentication, deliveries, removals, reads.
#[derive(Debug)]
pub struct Rate {
    limiter: DefaultDirectRateLimiter,
    places: Semaphore,
    ordinary: Semaphore,
}

/// A place among the requests in flight, given back when dropped.
#[derive(Debug)]
pub struct Permit<'a> {
    _place: Option<SemaphorePermit<'a>>,
    _ordinary: Option<SemaphorePermit<'a>>,
}

impl Rate {
    /// Limits of `requests_per_second` requests in any sliding second and `in_flight` at once.
    pub fn new(requests_per_second: NonZeroU32, in_flight: NonZeroU32) -> Self {
        let limiter = RateLimiter::direct(quota(requests_per_second));
        // A process that was just restarted may have used this second up: the first turn is one spacing away.
        let _used = limiter.check();
        let places = in_flight.get() as usize;
        Rate { limiter, places: Semaphore::new(places), ordinary: Semaphore::new(places.saturating_sub(1).max(1)) }
    }

    /// Waits for a place among the requests in flight. One place serves a whole call: its request, a renewal of the token in
    /// between, its repetition.
    pub async fn place(&self, share: Share) -> Permit<'_> {
        let ordinary = match share {
            Share::Ordinary => self.ordinary.acquire().await.ok(),
            Share::Reserved => None,
        };
        // The semaphores are never closed, so acquiring never fails.
        Permit { _place: self.places.acquire().await.ok(), _ordinary: ordinary }
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

    use futures_util::FutureExt;

    use super::*;

    fn rate(requests_per_second: u32, in_flight: u32) -> Rate {
        Rate::new(NonZeroU32::new(requests_per_second).unwrap(), NonZeroU32::new(in_flight).unwrap())
    }

    #[tokio::test]
    async fn any_sliding_second_holds_at_most_the_rate() {
        let rate = rate(20, 4);
        let mut turns = Vec::new();
        for _ in 0..42 {
            rate.turn().await;
            turns.push(Instant::now());
        }
        for window in turns.windows(21) {
            assert!(window[20] - window[0] >= Duration::from_secs(1));
        }
    }

    #[tokio::test]
    async fn a_new_limiter_counts_its_first_second_as_used() {
        let started = Instant::now();
        rate(5, 1).turn().await;
        assert!(started.elapsed() >= Duration::from_millis(200));
    }

    #[tokio::test]
    async fn bulk_work_leaves_a_place_for_what_must_not_wait() {
        let rate = rate(100, 3);
        let _bulk = (rate.place(Share::Ordinary).await, rate.place(Share::Ordinary).await);
        assert!(rate.place(Share::Ordinary).now_or_never().is_none());
        let _slots = rate.place(Share::Reserved).now_or_never().unwrap();
        assert!(rate.place(Share::Reserved).now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_single_place_serves_everyone_in_turn() {
        let rate = rate(100, 1);
        let held = rate.place(Share::Ordinary).await;
        assert!(rate.place(Share::Reserved).now_or_never().is_none());
        drop(held);
        assert!(rate.place(Share::Reserved).now_or_never().is_some());
    }
}
