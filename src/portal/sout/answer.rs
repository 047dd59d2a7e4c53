//! The portal's answers. A set is taken or refused as a whole: `<Response>` with `<SetId>`, or `<Error>`, bare or inside a `<Response>`. An
//! error may come with HTTP 200, and one whose own `StatusCode` is 200 is none. The portal repeats the ApiKey in its texts.

use std::collections::HashSet;

use chrono::{NaiveDate, NaiveTime};
use serde_json::{Map, Value};

use crate::portal::{Batch, Cure, Delivery, Verdict};
use crate::record::{Key, Receipt, Stage};
use crate::transport::{Answer, Failure, Mishap, redact_hiding};

use super::blame::{Blame, blame, blames_key};
use super::entry::RegisterRecord;
use super::xml::{self, Element};

/// Longest id, number, date that is kept of an answer.
const SHORT: usize = 128;
/// Most characters of a message that are looked at.
const MESSAGE: usize = 4000;
/// Status of a set that waits at the portal for a person's signature.
pub(super) const DRAFT: &str = "draft";
/// Status of a record that is on its way into the register.
pub(super) const SENT: &str = "sent";
/// Status of a record that is in the register.
pub(super) const REGISTERED: &str = "registered";

/// A refusal in the portal's words.
pub(super) struct Complaint {
    /// The portal's own status code.
    code: Option<u16>,
    message: String,
    /// `RequestId` and `DateTime`, by which the portal's support finds the request.
    reference: String,
}

/// What a body says.
enum Told {
    Response(Element),
    Refusal(Complaint),
}

/// A record of the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub outer_id: String,
    pub set_id: Option<String>,
    pub base_no: Option<String>,
    pub registered_at: Option<String>,
}

/// A page of the register.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Records on it, those without an id of ours among them.
    pub size: usize,
    /// Those with one.
    pub found: Vec<Found>,
}

/// What became of a set: of all its records the same.
pub(super) fn judge(batch: &Batch, answer: &Answer, signed: bool, key: &str) -> Delivery {
    let complaint = match told(answer) {
        Ok(Told::Response(response)) => match response.value("SetId").and_then(|id| short(id, key)) {
            Some(set_id) => return accepted(batch, Some(set_id), &response, signed, key),
            None => return Delivery::Failed(no_verdict(answer, "it is a Response without SetId")),
        },
        Ok(Told::Refusal(complaint)) if complaint.is_success() => {
            return accepted(batch, None, &Element::default(), signed, key);
        }
        Ok(Told::Refusal(complaint)) => complaint,
        Err(reason) => return Delivery::Failed(no_verdict(answer, reason)),
    };
    let named = complaint.names(batch).map(|key| format!("; the portal names the record {key}")).unwrap_or_default();
    let hidden = hidden(batch, &complaint.message, key);
    let text = format!("{}{named}", complaint.said(&hidden));
    let values = hidden.iter().skip(1).map(String::as_str);
    let blame = if named.is_empty() { blame(&complaint.message, key, values) } else { Blame::Record };
    match (complaint.mishap(answer, blame, signed), batch.records()) {
        (Mishap::Unnamed { code: 400 }, [_]) => Delivery::Judged(vec![complaint.verdict(answer.status, text)]),
        (mishap, _) => Delivery::Failed(Failure::from(mishap).saying(&text)),
    }
}

fn accepted(batch: &Batch, set_id: Option<String>, response: &Element, signed: bool, key: &str) -> Delivery {
    let sent_on = response.value("SendEducatedPerson").map_or(signed, |told| told.eq_ignore_ascii_case("true"));
    let kept_back = signed && !sent_on;
    let reason = response.value("Message").filter(|_| kept_back).map(|message| {
        let message: String = message.chars().take(MESSAGE).collect();
        redact_hiding(&message, &hidden(batch, &message, key))
    });
    if kept_back {
        let why = reason.as_deref().unwrap_or("it does not say why");
        tracing::warn!(
            set_id,
            "the portal took a signed set and did not send it on, a person must see to it on the site: {why}"
        );
    }
    let (stage, status) = if sent_on { (Stage::Sent, SENT) } else { (Stage::Draft, DRAFT) };
    let receipt = Receipt {
        stage,
        remote_id: set_id.clone(),
        set_id,
        status: Some(status.to_owned()),
        reason: reason.filter(|reason| !reason.is_empty()),
        signed: kept_back.then_some(true),
        ..Receipt::default()
    };
    Delivery::Judged(vec![Verdict::Accepted { receipt: Some(Box::new(receipt)) }; batch.len()])
}

/// What a read-back found, as far as looking records up needs it.
pub(super) fn page(answer: &Answer, key: &str) -> Result<Page, Failure> {
    let records = listed(answer, key, |record| Found::of(record, key))?;
    Ok(Page { size: records.len(), found: records.into_iter().flatten().collect() })
}

/// What a read-back found, whole.
pub(super) fn records(answer: &Answer, key: &str) -> Result<Vec<RegisterRecord>, Failure> {
    listed(answer, key, |record| RegisterRecord::of(record, |value| without_key(value, key)))
}

/// The records of a page. A refusal in the portal's words that says 404 is an empty page if it speaks of records.
fn listed<T>(answer: &Answer, key: &str, read: impl Fn(&Element) -> T) -> Result<Vec<T>, Failure> {
    match told(answer) {
        Ok(Told::Response(root)) => {
            let mut records = Vec::new();
            root.all("RegistryRecord", &mut records);
            Ok(records.into_iter().map(read).collect())
        }
        Ok(Told::Refusal(complaint)) if complaint.code == Some(404) && lacks_records(&complaint.message, key) => {
            Ok(Vec::new())
        }
        // A success that lists nothing proves nothing.
        Ok(Told::Refusal(complaint)) if complaint.is_success() => {
            Err(no_verdict(answer, "it is an Error that speaks of success").saying(&complaint.said(&[key.to_owned()])))
        }
        Ok(Told::Refusal(complaint)) => {
            let blame = match blame(&complaint.message, key, []) {
                // Nothing is signed or packed here.
                Blame::Set | Blame::Size => Blame::Record,
                blame @ (Blame::Key | Blame::Record) => blame,
            };
            Err(Failure::from(complaint.mishap(answer, blame, false)).saying(&complaint.said(&[key.to_owned()])))
        }
        Err(reason) => Err(no_verdict(answer, reason)),
    }
}

/// An answer that is not the portal's: its status counts where it is one of failure.
fn no_verdict(answer: &Answer, reason: &'static str) -> Failure {
    match answer.status {
        200..=299 => Mishap::Unreadable { reason: reason.into() }.into(),
        code => Failure::from(Mishap::Status { code, retry_after: answer.retry_after }).without_units(),
    }
}

fn told(answer: &Answer) -> Result<Told, &'static str> {
    let root = xml::parse(&answer.body).map_err(|error| match error {
        xml::XmlError::Encoding => "it is not UTF-8",
        xml::XmlError::Malformed => "it is not XML",
        xml::XmlError::DocType | xml::XmlError::Entity | xml::XmlError::TooLarge => {
            "it is XML of a kind that is not read"
        }
    })?;
    if root.is("Error") {
        return Ok(Told::Refusal(Complaint::of(&root)));
    }
    if !["Response", "EducatedPersons", "ArrayOfRegistryRecord"].iter().any(|name| root.is(name)) {
        return Err("it is XML with a root that no document names");
    }
    match root.child("Error").map(Complaint::of) {
        // Beside the number of a set an Error that speaks of success is a remark.
        Some(complaint) if complaint.is_success() && root.value("SetId").is_some() => Ok(Told::Response(root)),
        Some(complaint) => Ok(Told::Refusal(complaint)),
        None => Ok(Told::Response(root)),
    }
}

impl Complaint {
    fn of(error: &Element) -> Self {
        let reference = ["RequestId", "DateTime"].iter().filter_map(|name| {
            let value = error.value(name)?;
            let plain = value.len() <= SHORT
                && value.chars().all(|sign| sign.is_ascii_alphanumeric() || "-:.|+_".contains(sign));
            plain.then(|| format!("{name} {value}"))
        });
        Complaint {
            code: error.value("StatusCode").and_then(status_code),
            message: error.value("Message").unwrap_or_default().chars().take(MESSAGE).collect(),
            reference: reference.collect::<Vec<_>>().join(", "),
        }
    }

    fn is_success(&self) -> bool {
        self.code.is_some_and(|code| (200..300).contains(&code))
    }

    /// What follows from it. A set that is refused in the portal's words made nothing: there is no half of a set.
    fn mishap(&self, answer: &Answer, blame: Blame, signed: bool) -> Mishap {
        let code = self.code.unwrap_or(answer.status);
        let maybe_applied = !(400..500).contains(&code);
        match (code, blame) {
            (408 | 413 | 429 | 503, _) => Mishap::Status { code, retry_after: answer.retry_after },
            (_, Blame::Set) => Mishap::BatchAtFault { reason: set_at_fault(signed), maybe_applied },
            (400..=499, Blame::Size) => Mishap::Status { code: 413, retry_after: None },
            (401, _) | (400..=499, Blame::Key) => Mishap::KeyRefused,
            // Without a code of its own nobody knows at what point it was refused.
            (200..=299, _) => Mishap::Unnamed { code },
            (403, _) => Mishap::Status { code, retry_after: answer.retry_after },
            (400..=499, _) => Mishap::Unnamed { code: 400 },
            _ => Mishap::Status { code, retry_after: answer.retry_after },
        }
    }

    /// The refusal of a set of one record.
    fn verdict(&self, status: u16, text: String) -> Verdict {
        let code = format!("SOUT-{}", self.code.unwrap_or(status));
        Verdict::Rejected { code, text, cure: cure(&self.message), holder: None }
    }

    /// Message, code and reference, without what must not be shown.
    fn said(&self, hidden: &[String]) -> String {
        let message = redact_hiding(&self.message, hidden);
        let key = hidden.first().map(|key| key.to_lowercase()).unwrap_or_default();
        let code = self.code.map(|code| format!("StatusCode {code}"));
        let reference = Some(self.reference.clone());
        let reference =
            reference.filter(|text| !text.is_empty() && (key.is_empty() || !text.to_lowercase().contains(&key)));
        let about: Vec<String> = code.into_iter().chain(reference).collect();
        match (message.is_empty(), about.is_empty()) {
            (_, true) => message,
            (true, false) => about.join(", "),
            (false, false) => format!("{message} ({})", about.join(", ")),
        }
    }

    /// The record of the batch that the message names by its id.
    fn names<'a>(&self, batch: &'a Batch) -> Option<&'a Key> {
        let words = self.message.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '-');
        let words: HashSet<&str> = words.filter(|word| word.len() >= 3).collect();
        batch.records().iter().map(|record| &record.key).find(|key| words.contains(key.to_string().as_str()))
    }
}

/// True when a sentence says that there are no records such as are looked for. That a key or an organisation is not found proves nothing of
/// records, and neither does a bare code.
fn lacks_records(message: &str, key: &str) -> bool {
    const RECORDS: [&str; 10] =
        ["запис", "набор", "сведени", "данны", "результат", "обученн", "ничего", "record", "educatedperson", "no data"];
    const OTHERS: [&str; 8] =
        ["организац", "работодат", "пользоват", "учётн", "учетн", "доступ", "organization", "user"];
    let lower = message.to_lowercase();
    let speaks_of = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    speaks_of(&RECORDS) && !speaks_of(&OTHERS) && !blames_key(message, key)
}

/// What is said when the portal finds fault with a set and with none of its records.
fn set_at_fault(signed: bool) -> &'static str {
    if signed {
        "the portal does not accept the set itself, and no record is to blame: the signing program (sign_command), its certificate or \
         sig_encoding; see docs/portals/sout.md, mend it, and `vitrina sync` tries at once"
    } else {
        "the portal does not accept the set itself, and no record is to blame: it was sent without a signature; set sign_command if the \
         portal wants one, and `vitrina sync` tries at once"
    }
}

/// What can change the portal's mind. Only a text that surely blames a value is final.
fn cure(message: &str) -> Cure {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let blames_value =
        says(&["формат", "длин", "недопустим", "некорректн", "обязательн", "не заполнен", "должен", "должно"]);
    if blames_value && !says(&["не найден", "не существ", "уже "]) { Cure::Row } else { Cure::Time }
}

/// The key, and every value of the batch that a message repeats: none of them may stand in a text.
fn hidden(batch: &Batch, message: &str, key: &str) -> Vec<String> {
    let message = lowered(message);
    let mut values: HashSet<String> = HashSet::new();
    for at in 0..batch.len() {
        let record: Map<String, Value> = serde_json::from_slice(batch.body(at)).unwrap_or_default();
        values.extend(record.into_iter().filter_map(|(_, value)| match value {
            Value::String(text) if text.chars().count() >= 2 && message.contains(&lowered(&text)) => Some(text),
            _ => None,
        }));
    }
    std::iter::once(key.to_owned()).chain(values).collect()
}

/// In lower case, sign by sign.
fn lowered(text: &str) -> String {
    text.chars().filter_map(|sign| sign.to_lowercase().next()).collect()
}

impl Found {
    /// None for a record that carries no id of another system's: it is not ours.
    fn of(record: &Element, key: &str) -> Option<Self> {
        let value = |name| record.value(name).and_then(|value| short(value, key));
        let registered_at = value("baseDateCreated").and_then(|text| moment(&text));
        Some(Found { outer_id: value("outerId")?, set_id: value("setId"), base_no: value("baseNo"), registered_at })
    }

    /// What is known of the record now, after what was known before.
    pub fn receipt(&self, before: Option<&Receipt>) -> Receipt {
        let set_id = self.set_id.clone().or_else(|| before.and_then(|before| before.set_id.clone()));
        let registered = self.base_no.is_some();
        Receipt {
            stage: if registered { Stage::Confirmed } else { Stage::Sent },
            remote_id: before.and_then(|before| before.remote_id.clone()).or_else(|| set_id.clone()),
            set_id,
            registered_at: self.registered_at.clone().filter(|_| registered),
            base_no: self.base_no.clone(),
            url: None,
            reason: None,
            signed: None,
            status: Some(if registered { REGISTERED } else { SENT }.to_owned()),
        }
    }
}

/// A date, or a date and a time, in the one form that every database reads; none for anything else.
pub(super) fn moment(text: &str) -> Option<String> {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let date = ["%Y-%m-%d", "%d.%m.%Y"].iter().find_map(|form| NaiveDate::parse_from_str(date, form).ok())?;
    let time = time.get(..8).and_then(|time| NaiveTime::parse_from_str(time, "%H:%M:%S").ok());
    let midnight = NaiveTime::MIN;
    Some(match time.filter(|time| *time != midnight) {
        Some(time) => date.and_time(time).format("%Y-%m-%dT%H:%M:%S").to_string(),
        None => date.format("%Y-%m-%d").to_string(),
    })
}

/// A status, out of `400` or `400 BadRequest`; none that HTTP does not know.
fn status_code(text: &str) -> Option<u16> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|code| (100..600).contains(code))
}

/// A value without the key in it.
fn without_key(text: &str, key: &str) -> Option<String> {
    let secret = !key.is_empty() && text.to_lowercase().contains(&key.to_lowercase());
    (!secret).then(|| text.to_owned())
}

/// A short value on one line, as ids and numbers are, without the key in it.
fn short(text: &str, key: &str) -> Option<String> {
    let plain = text.len() <= SHORT && !text.chars().any(char::is_control);
    without_key(text, key).filter(|_| plain)
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
#[cfg(test)]
mod tests;
