//! What must hold of the judging of the gateway's answers. Whom an answer names is found out a second time here, by other code.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Reply, judge, judge_removal};
use crate::fuzzing::{Input, PERSON, assert_hidden};
use crate::portal::{Batch, Delivery, Verdict};
use crate::record::{Fingerprint, Key};
use crate::transport::{Answer, Failure};

/// The ids of the batch, by their digits.
const IDS: [u128; 3] = [
    0xaaaaaaa1_5eff_49b8_9d07_ff2486162b3f,
    0xbbbbbbb2_5eff_49b8_9d07_ff2486162b3f,
    0x11111111_2222_4333_8444_555566667777,
];
const STATUSES: [u16; 16] = [200, 422, 400, 404, 204, 409, 401, 403, 405, 408, 413, 429, 500, 503, 302, 999];

fn batch() -> Batch {
    let [last_name, first_name, snils, alias] = PERSON;
    let mut batch = Batch::default();
    for id in IDS {
        let key = Key::Guid(id);
        let body = json!({
            "id": key.to_string(), "type": "SPECIALIST", "last_name": last_name, "first_name": first_name,
            "snils": snils, "room_name": alias,
        });
        let body = body.to_string();
        batch.push(key, Fingerprint::of(body.as_bytes()), None, false, body.as_bytes());
    }
    batch
}

fn answer(bytes: &[u8]) -> (u16, &[u8], Reply) {
    let mut input = Input::new(bytes);
    let status = input.pick(STATUSES);
    let body = input.rest();
    (status, body, Reply::of(Answer { status, retry_after: None, date: None, body: body.to_vec() }))
}

/// Every GUID that stands anywhere in the body as a text of its own, and whether the body has a list of what was stored.
fn named(body: &[u8]) -> (HashSet<u128>, bool) {
    let (mut ids, mut lists) = (HashSet::new(), false);
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let mut open: Vec<Value> = serde_json::from_slice(body).into_iter().collect();
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => {
                let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
                ids.extend((digits.len() == 32).then(|| u128::from_str_radix(&digits, 16).ok()).flatten());
            }
            Value::Array(values) => open.extend(values),
            Value::Object(members) => {
                for (name, value) in members {
                    lists |= name.eq_ignore_ascii_case("sendedGuids") && value.is_array();
                    open.push(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    (ids, lists)
}

fn check_failure(failure: &Failure) {
    assert!(failure.text.chars().count() < 800, "{}", failure.text);
    assert!(!failure.text.is_empty());
}

fn check_refusal(key: &Key, code: &str, text: &str, holder: Option<&Key>) {
    assert!((1..=32).contains(&code.len()) && code.is_ascii(), "{code}");
    assert!(text.chars().count() <= 501, "{}", text.len());
    assert_ne!(holder, Some(key), "nobody is in its own way");
}

/// There is a verdict for each record and no other; accepted is only who is listed, or everybody where a success lists nobody; refused is
/// only who is named; what is shown holds nothing of the records.
pub fn upsert(bytes: &[u8]) {
    let (status, body, reply) = answer(bytes);
    let batch = batch();
    let verdicts = match judge(&batch, &reply) {
        Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => {
            assert_hidden(&failure.text, &PERSON);
            return check_failure(&failure);
        }
        Delivery::Judged(verdicts) => verdicts,
    };
    assert_eq!(verdicts.len(), batch.len());
    assert!(matches!(status, 200..=299 | 400 | 404 | 409 | 422), "{status} speaks for the whole");
    let (named, lists) = named(body);
    for (id, verdict) in IDS.into_iter().zip(verdicts) {
        match verdict {
            Verdict::Accepted { .. } if named.contains(&id) => {}
            Verdict::Accepted { .. } => {
                assert!(!lists && (200..300).contains(&status), "{id:x} was never acknowledged")
            }
            Verdict::Rejected { code, text, holder, cure: _ } => {
                assert!(named.contains(&id), "{id:x} was never refused");
                check_refusal(&Key::Guid(id), &code, &text, holder.as_ref());
                assert_hidden(&text, &PERSON);
            }
            Verdict::Begun { .. } => panic!("the gateway takes a record whole"),
            Verdict::Unknown => {}
        }
    }
}

/// There is one verdict or none, and nothing is gone by the word of anybody but the gateway.
pub fn removal(bytes: &[u8]) {
    let (status, body, reply) = answer(bytes);
    let key = Key::Guid(IDS[0]);
    let mut verdicts = match judge_removal(&key, &reply) {
        Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => return check_failure(&failure),
        Delivery::Judged(verdicts) => verdicts,
    };
    let verdict = verdicts.pop();
    assert!(verdicts.is_empty());
    match verdict {
        Some(Verdict::Accepted { .. }) => {
            let lower = String::from_utf8_lossy(body).to_lowercase();
            let words = ["issuccess", "sendedguids", "result", "errors", "\\u"];
            assert!(status == 204 || words.iter().any(|word| lower.contains(word)), "{status} from a stranger");
            assert!(matches!(status, 200..=299 | 404), "{status} is no removal");
        }
        Some(Verdict::Rejected { code, text, holder, cure: _ }) => check_refusal(&key, &code, &text, holder.as_ref()),
        Some(Verdict::Begun { .. } | Verdict::Unknown) | None => panic!("a removal has a verdict or a failure"),
    }
}

/// Only a success gives records, and never more than its body has braces for.
pub fn read(bytes: &[u8]) {
    let (status, body, reply) = answer(bytes);
    assert!((100..600).contains(&reply.status()) || reply.status() == status);
    match reply.records() {
        Ok(records) => {
            assert!((200..300).contains(&status));
            assert!(records.len() <= body.iter().filter(|byte| **byte == b'{').count());
        }
        Err(failure) => check_failure(&failure),
    }
}
