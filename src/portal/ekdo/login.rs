//! Authentication: login and password, with the user's identifier where support gave one. The document says that there is a token and no more.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::segments;
use super::settings::{EkdoSettings, EkdoWire, LoginForm};
use crate::portal::{expiry, lenient};
use crate::transport::{Answer, Authenticate, Body, Failure, HttpClient, Mishap, Rate, Token, redact_hiding};

/// Life of a token of which nothing is said.
const UNKNOWN_LIFE: Duration = Duration::from_secs(30 * 60);
/// What portals call a token.
const TOKENS: [&str; 7] = ["token", "access_token", "accessToken", "authToken", "id_token", "idToken", "jwt"];

/// The employer's account.
pub(super) struct Login {
    client: HttpClient,
    rate: Arc<Rate>,
    username: SecretString,
    password: SecretString,
    user_id: SecretString,
    wire: EkdoWire,
}

impl Login {
    pub fn new(client: HttpClient, rate: Arc<Rate>, settings: &EkdoSettings) -> Self {
        Login {
            client,
            rate,
            username: settings.username.clone(),
            password: settings.password.clone(),
            user_id: settings.user_id.clone(),
            wire: settings.wire.clone(),
        }
    }

    fn fields(&self) -> Vec<(&str, &str)> {
        let names = &self.wire.names;
        let account = [
            (names.username.as_str(), self.username.expose_secret()),
            (names.password.as_str(), self.password.expose_secret()),
            (names.user_id.as_str(), self.user_id.expose_secret()),
        ];
        account.into_iter().filter(|(name, value)| !name.is_empty() && !value.is_empty()).collect()
    }

    fn request(&self) -> Result<(RequestBuilder, Vec<u8>), Failure> {
        let path = segments(&self.wire.token_path, "");
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let request = self.client.request(self.wire.token_method.clone(), &path);
        Ok(match self.wire.login {
            // A request by GET has no body. No query is ever logged.
            LoginForm::Json | LoginForm::Form if self.wire.token_method == Method::GET => {
                (request.query(&self.fields()), Vec::new())
            }
            LoginForm::Json => {
                let fields = self.fields().into_iter().map(|(name, value)| (name.to_owned(), Value::from(value)));
                let body = Value::Object(fields.collect::<Map<_, _>>()).to_string();
                (request.header(CONTENT_TYPE, "application/json"), body.into_bytes())
            }
            LoginForm::Form => {
                let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(self.fields()).finish();
                (request.header(CONTENT_TYPE, "application/x-www-form-urlencoded"), body.into_bytes())
            }
            LoginForm::Basic => {
                let account =
                    STANDARD.encode(format!("{}:{}", self.username.expose_secret(), self.password.expose_secret()));
                let mut header = HeaderValue::from_str(&format!("Basic {account}")).map_err(|_| {
                    Mishap::Unsendable { reason: "username and password do not fit into a header".into() }
                })?;
                header.set_sensitive(true);
                (request.header(AUTHORIZATION, header), Vec::new())
            }
        })
    }
}

impl Authenticate for Login {
    async fn authenticate(&self) -> Result<Token, Failure> {
        let (request, body) = self.request()?;
        self.rate.turn().await;
        let request = if self.wire.token_method == Method::GET { request } else { request.body(body) };
        let answer = self.client.send(request, Body::AsBuilt).await?;
        let secrets = [&self.username, &self.password, &self.user_id].map(|secret| secret.expose_secret().to_owned());
        token(&answer, &self.wire.names.token, &secrets)
    }
}

/// Reads the answer. What was sent is hidden where the portal repeats it.
fn token(answer: &Answer, name: &str, secrets: &[String]) -> Result<Token, Failure> {
    let body = lenient::parse(&answer.body);
    let said = body.as_ref().map(|body| redact_hiding(&lenient::complaint(body), secrets)).unwrap_or_default();
    match answer.status {
        200..=299 => {}
        401 | 403 => return Err(Failure::from(Mishap::Credentials).saying(&said)),
        // A page, or nothing, may be a proxy's, and finds no fault with the account.
        400 | 422 if body.as_ref().is_some_and(lenient::speaks) => {
            return Err(Failure::from(Mishap::Credentials).saying(&said));
        }
        code => {
            let failure = Failure::from(Mishap::Status { code, retry_after: answer.retry_after });
            return Err(failure.without_units().saying(&said));
        }
    }
    let Some(body) = body else { return Err(unreadable("it is not JSON")) };
    let names: Vec<&str> = [name].into_iter().chain(TOKENS).filter(|name| !name.is_empty()).collect();
    let value = lenient::found(&body, &names).unwrap_or(&body).as_str().map(str::trim).unwrap_or_default();
    if value.is_empty() && lenient::member(&body, "success").and_then(lenient::truth) == Some(false) {
        return Err(Failure::from(Mishap::Credentials).saying(&said));
    }
    let said = lenient::found(&body, &["expires_in", "expiresIn"]).and_then(lenient::number);
    let life = said.map_or(UNKNOWN_LIFE, |said| expiry::life(said, answer.date.unwrap_or_else(Utc::now)));
    Token::new(value.into(), life).ok_or_else(|| unreadable("it holds no usable token"))
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

    const PASSWORD: &str = "hunter and co";

    fn answered(status: u16, body: &str) -> Result<Token, Failure> {
        let answer = Answer { status, retry_after: None, date: None, body: body.into() };
        token(&answer, "key", &[PASSWORD.to_owned()])
    }

    #[test]
    fn a_token_is_found_under_its_usual_names() {
        for body in [
            r#"{"token":"t"}"#,
            r#"{"KEY":"t","expiresIn":60}"#,
            r#"{"data":{"access_token":"t","expires_in":3600}}"#,
            r#"{"result":{"jwt":"t"}}"#,
            r#""t""#,
        ] {
            assert!(answered(200, body).is_ok(), "{body}");
        }
        for body in ["", "<html>", "{}", r#"{"token":""}"#, r#"{"token":"a b"}"#, "17"] {
            let failure = answered(200, body).err().unwrap().of_authentication();
            assert_eq!(failure.trouble, Trouble::Transient { retry_after: None }, "{body}");
        }
    }

    #[test]
    fn what_is_not_the_portals_word_finds_no_fault_with_the_account() {
        for (status, body) in [(400, ""), (400, "<html>"), (413, "<html>"), (422, "<html>"), (422, "{}")] {
            let failure = answered(status, body).err().unwrap().of_authentication();
            assert_eq!(failure.trouble, Trouble::Foreign { retry_after: None }, "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_parks_and_shows_no_password() {
        for (status, body) in [
            (401, r#"{"message":"wrong: Hunter and Co"}"#),
            (403, "<html>"),
            (400, r#"{"error_description":"hunter and co"}"#),
            (200, r#"{"success":false,"message":"hunter and co"}"#),
            (404, ""),
            (422, r#"{"message":"нет"}"#),
        ] {
            let failure = answered(status, body).err().unwrap().of_authentication();
            assert_eq!(failure.trouble, Trouble::Parked, "{status} {body}");
            assert!(!failure.text.to_lowercase().contains(PASSWORD), "{}", failure.text);
        }
    }
}
