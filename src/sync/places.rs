//! Places: who holds what only one record may hold at the portal (a resource at a time, the name of a unit), who is on the way
//! there, and who waits for it. A place is known by its hash.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashTable;

use super::index::At;

/// Stands for no place.
const NOWHERE: u64 = 0;

/// The places of a feed's records.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Records by the place that the portal holds for them. The place itself stands in the index: a million records have one.
    held: HashTable<At>,
    /// Places to which records in flight are on their way, or to which versions of unknown outcome may have brought them. A record that is on
    /// its way to where it may be already stands there twice.
    claimed: BTreeMap<u64, Vec<At>>,
    targets: BTreeMap<At, u64>,
    doubts: BTreeMap<At, BTreeSet<u64>>,
    /// Records that wait for a place.
    waiting: BTreeMap<u64, BTreeSet<At>>,
    waiters: BTreeMap<At, u64>,
    /// Places that have become free, and are waited for.
    free: BTreeSet<u64>,
}

impl Places {
    /// A record leaves the place it held.
    pub(super) fn leave(&mut self, at: At, place: u64) {
        if place == NOWHERE {
            return;
        }
        if let Ok(held) = self.held.find_entry(place, |held| *held == at) {
            held.remove();
        }
        self.has_become_free(place);
    }

    /// A record holds a place. `place_of` tells the places of all, its own included.
    pub(super) fn enter(&mut self, at: At, place: u64, place_of: impl Fn(At) -> u64) {
        if place != NOWHERE {
            self.held.insert_unique(place, at, |at| place_of(*at));
        }
    }

    /// A record is on its way to a place, or no longer.
    pub(super) fn claim(&mut self, at: At, to: Option<u64>) {
        if let Some(before) = self.targets.remove(&at) {
            self.give_up(before, at);
        }
        if let Some(place) = to {
            self.targets.insert(at, place);
            self.claimed.entry(place).or_default().push(at);
        }
    }

    /// A version of unknown outcome may have brought a record to a place.
    pub(super) fn doubt(&mut self, at: At, place: u64) {
        if self.doubts.entry(at).or_default().insert(place) {
            self.claimed.entry(place).or_default().push(at);
        }
    }

    /// A record is not at a place, whatever may have brought it there.
    pub(super) fn dispel(&mut self, at: At, place: u64) {
        let Some(doubts) = self.doubts.get_mut(&at) else { return };
        let was = doubts.remove(&place);
        if doubts.is_empty() {
            self.doubts.remove(&at);
        }
        if was {
            self.give_up(place, at);
        }
    }

    /// Places to which a version of unknown outcome may have brought a record.
    pub(super) fn doubts(&self, at: At) -> impl Iterator<Item = u64> {
        self.doubts.get(&at).into_iter().flatten().copied()
    }

    /// Where a record is, is known again.
    pub(super) fn dispel_all(&mut self, at: At) {
        for place in self.doubts.remove(&at).into_iter().flatten() {
            self.give_up(place, at);
        }
    }

    fn give_up(&mut self, place: u64, at: At) {
        let Some(claimed) = self.claimed.get_mut(&place) else { return };
        if let Some(one) = claimed.iter().position(|one| *one == at) {
            claimed.swap_remove(one);
        }
        if claimed.is_empty() {
            self.claimed.remove(&place);
        }
        self.has_become_free(place);
    }

    /// Who holds a place, may hold it, or is on the way there, other than `but`. Who holds it for sure goes before.
    pub(super) fn holder(&self, place: u64, but: Option<At>, place_of: impl Fn(At) -> u64) -> Option<At> {
        let is_other = |at: &At| Some(*at) != but;
        let held = self.held.find(place, |at| is_other(at) && place_of(*at) == place);
        held.copied().or_else(|| self.claimed.get(&place)?.iter().copied().find(is_other))
    }

    /// A record waits for a place, and for no other.
    pub(super) fn wait(&mut self, place: u64, at: At) {
        self.wait_no_longer(at);
        self.waiters.insert(at, place);
        self.waiting.entry(place).or_default().insert(at);
    }

    /// True while a record waits for a place.
    pub(super) fn waits(&self, at: At) -> bool {
        self.waiters.contains_key(&at)
    }

    /// Records that wait for a place.
    pub(super) fn waiting_for(&self, place: u64) -> impl Iterator<Item = At> {
        self.waiting.get(&place).into_iter().flatten().copied()
    }

    /// A record waits for no place any more.
    pub(super) fn wait_no_longer(&mut self, at: At) {
        let Some(place) = self.waiters.remove(&at) else { return };
        if let Some(waiting) = self.waiting.get_mut(&place) {
            waiting.remove(&at);
            if waiting.is_empty() {
                self.waiting.remove(&place);
            }
        }
    }

    /// Takes the records that waited for places which are free now.
    pub(super) fn released(&mut self) -> BTreeSet<At> {
        let free = std::mem::take(&mut self.free);
        let released: BTreeSet<At> =
            free.into_iter().filter_map(|place| self.waiting.remove(&place)).flatten().collect();
        for at in &released {
            self.waiters.remove(at);
        }
        released
    }

    fn has_become_free(&mut self, place: u64) {
        if self.waiting.contains_key(&place) {
            self.free.insert(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: At = At::FIRST;

    /// Two records and where they are.
    #[derive(Default)]
    struct Two {
        places: Places,
        at: [u64; 2],
    }

    impl Two {
        fn put(&mut self, who: usize, place: u64) {
            let at = if who == 0 { A } else { A.next() };
            self.places.leave(at, self.at[who]);
            self.at[who] = place;
            let places = self.at;
            self.places.enter(at, place, |at| places[usize::from(at != A)]);
        }

        fn holder(&self, place: u64, but: Option<At>) -> Option<At> {
            self.places.holder(place, but, |at| self.at[usize::from(at != A)])
        }
    }

    #[test]
    fn a_place_is_held_until_it_is_left() {
        let mut two = Two::default();
        two.put(0, 7);
        assert_eq!(two.holder(7, None), Some(A));
        assert_eq!(two.holder(7, Some(A)), None, "nobody stands in his own way");
        two.put(0, 8);
        assert_eq!((two.holder(7, None), two.holder(8, None)), (None, Some(A)));
    }

    #[test]
    fn a_claim_is_as_good_as_holding_and_ends() {
        let mut two = Two::default();
        two.put(0, 7);
        two.places.claim(A, Some(8));
        assert_eq!((two.holder(7, None), two.holder(8, None)), (Some(A), Some(A)));
        two.places.claim(A, None);
        assert_eq!((two.holder(7, None), two.holder(8, None)), (Some(A), None));
    }

    #[test]
    fn a_doubt_outlasts_a_request_that_came_to_nothing() {
        let mut two = Two::default();
        two.put(0, 7);
        two.places.doubt(A, 8);
        two.places.claim(A, Some(9));
        assert_eq!([7, 8, 9].map(|place| two.holder(place, None)), [Some(A); 3]);
        two.places.claim(A, None);
        assert_eq!([7, 8, 9].map(|place| two.holder(place, None)), [Some(A), Some(A), None]);
        two.places.wait(8, A.next());
        two.places.dispel_all(A);
        assert_eq!((two.holder(8, None), two.places.released()), (None, BTreeSet::from([A.next()])));
    }

    #[test]
    fn of_two_that_may_hold_a_place_each_is_known() {
        let mut two = Two::default();
        two.places.doubt(A, 7);
        two.places.claim(A.next(), Some(7));
        two.places.dispel(A, 7);
        assert_eq!((two.holder(7, None), two.holder(7, Some(A.next()))), (Some(A.next()), None));
    }

    #[test]
    fn who_waits_is_released_once_when_the_place_is_free() {
        let mut two = Two::default();
        two.put(0, 7);
        two.places.wait(7, A.next());
        assert!(two.places.released().is_empty());
        two.put(0, NOWHERE);
        assert_eq!(two.places.released(), BTreeSet::from([A.next()]));
        assert!(two.places.released().is_empty());
    }

    #[test]
    fn two_records_that_the_portal_holds_at_one_place_are_both_known() {
        let mut two = Two::default();
        two.put(0, 7);
        two.put(1, 7);
        assert_eq!(two.holder(7, Some(A)), Some(A.next()));
        assert_eq!(two.holder(7, Some(A.next())), Some(A));
    }
}
