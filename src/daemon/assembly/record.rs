//! Recording what the lines exchange with their portals.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::{Access, AssemblyError, lasting};
use crate::config::{Config, Own, PortalConfig};
use crate::ledger::{AnyLedger, PortalSecrets};
use crate::portal::{self, WireWords};
use crate::recording::{Credentials, Limits, Recorder};
use crate::telemetry::Metrics;
use crate::transport::Tape;

/// Whose secret the key of stand-ins is, in the ledger: no portal can have this name. It never lies beside the recording.
const OWNER: &str = "[record]";
const KEY: &str = "stand-ins";

/// The recorder that a configuration asks for.
pub(super) async fn start(
    config: &Config,
    ledger: &Arc<AnyLedger>,
    metrics: &Metrics,
) -> Result<Option<Arc<Recorder>>, AssemblyError> {
    let Some(record) = &config.record else { return Ok(None) };
    let secrets = PortalSecrets::new(Arc::clone(ledger), OWNER);
    let key = lasting(&secrets, KEY, Access::Write).await?;
    let limits = Limits { dir: record.dir.clone(), max_bytes: record.max_bytes, max_age: record.max_age };
    let started = Recorder::start(limits, key.expose_secret().as_bytes(), metrics.clone());
    let recorder = started.map_err(|source| AssemblyError::Record { dir: record.dir.clone(), source })?;
    Ok(Some(Arc::new(recorder)))
}

/// A tape for a portal of the configuration.
pub(super) fn tape(recorder: &Recorder, name: &str, portal: &PortalConfig) -> Arc<dyn Tape> {
    static UNKNOWN: portal::Kind =
        portal::Kind { name: "unknown", schemas: &[], remedies: &[], unnamed: &[], wire_words: &WireWords::NONE };
    // Of a kind that the catalogue lacked nothing would be shown.
    let kind = portal::kind(portal.kind().name()).unwrap_or(&UNKNOWN);
    recorder.tape(name, kind, account(portal))
}

/// What a portal is logged in at with, by the keys of its section.
pub fn account(portal: &PortalConfig) -> Credentials {
    let text = |text: &str| SecretString::from(text.to_owned());
    match &portal.own {
        Own::Fer(own) => vec![("username", text(&own.username)), ("password", own.password.clone())],
        Own::Sout(own) => vec![("api_key", own.api_key.clone())],
        Own::Nmo(own) => vec![
            ("client_id", own.client_id.clone()),
            ("client_secret", own.client_secret.clone()),
            ("username", own.username.clone()),
            ("password", own.password.clone()),
        ],
        Own::Pos(own) => vec![
            ("access_token", own.access_token.clone()),
            ("refresh_token", own.refresh_token.clone()),
            ("name", own.name.clone()),
        ],
        Own::Ekdo(own) => vec![
            ("username", own.username.clone()),
            ("password", own.password.clone()),
            ("user_id", own.user_id.clone()),
        ],
    }
}
