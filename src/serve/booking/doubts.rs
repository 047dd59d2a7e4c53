//! Doubts: bookings of which the database's answer to COMMIT was lost. The gateway was told 18, so none of them may stand; which of them were
//! made is found out as soon as the database can be asked. They live in memory only: they name patients.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::request::Fields;

/// Most doubts. A database that is lost leaves as many as it had connections.
const MOST: usize = 1000;
/// First and longest pause between two attempts to find out about one.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long a COMMIT may still be under way at a server that we have lost sight of. A booking that is not found before that may still come.
const COMMIT_PATIENCE: Duration = Duration::from_secs(60);

/// One booking of unknown outcome.
#[derive(Debug, Clone)]
pub struct Doubt {
    /// Its number.
    pub id: u64,
    /// What was asked for: slot, patient and case number.
    pub fields: Fields,
    /// Since when: of our clock, and in seconds since 1970-01-01T00:00:00Z.
    since: Instant,
    /// The same, in seconds since 1970-01-01T00:00:00Z.
    pub since_utc: i64,
    /// How often it was tried to find out.
    pub attempts: u32,
    /// The booking, once it was found: it stands, and is to be cancelled.
    pub found: Option<String>,
    next: Instant,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Doubts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    doubts: Vec<Doubt>,
    last_id: u64,
}

impl Doubts {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a booking of unknown outcome. Gives the oldest one if there is no room for both.
    pub fn add(&self, fields: &Fields, now_utc: i64) -> Option<Doubt> {
        let mut state = self.state();
        state.last_id += 1;
        let names = ["slot_id", "patient_id", "case_number", "united_guids"];
        let fields = Fields::of(names.map(|name| (name, fields.get(name).map(str::to_owned))));
        let now = Instant::now();
        let doubt = Doubt {
            id: state.last_id,
            fields,
            since: now,
            since_utc: now_utc,
            attempts: 0,
            found: None,
            next: now + FIRST_PAUSE,
        };
        state.doubts.push(doubt);
        (state.doubts.len() > MOST).then(|| state.doubts.remove(0))
    }

    /// Those at a slot.
    pub fn at(&self, slot: &str) -> Vec<Doubt> {
        self.state().doubts.iter().filter(|doubt| doubt.fields.slot() == slot).cloned().collect()
    }

    /// One of them, if it is still open.
    pub fn get(&self, id: u64) -> Option<Doubt> {
        self.state().doubts.iter().find(|doubt| doubt.id == id).cloned()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Doubt> {
        self.state().doubts.clone()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.state().doubts.len()
    }

    /// Those whose next attempt has come.
    pub fn due(&self) -> Vec<Doubt> {
        let now = Instant::now();
        self.state().doubts.iter().filter(|doubt| doubt.next <= now).cloned().collect()
    }

    /// It was tried to find out, in vain: the next attempt comes after a longer pause.
    pub fn put_off(&self, id: u64, found: Option<String>) {
        let mut state = self.state();
        let Some(doubt) = state.doubts.iter_mut().find(|doubt| doubt.id == id) else { return };
        doubt.attempts = doubt.attempts.saturating_add(1);
        doubt.found = found.or(doubt.found.take());
        let pause = FIRST_PAUSE.saturating_mul(1 << doubt.attempts.min(10)).min(LONGEST_PAUSE);
        doubt.next = Instant::now() + pause;
    }

    /// What came of it is known.
    pub fn remove(&self, id: u64) {
        self.state().doubts.retain(|doubt| doubt.id != id);
    }
}

impl Doubt {
    /// True when a booking that is not there by now was never made.
    pub fn is_settled_by_absence(&self) -> bool {
        self.since.elapsed() >= COMMIT_PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(slot: &str) -> Fields {
        let of = |text: &str| Some(text.to_owned());
        Fields::of([
            ("slot_id", of(slot)),
            ("patient_id", of("p")),
            ("lastname", of("never kept")),
            ("case_number", None),
        ])
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_come_ever_more_rarely() {
        let doubts = Doubts::default();
        assert!(doubts.add(&fields("s"), 0).is_none());
        let mut attempts = Vec::new();
        for second in 0..130 {
            if let [doubt] = &doubts.due()[..] {
                attempts.push(second);
                doubts.put_off(doubt.id, None);
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(attempts, [2, 6, 14, 30, 62, 126]);
    }

    #[tokio::test(start_paused = true)]
    async fn absence_says_nothing_while_a_commit_may_be_under_way() {
        let doubts = Doubts::default();
        doubts.add(&fields("s"), 0);
        assert!(!doubts.at("s")[0].is_settled_by_absence());
        tokio::time::advance(COMMIT_PATIENCE).await;
        assert!(doubts.at("s")[0].is_settled_by_absence());
    }

    #[tokio::test]
    async fn no_more_is_kept_than_is_needed_and_never_more_than_there_is_room_for() {
        let doubts = Doubts::default();
        let dropped: Vec<Doubt> = (0..=MOST).filter_map(|slot| doubts.add(&fields(&slot.to_string()), 0)).collect();
        assert_eq!((doubts.len(), dropped.len()), (MOST, 1));
        assert_eq!((dropped[0].fields.get("slot_id"), dropped[0].fields.get("lastname")), (Some("0"), None));
    }
}
