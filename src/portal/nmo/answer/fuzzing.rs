//! What must hold of the judging of the portal's answers.

use super::{Outcome, Reply};
use crate::fuzzing::{Input, PERSON, SECRET, assert_hidden};
use crate::portal::Verdict;
use crate::transport::Answer;

const STATUSES: [u16; 14] = [200, 400, 422, 404, 409, 401, 403, 405, 408, 413, 500, 503, 302, 999];

/// Only the portal's own word under a success makes a record accepted; what is shown holds nothing that was sent.
pub fn answer(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let status = input.pick(STATUSES);
    let body = input.rest();
    let sent: Vec<String> = PERSON.iter().chain([&SECRET]).map(|value| (*value).to_owned()).collect();
    let reply = Reply::of(Answer { status, retry_after: None, date: None, body: body.to_vec() });
    match reply.outcome(&sent) {
        Ok(Outcome::Done { url }) => {
            assert!((200..300).contains(&status), "{status} is no success");
            assert!(url.is_none_or(|url| url.starts_with("http") && url.len() <= super::ADDRESS_LEN));
        }
        Ok(Outcome::Refused(refusal)) => match refusal.verdict() {
            Verdict::Rejected { code, text, .. } => {
                assert!((1..=super::CODE_LEN).contains(&code.len()) && code.is_ascii(), "{code}");
                assert!(text.chars().count() <= 501, "{}", text.len());
                assert_hidden(&text, &PERSON);
                assert_hidden(&text, &[SECRET]);
            }
            other => panic!("{other:?} is no refusal"),
        },
        Err(failure) => {
            assert!(!failure.text.is_empty() && failure.text.chars().count() < 800, "{}", failure.text);
            assert_hidden(&failure.text, &PERSON);
        }
    }
}
