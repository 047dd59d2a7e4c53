//! Requests of the gateway, read tolerantly: the document prints its keys with Cyrillic letters here and in another spelling there, numbers
//! as texts and texts with blanks around them, and leaves out what is null elsewhere. What a key says counts, not how it is written.

use std::fmt;

use serde_json::Value;

use super::Verb;
use super::answer::canonical;
use crate::record::Key;

/// Where a parameter of the statements stands in a request.
struct Field {
    parameter: &'static str,
    /// Its name in the request, folded.
    name: &'static str,
    /// True when it stands among the patient's data («Данные пациента из РРП»).
    of_patient: bool,
}

const fn top(parameter: &'static str, name: &'static str) -> Field {
    Field { parameter, name, of_patient: false }
}

const fn of_patient(parameter: &'static str, name: &'static str) -> Field {
    Field { parameter, name, of_patient: true }
}

/// The table of the booking's parameters.
const BOOK: [Field; 22] = [
    top("slot_id", "slotid"),
    top("patient_id", "patientid"),
    top("booking_type", "bookingtype"),
    top("case_number", "casenumber"),
    top("preliminary_reservation", "preliminaryreservation"),
    top("referral_id", "referralid"),
    top("cards_id", "cardsid"),
    top("email", "email"),
    top("mobile_phone", "mobilephone"),
    top("service_id", "serviceid"),
    top("dictionary_nsi_code", "dictionarynsicode"),
    of_patient("rrp_id", "id"),
    of_patient("united_guids", "unitedguids"),
    of_patient("firstname", "firstname"),
    of_patient("lastname", "lastname"),
    of_patient("middlename", "middlename"),
    of_patient("snils", "snils"),
    of_patient("oms_number", "omsnumber"),
    of_patient("birthdate", "birthdate"),
    of_patient("gender", "gender"),
    of_patient("rrp_phone", "phone"),
    of_patient("rrp_email", "email"),
];

/// The table of the cancellation's parameters.
const CANCEL: [Field; 3] =
    [top("book_ext_id", "bookextid"), top("patient_id", "patientid"), top("united_guids", "unitedguids")];

/// The one parameter that is a list: identifiers of the patient that were merged into one.
const UNITED: &str = "united_guids";
/// Under which the patient's data stand.
const PATIENT: &str = "patientdatarrp";

/// The fields of one request that were given.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(&'static str, String)>);

/// The body is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is no JSON")]
pub struct Malformed;

impl Fields {
    /// Reads a request's body. What is no object has no fields.
    pub fn parse(verb: Verb, body: &[u8]) -> Result<Fields, Malformed> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let value: Value = serde_json::from_slice(body).map_err(|_| Malformed)?;
        let patient = member(&value, PATIENT).unwrap_or(&Value::Null);
        let fields: &[Field] = match verb {
            Verb::Book => &BOOK,
            Verb::Cancel => &CANCEL,
        };
        let given = fields.iter().filter_map(|field| {
            let place = if field.of_patient { patient } else { &value };
            let value = member(place, field.name)?;
            let value = if field.parameter == UNITED { list(value) } else { text(value) };
            Some((field.parameter, value?))
        });
        let mut fields = Fields(given.collect());
        if verb == Verb::Book && fields.get("preliminary_reservation").is_none() {
            fields.0.push(("preliminary_reservation", "false".to_owned()));
        }
        Ok(fields)
    }

    /// Those with these values.
    pub fn of(values: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Self {
        Fields(values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }

    /// The value of a parameter; none where it was null, empty or not there.
    pub fn get(&self, parameter: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == parameter).map(|(_, value)| value.as_str())
    }

    /// What the parameters of a statement are filled with.
    pub fn values(&self) -> Vec<(&'static str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (*name, Some(value.as_str()))).collect()
    }

    /// The slot, however its id is written: what requests take turns by.
    pub fn slot(&self) -> String {
        self.get("slot_id").map(canonical).unwrap_or_default()
    }

    /// The slot, the patient and the case number: what makes two requests one.
    pub fn same_booking(&self, other: &Fields) -> bool {
        let id = |fields: &Fields, name| fields.get(name).map(canonical);
        ["slot_id", "patient_id"].iter().all(|name| id(self, name) == id(other, name))
            && self.get("case_number") == other.get("case_number")
    }

    /// A parameter as the key of a record, if it is a GUID. Nothing else may be shown: it could be anything about a person.
    pub fn guid(&self, parameter: &str) -> Option<Key> {
        self.get(parameter).and_then(guid)
    }
}

/// A text as the key of a record, if it is a GUID in any of its forms.
pub(super) fn guid(text: &str) -> Option<Key> {
    uuid::Uuid::try_parse(text.trim()).ok().map(|guid| Key::Guid(guid.as_u128()))
}

impl fmt::Debug for Fields {
    /// Names only: what stands in them is about a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| folded(key) == name).map(|(_, value)| value)
}

/// A key without underscores and letter case, with Latin letters where Cyrillic ones look the same.
fn folded(key: &str) -> String {
    key.chars().flat_map(char::to_lowercase).filter(|sign| sign.is_alphanumeric()).map(latin).collect()
}

fn latin(sign: char) -> char {
    match sign {
        'а' => 'a',
        'в' => 'b',
        'с' => 'c',
        'е' => 'e',
        'н' => 'h',
        'і' => 'i',
        'к' => 'k',
        'м' => 'm',
        'о' => 'o',
        'р' => 'p',
        'ѕ' => 's',
        'т' => 't',
        'у' => 'y',
        'х' => 'x',
        other => other,
    }
}

/// A value as a text; a list or an object as its JSON. None for null and for what is empty.
fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

/// A list as its JSON; one value alone is a list of one.
fn list(value: &Value) -> Option<String> {
    match value {
        Value::Array(_) => Some(value.to_string()),
        Value::Null | Value::Object(_) => None,
        Value::String(_) | Value::Bool(_) | Value::Number(_) => {
            text(value).map(|text| Value::Array(vec![Value::String(text)]).to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BOOK_PARAMETERS, CANCEL_PARAMETERS};

    /// The document's own request.
    const PRINTED: &str = r#"{
        "slot_id": "b10902d0-e331-11ed-8d9e-60123c4747d1",
        "patient_id": "953f8666-21ce-478f-8351-389f27ce8cde",
        "booking_type": "APPOINTMENT", "case_number": null, "preliminary_reservation": false,
        "referral_id": null, "cards_id": null, "email": null, "mobile_phone": null,
        "service_id": null, "dictionary_nsi_code": null,
        "patient_data_rrp": {
            "id": "953f8666-21ce-478f-8351-389f27ce8cde ", "united_guids": [],
            "firstname": "***", "lastname": "***", "middlename": "***", "snils": "11147535028",
            "oms_number": "11080835497", "birthdate": "1999-10-10T00:00:00", "gender": "2",
            "phone": null, "email": null } }"#;

    fn book(body: &str) -> Fields {
        Fields::parse(Verb::Book, body.as_bytes()).unwrap()
    }

    #[test]
    fn the_documents_request_fills_its_parameters() {
        let fields = book(PRINTED);
        for (parameter, expected) in [
            ("slot_id", Some("b10902d0-e331-11ed-8d9e-60123c4747d1")),
            ("case_number", None),
            ("preliminary_reservation", Some("false")),
            ("rrp_id", Some("953f8666-21ce-478f-8351-389f27ce8cde")),
            ("united_guids", Some("[]")),
            ("snils", Some("11147535028")),
            ("rrp_phone", None),
        ] {
            assert_eq!(fields.get(parameter), expected, "{parameter}");
        }
    }

    #[test]
    fn every_parameter_of_the_configuration_is_read_from_a_request() {
        let names = |fields: &[Field]| fields.iter().map(|field| field.parameter).collect::<Vec<_>>();
        assert_eq!(names(&BOOK), BOOK_PARAMETERS);
        assert_eq!(names(&CANCEL), CANCEL_PARAMETERS);
    }

    #[test]
    fn a_key_is_known_however_it_is_written() {
        for key in ["slot_id", "slotId", "SLOT_ID", "Slоt_id", "ѕlоt_id"] {
            assert_eq!(book(&format!("{{\"{key}\": \"x\"}}")).get("slot_id"), Some("x"), "{key}");
        }
        let cancel = Fields::parse(Verb::Cancel, "{\"bооk_ехt_id\": 7, \"united_guids\": [\"a\"]}".as_bytes()).unwrap();
        assert_eq!((cancel.get("book_ext_id"), cancel.get("united_guids")), (Some("7"), Some("[\"a\"]")));
    }

    #[test]
    fn numbers_and_truths_become_texts_and_empty_ones_nothing() {
        let fields =
            book(r#"{"case_number": 4711, "preliminary_reservation": "True", "email": " ", "patient_data_rrp": null}"#);
        assert_eq!((fields.get("case_number"), fields.get("preliminary_reservation")), (Some("4711"), Some("True")));
        assert_eq!((fields.get("email"), fields.get("snils")), (None, None));
        let united = |value: &str| book(&format!("{{\"patient_data_rrp\": {{\"united_guids\": {value}}}}}"));
        assert_eq!(united("\"a\"").get("united_guids"), Some("[\"a\"]"), "always a list");
        assert_eq!(united("null").get("united_guids"), None);
    }

    #[test]
    fn what_is_no_json_is_malformed_and_what_is_no_object_is_empty() {
        assert_eq!(Fields::parse(Verb::Book, b"{\"slot_id\": "), Err(Malformed));
        assert_eq!(Fields::parse(Verb::Cancel, b"[1]"), Ok(Fields::default()));
        assert_eq!(Fields::parse(Verb::Cancel, b"\xef\xbb\xbf{}"), Ok(Fields::default()));
    }

    #[test]
    fn two_requests_are_one_booking_by_slot_patient_and_case_and_null_equals_null() {
        let of = |case: &str| book(&format!("{{\"slot_id\": \"s\", \"patient_id\": \"p\", \"case_number\": {case}}}"));
        assert!(of("null").same_booking(&of("\"\"")) && of("5").same_booking(&of("\"5\"")));
        assert!(!of("5").same_booking(&of("null")));
        let at = |slot: &str| book(&format!("{{\"slot_id\": \"{slot}\", \"patient_id\": \"p\"}}"));
        let spelt = ["b10902d0-e331-11ed-8d9e-60123c4747d1", "{B10902D0-E331-11ED-8D9E-60123C4747D1}"].map(at);
        assert!(spelt[0].same_booking(&spelt[1]) && spelt[0].slot() == spelt[1].slot(), "one slot, one turn");
    }

    #[test]
    fn nothing_but_a_guid_is_shown_and_no_value_is_printed() {
        let fields = book(r#"{"slot_id": "112-233-445 95", "patient_id": "{953F8666-21CE-478F-8351-389F27CE8CDE}"}"#);
        assert_eq!(fields.guid("slot_id"), None);
        let shown = fields.guid("patient_id").map(|key| key.to_string());
        assert_eq!(shown.as_deref(), Some("953f8666-21ce-478f-8351-389f27ce8cde"));
        assert!(!format!("{fields:?}").contains("112"));
    }
}
