//! What must hold of the judging of answers of POS.

use serde_json::json;

use super::{Errand, judge};
use crate::fuzzing::{Input, PERSON, assert_hidden};
use crate::portal::Verdict;
use crate::transport::Answer;

/// A record is accepted only by a success that has an id, refused under a short code, and nothing of it is shown.
pub fn pos_answer(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let status = input.pick([200_u16, 201, 204, 400, 401, 404, 405, 409, 413, 422, 500, 503, 302, 999]);
    let errand = input.pick([Errand::Creation, Errand::Change("35")]);
    let body = input.rest();
    let [title, description, note, linked] = PERSON;
    let sent = json!({"title": title, "description": description, "service_info": note, "external_linked_activity_id": linked});
    let answer = Answer { status, retry_after: None, date: None, body: body.to_vec() };
    match judge(errand, &answer, sent.to_string().as_bytes()) {
        Ok(Verdict::Accepted { receipt }) => {
            assert!((200..300).contains(&status), "{status} is no success");
            let id = receipt.and_then(|receipt| receipt.remote_id).unwrap_or_default();
            assert!((1..=64).contains(&id.len()) && id.is_ascii(), "{id}");
            let text = String::from_utf8_lossy(body).to_lowercase();
            assert!(text.contains("success") || text.contains("\\u"), "nobody spoke of success");
        }
        Ok(Verdict::Rejected { code, text, .. }) => {
            assert!((1..=32).contains(&code.len()) && code.is_ascii(), "{code}");
            assert!(text.chars().count() <= 501);
            assert_hidden(&text, &PERSON);
        }
        Ok(other @ (Verdict::Begun { .. } | Verdict::Unknown)) => panic!("{other:?} for a whole record"),
        Err(failure) => {
            assert_hidden(&failure.text, &PERSON);
            assert!(failure.text.chars().count() < 800, "{}", failure.text);
        }
    }
}
