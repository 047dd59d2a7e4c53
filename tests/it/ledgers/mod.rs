//! The ledgers: one contract over every implementation, then what is particular to each.

mod contract;
mod files;
mod killed;
mod memory;

use std::collections::BTreeMap;

use vitrina::ledger::{Close, Entry, FeedId, Ledger, Mark, MarkId, Replay, Settlement, State};
use vitrina::record::{Fingerprint, Key};

/// A version of a record.
fn version(number: u128) -> Fingerprint {
    Fingerprint(number)
}

/// A record as it is marked before this version of it is sent.
fn sent(key: u128, number: u128) -> Entry {
    Entry { mark: Some(Mark::Version(version(number))), ..Entry::new(Key::Guid(key)) }
}

/// A record whose version the portal has acknowledged.
fn accepted(key: u128, number: u128) -> Entry {
    Entry { accepted: Some(version(number)), state: State::Accepted, ..Entry::new(Key::Guid(key)) }
}

/// The settlement of a batch that was acknowledged as a whole.
fn acknowledged(mark: MarkId) -> Settlement {
    Settlement { close: vec![(mark, Close::Acknowledged)], ..Settlement::default() }
}

/// The settlement that states these records.
fn stating(entries: Vec<Entry>) -> Settlement {
    Settlement { entries, ..Settlement::default() }
}

/// What a load comes to: how each record stands at its end.
async fn standing<L: Ledger>(ledger: &L, feed: FeedId) -> BTreeMap<Key, Entry> {
    let mut records = BTreeMap::new();
    let mut visit = |step| match step {
        Replay::Put(entry) => drop(records.insert(entry.key.clone(), entry)),
        Replay::Drop(key) => drop(records.remove(&key)),
    };
    ledger.load(feed, &mut visit).await.unwrap();
    records
}

/// The one record of a feed.
async fn only<L: Ledger>(ledger: &L, feed: FeedId) -> Option<Entry> {
    let records = standing(ledger, feed).await;
    assert!(records.len() < 2, "{records:?}");
    records.into_values().next()
}
