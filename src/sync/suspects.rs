//! Suspects: records that the portal refused alone without naming them, while nothing else of their feed passed. Whether they are to blame is
//! seen when they are refused again after others were accepted. Is kept while the process runs: another one asks once more.

use std::collections::HashMap;

use super::pieces::{Pieces, Suspicion};
use crate::ledger::Entry;
use crate::record::KeyId;

/// Most suspects that are remembered; what is above that is asked once more.
const MOST: usize = 1000;

/// The suspects of a feed.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// Answers of which the portal accepted something of the feed, counted as they are heard.
    accepted: u64,
    /// How a record was refused alone, and how many such answers there were then.
    refused_at: HashMap<KeyId, (Suspicion, u64)>,
}

impl Suspects {
    /// The portal accepted something of the feed.
    pub(super) fn accept(&mut self) {
        self.accepted += 1;
    }

    /// What is known against a record, now that others were accepted since it was refused alone.
    pub(super) fn suspicion(&self, key: KeyId) -> Suspicion {
        let known = self.refused_at.get(&key).filter(|(_, accepted)| *accepted < self.accepted);
        known.map_or(Suspicion::None, |(suspicion, _)| *suspicion)
    }

    /// Other records than these that were refused alone since the portal accepted anything of the feed.
    pub(super) fn in_a_row(&self, entries: &[Entry]) -> usize {
        let is_among = |key: &KeyId| entries.iter().any(|entry| entry.key.id() == *key);
        self.refused_at.iter().filter(|(key, (_, accepted))| *accepted == self.accepted && !is_among(key)).count()
    }

    /// Takes what came of a request when all of it is done: what was accepted before counts for nothing.
    pub(super) fn learn(&mut self, entries: &[Entry], pieces: &Pieces) {
        let suspects: HashMap<usize, Suspicion> = pieces.suspects().collect();
        for (position, entry) in entries.iter().enumerate() {
            let key = entry.key.id();
            match (suspects.get(&position), self.refused_at.get(&key)) {
                (None, _) if pieces.is_settled(position) => drop(self.refused_at.remove(&key)),
                (Some(suspicion), Some((known, _))) if suspicion == known => {}
                (Some(suspicion), _) if self.refused_at.len() < MOST => {
                    self.refused_at.insert(key, (*suspicion, self.accepted));
                }
                (Some(_) | None, _) => {}
            }
        }
    }
}
