//! What the index knows of places: who holds one, may hold one, waits for one; and the strangers that stand in the way.

use std::collections::BTreeSet;

use super::{At, Index};
use crate::ledger::{Entry, Mark, State};

impl Index {
    /// The portal has said that a record in flight is at this place. What becomes of its own request decides whether it still is. True
    /// when that was not known.
    pub fn see_at(&mut self, at: At, place: u64) -> bool {
        let is_news = self.seen_at(at) != Some(place) && (self.place(at) != Some(place) || self.may_have_moved(at));
        if is_news {
            self.places.dispel_all(at);
            self.seen_at.insert(at, place);
        }
        is_news
    }

    /// Where the portal has said that a record in flight is, if that was not known for sure.
    pub fn seen_at(&self, at: At) -> Option<u64> {
        self.seen_at.get(&at).copied()
    }

    /// Who holds a place at the portal, or is on the way there, other than `but`.
    pub fn holder(&self, place: u64, but: Option<At>) -> Option<At> {
        self.places.holder(place, but, |at| self.slim[at.0 as usize].place)
    }

    /// A version whose outcome is unknown may hold this place as well.
    pub fn may_hold(&mut self, at: At, place: Option<u64>) {
        if let Some(place) = place.filter(|place| Some(*place) != self.place(at)) {
            self.places.doubt(at, place);
        }
    }

    /// The portal has said that a record is at this place.
    pub fn is_at(&mut self, at: At, place: u64) {
        self.places.dispel_all(at);
        self.set_place(at, place);
    }

    /// A record is taken not to hold a place that a version of unknown outcome may have brought it to, or taken it from.
    pub fn does_not_hold(&mut self, at: At, place: u64) {
        self.places.dispel(at, place);
        if self.place(at) == Some(place) {
            self.set_place(at, 0);
        }
    }

    /// Gives up every place of a record at which it is not for sure: nobody will send it, or take it away, to find out. Should it be there,
    /// the portal's refusal of the next one says so.
    pub fn give_up_doubtful_places(&mut self, at: At) {
        self.places.dispel_all(at);
        if self.may_have_moved(at) {
            self.set_place(at, 0);
        }
    }

    /// True when another version than the acknowledged one may be at the portal, or none, and the portal has not said since where the record
    /// is.
    pub fn may_have_moved(&self, at: At) -> bool {
        let mark = self.detail(at).and_then(|detail| detail.mark);
        self.accepted(at).is_some_and(|accepted| mark.is_some_and(|mark| mark != Mark::Version(accepted)))
    }

    /// The place that a record holds at the portal.
    pub fn place(&self, at: At) -> Option<u64> {
        let place = self.slim[at.0 as usize].place;
        (place != 0).then_some(place)
    }

    /// The portal holds this place for the record; 0 stands for none.
    pub fn set_place(&mut self, at: At, place: u64) {
        let before = std::mem::replace(&mut self.slim[at.0 as usize].place, place);
        if before != place {
            self.places.leave(at, before);
            let all = &self.slim;
            self.places.enter(at, place, |at| all[at.0 as usize].place);
        }
    }

    /// A record waits for a place that another holds.
    pub fn wait_for_place(&mut self, place: u64, at: At) {
        self.places.wait(place, at);
    }

    /// Records that wait for a place.
    pub fn waiting_for(&self, place: u64) -> impl Iterator<Item = At> {
        self.places.waiting_for(place)
    }

    /// True when a record that is to be sent waits for this place.
    pub fn is_wanted(&self, place: u64, but: At) -> bool {
        self.waiting_for(place).any(|at| at != but && self.state(at) == State::Held)
    }

    /// True while a record that gives way is to be taken away: the portal may hold it, and its place is wanted, or it waits for another one
    /// itself and what the portal holds is an old version.
    pub fn is_to_make_way(&self, at: At) -> bool {
        if self.state(at) != State::Yielded || !self.may_be_at_portal(at) {
            return false;
        }
        let mut held = self.place(at).into_iter().chain(self.places.doubts(at));
        self.waits_for_place(at) || held.any(|place| self.is_wanted(place, at))
    }

    /// True when a record is at this place, or a version of unknown outcome may have brought it there.
    pub fn may_be_at(&self, at: At, place: u64) -> bool {
        self.place(at) == Some(place) || self.places.doubts(at).any(|doubt| doubt == place)
    }

    /// The status that the portal acknowledged for a record.
    pub fn status(&self, at: At) -> Option<u8> {
        let status = self.slim[at.0 as usize].status;
        (status != u8::MAX).then_some(status)
    }

    /// A record waits for no place any more.
    pub fn wait_no_longer(&mut self, at: At) {
        self.places.wait_no_longer(at);
    }

    /// True while a record waits for a place that another holds.
    pub fn waits_for_place(&self, at: At) -> bool {
        self.places.waits(at)
    }

    /// Makes the records due that wait for places which have become free, and says how many.
    pub fn release_places(&mut self) -> usize {
        let released = self.take_released();
        for at in &released {
            self.make_due(*at);
        }
        released.len()
    }

    /// Takes the records that waited for places which have become free: they wait no longer.
    pub fn take_released(&mut self) -> BTreeSet<At> {
        self.places.released()
    }

    /// Takes a stranger in for the time being.
    pub fn take_in(&mut self, stranger: Entry, now: i64) {
        let at = self.put(&stranger, now);
        self.strangers.insert(at);
    }

    /// The portal has let a record come to this place. Of one that cannot have been elsewhere before there is nothing to note.
    pub fn note_place(&mut self, at: At, place: Option<u64>, was_in_doubt: bool) {
        let was = self.place(at);
        if was != place && (was.is_some() || was_in_doubt) {
            self.moved.insert(at);
        }
    }

    /// True when the record has come to another place since the running read began.
    pub fn has_moved(&self, at: At) -> bool {
        self.moved.contains(&at)
    }

    /// True until somebody has decided what becomes of this stranger.
    pub fn is_stranger(&self, at: At) -> bool {
        self.strangers.contains(&at)
    }

    /// Forgets the strangers of whom nothing came.
    pub fn forget_strangers(&mut self) {
        for at in std::mem::take(&mut self.strangers) {
            if !self.in_flight(at) {
                self.forget(at);
            }
        }
    }
}
