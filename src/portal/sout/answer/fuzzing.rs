//! What must hold of the reading of the portal's answers, whatever their bytes.

use serde_json::json;

use super::{SHORT, judge, page};
use crate::fuzzing::{Input, PERSON, SECRET, assert_hidden};
use crate::portal::{Batch, Delivery, Verdict};
use crate::record::{Fingerprint, Key};
use crate::transport::{Answer, Failure};

const STATUSES: [u16; 14] = [200, 400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 503, 302, 999];

fn batch(records: usize) -> Batch {
    let [last_name, first_name, snils, position] = PERSON;
    let mut batch = Batch::default();
    for number in 0..records {
        let id = format!("rec-{number}");
        let body = json!({
            "outer_id": id, "last_name": last_name, "first_name": first_name, "snils": snils, "position": position,
        });
        let body = body.to_string();
        batch.push(Key::Text(id.into()), Fingerprint::of(body.as_bytes()), None, false, body.as_bytes());
    }
    batch
}

fn check(failure: &Failure) {
    assert!(!failure.text.is_empty() && failure.text.chars().count() < 1200, "{}", failure.text);
    assert_hidden(&failure.text, &PERSON);
    assert_hidden(&failure.text, &[SECRET]);
}

/// All records of a set fare alike; only an answer that speaks of a set or of success has accepted it; nothing that is shown holds the key or a
/// person.
pub fn push(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (status, records) = (input.pick(STATUSES), 1 + usize::from(input.byte() % 3));
    let body = input.rest();
    let answer = Answer { status, retry_after: None, date: None, body: body.to_vec() };
    let batch = batch(records);
    let verdicts = match judge(&batch, &answer, bytes.len().is_multiple_of(2), SECRET) {
        Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => return check(&failure),
        Delivery::Judged(verdicts) => verdicts,
    };
    assert_eq!(verdicts.len(), records);
    assert!(verdicts.iter().all(|verdict| Some(verdict) == verdicts.first()));
    let lower = String::from_utf8_lossy(body).to_lowercase();
    match verdicts.first() {
        Some(Verdict::Accepted { receipt: Some(receipt) }) => {
            assert!(lower.contains("setid") || lower.contains("statuscode"), "nothing was acknowledged");
            assert_hidden(&receipt.set_id.clone().unwrap_or_default(), &[SECRET]);
        }
        Some(Verdict::Rejected { code, text, .. }) => {
            assert_eq!(records, 1, "nobody was named");
            assert!(lower.contains("error") && code.is_ascii() && code.len() < 32, "{code}");
            assert_hidden(text, &PERSON);
            assert_hidden(text, &[SECRET]);
        }
        other => panic!("{other:?} is no answer to a set"),
    }
}

/// A page holds no more than its body can, and short ids only.
pub fn read(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let status = input.pick(STATUSES);
    let body = input.rest();
    let answer = Answer { status, retry_after: None, date: None, body: body.to_vec() };
    match page(&answer, SECRET) {
        Ok(page) => {
            assert!(page.found.len() <= page.size && page.size <= body.len() / "<RegistryRecord/>".len() + 1);
            for found in page.found {
                assert!(!found.outer_id.is_empty() && found.outer_id.len() <= SHORT);
                for value in [found.set_id, found.base_no].into_iter().flatten() {
                    assert!(!value.is_empty() && value.len() <= SHORT);
                    assert_hidden(&value, &[SECRET]);
                }
            }
        }
        Err(failure) => check(&failure),
    }
}
