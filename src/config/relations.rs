//! Relations: what keys say about each other, over the checked tree. Fills in what a key takes from another when it is left out.

mod booking;
mod notify;
mod platform;

use std::collections::BTreeMap;

use humantime_serde::re::humantime::format_duration;

use super::active::default_views;
use super::database_url::DatabaseUrl;
use super::feeds::{self, Usual};
use super::portals::PortalKind;
use super::problem::Problems;
use super::suggest::did_you_mean;
use super::tree::{Look, Table};
use crate::source::Script;

/// Checks and completes the tree.
pub(super) fn check(tree: &mut Table, problems: &mut Problems) {
    let sources: Vec<String> = tree.tables("sources").map(|(name, _)| name.to_owned()).collect();
    for (name, source) in tree.tables("sources") {
        check_source(name, source, problems);
    }
    for (name, portal) in tree.tables("portals") {
        check_retry(name, portal, problems);
        check_batches(name, portal, problems);
    }
    if !tree.contains_key("portals") && !tree.contains_key("booking") {
        problems.error(
            "portals",
            "is missing; name a portal to write to, or give [booking] if bookings are all to be done here",
        );
    }
    platform::check(tree, problems);
    for (portal, kind, feed, section) in sections(tree) {
        let key = format!("portals.{portal}.feeds.{feed}");
        complete(&key, kind, &feed, section, &sources, problems);
    }
    check_write_backs(tree, problems);
    booking::check(tree, &sources, problems);
    notify::check(tree, problems);
    views_are_told_apart(tree, &sources, problems);
}

fn check_source(name: &str, source: &Table, problems: &mut Problems) {
    let url = |key| DatabaseUrl::parse(source.text(key)?).ok();
    let Some(address) = url("url") else { return };
    if address.has_password() && source.contains_key("password") {
        problems.error(format!("sources.{name}.password"), "the url holds a password too; keep one");
    }
    let write = url("write_url");
    if write.as_ref().is_some_and(|write| write.engine() != address.engine()) {
        problems.error(format!("sources.{name}.write_url"), "must be the same kind of database as url");
    }
    if source.contains_key("write_password") {
        let text = match &write {
            None if !source.contains_key("write_url") => "there is no write_url that it could be for",
            Some(write) if write.has_password() => "the write_url holds a password too; keep one",
            _ => return,
        };
        problems.error(format!("sources.{name}.write_password"), text);
    }
}

fn check_retry(name: &str, portal: &Table, problems: &mut Problems) {
    let Some(retry) = portal.table("retry") else { return };
    if let (Some(initial), Some(max)) = (retry.duration("initial"), retry.duration("max"))
        && initial > max
    {
        let text = format!("is longer than max ({})", format_duration(max));
        problems.error(format!("portals.{name}.retry.initial"), text);
    }
}

/// A batch that the kind's requests cannot carry would never be sent as it is configured.
fn check_batches(name: &str, portal: &Table, problems: &mut Problems) {
    let Some(kind) = kind_of(portal) else { return };
    let most = kind.largest_batch();
    let sections =
        portal.tables("feeds").map(|(feed, section)| (format!("portals.{name}.feeds.{feed}.batch"), section));
    for (key, table) in sections.chain([(format!("portals.{name}.batch"), portal)]) {
        if table.integer("batch").is_some_and(|batch| batch > most.into()) {
            let records = if most == 1 { "one record".to_owned() } else { format!("at most {most} records") };
            problems.error(key, format!("a request of a {} portal carries {records}", kind.name()));
        }
    }
}

/// Statements are read in the dialect of the source that they run in.
fn check_write_backs(tree: &Table, problems: &mut Problems) {
    for (name, portal) in tree.tables("portals") {
        let Some(kind) = kind_of(portal) else { continue };
        for (feed, section) in portal.tables("feeds") {
            let source = section.text("source").and_then(|source| tree.table("sources")?.table(source));
            let url = source.and_then(|source| DatabaseUrl::parse(source.text("url")?).ok());
            let (Some(url), Some(texts)) = (url, section.texts("write_back")) else { continue };
            if let Err(error) = Script::parse(url.engine().into(), &texts, feeds::write_back_parameters(kind)) {
                problems.error(format!("portals.{name}.feeds.{feed}.write_back"), error.to_string());
            }
        }
    }
}

fn kind_of(portal: &Table) -> Option<PortalKind> {
    PortalKind::parse(portal.text("kind")?).ok()
}

/// The feed sections of all portals, to be completed.
fn sections(tree: &mut Table) -> impl Iterator<Item = (String, PortalKind, String, &mut Table)> {
    let portals = tree.get_mut("portals").and_then(|portals| portals.as_object_mut()).into_iter().flatten();
    portals.flat_map(|(portal, settings)| {
        // Without a kind there is an error anyway, and what is filled in is not used.
        let kind = settings.as_object().and_then(kind_of).unwrap_or(PortalKind::Fer);
        let feeds = settings.get_mut("feeds").and_then(|feeds| feeds.as_object_mut()).into_iter().flatten();
        feeds.filter_map(move |(feed, section)| Some((portal.clone(), kind, feed.clone(), section.as_object_mut()?)))
    })
}

fn complete(key: &str, kind: PortalKind, feed: &str, section: &mut Table, sources: &[String], problems: &mut Problems) {
    if section.contains_key("every") && section.contains_key("cron") {
        problems.error(format!("{key}.every"), "every and cron are both given; keep one");
    } else if !section.contains_key("every") && !section.contains_key("cron") {
        match feeds::usual(kind, feed, section.contains_key("changed_at")) {
            Usual::Every(every) => section.insert("every".into(), format_duration(every).to_string().into()),
            Usual::Cron(cron) => section.insert("cron".into(), cron.into()),
        };
    }
    if section.contains_key("sweep_every") && !section.contains_key("changed_at") {
        let text =
            "needs changed_at: without it every run reads every row, and a sweep has nothing to add; take it out";
        problems.error(format!("{key}.sweep_every"), text);
    } else if !section.contains_key("sweep_every") {
        let every = format_duration(feeds::sweep_every(kind, feed)).to_string();
        section.insert("sweep_every".into(), every.into());
    }
    match (section.text("source"), sources) {
        (Some(source), _) if !sources.iter().any(|known| known == source) => {
            let suggestion = did_you_mean(source, sources.iter().map(String::as_str));
            problems.error(format!("{key}.source"), format!("there is no source {source:?}{suggestion}"));
        }
        (None, [only]) if !section.contains_key("source") => _ = section.insert("source".into(), only.as_str().into()),
        (None, [_, _, ..]) if !section.contains_key("source") => {
            let text = format!("is missing: there are several sources, name one of {}", sources.join(", "));
            problems.error(format!("{key}.source"), text);
        }
        _ => {}
    }
}

/// Two feeds that read one view by default would send the same rows to two places. Where that is certain it is an error; where it
/// depends on which views exist, a warning here and an error once the sources have been asked.
fn views_are_told_apart(tree: &Table, sources: &[String], problems: &mut Problems) {
    let mut own: BTreeMap<(String, String), (&str, &str)> = BTreeMap::new();
    let mut shared: BTreeMap<(String, String), &str> = BTreeMap::new();
    for (portal, settings) in tree.tables("portals") {
        let Some(kind) = kind_of(settings) else { continue };
        for feed in kind.feeds() {
            let Some(source) = read_by_view(settings, feed, sources) else { continue };
            let mut views = default_views(portal, kind, feed).into_iter();
            let Some(view) = views.next() else { continue };
            let of_kind = views.next().unwrap_or_else(|| view.clone());
            if let Some((other, other_feed)) = own.insert((source.clone(), view.clone()), (portal, feed)) {
                let text = format!(
                    "its feed {feed} and the feed {other_feed} of portal {other} both read the view {view} by default; rename one of the portals"
                );
                problems.error(format!("portals.{portal}"), text);
            }
            let earlier = shared.insert((source, of_kind.clone()), portal);
            if let Some(other) = earlier.filter(|_| is_named(settings, feed)) {
                let text = format!(
                    "reads the view {of_kind} by default, as portal {other} does, unless vitrina_{portal}_{feed} exists; give it a query or that view"
                );
                problems.warning(format!("portals.{portal}.feeds.{feed}"), text);
            }
        }
    }
}

fn is_named(portal: &Table, feed: &str) -> bool {
    portal.table("feeds").is_some_and(|feeds| feeds.contains_key(feed))
}

/// The source whose view a feed reads, if it reads one: `*` when that depends on which source has it.
fn read_by_view(portal: &Table, feed: &str, sources: &[String]) -> Option<String> {
    let section = portal.table("feeds").and_then(|feeds| feeds.table(feed));
    match (section, sources) {
        (Some(section), _) if section.contains_key("query") => None,
        (Some(section), _) => section.text("source").map(str::to_owned),
        (None, [only]) => Some(only.clone()),
        (None, _) => Some("*".to_owned()),
    }
}
