//! Answers of POS, judged.
//!
//! The document prints two: `{"success": true, "data": {"id": 36}}` for what was created and `{"success": true, "data": true}` for what was
//! changed. What a refusal looks like it does not say, nor what stands under 401 and 404: bodies are read as far as they make sense, and
//! a success is believed only where it is told.

use serde_json::Value;

use crate::portal::{Cure, Verdict, lenient};
use crate::record::{Receipt, Stage};
use crate::transport::{Answer, Failure, Mishap, redact_hiding};

/// What a record was sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand<'a> {
    /// POST: to be created.
    Creation,
    /// PUT: to be changed, under this id of the portal's.
    Change(&'a str),
}

/// What became of a record with this body.
pub(super) fn judge(errand: Errand<'_>, answer: &Answer, sent: &[u8]) -> Result<Verdict, Failure> {
    let body = lenient::parse(&answer.body);
    match answer.status {
        200..=299 => success(errand, body.as_ref(), sent),
        // The document's 404 can only speak of the id: it stands at an address that took the creation.
        404 if matches!(errand, Errand::Change(_)) => Ok(refusal("NOT_FOUND".into(), body.as_ref(), sent, Cure::Time)),
        // Sent again by itself, what contradicts another activity could make a second one. A page, or nothing, is not the portal's word.
        409 => Ok(refusal(refusal_code(answer.status, body.as_ref()), body.as_ref(), sent, Cure::Row)),
        400 | 413 | 422 if body.as_ref().is_some_and(lenient::speaks) => {
            Ok(refusal(refusal_code(answer.status, body.as_ref()), body.as_ref(), sent, Cure::Row))
        }
        code => {
            let said = said(body.as_ref(), sent);
            let failure = Failure::from(Mishap::Status { code, retry_after: answer.retry_after });
            Err(failure.without_units().saying(&said))
        }
    }
}

fn success(errand: Errand<'_>, body: Option<&Value>, sent: &[u8]) -> Result<Verdict, Failure> {
    let Some(body) = body else { return Err(unreadable("it is not JSON")) };
    let told = lenient::member(body, "success").and_then(lenient::truth);
    let data = lenient::member(body, "data");
    if told == Some(false) || data.and_then(lenient::truth) == Some(false) {
        let code = lenient::code(body).unwrap_or_else(|| "REFUSED".into());
        return Ok(refusal(code, Some(body), sent, Cure::Row));
    }
    let id = lenient::found(body, &["id"]).or(data).and_then(lenient::id);
    match (errand, told, id) {
        (Errand::Creation, Some(true), Some(id)) => Ok(accepted(&id)),
        // Without the word an id alone may be anything's.
        (Errand::Creation, Some(true), None) => {
            Err(unreadable("it tells of a success without the id of what was created"))
        }
        (Errand::Change(id), Some(true), _) => Ok(accepted(id)),
        (_, _, _) => Err(unreadable("it is JSON without success")),
    }
}

fn accepted(id: &str) -> Verdict {
    let receipt = Receipt { stage: Stage::Confirmed, remote_id: Some(id.to_owned()), ..Receipt::default() };
    Verdict::Accepted { receipt: Some(Box::new(receipt)) }
}

fn refusal(code: String, body: Option<&Value>, sent: &[u8], cure: Cure) -> Verdict {
    let text = lenient::with_code(body, &code, said(body, sent));
    Verdict::Rejected { code, text, cure, holder: None }
}

/// By 409 an operator is asked for the portal's id, whatever code of its own the portal gives beside it: that one goes into the text.
fn refusal_code(status: u16, body: Option<&Value>) -> String {
    let own = body.and_then(lenient::code).filter(|_| status != 409);
    own.unwrap_or_else(|| format!("HTTP-{status}"))
}

fn said(body: Option<&Value>, sent: &[u8]) -> String {
    let complaint = body.map(lenient::complaint).unwrap_or_default();
    if complaint.is_empty() { complaint } else { redact_hiding(&complaint, &lenient::texts_of(sent)) }
}

fn unreadable(reason: &str) -> Failure {
    Mishap::Unreadable { reason: reason.to_owned() }.into()
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::transport::Trouble;

    const SENT: &[u8] = r#"{"title":"Уборка снега","external_id":"4"}"#.as_bytes();

    fn judged(errand: Errand<'_>, status: u16, body: &str) -> Result<Verdict, Failure> {
        judge(errand, &Answer { status, retry_after: None, date: None, body: body.into() }, SENT)
    }

    fn remote_id(verdict: Result<Verdict, Failure>) -> Option<String> {
        match verdict {
            Ok(Verdict::Accepted { receipt: Some(receipt) }) => receipt.remote_id,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_creation_is_accepted_with_the_id_that_came_back() {
        for body in [
            r#"{"success": true, "data": {"id": 36}}"#,
            r#"{"Success": "true", "Data": {"ID": "36"}}"#,
            r#"{"success": true, "data": 36}"#,
            r#"[{"success": true, "id": 36}]"#,
        ] {
            let verdict = judged(Errand::Creation, 200, body);
            if body.starts_with('[') {
                assert!(verdict.is_err(), "an array is not the document's answer");
            } else {
                assert_eq!(remote_id(verdict).as_deref(), Some("36"), "{body}");
            }
        }
    }

    #[test]
    fn a_change_keeps_its_id() {
        for body in [r#"{"success":true,"data":true}"#, r#"{"success":true}"#, r#"{"success":true,"data":{"id":99}}"#] {
            assert_eq!(remote_id(judged(Errand::Change("35"), 200, body)).as_deref(), Some("35"), "{body}");
        }
    }

    #[test]
    fn what_is_not_told_is_not_believed() {
        for (status, body) in [
            (200, ""),
            (200, "<html>ok</html>"),
            (200, "{}"),
            (200, "true"),
            (200, r#"{"data":{"id":36}}"#),
            (200, r#"{"success":true,"data":{}}"#),
            (201, r#"{"success":true,"data":null}"#),
            (204, ""),
        ] {
            let failure = judged(Errand::Creation, status, body).unwrap_err();
            assert!(failure.maybe_applied, "{status} {body}");
            assert_eq!(failure.trouble, Trouble::Transient { retry_after: None }, "{body}");
        }
    }

    #[test]
    fn a_refusal_has_a_code_and_a_text_without_what_was_sent() {
        for (status, body, code) in [
            (200, r#"{"success":false,"message":"«Уборка снега» уже есть"}"#, "REFUSED"),
            (200, r#"{"success":true,"data":false}"#, "REFUSED"),
            (200, r#"{"success":false,"error":{"code":"E-12","message":"уборка снега не годится"}}"#, "REFUSED"),
            (200, r#"{"success":false,"code":17}"#, "17"),
            (400, r#"{"message":"плохо"}"#, "HTTP-400"),
            (422, r#"{"errors":{"title":["Уборка снега"]}}"#, "HTTP-422"),
            (409, "", "HTTP-409"),
            (409, r#"{"code":"DUP-7","message":"«Уборка снега» уже есть"}"#, "HTTP-409"),
            (413, r#"{"success":false}"#, "HTTP-413"),
        ] {
            let Ok(Verdict::Rejected { code: found, text, cure, .. }) = judged(Errand::Creation, status, body) else {
                panic!("{status} {body}")
            };
            assert_eq!((found.as_str(), cure), (code, Cure::Row), "{body}");
            assert!(!text.to_lowercase().contains("снега"), "{text}");
        }
    }

    #[test]
    fn a_conflict_keeps_the_portals_own_code_in_its_text() {
        let verdict = judged(Errand::Creation, 409, r#"{"code":"DUP-7","message":"есть"}"#);
        assert!(matches!(verdict, Ok(Verdict::Rejected { text, .. }) if text == "DUP-7: есть"));
    }

    #[test]
    fn a_404_is_about_the_address_of_a_creation_and_about_the_id_of_a_change() {
        assert_eq!(judged(Errand::Creation, 404, "").unwrap_err().trouble, Trouble::FeedParked);
        let verdict = judged(Errand::Change("35"), 404, r#"{"success":false}"#);
        assert!(matches!(verdict, Ok(Verdict::Rejected { code, .. }) if code == "NOT_FOUND"));
    }

    #[test]
    fn every_other_status_is_as_in_the_table_of_failures() {
        for (status, trouble, maybe_applied) in [
            (302, Trouble::FeedParked, false),
            (400, Trouble::Foreign { retry_after: Some(Duration::from_secs(9)) }, false),
            (413, Trouble::TooLarge, false),
            (422, Trouble::Foreign { retry_after: Some(Duration::from_secs(9)) }, false),
            (401, Trouble::Parked, false),
            (403, Trouble::FeedParked, false),
            (405, Trouble::FeedParked, false),
            (429, Trouble::Transient { retry_after: Some(Duration::from_secs(9)) }, false),
            (500, Trouble::Transient { retry_after: Some(Duration::from_secs(9)) }, true),
            (503, Trouble::Maintenance { retry_after: Some(Duration::from_secs(9)) }, false),
        ] {
            let answer = Answer { status, retry_after: Some(Duration::from_secs(9)), date: None, body: Vec::new() };
            let failure = judge(Errand::Creation, &answer, SENT).unwrap_err();
            assert_eq!((failure.trouble, failure.maybe_applied), (trouble, maybe_applied), "{status}");
            assert!(!failure.text.contains("unit"), "{}", failure.text);
        }
    }
}
