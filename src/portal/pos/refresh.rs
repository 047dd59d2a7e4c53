//! The answer to a refresh: the new pair, and when it ends.

use std::time::Duration;

use chrono::Utc;
use secrecy::SecretString;

use super::tokens::Refusal;
use crate::portal::{expiry, lenient};
use crate::transport::{Answer, Failure, Mishap, redact_hiding};

/// A new pair.
pub(super) struct Refreshed {
    pub access: SecretString,
    /// None when the old one goes on.
    pub refresh: Option<SecretString>,
    /// From now; none when nothing was said.
    pub life: Option<Duration>,
}

/// Reads the answer. What was sent is hidden where the portal repeats it.
pub(super) fn read(answer: &Answer, secrets: &[String]) -> Result<Refreshed, Refusal> {
    let body = lenient::parse(&answer.body);
    let said = body.as_ref().map(|body| redact_hiding(&lenient::complaint(body), secrets)).unwrap_or_default();
    match answer.status {
        200..=299 => {}
        401 => return Err(Refusal::Token(said)),
        // A page, or nothing, may be a proxy's: a pair is not given up for that.
        400 | 403 | 422 if body.as_ref().is_some_and(lenient::speaks) => return Err(Refusal::Token(said)),
        code => {
            let failure = Failure::from(Mishap::Status { code, retry_after: answer.retry_after });
            return Err(Refusal::Other(failure.without_units().saying(&said)));
        }
    }
    let Some(body) = body else { return Err(unreadable("it is not JSON")) };
    let text = |names: &[&str]| lenient::found(&body, names).and_then(|value| value.as_str()).map(str::trim);
    let graphic = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let Some(access) = text(&["access_token", "accessToken"]).filter(graphic) else {
        let refused = lenient::member(&body, "success").and_then(lenient::truth) == Some(false)
            || lenient::member(&body, "error").is_some_and(|error| !error.is_null());
        return Err(if refused { Refusal::Token(said) } else { unreadable("it holds no access token") });
    };
    let now = answer.date.unwrap_or_else(Utc::now);
    Ok(Refreshed {
        access: access.into(),
        refresh: text(&["refresh_token", "refreshToken"]).filter(graphic).map(Into::into),
        life: lenient::found(&body, &["expires_in", "expiresIn"])
            .and_then(lenient::number)
            .map(|said| expiry::life(said, now)),
    })
}

fn unreadable(reason: &str) -> Refusal {
    Refusal::Other(Mishap::Unreadable { reason: reason.to_owned() }.into())
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use secrecy::ExposeSecret;

    use super::*;

    fn answered(status: u16, body: &str) -> Result<Refreshed, Refusal> {
        let date = DateTime::from_timestamp(1_502_302_385, 0);
        read(&Answer { status, retry_after: None, date, body: body.into() }, &["old-secret".to_owned()])
    }

    #[test]
    fn a_pair_is_found_in_any_case_and_envelope() {
        for body in [
            r#"{"access_token":"a","refresh_token":"r","expires_in":3600}"#,
            r#"{"success":true,"data":{"Access_Token":"a","REFRESH_TOKEN":"r","expires_in":"1502305985425"}}"#,
        ] {
            let Ok(pair) = answered(200, body) else { panic!("{body}") };
            assert_eq!(pair.access.expose_secret(), "a");
            assert_eq!(pair.refresh.unwrap().expose_secret(), "r");
            assert_eq!(pair.life, Some(Duration::from_secs(3600)));
        }
        let Ok(pair) = answered(200, r#"{"access_token":"a"}"#) else { panic!("a bare token") };
        assert!(pair.refresh.is_none() && pair.life.is_none());
    }

    #[test]
    fn a_refusal_is_told_from_an_answer_that_was_lost() {
        for (status, body) in [
            (400, r#"{"error":"invalid_grant old-secret"}"#),
            (401, ""),
            (403, r#"{"error":"denied"}"#),
            (422, r#"{"success":false}"#),
            (200, r#"{"success":false,"message":"OLD-SECRET expired"}"#),
            (200, r#"{"error":"invalid_grant"}"#),
        ] {
            let Err(Refusal::Token(said)) = answered(status, body) else { panic!("{status} {body}") };
            assert!(!said.to_lowercase().contains("old-secret"), "{said}");
        }
        for (status, body, maybe_applied) in [
            (200, "", true),
            (200, "<html>", true),
            (200, "{}", true),
            (500, "", true),
            (503, "", false),
            (404, "", false),
            (400, "<html>", false),
            (403, "", false),
            (413, "<html>", false),
            (422, "{}", false),
        ] {
            let Err(Refusal::Other(failure)) = answered(status, body) else { panic!("{status} {body}") };
            assert_eq!(failure.maybe_applied, maybe_applied, "{status} {body}");
        }
    }
}
