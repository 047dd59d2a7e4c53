//! Times as verbs print them.

use chrono::{DateTime, SecondsFormat};

/// RFC 3339 in UTC, to the second. Seconds that no calendar has are printed as they are.
pub fn moment(seconds: i64) -> String {
    let time = DateTime::from_timestamp(seconds, 0);
    time.map_or_else(|| seconds.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}
