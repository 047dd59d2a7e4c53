//! The ledger: where the memory of what portals have acknowledged is kept.

use serde::Deserialize;

use super::database_url::{DatabaseUrl, Engine};
use super::shape::{Key, Scalar};

/// Where the ledger is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerConfig {
    /// Its database.
    pub url: DatabaseUrl,
}

/// Keys of the ledger.
pub(super) const KEYS: &[Key] = &[Key::or("url", "sqlite:/var/lib/vitrina/ledger.db", Scalar::Text(url))];

fn url(text: &str) -> Result<(), String> {
    match DatabaseUrl::parse(text)?.engine() {
        Engine::Sqlite => Ok(()),
        Engine::Postgres => Err("this version keeps its ledger in SQLite only; write sqlite:/path/to/ledger.db".into()),
        Engine::MySql => Err("the ledger cannot be kept in MySQL; write sqlite:/path/to/ledger.db".into()),
    }
}
