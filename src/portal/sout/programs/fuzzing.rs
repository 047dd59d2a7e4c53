//! What must hold of the reading of the catalogue.

use serde_json::Value;

use super::{MOST_PROGRAMS, before_sending, titles};
use crate::fuzzing::{Input, SECRET, assert_hidden};
use crate::transport::Answer;

/// A title is in the answer letter by letter; without a success there is none; why there is none shows nothing of the answer, and nothing can
/// have been applied.
pub fn programs(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let status = input.pick([200_u16, 206, 302, 401, 404, 429, 500, 503]);
    let body = input.rest();
    match titles(&Answer { status, retry_after: None, date: None, body: body.to_vec() }) {
        Ok(titles) => {
            assert!((200..300).contains(&status) && (1..=MOST_PROGRAMS).contains(&titles.len()));
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            for title in titles.values() {
                assert!(!title.trim().is_empty() && holds(&body, title), "{title}");
            }
        }
        Err(failure) => {
            let failure = before_sending(&failure);
            assert!(!failure.maybe_applied && failure.text.chars().count() < 300, "{}", failure.text);
            assert_hidden(&failure.text, &[SECRET]);
        }
    }
}

fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string == text,
        Value::Array(values) => values.iter().any(|value| holds(value, text)),
        Value::Object(fields) => fields.values().any(|value| holds(value, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
