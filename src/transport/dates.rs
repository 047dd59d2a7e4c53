//! Times in a portal's headers: `Date`, and `Retry-After` in both of its forms.

use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDateTime, Utc};

/// Shortest and longest wait that a portal's `Retry-After` is believed.
pub const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60 * 60));
/// The two forms of a date that HTTP has given up but still asks its readers to know: RFC 850 and C's asctime. Both are UTC.
const OLD_FORMS: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Reads an HTTP date in any of its three forms. A year has four digits.
pub fn http_date(value: &str) -> Option<DateTime<Utc>> {
    let old = || OLD_FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(value, form).ok());
    let date = match DateTime::parse_from_rfc2822(value) {
        Ok(date) => date.to_utc(),
        Err(_) => old()?.and_utc(),
    };
    (0..=9999).contains(&date.year()).then_some(date)
}

/// Reads a `Retry-After` header in either form, seconds or an HTTP date, against the portal's own clock. Clamped to one second
/// and one hour; none when it is neither form.
pub fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    let asked = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        (http_date(value)? - now).to_std().unwrap_or(Duration::ZERO)
    };
    Some(asked.clamp(RETRY_AFTER.0, RETRY_AFTER.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_their_three_forms() {
        let date: DateTime<Utc> = "1994-11-06T08:49:37Z".parse().unwrap();
        for value in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(http_date(value), Some(date), "{value}");
        }
        for value in
            ["", "1994-11-06T08:49:37Z", "Sun, 31 Feb 1994 08:49:37 GMT", "784111777", "Sun, 13 Nov 13994 08:49:37 GMT"]
        {
            assert_eq!(http_date(value), None, "{value}");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_clamped() {
        let now: DateTime<Utc> = "2026-03-02T10:00:00Z".parse().unwrap();
        let seconds = |value| retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(1));
        assert_eq!(seconds("999999999999999999999999"), Some(3600));
        assert_eq!(seconds("Mon, 02 Mar 2026 10:00:30 GMT"), Some(30));
        assert_eq!(seconds("Monday, 02-Mar-26 10:00:30 GMT"), Some(30));
        assert_eq!(seconds("Mon, 02 Mar 2026 09:00:00 GMT"), Some(1));
        assert_eq!(seconds("Tue, 03 Mar 2026 10:00:00 GMT"), Some(3600));
        for nonsense in ["", "soon", "-5", "1.5"] {
            assert_eq!(seconds(nonsense), None, "{nonsense}");
        }
    }
}
