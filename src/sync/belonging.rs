//! Belonging: to which unit the portal counts a record. A block stops a unit with all that the portal holds of it, while a row may have
//! moved to another unit long before the portal hears of it; so this is told from the versions that are there, not from the row.

use std::sync::MutexGuard;

use super::index::{At, Index};
use super::line::{FeedLine, Line};
use crate::ledger::Ledger;
use crate::portal::Portal;
use crate::record::{Key, Schema, Unit};
use crate::source::Source;

/// Tells the units of a feed's records. While it lives, the feed of the parents is locked by whose units they go.
pub(super) struct Belonging<'a> {
    schema: &'static Schema,
    parent: Option<(usize, &'static Schema, MutexGuard<'a, Index>)>,
}

impl Belonging<'_> {
    /// Units to which the portal may count a record: more than one while nobody knows which version of it, or of its parent, is there. Of
    /// a record that the portal never held, the unit that its row names.
    pub(super) fn units(&self, index: &Index, at: At) -> Vec<Key> {
        let Some((edge, schema, parents)) = &self.parent else { return own_units(self.schema, index, at) };
        let hangs_on = index.parents_at_portal(at);
        let named = hangs_on.iter().filter_map(|keys| keys[*edge].as_ref());
        let found = named.filter_map(|key| parents.find(key.id()));
        let units = distinct(found.flat_map(|parent| own_units(schema, parents, parent)));
        if hangs_on.is_empty() { index.unit(at).into_iter().collect() } else { units }
    }
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Tells the units of the records of a feed, whose index is locked already, if it has to be: children are locked before parents.
    pub(super) fn belonging<'a>(&'a self, feed: &FeedLine<S>) -> Belonging<'a> {
        let schema = feed.plan.schema;
        let parent = match schema.unit {
            Unit::OfParent(field) => edge_of(schema, field).and_then(|(edge, parent)| {
                let parent = self.feeds.get(parent)?;
                Some((edge, parent.plan.schema, parent.index()))
            }),
            Unit::Itself | Unit::Field(_) | Unit::FieldIfOurs(_) | Unit::None => None,
        };
        Belonging { schema, parent }
    }

    /// Units to which the portal may count a record that is to go.
    pub(super) fn units_at_portal(&self, feed: &FeedLine<S>, key: &Key) -> Vec<Key> {
        let index = feed.index();
        index.find(key.id()).map(|at| self.belonging(feed).units(&index, at)).unwrap_or_default()
    }
}

/// Units to which the portal may count a record that is a unit, or names its own.
pub(super) fn own_units(schema: &Schema, index: &Index, at: At) -> Vec<Key> {
    let edge = match schema.unit {
        Unit::Itself => return vec![index.key(at)],
        Unit::Field(field) => edge_of(schema, field).map(|(edge, _)| edge),
        // No edge that holds leads to it: what is remembered is the unit of the row.
        Unit::FieldIfOurs(_) | Unit::OfParent(_) | Unit::None => None,
    };
    let hangs_on = index.parents_at_portal(at);
    match edge.filter(|_| !hangs_on.is_empty()) {
        Some(edge) => distinct(hangs_on.into_iter().filter_map(|keys| keys.into_iter().nth(edge).flatten())),
        None => index.unit(at).into_iter().collect(),
    }
}

/// The holding edge that a field names: its position, and the parent's feed.
fn edge_of(schema: &Schema, field: &str) -> Option<(usize, &'static str)> {
    schema.holding_edges().enumerate().find(|(_, edge)| edge.field == field).map(|(at, edge)| (at, edge.feed))
}

fn distinct(units: impl Iterator<Item = Key>) -> Vec<Key> {
    let mut all = Vec::new();
    units.for_each(|unit| {
        if !all.contains(&unit) {
            all.push(unit);
        }
    });
    all
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::ledger::{Entry, Mark, State};
    use crate::portal::fer::SCHEMAS;
    use crate::record::Fingerprint;

    const ONE: Key = Key::Guid(1);
    const TWO: Key = Key::Guid(2);
    const OLD: Fingerprint = Fingerprint(10);
    const NEW: Fingerprint = Fingerprint(11);

    fn schema(feed: &str) -> &'static Schema {
        SCHEMAS.iter().find(|schema| schema.feed == feed).unwrap()
    }

    fn entry(state: State, accepted: Fingerprint, parent: Key) -> Entry {
        let mut entry = Entry::new(Key::Guid(7));
        entry.state = state;
        entry.accepted = Some(accepted);
        entry.parents = [Some(parent.clone()), None];
        entry.unit = Some(parent);
        entry
    }

    /// A record that the portal holds in the first unit, and whose row names the second by now.
    fn moved_in_the_source() -> (Index, At) {
        let mut index = Index::default();
        index.put(&entry(State::Accepted, OLD, ONE), 0);
        let held = Entry { wanted: Some(NEW), ..entry(State::Held, OLD, TWO) };
        let at = index.put(&held, 0);
        (index, at)
    }

    #[test]
    fn a_record_is_of_the_unit_of_what_the_portal_holds_of_it() {
        let (mut index, at) = moved_in_the_source();
        assert_eq!(own_units(schema("slot"), &index, at), [ONE]);
        let sent = Entry { wanted: Some(NEW), mark: Some(Mark::Version(NEW)), ..entry(State::Pending, OLD, TWO) };
        index.put(&sent, 0);
        assert_eq!(own_units(schema("slot"), &index, at), [ONE, TWO], "nobody knows which version is there");
        index.put(&entry(State::Accepted, NEW, TWO), 0);
        assert_eq!(own_units(schema("slot"), &index, at), [TWO]);
    }

    #[test]
    fn one_that_the_portal_never_held_is_of_the_unit_that_its_row_names() {
        let mut index = Index::default();
        let at = index.put(&Entry { accepted: None, ..entry(State::Held, OLD, TWO) }, 0);
        assert_eq!(own_units(schema("slot"), &index, at), [TWO]);
    }

    #[test]
    fn a_child_goes_with_what_the_portal_holds_of_its_parent() {
        let (resources, resource) = moved_in_the_source();
        let named = resources.key(resource);
        let mut profiles = Index::default();
        let profile = profiles.put(&Entry { unit: Some(TWO), ..entry(State::Accepted, OLD, named) }, 0);
        let resources = Mutex::new(resources);
        let parent = Some((0, schema("resource"), resources.lock().unwrap()));
        let belonging = Belonging { schema: schema("profilecode_resource"), parent };
        assert_eq!(belonging.units(&profiles, profile), [ONE]);
    }
}
