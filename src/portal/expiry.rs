//! `expires_in` as portals mean it: an absolute time in milliseconds, one in seconds, or a lifetime. Its size tells which it is.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// No token is used longer than this, whatever is said of it.
pub(super) const LONGEST_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Life of a token that is said to have ended already: some clock is wrong. It is tried; a 401 would end it sooner.
const SHORT_LIFE: Duration = Duration::from_secs(5 * 60);
/// Above these a number is a moment: milliseconds, or seconds, since 1970-01-01T00:00:00Z.
const MILLISECONDS: i64 = 1_000_000_000_000;
const SECONDS: i64 = 1_000_000_000;

/// How long a token lives of which this is said at `now` on the portal's clock.
pub(super) fn life(said: i64, now: DateTime<Utc>) -> Duration {
    let left = |end: i64| end.saturating_sub(now.timestamp());
    life_left(if said > MILLISECONDS {
        left(said / 1000)
    } else if said > SECONDS {
        left(said)
    } else {
        said
    })
}

/// So many seconds as a life that a token can have.
pub(super) fn life_left(seconds: i64) -> Duration {
    match u64::try_from(seconds) {
        Ok(seconds @ 1..) => Duration::from_secs(seconds).min(LONGEST_LIFE),
        Ok(0) | Err(_) => SHORT_LIFE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_has_three_meanings_by_its_size() {
        let now = DateTime::from_timestamp(1_502_302_385, 0).unwrap();
        for (said, seconds) in [
            (1_502_305_985_425, 3600),
            (1_502_305_985, 3600),
            (3600, 3600),
            (1_000_000_000, LONGEST_LIFE.as_secs()),
            (i64::MAX, LONGEST_LIFE.as_secs()),
            (1_502_302_385_000, SHORT_LIFE.as_secs()),
            (1_400_000_000, SHORT_LIFE.as_secs()),
            (0, SHORT_LIFE.as_secs()),
            (i64::MIN, SHORT_LIFE.as_secs()),
        ] {
            assert_eq!(life(said, now).as_secs(), seconds, "{said}");
        }
    }
}
