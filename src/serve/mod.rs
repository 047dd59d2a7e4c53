//! Serving: the inbound side. On `[serve] listen` metrics and health, answered from memory without waiting for a portal; on
//! `platform_listen` what portals of medical education call; on `[booking] listen` the gateway's bookings.

pub mod booking;
mod connections;
pub mod platform;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Most connections of this listener at one time, and of the one for platforms.
pub const CONNECTIONS: usize = 256;
/// Largest body that is read; nothing here needs one.
const MOST_BYTES: usize = 64 << 10;

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
    socket: TcpListener,
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
        let failed = |error: std::io::Error| BindError { key, address: address.to_owned(), reason: error.to_string() };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Listener { socket, address })
    }

    /// Answers until `stop` comes, then finishes what is under way.
    pub async fn run<S: Shown>(self, shown: Arc<S>, stop: CancellationToken) {
        self.serve(router(shown), stop).await;
    }

    /// Answers by these routes until `stop` comes, then finishes what is under way.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let room = |_| Arc::clone(&places).try_acquire_owned().ok();
        connections::serve(self.socket, None, router.layer(DefaultBodyLimit::max(MOST_BYTES)), room, stop).await;
    }
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
