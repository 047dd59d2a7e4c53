//! The index and the ledger's journal: by which steps the one comes to be from the other, and back.

use super::{At, FREE, Index, LEAVING};
use crate::ledger::{Entry, Mark, Replay, State};
use crate::record::Fingerprint;

impl Index {
    /// Takes one step of the ledger's replay.
    pub fn replay(&mut self, step: Replay, now: i64) {
        match step {
            Replay::Put(mut entry) => {
                let known = self.find(entry.key.id());
                if let Some(at) = known.filter(|at| self.may_be_at_portal(*at))
                    && entry.wanted.is_some()
                    && entry.wanted == entry.mark.and_then(Mark::version)
                {
                    // It speaks of the version that was sent. What may be there in several versions is past only when all of them are.
                    entry.expires = self.expiry(at).zip(entry.expires).map(|(one, other)| one.max(other));
                }
                let known = known.map(|at| (self.accepted(at), self.place(at)));
                let at = self.put(&entry, now);
                if let Some(version) = entry.mark.and_then(Mark::version) {
                    // A mark that was never closed names the place of its own version, which the portal may hold beside that of the accepted one.
                    let own = match known {
                        // The mark of no version that was sent says that the portal has named the place.
                        _ if version == entry.accepted.unwrap_or_else(Fingerprint::unknown) => entry.place,
                        _ if entry.accepted.is_none() => None,
                        Some((accepted, place)) if accepted == entry.accepted => place,
                        Some(_) | None => entry.place,
                    };
                    self.set_place(at, own.unwrap_or(0));
                    self.may_hold(at, entry.place);
                    self.may_hold(at, known.and_then(|(_, place)| place));
                }
            }
            Replay::Drop(key) => {
                if let Some(at) = self.find(key.id()) {
                    self.forget(at);
                }
            }
        }
    }

    /// Ends a replay. A version whose mark was never closed may or may not be at the portal: it is sent again.
    pub fn after_replay(&mut self) {
        for (at, detail) in &mut self.details {
            let slim = &mut self.slim[at.0 as usize];
            if detail.mark.is_some() && slim.state == State::Accepted {
                self.by_state[slim.state as usize] -= 1;
                slim.state = State::Pending;
                self.by_state[slim.state as usize] += 1;
            }
            detail.due = slim.state == State::Pending;
        }
        let past: Vec<At> = self.detailed().filter(|(_, state, _)| *state == State::Past).map(|(at, ..)| at).collect();
        past.into_iter().for_each(|at| self.give_up_doubtful_places(at));
    }

    /// Brings entries that were noted a while ago to what is known now: another feed's removal may have come in between, and what is
    /// written last wins.
    pub fn bring_up_to_date(&self, entries: &mut Vec<Entry>) {
        entries.retain_mut(|entry| {
            let Some(at) = self.find(entry.key.id()) else { return false };
            *entry = self.entry(at);
            if self.slim[at.0 as usize].flags & LEAVING != 0 {
                entry.mark = Some(Mark::Removal);
            }
            true
        });
    }

    /// Records as the ledger writes them, from a position on: at most so many, and the position after them.
    pub fn page(&self, from: usize, most: usize) -> (Vec<Entry>, usize) {
        let to = self.slim.len().min(from.saturating_add(most));
        let used = (from..to).filter(|&at| self.slim[at].flags & FREE == 0);
        (used.flat_map(|at| self.steps(At(at as u32))).collect(), to)
    }

    fn steps(&self, at: At) -> impl Iterator<Item = Entry> {
        self.steps_before(at).into_iter().chain([self.entry(at)])
    }

    /// By which steps a replay comes to a record as it stands, before the one that states it: where versions of it hang on other parents
    /// than its row names, one for each, and one for each place to which a version of unknown outcome may have brought it.
    pub fn steps_before(&self, at: At) -> Vec<Entry> {
        let doubts: Vec<u64> = self.places.doubts(at).collect();
        let left = self.left.get(&at).cloned().unwrap_or_default();
        if doubts.is_empty() && left.is_empty() {
            return Vec::new();
        }
        let now = self.entry(at);
        let version = now.accepted.unwrap_or_else(Fingerprint::unknown);
        let step = |(position, parents): (usize, &[u32; 2])| {
            let is_accepted = position == 0 && now.accepted.is_some();
            let mut step = Entry::new(now.key.clone());
            step.accepted = now.accepted;
            step.place = now.place.filter(|_| now.accepted.is_some());
            step.parents = parents.map(|number| self.others.key(number));
            step.state = if is_accepted { State::Accepted } else { State::Pending };
            step.mark = Some(Mark::Version(version)).filter(|_| !is_accepted);
            step.wanted = Some(version).filter(|_| !is_accepted);
            step
        };
        let mut steps: Vec<Entry> = left.iter().enumerate().map(step).collect();
        if steps.is_empty() && now.accepted.is_some() {
            steps.push(Entry { mark: None, wanted: None, state: State::Accepted, ..now.clone() });
        }
        let hangs_on = steps.last().map_or_else(|| now.parents.clone(), |step| step.parents.clone());
        let may_be_at = |place: &u64| {
            let mut step = Entry::new(now.key.clone());
            step.accepted = now.accepted;
            step.place = Some(*place);
            step.parents = hangs_on.clone();
            step.expires = now.expires;
            step.state = State::Pending;
            step.mark = Some(Mark::Version(Fingerprint::of(&place.to_le_bytes())));
            step
        };
        steps.extend(doubts.iter().map(may_be_at));
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Key;
    use crate::sync::contest;

    /// A record that was sent to these places, one after another, and nobody knows what came of that.
    fn in_doubt(accepted: Option<u64>, sent_to: &[u64]) -> Index {
        let mut index = Index::default();
        let mut entry = Entry { place: accepted, ..Entry::new(Key::Guid(1)) };
        entry.accepted = accepted.map(|_| Fingerprint(1));
        entry.state = if accepted.is_some() { State::Accepted } else { State::Pending };
        let at = index.put(&entry, 0);
        for (number, place) in sent_to.iter().enumerate() {
            let version = Fingerprint(2 + number as u128);
            let sent = Entry { mark: Some(Mark::Version(version)), wanted: Some(version), ..entry.clone() };
            index.put_at(at, &Entry { state: State::Pending, ..sent }, 0);
            index.may_hold(at, Some(*place));
        }
        index
    }

    fn replayed(index: &Index) -> Index {
        let mut copy = Index::default();
        for entry in index.page(0, usize::MAX).0 {
            copy.replay(Replay::Put(entry), 0);
        }
        copy
    }

    #[test]
    fn every_place_in_doubt_outlives_a_rewrite_of_the_journal() {
        for accepted in [Some(7), None] {
            let index = replayed(&replayed(&in_doubt(accepted, &[8, 9])));
            let held = [7, 8, 9].map(|place| index.holder(place, None).is_some());
            assert_eq!(held, [accepted.is_some(), true, true], "{accepted:?}");
            assert_eq!(index.place(At::FIRST), accepted, "what is sure stays sure");
        }
    }

    #[test]
    fn a_place_that_the_portal_has_named_is_known_after_a_restart_even_of_a_past_record_that_was_never_acknowledged() {
        let mut index = in_doubt(None, &[8]);
        index.is_at(At::FIRST, 8);
        let named = contest::in_doubt(&mut index, At::FIRST, 0);
        index.put_at(At::FIRST, &Entry { state: State::Past, ..named }, 0);
        let mut copy = replayed(&index);
        copy.after_replay();
        assert_eq!(copy.place(At::FIRST), Some(8));
    }

    #[test]
    fn what_is_past_in_the_version_that_was_under_way_may_be_there_in_another() {
        let mut index = Index::default();
        let mut entry = Entry { accepted: Some(Fingerprint(1)), expires: Some(100), ..Entry::new(Key::Guid(1)) };
        entry.state = State::Accepted;
        index.put(&entry, 0);
        let sent = Entry { mark: Some(Mark::Version(Fingerprint(2))), wanted: Some(Fingerprint(2)), ..entry };
        index.replay(Replay::Put(Entry { expires: Some(50), state: State::Pending, ..sent }), 0);
        assert_eq!(index.expiry(At::FIRST), Some(100));
    }
}
