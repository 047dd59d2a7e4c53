//! Answers to requests for a token.

use serde_json::json;

use super::*;

const PASSWORD: &str = "hunter and co";

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, retry_after: None, date: None, body: body.into() }
}

fn read(status: u16, body: &str) -> Result<Granted, Failure> {
    granted(answer(status, body), &[PASSWORD.to_owned()])
}

#[test]
fn a_token_lives_as_long_as_it_says_within_bounds() {
    let seconds = |value: Value| lifetime(Some(&value)).as_secs();
    assert_eq!(seconds(json!(43198)), 43198);
    assert_eq!(seconds(json!("43198")), 43198);
    assert_eq!(seconds(json!(-1)), SHORTEST_LIFE.as_secs());
    assert_eq!(seconds(json!(1e300)), LONGEST_LIFE.as_secs());
    assert_eq!(seconds(json!("soon")), SHORT_LIFE.as_secs());
    assert_eq!(lifetime(None), SHORT_LIFE);
}

#[test]
fn a_grant_brings_a_token_and_perhaps_a_refresh_token() {
    let granted = read(200, r#"{"access_token":"a","refresh_token":"r","expires_in":43198}"#).ok().unwrap();
    assert_eq!(granted.refresh.unwrap().expose_secret(), "r");
    assert!(read(200, r#"{"Access_Token":"a"}"#).ok().unwrap().refresh.is_none());
}

#[test]
fn a_refused_or_blocked_user_parks_and_a_busy_portal_does_not() {
    let parked = [
        (400, r#"{"error":"invalid_grant","error_description":"User temporarily blocked"}"#),
        (400, r#"{"error":"invalid_grant","error_description":"Bad credentials: hunter and co"}"#),
        (401, r#"{"error":"unauthorized"}"#),
        (401, "<html>"),
        (403, ""),
        (404, "<html>"),
        (200, r#"{"error":"invalid_client"}"#),
    ];
    for (status, body) in parked {
        let failure = read(status, body).err().unwrap().of_authentication();
        assert_eq!(failure.trouble, Trouble::Parked, "{status} {body}");
        assert!(!failure.text.contains("hunter"), "{}", failure.text);
    }
    for (status, body) in [(400, "<html>"), (400, ""), (409, "[]"), (413, "<html>"), (422, "<html>")] {
        let failure = read(status, body).err().unwrap().of_authentication();
        assert_eq!(
            failure.trouble,
            Trouble::Foreign { retry_after: None },
            "a proxy's {status} is no word about the user"
        );
    }
    for (status, body) in [(500, ""), (502, "<html>"), (429, ""), (200, "<html>"), (200, r#"{"access_token":""}"#)] {
        let failure = read(status, body).err().unwrap().of_authentication();
        assert_eq!(failure.trouble, Trouble::Transient { retry_after: None }, "{status} {body}");
    }
}
