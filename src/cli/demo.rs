//! `vitrina demo`: a demo hospital, mock portals and the real daemon in one process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{PathBuf, absolute};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use humantime_serde::re::humantime::parse_duration;
use tokio_util::sync::CancellationToken;

use super::run::Signals;
use super::{CliError, Outcome, print};
use crate::demo::stage::{Stage, StageSettings};
use crate::demo::view;
use crate::telemetry::{self, LogFormat};

/// Where the demo serves when nothing else is asked for.
const LISTEN: &str = "127.0.0.1:9464";

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long it runs; 0 stays up until it is told to stop
    #[arg(long = "for", value_name = "TIME", default_value = "90s", value_parser = parse_duration)]
    pub lasts: Duration,

    /// How many slots the demo hospital has
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub slots: u32,

    /// Where metrics and status are served; port 0 takes a free one [default: 127.0.0.1:9464, or a free port if that is taken]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,

    /// Record every exchange with the portals in this folder, for `vitrina replay`
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
}

/// Runs the demo.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    telemetry::start_log("error", LogFormat::Text);
    let mut signals = Signals::new()?;
    print(&format!("building a hospital with {} slots ...\n", args.slots))?;
    let listen = args.listen.unwrap_or_else(free_or_default);
    let record = args.record.as_ref().map(absolute).transpose()?;
    let mut stage = Stage::open(StageSettings { slots: args.slots, listen, record }).await?;
    print(&format!(
        "the hospital lives, the daemon feeds five mock portals; page: http://{0}/  metrics: http://{0}/metrics\n\
         to act from the page, sign in with {1}\n",
        stage.address, stage.admin_token
    ))?;
    let failed = show(&mut stage, args.lasts, &mut signals).await;
    if let Some(task) = failed {
        return Err(CliError::Failed(anyhow!("{task} ended unexpectedly")));
    }
    print("the hospital's life is stopped; waiting until the portals have caught up ...\n")?;
    let (progress, differences) = tokio::select! {
        closed = Box::pin(stage.close()) => closed?,
        () = signals.next() => return Err(CliError::Failed(anyhow!("left before the portals had caught up"))),
    };
    print(&view::summary(&progress, &differences))?;
    match (differences.is_empty(), progress.bookings.is_sound()) {
        (true, true) => Ok(Outcome::Done),
        (true, false) => Err(CliError::Failed(anyhow!("bookings were not answered as the document has it"))),
        (false, _) => {
            Err(CliError::Failed(anyhow!("the portals do not hold, or have not confirmed, what the hospital says")))
        }
    }
}

/// Shows the demo for as long as it lasts. Some if a task ended that should not have.
async fn show(stage: &mut Stage, lasts: Duration, signals: &mut Signals) -> Option<String> {
    let stop = CancellationToken::new();
    let progress = Arc::new(Mutex::new(stage.progress()));
    let shown = Arc::clone(&progress);
    let view =
        tokio::spawn(view::show(move || shown.lock().unwrap_or_else(PoisonError::into_inner).clone(), stop.clone()));
    let started = tokio::time::Instant::now();
    let failed = loop {
        if !lasts.is_zero() && started.elapsed() >= lasts {
            break None;
        }
        tokio::select! {
            () = signals.next() => break None,
            task = stage.failed() => break Some(task),
            () = tokio::time::sleep(Duration::from_millis(200)) => {
                *progress.lock().unwrap_or_else(PoisonError::into_inner) = stage.progress();
            }
        }
    };
    stop.cancel();
    drop(view.await);
    failed
}

fn free_or_default() -> SocketAddr {
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    match LISTEN.parse() {
        Ok(wanted) if std::net::TcpListener::bind::<SocketAddr>(wanted).is_ok() => wanted,
        Ok(_) | Err(_) => free,
    }
}
