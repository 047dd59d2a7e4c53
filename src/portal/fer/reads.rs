//! Reading the mart back. The document prints some addresses in two ways: the first is tried, the other on a 404.

use chrono::NaiveDate;
use reqwest::Method;
use serde_json::{Map, Value};

use super::answer::Reply;
use super::wire::{Call, Wire};
use crate::record::{Key, Schema};
use crate::transport::Failure;

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
    wire.call(&Call { method: Method::GET, path: &path, query: &query, body: None }).await
}
