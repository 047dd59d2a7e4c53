//! One call to the portal: a turn by the rate, a token, JSON there and back.

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::Value;

use super::answer::Reply;
use super::auth::Login;
use crate::transport::{Bearer, Body, Failure, HttpClient, Pauses, Rate, TokenHolder};

/// The services of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Create,
    Update,
    Status,
    Started,
    Completed,
    Progress,
    PlanStatus,
    IdByPin,
}

impl Service {
    fn path(self) -> [&'static str; 4] {
        let [group, name] = match self {
            Service::Create => ["iom", "create"],
            Service::Update => ["iom", "update"],
            Service::Status => ["iom", "status"],
            Service::Started => ["results", "started"],
            Service::Completed => ["results", "completed"],
            Service::Progress => ["results", "status"],
            Service::PlanStatus => ["results", "plan-status"],
            Service::IdByPin => ["module", "id-by-pin"],
        };
        ["rest", "online-platforms", group, name]
    }
}

/// The way to the portal.
pub(super) struct Wire {
    client: HttpClient,
    rate: Arc<Rate>,
    tokens: TokenHolder<Login>,
}

impl Wire {
    pub fn new(client: HttpClient, rate: Arc<Rate>, login: Login, pauses: Pauses) -> Self {
        Wire { client, rate, tokens: TokenHolder::new(login, pauses) }
    }

    pub fn tokens(&self) -> &TokenHolder<Login> {
        &self.tokens
    }

    pub fn client(&self) -> &HttpClient {
        &self.client
    }

    /// Sends JSON to a service. A 401 renews the token and repeats the call.
    pub async fn call(&self, service: Service, body: &Value) -> Result<Reply, Failure> {
        let body = body.to_string();
        let (path, body) = (service.path(), body.as_bytes());
        self.tokens.authorized(|bearer| self.attempt(path, body, bearer), Reply::is_unauthorized).await
    }

    async fn attempt(&self, path: [&'static str; 4], body: &[u8], bearer: Bearer) -> Result<Reply, Failure> {
        let request = self.client.request(Method::POST, &path).header(AUTHORIZATION, bearer.header("Bearer")?);
        self.rate.turn().await;
        Ok(Reply::of(self.client.send(request, Body::Json(body)).await?))
    }
}
