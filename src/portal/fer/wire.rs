//! One call to the gateway: a turn by the rate, a token, the request, its answer.

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::AUTHORIZATION;

use super::answer::Reply;
use super::auth::Login;
use crate::transport::{Bearer, Body, Failure, HttpClient, Pauses, Rate, TokenHolder};

/// What is asked of the gateway.
pub(super) struct Call<'a> {
    pub method: Method,
    /// Segments of the path under the portal's address.
    pub path: &'a [&'a str],
    pub query: &'a [(&'a str, &'a str)],
    pub body: Body<'a>,
}

/// The way to the gateway.
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

    /// Sends the call. A 401 renews the token and repeats the call, once.
    pub async fn call(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        self.tokens.authorized(|bearer| self.attempt(call, bearer), Reply::is_unauthorized).await
    }

    async fn attempt(&self, call: &Call<'_>, bearer: Bearer) -> Result<Reply, Failure> {
        let request =
            self.client.request(call.method.clone(), call.path).header(AUTHORIZATION, bearer.header("bearer")?);
        let request = if call.query.is_empty() { request } else { request.query(call.query) };
        self.rate.turn().await;
        Ok(Reply::of(self.client.send(request, call.body).await?))
    }
}
