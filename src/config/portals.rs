//! Portals: where records go, how fast, and what is done when the portal refuses.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use url::{Host, Url};

use super::feeds::{self, FeedConfig};
use super::names;
use super::shape::{Key, Scalar, Shape};
use super::suggest::did_you_mean;

/// A kind of portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortalKind {
    /// The FER 2.0 gateway: schedules, bookings, referrals.
    Fer,
}

/// A portal that is written to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalConfig {
    /// What it is.
    pub kind: PortalKind,
    /// Its address.
    #[serde(deserialize_with = "read_url")]
    pub url: Url,
    /// The account.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// Most records of one request.
    pub batch: u32,
    /// Most requests at one time.
    pub in_flight: NonZeroU32,
    /// Most requests in any second.
    pub requests_per_second: NonZeroU32,
    /// Longest time one request may take.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// File with the certificates to trust beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Effort of compression, 1 to 12.
    pub gzip_level: u8,
    /// Most bytes of one request before compression.
    pub max_batch_bytes: usize,
    /// Pauses after a failure that may pass.
    pub retry: Retry,
    /// Pause before a refused record is tried again, where time can cure the refusal.
    #[serde(with = "humantime_serde")]
    pub slow_retry: Duration,
    /// How many refusals of one unit's records are borne.
    pub unit_error_budget: Budget,
    /// How much may be removed at once.
    pub fuse: Fuse,
    /// What is done with a record whose place another one holds at the portal.
    pub on_conflict: OnConflict,
    /// The clock on which `visit_time` is sent.
    pub visit_time_zone: VisitTimeZone,
    /// What a booking without a referral says instead of one, where the region wants something said.
    pub no_referral_id: Option<String>,
    /// The feeds that have a section, by name.
    #[serde(default)]
    pub feeds: BTreeMap<String, FeedConfig>,
}

/// Pauses after a failure that may pass: growing from `initial` to `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Ceiling of the first pause.
    #[serde(with = "humantime_serde")]
    pub initial: Duration,
    /// Ceiling of any pause.
    #[serde(with = "humantime_serde")]
    pub max: Duration,
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

/// A cycle that would remove more than `share` of a feed and at least `min` records removes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fuse {
    /// Part of the feed, above 0, at most 1.
    pub share: f64,
    /// Number of records.
    pub min: u64,
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

/// Kinds of the contract that later versions bring.
const LATER_KINDS: &[&str] = &["sout", "nmo", "pos", "ekdo"];
/// Default of `timeout`.
pub(super) const TIMEOUT: &str = "30s";
const MONTH: u64 = 31 * 24 * 3600;

/// Keys of a FER portal.
pub(super) const FER_KEYS: &[Key] = &[
    Key::must("kind", Shape::Scalar(Scalar::Word(&["fer"]))),
    Key::must("url", Shape::text(url)),
    Key::must("username", Shape::text(names::any)),
    Key::must("password", Shape::Secret),
    Key::or("batch", "500", feeds::BATCH),
    Key::or("in_flight", "4", Scalar::Integer { min: 1, max: 64 }),
    Key::or("requests_per_second", "10", Scalar::Integer { min: 1, max: 10_000 }),
    Key::or("timeout", TIMEOUT, Scalar::seconds(1, 600)),
    Key::may("ca_file", Shape::File),
    Key::or("gzip_level", "1", Scalar::Integer { min: 1, max: 12 }),
    Key::or("max_batch_bytes", "8388608", Scalar::Integer { min: 4096, max: 1 << 30 }),
    Key::filled("retry", RETRY_KEYS),
    Key::or("slow_retry", "24h", Scalar::seconds(60, MONTH)),
    Key::filled("unit_error_budget", BUDGET_KEYS),
    Key::filled("fuse", FUSE_KEYS),
    Key::or("on_conflict", "report", Scalar::Word(&["report", "replace", "adopt"])),
    Key::or("visit_time_zone", "source", Scalar::Word(&["source", "utc", "offset"])),
    Key::may("no_referral_id", Shape::text(names::any)),
    Key::may("feeds", Shape::Table(FER_FEEDS)),
    Key::later("on_unknown_outcome", "portal whose writes cannot be repeated"),
];

const RETRY_KEYS: &[Key] =
    &[Key::or("initial", "1s", Scalar::seconds(0, 600)), Key::or("max", "1m", Scalar::seconds(1, 24 * 3600))];

const BUDGET_KEYS: &[Key] = &[
    Key::or("rejects", "100", Scalar::Integer { min: 1, max: 1_000_000 }),
    Key::or("window", "1h", Scalar::seconds(1, MONTH)),
];

const FUSE_KEYS: &[Key] =
    &[Key::or("share", "0.2", Scalar::Share), Key::or("min", "50", Scalar::Integer { min: 1, max: 1_000_000_000 })];

/// The feeds of a FER portal, parents before children.
const FER_FEEDS: &[Key] = &[
    Key::may("mo", Shape::Table(feeds::KEYS)),
    Key::may("resource", Shape::Table(feeds::KEYS)),
    Key::may("service", Shape::Table(feeds::KEYS)),
    Key::may("profilecode_resource", Shape::Table(feeds::KEYS)),
    Key::may("unaccessable_period", Shape::Table(feeds::KEYS)),
    Key::may("slot", Shape::Table(feeds::KEYS)),
    Key::may("referral", Shape::Table(feeds::KEYS)),
    Key::may("book", Shape::Table(feeds::KEYS)),
];

impl PortalKind {
    /// Its name in configurations and default views.
    pub fn name(self) -> &'static str {
        match self {
            PortalKind::Fer => "fer",
        }
    }

    /// Names of its feeds, parents before children.
    pub fn feeds(self) -> impl Iterator<Item = &'static str> {
        match self {
            PortalKind::Fer => FER_FEEDS.iter().map(|key| key.name),
        }
    }

    pub(super) fn keys(self) -> &'static [Key] {
        match self {
            PortalKind::Fer => FER_KEYS,
        }
    }

    pub(super) fn parse(text: &str) -> Result<PortalKind, String> {
        match text {
            "fer" => Ok(PortalKind::Fer),
            later if LATER_KINDS.contains(&later) => {
                Err(format!("portals of kind {later:?} are not available in this version; it has: fer"))
            }
            other => {
                let suggestion = did_you_mean(other, LATER_KINDS.iter().copied().chain(["fer"]));
                Err(format!("{other:?} is no kind of portal; this version has: fer{suggestion}"))
            }
        }
    }
}

/// True when what goes to this address stays on a private network, as far as the address tells.
pub(super) fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => is_private_address(ip.into()),
        Some(Host::Ipv6(ip)) => is_private_address(ip.into()),
        Some(Host::Domain(name)) => {
            !name.contains('.') || [".localhost", ".local", ".lan", ".internal"].iter().any(|end| name.ends_with(end))
        }
        None => false,
    }
}

fn is_private_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Checks the address of a portal. The error never repeats it: it may hold a password.
fn url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("is not an address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with http:// or https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold credentials; use username and password_file".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with the host, the port or a path, without ? or #".into());
    }
    Ok(())
}

fn read_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    Url::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_portal_carries_no_credentials() {
        assert_eq!(url("http://10.86.6.237:2100"), Ok(()));
        assert_eq!(url("https://gateway.region.ru/fer"), Ok(()));
        for bad in ["ftp://host", "http://user:hunter2@host", "http://host/?token=hunter2", "host:2100", "http://"] {
            let error = url(bad).expect_err(bad);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn private_networks_are_told_from_the_world() {
        let private = |text| is_private(&Url::parse(text).expect("an address"));
        for near in ["http://10.86.6.237:2100", "http://127.0.0.1", "http://[::1]:1", "http://gateway", "http://a.lan"]
        {
            assert!(private(near), "{near}");
        }
        for far in ["http://8.8.8.8", "http://gateway.region.ru", "http://[2001:db8::1]"] {
            assert!(!private(far), "{far}");
        }
    }

    #[test]
    fn a_kind_of_a_later_version_is_told_from_a_mistake() {
        assert!(PortalKind::parse("sout").unwrap_err().contains("not available in this version"));
        assert!(PortalKind::parse("fre").unwrap_err().contains("did you mean fer?"));
    }

    #[test]
    fn the_feeds_of_a_kind_are_those_of_its_schemas() {
        let schemas: Vec<&str> = crate::portal::fer::SCHEMAS.iter().map(|schema| schema.feed).collect();
        assert_eq!(PortalKind::Fer.feeds().collect::<Vec<_>>(), schemas);
    }
}
