//! The hospital: its tables as plain data, and every way in which they change.
//!
//! A row never changes in place: each change makes a new [`Version`], and the trace speaks of versions by their numbers.

use std::sync::Arc;

use crate::chance::Chance;
use crate::wire;

/// A record's id, the same in table, wire and mart.
pub type Id = u128;
/// A record's text on the wire.
pub type Body = Arc<str>;

/// The eight feeds, parents before children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feed {
    Mo,
    Resource,
    Service,
    Profile,
    Period,
    Slot,
    Referral,
    Book,
}

pub const FEEDS: [Feed; 8] =
    [Feed::Mo, Feed::Resource, Feed::Service, Feed::Profile, Feed::Period, Feed::Slot, Feed::Referral, Feed::Book];

impl Feed {
    pub fn name(self) -> &'static str {
        match self {
            Feed::Mo => "mo",
            Feed::Resource => "resource",
            Feed::Service => "service",
            Feed::Profile => "profilecode_resource",
            Feed::Period => "unaccessable_period",
            Feed::Slot => "slot",
            Feed::Referral => "referral",
            Feed::Book => "book",
        }
    }

    pub fn named(name: &str) -> Feed {
        FEEDS.into_iter().find(|feed| feed.name() == name).expect("a feed of the document")
    }
}

/// What a row says. Which of these mean something depends on its feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub id: Id,
    /// The unit of a resource, a slot, a referral.
    pub unit: Id,
    /// The resource of a service, a profile, a period, a slot; who wrote a referral.
    pub resource: Id,
    /// The slot of a book.
    pub slot: Id,
    /// The referral of a book.
    pub referral: Option<Id>,
    /// Visit of a slot, end of a period or a referral: seconds since 1970. Zero is none.
    pub time: i64,
    /// Of a slot, a referral (words) or a book (digits).
    pub status: &'static str,
    /// Whatever else can change: a unit's name, a doctor's name, a code, a length.
    pub detail: u64,
    /// The row breaks a rule of its schema.
    pub bad: bool,
}

/// A row as it stood for a while.
#[derive(Debug, Clone)]
pub struct Version {
    pub feed: Feed,
    pub row: Row,
    /// What it is on the wire; none when it breaks a rule.
    pub body: Option<Body>,
    /// Its change time: microseconds since 1970 on the database's clock. None is NULL.
    pub stamp: Option<i64>,
    /// What the database's clock showed when it was committed.
    pub committed: i64,
}

/// How wild the changes are.
#[derive(Debug, Clone, Copy)]
pub struct Temper {
    /// Records may exchange or hand on places, and two rows may claim one.
    pub places: bool,
    /// Rows may commit up to this many seconds after the time that they are stamped with.
    pub lateness: u64,
    /// Rows may lack a stamp.
    pub nulls: bool,
}

/// The tables.
#[derive(Debug)]
pub struct Hospital {
    pub tables: [Vec<usize>; 8],
    pub versions: Vec<Version>,
    buried: Vec<usize>,
    chance: Chance,
    temper: Temper,
    last_id: Id,
    last_detail: u64,
    last_stamp: i64,
    database_now: i64,
    now: i64,
}

const SLOT_WORDS: [&str; 4] = ["AVAILABLE", "RECORDED", "BLOCKED", "CANCELED"];
const BOOK_WORDS: [&str; 5] = ["5000", "5010", "5020", "5030", "5040"];

impl Hospital {
    pub fn new(mut chance: Chance, temper: Temper, now: i64) -> Self {
        let mut hospital = Hospital {
            tables: Default::default(),
            versions: Vec::new(),
            buried: Vec::new(),
            chance: chance.fork(),
            temper,
            last_id: 0,
            last_detail: 0,
            last_stamp: 0,
            database_now: now * 1_000_000,
            now,
        };
        hospital.furnish();
        hospital
    }

    fn furnish(&mut self) {
        let much = |chance: &mut Chance, most| chance.between(0, most);
        for _ in 0..self.chance.between(1, 3) {
            self.add(Feed::Mo);
        }
        for _ in 0..self.chance.between(1, 4) {
            self.add(Feed::Resource);
        }
        for (feed, most) in [
            (Feed::Service, 4),
            (Feed::Profile, 3),
            (Feed::Period, 3),
            (Feed::Slot, 24),
            (Feed::Referral, 4),
            (Feed::Book, 8),
        ] {
            for _ in 0..much(&mut self.chance, most) {
                self.add(feed);
            }
        }
    }

    /// The rows of a table, in its order.
    pub fn rows(&self, feed: Feed) -> impl Iterator<Item = &Version> {
        self.tables[feed as usize].iter().map(|version| &self.versions[*version])
    }

    /// Lets one thing happen. `now` is the true time in seconds, `database_now` what the database's clock shows, in microseconds.
    pub fn change(&mut self, now: i64, database_now: i64) {
        (self.now, self.database_now) = (now, database_now);
        match self.chance.below(if self.temper.places { 33 } else { 22 }) {
            0..=3 => self.edit(Feed::Slot),
            4..=5 => self.add(Feed::Slot),
            6 => self.book_a_slot(),
            7 => {
                let feed = self.any_feed();
                self.add(feed);
            }
            8..=9 => {
                let feed = self.any_feed();
                self.edit(feed);
            }
            10..=11 => self.delete(Feed::Slot),
            12 => {
                let feed = self.any_feed();
                self.delete(feed);
            }
            13..=14 => self.dig_up(),
            15..=16 => self.break_or_mend(),
            17 => self.repeat_a_key(),
            18 => self.there_and_back(),
            19 => self.replace_a_doctor(),
            20 => self.clear_out_the_past(),
            21 => self.revise_a_book(),
            22..=23 => self.swap_times(),
            24 => self.shift_times(),
            25 => self.swap_names(),
            26 => self.regenerate_a_schedule(),
            27 => self.claim_a_taken_place(),
            28 => self.rename_to_a_freed_name(),
            29 => self.move_a_slot(),
            30..=31 => self.replace_a_slot(),
            _ => self.call_the_successor_off(),
        }
    }

    /// What happens after the last full scan: only sweeps and change times tell of it.
    pub fn change_once_more(&mut self, now: i64, database_now: i64) {
        (self.now, self.database_now) = (now, database_now);
        for _ in 0..self.chance.between(1, 3) {
            let feed = self.any_feed();
            self.delete_whole(feed);
            self.delete_whole(Feed::Slot);
            self.slip_in(feed);
            self.slip_in(Feed::Slot);
            self.edit(feed);
            self.add(feed);
        }
    }

    /// A row goes, with every other of its key: the change time of one that stayed would tell nothing.
    fn delete_whole(&mut self, feed: Feed) {
        let Some(id) = self.any_id(feed) else { return };
        let versions = &self.versions;
        self.tables[feed as usize].retain(|version| versions[*version].row.id != id);
    }

    /// A row comes into view with the change time of long ago.
    fn slip_in(&mut self, feed: Feed) {
        let Some(row) = self.new_row(feed) else { return };
        self.insert(feed, row);
        let last = self.versions.len() - 1;
        self.versions[last].stamp = Some((self.now - 10 * 86_400) * 1_000_000);
    }

    fn any_feed(&mut self) -> Feed {
        self.chance.any(&FEEDS)
    }

    fn any_row(&mut self, feed: Feed) -> Option<usize> {
        let at = self.chance.below(self.tables[feed as usize].len() as u64) as usize;
        (at < self.tables[feed as usize].len()).then_some(at)
    }

    fn any_id(&mut self, feed: Feed) -> Option<Id> {
        self.any_row(feed).map(|at| self.row(feed, at).id)
    }

    fn row(&self, feed: Feed, at: usize) -> Row {
        self.versions[self.tables[feed as usize][at]].row.clone()
    }

    fn stamp(&mut self) -> Option<i64> {
        if self.temper.nulls && self.chance.percent(5) {
            return None;
        }
        let late = self.temper.lateness.min(self.chance.below(self.temper.lateness * 4 + 1)) as i64;
        // Some share a stamp to the microsecond with the change before.
        if late == 0 && self.chance.percent(20) && self.database_now - self.last_stamp < 2_000_000 {
            return Some(self.last_stamp);
        }
        self.last_stamp = self.database_now - late * 1_000_000;
        Some(self.last_stamp)
    }

    fn version(&mut self, feed: Feed, row: Row) -> usize {
        let body = wire::body(feed, &row);
        let stamp = self.stamp();
        self.versions.push(Version { feed, row, body, stamp, committed: self.database_now });
        self.versions.len() - 1
    }

    fn put(&mut self, feed: Feed, at: usize, row: Row) {
        self.tables[feed as usize][at] = self.version(feed, row);
    }

    fn insert(&mut self, feed: Feed, row: Row) {
        let version = self.version(feed, row);
        let at = self.chance.below(self.tables[feed as usize].len() as u64 + 1) as usize;
        self.tables[feed as usize].insert(at, version);
    }

    fn new_id(&mut self) -> Id {
        self.last_id += 1;
        // Ids of one run are in no order that a table or an index could lean on.
        (u128::from(Chance::new(self.last_id as u64).next()) << 64) | self.last_id
    }

    fn new_detail(&mut self) -> u64 {
        self.last_detail += 1;
        self.last_detail
    }

    /// A time at which the resource has no visit yet. Some are over soon.
    fn free_time(&mut self, resource: Id) -> i64 {
        loop {
            let minutes =
                if self.chance.percent(15) { self.chance.between(1, 5) } else { self.chance.between(600, 9000) };
            let time = self.now + minutes as i64 * 60;
            let taken = |version: &&Version| version.row.resource == resource && version.row.time == time;
            if self.versions.iter().filter(|version| version.feed == Feed::Slot).find(taken).is_none() {
                return time;
            }
        }
    }

    fn add(&mut self, feed: Feed) {
        let Some(row) = self.new_row(feed) else { return };
        self.insert(feed, row);
    }

    fn new_row(&mut self, feed: Feed) -> Option<Row> {
        let mut row = Row {
            id: self.new_id(),
            unit: 0,
            resource: 0,
            slot: 0,
            referral: None,
            time: 0,
            status: "",
            detail: self.new_detail(),
            bad: self.chance.percent(4),
        };
        match feed {
            Feed::Mo => {}
            Feed::Resource => row.unit = self.any_id(Feed::Mo)?,
            Feed::Service | Feed::Profile => row.resource = self.any_id(Feed::Resource)?,
            Feed::Period => {
                row.resource = self.any_id(Feed::Resource)?;
                row.time = self.now + self.chance.between(1, 9000) as i64 * 60;
            }
            Feed::Slot => {
                let at = self.any_row(Feed::Resource)?;
                let resource = self.row(Feed::Resource, at);
                (row.unit, row.resource) = (resource.unit, resource.id);
                row.time = self.free_time(row.resource);
                row.status = self.chance.any(&SLOT_WORDS);
            }
            Feed::Referral => {
                row.unit = self.any_id(Feed::Mo)?;
                row.resource = self.any_id(Feed::Resource)?;
                row.time =
                    if self.chance.percent(50) { 0 } else { self.now + self.chance.between(1, 9000) as i64 * 60 };
                row.status = "AVAILABLE";
            }
            Feed::Book => {
                row.slot = self.any_id(Feed::Slot)?;
                row.referral = if self.chance.percent(30) { self.any_id(Feed::Referral) } else { None };
                row.status = self.chance.any(&BOOK_WORDS);
            }
        }
        Some(row)
    }

    fn edit(&mut self, feed: Feed) {
        let Some(at) = self.any_row(feed) else { return };
        let mut row = self.row(feed, at);
        row.detail = self.new_detail();
        if feed == Feed::Slot {
            row.status = self.chance.any(&SLOT_WORDS);
        }
        self.put(feed, at, row);
    }

    fn delete(&mut self, feed: Feed) {
        let Some(at) = self.any_row(feed) else { return };
        let version = self.tables[feed as usize].remove(at);
        self.buried.push(version);
    }

    /// A row that was deleted is back, as it was or otherwise.
    fn dig_up(&mut self) {
        if self.buried.is_empty() {
            return;
        }
        let version = self.buried.swap_remove(self.chance.below(self.buried.len() as u64) as usize);
        let (feed, mut row) = (self.versions[version].feed, self.versions[version].row.clone());
        if self.rows(feed).any(|other| other.row.id == row.id) {
            return;
        }
        if self.chance.percent(40) {
            row.detail = self.new_detail();
        }
        self.insert(feed, row);
    }

    fn break_or_mend(&mut self) {
        let feed = self.any_feed();
        let Some(at) = self.any_row(feed) else { return };
        let mut row = self.row(feed, at);
        row.bad = !row.bad;
        self.put(feed, at, row);
    }

    /// A second row with the key of another, or an end of all such.
    fn repeat_a_key(&mut self) {
        let feed = self.any_feed();
        let mut seen = Vec::new();
        let versions = &self.versions;
        let before = self.tables[feed as usize].len();
        self.tables[feed as usize].retain(|version| {
            let id = versions[*version].row.id;
            let first = !seen.contains(&id);
            seen.push(id);
            first
        });
        if self.tables[feed as usize].len() < before {
            return;
        }
        let Some(at) = self.any_row(feed) else { return };
        let mut row = self.row(feed, at);
        row.detail = self.new_detail();
        self.insert(feed, row);
    }

    fn there_and_back(&mut self) {
        let Some(at) = self.any_row(Feed::Slot) else { return };
        let row = self.row(Feed::Slot, at);
        let earlier =
            self.versions.iter().rev().filter(|version| version.feed == Feed::Slot && version.row.id == row.id);
        // With places at stake only what leaves the place alone may come back.
        let back = earlier.map(|version| &version.row).find(|other| {
            **other != row && (self.temper.places || (other.resource, other.time) == (row.resource, row.time))
        });
        if let Some(back) = back.cloned() {
            self.put(Feed::Slot, at, back);
        }
    }

    /// A doctor leaves and another takes over: slots point to the new one, and the old row goes.
    fn replace_a_doctor(&mut self) {
        let Some(old) = self.any_row(Feed::Resource) else { return };
        let mut row = self.row(Feed::Resource, old);
        let gone = row.id;
        (row.id, row.detail) = (self.new_id(), self.new_detail());
        let new = row.id;
        self.insert(Feed::Resource, row);
        for feed in [Feed::Slot, Feed::Service, Feed::Profile, Feed::Period] {
            for at in 0..self.tables[feed as usize].len() {
                let mut row = self.row(feed, at);
                if row.resource == gone {
                    row.resource = new;
                    self.put(feed, at, row);
                }
            }
        }
        let old =
            self.tables[Feed::Resource as usize].iter().position(|version| self.versions[*version].row.id == gone);
        if let Some(old) = old {
            self.tables[Feed::Resource as usize].remove(old);
        }
    }

    /// What the view shows is only what is to come.
    fn clear_out_the_past(&mut self) {
        let (versions, now) = (&self.versions, self.now);
        for feed in [Feed::Slot, Feed::Period, Feed::Referral] {
            self.tables[feed as usize].retain(|version| {
                let time = versions[*version].row.time;
                time == 0 || time >= now
            });
        }
    }

    fn book_a_slot(&mut self) {
        let Some(at) = self.any_row(Feed::Slot) else { return };
        let mut slot = self.row(Feed::Slot, at);
        slot.status = "RECORDED";
        let id = slot.id;
        self.put(Feed::Slot, at, slot);
        if let Some(mut book) = self.new_row(Feed::Book) {
            (book.slot, book.status) = (id, "5000");
            self.insert(Feed::Book, book);
        }
    }

    fn revise_a_book(&mut self) {
        let Some(at) = self.any_row(Feed::Book) else { return };
        let mut book = self.row(Feed::Book, at);
        book.status = self.chance.any(&BOOK_WORDS);
        self.put(Feed::Book, at, book);
    }

    fn swap_times(&mut self) {
        let (Some(one), Some(other)) = (self.any_row(Feed::Slot), self.any_row(Feed::Slot)) else { return };
        let (mut first, mut second) = (self.row(Feed::Slot, one), self.row(Feed::Slot, other));
        if first.id == second.id {
            return;
        }
        std::mem::swap(&mut first.time, &mut second.time);
        std::mem::swap(&mut first.resource, &mut second.resource);
        std::mem::swap(&mut first.unit, &mut second.unit);
        self.put(Feed::Slot, one, first);
        self.put(Feed::Slot, other, second);
    }

    /// Each slot of some takes the place of the next; the last one moves to a free time or into the place of the first.
    fn shift_times(&mut self) {
        let many = self.chance.between(3, 5) as usize;
        let mut chain: Vec<usize> = (0..many).filter_map(|_| self.any_row(Feed::Slot)).collect();
        chain.sort_unstable();
        chain.dedup();
        let rows: Vec<Row> = chain.iter().map(|at| self.row(Feed::Slot, *at)).collect();
        let closed = self.chance.percent(50);
        for (link, at) in chain.iter().enumerate() {
            let mut row = rows[link].clone();
            match rows.get(link + 1).or(rows.first().filter(|_| closed)) {
                Some(next) => (row.unit, row.resource, row.time) = (next.unit, next.resource, next.time),
                None => row.time = self.free_time(row.resource),
            }
            self.put(Feed::Slot, *at, row);
        }
    }

    fn move_a_slot(&mut self) {
        let Some(at) = self.any_row(Feed::Slot) else { return };
        let mut row = self.row(Feed::Slot, at);
        row.time = self.free_time(row.resource);
        self.put(Feed::Slot, at, row);
    }

    fn swap_names(&mut self) {
        let (Some(one), Some(other)) = (self.any_row(Feed::Mo), self.any_row(Feed::Mo)) else { return };
        let (mut first, mut second) = (self.row(Feed::Mo, one), self.row(Feed::Mo, other));
        std::mem::swap(&mut first.detail, &mut second.detail);
        self.put(Feed::Mo, one, first);
        self.put(Feed::Mo, other, second);
    }

    /// One unit takes the name that another gives up.
    fn rename_to_a_freed_name(&mut self) {
        let (Some(one), Some(other)) = (self.any_row(Feed::Mo), self.any_row(Feed::Mo)) else { return };
        let (mut first, mut second) = (self.row(Feed::Mo, one), self.row(Feed::Mo, other));
        if first.id == second.id {
            return;
        }
        first.detail = second.detail;
        second.detail = self.new_detail();
        self.put(Feed::Mo, one, first);
        self.put(Feed::Mo, other, second);
    }

    /// A slot is called off, and another of a new id takes its time: at once, or one more of them.
    fn replace_a_slot(&mut self) {
        let Some(at) = self.any_row(Feed::Slot) else { return };
        let mut old = self.row(Feed::Slot, at);
        let mut new = Row { id: self.new_id(), detail: self.new_detail(), status: "AVAILABLE", ..old.clone() };
        if self.chance.percent(70) {
            old.status = self.chance.any(&["CANCELED", "BLOCKED"]);
            self.put(Feed::Slot, at, old);
        }
        new.status = self.chance.any(&["AVAILABLE", "AVAILABLE", "RECORDED", "CANCELED"]);
        self.insert(Feed::Slot, new);
    }

    /// Of two slots at one time the one that counts is called off, goes, or moves away, and maybe the other one counts again.
    fn call_the_successor_off(&mut self) {
        let Some(at) = self.any_row(Feed::Slot) else { return };
        let mut row = self.row(Feed::Slot, at);
        let twin = self.tables[Feed::Slot as usize].iter().position(|other| {
            let other = &self.versions[*other].row;
            other.id != row.id && (other.resource, other.time) == (row.resource, row.time)
        });
        let Some(twin) = twin else { return };
        match self.chance.below(4) {
            0 => row.status = "CANCELED",
            1 => row.status = "AVAILABLE",
            2 => row.time = self.free_time(row.resource),
            _ => {
                let mut other = self.row(Feed::Slot, twin);
                std::mem::swap(&mut row.status, &mut other.status);
                self.put(Feed::Slot, twin, other);
            }
        }
        self.put(Feed::Slot, at, row);
    }

    /// The schedule of a doctor is written anew: other ids, the same times.
    fn regenerate_a_schedule(&mut self) {
        let Some(resource) = self.any_id(Feed::Resource) else { return };
        for at in 0..self.tables[Feed::Slot as usize].len() {
            let mut row = self.row(Feed::Slot, at);
            if row.resource == resource {
                row.id = self.new_id();
                self.put(Feed::Slot, at, row);
            }
        }
    }

    /// Two rows claim one place: a mistake of the site.
    fn claim_a_taken_place(&mut self) {
        let Some(at) = self.any_row(Feed::Slot) else { return };
        let mut row = self.row(Feed::Slot, at);
        (row.id, row.detail) = (self.new_id(), self.new_detail());
        self.insert(Feed::Slot, row);
    }
}
