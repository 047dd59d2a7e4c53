//! The outside as it is: real sources, real portals.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use secrecy::SecretString;

use super::World;
use crate::config::{PortalConfig, PortalKind, SourceConfig};
use crate::daemon::{open_portal, open_source};
use crate::portal;
use crate::record::Schema;
use crate::source::{AnySource, Source, SourceError};
use crate::telemetry::Metrics;
use crate::transport::{SecretStore, SecretStoreError};

/// What the configuration names.
pub struct Reality;

impl World for Reality {
    type Source = AnySource;

    async fn connect(&self, name: &str, config: &SourceConfig) -> Result<AnySource, SourceError> {
        let source = open_source(name, config)?;
        source.now().await?;
        Ok(source)
    }

    async fn sign_in(&self, name: &str, config: &PortalConfig) -> Result<Option<TimeDelta>, String> {
        let metrics = Metrics::new().map_err(|error| error.to_string())?;
        let portal = open_portal(name, config, &metrics, Arc::new(NoSecrets)).map_err(|error| error.to_string())?;
        portal.sign_in().await.map_err(|failure| failure.text)
    }

    fn schemas(&self, kind: PortalKind) -> &'static [&'static Schema] {
        portal::kind(kind.name()).map_or(&[], |kind| kind.schemas)
    }
}

/// Knows no token and keeps none: a check that exchanged tokens would take them from the daemon that runs beside it.
struct NoSecrets;

impl SecretStore for NoSecrets {
    fn read(&self, _name: &'static str) -> BoxFuture<'_, Result<Option<SecretString>, SecretStoreError>> {
        Box::pin(async { Ok(None) })
    }

    fn keep(&self, _name: &'static str, _secret: SecretString) -> BoxFuture<'_, Result<(), SecretStoreError>> {
        Box::pin(async { Err(SecretStoreError { reason: "a check exchanges no tokens".into() }) })
    }
}
