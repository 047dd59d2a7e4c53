//! Verbs that ask one portal something, beside whatever process holds the ledger.

use std::sync::Arc;

use super::CliError;
use crate::config::{Config, PortalKind};
use crate::daemon::open_portal;
use crate::ledger::{MemoryLedger, PortalSecrets};
use crate::portal::AnyPortal;
use crate::telemetry::Metrics;

/// The portal that was named, or the only one of its kind.
pub(super) fn the_portal<'a>(config: &'a Config, kind: PortalKind, named: Option<&str>) -> Result<&'a str, CliError> {
    let known = portals(config, kind);
    match (named, &known[..]) {
        (None, [only]) => Ok(only),
        (None, []) => Err(no_portal(config, kind)),
        (None, several) => {
            Err(CliError::Usage(format!("several portals could be asked: --portal {}", several.join("|"))))
        }
        (Some(named), known) => {
            known.iter().copied().find(|name| *name == named).ok_or_else(|| no_portal(config, kind))
        }
    }
}

/// What is said when there is no portal of a kind, or none of that name.
pub(super) fn no_portal(config: &Config, kind: PortalKind) -> CliError {
    let known = portals(config, kind);
    let known = if known.is_empty() { "there are none".to_owned() } else { format!("known: {}", known.join(", ")) };
    CliError::Usage(format!("there is no such portal of kind {}; {known}", kind.name()))
}

/// Opens a portal for questions. Nothing is kept, so that they may be asked beside a running daemon.
pub(super) fn open_alone(config: &Config, name: &str) -> Result<AnyPortal, CliError> {
    let Some(section) = config.portals.get(name) else {
        return Err(CliError::Usage(format!("there is no portal {name}")));
    };
    let metrics = Metrics::new().map_err(anyhow::Error::from)?;
    let secrets = Arc::new(PortalSecrets::new(Arc::new(MemoryLedger::new()), name));
    Ok(open_portal(name, section, &metrics, secrets).map_err(anyhow::Error::from)?)
}

fn portals(config: &Config, kind: PortalKind) -> Vec<&str> {
    let portals = config.portals.iter().filter(|(_, portal)| portal.kind() == kind);
    portals.map(|(name, _)| name.as_str()).collect()
}
