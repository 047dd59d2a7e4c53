//! What only the FER gateway has: units that it may block, places that records contest, the clock of visits.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use super::{FUSE_KEYS, Fuse, Key, MONTH, Pace, Scalar, Shape, feed};
use crate::config::names;

/// Settings of a FER gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FerConfig {
    /// The account: the OID of the organisation.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// Effort of compression, 1 to 12.
    pub gzip_level: u8,
    /// How many refusals of one unit's records are borne.
    pub unit_error_budget: Budget,
    /// How much may be removed at once.
    pub fuse: Fuse,
    /// What is done with a record whose place another one holds at the portal.
    pub on_conflict: OnConflict,
    /// The clock on which `visit_time` is sent.
    pub visit_time_zone: VisitTimeZone,
    /// How the address of the answering service is changed at the gateway.
    pub webhook_update: WebhookUpdate,
    /// How it is removed there.
    pub webhook_remove: WebhookRemove,
    /// Which part of the document says what a referral must hold.
    pub referral_required: ReferralRequired,
    /// What a booking without a referral says instead of one, where the region wants something said.
    pub no_referral_id: Option<String>,
}

/// A unit is paused when more than `rejects` of its records are refused within `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Refusals that are borne.
    pub rejects: u32,
    /// Within this time.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
}

/// What is done with a record whose place another one holds at the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// It is reported as rejected.
    Report,
    /// The other one is removed at the portal.
    Replace,
    /// The other one is taken for one of ours whose row is gone, and so removed under the fuse.
    Adopt,
}

/// The method that changes the registered address. The document prints GET, surely by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum WebhookUpdate {
    /// PUT, with JSON.
    Put,
    /// POST, with JSON.
    Post,
    /// GET, with the address in the query.
    Get,
}

/// The method that removes the registered address. The document prints GET for a department, surely by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum WebhookRemove {
    /// DELETE.
    Delete,
    /// GET.
    Get,
}

/// Which part of the document says what a referral must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReferralRequired {
    /// Table 8.
    Table,
    /// The chapter on booking by referral.
    Scenario,
}

/// The clock on which `visit_time` is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VisitTimeZone {
    /// The source's own.
    Source,
    /// UTC.
    Utc,
    /// The source's own, with its offset from UTC behind it.
    Offset,
}

/// How it is sent to. The gateway names no limits: these are safe ones.
pub(super) const PACE: [Key; 5] =
    Pace { batch: "500", max_batch_bytes: "8388608", in_flight: "4", requests_per_second: "10", timeout: "30s" }.keys();

/// Its own keys.
pub(super) const KEYS: &[Key] = &[
    Key::must("username", Shape::text(names::any)),
    Key::must("password", Shape::Secret),
    Key::or("gzip_level", "1", Scalar::Integer { min: 1, max: 12 }),
    Key::filled("unit_error_budget", BUDGET_KEYS),
    Key::filled("fuse", FUSE_KEYS),
    Key::or("on_conflict", "report", Scalar::Word(&["report", "replace", "adopt"])),
    Key::or("visit_time_zone", "source", Scalar::Word(&["source", "utc", "offset"])),
    Key::or("webhook_update", "PUT", Scalar::Word(&["PUT", "POST", "GET"])),
    Key::or("webhook_remove", "DELETE", Scalar::Word(&["DELETE", "GET"])),
    Key::or("referral_required", "table", Scalar::Word(&["table", "scenario"])),
    Key::may("no_referral_id", Shape::text(names::guid)),
    Key::may("feeds", Shape::Table(FEEDS)),
];

const BUDGET_KEYS: &[Key] = &[
    Key::or("rejects", "100", Scalar::Integer { min: 1, max: 1_000_000 }),
    Key::or("window", "1h", Scalar::seconds(1, MONTH)),
];

/// Its feeds, parents before children.
pub(super) const FEEDS: &[Key] = &[
    feed("mo"),
    feed("resource"),
    feed("service"),
    feed("profilecode_resource"),
    feed("unaccessable_period"),
    feed("slot"),
    feed("referral"),
    feed("book"),
];
