//! Cascades: what hangs on a record that is to be removed. What the portal removes by itself follows in the ledger; what it does not
//! is removed first.

use std::collections::{BTreeMap, BTreeSet};

use super::fuse::Loss;
use super::index::{At, Index};
use super::line::{FeedLine, Line};
use crate::ledger::{Ledger, State};
use crate::portal::{Portal, Removal};
use crate::record::{Hold, Key, KeyId, Schema};
use crate::source::Source;

/// Everything that hangs on some records, by feed, parents first.
#[derive(Debug, Default)]
pub(super) struct Subtree {
    pub(super) feeds: BTreeMap<&'static str, Vec<At>>,
}

/// What becomes at the portal of a record whose row hangs on one that is removed, as far as the portal removes it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes, or is not there.
    Goes,
    /// A version of it that may be there hangs on what goes, or may go, and another does not; or it is in doubt itself.
    MayGo,
    /// Every version of it that may be there hangs on other records.
    Stays,
}

/// The records of a subtree that go for sure, and those that may, by feed.
#[derive(Debug, Default)]
pub(super) struct Fates {
    sure: BTreeMap<&'static str, BTreeSet<KeyId>>,
    possible: BTreeMap<&'static str, BTreeSet<KeyId>>,
}

impl Fates {
    /// One record goes, and nothing is known yet of what hangs on it.
    pub(super) fn of(feed: &'static str, root: KeyId) -> Self {
        let root = BTreeMap::from([(feed, BTreeSet::from([root]))]);
        Fates { sure: root.clone(), possible: root }
    }

    /// Decides on a record whose parents of the subtree have been decided on.
    pub(super) fn decide(&mut self, schema: &'static Schema, index: &Index, at: At) -> Fate {
        let is_in = |records: &BTreeMap<&'static str, BTreeSet<KeyId>>, parents: &[Option<Key>; 2]| {
            clinging_edges(schema).any(|(edge, feed)| {
                let parent = parents[edge].as_ref().map(Key::id);
                parent.is_some_and(|parent| records.get(feed).is_some_and(|records| records.contains(&parent)))
            })
        };
        let hangs = index.parents_at_portal(at);
        let in_doubt = index.detail(at).is_some_and(|detail| detail.mark.is_some());
        let fate = if !in_doubt && hangs.iter().all(|parents| is_in(&self.sure, parents)) {
            Fate::Goes
        } else if hangs.iter().any(|parents| is_in(&self.possible, parents)) {
            Fate::MayGo
        } else {
            Fate::Stays
        };
        if fate == Fate::Goes {
            self.sure.entry(schema.feed).or_default().insert(index.id(at));
        }
        if fate != Fate::Stays {
            self.possible.entry(schema.feed).or_default().insert(index.id(at));
        }
        fate
    }
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Everything that hangs on these records of a feed.
    pub(super) fn subtree(&self, feed: &FeedLine<S>, roots: Vec<Key>) -> Subtree {
        self.walk(feed, roots, |_, _, _| ())
    }

    /// As [`Self::subtree`]; shows each feed's part of it while the feed's index is locked, parents first.
    pub(super) fn walk<'a>(
        &'a self,
        feed: &FeedLine<S>,
        roots: Vec<Key>,
        mut visit: impl FnMut(&'a FeedLine<S>, &mut Index, &BTreeSet<At>),
    ) -> Subtree {
        let mut subtree = Subtree::default();
        let mut keys: BTreeMap<&'static str, Vec<Key>> = BTreeMap::from([(feed.plan.schema.feed, roots)]);
        // Parents first: when a feed's turn comes, all its parents of the subtree are known.
        for child in self.feeds() {
            let schema = child.plan.schema;
            if child.abilities.removal == Removal::Unsupported {
                // Nothing can be done about it, so it stands in nobody's way.
                continue;
            }
            let mut found = BTreeSet::new();
            let mut index = child.index();
            for (edge, parent) in clinging_edges(schema) {
                if let Some(parents) = keys.get(parent) {
                    found.extend(index.children_of(edge, parents).into_iter().map(|(_, at)| at));
                }
            }
            if !found.is_empty() {
                visit(child, &mut index, &found);
                keys.entry(schema.feed).or_default().extend(found.iter().map(|at| index.key(*at)));
                subtree.feeds.insert(schema.feed, found.into_iter().collect());
            }
        }
        subtree
    }

    /// True when records of one feed may hang on records of another, directly or through a third.
    pub(super) fn hangs_on(&self, child: &str, parent: &str) -> bool {
        let Some(child) = self.feeds.get(child) else { return false };
        clinging_edges(child.plan.schema).any(|(_, next)| next == parent || self.hangs_on(next, parent))
    }

    /// What each feed would lose if these records of a feed were removed.
    pub(super) fn losses(&self, feed: &FeedLine<S>, keys: Vec<Key>) -> BTreeMap<String, Loss> {
        let removed = keys.len() as u64;
        let mut losses = BTreeMap::new();
        for (name, found) in self.subtree(feed, keys).feeds {
            let Some(child) = self.feeds.get(name) else { continue };
            let index = child.index();
            let counts = |at: &&At| index.state(**at) != State::Past && index.may_be_at_portal(**at);
            let removed = found.iter().filter(counts).count() as u64;
            losses.insert(name.to_owned(), Loss { removed, of: index.held_by_portal() });
        }
        losses.insert(feed.plan.schema.feed.to_owned(), Loss { removed, of: feed.index().held_by_portal() });
        losses
    }

    /// The feeds that have children of these records, whose own cycles must have run before the records go: a child that has moved to
    /// another parent must not go with the old one.
    pub(super) fn feeds_with_children(&self, feed: &FeedLine<S>, keys: Vec<Key>) -> Vec<&FeedLine<S>> {
        let subtree = self.subtree(feed, keys).feeds.into_iter();
        // What is past moves nowhere.
        let has_present = |child: &FeedLine<S>, found: &[At]| {
            let index = child.index();
            found.iter().any(|at| index.state(*at) != State::Past)
        };
        subtree.filter_map(|(name, found)| self.feeds.get(name).filter(|child| has_present(child, &found))).collect()
    }
}

/// The edges by which a record of this feed goes when its parent goes, with their position among the holding edges and the parent's feed. A
/// record that only names another, if that is ours at all, stays.
fn clinging_edges(schema: &'static Schema) -> impl Iterator<Item = (usize, &'static str)> {
    let clings = |hold: Hold| match hold {
        Hold::Accepted | Hold::AcceptedAs { .. } => true,
        Hold::AcceptedIfOurs | Hold::OrderOnly => false,
    };
    schema.holding_edges().enumerate().filter(move |(_, edge)| clings(edge.hold)).map(|(at, edge)| (at, edge.feed))
}
