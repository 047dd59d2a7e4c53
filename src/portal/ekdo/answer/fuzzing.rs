//! What must hold of the judging of answers of EKDO.

use serde_json::json;

use super::super::settings::Terms;
use super::{judge_document, judge_signature};
use crate::fuzzing::{Input, PERSON, assert_hidden};
use crate::portal::Verdict;
use crate::transport::{Answer, Failure};

/// A document is begun only by a success with a short id, a signature accepted only by a success or because it is there; nothing of the
/// record is shown.
pub fn ekdo_answer(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let status = input.pick([200_u16, 201, 204, 400, 401, 404, 405, 409, 413, 422, 500, 503, 302, 999]);
    let body = input.rest();
    let [last, first, number, subtype] = PERSON;
    let sent = json!({"id": "17", "employee_name": format!("{last} {first}"), "number": number, "subtype": subtype})
        .to_string();
    let answer = Answer { status, retry_after: None, date: None, body: body.to_vec() };
    match judge_document("docKey", &answer, sent.as_bytes()) {
        Ok(Verdict::Begun { remote_id }) => {
            assert!((200..300).contains(&status));
            assert!((1..=64).contains(&remote_id.len()) && remote_id.is_ascii(), "{remote_id}");
        }
        other => not_accepted(other),
    }
    for open in [false, true] {
        match judge_signature(("5", open), &Terms::default(), &answer, sent.as_bytes()) {
            Ok(Verdict::Accepted { .. }) => assert!((200..300).contains(&status) || (open && status == 409)),
            other => not_accepted(other),
        }
    }
}

fn not_accepted(judged: Result<Verdict, Failure>) {
    match judged {
        Ok(Verdict::Rejected { code, text, .. }) => {
            assert!((1..=32).contains(&code.len()) && code.is_ascii(), "{code}");
            assert!(text.chars().count() <= 501);
            assert_hidden(&text, &PERSON);
        }
        Ok(other) => panic!("{other:?}"),
        Err(failure) => {
            assert_hidden(&failure.text, &PERSON);
            assert!(failure.text.chars().count() < 800);
        }
    }
}
