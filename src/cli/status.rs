//! `vitrina status`: how the feeds and portals are, asked of the running daemon, or read from the ledger when none runs.

mod booking;
mod troubles;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use chrono::Utc;

use super::{CliError, LanguageChoice, Outcome, moment, print, rejects};
use crate::config::Config;
use crate::daemon::trouble::{Seen, troubles_in_ledger};
use crate::daemon::{FeedStatus, FuseStatus, PortalStatus, RegisterStatus, Status};
use crate::ledger::{AnyLedger, ExchangeCounts, FeedId, Ledger, NoteKind};
use crate::sync::{Drafts, PausedUnit, Tripped};

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Options of `status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: super::ConfigFile,

    /// Print JSON, the same as /api/status
    #[arg(long)]
    pub json: bool,

    /// In which language what is wrong is told.
    #[command(flatten)]
    pub language: LanguageChoice,
}

/// Shows the status.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let config = args.config.load()?.config;
    let status = match of_daemon(config.serve.listen).await {
        Some(status) => status,
        None => of_ledger(&config).await?,
    };
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(&status).context("cannot print the status")?)
    } else {
        format!("{}{}", troubles::readable(&status, args.language.language()), readable(&status))
    };
    print(&text)?;
    Ok(Outcome::Done)
}

/// True when a daemon with this configuration runs and answers.
pub(super) async fn daemon_answers(config: &Config) -> bool {
    of_daemon(config.serve.listen).await.is_some()
}

/// Who hears an operator's word, as a line.
pub(super) fn takes_it_up(daemon: bool) -> &'static str {
    if daemon {
        "The running daemon takes it up at once.\n"
    } else {
        "No daemon answers: the next vitrina run or vitrina sync takes it up.\n"
    }
}

async fn of_daemon(mut listen: SocketAddr) -> Option<Status> {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().ok()?;
    let answer = client.get(format!("http://{listen}/api/status")).send().await.ok()?;
    answer.error_for_status().ok()?.json().await.ok()
}

async fn of_ledger(config: &Config) -> Result<Status, CliError> {
    if config.portals.is_empty() {
        return Ok(Status::default());
    }
    let ledger = AnyLedger::open_read_only(config.ledger.url.expose()).await.map_err(anyhow::Error::from)?;
    let now = Utc::now().timestamp();
    let feeds = ledger.feeds().await.map_err(anyhow::Error::from)?;
    let mut shown = Vec::new();
    for feed in &feeds {
        let notes = ledger.notes(&feed.portal).await.map_err(anyhow::Error::from)?;
        let fuse = notes.iter().find(|note| note.place.kind == NoteKind::Fuse && note.place.feed == feed.feed);
        let fuse = fuse.and_then(|note| serde_json::from_str::<Tripped>(&note.body).ok()).filter(|fuse| !fuse.accepted);
        let status = FeedStatus::new(&feed.portal, &feed.feed, &feed.counts, &feed.progress, now);
        let counts = ledger.exchange_counts(feed.id).await.map_err(anyhow::Error::from)?;
        let counts = Some(counts).filter(|counts| *counts != ExchangeCounts::default());
        let drafts = if counts.is_some_and(|counts| counts.sent > 0) {
            drafts(&ledger, feed.id).await?
        } else {
            Drafts::default()
        };
        shown.push(status.fused(fuse.as_ref().map(FuseStatus::of)).registered(counts).drafted(drafts));
    }
    let mut portals = Vec::new();
    for name in config.portals.keys() {
        let notes = ledger.notes(name).await.map_err(anyhow::Error::from)?;
        portals.push(PortalStatus::stopped(name, &PausedUnit::in_notes(&notes)));
    }
    let status = Status { feeds: shown, portals, ..Status::default() };
    let seen = troubles_in_ledger(&ledger, &status, |portal| rejects::kind_of(config, portal)).await;
    let Seen { troubles, well_since, .. } = seen.map_err(anyhow::Error::from)?;
    Ok(Status { troubles, well_since: well_since.map(moment), ..status })
}

/// The drafts that lie at the portal, as the ledger's register has them.
async fn drafts(ledger: &AnyLedger, feed: FeedId) -> Result<Drafts, CliError> {
    const PAGE: usize = 1000;
    let (mut drafts, mut after) = (Drafts::default(), None);
    loop {
        let page = ledger.exchanges(feed, after.as_ref(), PAGE).await.map_err(anyhow::Error::from)?;
        let Some(last) = page.last() else { return Ok(drafts) };
        after = Some(last.key.clone());
        drafts = page.iter().fold(drafts, Drafts::with);
    }
}

fn readable(status: &Status) -> String {
    let mut text = String::new();
    if status.portals.is_empty() && status.booking.is_none() {
        return "no daemon answers, and bookings with it; there are no portals that a ledger would tell of\n"
            .to_owned();
    }
    for portal in &status.portals {
        let _ = write!(text, "portal {}: {}", portal.portal, portal.state);
        if let Some(until) = &portal.until {
            let _ = write!(text, " until {until}");
        }
        if let Some(why) = &portal.why {
            let _ = write!(text, " ({why})");
        }
        if portal.units_paused > 0 {
            let _ = write!(text, ", {} unit(s) paused", portal.units_paused);
        }
        text.push('\n');
        for unit in &portal.units {
            let until = unit.until.as_deref().unwrap_or("further notice");
            let _ = writeln!(text, "  unit {} paused until {until}: {}", unit.unit, unit.why);
        }
    }
    for feed in &status.feeds {
        if let (Some(until), Some(why)) = (&feed.until, &feed.why) {
            let _ = writeln!(text, "feed {}.{}: parked until {until} ({why})", feed.portal, feed.feed);
        }
    }
    let width = status.feeds.iter().map(|feed| feed.portal.len() + feed.feed.len() + 1).max().unwrap_or(4).max(4);
    if !status.feeds.is_empty() {
        let _ = writeln!(
            text,
            "{:width$} {:>9} {:>9} {:>8} {:>6} {:>8} {:>7} {:>6}  last success",
            "feed", "state", "accepted", "pending", "held", "rejected", "unknown", "lag"
        );
    }
    for feed in &status.feeds {
        let name = format!("{}.{}", feed.portal, feed.feed);
        let lag = format!("{}s", feed.lag_seconds);
        let last = feed.last_success.as_deref().unwrap_or("never");
        let _ = writeln!(
            text,
            "{name:width$} {:>9} {:>9} {:>8} {:>6} {:>8} {:>7} {lag:>6}  {last}",
            feed.state, feed.accepted, feed.pending, feed.held, feed.rejected, feed.unknown
        );
    }
    for feed in &status.feeds {
        if let Some(register) = &feed.register {
            text.push_str(&exchanged(feed, register));
        }
        if let Some(fuse) = &feed.fuse {
            let _ = writeln!(
                text,
                "{portal}.{name}: the fuse has tripped: {}; see `vitrina fuse list`, let it go by `vitrina fuse accept {portal}.{name}`",
                fuse.reason,
                portal = feed.portal,
                name = feed.feed
            );
        }
    }
    if let Some(booking) = &status.booking {
        text.push_str(&booking::readable(booking));
    }
    text
}

/// A feed's register as a line.
fn exchanged(feed: &FeedStatus, register: &RegisterStatus) -> String {
    let RegisterStatus { ready, sent, confirmed, refused, unknown, write_back, drafts, ref drafts_since } = *register;
    let (portal, name) = (&feed.portal, &feed.feed);
    let mut text = format!("{portal}.{name}: exchanged:");
    let parts =
        [("confirmed", confirmed), ("sent", sent), ("ready", ready), ("refused", refused), ("unknown", unknown)];
    let shown: Vec<String> =
        parts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!(" {count} {what}")).collect();
    text.push_str(if shown.is_empty() { " nothing yet" } else { "" });
    text.push_str(&shown.join(","));
    if write_back > 0 {
        let _ = write!(text, "; {write_back} to be written back");
    }
    let _ = writeln!(text, "; see `vitrina log {portal}.{name}`");
    if drafts > 0 {
        let since = drafts_since.as_deref().unwrap_or("an unknown time");
        let _ = writeln!(
            text,
            "{portal}.{name}: {drafts} went out signed and the portal kept them as drafts, since {since}: send them on from its site"
        );
    }
    text
}
