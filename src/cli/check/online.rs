//! The online part of `check`: what the configuration names must answer, and fit.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use tokio::time::timeout;

use super::{columns, ledger, rows, skew};
use crate::config::{ActiveFeed, Config, PortalConfig, Problems, Relation, SourceConfig};
use crate::daemon::notices::Notices;
use crate::record::Schema;
use crate::source::{Advice, Query, Source, SourceError};

/// Longest time for everything that is asked of one source, or of one portal.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the check asks of the outside.
pub trait World: Sync {
    /// A database that is read.
    type Source: Source;

    /// Connects to a source.
    fn connect(
        &self,
        name: &str,
        config: &SourceConfig,
    ) -> impl Future<Output = Result<Self::Source, SourceError>> + Send;

    /// Begins a transaction with the account that may write, and ends it. The error is a sentence without secrets.
    fn connect_for_writing(&self, name: &str, config: &SourceConfig)
    -> impl Future<Output = Result<(), String>> + Send;

    /// What the account that may write would get from the statements of bookings, by their keys: the columns, where the database can tell them
    /// without running anything, or a sentence without secrets.
    fn booking_columns(
        &self,
        config: &Config,
    ) -> impl Future<Output = Result<Vec<(&'static str, BookingColumns)>, String>> + Send;

    /// Gets a token from a portal and looks at its clock: its time minus ours, none where it tells no time. The error is a
    /// sentence without secrets.
    fn sign_in(
        &self,
        name: &str,
        config: &PortalConfig,
    ) -> impl Future<Output = Result<Option<TimeDelta>, String>> + Send;

    /// The schemas of a kind of portal.
    fn schemas(&self, portal: &PortalConfig) -> &'static [&'static Schema];
}

/// The columns of one statement; none where nobody can tell them.
pub type BookingColumns = Result<Option<Vec<String>>, String>;

/// A source that answered, with the relations in question that it has.
struct Reached<'a, S> {
    name: &'a str,
    source: S,
    relations: BTreeSet<Relation>,
    advice: Vec<Advice>,
}

/// Checks everything that the configuration names.
pub(super) async fn check<W: World>(config: &Config, world: &W) -> Problems {
    let (mut problems, signed_in, booking) =
        tokio::join!(sources(config, world), portals(config, world), booking(config, world));
    problems.extend(signed_in);
    problems.extend(booking);
    problems.extend(notices(config).await);
    if !config.portals.is_empty() {
        ledger::check(&config.ledger, &mut problems);
    }
    problems
}

async fn sources<W: World>(config: &Config, world: &W) -> Problems {
    let mut problems = Problems::default();
    let mut reached = Vec::new();
    let questions = config.relations_in_question();
    let answers = config.sources.iter().map(|(name, source)| reach(world, name, source, &questions));
    for (name, answer) in config.sources.keys().zip(join_all(answers).await) {
        match answer {
            Ok(mut source) => {
                for advice in source.advice.drain(..) {
                    problems.warning(format!("sources.{name}.{}", advice.key), advice.text);
                }
                reached.push(source);
            }
            Err(text) => problems.error(format!("sources.{name}"), text),
        }
    }
    let existing = reached.iter().flat_map(|source| source.relations.iter().cloned()).collect();
    let (active, undecided) = config.active_feeds(&existing);
    if reached.len() == config.sources.len() {
        // Otherwise a view may be where nobody answered, and the one error about that says enough.
        problems.extend(undecided);
    }
    for found in join_all(reached.iter().map(|source| feeds(config, world, source, &active))).await {
        problems.extend(found);
    }
    problems
}

async fn reach<'a, W: World>(
    world: &W,
    name: &'a str,
    config: &SourceConfig,
    questions: &BTreeSet<Relation>,
) -> Result<Reached<'a, W::Source>, String> {
    let asked = async {
        let source = world.connect(name, config).await?;
        let mut relations = BTreeSet::new();
        for question in questions.iter().filter(|question| question.source == name) {
            if source.has_relation(&question.name).await? {
                relations.insert(question.clone());
            }
        }
        let advice = source.advice().await?;
        Ok::<_, SourceError>(Reached { name, source, relations, advice })
    };
    in_time(asked).await?.map_err(|error| error.to_string())
}

/// Compares the queries of all active feeds of a source with their schemas.
async fn feeds<W: World>(
    config: &Config,
    world: &W,
    reached: &Reached<'_, W::Source>,
    active: &[ActiveFeed],
) -> Problems {
    let mut problems = Problems::default();
    let schemas: BTreeMap<&str, &'static [&'static Schema]> =
        config.portals.iter().map(|(name, portal)| (name.as_str(), world.schemas(portal))).collect();
    for feed in active.iter().filter(|feed| feed.config.source == reached.name) {
        let of_portal = schemas.get(feed.portal.as_str()).copied().unwrap_or_default();
        let Some(schema) = of_portal.iter().find(|schema| schema.feed == feed.feed) else { continue };
        let label = format!("{}.{}", feed.portal, feed.feed);
        match in_time(reached.source.columns(Query { label: &label, sql: &feed.query })).await {
            Ok(Ok(given)) => {
                columns::compare(feed, schema, &given, &mut problems);
                let kind = config.portals.get(&feed.portal).map_or("", |portal| portal.kind().name());
                let advised = rows::advise((kind, feed, schema), &reached.source, &mut problems);
                // The rows of a large view may take longer than anybody waits for a warning.
                if let Ok(Err(error)) = in_time(advised).await {
                    problems.error(format!("portals.{}.feeds.{}", feed.portal, feed.feed), error.to_string());
                }
            }
            Ok(Err(error)) => problems.error(format!("portals.{}.feeds.{}", feed.portal, feed.feed), error.to_string()),
            Err(text) => problems.error(format!("portals.{}.feeds.{}", feed.portal, feed.feed), text),
        }
    }
    problems
}

async fn portals<W: World>(config: &Config, world: &W) -> Problems {
    let mut problems = Problems::default();
    let answers = config.portals.iter().map(|(name, portal)| in_time(world.sign_in(name, portal)));
    for ((name, portal), answer) in config.portals.iter().zip(join_all(answers).await) {
        let key = format!("portals.{name}");
        match answer.and_then(|answer| answer) {
            Ok(Some(found)) => skew::judge(&key, found, &mut problems),
            Ok(None) => {}
            // `host` means a tunnel, and only the tunnel knows which certificate or suite was refused.
            Err(text) if portal.host.is_some() => {
                problems.error(key, format!("{text}; requests go through a tunnel: see what the tunnel logs"));
            }
            Err(text) => problems.error(key, text),
        }
    }
    problems
}

/// Whoever is to be told must be reachable; nobody is told anything.
async fn notices(config: &Config) -> Problems {
    let mut problems = Problems::default();
    match Notices::open(config) {
        Ok(Some(notices)) => {
            for (key, error) in notices.check().await {
                problems.error(key, error.to_string());
            }
        }
        Ok(None) => {}
        Err(error) => problems.error("notify", error.to_string()),
    }
    problems
}

/// Bookings are written by an account of their own, which nothing else would try before the first citizen does.
async fn booking<W: World>(config: &Config, world: &W) -> Problems {
    let mut problems = Problems::default();
    let Some(booking) = &config.booking else { return problems };
    let Some(source) = config.sources.get(&booking.source) else { return problems };
    let key = if source.write_url.is_some() { "write_url" } else { "url" };
    let connected = in_time(world.connect_for_writing(&booking.source, source)).await;
    if let Err(text) = connected.and_then(|connected| connected) {
        problems.error(format!("sources.{}.{key}", booking.source), format!("booking cannot write there: {text}"));
        return problems;
    }
    match in_time(world.booking_columns(config)).await.and_then(|columns| columns) {
        Ok(columns) => super::booking::compare(&columns, &mut problems),
        Err(text) => problems.warning("booking", format!("the columns of its statements cannot be looked at: {text}")),
    }
    problems
}

async fn in_time<T>(asked: impl Future<Output = T>) -> Result<T, String> {
    timeout(PATIENCE, asked).await.map_err(|_| format!("did not answer within {} seconds", PATIENCE.as_secs()))
}

#[cfg(test)]
mod tests;
