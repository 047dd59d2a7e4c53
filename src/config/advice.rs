//! Advice: what is legal, and dangerous or without effect.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use chrono::Utc;
use chrono_tz::Tz;
use humantime_serde::re::humantime::{format_duration, parse_duration};
use url::Url;

use super::daemon::GRACE;
use super::database_url::DatabaseUrl;
use super::feeds::{FEED_LIMIT, SLOT, SLOT_LIMIT};
use super::portals::{PortalKind, is_private};
use super::problem::Problems;
use super::schedule::Schedule;
use super::tree::{Look, Table};

/// Above this many records a refused batch costs more than it saves.
const LARGE_BATCH: i64 = 5_000;
/// Above this rate a portal may take us for an attack.
const HIGH_RATE: i64 = 100;
/// Above this share the fuse hardly protects anything.
const WEAK_FUSE: f64 = 0.5;
/// What `vitrina init` prints for secrets and accounts to be filled in.
const PLACEHOLDER: &str = "change-me";

/// The keys where it may still stand.
const SECRETS: [&str; 9] = [
    "username",
    "password",
    "user_id",
    "api_key",
    "client_id",
    "client_secret",
    "access_token",
    "refresh_token",
    "name",
];

/// Warns of everything in the tree that deserves it. `given` are the keys that were not filled in.
pub(super) fn give(tree: &Table, given: &BTreeSet<String>, problems: &mut Problems) {
    let grace = tree.table("daemon").and_then(|daemon| daemon.duration("grace"));
    for (name, source) in tree.tables("sources") {
        on_source(tree, name, source, problems);
    }
    on_ledger(tree, given, problems);
    on_booking(tree, problems);
    on_record(tree, problems);
    for (name, portal) in tree.tables("portals") {
        let key = format!("portals.{name}");
        on_limits(&key, portal, problems);
        on_address(&key, portal, problems);
        if portal.text("kind") == Some(PortalKind::Sout.name()) {
            on_api_key(&key, portal, problems);
        }
        let kind = portal.text("kind").and_then(|kind| PortalKind::parse(kind).ok());
        on_grace(&key, portal, kind, grace, problems);
        for (feed, section) in portal.tables("feeds") {
            let key = format!("{key}.feeds.{feed}");
            on_feed(&key, section, given, problems);
            on_zone(&key, tree, portal, section, given, problems);
            if kind == Some(PortalKind::Fer) {
                on_pace(&key, feed, section, problems);
            }
        }
    }
}

/// True when the address of a source carries a password.
pub(super) fn password_in_url(tree: &Table) -> bool {
    let carries = |url: &str| DatabaseUrl::parse(url).is_ok_and(|url| url.has_password());
    let mut sources = tree.tables("sources");
    sources.any(|(_, source)| ["url", "write_url"].iter().any(|key| source.text(key).is_some_and(carries)))
}

fn on_source(tree: &Table, name: &str, source: &Table, problems: &mut Problems) {
    if source.contains_key("write_url") && !is_written(tree, name) {
        let text = "has no effect: neither booking nor the write_back of a feed uses this source";
        problems.warning(format!("sources.{name}.write_url"), text);
    }
    if source.text("password") == Some(PLACEHOLDER) {
        problems.warning(format!("sources.{name}.password"), "is still the one that vitrina init printed");
    }
}

/// True when bookings, or a feed's results, are written into this source.
fn is_written(tree: &Table, source: &str) -> bool {
    if tree.table("booking").is_some_and(|booking| booking.text("source") == Some(source)) {
        return true;
    }
    let mut feeds = tree.tables("portals").flat_map(|(_, portal)| portal.tables("feeds"));
    feeds.any(|(_, feed)| feed.contains_key("write_back") && feed.text("source") == Some(source))
}

fn on_ledger(tree: &Table, given: &BTreeSet<String>, problems: &mut Problems) {
    if !tree.contains_key("portals") {
        if given.contains("ledger.url") {
            problems.warning("ledger.url", "has no effect: without portals there is nothing to remember");
        }
        return;
    }
    let url = tree.table("ledger").and_then(|ledger| DatabaseUrl::parse(ledger.text("url")?).ok());
    let path = url.as_ref().and_then(DatabaseUrl::sqlite_path);
    if path.is_some_and(|path| !path.starts_with('/')) {
        problems.warning("ledger.url", "is a relative path: another working directory means another, empty ledger");
    }
}

/// Stand-ins tell of nobody, and what a hospital sends when is its own business all the same.
fn on_record(tree: &Table, problems: &mut Problems) {
    let Some(dir) = tree.table("record").and_then(|record| record.text("dir")) else { return };
    let mode = std::fs::metadata(dir).map(|told| told.permissions().mode()).unwrap_or_default();
    if mode & 0o077 != 0 {
        let text = format!("{dir} is open to other users of this machine; chmod 700 {dir}");
        problems.warning("record.dir", text);
    }
}

/// Any daemon may answer bookings; only one that writes to the gateway brings it what they change at once.
fn on_booking(tree: &Table, problems: &mut Problems) {
    let is_gateway = |portal: &Table| portal.text("kind") == Some(PortalKind::Fer.name());
    if tree.contains_key("booking") && !tree.tables("portals").any(|(_, portal)| is_gateway(portal)) {
        let text = "there is no portal of kind fer here: the gateway hears of what bookings change when the feeds of the daemon that \
                    writes to it take their turn";
        problems.warning("booking", text);
    }
}

fn on_limits(key: &str, portal: &Table, problems: &mut Problems) {
    if portal.integer("batch").is_some_and(|batch| batch > LARGE_BATCH) {
        problems.warning(
            format!("{key}.batch"),
            format!("above {LARGE_BATCH} records one bad answer repeats a lot of work"),
        );
    }
    if portal.integer("requests_per_second").is_some_and(|rate| rate > HIGH_RATE) {
        let text = format!("above {HIGH_RATE} requests a second the portal may shut us out");
        problems.warning(format!("{key}.requests_per_second"), text);
    }
    if portal.table("fuse").and_then(|fuse| fuse.number("share")).is_some_and(|share| share > WEAK_FUSE) {
        problems.warning(format!("{key}.fuse.share"), "lets more than half of a feed be removed at once");
    }
}

fn on_address(key: &str, portal: &Table, problems: &mut Problems) {
    let url = portal.text("url").and_then(|url| Url::parse(url).ok());
    if portal.contains_key("host") && url.as_ref().is_some_and(|url| url.scheme() == "https") {
        let text = "the portal's certificate is checked against the name in url, not against this one; the url of a tunnel on this machine \
                    begins with http://";
        problems.warning(format!("{key}.host"), text);
    }
    if url.is_some_and(|url| url.scheme() == "http" && !is_private(&url)) {
        problems.warning(
            format!("{key}.url"),
            "http to an address that is not private: the password and the data travel unprotected",
        );
    }
    if portal.text("token_method") == Some("GET") && portal.text("login") != Some("basic") {
        let text = "the login and the password go in the address of the request, which proxies and the portal may write down; \
                    login = \"basic\" puts them into a header, where the portal takes it";
        problems.warning(format!("{key}.token_method"), text);
    }
    for name in SECRETS {
        if portal.text(name) == Some(PLACEHOLDER) {
            problems.warning(format!("{key}.{name}"), "is still the one that vitrina init printed");
        }
    }
}

/// The document of the register of training gives every key this length.
const API_KEY: usize = 32;

fn on_api_key(key: &str, portal: &Table, problems: &mut Problems) {
    let length = portal.text("api_key").filter(|text| *text != PLACEHOLDER).map(|text| text.trim().chars().count());
    if let Some(length) = length.filter(|length| *length != API_KEY) {
        let text = format!(
            "has {length} characters, and keys of this portal have {API_KEY}: copy it anew from the profile of the account"
        );
        problems.warning(format!("{key}.api_key"), text);
    }
}

/// The defaults themselves let a request outlive the grace time, because portals are slow and service managers impatient; what is
/// warned of is a pair that is worse.
fn on_grace(key: &str, portal: &Table, kind: Option<PortalKind>, grace: Option<Duration>, problems: &mut Problems) {
    let (Some(timeout), Some(grace)) = (portal.duration("timeout"), grace) else { return };
    let usual = kind.and_then(|kind| parse_duration(kind.default_of("timeout")?).ok());
    let worse = usual.is_some_and(|usual| timeout > usual) || parse_duration(GRACE).is_ok_and(|usual| grace < usual);
    if timeout > grace && worse {
        let text = format!(
            "is longer than daemon.grace ({}): a stop may cut requests in flight, and their records are sent again",
            format_duration(grace)
        );
        problems.warning(format!("{key}.timeout"), text);
    }
}

fn on_feed(key: &str, section: &Table, given: &BTreeSet<String>, problems: &mut Problems) {
    if section.integer("batch").is_some_and(|batch| batch > LARGE_BATCH) {
        problems.warning(
            format!("{key}.batch"),
            format!("above {LARGE_BATCH} records one bad answer repeats a lot of work"),
        );
    }
    if !section.contains_key("changed_at") {
        for name in ["full_every", "overlap"].map(|name| (name, format!("{key}.{name}"))) {
            if given.contains(&name.1) {
                problems.warning(name.1, "has no effect without changed_at: every run reads every row");
            }
        }
        return;
    }
    if section.duration("overlap").is_some_and(|overlap| overlap.is_zero()) {
        problems
            .warning(format!("{key}.overlap"), "without overlap a row that commits late waits for the next full scan");
    }
    if let (Some(sweep), Some(full)) = (section.duration("sweep_every"), section.duration("full_every"))
        && full <= sweep
        && given.contains(&format!("{key}.sweep_every"))
    {
        problems.warning(format!("{key}.sweep_every"), "has no effect: full scans come as often");
    }
    if let (Some(every), Some(full)) = (section.duration("every"), section.duration("full_every"))
        && full < every
    {
        problems.warning(format!("{key}.full_every"), "is shorter than every: each run is a full scan");
    }
}

/// The document's ceilings: slots within 30 seconds of a change, everything else at least once an hour.
fn on_pace(key: &str, feed: &str, section: &Table, problems: &mut Problems) {
    let cron = section.text("cron").and_then(|cron| cron.parse::<Schedule>().ok());
    let (name, pause) = match cron {
        Some(schedule) => ("cron", schedule.pause(Utc::now(), Tz::UTC)),
        None => ("every", section.duration("every")),
    };
    let (limit, text) = if feed == SLOT {
        (SLOT_LIMIT, format!("slots are to be at the portal within {} of a change", format_duration(SLOT_LIMIT)))
    } else {
        (FEED_LIMIT, format!("the document wants this feed at least every {}", format_duration(FEED_LIMIT)))
    };
    if pause.is_some_and(|pause| pause > limit) {
        problems.warning(format!("{key}.{name}"), text);
    }
}

/// A time zone that was left out matters to some feeds.
fn on_zone(
    key: &str,
    tree: &Table,
    portal: &Table,
    section: &Table,
    given: &BTreeSet<String>,
    problems: &mut Problems,
) {
    let Some(source) = section.text("source") else { return };
    let zone = format!("sources.{source}.timezone");
    if given.contains(&zone) || tree.table("sources").and_then(|sources| sources.table(source)).is_none() {
        return;
    }
    let converts = portal.text("visit_time_zone").is_some_and(|zone| zone != "source");
    let why = [
        (converts, "visit_time is converted"),
        (section.contains_key("cron"), "cron is read"),
        (section.contains_key("changed_at"), "change times without a zone are read"),
    ];
    if let Some((_, why)) = why.iter().find(|(matters, _)| *matters) {
        problems.warning(key, format!("{why} as if the source were in UTC; set {zone}"));
    }
}
