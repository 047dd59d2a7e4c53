//! The batch size of a feed: how many records of a request the portal bears, learnt from what it refuses and from what it judges.

use std::sync::PoisonError;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::line::{FeedLine, Line};
use crate::ledger::{Ledger, LedgerError, Note, NoteKind, NotePlace};
use crate::portal::Portal;
use crate::source::Source;
use crate::transport::is_due;

/// Requests of full size that must be judged in a row before the size grows.
const PATIENCE: u32 = 20;
/// The size grows by one part in so many.
const GROWTH: usize = 8;
/// Time-outs in a row that halve the size: one alone may be anything.
const TIMEOUTS: u32 = 2;
/// Time-outs make the size no smaller than one part in so many of the configured one: a portal that is too slow for less than that is slow
/// whatever the size, and smaller requests would only be more requests.
const TIMEOUTS_LEAVE: usize = 16;
/// How long a size that the portal found too large is not tried again.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// How many records of a request the portal bears. Never below 1, never above what is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BatchSize {
    most: usize,
    now: usize,
    judged: u32,
    timeouts: u32,
    refused: Option<Refused>,
}

/// A size that the portal found too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Refused {
    size: usize,
    /// Seconds since 1970-01-01T00:00:00Z.
    at: i64,
}

/// What is remembered of a size over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BatchNote {
    size: usize,
    refused: Option<Refused>,
}

/// What one planned request, sent in one piece or several, has shown of sizes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lesson {
    /// The smallest piece that was too large (413) although no record of it is too large by itself.
    pub(super) too_large: Option<usize>,
    /// The piece on which time ran out.
    pub(super) timed_out: Option<usize>,
    /// Sizes of the pieces that were judged.
    pub(super) judged: Vec<usize>,
}

impl BatchSize {
    /// The configured size, or what is remembered if that is smaller.
    pub(super) fn new(most: usize, remembered: Option<BatchNote>) -> Self {
        let most = most.max(1);
        let now = remembered.as_ref().map_or(most, |note| note.size.clamp(1, most));
        BatchSize { most, now, judged: 0, timeouts: 0, refused: remembered.and_then(|note| note.refused) }
    }

    /// Most records of the next request.
    pub(super) fn now(&self) -> usize {
        self.now
    }

    /// Takes what a request has shown at `now` (seconds since 1970-01-01T00:00:00Z). True when the size changed.
    pub(super) fn learn(&mut self, lesson: &Lesson, now: i64) -> bool {
        let before = self.now;
        lesson.judged.iter().for_each(|size| self.judge(*size, now));
        if let Some(size) = lesson.too_large {
            self.refused =
                Some(Refused { size: self.refused_size(now).map_or(size, |known| known.min(size)), at: now });
            self.halve(size);
        }
        if let Some(size) = lesson.timed_out {
            self.timeouts += 1;
            self.judged = 0;
            if self.timeouts >= TIMEOUTS {
                self.timeouts = 0;
                self.halve(size.max(self.most.div_ceil(TIMEOUTS_LEAVE) * 2));
            }
        }
        self.now != before
    }

    /// What is to be remembered; nothing when the size is as configured.
    pub(super) fn note(&self) -> Option<BatchNote> {
        (self.now < self.most).then_some(BatchNote { size: self.now, refused: self.refused })
    }

    fn judge(&mut self, size: usize, now: i64) {
        self.timeouts = 0;
        if size < self.now {
            return;
        }
        self.judged += 1;
        if self.judged >= PATIENCE {
            self.judged = 0;
            let below_refused = self.refused_size(now).map_or(usize::MAX, |refused| refused.saturating_sub(1));
            let grown = self.now.saturating_add((self.now / GROWTH).max(1));
            self.now = grown.min(below_refused).min(self.most).max(self.now);
        }
    }

    /// Halves from the size that failed, unless the size is smaller by now.
    fn halve(&mut self, failed: usize) {
        self.now = self.now.min((failed / 2).max(1));
        self.judged = 0;
    }

    /// The size that was too large within the last day.
    fn refused_size(&self, now: i64) -> Option<usize> {
        let until = |at: i64| at.saturating_add(REMEMBERED.as_secs().cast_signed());
        self.refused.filter(|refused| !is_due(until(refused.at), now, REMEMBERED)).map(|refused| refused.size)
    }
}

/// What the portal's notes say of a feed.
pub(super) fn remembered(notes: &[Note], feed: &str) -> Option<BatchNote> {
    let note = notes.iter().find(|note| note.place.kind == NoteKind::Batch && note.place.feed == feed)?;
    // What cannot be read is learnt anew.
    serde_json::from_str(&note.body).ok()
}

impl<S: Source> FeedLine<S> {
    /// Most records of the next request.
    pub(super) fn batch_now(&self) -> usize {
        self.batch_size.lock().unwrap_or_else(PoisonError::into_inner).now()
    }
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Takes what a request has shown of sizes, and remembers it.
    pub(super) async fn learn_size(&self, feed: &FeedLine<S>, lesson: &Lesson) -> Result<(), LedgerError> {
        let (changed, note, size) = {
            let mut size = feed.batch_size.lock().unwrap_or_else(PoisonError::into_inner);
            let before = size.now();
            let changed = size.learn(lesson, self.clock.now());
            (changed.then_some(before), size.note(), size.now())
        };
        let Some(before) = changed else { return Ok(()) };
        let feed = feed.plan.schema.feed;
        tracing::info!(portal = %self.name, feed, before, now = size, "the portal bears requests of another size");
        let place =
            NotePlace { portal: self.name.clone(), feed: feed.to_owned(), kind: NoteKind::Batch, name: String::new() };
        match note.and_then(|note| serde_json::to_string(&note).ok()) {
            Some(body) => self.ledger.set_note(&Note { place, body }).await,
            None => self.ledger.drop_note(&place).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(sizes: &[usize]) -> Lesson {
        Lesson { judged: sizes.to_vec(), ..Lesson::default() }
    }

    fn too_large(size: usize) -> Lesson {
        Lesson { too_large: Some(size), ..Lesson::default() }
    }

    fn timed_out(size: usize) -> Lesson {
        Lesson { timed_out: Some(size), ..Lesson::default() }
    }

    /// Sizes after each lesson, all at one moment.
    fn sizes(most: usize, lessons: &[Lesson]) -> Vec<usize> {
        let mut size = BatchSize::new(most, None);
        let after = |lesson: &Lesson| {
            size.learn(lesson, 1000);
            size.now()
        };
        lessons.iter().map(after).collect()
    }

    #[test]
    fn what_is_too_large_halves_from_the_size_that_failed() {
        assert_eq!(sizes(500, &[too_large(500), too_large(500), too_large(100)]), [250, 250, 50]);
        assert_eq!(sizes(500, &[too_large(90)]), [45]);
        assert_eq!(sizes(3, &[too_large(3), too_large(2), too_large(2)]), [1, 1, 1], "never below one");
    }

    #[test]
    fn only_a_second_time_out_in_a_row_halves() {
        assert_eq!(sizes(500, &[timed_out(500), timed_out(500), timed_out(250), timed_out(250)]), [500, 250, 250, 125]);
        assert_eq!(sizes(500, &[timed_out(500), judged(&[500]), timed_out(500)]), [500, 500, 500]);
        assert_eq!(sizes(1, &[timed_out(1), timed_out(1)]), [1, 1]);
    }

    #[test]
    fn time_outs_of_small_requests_are_not_laid_on_their_size() {
        assert_eq!(sizes(160, &[timed_out(12), timed_out(12), timed_out(10), timed_out(10)]), [160, 10, 10, 10]);
        assert_eq!(sizes(160, &[too_large(8), timed_out(4), timed_out(4)]), [4, 4, 4], "what was too large stays so");
    }

    #[test]
    fn it_grows_by_an_eighth_after_twenty_full_requests_in_a_row() {
        let mut size = BatchSize::new(500, Some(BatchNote { size: 100, refused: None }));
        size.learn(&judged(&[100; 19]), 0);
        size.learn(&judged(&[99, 3]), 0);
        assert_eq!(size.now(), 100, "requests that are not full prove nothing");
        assert!(size.learn(&judged(&[100]), 0));
        assert_eq!(size.now(), 112);
        size.learn(&judged(&[112; 19]), 0);
        size.learn(&timed_out(112), 0);
        size.learn(&judged(&[112]), 0);
        assert_eq!(size.now(), 112, "a time-out in between starts the count over");
    }

    #[test]
    fn a_small_size_grows_by_one_and_nothing_outgrows_the_configuration() {
        let mut size = BatchSize::new(3, Some(BatchNote { size: 1, refused: None }));
        let grown: Vec<usize> = (0..4)
            .map(|_| {
                let full = size.now();
                size.learn(&judged(&[full; 20]), 0);
                size.now()
            })
            .collect();
        assert_eq!(grown, [2, 3, 3, 3]);
    }

    #[test]
    fn a_size_that_was_too_large_is_not_tried_again_for_a_day() {
        let mut size = BatchSize::new(500, None);
        size.learn(&too_large(10), 1000);
        let mut grow = |now: i64| {
            for _ in 0..50 {
                let full = size.now();
                size.learn(&judged(&[full; 20]), now);
            }
            size.now()
        };
        assert_eq!(grow(1000 + 86_399), 9);
        assert_eq!(grow(1000 + 86_400), 500);
    }

    #[test]
    fn the_smallest_size_that_was_too_large_counts() {
        let mut size = BatchSize::new(100, None);
        size.learn(&too_large(20), 0);
        size.learn(&too_large(60), 10);
        for _ in 0..100 {
            let full = size.now();
            size.learn(&judged(&[full; 20]), 20);
        }
        assert_eq!(size.now(), 19);
    }

    #[test]
    fn what_is_learnt_is_remembered_and_the_configuration_may_shrink() {
        let mut size = BatchSize::new(500, None);
        assert_eq!(size.note(), None);
        size.learn(&too_large(500), 7);
        let text = serde_json::to_string(&size.note().unwrap()).unwrap();
        assert_eq!(text, r#"{"size":250,"refused":{"size":500,"at":7}}"#);
        let read = || serde_json::from_str(&text).unwrap();
        assert_eq!(BatchSize::new(500, Some(read())), BatchSize { judged: 0, ..size });
        assert_eq!(BatchSize::new(100, Some(read())).now(), 100);
    }

    #[test]
    fn a_clock_that_steps_back_does_not_keep_a_size_small() {
        let refused = Some(Refused { size: 10, at: 1_000_000 });
        let mut size = BatchSize::new(10, Some(BatchNote { size: 9, refused }));
        size.learn(&judged(&[9; 20]), 500_000);
        assert_eq!(size.now(), 10);
    }
}
