//! The index and the ledger's journal: by which steps the one comes to be from the other, and back.

use super::{At, FREE, Index, LEAVING};
use crate::ledger::{Entry, Mark, Replay, State};
use crate::record::Fingerprint;

impl Index {
    /// Takes one step of the ledger's replay.
    pub fn replay(&mut self, step: Replay, now: i64) {
        match step {
            Replay::Put(entry) => {
                let known = self.find(entry.key.id()).map(|at| (self.accepted(at), self.place(at)));
                let at = self.put(&entry, now);
                if let Some(Mark::Version(version)) = entry.mark {
                    // A mark that was never closed names the place of its own version, which the portal may hold beside that of the accepted one.
                    let own = match known {
                        _ if entry.accepted.is_none() => None,
                        _ if entry.accepted == Some(version) => entry.place,
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
    /// than its row names, one for each.
    pub fn steps_before(&self, at: At) -> Vec<Entry> {
        let Some(left) = self.left.get(&at) else { return Vec::new() };
        let now = self.entry(at);
        let version = now.accepted.unwrap_or(Fingerprint::of(b""));
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
        left.iter().enumerate().map(step).collect()
    }
}
