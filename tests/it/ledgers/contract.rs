//! What every ledger does. Each test is one generic function that runs over all of them.

use std::borrow::Cow;
use std::future::Future;
use std::path::PathBuf;

use futures_util::future::join_all;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use vitrina::ledger::{
    AnyLedger, Close, Counts, Entry, Exchange, ExchangeCounts, ExchangeState, FeedId, Ledger, LedgerError, Mark,
    MarkId, MemoryLedger, Note, NoteKind, NotePlace, Progress, Refusal, Remark, Replay, Settlement, SqliteLedger,
    State, Word, WordKind, WriteBackDue,
};
use vitrina::record::{Key, Receipt, Rule, Stage, Violation};

use super::*;

/// Where the ledgers of one test come from.
trait Place {
    type Ledger: Ledger;
    /// Opens the ledger for writing. Everything made from one place is the same ledger.
    fn open(&self) -> impl Future<Output = Result<Self::Ledger, LedgerError>>;
}

struct InFile {
    _directory: TempDir,
    path: PathBuf,
}

impl InFile {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        InFile { _directory: directory, path }
    }
}

impl Place for InFile {
    type Ledger = SqliteLedger;
    async fn open(&self) -> Result<SqliteLedger, LedgerError> {
        SqliteLedger::open(&self.path).await
    }
}

struct ByUrl(InFile);

impl Place for ByUrl {
    type Ledger = AnyLedger;
    async fn open(&self) -> Result<AnyLedger, LedgerError> {
        AnyLedger::open(&format!("sqlite:{}", self.0.path.display())).await
    }
}

struct InMemory(MemoryLedger);

impl Place for InMemory {
    type Ledger = MemoryLedger;
    async fn open(&self) -> Result<MemoryLedger, LedgerError> {
        self.0.reopen()
    }
}

/// Nobody holds it yet, as with a new path.
async fn in_memory() -> InMemory {
    let ledger = MemoryLedger::new();
    ledger.close().await.unwrap();
    InMemory(ledger)
}

macro_rules! contract {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $test() { super::$test(super::InFile::new()).await; })*
        }
        mod by_url {
            $(#[tokio::test] async fn $test() { super::$test(super::ByUrl(super::InFile::new())).await; })*
        }
        mod memory {
            $(#[tokio::test] async fn $test() { super::$test(super::in_memory().await).await; })*
        }
    };
}

contract!(
    a_feed_keeps_its_number,
    feeds_are_told_apart,
    an_open_mark_is_in_flight_after_a_restart,
    an_acknowledged_mark_is_what_the_portal_holds,
    an_acknowledged_removal_forgets_the_record,
    a_restated_mark_says_nothing_itself,
    a_settlement_overrules_the_mark_it_closes,
    a_statement_with_a_mark_stays_in_flight,
    a_dropped_record_is_forgotten,
    a_later_mark_counts_where_it_was_made,
    concurrent_calls_are_all_kept,
    calls_are_replayed_in_their_order,
    a_failing_call_takes_no_other_with_it,
    a_failed_settlement_changes_nothing,
    a_mark_is_closed_once,
    everything_of_an_entry_survives,
    refusals_are_replaced_cleared_and_ordered,
    many_refusals_at_once,
    a_refusal_without_a_key_is_refused,
    findings_are_replaced_as_a_whole,
    counts_and_progress_are_read_back,
    a_rewrite_keeps_exactly_what_it_is_given,
    a_rewrite_stands_before_what_follows,
    a_rewrite_waits_for_the_marks_of_this_process,
    a_rewrite_takes_marks_of_an_earlier_process,
    a_long_journal_wants_a_rewrite,
    an_exchange_is_read_back_as_it_was_stated,
    an_exchange_keeps_what_a_later_one_does_not_say,
    a_remark_changes_the_code_alone,
    the_register_is_counted_and_read_in_pages,
    a_dropped_record_stays_in_the_register_if_it_was_ever_sent,
    a_secret_is_kept_by_portal_and_name,
    a_note_is_replaced_and_forgotten_by_its_place,
    a_word_waits_until_it_is_heard,
    a_second_writer_is_refused,
    a_closed_ledger_refuses_every_call,
);

async fn opened<P: Place>(place: &P) -> (P::Ledger, FeedId) {
    let ledger = place.open().await.unwrap();
    let feed = ledger.feed("fer", "slot").await.unwrap();
    (ledger, feed)
}

async fn reopened<P: Place>(place: &P, ledger: P::Ledger) -> P::Ledger {
    ledger.close().await.unwrap();
    place.open().await.unwrap()
}

async fn a_feed_keeps_its_number<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    assert_eq!(ledger.feed("fer", "slot").await.unwrap(), feed);
    let ledger = reopened(&place, ledger).await;
    assert_eq!(ledger.feed("fer", "slot").await.unwrap(), feed);
}

async fn feeds_are_told_apart<P: Place>(place: P) {
    let (ledger, slot) = opened(&place).await;
    let mo = ledger.feed("fer", "mo").await.unwrap();
    let other = ledger.feed("ekdo", "document").await.unwrap();
    ledger.settle(slot, stating(vec![accepted(1, 1)])).await.unwrap();
    ledger.settle(mo, stating(vec![accepted(2, 2)])).await.unwrap();
    assert_eq!(only(&ledger, slot).await, Some(accepted(1, 1)));
    assert_eq!(only(&ledger, mo).await, Some(accepted(2, 2)));
    let listed: Vec<_> = ledger.feeds().await.unwrap().into_iter().map(|it| (it.portal, it.feed, it.id)).collect();
    let expected = [("ekdo", "document", other), ("fer", "slot", slot), ("fer", "mo", mo)];
    assert_eq!(listed, expected.map(|(portal, feed, id)| (portal.to_owned(), feed.to_owned(), id)));
}

async fn an_open_mark_is_in_flight_after_a_restart<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let marked = Entry { mark: Some(Mark::Version(version(2))), ..accepted(1, 1) };
    ledger.mark(feed, std::slice::from_ref(&marked)).await.unwrap();
    assert_eq!(only(&ledger, feed).await, Some(marked.clone()));
    let ledger = reopened(&place, ledger).await;
    assert_eq!(only(&ledger, feed).await, Some(marked));
}

async fn an_acknowledged_mark_is_what_the_portal_holds<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let tried = Entry { attempts: 3, next_attempt: Some(9), wanted: Some(version(2)), ..sent(1, 2) };
    let mark = ledger.mark(feed, &[tried]).await.unwrap();
    ledger.settle(feed, acknowledged(mark)).await.unwrap();
    let ledger = reopened(&place, ledger).await;
    assert_eq!(only(&ledger, feed).await, Some(accepted(1, 2)));
}

async fn an_acknowledged_removal_forgets_the_record<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    ledger.settle(feed, stating(vec![accepted(1, 1)])).await.unwrap();
    let removal = Entry { mark: Some(Mark::Removal), ..accepted(1, 1) };
    let mark = ledger.mark(feed, std::slice::from_ref(&removal)).await.unwrap();
    assert_eq!(only(&ledger, feed).await, Some(removal));
    ledger.settle(feed, acknowledged(mark)).await.unwrap();
    assert_eq!(only(&ledger, feed).await, None);
}

async fn a_restated_mark_says_nothing_itself<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let mark = ledger.mark(feed, &[sent(1, 1), sent(2, 2)]).await.unwrap();
    let settlement = Settlement { close: vec![(mark, Close::Restated)], ..stating(vec![accepted(1, 1)]) };
    ledger.settle(feed, settlement).await.unwrap();
    assert_eq!(only(&ledger, feed).await, Some(accepted(1, 1)));
}

async fn a_settlement_overrules_the_mark_it_closes<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let mark = ledger.mark(feed, &[sent(1, 1), sent(2, 2), sent(3, 3)]).await.unwrap();
    let refused = Entry { state: State::Rejected, wanted: Some(version(2)), ..Entry::new(Key::Guid(2)) };
    let settlement = Settlement { entries: vec![refused.clone()], dropped: vec![Key::Guid(3)], ..acknowledged(mark) };
    ledger.settle(feed, settlement).await.unwrap();
    let ledger = reopened(&place, ledger).await;
    let records: Vec<_> = standing(&ledger, feed).await.into_values().collect();
    assert_eq!(records, [accepted(1, 1), refused]);
}

async fn a_statement_with_a_mark_stays_in_flight<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let mark = ledger.mark(feed, &[sent(1, 1)]).await.unwrap();
    let unknown = Entry { state: State::Unknown, ..sent(1, 1) };
    ledger.settle(feed, Settlement { entries: vec![unknown.clone()], ..acknowledged(mark) }).await.unwrap();
    assert_eq!(only(&ledger, feed).await, Some(unknown));
}

async fn a_dropped_record_is_forgotten<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    ledger.settle(feed, stating(vec![accepted(1, 1)])).await.unwrap();
    ledger.settle(feed, Settlement { dropped: vec![Key::Guid(1)], ..Settlement::default() }).await.unwrap();
    assert_eq!(only(&ledger, feed).await, None);
}

async fn a_later_mark_counts_where_it_was_made<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let first = ledger.mark(feed, &[sent(1, 1)]).await.unwrap();
    let second = ledger.mark(feed, &[sent(1, 2)]).await.unwrap();
    ledger.settle(feed, acknowledged(second)).await.unwrap();
    ledger.settle(feed, acknowledged(first)).await.unwrap();
    assert_eq!(only(&ledger, feed).await, Some(accepted(1, 2)));
}

async fn concurrent_calls_are_all_kept<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    join_all((0..200).map(async |key| {
        let mark = ledger.mark(feed, &[sent(key, 1)]).await.unwrap();
        ledger.settle(feed, acknowledged(mark)).await.unwrap();
    }))
    .await;
    let ledger = reopened(&place, ledger).await;
    let records: Vec<_> = standing(&ledger, feed).await.into_values().collect();
    assert_eq!(records, (0..200).map(|key| accepted(key, 1)).collect::<Vec<_>>());
}

async fn calls_are_replayed_in_their_order<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    // Polled in turn, so asked in turn, and carried out in as few transactions as the ledger likes.
    join_all((1..=50).map(|number| ledger.settle(feed, stating(vec![accepted(1, number)])))).await;
    let mut seen = Vec::new();
    let mut visit = |step: Replay| match step {
        Replay::Put(entry) => seen.push(entry.accepted),
        Replay::Drop(_) => seen.push(None),
    };
    ledger.load(feed, &mut visit).await.unwrap();
    assert_eq!(seen, (1..=50).map(|number| Some(version(number))).collect::<Vec<_>>());
}

async fn a_failing_call_takes_no_other_with_it<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let nowhere = FeedId(feed.0 + 1000);
    let batches: Vec<_> = (0..9).map(|key| [sent(key, 1)]).collect();
    let marks = (0..).zip(&batches).map(|(key, batch)| ledger.mark(if key == 4 { nowhere } else { feed }, batch));
    let made = join_all(marks).await;
    let failed: Vec<_> = made.iter().enumerate().filter(|(_, it)| it.is_err()).map(|(at, _)| at).collect();
    assert_eq!(failed, [4]);
    assert!(made[4].as_ref().unwrap_err().to_string().contains("no feed has the number"));
    assert_eq!(standing(&ledger, feed).await.len(), 8);
}

async fn a_failed_settlement_changes_nothing<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let mark = ledger.mark(feed, &[sent(1, 1)]).await.unwrap();
    let settlement = Settlement {
        close: vec![(mark, Close::Acknowledged), (MarkId(mark.0 + 1000), Close::Acknowledged)],
        entries: vec![accepted(2, 2)],
        counts: Some(Counts { accepted: 7, ..Counts::default() }),
        ..Settlement::default()
    };
    let failed = ledger.settle(feed, settlement).await.unwrap_err().to_string();
    assert!(failed.contains("no open mark"), "{failed}");
    assert_eq!(only(&ledger, feed).await, Some(sent(1, 1)));
    assert_eq!(ledger.feeds().await.unwrap()[0].counts, Counts::default());
}

async fn a_mark_is_closed_once<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let mark = ledger.mark(feed, &[sent(1, 1)]).await.unwrap();
    let twice = vec![(mark, Close::Acknowledged), (mark, Close::Restated)];
    assert!(ledger.settle(feed, Settlement { close: twice, ..Settlement::default() }).await.is_err());
    ledger.settle(feed, acknowledged(mark)).await.unwrap();
    assert!(ledger.settle(feed, acknowledged(mark)).await.is_err());
    assert_eq!(only(&ledger, feed).await, Some(accepted(1, 1)));
}

async fn everything_of_an_entry_survives<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let full = Entry {
        key: Key::Text("протокол-17/2".into()),
        accepted: Some(version(1)),
        mark: Some(Mark::Removal),
        state: State::Held,
        wanted: Some(version(2)),
        parents: [Some(Key::Guid(3)), Some(Key::Text("p".into()))],
        unit: Some(Key::Guid(4)),
        expires: Some(-1),
        status: Some(5),
        place: Some(u64::MAX),
        remote_id: Some("remote".into()),
        write_back_due: true,
        attempts: u16::MAX,
        next_attempt: Some(i64::MAX),
    };
    ledger.settle(feed, stating(vec![full.clone()])).await.unwrap();
    let ledger = reopened(&place, ledger).await;
    assert_eq!(only(&ledger, feed).await, Some(full));
}

fn refusal(key: Option<Key>, text: &str) -> Refusal {
    let violation =
        Violation { field: Cow::Borrowed("snils"), rule: Rule::Snils, text: Cow::Borrowed("не СНИЛС: \"…\"") };
    Refusal {
        key,
        state: State::Rejected,
        code: "CHECK".to_owned(),
        violations: vec![violation],
        text: text.to_owned(),
        since: 1_700_000_000,
    }
}

fn refusing(refused: Vec<Refusal>) -> Settlement {
    Settlement { refused, ..Settlement::default() }
}

async fn refusals_are_replaced_cleared_and_ordered<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let [guid, large, text] = [Key::Guid(5), Key::Guid(u128::MAX), Key::Text("a\"b'\u{0}ж".into())];
    let keyed = |key: &Key, words: &str| refusal(Some(key.clone()), words);
    let first = vec![keyed(&text, "t"), keyed(&large, "l"), keyed(&guid, "old")];
    ledger.settle(feed, refusing(first)).await.unwrap();
    let held = Refusal { state: State::Held, violations: Vec::new(), ..keyed(&guid, "new, nul \u{0} inside") };
    let settlement = Settlement { cleared: vec![large, Key::Guid(6)], ..refusing(vec![held.clone()]) };
    ledger.settle(feed, settlement).await.unwrap();
    let ledger = reopened(&place, ledger).await;
    assert_eq!(ledger.refusals(feed).await.unwrap(), [held, keyed(&text, "t")]);
    assert_eq!(ledger.refusals(FeedId(feed.0 + 1)).await.unwrap(), []);
}

async fn many_refusals_at_once<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let many: Vec<_> = (0..40_000).map(|key| refusal(Some(Key::Guid(key)), "many")).collect();
    ledger.settle(feed, refusing(many.clone())).await.unwrap();
    assert_eq!(ledger.refusals(feed).await.unwrap(), many);
    let cleared = (1..40_000).map(Key::Guid).collect();
    ledger.settle(feed, Settlement { cleared, ..Settlement::default() }).await.unwrap();
    assert_eq!(ledger.refusals(feed).await.unwrap(), many[..1]);
}

async fn a_refusal_without_a_key_is_refused<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let failed = ledger.settle(feed, refusing(vec![refusal(None, "keyless")])).await.unwrap_err();
    assert!(failed.to_string().contains("belongs to the findings"), "{failed}");
}

async fn findings_are_replaced_as_a_whole<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let finding = |findings| Settlement { findings: Some(findings), ..Settlement::default() };
    ledger.settle(feed, finding(vec![refusal(None, "gone")])).await.unwrap();
    let key = Some(Key::Guid(1));
    let [second, third] = ["second copy", "third copy"].map(|text| refusal(key.clone(), text));
    let [one, two] = ["row 9", "row 4"].map(|text| refusal(None, text));
    ledger.settle(feed, finding(vec![one.clone(), second.clone(), two.clone(), third.clone()])).await.unwrap();
    // Neither a settlement without findings nor a refusal of the same key touches them.
    let own = refusal(key, "own");
    ledger.settle(feed, refusing(vec![own.clone()])).await.unwrap();
    assert_eq!(ledger.refusals(feed).await.unwrap(), [own.clone(), second, third, one, two]);
    ledger.settle(feed, finding(Vec::new())).await.unwrap();
    assert_eq!(ledger.refusals(feed).await.unwrap(), [own]);
}

async fn counts_and_progress_are_read_back<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    assert_eq!(ledger.progress(feed).await.unwrap(), Progress::default());
    let counts = Counts { accepted: 1, pending: 2, held: 3, rejected: 4, unknown: 5, oldest_pending: Some(6) };
    let progress = Progress { watermark: Some(-7), last_full_scan: Some(8), last_success: Some(9), encoder: u32::MAX };
    ledger.settle(feed, Settlement { counts: Some(counts), ..Settlement::default() }).await.unwrap();
    ledger.set_progress(feed, progress).await.unwrap();
    ledger.settle(feed, stating(vec![accepted(1, 1)])).await.unwrap();
    let ledger = reopened(&place, ledger).await;
    assert_eq!(ledger.progress(feed).await.unwrap(), progress);
    let summary = ledger.feeds().await.unwrap().remove(0);
    assert_eq!((summary.counts, summary.progress), (counts, progress));
    assert!(ledger.progress(FeedId(feed.0 + 1)).await.is_err());
    assert!(ledger.set_progress(FeedId(feed.0 + 1), progress).await.is_err());
}

async fn a_rewrite_keeps_exactly_what_it_is_given<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let other = ledger.feed("fer", "mo").await.unwrap();
    ledger.settle(other, stating(vec![accepted(7, 7)])).await.unwrap();
    for number in 1..20 {
        ledger.settle(feed, stating((0..300).map(|key| accepted(key, number)).collect())).await.unwrap();
    }
    // More than one row's worth, and marks and tombstones among them.
    let live: Vec<_> = (0..2500)
        .map(|key| match key % 3 {
            0 => accepted(key, 1),
            1 => Entry { mark: Some(Mark::Removal), ..accepted(key, 2) },
            _ => Entry { state: State::Past, ..accepted(key, 3) },
        })
        .collect();
    ledger.rewrite(feed, &mut live.clone().into_iter()).await.unwrap();
    let ledger = reopened(&place, ledger).await;
    assert_eq!(standing(&ledger, feed).await.into_values().collect::<Vec<_>>(), live);
    assert_eq!(only(&ledger, other).await, Some(accepted(7, 7)));
}

async fn a_rewrite_stands_before_what_follows<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    ledger.settle(feed, stating(vec![accepted(1, 1)])).await.unwrap();
    ledger.rewrite(feed, &mut [accepted(1, 2)].into_iter()).await.unwrap();
    let mark = ledger.mark(feed, &[sent(1, 3)]).await.unwrap();
    ledger.settle(feed, acknowledged(mark)).await.unwrap();
    let ledger = reopened(&place, ledger).await;
    ledger.settle(feed, stating(vec![accepted(2, 4)])).await.unwrap();
    let records: Vec<_> = standing(&ledger, feed).await.into_values().collect();
    assert_eq!(records, [accepted(1, 3), accepted(2, 4)]);
}

async fn a_rewrite_waits_for_the_marks_of_this_process<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let mark = ledger.mark(feed, &[sent(1, 1)]).await.unwrap();
    let refused = ledger.rewrite(feed, &mut std::iter::empty()).await.unwrap_err().to_string();
    assert!(refused.contains("1 marks of the feed are open"), "{refused}");
    ledger.settle(feed, acknowledged(mark)).await.unwrap();
    assert_eq!(only(&ledger, feed).await, Some(accepted(1, 1)));
    ledger.rewrite(feed, &mut std::iter::empty()).await.unwrap();
    assert_eq!(only(&ledger, feed).await, None);
}

async fn a_rewrite_takes_marks_of_an_earlier_process<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    ledger.mark(feed, &[sent(1, 1)]).await.unwrap();
    let ledger = reopened(&place, ledger).await;
    let loaded = standing(&ledger, feed).await;
    ledger.rewrite(feed, &mut loaded.into_values()).await.unwrap();
    assert_eq!(only(&ledger, feed).await, Some(sent(1, 1)));
}

async fn a_long_journal_wants_a_rewrite<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let live: Vec<_> = (0..5_000).map(|key| accepted(key, 1)).collect();
    for _ in 0..4 {
        ledger.settle(feed, stating(live.clone())).await.unwrap();
    }
    assert!(!ledger.wants_rewrite(feed, 5_000).await.unwrap());
    // A mark that was restated leaves nothing behind, so it does not count.
    let mark = ledger.mark(feed, &[sent(1, 1)]).await.unwrap();
    let restated = Settlement { close: vec![(mark, Close::Restated)], ..Settlement::default() };
    ledger.settle(feed, restated).await.unwrap();
    assert!(!ledger.wants_rewrite(feed, 5_000).await.unwrap());
    ledger.settle(feed, stating(vec![accepted(1, 2)])).await.unwrap();
    assert!(ledger.wants_rewrite(feed, 5_000).await.unwrap());
    ledger.rewrite(feed, &mut live.into_iter()).await.unwrap();
    assert!(!ledger.wants_rewrite(feed, 5_000).await.unwrap());
}

fn exchange(key: u128, state: ExchangeState) -> Exchange {
    Exchange {
        key: Key::Guid(key),
        version: None,
        state,
        receipt: None,
        sent: None,
        changed: 7,
        code: None,
        write_back: None,
    }
}

fn exchanging(exchanged: Vec<Exchange>) -> Settlement {
    Settlement { exchanged, ..Settlement::default() }
}

fn full_receipt() -> Receipt {
    let [remote_id, set_id, base_no, url, status] =
        ["r\"1", "s-1", "№ 5", "https://p/1", "in_progress"].map(|text| Some(text.to_owned()));
    let (reason, registered_at) = (Some("нет п. 3".to_owned()), Some("2026-10-05".to_owned()));
    Receipt { stage: Stage::Sent, remote_id, set_id, base_no, registered_at, url, status, reason, signed: Some(false) }
}

async fn register<L: Ledger>(ledger: &L, feed: FeedId) -> Vec<Exchange> {
    ledger.exchanges(feed, None, usize::MAX).await.unwrap()
}

async fn an_exchange_is_read_back_as_it_was_stated<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let plain = exchange(1, ExchangeState::Ready);
    let full = Exchange {
        key: Key::Text("протокол-17/2".into()),
        version: Some(version(u128::MAX - 1)),
        receipt: Some(full_receipt()),
        sent: Some(-3),
        code: Some("OUTCOME_UNKNOWN".into()),
        write_back: Some(WriteBackDue { attempts: u16::MAX, next_attempt: i64::MAX }),
        ..exchange(2, ExchangeState::Unknown)
    };
    ledger.settle(feed, exchanging(vec![full.clone(), plain.clone()])).await.unwrap();
    let ledger = reopened(&place, ledger).await;
    assert_eq!(register(&ledger, feed).await, [plain, full.clone()]);
    assert_eq!(ledger.exchange(feed, &full.key).await.unwrap(), Some(full));
    assert_eq!(ledger.exchange(feed, &Key::Guid(2)).await.unwrap(), None);
}

async fn an_exchange_keeps_what_a_later_one_does_not_say<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let first = Exchange { receipt: Some(full_receipt()), sent: Some(5), ..exchange(1, ExchangeState::Sent) };
    ledger.settle(feed, exchanging(vec![first.clone()])).await.unwrap();
    let later = exchange(1, ExchangeState::Refused);
    ledger.settle(feed, exchanging(vec![later.clone()])).await.unwrap();
    let kept = Exchange { receipt: first.receipt, sent: first.sent, ..later };
    assert_eq!(register(&ledger, feed).await, [kept]);
    let emptied = Exchange { receipt: Some(Receipt::default()), ..exchange(1, ExchangeState::Ready) };
    ledger.settle(feed, exchanging(vec![emptied.clone()])).await.unwrap();
    assert_eq!(register(&ledger, feed).await, [Exchange { receipt: None, sent: Some(5), ..emptied }]);
}

async fn a_remark_changes_the_code_alone<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let row = Exchange { receipt: Some(full_receipt()), ..exchange(1, ExchangeState::Confirmed) };
    let remark = |key, code| Remark { key: Key::Guid(key), code };
    let remarked = vec![remark(1, Some("NO_UPDATE")), remark(2, Some("NO_UPDATE"))];
    ledger.settle(feed, Settlement { remarked, ..exchanging(vec![row.clone()]) }).await.unwrap();
    assert_eq!(register(&ledger, feed).await, [Exchange { code: Some("NO_UPDATE".into()), ..row.clone() }]);
    ledger.settle(feed, Settlement { remarked: vec![remark(1, None)], ..Settlement::default() }).await.unwrap();
    assert_eq!(register(&ledger, feed).await, [row]);
}

async fn the_register_is_counted_and_read_in_pages<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let other = ledger.feed("pos", "poll").await.unwrap();
    let rows: Vec<_> = (0..1200).map(|key| exchange(key, ExchangeState::ALL[(key % 5) as usize])).collect();
    let due = Exchange { write_back: Some(WriteBackDue::default()), ..rows[0].clone() };
    ledger.settle(feed, exchanging(std::iter::once(due).chain(rows[1..].to_vec()).collect())).await.unwrap();
    ledger.settle(other, exchanging(vec![exchange(9, ExchangeState::Sent)])).await.unwrap();
    let expected = ExchangeCounts { ready: 240, sent: 240, confirmed: 240, refused: 240, unknown: 240, write_back: 1 };
    assert_eq!(ledger.exchange_counts(feed).await.unwrap(), expected);
    let page = ledger.exchanges(feed, Some(&Key::Guid(1196)), 2).await.unwrap();
    assert_eq!(page, rows[1197..1199]);
    assert_eq!(ledger.exchange_counts(FeedId(other.0 + 1)).await.unwrap(), ExchangeCounts::default());
}

async fn a_dropped_record_stays_in_the_register_if_it_was_ever_sent<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    let rows = ExchangeState::ALL.map(|state| exchange(state as u128, state));
    ledger.settle(feed, exchanging(rows.to_vec())).await.unwrap();
    let dropped = rows.iter().map(|row| row.key.clone()).collect();
    ledger.settle(feed, Settlement { dropped, ..Settlement::default() }).await.unwrap();
    assert_eq!(register(&ledger, feed).await, rows[1..]);
}

async fn a_secret_is_kept_by_portal_and_name<P: Place>(place: P) {
    let (ledger, _) = opened(&place).await;
    for secret in ["old", "new"] {
        ledger.keep_secret("pos", "refresh", secret.to_owned().into()).await.unwrap();
    }
    let ledger = reopened(&place, ledger).await;
    let kept = ledger.secret("pos", "refresh").await.unwrap().unwrap();
    assert_eq!(kept.expose_secret(), "new");
    assert!(!format!("{kept:?}").contains("new"));
    assert!(ledger.secret("pos", "access").await.unwrap().is_none());
    assert!(ledger.secret("nmo", "refresh").await.unwrap().is_none());
}

fn note(portal: &str, kind: NoteKind, name: &str, body: &str) -> Note {
    let (portal, feed, name) = (portal.to_owned(), "slot".to_owned(), name.to_owned());
    Note { place: NotePlace { portal, feed, kind, name }, body: body.to_owned() }
}

async fn a_note_is_replaced_and_forgotten_by_its_place<P: Place>(place: P) {
    let (ledger, _) = opened(&place).await;
    let (unit, fuse) = (note("fer", NoteKind::Unit, "7", "{}"), note("fer", NoteKind::Fuse, "", "[1]"));
    for written in [&unit, &note("other", NoteKind::Unit, "7", "{}"), &note("fer", NoteKind::Fuse, "", "[]"), &fuse] {
        ledger.set_note(written).await.unwrap();
    }
    let ledger = reopened(&place, ledger).await;
    assert_eq!(ledger.notes("fer").await.unwrap(), [unit.clone(), fuse.clone()]);
    ledger.drop_note(&unit.place).await.unwrap();
    ledger.drop_note(&unit.place).await.unwrap();
    assert_eq!(ledger.notes("fer").await.unwrap(), [fuse]);
    assert_eq!(ledger.notes("other").await.unwrap().len(), 1);
}

async fn a_word_waits_until_it_is_heard<P: Place>(place: P) {
    let (ledger, _) = opened(&place).await;
    let word = |kind| Word { portal: "fer".into(), feed: "slot".into(), kind, argument: "{}".into(), said: 7 };
    let first = ledger.say(&word(WordKind::Retry)).await.unwrap();
    let second = ledger.say(&word(WordKind::AcceptFuse)).await.unwrap();
    let ledger = reopened(&place, ledger).await;
    ledger.heard(&[first]).await.unwrap();
    assert_eq!(ledger.words().await.unwrap(), [(second, word(WordKind::AcceptFuse))]);
    ledger.heard(&[second]).await.unwrap();
    let third = ledger.say(&word(WordKind::ResumeUnit)).await.unwrap();
    assert!(third > second, "a number is never used twice");
}

async fn a_second_writer_is_refused<P: Place>(place: P) {
    let (ledger, _) = opened(&place).await;
    match place.open().await {
        Err(LedgerError::Locked { .. }) => {}
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("two writers"),
    }
    reopened(&place, ledger).await;
}

async fn a_closed_ledger_refuses_every_call<P: Place>(place: P) {
    let (ledger, feed) = opened(&place).await;
    ledger.close().await.unwrap();
    let refusals = [
        ledger.feed("fer", "slot").await.err(),
        ledger.feeds().await.err(),
        ledger.load(feed, &mut |_| {}).await.err(),
        ledger.mark(feed, &[sent(1, 1)]).await.err(),
        ledger.settle(feed, Settlement::default()).await.err(),
        ledger.progress(feed).await.err(),
        ledger.set_progress(feed, Progress::default()).await.err(),
        ledger.refusals(feed).await.err(),
        ledger.wants_rewrite(feed, 0).await.err(),
        ledger.rewrite(feed, &mut std::iter::empty()).await.err(),
        ledger.notes("fer").await.err(),
        ledger.set_note(&note("fer", NoteKind::Unit, "", "{}")).await.err(),
        ledger.words().await.err(),
        ledger.heard(&[]).await.err(),
        ledger.exchanges(feed, None, 1).await.err(),
        ledger.exchange_counts(feed).await.err(),
        ledger.exchange(feed, &Key::Guid(1)).await.err(),
        ledger.secret("fer", "x").await.err(),
        ledger.keep_secret("fer", "x", "y".to_owned().into()).await.err(),
        ledger.close().await.err(),
    ];
    for (at, refusal) in refusals.into_iter().enumerate() {
        assert!(matches!(refusal, Some(LedgerError::Closed)), "call {at}: {refusal:?}");
    }
}
