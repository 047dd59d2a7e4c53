//! The oracle judged: small runs made by hand, a sound one that it must let pass and for each invariant some that it must not.

use super::*;
use crate::engine::hash;
use crate::hospital::{FEEDS, Row};
use crate::stage::{BEGINNING, UNIT_PAUSE};
use crate::trace::{Answer, Asked, Memory, Said};
use crate::{PLACES, REMOVAL};

const UNIT: Id = 0xa;
const ROOM: Id = 0xb;
const SLOT: Id = 0xc;

/// A run made by hand.
struct Story {
    evidence: Evidence,
    second: i64,
    requests: usize,
    reads: usize,
}

fn row(feed: Feed, id: Id, detail: u64) -> Row {
    Row {
        id,
        unit: if feed == Feed::Mo { 0 } else { UNIT },
        resource: ROOM,
        slot: SLOT,
        referral: None,
        time: if feed == Feed::Slot { BEGINNING + 86_400 + (id % 100) as i64 * 60 } else { 0 },
        status: if feed == Feed::Book { "5000" } else { "AVAILABLE" },
        detail,
        bad: false,
    }
}

impl Story {
    fn new() -> Self {
        let evidence = Evidence {
            second: BEGINNING + 1000,
            in_flight: 2,
            steady_database: true,
            honest_source: true,
            ..Evidence::default()
        };
        Story { evidence, second: BEGINNING, requests: 0, reads: 0 }
    }

    /// A unit, a room and a slot that went out as they should.
    fn furnished() -> Self {
        let mut story = Story::new();
        for (feed, id) in [(Feed::Mo, UNIT), (Feed::Resource, ROOM), (Feed::Slot, SLOT)] {
            story.insert(feed, row(feed, id, 1));
            story.deliver(feed, id);
        }
        story
    }

    fn note(&mut self, what: What) {
        self.second += 1;
        self.evidence.events.push(Event { second: self.second, what });
    }

    fn insert(&mut self, feed: Feed, row: Row) -> usize {
        let number = self.evidence.versions.len();
        let body = wire::body(feed, &row);
        let stamp = self.second * 1_000_000;
        let version = Version { feed, row, body, stamp: Some(stamp), committed: stamp };
        let table = &mut self.evidence.tables[feed as usize];
        let versions = &self.evidence.versions;
        table.retain(|other| versions[*other].row.id != version.row.id);
        table.push(number);
        self.evidence.versions.push(version);
        number
    }

    fn delete(&mut self, feed: Feed, id: Id) {
        let versions = &self.evidence.versions;
        self.evidence.tables[feed as usize].retain(|number| versions[*number].row.id != id);
    }

    /// A cycle reads a table, wholly or from a stamp on, and is shown these of its rows.
    fn read(&mut self, feed: Feed, asked: Asked, shown: &[usize]) {
        self.reads += 1;
        let (read, table) = (self.reads, self.evidence.tables[feed as usize].clone());
        self.note(What::ReadBegun { read, feed, asked, table });
        if !shown.is_empty() {
            self.note(What::Shown { read, rows: shown.to_vec() });
        }
        self.note(What::ReadDone { read });
    }

    fn read_all(&mut self, feed: Feed) {
        let table = self.evidence.tables[feed as usize].clone();
        self.read(feed, Asked::All, &table);
    }

    /// A read of all keys, which were these; one that is `cut` never comes to its end.
    fn sweep(&mut self, feed: Feed, ids: &[Id], cut: bool) {
        self.reads += 1;
        let (read, table) = (self.reads, self.evidence.tables[feed as usize].clone());
        self.note(What::ReadBegun { read, feed, asked: Asked::Swept(i64::MIN), table });
        if !ids.is_empty() {
            self.note(What::KeysShown { read, ids: ids.to_vec() });
        }
        if !cut {
            self.note(What::ReadDone { read });
        }
    }

    fn body(&self, feed: Feed, id: Id) -> Body {
        let versions = self.evidence.versions.iter().rev();
        versions.clone().find(|version| version.feed == feed && version.row.id == id).unwrap().body.clone().unwrap()
    }

    fn send(&mut self, feed: Feed, id: Id) -> usize {
        self.requests += 1;
        let (request, body) = (self.requests, self.body(feed, id));
        self.note(What::Sent { request, feed, records: vec![(id, body)] });
        request
    }

    fn store(&mut self, feed: Feed, id: Id) {
        let body = self.body(feed, id);
        self.evidence.mart.insert((feed, id), body.clone());
        self.note(What::Stored { feed, id, body });
    }

    fn answer(&mut self, request: usize, answer: Answer) {
        self.note(What::Answered { request, answer });
    }

    fn accept(&mut self, request: usize) {
        self.answer(request, Answer::Judged(vec![Said::Accepted]));
    }

    fn deliver(&mut self, feed: Feed, id: Id) {
        self.read_all(feed);
        let request = self.send(feed, id);
        self.store(feed, id);
        self.accept(request);
        self.note(What::CycleDone { feed, complete: true });
    }

    fn remove(&mut self, feed: Feed, id: Id) {
        self.requests += 1;
        let request = self.requests;
        self.note(What::Asked { request, feed, id });
        self.note(What::Removed { feed, id, with: None });
        self.evidence.mart.remove(&(feed, id));
        self.accept(request);
    }

    /// What the ledger should say at this moment.
    fn memories(&self) -> Vec<Memory> {
        let memory = |(record, body): (&(Feed, Id), &Body)| Memory {
            feed: record.0,
            id: record.1,
            accepted: Some(hash(body)),
            doubt: None,
        };
        self.evidence.mart.iter().map(memory).collect()
    }

    fn broken(&self) -> Vec<u8> {
        let mut broken: Vec<u8> = judge(&self.evidence).iter().map(|violation| violation.invariant).collect();
        broken.dedup();
        broken
    }
}

#[test]
fn a_sound_run_passes() {
    let mut story = Story::furnished();
    story.note(What::Remembered(story.memories()));
    assert_eq!(judge(&story.evidence), []);
}

#[test]
fn a_row_that_never_arrived() {
    let mut story = Story::furnished();
    story.insert(Feed::Slot, row(Feed::Slot, 0xd, 2));
    assert_eq!(story.broken(), [1]);
}

#[test]
fn an_old_version_at_the_portal() {
    let mut story = Story::furnished();
    story.insert(Feed::Slot, row(Feed::Slot, SLOT, 2));
    assert_eq!(story.broken(), [1]);
}

#[test]
fn neither_a_bad_row_nor_one_without_its_parent_is_missed() {
    let mut story = Story::furnished();
    story.insert(Feed::Slot, Row { bad: true, ..row(Feed::Slot, 0xd, 2) });
    story.insert(Feed::Slot, Row { resource: 0xbad, ..row(Feed::Slot, 0xe, 2) });
    story.insert(Feed::Book, row(Feed::Book, 0xf, 2));
    assert_eq!(judge(&story.evidence), [], "the book waits for its slot to be RECORDED");
}

#[test]
fn a_visit_is_not_owed_where_nobody_learnt_that_its_slot_is_recorded() {
    let mut story = Story::furnished();
    story.insert(Feed::Book, row(Feed::Book, 0xf, 1));
    let acknowledged = story.memories();
    story.insert(Feed::Slot, Row { status: "RECORDED", ..row(Feed::Slot, SLOT, 1) });
    story.store(Feed::Slot, SLOT);
    story.note(What::Remembered(story.memories()));
    let lacks_the_visit =
        |story: &Story| judge(&story.evidence).iter().any(|broken| broken.text.starts_with("the mart lacks"));
    assert!(lacks_the_visit(&story), "it was acknowledged as RECORDED");
    story.delete(Feed::Slot, SLOT);
    story.evidence.second = BEGINNING + 90_000;
    story.note(What::Remembered(acknowledged));
    assert!(!lacks_the_visit(&story), "its row is gone, and no other attempt tells");
}

#[test]
fn what_is_gone_must_go_unless_it_is_past() {
    if !REMOVAL {
        return;
    }
    let mut story = Story::furnished();
    story.delete(Feed::Slot, SLOT);
    assert_eq!(story.broken(), [1]);
    story.evidence.second = BEGINNING + 90_000;
    assert!(story.broken().is_empty());
}

#[test]
fn of_two_rows_on_one_place_one_is_enough() {
    let mut story = Story::furnished();
    let time = row(Feed::Slot, SLOT, 1).time;
    story.insert(Feed::Slot, Row { time, ..row(Feed::Slot, 0xd, 2) });
    assert_eq!(story.broken().is_empty(), PLACES);
}

#[test]
fn a_ledger_that_says_more_or_less_than_the_portal() {
    let mut more = Story::furnished();
    let mut memories = more.memories();
    memories.push(Memory { feed: Feed::Slot, id: 0xd, accepted: Some(1), doubt: None });
    more.note(What::Remembered(memories));
    assert_eq!(more.broken(), [2]);
    let mut less = Story::furnished();
    less.note(What::Remembered(Vec::new()));
    assert_eq!(less.broken(), [2]);
}

#[test]
fn an_accepted_version_that_goes_out_again() {
    let mut story = Story::furnished();
    story.deliver(Feed::Slot, SLOT);
    assert_eq!(story.broken(), [3]);
}

#[test]
fn after_a_lost_answer_or_an_unsettled_mark_it_may_go_out_again() {
    let mut story = Story::furnished();
    story.insert(Feed::Slot, row(Feed::Slot, SLOT, 2));
    story.read_all(Feed::Slot);
    let request = story.send(Feed::Slot, SLOT);
    story.store(Feed::Slot, SLOT);
    story.answer(request, Answer::Cut);
    story.deliver(Feed::Slot, SLOT);
    story.note(What::Marked { mark: 1, feed: Feed::Slot, ids: vec![SLOT] });
    story.note(What::Died);
    story.deliver(Feed::Slot, SLOT);
    assert_eq!(judge(&story.evidence), []);
}

#[test]
fn a_refused_version_that_goes_out_again_without_a_cause() {
    let refused = || {
        let mut story = Story::furnished();
        story.insert(Feed::Slot, row(Feed::Slot, SLOT, 2));
        story.read_all(Feed::Slot);
        let request = story.send(Feed::Slot, SLOT);
        story.answer(request, Answer::Judged(vec![Said::Refused { holder: None }]));
        story
    };
    let mut again = refused();
    again.deliver(Feed::Slot, SLOT);
    assert_eq!(again.broken(), [3]);
    let mut parent_changed = refused();
    parent_changed.insert(Feed::Resource, row(Feed::Resource, ROOM, 2));
    parent_changed.deliver(Feed::Resource, ROOM);
    parent_changed.deliver(Feed::Slot, SLOT);
    assert_eq!(judge(&parent_changed.evidence), []);
}

#[test]
fn what_was_refused_may_be_tried_again_once_it_has_given_way() {
    let rival = |status| {
        let mut story = Story::furnished();
        let over = Row { status: "CANCELED", ..row(Feed::Slot, 0xd, 1) };
        story.insert(Feed::Slot, over.clone());
        story.read_all(Feed::Slot);
        let request = story.send(Feed::Slot, 0xd);
        story.answer(request, Answer::Judged(vec![Said::Refused { holder: None }]));
        story.insert(Feed::Slot, Row { status, time: over.time, ..row(Feed::Slot, 0xe, 1) });
        story.read_all(Feed::Slot);
        story.delete(Feed::Slot, 0xe);
        story.deliver(Feed::Slot, 0xd);
        story.broken()
    };
    assert!(rival("RECORDED").is_empty() || !PLACES, "it gave way to that one in between");
    assert_eq!(rival("BLOCKED"), [3], "one that is over as well has no claim");
}

#[test]
fn a_record_in_two_requests_at_once() {
    let mut story = Story::furnished();
    story.insert(Feed::Slot, row(Feed::Slot, SLOT, 2));
    story.read_all(Feed::Slot);
    story.send(Feed::Slot, SLOT);
    story.send(Feed::Slot, SLOT);
    story.store(Feed::Slot, SLOT);
    assert_eq!(story.broken(), [4]);
}

#[test]
fn a_version_that_its_row_has_left_behind() {
    let mut story = Story::furnished();
    story.insert(Feed::Slot, row(Feed::Slot, SLOT, 2));
    let old = story.body(Feed::Slot, SLOT);
    story.insert(Feed::Slot, row(Feed::Slot, SLOT, 3));
    story.read_all(Feed::Slot);
    story.note(What::Sent { request: 100, feed: Feed::Slot, records: vec![(SLOT, old)] });
    story.store(Feed::Slot, SLOT);
    assert_eq!(story.broken(), [4]);
}

#[test]
fn a_child_before_its_parent() {
    let mut story = Story::new();
    story.insert(Feed::Mo, row(Feed::Mo, UNIT, 1));
    story.insert(Feed::Resource, row(Feed::Resource, ROOM, 1));
    story.deliver(Feed::Resource, ROOM);
    story.deliver(Feed::Mo, UNIT);
    assert_eq!(story.broken(), [5]);
}

#[test]
fn a_visit_that_stands_before_its_slot_is_recorded() {
    let mut story = Story::furnished();
    story.insert(Feed::Book, row(Feed::Book, 0xd, 1));
    story.deliver(Feed::Book, 0xd);
    assert_eq!(story.broken(), [5]);
}

#[test]
fn a_row_that_no_read_by_change_time_reaches() {
    let mut story = Story::furnished();
    let late = story.insert(Feed::Slot, row(Feed::Slot, 0xd, 1));
    let stamp = story.evidence.versions[late].stamp.unwrap();
    story.read(Feed::Slot, Asked::Changed(stamp + 1), &[]);
    story.delete(Feed::Slot, 0xd);
    assert_eq!(story.broken(), [8]);
}

#[test]
fn no_place_in_flight_is_left_for_slots() {
    let mut story = Story::furnished();
    for id in [0xd, 0xe] {
        story.insert(Feed::Service, row(Feed::Service, id, id as u64));
    }
    story.read_all(Feed::Service);
    for id in [0xd, 0xe] {
        story.send(Feed::Service, id);
        story.store(Feed::Service, id);
    }
    assert_eq!(story.broken(), [10]);
}

#[test]
fn a_portal_that_asked_to_be_left_alone() {
    let mut story = Story::furnished();
    story.insert(Feed::Slot, row(Feed::Slot, SLOT, 2));
    story.read_all(Feed::Slot);
    let request = story.send(Feed::Slot, SLOT);
    story.answer(request, Answer::Status { code: 503, retry_after: Some(60) });
    story.deliver(Feed::Slot, SLOT);
    assert_eq!(story.broken(), [11]);
}

#[test]
fn a_blocked_unit_that_is_asked_again() {
    let mut story = Story::furnished();
    story.insert(Feed::Slot, row(Feed::Slot, SLOT, 2));
    story.read_all(Feed::Slot);
    let request = story.send(Feed::Slot, SLOT);
    story.answer(request, Answer::Status { code: 405, retry_after: None });
    let mut later = story.evidence.events.len();
    story.deliver(Feed::Slot, SLOT);
    assert_eq!(story.broken(), [12]);
    // The same a pause later is well.
    while later < story.evidence.events.len() {
        story.evidence.events[later].second += UNIT_PAUSE as i64;
        later += 1;
    }
    assert!(story.broken().is_empty());
}

#[test]
fn personal_data_in_the_ledger() {
    let mut story = Story::furnished();
    story.evidence.texts.push(format!("last_name {}1 is too long", wire::PERSON));
    assert_eq!(story.broken(), [13]);
}

#[test]
fn a_removal_of_what_is_there_or_past() {
    if !REMOVAL {
        return;
    }
    let mut there = Story::furnished();
    there.remove(Feed::Slot, SLOT);
    assert!(there.broken().contains(&6));
    let mut past = Story::furnished();
    past.delete(Feed::Slot, SLOT);
    past.read_all(Feed::Slot);
    past.second += 100_000;
    past.remove(Feed::Slot, SLOT);
    assert!(past.broken().contains(&6));
}

#[test]
fn a_parent_that_goes_before_children_that_no_cascade_names() {
    if !REMOVAL {
        return;
    }
    let mut story = Story::furnished();
    story.insert(Feed::Profile, row(Feed::Profile, 0xd, 1));
    story.deliver(Feed::Profile, 0xd);
    story.delete(Feed::Resource, ROOM);
    story.insert(Feed::Resource, row(Feed::Resource, 0xe, 1));
    story.read_all(Feed::Resource);
    story.remove(Feed::Resource, ROOM);
    assert!(story.broken().contains(&5));
}

#[test]
fn a_parent_that_goes_before_a_child_that_is_past_and_was_forgotten() {
    if !REMOVAL {
        return;
    }
    let mut story = Story::furnished();
    story.insert(Feed::Period, Row { time: BEGINNING + 60, ..row(Feed::Period, 0xd, 1) });
    story.deliver(Feed::Period, 0xd);
    story.insert(Feed::Resource, row(Feed::Resource, 0xe, 1));
    story.delete(Feed::Resource, ROOM);
    story.read_all(Feed::Resource);
    story.second += 100;
    story.delete(Feed::Period, 0xd);
    let mut unread = story.evidence.events.len();
    story.read_all(Feed::Period);
    story.remove(Feed::Resource, ROOM);
    assert!(!story.broken().contains(&5), "nobody can know of it");
    // The same without that read: then the period is known.
    while !matches!(story.evidence.events[unread].what, What::ReadDone { .. }) {
        unread += 1;
    }
    story.evidence.events.remove(unread);
    assert!(story.broken().contains(&5));
}

#[test]
fn a_book_that_was_forgotten_with_its_past_slot_stays_where_the_slot_moves() {
    if !REMOVAL {
        return;
    }
    let story = |is_looked_for: bool| {
        let mut story = Story::furnished();
        story.insert(Feed::Book, Row { status: "5010", ..row(Feed::Book, 0xd, 1) });
        story.deliver(Feed::Book, 0xd);
        story.second += 100_000;
        story.delete(Feed::Book, 0xd);
        if is_looked_for {
            story.read_all(Feed::Book);
        }
        story.insert(Feed::Slot, Row { time: story.second + 86_400, ..row(Feed::Slot, SLOT, 2) });
        story.deliver(Feed::Slot, SLOT);
        let mut memories = story.memories();
        memories.retain(|memory| memory.feed != Feed::Book);
        story.note(What::Remembered(memories));
        story.evidence.second = story.second;
        story.broken()
    };
    assert!(story(true).is_empty());
    assert_eq!(story(false), [1, 2], "nobody has looked while the slot was past");
}

#[test]
fn a_feed_is_small_by_what_the_portal_holds() {
    let removed_of = |held: u64| {
        let mut story = Story::furnished();
        for id in 1..=held {
            story.insert(Feed::Service, row(Feed::Service, id.into(), id));
            story.deliver(Feed::Service, id.into());
        }
        story.insert(Feed::Service, row(Feed::Service, 0xf, 1));
        (1..=held).for_each(|id| story.delete(Feed::Service, id.into()));
        story.read_all(Feed::Service);
        (1..=held).for_each(|id| story.remove(Feed::Service, id.into()));
        story.broken().contains(&7)
    };
    assert!(!removed_of(5));
    assert_eq!(removed_of(6), REMOVAL);
}

#[test]
fn more_than_the_fuse_lets_through() {
    let without_word = |said: bool| {
        let mut story = Story::furnished();
        for id in 1..=8 {
            story.insert(Feed::Service, row(Feed::Service, id, id as u64));
            story.deliver(Feed::Service, id);
        }
        (1..=6).for_each(|id| story.delete(Feed::Service, id));
        story.read_all(Feed::Service);
        if said {
            story.note(What::Word { feed: Feed::Service });
        }
        (1..=6).for_each(|id| story.remove(Feed::Service, id));
        story.broken()
    };
    assert_eq!(without_word(false), if REMOVAL { vec![7] } else { vec![] });
    assert!(without_word(true).is_empty());
}

#[test]
fn an_empty_read_removes_nothing() {
    if !REMOVAL {
        return;
    }
    let mut story = Story::furnished();
    story.delete(Feed::Slot, SLOT);
    story.read_all(Feed::Slot);
    story.remove(Feed::Slot, SLOT);
    assert_eq!(story.broken(), [7]);
}

#[test]
fn a_sweep_says_what_is_gone_unless_it_was_cut_or_empty() {
    let removed_after = |ids: &[Id], cut: bool| {
        let mut story = Story::furnished();
        story.insert(Feed::Slot, row(Feed::Slot, 0xd, 1));
        story.deliver(Feed::Slot, 0xd);
        story.delete(Feed::Slot, SLOT);
        story.sweep(Feed::Slot, ids, cut);
        story.remove(Feed::Slot, SLOT);
        story.broken()
    };
    assert!(removed_after(&[0xd], false).is_empty());
    assert_eq!(removed_after(&[0xd], true), [6], "it never ended");
    assert_eq!(removed_after(&[0xd, SLOT], false), [6], "its key was there");
    assert_eq!(removed_after(&[], false), [7], "no operator has let it go");
}

#[test]
fn every_feed_is_known_by_its_name() {
    assert!(FEEDS.into_iter().all(|feed| Feed::named(feed.name()) == feed));
}

#[test]
fn whom_no_answer_named_is_condemned_only_on_proof() {
    let refused = |code| Answer::Status { code, retry_after: None };
    let accepted = || Answer::Judged(vec![Said::Accepted]);
    let table = [
        (vec![(SLOT, Answer::NoIds(400))], true),
        (vec![(SLOT, Answer::NoIds(400)), (SLOT, Answer::NoIds(400))], true),
        (vec![(SLOT, Answer::NoIds(400)), (0xd, accepted()), (SLOT, Answer::NoIds(400))], false),
        (vec![(SLOT, refused(413)), (0xd, accepted()), (SLOT, refused(413))], false),
        (vec![(SLOT, refused(400)), (0xd, accepted()), (SLOT, refused(400))], true),
        (vec![(SLOT, Answer::NoIds(400)), (SLOT, accepted()), (SLOT, Answer::NoIds(400))], true),
    ];
    for (requests, is_wrong) in table {
        let mut evidence = Evidence::default();
        let mut note = |what| evidence.events.push(Event { second: BEGINNING, what });
        for (request, (id, answer)) in requests.into_iter().enumerate() {
            note(What::Sent { request, feed: Feed::Slot, records: vec![(id, "{}".into())] });
            note(What::Answered { request, answer });
        }
        note(What::Condemned { feed: Feed::Slot, id: SLOT });
        let mut broken = Vec::new();
        blame::check(&evidence, &mut broken);
        assert_eq!(!broken.is_empty(), is_wrong, "{:?}", evidence.events);
    }
}
