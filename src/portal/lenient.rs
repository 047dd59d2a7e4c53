//! Reading JSON of portals whose documents print little of it: whatever the letter case, the envelope and the type of an id.

use serde_json::Value;

/// Longest id and longest code that are kept.
const ID_LEN: usize = 64;
const CODE_LEN: usize = 32;
/// Envelopes that an answer's members may lie in.
const ENVELOPES: [&str; 4] = ["data", "result", "response", "value"];
/// What an error is called.
const COMPLAINTS: [&str; 8] =
    ["message", "errorMessage", "error_description", "error", "errors", "detail", "description", "reason"];
/// Most complaints of one answer that are read, and how deep they may lie.
const MOST_COMPLAINTS: usize = 5;
const DEEPEST: usize = 4;

/// The body, if it is JSON.
pub(super) fn parse(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).ok()
}

/// A member of an object, whatever its letter case.
pub(super) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The first of these members that is there, in the answer itself or in an envelope around it.
pub(super) fn found<'a>(body: &'a Value, names: &[&str]) -> Option<&'a Value> {
    let inside = |value: &'a Value| names.iter().find_map(|name| member(value, name)).filter(|value| !value.is_null());
    let only = match body.as_array().map(Vec::as_slice) {
        Some([only]) => only,
        _ => body,
    };
    inside(only).or_else(|| ENVELOPES.iter().filter_map(|name| member(only, name)).find_map(inside))
}

/// An id: a whole number or a short text without blanks.
pub(super) fn id(value: &Value) -> Option<String> {
    let text = match value {
        Value::Number(number) => number.as_u64()?.to_string(),
        Value::String(text) => text.trim().to_owned(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let fits = |sign: u8| sign.is_ascii_alphanumeric() || matches!(sign, b'-' | b'_' | b'.' | b':');
    ((1..=ID_LEN).contains(&text.len()) && text.bytes().all(fits)).then_some(text)
}

/// A whole number, printed as one or as a text.
pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|number| number as i64)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Yes or no, printed as such or as a text.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        Value::String(_) | Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A code by which refusals can be grouped, if the answer has one.
pub(super) fn code(body: &Value) -> Option<String> {
    let value = found(body, &["errorCode", "error_code", "code"])?;
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let fits = |sign: u8| sign.is_ascii_alphanumeric() || matches!(sign, b'-' | b'_' | b'.');
    ((1..=CODE_LEN).contains(&text.len()) && text.bytes().all(fits)).then_some(text)
}

/// True when an answer says something about a request, which a page of a web server and an empty body do not.
pub(super) fn speaks(body: &Value) -> bool {
    let told = ["success", "isSuccess"].iter().any(|name| member(body, name).and_then(truth).is_some());
    told || code(body).is_some() || !complaint(body).is_empty()
}

/// The text of a refusal, with the portal's own code before it where the refusal goes by another one.
pub(super) fn with_code(body: Option<&Value>, code: &str, text: String) -> String {
    match body.and_then(self::code).filter(|own| own != code) {
        Some(own) if text.is_empty() => own,
        Some(own) => format!("{own}: {text}"),
        None => text,
    }
}

/// What an answer complains of, in the portal's words. To be redacted before anybody sees it.
pub(super) fn complaint(body: &Value) -> String {
    let mut texts = Vec::new();
    gather(body, false, 0, &mut texts);
    texts.join("; ")
}

fn gather(value: &Value, complains: bool, depth: usize, texts: &mut Vec<String>) {
    if texts.len() >= MOST_COMPLAINTS || depth > DEEPEST {
        return;
    }
    match value {
        Value::String(text) if complains && !text.trim().is_empty() => texts.push(text.trim().to_owned()),
        Value::Array(values) => values.iter().for_each(|value| gather(value, complains, depth + 1, texts)),
        Value::Object(members) => {
            for (name, value) in members {
                let complains = complains || COMPLAINTS.iter().any(|word| word.eq_ignore_ascii_case(name));
                gather(value, complains, depth + 1, texts);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The texts of a record that a portal might repeat: none of them may be shown.
pub(super) fn texts_of(body: &[u8]) -> Vec<String> {
    let Some(Value::Object(record)) = parse(body) else { return Vec::new() };
    record
        .into_iter()
        .filter_map(|(_, value)| match value {
            Value::String(text) if text.chars().count() >= 2 => Some(text),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_found_in_any_case_and_envelope() {
        for body in [
            json!({"id": 36}),
            json!({"ID": "36"}),
            json!({"success": true, "data": {"Id": 36}}),
            json!([{"result": {"id": "36"}}]),
        ] {
            assert_eq!(found(&body, &["id"]).and_then(id).as_deref(), Some("36"), "{body}");
        }
        for body in
            [json!({"id": null}), json!({"data": true}), json!([]), json!("36"), json!({"data": [{"id": 1}, 2]})]
        {
            assert_eq!(found(&body, &["id"]), None, "{body}");
        }
    }

    #[test]
    fn an_id_is_short_and_plain() {
        for (value, wanted) in [
            (json!(0), Some("0")),
            (json!(" a-1 "), Some("a-1")),
            (json!(-1), None),
            (json!(1.5), None),
            (json!(""), None),
            (json!("a b"), None),
            (json!("ы"), None),
            (json!("x".repeat(65)), None),
            (json!(true), None),
        ] {
            assert_eq!(id(&value).as_deref(), wanted, "{value}");
        }
    }

    #[test]
    fn what_complains_of_nothing_does_not_speak() {
        for body in [
            json!({"success": false}),
            json!({"code": 5}),
            json!({"errors": {"title": ["пусто"]}}),
            json!([{"message": "x"}]),
        ] {
            assert!(speaks(&body), "{body}");
        }
        for body in [json!({}), json!([]), json!("x"), json!(null), json!({"status": 400}), json!({"errors": []})] {
            assert!(!speaks(&body), "{body}");
        }
    }

    #[test]
    fn a_complaint_is_gathered_from_wherever_errors_stand() {
        for (body, wanted) in [
            (json!({"success": false, "message": "нет прав"}), "нет прав"),
            (json!({"errors": {"title": ["пусто", "длинно"]}}), "пусто; длинно"),
            (json!({"data": {"error": {"code": 5, "message": "не найдено"}}}), "не найдено"),
            (json!({"title": "чужое"}), ""),
            (json!("x"), ""),
        ] {
            assert_eq!(complaint(&body), wanted, "{body}");
        }
        assert_eq!(complaint(&json!({"errors": vec!["x"; 9]})), "x; x; x; x; x");
    }
}
