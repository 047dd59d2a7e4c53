//! Planning: each row of a read meets what is remembered of its record, and is dropped, held, refused or put into a request.

mod late;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::MutexGuard;

use late::Late;

use super::belonging::own_units;
use super::contest::{self, Contest, Want, Wants};
use super::examination::Examined;
use super::index::{At, Index, Standing};
use super::line::FeedLine;
use super::outgoing::Outgoing;
use super::report::CycleReport;
use super::said::{self, Said};
use super::units::{Admission, Gate};
use crate::ledger::{Entry, Mark, Refusal, Settlement, State};
use crate::portal::{Abilities, Unfit};
use crate::record::{
    Edge, Encoder, Expiry, Fingerprint, Hold, Key, KeyId, Record, Row, RowChunk, Schema, Unit, Violation,
};
use crate::source::Source;

/// Most findings (rows without a key, second rows of a key) that are kept with their text; the rest are counted.
const MOST_FINDINGS: usize = 1000;
/// Code of a row that our own checks refuse.
pub(super) const CHECK: &str = "CHECK";
/// Code of a record that waits for a parent.
pub(super) const PARENT: &str = "PARENT";
/// Code of a record that waits for a place which another record holds.
pub(super) const PLACE: &str = "PLACE";
/// Code of a record that waits for a file.
pub(super) const FILE: &str = "FILE";
/// Code of a second row with one key.
pub(super) const DUPLICATE_KEY: &str = "DUPLICATE_KEY";

/// What planning sees of a parent's feed.
pub(super) struct ParentFeed<'a> {
    edge: &'static Edge,
    schema: &'static Schema,
    index: MutexGuard<'a, Index>,
    /// Index in the parent's enum of the status that the edge asks for.
    status: Option<u8>,
    /// True once the feed was read to its end: only then is a record that is not known none of ours.
    is_read: bool,
}

/// The plan of one read, growing row by row.
pub(super) struct Plan {
    pub(super) encoder: Encoder,
    /// The request that is being filled.
    pub(super) filling: Outgoing,
    /// Requests that are full.
    pub(super) full: Vec<Outgoing>,
    /// What the ledger is to hear without a request.
    pub(super) notes: Settlement,
    /// Rows that are no records.
    pub(super) findings: Vec<Refusal>,
    /// Records whose place another record holds.
    pub(super) contested: Vec<Contest>,
    /// Records of which it is known that another row claims their place as well.
    pub(super) faults: Vec<Contest>,
    /// Which place each row wants, where somebody asked.
    pub(super) wants: Option<Wants>,
    /// What the read came to so far.
    pub(super) report: CycleReport,
    /// True when refusals that the ledger has already are told again: in a dry run somebody wants to see them.
    pub(super) tells_all: bool,
    /// What the portal can do with these records.
    pub(super) abilities: Abilities,
    /// Records whose rows an earlier read of the cycle has brought and counted.
    pub(super) counted: BTreeSet<KeyId>,
    /// The units that are ours, where records may name others'.
    pub(super) own_units: BTreeSet<KeyId>,
    now: i64,
    batch: usize,
    max_batch_bytes: usize,
    gate: Gate,
    known: Vec<Option<At>>,
    guess: At,
    /// Statuses under which a record gives its place up.
    yields: Vec<u8>,
    /// Records that would take a place which they give up to any other, and those whose key has had a second row: they wait until all
    /// others of the read have their places.
    late: Vec<Late>,
    /// The body of a record that was late.
    late_body: Option<Box<[u8]>>,
}

/// Why a record is not sent now.
enum Obstacle {
    Parent {
        feed: &'static str,
        key: Key,
        rejected: bool,
        needs_status: bool,
    },
    /// Its parent gives way to another record, which is no fault: it rests with it.
    ParentYields,
    UnitPaused,
    PlaceTaken {
        holder: At,
        place: u64,
    },
}

impl Plan {
    pub(super) fn new(encoder: Encoder, batch: usize, max_batch_bytes: usize, gate: Gate, now: i64) -> Self {
        Plan {
            yields: encoder.schema().yielding_statuses().collect(),
            late: Vec::new(),
            late_body: None,
            encoder,
            filling: Outgoing::default(),
            full: Vec::new(),
            notes: Settlement::default(),
            findings: Vec::new(),
            contested: Vec::new(),
            faults: Vec::new(),
            wants: None,
            report: CycleReport::default(),
            tells_all: false,
            abilities: Abilities::KEYED,
            counted: BTreeSet::new(),
            own_units: BTreeSet::new(),
            now,
            batch: batch.max(1),
            max_batch_bytes,
            gate,
            known: Vec::new(),
            guess: At::FIRST,
        }
    }

    /// When the read began.
    pub(super) fn now(&self) -> i64 {
        self.now
    }

    /// Gives back what was planned and will not be sent.
    pub(super) fn give_back(&mut self, index: &mut Index) {
        self.close_filling();
        for outgoing in std::mem::take(&mut self.full) {
            self.report.sent -= outgoing.len() as u64;
            outgoing.put_back(index);
        }
    }

    /// Plans the rows of a chunk.
    pub(super) fn take_chunk<S: Source>(&mut self, feed: &FeedLine<S>, parents: &[&FeedLine<S>], chunk: &RowChunk) {
        self.take_rows(feed, parents, chunk, 0..chunk.len(), Vec::new());
    }

    /// Plans some rows of a chunk, with what was found of each where they were examined.
    pub(super) fn take_rows<S: Source>(
        &mut self,
        feed: &FeedLine<S>,
        parents: &[&FeedLine<S>],
        chunk: &RowChunk,
        rows: Range<usize>,
        examined: Vec<Examined>,
    ) {
        let mut index = feed.index();
        let parents = lock_parents(feed, parents);
        // Looked up one by one, each record waits for memory; looked up in a row, the waits overlap.
        let mut known = std::mem::take(&mut self.known);
        known.clear();
        let rows = || chunk.rows().skip(rows.start).take(rows.len());
        for row in rows() {
            let at = self.encoder.guid_key(row).and_then(|id| index.find_near(id, self.guess));
            self.guess = at.map_or(self.guess, At::next);
            known.push(at);
        }
        let mut examined = examined.into_iter();
        for (row, known) in rows().zip(&known) {
            let examined = examined.next().flatten();
            if known.is_some_and(|at| self.counted.contains(&index.id(at))) {
                self.take_row_again(&mut index, &parents, row, *known, examined);
                continue;
            }
            self.report.rows += 1;
            self.take_row(&mut index, &parents, row, *known, examined);
        }
        self.known = known;
    }

    /// A row that another read of the cycle has brought already: it is counted once, and whatever follows from it by now does follow.
    fn take_row_again(
        &mut self,
        index: &mut Index,
        parents: &[Option<ParentFeed<'_>>],
        row: Row<'_>,
        known: Option<At>,
        examined: Examined,
    ) {
        let sent = self.report.sent;
        let counted = std::mem::replace(&mut self.report, CycleReport { sent, ..CycleReport::default() });
        self.take_row(index, parents, row, known, examined);
        let again = std::mem::replace(&mut self.report, counted);
        self.report.sent = again.sent;
        self.report.findings += again.findings;
        self.report.missing.extend(again.missing);
    }

    /// `known` is where the row's record was found before the chunk was begun; it may have become known since.
    fn take_row(
        &mut self,
        index: &mut Index,
        parents: &[Option<ParentFeed<'_>>],
        row: Row<'_>,
        known: Option<At>,
        examined: Examined,
    ) {
        let mut sound = self.encoder.encode(row);
        let mut awaited = None;
        match examined.filter(|_| sound) {
            None => {}
            Some(Ok(whole)) => {
                self.encoder.examine(|body| {
                    *body = whole;
                    Ok(())
                });
            }
            Some(Err(Unfit::Broken(broken))) => sound = self.encoder.examine(|_| Err(broken)),
            Some(Err(Unfit::Awaits { field, file })) => (sound, awaited) = (false, Some((field, file))),
        }
        let known = known.or_else(|| self.encoder.key_id().and_then(|id| index.find(id)));
        if let Some(at) = known {
            if !index.see(at) {
                return self.take_duplicate(index, parents, at, sound);
            }
            if sound && index.holds(at, self.encoder.fingerprint()) {
                self.report.unchanged += 1;
                return self.tell(index.id(at), index.place(at), index.status(at));
            }
        }
        if let Some(file) = awaited {
            return self.await_file(index, known, file);
        }
        if !sound {
            return self.refuse_row(index, known, row);
        }
        let Some(record) = self.encoder.record() else { return };
        self.tell(record.key.id(), record.place, record.status);
        match known {
            Some(at) => self.take_known(index, parents, at, record),
            None => self.send_or_hold(index, parents, None, record),
        }
    }

    /// Notes which place a row wants, if somebody asked.
    pub(super) fn tell(&mut self, id: KeyId, place: Option<u64>, status: Option<u8>) {
        let yields = self.yields(status);
        if let Some(wants) = &mut self.wants {
            wants.insert(id, Want { place, yields });
        }
    }

    /// True when a record of this status gives its place up to another.
    fn yields(&self, status: Option<u8>) -> bool {
        status.is_some_and(|status| self.yields.contains(&status))
    }

    /// The body of the record that is planned.
    fn body(&self) -> &[u8] {
        self.late_body.as_deref().unwrap_or(self.encoder.body())
    }

    fn find(&mut self, key: Option<Key>, code: &str, violations: Vec<Violation>) {
        self.report.findings += 1;
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(refusal(key, State::Rejected, code, violations, Said::nothing(), self.now));
        }
    }

    /// A row that breaks rules. What the portal holds of its record stays there.
    fn refuse_row(&mut self, index: &mut Index, known: Option<At>, row: Row<'_>) {
        self.report.invalid += 1;
        if let Some(id) = self.encoder.key_id() {
            // The row stays where it is.
            self.tell(id, None, None);
        }
        let violations = self.encoder.violations().to_vec();
        let Some(key) = self.encoder.key() else {
            let name = self.encoder.unreadable_key(row);
            return self.find(name, CHECK, violations);
        };
        let wanted = fingerprint_of(&violations);
        if let Some(at) = known {
            index.wait_no_longer(at);
            if index.in_flight(at) {
                return see_in_flight(index, at, wanted);
            }
            if index.state(at) == State::Unknown {
                return self.await_outcome(index, at, wanted);
            }
            let detail = index.detail(at);
            let known =
                index.state(at) == State::Rejected && detail.is_some_and(|detail| detail.wanted == Some(wanted));
            if known && !self.tells_all {
                return index.clear_due(at);
            }
        }
        let mut entry = known.map_or_else(|| Entry::new(key.clone()), |at| index.entry(at));
        entry.state = State::Rejected;
        entry.wanted = Some(wanted);
        // Only the row can cure this.
        entry.next_attempt = None;
        self.note(
            index,
            entry,
            Some(refusal(Some(key), State::Rejected, CHECK, violations, Said::nothing(), self.now)),
        );
    }

    /// States a record anew in the index and, with the next notes, in the ledger.
    pub(super) fn note(&mut self, index: &mut Index, entry: Entry, refused: Option<Refusal>) {
        match refused {
            Some(refused) => self.notes.refused.push(refused),
            None => self.notes.cleared.push(entry.key.clone()),
        }
        let at = index.put(&entry, self.now);
        self.notes.entries.push(entry);
        index.see(at);
    }

    fn take_known(&mut self, index: &mut Index, parents: &[Option<ParentFeed<'_>>], at: At, record: Record) {
        if index.in_flight(at) {
            return see_in_flight(index, at, record.fingerprint);
        }
        if self.awaits_second(index, at, &record) {
            return self.put_off(Some(at), record);
        }
        let named = record.remote_id.is_some() && index.detail(at).is_none_or(|detail| detail.remote_id.is_none());
        if index.state(at) == State::Unknown && !named {
            return self.await_outcome(index, at, record.fingerprint);
        }
        if self.still_makes_way(index, at, &record) {
            self.report.yielded += 1;
            return index.clear_due(at);
        }
        let marked = index.detail(at).is_some_and(|detail| detail.mark.is_some());
        let is_held = index.accepted(at) == Some(record.fingerprint) && !marked;
        if is_held && !self.is_turned_down(index, at, record.fingerprint) {
            // The row went back to what the portal holds: nothing is wanted any more, and no other place.
            index.wait_no_longer(at);
            let mut entry = index.entry(at);
            entry.state = State::Accepted;
            entry.unit = self.unit_of(&record, parents);
            entry.wanted = None;
            entry.parents = record.parents;
            entry.attempts = 0;
            entry.next_attempt = None;
            self.report.unchanged += 1;
            self.remark(record.key, None);
            return self.note(index, entry, None);
        }
        // Under the id that the row names by now it is another request.
        if !named && self.waits(index, at, record.fingerprint) {
            self.report.postponed += 1;
            return;
        }
        if self.cannot_change(index, at, record.fingerprint) {
            return self.refuse_change(index, at, &record);
        }
        self.send_or_hold(index, parents, Some(at), record);
    }

    /// True when a record is being taken away for another that wants its place, and its row still gives it up.
    fn still_makes_way(&self, index: &Index, at: At, record: &Record) -> bool {
        index.state(at) == State::Yielded
            && index.may_be_at_portal(at)
            && self.yields(record.status)
            && record.place.is_some_and(|place| index.may_be_at(at, place) && index.is_wanted(place, at))
    }

    /// A record gives its place up from now on: whoever was refused for it may have it.
    fn contest_those_refused_for(&mut self, index: &Index, at: At, key: &Key, place: u64) {
        let refused = index.waiting_for(place).filter(|other| {
            *other != at && index.state(*other) == State::Rejected && contest::is_at_fault(index, *other, key)
        });
        let again = |other: At| Contest { key: index.key(other), holder: key.clone(), place, said: None };
        self.contested.extend(refused.map(again));
    }

    /// True when this very version is not to be sent yet.
    fn waits(&self, index: &Index, at: At, version: Fingerprint) -> bool {
        let Some(detail) = index.detail(at) else { return false };
        if detail.wanted != Some(version) || detail.due {
            return false;
        }
        let later = detail.next_attempt.is_none_or(|next| !self.gate.has_come(next, self.now));
        match index.state(at) {
            State::Rejected | State::Unknown => later,
            State::Pending => detail.next_attempt.is_some() && later,
            State::Accepted | State::Held | State::Past | State::Gone | State::Yielded => false,
        }
    }

    fn send_or_hold(
        &mut self,
        index: &mut Index,
        parents: &[Option<ParentFeed<'_>>],
        known: Option<At>,
        record: Record,
    ) {
        let mut entry = known.map_or_else(|| Entry::new(record.key.clone()), |at| index.entry(at));
        entry.unit = self.unit_of(&record, parents);
        // What the portal, or an operator, said of it is newer than what a row says.
        entry.remote_id = entry.remote_id.or_else(|| record.remote_id.clone());
        let expires = self.expiry_of(&record, parents);
        // It speaks of what the portal holds, or may hold, until this version goes out.
        if entry.accepted.is_none() && entry.mark.is_none() {
            entry.expires = expires;
        }
        if let Some((at, place)) = known.zip(record.place)
            && self.yields(record.status)
            && index.place(at) == Some(place)
        {
            self.contest_those_refused_for(index, at, &record.key, place);
        }
        let obstacle = self.obstacle(index, known, &record, &entry, parents);
        if let Some(at) = known.filter(|_| !matches!(obstacle, Some(Obstacle::PlaceTaken { .. }))) {
            // For whatever it waits now, no other has to leave a place for it.
            index.wait_no_longer(at);
        }
        match obstacle {
            None if self.is_late(index, known, &record) => self.put_off(known, record),
            None => match self.gate.admit(entry.unit.as_ref()) {
                Admission::Free => self.send(index, known, Entry { expires, ..entry }, record),
                Admission::Alone => self.send_alone(index, known, Entry { expires, ..entry }, record),
                Admission::Wait => self.postpone(index, known, entry, &record),
            },
            Some(Obstacle::UnitPaused) => self.postpone(index, known, entry, &record),
            Some(Obstacle::PlaceTaken { holder, place }) => self.contest(index, known, entry, record, (holder, place)),
            Some(Obstacle::ParentYields) => self.rest(index, known, entry, record),
            Some(Obstacle::Parent { feed, key, rejected, needs_status }) => {
                self.report.held += 1;
                self.report.missing.insert(feed);
                let same = known
                    .and_then(|at| index.detail(at))
                    .is_some_and(|detail| detail.wanted == Some(record.fingerprint));
                if let Some(at) = known.filter(|at| same && index.state(*at) == State::Held && !self.tells_all) {
                    return index.clear_due(at);
                }
                entry.state = State::Held;
                entry.wanted = Some(record.fingerprint);
                entry.parents = record.parents;
                let text = waiting((feed, &key), rejected, needs_status);
                let refused = refusal(Some(record.key), State::Held, PARENT, Vec::new(), text, self.now);
                self.note(index, entry, Some(refused));
            }
        }
    }

    /// The record hangs on one that gives way: it waits for that one, and nothing is wrong.
    fn rest(&mut self, index: &mut Index, known: Option<At>, mut entry: Entry, record: Record) {
        self.report.yielded += 1;
        let same = |at: &At| {
            index.state(*at) == State::Yielded
                && index.detail(*at).is_some_and(|detail| detail.wanted == Some(record.fingerprint))
        };
        if let Some(at) = known.filter(same) {
            return index.clear_due(at);
        }
        entry.state = State::Yielded;
        entry.wanted = Some(record.fingerprint);
        entry.parents = record.parents;
        entry.attempts = 0;
        entry.next_attempt = None;
        self.note(index, entry, None);
    }

    /// Another record holds the place that this one claims, or is on its way there. Sent now, it would be refused; who may have the place
    /// is decided after the read.
    fn contest(
        &mut self,
        index: &mut Index,
        known: Option<At>,
        mut entry: Entry,
        record: Record,
        (holder, place): (At, u64),
    ) {
        let holder_key = index.key(holder);
        let detail = known.and_then(|at| index.detail(at));
        let wanted = detail.and_then(|detail| detail.wanted);
        let state = known.map(|at| index.state(at));
        if let Some(at) = known {
            index.wait_for_place(place, at);
            let yields = self.yields(record.status);
            // What was decided stands as long as both rows are of the kind that it was decided by.
            let stands = match state {
                Some(State::Yielded) => yields,
                // What the holder's row says by now may be on its way.
                _ => !yields && !index.in_flight(holder) && !self.yields(index.status(holder)),
            };
            let known_fault = stands && contest::is_at_fault(index, at, &holder_key);
            // Who is past has no row any more that could be at fault.
            if known_fault && index.state(holder) != State::Past && !self.tells_all {
                let counter = if yields { &mut self.report.yielded } else { &mut self.report.invalid };
                *counter += 1;
                self.faults.push(Contest { key: record.key, holder: holder_key, place, said: None });
                return index.clear_due(at);
            }
        }
        self.report.held += 1;
        self.contested.push(Contest { key: record.key.clone(), holder: holder_key.clone(), place, said: None });
        if let Some(own) = known.and_then(|at| index.place(at)).filter(|own| *own != place) {
            // Whoever was reported for wanting the place of this record may have it once this one has gone.
            let key = record.key.clone();
            let freed = index.waiting_for(own).filter(|at| contest::is_at_fault(index, *at, &key));
            let again = |at: At| Contest { key: index.key(at), holder: key.clone(), place: own, said: None };
            self.contested.extend(freed.map(again));
        }
        if let Some(at) =
            known.filter(|_| state == Some(State::Held) && wanted == Some(record.fingerprint) && !self.tells_all)
        {
            return index.clear_due(at);
        }
        entry.state = State::Held;
        entry.wanted = Some(record.fingerprint);
        entry.parents = record.parents;
        let text = contest::waiting(self.encoder.schema().feed, &holder_key);
        let refused = refusal(Some(record.key.clone()), State::Held, PLACE, Vec::new(), text, self.now);
        self.note(index, entry, Some(refused));
        if let Some(at) = index.find(record.key.id()) {
            index.wait_for_place(place, at);
        }
    }

    /// The record's unit is paused: it is listed as pending, so that no read by change time leaves it behind.
    fn postpone(&mut self, index: &mut Index, known: Option<At>, mut entry: Entry, record: &Record) {
        self.report.postponed += 1;
        // One that was refused, or held, until now waits for nothing but its unit any more.
        let listed = |at: &At| {
            index.state(*at) == State::Pending
                && index.detail(*at).is_some_and(|detail| detail.wanted == Some(record.fingerprint))
        };
        if let Some(at) = known.filter(listed) {
            return index.clear_due(at);
        }
        entry.state = State::Pending;
        entry.wanted = Some(record.fingerprint);
        entry.parents = record.parents.clone();
        self.note(index, entry, None);
    }

    fn send(&mut self, index: &mut Index, known: Option<At>, mut entry: Entry, record: Record) {
        let before = entry.mark.replace(Mark::before_sending(entry.mark, record.fingerprint));
        entry.state = State::Pending;
        entry.wanted = Some(record.fingerprint);
        entry.parents = record.parents;
        entry.status = record.status;
        entry.place = record.place;
        let body = self.body();
        let too_big = self.filling.len() > 0 && self.filling.batch.bytes() + body.len() > self.max_batch_bytes;
        if too_big {
            self.close_filling();
        }
        let at = index.take(known, &entry);
        index.see(at);
        let body = self.late_body.as_deref().unwrap_or(self.encoder.body());
        self.filling.push(at, entry, before, body);
        self.report.sent += 1;
        if self.filling.len() >= self.batch {
            self.close_filling();
        }
    }

    /// Sends a record in a request of its own: it stands for its unit.
    fn send_alone(&mut self, index: &mut Index, known: Option<At>, entry: Entry, record: Record) {
        let filling = std::mem::take(&mut self.filling);
        self.send(index, known, entry, record);
        self.close_filling();
        self.filling = filling;
        if let Some(sent) = self.full.last_mut() {
            sent.alone = true;
        }
    }

    /// Ends the request that is being filled.
    pub(super) fn close_filling(&mut self) {
        if self.filling.len() > 0 {
            let next = self.filling.of_same_size();
            self.full.push(std::mem::replace(&mut self.filling, next));
        }
    }

    fn unit_of(&self, record: &Record, parents: &[Option<ParentFeed<'_>>]) -> Option<Key> {
        match self.encoder.schema().unit {
            Unit::OfParent(field) => of_parent(field, record, parents, |parent, key| {
                let units = own_units(parent.schema, &parent.index, parent.index.find(key.id())?);
                // While nobody knows which is its parent's, one that is paused keeps it back.
                let paused = units.iter().find(|unit| self.gate.is_paused(unit));
                paused.or(units.first()).cloned()
            }),
            Unit::FieldIfOurs(_) => record.unit.clone().filter(|unit| self.own_units.contains(&unit.id())),
            Unit::Itself | Unit::Field(_) | Unit::None => record.unit.clone(),
        }
    }

    fn expiry_of(&self, record: &Record, parents: &[Option<ParentFeed<'_>>]) -> Option<i64> {
        match self.encoder.schema().expires {
            Expiry::WithParent(field) => {
                of_parent(field, record, parents, |parent, key| parent.index.expires(key.id()))
            }
            Expiry::At(_) | Expiry::Never => record.expires,
        }
    }

    fn obstacle(
        &self,
        index: &Index,
        known: Option<At>,
        record: &Record,
        entry: &Entry,
        parents: &[Option<ParentFeed<'_>>],
    ) -> Option<Obstacle> {
        for (edge, parent) in parents.iter().enumerate() {
            let (Some(parent), Some(key)) = (parent, record.parents.get(edge).and_then(Option::as_ref)) else {
                continue;
            };
            let standing = parent.index.standing(key.id());
            let needs_status = record.needs_status.get(edge) == Some(&true);
            let ready = match (standing, parent.edge.hold) {
                (_, Hold::OrderOnly) => true,
                (Standing::Absent, Hold::AcceptedIfOurs) => parent.is_read,
                (Standing::Absent | Standing::NotAccepted, _) => false,
                (Standing::Accepted(status), Hold::AcceptedAs { .. }) => !needs_status || status == parent.status,
                (Standing::Accepted(_), Hold::Accepted | Hold::AcceptedIfOurs) => true,
            };
            if !ready && parent.index.find(key.id()).is_some_and(|at| parent.index.state(at) == State::Yielded) {
                return Some(Obstacle::ParentYields);
            }
            if !ready {
                let rejected = parent.index.find(key.id()).is_some_and(|at| parent.index.state(at) == State::Rejected);
                return Some(Obstacle::Parent { feed: parent.edge.feed, key: key.clone(), rejected, needs_status });
            }
        }
        if self.gate.keeps_back(entry.unit.as_ref()) {
            return Some(Obstacle::UnitPaused);
        }
        let place = record.place?;
        index.holder(place, known).map(|holder| Obstacle::PlaceTaken { holder, place })
    }
}

/// A record's row was seen while the record is in a request. One that goes with its parent, and whose row says what was refused before, has
/// nothing newer to say.
pub(super) fn see_in_flight(index: &mut Index, at: At, version: Fingerprint) {
    let detail = index.detail(at).filter(|_| index.state(at) == State::Rejected);
    if !detail.is_some_and(|detail| detail.wanted == Some(version) && !detail.due) {
        index.supersede(at);
    }
}

fn of_parent<T>(
    field: &str,
    record: &Record,
    parents: &[Option<ParentFeed<'_>>],
    ask: impl Fn(&ParentFeed<'_>, &Key) -> Option<T>,
) -> Option<T> {
    let (parent, key) = parents
        .iter()
        .zip(&record.parents)
        .find_map(|(parent, key)| parent.as_ref().filter(|parent| parent.edge.field == field).zip(key.as_ref()))?;
    ask(parent, key)
}

/// Locks the indexes of the feeds that the holding edges name; gives them in the edges' order. `parents` stand parents first. An edge to a
/// feed that is off holds nobody back; no two edges of a schema name one feed.
fn lock_parents<'a, S: Source>(feed: &FeedLine<S>, parents: &[&'a FeedLine<S>]) -> Vec<Option<ParentFeed<'a>>> {
    let lock = |edge: &'static Edge| {
        let parent = parents.iter().find(|parent| parent.plan.schema.feed == edge.feed)?;
        let status = match edge.hold {
            Hold::AcceptedAs { status, .. } => parent.plan.schema.status_number(status),
            Hold::Accepted | Hold::AcceptedIfOurs | Hold::OrderOnly => None,
        };
        let schema = parent.plan.schema;
        Some(ParentFeed { edge, schema, index: parent.index(), status, is_read: parent.is_read() })
    };
    // Every feed locks children before parents, so that no two wait for each other.
    let mut edges: Vec<(usize, &'static Edge)> = feed.plan.schema.holding_edges().enumerate().collect();
    edges.sort_by_key(|(_, edge)| {
        std::cmp::Reverse(parents.iter().position(|parent| parent.plan.schema.feed == edge.feed))
    });
    let mut locked: Vec<Option<ParentFeed<'a>>> = edges.iter().map(|_| None).collect();
    for (at, edge) in edges {
        locked[at] = lock(edge);
    }
    locked
}

pub(super) fn waiting((feed, key): (&str, &Key), rejected: bool, needs_status: bool) -> Said {
    let phrase = if rejected {
        said::PARENT_REJECTED
    } else if needs_status {
        said::PARENT_OF_ANOTHER_STATUS
    } else {
        said::PARENT_NOT_THERE
    };
    Said::ours(phrase, &[&format_args!("{feed} {key}")])
}

/// Stands for a set of broken rules, so that an unchanged bad row is not written down anew.
fn fingerprint_of(violations: &[Violation]) -> Fingerprint {
    let mut bytes = Vec::new();
    for violation in violations {
        bytes.extend_from_slice(violation.field.as_bytes());
        bytes.push(b'/');
        bytes.extend_from_slice(violation.rule.name().as_bytes());
        bytes.push(b';');
    }
    Fingerprint::of(&bytes)
}

pub(super) fn refusal(
    key: Option<Key>,
    state: State,
    code: &str,
    violations: Vec<Violation>,
    said: Said,
    since: i64,
) -> Refusal {
    Refusal { key, state, code: code.to_owned(), violations, text: said.into_text(), since }
}
