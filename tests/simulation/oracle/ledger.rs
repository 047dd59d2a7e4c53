//! Invariant 2: whenever a process ends, whatever it was doing, what the ledger says without doubt is what the mart holds.

use std::collections::BTreeMap;

use super::forgotten::Forgotten;
use super::mart::is_taken;
use super::{Evidence, Mart, Rows, Violation, expiry, follow};
use crate::engine::hash;
use crate::hospital::{Feed, Id};
use crate::trace::{Memory, What};

pub fn check(evidence: &Evidence, broken: &mut Vec<Violation>) {
    let mut mart = Mart::new();
    // What was past before the clock was set back stays forgotten.
    let mut latest = i64::MIN;
    let mut forgotten = Forgotten::default();
    for (at, event) in evidence.events.iter().enumerate() {
        forgotten.take(event, &evidence.versions, &mart);
        follow(&mut mart, &event.what);
        latest = latest.max(event.second);
        // What is past is told by whichever clock is ahead.
        if let What::DatabaseClock(second) = event.what {
            latest = latest.max(second);
        }
        if let What::Remembered(memories) = &event.what {
            compare(&mart, memories, (latest, &forgotten), &mut |about, text| {
                broken.push(Violation { invariant: 2, at: Some(at), about: Some(about), text });
            });
        }
    }
    if let Some(What::Remembered(memories)) = evidence.events.last().map(|event| &event.what) {
        let rows = Rows::of(evidence);
        let is_left = |memory: &&Memory| memory.doubt.is_some() && is_missed(evidence, &rows, (memory.feed, memory.id));
        let doubted = memories.iter().filter(is_left);
        broken.extend(doubted.map(|memory| Violation {
            invariant: 2,
            at: None,
            about: Some((memory.feed, memory.id)),
            text: "a doubt is left at the end".to_owned(),
        }));
    }
}

/// Nothing keeps the record's row from being sent, which would end the doubt.
fn is_missed(evidence: &Evidence, rows: &Rows<'_>, record: (Feed, Id)) -> bool {
    let mart = &evidence.mart;
    let row = rows.flowing(record, mart);
    row.is_some_and(|body| !is_taken(record, body, mart, rows, evidence.second))
}

fn compare(
    mart: &Mart,
    memories: &[Memory],
    (second, forgotten): (i64, &Forgotten),
    complain: &mut dyn FnMut((Feed, Id), String),
) {
    let known: BTreeMap<(Feed, Id), &Memory> =
        memories.iter().map(|memory| ((memory.feed, memory.id), memory)).collect();
    // What is past is forgotten, doubts and all.
    let is_past = |record: &(Feed, Id)| {
        mart.get(record).and_then(|body| expiry(record.0, body, mart)).is_some_and(|expiry| expiry < second)
    };
    for (record, memory) in &known {
        let held = mart.get(record).map(|body| hash(body));
        if memory.doubt.is_none() && memory.accepted != held && !is_past(record) {
            let says = if memory.accepted.is_some() { "another version is accepted" } else { "none is accepted" };
            complain(*record, format!("the ledger says that {says}, the mart holds {:?}", mart.get(record)));
        }
    }
    for record in mart.keys() {
        if !known.contains_key(record) && !is_past(record) && !forgotten.contains(record) {
            complain(*record, "the mart holds it, and the ledger knows nothing of it".to_owned());
        }
    }
}
