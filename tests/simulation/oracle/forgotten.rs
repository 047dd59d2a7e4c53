//! What nobody can know of any more (invariant 6): records whose rows were gone, and whose time was past, when their table was read whole.
//! The time of one may lie ahead again later, because what it hangs on was moved there.

use std::collections::{BTreeMap, BTreeSet};

use super::{Evidence, Mart, expiry, follow};
use crate::hospital::{Feed, Id, Version};
use crate::trace::{Asked, Event, What};

#[derive(Default)]
pub struct Forgotten {
    records: BTreeSet<(Feed, Id)>,
    /// What each whole read that has not ended has shown.
    shown: BTreeMap<usize, (Feed, BTreeSet<Id>)>,
}

impl Forgotten {
    /// What is forgotten at the end of a run.
    pub fn of(evidence: &Evidence) -> Self {
        let (mut forgotten, mut mart) = (Forgotten::default(), Mart::new());
        for event in &evidence.events {
            forgotten.take(event, &evidence.versions, &mart);
            follow(&mut mart, &event.what);
        }
        forgotten
    }

    /// Takes an event that meets this mart.
    pub fn take(&mut self, event: &Event, versions: &[Version], mart: &Mart) {
        match &event.what {
            What::ReadBegun { read, feed, asked: Asked::All | Asked::Swept(_), .. } => {
                self.shown.insert(*read, (*feed, BTreeSet::new()));
            }
            What::Shown { read, rows } => {
                for version in rows.iter().map(|number| &versions[*number]) {
                    self.records.remove(&(version.feed, version.row.id));
                    if let Some((_, shown)) = self.shown.get_mut(read) {
                        shown.insert(version.row.id);
                    }
                }
            }
            What::KeysShown { read, ids } => {
                let Some((feed, shown)) = self.shown.get_mut(read) else { return };
                self.records.retain(|record| record.0 != *feed || !ids.contains(&record.1));
                shown.extend(ids);
            }
            What::ReadDone { read } => {
                let Some((feed, shown)) = self.shown.remove(read) else { return };
                let is_past = |body: &str| expiry(feed, body, mart).is_some_and(|expiry| expiry < event.second);
                let gone = mart.iter().filter(|((of, id), body)| *of == feed && !shown.contains(id) && is_past(body));
                self.records.extend(gone.map(|(record, _)| *record));
            }
            _ => {}
        }
    }

    pub fn contains(&self, record: &(Feed, Id)) -> bool {
        self.records.contains(record)
    }
}
