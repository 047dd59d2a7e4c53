//! What happens to a posted batch: each record is checked, then all are judged and stored in the order in which they came.
//!
//! Reading and checking need no state and run outside the mart's lock; judging is a few look-ups per record.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::{Answer, RecordError};
use super::check;
use super::form;
use super::mart::{Conflict, Facts, Mart, Place, SlotStatus};
use super::rules::Reading;
use super::settings::{GatewaySettings, NamedBy};
use super::subsystem::Subsystem;

/// The documented request: `{"data": [ … ]}`.
#[derive(Deserialize)]
struct Request {
    data: Vec<Map<String, Value>>,
}

/// One record with all that can be said of it without the mart.
pub(super) struct Checked {
    id: Option<String>,
    key: Option<u128>,
    faults: Vec<String>,
    facts: Facts,
    text: Box<str>,
}

impl Checked {
    /// Its id as sent, empty when it has none.
    pub(super) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }
}

/// What became of a batch.
pub(super) struct Outcome {
    /// The answer to send.
    pub(super) answer: Answer,
    /// Records that were stored.
    pub(super) accepted: u64,
    /// Records that were refused.
    pub(super) refused: u64,
}

/// Why a body is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Not gzip where gzip was announced, not JSON, or not of the documented shape.
    Malformed,
    /// More bytes or records than the settings allow.
    TooLarge,
}

impl From<Unreadable> for Answer {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Malformed => Answer::malformed(),
            Unreadable::TooLarge => Answer::too_large(),
        }
    }
}

/// Reads a request body and checks every record by its table.
pub(super) fn read(subsystem: Subsystem, body: &[u8], settings: &GatewaySettings) -> Result<Vec<Checked>, Unreadable> {
    let request: Request = serde_json::from_slice(body).map_err(|_| Unreadable::Malformed)?;
    if request.data.is_empty() {
        return Err(Unreadable::Malformed);
    }
    if request.data.len() > settings.max_records {
        return Err(Unreadable::TooLarge);
    }
    let reading = Reading {
        book_needs_referral: settings.book_needs_referral,
        referral_by_scenario: settings.referral_by_scenario,
    };
    Ok(request.data.into_iter().map(|record| check_one(subsystem, record, reading)).collect())
}

fn check_one(subsystem: Subsystem, record: Map<String, Value>, reading: Reading) -> Checked {
    let id = record.get(subsystem.key_field()).and_then(Value::as_str).map(shortened);
    Checked {
        key: id.as_deref().and_then(form::guid),
        id,
        faults: check::faults(subsystem, &record, reading),
        facts: facts(subsystem, &record),
        text: Value::Object(record).to_string().into(),
    }
}

/// An id from outside, short enough to be repeated in an answer.
fn shortened(id: &str) -> String {
    id.chars().take(64).collect()
}

/// What the mart must know of a record.
pub(super) fn facts(subsystem: Subsystem, record: &Map<String, Value>) -> Facts {
    let text = |field: &str| record.get(field).and_then(Value::as_str);
    let guid = |field: &str| text(field).and_then(form::guid);
    let mut facts = Facts::default();
    for (parent, (field, _)) in facts.parents.iter_mut().zip(subsystem.parents()) {
        *parent = guid(field);
    }
    match subsystem {
        Subsystem::Mo => facts.place = text("name").map(|name| Place::Name(name.into())),
        Subsystem::Referral => facts.unit = guid("from_mo_id"),
        Subsystem::Slot => {
            facts.visit_time = text("visit_time").and_then(form::time).unwrap_or_default();
            facts.place = guid("resource_id").map(|resource| Place::Visit(resource, facts.visit_time));
            facts.status = match text("status") {
                Some("RECORDED") => SlotStatus::Recorded,
                Some("CANCELED") => SlotStatus::Canceled,
                _ => SlotStatus::Other,
            };
        }
        Subsystem::Book => {
            let code = record.get("status_code").and_then(Value::as_i64);
            facts.needs_recorded = matches!(code, Some(5000 | 5020 | 5030));
            facts.is_to_come = code == Some(5000);
        }
        _ => {}
    }
    facts
}

/// Judges a checked batch and stores what stands.
pub(super) fn store(mart: &mut Mart, subsystem: Subsystem, batch: Vec<Checked>, settings: &GatewaySettings) -> Outcome {
    let total = batch.len() as u64;
    if let Some(unit) = blocked_unit(mart, subsystem, &batch) {
        let called = called(mart, unit, settings.blocked_unit_named);
        return Outcome { answer: Answer::unit_blocked(called.as_deref()), accepted: 0, refused: total };
    }
    let all_malformed = batch.iter().all(|record| !record.faults.is_empty());
    let mut seen = HashSet::with_capacity(batch.len());
    let mut errors = Vec::new();
    let mut stored = Vec::with_capacity(batch.len());
    for record in batch {
        match judge(mart, subsystem, &record, &mut seen) {
            Ok(key) => {
                stored.extend(record.id);
                mart.store(subsystem, key, record.text, record.facts);
            }
            Err(mut found) => {
                note_error(mart, subsystem, &record);
                errors.append(&mut found);
            }
        }
    }
    let accepted = stored.len() as u64;
    let answer = match (errors.is_empty(), all_malformed && settings.format_errors_as_400) {
        (true, _) => Answer::stored(subsystem, stored),
        (false, true) => Answer::refused(subsystem, 400, errors, stored),
        (false, false) => Answer::refused(subsystem, 422, errors, stored),
    };
    Outcome { answer, accepted, refused: total - accepted }
}

/// The key to store a record under, or everything that is wrong with it.
fn judge(
    mart: &Mart,
    subsystem: Subsystem,
    record: &Checked,
    seen: &mut HashSet<u128>,
) -> Result<u128, Vec<RecordError>> {
    let error = |fault: &str| RecordError::in_record(subsystem, record.id.as_deref(), fault);
    if record.key.is_some_and(|key| !seen.insert(key)) {
        let kind = subsystem.genitive();
        let field = subsystem.key_field();
        return Err(vec![error(&format!("Уникальный идентификатор {kind} [{field}] имеет дубликат внутри запроса"))]);
    }
    let (Some(key), Some(id), []) = (record.key, &record.id, record.faults.as_slice()) else {
        return Err(record.faults.iter().map(|fault| error(fault)).collect());
    };
    match mart.conflict(subsystem, key, &record.facts) {
        None => Ok(key),
        Some(Conflict::NoParent(field, parent)) => {
            let kind = parent.genitive();
            Err(vec![error(&format!("Не найдена запись {kind}, указанная в поле [{field}]"))])
        }
        Some(Conflict::SlotNotRecorded) => {
            Err(vec![error("Слот, указанный в поле [slot_id], не находится в статусе RECORDED")])
        }
        Some(Conflict::BookedAs(book)) => {
            let text = format!(
                "Бирка с идентификатором [{id}] не соответствует записи через ЕПГУ: слот [slot_id] забронирован с book_ext_id [{}]",
                form::print_guid(book)
            );
            Err(vec![RecordError::conflict(id, text)])
        }
        Some(Conflict::PlaceTaken(holder)) => Err(vec![RecordError::conflict(id, taken(subsystem, id, holder))]),
    }
}

/// The printed texts of sections 5.1 and 5.4: the field names in brackets are literal.
fn taken(subsystem: Subsystem, id: &str, holder: u128) -> String {
    let holder = form::print_guid(holder);
    match subsystem {
        Subsystem::Mo => format!(
            "Структурное подразделение с идентификатором [{id}] дублирует ранее загруженное в витрину структурное \
             подразделение с таким наименованием [name] и с другим идентификатором [{holder}]."
        ),
        _ => format!(
            "Слот с идентификатором [{id}] и указанным в нем ресурсом [resource_id] и временем визита [visit_time] \
             дублирует ранее загруженный в витрину слот с другим идентификатором [{holder}]."
        ),
    }
}

/// The first blocked unit that a record of the batch belongs to.
fn blocked_unit(mart: &Mart, subsystem: Subsystem, batch: &[Checked]) -> Option<u128> {
    let unit = |record: &Checked| mart.unit_of(subsystem, record.key?, &record.facts);
    batch.iter().filter(|_| mart.counts_errors()).filter_map(unit).find(|unit| mart.is_blocked(*unit))
}

/// What a refusal calls a unit.
fn called(mart: &Mart, unit: u128, named: NamedBy) -> Option<String> {
    let NamedBy::Field(field) = named else { return None };
    mart.get(Subsystem::Mo, unit)?[field].as_str().map(str::to_owned)
}

fn note_error(mart: &mut Mart, subsystem: Subsystem, record: &Checked) {
    let unit = record.key.and_then(|key| mart.unit_of(subsystem, key, &record.facts));
    if let Some(unit) = unit {
        mart.note_error(unit);
    }
}
