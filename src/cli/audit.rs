//! `vitrina audit`: compares the portal's own contents with the source and, with `--repair`, mends what differs.
//!
//! An audit shares the rate limit of the process that sends. When a daemon holds the ledger, it is asked to do the audit, and this verb
//! follows; otherwise the verb does it itself.

mod report;

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use chrono::Utc;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::sleep;

use super::run::Signals;
use super::{CliError, ConfigFile, Outcome, Selection, moment, print, tell};
use crate::config::Config;
use crate::daemon::{Access, Assembly, AssemblyError};
use crate::ledger::{AnyLedger, Ledger, LedgerError, Word, WordKind};
use crate::sync::audit::{AuditError, AuditOrder, AuditProgress, AuditState};
use crate::telemetry::{self, LogFormat, Metrics};

/// How often the progress is looked at.
const FRAME: Duration = Duration::from_millis(500);
/// How long a daemon may be silent about an audit before it is taken for gone.
const SILENCE: Duration = Duration::from_secs(300);

/// Options of `audit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// The portal
    #[arg(value_name = "PORTAL")]
    pub portal: Selection,

    /// Its feeds [default: all]
    #[arg(value_name = "FEED")]
    pub feeds: Vec<String>,

    /// Send what is missing or stale, remove what is foreign (the fuse holds), and enter what the ledger does not know
    #[arg(long)]
    pub repair: bool,

    /// With --repair: leave alone what the portal holds and the source does not have
    #[arg(long, requires = "repair")]
    pub keep_foreign: bool,

    /// Read the bookings of every slot, not only of those that are recorded
    #[arg(long)]
    pub deep: bool,

    /// Begin anew, even if an interrupted audit could be gone on with
    #[arg(long)]
    pub restart: bool,

    /// Print the differences as JSON
    #[arg(long)]
    pub json: bool,
}

/// Does the audit, or has it done.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let loaded = args.config.load()?;
    let order = order(args, &loaded.config)?;
    telemetry::start_log("warn", LogFormat::Text);
    let metrics = Metrics::new().context("cannot set up the metrics")?;
    let portal = &args.portal.portal;
    let progress = match Assembly::open(&loaded.config, &metrics, Access::Write).await {
        Ok(assembly) => here(assembly, portal, order).await?,
        Err(AssemblyError::Ledger(LedgerError::Locked { .. })) => in_daemon(&loaded.config, portal, order).await?,
        Err(error) => return Err(CliError::Failed(error.into())),
    };
    print(&if args.json { report::json(portal, &progress)? } else { report::readable(portal, &progress) })?;
    let denied = progress.denied();
    if !denied.is_empty() {
        let (feeds, whose) = (denied.join(", "), progress.feeds.iter().find_map(|feed| feed.denied.as_deref()));
        let why = whose.unwrap_or_default();
        return Err(CliError::Failed(anyhow!(
            "{feeds} of {portal} could not be read and not be compared: {why}; ask the portal's support for the right to read, or name the other feeds"
        )));
    }
    let left: u64 = progress.feeds.iter().map(|feed| feed.left()).sum();
    Ok(if left > 0 { Outcome::Unfinished } else { Outcome::Done })
}

fn order(args: &Args, config: &Config) -> Result<AuditOrder, CliError> {
    let mut feeds: Vec<String> = args.portal.feed.iter().chain(&args.feeds).cloned().collect();
    feeds.sort();
    feeds.dedup();
    args.portal.check(config)?;
    for feed in &feeds {
        Selection { portal: args.portal.portal.clone(), feed: Some(feed.clone()) }.check(config)?;
    }
    Ok(AuditOrder {
        ticket: uuid::Uuid::new_v4().to_string(),
        feeds,
        repair: args.repair,
        deep: args.deep,
        keep_foreign: args.keep_foreign,
        restart: args.restart,
        by_daemon: false,
    })
}

/// Does it in this process. A signal interrupts it so that it can be gone on with.
async fn here(assembly: Assembly, portal: &str, order: AuditOrder) -> Result<AuditProgress, CliError> {
    let mut signals = Signals::new()?;
    let line = assembly.lines.iter().find(|line| line.name == portal).context("the portal has no line")?;
    let progress = line.begin_audit(order).await.map_err(failed)?;
    let view = View::new(portal);
    view.announce(&progress);
    let audit = line.audit(progress);
    tokio::pin!(audit);
    let result = loop {
        tokio::select! {
            biased;
            result = &mut audit => break result,
            () = signals.next() => line.stopping.cancel(),
            () = sleep(FRAME) => {
                if let Ok(Some(progress)) = AuditProgress::load(&*assembly.ledger, portal).await {
                    view.show(&progress);
                }
            }
        }
    };
    view.end();
    assembly.ledger.close().await.map_err(anyhow::Error::from)?;
    result.map_err(failed)
}

fn failed(error: AuditError) -> CliError {
    match error {
        AuditError::NoSuchFeed(_) => CliError::Usage(error.to_string()),
        other => CliError::Failed(other.into()),
    }
}

/// Has the running daemon do it, and follows.
async fn in_daemon(config: &Config, portal: &str, order: AuditOrder) -> Result<AuditProgress, CliError> {
    let ledger = AnyLedger::open_for_words(config.ledger.url.expose()).await.map_err(anyhow::Error::from)?;
    let order = AuditOrder { by_daemon: true, ..order };
    let word = Word {
        portal: portal.to_owned(),
        feed: String::new(),
        kind: WordKind::Audit,
        argument: serde_json::to_string(&order).context("cannot write the order down")?,
        said: Utc::now().timestamp(),
    };
    ledger.say(&word).await.map_err(anyhow::Error::from)?;
    tell("the running daemon does the audit; this command only follows it");
    let view = View::new(portal);
    let progress = follow(&ledger, portal, &order.ticket, &view).await;
    view.end();
    ledger.close().await.map_err(anyhow::Error::from)?;
    progress
}

async fn follow(ledger: &AnyLedger, portal: &str, ticket: &str, view: &View) -> Result<AuditProgress, CliError> {
    let mut heard = (None, Instant::now());
    let mut announced = false;
    loop {
        sleep(FRAME).await;
        let progress = AuditProgress::load(ledger, portal).await.map_err(anyhow::Error::from)?;
        let updated = progress.as_ref().map(|progress| (progress.order.ticket.clone(), progress.updated));
        if heard.0 != updated {
            heard = (updated, Instant::now());
        }
        match progress {
            Some(progress) if progress.order.ticket == ticket => match &progress.state {
                AuditState::Finished => return Ok(progress),
                AuditState::Failed { why } => return Err(CliError::Failed(anyhow!("{why}"))),
                AuditState::Running => {
                    if !std::mem::replace(&mut announced, true) {
                        view.announce(&progress);
                    }
                    view.show(&progress);
                }
            },
            Some(_) | None => view.say("waits for the daemon, or for another audit to end"),
        }
        if heard.1.elapsed() >= SILENCE {
            let text = "the daemon says nothing about the audit any more; look at vitrina status. A daemon that starts goes on with it";
            return Err(CliError::Failed(anyhow!("{text}")));
        }
    }
}

/// Shows on a terminal how far the audit is.
struct View {
    bar: ProgressBar,
}

impl View {
    fn new(portal: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} audit of {prefix}: {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_prefix(portal.to_owned());
        View { bar }
    }

    fn announce(&self, progress: &AuditProgress) {
        if progress.resumed {
            tell(&format!("goes on with the audit that was begun at {}", moment(progress.begun)));
        }
    }

    fn show(&self, progress: &AuditProgress) {
        self.say(&report::state(progress));
    }

    fn say(&self, text: &str) {
        self.bar.set_message(text.to_owned());
        self.bar.tick();
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
