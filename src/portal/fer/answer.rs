//! Answers of the gateway (appendix 2), read tolerantly and judged record by record.
//!
//! The top-level code of a refusal says one thing where the record's says another, and 422 is a partial success: a record is judged by
//! `errors` and `sendedGuids` alone. An id in both was stored (the refusal speaks of a second copy); an id in neither is unknown, unless
//! the whole was a success without a list.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::portal::{Batch, Cure, Delivery, Verdict};
use crate::record::{Key, guid};
use crate::transport::{Answer, Failure, Mishap, redact_hiding};

/// Longest code that is kept; those of the document have five characters.
const CODE_LEN: usize = 32;

/// An answer whose body was looked at.
pub(super) struct Reply {
    status: u16,
    retry_after: Option<Duration>,
    /// The body, if it is JSON.
    body: Option<Value>,
    /// The body is a page, as web servers and proxies write them.
    is_page: bool,
    envelope: Option<Envelope>,
}

/// What appendix 2 describes.
#[derive(Default)]
pub(super) struct Envelope {
    success: Option<bool>,
    status: Option<u16>,
    error: Option<Complaint>,
    errors: Vec<Complaint>,
    sent: Option<Vec<Key>>,
}

/// A refusal in the gateway's words.
struct Complaint {
    id: Option<Key>,
    code: String,
    text: String,
}

impl Reply {
    pub fn of(answer: Answer) -> Self {
        let bytes = without_bom(&answer.body);
        let is_page = bytes.trim_ascii_start().starts_with(b"<");
        let body = serde_json::from_slice::<Value>(bytes).ok();
        let envelope = body.as_ref().and_then(Envelope::of);
        let inner = envelope.as_ref().and_then(|envelope| envelope.status);
        // Under HTTP 200 the envelope may hold the true status.
        let status = match answer.status {
            200..=299 => inner.unwrap_or(answer.status),
            other => other,
        };
        Reply { status, retry_after: answer.retry_after, body, is_page, envelope }
    }

    /// The status of the answer: the envelope's where HTTP itself says success.
    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn is_unauthorized(&self) -> bool {
        self.status == 401
    }

    pub fn envelope(&self) -> Option<&Envelope> {
        self.envelope.as_ref()
    }

    /// A member of the body, whatever its letter case.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.body.as_ref().map(unwrapped).and_then(|body| member(body, name))
    }

    /// What the answer carries: `result` of the envelope, or the body where there is no envelope.
    pub fn payload(&self) -> &Value {
        match (self.member("result"), &self.envelope, &self.body) {
            (Some(result), _, _) => result,
            (None, None, Some(bare)) => bare,
            (None, _, _) => &Value::Null,
        }
    }

    /// What the status comes to, with what the gateway said about it, less the values that were sent to it and must not be shown.
    pub fn failure(&self, sent: &[String]) -> Failure {
        let code = self.status;
        let mishap = match (code, &self.envelope) {
            (400 | 409 | 422, Some(_)) => Mishap::Unnamed { code },
            // A web server that shows a page takes no POST there: that blocks no unit.
            (405, None) if self.is_page => Mishap::Page { code },
            _ => Mishap::Status { code, retry_after: self.retry_after },
        };
        Failure::from(mishap).saying(&self.envelope.as_ref().map(|envelope| envelope.said(sent)).unwrap_or_default())
    }

    /// A success that is not told in the gateway's words.
    pub fn unreadable(&self) -> Failure {
        let shape = match &self.body {
            None => "it is not JSON",
            Some(_) => "it is JSON without isSuccess, errors and sendedGuids",
        };
        Mishap::Unreadable { reason: shape.into() }.into()
    }

    /// What a 405 names in square brackets, if it names one thing: a unit's id, OID or name. The print masks it.
    pub fn blocked(&self) -> Option<&str> {
        let envelope = self.envelope.as_ref().filter(|_| self.status == 405)?;
        let text = &envelope.error.as_ref().or(envelope.errors.first())?.text;
        let named = text.split_once('[')?.1.split_once(']')?.0.trim();
        (!named.is_empty() && !named.starts_with('*')).then_some(named)
    }

    /// The records of a read: `result` holds an array, one object, or nothing.
    pub fn records(&self) -> Result<Vec<Map<String, Value>>, Failure> {
        if !(200..300).contains(&self.status) {
            return Err(self.failure(&[]));
        }
        // What the gateway could not read is not therefore absent.
        if let Some(envelope) = self.envelope.as_ref().filter(|envelope| envelope.success == Some(false)) {
            return Err(envelope.unattributed(self, &[]));
        }
        let payload = match (&self.body, &self.envelope, self.member("result")) {
            (_, _, Some(result)) => result,
            (_, Some(_), None) => &Value::Null,
            (Some(bare), None, None) => bare,
            (None, None, None) => return Err(self.unreadable()),
        };
        match payload {
            Value::Null => Ok(Vec::new()),
            Value::Object(record) => Ok(vec![record.clone()]),
            Value::Array(records) => {
                records.iter().map(|record| record.as_object().cloned().ok_or_else(|| self.unreadable())).collect()
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(self.unreadable()),
        }
    }
}

/// What became of each record of an upsert.
pub(super) fn judge(batch: &Batch, reply: &Reply) -> Delivery {
    let judged = |envelope: &Envelope| match reply.status {
        200..=299 | 400 | 409 | 422 => true,
        // «Результат по заданному идентификатору SQL-запроса не найден»: the address is right, the outcome of its work is lost or
        // something that a record names is not there. In the gateway's own words this is about the request, never about the address.
        404 => envelope.success.is_some(),
        _ => false,
    };
    match &reply.envelope {
        Some(envelope) if judged(envelope) => envelope.judge(batch, reply),
        None if (200..300).contains(&reply.status) => Delivery::Failed(reply.unreadable()),
        Some(_) => Delivery::Failed(reply.failure(&personal_values_of(batch))),
        None => Delivery::Failed(reply.failure(&[])),
    }
}

/// What became of a removal. A 404 counts as done only in the gateway's own words: a web server's says nothing about the record.
pub(super) fn judge_removal(key: &Key, reply: &Reply) -> Delivery {
    let removed = || Delivery::Judged(vec![Verdict::Accepted { receipt: None }]);
    match (reply.status, &reply.envelope) {
        (204, _) => removed(),
        (404, Some(envelope)) if envelope.success.is_some() => removed(),
        (200..=299, Some(envelope)) if envelope.succeeded() => removed(),
        (200..=299 | 400 | 409 | 422, Some(envelope)) => {
            let complaint = envelope.errors.first().or(envelope.error.as_ref());
            match complaint {
                Some(complaint) => Delivery::Judged(vec![complaint.verdict(key, &[])]),
                None => Delivery::Failed(envelope.unattributed(reply, &[])),
            }
        }
        (200..=299, None) => Delivery::Failed(reply.unreadable()),
        _ => Delivery::Failed(reply.failure(&[])),
    }
}

impl Envelope {
    /// None when the body has none of the envelope's members.
    fn of(body: &Value) -> Option<Self> {
        let body = unwrapped(body);
        let errors = member(body, "errors");
        // A status code alone is how many web frameworks word their own errors.
        let is_envelope = ["isSuccess", "sendedGuids", "result"].iter().any(|name| member(body, name).is_some())
            || errors.is_some_and(Value::is_array)
            || (errors.is_some_and(Value::is_null) && member(body, "statusCode").is_some());
        is_envelope.then(|| Envelope {
            success: member(body, "isSuccess").and_then(Value::as_bool),
            status: member(body, "statusCode").and_then(number).filter(|code| (100..600).contains(code)),
            error: member(body, "error").or_else(|| member(body, "errorMessage")).and_then(Complaint::of),
            errors: array(member(body, "errors")).iter().filter_map(Complaint::of).collect(),
            sent: member(body, "sendedGuids")
                .and_then(Value::as_array)
                .map(|ids| ids.iter().filter_map(key_of).collect()),
        })
    }

    /// True when the gateway speaks of success, or of nothing that went wrong.
    pub fn succeeded(&self) -> bool {
        self.success.unwrap_or(self.errors.is_empty() && self.error.is_none())
    }

    /// The gateway's summary, redacted, less the values that were sent to it and must not be shown.
    pub fn said(&self, sent: &[String]) -> String {
        let complaint = self.error.as_ref().or(self.errors.first());
        let told = |complaint: &Complaint| format!("{} {}", complaint.code, redact_hiding(&complaint.text, sent));
        complaint.map(told).unwrap_or_default()
    }

    /// True when the gateway lists all records of the batch as sent, in their order, and complains of none: the usual answer.
    fn accepts_all(&self, batch: &Batch) -> bool {
        let listed = |sent: &Vec<Key>| {
            sent.len() == batch.len() && sent.iter().zip(batch.records()).all(|(id, record)| *id == record.key)
        };
        self.errors.is_empty() && self.sent.as_ref().is_some_and(listed)
    }

    fn judge(&self, batch: &Batch, reply: &Reply) -> Delivery {
        if self.accepts_all(batch) {
            return Delivery::Judged(vec![Verdict::Accepted { receipt: None }; batch.len()]);
        }
        let sent: Option<HashSet<&Key>> = self.sent.as_ref().map(|sent| sent.iter().collect());
        let refused: HashMap<&Key, &Complaint> =
            self.errors.iter().filter_map(|complaint| Some((complaint.id.as_ref()?, complaint))).collect();
        let whole = self.succeeded() && (200..300).contains(&reply.status);
        let verdict = |key: &Key, body: &[u8]| match (&sent, refused.get(key)) {
            (Some(sent), _) if sent.contains(key) => Verdict::Accepted { receipt: None },
            (_, Some(complaint)) => complaint.verdict(key, body),
            (None, None) if whole => Verdict::Accepted { receipt: None },
            (_, None) => Verdict::Unknown,
        };
        let records = batch.records().iter().enumerate();
        let verdicts: Vec<Verdict> = records.map(|(at, record)| verdict(&record.key, batch.body(at))).collect();
        let names_nobody = verdicts.iter().all(|verdict| *verdict == Verdict::Unknown);
        if names_nobody && !whole {
            return Delivery::Failed(self.unattributed(reply, &personal_values_of(batch)));
        }
        Delivery::Judged(verdicts)
    }

    /// A refusal that names none of the records that were sent.
    fn unattributed(&self, reply: &Reply, sent: &[String]) -> Failure {
        Failure::from(Mishap::Unnamed { code: reply.status }).saying(&self.said(sent))
    }
}

impl Complaint {
    fn of(value: &Value) -> Option<Self> {
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| member(value, name).and_then(Value::as_str));
            found.unwrap_or_default().to_owned()
        };
        match value {
            Value::Object(_) => Some(Complaint {
                id: ["id", "period_id"].iter().find_map(|name| member(value, name).and_then(key_of)),
                code: code(&text(&["errorCode"])),
                text: text(&["errorMessage"]),
            }),
            Value::String(text) if !text.is_empty() => Some(Complaint { id: None, code: code(""), text: text.clone() }),
            _ => None,
        }
    }

    /// `sent` is the record's body, if there was one: what the gateway repeats of it is masked.
    fn verdict(&self, key: &Key, sent: &[u8]) -> Verdict {
        let text = redact_hiding(&self.text, &personal_values(sent).collect::<Vec<_>>());
        let holder = self.holder(key);
        let cure = if holder.is_none() { cure(&self.text) } else { Cure::Time };
        Verdict::Rejected { code: self.code.clone(), text, cure, holder }
    }

    /// The other record that a text names: the last GUID in square brackets that is not the record's own.
    fn holder(&self, own: &Key) -> Option<Key> {
        let bracketed = self.text.split('[').skip(1).filter_map(|part| part.split(']').next());
        bracketed.filter_map(guid::parse).map(Key::Guid).filter(|key| key != own).last()
    }
}

/// What can change the gateway's mind, by its text: the document defines no code (R-310 stands for a bad field as well as for a parent
/// that the mart lacks). Only a text that surely blames a field's value is taken as final: a refusal wrongly taken so would leave a record
/// behind, one wrongly taken for passing costs a request a day.
fn cure(text: &str) -> Cure {
    const BLAMES_A_VALUE: [&str; 10] = [
        "обязательн",
        "не заполнен",
        "не указывается",
        "формат",
        "длин",
        "не описан",
        "больше не передается",
        "недопустим",
        "некорректн",
        "должно",
    ];
    const BLAMES_ANOTHER: [&str; 6] = ["не найден", "не существует", "не загруж", "не зарегистр", "дубл", "уже "];
    let text = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&BLAMES_A_VALUE) && !says(&BLAMES_ANOTHER) { Cure::Row } else { Cure::Time }
}

/// The names and numbers in a record's body, which no text about it may show. Enums and ids may stay.
fn personal_values(body: &[u8]) -> impl Iterator<Item = String> {
    let record: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    record.into_iter().filter_map(|(_, value)| match value {
        Value::String(value) if is_personal(&value) => Some(value),
        _ => None,
    })
}

fn personal_values_of(batch: &Batch) -> Vec<String> {
    (0..batch.len()).flat_map(|at| personal_values(batch.body(at))).collect()
}

fn is_personal(value: &str) -> bool {
    // The document's enums are Latin capitals.
    let is_word = value.chars().any(|letter| letter.is_lowercase() || (letter.is_alphabetic() && !letter.is_ascii()));
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    value.chars().count() >= 2 && (is_word || digits >= 6) && guid::parse(value).is_none()
}

/// A code as it may be shown and grouped by.
fn code(text: &str) -> String {
    let fits = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.');
    let code: String = text.trim().chars().take(CODE_LEN).collect();
    if !code.is_empty() && code.chars().all(fits) { code } else { "UNCODED".into() }
}

/// A member of an object, whatever its letter case.
pub(super) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// One answer wrapped into an array is still one answer.
fn unwrapped(body: &Value) -> &Value {
    match body.as_array().map(Vec::as_slice) {
        Some([only]) if member(only, "isSuccess").is_some() => only,
        _ => body,
    }
}

fn array(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64().and_then(|number| number.try_into().ok()),
    }
}

fn key_of(value: &Value) -> Option<Key> {
    let text = value.as_str().filter(|text| !text.is_empty())?;
    Some(guid::parse(text).map_or_else(|| Key::parse(text), Key::Guid))
}

fn without_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
#[cfg(test)]
mod tests;
