//! Change times: from a wall clock to a point in time and back, and to the text that SQL wants.

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::Stamp;

/// 1000-01-01, the earliest time that every engine can compare with: microseconds since 1970-01-01T00:00:00.
const EARLIEST: i64 = -30_610_224_000_000_000;
/// The end of 9999-12-31.
const LATEST: i64 = 253_402_300_799_999_999;

/// Days from 0001-01-01 (which chrono calls day 1) to 1970-01-01.
const EPOCH_FROM_CE: i32 = 719_163;

impl Stamp {
    /// The stamp on the wall clock of `zone`.
    pub(super) fn local(self, zone: Tz) -> i64 {
        match self {
            Stamp::Local(micros) => micros,
            Stamp::Instant(micros) => micros.saturating_add(offset_at(zone, micros) * 1_000_000),
        }
    }

    /// The stamp as a point in time. A time that a clock shows twice is its first showing, because what is read from here on
    /// must leave nothing out; one that it skips is read with the offset before the gap.
    pub(super) fn instant(self, zone: Tz) -> i64 {
        let micros = match self {
            Stamp::Instant(micros) => return micros,
            Stamp::Local(micros) => micros,
        };
        let wall = civil(micros);
        let offset = match zone.offset_from_local_datetime(&wall).earliest() {
            Some(offset) => i64::from(offset.fix().local_minus_utc()),
            None => offset_at(zone, micros.saturating_sub(Duration::days(1).num_microseconds().unwrap_or(0))),
        };
        micros.saturating_sub(offset * 1_000_000)
    }
}

/// Seconds that the clock of `zone` is ahead of UTC at a point in time.
pub(super) fn offset_at(zone: Tz, instant_micros: i64) -> i64 {
    let utc = civil(instant_micros);
    i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc())
}

/// The calendar reading of these microseconds, held to years 1000 to 9999.
pub(super) fn civil(micros: i64) -> NaiveDateTime {
    let held = micros.clamp(EARLIEST, LATEST);
    DateTime::from_timestamp_micros(held).unwrap_or_default().naive_utc()
}

/// `2026-07-01 09:30:00.000000`, which every engine reads.
pub(super) fn text(micros: i64) -> String {
    civil(micros).format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// `2026-07-01`.
pub(super) fn date_text(micros: i64) -> String {
    civil(micros).format("%Y-%m-%d").to_string()
}

/// Days since 1970-01-01.
pub(super) fn days(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - EPOCH_FROM_CE
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_782_907_200_000_000; // 2026-07-01T12:00:00

    #[test]
    fn stamps_cross_between_clock_and_instant_by_the_zone() {
        let hours = 3_600_000_000;
        assert_eq!(Stamp::Local(NOON).instant(Tz::Asia__Yekaterinburg), NOON - 5 * hours);
        assert_eq!(Stamp::Instant(NOON).local(Tz::Asia__Yekaterinburg), NOON + 5 * hours);
        assert_eq!(Stamp::Local(NOON).local(Tz::Asia__Yekaterinburg), NOON);
        assert_eq!(Stamp::Instant(NOON).instant(Tz::Asia__Yekaterinburg), NOON);
    }

    #[test]
    fn a_time_shown_twice_is_its_first_showing() {
        // Moscow went back from 02:00 (+04) to 01:00 (+03) on 2014-10-26.
        let wall = NaiveDate::from_ymd_opt(2014, 10, 26).unwrap().and_hms_opt(1, 30, 0).unwrap();
        let micros = wall.and_utc().timestamp_micros();
        assert_eq!(Stamp::Local(micros).instant(Tz::Europe__Moscow), micros - 4 * 3_600_000_000);
    }

    #[test]
    fn a_skipped_time_is_read_with_the_offset_before_the_gap() {
        // Moscow skipped 02:00 to 03:00 on 2011-03-27, from +03 to +04.
        let wall = NaiveDate::from_ymd_opt(2011, 3, 27).unwrap().and_hms_opt(2, 30, 0).unwrap();
        let micros = wall.and_utc().timestamp_micros();
        assert_eq!(Stamp::Local(micros).instant(Tz::Europe__Moscow), micros - 3 * 3_600_000_000);
    }

    #[test]
    fn texts_are_held_to_what_engines_can_compare() {
        assert_eq!(text(NOON + 5), "2026-07-01 12:00:00.000005");
        assert_eq!(text(i64::MIN), "1000-01-01 00:00:00.000000");
        assert_eq!(text(i64::MAX), "9999-12-31 23:59:59.999999");
        assert_eq!(date_text(NOON), "2026-07-01");
    }

    #[test]
    fn days_count_from_1970() {
        assert_eq!(days(NaiveDate::from_ymd_opt(1970, 1, 2).unwrap()), 1);
    }
}
