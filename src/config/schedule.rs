//! Schedules: when a feed is due, as a pure question.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

/// When a feed runs by itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// So long after the last time.
    Every(Duration),
    /// At the times of a cron expression with six fields, the first being seconds; read in the source's time zone.
    Cron(Box<Cron>),
}

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a cron expression: {reason}; write six fields: second minute hour day month weekday, like \"0 0 * * * *\" for every hour"
)]
pub struct ScheduleError {
    reason: String,
}

impl Schedule {
    /// The first time after `now`. None when there is none any more.
    pub fn next_after(&self, now: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        match self {
            Schedule::Every(pause) => now.checked_add_signed(TimeDelta::from_std(*pause).ok()?),
            Schedule::Cron(cron) => {
                let next = cron.find_next_occurrence(&now.with_timezone(&zone), false).ok()?;
                Some(next.with_timezone(&Utc))
            }
        }
    }

    /// True when it was time between `last` (seconds since 1970-01-01T00:00:00Z) and `now`.
    pub fn has_come_since(&self, last: i64, now: DateTime<Utc>, zone: Tz) -> bool {
        let next = DateTime::from_timestamp(last, 0).and_then(|last| self.next_after(last, zone));
        next.is_some_and(|next| next <= now)
    }

    /// Longest pause among the next few runs. None when there are fewer than two.
    pub fn pause(&self, now: DateTime<Utc>, zone: Tz) -> Option<Duration> {
        let runs = std::iter::successors(self.next_after(now, zone), |run| self.next_after(*run, zone));
        let runs: Vec<DateTime<Utc>> = runs.take(8).collect();
        runs.windows(2).filter_map(|pair| (pair[1] - pair[0]).to_std().ok()).max()
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    /// Reads a cron expression, as the scheduler does.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let parser = CronParser::builder().seconds(Seconds::Required).build();
        let cron = parser.parse(text).map_err(|error| ScheduleError { reason: error.to_string() })?;
        Ok(Schedule::Cron(Box::new(cron)))
    }
}

/// Checks a cron expression: it can be read, and there is a next time.
pub(super) fn cron(text: &str) -> Result<(), String> {
    let schedule: Schedule = text.parse().map_err(|error: ScheduleError| error.to_string())?;
    match schedule.next_after(Utc::now(), Tz::UTC) {
        Some(_) => Ok(()),
        None => Err("never comes: no such date exists".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn at(hour: u32, minute: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 1, hour, minute, 0).single().expect("a real time")
    }

    #[test]
    fn every_counts_from_now() {
        let schedule = Schedule::Every(Duration::from_secs(90));
        assert_eq!(schedule.next_after(at(10, 0), Tz::UTC), Some(at(10, 1) + TimeDelta::seconds(30)));
    }

    #[test]
    fn cron_is_read_in_the_zone_of_the_source() {
        let schedule: Schedule = "0 30 15 * * *".parse().expect("a cron expression");
        assert_eq!(schedule.next_after(at(10, 0), Tz::Asia__Yekaterinburg), Some(at(10, 30)));
        assert_eq!(schedule.next_after(at(10, 0), Tz::UTC), Some(at(15, 30)));
    }

    #[test]
    fn a_time_that_was_slept_through_has_come() {
        let schedule: Schedule = "0 30 1 * * *".parse().expect("a cron expression");
        let last = at(1, 31);
        assert!(!schedule.has_come_since(last.timestamp(), at(23, 0), Tz::UTC));
        assert!(schedule.has_come_since(last.timestamp(), at(2, 0) + TimeDelta::days(1), Tz::UTC));
    }

    #[test]
    fn the_next_time_is_after_now_never_now() {
        let schedule: Schedule = "0 0 * * * *".parse().expect("a cron expression");
        assert_eq!(schedule.next_after(at(10, 0), Tz::UTC), Some(at(11, 0)));
    }

    #[test]
    fn an_hour_that_a_clock_change_skips_does_not_stop_the_feed() {
        let schedule: Schedule = "0 30 2 * * *".parse().expect("a cron expression");
        let before = Utc.with_ymd_and_hms(2026, 3, 29, 0, 0, 0).single().expect("a real time");
        let next = schedule.next_after(before, Tz::Europe__Berlin).expect("a next time");
        assert!(next > before && next - before <= TimeDelta::hours(25), "{next}");
    }

    #[test]
    fn five_fields_and_nonsense_are_refused() {
        for bad in ["0 * * * *", "", "61 0 0 * * *", "daily"] {
            assert!(cron(bad).is_err(), "{bad}");
        }
        assert_eq!(cron("0 0 0 30 2 *"), Err("never comes: no such date exists".into()));
        assert_eq!(cron("*/30 * * * * *"), Ok(()));
    }

    #[test]
    fn the_pause_is_the_longest_gap() {
        let schedule: Schedule = "0 0,10 * * * *".parse().expect("a cron expression");
        assert_eq!(schedule.pause(at(10, 0), Tz::UTC), Some(Duration::from_secs(3000)));
    }
}
