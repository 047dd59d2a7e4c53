//! Turns: requests for one slot follow each other. The database would make them wait anyway, each on a connection that requests for other slots
//! need; and what came of one is known, or known to be unknown, before the next one begins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// The table is swept when it has this many entries; nobody waits at most of them.
const SWEPT_AT: usize = 4096;

/// The slots at which somebody is or waits. As many as there are requests at one time, and some that nobody has swept yet.
#[derive(Debug, Default)]
pub struct Turns {
    slots: Mutex<HashMap<String, Weak<Turn<()>>>>,
}

impl Turns {
    /// Waits for the turn at a slot. It lasts until the guard is dropped.
    pub async fn at(&self, slot: &str) -> OwnedMutexGuard<()> {
        self.turn(slot).lock_owned().await
    }

    fn turn(&self, slot: &str) -> Arc<Turn<()>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = slots.get(slot).and_then(Weak::upgrade) {
            return turn;
        }
        if slots.len() >= SWEPT_AT {
            slots.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::new(Turn::new(()));
        slots.insert(slot.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn one_slot_has_one_turn_at_a_time_and_another_slot_its_own() {
        let turns = Turns::default();
        let first = turns.at("a").now_or_never();
        assert!(first.is_some() && turns.at("b").now_or_never().is_some());
        assert!(turns.at("a").now_or_never().is_none());
        drop(first);
        assert!(turns.at("a").now_or_never().is_some());
    }

    #[test]
    fn slots_at_which_nobody_waits_are_swept() {
        let turns = Turns::default();
        let held = turns.at("held").now_or_never();
        (0..3 * SWEPT_AT).for_each(|slot| drop(turns.at(&slot.to_string()).now_or_never()));
        assert!(turns.slots.lock().unwrap().len() <= SWEPT_AT);
        assert!(turns.at("held").now_or_never().is_none(), "a slot at which somebody is stays");
        drop(held);
    }
}
