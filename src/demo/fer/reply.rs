//! Answers of the answering service, held against the tables of the document: what must be there, of which kind, with which codes. Faults
//! name fields and never repeat a value.

use chrono::DateTime;
use serde_json::{Map, Value};

use super::form;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked<'a> {
    /// A booking of this slot.
    Book(&'a str),
    /// A cancellation of this booking.
    Cancel(&'a str),
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) code: u8,
    pub(super) message: Option<String>,
    /// The booking, where there is one.
    pub(super) booking: Option<u128>,
}

const BOOK_CODES: [u8; 8] = [0, 11, 12, 13, 14, 15, 17, 18];
const CANCEL_CODES: [u8; 3] = [0, 1, 18];
/// Fields that may be null.
const OPTIONAL: [&str; 4] = ["service_id", "organization_id", "area_id", "queue_number"];
/// Fields that a booking must have.
const OF_BOOKING: [&str; 4] = ["book_ext_id", "slot_id", "visit_time", "duration"];

/// Reads an answer, or says everything that is wrong with it.
pub(super) fn read(asked: Asked<'_>, body: &[u8]) -> Result<Told, Vec<String>> {
    let answer: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| vec!["the body is no JSON object".to_owned()])?;
    let mut faults = Vec::new();
    let code = code(asked, &answer, &mut faults);
    for name in OPTIONAL.into_iter().chain(OF_BOOKING) {
        if !matches!(answer.get(name), None | Some(Value::Null | Value::String(_))) {
            faults.push(format!("{name}: must be a string or null"));
        }
    }
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let booking = text("book_ext_id").and_then(form::guid);
    if let (Asked::Book(slot), Some(0)) = (asked, code) {
        whole_booking(slot, &text, &mut faults);
    }
    if let (Asked::Cancel(id), Some(0 | 1)) = (asked, code)
        && text("book_ext_id") != Some(id)
    {
        faults.push("book_ext_id: must be the booking that was to be cancelled".to_owned());
    }
    if let (Asked::Cancel(_), Some(0)) = (asked, code) {
        // The table calls them mandatory; the sample, which lacks them, is marked «ДОПОЛНИТЬ».
        whole_visit(text("slot_id").and_then(form::guid).is_some(), "a GUID", &text, &mut faults);
    }
    let message = answer.get("status").and_then(|status| status.get("status_message")).and_then(Value::as_str);
    match (faults.is_empty(), code) {
        (true, Some(code)) => Ok(Told { code, message: message.map(str::to_owned), booking }),
        _ => Err(faults),
    }
}

/// `status`, an object with an integer `status_code` in Latin letters and perhaps a text.
fn code(asked: Asked<'_>, answer: &Map<String, Value>, faults: &mut Vec<String>) -> Option<u8> {
    let Some(status) = answer.get("status").and_then(Value::as_object) else {
        faults.push("status: must be an object".to_owned());
        return None;
    };
    if !matches!(status.get("status_message"), None | Some(Value::Null | Value::String(_))) {
        faults.push("status.status_message: must be a string or null".to_owned());
    }
    let known: &[u8] = match asked {
        Asked::Book(_) => &BOOK_CODES,
        Asked::Cancel(_) => &CANCEL_CODES,
    };
    let code = status.get("status_code").and_then(Value::as_u64).and_then(|code| u8::try_from(code).ok());
    let code = code.filter(|code| known.contains(code));
    if code.is_none() {
        faults.push("status.status_code: must be one of the document's codes, as an integer".to_owned());
    }
    code
}

fn whole_booking<'a>(slot: &str, text: &impl Fn(&str) -> Option<&'a str>, faults: &mut Vec<String>) {
    if text("book_ext_id").and_then(form::guid).is_none() {
        faults.push("book_ext_id: must be a GUID in lower case, with hyphens".to_owned());
    }
    whole_visit(text("slot_id") == Some(slot), "the slot that was asked for", text, faults);
}

fn whole_visit<'a>(slot_holds: bool, slot: &str, text: &impl Fn(&str) -> Option<&'a str>, faults: &mut Vec<String>) {
    let mut need = |name: &str, holds: bool, demand: &str| {
        if !holds {
            faults.push(format!("{name}: must be {demand}"));
        }
    };
    need("slot_id", slot_holds, slot);
    let visit = text("visit_time").is_some_and(|time| DateTime::parse_from_rfc3339(time).is_ok());
    need("visit_time", visit, "a time with its offset");
    let minutes = text("duration").and_then(|text| text.parse::<u32>().ok());
    need("duration", minutes.is_some_and(|minutes| minutes > 0), "minutes, as a string");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SLOT: &str = "ac46c807-9d59-4f56-b30c-2d165ab21753";
    const BOOKING: &str = "00000000-0000-0001-0000-000001017307";

    /// The document's sample.
    fn sample() -> Value {
        json!({
            "book_ext_id": BOOKING, "slot_id": SLOT, "visit_time": "2022-12-14T08:00:00+05:00", "duration": "40",
            "service_id": null, "organization_id": null, "area_id": null, "queue_number": null,
            "status": {"status_code": 0, "status_message": null},
        })
    }

    fn book(answer: &Value) -> Result<Told, Vec<String>> {
        read(Asked::Book(SLOT), answer.to_string().as_bytes())
    }

    #[test]
    fn the_sample_of_a_booking_has_no_fault() {
        let told = book(&sample()).unwrap();
        assert_eq!(told, Told { code: 0, message: None, booking: form::guid(BOOKING) });
    }

    #[test]
    fn each_field_of_a_booking_is_held_against_the_table() {
        for (field, value) in [
            ("book_ext_id", json!(null)),
            ("book_ext_id", json!("17")),
            ("slot_id", json!(BOOKING)),
            ("visit_time", json!("2022-12-14T08:00:00")),
            ("duration", json!(40)),
            ("duration", json!("forty")),
            ("area_id", json!(7)),
            ("status", json!(0)),
            ("status", json!({"status_code": "0"})),
            ("status", json!({"status_code": 16})),
            ("status", json!({"status_\u{441}ode": 0})),
            ("status", json!({"status_code": 0, "status_message": 1})),
        ] {
            let mut answer = sample();
            answer[field] = value.clone();
            let faults = book(&answer).unwrap_err();
            assert!(
                faults.iter().all(|fault| fault.starts_with(field)) && !faults.is_empty(),
                "{field} {value}: {faults:?}"
            );
        }
        assert!(read(Asked::Book(SLOT), b"<html>").is_err());
    }

    #[test]
    fn a_refusal_needs_its_status_alone() {
        let told =
            book(&json!({"book_ext_id": null, "status": {"status_code": 11, "status_message": "занято"}})).unwrap();
        assert_eq!((told.code, told.message.as_deref()), (11, Some("занято")));
    }

    #[test]
    fn a_cancellation_names_its_booking_and_has_codes_of_its_own() {
        let cancel = |answer: Value| read(Asked::Cancel(BOOKING), answer.to_string().as_bytes());
        let with = |field: &str, value: Value| {
            let mut answer = sample();
            answer[field] = value;
            cancel(answer)
        };
        assert!(cancel(sample()).is_ok());
        for lacking in ["slot_id", "visit_time", "duration"] {
            assert!(with(lacking, Value::Null).is_err(), "{lacking}");
        }
        assert!(with("slot_id", json!("4711")).is_err());
        assert!(with("book_ext_id", json!(SLOT)).is_err());
        assert!(cancel(json!({"book_ext_id": BOOKING, "status": {"status_code": 1}})).is_ok());
        assert!(cancel(json!({"book_ext_id": SLOT, "status": {"status_code": 1}})).is_err());
        assert!(cancel(json!({"status": {"status_code": 18}})).is_ok());
        assert!(cancel(json!({"book_ext_id": BOOKING, "status": {"status_code": 11}})).is_err());
    }
}
