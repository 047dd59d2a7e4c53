//! The stage of `vitrina demo`: a hospital that lives, five mock portals, citizens who book through one of them, and the real daemon between
//! them.

mod citizens;
mod configuration;
mod learners;
mod life;
mod verdict;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::feed::Feed;
use super::hospital::{Differences, Hospital, HospitalSettings};
use super::mocks::{Accounts, Mocks};
use super::nmo::Platform;
use super::view::{DemoProgress, FeedProgress};
use crate::config::{self, Config, Environment};
use crate::daemon::{Access, Assembly, Daemon, DaemonSettings, Status, open_booking, open_platform, open_portal};
use crate::ledger::{MemoryLedger, PortalSecrets};
use crate::portal::AnyPortal;
use crate::serve::Listener;
use crate::telemetry::Metrics;
use citizens::{Citizens, Heard};
use configuration::Folder;
use life::{Counts, live};
use verdict::differences;

/// How long the portals may take, after the hospital's life stopped, to hold and confirm all of it.
const CATCH_UP: Duration = Duration::from_secs(60);
/// How often it is looked whether they do.
const LOOK: Duration = Duration::from_millis(250);

/// What is shown.
#[derive(Debug, Clone)]
pub struct StageSettings {
    /// Slots of the hospital.
    pub slots: u32,
    /// Where the daemon serves metrics and status.
    pub listen: SocketAddr,
    /// Where the daemon records its exchanges with the portals, if it does: an absolute path.
    pub record: Option<PathBuf>,
}

/// Everything that runs in a demo.
pub struct Stage {
    hospital: Hospital,
    mocks: Mocks,
    daemon: Daemon,
    life: tokio::task::JoinHandle<Result<()>>,
    stop_life: CancellationToken,
    counts: Arc<Counts>,
    heard: Arc<Heard>,
    arrived: Arc<AtomicU64>,
    started: Instant,
    /// Where the daemon serves metrics and status.
    pub address: SocketAddr,
    /// Lets a visitor act from the page; of this demo alone.
    pub admin_token: String,
    // Removed last: the ledger, the hospital and its documents lie in it.
    folder: tempfile::TempDir,
}

impl Stage {
    /// Builds the hospital, starts the mocks and the daemon, registers its webhook, and lets the hospital and its patients live.
    pub async fn open(settings: StageSettings) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vitrina-demo-").tempdir().context("no temporary folder")?;
        let hospital_settings = HospitalSettings { slots: settings.slots, ..HospitalSettings::default() };
        let hospital = Hospital::create(&folder.path().join("hospital.db"), hospital_settings).await?;
        let files = Folder(folder.path());
        files.fill()?;
        let mocks = Mocks::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Accounts::Own).await?;
        let path = folder.path().join("vitrina.toml");
        let platform_address = free_address()?;
        let mut text = files.configuration(&hospital, &mocks.accounts(), free_address()?, platform_address);
        if let Some(record) = &settings.record {
            text.push_str(&format!("\n[record]\ndir = {:?}\n", record.display().to_string()));
        }
        std::fs::write(&path, text).context("cannot write the configuration")?;
        let (daemon, address) = start_daemon(&path, settings.listen).await?;
        let admin_token = uuid::Uuid::new_v4().simple().to_string();
        daemon.admit(admin_token.clone().into());
        let (stop_life, counts) = (CancellationToken::new(), Arc::new(Counts::default()));
        let heard = Arc::new(Heard::default());
        let citizens = Citizens::of(hospital.clone(), mocks.fer().clone()).await?;
        let platform = format!("http://{platform_address}");
        let platform = Platform::new(&platform, learners::PORTAL_ID, learners::PORTAL_SECRET);
        let platform = platform.context("no client of the platform can be made")?;
        let (portal, arrived) = (mocks.nmo().clone(), Arc::new(AtomicU64::new(0)));
        let life = {
            let arrived = Arc::clone(&arrived);
            let live = live(hospital.clone(), Arc::clone(&counts), stop_life.clone());
            let (heard, stop) = (Arc::clone(&heard), stop_life.clone());
            let stop_learners = stop_life.clone();
            tokio::spawn(async move {
                let learners = learners::live(portal, platform, &arrived, stop_learners);
                tokio::try_join!(live, citizens.live(&heard, stop), learners).map(|_all| ())
            })
        };
        let started = Instant::now();
        Ok(Stage {
            hospital,
            mocks,
            daemon,
            life,
            stop_life,
            counts,
            heard,
            arrived,
            started,
            address,
            admin_token,
            folder,
        })
    }

    /// The demo at this moment.
    pub fn progress(&self) -> DemoProgress {
        let (rows, status) = (self.counts.rows(), self.daemon.status());
        DemoProgress {
            elapsed: self.started.elapsed(),
            changes: self.counts.changes(),
            bookings: self.heard.so_far(),
            arrived: self.arrived.load(Ordering::Relaxed),
            feeds: Feed::all().map(|feed| self.feed(feed, &rows, &status)).collect(),
        }
    }

    fn feed(&self, feed: Feed, rows: &BTreeMap<Feed, u64>, status: &Status) -> FeedProgress {
        let known = verdict::status_of(feed, status);
        let lag = known.filter(|known| known.pending > 0).map(|known| Duration::from_secs(known.lag_seconds));
        // Where there is a register, what it calls confirmed is more than what the portal has taken.
        let confirmed =
            known.map_or(0, |known| known.register.as_ref().map_or(known.accepted, |register| register.confirmed));
        let at_portal = self.mocks.count(feed);
        FeedProgress {
            feed,
            source_rows: rows.get(&feed).copied().unwrap_or_default(),
            at_portal,
            // A withdrawal is confirmed too, and stays in the register.
            confirmed: confirmed.min(at_portal),
            rejected: known.map_or(0, |known| known.rejected),
            held: known.map_or(0, |known| known.held),
            lag,
        }
    }

    /// Waits until something ends that should not.
    pub async fn failed(&mut self) -> String {
        self.daemon.failed().await
    }

    /// Stops the hospital's life, waits until the portals have caught up, stops everything, and says what still differs.
    pub async fn close(mut self) -> Result<(DemoProgress, Differences)> {
        self.stop_life.cancel();
        (&mut self.life).await.context("the hospital's life ended unexpectedly")??;
        let expected = self.hospital.expected().await?;
        let papers = Folder(self.folder.path()).papers();
        let deadline = Instant::now() + CATCH_UP;
        let differences = loop {
            let status = self.daemon.status();
            let differences = differences(&self.hospital, &self.mocks, &papers, &status, &expected).await?;
            if differences.is_empty() || Instant::now() > deadline {
                break differences;
            }
            tokio::time::sleep(LOOK).await;
        };
        self.counts.count(&self.hospital).await?;
        let progress = self.progress();
        self.daemon.stop().await;
        self.mocks.shutdown().await?;
        self.hospital.close().await;
        Ok((progress, differences))
    }
}

async fn start_daemon(path: &Path, listen: SocketAddr) -> Result<(Daemon, SocketAddr)> {
    let config = config::load(path, &Environment::of([("", ""); 0]))?.config;
    let metrics = Metrics::new()?;
    let listener = Listener::bind(&listen.to_string()).await?;
    let address = listener.address;
    let booking =
        open_booking(&config, &metrics).await?.context("the demo's configuration says nothing of bookings")?;
    register_webhook(&config, &metrics).await?;
    let assembly = Box::pin(Assembly::open(&config, &metrics, Access::Write)).await?;
    let settings = DaemonSettings::of(&config);
    let mut daemon = Daemon::start(assembly, listener, metrics, settings).await?;
    daemon.serve_booking(booking);
    daemon.serve_platform(open_platform(&config).await?.context("the demo's configuration has no platform")?);
    Ok((daemon, address))
}

/// Registers `public_url` at the gateway, as `vitrina webhook register` does: the gateway calls it before it takes it.
async fn register_webhook(config: &Config, metrics: &Metrics) -> Result<()> {
    const GATEWAY: &str = "fer";
    let section = config.portals.get(GATEWAY).context("the demo has no gateway")?;
    let secrets = Arc::new(PortalSecrets::new(Arc::new(MemoryLedger::new()), GATEWAY));
    let AnyPortal::Fer(gateway) = open_portal(GATEWAY, section, metrics, secrets)? else {
        return Err(anyhow!("the demo's gateway is none"));
    };
    let address = config.booking.as_ref().and_then(|booking| booking.public_url.as_deref());
    let address = Url::parse(address.context("the demo has no booking.public_url")?)?;
    let registered = gateway.register_webhook(&address, None).await;
    registered.map(drop).map_err(|failure| anyhow!("the webhook cannot be registered: {}", failure.text))
}

/// An address of this machine at which nobody listens: a configuration names its webhook before anybody does.
fn free_address() -> Result<SocketAddr> {
    let found = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    found.context("there is no free port for bookings")
}

#[cfg(test)]
mod tests;
