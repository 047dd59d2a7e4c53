//! The outside as it is: real sources, real portals.

use std::sync::Arc;

use chrono::TimeDelta;

use super::World;
use crate::config::{Own, PortalConfig, PortalKind, SourceConfig};
use crate::daemon::{open_portal, open_source};
use crate::ledger::{MemoryLedger, PortalSecrets};
use crate::portal;
use crate::record::Schema;
use crate::source::{AnySource, Source, SourceError};
use crate::telemetry::Metrics;

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
        let secrets = Arc::new(PortalSecrets::new(Arc::new(MemoryLedger::new()), name));
        let portal = open_portal(name, config, &metrics, secrets).map_err(|error| error.to_string())?;
        if matches!(config.own, Own::Pos(_)) {
            // Signing in there may renew the pair of tokens, which only whoever keeps the ledger may do.
            return Ok(None);
        }
        portal.sign_in().await.map_err(|failure| failure.text)
    }

    fn schemas(&self, kind: PortalKind) -> &'static [&'static Schema] {
        portal::kind(kind.name()).map_or(&[], |kind| kind.schemas)
    }
}
