//! Assembly: from a configuration to open sources, portals, ledger and lines. `run`, `sync` and `demo` all start here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;

use crate::config::{ActiveFeed, Config, PortalConfig, PortalKind, Problems, Relation, Schedule, SourceConfig};
use crate::ledger::{AnyLedger, Ledger, LedgerError, MemoryLedger};
use crate::portal::fer::{FerPortal, FerSettings};
use crate::portal::{AnyPortal, Portal};
use crate::record::{EncodeSettings, VisitTimeZone};
use crate::source::{AnySource, Source, SourceError, SourceSettings};
use crate::sync::{Clock, ErrorBudget, FeedPlan, FuseSettings, Line, LineSettings, OnConflict};
use crate::telemetry::{Metrics, PortalMeter, RetryReason};
use crate::transport::{ClientError, Level, Pauses, RetryTiming, RetryTimingError, Witness};

/// A line of the real process.
pub type AnyLine = Line<AnySource, AnyPortal, AnyLedger>;

/// How long a scan waits for a portal before it is closed as incomplete.
const SCAN_STALL: Duration = Duration::from_secs(60);
/// How long one cycle may spend on removals and contests before other changes get their turn.
const SLICE: Duration = Duration::from_secs(5);
/// How long a unit stays paused when the portal has blocked it for the first time.
const UNIT_PAUSE: Duration = Duration::from_secs(3600);

/// Whether the ledger is opened for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// For `run` and `sync`: one process at a time.
    Write,
    /// For a dry run: beside a running daemon.
    Read,
}

/// Everything that a configuration names, open.
pub struct Assembly {
    /// What is remembered.
    pub ledger: Arc<AnyLedger>,
    /// One line a portal, in the configuration's order.
    pub lines: Vec<Arc<AnyLine>>,
    /// When each feed runs, by portal and feed.
    pub schedules: BTreeMap<(String, &'static str), (Schedule, Tz)>,
}

/// Why a configuration could not be brought to life.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// A source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A portal's settings.
    #[error("portals.{portal}: {source}")]
    Portal {
        /// Its name.
        portal: String,
        /// What is wrong.
        source: ClientError,
    },
    /// A portal's retry settings.
    #[error("portals.{portal}.{source}")]
    Retry {
        /// Its name.
        portal: String,
        /// What is wrong.
        source: RetryTimingError,
    },
    /// What is on and what is not does not fit together.
    #[error("{0}")]
    Feeds(Problems),
    /// A feed that was filled before has lost its view.
    #[error(
        "portals.{portal}.feeds.{feed}: the ledger knows {records} records of it, but it has neither a section nor a view any more; \
         create the view again, or give the feed a section"
    )]
    Lost {
        /// The portal.
        portal: String,
        /// The feed.
        feed: String,
        /// How many.
        records: u64,
    },
}

/// Opens a source of a configuration. Does not connect yet.
pub fn open_source(name: &str, source: &SourceConfig) -> Result<AnySource, SourceError> {
    AnySource::open(SourceSettings {
        name: name.to_owned(),
        url: source.url.expose().to_owned(),
        password: source.password.clone(),
        zone: source.timezone,
        statement_timeout: source.statement_timeout,
        connect_timeout: source.connect_timeout,
    })
}

fn open_sources(config: &Config) -> Result<BTreeMap<String, Arc<AnySource>>, SourceError> {
    config.sources.iter().map(|(name, source)| Ok((name.clone(), Arc::new(open_source(name, source)?)))).collect()
}

/// Asks the sources which default views exist, and so which feeds are on.
async fn active_feeds(
    config: &Config,
    sources: &BTreeMap<String, Arc<AnySource>>,
) -> Result<(Vec<ActiveFeed>, Problems), SourceError> {
    let mut existing = BTreeSet::new();
    for relation in config.relations_in_question() {
        if let Some(source) = sources.get(&relation.source)
            && source.has_relation(&relation.name).await?
        {
            existing.insert(Relation { source: relation.source, name: relation.name });
        }
    }
    Ok(config.active_feeds(&existing))
}

/// Opens the portal that a section describes.
pub fn open_portal(name: &str, portal: &PortalConfig, metrics: &Metrics) -> Result<AnyPortal, AssemblyError> {
    match portal.kind {
        PortalKind::Fer => {
            let settings = FerSettings {
                url: portal.url.clone(),
                username: portal.username.clone(),
                password: portal.password.clone(),
                timeout: portal.timeout,
                requests_per_second: portal.requests_per_second,
                gzip_level: Level::new(portal.gzip_level).unwrap_or_default(),
                ca_file: portal.ca_file.clone(),
                pauses: Pauses::DEFAULT,
            };
            let failed = |source| AssemblyError::Portal { portal: name.to_owned(), source };
            Ok(AnyPortal::Fer(FerPortal::new(settings, Some(witness(metrics.portal(name)))).map_err(failed)?))
        }
    }
}

/// Reports a portal's requests to the metrics.
fn witness(meter: PortalMeter) -> Witness {
    Arc::new(move |exchange| {
        meter.request(exchange.status.unwrap_or(0), exchange.elapsed);
        meter.sent(exchange.raw_bytes, exchange.sent_bytes);
        match exchange.status {
            Some(401) => meter.retry(RetryReason::Token),
            Some(413) => meter.retry(RetryReason::Split),
            None | Some(408 | 429 | 500..=599) => meter.retry(RetryReason::Failure),
            Some(_) => {}
        }
    })
}

impl Assembly {
    /// Opens everything. Sources are asked for their views; portals are not spoken to yet.
    pub async fn open(config: &Config, metrics: &Metrics, access: Access) -> Result<Self, AssemblyError> {
        let sources = open_sources(config)?;
        let url = &config.ledger.url;
        let is_there = url.sqlite_path().is_none_or(|path| std::path::Path::new(path).exists());
        let ledger = Arc::new(match access {
            Access::Write => AnyLedger::open(url.expose()).await?,
            Access::Read if is_there => AnyLedger::open_read_only(url.expose()).await?,
            // Before the first pass there is nothing to remember, and a dry run leaves no file behind.
            Access::Read => AnyLedger::Memory(MemoryLedger::new()),
        });
        let (active, problems) = active_feeds(config, &sources).await?;
        if problems.errors() > 0 {
            return Err(AssemblyError::Feeds(problems));
        }
        refuse_lost_feeds(config, &ledger, &active).await?;
        let mut lines = Vec::new();
        let mut schedules = BTreeMap::new();
        for (name, portal) in &config.portals {
            let feeds: Vec<&ActiveFeed> = active.iter().filter(|feed| &feed.portal == name).collect();
            for feed in &feeds {
                metrics.announce_feed(name, feed.feed);
                schedules.insert((name.clone(), feed.feed), (feed.config.schedule.clone(), feed.zone));
            }
            lines.push(Arc::new(open_line(name, portal, &feeds, &sources, &ledger, metrics, access).await?));
        }
        Ok(Assembly { ledger, lines, schedules })
    }
}

async fn refuse_lost_feeds(config: &Config, ledger: &AnyLedger, active: &[ActiveFeed]) -> Result<(), AssemblyError> {
    for known in ledger.feeds().await? {
        let counts = known.counts;
        let records = counts.accepted + counts.pending + counts.held + counts.rejected + counts.unknown;
        let on = active.iter().any(|feed| feed.portal == known.portal && feed.feed == known.feed);
        if !on && records > 0 && config.portals.contains_key(&known.portal) {
            return Err(AssemblyError::Lost { portal: known.portal, feed: known.feed, records });
        }
    }
    Ok(())
}

async fn open_line(
    name: &str,
    portal: &PortalConfig,
    feeds: &[&ActiveFeed],
    sources: &BTreeMap<String, Arc<AnySource>>,
    ledger: &Arc<AnyLedger>,
    metrics: &Metrics,
    access: Access,
) -> Result<AnyLine, AssemblyError> {
    let wire = open_portal(name, portal, metrics)?;
    let plans = feeds.iter().filter_map(|feed| plan(portal, feed, sources, &wire)).collect();
    let retry = RetryTiming::new(portal.retry.initial, portal.retry.max);
    let settings = LineSettings {
        in_flight: portal.in_flight.get() as usize,
        retry: retry.map_err(|source| AssemblyError::Retry { portal: name.to_owned(), source })?,
        slow_retry: portal.slow_retry,
        unit_pause: UNIT_PAUSE,
        unit_error_budget: ErrorBudget {
            rejects: portal.unit_error_budget.rejects,
            window: portal.unit_error_budget.window,
        },
        scan_stall: SCAN_STALL,
        fuse: FuseSettings { share: portal.fuse.share, min: portal.fuse.min },
        on_conflict: match portal.on_conflict {
            crate::config::OnConflict::Report => OnConflict::Report,
            crate::config::OnConflict::Replace => OnConflict::Replace,
            crate::config::OnConflict::Adopt => OnConflict::Adopt,
        },
        slice: SLICE,
        read_only: access == Access::Read,
        seed: rand::random(),
    };
    Ok(Line::open(name, wire, Arc::clone(ledger), plans, settings, Clock::system()).await?)
}

fn plan(
    portal: &PortalConfig,
    feed: &ActiveFeed,
    sources: &BTreeMap<String, Arc<AnySource>>,
    wire: &AnyPortal,
) -> Option<FeedPlan<AnySource>> {
    let schema = wire.schemas().iter().copied().find(|schema| schema.feed == feed.feed)?;
    let visit_time_zone = match portal.visit_time_zone {
        crate::config::VisitTimeZone::Source => VisitTimeZone::Source,
        crate::config::VisitTimeZone::Utc => VisitTimeZone::Utc,
        crate::config::VisitTimeZone::Offset => VisitTimeZone::Offset,
    };
    let mut defaults = BTreeMap::new();
    if let Some(id) = &portal.no_referral_id
        && feed.feed == "book"
    {
        defaults.insert("referral_id".to_owned(), id.clone());
    }
    Some(FeedPlan {
        schema,
        source: Arc::clone(sources.get(&feed.config.source)?),
        query: feed.query.clone(),
        changed_at: feed.config.changed_at.clone(),
        full_every: feed.config.full_every,
        overlap: feed.config.overlap,
        encode: EncodeSettings { zone: feed.zone, visit_time_zone, defaults, salt: None },
        batch: (feed.batch as usize).min(wire.most_records(schema)),
        max_batch_bytes: portal.max_batch_bytes,
        urgent: schema.urgent,
    })
}
