//! The stage of `vitrina demo`: a hospital that lives, a mock gateway, and the real daemon between them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fer::{FerGateway, GatewaySettings, Running, Subsystem};
use super::hospital::{Differences, Hospital, HospitalSettings, compare};
use super::view::{DemoProgress, FeedProgress};
use crate::config::{self, Environment};
use crate::daemon::{Access, Assembly, Daemon, DaemonSettings, Status};
use crate::serve::Listener;
use crate::telemetry::Metrics;

/// How often the hospital's life moves on.
const LIFE_TICK: Duration = Duration::from_millis(400);
/// How often rows are counted for the live view.
const COUNTING: Duration = Duration::from_secs(1);
/// How long the mart may take, after the hospital's life stopped, to hold all of it.
const CATCH_UP: Duration = Duration::from_secs(60);

/// What is shown.
#[derive(Debug, Clone)]
pub struct StageSettings {
    /// Slots of the hospital.
    pub slots: u32,
    /// Where the daemon serves metrics and status.
    pub listen: SocketAddr,
}

/// Everything that runs in a demo.
pub struct Stage {
    hospital: Hospital,
    gateway: Running,
    daemon: Daemon,
    life: tokio::task::JoinHandle<Result<u64>>,
    stop_life: CancellationToken,
    counts: Arc<Counts>,
    started: Instant,
    /// Where the daemon serves metrics and status.
    pub address: SocketAddr,
    // Removed last: the ledger and the hospital lie in it.
    _folder: tempfile::TempDir,
}

/// What the view shows and somebody must count.
#[derive(Debug, Default)]
struct Counts {
    rows: Mutex<BTreeMap<&'static str, u64>>,
    changes: std::sync::atomic::AtomicU64,
}

impl Stage {
    /// Builds the hospital, starts the gateway and the daemon, and lets the hospital live.
    pub async fn open(settings: StageSettings) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vitrina-demo-").tempdir().context("no temporary folder")?;
        let hospital_settings = HospitalSettings { slots: settings.slots, ..HospitalSettings::default() };
        let hospital = Hospital::create(&folder.path().join("hospital.db"), hospital_settings).await?;
        let account = GatewaySettings::default();
        let text = configuration(&hospital, folder.path(), &account);
        let gateway = FerGateway::start(SocketAddr::from(([127, 0, 0, 1], 0)), account).await?;
        let path = folder.path().join("vitrina.toml");
        std::fs::write(&path, text.replace("GATEWAY", &gateway.url())).context("cannot write the configuration")?;
        let (daemon, address) = start_daemon(&path, settings.listen).await?;
        let (stop_life, counts) = (CancellationToken::new(), Arc::new(Counts::default()));
        let life = tokio::spawn(live(hospital.clone(), Arc::clone(&counts), stop_life.clone()));
        let started = Instant::now();
        Ok(Stage { hospital, gateway, daemon, life, stop_life, counts, started, address, _folder: folder })
    }

    /// The demo at this moment.
    pub fn progress(&self) -> DemoProgress {
        let rows = self.counts.rows.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let status = self.daemon.status();
        let feeds = Subsystem::ALL.iter().map(|subsystem| self.feed(*subsystem, &rows, &status));
        DemoProgress {
            elapsed: self.started.elapsed(),
            changes: self.counts.changes.load(std::sync::atomic::Ordering::Relaxed),
            feeds: feeds.collect(),
        }
    }

    fn feed(&self, subsystem: Subsystem, rows: &BTreeMap<&'static str, u64>, status: &Status) -> FeedProgress {
        let name = subsystem.name();
        let gateway = self.gateway.gateway();
        let known = status.feeds.iter().find(|feed| feed.feed == name);
        let lag = known.filter(|feed| feed.pending > 0).map(|feed| Duration::from_secs(feed.lag_seconds));
        FeedProgress {
            name: name.to_owned(),
            source_rows: rows.get(name).copied().unwrap_or_default(),
            in_mart: gateway.len(subsystem) as u64,
            sent: gateway.counters(subsystem).received,
            rejected: known.map_or(0, |feed| feed.rejected),
            held: known.map_or(0, |feed| feed.held),
            lag,
        }
    }

    /// Waits until something ends that should not.
    pub async fn failed(&mut self) -> String {
        self.daemon.failed().await
    }

    /// Stops the hospital's life, waits until the mart has caught up, stops everything, and says what still differs.
    pub async fn close(mut self) -> Result<(DemoProgress, Differences)> {
        self.stop_life.cancel();
        let changes = (&mut self.life).await.context("the hospital's life ended unexpectedly")??;
        self.counts.changes.store(changes, std::sync::atomic::Ordering::Relaxed);
        let expected = self.hospital.expected().await?;
        let deadline = Instant::now() + CATCH_UP;
        let differences = loop {
            let differences = compare(&expected, |subsystem| self.gateway.gateway().snapshot(subsystem));
            if differences.is_empty() || Instant::now() > deadline {
                break differences;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        };
        count_rows(&self.hospital, &self.counts).await?;
        let progress = self.progress();
        self.daemon.stop().await;
        self.gateway.shutdown().await?;
        self.hospital.close().await;
        Ok((progress, differences))
    }
}

/// The configuration of the demo: an ordinary one, only quicker than a hospital needs.
fn configuration(hospital: &Hospital, folder: &Path, account: &GatewaySettings) -> String {
    let mut text = format!(
        "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n\n\
         [ledger]\nurl = \"sqlite:{}\"\n\n\
         [portals.fer]\nkind = \"fer\"\nurl = \"GATEWAY\"\nusername = \"{}\"\npassword = \"{}\"\n",
        hospital.source_url(),
        folder.join("ledger.db").display(),
        account.username,
        account.password,
    );
    for subsystem in Subsystem::ALL {
        let every = if subsystem == Subsystem::Slot { "3s" } else { "5s" };
        text.push_str(&format!("\n[portals.fer.feeds.{}]\nevery = \"{every}\"\n", subsystem.name()));
    }
    text
}

async fn start_daemon(path: &Path, listen: SocketAddr) -> Result<(Daemon, SocketAddr)> {
    let config = config::load(path, &Environment::of([("", ""); 0]))?.config;
    let metrics = Metrics::new()?;
    let listener = Listener::bind(&listen.to_string()).await?;
    let address = listener.address;
    let assembly = Assembly::open(&config, &metrics, Access::Write).await?;
    let settings = DaemonSettings { workers: config.daemon.workers, grace: config.daemon.grace };
    Ok((Daemon::start(assembly, listener, metrics, settings).await?, address))
}

/// The hospital's life, and the counting of its rows; the number of changes in the end.
async fn live(hospital: Hospital, counts: Arc<Counts>, stop: CancellationToken) -> Result<u64> {
    let mut life = hospital.life(rand::random());
    let mut ticks = tokio::time::interval(LIFE_TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut counted: Option<Instant> = None;
    let mut changes = 0;
    loop {
        if counted.is_none_or(|counted| counted.elapsed() >= COUNTING) {
            count_rows(&hospital, &counts).await?;
            counted = Some(Instant::now());
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(changes),
            _ = ticks.tick() => changes += life.tick().await?.total(),
        }
        counts.changes.store(changes, std::sync::atomic::Ordering::Relaxed);
    }
}

async fn count_rows(hospital: &Hospital, counts: &Counts) -> Result<()> {
    for subsystem in Subsystem::ALL {
        let rows = hospital.rows(subsystem).await?;
        counts.rows.lock().unwrap_or_else(PoisonError::into_inner).insert(subsystem.name(), rows);
    }
    Ok(())
}
