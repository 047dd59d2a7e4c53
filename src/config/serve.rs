//! Serving: the page, the metrics and the health answers.

use std::net::SocketAddr;

use secrecy::SecretString;
use serde::Deserialize;

use super::names;
use super::shape::{Key, Scalar, Shape};

/// What is served over HTTP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServeConfig {
    /// Address of the page, `/api/status`, `/metrics`, `/healthz` and `/readyz`.
    pub listen: SocketAddr,
    /// Token that actions need; without one there are no actions.
    pub admin_token: Option<SecretString>,
    /// Address at which portals of medical education call the platform; none where none does.
    pub platform_listen: Option<SocketAddr>,
}

/// Keys of serving.
pub(super) const KEYS: &[Key] = &[
    Key::or("listen", "127.0.0.1:9464", Scalar::Text(names::listen)),
    Key::may("admin_token", Shape::Secret),
    Key::may("platform_listen", Shape::text(names::listen)),
];
