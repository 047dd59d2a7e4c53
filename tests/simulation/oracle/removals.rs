//! Invariants 5 (backwards), 6 and 7: what may be removed, and how much of it at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Evidence, Mart, Parent, Violation, expiry, follow, parents};
use crate::REMOVAL;
use crate::hospital::{Feed, Id};
use crate::trace::{Asked, What};

/// The fuse as RULINGS 1 words it: more than this share and at least this many, or more than half of a small feed.
const SHARE: f64 = 0.2;
const LEAST: usize = 50;
const SMALL: usize = 5;

/// What the last look at each record said.
#[derive(Debug, Default)]
struct Seen {
    /// Records whose row was missing when it was last asked for.
    absent: BTreeSet<(Feed, Id)>,
    /// The row of each record at that look.
    rows: BTreeMap<(Feed, Id), usize>,
    reads: BTreeMap<usize, (Feed, Asked, BTreeSet<Id>)>,
}

/// What has been removed of a feed since it was last read whole.
#[derive(Debug, Default, Clone)]
struct Spell {
    held: usize,
    shown: usize,
    removed: usize,
    /// An operator said that it may.
    allowed: bool,
}

pub fn check(evidence: &Evidence, broken: &mut Vec<Violation>) {
    if !REMOVAL {
        return;
    }
    let mut mart = Mart::new();
    let mut seen = Seen::default();
    let mut spells: BTreeMap<Feed, Spell> = BTreeMap::new();
    for (at, event) in evidence.events.iter().enumerate() {
        let mut complain = |invariant, about, text: &str| {
            broken.push(Violation { invariant, at: Some(at), about: Some(about), text: text.to_owned() });
        };
        match &event.what {
            What::Asked { feed, id, .. } => {
                let record = (*feed, *id);
                if !seen.absent.contains(&record) {
                    complain(6, record, "its removal is asked for, and its row was there at the last look");
                }
                if let Some(body) = mart.get(&record) {
                    if expiry(*feed, body, &mart).is_some_and(|expiry| expiry < event.second) {
                        complain(6, record, "its removal is asked for, and its time is past");
                    }
                    if has_other_children(&mart, record) {
                        complain(5, record, "its removal is asked for before that of its children");
                    }
                }
            }
            What::Removed { feed, id, with } => {
                let spell = spells.entry(*feed).or_default();
                spell.removed += 1;
                let much = spell.removed as f64 > SHARE * spell.held as f64 && spell.removed >= LEAST;
                let half = spell.held > SMALL && spell.removed * 2 > spell.held;
                let blind = spell.shown == 0 && spell.held > 0;
                if (much || half || blind) && !spell.allowed {
                    complain(7, (*feed, *id), "more is removed than the fuse lets through");
                }
                if with.is_some() && seen.stands_alone((*feed, *id), evidence, &mart) {
                    complain(6, (*feed, *id), "it went with a parent that its row names no longer");
                }
            }
            What::Word { feed } => spells.entry(*feed).or_default().allowed = true,
            what => seen.take(what, evidence, &mart, &mut spells),
        }
        follow(&mut mart, &event.what);
    }
}

impl Seen {
    /// The row was there at the last look, and every parent that it names is still in the mart.
    fn stands_alone(&self, record: (Feed, Id), evidence: &Evidence, mart: &Mart) -> bool {
        let row = self.rows.get(&record).filter(|_| !self.absent.contains(&record));
        let body = row.and_then(|number| evidence.versions[*number].body.as_ref());
        let has = |parent: &Parent| parent.if_ours || mart.contains_key(&(parent.feed, parent.id));
        body.is_some_and(|body| parents(record.0, body).iter().all(has))
    }

    fn take(&mut self, what: &What, evidence: &Evidence, mart: &Mart, spells: &mut BTreeMap<Feed, Spell>) {
        match what {
            What::ReadBegun { read, feed, asked, .. } => {
                self.reads.insert(*read, (*feed, asked.clone(), BTreeSet::new()));
            }
            What::Shown { read, rows } => {
                let Some((feed, _, shown)) = self.reads.get_mut(read) else { return };
                for number in rows {
                    let id = evidence.versions[*number].row.id;
                    shown.insert(id);
                    self.absent.remove(&(*feed, id));
                    self.rows.insert((*feed, id), *number);
                }
            }
            What::ReadDone { read } => {
                let Some((feed, asked, shown)) = self.reads.remove(read) else { return };
                let held = mart.keys().filter(|(other, _)| *other == feed);
                match asked {
                    Asked::Changed(_) => {}
                    Asked::All => {
                        let held: Vec<Id> = held.map(|(_, id)| *id).collect();
                        let allowed = spells.get(&feed).is_some_and(|spell| spell.allowed);
                        let spell = Spell { held: held.len(), shown: shown.len(), removed: 0, allowed };
                        spells.insert(feed, spell);
                        self.absent.extend(held.into_iter().filter(|id| !shown.contains(id)).map(|id| (feed, id)));
                    }
                    Asked::Keys(keys) if !shown.is_empty() => {
                        self.absent.extend(keys.into_iter().filter(|id| !shown.contains(id)).map(|id| (feed, id)));
                    }
                    Asked::Keys(_) => {}
                }
            }
            _ => {}
        }
    }
}

/// Children that the document's cascade does not name are there still.
fn has_other_children(mart: &Mart, record: (Feed, Id)) -> bool {
    let cascades: &[Feed] = match record.0 {
        Feed::Mo => &[Feed::Resource, Feed::Slot, Feed::Book, Feed::Service],
        Feed::Resource => &[Feed::Slot, Feed::Book, Feed::Service],
        Feed::Slot => &[Feed::Book],
        Feed::Service | Feed::Profile | Feed::Period | Feed::Referral | Feed::Book => &[],
    };
    mart.iter().any(|((feed, _), body)| {
        !cascades.contains(feed)
            && parents(*feed, body).iter().any(|parent| !parent.if_ours && (parent.feed, parent.id) == record)
    })
}
