//! What the hospital says against what the portals hold, and against what the register says of it. The report names ids and fields, never
//! values.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::Expected;
use crate::demo::feed::Feed;
use crate::demo::fer::{Records, Subsystem};

/// Ids that a report prints of one kind of difference in one feed.
const SHOWN: usize = 5;

/// Where portals and hospital differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    feeds: BTreeMap<Feed, Difference>,
    compared: u64,
}

/// What differs in one feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Difference {
    /// Ids that the portal lacks.
    missing: Found,
    /// Ids that the portal should not hold.
    extra: Found,
    /// Ids whose records differ, with the fields that do.
    unequal: Found,
    /// Records that the register of exchange does not call confirmed, or whose receipt is not written back.
    unconfirmed: u64,
}

/// A number of ids, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Found {
    count: u64,
    first: Vec<String>,
}

impl Found {
    fn add(&mut self, shown: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(shown());
        }
    }
}

/// Compares what is expected with what the mart holds, one subsystem at a time, so that only one snapshot is in memory.
pub fn compare(expected: &Expected, snapshot: impl Fn(Subsystem) -> Records) -> Differences {
    let mut differences = Differences::default();
    let nothing = Records::new();
    for subsystem in Subsystem::ALL {
        let wanted = expected.get(&subsystem).unwrap_or(&nothing);
        differences.compare(Feed::Fer(subsystem), wanted, &snapshot(subsystem));
    }
    differences
}

fn compare_one(wanted: &Records, held: &Records) -> Difference {
    let mut difference = Difference::default();
    for (id, wanted) in wanted {
        match held.get(id) {
            None => difference.missing.add(|| id.clone()),
            Some(held) => {
                let fields = unequal_fields(wanted, held);
                if !fields.is_empty() {
                    difference.unequal.add(|| format!("{id} ({})", fields.join(", ")));
                }
            }
        }
    }
    for id in held.keys().filter(|id| !wanted.contains_key(*id)) {
        difference.extra.add(|| id.clone());
    }
    difference
}

fn unequal_fields<'a>(wanted: &'a Map<String, Value>, held: &'a Map<String, Value>) -> Vec<&'a str> {
    let differs = wanted.iter().filter(|(field, value)| !held.get(*field).is_some_and(|held| same(value, held)));
    let unknown = held.iter().filter(|(field, value)| !value.is_null() && !wanted.contains_key(*field));
    differs.chain(unknown).map(|(field, _)| field.as_str()).collect()
}

/// Numbers are equal by value: 250 and 250.0 are one price.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}

impl Differences {
    /// Adds what differs between what one feed's portal should hold and what it holds.
    pub fn compare(&mut self, feed: Feed, wanted: &Records, held: &Records) {
        self.compared += wanted.len() as u64;
        let difference = compare_one(wanted, held);
        if difference != Difference::default() {
            self.feeds.insert(feed, difference);
        }
    }

    /// Adds records of a feed that are not confirmed.
    pub fn unconfirmed(&mut self, feed: Feed, records: u64) {
        if records > 0 {
            self.feeds.entry(feed).or_default().unconfirmed += records;
        }
    }

    /// True when portals and hospital agree.
    pub fn is_empty(&self) -> bool {
        self.feeds.is_empty()
    }

    /// Records in which they differ; one that differs and is not confirmed counts twice.
    pub fn len(&self) -> u64 {
        let count =
            |found: &Difference| found.missing.count + found.extra.count + found.unequal.count + found.unconfirmed;
        self.feeds.values().map(count).sum()
    }

    /// Records that were expected.
    pub fn compared(&self) -> u64 {
        self.compared
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return write!(f, "no differences in {} records", self.compared);
        }
        for (feed, found) in &self.feeds {
            let kinds = [("missing", &found.missing), ("extra", &found.extra), ("different", &found.unequal)];
            for (kind, found) in kinds.into_iter().filter(|(_, found)| found.count > 0) {
                let more = if found.count > found.first.len() as u64 { ", …" } else { "" };
                writeln!(f, "{feed}: {} {kind}: {}{more}", found.count, found.first.join(", "))?;
            }
            if found.unconfirmed > 0 {
                writeln!(f, "{feed}: {} not confirmed", found.unconfirmed)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn records(list: &[(&str, Value)]) -> Records {
        list.iter().map(|(id, record)| ((*id).to_owned(), record.as_object().unwrap().clone())).collect()
    }

    fn differences(wanted: &[(&str, Value)], held: &[(&str, Value)]) -> Differences {
        let expected = Expected::from([(Subsystem::Service, records(wanted))]);
        compare(&expected, |subsystem| match subsystem {
            Subsystem::Service => records(held),
            _ => Records::new(),
        })
    }

    #[test]
    fn equal_numbers_in_two_forms_are_no_difference() {
        let found = differences(&[("a", json!({"price": 250.0}))], &[("a", json!({"price": 250, "note": null}))]);
        assert!(found.is_empty(), "{found}");
        assert_eq!(found.to_string(), "no differences in 1 records");
    }

    #[test]
    fn a_report_counts_all_and_shows_few_without_values() {
        let wanted: Vec<_> = (0..9).map(|n| (["a", "b", "c", "d", "e", "f", "g", "h", "i"][n], json!({}))).collect();
        let found = differences(&wanted, &[("x", json!({})), ("a", json!({"code": "secret"}))]);
        assert_eq!(found.len(), 10);
        assert_eq!(
            found.to_string(),
            "fer.service: 8 missing: b, c, d, e, f, …\nfer.service: 1 extra: x\nfer.service: 1 different: a (code)\n"
        );
    }
}
