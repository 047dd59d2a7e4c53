//! Answers of the portal, read tolerantly. A service answers `success` with a `reason`; the framework under it answers errors as an
//! object, as an array of `{message, path, invalidValue}`, or as a page of HTML.
//!
//! Every request is about one record, so a refusal without a reason still says of whom it speaks.

use std::time::Duration;

use serde_json::Value;

use crate::portal::{Cure, Verdict};
use crate::transport::{Answer, Failure, Mishap, Trouble, redact_hiding};

/// Longest code that is kept; the document's have up to seventeen characters.
const CODE_LEN: usize = 32;
/// Most faults of one answer that are told.
const MOST_FAULTS: usize = 10;
/// Longest address that is kept.
const ADDRESS_LEN: usize = 2000;
/// Code of a refusal without one.
const UNCODED: &str = "UNCODED";

/// An answer whose body was looked at.
pub(super) struct Reply {
    status: u16,
    retry_after: Option<Duration>,
    /// The body, if it is JSON.
    body: Option<Value>,
}

/// What a service said of the one record that it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is done.
    Done {
        /// Where the module is shown.
        url: Option<String>,
    },
    /// It is refused.
    Refused(Refusal),
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The document's word, or the status.
    pub code: String,
    /// Redacted.
    pub text: String,
}

impl Refusal {
    /// As a verdict. The document's reasons say what can cure them.
    pub fn verdict(self) -> Verdict {
        let cure = match self.code.as_str() {
            "incorrect_pin" | "incomplete_data" | "incorrect_data" => Cure::Row,
            _ => Cure::Time,
        };
        Verdict::Rejected { code: self.code, text: self.text, cure, holder: None }
    }
}

impl Reply {
    pub fn of(answer: Answer) -> Self {
        let body = answer.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&answer.body);
        Reply { status: answer.status, retry_after: answer.retry_after, body: serde_json::from_slice(body).ok() }
    }

    pub fn is_unauthorized(&self) -> bool {
        self.status == 401
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A member of the body, whatever its letter case. One object wrapped into an array is still one object.
    pub fn member(&self, name: &str) -> Option<&Value> {
        let body = match self.body.as_ref()? {
            Value::Array(values) if values.len() == 1 => values.first()?,
            body => body,
        };
        member(body, name)
    }

    /// A word of the body in lower case: an enum of the document.
    pub fn word(&self, name: &str) -> Option<String> {
        self.member(name).and_then(Value::as_str).map(|word| word.trim().to_ascii_lowercase())
    }

    /// A text of the body as it is.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.member(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
    }

    /// What became of the one record that was sent; `hidden` are its values that no text may show.
    pub fn outcome(&self, hidden: &[String]) -> Result<Outcome, Failure> {
        match (self.member("success").and_then(truth), self.status) {
            (Some(true), 200..=299) => Ok(Outcome::Done { url: self.text("url").and_then(address) }),
            (Some(false), 200..=299 | 400 | 404 | 409 | 422) => Ok(Outcome::Refused(self.refusal(hidden))),
            (None, 400 | 409 | 422) if self.speaks() => {
                let code = format!("HTTP_{}", self.status);
                Ok(Outcome::Refused(Refusal { code, text: self.said(hidden) }))
            }
            _ => Err(self.failure(hidden)),
        }
    }

    fn refusal(&self, hidden: &[String]) -> Refusal {
        let code = code(self.word("reason").as_deref().unwrap_or_default());
        Refusal { code, text: self.said(hidden) }
    }

    /// What the status comes to, with what the portal said about it. A success that cannot be read is one of them.
    pub fn failure(&self, hidden: &[String]) -> Failure {
        if self.is_success() {
            let shape = if self.body.is_some() { "it is JSON without the document's fields" } else { "it is not JSON" };
            return Mishap::Unreadable { reason: shape.into() }.into();
        }
        let code = self.status;
        let failure = match code {
            400 | 409 | 422 if self.speaks() => Mishap::Unnamed { code }.into(),
            _ => Failure::from(Mishap::Status { code, retry_after: self.retry_after }),
        };
        let failure = match failure.trouble {
            // Every request is about one record: there is no part of it that could have been taken.
            Trouble::Foreign { .. } => Failure { maybe_applied: false, ..failure },
            // There are no units here that could be blocked: the address is wrong.
            Trouble::UnitBlocked => Failure {
                trouble: Trouble::FeedParked,
                text: "HTTP 405: this address takes no such requests; check the portal's url".into(),
                ..failure
            },
            _ => failure,
        };
        failure.saying(&self.said(hidden))
    }

    /// True when the answer says something about the request, as the service or the framework under it does; a page of a web server and an
    /// empty body do not.
    fn speaks(&self) -> bool {
        self.member("success").is_some() || self.text("reason").is_some() || !self.said(&[]).trim().is_empty()
    }

    /// The portal's words, redacted, without the values that must not be shown.
    pub fn said(&self, hidden: &[String]) -> String {
        let Some(body) = &self.body else { return String::new() };
        let text = match body {
            Value::Array(faults) => faults.iter().take(MOST_FAULTS).filter_map(fault).collect::<Vec<_>>().join("; "),
            Value::String(text) => text.clone(),
            body => {
                let words = ["description", "error_description", "error", "details", "message"];
                let mut said: Vec<&str> = words.iter().filter_map(|name| member(body, name)?.as_str()).collect();
                said.dedup();
                said.join(": ")
            }
        };
        redacted(&text, hidden)
    }
}

/// A text of the portal as it may be shown. The portal repeats tokens, and its tokens are GUIDs, which redaction would keep.
pub(super) fn redacted(text: &str, hidden: &[String]) -> String {
    let is_token = |run: &&str| run.len() >= 32 && run.bytes().filter(u8::is_ascii_hexdigit).count() >= 32;
    let runs = text.split(|sign: char| !sign.is_ascii_hexdigit() && sign != '-').filter(is_token);
    let hidden: Vec<String> = hidden.iter().cloned().chain(runs.map(str::to_owned)).collect();
    redact_hiding(text, &hidden)
}

/// `{message, path, invalidValue}`: what and where, never the value.
fn fault(fault: &Value) -> Option<String> {
    let message = member(fault, "message").or_else(|| member(fault, "description"))?.as_str()?;
    let path = member(fault, "path").and_then(Value::as_str).unwrap_or_default();
    let path: String = path.chars().filter(|sign| sign.is_ascii_alphabetic() || matches!(sign, '.' | '_')).collect();
    Some(if path.is_empty() { message.to_owned() } else { format!("[{}]: {message}", path.to_ascii_lowercase()) })
}

/// A code as it may be shown and grouped by.
fn code(text: &str) -> String {
    let fits = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.');
    let code: String = text.trim().chars().take(CODE_LEN).collect();
    if !code.is_empty() && code.chars().all(fits) { code } else { UNCODED.into() }
}

/// An address as it may be shown and written back.
fn address(text: &str) -> Option<String> {
    let is_address = text.starts_with("https://") || text.starts_with("http://");
    let fits = text.len() <= ADDRESS_LEN && text.bytes().all(|byte| byte.is_ascii_graphic());
    (is_address && fits).then(|| text.to_owned())
}

pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A member of an object, whatever its letter case.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
#[cfg(test)]
mod tests;
