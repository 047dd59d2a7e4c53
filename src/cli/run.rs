//! `vitrina run`: the daemon.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, Outcome};
use crate::config::{Config, LogFormat, Sections, needs_a_start};
use crate::daemon::notices::Notices;
use crate::daemon::{self, Access, Assembly, AssemblyError, Daemon, DaemonSettings, Door, ReloadError};
use crate::serve::Listener;
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
    hangup: Signal,
}

/// What the process is told.
pub(super) enum Told {
    Stop,
    Reload,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        let [terminate, interrupt, hangup] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        Ok(Signals { terminate: terminate?, interrupt: interrupt?, hangup: hangup? })
    }

    /// Waits for one. A terminal that hangs up ends what it began.
    pub(super) async fn next(&mut self) {
        self.told().await;
    }

    /// Waits for one that ends the daemon.
    async fn stop(&mut self) {
        while let Told::Reload = self.told().await {}
    }

    /// Waits for one that means something to the daemon: a hangup asks for the configuration to be read again.
    pub(super) async fn told(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
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
    let door = Door::open(listener, metrics.clone(), config.portals.keys().cloned().collect());
    if let Some(token) = &config.serve.admin_token {
        door.admit(token.clone());
    }
    if config.booking.is_none() {
        daemon::fit_open_files(0);
    }
    let platform = daemon::open_platform(&config).await.map_err(anyhow::Error::from)?;
    let booking = daemon::open_booking(&config, &metrics).await.map_err(anyhow::Error::from)?;
    if let Some(booking) = &booking {
        tracing::info!(address = %booking.address(), "bookings are answered");
    }
    let notices = Notices::open(&config).context("notify")?;
    let Some(assembly) = assemble(&config, &metrics, &mut signals, &door).await? else {
        door.close().await;
        return Ok(Outcome::Done);
    };
    let settings = DaemonSettings::of(&config);
    let mut daemon =
        Daemon::start_behind(door, assembly, metrics.clone(), settings).await.context("cannot start the clock")?;
    if let Some(platform) = platform {
        daemon.serve_platform(platform);
    }
    if let Some(booking) = booking {
        daemon.serve_booking(booking);
    }
    daemon.tell_people(notices);
    daemon::tell_ready();
    daemon::tell_status(&in_force(&config));
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "vitrina is up");
    let current = Current { file: args.config.clone(), sections: loaded.sections, metrics };
    until_told(daemon, &mut signals, current).await
}

/// What `systemctl status` shows while all is well.
fn in_force(config: &Config) -> String {
    let names: Vec<&str> = config.portals.keys().map(String::as_str).collect();
    match names.is_empty() {
        true => "Answering bookings".to_owned(),
        false => format!("Feeding {}", names.join(", ")),
    }
}

/// Opens everything. A source that cannot be reached yet, as after a power cut, is waited for; None when told to stop meanwhile.
async fn assemble(
    config: &Config,
    metrics: &Metrics,
    signals: &mut Signals,
    door: &Door,
) -> Result<Option<Assembly>, CliError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match Assembly::open(config, metrics, Access::Write).await {
            Ok(assembly) => return Ok(Some(assembly)),
            Err(AssemblyError::Source(SourceError::Connect { source_name, reason })) => {
                door.wait_for(&format!("source {source_name}"));
                let error = SourceError::Connect { source_name, reason };
                tracing::warn!("{error}; trying again");
            }
            Err(error) => return Err(CliError::Failed(error.into())),
        }
        match tokio::time::timeout(pause, signals.told()).await {
            Ok(Told::Stop) => return Ok(None),
            Ok(Told::Reload) => {
                tracing::warn!("the configuration cannot be read again before all is open; restart instead")
            }
            Err(_) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The configuration that is in force.
struct Current {
    file: super::ConfigFile,
    sections: Sections,
    metrics: Metrics,
}

impl Current {
    /// As [`Self::take_up`], and systemd hears of its beginning and its end.
    async fn reload(&mut self, daemon: &mut Daemon) -> Option<String> {
        daemon::tell_reloading();
        let ended = Box::pin(self.take_up(daemon)).await;
        daemon::tell_ready();
        ended
    }

    /// Reads the configuration again and brings it into force, as far as a running process can. Gives what ended, if something did that
    /// must not.
    async fn take_up(&mut self, daemon: &mut Daemon) -> Option<String> {
        let loaded = match self.file.load() {
            Ok(loaded) => loaded,
            Err(error) => {
                self.refuse(&error.to_string());
                return None;
            }
        };
        let changed = self.sections.changed(&loaded.sections);
        for line in loaded.warnings.to_string().lines() {
            tracing::warn!("{line}");
        }
        let fixed: BTreeSet<String> = changed.iter().filter(|name| needs_a_start(name)).cloned().collect();
        if !fixed.is_empty() {
            let names: Vec<&str> = fixed.iter().map(String::as_str).collect();
            let names = names.join(", ");
            tracing::warn!(
                "only a restart brings these changes of the configuration into force: {names}; until then what was set before holds"
            );
        }
        match daemon.reload(&loaded.config, &changed).await {
            Ok(portals) => {
                self.sections = loaded.sections.but_for(&fixed, &self.sections);
                self.metrics.show_reload(true);
                daemon::tell_status(&in_force(&loaded.config));
                match portals.is_empty() {
                    true => tracing::info!(
                        "the configuration was read again; no portal and no listener had to be opened anew"
                    ),
                    false => tracing::info!(
                        opened = portals.join(" "),
                        "the configuration was read again; what is named was opened anew"
                    ),
                }
                None
            }
            Err(ReloadError::Broken(error)) => Some(format!("a portal of the new configuration ({error})")),
            Err(error) => {
                self.refuse(&error.to_string());
                None
            }
        }
    }

    fn refuse(&self, why: &str) {
        self.metrics.show_reload(false);
        daemon::tell_status("The new configuration is wrong and not in force; the log names why");
        for line in why.lines() {
            tracing::error!("the new configuration is not in force, the old one is: {line}");
        }
    }
}

async fn until_told(mut daemon: Daemon, signals: &mut Signals, mut current: Current) -> Result<Outcome, CliError> {
    let failed = loop {
        let told = tokio::select! {
            told = signals.told() => told,
            task = daemon.failed() => break Some(task),
        };
        match told {
            Told::Stop => break None,
            Told::Reload => {
                if let Some(ended) = current.reload(&mut daemon).await {
                    break Some(ended);
                }
            }
        }
    };
    match &failed {
        None => tracing::info!("told to stop"),
        Some(task) => tracing::error!("{task} ended unexpectedly; stopping"),
    }
    tokio::select! {
        finished = daemon.stop() => tracing::info!(finished, "stopped"),
        () = signals.stop() => return Err(CliError::Failed(anyhow!("told to stop a second time; left at once"))),
    }
    match failed {
        None => Ok(Outcome::Done),
        Some(task) => Err(CliError::Failed(anyhow!("{task} ended unexpectedly"))),
    }
}
