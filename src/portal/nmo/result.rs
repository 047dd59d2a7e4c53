//! Results: how far a specialist got with a module («Результаты прохождения обучения»).
//!
//! Each kind of news has an address of its own. Before a beginning is told the portal may be asked whether it expects one
//! («Проверка наличия ИОМ в плане специалиста»): that spares a refusal. What the technical reviewer does is told to nobody.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::answer::{Outcome, Refusal, truth};
use super::wire::{Service, Wire};
use crate::portal::{Cure, Verdict};
use crate::record::{Receipt, Stage};
use crate::transport::Failure;

/// Fields whose values no text may show.
const PERSONAL: [&str; 3] = ["snils", "pin", "certificate_number"];

/// Sends a result, if it is one for the portal.
pub(super) async fn deliver(
    wire: &Wire,
    mut record: Map<String, Value>,
    reviewer: Option<&SecretString>,
    check_plan: bool,
) -> Result<Verdict, Failure> {
    let snils = text(&record, "snils");
    if reviewer.is_some_and(|reviewer| reviewer.expose_secret() == snils) {
        return Ok(delivered("reviewer"));
    }
    record.remove("id");
    let status = text(&record, "status").to_owned();
    let hidden: Vec<String> = PERSONAL.iter().map(|name| text(&record, name).to_owned()).collect();
    let record = Value::Object(record);
    if status == "started"
        && check_plan
        && let Some(known) = planned(wire, &record, &hidden).await?
    {
        return Ok(known);
    }
    let service = match status.as_str() {
        "started" => Service::Started,
        "completed" => Service::Completed,
        _ => Service::Progress,
    };
    Ok(match wire.call(service, &record).await?.outcome(&hidden)? {
        Outcome::Done { .. } => delivered(&status),
        Outcome::Refused(refusal) if is_known_already(&refusal, &status) => delivered(&refusal.code),
        Outcome::Refused(refusal) => refusal.verdict(),
    })
}

/// What a row that is gone comes to: the portal has no way to take a result back.
pub(super) fn irremovable() -> Verdict {
    let text = "the portal cannot take a result back".to_owned();
    Verdict::Rejected { code: "NO_REMOVAL".into(), text, cure: Cure::Row, holder: None }
}

/// The verdict on a beginning that the portal already knows, or would refuse; none when it is to be told.
async fn planned(wire: &Wire, record: &Value, hidden: &[String]) -> Result<Option<Verdict>, Failure> {
    let question = json!({"module_id": record["module_id"], "snils": record["snils"], "pin": record["pin"]});
    let reply = wire.call(Service::PlanStatus, &question).await?;
    if !reply.is_success() {
        return Err(reply.failure(hidden));
    }
    let refused = |code: &str| Refusal { code: code.into(), text: reply.said(hidden) }.verdict();
    Ok(match reply.word("status").as_deref() {
        Some("started") => Some(delivered("already_started")),
        Some("completed") => Some(delivered("already_completed")),
        Some(code @ ("unknown_module" | "incorrect_pin" | "not_planned")) => Some(refused(code)),
        None if reply.member("included").and_then(truth) == Some(false) => Some(refused("not_planned")),
        // Planned, or a word that no document explains: the service itself decides.
        Some(_) | None => None,
    })
}

/// A module that is completed hears no other news; one that was begun cannot be begun again.
fn is_known_already(refusal: &Refusal, status: &str) -> bool {
    match refusal.code.as_str() {
        "already_completed" => true,
        "already_started" => matches!(status, "started" | "in_progress"),
        _ => false,
    }
}

fn delivered(status: &str) -> Verdict {
    let receipt = Receipt { stage: Stage::Confirmed, status: Some(status.to_owned()), ..Receipt::default() };
    Verdict::Accepted { receipt: Some(Box::new(receipt)) }
}

fn text<'a>(record: &'a Map<String, Value>, name: &str) -> &'a str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}
