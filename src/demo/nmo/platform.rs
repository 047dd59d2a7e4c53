//! The portal's side of «Сервисы платформы онлайн-обучения»: the mock calls the platform as the document prints it, and says what it answered.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use reqwest::{Client, RequestBuilder, Response, StatusCode, header, redirect};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

/// How long the portal waits for the platform.
const PATIENCE: Duration = Duration::from_secs(10);

/// A platform that the portal may call.
pub struct Platform {
    url: String,
    portal_id: String,
    portal_secret: String,
    client: Client,
}

/// A specialist on the way to a module.
#[derive(Clone)]
pub struct Visit {
    /// The module.
    pub module_id: String,
    /// Who comes.
    pub snils: String,
    /// The pin for this module.
    pub pin: String,
}

/// What the platform did wrong. Names the service, never a person.
#[derive(Debug, thiserror::Error)]
pub enum PlatformFault {
    /// It did not answer.
    #[error("the platform did not answer {0}")]
    Silent(&'static str),
    /// It answered with another status, or without what the document wants.
    #[error("the platform answered {0} with HTTP {1} and not as the document has it")]
    Answer(&'static str, u16),
}

impl Platform {
    /// A platform at an address, with the account that it gave the portal. None where the machine lets no client be made.
    pub fn new(url: &str, portal_id: &str, portal_secret: &str) -> Option<Self> {
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(PATIENCE);
        let client = client.tls_certs_only([]).build().ok()?;
        let [url, portal_id, portal_secret] = [url, portal_id, portal_secret].map(str::to_owned);
        Some(Platform { url, portal_id, portal_secret, client })
    }

    /// Sends a specialist by a signed redirect: where the platform sends the browser on to.
    pub async fn redirect(&self, visit: &Visit) -> Result<String, PlatformFault> {
        const SERVICE: &str = "/redirect";
        let query = format!("{}&portalId={}", parameters(visit), encoded(&self.portal_id));
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.portal_secret.as_bytes());
        let signature = URL_SAFE.encode(hmac::sign(&key, query.as_bytes()));
        let request = self.client.get(format!("{}{SERVICE}?{query}&signature={signature}", self.url));
        let answer = sent(SERVICE, request).await?;
        let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        let wrong = PlatformFault::Answer(SERVICE, answer.status().as_u16());
        location.filter(|_| answer.status() == StatusCode::FOUND).map(str::to_owned).ok_or(wrong)
    }

    /// Asks for the address with the portal's password and the fields in the query.
    pub async fn url_by_query(&self, visit: &Visit) -> Result<String, PlatformFault> {
        let request = self.client.post(format!("{}/getUrl?{}", self.url, parameters(visit)));
        text("/getUrl", request.basic_auth(&self.portal_id, Some(&self.portal_secret))).await
    }

    /// Asks for the address with a token that it fetches, and the fields in the body.
    pub async fn url_by_body(&self, visit: &Visit) -> Result<String, PlatformFault> {
        let token = self.token(Some(&visit.snils)).await?;
        let body = json!({"module_id": visit.module_id, "snils": visit.snils, "pin": visit.pin}).to_string();
        let request = self.client.post(format!("{}/getUrl", self.url)).bearer_auth(token);
        text("/getUrl", request.header(header::CONTENT_TYPE, "application/json").body(body)).await
    }

    /// Tells how a module fared. False when the platform wants to hear it later.
    pub async fn tell(&self, module_id: &str, status: &str, reason: Option<&str>) -> Result<bool, PlatformFault> {
        const SERVICE: &str = "/statusUpdate";
        let token = self.token(None).await?;
        let mut body = json!({"module_id": module_id, "status": status});
        if let Some(reason) = reason {
            body["status_reason"] = reason.into();
        }
        let request = self.client.post(format!("{}{SERVICE}", self.url)).bearer_auth(token);
        let answer =
            sent(SERVICE, request.header(header::CONTENT_TYPE, "application/json").body(body.to_string())).await?;
        match answer.status() {
            StatusCode::OK => Ok(true),
            StatusCode::SERVICE_UNAVAILABLE => Ok(false),
            other => Err(PlatformFault::Answer(SERVICE, other.as_u16())),
        }
    }

    /// A token, asked for with the password. No SNILS is given where the token is not for a specialist.
    async fn token(&self, snils: Option<&str>) -> Result<String, PlatformFault> {
        const SERVICE: &str = "/getToken";
        let snils = snils.map(|snils| format!("snils={}&", encoded(snils))).unwrap_or_default();
        let url = format!("{}{SERVICE}?{snils}portalId={}", self.url, encoded(&self.portal_id));
        let request = self.client.post(url).basic_auth(&self.portal_id, Some(&self.portal_secret));
        let granted: Option<Value> = serde_json::from_str(&text(SERVICE, request).await?).ok();
        let token = granted.as_ref().and_then(|granted| granted.get("access_token")).and_then(Value::as_str);
        token.map(str::to_owned).ok_or(PlatformFault::Answer(SERVICE, StatusCode::OK.as_u16()))
    }
}

fn parameters(visit: &Visit) -> String {
    let Visit { module_id, snils, pin } = visit;
    format!("snils={}&moduleId={}&pin={}", encoded(snils), encoded(module_id), encoded(pin))
}

fn encoded(value: &str) -> String {
    byte_serialize(value.as_bytes()).collect()
}

async fn sent(service: &'static str, request: RequestBuilder) -> Result<Response, PlatformFault> {
    request.send().await.map_err(|_| PlatformFault::Silent(service))
}

async fn text(service: &'static str, request: RequestBuilder) -> Result<String, PlatformFault> {
    let answer = sent(service, request).await?;
    let status = answer.status();
    let text = answer.text().await.map_err(|_| PlatformFault::Silent(service))?;
    if status == StatusCode::OK { Ok(text) } else { Err(PlatformFault::Answer(service, status.as_u16())) }
}
