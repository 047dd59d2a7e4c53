//! One run: processes of the engine follow each other, the world changes under them and everything fails, until all is quiet and the
//! last cycles must put everything right.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use vitrina::ledger::MemoryLedger;

use crate::engine::{self, Ended, Process, SimLine};
use crate::hospital::{FEEDS, Feed, Version};
use crate::oracle::{self, Evidence};
use crate::stage::{Plan, Stage};
use crate::steps::Steps;
use crate::trace::{Trace, What};
use crate::wire;

/// Longer than any pause that a fault can have set, clock steps included.
const PAUSES: Duration = Duration::from_secs(16_000);
/// Cycles of all feeds after which all must be well, those included that cycles ask for.
const MOST_LAST_CYCLES: usize = 60;
/// Rounds of operators' words: what one lets go may be what trips another fuse.
const MOST_WORDS: usize = 5;
/// Longer than any run: who is not done by then waits for something that never comes.
const FOREVER: Duration = Duration::from_secs(1_000_000);

/// How a process ended.
enum End {
    /// It was asked to stop and did.
    Stopped(Arc<SimLine>),
    /// It was no more, at the step that the seed names or because its ledger failed.
    Died,
    Broken(String),
}

/// What a run came to.
pub struct Outcome {
    pub plan: Plan,
    pub evidence: Evidence,
    /// What must never happen, whatever the oracle says.
    pub broken: Option<String>,
}

/// Runs one seed.
pub fn run(seed: u64) -> Outcome {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime without a driver");
    runtime.block_on(async {
        let stage = Arc::new(Stage::new(seed));
        let disk = MemoryLedger::new();
        let lived = timeout(FOREVER, Box::pin(live(&stage, disk.clone()))).await;
        let broken = match lived {
            Ok(Ok(())) => None,
            Ok(Err(broken)) => Some(broken),
            Err(_) => Some("the engine waits for something that never comes".to_owned()),
        };
        let texts = engine::texts(&disk).await;
        Outcome { plan: stage.plan.clone(), evidence: evidence(&stage, texts), broken }
    })
}

fn evidence(stage: &Stage, texts: Vec<String>) -> Evidence {
    let second = stage.clock.now();
    let Trace { events, .. } = std::mem::take(&mut *stage.trace());
    let mut hospital = stage.hospital();
    Evidence {
        events,
        versions: std::mem::take(&mut hospital.versions),
        tables: hospital.tables.clone(),
        mart: stage.gateway().mart.clone(),
        texts,
        second,
        in_flight: stage.plan.in_flight,
        steady_database: stage.plan.clock_steps == 0,
        honest_source: stage.plan.lies == 0,
    }
}

async fn live(stage: &Arc<Stage>, mut disk: MemoryLedger) -> Result<(), String> {
    let end = Instant::now() + Duration::from_secs(stage.plan.lasts);
    let mut deaths = stage.plan.deaths.clone().into_iter();
    let world = tokio::spawn(change(Arc::clone(stage)));
    let mut line = loop {
        let rest = stage.chance().millis(20_000, 300_000);
        let steps = Arc::new(Steps::until(deaths.next().unwrap_or(u64::MAX)));
        let process = Process { stage: Arc::clone(stage), steps };
        match one_process(&process, &disk, end.min(Instant::now() + rest)).await {
            End::Stopped(line) if Instant::now() >= end => {
                process.steps.spare();
                break line;
            }
            End::Stopped(_) | End::Died => disk = bury(stage, &disk).await,
            End::Broken(text) => return Err(text),
        }
    };
    world.abort();
    stage.calm_down();
    if stage.plan.fresh_end {
        drop(line);
        disk = bury(stage, &disk).await;
        line = begin(stage, &disk).await?;
    }
    sleep(PAUSES).await;
    if line.stopping.is_cancelled() {
        drop(line);
        disk = bury(stage, &disk).await;
        line = begin(stage, &disk).await?;
    }
    stage.note(What::LastRounds);
    Box::pin(last_rounds(&line, stage, true)).await?;
    if stage.plan.ends_with_a_sweep {
        stage.hospital().change_once_more(stage.second(), stage.database_now());
        Box::pin(last_rounds(&line, stage, false)).await?;
    }
    stage.note(What::Remembered(engine::memories(&disk).await));
    Ok(())
}

/// Cycles of every feed, full ones or only sweeps, and operators' words on what fuses hold back.
async fn last_rounds(line: &Arc<SimLine>, stage: &Stage, full: bool) -> Result<(), String> {
    last_round(line, stage, full).await?;
    for _ in 0..MOST_WORDS {
        let accepted = engine::accept_fuses(line).await;
        if accepted.is_empty() {
            break;
        }
        accepted.into_iter().for_each(|feed| stage.note(What::Word { feed }));
        last_round(line, stage, full).await?;
    }
    Ok(())
}

/// One cycle of every feed, and those that they ask for.
async fn last_round(line: &Arc<SimLine>, stage: &Stage, full: bool) -> Result<(), String> {
    let mut due: BTreeSet<Feed> = FEEDS.into_iter().collect();
    let mut cycles = 0;
    while let Some(feed) = due.pop_first() {
        match engine::cycle(line, stage, feed, full, true).await {
            Ended::Done { complete: true, released } => due.extend(released),
            Ended::Done { complete: false, .. } => {
                return Err(format!("the last cycle of {} is cut short", feed.name()));
            }
            Ended::SourceFailed | Ended::LedgerFailed => return Err("something fails in quiet times".to_owned()),
            Ended::Broken(text) => return Err(text),
        }
        cycles += 1;
        if cycles > MOST_LAST_CYCLES {
            return Err("the last cycles ask for each other without end".to_owned());
        }
    }
    Ok(())
}

/// Things happen in the hospital.
async fn change(stage: Arc<Stage>) {
    loop {
        stage.dawdle(1, stage.plan.haste).await;
        let (second, database_now) = (stage.second(), stage.database_now());
        stage.hospital().change(second, database_now);
        if stage.plan.clock_steps > 0 && stage.chance().percent(5) {
            stage.step_a_clock();
        }
    }
}

/// A process has ended: what it was doing is cut off, and what is durable is handed to the next.
async fn bury(stage: &Stage, disk: &MemoryLedger) -> MemoryLedger {
    // Tasks that were aborted go when they are polled next, and theirs after them.
    for _ in 0..4 {
        yield_now().await;
    }
    stage.note(What::Died);
    stage.note(What::Remembered(engine::memories(disk).await));
    disk.crash()
}

async fn begin(stage: &Arc<Stage>, disk: &MemoryLedger) -> Result<Arc<SimLine>, String> {
    stage.note(What::Started);
    let process = Process { stage: Arc::clone(stage), steps: Arc::new(Steps::until(u64::MAX)) };
    engine::open(&process, disk.clone()).await.map_err(|error| format!("a start in quiet times: {error}"))
}

/// Lets a process live until its last step, its ledger's failure, or the time at which it is asked to stop.
async fn one_process(process: &Process, disk: &MemoryLedger, until: Instant) -> End {
    process.stage.note(What::Started);
    let stop = CancellationToken::new();
    let life = serve(process, disk.clone(), stop.clone());
    tokio::pin!(life);
    loop {
        tokio::select! {
            biased;
            () = process.steps.ended() => return End::Died,
            end = &mut life => return end,
            () = sleep_until(until), if !stop.is_cancelled() => stop.cancel(),
        }
    }
}

/// What a daemon does: every feed has its cycles, at once with the others.
async fn serve(process: &Process, disk: MemoryLedger, stop: CancellationToken) -> End {
    let Ok(line) = engine::open(process, disk).await else { return End::Died };
    let pokes: Arc<[Notify; 8]> = Arc::default();
    let mut feeds = JoinSet::new();
    for feed in FEEDS {
        feeds.spawn(keep(Arc::clone(&line), Arc::clone(&process.stage), feed, Arc::clone(&pokes), stop.clone()));
    }
    // Some are stopped in the middle of a cycle, others after it.
    let abruptly = process.stage.chance().percent(50);
    loop {
        tokio::select! {
            biased;
            ended = feeds.join_next() => match ended {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(end))) => return end,
                Some(Err(error)) => return End::Broken(format!("a cycle ended unexpectedly: {error}")),
                None => return End::Stopped(line),
            },
            () = stop.cancelled(), if abruptly && !line.stopping.is_cancelled() => line.stopping.cancel(),
        }
    }
}

async fn keep(
    line: Arc<SimLine>,
    stage: Arc<Stage>,
    feed: Feed,
    pokes: Arc<[Notify; 8]>,
    stop: CancellationToken,
) -> Result<(), End> {
    let (least, most) = if feed == Feed::Slot { (2_000, 20_000) } else { (5_000, 60_000) };
    stage.dawdle(0, 5_000).await;
    while !stop.is_cancelled() {
        let full = stage.chance().percent(10);
        match engine::cycle(&line, &stage, feed, full, false).await {
            Ended::Done { released, .. } => released.iter().for_each(|child| pokes[*child as usize].notify_one()),
            Ended::SourceFailed => {}
            Ended::LedgerFailed => return Err(End::Died),
            Ended::Broken(text) => return Err(End::Broken(text)),
        }
        let pause = stage.chance().millis(least, most);
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = pokes[feed as usize].notified() => {}
            () = sleep(pause) => {}
        }
    }
    Ok(())
}

/// What is wrong with a run, for people; nothing if all is well.
pub fn complaint(outcome: &Outcome) -> Option<String> {
    let violations = oracle::judge(&outcome.evidence);
    if violations.is_empty() && outcome.broken.is_none() {
        return None;
    }
    let mut text = format!("{:?}\n", outcome.plan);
    if let Some(broken) = &outcome.broken {
        text.push_str(&format!("{broken}\n"));
    }
    violations.iter().take(8).for_each(|violation| text.push_str(&format!("{violation}\n")));
    let trace = Trace { events: outcome.evidence.events.clone(), ..Trace::default() };
    let known = violations.iter().filter_map(|violation| Some(wire::guid(violation.about?.1)));
    let notes = outcome.evidence.texts.iter().filter(|text| text.starts_with('{'));
    notes.for_each(|note| text.push_str(&format!("{}\n", note.chars().take(400).collect::<String>())));
    for id in known.take(4) {
        outcome
            .evidence
            .texts
            .iter()
            .filter(|text| text.contains(&id))
            .for_each(|said| text.push_str(&format!("{said}\n")));
    }
    if let Some((feed, id)) = violations.first().and_then(|violation| violation.about) {
        text.push_str(&format!("about the first of them:\n{}", trace.about(feed, id, &outcome.evidence.versions, 60)));
    }
    // ABOUT="slot 17": the whole story of one record. TRACE=1: everything.
    if let Some((feed, low)) = std::env::var("ABOUT").ok().as_deref().and_then(|about| about.split_once(' ')) {
        let feed = Feed::named(feed);
        let versions = &outcome.evidence.versions;
        let named = |version: &&Version| version.feed == feed && (version.row.id as u64).to_string() == low;
        let id = versions.iter().find(named).map_or(0, |version| version.row.id);
        text.push_str(&format!("about {} #{low}:\n{}", feed.name(), trace.about(feed, id, versions, usize::MAX)));
    }
    let most = if std::env::var_os("TRACE").is_some() { usize::MAX } else { 30 };
    text.push_str(&format!("the end of the trace:\n{}", trace.tail(most)));
    Some(text)
}
