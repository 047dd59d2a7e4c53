//! The mart: what the gateway has stored, with the indices that keep every check and cascade off a table scan.
//!
//! Records are kept as compact JSON text: a million slots fit where parsed objects would not.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};

use super::Records;
use super::form;
use super::subsystem::Subsystem;

/// Everything stored.
pub(super) struct Mart {
    tables: [Table; Subsystem::ALL.len()],
    places: HashMap<Place, u128>,
    units: Units,
    canceled_slot_holds_place: bool,
    /// Slots that the gateway booked itself, each with the booking that the hospital named.
    booked: HashMap<u128, u128>,
}

#[derive(Default)]
struct Table {
    records: BTreeMap<u128, Stored>,
    /// Ids of this table by the parent they name. Ids of units and resources never meet: both are GUIDs.
    by_parent: HashMap<u128, HashSet<u128>>,
}

struct Stored {
    text: Box<str>,
    facts: Facts,
}

/// What the mart must know of a record without reading it again.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Ids of its parents, in the order of [`Subsystem::parents`].
    pub(super) parents: [Option<u128>; 2],
    /// The unit a record without parents belongs to.
    pub(super) unit: Option<u128>,
    /// What only one record may hold.
    pub(super) place: Option<Place>,
    /// `status` of a slot.
    pub(super) status: SlotStatus,
    /// Start of a slot: seconds on the mart's clock.
    pub(super) visit_time: i64,
    /// A book whose slot must be RECORDED.
    pub(super) needs_recorded: bool,
    /// A book that stands and is still to come (5000).
    pub(super) is_to_come: bool,
}

/// What matters of a slot's status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum SlotStatus {
    /// Not a slot, or one in any other status.
    #[default]
    Other,
    /// Set by a slot that carries a book.
    Recorded,
    /// Set by a slot that has been given up.
    Canceled,
}

/// What only one record of the mart may hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// The name of a unit (section 5.1).
    Name(Box<str>),
    /// A resource at a time (section 5.4).
    Visit(u128, i64),
}

/// Why a record cannot be stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    /// The parent named by this field is not in the mart.
    NoParent(&'static str, Subsystem),
    /// The book's slot is there but not RECORDED.
    SlotNotRecorded,
    /// Another record holds the place.
    PlaceTaken(u128),
    /// The gateway booked the slot itself, and the hospital named another booking then.
    BookedAs(u128),
}

/// Errors and blocks of units.
#[derive(Default)]
struct Units {
    block_after: Option<u32>,
    errors: HashMap<u128, u32>,
    blocked: BTreeSet<u128>,
}

impl Mart {
    pub(super) fn new(canceled_slot_holds_place: bool, block_after: Option<u32>) -> Self {
        Mart {
            tables: Default::default(),
            places: HashMap::new(),
            booked: HashMap::new(),
            units: Units { block_after, ..Units::default() },
            canceled_slot_holds_place,
        }
    }

    /// What stands against storing a record, if anything.
    pub(super) fn conflict(&self, subsystem: Subsystem, key: u128, facts: &Facts) -> Option<Conflict> {
        for ((field, parent), id) in subsystem.parents().iter().zip(facts.parents) {
            if !id.is_some_and(|id| self.holds(*parent, id)) {
                return Some(Conflict::NoParent(field, *parent));
            }
        }
        if facts.needs_recorded && !self.slot_is_recorded(facts) {
            return Some(Conflict::SlotNotRecorded);
        }
        let booked = facts.parents[0].filter(|_| subsystem == Subsystem::Book && facts.is_to_come);
        if let Some(book) = booked.and_then(|slot| self.booked.get(&slot)).filter(|book| **book != key) {
            return Some(Conflict::BookedAs(*book));
        }
        let holder = self.claimed(facts).and_then(|place| self.places.get(place)).copied();
        holder.filter(|holder| *holder != key).map(Conflict::PlaceTaken)
    }

    /// The gateway has booked a slot: the hospital answered with this booking.
    pub(super) fn book(&mut self, slot: u128, book: u128) {
        self.booked.insert(slot, book);
    }

    /// The gateway has cancelled what it booked.
    pub(super) fn cancel(&mut self, slot: u128) {
        self.booked.remove(&slot);
    }

    /// Stores a whole record over whatever had its id.
    pub(super) fn store(&mut self, subsystem: Subsystem, key: u128, text: Box<str>, facts: Facts) {
        self.take_out(subsystem, key);
        if let Some(place) = self.claimed(&facts).cloned() {
            self.places.insert(place, key);
        }
        let table = self.table_mut(subsystem);
        for parent in facts.parents.into_iter().flatten() {
            table.by_parent.entry(parent).or_default().insert(key);
        }
        table.records.insert(key, Stored { text, facts });
    }

    /// Removes a record with everything the document's cascade names; how many went, zero when it was not there.
    pub(super) fn remove(&mut self, subsystem: Subsystem, key: u128) -> u64 {
        let mut removed = 0;
        let mut pending = vec![(subsystem, key)];
        while let Some((subsystem, key)) = pending.pop() {
            if !self.take_out(subsystem, key) {
                continue;
            }
            removed += 1;
            for child in subsystem.cascade() {
                let ids = self.table(*child).by_parent.get(&key).into_iter().flatten();
                pending.extend(ids.map(|id| (*child, *id)));
            }
        }
        removed
    }

    fn take_out(&mut self, subsystem: Subsystem, key: u128) -> bool {
        let table = self.table_mut(subsystem);
        let Some(old) = table.records.remove(&key) else { return false };
        for parent in old.facts.parents.into_iter().flatten() {
            if let Some(ids) = table.by_parent.get_mut(&parent) {
                ids.remove(&key);
                if ids.is_empty() {
                    table.by_parent.remove(&parent);
                }
            }
        }
        if let Some(place) = old.facts.place.filter(|place| self.places.get(place) == Some(&key)) {
            self.places.remove(&place);
        }
        true
    }

    fn claimed<'a>(&self, facts: &'a Facts) -> Option<&'a Place> {
        let given_up = facts.status == SlotStatus::Canceled && !self.canceled_slot_holds_place;
        facts.place.as_ref().filter(|_| !given_up)
    }

    fn slot_is_recorded(&self, book: &Facts) -> bool {
        let slot = book.parents[0].and_then(|id| self.table(Subsystem::Slot).records.get(&id));
        slot.is_some_and(|slot| slot.facts.status == SlotStatus::Recorded)
    }

    fn table(&self, subsystem: Subsystem) -> &Table {
        &self.tables[subsystem.index()]
    }

    fn table_mut(&mut self, subsystem: Subsystem) -> &mut Table {
        &mut self.tables[subsystem.index()]
    }
}

/// Reading.
impl Mart {
    pub(super) fn len(&self, subsystem: Subsystem) -> usize {
        self.table(subsystem).records.len()
    }

    pub(super) fn holds(&self, subsystem: Subsystem, key: u128) -> bool {
        self.table(subsystem).records.contains_key(&key)
    }

    pub(super) fn get(&self, subsystem: Subsystem, key: u128) -> Option<Value> {
        self.table(subsystem).records.get(&key).map(|stored| parse(&stored.text))
    }

    /// The records of a subsystem that name a parent, in the order of their ids.
    pub(super) fn children(&self, subsystem: Subsystem, parent: u128) -> Vec<Value> {
        self.select_children(subsystem, parent, |_| true)
    }

    /// The slots of a resource that start in a span of seconds, its end excluded.
    pub(super) fn slots_between(&self, resource: u128, from: i64, until: i64) -> Vec<Value> {
        self.select_children(Subsystem::Slot, resource, |facts| (from..until).contains(&facts.visit_time))
    }

    fn select_children(&self, subsystem: Subsystem, parent: u128, wanted: impl Fn(&Facts) -> bool) -> Vec<Value> {
        let table = self.table(subsystem);
        let mut ids: Vec<u128> = table.by_parent.get(&parent).into_iter().flatten().copied().collect();
        ids.sort_unstable();
        let stored = ids.iter().filter_map(|id| table.records.get(id));
        stored.filter(|stored| wanted(&stored.facts)).map(|stored| parse(&stored.text)).collect()
    }

    /// The units of a medical organization, or the one unit with this OID of its own.
    pub(super) fn units_of_oid(&self, oid: &str) -> Vec<Value> {
        let units = self.table(Subsystem::Mo).records.values().map(|stored| parse(&stored.text));
        let named = |unit: &Value| ["parent_id", "branch_oid"].iter().any(|field| unit[*field].as_str() == Some(oid));
        units.filter(named).collect()
    }

    pub(super) fn snapshot(&self, subsystem: Subsystem) -> Records {
        self.page(subsystem, None, usize::MAX).0
    }

    /// Some records in the order of their ids, and the id to go on after when there are more.
    pub(super) fn page(&self, subsystem: Subsystem, after: Option<u128>, limit: usize) -> (Records, Option<String>) {
        let first = after.and_then(|key| key.checked_add(1)).unwrap_or(0);
        let mut rest = self.table(subsystem).records.range(first..);
        let mut last = None;
        let records = rest.by_ref().take(limit).map(|(key, stored)| {
            last = Some(*key);
            (form::print_guid(*key), parse_object(&stored.text))
        });
        let records = records.collect();
        (records, last.filter(|_| rest.next().is_some()).map(form::print_guid))
    }
}

/// Units that send too many errors (405 in the document's table of codes).
impl Mart {
    /// The unit whose block would stop a record.
    pub(super) fn unit_of(&self, subsystem: Subsystem, key: u128, facts: &Facts) -> Option<u128> {
        match subsystem {
            Subsystem::Mo => Some(key),
            // Other hospitals' units are none of the account's.
            Subsystem::Referral => facts.unit.filter(|unit| self.holds(Subsystem::Mo, *unit)),
            Subsystem::Resource | Subsystem::Slot => facts.parents[0],
            Subsystem::Service | Subsystem::ProfilecodeResource | Subsystem::UnaccessablePeriod => {
                self.unit_of_parent(Subsystem::Resource, facts)
            }
            Subsystem::Book => self.unit_of_parent(Subsystem::Slot, facts),
        }
    }

    fn unit_of_parent(&self, parent: Subsystem, facts: &Facts) -> Option<u128> {
        facts.parents[0].and_then(|id| self.table(parent).records.get(&id)).and_then(|stored| stored.facts.parents[0])
    }

    /// True when units are counted at all, so that callers may skip naming them.
    pub(super) fn counts_errors(&self) -> bool {
        self.units.block_after.is_some()
    }

    pub(super) fn is_blocked(&self, unit: u128) -> bool {
        self.units.blocked.contains(&unit)
    }

    /// Notes a refused record of a unit; at the set number the unit is blocked and, as the document says, its `enabled`
    /// becomes NONE.
    pub(super) fn note_error(&mut self, unit: u128) {
        let Some(limit) = self.units.block_after else { return };
        let errors = self.units.errors.entry(unit).or_default();
        *errors = errors.saturating_add(1);
        if *errors >= limit && self.units.blocked.insert(unit) {
            self.close(unit);
        }
    }

    /// Lets updates of a unit pass again. It stays closed until its own record is sent anew: the document promises nothing else.
    pub(super) fn unblock(&mut self, unit: u128) -> bool {
        self.units.errors.remove(&unit);
        self.units.blocked.remove(&unit)
    }

    pub(super) fn blocked_units(&self) -> Vec<String> {
        self.units.blocked.iter().copied().map(form::print_guid).collect()
    }

    fn close(&mut self, unit: u128) {
        if let Some(stored) = self.table_mut(Subsystem::Mo).records.get_mut(&unit) {
            let mut record = parse_object(&stored.text);
            record.insert("enabled".to_owned(), "NONE".into());
            stored.text = Value::Object(record).to_string().into();
        }
    }
}

/// Stored text was printed from a parsed record, so it always reads back.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn parse_object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: u128 = 1;
    const DOCTOR: u128 = 2;

    fn put(mart: &mut Mart, subsystem: Subsystem, key: u128, parents: [Option<u128>; 2]) {
        mart.store(subsystem, key, "{}".into(), Facts { parents, ..Facts::default() });
    }

    fn slot(time: i64, status: SlotStatus) -> Facts {
        let place = Some(Place::Visit(DOCTOR, time));
        Facts { parents: [Some(UNIT), Some(DOCTOR)], place, status, visit_time: time, ..Facts::default() }
    }

    fn mart() -> Mart {
        let mut mart = Mart::new(false, None);
        put(&mut mart, Subsystem::Mo, UNIT, [None, None]);
        put(&mut mart, Subsystem::Resource, DOCTOR, [Some(UNIT), None]);
        mart
    }

    #[test]
    fn removing_a_unit_takes_what_the_document_names_and_leaves_the_rest() {
        let mut mart = mart();
        put(&mut mart, Subsystem::Service, 3, [Some(DOCTOR), None]);
        put(&mut mart, Subsystem::ProfilecodeResource, 4, [Some(DOCTOR), None]);
        put(&mut mart, Subsystem::UnaccessablePeriod, 5, [Some(DOCTOR), None]);
        mart.store(Subsystem::Slot, 6, "{}".into(), slot(0, SlotStatus::Recorded));
        put(&mut mart, Subsystem::Book, 7, [Some(6), None]);
        assert_eq!(mart.remove(Subsystem::Mo, UNIT), 5);
        let left = Subsystem::ALL.map(|subsystem| mart.len(subsystem));
        assert_eq!(left, [0, 0, 0, 1, 1, 0, 0, 0]);
        assert_eq!(mart.remove(Subsystem::Mo, UNIT), 0);
    }

    #[test]
    fn a_moved_slot_frees_its_old_time() {
        let mut mart = mart();
        mart.store(Subsystem::Slot, 6, "{}".into(), slot(0, SlotStatus::Other));
        assert_eq!(mart.conflict(Subsystem::Slot, 7, &slot(0, SlotStatus::Other)), Some(Conflict::PlaceTaken(6)));
        mart.store(Subsystem::Slot, 6, "{}".into(), slot(60, SlotStatus::Other));
        assert_eq!(mart.conflict(Subsystem::Slot, 7, &slot(0, SlotStatus::Other)), None);
    }

    #[test]
    fn a_canceled_slot_gives_its_time_up_unless_set_otherwise() {
        for (holds, expected) in [(false, None), (true, Some(Conflict::PlaceTaken(6)))] {
            let mut mart = Mart { canceled_slot_holds_place: holds, ..mart() };
            mart.store(Subsystem::Slot, 6, "{}".into(), slot(0, SlotStatus::Canceled));
            assert_eq!(mart.conflict(Subsystem::Slot, 7, &slot(0, SlotStatus::Other)), expected);
        }
    }

    #[test]
    fn removing_a_canceled_slot_leaves_the_time_with_its_new_holder() {
        let mut mart = mart();
        mart.store(Subsystem::Slot, 6, "{}".into(), slot(0, SlotStatus::Canceled));
        mart.store(Subsystem::Slot, 7, "{}".into(), slot(0, SlotStatus::Other));
        mart.remove(Subsystem::Slot, 6);
        assert_eq!(mart.conflict(Subsystem::Slot, 8, &slot(0, SlotStatus::Other)), Some(Conflict::PlaceTaken(7)));
    }

    #[test]
    fn a_page_ends_with_where_to_go_on() {
        let mut mart = Mart::new(false, None);
        (1..=3).for_each(|key| put(&mut mart, Subsystem::Mo, key, [None, None]));
        let (first, next) = mart.page(Subsystem::Mo, None, 2);
        assert_eq!((first.len(), next.as_deref()), (2, Some("00000000-0000-0000-0000-000000000002")));
        let (rest, next) = mart.page(Subsystem::Mo, Some(2), 2);
        assert_eq!((rest.len(), next), (1, None));
    }
}
