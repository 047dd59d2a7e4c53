//! What the mocks hold, by the hospital's own keys, so that it can be compared with what the hospital says.
//!
//! Where a portal is not told the hospital's key, a record is known by what it was told: a result by module and specialist, a document by
//! the name of its file. What is nobody's gets a key that names no person.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Mocks;
use crate::demo::ekdo::EkdoDocument;
use crate::demo::feed::Feed;
use crate::demo::fer::Records;
use crate::demo::hospital::digest;
use crate::demo::nmo::{Evaluation, Module};
use crate::demo::pos::{Activities, Kind};

impl Mocks {
    /// Everything that is held of a feed. `wanted` gives the keys to records that do not carry them.
    pub fn held(&self, feed: Feed, wanted: &Records) -> Records {
        match feed {
            Feed::Fer(subsystem) => self.fer().snapshot(subsystem),
            Feed::Training => tests(self.sout.mock().records()),
            Feed::Module => modules(self.nmo.mock().modules()),
            Feed::Result => results(self.nmo.mock().standings(), wanted),
            Feed::Poll => activities(self.pos.activities(Kind::Polls)),
            Feed::Voting => activities(self.pos.activities(Kind::Voting)),
            Feed::VotingObject => activities(self.pos.activities(Kind::VotingObjects)),
            Feed::Document => documents(self.ekdo.documents(), wanted),
        }
    }

    /// How many records are held of a feed. Neither drafts, nor modules that were withdrawn, nor documents without a signature count.
    pub fn count(&self, feed: Feed) -> u64 {
        let count = match feed {
            Feed::Fer(subsystem) => self.fer().len(subsystem),
            Feed::Training => {
                self.sout.mock().sets().iter().filter(|set| set.sent).map(|set| set.outer_ids.len()).sum()
            }
            Feed::Module => self.nmo.mock().modules().values().filter(|module| module.actual).count(),
            Feed::Result => self.nmo.mock().standings().len(),
            Feed::Poll => self.pos.activities(Kind::Polls).len(),
            Feed::Voting => self.pos.activities(Kind::Voting).len(),
            Feed::VotingObject => self.pos.activities(Kind::VotingObjects).len(),
            Feed::Document => self.ekdo.documents().values().filter(|document| document.signature.is_some()).count(),
        };
        count as u64
    }
}

/// Adds a record. One whose key is there already is a second copy, and told so.
fn add(records: &mut Records, key: String, record: Map<String, Value>) {
    let mut free = key.clone();
    let mut copy = 2;
    while records.contains_key(&free) {
        free = format!("{key} (copy {copy})");
        copy += 1;
    }
    records.insert(free, record);
}

fn tests(held: Vec<(Option<String>, Map<String, Value>)>) -> Records {
    let mut records = Records::new();
    for (outer_id, record) in held {
        add(&mut records, outer_id.unwrap_or_else(|| "without outerId".to_owned()), record);
    }
    records
}

fn modules(held: BTreeMap<String, Module>) -> Records {
    let current = held.into_iter().filter(|(_, module)| module.actual);
    let record = |module: Module| {
        let mut fields = module.fields;
        // Of an update only; it says nothing beyond what was asked above.
        fields.shift_remove("actual");
        fields.insert("url".into(), module.url.into());
        // What the register calls it is what comes back to the hospital.
        let state = match module.evaluation {
            Evaluation::InProgress => "sent",
            Evaluation::Approved => "confirmed",
            Evaluation::NotApproved(_) => "refused",
        };
        fields.insert("state".into(), state.into());
        fields
    };
    current.map(|(id, module)| (id, record(module))).collect()
}

fn results(held: BTreeMap<(String, String), Map<String, Value>>, wanted: &Records) -> Records {
    let known: BTreeMap<(&str, &str), &String> =
        wanted.iter().map(|(key, record)| ((text(record, "module_id"), text(record, "snils")), key)).collect();
    let mut records = Records::new();
    for ((module, snils), record) in held {
        let key = known.get(&(module.as_str(), snils.as_str())).map(|key| (*key).clone());
        add(&mut records, key.unwrap_or_else(|| format!("nobody's of {module}")), record);
    }
    records
}

fn activities(held: Activities) -> Records {
    let mut records = Records::new();
    for (id, mut record) in held {
        let key = text(&record, "external_id").to_owned();
        record.insert("id".into(), id.to_string().into());
        add(&mut records, key, record);
    }
    records
}

fn documents(held: BTreeMap<String, EkdoDocument>, wanted: &Records) -> Records {
    let known: BTreeMap<&str, &String> = wanted.iter().map(|(key, record)| (text(record, "file_name"), key)).collect();
    let mut records = Records::new();
    for (id, document) in held {
        let key = known.get(document.file_name.as_str()).map_or_else(|| format!("nobody's {id}"), |key| (*key).clone());
        let mut record: Map<String, Value> =
            document.fields.into_iter().map(|(name, value)| (name, value.into())).collect();
        // Whose account it was is no part of the document.
        record.shift_remove("user_id");
        record.insert("file_name".into(), document.file_name.into());
        record.insert("document".into(), digest(&document.content).into());
        if let Some((kind, signature)) = document.signature {
            record.insert("signature_type".into(), kind.into());
            record.insert("signature".into(), digest(&signature).into());
        }
        record.insert("id".into(), id.into());
        add(&mut records, key, record);
    }
    records
}

fn text<'a>(record: &'a Map<String, Value>, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or_default()
}
