//! Reading the mart back. The document prints some addresses in two ways: the first is tried, the other on a 404.

use chrono::NaiveDate;
use reqwest::Method;
use serde_json::{Map, Value};

use super::answer::Reply;
use super::wire::{Call, Wire};
use crate::portal::{Ask, Held, Reading};
use crate::record::{Key, Schema, guid};
use crate::transport::{Body, Failure, Mishap};

/// What is read.
#[derive(Debug, Clone, Copy)]
pub enum Read<'a> {
    /// One record by its key.
    Record(&'a Schema, &'a Key),
    /// The units of the medical organisation with this OID.
    Units(&'a str),
    /// The resources of a unit.
    Resources(&'a Key),
    /// The slots of a resource, by the date of their visits, both days included.
    Slots(&'a Key, NaiveDate, NaiveDate),
    /// The bookings of a slot.
    Books(&'a Key),
}

/// How a feed can be read back: units by the organisation, resources by their unit, slots by their resource, bookings by their slot;
/// the document names no list of anything else.
pub(super) fn reading(schema: &Schema) -> Reading {
    match schema.feed {
        "mo" => Reading::Whole,
        "resource" => Reading::OfParent { feed: "mo", dated: false },
        "slot" => Reading::OfParent { feed: "resource", dated: true },
        "book" => Reading::OfParent { feed: "slot", dated: false },
        _ => Reading::ByKey,
    }
}

/// The gateway's way of being asked this; none where it has none. `oid` is the account's.
pub(super) fn asked<'a>(schema: &'a Schema, ask: Ask<'a>, oid: &'a str) -> Option<Read<'a>> {
    match (ask, schema.feed) {
        (Ask::Record(key), _) => Some(Read::Record(schema, key)),
        (Ask::Whole, "mo") => Some(Read::Units(oid)),
        (Ask::ChildrenOf { parent, .. }, "resource") => Some(Read::Resources(parent)),
        (Ask::ChildrenOf { parent, days: Some((from, to)) }, "slot") => Some(Read::Slots(parent, from, to)),
        (Ask::ChildrenOf { parent, .. }, "book") => Some(Read::Books(parent)),
        (Ask::Whole | Ask::ChildrenOf { .. }, _) => None,
    }
}

/// A record with its key and the names of its schema: the mart may write names in another letter case, and `id` where the table has
/// `period_id`.
pub(super) fn held(schema: &Schema, record: Map<String, Value>) -> Result<Held, Failure> {
    let named = |name: String| match schema.fields.iter().find(|field| field.name.eq_ignore_ascii_case(&name)) {
        Some(field) => field.name.to_owned(),
        None => name,
    };
    let mut record: Map<String, Value> = record.into_iter().map(|(name, value)| (named(name), value)).collect();
    if !record.contains_key(schema.key)
        && let Some(id) = record.get("id").cloned()
    {
        record.insert(schema.key.to_owned(), id);
    }
    let key = record.get(schema.key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let key = key.map(|text| guid::parse(text).map_or_else(|| Key::parse(text), Key::Guid));
    match key {
        Some(key) => Ok(Held { key, record }),
        None => Err(Mishap::Unreadable { reason: format!("a record of {} comes without its key", schema.feed) }.into()),
    }
}

/// The one unit that has this OID of its own or this name. An organisation's OID stands for all of its units, and so for none.
pub(super) fn unit_called(called: &str, units: Vec<Map<String, Value>>) -> Option<Key> {
    let schema = super::SCHEMAS.iter().find(|schema| schema.feed == "mo")?;
    let is_called = |held: &Held| {
        let text = |field: &str| held.record.get(field).and_then(Value::as_str).map(str::trim);
        text("branch_oid") == Some(called) || text("name").is_some_and(|name| name.eq_ignore_ascii_case(called))
    };
    let mut found = units.into_iter().filter_map(|unit| held(schema, unit).ok()).filter(is_called);
    found.next().filter(|_| found.next().is_none()).map(|held| held.key)
}

/// A path and a query.
struct Address {
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
}

impl Address {
    fn path<const N: usize>(segments: [&str; N]) -> Self {
        Address { path: segments.map(str::to_owned).to_vec(), query: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }
}

impl Read<'_> {
    fn addresses(&self) -> Vec<Address> {
        match self {
            Read::Record(schema, key) => vec![
                Address::path(["api", schema.feed]).with("id", key),
                Address::path(["api", schema.feed, &key.to_string()]),
            ],
            Read::Units(oid) => vec![Address::path(["api", "mo", "oid", oid]), Address::path(["api", "oid", oid])],
            Read::Resources(unit) => vec![Address::path(["api", "mo", &unit.to_string(), "resource"])],
            // «resourse» is the document's own spelling.
            Read::Slots(resource, from, to) => vec![
                Address::path(["api", "resourse", &resource.to_string(), "slots"])
                    .with("startDate", from.format("%Y-%m-%d"))
                    .with("endDate", to.format("%Y-%m-%d")),
            ],
            Read::Books(slot) => vec![Address::path(["api", "slot", &slot.to_string(), "books"])],
        }
    }
}

pub(super) async fn read(wire: &Wire, read: &Read<'_>) -> Result<Vec<Map<String, Value>>, Failure> {
    let mut absent = false;
    let mut wrong_address = None;
    for address in read.addresses() {
        let reply = get(wire, &address).await?;
        match (reply.status(), reply.envelope()) {
            // The gateway's own 404 is an answer; a web server's says only that the address is wrong.
            (404, Some(_)) => absent = true,
            (404, None) => wrong_address = Some(reply.failure(&[])),
            _ => return reply.records(),
        }
    }
    match wrong_address {
        Some(failure) if !absent => Err(failure),
        _ => Ok(Vec::new()),
    }
}

async fn get(wire: &Wire, address: &Address) -> Result<Reply, Failure> {
    let path: Vec<&str> = address.path.iter().map(String::as_str).collect();
    let query: Vec<(&str, &str)> = address.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    wire.call(&Call { method: Method::GET, path: &path, query: &query, body: Body::AsBuilt }).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schema::SCHEMAS;
    use super::*;

    const ID: &str = "ab7cbc4b-2e68-40d2-881b-6f957b044818";

    fn schema(feed: &str) -> &'static Schema {
        SCHEMAS.iter().find(|schema| schema.feed == feed).unwrap()
    }

    fn held_of(feed: &str, record: &Value) -> Result<Held, Failure> {
        held(schema(feed), record.as_object().unwrap().clone())
    }

    #[test]
    fn feeds_are_listed_by_a_parent_that_their_schema_names() {
        for schema in SCHEMAS {
            if let Reading::OfParent { feed, .. } = reading(schema) {
                assert!(schema.holding_edges().any(|edge| edge.feed == feed), "{}", schema.feed);
            }
        }
    }

    #[test]
    fn names_in_another_letter_case_are_those_of_the_table() {
        let held = held_of("slot", &json!({"ID": ID.to_uppercase(), "Visit_Time": "2024-03-28T05:00:00"})).unwrap();
        assert_eq!(held.key, Key::parse(ID));
        assert_eq!(held.record["visit_time"], "2024-03-28T05:00:00");
    }

    #[test]
    fn a_period_may_come_under_the_name_that_addresses_use() {
        let held = held_of("unaccessable_period", &json!({"id": ID})).unwrap();
        assert_eq!((held.key, &held.record["period_id"]), (Key::parse(ID), &json!(ID)));
    }

    #[test]
    fn a_record_without_a_key_is_an_answer_that_cannot_be_read() {
        assert!(held_of("slot", &json!({"id": null})).unwrap_err().text.contains("slot"));
    }
}
