//! Booking as lines: where it listens, what was answered, what is unknown.

use std::fmt::Write as _;

use crate::serve::booking::BookingStatus;

/// Answers that are shown.
const SHOWN: usize = 10;

/// What an operator looks for first stands first.
pub(super) fn readable(booking: &BookingStatus) -> String {
    let mut text = format!("booking: listens on {}", booking.listen);
    match &booking.public_url {
        Some(url) => _ = writeln!(text, ", reached as {url}"),
        None => text.push_str("; booking.public_url is not set\n"),
    }
    let counts = booking.answered.iter().map(|of| format!("{} {} × {}", of.verb, of.code, of.count));
    let counts: Vec<String> = counts.collect();
    let counts = if counts.is_empty() { "nothing yet".to_owned() } else { counts.join(", ") };
    let _ = writeln!(text, "  answered since the start: {counts}");
    if booking.refused_callers > 0 {
        let last = booking.last_refused_caller.as_deref().unwrap_or("?");
        let _ = writeln!(text, "  refused callers: {}, the last from {last}", booking.refused_callers);
    }
    for uncertain in &booking.uncertain {
        let slot = uncertain.slot.as_deref().unwrap_or("?");
        let since = uncertain.since.as_deref().unwrap_or("?");
        let state =
            if uncertain.stands { "it was made and is to be cancelled" } else { "nobody knows whether it was made" };
        let _ = writeln!(
            text,
            "  uncertain: slot {slot} since {since}: answered 18, {state}, {} attempts",
            uncertain.attempts
        );
    }
    if !booking.uncertain.is_empty() && !booking.lookup {
        text.push_str(
            "  booking.lookup is not set: look at these slots in the hospital's system, and see docs/booking.md\n",
        );
    }
    for entry in booking.last.iter().take(SHOWN) {
        let slot = entry.slot.as_deref().unwrap_or("-");
        let mark = if entry.uncertain { " (uncertain)" } else { "" };
        let _ = writeln!(text, "  {} {:<6} {:>2} {slot} {} ms{mark}", entry.at, entry.verb, entry.code, entry.ms);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::booking::{Answered, JournalEntry, UncertainStatus};

    #[test]
    fn an_unknown_outcome_says_what_to_do() {
        let slot = Some("ac46c807-9d59-4f56-b30c-2d165ab21753".to_owned());
        let booking = BookingStatus {
            listen: "0.0.0.0:8090".into(),
            answered: vec![Answered { verb: "book".into(), code: 18, count: 3 }],
            uncertain: vec![UncertainStatus { slot: slot.clone(), since: None, attempts: 0, stands: false }],
            last: vec![JournalEntry {
                at: "2026-03-01T10:00:00.000Z".into(),
                verb: "book".into(),
                code: 18,
                slot,
                ms: 8000,
                uncertain: true,
            }],
            ..BookingStatus::default()
        };
        let text = readable(&booking);
        for part in ["public_url is not set", "book 18 × 3", "booking.lookup is not set", "8000 ms (uncertain)"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
