//! Refusals: a slot that a citizen was offered and cannot have. The mart may show it wrongly, so it is read and sent anew; but two citizens who
//! want one slot are the common case, and a gateway that asks for it again and again must not make us send it again and again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::record::Key;

/// Shortest time between two looks at one slot for the sake of refusals.
const PAUSE: Duration = Duration::from_secs(15);
/// Most slots that are looked at within that time. Beyond it the slot feed's own turn is as quick.
const MOST: usize = 1000;

/// The slots that were refused lately.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    looked_at: Mutex<HashMap<Key, Instant>>,
}

impl Refusals {
    /// True when this slot is to be looked at for this refusal.
    pub(super) fn may_look(&self, slot: &Key) -> bool {
        let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if looked_at.get(slot).is_some_and(|since| now - *since < PAUSE) {
            return false;
        }
        if looked_at.len() >= MOST {
            looked_at.retain(|_, since| now - *since < PAUSE);
        }
        let has_room = looked_at.len() < MOST;
        if has_room {
            looked_at.insert(slot.clone(), now);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_looked_at_once_in_a_while_and_others_beside_it() {
        let refusals = Refusals::default();
        let look = |slot| refusals.may_look(&Key::Guid(slot));
        assert_eq!([look(1), look(1), look(2)], [true, false, true]);
        tokio::time::advance(PAUSE).await;
        assert!(look(1));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_slots_are_looked_at_than_the_portal_should_bear() {
        let refusals = Refusals::default();
        let looks =
            |from: u128| (from..from + 2 * MOST as u128).filter(|slot| refusals.may_look(&Key::Guid(*slot))).count();
        assert_eq!(looks(0), MOST);
        tokio::time::advance(PAUSE).await;
        assert_eq!(looks(0), MOST, "those of long ago make room");
    }
}
