//! Bookings of which the gateway was told that they are made. One that a later request of unknown outcome turns out to have found again stands
//! rightly. Ids of bookings only, in memory; the oldest go first.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::answer::canonical;

/// Most bookings: hours of a busy hospital, where a request is repeated within minutes.
const MOST: usize = 20_000;

/// The bookings.
#[derive(Debug, Default)]
pub(super) struct Told {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    made: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Told {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The gateway is told that this booking is made.
    pub(super) fn made(&self, book: &str) {
        let (book, mut state) = (canonical(book), self.state());
        if state.made.insert(book.clone()) {
            state.order.push_back(book);
        }
        while state.order.len() > MOST {
            if let Some(oldest) = state.order.pop_front() {
                state.made.remove(&oldest);
            }
        }
    }

    /// This booking stands no longer.
    pub(super) fn cancelled(&self, book: &str) {
        let (book, mut state) = (canonical(book), self.state());
        if state.made.remove(&book) {
            state.order.retain(|other| *other != book);
        }
    }

    /// True when the gateway takes this booking for made.
    pub(super) fn is_made(&self, book: &str) -> bool {
        self.state().made.contains(&canonical(book))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_known_however_it_is_written_until_it_is_cancelled_or_long_ago() {
        let told = Told::default();
        told.made("{00000000-0000-0001-0000-0000010173AF}");
        assert!(told.is_made("00000000-0000-0001-0000-0000010173af"));
        told.cancelled("00000000-0000-0001-0000-0000010173AF");
        assert!(!told.is_made("00000000-0000-0001-0000-0000010173af"));
        (0..=MOST).for_each(|book| told.made(&book.to_string()));
        assert!(!told.is_made("0") && told.is_made("1") && told.state().order.len() == MOST);
    }
}
