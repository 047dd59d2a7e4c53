//! Invariants 5 (backwards), 6 and 7: what may be removed, and how much of it at once.

use std::collections::{BTreeMap, BTreeSet};

use super::forgotten::Forgotten;
use super::{Evidence, Mart, Parent, Violation, expiry, follow, parents, yields};
use crate::hospital::{Body, Feed, Id};
use crate::trace::{Answer, Asked, Said, What};
use crate::{REMOVAL, wire};

/// The fuse as it is worded: more than this share and at least so many, or more than half of a feed that is not small. One record
/// more or less is left to it: what is in doubt or past by a second may be counted either way.
const SHARE: f64 = 0.2;
const LEAST: usize = 50;
const SMALL: usize = 5;
const DOUBTFUL: usize = 1;

type Record = (Feed, Id);

/// What the last look at each record said.
#[derive(Default)]
struct Seen {
    /// Records whose row was missing when it was last asked for.
    absent: BTreeSet<Record>,
    /// No removal can tell that these are there.
    forgotten: Forgotten,
    /// At which event that was noticed.
    gone_at: BTreeMap<Record, usize>,
    /// At which event the running cycle of a feed, and the last one that was complete, began.
    begun: BTreeMap<Feed, usize>,
    ran: BTreeMap<Feed, usize>,
    /// The rows of each record at the last look that showed one, and which look that was; none for one that breaks a rule.
    rows: BTreeMap<Record, (usize, Vec<Option<Body>>)>,
    /// All that the portal may hold of each record, as far as the engine can know: the version that it was told is accepted, and what it
    /// has sent since.
    maybe: BTreeMap<Record, Vec<Body>>,
    requests: BTreeMap<usize, Vec<(Record, Body)>>,
    /// Requests to remove a record.
    asked: BTreeMap<usize, Record>,
    /// The records of each open mark, with their rows as of when it was made.
    marks: BTreeMap<i64, Vec<(Record, Vec<Body>)>>,
    /// What answers have said of records whose marks are open: a process that dies now has not heard it.
    told: BTreeMap<Record, Told>,
    /// The version of each record that the engine was last told is accepted.
    acknowledged: BTreeMap<Record, Body>,
    reads: BTreeMap<usize, (Feed, Asked, BTreeSet<Id>)>,
    /// Records that a read without an operator's word must not take away.
    fused: BTreeMap<Feed, BTreeSet<Id>>,
    /// What was gone of a feed at its last whole read: this is what an operator is asked about, if the fuse holds it back.
    gone: BTreeMap<Feed, BTreeSet<Id>>,
    /// Records that an operator has let go.
    let_go: BTreeMap<Feed, BTreeSet<Id>>,
}

/// What an answer has said of a record.
enum Told {
    /// The portal holds this version of it now, or none.
    Holds(Option<Body>),
    /// This version was not applied.
    NotApplied(Body),
}

pub fn check(evidence: &Evidence, broken: &mut Vec<Violation>) {
    if !REMOVAL {
        return;
    }
    let mut mart = Mart::new();
    let mut seen = Seen::default();
    for (at, event) in evidence.events.iter().enumerate() {
        seen.forgotten.take(event, &evidence.versions, &mart);
        let mut complain = |invariant, about, text: &str| {
            broken.push(Violation { invariant, at: Some(at), about: Some(about), text: text.to_owned() });
        };
        match &event.what {
            What::Asked { request, feed, id } => {
                check_removal(&seen, &mart, (*feed, *id), event.second, &mut complain);
                seen.asked.insert(*request, (*feed, *id));
            }
            What::Removed { feed, id, with: Some(root) } if seen.had_no_turn(*feed, *root) => {
                if seen.stands_alone((*feed, *id), &mart) {
                    complain(6, (*feed, *id), "it went with a parent that its row names no longer");
                }
            }
            what => seen.take(at, what, evidence, &mart, event.second),
        }
        follow(&mut mart, &event.what);
    }
}

fn check_removal(seen: &Seen, mart: &Mart, record: Record, second: i64, complain: &mut impl FnMut(u8, Record, &str)) {
    let with_its_parent = seen.hangs_on_what_is_gone(record, mart);
    let gives_way = seen.gives_way(record);
    if !seen.absent.contains(&record) && !with_its_parent && !gives_way && !seen.makes_room(record, mart) {
        complain(6, record, "its removal is asked for, and its row was there at the last look");
    }
    // One whose row was seen since goes for another reason, if at all.
    let fused = seen.fused.get(&record.0).is_some_and(|fused| fused.contains(&record.1));
    if fused && seen.absent.contains(&record) && !with_its_parent {
        complain(7, record, "its removal is asked for, and no operator has let it go");
    }
    if !mart.contains_key(&record) {
        return;
    }
    let is_past = |body: &Body| expiry(record.0, body, mart).is_some_and(|expiry| expiry < second);
    let moved_on = seen.sound_rows(record).any(|row| !is_past(row));
    // Of several versions that may be there, one may still have its time to come. One of a ring whose row is there comes back.
    let comes_back = !seen.absent.contains(&record) && seen.makes_room(record, mart);
    if seen.versions(record, mart).all(is_past) && !moved_on && !comes_back && !with_its_parent {
        complain(6, record, "its removal is asked for, and its time is past");
    }
    if seen.has_other_children(mart, record) {
        complain(5, record, "its removal is asked for before that of its children");
    }
}

impl Seen {
    fn take(&mut self, at: usize, what: &What, evidence: &Evidence, mart: &Mart, second: i64) {
        match what {
            What::CycleDone { feed, complete: true } => {
                let begun = self.begun.remove(feed);
                self.ran.extend(begun.map(|begun| (*feed, begun)));
            }
            What::CycleDone { feed, complete: false } | What::CycleFailed { feed } => drop(self.begun.remove(feed)),
            What::Died => {
                self.begun.clear();
                for (record, rows) in std::mem::take(&mut self.marks).into_values().flatten() {
                    // It may have been about to send what the row said.
                    self.maybe.entry(record).or_default().extend(rows);
                }
                self.told.clear();
            }
            What::Marked { mark, feed, ids } => {
                let records: Vec<Record> = ids.iter().map(|id| (*feed, *id)).collect();
                // A process that dies now leaves a mark, and nobody knows whether it has sent what it marked.
                for record in &records {
                    self.maybe.entry(*record).or_default();
                }
                let with_rows = |record: Record| (record, self.sound_rows(record).cloned().collect());
                self.marks.insert(*mark, records.into_iter().map(with_rows).collect());
            }
            What::Settled { mark } => self.settle(*mark),
            What::Sent { request, feed, records } => {
                let records: Vec<_> = records.iter().map(|(id, body)| ((*feed, *id), body.clone())).collect();
                for (record, body) in &records {
                    self.maybe.entry(*record).or_default().push(body.clone());
                }
                self.requests.insert(*request, records);
            }
            What::Answered { request, answer } => self.hear(*request, answer),
            What::ReadBegun { read, feed, asked, .. } => {
                self.begun.entry(*feed).or_insert(at);
                self.reads.insert(*read, (*feed, asked.clone(), BTreeSet::new()));
            }
            What::Shown { read, rows } => {
                let Some((feed, _, shown)) = self.reads.get_mut(read) else { return };
                for number in rows {
                    let version = &evidence.versions[*number];
                    shown.insert(version.row.id);
                    self.absent.remove(&(*feed, version.row.id));
                    self.gone_at.remove(&(*feed, version.row.id));
                    let (look, rows) = self.rows.entry((*feed, version.row.id)).or_default();
                    if *look != *read {
                        (*look, *rows) = (*read, Vec::new());
                    }
                    rows.push(version.body.clone());
                }
            }
            What::KeysShown { read, ids } => {
                let Some((feed, _, shown)) = self.reads.get_mut(read) else { return };
                for id in ids {
                    shown.insert(*id);
                    self.absent.remove(&(*feed, *id));
                    self.gone_at.remove(&(*feed, *id));
                }
            }
            What::ReadDone { read } => {
                let Some((feed, asked, shown)) = self.reads.remove(read) else { return };
                let unseen = |id: &Id| !shown.contains(id);
                match asked {
                    Asked::All | Asked::Swept(_) => {
                        // What was sent and not answered for may be there as well.
                        let known: BTreeSet<Record> = mart.keys().chain(self.maybe.keys()).copied().collect();
                        let held = known.into_iter().filter(|(other, _)| *other == feed).map(|(_, id)| id);
                        self.miss(at, feed, held.filter(unseen));
                        self.blow_the_fuse(feed, shown.is_empty(), mart, second);
                    }
                    Asked::Keys(keys) if !shown.is_empty() => {
                        self.miss(at, feed, keys.into_iter().filter(unseen));
                    }
                    Asked::Keys(_) | Asked::Changed(_) => {}
                }
            }
            What::Word { feed } => {
                // The engine's fuse may have been stricter by the record that this one leaves to it.
                self.fused.remove(feed);
                let gone = self.gone.get(feed).into_iter().flatten();
                self.let_go.entry(*feed).or_default().extend(gone);
            }
            _ => {}
        }
    }

    fn hear(&mut self, request: usize, answer: &Answer) {
        let removed = self.asked.remove(&request).filter(|_| *answer == Answer::Judged(vec![Said::Accepted]));
        self.told.extend(removed.map(|record| (record, Told::Holds(None))));
        for (position, (record, body)) in self.requests.remove(&request).unwrap_or_default().into_iter().enumerate() {
            let said = match answer {
                Answer::Judged(said) => said.get(position),
                answer if answer.leaves_doubt() => None,
                _ => Some(&Said::Refused { holder: None }),
            };
            match said {
                Some(Said::Accepted) => {
                    self.acknowledged.insert(record, body.clone());
                    self.told.insert(record, Told::Holds(Some(body)));
                }
                Some(Said::Refused { .. }) => drop(self.told.insert(record, Told::NotApplied(body))),
                Some(Said::Nothing) | None => {}
            }
        }
    }

    /// The ledger has kept what was said of the records of a mark.
    fn settle(&mut self, mark: i64) {
        for (record, _) in self.marks.remove(&mark).unwrap_or_default() {
            let maybe = self.maybe.entry(record).or_default();
            match self.told.remove(&record) {
                Some(Told::Holds(body)) => *maybe = body.into_iter().collect(),
                // It may have been sent before.
                Some(Told::NotApplied(body)) => {
                    let last = maybe.iter().rposition(|sent| *sent == body);
                    drop(last.map(|last| maybe.remove(last)));
                }
                None => {}
            }
        }
    }

    /// The rows of a record at the last look that showed one, as far as they are sound. Of several with one id the engine takes one.
    fn sound_rows(&self, record: Record) -> impl Iterator<Item = &Body> {
        self.rows.get(&record).into_iter().flat_map(|(_, rows)| rows).flatten()
    }

    /// All versions of a record that the portal may hold, as far as the engine can know.
    fn versions<'a>(&'a self, record: Record, mart: &'a Mart) -> impl Iterator<Item = &'a Body> {
        mart.get(&record).into_iter().chain(self.maybe.get(&record).into_iter().flatten())
    }

    fn miss(&mut self, at: usize, feed: Feed, ids: impl Iterator<Item = Id>) {
        for id in ids {
            self.absent.insert((feed, id));
            self.gone_at.entry((feed, id)).or_insert(at);
        }
    }

    /// No cycle of a feed with children has begun and ended since their parent was found gone: none of them could move away from it.
    fn had_no_turn(&self, children: Feed, parent: Record) -> bool {
        let gone = self.gone_at.get(&parent).filter(|_| self.absent.contains(&parent));
        gone.is_some_and(|gone| self.ran.get(&children).is_none_or(|ran| ran < gone))
    }

    /// After a whole read: are so many gone, with what hangs on them, that none of them may be removed?
    fn blow_the_fuse(&mut self, feed: Feed, empty: bool, mart: &Mart, second: i64) {
        let is_past = |record: &Record, body: &Body| expiry(record.0, body, mart).is_some_and(|over| over < second);
        let gone: BTreeSet<Id> = mart
            .iter()
            .filter(|(record, body)| record.0 == feed && self.absent.contains(record) && !is_past(record, body))
            .map(|((_, id), _)| *id)
            .collect();
        self.gone.insert(feed, gone.clone());
        if gone.is_empty() {
            self.fused.remove(&feed);
            return;
        }
        // What the same cycles bring there counts as well.
        let mut of: BTreeMap<Feed, usize> = BTreeMap::new();
        for record in self.rows.keys().filter(|record| !self.absent.contains(record) && !mart.contains_key(record)) {
            *of.entry(record.0).or_default() += 1;
        }
        let mut held: BTreeMap<Feed, usize> = BTreeMap::new();
        let mut lost: BTreeMap<Feed, usize> = BTreeMap::new();
        for (record, body) in mart.iter().filter(|(record, body)| !is_past(record, body)) {
            *of.entry(record.0).or_default() += 1;
            *held.entry(record.0).or_default() += 1;
            let goes = |one: &Record| one.0 == feed && gone.contains(&one.1);
            if goes(record) || ancestors(record.0, body, mart).iter().any(goes) {
                *lost.entry(record.0).or_default() += 1;
            }
        }
        let blown = lost.iter().any(|(feed, lost)| {
            let (lost, of) = (lost.saturating_sub(DOUBTFUL), of[feed]);
            let much = lost as f64 > SHARE * of as f64 && lost >= LEAST;
            // Whether a feed is small is told by what the portal holds of it already: what is still to come only lessens the share.
            much || (held[feed] > SMALL && lost * 2 > of)
        });
        let let_go = self.let_go.get(&feed).is_some_and(|let_go| gone.is_subset(let_go));
        if (blown || empty) && !let_go {
            self.fused.insert(feed, gone);
        } else {
            self.fused.remove(&feed);
        }
    }

    /// A parent of it, or a parent of that, is gone: it has to go first.
    fn hangs_on_what_is_gone(&self, record: Record, mart: &Mart) -> bool {
        let is_gone = |record: &Record| self.absent.contains(record);
        let mut versions = self.versions(record, mart).chain(self.sound_rows(record));
        versions.any(|body| ancestors(record.0, body, mart).iter().any(is_gone))
    }

    /// It is a slot that is over, and another claims its time.
    fn gives_way(&self, record: Record) -> bool {
        let claims = |record: Record, place: &str| {
            self.sound_rows(record).any(|body| wire::place(record.0, body).as_deref() == Some(place))
        };
        record.0 == Feed::Slot
            && self.sound_rows(record).filter(|body| yields(body)).any(|body| {
                wire::place(record.0, body)
                    .is_some_and(|place| self.rows.keys().any(|other| *other != record && claims(*other, &place)))
            })
    }

    /// It is a slot that is about to move elsewhere, and stands, or may stand, where another belongs: one of a ring must go for a moment.
    fn makes_room(&self, record: Record, mart: &Mart) -> bool {
        if record.0 != Feed::Slot {
            return false;
        }
        let wants = |record: Record, place: &str| {
            self.sound_rows(record).any(|body| wire::place(record.0, body).as_deref() == Some(place))
        };
        let goes = |place: &str| {
            let mut rows = self.rows.get(&record).into_iter().flat_map(|(_, rows)| rows);
            rows.any(|row| row.as_ref().and_then(|body| wire::place(record.0, body)).as_deref() != Some(place))
        };
        self.versions(record, mart)
            .filter_map(|held| wire::place(record.0, held))
            .any(|place| goes(&place) && self.rows.keys().any(|other| *other != record && wants(*other, &place)))
    }

    /// Children that the document's cascade does not name are there still. One that nobody has acknowledged may be unknown, and one that
    /// is past and gone is.
    fn has_other_children(&self, mart: &Mart, record: Record) -> bool {
        let cascades: &[Feed] = match record.0 {
            Feed::Mo => &[Feed::Resource, Feed::Slot, Feed::Book, Feed::Service],
            Feed::Resource => &[Feed::Slot, Feed::Book, Feed::Service],
            Feed::Slot => &[Feed::Book],
            Feed::Service | Feed::Profile | Feed::Period | Feed::Referral | Feed::Book => &[],
        };
        mart.iter().any(|(child, body)| {
            !cascades.contains(&child.0)
                && !self.forgotten.contains(child)
                && self.acknowledged.get(child) == Some(body)
                && ancestors(child.0, body, mart).contains(&record)
        })
    }

    /// The row was there at the last look, every parent that it names is still in the mart, and nobody holds its place.
    fn stands_alone(&self, record: Record, mart: &Mart) -> bool {
        let (_, rows) = match self.rows.get(&record) {
            Some(rows) if !self.absent.contains(&record) => rows,
            _ => return false,
        };
        let has = |parent: &Parent| parent.if_ours || mart.contains_key(&(parent.feed, parent.id));
        let stands = |body: &Body| {
            let place = wire::place(record.0, body);
            let holds = |(other, held): (&Record, &Body)| *other != record && wire::place(other.0, held) == place;
            parents(record.0, body).iter().all(has) && (place.is_none() || !mart.iter().any(holds))
        };
        rows.iter().all(|row| row.as_ref().is_some_and(stands))
    }
}

/// Parents, their parents and so on, but for those that only count if they are the hospital's own.
fn ancestors(feed: Feed, body: &str, mart: &Mart) -> Vec<Record> {
    let mut all = Vec::new();
    for parent in parents(feed, body).iter().filter(|parent| !parent.if_ours) {
        let record = (parent.feed, parent.id);
        all.push(record);
        if let Some(body) = mart.get(&record) {
            all.extend(ancestors(parent.feed, body, mart));
        }
    }
    all
}
