//! A source's time zone: from its wall clock to universal time and back, cheap for millions of rows.

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

/// Zones change their offset on quarter hours only, so an offset found for one moment holds for its quarter.
const QUARTER: i64 = 15 * 60;

/// A time zone with the last offsets it was asked for.
#[derive(Debug, Clone)]
pub struct Zone {
    tz: Tz,
    local: Memo,
    utc: Memo,
}

#[derive(Debug, Clone, Copy)]
struct Memo {
    quarter: i64,
    offset: i64,
}

const EMPTY: Memo = Memo { quarter: i64::MIN, offset: 0 };

impl Zone {
    /// A zone with nothing remembered.
    pub fn new(tz: Tz) -> Self {
        Zone { tz, local: EMPTY, utc: EMPTY }
    }

    /// Seconds that the wall clock is ahead of universal time when the wall clock shows `seconds` (since 1970 on that clock).
    /// Of two possible moments the earlier is meant; a moment that the clock skips is read with the offset before the skip.
    pub fn offset_at_local(&mut self, seconds: i64) -> i64 {
        let quarter = seconds.div_euclid(QUARTER);
        if self.local.quarter != quarter {
            self.local = Memo { quarter, offset: self.find_local(seconds) };
        }
        self.local.offset
    }

    /// Seconds that the wall clock is ahead of universal time at the moment `seconds`.
    pub fn offset_at_utc(&mut self, seconds: i64) -> i64 {
        let quarter = seconds.div_euclid(QUARTER);
        if self.utc.quarter != quarter {
            self.utc = Memo { quarter, offset: self.find_utc(seconds) };
        }
        self.utc.offset
    }

    /// The wall clock's reading at the moment `seconds`.
    pub fn local(&mut self, seconds: i64) -> i64 {
        seconds.saturating_add(self.offset_at_utc(seconds))
    }

    /// The moment at which the wall clock shows `seconds`.
    pub fn utc(&mut self, seconds: i64) -> i64 {
        seconds.saturating_sub(self.offset_at_local(seconds))
    }

    fn find_local(&self, seconds: i64) -> i64 {
        let Some(naive) = naive(seconds) else { return 0 };
        let found = self.tz.offset_from_local_datetime(&naive);
        match found.earliest() {
            Some(offset) => i64::from(offset.fix().local_minus_utc()),
            None => self.find_utc(seconds - 24 * 3600),
        }
    }

    fn find_utc(&self, seconds: i64) -> i64 {
        let Some(naive) = naive(seconds) else { return 0 };
        i64::from(self.tz.offset_from_utc_datetime(&naive).fix().local_minus_utc())
    }
}

fn naive(seconds: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(seconds, 0).map(|moment| moment.naive_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_700_000_000 / 86_400 * 86_400 + 43_200;

    #[test]
    fn yekaterinburg_is_five_hours_ahead_both_ways() {
        let mut zone = Zone::new(chrono_tz::Asia::Yekaterinburg);
        assert_eq!(zone.local(NOON), NOON + 5 * 3600);
        assert_eq!(zone.utc(NOON), NOON - 5 * 3600);
    }

    #[test]
    fn a_remembered_offset_does_not_outlive_a_change_of_clocks() {
        let mut zone = Zone::new(chrono_tz::Europe::Berlin);
        let change = 1_711_846_800; // 2024-03-31T01:00:00Z
        assert_eq!(zone.offset_at_utc(change - 1), 3600);
        assert_eq!(zone.offset_at_utc(change), 7200);
    }

    #[test]
    fn a_skipped_hour_is_read_with_the_offset_before_it() {
        let mut zone = Zone::new(chrono_tz::Europe::Berlin);
        assert_eq!(zone.offset_at_local(1_711_846_800 + 3600 + 1800), 3600);
    }
}
