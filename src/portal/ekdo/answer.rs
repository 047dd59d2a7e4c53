//! Answers of EKDO, judged. The document says that an upload is answered with the document's id and prints no answer at all: an id is looked
//! for under its usual names, and a page that is no JSON is never taken for a success.

use serde_json::Value;

use super::settings::Terms;
use super::word::{self, Word};
use crate::portal::{Cure, Verdict, lenient};
use crate::record::{Receipt, Stage};
use crate::transport::{Answer, Failure, Mishap, redact_hiding};

/// What portals call a document's id.
const IDS: [&str; 8] = ["id", "docId", "documentId", "doc_id", "document_id", "docUuid", "uuid", "guid"];
/// Code of a signature that the portal says to have already, although none of ours can have got there.
pub(super) const ALREADY_SIGNED: &str = "ALREADY_SIGNED";
/// Code of a signature that was taken for a document which the portal does not call signed.
pub(super) const NOT_SIGNED: &str = "NOT_SIGNED";

/// Characters of a status that are shown.
const LONGEST_STATUS: usize = 100;

/// What became of a document with this body. `name` is what the configuration calls its id.
pub(super) fn judge_document(name: &str, answer: &Answer, sent: &[u8]) -> Result<Verdict, Failure> {
    let body = lenient::parse(&answer.body);
    match answer.status {
        200..=299 => {}
        409 => return Ok(refused(answer.status, body.as_ref(), sent)),
        // A page, or nothing, is not the portal's word.
        400 | 413 | 422 if body.as_ref().is_some_and(lenient::speaks) => {
            return Ok(refused(answer.status, body.as_ref(), sent));
        }
        _ => return Err(failure(answer, body.as_ref(), sent)),
    }
    let Some(body) = body else { return Err(unreadable("it is not JSON")) };
    if refuses(&body) {
        return Ok(refused(answer.status, Some(&body), sent));
    }
    let names: Vec<&str> = [name].into_iter().chain(IDS).filter(|name| !name.is_empty()).collect();
    let bare = ["data", "result"].iter().find_map(|name| lenient::member(&body, name)).unwrap_or(&body);
    let bare = lenient::id(bare).filter(|id| id.bytes().any(|byte| byte.is_ascii_digit()));
    match lenient::found(&body, &names).and_then(lenient::id).or(bare) {
        Some(remote_id) => Ok(Verdict::Begun { remote_id }),
        None if word::refuses(&body) => Ok(refused(answer.status, Some(&body), sent)),
        None => Err(unreadable("it tells of a success without the document's id")),
    }
}

/// What became of the signature of the document with this id. `open` when an earlier request may have brought it there.
pub(super) fn judge_signature(
    (id, open): (&str, bool),
    terms: &Terms,
    answer: &Answer,
    sent: &[u8],
) -> Result<Verdict, Failure> {
    let body = lenient::parse(&answer.body);
    match answer.status {
        // A signature is uploaded again when the answer to it was lost: then it is there. Otherwise it is another one.
        409 if open => Ok(taken(id, Stage::Confirmed, None)),
        409 => Ok(refusal(ALREADY_SIGNED.into(), body.as_ref(), sent, Cure::Row)),
        404 => Ok(refusal("NOT_FOUND".into(), body.as_ref(), sent, Cure::Time)),
        400 | 413 | 422 if body.as_ref().is_some_and(lenient::speaks) => {
            Ok(refused(answer.status, body.as_ref(), sent))
        }
        200..=299 => match body {
            Some(body) => Ok(match word::heard(&body, &terms.signed_statuses) {
                Word::Refusal => refused(answer.status, Some(&body), sent),
                Word::OtherStatus(status) => not_signed(&status, sent),
                Word::Signed(status) => taken(id, Stage::Confirmed, Some(status)),
                Word::Nothing => taken(id, terms.bare_success, None),
            }),
            None if answer.body.is_empty() => Ok(taken(id, terms.bare_success, None)),
            None => Err(unreadable("it is not JSON")),
        },
        _ => Err(failure(answer, body.as_ref(), sent)),
    }
}

/// The portal took the signature. `status` is what it calls the document, where it says that it is signed.
fn taken(id: &str, stage: Stage, status: Option<String>) -> Verdict {
    let receipt = Receipt { stage, remote_id: Some(id.to_owned()), status, ..Receipt::default() };
    Verdict::Accepted { receipt: Some(Box::new(receipt)) }
}

/// The portal took the signature and does not call the document signed.
fn not_signed(status: &str, sent: &[u8]) -> Verdict {
    let status: String = status.chars().take(LONGEST_STATUS).collect();
    let text = format!("the document's status at the portal is: {}", redact_hiding(&status, &secrets(sent)));
    Verdict::Rejected { code: NOT_SIGNED.into(), text, cure: Cure::Row, holder: None }
}

/// A refusal of a document in a success of HTTP. Its code and its status may be those of the document that was made.
fn refuses(body: &Value) -> bool {
    let told =
        ["success", "isSuccess"].iter().any(|name| lenient::member(body, name).and_then(lenient::truth) == Some(false));
    told || ["error", "errors"].iter().filter_map(|name| lenient::member(body, name)).any(word::says_something)
}

fn refused(status: u16, body: Option<&Value>, sent: &[u8]) -> Verdict {
    // By 409 an operator is asked for the document's id, whatever code of its own the portal gives beside it: that one goes into the text.
    let own = body.and_then(lenient::code).filter(|_| status != 409);
    // A code of success beside a refusal names nothing.
    let own = own.filter(|own| !word::is_well(&Value::from(own.as_str())));
    let code = own.unwrap_or_else(|| match status {
        200..=299 => "REFUSED".into(),
        _ => format!("HTTP-{status}"),
    });
    refusal(code, body, sent, Cure::Row)
}

fn refusal(code: String, body: Option<&Value>, sent: &[u8], cure: Cure) -> Verdict {
    let text = lenient::with_code(body, &code, said(body, sent));
    Verdict::Rejected { code, text, cure, holder: None }
}

fn failure(answer: &Answer, body: Option<&Value>, sent: &[u8]) -> Failure {
    let failure = Failure::from(Mishap::Status { code: answer.status, retry_after: answer.retry_after });
    failure.without_units().saying(&said(body, sent))
}

fn said(body: Option<&Value>, sent: &[u8]) -> String {
    let complaint = body.map(lenient::complaint).unwrap_or_default();
    if complaint.is_empty() { complaint } else { redact_hiding(&complaint, &secrets(sent)) }
}

/// The texts of the record, and the parts of the employee's name by themselves.
fn secrets(sent: &[u8]) -> Vec<String> {
    let texts = lenient::texts_of(sent);
    let words: Vec<String> = texts
        .iter()
        .flat_map(|text| text.split_whitespace())
        .filter(|word| word.chars().count() >= 3)
        .map(str::to_owned)
        .collect();
    texts.into_iter().chain(words).collect()
}

fn unreadable(reason: &str) -> Failure {
    Mishap::Unreadable { reason: reason.to_owned() }.into()
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Trouble;

    const SENT: &[u8] = r#"{"id":"7","employee_name":"Щукин Феофан Ёлкович","subtype":"Приказ"}"#.as_bytes();

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, date: None, body: body.into() }
    }

    fn document(status: u16, body: &str) -> Result<Verdict, Failure> {
        judge_document("key", &answer(status, body), SENT)
    }

    fn signature(status: u16, body: &str) -> Result<Verdict, Failure> {
        judge_signature(("5", false), &Terms::default(), &answer(status, body), SENT)
    }

    fn stage(verdict: Result<Verdict, Failure>) -> Stage {
        let Ok(Verdict::Accepted { receipt: Some(receipt) }) = verdict else { panic!("{verdict:?}") };
        assert_eq!(receipt.remote_id.as_deref(), Some("5"));
        receipt.stage
    }

    #[test]
    fn a_documents_id_is_found_under_its_usual_names() {
        for body in [
            r#"{"id":"d-1"}"#,
            r#"{"KEY":"d-1","id":7}"#,
            r#"{"success":true,"data":{"documentId":"d-1"}}"#,
            r#"{"data":"d-1","error":null}"#,
            r#""d-1""#,
        ] {
            assert_eq!(document(201, body), Ok(Verdict::Begun { remote_id: "d-1".into() }), "{body}");
        }
    }

    #[test]
    fn a_success_without_an_id_leaves_the_outcome_open() {
        for body in ["", "<html>", "{}", "true", r#""ok""#, r#"{"status":"created"}"#, r#"{"id":null}"#] {
            assert!(document(200, body).unwrap_err().maybe_applied, "{body}");
        }
    }

    #[test]
    fn refusals_name_nobody() {
        for (status, body, code) in [
            (400, r#"{"message":"Щукин не найден"}"#, "HTTP-400"),
            (413, r#"{"error":"велик"}"#, "HTTP-413"),
            (409, r#"{"code":"DUP","message":"у Феофан есть документ"}"#, "HTTP-409"),
            (200, r#"{"success":false,"message":"ЩУКИН ФЕОФАН ЁЛКОВИЧ"}"#, "REFUSED"),
            (200, r#"{"errors":["ёлкович"]}"#, "REFUSED"),
        ] {
            let Ok(Verdict::Rejected { code: found, text, .. }) = document(status, body) else { panic!("{body}") };
            assert_eq!(found, code);
            let lower = text.to_lowercase();
            assert!(["щукин", "феофан", "ёлкович"].iter().all(|name| !lower.contains(name)), "{text}");
        }
    }

    #[test]
    fn a_conflict_keeps_the_portals_own_code_in_its_text() {
        let verdict = document(409, r#"{"code":"DUP","message":"есть"}"#);
        assert!(matches!(verdict, Ok(Verdict::Rejected { text, .. }) if text == "DUP: есть"));
    }

    #[test]
    fn a_document_is_signed_only_where_the_portal_says_so() {
        assert_eq!(stage(signature(200, r#"{"id":5,"status":"Вступил в силу"}"#)), Stage::Confirmed);
        for (status, body) in [(200, "{}"), (201, r#"{"id":9}"#), (204, ""), (200, r#"{"success":true,"errors":[]}"#)] {
            assert_eq!(stage(signature(status, body)), Stage::Sent, "{body}");
            let terms = Terms { bare_success: Stage::Confirmed, ..Terms::default() };
            let verdict = judge_signature(("5", false), &terms, &answer(status, body), SENT);
            assert_eq!(stage(verdict), Stage::Confirmed, "{body}");
        }
        let Ok(Verdict::Rejected { code, text, cure, .. }) = signature(200, r#"{"status":"Черновик Щукин"}"#)
        else {
            panic!("it is no signature")
        };
        assert_eq!((code.as_str(), cure), (NOT_SIGNED, Cure::Row));
        assert!(!text.contains("Щукин"), "{text}");
        let terms = Terms { signed_statuses: vec!["черновик".into()], ..Terms::default() };
        let verdict = judge_signature(("5", false), &terms, &answer(200, r#"{"status":"Черновик"}"#), SENT);
        assert_eq!(stage(verdict), Stage::Confirmed);
    }

    #[test]
    fn a_conflict_means_signed_only_after_an_attempt_whose_outcome_is_open() {
        let terms = Terms::default();
        assert_eq!(stage(judge_signature(("5", true), &terms, &answer(409, ""), SENT)), Stage::Confirmed);
        let verdict = signature(409, r#"{"code":"DUP"}"#);
        assert!(matches!(verdict, Ok(Verdict::Rejected { code, text, .. }) if code == ALREADY_SIGNED && text == "DUP"));
    }

    #[test]
    fn a_signature_is_not_accepted_by_a_page_or_a_refusal() {
        assert!(signature(200, "<html>login</html>").unwrap_err().maybe_applied);
        for (status, body, code) in [
            (404, "", "NOT_FOUND"),
            (200, r#"{"success":false}"#, "REFUSED"),
            (200, r#"{"status":"ERROR"}"#, "REFUSED"),
            (200, r#"{"code":"E-17","id":5}"#, "E-17"),
            (200, r#"{"message":"Подпись не прошла проверку"}"#, "REFUSED"),
            (422, r#"{"message":"нет"}"#, "HTTP-422"),
        ] {
            assert!(
                matches!(signature(status, body), Ok(Verdict::Rejected { code: found, .. }) if found == code),
                "{status}"
            );
        }
    }

    #[test]
    fn every_other_status_is_as_in_the_table_of_failures() {
        for (status, trouble, maybe_applied) in [
            (400, Trouble::Foreign { retry_after: None }, false),
            (401, Trouble::Parked, false),
            (413, Trouble::TooLarge, false),
            (422, Trouble::Foreign { retry_after: None }, false),
            (405, Trouble::FeedParked, false),
            (500, Trouble::Transient { retry_after: None }, true),
            (503, Trouble::Maintenance { retry_after: None }, false),
            (504, Trouble::TimedOut, true),
        ] {
            for failure in [document(status, "").unwrap_err(), signature(status, "").unwrap_err()] {
                assert_eq!((failure.trouble, failure.maybe_applied), (trouble, maybe_applied), "{status}");
            }
        }
        assert_eq!(document(404, "").unwrap_err().trouble, Trouble::FeedParked);
    }
}
