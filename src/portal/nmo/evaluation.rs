//! The technical evaluation of a module («Проверка статуса прохождения технической оценки»): asked for, or told by the portal itself.

use serde_json::json;

use super::wire::{Service, Wire};
use crate::portal::{Asked, Finding};
use crate::record::{Receipt, Stage};
use crate::transport::Failure;

/// Most characters of a reason that are kept: more than any service's answer holds.
const LONGEST_REASON: usize = 64 << 10;

/// Where a module stands with the people who look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evaluation {
    /// They are not done.
    InProgress,
    /// It is open to specialists.
    Approved,
    /// It must be mended.
    NotApproved {
        /// Why, in the portal's words; empty where it gives no reason.
        reason: String,
    },
}

/// Reads the portal's words for an evaluation; none when they are not the document's.
pub fn evaluation(status: &str, reason: Option<&str>) -> Option<Evaluation> {
    match status.trim().to_ascii_lowercase().as_str() {
        "in_progress" => Some(Evaluation::InProgress),
        "approved" => Some(Evaluation::Approved),
        "not_approved" => Some(Evaluation::NotApproved { reason: in_full(reason.unwrap_or_default()) }),
        _ => None,
    }
}

/// A reason as it was written, on one line: it speaks of a module and of no person.
fn in_full(reason: &str) -> String {
    let mut line = String::new();
    for word in reason.split(|sign: char| sign.is_whitespace() || sign.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if let Some((end, _)) = line.char_indices().nth(LONGEST_REASON) {
        line.truncate(end);
        line.push('…');
    }
    line
}

impl Evaluation {
    /// The document's word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Evaluation::InProgress => "in_progress",
            Evaluation::Approved => "approved",
            Evaluation::NotApproved { .. } => "not_approved",
        }
    }

    /// The receipt of a module after this evaluation, given the one before it.
    pub fn receipt(self, before: Receipt) -> Receipt {
        let status = Some(self.word().to_owned());
        let (stage, reason) = match self {
            Evaluation::InProgress => (Stage::Sent, None),
            Evaluation::Approved => (Stage::Confirmed, None),
            Evaluation::NotApproved { reason } => (Stage::TurnedDown, Some(reason).filter(|reason| !reason.is_empty())),
        };
        Receipt { stage, status, reason, ..before }
    }
}

/// Asks where a module stands; none for one that the portal does not know.
pub(super) async fn ask(wire: &Wire, module: &str) -> Result<Option<Evaluation>, Failure> {
    let reply = wire.call(Service::Status, &json!({"module_id": module})).await?;
    let word = reply.word("status").filter(|_| reply.is_success()).ok_or_else(|| reply.failure(&[]))?;
    if word == "unknown_module" {
        return Ok(None);
    }
    evaluation(&word, reply.text("status_reason")).map(Some).ok_or_else(|| reply.failure(&[]))
}

/// Asks where a module of ours stands.
pub(super) async fn inquire(wire: &Wire, asked: &Asked) -> Result<Finding, Failure> {
    let reply = wire.call(Service::Status, &json!({"module_id": asked.key.to_string()})).await?;
    let word = reply.word("status").filter(|_| reply.is_success()).ok_or_else(|| reply.failure(&[]))?;
    if word == "unknown_module" {
        return Ok(Finding::Absent);
    }
    Ok(match evaluation(&word, reply.text("status_reason")) {
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
        let reason =
            "Раздел 3, слайд 12:\nнет ссылки на «Приказ № 203н»,  исправьте\u{7}тест.\nВопросы: 8 (495) 123-45-67";
        let told = "Раздел 3, слайд 12: нет ссылки на «Приказ № 203н», исправьте тест. Вопросы: 8 (495) 123-45-67";
        let table = [
            ("in_progress", None, Stage::Sent, "in_progress", None),
            ("Approved ", None, Stage::Confirmed, "approved", None),
            ("not_approved", None, Stage::TurnedDown, "not_approved", None),
            ("not_approved", Some(reason), Stage::TurnedDown, "not_approved", Some(told)),
        ];
        for (status, reason, stage, word, told) in table {
            let receipt = evaluation(status, reason).unwrap().receipt(before.clone());
            assert_eq!((receipt.stage, receipt.status.as_deref()), (stage, Some(word)));
            assert_eq!((receipt.url, receipt.reason.as_deref()), (before.url.clone(), told));
        }
        assert_eq!(evaluation("unknown_module", None), None);
    }
}
