//! What only the ledger in memory can do: die and fail on request.

use vitrina::ledger::{Fate, Ledger, LedgerError, MemoryLedger};

use super::*;

#[tokio::test]
async fn a_crash_keeps_what_was_durable_and_shuts_the_old_process_out() {
    let old = MemoryLedger::new();
    let feed = old.feed("fer", "slot").await.unwrap();
    old.mark(feed, &[sent(1, 1)]).await.unwrap();
    let new = old.crash();
    let late = old.settle(feed, stating(vec![accepted(1, 1)])).await;
    assert!(matches!(late, Err(LedgerError::Closed)), "{late:?}");
    assert_eq!(only(&new, feed).await, Some(sent(1, 1)));
}

#[tokio::test]
async fn a_snapshot_goes_its_own_way() {
    let ledger = MemoryLedger::new();
    let feed = ledger.feed("fer", "slot").await.unwrap();
    ledger.settle(feed, stating(vec![accepted(1, 1)])).await.unwrap();
    let copy = ledger.snapshot();
    ledger.settle(feed, stating(vec![accepted(1, 2)])).await.unwrap();
    assert_eq!(only(&copy, feed).await, Some(accepted(1, 1)));
    assert_eq!(only(&ledger, feed).await, Some(accepted(1, 2)));
}

#[tokio::test]
async fn a_script_decides_what_becomes_of_the_next_calls() {
    let ledger = MemoryLedger::new();
    let feed = ledger.feed("fer", "slot").await.unwrap();
    ledger.script([Fate::Serve, Fate::Refuse, Fate::LoseAnswer]);
    let fates = [
        ledger.settle(feed, stating(vec![accepted(1, 1)])).await.is_ok(),
        ledger.settle(feed, stating(vec![accepted(2, 1)])).await.is_ok(),
        ledger.settle(feed, stating(vec![accepted(3, 1)])).await.is_ok(),
        ledger.settle(feed, stating(vec![accepted(4, 1)])).await.is_ok(),
    ];
    assert_eq!(fates, [true, false, false, true]);
    let records: Vec<_> = standing(&ledger, feed).await.into_values().collect();
    assert_eq!(records, [accepted(1, 1), accepted(3, 1), accepted(4, 1)]);
}
