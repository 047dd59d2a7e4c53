//! What the mock register holds: sets, some of them drafts, and the numbers of the records of those that were sent on.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{NaiveDate, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::parcel::Record;

/// Number of the first set; the document's sample has one like it.
const FIRST_SET: u64 = 4_282_613;
/// The register's first number.
const FIRST_NUMBER: u64 = 12_000_001;

/// What the mock was asked since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Pushes with the right key, refused ones among them.
    pub pushes: u64,
    /// Sets that were refused.
    pub refused: u64,
    /// Read-backs with the right key.
    pub reads: u64,
    /// Requests with a wrong key.
    pub wrong_keys: u64,
    /// Times the catalogue was asked for.
    pub programs: u64,
}

/// A set from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetView {
    /// Its number.
    pub id: String,
    /// It came with a signature.
    pub signed: bool,
    /// It was sent on into the register.
    pub sent: bool,
    /// Its records, in its order.
    pub outer_ids: Vec<String>,
}

struct Set {
    number: u64,
    day: NaiveDate,
    made: Instant,
    signed: bool,
    sent: bool,
    records: Vec<Record>,
}

/// A record of the register, to be told of.
pub(super) struct Entry<'a> {
    pub(super) set: u64,
    pub(super) base_no: Option<String>,
    pub(super) day: NaiveDate,
    pub(super) record: &'a Record,
}

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Question {
    pub(super) outer_id: Option<String>,
    pub(super) set: Option<String>,
    pub(super) base_no: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) middle_name: Option<String>,
    pub(super) position: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) tested_from: Option<NaiveDate>,
    pub(super) tested_before: Option<NaiveDate>,
    pub(super) snils: Option<String>,
    pub(super) from: Option<NaiveDate>,
    pub(super) before: Option<NaiveDate>,
    pub(super) program: Option<i64>,
}

/// The state.
pub(super) struct Register {
    sets: Vec<Set>,
    /// By set and position: how often it was read, and its number.
    numbers: HashMap<(u64, usize), (u32, Option<u64>)>,
    next_number: u64,
    reads_before_number: u32,
    drafts_sent_after: Option<Duration>,
    pub(super) counters: Counters,
}

impl Register {
    pub(super) fn new(reads_before_number: u32, drafts_sent_after: Option<Duration>) -> Self {
        Register {
            sets: Vec::new(),
            numbers: HashMap::new(),
            next_number: FIRST_NUMBER,
            reads_before_number,
            drafts_sent_after,
            counters: Counters::default(),
        }
    }

    /// Makes a set; its number.
    pub(super) fn make(&mut self, records: Vec<Record>, signed: bool, sent: bool) -> u64 {
        let number = FIRST_SET + self.sets.len() as u64;
        self.sets.push(Set { number, day: Utc::now().date_naive(), made: Instant::now(), signed, sent, records });
        if self.reads_before_number == 0 {
            self.number_sent();
        }
        number
    }

    pub(super) fn send_drafts(&mut self) -> usize {
        let drafts = self.sets.iter_mut().filter(|set| !set.sent);
        let sent = drafts.map(|set| set.sent = true).count();
        if self.reads_before_number == 0 {
            self.number_sent();
        }
        sent
    }

    /// Does what a person did meanwhile.
    fn catch_up(&mut self) {
        let Some(after) = self.drafts_sent_after else { return };
        for set in self.sets.iter_mut().filter(|set| set.made.elapsed() >= after) {
            set.sent = true;
        }
        if self.reads_before_number == 0 {
            self.number_sent();
        }
    }

    fn number_sent(&mut self) {
        for set in self.sets.iter().filter(|set| set.sent) {
            for position in 0..set.records.len() {
                let (_, number) = self.numbers.entry((set.number, position)).or_default();
                if number.is_none() {
                    *number = Some(self.next_number);
                    self.next_number += 1;
                }
            }
        }
    }

    /// The page `number` (the first is 1) of what is asked for; only what was sent on is in the register.
    pub(super) fn page(&mut self, question: &Question, number: usize, size: usize) -> Vec<Entry<'_>> {
        self.catch_up();
        let mut found = Vec::new();
        for set in self.sets.iter().filter(|set| set.sent) {
            for (position, record) in set.records.iter().enumerate() {
                let known = self.numbers.entry((set.number, position)).or_default();
                let base_no = known.1.map(|number| number.to_string());
                let entry = Entry { set: set.number, base_no, day: set.day, record };
                if question.wants(&entry) {
                    known.0 += 1;
                    if known.0 >= self.reads_before_number && known.1.is_none() {
                        known.1 = Some(self.next_number);
                        self.next_number += 1;
                    }
                    found.push(entry);
                }
            }
        }
        found.into_iter().skip(number.saturating_sub(1).saturating_mul(size)).take(size).collect()
    }

    pub(super) fn sets(&self) -> Vec<SetView> {
        let ids = |set: &Set| set.records.iter().filter_map(|record| record.outer_id.clone()).collect();
        let view =
            |set: &Set| SetView { id: set.number.to_string(), signed: set.signed, sent: set.sent, outer_ids: ids(set) };
        self.sets.iter().map(view).collect()
    }

    /// All records with their `outer_id`, in the order of their sets; `sent`, `set_id` and `base_no` tell where each stands.
    pub(super) fn records(&self) -> Vec<(Option<String>, Map<String, Value>)> {
        let mut records = Vec::new();
        for set in &self.sets {
            for (position, record) in set.records.iter().enumerate() {
                let mut fields = record.fields();
                fields.insert("sent".into(), set.sent.into());
                fields.insert("set_id".into(), set.number.to_string().into());
                if let Some(&(_, Some(number))) = self.numbers.get(&(set.number, position)) {
                    fields.insert("base_no".into(), number.to_string().into());
                }
                records.push((record.outer_id.clone(), fields));
            }
        }
        records
    }

    pub(super) fn base_no(&self, outer_id: &str) -> Option<String> {
        self.sets.iter().find_map(|set| {
            let position = set.records.iter().position(|record| record.outer_id.as_deref() == Some(outer_id))?;
            self.numbers.get(&(set.number, position))?.1.map(|number| number.to_string())
        })
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }
}

impl Question {
    fn wants(&self, entry: &Entry<'_>) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, given: Option<&T>) -> bool {
            wanted.is_none_or(|wanted| Some(wanted) == given)
        }
        let record = entry.record;
        is(self.outer_id.as_ref(), record.outer_id.as_ref())
            && is(self.set.as_ref(), Some(&entry.set.to_string()))
            && is(self.base_no.as_ref(), entry.base_no.as_ref())
            && is(self.last_name.as_ref(), Some(&record.worker.last_name))
            && is(self.first_name.as_ref(), Some(&record.worker.first_name))
            && is(self.middle_name.as_ref(), Some(&record.worker.middle_name))
            && is(self.position.as_ref(), Some(&record.worker.position))
            && is(self.protocol.as_ref(), Some(&record.test.protocol))
            && self.tested_from.is_none_or(|from| record.test.date >= from)
            && self.tested_before.is_none_or(|before| record.test.date <= before)
            && is(self.snils.as_ref(), record.worker.snils.as_ref())
            && is(self.program.as_ref(), Some(&record.test.program))
            && self.from.is_none_or(|from| entry.day >= from)
            && self.before.is_none_or(|before| entry.day <= before)
    }
}
