//! Where a portal's rotating secrets outlive the process: what a portal exchanges for a new one at each renewal cannot stand in a
//! configuration.

use std::fmt;

use futures_util::future::BoxFuture;
use secrecy::SecretString;

/// Durable memory of one portal's secrets. No verb prints what is in it, and nothing of it is logged.
pub trait SecretStore: Send + Sync + 'static {
    /// The secret with this name, if one was kept.
    fn read(&self, name: &'static str) -> BoxFuture<'_, Result<Option<SecretString>, SecretStoreError>>;

    /// Keeps a secret in place of the one with this name. Durable when it returns.
    fn keep(&self, name: &'static str, secret: SecretString) -> BoxFuture<'_, Result<(), SecretStoreError>>;
}

/// The store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the portal's secret cannot be kept: {reason}")]
pub struct SecretStoreError {
    /// What went wrong, without the secret.
    pub reason: String,
}

impl fmt::Debug for dyn SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretStore")
    }
}
