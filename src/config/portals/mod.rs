//! Portals: where records go, how fast, and what is done when the portal refuses. What all portals have stands here, what only one kind has
//! in a file of its own.

mod ekdo;
mod fer;
mod nmo;
mod pos;
mod sout;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use url::{Host, Url};

pub use ekdo::{
    BareSuccess, EkdoConfig, EkdoFields, FileEncoding, LoginForm, SignatureForm, TokenMethod, TokenPlace, UploadMethod,
};
pub use fer::{Budget, FerConfig, OnConflict, ReferralRequired, VisitTimeZone, WebhookRemove, WebhookUpdate};
#[cfg(test)]
pub(super) use nmo::PLATFORM_KEYS;
pub use nmo::{NmoConfig, PlanCheck, PlatformConfig};
pub use pos::PosConfig;
pub use sout::{SignatureEncoding, SoutConfig};

use super::feeds::{self, FeedConfig};
use super::shape::{Key, Need, Scalar, Shape};
use super::suggest::did_you_mean;
use crate::transport::HostName;

/// A kind of portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PortalKind {
    /// The FER 2.0 gateway: schedules, bookings, referrals.
    Fer,
    /// The register of training in occupational safety.
    Sout,
    /// The portal of continuous medical education.
    Nmo,
    /// The feedback platform: polls and votings.
    Pos,
    /// Electronic personnel documents on the portal «Работа России».
    Ekdo,
}

/// A portal that is written to.
#[derive(Debug, Clone, Deserialize)]
pub struct PortalConfig {
    /// Its address.
    #[serde(deserialize_with = "read_url")]
    pub url: Url,
    /// What requests call its host, where a tunnel stands before it.
    #[serde(default, deserialize_with = "read_host")]
    pub host: Option<HostName>,
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
    /// Most bytes of one request before compression.
    pub max_batch_bytes: usize,
    /// Pauses after a failure that may pass.
    pub retry: Retry,
    /// Pause before a refused record is tried again, where time can cure the refusal.
    #[serde(with = "humantime_serde")]
    pub slow_retry: Duration,
    /// The feeds that have a section, by name.
    #[serde(default)]
    pub feeds: BTreeMap<String, FeedConfig>,
    /// What only its kind has: the account before all.
    #[serde(flatten)]
    pub own: Own,
}

/// What only one kind of portal has.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Own {
    /// The FER 2.0 gateway.
    Fer(FerConfig),
    /// The register of training in occupational safety.
    Sout(SoutConfig),
    /// The portal of continuous medical education.
    Nmo(NmoConfig),
    /// The feedback platform.
    Pos(PosConfig),
    /// Electronic personnel documents.
    Ekdo(Box<EkdoConfig>),
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

/// A cycle that would remove more than `share` of a feed and at least `min` records removes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fuse {
    /// Part of the feed, above 0, at most 1.
    pub share: f64,
    /// Number of records.
    pub min: u64,
}

/// What is done with a record that the portal may have taken, where sending it again would make a second one and the portal cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUnknownOutcome {
    /// It waits for an operator's word.
    Ask,
    /// It is sent again.
    Resend,
}

const MONTH: u64 = 31 * 24 * 3600;

/// Keys that every portal has, beside its pace.
const COMMON: &[Key] = &[
    Key::must("kind", Shape::Scalar(Scalar::Word(KINDS))),
    Key::must("url", Shape::text(url)),
    Key::may("host", Shape::text(host)),
    Key::may("ca_file", Shape::File),
    Key::filled("retry", RETRY_KEYS),
    Key::or("slow_retry", "24h", Scalar::seconds(60, MONTH)),
];

/// The words for kinds.
const KINDS: &[&str] = &["fer", "sout", "nmo", "pos", "ekdo"];

const RETRY_KEYS: &[Key] =
    &[Key::or("initial", "1s", Scalar::seconds(0, 600)), Key::or("max", "1m", Scalar::seconds(1, 24 * 3600))];

const FUSE_KEYS: &[Key] =
    &[Key::or("share", "0.2", Scalar::Share), Key::or("min", "50", Scalar::Integer { min: 1, max: 1_000_000_000 })];

/// How much and how often a kind of portal is sent something, unless the configuration says otherwise.
struct Pace {
    batch: &'static str,
    max_batch_bytes: &'static str,
    in_flight: &'static str,
    requests_per_second: &'static str,
    timeout: &'static str,
}

impl Pace {
    /// The keys, with these defaults.
    const fn keys(self) -> [Key; 5] {
        [
            Key::or("batch", self.batch, feeds::BATCH),
            Key::or("max_batch_bytes", self.max_batch_bytes, Scalar::Integer { min: 4096, max: 1 << 30 }),
            Key::or("in_flight", self.in_flight, Scalar::Integer { min: 1, max: 64 }),
            Key::or("requests_per_second", self.requests_per_second, Scalar::Integer { min: 1, max: 10_000 }),
            Key::or("timeout", self.timeout, Scalar::seconds(1, 600)),
        ]
    }
}

/// A key for portals whose writes cannot be repeated.
const fn on_unknown_outcome() -> Key {
    Key::or("on_unknown_outcome", "ask", Scalar::Word(&["ask", "resend"]))
}

/// A key for portals that can be asked how far a record has got.
const fn inquire_every() -> Key {
    Key::or("inquire_every", "5m", Scalar::seconds(1, 24 * 3600))
}

/// A feed that may have a section.
const fn feed(name: &'static str) -> Key {
    Key::may(name, Shape::Table(feeds::KEYS))
}

impl PortalKind {
    /// Every kind.
    pub const ALL: [PortalKind; 5] =
        [PortalKind::Fer, PortalKind::Sout, PortalKind::Nmo, PortalKind::Pos, PortalKind::Ekdo];

    /// Its name in configurations and default views.
    pub fn name(self) -> &'static str {
        match self {
            PortalKind::Fer => "fer",
            PortalKind::Sout => "sout",
            PortalKind::Nmo => "nmo",
            PortalKind::Pos => "pos",
            PortalKind::Ekdo => "ekdo",
        }
    }

    /// Names of its feeds, parents before children.
    pub fn feeds(self) -> impl Iterator<Item = &'static str> {
        let feeds = match self {
            PortalKind::Fer => fer::FEEDS,
            PortalKind::Sout => sout::FEEDS,
            PortalKind::Nmo => nmo::FEEDS,
            PortalKind::Pos => pos::FEEDS,
            PortalKind::Ekdo => ekdo::FEEDS,
        };
        feeds.iter().map(|key| key.name)
    }

    /// Most records that one of its requests can carry.
    pub(super) fn largest_batch(self) -> u32 {
        match self {
            PortalKind::Fer => feeds::LARGEST_BATCH,
            PortalKind::Sout => sout::LARGEST_SET,
            PortalKind::Nmo | PortalKind::Pos | PortalKind::Ekdo => 1,
        }
    }

    /// Its keys, in groups.
    pub(super) fn keys(self) -> &'static [&'static [Key]] {
        match self {
            PortalKind::Fer => &[COMMON, &fer::PACE, fer::KEYS],
            PortalKind::Sout => &[COMMON, &sout::PACE, sout::KEYS],
            PortalKind::Nmo => &[COMMON, &nmo::PACE, nmo::KEYS],
            PortalKind::Pos => &[COMMON, &pos::PACE, pos::KEYS],
            PortalKind::Ekdo => &[COMMON, &ekdo::PACE, ekdo::KEYS],
        }
    }

    /// The default of one of its keys, as the environment would give it.
    pub(super) fn default_of(self, name: &str) -> Option<&'static str> {
        let mut keys = self.keys().iter().copied().flatten();
        match keys.find(|key| key.name == name)?.need {
            Need::Default(text) => Some(text),
            Need::Mandatory | Need::Optional | Need::Filled => None,
        }
    }

    pub(super) fn parse(text: &str) -> Result<PortalKind, String> {
        PortalKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let suggestion = did_you_mean(text, KINDS.iter().copied());
            format!("{text:?} is no kind of portal; there are: {}{suggestion}", KINDS.join(", "))
        })
    }
}

impl PortalConfig {
    /// What it is.
    pub fn kind(&self) -> PortalKind {
        match self.own {
            Own::Fer(_) => PortalKind::Fer,
            Own::Sout(_) => PortalKind::Sout,
            Own::Nmo(_) => PortalKind::Nmo,
            Own::Pos(_) => PortalKind::Pos,
            Own::Ekdo(_) => PortalKind::Ekdo,
        }
    }

    /// What is done with records whose outcome nobody knows. Where repeating does no harm there are none.
    pub fn on_unknown_outcome(&self) -> OnUnknownOutcome {
        match &self.own {
            Own::Fer(_) | Own::Nmo(_) => OnUnknownOutcome::Ask,
            Own::Sout(own) => own.on_unknown_outcome,
            Own::Pos(own) => own.on_unknown_outcome,
            Own::Ekdo(own) => own.on_unknown_outcome,
        }
    }

    /// How long its signing command may take.
    pub fn sign_timeout(&self) -> Option<Duration> {
        match &self.own {
            Own::Sout(own) => Some(own.sign_timeout),
            Own::Fer(_) | Own::Nmo(_) | Own::Pos(_) | Own::Ekdo(_) => None,
        }
    }

    /// Pause between two questions how far a record has got; none where the portal cannot be asked.
    pub fn inquire_every(&self) -> Option<Duration> {
        match &self.own {
            Own::Sout(own) => Some(own.inquire_every),
            Own::Nmo(own) => Some(own.inquire_every),
            Own::Fer(_) | Own::Pos(_) | Own::Ekdo(_) => None,
        }
    }

    /// How much may be removed at once; none where nothing can be removed.
    pub fn fuse(&self) -> Option<Fuse> {
        match &self.own {
            Own::Fer(own) => Some(own.fuse),
            Own::Nmo(own) => Some(own.fuse),
            Own::Sout(_) | Own::Pos(_) | Own::Ekdo(_) => None,
        }
    }
}

/// Checks a path below a portal's address.
fn path(text: &str) -> Result<(), String> {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '?' && c != '#';
    match text.starts_with('/') && text.chars().all(plain) {
        true => Ok(()),
        false => Err("expected a path below the portal's url, like /docs, without ? or #".into()),
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
        return Err("must not hold credentials; the account has keys of its own".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with the host, the port or a path, without ? or #".into());
    }
    Ok(())
}

fn host(text: &str) -> Result<(), String> {
    text.parse::<HostName>().map(|_| ()).map_err(|error| error.to_string())
}

fn read_host<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HostName>, D::Error> {
    let host = Option::<String>::deserialize(deserializer)?;
    host.map(|host| host.parse().map_err(serde::de::Error::custom)).transpose()
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
    fn a_mistyped_kind_is_told_what_was_meant() {
        assert_eq!(PortalKind::parse("ekdo"), Ok(PortalKind::Ekdo));
        assert!(PortalKind::parse("fre").unwrap_err().contains("did you mean fer?"));
    }

    #[test]
    fn the_feeds_of_a_kind_are_those_of_its_schemas() {
        for kind in PortalKind::ALL {
            let Some(known) = crate::portal::kind(kind.name()) else { continue };
            let schemas: Vec<&str> = known.schemas.iter().map(|schema| schema.feed).collect();
            assert_eq!(kind.feeds().collect::<Vec<_>>(), schemas, "{}", kind.name());
        }
    }

    #[test]
    fn no_key_of_a_kind_hides_one_that_all_have() {
        for kind in PortalKind::ALL {
            let mut names: Vec<&str> = kind.keys().iter().copied().flatten().map(|key| key.name).collect();
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all, "{}", kind.name());
        }
    }

    #[test]
    fn a_default_batch_is_one_that_the_kind_can_carry() {
        for kind in PortalKind::ALL {
            let batch: u32 = kind.default_of("batch").and_then(|text| text.parse().ok()).expect("a number");
            assert!((1..=kind.largest_batch()).contains(&batch), "{}", kind.name());
        }
    }

    #[test]
    fn a_path_is_below_the_address() {
        assert_eq!(path("/auth/refresh-token"), Ok(()));
        for bad in ["token", "/token?x=1", "/to ken", "https://host/token", ""] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }
}
