//! Sources: the databases that are read.

use std::time::Duration;

use chrono_tz::Tz;
use secrecy::SecretString;
use serde::Deserialize;

use super::database_url::DatabaseUrl;
use super::names;
use super::shape::{Key, Scalar, Shape};

/// A database that is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Where it is.
    pub url: DatabaseUrl,
    /// Password of the account, where the address does not carry it.
    pub password: Option<SecretString>,
    /// How its zone-less timestamps are read, and the zone of cron expressions of its feeds.
    #[serde(deserialize_with = "names::read_zone")]
    pub timezone: Tz,
    /// Longest time one statement may take.
    #[serde(with = "humantime_serde")]
    pub statement_timeout: Duration,
    /// Longest time to get a connection.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// The same database for an account that may write, for booking and write-back.
    pub write_url: Option<DatabaseUrl>,
    /// Password of that account, where neither its address carries it nor `password` is the same.
    pub write_password: Option<SecretString>,
}

/// Keys of a source.
pub(super) const KEYS: &[Key] = &[
    Key::must("url", Shape::text(url)),
    Key::may("password", Shape::Secret),
    Key::or("timezone", "UTC", Scalar::Text(names::zone)),
    Key::or("statement_timeout", "5m", Scalar::seconds(1, 24 * 3600)),
    Key::or("connect_timeout", "10s", Scalar::seconds(1, 600)),
    Key::may("write_url", Shape::text(url)),
    Key::may("write_password", Shape::Secret),
];

fn url(text: &str) -> Result<(), String> {
    DatabaseUrl::parse(text).map(|_| ())
}
