//! Modules: creating, updating and withdrawing them («Добавление и изменение информации о модуле»).
//!
//! The portal has one service for new modules and one for those it knows. What the ledger believes is corrected by the portal's word,
//! once: `already_exists` makes a creation an update, `not_found` an update a creation.

use serde_json::{Map, Value, json};

use super::answer::Outcome;
use super::schema::VERSION;
use super::wire::{Service, Wire};
use crate::portal::Verdict;
use crate::record::{Receipt, Rule, Stage, Violation};
use crate::transport::Failure;

const ACTUAL: &str = "actual";
const INN: &str = "organization_inn";
const NAME: &str = "organization_name";

/// Sends a module. One whose row says that it is no longer current is withdrawn.
pub(super) async fn deliver(wire: &Wire, mut record: Map<String, Value>, known: bool) -> Result<Verdict, Failure> {
    if record.shift_remove(ACTUAL) == Some(Value::Bool(false)) {
        let id = record.get("module_id").and_then(Value::as_str).unwrap_or_default();
        return withdraw(wire, id).await;
    }
    record.shift_remove(VERSION);
    let (first, second) = if known { (Service::Update, Service::Create) } else { (Service::Create, Service::Update) };
    let outcome = match send(wire, first, &record).await? {
        Outcome::Refused(refusal) if refusal.code == corrected_by(second) => send(wire, second, &record).await?,
        outcome => outcome,
    };
    Ok(match outcome {
        Outcome::Done { url } => taken(url),
        Outcome::Refused(refusal) => refusal.verdict(),
    })
}

/// Declares a module no longer current. One that the portal does not know is as good as withdrawn.
pub(super) async fn withdraw(wire: &Wire, id: &str) -> Result<Verdict, Failure> {
    let outcome = wire.call(Service::Update, &json!({"module_id": id, ACTUAL: false})).await?.outcome(&[])?;
    Ok(match outcome {
        Outcome::Refused(refusal) if refusal.code != corrected_by(Service::Create) => refusal.verdict(),
        Outcome::Refused(_) => withdrawn(None),
        Outcome::Done { url } => withdrawn(url),
    })
}

fn withdrawn(url: Option<String>) -> Verdict {
    let receipt = Receipt { stage: Stage::Confirmed, url, status: Some("withdrawn".into()), ..Receipt::default() };
    Verdict::Accepted { receipt: Some(Box::new(receipt)) }
}

async fn send(wire: &Wire, service: Service, record: &Map<String, Value>) -> Result<Outcome, Failure> {
    wire.call(service, &Value::Object(on_the_wire(record, service == Service::Update))).await?.outcome(&[])
}

/// The portal's word that sends a module to this service after the other one.
fn corrected_by(service: Service) -> &'static str {
    if service == Service::Update { "already_exists" } else { "not_found" }
}

/// After each change people at the portal look at the module anew.
fn taken(url: Option<String>) -> Verdict {
    let receipt = Receipt { stage: Stage::Sent, url, status: Some("in_progress".into()), ..Receipt::default() };
    Verdict::Accepted { receipt: Some(Box::new(receipt)) }
}

/// The module as the portal wants it: the organisation is an object, and an update says that the module is current.
fn on_the_wire(record: &Map<String, Value>, update: bool) -> Map<String, Value> {
    let mut module = Map::new();
    for (name, value) in record {
        match name.as_str() {
            INN => {
                let named = record.get(NAME).unwrap_or(&Value::Null);
                module.insert("organization".into(), json!({"inn": value, "name": named}));
            }
            NAME => {}
            _ => {
                module.insert(name.clone(), value.clone());
            }
        }
    }
    if update {
        module.insert(ACTUAL.into(), Value::Bool(true));
    }
    module
}

/// An organisation has both an INN and a name. Names of fields cannot stand in a value of the body with quotes of their own.
pub(super) fn examine(body: &[u8]) -> Result<(), Vec<Violation>> {
    let has = |name: &str| {
        let field = format!("\"{name}\":");
        body.windows(field.len()).any(|window| window == field.as_bytes())
    };
    let lacks = |field: &'static str, other: &str| {
        let text = format!("is mandatory when {other} is there (Добавление и изменение информации о модуле)");
        Err(vec![Violation { field: field.into(), rule: Rule::Conditional, text: text.into() }])
    };
    match (has(INN), has(NAME)) {
        (true, false) => lacks(NAME, INN),
        (false, true) => lacks(INN, NAME),
        (true, true) | (false, false) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn columns_of_the_organisation_become_an_object_and_only_an_update_is_actual() {
        let flat = record(r#"{"module_id":"A","price":12500,"organization_inn":"7707083893","organization_name":"О"}"#);
        let created = Value::Object(on_the_wire(&flat, false)).to_string();
        assert_eq!(created, r#"{"module_id":"A","price":12500,"organization":{"inn":"7707083893","name":"О"}}"#);
        let updated = on_the_wire(&record(r#"{"module_id":"A"}"#), true);
        assert_eq!(Value::Object(updated).to_string(), r#"{"module_id":"A","actual":true}"#);
    }

    #[test]
    fn an_organisation_needs_both_its_fields_and_texts_that_speak_of_them_do_not_count() {
        let missing = |body: &str| examine(body.as_bytes()).err().map(|found| found[0].field.clone().into_owned());
        assert_eq!(missing(r#"{"module_id":"A"}"#), None);
        assert_eq!(missing(r#"{"organization_inn":"1","organization_name":"О"}"#), None);
        assert_eq!(missing(r#"{"organization_inn":"1"}"#).as_deref(), Some(NAME));
        assert_eq!(missing(r#"{"organization_name":"О"}"#).as_deref(), Some(INN));
        assert_eq!(missing(r#"{"name":"\"organization_inn\": x"}"#), None);
    }
}
