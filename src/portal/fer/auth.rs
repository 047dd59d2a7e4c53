//! Authentication: `POST /auth.svc` (section «Сервис авторизации»).
//!
//! The sample prints `Result.Value` and `Result.ValidTo`; running gateways answer in camel case: letter case is ignored. Lifetimes are
//! measured on the gateway's own clock, so that a hospital's wrong clock neither outlives a token nor renews it at every request.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDateTime, Utc};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::answer::{Reply, member};
use crate::transport::{Answer, Authenticate, Body, Failure, HttpClient, Mishap, Rate, Token};

/// Life of a token that does not say how long it lives.
const SHORT_LIFE: Duration = Duration::from_secs(5 * 60);
/// No token is used longer than this, whatever it says.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// The account of a medical organisation.
pub(super) struct Login {
    client: HttpClient,
    rate: Arc<Rate>,
    username: String,
    password: SecretString,
}

impl Login {
    pub fn new(client: HttpClient, rate: Arc<Rate>, username: String, password: SecretString) -> Self {
        Login { client, rate, username, password }
    }
}

impl Authenticate for Login {
    async fn authenticate(&self) -> Result<Token, Failure> {
        let body = json!({"username": self.username, "password": self.password.expose_secret()}).to_string();
        self.rate.turn().await;
        let request = self.client.request(Method::POST, &["auth.svc"]);
        token(self.client.send(request, Body::Json(body.as_bytes())).await?, self.password.expose_secret())
    }
}

/// Reads the answer to an authentication. The password is hidden where the gateway repeats it.
fn token(answer: Answer, password: &str) -> Result<Token, Failure> {
    let now = answer.date.unwrap_or_else(Utc::now);
    let sent = [password.to_owned()];
    let reply = Reply::of(answer);
    if !(200..300).contains(&reply.status()) {
        return Err(reply.failure(&sent));
    }
    let Some(envelope) = reply.envelope() else { return Err(reply.unreadable()) };
    if !envelope.succeeded() {
        return Err(Failure::from(Mishap::Credentials).saying(&envelope.said(&sent)));
    }
    let result = reply.member("result").unwrap_or(&Value::Null);
    let value = member(result, "value").and_then(Value::as_str).unwrap_or_default();
    let valid_to = member(result, "validTo").and_then(Value::as_str);
    Token::new(value.into(), lifetime(valid_to, value, now))
        .ok_or_else(|| Mishap::Unreadable { reason: "it holds no usable token".into() }.into())
}

/// How long a token lives from `now` on the gateway's clock: by `ValidTo` if that names its zone, by the token's own `exp`, by a
/// `ValidTo` without zone read as UTC, in this order.
fn lifetime(valid_to: Option<&str>, token: &str, now: DateTime<Utc>) -> Duration {
    let valid_to = valid_to.map(str::trim);
    let end = valid_to
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        .map(|end| end.to_utc())
        .or_else(|| jwt_expiry(token))
        .or_else(|| valid_to.and_then(zoneless).map(|end| end.and_utc()));
    match end.map(|end| (end - now).to_std()) {
        Some(Ok(life)) if !life.is_zero() => life.min(LONGEST_LIFE),
        // In the past already: some clock is wrong. The token is tried; a 401 would end it sooner.
        Some(_) | None => SHORT_LIFE,
    }
}

fn zoneless(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%d.%m.%Y %H:%M:%S"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

/// The `exp` of a JWT. Nothing is verified: it only says when to ask for the next one.
fn jwt_expiry(token: &str) -> Option<DateTime<Utc>> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    DateTime::from_timestamp(claims.get("exp")?.as_i64()?, 0)
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Trouble;

    /// The token of the document's sample; its `exp` is 2019-10-08T19:12:19Z.
    const SAMPLE: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJNTyBJbnRlZ3JhdGlvbiIsImp0aSI6ImQ2MTc5ZmRiLTFjN2EtNGZjYS05ZDc1LTAwNzRjZjA0Y2IzOCIsIk1vSWQiOiIxMzA5NCIsImV4cCI6MTU3MDU2MTkzOSwiaXNzIjoiVGVsZW1lZEFwaSIsImF1ZCI6IlRlbGVtZWRBcGkifQ.TQD86ZL4oUvJWEGF1SJWFirN9bvIgT-91qQXEafByKE";

    const PASSWORD: &str = "hunter and co";

    fn now() -> DateTime<Utc> {
        "2019-10-08T18:12:19Z".parse().unwrap()
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, date: Some(now()), body: body.into() }
    }

    #[test]
    fn lifetimes_come_from_every_form_of_the_end() {
        let minutes = |valid_to, token| lifetime(valid_to, token, now()).as_secs() / 60;
        assert_eq!(minutes(Some("2019-10-08T19:12:19Z"), "opaque"), 60);
        assert_eq!(minutes(Some("2019-10-09T00:12:19.1234567+05:00"), "opaque"), 60);
        assert_eq!(minutes(Some("2019-10-08T20:12:19"), "opaque"), 120);
        assert_eq!(minutes(Some("2019-10-08 20:12:19.5"), "opaque"), 120);
        assert_eq!(minutes(Some("08.10.2019 20:12:19"), "opaque"), 120);
        // Without a zone the token's own end is the better witness.
        assert_eq!(minutes(Some("2019-10-09T00:12:19"), SAMPLE), 60);
        assert_eq!(minutes(None, SAMPLE), 60);
    }

    #[test]
    fn an_unknown_or_senseless_end_gives_a_short_life_and_a_far_one_a_day() {
        for valid_to in [None, Some(""), Some("tomorrow"), Some("2019-10-08T18:12:19Z"), Some("2001-01-01T00:00:00Z")] {
            assert_eq!(lifetime(valid_to, "opaque", now()), SHORT_LIFE);
        }
        assert_eq!(lifetime(Some("9999-12-31T23:59:59Z"), "opaque", now()), LONGEST_LIFE);
    }

    #[test]
    fn a_token_is_found_in_any_letter_case() {
        for body in [
            r#"{"Result":{"ValidTo":"2019-10-08T19:12:19Z","Value":"t"},"IsSuccess":true,"ErrorMessage":"","StatusCode":200}"#,
            r#"{"result":{"validTo":"2019-10-08T19:12:19Z","value":"t"},"isSuccess":true,"statusCode":200}"#,
            r#"{"RESULT":{"VALUE":"t"}}"#,
        ] {
            assert!(token(answer(200, body), PASSWORD).is_ok(), "{body}");
        }
    }

    #[test]
    fn a_refusal_parks_and_a_busy_gateway_does_not() {
        let parked = [
            (401, "<html>"),
            (403, "{}"),
            (404, ""),
            (422, r#"{"isSuccess":false}"#),
            (
                200,
                r#"{"Result":null,"IsSuccess":false,"ErrorMessage":"Неверный пароль Hunter and Co","StatusCode":200}"#,
            ),
            (200, r#"{"Result":null,"IsSuccess":false,"ErrorMessage":"нет","StatusCode":401}"#),
        ];
        for (status, body) in parked {
            let failure = token(answer(status, body), PASSWORD).unwrap_err().of_authentication();
            assert_eq!(failure.trouble, Trouble::Parked, "{status} {body}");
            assert!(!failure.text.to_lowercase().contains(PASSWORD), "{}", failure.text);
        }
        for (status, body) in [(400, ""), (400, "<html>"), (405, "<html>"), (413, "<html>"), (422, "<html>")] {
            let failure = token(answer(status, body), PASSWORD).unwrap_err().of_authentication();
            assert_eq!(failure.trouble, Trouble::Foreign { retry_after: None }, "{status} {body}: a proxy's");
        }
        let again = [
            (500, ""),
            (502, "<html>"),
            (429, ""),
            (200, "<html>"),
            (200, ""),
            (200, r#"{"result":{"value":""},"isSuccess":true}"#),
        ];
        for (status, body) in again {
            let failure = token(answer(status, body), PASSWORD).unwrap_err().of_authentication();
            assert_eq!(failure.trouble, Trouble::Transient { retry_after: None }, "{status} {body}");
        }
        assert_eq!(token(answer(503, ""), PASSWORD).unwrap_err().trouble, Trouble::Maintenance { retry_after: None });
    }
}
