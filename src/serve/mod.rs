//! Serving: the inbound side. On `[serve] listen` metrics and health, answered from memory without waiting for a portal; on
//! `platform_listen` what portals of medical education call; on `[booking] listen` the gateway's bookings.

pub mod booking;
mod connections;
mod patience;
pub mod platform;
pub(crate) mod secret;
mod shares;
mod socket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub use connections::Peer;
use shares::Shares;
pub use socket::{Held, Socket};

/// Most connections of this listener at one time, and of the one for platforms.
pub const CONNECTIONS: usize = 256;
/// Most of them from one address: a proxy gets by with it, and a stranger leaves places to others.
pub const SHARE: usize = 192;
/// Largest body that is read; nothing here needs one.
const MOST_BYTES: usize = 64 << 10;
/// Longest that a request may take, its body included, until its answer begins.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What the listener shows.
pub trait Shown: Send + Sync + 'static {
    /// The text of `/metrics`, with everything as of now.
    fn metrics(&self) -> Result<String, String>;

    /// None when the process works; otherwise what is wrong. `/healthz`.
    fn sick(&self) -> Option<String>;

    /// None when work is being done; otherwise why not yet or no longer. `/readyz`.
    fn not_ready(&self) -> Option<String>;

    /// The status as JSON. `/api/status`.
    fn status(&self) -> impl Serialize + Send;
}

/// A bound listener.
pub struct Listener {
    socket: Socket,
    /// Where it listens, with the port that was chosen if 0 was asked for.
    pub address: SocketAddr,
}

/// A listener could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("{key}: cannot listen on {address}: {reason}")]
pub struct BindError {
    key: &'static str,
    address: String,
    reason: String,
}

impl Listener {
    /// Binds the address of `serve.listen`.
    pub async fn bind(address: &str) -> Result<Self, BindError> {
        Listener::bind_for("serve.listen", address).await
    }

    /// Binds the address that stands under a key of the configuration.
    pub async fn bind_for(key: &'static str, address: &str) -> Result<Self, BindError> {
        Listener::take_over(key, address, None).await
    }

    /// As [`Self::bind_for`]; where another one holds the same address, both listen at it until that one ends.
    pub async fn take_over(key: &'static str, address: &str, before: Option<&Held>) -> Result<Self, BindError> {
        let failed = |error: std::io::Error| BindError { key, address: address.to_owned(), reason: error.to_string() };
        let socket = Socket::bind(address, before).await.map_err(failed)?;
        Ok(Listener { address: socket.address, socket })
    }

    /// What the next listener at this address takes over.
    pub fn held(&self) -> Held {
        self.socket.held()
    }

    /// Answers until `stop` comes, then finishes what is under way.
    pub async fn run<S: Shown>(self, shown: Arc<S>, stop: CancellationToken) {
        self.serve(router(shown), stop).await;
    }

    /// As [`Listener::run`], with these pages beside.
    pub async fn run_with<S: Shown>(self, shown: Arc<S>, pages: Router, stop: CancellationToken) {
        self.serve(router(shown).merge(pages), stop).await;
    }

    /// Answers by these routes until `stop` comes, then finishes what is under way.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let places = Shares::new(CONNECTIONS, SHARE);
        let router = router.layer(DefaultBodyLimit::max(MOST_BYTES)).layer(from_fn(in_time));
        connections::serve(self.socket.listener, None, router, |address| places.place(address), stop).await;
    }
}

/// Ends a request that takes too long, such as one whose body does not come. An answer that has begun may stream on.
async fn in_time(request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(TIME_LIMIT, next.run(request)).await;
    answered.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
}

fn router<S: Shown>(shown: Arc<S>) -> Router {
    Router::new()
        .route("/metrics", get(metrics::<S>))
        .route("/healthz", get(healthz::<S>))
        .route("/readyz", get(readyz::<S>))
        .route("/api/status", get(status::<S>))
        .with_state(shown)
}

async fn metrics<S: Shown>(State(shown): State<Arc<S>>) -> Response {
    match shown.metrics() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(reason) => (StatusCode::INTERNAL_SERVER_ERROR, reason).into_response(),
    }
}

async fn healthz<S: Shown>(State(shown): State<Arc<S>>) -> Response {
    verdict(shown.sick())
}

async fn readyz<S: Shown>(State(shown): State<Arc<S>>) -> Response {
    verdict(shown.not_ready())
}

async fn status<S: Shown>(State(shown): State<Arc<S>>) -> Response {
    Json(shown.status()).into_response()
}

fn verdict(trouble: Option<String>) -> Response {
    match trouble {
        None => "ok\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests;
