//! The timetable: which feeds are due at a moment. Pure; the clock asks it once a second.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::config::Schedule;

/// When each job runs next.
#[derive(Debug)]
pub struct Timetable {
    rows: Vec<TimetableRow>,
    /// When it was last asked.
    asked: DateTime<Utc>,
}

/// A job of a timetable.
#[derive(Debug)]
pub struct Scheduled {
    /// When it runs.
    pub schedule: Schedule,
    /// Whose clock the schedule means.
    pub zone: Tz,
    /// It does not run at a start, only at its time.
    pub waits: bool,
}

#[derive(Debug)]
struct TimetableRow {
    schedule: Schedule,
    zone: Tz,
    next: Option<DateTime<Utc>>,
}

impl Timetable {
    /// A timetable in which every job that does not wait for its time is due at once at `start`, and jobs of equal pause are spread over it
    /// afterwards.
    pub fn new(jobs: Vec<Scheduled>, start: DateTime<Utc>) -> Self {
        let row = |Scheduled { schedule, zone, waits }: Scheduled| {
            let next = if waits { schedule.next_after(start, zone) } else { Some(start) };
            TimetableRow { schedule, zone, next }
        };
        Timetable { rows: jobs.into_iter().map(row).collect(), asked: start }
    }

    /// The jobs that are due. Each is due again at its next time after `now`; times that were missed are not made up for.
    pub fn due(&mut self, now: DateTime<Utc>) -> Vec<usize> {
        if now < std::mem::replace(&mut self.asked, now) {
            self.step_back(now);
        }
        let mut due = Vec::new();
        for (job, row) in self.rows.iter_mut().enumerate() {
            let Some(planned) = row.next.filter(|next| *next <= now) else { continue };
            due.push(job);
            let after_planned = row.schedule.next_after(planned, row.zone);
            row.next = match after_planned {
                Some(next) if next > now => Some(next),
                _ => row.schedule.next_after(now, row.zone),
            };
        }
        due
    }

    /// The clock has stepped back: nothing waits longer than it would have had it run now.
    fn step_back(&mut self, now: DateTime<Utc>) {
        for row in &mut self.rows {
            let at_most = row.schedule.next_after(now, row.zone);
            row.next = row.next.into_iter().chain(at_most).min();
        }
    }

    /// When a job is due next.
    #[cfg(test)]
    fn next(&self, job: usize) -> Option<DateTime<Utc>> {
        self.rows.get(job).and_then(|row| row.next)
    }

    /// Spreads jobs that came due together: each is moved forward by its share of up to a tenth of its pause, once.
    pub fn spread(&mut self) {
        let count = self.rows.len().max(1) as u32;
        for (job, row) in self.rows.iter_mut().enumerate() {
            let phase = phase(&row.schedule, job as u32, count);
            row.next = row.next.map(|next| next - phase);
        }
    }
}

/// A job's share of a tenth of its pause. Cron times are kept to the second.
fn phase(schedule: &Schedule, job: u32, count: u32) -> Duration {
    match schedule {
        Schedule::Every(pause) => *pause / 10 * job / count,
        Schedule::Cron(_) => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    fn every(seconds: u64) -> Scheduled {
        Scheduled { schedule: Schedule::Every(Duration::from_secs(seconds)), zone: Tz::UTC, waits: false }
    }

    fn hourly(waits: bool) -> Scheduled {
        Scheduled { schedule: "0 0 * * * *".parse().unwrap(), zone: Tz::UTC, waits }
    }

    #[test]
    fn everything_is_due_at_the_start_and_then_at_its_pause() {
        let mut table = Timetable::new(vec![every(30), every(3600)], at(0));
        assert_eq!(table.due(at(0)), [0, 1]);
        assert_eq!(table.due(at(29)), Vec::<usize>::new());
        assert_eq!(table.due(at(30)), [0]);
        assert_eq!(table.due(at(60)), [0]);
    }

    #[test]
    fn times_missed_in_a_sleep_are_one_run() {
        let mut table = Timetable::new(vec![every(30)], at(0));
        table.due(at(0));
        assert_eq!(table.due(at(1000)), [0]);
        assert_eq!(table.due(at(1001)), Vec::<usize>::new());
        assert_eq!(table.next(0), Some(at(1030)));
    }

    #[test]
    fn a_clock_that_steps_back_delays_nothing_for_longer_than_its_pause() {
        let mut table = Timetable::new(vec![every(30)], at(0));
        table.due(at(0));
        assert_eq!(table.due(at(-86_400)), Vec::<usize>::new());
        assert_eq!(table.due(at(-86_371)), Vec::<usize>::new());
        assert_eq!(table.due(at(-86_370)), [0]);
    }

    #[test]
    fn spreading_never_makes_a_pause_longer() {
        let mut table = Timetable::new((0..8).map(|_| every(3600)).collect(), at(0));
        table.due(at(0));
        table.spread();
        let next: Vec<_> = (0..8).filter_map(|job| table.next(job)).collect();
        assert!(next.iter().all(|next| *next <= at(3600) && *next > at(3600) - TimeDelta::seconds(360)));
        assert_eq!(next.iter().collect::<std::collections::BTreeSet<_>>().len(), 8, "all different");
    }

    #[test]
    fn cron_times_are_kept() {
        let mut table = Timetable::new(vec![hourly(false)], at(0));
        assert_eq!(table.due(at(0)), [0]);
        table.spread();
        assert_eq!(table.next(0).map(|next| next.timestamp() % 3600), Some(0));
    }

    #[test]
    fn what_waits_for_its_time_does_not_run_at_a_start() {
        let mut table = Timetable::new(vec![hourly(true)], at(0));
        assert_eq!(table.due(at(0)), Vec::<usize>::new());
        let time = table.next(0).unwrap();
        assert_eq!((time.timestamp() % 3600, time > at(0)), (0, true));
        assert_eq!(table.due(time), [0]);
    }
}
