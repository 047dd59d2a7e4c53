//! What an audit found, for people and for programs. Keys and names of fields only, never values.

use std::fmt::Write as _;

use anyhow::Context;
use serde::Serialize;

use crate::cli::CliError;
use crate::sync::audit::{AuditProgress, Difference, FeedAudit, Kind, Stage};

/// Keys that are shown of each kind of difference in a feed.
const SHOWN: usize = 20;

/// One difference as JSON has it.
#[derive(Serialize)]
struct Line<'a> {
    portal: &'a str,
    feed: &'a str,
    key: &'a str,
    kind: Kind,
    fields: &'a [String],
    repaired: bool,
}

/// All listed differences as a JSON array.
pub(super) fn json(portal: &str, progress: &AuditProgress) -> Result<String, CliError> {
    let of_feed = |feed: &'_ FeedAudit| -> Vec<serde_json::Value> {
        let line = |difference: &Difference| {
            let Difference { key, kind, fields, repaired } = difference;
            serde_json::to_value(Line { portal, feed: &feed.feed, key, kind: *kind, fields, repaired: *repaired })
        };
        feed.differences.iter().map(line).filter_map(Result::ok).collect()
    };
    let lines: Vec<serde_json::Value> = progress.feeds.iter().flat_map(of_feed).collect();
    Ok(format!("{}\n", serde_json::to_string_pretty(&lines).context("cannot print the differences")?))
}

/// A paragraph a feed: its numbers, then the first keys of each kind.
pub(super) fn readable(portal: &str, progress: &AuditProgress) -> String {
    let mut text = String::new();
    for feed in &progress.feeds {
        let _ = writeln!(text, "{portal}.{}: {}", feed.feed, numbers(feed, progress.order.repair));
        for kind in [Kind::Missing, Kind::Stale, Kind::Foreign] {
            list(&mut text, feed, kind);
        }
    }
    text
}

fn numbers(feed: &FeedAudit, repair: bool) -> String {
    if let Some(why) = &feed.denied {
        return format!("could not be read: {why}");
    }
    if feed.stage == Stage::Unreadable {
        return "the portal has no way to read it back".to_owned();
    }
    let tally = &feed.tally;
    let mut text = format!("{} equal", tally.equal);
    let mended = feed.differences.iter().filter(|difference| difference.repaired).count() as u64 + tally.mended;
    let parts = [
        ("missing", feed.count(Kind::Missing)),
        ("stale", feed.count(Kind::Stale)),
        ("foreign", feed.count(Kind::Foreign)),
        ("repaired", mended),
        ("left as they are (see vitrina rejects list and vitrina fuse list)", if repair { feed.left() } else { 0 }),
        ("of the equal ones entered into the ledger", tally.adopted),
        ("of the equal ones unknown to the ledger (--repair enters them)", tally.unknown - tally.adopted),
        ("cannot be sent (see vitrina rejects list)", tally.unsendable),
        ("sent and not in the register yet", tally.on_the_way),
        ("not asked about (--deep does)", tally.unchecked),
    ];
    for (what, count) in parts.into_iter().filter(|(_, count)| *count > 0) {
        let _ = write!(text, ", {count} {what}");
    }
    text
}

fn list(text: &mut String, feed: &FeedAudit, kind: Kind) {
    let word = match kind {
        Kind::Missing => "missing",
        Kind::Stale => "stale",
        Kind::Foreign => "foreign",
    };
    for difference in feed.differences.iter().filter(|difference| difference.kind == kind).take(SHOWN) {
        let fields =
            if difference.fields.is_empty() { String::new() } else { format!(": {}", difference.fields.join(", ")) };
        let mended = if difference.repaired { " (repaired)" } else { "" };
        let _ = writeln!(text, "  {word} {}{fields}{mended}", difference.key);
    }
    let more = feed.count(kind).saturating_sub(SHOWN as u64);
    if more > 0 {
        let _ = writeln!(text, "  {word}: {more} more");
    }
}

/// Where a running audit is.
pub(super) fn state(progress: &AuditProgress) -> String {
    if let Some(why) = &progress.waits {
        return format!("waits for the portal: {why}");
    }
    let done = |feed: &&FeedAudit| matches!(feed.stage, Stage::Compared | Stage::Unreadable);
    let Some(feed) = progress.feeds.iter().find(|feed| !done(feed)) else {
        return "all is compared; mending".to_owned();
    };
    let (steps, all) = feed.steps;
    let doing = if feed.stage == Stage::Confirming { "looks a second time" } else { "reads" };
    format!("{}: {doing}, {steps} of {all}", feed.feed)
}
