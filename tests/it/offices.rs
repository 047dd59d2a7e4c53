//! The demo hospital's other offices: the same from one seed, and living only in ways that their portals can follow.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde_json::Value;
use tempfile::TempDir;
use vitrina::demo::feed::Feed;
use vitrina::demo::fer::Records;
use vitrina::demo::hospital::{Hospital, HospitalSettings, OfficeRecords, write_papers};

/// A hospital with its documents in a folder.
struct Site {
    hospital: Hospital,
    folder: TempDir,
}

impl Site {
    async fn new(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let first_day = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
        let settings = HospitalSettings { slots: 1, seed, faulty: 0, first_day, days: 14 };
        let hospital = Hospital::create(&folder.path().join("mis.db"), settings).await.unwrap();
        write_papers(folder.path()).unwrap();
        Site { hospital, folder }
    }

    async fn expected(&self) -> OfficeRecords {
        self.hospital.expected_of_offices(self.folder.path()).await.unwrap()
    }
}

fn keys(records: &Records) -> BTreeSet<&String> {
    records.keys().collect()
}

#[tokio::test]
async fn one_seed_makes_the_same_offices_and_each_has_something_for_its_portal() {
    let (first, again, other) = (Site::new(7).await, Site::new(7).await, Site::new(8).await);
    let mut expected = first.expected().await;
    let mut same = again.expected().await;
    assert_eq!(expected.keys().copied().collect::<Vec<_>>(), Feed::OFFICES);
    for feed in Feed::OFFICES {
        assert!(!expected[&feed].is_empty(), "{feed}");
        assert_eq!(first.hospital.rows(feed).await.unwrap(), expected[&feed].len() as u64, "{feed}");
    }
    // Every signature is by a key of its own.
    for records in [&mut expected, &mut same] {
        records
            .get_mut(&Feed::Document)
            .unwrap()
            .values_mut()
            .for_each(|record| drop(record.shift_remove("signature")));
    }
    assert_eq!(expected, same);
    assert_ne!(expected[&Feed::Training], other.expected().await[&Feed::Training]);
}

#[tokio::test]
async fn nothing_is_expected_to_be_right_before_it_was_written_back() {
    let expected = Site::new(1).await.expected().await;
    for (feed, field) in [
        (Feed::Training, "base_no"),
        (Feed::Module, "url"),
        (Feed::Poll, "id"),
        (Feed::Voting, "id"),
        (Feed::VotingObject, "id"),
        (Feed::Document, "id"),
    ] {
        assert!(expected[&feed].values().all(|record| record[field] == Value::Null), "{feed}");
    }
}

#[tokio::test]
async fn the_offices_live_within_what_their_portals_can_follow() {
    let site = Site::new(1).await;
    let mut life = site.hospital.office_life(42);
    let first = site.expected().await;
    let (mut before, mut withdrawn) = (first.clone(), 0);
    for _ in 0..60 {
        life.tick().await.unwrap();
        let after = site.expected().await;
        for feed in Feed::OFFICES {
            let gone: Vec<_> = keys(&before[&feed]).difference(&keys(&after[&feed])).copied().cloned().collect();
            if feed == Feed::Module {
                let learnt: Vec<&Value> = after[&Feed::Result].values().map(|record| &record["module_id"]).collect();
                assert!(gone.iter().all(|id| !learnt.contains(&&Value::from(id.as_str()))), "{gone:?}");
                withdrawn += gone.len();
            } else {
                assert!(gone.is_empty(), "{feed} has no removal: {gone:?}");
            }
        }
        for feed in [Feed::Training, Feed::Document] {
            let kept = before[&feed].iter().all(|(key, record)| after[&feed].get(key) == Some(record));
            assert!(kept, "{feed} has no update");
        }
        before = after;
    }
    assert!(withdrawn > 0);
    for feed in [Feed::Training, Feed::Module, Feed::Result, Feed::Voting, Feed::VotingObject] {
        assert!(!keys(&before[&feed]).is_subset(&keys(&first[&feed])), "nothing new in {feed}");
    }
    for feed in [Feed::Module, Feed::Result, Feed::Poll, Feed::Voting, Feed::VotingObject] {
        let changed = first[&feed].iter().any(|(key, record)| before[&feed].get(key).is_some_and(|now| now != record));
        assert!(changed, "nothing changed in {feed}");
    }
    let won = before[&Feed::VotingObject].values().filter(|record| record["is_winner"] == true).count();
    assert!(won > 0, "a voting was decided");
}
