//! The index: what the ledger remembers of a feed, in memory, small enough for a million records.
//!
//! A record that the portal holds as wanted costs 64 bytes and a hash slot. Whatever else is known of the few that wait, are
//! refused or have a mark stands aside in a [`Detail`].

mod doubt;
mod journal;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashTable;

use super::interned::{Interned, NONE, join, mix, split};
use super::places::Places;
use crate::ledger::{Counts, Entry, Mark, State};
use crate::record::{Fingerprint, Key, KeyId};

/// Position of a record in its index. Stays the same while the record is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At(u32);

impl At {
    /// Where the first record is, if there is one.
    pub const FIRST: At = At(0);

    /// The position after this one.
    pub fn next(self) -> At {
        At(self.0.saturating_add(1))
    }
}

/// Most keys of two rows that are remembered: more than that are a fault of the whole view.
const MOST_TWO_ROWS: usize = 10_000;

/// No read of this process has seen the record.
const NEVER: u8 = 0;

/// Something of this record is in its [`Detail`].
const DETAILED: u8 = 1;
/// The record is in a request of this process.
const IN_FLIGHT: u8 = 2;
/// A newer version was seen while the record was in flight.
const SUPERSEDED: u8 = 4;
/// The position is free.
const FREE: u8 = 8;
/// The request that the record is in takes it away from the portal.
const LEAVING: u8 = 16;

/// One cache line a record: looking one up costs one wait for memory.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Slim {
    id: [u64; 2],
    accepted: [u64; 2],
    place: u64,
    parents: [u32; 2],
    unit: u32,
    expires: u32,
    state: State,
    status: u8,
    flags: u8,
    seen: u8,
}

/// What is known of a record that is not simply accepted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detail {
    /// What may have reached the portal without an acknowledgement.
    pub mark: Option<Mark>,
    /// The version, or set of violations, that the record's state speaks of.
    pub wanted: Option<Fingerprint>,
    /// Deliveries of it that failed.
    pub attempts: u16,
    /// Earliest time of the next one.
    pub next_attempt: Option<i64>,
    /// Since when the record stands like this.
    pub since: i64,
    /// True when something it waited for has happened: read it again and decide anew.
    pub due: bool,
    /// The run of this process in which the row of a record to be removed was found gone; 0 in an earlier process.
    pub gone_in: u64,
    /// The portal's own id of it.
    pub remote_id: Option<Box<str>>,
    write_back_due: bool,
}

/// Where a known record in flight goes to, as far as that is elsewhere than where it was.
#[derive(Debug)]
struct Moving {
    parents: [u32; 2],
}

/// How a parent stands, as far as its children care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is not known at all.
    Absent,
    /// It is known, and the portal does not hold it.
    NotAccepted,
    /// The portal holds it, with this status.
    Accepted(Option<u8>),
}

/// A time as the index keeps it: seconds since 1970, of which 0 stands for none.
fn slim_time(seconds: i64) -> u32 {
    u32::try_from(seconds.max(1)).unwrap_or(u32::MAX)
}

/// What the ledger remembers of a feed.
#[derive(Debug, Default)]
pub struct Index {
    slim: Vec<Slim>,
    table: HashTable<u32>,
    free: Vec<u32>,
    details: BTreeMap<At, Detail>,
    texts: BTreeMap<At, Arc<str>>,
    others: Interned,
    places: Places,
    moving: BTreeMap<At, Moving>,
    /// Keys of which the last read had two rows, the portal holding the second. The first is not to take another's place in the meantime.
    two_rows: BTreeSet<KeyId>,
    /// Where the portal has said that records in flight are, of which that was not known for sure.
    seen_at: BTreeMap<At, u64>,
    /// Records in flight that somebody else may have written since they were taken, and when that was noted.
    doubted: BTreeMap<At, i64>,
    /// Parents on which the versions hang that the portal holds, or may hold, of a record, where its row names others by now. Those of
    /// the accepted version come first.
    left: BTreeMap<At, Vec<[u32; 2]>>,
    /// Records that the portal holds, by its own word, and nobody here knows: what becomes of them is decided within the cycle.
    strangers: BTreeSet<At>,
    /// Records that the portal has let move to another place since the read began.
    moved: BTreeSet<At>,
    scan: u8,
    seen: usize,
    by_state: [u64; 8],
    oldest_pending: Option<i64>,
    /// Rows of the last full scan that are no records: without a key, or second of their key.
    pub findings: u64,
}

impl Index {
    /// Number of records known.
    pub fn len(&self) -> usize {
        self.slim.len() - self.free.len()
    }

    /// Makes room for so many records.
    pub fn reserve(&mut self, records: usize) {
        self.slim.reserve(records);
        let all = &self.slim;
        self.table.reserve(records, |&at| mix(all[at as usize].id));
    }

    /// True when no row of the running read had the record.
    pub fn is_unseen(&self, at: At) -> bool {
        self.slim[at.0 as usize].seen != self.scan
    }

    /// The record's id.
    pub fn id(&self, at: At) -> KeyId {
        KeyId(join(self.slim[at.0 as usize].id))
    }

    /// The ids of all records.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.positions().map(|at| self.id(at))
    }

    /// Finds a record.
    pub fn find(&self, id: KeyId) -> Option<At> {
        let id = split(id.0);
        self.table.find(mix(id), |&at| self.slim[at as usize].id == id).map(|at| At(*at))
    }

    /// Finds a record that is likely to stand at a position: a source gives its rows in much the order of the time before.
    pub fn find_near(&self, id: KeyId, guess: At) -> Option<At> {
        let there = self.slim.get(guess.0 as usize);
        let guessed = there.is_some_and(|slim| slim.id == split(id.0) && slim.flags & FREE == 0);
        if guessed { Some(guess) } else { self.find(id) }
    }

    /// States a record anew. It is in flight no longer.
    pub fn put(&mut self, entry: &Entry, now: i64) -> At {
        let at = match self.find(entry.key.id()) {
            Some(at) => at,
            None => self.insert(&entry.key, entry.state),
        };
        self.put_at(at, entry, now);
        at
    }

    /// As [`Self::put`], for a record whose position is known.
    pub fn put_at(&mut self, at: At, entry: &Entry, now: i64) {
        let parents = [0, 1].map(|edge| entry.parents[edge].as_ref().map_or(NONE, |key| self.others.number(key)));
        let unit = match &entry.unit {
            None => NONE,
            Some(unit) if entry.parents[0].as_ref() == Some(unit) => parents[0],
            Some(unit) => self.others.number(unit),
        };
        let parents = self.keep_parents(at, entry, parents);
        let slim = &mut self.slim[at.0 as usize];
        self.by_state[slim.state as usize] -= 1;
        self.by_state[entry.state as usize] += 1;
        slim.accepted = split(entry.accepted.map_or(0, |version| version.0));
        slim.parents = parents;
        slim.unit = unit;
        slim.expires = entry.expires.map_or(0, slim_time);
        slim.state = entry.state;
        slim.status = entry.status.unwrap_or(u8::MAX);
        let was_detailed = slim.flags & DETAILED != 0;
        slim.flags &= !(DETAILED | IN_FLIGHT | SUPERSEDED | LEAVING);
        self.arrive(at);
        self.strangers.remove(&at);
        if entry.mark.is_none() {
            self.places.dispel_all(at);
        }
        self.set_place(at, entry.place.unwrap_or(0));
        self.put_detail(at, entry, was_detailed, now);
    }

    /// Whatever the row of a record names now, the versions of it that the portal holds, or may hold, hang on the parents they were sent
    /// with. Gives the parents that the record names from now on.
    fn keep_parents(&mut self, at: At, entry: &Entry, parents: [u32; 2]) -> [u32; 2] {
        let was_marked = self.detail(at).is_some_and(|detail| detail.mark.is_some());
        let was_accepted = self.accepted(at);
        let known = self.left.remove(&at).unwrap_or_else(|| {
            let may_be_there = was_marked || was_accepted.is_some();
            if may_be_there { vec![self.slim[at.0 as usize].parents] } else { Vec::new() }
        });
        if entry.state == State::Accepted && entry.mark.is_none() && !was_marked && was_accepted == entry.accepted {
            // Nothing newer is wanted any more: what the entry names is what the newer version named.
            return known.first().copied().unwrap_or(parents);
        }
        let mut hangs = match (entry.accepted, entry.mark) {
            (None, None) => Vec::new(),
            // The portal has just said which version it holds.
            (Some(_), None) if was_accepted != entry.accepted || (was_marked && entry.state != State::Past) => {
                vec![parents]
            }
            _ => known,
        };
        let is_sent = entry.wanted.is_some() && entry.wanted == entry.mark.and_then(Mark::version);
        if is_sent && !hangs.contains(&parents) {
            hangs.push(parents);
        }
        if hangs.iter().any(|one| *one != parents) {
            self.left.insert(at, hangs);
        }
        parents
    }

    fn put_detail(&mut self, at: At, entry: &Entry, was_detailed: bool, now: i64) {
        let plain = matches!(entry.state, State::Accepted | State::Past)
            && entry.mark.is_none()
            && entry.remote_id.is_none()
            && !entry.write_back_due;
        if plain {
            if was_detailed {
                self.details.remove(&at);
            }
            return;
        }
        self.slim[at.0 as usize].flags |= DETAILED;
        let known = self.details.get(&at);
        let since = known.filter(|known| known.wanted == entry.wanted).map_or(now, |known| known.since);
        let detail = Detail {
            mark: entry.mark,
            wanted: entry.wanted,
            attempts: entry.attempts,
            next_attempt: entry.next_attempt,
            since,
            due: false,
            gone_in: known.map_or(0, |known| known.gone_in),
            remote_id: entry.remote_id.clone(),
            write_back_due: entry.write_back_due,
        };
        self.details.insert(at, detail);
    }

    fn insert(&mut self, key: &Key, state: State) -> At {
        let id = split(key.id().0);
        let slim = Slim {
            id,
            accepted: [0, 0],
            place: 0,
            parents: [NONE; 2],
            unit: NONE,
            expires: 0,
            state,
            status: u8::MAX,
            flags: 0,
            // What becomes known while a read runs is not missed for having no row in it.
            seen: self.scan,
        };
        self.seen += usize::from(self.scan != NEVER);
        let at = match self.free.pop() {
            Some(at) => {
                self.slim[at as usize] = slim;
                at
            }
            None => {
                self.slim.push(slim);
                (self.slim.len() - 1) as u32
            }
        };
        self.by_state[state as usize] += 1;
        let all = &self.slim;
        self.table.insert_unique(mix(id), at, |&at| mix(all[at as usize].id));
        if let Key::Text(text) = key {
            self.texts.insert(At(at), text.clone());
        }
        At(at)
    }

    /// Forgets a record.
    pub fn forget(&mut self, at: At) {
        let slim = self.slim[at.0 as usize];
        let hash = mix(slim.id);
        if let Ok(found) = self.table.find_entry(hash, |&other| other == at.0) {
            found.remove();
        }
        if slim.seen == self.scan && slim.seen != NEVER {
            self.seen -= 1;
        }
        self.by_state[slim.state as usize] -= 1;
        self.set_place(at, 0);
        self.arrive(at);
        self.places.dispel_all(at);
        self.moved.remove(&at);
        self.strangers.remove(&at);
        self.places.wait_no_longer(at);
        self.details.remove(&at);
        self.left.remove(&at);
        self.texts.remove(&at);
        self.slim[at.0 as usize].flags = FREE;
        self.free.push(at.0);
    }

    /// The record's key.
    pub fn key(&self, at: At) -> Key {
        match self.texts.get(&at) {
            Some(text) => Key::Text(text.clone()),
            None => Key::Guid(join(self.slim[at.0 as usize].id)),
        }
    }

    /// The record as the ledger writes it.
    pub fn entry(&self, at: At) -> Entry {
        let slim = &self.slim[at.0 as usize];
        let mut entry = Entry::new(self.key(at));
        entry.accepted = self.accepted(at);
        entry.state = slim.state;
        entry.parents = slim.parents.map(|number| self.others.key(number));
        entry.unit = self.others.key(slim.unit);
        entry.expires = (slim.expires != 0).then_some(i64::from(slim.expires));
        entry.status = (slim.status != u8::MAX).then_some(slim.status);
        entry.place = (slim.place != 0).then_some(slim.place);
        if let Some(detail) = self.details.get(&at) {
            entry.mark = detail.mark;
            entry.wanted = detail.wanted;
            entry.attempts = detail.attempts;
            entry.next_attempt = detail.next_attempt;
            entry.remote_id = detail.remote_id.clone();
            entry.write_back_due = detail.write_back_due;
        }
        entry
    }

    fn positions(&self) -> impl Iterator<Item = At> {
        (0..self.slim.len() as u32).filter(|&at| self.slim[at as usize].flags & FREE == 0).map(At)
    }

    /// The version that the portal acknowledged.
    pub fn accepted(&self, at: At) -> Option<Fingerprint> {
        let version = join(self.slim[at.0 as usize].accepted);
        (version != 0).then_some(Fingerprint(version))
    }

    /// Where the record stands.
    pub fn state(&self, at: At) -> State {
        self.slim[at.0 as usize].state
    }

    /// What else is known of the record, if it is not simply accepted.
    pub fn detail(&self, at: At) -> Option<&Detail> {
        if self.slim[at.0 as usize].flags & DETAILED == 0 { None } else { self.details.get(&at) }
    }

    /// True when the portal holds exactly this version, is wanted to, and nothing is open about it.
    pub fn holds(&self, at: At, version: Fingerprint) -> bool {
        let slim = &self.slim[at.0 as usize];
        slim.accepted == split(version.0)
            && slim.state == State::Accepted
            && slim.flags & IN_FLIGHT == 0
            && (slim.flags & DETAILED == 0 || self.details.get(&at).is_none_or(|detail| detail.mark.is_none()))
    }

    /// True while the record is in a request of this process.
    pub fn in_flight(&self, at: At) -> bool {
        self.slim[at.0 as usize].flags & IN_FLIGHT != 0
    }

    /// Takes a record into a request, as it shall stand: a new one becomes known. Its place is its own from here on, and so is the one
    /// it comes from until the request is settled.
    pub fn take(&mut self, known: Option<At>, entry: &Entry) -> At {
        let at = known.unwrap_or_else(|| self.insert(&entry.key, State::Pending));
        let parents = [0, 1].map(|edge| entry.parents[edge].as_ref().map_or(NONE, |key| self.others.number(key)));
        let slim = &mut self.slim[at.0 as usize];
        slim.flags |= IN_FLIGHT;
        self.places.wait_no_longer(at);
        if known.is_none() {
            // Where it never was it cannot be looked for: it is where it goes.
            slim.parents = parents;
            self.set_place(at, entry.place.unwrap_or(0));
            return at;
        }
        if slim.parents != parents {
            self.moving.insert(at, Moving { parents });
        }
        self.places.claim(at, entry.place.filter(|place| *place != slim.place));
        at
    }

    /// Takes a record that is about to be removed. From here on no child of it is sent.
    pub fn take_away(&mut self, at: At) {
        self.slim[at.0 as usize].flags |= IN_FLIGHT | LEAVING;
    }

    /// Puts a record back that was taken and never sent.
    pub fn put_back(&mut self, at: At) {
        let seen = self.seen_at(at);
        let doubted = self.doubted.get(&at).copied();
        self.arrive(at);
        if let Some(place) = seen {
            self.is_at(at, place);
        }
        let slim = &mut self.slim[at.0 as usize];
        slim.flags &= !(IN_FLIGHT | SUPERSEDED | LEAVING);
        if slim.accepted == [0, 0] && slim.flags & DETAILED == 0 && slim.state == State::Pending {
            self.forget(at);
        } else if let Some(now) = doubted {
            self.doubt(at, now);
        }
    }

    /// A record is in flight no longer.
    fn arrive(&mut self, at: At) {
        self.places.claim(at, None);
        self.moving.remove(&at);
        self.seen_at.remove(&at);
        self.doubted.remove(&at);
    }

    /// True while the record is in a request that takes it away from the portal.
    pub fn is_leaving(&self, at: At) -> bool {
        self.slim[at.0 as usize].flags & LEAVING != 0
    }

    /// True when a record was found gone, or began to make way, between two runs.
    pub fn any_gone_between(&self, after: u64, before: u64) -> bool {
        let leaves = |at: At, state: State| state == State::Gone || self.is_to_make_way(at);
        self.by_state[State::Gone as usize] + self.by_state[State::Yielded as usize] > 0
            && self.detailed().any(|(at, state, detail)| (after..before).contains(&detail.gone_in) && leaves(at, state))
    }

    /// Records that name one of these parents by an edge, each with that parent.
    pub fn children_of(&self, edge: usize, parents: &[Key]) -> Vec<(Key, At)> {
        let numbers: BTreeMap<u32, &Key> =
            parents.iter().filter_map(|key| Some((self.others.find(key)?, key))).collect();
        if numbers.is_empty() {
            return Vec::new();
        }
        let named = |at: At| {
            let now = self.slim[at.0 as usize].parents[edge];
            let then = self.moving.get(&at).map_or(NONE, |moving| moving.parents[edge]);
            let left = self.left.get(&at).into_iter().flatten().map(|parents| parents[edge]);
            let mut all = [now, then].into_iter().chain(left);
            all.find_map(|number| numbers.get(&number)).map(|key| ((*key).clone(), at))
        };
        self.positions().filter_map(named).collect()
    }

    /// The parents of each version that the portal holds, or may hold, of a record.
    pub fn parents_at_portal(&self, at: At) -> Vec<[Option<Key>; 2]> {
        match self.left.get(&at) {
            Some(left) => left.iter().map(|parents| parents.map(|number| self.others.key(number))).collect(),
            None if self.may_be_at_portal(at) => vec![self.parents(at)],
            None => Vec::new(),
        }
    }

    /// Number of records that the portal holds, or may hold, past ones aside.
    pub fn held_by_portal(&self) -> u64 {
        self.positions().filter(|at| self.state(*at) != State::Past && self.may_be_at_portal(*at)).count() as u64
    }

    /// True when the portal holds the record, or may hold it.
    pub fn may_be_at_portal(&self, at: At) -> bool {
        self.accepted(at).is_some() || self.detail(at).is_some_and(|detail| detail.mark.is_some())
    }

    /// A newer version was seen while the record is in flight.
    pub fn supersede(&mut self, at: At) {
        self.slim[at.0 as usize].flags |= SUPERSEDED;
    }

    /// True when a newer version was seen since the record was taken.
    pub fn is_superseded(&self, at: At) -> bool {
        self.slim[at.0 as usize].flags & SUPERSEDED != 0
    }

    /// Starts a read: from here on no record has been seen.
    pub fn begin_read(&mut self) {
        self.moved.clear();
        self.seen = 0;
        self.scan = self.scan.wrapping_add(1);
        if self.scan == NEVER {
            self.slim.iter_mut().for_each(|slim| slim.seen = NEVER);
            self.scan += 1;
        }
    }

    /// A read had two rows of this record's key, of which the portal holds the second.
    pub fn note_two_rows(&mut self, at: At) {
        if self.two_rows.len() < MOST_TWO_ROWS {
            self.two_rows.insert(self.id(at));
        }
    }

    /// True when the last read of a record had two rows of its key.
    pub fn had_two_rows(&self, at: At) -> bool {
        !self.two_rows.is_empty() && self.two_rows.contains(&self.id(at))
    }

    /// The key of a record has one row again.
    pub fn forget_two_rows(&mut self, at: At) {
        if !self.two_rows.is_empty() {
            self.two_rows.remove(&self.id(at));
        }
    }

    /// Notes that a row of the running read has this record's key. False if another row had it before.
    pub fn see(&mut self, at: At) -> bool {
        let slim = &mut self.slim[at.0 as usize];
        let first = slim.seen != self.scan;
        slim.seen = self.scan;
        self.seen += usize::from(first);
        first
    }

    /// Records that no row of the running read had.
    pub fn unseen(&self) -> Vec<KeyId> {
        if self.seen == self.len() {
            return Vec::new();
        }
        self.positions().filter(|at| self.is_unseen(*at)).map(|at| self.id(at)).collect()
    }

    /// How a parent stands.
    pub fn standing(&self, id: KeyId) -> Standing {
        let Some(at) = self.find(id) else { return Standing::Absent };
        let slim = &self.slim[at.0 as usize];
        // A tombstone may be that of a record of which nobody ever knew whether it arrived.
        let leaves = matches!(slim.state, State::Gone | State::Yielded) || slim.flags & LEAVING != 0;
        if slim.accepted == [0, 0] || leaves {
            return Standing::NotAccepted;
        }
        match self.detail(at).and_then(|detail| detail.mark) {
            Some(Mark::Removal) => Standing::NotAccepted,
            // A version of unknown outcome may have changed the status at the portal, and so may one that is under way.
            Some(Mark::Version(_) | Mark::Begun(_) | Mark::Finishing(_)) => Standing::Accepted(None),
            None if slim.flags & IN_FLIGHT != 0 => Standing::Accepted(None),
            None => Standing::Accepted((slim.status != u8::MAX).then_some(slim.status)),
        }
    }

    /// The unit that the row of a record names.
    pub fn unit(&self, at: At) -> Option<Key> {
        self.others.key(self.slim[at.0 as usize].unit)
    }

    /// As [`Self::unit`], for comparison.
    pub fn unit_of(&self, at: At) -> Option<KeyId> {
        self.others.key(self.slim[at.0 as usize].unit).map(|unit| unit.id())
    }

    /// When the time of a record is past, for children that expire with their parent.
    pub fn expires(&self, id: KeyId) -> Option<i64> {
        let expires = self.slim[self.find(id)?.0 as usize].expires;
        (expires != 0).then_some(i64::from(expires))
    }

    /// Records that are not simply accepted.
    pub fn detailed(&self) -> impl Iterator<Item = (At, State, &Detail)> {
        self.details.iter().map(|(&at, detail)| (at, self.slim[at.0 as usize].state, detail))
    }

    /// Keys of the record's parents, in the order of the schema's holding edges.
    pub fn parents(&self, at: At) -> [Option<Key>; 2] {
        self.slim[at.0 as usize].parents.map(|number| self.others.key(number))
    }

    /// The record was decided anew and still waits for what it waited for.
    pub fn clear_due(&mut self, at: At) {
        if let Some(detail) = self.details.get_mut(&at) {
            detail.due = false;
        }
    }

    /// When the record's time is past: seconds since 1970-01-01T00:00:00Z.
    pub fn expiry(&self, at: At) -> Option<i64> {
        let expires = self.slim[at.0 as usize].expires;
        (expires != 0).then_some(i64::from(expires))
    }

    /// The record's time is past at another time than was known.
    pub fn set_expiry(&mut self, at: At, expires: i64) {
        self.slim[at.0 as usize].expires = slim_time(expires);
    }

    /// True when a record is held, rejected, or gives way.
    pub fn any_waits(&self) -> bool {
        [State::Held, State::Rejected, State::Yielded].iter().any(|state| self.by_state[*state as usize] > 0)
    }

    /// The record is to be read again and decided anew.
    pub fn make_due(&mut self, at: At) {
        if let Some(detail) = self.details.get_mut(&at) {
            detail.due = true;
        }
    }

    /// Notes in which run the row of a record was found gone.
    pub fn gone_in(&mut self, at: At, run: u64) {
        if let Some(detail) = self.details.get_mut(&at) {
            detail.gone_in = run;
        }
    }

    /// Finds since when the oldest pending record waits. Done once a cycle: it looks at every detail.
    pub fn find_oldest_pending(&mut self) {
        let waits = |state: State| matches!(state, State::Pending | State::Gone);
        let pending = self.details.iter().filter(|(at, _)| waits(self.slim[at.0 as usize].state));
        self.oldest_pending = pending.map(|(_, detail)| detail.since).min();
    }

    /// The feed's numbers.
    pub fn counts(&self) -> Counts {
        let count = |state: State| self.by_state[state as usize];
        Counts {
            accepted: count(State::Accepted),
            pending: count(State::Pending) + count(State::Gone),
            held: count(State::Held),
            rejected: count(State::Rejected) + self.findings,
            unknown: count(State::Unknown),
            oldest_pending: self.oldest_pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_known_while_a_read_runs_is_not_missed_for_having_no_row_in_it() {
        let mut index = Index::default();
        index.put(&Entry::new(Key::Guid(1)), 0);
        index.begin_read();
        index.take_over(Key::Guid(2), [None, None], 0);
        assert_eq!(index.unseen(), [KeyId(1)]);
        index.begin_read();
        assert_eq!(index.unseen(), [KeyId(1), KeyId(2)], "the next read looks for it");
    }
}
