//! What an answer that is a success in HTTP's words says in the portal's own. The document prints none, and portals wrap refusals into 200:
//! whatever looks like one is none of a success, and a document is signed only where the portal says so.

use serde_json::Value;

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Something that looks like a refusal.
    Refusal,
    /// The document has a status that is none of those expected, in the portal's words.
    OtherStatus(String),
    /// The document has this one of the statuses expected.
    Signed(String),
    /// Neither.
    Nothing,
}

/// What answers and the envelopes in them are looked through for.
const STATUSES: [&str; 6] = ["status", "state", "docStatus", "documentStatus", "statusName", "document_status"];
const SUCCESSES: [&str; 4] = ["success", "isSuccess", "ok", "succeeded"];
const CODES: [&str; 6] = ["code", "errorCode", "error_code", "resultCode", "statusCode", "status_code"];
const MESSAGES: [&str; 9] = [
    "message",
    "errorMessage",
    "error_message",
    "error_description",
    "description",
    "detail",
    "details",
    "reason",
    "text",
];
const ERRORS: [&str; 2] = ["error", "errors"];
/// How deep an answer is looked into.
const DEEPEST: usize = 4;
/// Words of a success that say nothing of the document.
const WELL: [&str; 11] =
    ["ok", "success", "successful", "succeeded", "accepted", "created", "done", "true", "успешно", "успех", "принято"];
/// What a text of a refusal holds somewhere.
const FAULTS: [&str; 36] = [
    "ошиб",
    "отказ",
    "отклон",
    "невер",
    "некоррект",
    "недопуст",
    "недейств",
    "неизвест",
    "невозмож",
    "запрещ",
    "отсутств",
    "просроч",
    "истек",
    "истёк",
    "нельзя",
    "аннулир",
    "отозван",
    "отмен",
    "error",
    "fail",
    "invalid",
    "reject",
    "denied",
    "refus",
    "forbidden",
    "cannot",
    "unable",
    "expired",
    "unauthor",
    "exception",
    "missing",
    "wrong",
    "mismatch",
    "cancel",
    "revoked",
    "unknown",
];
/// Words by themselves that deny something.
const DENIALS: [&str; 4] = ["не", "нет", "not", "no"];
/// What sounds like a fault and is none.
const HARMLESS: [&str; 7] =
    ["без ошибок", "ошибок нет", "нет ошибок", "ошибок не обнаружено", "no errors", "without errors", "no error"];

/// What an answer says. `signed` are the statuses of a document that is signed.
pub(super) fn heard(body: &Value, signed: &[String]) -> Word {
    listen(body, signed, 0)
}

/// True for an answer that looks like a refusal, of whatever.
pub(super) fn refuses(body: &Value) -> bool {
    heard(body, &[]) == Word::Refusal
}

fn listen(value: &Value, signed: &[String], depth: usize) -> Word {
    if depth > DEEPEST {
        return Word::Nothing;
    }
    match value {
        // A bare word is a status by itself.
        Value::String(_) | Value::Bool(_) if depth == 0 => status(value, signed),
        Value::Array(values) => {
            values.iter().map(|value| listen(value, signed, depth + 1)).fold(Word::Nothing, Word::and)
        }
        Value::Object(members) => {
            members.iter().map(|(name, value)| member(name, value, signed, depth)).fold(Word::Nothing, Word::and)
        }
        Value::String(_) | Value::Bool(_) | Value::Null | Value::Number(_) => Word::Nothing,
    }
}

fn member(name: &str, value: &Value, signed: &[String], depth: usize) -> Word {
    let is_one = |names: &[&str]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
    let refusal_if = |refuses: bool| if refuses { Word::Refusal } else { Word::Nothing };
    if value.is_null() {
        Word::Nothing
    } else if is_one(&ERRORS) {
        refusal_if(says_something(value))
    } else if is_one(&SUCCESSES) || is_one(&CODES) {
        refusal_if(!is_well(value))
    } else if is_one(&STATUSES) && !value.is_object() {
        status(value, signed)
    } else if is_one(&MESSAGES) && value.is_string() {
        refusal_if(value.as_str().is_some_and(sounds_like_a_fault))
    } else {
        listen(value, signed, depth + 1)
    }
}

fn status(value: &Value, signed: &[String]) -> Word {
    if is_well(value) {
        return Word::Nothing;
    }
    let Some(text) = value.as_str() else {
        // 400, 0 and false are no words for a document.
        return Word::Refusal;
    };
    match signed.iter().find(|word| plain(word) == plain(text)) {
        Some(word) => Word::Signed(word.clone()),
        None if sounds_like_a_fault(text) => Word::Refusal,
        None => Word::OtherStatus(text.to_owned()),
    }
}

/// True for what says that all went well: yes, a status of HTTP's success, or no code of an error.
pub(super) fn is_well(value: &Value) -> bool {
    let well = |number: i64| number == 0 || (200..300).contains(&number);
    match value {
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_i64().is_some_and(|number| well(number) || number == 1),
        Value::String(text) => {
            let text = plain(text);
            text.is_empty() || WELL.contains(&text.as_str()) || text.parse().is_ok_and(well)
        }
        Value::Null | Value::Array(_) | Value::Object(_) => true,
    }
}

/// True for an error that is one: not none, not an empty list.
pub(super) fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.trim().is_empty() && !HARMLESS.contains(&plain(text).as_str()),
        Value::Array(values) => !values.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Number(number) => number.as_i64() != Some(0),
        Value::Bool(true) => true,
    }
}

fn sounds_like_a_fault(text: &str) -> bool {
    let text = HARMLESS.iter().fold(plain(text), |text, harmless| text.replace(harmless, ""));
    let denied = text.split(|sign: char| !sign.is_alphanumeric()).any(|word| DENIALS.contains(&word));
    denied || FAULTS.iter().any(|fault| text.contains(fault))
}

/// A text without what writers differ in.
fn plain(text: &str) -> String {
    let lower = text.to_lowercase().replace('_', " ");
    let words: Vec<&str> = lower.split_whitespace().collect();
    words.join(" ").trim_matches(|sign: char| "«»\"'.!".contains(sign)).to_owned()
}

impl Word {
    /// Of two words of one answer that which leaves less to hope.
    fn and(self, other: Word) -> Word {
        let weight = |word: &Word| match word {
            Word::Refusal => 3,
            Word::OtherStatus(_) => 2,
            Word::Signed(_) => 1,
            Word::Nothing => 0,
        };
        if weight(&other) > weight(&self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(body: Value) -> Word {
        heard(&body, &["Вступил в силу".to_owned(), "SIGNED".to_owned()])
    }

    #[test]
    fn whatever_looks_like_a_refusal_is_one() {
        for body in [
            json!({"success": false}),
            json!({"success": "false"}),
            json!({"isSuccess": "no"}),
            json!({"ok": "0x1"}),
            json!({"status": "ERROR"}),
            json!({"status": "Отклонён"}),
            json!({"status": 500}),
            json!({"status": false}),
            json!({"code": "E-17"}),
            json!({"code": 4001}),
            json!({"errorCode": -1, "id": 5}),
            json!({"message": "Подпись не прошла проверку"}),
            json!({"message": "Signature verification failed"}),
            json!({"data": {"message": "Документ не найден"}}),
            json!([{"data": {"error": {"code": 5}}}]),
            json!({"errors": ["подпись"]}),
            json!({"status": "Вступил в силу", "message": "ошибка записи"}),
            json!("ошибка"),
            json!(false),
        ] {
            assert_eq!(said(body.clone()), Word::Refusal, "{body}");
        }
    }

    #[test]
    fn a_document_is_signed_by_a_status_that_is_expected() {
        for body in [
            json!({"id": 5, "status": "Вступил в силу"}),
            json!({"status": " «вступил  в силу» "}),
            json!({"success": true, "code": 200, "data": {"status": "ВСТУПИЛ В СИЛУ", "message": "Ошибок нет"}}),
            json!("Вступил в силу"),
            json!({"document": {"state": "Вступил в силу"}}),
        ] {
            assert_eq!(said(body.clone()), Word::Signed("Вступил в силу".into()), "{body}");
        }
        assert_eq!(said(json!({"state": "signed"})), Word::Signed("SIGNED".into()));
    }

    #[test]
    fn another_status_is_no_signature_and_no_refusal() {
        for body in [json!({"status": "Черновик"}), json!({"status": "success", "data": {"status": "Черновик"}})]
        {
            assert_eq!(said(body.clone()), Word::OtherStatus("Черновик".into()), "{body}");
        }
    }

    #[test]
    fn a_plain_success_says_nothing_of_the_document() {
        for body in [
            json!({}),
            json!({"id": 9, "errors": [], "error": null}),
            json!({"success": true, "code": 0, "message": "Подпись принята"}),
            json!({"status": "ok", "code": "200"}),
            json!({"status": 201}),
            json!("ok"),
            json!(true),
            json!([]),
        ] {
            assert_eq!(said(body.clone()), Word::Nothing, "{body}");
        }
    }
}
