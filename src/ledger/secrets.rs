//! Secrets that portals replace, kept in the ledger: the store that the transport asks for, over whichever ledger there is.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use secrecy::SecretString;

use super::{Ledger, LedgerError};
use crate::transport::{SecretStore, SecretStoreError};

/// The secrets of one portal.
pub struct PortalSecrets<L> {
    ledger: Arc<L>,
    portal: String,
}

impl<L: Ledger> PortalSecrets<L> {
    /// The secrets that a ledger keeps for the portal with this name.
    pub fn new(ledger: Arc<L>, portal: &str) -> Self {
        PortalSecrets { ledger, portal: portal.to_owned() }
    }
}

impl<L: Ledger> SecretStore for PortalSecrets<L> {
    fn read(&self, name: &'static str) -> BoxFuture<'_, Result<Option<SecretString>, SecretStoreError>> {
        Box::pin(async move { self.ledger.secret(&self.portal, name).await.map_err(failed) })
    }

    fn keep(&self, name: &'static str, secret: SecretString) -> BoxFuture<'_, Result<(), SecretStoreError>> {
        Box::pin(async move { self.ledger.keep_secret(&self.portal, name, secret).await.map_err(failed) })
    }
}

fn failed(error: LedgerError) -> SecretStoreError {
    SecretStoreError { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::ledger::MemoryLedger;

    #[tokio::test]
    async fn what_is_kept_outlives_the_process_and_belongs_to_one_portal() {
        let ledger = MemoryLedger::new();
        let store = |ledger: &MemoryLedger, portal| PortalSecrets::new(Arc::new(ledger.clone()), portal);
        store(&ledger, "pos").keep("refresh", "one".to_owned().into()).await.unwrap();
        store(&ledger, "pos").keep("refresh", "two".to_owned().into()).await.unwrap();
        let ledger = ledger.crash();
        let read = |portal, name| {
            let store = store(&ledger, portal);
            async move { store.read(name).await.unwrap().map(|secret| secret.expose_secret().to_owned()) }
        };
        assert_eq!(read("pos", "refresh").await.as_deref(), Some("two"));
        assert_eq!(read("pos", "access").await, None);
        assert_eq!(read("nmo", "refresh").await, None);
    }
}
