//! `vitrina sync`: one pass over the feeds, parents first, and a summary that names every row that did not get through.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use super::run::Signals;
use super::{CliError, ConfigFile, Outcome, Selection, print};
use crate::daemon::{Access, AnyLine, Assembly, hear_words};
use crate::ledger::{Ledger, Refusal, State};
use crate::sync::{CycleReport, Order, Stop};
use crate::telemetry::{self, LogFormat, Metrics};

/// Most times that a feed runs in one pass.
const MOST_ROUNDS: usize = 20;
/// How often the progress bar moves.
const FRAME: Duration = Duration::from_millis(100);

/// Options of `sync`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// What to synchronise: whole portals or single feeds [default: everything]
    #[arg(value_name = "PORTAL[.FEED]")]
    pub selections: Vec<Selection>,

    /// Read every row, even where changes could be read alone; what is accepted and unchanged is still not sent
    #[arg(long)]
    pub full: bool,

    /// Show what would be sent, removed, held and rejected, and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What the pass came to.
#[derive(Default)]
struct Pass {
    failed: bool,
    unfinished: bool,
    /// What a dry run found, by feed.
    pretended: BTreeMap<&'static str, Pretended>,
}

/// What a dry run found of a feed and, unlike a real one, left no trace of.
#[derive(Default)]
struct Pretended {
    refusals: Vec<Refusal>,
    /// What the fuse would hold back; none while nobody asked it.
    fused: Option<Option<String>>,
}

/// Does one pass.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let loaded = args.config.load()?;
    if loaded.config.portals.is_empty() {
        return Err(CliError::Usage("there are no portals: this configuration only answers bookings".to_owned()));
    }
    for selection in &args.selections {
        selection.check(&loaded.config)?;
    }
    telemetry::start_log("warn", LogFormat::Text);
    let metrics = Metrics::new().context("cannot set up the metrics")?;
    let access = if args.dry_run { Access::Read } else { Access::Write };
    let assembly = Assembly::open(&loaded.config, &metrics, access).await.map_err(anyhow::Error::from)?;
    if !args.dry_run {
        hear_words(&assembly.lines, &assembly.ledger).await.map_err(anyhow::Error::from)?;
    }
    let mut signals = Signals::new()?;
    let mut pass = Pass::default();
    tokio::select! {
        biased;
        done = pass.run_lines(&assembly, args) => done?,
        () = told_twice(&mut signals, &assembly) => {
            return Err(CliError::Failed(anyhow::anyhow!("told to stop a second time; left at once")));
        }
    }
    assembly.ledger.close().await.map_err(anyhow::Error::from)?;
    match pass {
        Pass { failed: true, .. } => {
            Err(CliError::Failed(anyhow::anyhow!("the pass could not be finished; see above")))
        }
        Pass { unfinished: true, .. } => Ok(Outcome::Unfinished),
        Pass { .. } => Ok(Outcome::Done),
    }
}

/// At the first signal nothing more is begun; gives up at the second.
async fn told_twice(signals: &mut Signals, assembly: &Assembly) {
    signals.next().await;
    assembly.lines.iter().for_each(|line| line.stopping.cancel());
    signals.next().await;
}

impl Pass {
    async fn run_lines(&mut self, assembly: &Assembly, args: &Args) -> Result<(), CliError> {
        for line in &assembly.lines {
            if !line.stopping.is_cancelled() {
                self.run_line(line, args, &*assembly.ledger).await?;
            }
        }
        Ok(())
    }

    /// Runs the selected feeds of a portal, parents first, and again those that have work then: children that were let go, parents whose
    /// removal waited for their children.
    async fn run_line(
        &mut self,
        line: &std::sync::Arc<AnyLine>,
        args: &Args,
        ledger: &impl Ledger,
    ) -> Result<(), CliError> {
        let is_selected =
            |name: &str| args.selections.is_empty() || args.selections.iter().any(|one| one.covers(&line.name, name));
        let names: Vec<&'static str> = line.feeds().iter().map(|feed| feed.plan.schema.feed).collect();
        let mut due: BTreeSet<&'static str> = names.iter().copied().filter(|name| is_selected(name)).collect();
        for round in 0..MOST_ROUNDS {
            for name in &names {
                if due.remove(name) {
                    let released = self.run(line, name, args, round > 0).await?;
                    due.extend(released.into_iter().filter(|name| is_selected(name)));
                }
            }
            if due.is_empty() || args.dry_run {
                break;
            }
        }
        for name in names.into_iter().filter(|name| is_selected(name)) {
            let pretended = args.dry_run.then(|| self.pretended.remove(name).unwrap_or_default());
            self.tell_fuse(line, name, pretended.as_ref())?;
            self.tell_refusals(line, name, pretended, ledger).await?;
        }
        Ok(())
    }

    /// One cycle of a feed. Gives the feeds that have work now.
    async fn run(
        &mut self,
        line: &std::sync::Arc<AnyLine>,
        feed: &'static str,
        args: &Args,
        again: bool,
    ) -> Result<BTreeSet<&'static str>, CliError> {
        let label = format!("{}.{feed}", line.name);
        let order = Order { full: args.full && !again, sweep: !again, dry_run: args.dry_run, whole: true };
        let report = match with_progress(line, feed, &label, order).await {
            Ok(report) => report,
            Err(error) => {
                self.failed = true;
                print(&format!("{label}: failed: {error}\n"))?;
                return Ok(BTreeSet::new());
            }
        };
        let mut text = summary(&label, &report, args.dry_run);
        if let Some(failure) = &report.failure {
            let _ = writeln!(text, "{label}: {} request(s) failed: {failure}", report.failures);
        }
        if let Some(stop) = &report.stop {
            let _ = writeln!(text, "{label}: not finished: {}", stopped(stop));
        }
        self.failed |= report.failure.is_some() || report.stop.is_some();
        if args.dry_run {
            let asked = report.sees_all() || report.fused.is_some();
            let fused = asked.then(|| report.fused.clone());
            self.pretended.insert(feed, Pretended { refusals: report.refusals.clone(), fused });
        }
        print(&text)?;
        Ok(report.released)
    }

    /// Says what a feed's fuse holds back, be it that an earlier pass tripped it and this one, which read only what changed, did not ask it.
    fn tell_fuse(&mut self, line: &AnyLine, feed: &str, pretended: Option<&Pretended>) -> Result<(), CliError> {
        let standing = || Some(line.feed(feed)?.fuse()?.reason());
        let fused = pretended.and_then(|pretended| pretended.fused.clone()).unwrap_or_else(standing);
        let Some(fused) = fused else { return Ok(()) };
        self.unfinished = true;
        let label = format!("{}.{feed}", line.name);
        print(&format!(
            "{label}: the fuse holds removals back: {fused}; see `vitrina fuse list`, let them go by `vitrina fuse accept {label}`\n"
        ))
    }

    /// Names every record of a feed that did not get through.
    async fn tell_refusals(
        &mut self,
        line: &std::sync::Arc<AnyLine>,
        feed: &str,
        pretended: Option<Pretended>,
        ledger: &impl Ledger,
    ) -> Result<(), CliError> {
        let Some(known) = line.feed(feed) else { return Ok(()) };
        let counts = known.counts();
        let drafts = known.drafts().count;
        self.unfinished |= counts.rejected + counts.held + counts.unknown + drafts > 0;
        if drafts > 0 {
            print(&format!(
                "{}.{feed}: {drafts} went out signed and the portal kept them as drafts: send them on from its site; see `vitrina log`\n",
                line.name
            ))?;
        }
        let dry_run = pretended.is_some();
        let mut refusals = pretended.unwrap_or_default().refusals;
        // A dry run knows what its checks refuse; what the portal refused stands in the ledger, if there is one yet.
        match ledger.refusals(known.id).await {
            Ok(written) if dry_run => {
                let told: Vec<_> = refusals.iter().map(|refusal| refusal.key.clone()).collect();
                refusals.extend(written.into_iter().filter(|old| !told.contains(&old.key) && old.is_of_portal()));
            }
            Ok(written) => refusals = written,
            Err(_) if dry_run => {}
            Err(error) => return Err(CliError::Failed(error.into())),
        }
        let label = format!("{}.{feed}", line.name);
        let lines: String = refusals.iter().map(|refusal| refusal_lines(&label, refusal)).collect();
        print(&lines)
    }
}

/// Runs a cycle; on a terminal a bar shows how far it is.
async fn with_progress(
    line: &std::sync::Arc<AnyLine>,
    feed: &str,
    label: &str,
    order: Order,
) -> Result<CycleReport, crate::sync::CycleError> {
    let cycle = line.cycle(feed, order);
    tokio::pin!(cycle);
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_prefix(label.to_owned());
    loop {
        tokio::select! {
            biased;
            report = &mut cycle => {
                bar.finish_and_clear();
                return report;
            }
            () = tokio::time::sleep(FRAME) => {
                if let Some(live) = line.feed(feed).map(|feed| &feed.live) {
                    let shown = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
                    bar.set_message(format!(
                        "{} rows, {} sent, {} accepted", shown(&live.rows), shown(&live.sent), shown(&live.accepted)
                    ));
                }
                bar.tick();
            }
        }
    }
}

fn summary(label: &str, report: &CycleReport, dry_run: bool) -> String {
    let verb = if dry_run { "would send" } else { "sent" };
    let keys = if report.swept { format!("{} keys, ", report.keys) } else { String::new() };
    let mut text =
        format!("{label}: {keys}{} rows, {} unchanged, {verb} {}", report.rows, report.unchanged, report.sent);
    let parts = [
        ("accepted", if dry_run { 0 } else { report.accepted }),
        ("refused by the portal", report.refused),
        ("rejected by checks", report.invalid),
        ("held", report.held),
        ("of unknown outcome", report.unknown),
        ("postponed", report.postponed),
        ("giving way to others", report.yielded),
        ("gone from the source", report.vanished),
        ("removed", report.removed),
        ("unusable rows", report.findings),
    ];
    for (what, count) in parts.into_iter().filter(|(_, count)| *count > 0) {
        let _ = write!(text, ", {count} {what}");
    }
    text.push('\n');
    text
}

fn stopped(stop: &Stop) -> &'static str {
    match stop {
        Stop::PortalPaused => "the portal is paused",
        Stop::PortalFailed => "the portal failed and is left alone for now",
        Stop::FeedParked => "a person must act before this feed sends again",
        Stop::Stalled => "the portal is too slow",
        Stop::Stopping => "stopped",
    }
}

/// A refusal as lines: one for each broken rule, or one for the portal's word.
fn refusal_lines(label: &str, refusal: &Refusal) -> String {
    let key = refusal.key.as_ref().map_or_else(|| "(row without a key)".to_owned(), ToString::to_string);
    let state = match refusal.state {
        State::Held => "held",
        State::Unknown => "unknown",
        State::Accepted | State::Pending | State::Rejected | State::Past | State::Gone | State::Yielded => "rejected",
    };
    if refusal.violations.is_empty() {
        return format!("{label} {key}: {state}: {}: {}\n", refusal.code, refusal.text);
    }
    let line = |violation: &crate::record::Violation| {
        format!("{label} {key}: {state}: {}: {}: {}\n", violation.field, violation.rule.name(), violation.text)
    };
    refusal.violations.iter().map(line).collect()
}
