//! The technical evaluation of a module («Проверка статуса прохождения технической оценки»): asked for, or told by the portal itself.

use serde_json::json;

use super::answer::redacted;
use super::wire::{Service, Wire};
use crate::portal::{Asked, Finding};
use crate::record::{Receipt, Stage};
use crate::transport::Failure;

/// Where a module stands with the people who look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evaluation {
    /// They are not done.
    InProgress,
    /// It is open to specialists.
    Approved,
    /// It must be mended.
    NotApproved {
        /// Why, redacted; empty where the portal gives no reason.
        reason: String,
    },
}

/// Reads the portal's words for an evaluation; none when they are not the document's.
pub fn evaluation(status: &str, reason: Option<&str>) -> Option<Evaluation> {
    match status.trim().to_ascii_lowercase().as_str() {
        "in_progress" => Some(Evaluation::InProgress),
        "approved" => Some(Evaluation::Approved),
        "not_approved" => Some(Evaluation::NotApproved { reason: redacted(reason.unwrap_or_default(), &[]) }),
        _ => None,
    }
}

impl Evaluation {
    /// The receipt of a module after this evaluation, given the one before it.
    pub fn receipt(self, before: Receipt) -> Receipt {
        let (stage, status) = match self {
            Evaluation::InProgress => (Stage::Sent, "in_progress".to_owned()),
            Evaluation::Approved => (Stage::Confirmed, "approved".to_owned()),
            Evaluation::NotApproved { reason } if reason.is_empty() => (Stage::TurnedDown, "not_approved".to_owned()),
            Evaluation::NotApproved { reason } => (Stage::TurnedDown, format!("not_approved: {reason}")),
        };
        Receipt { stage, status: Some(status), ..before }
    }
}

/// Asks where a module stands.
pub(super) async fn inquire(wire: &Wire, asked: &Asked) -> Result<Finding, Failure> {
    let reply = wire.call(Service::Status, &json!({"module_id": asked.key.to_string()})).await?;
    if !reply.is_success() {
        return Err(reply.failure(&[]));
    }
    let Some(status) = reply.word("status") else { return Err(reply.failure(&[])) };
    if status == "unknown_module" {
        return Ok(Finding::Absent);
    }
    Ok(match evaluation(&status, reply.text("status_reason")) {
        Some(evaluation) => Finding::Held(evaluation.receipt(asked.receipt.clone().unwrap_or_default())),
        None => Finding::Unclear,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evaluation_keeps_what_was_known_of_the_module() {
        let before = Receipt { url: Some("https://nmfo/1".into()), ..Receipt::default() };
        let table = [
            ("in_progress", None, Stage::Sent, "in_progress"),
            ("Approved ", None, Stage::Confirmed, "approved"),
            ("not_approved", None, Stage::TurnedDown, "not_approved"),
            (
                "not_approved",
                Some("требуется информация, звоните 8 912 345-67-89"),
                Stage::TurnedDown,
                "not_approved: требуется информация, звоните # # #-#-#",
            ),
        ];
        for (status, reason, stage, told) in table {
            let receipt = evaluation(status, reason).unwrap().receipt(before.clone());
            assert_eq!((receipt.stage, receipt.status.as_deref()), (stage, Some(told)));
            assert_eq!(receipt.url, before.url);
        }
        assert_eq!(evaluation("unknown_module", None), None);
    }
}
