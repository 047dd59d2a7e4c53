//! Answers in every form that the document and the framework under the portal give them.

use super::*;

fn reply(status: u16, body: &str) -> Reply {
    Reply::of(Answer { status, retry_after: None, date: None, body: body.into() })
}

fn refused(status: u16, body: &str, hidden: &[&str]) -> (String, String) {
    let hidden: Vec<String> = hidden.iter().map(|value| (*value).to_owned()).collect();
    match reply(status, body).outcome(&hidden) {
        Ok(Outcome::Refused(Refusal { code, text })) => (code, text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn success_is_found_in_any_form_and_brings_an_address_only_if_it_is_one() {
    for body in [r#"{"success":true}"#, r#"{"Success":"true"}"#, r#"[{"success":true,"url":"{front_url}/x"}]"#] {
        assert_eq!(reply(200, body).outcome(&[]), Ok(Outcome::Done { url: None }), "{body}");
    }
    let shown = reply(200, r#"{"success":true,"url":"https://nmfo/#/iom/1"}"#).outcome(&[]);
    assert_eq!(shown, Ok(Outcome::Done { url: Some("https://nmfo/#/iom/1".into()) }));
    for url in ["javascript:alert(1)", "https://a b", "https://a\\nb"] {
        let body = format!(r#"{{"success":true,"url":"{url}"}}"#);
        assert_eq!(reply(200, &body).outcome(&[]), Ok(Outcome::Done { url: None }), "{url}");
    }
}

#[test]
fn a_reason_is_a_refusal_under_every_status_that_speaks_of_the_record() {
    for status in [200, 400, 404, 409, 422] {
        let (code, text) = refused(status, r#"{"success":false,"reason":"Not_Planned","description":"нет"}"#, &[]);
        assert_eq!((code.as_str(), text.as_str()), ("not_planned", "нет"));
    }
    assert_eq!(refused(200, r#"{"success":false}"#, &[]).0, UNCODED);
    assert_eq!(refused(200, r#"{"success":false,"reason":"Иванов Иван"}"#, &[]).0, UNCODED);
}

#[test]
fn what_can_cure_a_refusal_depends_on_its_reason() {
    let cure = |code: &str| match (Refusal { code: code.into(), text: String::new() }).verdict() {
        Verdict::Rejected { cure, .. } => cure,
        other => panic!("{other:?}"),
    };
    for code in ["incorrect_pin", "incomplete_data", "incorrect_data"] {
        assert_eq!(cure(code), Cure::Row, "{code}");
    }
    for code in ["not_planned", "unknown_module", "not_found", "UNCODED", "HTTP_409"] {
        assert_eq!(cure(code), Cure::Time, "{code}");
    }
}

#[test]
fn faults_in_an_array_are_told_with_their_fields_and_without_their_values() {
    let body = r#"[{"message":"may not be null","path":"specialities[0].name","invalidValue":"Иванов"},{"message":"bad","messageTemplate":"{x}"}]"#;
    let (code, text) = refused(400, body, &[]);
    assert_eq!(code, "HTTP_400");
    assert!(text.contains("may not be null") && text.contains("bad") && !text.contains("Иванов"), "{text}");
}

#[test]
fn neither_tokens_nor_values_that_were_sent_are_repeated() {
    let token = "29bc6b45-83cd-4050-8c7a-2a8a60adf251";
    let body = format!(
        r#"{{"error":"invalid_token","error_description":"Access token expired: {token} for pin DASJ23, СНИЛС 112-233-445 95"}}"#
    );
    let (_, text) = refused(400, &body, &["DASJ23", "11223344595"]);
    assert!(text.contains("Access token expired"), "{text}");
    for secret in [token, "29bc6b45", "DASJ", "112-233"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn an_answer_that_is_no_verdict_comes_to_its_row_of_the_failure_table() {
    let table = [
        (200, "<html>", Trouble::Transient { retry_after: None }, true),
        (200, r#"{"status":"ok"}"#, Trouble::Transient { retry_after: None }, true),
        (400, "<html>", Trouble::Foreign { retry_after: None }, false),
        (400, "", Trouble::Foreign { retry_after: None }, false),
        (409, "{}", Trouble::Foreign { retry_after: None }, false),
        (413, "<html>", Trouble::TooLarge, false),
        (422, "<html>", Trouble::Foreign { retry_after: None }, false),
        (403, r#"{"error":"Forbidden"}"#, Trouble::FeedParked, false),
        (404, "<html>", Trouble::FeedParked, false),
        (405, "", Trouble::FeedParked, false),
        (500, r#"{"error":"Server error","details":""}"#, Trouble::Transient { retry_after: None }, true),
        (500, r#"{"success":true}"#, Trouble::Transient { retry_after: None }, true),
        (503, "", Trouble::Maintenance { retry_after: None }, false),
    ];
    for (status, body, trouble, maybe_applied) in table {
        let failure = reply(status, body).outcome(&[]).unwrap_err();
        assert_eq!((failure.trouble, failure.maybe_applied), (trouble, maybe_applied), "{status} {body}");
        assert!(!failure.text.is_empty());
    }
}
