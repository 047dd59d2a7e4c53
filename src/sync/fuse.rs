//! The fuse: a run that would remove more than a set share of a feed removes nothing, says why, and waits for an operator's word.
//!
//! The word binds to the set that was shown: the same set, or a smaller one, passes; one that has grown trips the fuse again. An empty
//! scan trips it whatever the number: a view that lost its rows must not empty a portal.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::record::KeyId;

/// Feeds of at most this many records are too small to tell a fault from a change.
const SMALLEST_FEED: u64 = 5;
/// Keys of a held-back set that are kept as text, for people.
pub(super) const SHOWN_KEYS: usize = 1000;
/// Bytes of an id.
const ID: usize = 16;

/// How much may be removed at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FuseSettings {
    /// Part of a feed, above 0, at most 1.
    pub share: f64,
    /// Number of records below which the share does not count.
    pub min: u64,
}

/// What one feed would lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Records that would go, those that the portal removes with them included.
    pub removed: u64,
    /// Records that the portal holds.
    pub of: u64,
}

/// A removal that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The records that are gone from the source.
    pub ids: IdSet,
    /// What each feed would lose, by its name.
    pub losses: BTreeMap<String, Loss>,
    /// True when the scan returned no row at all.
    pub empty: bool,
}

/// A set of records: a million take 16 MB, and one that contains another is seen in one walk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdSet(Vec<u128>);

/// A fuse that has tripped, as the ledger keeps it: the body of a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tripped {
    /// Since when: seconds since 1970-01-01T00:00:00Z.
    pub since: i64,
    /// True when the scan returned no row at all.
    pub empty: bool,
    /// True once an operator has let this set go.
    pub accepted: bool,
    /// What each feed would lose, by its name.
    pub losses: BTreeMap<String, Loss>,
    /// The records that are held back.
    pub ids: IdSet,
    /// Keys of the first of them.
    #[serde(default)]
    pub keys: Vec<String>,
}

/// What the fuse says of a removal.
#[derive(Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It may go.
    Pass,
    /// It may go by an operator's word.
    PassByWord,
    /// It is held back, as it was before.
    StillTripped,
    /// It is held back from now on: this is to be written down.
    Trips(Tripped),
}

impl FuseSettings {
    /// True when a feed would lose too much.
    fn trips(&self, loss: Loss) -> bool {
        let above_share = loss.removed as f64 > self.share * loss.of as f64 && loss.removed >= self.min;
        let above_half = loss.removed * 2 > loss.of && loss.of > SMALLEST_FEED;
        above_share || above_half
    }

    /// Rules on a removal, given the fuse that has tripped before, if one has.
    pub fn rule(&self, removal: Removal, before: Option<&Tripped>, now: i64) -> Ruling {
        if removal.ids.len() == 0 || !(removal.empty || removal.losses.values().any(|loss| self.trips(*loss))) {
            return Ruling::Pass;
        }
        match before {
            Some(before) if before.covers(&removal) && before.accepted => Ruling::PassByWord,
            Some(before) if before.covers(&removal) => Ruling::StillTripped,
            _ => Ruling::Trips(Tripped {
                since: before.filter(|before| !before.accepted).map_or(now, |before| before.since),
                empty: removal.empty,
                accepted: false,
                losses: removal.losses,
                ids: removal.ids,
                keys: Vec::new(),
            }),
        }
    }
}

impl FromIterator<KeyId> for IdSet {
    fn from_iter<I: IntoIterator<Item = KeyId>>(ids: I) -> Self {
        let mut ids: Vec<u128> = ids.into_iter().map(|id| id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        IdSet(ids)
    }
}

impl IdSet {
    /// Number of records.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// True when every record of the other set is in this one.
    fn contains_all(&self, other: &IdSet) -> bool {
        let mut own = self.0.iter();
        other.0.iter().all(|id| own.find(|own| *own >= id) == Some(id))
    }
}

impl Serialize for IdSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|id| id.to_be_bytes()).collect();
        serializer.serialize_str(&STANDARD_NO_PAD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for IdSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD_NO_PAD.decode(text).map_err(serde::de::Error::custom)?;
        let (ids, rest) = bytes.as_chunks::<ID>();
        if !rest.is_empty() {
            return Err(serde::de::Error::custom("ids have sixteen bytes each"));
        }
        Ok(ids.iter().map(|id| KeyId(u128::from_be_bytes(*id))).collect())
    }
}

impl Tripped {
    /// True when a removal is no larger than what was shown.
    fn covers(&self, removal: &Removal) -> bool {
        let shown = |feed: &str| self.losses.get(feed).map_or(0, |loss| loss.removed);
        self.ids.contains_all(&removal.ids)
            && removal.losses.iter().all(|(feed, loss)| loss.removed <= shown(feed))
            && (self.empty || !removal.empty)
    }

    /// Records whose rows are gone.
    pub fn removals(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Why, as a sentence for an operator.
    pub fn reason(&self) -> String {
        let lost = |(feed, loss): (&String, &Loss)| format!("{} of {} records of {feed}", loss.removed, loss.of);
        let losses: Vec<String> = self.losses.iter().filter(|(_, loss)| loss.removed > 0).map(lost).collect();
        let what = losses.join(", ");
        if self.empty {
            format!("the query returned no row at all; {what} would be removed")
        } else {
            format!("{what} would be removed")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUSE: FuseSettings = FuseSettings { share: 0.2, min: 50 };

    fn removal(keys: std::ops::Range<u64>, removed: u64, of: u64) -> Removal {
        let losses = BTreeMap::from([("slot".to_owned(), Loss { removed, of })]);
        Removal { ids: keys.map(|key| KeyId(key.into())).collect(), losses, empty: false }
    }

    fn tripped(removal: Removal) -> Tripped {
        match FUSE.rule(removal, None, 7) {
            Ruling::Trips(tripped) => tripped,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_share_trips_only_above_it_and_from_the_least_number_on() {
        let table = [
            (200, 1000, false),
            (201, 1000, true),
            (49, 200, false),
            (50, 249, true),
            (50, 250, false),
            (125, 249, true),
            // A smaller feed: more than half of more than five.
            (3, 6, false),
            (4, 6, true),
            (5, 5, false),
            (20, 40, false),
            (21, 40, true),
            (0, 0, false),
        ];
        for (removed, of, trips) in table {
            assert_eq!(FUSE.trips(Loss { removed, of }), trips, "{removed} of {of}");
        }
    }

    #[test]
    fn an_empty_scan_trips_whatever_the_number() {
        let one = Removal { empty: true, ..removal(0..1, 1, 1) };
        assert!(matches!(FUSE.rule(one.clone(), None, 7), Ruling::Trips(_)));
        let nothing = Removal { ids: IdSet::default(), ..one };
        assert_eq!(FUSE.rule(nothing, None, 7), Ruling::Pass);
    }

    #[test]
    fn what_the_portal_removes_with_a_parent_counts_in_its_own_feed() {
        let mut one = removal(0..1, 1, 40);
        one.losses.insert("book".to_owned(), Loss { removed: 300, of: 1000 });
        let tripped = tripped(one);
        assert!(tripped.reason().contains("300 of 1000 records of book"), "{}", tripped.reason());
    }

    #[test]
    fn a_word_binds_to_the_set_that_was_shown() {
        let mut shown = tripped(removal(0..60, 60, 100));
        assert_eq!(FUSE.rule(removal(0..60, 60, 100), Some(&shown), 9), Ruling::StillTripped);
        shown.accepted = true;
        assert_eq!(FUSE.rule(removal(0..60, 60, 100), Some(&shown), 9), Ruling::PassByWord);
        assert_eq!(FUSE.rule(removal(3..60, 57, 100), Some(&shown), 9), Ruling::PassByWord);
        let grown = FUSE.rule(removal(0..61, 61, 100), Some(&shown), 9);
        assert!(matches!(&grown, Ruling::Trips(again) if !again.accepted && again.ids.len() == 61), "{grown:?}");
        let other = FUSE.rule(removal(10..70, 60, 100), Some(&shown), 9);
        assert!(matches!(other, Ruling::Trips(_)), "as many, but others");
    }

    #[test]
    fn a_cascade_that_has_grown_trips_again() {
        let with_books = |books: u64| {
            let mut one = removal(0..60, 60, 100);
            one.losses.insert("book".to_owned(), Loss { removed: books, of: 1000 });
            one
        };
        let shown = Tripped { accepted: true, ..tripped(with_books(10)) };
        assert_eq!(FUSE.rule(with_books(10), Some(&shown), 9), Ruling::PassByWord);
        assert!(matches!(FUSE.rule(with_books(11), Some(&shown), 9), Ruling::Trips(_)));
    }

    #[test]
    fn a_word_for_some_rows_is_none_for_an_empty_scan() {
        let shown = Tripped { accepted: true, ..tripped(removal(0..60, 60, 100)) };
        let empty = Removal { empty: true, ..removal(0..60, 60, 100) };
        assert!(matches!(FUSE.rule(empty, Some(&shown), 9), Ruling::Trips(_)));
    }

    #[test]
    fn the_note_survives_being_written_down() {
        let note = tripped(removal(0..60, 60, 100));
        let body = serde_json::to_string(&note).unwrap();
        assert_eq!(serde_json::from_str::<Tripped>(&body).unwrap(), note);
    }
}
