//! What must hold of the reading of the gateway's requests, and of the rows that answer them.

use chrono_tz::Tz;
use serde_json::Value;

use super::Verb;
use super::answer::{Answer, Code};
use super::request::Fields;
use crate::config::{BOOK_PARAMETERS, CANCEL_PARAMETERS};
use crate::fuzzing::Input;
use crate::record::Zone;
use crate::source::Row;

/// A request gives parameters that statements know, none of them empty, and shows none; a row gives an answer that the gateway can read, or none.
pub(crate) fn booking(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let verb = input.pick([Verb::Book, Verb::Cancel]);
    let row = row(&mut input);
    let Ok(fields) = Fields::parse(verb, input.rest()) else { return };
    let known = if verb == Verb::Book { BOOK_PARAMETERS } else { CANCEL_PARAMETERS };
    for (name, value) in fields.values() {
        let value = value.unwrap_or_default();
        assert!(known.contains(&name) && !value.is_empty() && value.trim() == value, "{name}: {value:?}");
        let shown = fields.guid(name).map(|key| key.to_string());
        assert!(shown.is_none_or(|shown| shown.len() == 36 && shown.is_ascii()));
    }
    if let Some(united) = fields.get("united_guids") {
        assert!(serde_json::from_str::<Value>(united).is_ok_and(|united| united.is_array()), "{united}");
    }
    let names: Vec<&str> = fields.values().into_iter().map(|(name, _)| name).collect();
    assert_eq!(format!("{fields:?}"), format!("{names:?}"), "values are not printed");
    match Answer::read(verb, &fields, Some(&row), Zone::new(Tz::Asia__Yekaterinburg)) {
        Ok(answer) => check(verb, &answer),
        Err(fault) => assert!(fault.text().starts_with(": ") && fault.text().len() < 100),
    }
    check(verb, &Answer::failed(verb, &fields));
}

/// A row of invented texts.
fn row(input: &mut Input<'_>) -> Row {
    let names =
        ["status_code", "status_message", "book_ext_id", "slot_id", "visit_time", "duration", "service_id", "area_id"];
    let columns = names.map(|name| {
        let text = String::from_utf8_lossy(input.line()).into_owned();
        (name.to_owned(), (text != "NULL").then_some(text))
    });
    Row::new(columns.into())
}

fn check(verb: Verb, answer: &Answer) {
    let wire = serde_json::to_value(answer).unwrap_or_default();
    let code = wire["status"]["status_code"].as_u64();
    assert!(Code::of(verb).iter().any(|known| Some(u64::from(known.number())) == code), "{code:?}");
    assert!(wire["status"]["status_message"].as_str().is_some_and(|text| text.chars().count() <= 500));
    if verb == Verb::Book && code == Some(0) {
        assert!(["book_ext_id", "visit_time", "duration"].iter().all(|name| wire[name].is_string()), "{wire}");
        assert!(answer.book().is_some(), "the mart stores bookings under GUIDs: {wire}");
        assert!(wire["duration"].as_str().is_some_and(|minutes| minutes.parse::<u16>().is_ok_and(|of| of > 0)));
        assert_eq!(wire["visit_time"].as_str().map(str::len), Some("2022-12-14T08:00:00+05:00".len()));
    }
}
