//! Which module a specialist's pin belongs to («Получение идентификатора модуля по СНИЛС и ПИН»).

use serde_json::json;

use super::wire::{Service, Wire};
use crate::transport::Failure;

/// What the portal found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByPin {
    /// This module, which is in the specialist's plan.
    Found(String),
    /// No such module in the plan, no such pin, or no such person: the portal does not say which.
    NotFound,
    /// The portal did not take the pin for one.
    IncorrectPin,
    /// The person is the technical reviewer, of whom the portal is not asked.
    Reviewer,
}

/// Asks about a SNILS of eleven digits.
pub(super) async fn ask(wire: &Wire, snils: &str, pin: &str) -> Result<ByPin, Failure> {
    let reply = wire.call(Service::IdByPin, &json!({"snils": snils, "pin": pin})).await?;
    let hidden = [snils.to_owned(), pin.to_owned()];
    if !reply.is_success() {
        return Err(reply.failure(&hidden));
    }
    match (reply.word("status").as_deref(), reply.text("module_id")) {
        (Some("found"), Some(module)) => Ok(ByPin::Found(module.to_owned())),
        (Some("not_found"), _) => Ok(ByPin::NotFound),
        (Some("incorrect_pin"), _) => Ok(ByPin::IncorrectPin),
        _ => Err(reply.failure(&hidden)),
    }
}
