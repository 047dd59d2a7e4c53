//! The outside as it is: real sources, real portals.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::World;
use super::online::BookingColumns;
use crate::config::{Config, Own, PortalConfig, SourceConfig};
use crate::daemon::{booking_statements, open_portal, open_source, open_writer, referral_required};
use crate::ledger::{MemoryLedger, PortalSecrets};
use crate::portal;
use crate::record::Schema;
use crate::source::{AnySource, Run, Script, Source, SourceError, Written};
use crate::telemetry::Metrics;

/// Longest time for a statement that does nothing.
const ONE_STATEMENT: Duration = Duration::from_secs(5);

/// What the configuration names.
pub struct Reality;

impl World for Reality {
    type Source = AnySource;

    async fn connect(&self, name: &str, config: &SourceConfig) -> Result<AnySource, SourceError> {
        let source = open_source(name, config)?;
        source.now().await?;
        Ok(source)
    }

    async fn connect_for_writing(&self, name: &str, config: &SourceConfig) -> Result<(), String> {
        let writer = open_writer(name, config).map_err(|error| error.to_string())?;
        let engine = config.url.engine().into();
        let script = Script::parse(engine, &["SELECT 1 AS one"], &[]).map_err(|error| error.to_string())?;
        let run = Run { key: "booking", script: &script, values: &[], limit: config.connect_timeout + ONE_STATEMENT };
        match writer.run(run).await {
            Written::Done(_) => Ok(()),
            Written::RolledBack(error) | Written::Uncertain(error) => Err(error.to_string()),
        }
    }

    async fn booking_columns(&self, config: &Config) -> Result<Vec<(&'static str, BookingColumns)>, String> {
        let Some(booking) = &config.booking else { return Ok(Vec::new()) };
        let statements = booking_statements(config, booking).map_err(|error| error.to_string())?;
        let mut columns = Vec::new();
        for (key, script) in statements.scripts() {
            columns.push((key, statements.columns(key, script, ONE_STATEMENT).await));
        }
        Ok(columns)
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

    fn schemas(&self, portal: &PortalConfig) -> &'static [&'static Schema] {
        match &portal.own {
            Own::Fer(own) => portal::fer::schemas(referral_required(own)),
            Own::Sout(_) | Own::Nmo(_) | Own::Pos(_) | Own::Ekdo(_) => {
                portal::kind(portal.kind().name()).map_or(&[], |kind| kind.schemas)
            }
        }
    }
}
