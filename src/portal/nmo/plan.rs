//! Whether a module is in a specialist's plan («Проверка наличия ИОМ в плане специалиста»).

use serde_json::{Value, json};

use super::answer::{Reply, truth};
use super::wire::{Service, Wire};
use crate::transport::Failure;

/// The document's words for a module in a plan.
const WORDS: [&str; 6] = ["unknown_module", "incorrect_pin", "not_planned", "planned", "started", "completed"];

/// How a module stands in a specialist's plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanStatus {
    /// It is in the plan.
    pub included: bool,
    /// The document's word.
    pub status: &'static str,
}

/// Asks the portal. The pin may be left out: then it is not checked.
pub(super) async fn ask(wire: &Wire, module: &str, snils: &str, pin: Option<&str>) -> Result<PlanStatus, Failure> {
    let mut question = json!({"module_id": module, "snils": snils});
    if let Some(pin) = pin {
        question["pin"] = Value::from(pin);
    }
    let reply = wire.call(Service::PlanStatus, &question).await?;
    let hidden = [snils.to_owned(), pin.unwrap_or_default().to_owned()];
    status(&reply).filter(|_| reply.is_success()).ok_or_else(|| reply.failure(&hidden))
}

fn status(reply: &Reply) -> Option<PlanStatus> {
    let word = reply.word("status")?;
    let status = WORDS.into_iter().find(|known| *known == word)?;
    let included = reply.member("included").and_then(truth);
    Some(PlanStatus { included: included.unwrap_or(matches!(status, "planned" | "started" | "completed")), status })
}
