//! Each fault alone: one request meets it, then all is calm. A few passes of the built program make the mart equal to the source.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::site::{Settings, Site};
use crate::support::database::sqlite;
use crate::support::hospital::Hospital;
use crate::support::storm::{Asked, CutAt, Fault, Limits, On, Plan};

const RATE: usize = 200;
/// Longest time that the pauses after one fault may last: a lost authentication and a held request among them.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the pass that meets the fault may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// It ends the matter itself.
    Done,
    /// It fails, says so by its exit code, and a later one ends it.
    Failed,
}

fn expected(fault: Fault) -> Pass {
    match fault {
        Fault::Slow | Fault::NoIds | Fault::NoSuccess | Fault::Revoked | Fault::Narrow => Pass::Done,
        _ => Pass::Failed,
    }
}

/// One fault against a fresh site.
async fn meets(fault: Fault, on: On) {
    let db = sqlite().await;
    Hospital::new(60, false).fill(&db).await;
    let settings = Settings { requests_per_second: RATE, batch: 20, timeout: 2, more: String::new() };
    let site = Site::new(db, &settings).await;
    site.receiver.follow(Plan::Once { fault, on });
    let first = site.sync().await;
    assert!(site.receiver.is_calm(), "{fault:?} on {on:?} was never met");
    let code = if expected(fault) == Pass::Done { 0 } else { 1 };
    assert_eq!(first.code, code, "{fault:?} on {on:?}: {}{}", first.out, first.err);
    let deadline = Instant::now() + PATIENCE;
    // On until a pass has nothing left to do: what was in doubt may have to wait for a while.
    loop {
        let requests = site.receiver.journal().len();
        let again = site.sync().await;
        if again.code == 0 && site.receiver.journal().writes_since(requests) == 0 && site.differences().await.is_empty()
        {
            break;
        }
        assert!(again.code < 2 || again.code == 3, "{fault:?} on {on:?}: {}{}", again.out, again.err);
        assert!(Instant::now() < deadline, "{fault:?} on {on:?}: {}{:#?}", again.out, site.differences().await);
    }
    let violations = site.receiver.journal().violations(Limits { requests_per_second: RATE });
    assert!(violations.is_empty(), "{fault:?} on {on:?}: {violations:#?}");
}

async fn each_alone(on: On) {
    let asked = match on {
        On::Token => Asked::Token,
        On::Feed(_) => Asked::Upsert(20),
    };
    let places = Arc::new(Semaphore::new(4));
    let mut sites = JoinSet::new();
    for fault in Fault::all().into_iter().filter(|fault| fault.may_hit(asked)) {
        let places = Arc::clone(&places);
        sites.spawn(async move {
            let _place = places.acquire().await.unwrap();
            meets(fault, on).await;
        });
    }
    while let Some(done) = sites.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_slot_request_is_survived() {
    each_alone(On::Feed("slot")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_whose_request_fails_holds_its_children_and_no_longer() {
    for fault in [Fault::CutUnread, Fault::CutAfterApply(CutAt::InBody), Fault::Narrow, Fault::Maintenance] {
        meets(fault, On::Feed("resource")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_record_that_is_refused_by_name_waits_for_a_word_and_nobody_waits_for_it() {
    let db = sqlite().await;
    Hospital::new(60, false).fill(&db).await;
    let site = Site::new(db, &Settings { requests_per_second: RATE, batch: 20, timeout: 5, more: String::new() }).await;
    site.receiver.follow(Plan::Once { fault: Fault::Refuse, on: On::Feed("slot") });
    assert_eq!(site.sync().await.code, 3, "something stands refused");
    assert!(site.receiver.is_calm());
    let refused = site.receiver.journal().refused();
    let [id] = &refused[..] else { panic!("one record is refused: {refused:?}") };
    assert_eq!(site.differences().await, [format!("slot lacks {id}")], "all others have arrived");
    let before = site.receiver.journal().len();
    for _ in 0..3 {
        assert_eq!(site.sync().await.code, 3);
    }
    assert_eq!(site.receiver.journal().writes_since(before), 0, "each a process of its own, none sends it again");
    let word = site.run(&["rejects", "retry", "fer.slot"]).await;
    assert_eq!(word.code, 0, "{}{}", word.out, word.err);
    assert_eq!(site.sync().await.code, 0);
    assert_eq!(site.receiver.journal().writes_since(before), 1, "that record and no other");
    assert!(site.differences().await.is_empty());
    site.receiver.journal().assert_kept(Limits { requests_per_second: RATE });
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_an_authentication_is_survived() {
    each_alone(On::Token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_wait_for_referrals_that_could_not_be_read_yet() {
    let db = sqlite().await;
    Hospital::new(60, false).fill(&db).await;
    let more = "[portals.fer.feeds.referral]\nquery = \"SELECT * FROM later\"\n".to_owned();
    let site = Site::new(db, &Settings { requests_per_second: RATE, batch: 20, timeout: 5, more }).await;
    assert_eq!(site.sync().await.code, 1);
    assert_eq!((site.receiver.held("slot").len(), site.receiver.held("book").len()), (60, 0));
    site.db.execute(&["CREATE VIEW later AS SELECT * FROM vitrina_fer_referral"]).await;
    assert_eq!(site.sync().await.code, 0);
    assert!(site.differences().await.is_empty());
    site.receiver.journal().assert_kept(Limits { requests_per_second: RATE });
}
