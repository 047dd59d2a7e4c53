//! Assembly: from a configuration to open sources, portals, ledger and lines. `run`, `sync` and `demo` all start here.

mod ekdo;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};

pub use record::account;

use super::write_back::{SiteStatements, open_writer};
use crate::config::{
    ActiveFeed, Config, FerConfig, LedgerConfig, NmoConfig, OnUnknownOutcome, Own, PlanCheck, PortalConfig, PosConfig,
    Problems, Relation, Schedule, SignatureEncoding, SourceConfig, SoutConfig, WebhookRemove, WebhookUpdate,
};
use crate::ledger::{AnyLedger, Ledger, LedgerError, MemoryLedger, PortalSecrets};
use crate::portal::fer::{self, FerPortal, FerSettings, WebhookMethods};
use crate::portal::nmo::{NmoPortal, NmoSettings};
use crate::portal::pos::{PosPortal, PosSettings};
use crate::portal::sout::{SigEncoding, SignSettings, SoutPortal, SoutSettings};
use crate::portal::{AnyPortal, Portal};
use crate::record::{EncodeSettings, Salt, VisitTimeZone};
use crate::recording::Recorder;
use crate::serve::platform::TemplateError;
use crate::source::{AnySource, ScriptError, Source, SourceError, SourceSettings, Writer};
use crate::sync::{
    Clock, ErrorBudget, ExchangeSettings, FeedPlan, FuseSettings, Line, LineSettings, OnConflict, OnUnknown, WriteBack,
};
use crate::telemetry::{Metrics, PortalMeter, RetryReason};
use crate::transport::{
    ClientError, Level, Pauses, RefusedLogins, RetryTiming, RetryTimingError, SecretStore, SecretStoreError, Witness,
};

/// A line of the real process.
pub type AnyLine = Line<AnySource, AnyPortal, AnyLedger>;

/// How long a scan waits for a portal before it is closed as incomplete.
const SCAN_STALL: Duration = Duration::from_secs(60);
/// How long one cycle may spend on removals and contests before other changes get their turn.
const SLICE: Duration = Duration::from_secs(5);
/// How long a unit stays paused when the portal has blocked it for the first time.
const UNIT_PAUSE: Duration = Duration::from_secs(3600);

/// Name of the salt among a portal's secrets.
const SALT: &str = "salt";
/// The budget where no record belongs to a unit.
const NO_UNITS: ErrorBudget = ErrorBudget { rejects: u32::MAX, window: UNIT_PAUSE };
/// The fuse where nothing can be removed.
const NO_REMOVAL: FuseSettings = FuseSettings { share: 1.0, min: u64::MAX };

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
    /// Records every exchange of the lines; none where nothing is recorded.
    pub recorder: Option<Arc<Recorder>>,
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
        source: OpenError,
    },
    /// Where a platform's specialists are sent on to.
    #[error("portals.{portal}.platform.redirect_template: {source}")]
    Template {
        /// The portal's name.
        portal: String,
        /// What is wrong.
        source: TemplateError,
    },
    /// A portal's retry settings.
    #[error("portals.{portal}.{source}")]
    Retry {
        /// Its name.
        portal: String,
        /// What is wrong.
        source: RetryTimingError,
    },
    /// The statements of a feed.
    #[error("{key}: {source}")]
    Statements {
        /// The configuration's key.
        key: String,
        /// What is wrong.
        source: ScriptError,
    },
    /// What the ledger keeps for a portal.
    #[error(transparent)]
    Secrets(#[from] SecretStoreError),
    /// The folder of the recording.
    #[error(
        "record.dir: {dir} cannot be written to ({source}); make it a folder of the daemon's account, or name another one"
    )]
    Record {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
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

/// Why a portal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its client cannot be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// This version knows the kind's configuration and not its wire.
    #[error("this version cannot write to portals of kind {0}; remove the section")]
    Absent(&'static str),
}

/// Opens a source of a configuration, to look at it. Does not connect yet.
pub fn open_source(name: &str, source: &SourceConfig) -> Result<AnySource, SourceError> {
    open_source_in(name, source, std::env::temp_dir())
}

/// Opens a source whose rows may wait in a folder.
fn open_source_in(name: &str, source: &SourceConfig, spool_folder: PathBuf) -> Result<AnySource, SourceError> {
    AnySource::open(SourceSettings {
        name: name.to_owned(),
        url: source.url.expose().to_owned(),
        password: source.password.clone(),
        zone: source.timezone,
        statement_timeout: source.statement_timeout,
        connect_timeout: source.connect_timeout,
        spool_folder,
    })
}

/// A source, open for both directions. Nothing is connected before it is needed.
struct Database<'a> {
    config: &'a SourceConfig,
    reader: Arc<AnySource>,
    writer: Writer,
}

/// The sources by name.
type Databases<'a> = BTreeMap<&'a str, Database<'a>>;

/// The ledger's folder: a local disk that only the daemon's user may look into.
fn spool_folder(ledger: &LedgerConfig) -> PathBuf {
    let folder = ledger.url.sqlite_path().and_then(|path| Path::new(path).parent());
    match folder {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        None => std::env::temp_dir(),
    }
}

fn open_databases(config: &Config) -> Result<Databases<'_>, SourceError> {
    let mut databases = Databases::new();
    let folder = spool_folder(&config.ledger);
    for (name, source) in &config.sources {
        let (reader, writer) = (Arc::new(open_source_in(name, source, folder.clone())?), open_writer(name, source)?);
        databases.insert(name, Database { config: source, reader, writer });
    }
    Ok(databases)
}

/// Asks the sources which default views exist, and so which feeds are on.
async fn active_feeds(config: &Config, databases: &Databases<'_>) -> Result<(Vec<ActiveFeed>, Problems), SourceError> {
    let mut existing = BTreeSet::new();
    for relation in config.relations_in_question() {
        if let Some(database) = databases.get(relation.source.as_str())
            && database.reader.has_relation(&relation.name).await?
        {
            existing.insert(Relation { source: relation.source, name: relation.name });
        }
    }
    Ok(config.active_feeds(&existing))
}

/// Opens the portal that a section describes. `secrets` outlive the process: what the portal exchanges for something new is kept there.
pub fn open_portal(
    name: &str,
    portal: &PortalConfig,
    metrics: &Metrics,
    secrets: Arc<dyn SecretStore>,
) -> Result<AnyPortal, AssemblyError> {
    let witness = witness(metrics.portal(name));
    let refused = RefusedLogins::new(Arc::clone(&secrets), portal.url.as_str(), &credentials(&portal.own));
    let opened = match &portal.own {
        Own::Fer(own) => open_fer(portal, own, witness),
        Own::Sout(own) => open_sout(portal, own, witness),
        Own::Nmo(own) => open_nmo(portal, own, witness),
        Own::Pos(own) => open_pos(portal, own, secrets, witness),
        Own::Ekdo(own) => ekdo::open(portal, own, witness),
    };
    let opened = opened.map_err(|source| AssemblyError::Portal { portal: name.to_owned(), source })?;
    opened.remember_refusals(refused);
    if let Some(host) = &portal.host {
        opened.name_host(host.clone());
    }
    Ok(opened)
}

/// What a portal is logged in at with; nothing where there is no login.
fn credentials(own: &Own) -> Vec<&str> {
    match own {
        Own::Fer(own) => vec![&own.username, own.password.expose_secret()],
        Own::Nmo(own) => {
            [&own.client_id, &own.client_secret, &own.username, &own.password].map(ExposeSecret::expose_secret).into()
        }
        Own::Ekdo(own) => [&own.username, &own.password, &own.user_id].map(ExposeSecret::expose_secret).into(),
        Own::Sout(_) | Own::Pos(_) => Vec::new(),
    }
}

fn open_fer(portal: &PortalConfig, own: &FerConfig, witness: Witness) -> Result<AnyPortal, OpenError> {
    let settings = FerSettings {
        url: portal.url.clone(),
        username: own.username.clone(),
        password: own.password.clone(),
        timeout: portal.timeout,
        requests_per_second: portal.requests_per_second,
        gzip_level: Level::new(own.gzip_level).unwrap_or_default(),
        ca_file: portal.ca_file.clone(),
        pauses: Pauses::DEFAULT,
        webhook: webhook_methods(own),
        referral_required: referral_required(own),
    };
    Ok(AnyPortal::Fer(Box::new(FerPortal::new(settings, Some(witness))?)))
}

/// Which part of FER's document says what a referral must hold.
pub fn referral_required(own: &FerConfig) -> fer::ReferralRequired {
    match own.referral_required {
        crate::config::ReferralRequired::Table => fer::ReferralRequired::Table,
        crate::config::ReferralRequired::Scenario => fer::ReferralRequired::Scenario,
    }
}

fn webhook_methods(own: &FerConfig) -> WebhookMethods {
    WebhookMethods {
        update: match own.webhook_update {
            WebhookUpdate::Put => Method::PUT,
            WebhookUpdate::Post => Method::POST,
            WebhookUpdate::Get => Method::GET,
        },
        remove: match own.webhook_remove {
            WebhookRemove::Delete => Method::DELETE,
            WebhookRemove::Get => Method::GET,
        },
    }
}

fn open_sout(portal: &PortalConfig, own: &SoutConfig, witness: Witness) -> Result<AnyPortal, OpenError> {
    let encoding = match own.sig_encoding {
        SignatureEncoding::Base64 => SigEncoding::Base64,
        SignatureEncoding::Der => SigEncoding::Der,
    };
    let sign = own.sign_command.clone().map(|command| SignSettings { command, encoding, timeout: own.sign_timeout });
    let settings = SoutSettings {
        url: portal.url.clone(),
        api_key: own.api_key.clone(),
        timeout: portal.timeout,
        requests_per_second: portal.requests_per_second,
        ca_file: portal.ca_file.clone(),
        sign,
        page_size: own.page_size,
        absent_after: own.absent_after,
        several_at_once: portal.in_flight.get() > 1,
    };
    Ok(AnyPortal::Sout(Box::new(SoutPortal::new(settings, Some(witness))?)))
}

fn open_nmo(portal: &PortalConfig, own: &NmoConfig, witness: Witness) -> Result<AnyPortal, OpenError> {
    let settings = NmoSettings {
        url: portal.url.clone(),
        client_id: own.client_id.clone(),
        client_secret: own.client_secret.clone(),
        username: own.username.clone(),
        password: own.password.clone(),
        timeout: portal.timeout,
        requests_per_second: portal.requests_per_second,
        ca_file: portal.ca_file.clone(),
        pauses: Pauses::GUARDING,
        check_plan: own.check_plan == PlanCheck::BeforeStart,
        reviewer_snils: own.platform.as_ref().and_then(|platform| platform.reviewer_snils.clone()),
    };
    Ok(AnyPortal::Nmo(Box::new(NmoPortal::new(settings, Some(witness))?)))
}

fn open_pos(
    portal: &PortalConfig,
    own: &PosConfig,
    secrets: Arc<dyn SecretStore>,
    witness: Witness,
) -> Result<AnyPortal, OpenError> {
    let settings = PosSettings {
        url: portal.url.clone(),
        access_token: own.access_token.clone(),
        refresh_token: own.refresh_token.clone(),
        expires_at: own.expires_in,
        name: own.name.clone(),
        refresh_path: own.refresh_path.clone(),
        timeout: portal.timeout,
        requests_per_second: portal.requests_per_second,
        ca_file: portal.ca_file.clone(),
        pauses: Pauses::DEFAULT,
    };
    Ok(AnyPortal::Pos(Box::new(PosPortal::new(settings, secrets, Some(witness))?)))
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
        let databases = open_databases(config)?;
        let url = &config.ledger.url;
        let is_there = url.sqlite_path().is_none_or(|path| std::path::Path::new(path).exists());
        let ledger = Arc::new(match access {
            // Nothing is remembered of portals that are not there.
            _ if config.portals.is_empty() => AnyLedger::Memory(MemoryLedger::new()),
            Access::Write => AnyLedger::open(url.expose()).await?,
            Access::Read if is_there => AnyLedger::open_read_only(url.expose()).await?,
            // Before the first pass there is nothing to remember, and a dry run leaves no file behind.
            Access::Read => AnyLedger::Memory(MemoryLedger::new()),
        });
        let recorder = match access {
            Access::Write => record::start(config, &ledger, metrics).await?,
            // A dry run sends nothing.
            Access::Read => None,
        };
        Assembly::open_with(config, metrics, ledger, &databases, access, Vec::new(), recorder).await
    }

    /// Opens the portals of a configuration over an open ledger, but for those whose lines are kept.
    pub(super) async fn open_over(
        config: &Config,
        metrics: &Metrics,
        ledger: Arc<AnyLedger>,
        kept: Vec<Arc<AnyLine>>,
        recorder: Option<Arc<Recorder>>,
    ) -> Result<Self, AssemblyError> {
        let databases = open_databases(config)?;
        Assembly::open_with(config, metrics, ledger, &databases, Access::Write, kept, recorder).await
    }

    /// The lines that a configuration of which these sections have changed leaves as they are, by the portals' names. Fails where it could
    /// not be brought to life.
    pub(super) async fn keeps<'a>(
        config: &Config,
        metrics: &Metrics,
        ledger: &Arc<AnyLedger>,
        lines: &'a [Arc<AnyLine>],
        changed: &BTreeSet<String>,
    ) -> Result<BTreeSet<&'a str>, AssemblyError> {
        let databases = open_databases(config)?;
        let active = feeds_that_are_on(config, ledger, &databases).await?;
        for (name, portal) in &config.portals {
            open_portal(name, portal, metrics, Arc::new(PortalSecrets::new(Arc::clone(ledger), name)))?;
        }
        let stays = |line: &&Arc<AnyLine>| {
            let feeds = active.iter().filter(|feed| feed.portal == line.name);
            let same_sources = feeds.clone().all(|feed| !changed.contains(&format!("sources.{}", feed.config.source)));
            let on: BTreeSet<&str> = feeds.map(|feed| feed.feed).collect();
            let were_on: BTreeSet<&str> = line.feeds().iter().map(|feed| feed.plan.schema.feed).collect();
            let is_same = !changed.contains(&format!("portals.{}", line.name));
            config.portals.contains_key(&line.name) && is_same && same_sources && on == were_on
        };
        Ok(lines.iter().filter(stays).map(|line| line.name.as_str()).collect())
    }

    async fn open_with(
        config: &Config,
        metrics: &Metrics,
        ledger: Arc<AnyLedger>,
        databases: &Databases<'_>,
        access: Access,
        kept: Vec<Arc<AnyLine>>,
        recorder: Option<Arc<Recorder>>,
    ) -> Result<Self, AssemblyError> {
        let active = feeds_that_are_on(config, &ledger, databases).await?;
        let mut lines = Vec::new();
        let mut schedules = BTreeMap::new();
        for (name, portal) in &config.portals {
            let feeds: Vec<&ActiveFeed> = active.iter().filter(|feed| &feed.portal == name).collect();
            metrics.announce_portal(name);
            for feed in &feeds {
                metrics.announce_feed(name, feed.feed);
                schedules.insert((name.clone(), feed.feed), (feed.config.schedule.clone(), feed.zone));
            }
            lines.push(match kept.iter().find(|line| line.name == *name) {
                Some(line) => Arc::clone(line),
                None => {
                    let line = Box::pin(open_line(name, portal, &feeds, databases, &ledger, metrics, access)).await?;
                    if let Some(recorder) = &recorder {
                        line.portal().record_to(record::tape(recorder, name, portal));
                    }
                    Arc::new(line)
                }
            });
        }
        Ok(Assembly { ledger, lines, schedules, recorder })
    }
}

async fn feeds_that_are_on(
    config: &Config,
    ledger: &AnyLedger,
    databases: &Databases<'_>,
) -> Result<Vec<ActiveFeed>, AssemblyError> {
    let (active, problems) = active_feeds(config, databases).await?;
    if problems.errors() > 0 {
        return Err(AssemblyError::Feeds(problems));
    }
    refuse_lost_feeds(config, ledger, &active).await?;
    Ok(active)
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
    databases: &Databases<'_>,
    ledger: &Arc<AnyLedger>,
    metrics: &Metrics,
    access: Access,
) -> Result<AnyLine, AssemblyError> {
    let secrets: Arc<dyn SecretStore> = Arc::new(PortalSecrets::new(Arc::clone(ledger), name));
    let wire = open_portal(name, portal, metrics, Arc::clone(&secrets))?;
    let salt = match wire.schemas().iter().any(|schema| !schema.derived_key.is_empty()) {
        true => Some(salt(&*secrets, access).await?),
        false => None,
    };
    let mut plans = Vec::new();
    for feed in feeds {
        plans.extend(plan(portal, feed, databases, &wire, salt.clone())?);
    }
    let retry = RetryTiming::new(portal.retry.initial, portal.retry.max);
    let settings = LineSettings {
        in_flight: portal.in_flight.get() as usize,
        retry: retry.map_err(|source| AssemblyError::Retry { portal: name.to_owned(), source })?,
        slow_retry: portal.slow_retry,
        unit_pause: UNIT_PAUSE,
        unit_error_budget: unit_error_budget(portal),
        scan_stall: SCAN_STALL,
        fuse: portal.fuse().map_or(NO_REMOVAL, |fuse| FuseSettings { share: fuse.share, min: fuse.min }),
        on_conflict: on_conflict(portal),
        exchange: exchange(portal),
        slice: SLICE,
        read_only: access == Access::Read,
        seed: rand::random(),
    };
    Ok(Line::open(name, wire, Arc::clone(ledger), plans, settings, Clock::system()).await?)
}

/// The salt of keys that are derived from what nobody may see. With another one every record would be a new one.
async fn salt(secrets: &dyn SecretStore, access: Access) -> Result<Salt, SecretStoreError> {
    Ok(Salt::new(lasting(secrets, SALT, access).await?.expose_secret().as_bytes()))
}

/// A random secret that is made once and kept.
async fn lasting(
    secrets: &dyn SecretStore,
    name: &'static str,
    access: Access,
) -> Result<SecretString, SecretStoreError> {
    if let Some(kept) = secrets.read(name).await? {
        return Ok(kept);
    }
    let made: [u8; 32] = rand::random();
    let made: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
    // A dry run before the first pass keeps nothing: every record is new to it anyway.
    if access == Access::Write {
        secrets.keep(name, made.clone().into()).await?;
    }
    Ok(made.into())
}

/// Only records of a FER gateway belong to units that it may block.
fn unit_error_budget(portal: &PortalConfig) -> ErrorBudget {
    match &portal.own {
        Own::Fer(own) => ErrorBudget { rejects: own.unit_error_budget.rejects, window: own.unit_error_budget.window },
        Own::Sout(_) | Own::Nmo(_) | Own::Pos(_) | Own::Ekdo(_) => NO_UNITS,
    }
}

/// Only records of a FER gateway hold places.
fn on_conflict(portal: &PortalConfig) -> OnConflict {
    match &portal.own {
        Own::Fer(own) => match own.on_conflict {
            crate::config::OnConflict::Report => OnConflict::Report,
            crate::config::OnConflict::Replace => OnConflict::Replace,
            crate::config::OnConflict::Adopt => OnConflict::Adopt,
        },
        Own::Sout(_) | Own::Nmo(_) | Own::Pos(_) | Own::Ekdo(_) => OnConflict::Report,
    }
}

/// What holds for records whose writes are exchanges.
fn exchange(portal: &PortalConfig) -> ExchangeSettings {
    let usual = ExchangeSettings::default();
    ExchangeSettings {
        inquire_every: portal.inquire_every().unwrap_or(usual.inquire_every),
        on_unknown: match portal.on_unknown_outcome() {
            OnUnknownOutcome::Ask => OnUnknown::Ask,
            OnUnknownOutcome::Resend => OnUnknown::Resend,
        },
    }
}

/// What the encoder is told beside the schema.
fn encode_settings(portal: &PortalConfig, feed: &ActiveFeed) -> EncodeSettings {
    let mut settings = EncodeSettings {
        zone: feed.zone,
        visit_time_zone: VisitTimeZone::Source,
        defaults: BTreeMap::new(),
        salt: None,
    };
    if let Own::Fer(own) = &portal.own {
        settings.visit_time_zone = match own.visit_time_zone {
            crate::config::VisitTimeZone::Source => VisitTimeZone::Source,
            crate::config::VisitTimeZone::Utc => VisitTimeZone::Utc,
            crate::config::VisitTimeZone::Offset => VisitTimeZone::Offset,
        };
        if let (Some(id), "book") = (&own.no_referral_id, feed.feed) {
            settings.defaults.insert("referral_id".to_owned(), id.clone());
        }
    }
    settings
}

fn plan(
    portal: &PortalConfig,
    feed: &ActiveFeed,
    databases: &Databases<'_>,
    wire: &AnyPortal,
    salt: Option<Salt>,
) -> Result<Option<FeedPlan<AnySource>>, AssemblyError> {
    let schema = wire.schemas().iter().copied().find(|schema| schema.feed == feed.feed);
    let (Some(schema), Some(database)) = (schema, databases.get(feed.config.source.as_str())) else { return Ok(None) };
    let key = SiteStatements::key(feed);
    let write_back = SiteStatements::of(portal, feed, database.config, &database.writer)
        .map_err(|source| AssemblyError::Statements { key, source })?;
    Ok(Some(FeedPlan {
        schema,
        source: Arc::clone(&database.reader),
        query: feed.query.clone(),
        changed_at: feed.config.changed_at.clone(),
        full_every: feed.config.full_every,
        sweep_every: feed.config.sweep_every,
        overlap: feed.config.overlap,
        encode: EncodeSettings { salt, ..encode_settings(portal, feed) },
        batch: (feed.batch as usize).min(wire.most_records(schema)),
        max_batch_bytes: portal.max_batch_bytes,
        urgent: schema.urgent,
        write_back: write_back.map(|statements| Arc::new(statements) as Arc<dyn WriteBack>),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(ledger: &MemoryLedger) -> PortalSecrets<MemoryLedger> {
        PortalSecrets::new(Arc::new(ledger.clone()), "nmo")
    }

    #[tokio::test]
    async fn a_salt_is_made_once_and_outlives_the_process() {
        let ledger = MemoryLedger::new();
        let kept = |ledger| async move {
            let kept = secrets(&ledger).read(SALT).await.expect("the secret");
            kept.map(|salt| salt.expose_secret().to_owned())
        };
        salt(&secrets(&ledger), Access::Read).await.expect("a salt");
        assert_eq!(kept(ledger.clone()).await, None, "a dry run keeps nothing");
        salt(&secrets(&ledger), Access::Write).await.expect("a salt");
        let first = kept(ledger.clone()).await.expect("a salt");
        assert_eq!(first.len(), 64);
        let ledger = ledger.crash();
        salt(&secrets(&ledger), Access::Write).await.expect("a salt");
        assert_eq!(kept(ledger).await, Some(first));
    }
}
