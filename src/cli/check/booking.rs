//! The certificate of the booking listener, read as it will be at the start, and the columns of the site's statements.

use super::online::BookingColumns;
use crate::config::{Config, Problems};
use crate::daemon::booking_certificate;
use crate::serve::booking::BookingBindError;

/// Names the file of the certificate that cannot be used.
pub(super) fn check(config: &Config, problems: &mut Problems) {
    let Some(files) = config.booking.as_ref().and_then(booking_certificate) else { return };
    if let Err(BookingBindError::File { key, path, reason }) = files.check() {
        problems.error(format!("booking.{key}"), format!("{path}: {reason}"));
    }
}

/// What the row of a booking must have: without one of these each would be rolled back and answered 18.
const OF_BOOK: &[&str] = &["status_code", "book_ext_id", "visit_time", "duration"];
/// What the document calls mandatory in the answer to a cancellation.
const OF_CANCEL: &[&str] = &["slot_id", "visit_time", "duration"];

/// Compares the columns of the statements with what the gateway is to hear.
pub(super) fn compare(statements: &[(&'static str, BookingColumns)], problems: &mut Problems) {
    for (key, columns) in statements {
        let columns = match columns {
            Ok(Some(columns)) => columns,
            Ok(None) => continue,
            Err(text) => {
                problems.error(*key, format!("cannot be described: {}", text.trim_start_matches(&format!("{key}: "))));
                continue;
            }
        };
        let missing = |needed: &[&'static str]| -> Vec<&'static str> {
            let has = |name: &str| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
            needed.iter().copied().filter(|name| !has(name)).collect()
        };
        compare_one(key, &missing, problems);
    }
}

fn compare_one(key: &str, missing: &dyn Fn(&[&'static str]) -> Vec<&'static str>, problems: &mut Problems) {
    match key {
        "booking.book" => error(key, &missing(OF_BOOK), "every booking would be rolled back and answered 18", problems),
        "booking.cancel" => {
            error(key, &missing(&["status_code"]), "every cancellation would be rolled back and answered 18", problems);
            let missing = missing(OF_CANCEL);
            if !missing.is_empty() {
                let text = format!(
                    "gives no column {}, which the document calls mandatory in the answer; Vitrina looks for them in booking.lookup, if that has \
                     :book_ext_id, and in the rows of the book and slot feeds, and answers without them where it finds nothing",
                    missing.join(", ")
                );
                problems.warning(key, text);
            }
        }
        _ => error(key, &missing(&["book_ext_id"]), "no booking of unknown outcome could be found", problems),
    }
}

fn error(key: &str, missing: &[&str], consequence: &str, problems: &mut Problems) {
    if !missing.is_empty() {
        problems.error(key, format!("gives no column {}: {consequence}", missing.join(", ")));
    }
}
