//! The specialist whom a portal sends: SNILS, module and pin, out of a query or a body.

use serde_json::Value;
use url::form_urlencoded;

/// Most characters of a module's id.
pub(super) const MODULE: usize = 255;
/// Most characters of a pin.
const PIN: usize = 64;
/// Most characters of a SNILS in its longest form; the document's own samples have fewer digits than eleven.
const SNILS: usize = 14;

/// A specialist on the way to a module. Has no `Debug`: nothing may print one.
pub(super) struct Learner {
    pub snils: String,
    pub module_id: String,
    pub pin: String,
}

impl Learner {
    /// Out of `snils=…&moduleId=…&pin=…`.
    pub fn of_query(query: &str) -> Option<Self> {
        Learner::new(parameter(query, "snils")?, parameter(query, "moduleId")?, parameter(query, "pin")?)
    }

    /// Out of `{"module_id": …, "snils": …, "pin": …}`.
    pub fn of_json(body: &[u8]) -> Option<Self> {
        let fields: Value = serde_json::from_slice(body).ok()?;
        Learner::new(member(&fields, "snils")?, member(&fields, "module_id")?, member(&fields, "pin")?)
    }

    fn new(snils: String, module_id: String, pin: String) -> Option<Self> {
        let is_snils = snils.chars().all(|sign| sign.is_ascii_digit() || matches!(sign, '-' | ' '));
        let fits = |text: &str, most: usize| (1..=most).contains(&text.chars().count());
        let plain = |text: &str| !text.chars().any(char::is_control);
        let sound = is_snils && fits(&snils, SNILS) && fits(&module_id, MODULE) && fits(&pin, PIN);
        (sound && plain(&module_id) && plain(&pin)).then_some(Learner { snils, module_id, pin })
    }
}

/// The value of a parameter that a query holds exactly once.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let (_, value) = values.next()?;
    values.next().is_none().then(|| value.into_owned())
}

/// A member of an object that is text or a number, whatever its letter case.
pub(super) fn member(value: &Value, name: &str) -> Option<String> {
    match value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_fields_are_read_from_both_places() {
        let query = Learner::of_query("snils=121212121&moduleId=%D0%90%20b&pin=DASJ23").unwrap();
        assert_eq!(
            (query.snils.as_str(), query.module_id.as_str(), query.pin.as_str()),
            ("121212121", "А b", "DASJ23")
        );
        let body = Learner::of_json(br#"{"module_id":7,"SNILS":"112-233-445 95","pin":"p"}"#).unwrap();
        assert_eq!((body.snils.as_str(), body.module_id.as_str()), ("112-233-445 95", "7"));
    }

    #[test]
    fn what_is_missing_doubled_too_long_or_no_number_is_refused() {
        let long = format!("snils=1&moduleId={}&pin=p", "m".repeat(MODULE + 1));
        for query in [
            "snils=1&moduleId=m",
            "snils=1&snils=2&moduleId=m&pin=p",
            "snils=x&moduleId=m&pin=p",
            "snils=1&moduleId=m&pin=%0A",
            &long,
        ] {
            assert!(Learner::of_query(query).is_none(), "{query}");
        }
        assert!(Learner::of_json(b"[]").is_none());
    }
}
