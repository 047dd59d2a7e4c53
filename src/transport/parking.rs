//! Parking: something that only a person can mend is tried again rarely, ever more rarely, and by itself.

use std::time::Duration;

use super::is_due;

/// The first rest; each next one is twice as long.
const FIRST: Duration = Duration::from_secs(300);
/// The longest rest.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);

/// How long the rest number `rest` (the first is 0) lasts.
pub(super) fn length(rest: u32) -> Duration {
    FIRST.saturating_mul(1 << rest.min(8)).min(LONGEST)
}

/// One feed's address that the portal refuses, while its other addresses work.
#[derive(Debug, Default)]
pub struct Parking {
    rests: u32,
    rest: Option<(i64, String)>,
}

impl Parking {
    /// Begins a rest at `now` (seconds since 1970-01-01T00:00:00Z). True when it is the first since the last success: an operator is to be
    /// told. A failure during a rest belongs to the incident that began it.
    pub fn park(&mut self, why: &str, now: i64) -> bool {
        if self.rest(now).is_some() {
            return false;
        }
        let until = now.saturating_add(length(self.rests).as_secs().cast_signed());
        self.rest = Some((until, why.to_owned()));
        self.rests = self.rests.saturating_add(1);
        self.rests == 1
    }

    /// The rest that lasts at `now`: until when, and why.
    pub fn rest(&self, now: i64) -> Option<(i64, &str)> {
        let (until, why) = self.rest.as_ref()?;
        (!is_due(*until, now, LONGEST)).then_some((*until, why.as_str()))
    }

    /// A request was answered. A rest that lasts is not cut short by a request that was under way when it began.
    pub fn succeed(&mut self, now: i64) {
        if self.rest(now).is_none() {
            *self = Parking::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_an_hour_and_only_the_first_is_told() {
        let mut parking = Parking::default();
        let mut now = 0;
        let rests: Vec<(bool, i64)> = (0..6)
            .map(|_| {
                let told = parking.park("no such address", now);
                let until = parking.rest(now).unwrap().0;
                (told, until - std::mem::replace(&mut now, until))
            })
            .collect();
        assert_eq!(rests, [(true, 300), (false, 600), (false, 1200), (false, 2400), (false, 3600), (false, 3600)]);
    }

    #[test]
    fn several_requests_met_by_one_refusal_are_one_incident() {
        let mut parking = Parking::default();
        assert!(parking.park("x", 1000));
        assert!(!parking.park("x", 1001));
        parking.succeed(1001);
        assert_eq!(parking.rest(1001), Some((1300, "x")), "what was under way proves nothing");
    }

    #[test]
    fn a_success_after_the_rest_starts_over() {
        let mut parking = Parking::default();
        parking.park("x", 0);
        parking.succeed(300);
        assert!(parking.park("x", 300), "told anew");
        assert_eq!(parking.rest(300), Some((600, "x")));
    }

    #[test]
    fn a_clock_that_steps_back_ends_a_rest() {
        let mut parking = Parking::default();
        parking.park("x", 1_000_000);
        assert_eq!(parking.rest(900_000), None);
    }
}
