//! Authentication: OAuth with the password of the portal's user under the Basic account of the client («Аутентификация платформы на
//! портале»).
//!
//! The refresh token is kept and used again and again, in memory only: a restart costs one login. The portal may itself lose both tokens
//! at any restart, and locks a user who gives a wrong password too often: one login follows a refused refresh, never a second one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::form_urlencoded;

use super::answer::Reply;
use crate::transport::{Answer, Authenticate, Body, Failure, HttpClient, Mishap, Rate, Token, Trouble};

/// Life of a token that does not say how long it lives.
const SHORT_LIFE: Duration = Duration::from_secs(5 * 60);
/// A token is taken to live at least so long, or every request would log in anew. A 401 ends it sooner.
const SHORTEST_LIFE: Duration = Duration::from_secs(30);
/// No token is used longer than this, whatever it says.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Why the portal refuses an account, in the words of OAuth.
const REFUSALS: [&str; 5] = ["invalid_grant", "invalid_client", "unauthorized", "unauthorized_client", "access_denied"];

/// What the portal knows the platform by.
pub(super) struct Account {
    pub client_id: SecretString,
    pub client_secret: SecretString,
    pub username: SecretString,
    pub password: SecretString,
}

/// Gets tokens for an account.
pub(super) struct Login {
    client: HttpClient,
    rate: Arc<Rate>,
    account: Account,
    refresh: Mutex<Option<SecretString>>,
}

/// What a successful answer holds.
struct Granted {
    token: Token,
    refresh: Option<SecretString>,
}

impl Login {
    pub fn new(client: HttpClient, rate: Arc<Rate>, account: Account) -> Self {
        Login { client, rate, account, refresh: Mutex::default() }
    }

    fn keep_refresh(&self, refresh: Option<SecretString>) {
        *self.refresh.lock().unwrap_or_else(PoisonError::into_inner) = refresh;
    }

    fn take_refresh(&self) -> Option<SecretString> {
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn ask(&self, form: &[(&str, &str)]) -> Result<Granted, Failure> {
        let Account { client_id, client_secret, .. } = &self.account;
        let basic = format!("{}:{}", client_id.expose_secret(), client_secret.expose_secret());
        let unsendable = |_| Mishap::Unsendable { reason: "the client's login does not fit into a header".into() };
        let mut basic = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(basic))).map_err(unsendable)?;
        basic.set_sensitive(true);
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .client
            .request(Method::POST, &["rest", "v2", "oauth", "token"])
            .header(AUTHORIZATION, basic)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        self.rate.turn().await;
        granted(self.client.send(request, Body::AsBuilt).await?, &self.secrets())
    }

    /// What no text may show.
    fn secrets(&self) -> [String; 3] {
        let Account { client_secret, username, password, .. } = &self.account;
        [client_secret, username, password].map(|secret| secret.expose_secret().to_owned())
    }
}

impl Authenticate for Login {
    const LAGS: bool = true;

    async fn authenticate(&self) -> Result<Token, Failure> {
        let Account { username, password, .. } = &self.account;
        let form = [
            ("grant_type", "password"),
            ("username", username.expose_secret()),
            ("password", password.expose_secret()),
        ];
        let granted = self.ask(&form).await?;
        self.keep_refresh(granted.refresh);
        Ok(granted.token)
    }

    async fn refresh(&self) -> Option<Result<Token, Failure>> {
        let kept = self.take_refresh()?;
        let form = [("grant_type", "refresh_token"), ("refresh_token", kept.expose_secret())];
        let granted = self.ask(&form).await;
        match &granted {
            // The portal uses one refresh token for its whole life and need not repeat it.
            Ok(granted) => self.keep_refresh(granted.refresh.clone().or(Some(kept))),
            // The portal was not there, or under maintenance.
            Err(failure) if !failure.maybe_applied && !is_refusal(failure) => self.keep_refresh(Some(kept)),
            // Refused, or answered in a way that may be the portal's for what it has forgotten: not shown again.
            Err(_) => {}
        }
        Some(granted.map(|granted| granted.token))
    }
}

fn is_refusal(failure: &Failure) -> bool {
    failure.clone().of_authentication().trouble == Trouble::Parked
}

/// Reads the answer to a request for a token; `secrets` were sent with it.
fn granted(answer: Answer, secrets: &[String]) -> Result<Granted, Failure> {
    let reply = Reply::of(answer);
    if reply.word("error").is_some_and(|error| REFUSALS.contains(&error.as_str())) {
        return Err(Failure::from(Mishap::Credentials).saying(&reply.said(secrets)));
    }
    if !reply.is_success() {
        return Err(reply.failure(secrets));
    }
    let token = reply.text("access_token").unwrap_or_default();
    let refresh = reply.text("refresh_token").map(SecretString::from);
    match Token::new(token.into(), lifetime(reply.member("expires_in"))) {
        Some(token) => Ok(Granted { token, refresh }),
        None => Err(Mishap::Unreadable { reason: "it holds no usable token".into() }.into()),
    }
}

/// `expires_in`: seconds, as a number or as text.
fn lifetime(expires_in: Option<&Value>) -> Duration {
    let seconds = match expires_in {
        Some(Value::String(text)) => text.trim().parse::<f64>().ok(),
        Some(value) => value.as_f64(),
        None => None,
    };
    let life = seconds.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST_LIFE));
    life.map_or(SHORT_LIFE, |life| life.clamp(SHORTEST_LIFE, LONGEST_LIFE))
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
#[cfg(test)]
mod tests;
