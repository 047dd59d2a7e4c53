//! A process killed between two instructions: whatever the ledger had said yes to is there.
//!
//! The test binary runs itself as the process to be killed; it tells its calls over its standard output, one line each, after each
//! call has returned.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tokio::task::JoinSet;
use vitrina::ledger::{Ledger, SqliteLedger};

use super::*;

/// Names the ledger for the process to be killed.
const PATH: &str = "VITRINA_TEST_KILLED_LEDGER";
const CALLERS: u128 = 4;
/// Records of a batch.
const BATCH: u128 = 10;

#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut told = Vec::new();
    // The second process starts over what the first left, log and all.
    for lines in [150, 333] {
        told.extend(run_and_kill(&path, lines));
        check(&path, &told).await;
    }
}

/// Runs the loop, kills it after so many lines, and gives back all that it told.
fn run_and_kill(path: &Path, lines: usize) -> Vec<String> {
    let mut child = spawn(path);
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let is_told = |line: &String| line.starts_with("marked ") || line.starts_with("settled ");
    let mut told: Vec<_> = output.by_ref().filter(is_told).take(lines).collect();
    child.kill().unwrap();
    told.extend(output.filter(is_told));
    child.wait().unwrap();
    assert!(told.len() >= lines, "the process ended by itself");
    told
}

fn spawn(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ledgers::killed::the_process_to_be_killed", "--ignored", "--nocapture"])
        .env(PATH, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

async fn check(path: &Path, told: &[String]) {
    let ledger = SqliteLedger::open(path).await.unwrap();
    let feed = ledger.feed("fer", "slot").await.unwrap();
    let records = standing(&ledger, feed).await;
    for line in told {
        let (word, batch) = line.split_once(' ').unwrap();
        let first: u128 = batch.parse().unwrap();
        for key in first..first + BATCH {
            let record = &records[&Key::Guid(key)];
            match word {
                "settled" => assert_eq!(*record, accepted(key, 1), "{line}"),
                // It may have been settled after it was told.
                _ => assert!(*record == sent(key, 1) || *record == accepted(key, 1), "{line}: {record:?}"),
            }
        }
    }
    // A batch is never there in part.
    assert_eq!(records.len() as u128 % BATCH, 0);
    ledger.close().await.unwrap();
}

#[tokio::test]
#[ignore = "runs as a process of its own, for the test above"]
async fn the_process_to_be_killed() {
    let Some(path) = std::env::var_os(PATH).map(PathBuf::from) else { return };
    let ledger = std::sync::Arc::new(SqliteLedger::open(path).await.unwrap());
    let feed = ledger.feed("fer", "slot").await.unwrap();
    // Behind what an earlier process marked.
    let known = standing(&*ledger, feed).await.len() as u128;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let ledger = ledger.clone();
        callers.spawn(async move {
            for turn in 0.. {
                let first = known + (turn * CALLERS + caller) * BATCH + 1_000_000 * known;
                let batch: Vec<_> = (first..first + BATCH).map(|key| sent(key, 1)).collect();
                let mark = ledger.mark(feed, &batch).await.unwrap();
                tell(&format!("marked {first}\n"));
                ledger.settle(feed, acknowledged(mark)).await.unwrap();
                tell(&format!("settled {first}\n"));
            }
        });
    }
    callers.join_all().await;
}

/// One write a line, past the test harness's capture.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).unwrap();
}
