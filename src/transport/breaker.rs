//! The breaker: whether a portal is spoken to at all.

use std::time::Duration;

use rand::Rng;

use super::{Failure, RetryTiming, Trouble, is_due, parking};

/// Failed requests in a row after which the whole portal pauses.
const FAILURES_TO_PAUSE: u16 = 3;
/// The longest wait that a portal can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// How a portal does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Requests go out.
    Open,
    /// Requests failed; none goes out before `until` (seconds since 1970-01-01T00:00:00Z).
    Paused {
        /// When the next one may go.
        until: i64,
        /// What happened.
        why: String,
        /// The portal itself announced the pause; it does not fail.
        maintenance: bool,
    },
    /// The portal wants a person to act; it is tried again at `until`, rarely.
    Parked {
        /// When it is tried again.
        until: i64,
        /// What happened.
        why: String,
    },
}

/// Counts a portal's failures and decides on pauses.
#[derive(Debug)]
pub struct Breaker {
    timing: RetryTiming,
    failures: u16,
    parked: u32,
    /// The last thing heard was a refusal in words that are not the portal's own.
    distrusted: bool,
    health: Health,
    /// When it last stopped being well: seconds since 1970-01-01T00:00:00Z.
    since: Option<i64>,
}

impl Breaker {
    /// A portal that is not known to have failed.
    pub fn new(timing: RetryTiming) -> Self {
        Breaker { timing, failures: 0, parked: 0, distrusted: false, health: Health::Open, since: None }
    }

    /// Since when the portal has not been well, and how it was last: a pause that is over proves nothing before a request has passed.
    pub fn incident(&self) -> Option<(i64, &Health)> {
        self.since.filter(|_| self.health != Health::Open).map(|since| (since, &self.health))
    }

    /// How the portal does at `now`. A pause that is over reads as open.
    pub fn health(&self, now: i64) -> Health {
        let longest = self.timing.longest().max(LONGEST_ASKED).max(parking::LONGEST);
        match &self.health {
            Health::Paused { until, .. } | Health::Parked { until, .. } if is_due(*until, now, longest) => Health::Open,
            health => health.clone(),
        }
    }

    /// True when requests may go out.
    pub fn lets_pass(&self, now: i64) -> bool {
        self.health(now) == Health::Open
    }

    /// True when a pause is over and no request has shown yet that its reason is: one request at a time goes out.
    pub fn on_trial(&self, now: i64) -> bool {
        self.health != Health::Open && self.lets_pass(now)
    }

    /// True when a large request is not worth sending before one record alone has passed.
    pub fn distrusts(&self) -> bool {
        self.distrusted
    }

    /// A request was answered. A pause that runs is not cut short by a request that was under way when it began.
    pub fn succeed(&mut self, now: i64) {
        self.failures = 0;
        if self.lets_pass(now) {
            self.parked = 0;
            self.distrusted = false;
            self.health = Health::Open;
            self.since = None;
        }
    }

    /// A pause that runs already lasts at least as long as the portal asks for.
    fn prolong(&mut self, failure: &Failure, now: i64) {
        let named = match failure.trouble {
            Trouble::Transient { retry_after }
            | Trouble::Maintenance { retry_after }
            | Trouble::Foreign { retry_after } => retry_after,
            Trouble::TimedOut
            | Trouble::FeedParked
            | Trouble::BatchAtFault
            | Trouble::Parked
            | Trouble::TooLarge
            | Trouble::Unattributed
            | Trouble::UnitBlocked => None,
        };
        if let (Some(delay), Health::Paused { until, .. } | Health::Parked { until, .. }) = (named, &mut self.health) {
            *until = (*until).max(now.saturating_add(delay.as_secs().cast_signed()));
        }
    }

    /// A request failed.
    pub fn fail(&mut self, failure: &Failure, now: i64, rng: &mut impl Rng) {
        if !self.lets_pass(now) {
            // One incident, met by several requests at once; but the longest delay that the portal names holds.
            self.prolong(failure, now);
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let why = failure.text.clone();
        let after = |delay: Duration| now.saturating_add(delay.as_secs().cast_signed().max(1));
        match failure.trouble {
            Trouble::Transient { retry_after: Some(delay) } => {
                self.health = Health::Paused { until: after(delay), why, maintenance: false }
            }
            Trouble::Transient { retry_after: None } | Trouble::TimedOut if self.failures >= FAILURES_TO_PAUSE => {
                let delay = self.timing.delay(self.failures - FAILURES_TO_PAUSE, rng);
                self.health = Health::Paused { until: after(delay), why, maintenance: false };
            }
            Trouble::Transient { retry_after: None } | Trouble::TimedOut => {}
            Trouble::Maintenance { retry_after } => {
                let delay = retry_after.unwrap_or_else(|| self.timing.delay(self.failures, rng));
                self.health = Health::Paused { until: after(delay), why, maintenance: true };
            }
            Trouble::Foreign { retry_after } => {
                self.distrusted = true;
                let delay = retry_after.unwrap_or_else(|| self.timing.growing_delay(self.failures - 1, rng));
                self.health = Health::Paused { until: after(delay), why, maintenance: false };
            }
            Trouble::Parked => {
                self.health = Health::Parked { until: after(parking::length(self.parked)), why };
                self.parked = self.parked.saturating_add(1);
            }
            // One address, one unit or one request: the portal itself does well.
            Trouble::FeedParked
            | Trouble::BatchAtFault
            | Trouble::TooLarge
            | Trouble::Unattributed
            | Trouble::UnitBlocked => {}
        }
        if self.health != Health::Open {
            self.since.get_or_insert(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn fail(breaker: &mut Breaker, trouble: Trouble, times: usize) -> Health {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..times {
            let failure = Failure { trouble, maybe_applied: false, text: "x".into() };
            breaker.fail(&failure, 1000, &mut rng);
        }
        breaker.health(1000)
    }

    #[test]
    fn one_failure_of_a_batch_does_not_stop_the_portal() {
        let mut breaker = Breaker::new(RetryTiming::default());
        assert_eq!(fail(&mut breaker, Trouble::Transient { retry_after: None }, 2), Health::Open);
    }

    #[test]
    fn failures_in_a_row_pause_the_portal() {
        let mut breaker = Breaker::new(RetryTiming::default());
        let health = fail(&mut breaker, Trouble::Transient { retry_after: None }, 3);
        assert!(matches!(health, Health::Paused { maintenance: false, .. }));
        breaker.succeed(1000);
        assert!(!breaker.lets_pass(1000), "a request that was under way proves nothing");
        breaker.succeed(5000);
        assert!(breaker.lets_pass(1000));
    }

    #[test]
    fn refusals_that_are_not_the_portals_words_pause_it_at_once_and_ever_longer() {
        let mut breaker = Breaker::new(RetryTiming::default());
        let (mut now, mut rng) = (1000, StdRng::seed_from_u64(3));
        let failure =
            Failure { trouble: Trouble::Foreign { retry_after: None }, maybe_applied: false, text: "x".into() };
        let mut pauses = Vec::new();
        for _ in 0..6 {
            breaker.fail(&failure, now, &mut rng);
            let Health::Paused { until, .. } = breaker.health(now) else { panic!("it pauses at once") };
            pauses.push(until - std::mem::replace(&mut now, until));
            assert!(breaker.on_trial(now) && breaker.distrusts(), "one request shows how it does");
        }
        assert!((0..6).all(|at| ((1 << at) / 2..=1 << at).contains(&pauses[at])), "{pauses:?}");
        breaker.succeed(now);
        assert!(!breaker.on_trial(now) && !breaker.distrusts());
    }

    #[test]
    fn a_named_delay_is_believed() {
        let mut breaker = Breaker::new(RetryTiming::default());
        let health = fail(&mut breaker, Trouble::Maintenance { retry_after: Some(Duration::from_secs(90)) }, 1);
        assert!(matches!(health, Health::Paused { until: 1090, maintenance: true, .. }));
        assert!(breaker.lets_pass(1090));
    }

    #[test]
    fn the_longest_delay_that_is_named_holds() {
        let mut breaker = Breaker::new(RetryTiming::default());
        for (seconds, until) in [(5, 1005), (90, 1090), (3, 1090)] {
            let health = fail(&mut breaker, Trouble::Transient { retry_after: Some(Duration::from_secs(seconds)) }, 1);
            assert!(matches!(health, Health::Paused { until: found, .. } if found == until), "{health:?}");
        }
    }

    #[test]
    fn an_incident_lasts_over_its_pauses_until_a_request_passes() {
        let (mut breaker, mut rng) = (Breaker::new(RetryTiming::default()), StdRng::seed_from_u64(1));
        let parked = Failure { trouble: Trouble::Parked, maybe_applied: false, text: "x".into() };
        breaker.fail(&parked, 1000, &mut rng);
        breaker.fail(&parked, 1300, &mut rng);
        assert!(breaker.lets_pass(1900), "the pause is over");
        assert!(matches!(breaker.incident(), Some((1000, Health::Parked { .. }))));
        breaker.succeed(1900);
        assert_eq!(breaker.incident(), None);
    }

    #[test]
    fn a_clock_that_steps_back_ends_a_pause() {
        let mut breaker = Breaker::new(RetryTiming::default());
        fail(&mut breaker, Trouble::Maintenance { retry_after: Some(Duration::from_secs(3600)) }, 1);
        assert!(!breaker.lets_pass(1001));
        assert!(breaker.lets_pass(1000 - 3600), "nobody can have asked for two hours");
    }

    #[test]
    fn a_portal_that_wants_a_person_is_tried_ever_more_rarely() {
        let mut breaker = Breaker::new(RetryTiming::default());
        assert!(
            matches!(fail(&mut breaker, Trouble::Parked, 4), Health::Parked { until: 1300, .. }),
            "four at once are one incident"
        );
        let failure = Failure { trouble: Trouble::Parked, maybe_applied: false, text: "x".into() };
        breaker.fail(&failure, 1300, &mut StdRng::seed_from_u64(1));
        assert!(matches!(breaker.health(1300), Health::Parked { until: 1900, .. }));
    }
}
