//! Repeats: the same event from the same place is written so often a minute and no more; then a line says how many were left out.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Lines of a kind within [`WINDOW`].
pub(super) const MOST: usize = 30;
const WINDOW: Duration = Duration::from_secs(60);
/// Kinds that are remembered; more are written whatever their number.
const KINDS: usize = 4096;

/// What was written lately, by kind.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    kinds: Mutex<HashMap<(&'static str, String), Kind>>,
}

/// One kind of line within its window.
#[derive(Debug)]
struct Kind {
    begun: Instant,
    level: Level,
    message: String,
    count: usize,
}

/// Lines that were not written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub level: Level,
    pub message: String,
    pub count: usize,
}

/// Whether a line is written, and what is to be said before it.
#[derive(Debug)]
pub(super) struct Ruling {
    pub passes: bool,
    pub left_out: Vec<LeftOut>,
}

impl Repeats {
    /// Rules on an event. Who asks for details gets all of them.
    pub(super) fn rule(&self, event: &Event<'_>, now: Instant) -> Ruling {
        let level = *event.metadata().level();
        if level > Level::INFO {
            return Ruling { passes: true, left_out: Vec::new() };
        }
        let mut said = Said::default();
        event.record(&mut said);
        // An event's name is the place in the source where it stands.
        self.count((event.metadata().name(), said.place), level, said.message, now)
    }

    fn count(&self, kind: (&'static str, String), level: Level, message: String, now: Instant) -> Ruling {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = sweep(&mut kinds, now);
        if kinds.len() >= KINDS && !kinds.contains_key(&kind) {
            return Ruling { passes: true, left_out };
        }
        let kind = kinds.entry(kind).or_insert(Kind { begun: now, level, message, count: 0 });
        kind.count += 1;
        Ruling { passes: kind.count <= MOST, left_out }
    }
}

/// Ends the windows that are over; gives what was left out in them.
fn sweep(kinds: &mut HashMap<(&'static str, String), Kind>, now: Instant) -> Vec<LeftOut> {
    let mut left_out = Vec::new();
    kinds.retain(|_, kind| {
        let lasts = now.saturating_duration_since(kind.begun) < WINDOW;
        if !lasts && kind.count > MOST {
            let message = std::mem::take(&mut kind.message);
            left_out.push(LeftOut { level: kind.level, message, count: kind.count - MOST });
        }
        lasts
    });
    left_out
}

/// What an event says, and of which portal and feed.
#[derive(Debug, Default)]
struct Said {
    message: String,
    place: String,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "portal" | "feed" | "channel" => self.place.push_str(&format!("{value:?}/")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(repeats: &Repeats, place: &str, now: Instant) -> Ruling {
        repeats.count(("here", place.to_owned()), Level::WARN, "odd".to_owned(), now)
    }

    #[test]
    fn what_was_left_out_is_counted_when_its_minute_is_over() {
        let (repeats, begun) = (Repeats::default(), Instant::now());
        let passed = (0..MOST + 12).filter(|_| count(&repeats, "fer", begun).passes).count();
        assert_eq!(passed, MOST);
        assert!(count(&repeats, "nmo", begun).passes, "another portal's is another event");
        let next = count(&repeats, "pos", begun + WINDOW);
        assert_eq!(next.left_out, [LeftOut { level: Level::WARN, message: "odd".into(), count: 12 }]);
        assert!(count(&repeats, "fer", begun + WINDOW).passes && next.passes);
    }
}
