//! `vitrina run`: the daemon.

use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, Outcome};
use crate::config::{Config, LogFormat};
use crate::daemon::{self, Access, Assembly, AssemblyError, Daemon, DaemonSettings};
use crate::serve::Listener;
use crate::serve::platform::PlatformSettings;
use crate::source::SourceError;
use crate::telemetry::{self, Metrics};

/// First pause before a source that cannot be reached at the start is tried again; doubles up to a minute.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Options of `run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: super::ConfigFile,
}

/// The signals that end the process.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Runs the daemon until it is told to stop.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let loaded = args.config.load()?;
    let config = loaded.config;
    let format = match config.daemon.log_format {
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    telemetry::start_log(config.daemon.log_level.name(), format);
    for line in loaded.warnings.to_string().lines() {
        tracing::warn!("{line}");
    }
    let mut signals = Signals::new()?;
    let metrics = Metrics::new().context("cannot set up the metrics")?;
    let listener = Listener::bind(&config.serve.listen.to_string()).await.map_err(anyhow::Error::from)?;
    let address = listener.address;
    let platform = bind_platform(&config).await?;
    let booking = daemon::open_booking(&config, &metrics).await.map_err(anyhow::Error::from)?;
    if let Some(booking) = &booking {
        tracing::info!(address = %booking.address(), "bookings are answered");
    }
    let Some(assembly) = assemble(&config, &metrics, &mut signals).await? else { return Ok(Outcome::Done) };
    let settings = DaemonSettings { workers: config.daemon.workers, grace: config.daemon.grace };
    let mut daemon = Daemon::start(assembly, listener, metrics, settings).await.context("cannot start the clock")?;
    if let Some((listener, portals)) = platform {
        daemon.serve_platform(listener, portals);
    }
    if let Some(booking) = booking {
        daemon.serve_booking(booking);
    }
    daemon::tell_ready();
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "vitrina is up");
    until_told(daemon, &mut signals).await
}

/// The listener that portals of medical education call, and who may; none where no portal has a platform section.
async fn bind_platform(config: &Config) -> Result<Option<(Listener, Vec<PlatformSettings>)>, CliError> {
    let portals = daemon::platforms(config).map_err(anyhow::Error::from)?;
    let Some(address) = config.serve.platform_listen.filter(|_| !portals.is_empty()) else { return Ok(None) };
    let listener = Listener::bind_for("serve.platform_listen", &address.to_string()).await;
    Ok(Some((listener.map_err(anyhow::Error::from)?, portals)))
}

/// Opens everything. A source that cannot be reached yet, as after a power cut, is waited for; None when told to stop meanwhile.
async fn assemble(config: &Config, metrics: &Metrics, signals: &mut Signals) -> Result<Option<Assembly>, CliError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match Assembly::open(config, metrics, Access::Write).await {
            Ok(assembly) => return Ok(Some(assembly)),
            Err(AssemblyError::Source(error @ SourceError::Connect { .. })) => tracing::warn!("{error}; trying again"),
            Err(error) => return Err(CliError::Failed(error.into())),
        }
        if tokio::time::timeout(pause, signals.next()).await.is_ok() {
            return Ok(None);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn until_told(mut daemon: Daemon, signals: &mut Signals) -> Result<Outcome, CliError> {
    let failed = tokio::select! {
        () = signals.next() => None,
        task = daemon.failed() => Some(task),
    };
    match &failed {
        None => tracing::info!("told to stop"),
        Some(task) => tracing::error!("{task} ended unexpectedly; stopping"),
    }
    tokio::select! {
        finished = daemon.stop() => tracing::info!(finished, "stopped"),
        () = signals.next() => return Err(CliError::Failed(anyhow!("told to stop a second time; left at once"))),
    }
    match failed {
        None => Ok(Outcome::Done),
        Some(task) => Err(CliError::Failed(anyhow!("{task} ended unexpectedly"))),
    }
}
