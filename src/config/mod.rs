//! Configuration: a TOML file, then the environment, then secrets from files; checked as a whole, so that every problem is named at
//! once, and only then turned into types.
//!
//! A file goes through these stages, each in its own module: `load` reads text and environment into one tree, `walk` holds the tree
//! against the description of allowed keys that stands beside each struct, `relations` checks what keys say about each other and fills
//! in what depends on others, `advice` warns of what is legal but dangerous. What survives has no errors and is built with serde.

mod active;
mod advice;
mod booking;
mod daemon;
mod database_url;
mod environment;
#[cfg(test)]
mod example;
mod feeds;
mod file;
mod ledger;
mod load;
mod names;
mod network;
mod notify;
mod portals;
mod problem;
mod record;
mod relations;
mod scalar;
mod schedule;
mod sections;
mod serve;
mod shape;
mod sources;
mod suggest;
mod tree;
mod walk;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use active::{ActiveFeed, Relation};
pub use booking::{BOOK_PARAMETERS, BUILTIN, BookingConfig, CANCEL_PARAMETERS, LOOKUP_PARAMETERS};
pub use daemon::{DaemonConfig, LogFormat, LogLevel};
pub use database_url::{DatabaseUrl, Engine};
pub use environment::{Environment, SECRETS};
pub use feeds::{FeedConfig, write_back_parameters};
pub use ledger::LedgerConfig;
pub use load::{Loaded, load, load_text};
pub use network::{Network, NetworkError};
pub use notify::{NotifyConfig, SmtpSecurity, SmtpUrl};
pub use portals::{
    BareSuccess, Budget, EkdoConfig, EkdoFields, FerConfig, FileEncoding, Fuse, LoginForm, NmoConfig, OnConflict,
    OnUnknownOutcome, Own, PlanCheck, PlatformConfig, PortalConfig, PortalKind, PosConfig, ReferralRequired, Retry,
    SignatureEncoding, SignatureForm, SoutConfig, TokenMethod, TokenPlace, UploadMethod, VisitTimeZone, WebhookRemove,
    WebhookUpdate,
};
pub use problem::{Problem, Problems, Severity};
pub use record::RecordConfig;
pub use schedule::{Schedule, ScheduleError};
pub use sections::{Sections, is_of_platform, needs_a_start};
pub use serve::ServeConfig;
pub use sources::SourceConfig;

use shape::{Key, Shape};

/// A configuration without errors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The databases that are read, by name. At least one.
    pub sources: BTreeMap<String, SourceConfig>,
    /// Where the ledger is kept. Without portals there is nothing to remember, and none is opened.
    pub ledger: LedgerConfig,
    /// What is served over HTTP.
    pub serve: ServeConfig,
    /// How the process runs.
    pub daemon: DaemonConfig,
    /// Answering bookings; none where this daemon answers none.
    pub booking: Option<BookingConfig>,
    /// Who is told when a person must act; none where nobody is.
    pub notify: Option<NotifyConfig>,
    /// The portals that are written to, by name. None where this daemon only answers bookings.
    #[serde(default)]
    pub portals: BTreeMap<String, PortalConfig>,
    /// Recording of exchanges; none where nothing is recorded.
    pub record: Option<RecordConfig>,
}

/// Every key of the file, from the top.
const KEYS: &[Key] = &[
    Key::must("sources", Shape::Named { what: "source", keys: sources::KEYS }),
    Key::filled("ledger", ledger::KEYS),
    Key::filled("serve", serve::KEYS),
    Key::filled("daemon", daemon::KEYS),
    Key::may("booking", Shape::Table(booking::KEYS)),
    Key::may("notify", Shape::Table(notify::KEYS)),
    Key::may("portals", Shape::Portals),
    Key::may("record", Shape::Table(record::KEYS)),
];
