//! Feeds whose writes are exchanges of documents: nothing is sent twice that may be there, what the portal cannot do is not tried, and the
//! register says where each record stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use vitrina::ledger::{Exchange, ExchangeState, Fate, Ledger, State, Word, WordKind};
use vitrina::portal::{Abilities, Finding, Inquiry, Removal};
use vitrina::record::{Key, Receipt, Stage};
use vitrina::sync::{
    ExchangeSettings, Heard, OnUnknown, Order, Resolution, ResolveWord, Resolved, WriteBack, WriteBackError,
};
use vitrina::transport::Trouble;

use crate::support::portal::{Act, Disk};
use crate::support::world::{MO, TestLine, World, cycle, mo};

/// A portal that cannot take anything back and would take everything twice.
const ONCE: Abilities = Abilities {
    idempotent: false,
    update: true,
    removal: Removal::Unsupported,
    inquiry: Inquiry::Never,
    registered: true,
    examines: false,
};

/// A world whose units are exchanged with such a portal.
fn world(abilities: Abilities) -> World {
    let world = World::new();
    world.portal.seen().abilities.insert("mo", abilities);
    world
}

fn asking(inquiry: Inquiry) -> World {
    world(Abilities { inquiry, ..ONCE })
}

/// How each row of the register stands, and its code.
async fn register(world: &World, line: &TestLine) -> Vec<(ExchangeState, Option<String>)> {
    rows(world, line).await.into_iter().map(|row| (row.state, row.code)).collect()
}

async fn rows(world: &World, line: &TestLine) -> Vec<Exchange> {
    world.ledger.exchanges(line.feed("mo").unwrap().id, None, usize::MAX).await.unwrap()
}

async fn only(world: &World, line: &TestLine) -> Exchange {
    let mut rows = rows(world, line).await;
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

fn unknown() -> (ExchangeState, Option<String>) {
    (ExchangeState::Unknown, Some("OUTCOME_UNKNOWN".to_owned()))
}

fn well(state: ExchangeState) -> (ExchangeState, Option<String>) {
    (state, None)
}

/// Many cycles over a long time.
async fn days(line: &TestLine) {
    for _ in 0..10 {
        tokio::time::advance(Duration::from_secs(40_000)).await;
        cycle(line, "mo").await;
    }
}

async fn minutes(minutes: u64) {
    tokio::time::advance(Duration::from_secs(minutes * 60)).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_answer_was_lost_is_never_sent_again_by_itself() {
    let mut world = world(ONCE);
    world.portal.next(Act::ApplyAndLose);
    let line = world.start().await;
    let report = cycle(&line, "mo").await;
    assert_eq!((report.unknown, report.accepted), (1, 0));
    assert_eq!(register(&world, &line).await, [unknown()]);
    let listed = (Some(Key::Guid(MO)), State::Unknown, "OUTCOME_UNKNOWN".to_owned());
    assert_eq!(world.refusals(&line, "mo").await, std::slice::from_ref(&listed));
    days(&line).await;
    world.put("mo", MO, mo(MO, "Renamed"));
    days(&line).await;
    let mut bad = mo(MO, "Renamed");
    bad[5] = "NOBODY".into();
    world.put("mo", MO, bad);
    days(&line).await;
    let line = world.start().await;
    days(&line).await;
    assert_eq!(world.portal.received("mo").len(), 1);
    assert_eq!(world.refusals(&line, "mo").await, [listed]);
    assert_eq!(line.feed("mo").unwrap().counts().unknown, 1);
    assert!(world.portal.seen().inquiries.is_empty(), "it cannot be asked");
}

#[tokio::test(start_paused = true)]
async fn a_row_that_vanishes_while_its_outcome_is_unknown_changes_nothing() {
    let mut world = world(ONCE);
    world.portal.next(Act::ApplyAndLose);
    let line = world.start().await;
    cycle(&line, "mo").await;
    world.delete("mo", MO);
    world.put("mo", 1, mo(1, "Other"));
    days(&line).await;
    assert_eq!(register(&world, &line).await, [well(ExchangeState::Confirmed), unknown()]);
    let word = ResolveWord { key: Key::Guid(MO).to_string(), outcome: Resolution::NotSent };
    assert_eq!(line.resolve("mo", &word).await.unwrap(), Resolved::Done);
    cycle(&line, "mo").await;
    assert_eq!(register(&world, &line).await, [well(ExchangeState::Confirmed)], "it never was an exchange");
    assert!(world.refusals(&line, "mo").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_leaves_a_record_out_is_as_good_as_lost() {
    let mut world = world(ONCE);
    world.put("mo", 1, mo(1, "Other"));
    world.portal.next(Act::AnswerOnly(1));
    let line = world.start().await;
    days(&line).await;
    assert_eq!(world.portal.sizes("mo"), [2]);
    assert_eq!(register(&world, &line).await, [well(ExchangeState::Confirmed), unknown()]);
}

#[tokio::test(start_paused = true)]
async fn no_two_requests_are_lost_at_one_time_however_fast_they_follow_each_other() {
    let mut world = world(ONCE);
    world.batch = 1;
    (1..=3).for_each(|id| world.put("mo", id, mo(id, &format!("Other {id}"))));
    (0..3).for_each(|_| world.portal.next(Act::ApplyAndLose));
    let line = world.start().await;
    cycle(&line, "mo").await;
    drop(line);
    // Nor with what a process lost that ended before.
    world.portal.next(Act::ApplyAndLose);
    let line = world.start().await;
    cycle(&line, "mo").await;
    let sent: BTreeSet<i64> = rows(&world, &line).await.iter().filter_map(|row| row.sent).collect();
    assert_eq!((register(&world, &line).await, sent.len()), (vec![unknown(); 4], 4));
}

#[tokio::test(start_paused = true)]
async fn what_certainly_did_not_arrive_is_sent_again() {
    let world = world(ONCE);
    world.portal.next(Act::Fail(Trouble::Transient { retry_after: None }));
    let line = world.start().await;
    assert_eq!(cycle(&line, "mo").await.postponed, 1);
    assert_eq!(register(&world, &line).await, [well(ExchangeState::Ready)]);
    minutes(60).await;
    cycle(&line, "mo").await;
    assert_eq!(register(&world, &line).await, [well(ExchangeState::Confirmed)]);
}

#[tokio::test(start_paused = true)]
async fn an_inquiry_finds_the_record_and_nothing_is_sent_again() {
    let world = asking(Inquiry::AfterLoss);
    world.portal.seen().stage = Some(Stage::Confirmed);
    world.portal.next(Act::ApplyAndLose);
    let line = world.start().await;
    cycle(&line, "mo").await;
    minutes(60).await;
    let report = cycle(&line, "mo").await;
    assert_eq!((report.sent, report.unchanged), (0, 1));
    let row = only(&world, &line).await;
    assert_eq!((row.state, row.code), (ExchangeState::Confirmed, None));
    assert_eq!(row.receipt.unwrap().remote_id, Some(format!("r-{}", Key::Guid(MO))));
    assert!(world.refusals(&line, "mo").await.is_empty());
    assert_eq!(line.feed("mo").unwrap().counts().accepted, 1);
    days(&line).await;
    assert_eq!((world.portal.received("mo").len(), world.portal.seen().inquiries.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_inquiry_that_finds_nothing_lets_the_record_go_in_the_same_cycle() {
    let world = asking(Inquiry::AfterLoss);
    world.portal.next(Act::Lose);
    let line = world.start().await;
    cycle(&line, "mo").await;
    minutes(60).await;
    assert_eq!(cycle(&line, "mo").await.accepted, 1);
    assert_eq!(register(&world, &line).await, [well(ExchangeState::Confirmed)]);
    assert_eq!(world.portal.received("mo").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_unclear_answer_leaves_the_record_waiting_and_is_asked_for_again_ever_more_rarely() {
    let world = asking(Inquiry::AfterLoss);
    world.portal.seen().says = Some(Finding::Unclear);
    world.portal.next(Act::ApplyAndLose);
    let line = world.start().await;
    for _ in 0..600 {
        tokio::time::advance(Duration::from_secs(1)).await;
        if line.has_follow_up("mo") {
            line.follow_up("mo").await.unwrap();
        }
        cycle(&line, "mo").await;
    }
    assert_eq!(register(&world, &line).await, [unknown()]);
    let inquiries = world.portal.seen().inquiries.len();
    assert!((10..60).contains(&inquiries), "{inquiries}");
    assert_eq!(world.portal.received("mo").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_portal_that_cannot_answer_an_inquiry_is_left_alone_for_a_while() {
    let world = asking(Inquiry::AfterLoss);
    world.portal.next(Act::ApplyAndLose);
    let line = world.start().await;
    cycle(&line, "mo").await;
    world.portal.seen().inquiry_failures = vec![Trouble::Transient { retry_after: None }; 3].into();
    for _ in 0..1200 {
        tokio::time::advance(Duration::from_secs(1)).await;
        if line.has_follow_up("mo") {
            line.follow_up("mo").await.unwrap();
        }
    }
    assert_eq!(world.portal.seen().inquiries.len(), 4);
    assert_eq!(register(&world, &line).await, [well(ExchangeState::Confirmed)]);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_changed_while_its_outcome_was_unknown_goes_as_an_update_once_that_is_known() {
    let mut world = asking(Inquiry::AfterLoss);
    world.portal.seen().stage = Some(Stage::Confirmed);
    world.portal.next(Act::ApplyAndLose);
    let line = world.start().await;
    cycle(&line, "mo").await;
    world.put("mo", MO, mo(MO, "Renamed"));
    cycle(&line, "mo").await;
    let line = world.start().await;
    minutes(60).await;
    cycle(&line, "mo").await;
    let id = Some(format!("r-{}", Key::Guid(MO)));
    assert_eq!(world.portal.seen().ids, [(None, false), (id, true)]);
    assert_eq!(world.portal.held("mo")[&Key::Guid(MO)]["name"], "Renamed");
}

#[tokio::test(start_paused = true)]
async fn a_record_may_be_sent_again_where_that_is_configured() {
    for inquiry in [Inquiry::Never, Inquiry::AfterLoss] {
        let mut world = asking(inquiry);
        world.exchange = ExchangeSettings { on_unknown: OnUnknown::Resend, ..world.exchange };
        world.portal.seen().says = Some(Finding::Unclear);
        world.portal.next(Act::ApplyAndLose);
        let line = world.start().await;
        cycle(&line, "mo").await;
        minutes(60).await;
        cycle(&line, "mo").await;
        assert_eq!(world.portal.received("mo").len(), 2);
        assert_eq!(register(&world, &line).await, [well(ExchangeState::Confirmed)]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_portal_cannot_tell_yet_is_not_sent_again_whatever_is_configured() {
    let mut world = asking(Inquiry::AfterLoss);
    world.exchange = ExchangeSettings { on_unknown: OnUnknown::Resend, ..world.exchange };
    world.portal.next(Act::ApplyAndLose);
    let line = world.start().await;
    for says in [Finding::Later, Finding::NotAsked] {
        world.portal.seen().says = Some(says);
        days(&line).await;
        assert_eq!(register(&world, &line).await, [unknown()]);
    }
    assert_eq!(world.portal.received("mo").len(), 1);
    world.portal.seen().says = Some(Finding::Unclear);
    days(&line).await;
    assert_eq!(world.portal.received("mo").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_gets_no_further_for_weeks_is_asked_about_a_few_times_a_day() {
    let world = asking(Inquiry::UntilConfirmed);
    world.portal.seen().stage = Some(Stage::Sent);
    let line = world.start().await;
    cycle(&line, "mo").await;
    for _ in 0..14 * 24 * 12 {
        minutes(5).await;
        if line.has_follow_up("mo") {
            line.follow_up("mo").await.unwrap();
        }
    }
    let inquiries = world.portal.seen().inquiries.len();
    assert!((50..70).contains(&inquiries), "{inquiries}");
    let moved = Receipt { stage: Stage::Sent, status: Some("in_progress".into()), ..Receipt::default() };
    assert_eq!(line.told("mo", &Key::Guid(MO), moved).await.unwrap(), Heard::Taken);
    minutes(6).await;
    assert!(line.has_follow_up("mo"), "news");
}

#[tokio::test(start_paused = true)]
async fn a_crash_with_a_record_on_its_way_leaves_it_unknown_and_people_hear_of_it() {
    let mut world = world(ONCE);
    let line = world.start().await;
    // The settlement is lost: feeds, notes, register and so on are read by now, the mark is the next call.
    world.ledger.script([Fate::Serve, Fate::Refuse]);
    line.cycle("mo", Order::default()).await.unwrap_err();
    world.ledger = world.ledger.crash();
    let line = world.start().await;
    assert_eq!(register(&world, &line).await, [unknown()]);
    assert_eq!(world.refusals(&line, "mo").await[0].1, State::Unknown);
    let kept: u64 = world.ledger.feeds().await.unwrap().iter().map(|feed| feed.counts.unknown).sum();
    assert_eq!(kept, 1);
    days(&line).await;
    assert_eq!(world.portal.received("mo").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_operator_says_that_a_record_is_there() {
    let world = world(ONCE);
    world.portal.next(Act::ApplyAndLose);
    let line = world.start().await;
    cycle(&line, "mo").await;
    let key = Key::Guid(MO).to_string();
    let word = ResolveWord { key, outcome: Resolution::Sent("r-7".into()) };
    assert_eq!(line.resolve("mo", &word).await.unwrap(), Resolved::Done);
    assert_eq!(line.resolve("mo", &word).await.unwrap(), Resolved::NotUnknown);
    let line = world.start().await;
    days(&line).await;
    let row = only(&world, &line).await;
    assert_eq!((row.state, row.receipt.unwrap().remote_id.as_deref()), (ExchangeState::Confirmed, Some("r-7")));
    assert_eq!(line.known_as("mo", "r-7"), Some(Key::Guid(MO)));
    assert_eq!(world.portal.received("mo").len(), 1);
    assert!(world.refusals(&line, "mo").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_operator_says_that_a_record_is_not_there() {
    let world = world(ONCE);
    world.portal.next(Act::Lose);
    let line = world.start().await;
    cycle(&line, "mo").await;
    let word = ResolveWord { key: Key::Guid(MO).to_string(), outcome: Resolution::NotSent };
    assert_eq!(line.resolve("mo", &word).await.unwrap(), Resolved::Done);
    let line = world.start().await;
    assert_eq!(cycle(&line, "mo").await.accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_word_about_an_outcome_survives_the_ledger() {
    let world = world(ONCE);
    let word = ResolveWord { key: "k".into(), outcome: Resolution::NotSent };
    let (portal, feed, argument) = ("fer".to_owned(), "mo".to_owned(), word.to_json());
    let said = Word { portal, feed, kind: WordKind::Resolve, argument, said: 1 };
    world.ledger.say(&said).await.unwrap();
    assert_eq!(world.ledger.words().await.unwrap()[0].1, said);
}

#[tokio::test(start_paused = true)]
async fn what_was_begun_is_finished_at_once_under_the_portals_id() {
    let world = world(ONCE);
    world.portal.next(Act::Begin);
    let line = world.start().await;
    let report = cycle(&line, "mo").await;
    assert!(report.released.contains("mo"));
    let row = only(&world, &line).await;
    let id = Some(format!("r-{}", Key::Guid(MO)));
    assert_eq!((row.state, row.receipt.unwrap().remote_id), (ExchangeState::Ready, id.clone()));
    assert_eq!(cycle(&line, "mo").await.accepted, 1);
    assert_eq!(world.portal.seen().ids, [(None, false), (id, false)]);
    assert_eq!(register(&world, &line).await, [well(ExchangeState::Confirmed)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_begun_goes_on_after_a_crash_and_may_be_repeated() {
    let world = world(ONCE);
    world.portal.next(Act::Begin);
    cycle(&world.start().await, "mo").await;
    world.portal.next(Act::Lose);
    cycle(&world.start().await, "mo").await;
    minutes(60).await;
    let line = world.start().await;
    cycle(&line, "mo").await;
    let id = Some(format!("r-{}", Key::Guid(MO)));
    assert_eq!(world.portal.seen().ids, [(None, false), (id.clone(), false), (id, false)]);
    assert_eq!(register(&world, &line).await, [well(ExchangeState::Confirmed)]);
}

#[tokio::test(start_paused = true)]
async fn a_portal_that_begins_again_and_again_is_not_hammered() {
    let world = world(ONCE);
    for _ in 0..100 {
        world.portal.next(Act::Begin);
    }
    let line = world.start().await;
    for _ in 0..50 {
        cycle(&line, "mo").await;
    }
    assert_eq!(world.portal.received("mo").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_changed_after_a_beginning_is_refused_here_until_it_is_as_it_was() {
    let mut world = world(ONCE);
    world.portal.next(Act::Begin);
    let line = world.start().await;
    cycle(&line, "mo").await;
    world.put("mo", MO, mo(MO, "Renamed"));
    days(&line).await;
    assert_eq!(world.portal.received("mo").len(), 1);
    assert_eq!(world.refusals(&line, "mo").await[0].2, "NO_UPDATE");
    world.put("mo", MO, mo(MO, "Unit"));
    cycle(&world.start().await, "mo").await;
    assert_eq!(world.portal.received("mo").len(), 2);
    assert_eq!(register(&world, &line).await, [well(ExchangeState::Confirmed)]);
}

#[tokio::test(start_paused = true)]
async fn an_operator_lets_a_beginning_go() {
    let mut world = world(ONCE);
    world.portal.next(Act::Begin);
    let line = world.start().await;
    cycle(&line, "mo").await;
    world.put("mo", MO, mo(MO, "Renamed"));
    cycle(&line, "mo").await;
    let word = ResolveWord { key: Key::Guid(MO).to_string(), outcome: Resolution::NotSent };
    assert_eq!(line.resolve("mo", &word).await.unwrap(), Resolved::Done);
    cycle(&line, "mo").await;
    assert_eq!(world.portal.seen().ids, [(None, false), (None, false)]);
    assert_eq!(world.portal.held("mo")[&Key::Guid(MO)]["name"], "Renamed");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_the_portal_cannot_take_is_refused_here_and_forgotten_when_it_is_undone() {
    let mut world = world(Abilities { update: false, ..ONCE });
    let line = world.start().await;
    cycle(&line, "mo").await;
    world.put("mo", MO, mo(MO, "Renamed"));
    days(&line).await;
    assert_eq!(world.portal.received("mo").len(), 1);
    assert_eq!(world.refusals(&line, "mo").await, [(Some(Key::Guid(MO)), State::Rejected, "NO_UPDATE".to_owned())]);
    assert_eq!(register(&world, &line).await, [(ExchangeState::Confirmed, Some("NO_UPDATE".to_owned()))]);
    world.put("mo", MO, mo(MO, "Unit"));
    let line = world.start().await;
    cycle(&line, "mo").await;
    assert!(world.refusals(&line, "mo").await.is_empty());
    assert_eq!(register(&world, &line).await, [well(ExchangeState::Confirmed)]);
    assert_eq!(world.portal.received("mo").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_removed_stays_noted_and_is_not_sent_again_when_it_is_back() {
    let mut world = world(ONCE);
    (1..=9).for_each(|id| world.put("mo", id, mo(id, &format!("Unit {id}"))));
    let line = world.start().await;
    cycle(&line, "mo").await;
    (1..=9).for_each(|id| world.delete("mo", id));
    for _ in 0..3 {
        let report = cycle(&line, "mo").await;
        assert_eq!((report.removed, report.fused, report.released.len()), (0, None, 0));
    }
    let gone = (ExchangeState::Confirmed, Some("NO_REMOVAL".to_owned()));
    assert_eq!(register(&world, &line).await[..9], vec![gone.clone(); 9]);
    let line = world.start().await;
    world.put("mo", 1, mo(1, "Unit 1"));
    assert_eq!(cycle(&line, "mo").await.sent, 0);
    assert_eq!(register(&world, &line).await[..2], [well(ExchangeState::Confirmed), gone]);
    assert!(world.portal.seen().removals.is_empty());
    assert!(world.refusals(&line, "mo").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_removed_stays_in_the_register() {
    let mut world = world(Abilities { removal: Removal::Deactivation, ..ONCE });
    world.put("mo", 1, mo(1, "Other"));
    let line = world.start().await;
    cycle(&line, "mo").await;
    world.delete("mo", 1);
    assert_eq!(cycle(&line, "mo").await.removed, 1);
    let removed = (ExchangeState::Confirmed, Some("REMOVED".to_owned()));
    assert_eq!(register(&world, &line).await, [removed, well(ExchangeState::Confirmed)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_asked_about_until_it_is_confirmed() {
    let world = asking(Inquiry::UntilConfirmed);
    world.portal.seen().stage = Some(Stage::Sent);
    let line = world.start().await;
    cycle(&line, "mo").await;
    assert_eq!(register(&world, &line).await, [well(ExchangeState::Sent)]);
    for _ in 0..15 * 60 {
        tokio::time::advance(Duration::from_secs(1)).await;
        if line.has_follow_up("mo") {
            line.follow_up("mo").await.unwrap();
        }
    }
    assert_eq!(world.portal.seen().inquiries.len(), 2, "after five minutes, ten, and then twenty");
    let full = Receipt { base_no: Some("№ 5".into()), remote_id: Some("r".into()), ..Receipt::default() };
    world.portal.seen().says = Some(Finding::Held(full.clone()));
    minutes(5).await;
    assert_eq!(line.follow_up("mo").await.unwrap().settled, 1);
    let row = only(&world, &line).await;
    assert_eq!((row.state, row.receipt), (ExchangeState::Confirmed, Some(full)));
    minutes(60).await;
    assert!(!line.has_follow_up("mo"));
    assert_eq!(world.portal.received("mo").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_asked_about_after_a_restart_in_slices() {
    let mut world = asking(Inquiry::UntilConfirmed);
    (1..=24).for_each(|id| world.put("mo", id, mo(id, &format!("Unit {id}"))));
    world.portal.seen().stage = Some(Stage::Sent);
    cycle(&world.start().await, "mo").await;
    let line = world.start().await;
    line.follow_up("mo").await.unwrap();
    let sizes: Vec<usize> = world.portal.seen().inquiries.iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 10, 5]);
    let asked = world.portal.seen().inquiries[0][0].clone();
    assert!(asked.sent > 0);
    assert_eq!(asked.receipt.unwrap().remote_id, Some(format!("r-{}", asked.key)));
}

#[tokio::test(start_paused = true)]
async fn what_is_turned_down_waits_for_its_row() {
    for update in [true, false] {
        let mut world = world(Abilities { inquiry: Inquiry::UntilConfirmed, update, ..ONCE });
        world.portal.seen().stage = Some(Stage::Sent);
        let line = world.start().await;
        cycle(&line, "mo").await;
        let receipt = Receipt { stage: Stage::TurnedDown, status: Some("rework".into()), ..Receipt::default() };
        world.portal.seen().says = Some(Finding::Held(receipt.clone()));
        assert_eq!(line.told("mo", &Key::Guid(MO), receipt).await.unwrap(), Heard::Taken);
        let refused = (ExchangeState::Refused, Some("TURNED_DOWN".to_owned()));
        days(&line).await;
        let line = world.start().await;
        days(&line).await;
        assert_eq!(register(&world, &line).await, [refused]);
        assert_eq!(world.refusals(&line, "mo").await[0].2, "TURNED_DOWN");
        assert_eq!(world.portal.received("mo").len(), 1);
        world.put("mo", MO, mo(MO, "Renamed"));
        cycle(&line, "mo").await;
        let known = world.portal.seen().ids[1].clone();
        assert_eq!(known, (update.then(|| format!("r-{}", Key::Guid(MO))), update));
        assert_eq!(register(&world, &line).await, [well(ExchangeState::Sent)]);
        assert!(world.refusals(&line, "mo").await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_portal_has_lost_is_sent_again_a_day_later_at_the_earliest() {
    let world = asking(Inquiry::UntilConfirmed);
    world.portal.seen().stage = Some(Stage::Sent);
    let line = world.start().await;
    cycle(&line, "mo").await;
    world.portal.seen().says = Some(Finding::Absent);
    for _ in 0..200 {
        minutes(5).await;
        cycle(&line, "mo").await;
    }
    assert_eq!(world.portal.received("mo").len(), 1);
    assert_eq!(world.refusals(&line, "mo").await[0].2, "LOST_AT_PORTAL");
    world.portal.seen().says = None;
    minutes(24 * 60).await;
    cycle(&line, "mo").await;
    assert_eq!(world.portal.received("mo").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changes_changes_its_record_and_a_bad_one_is_the_rows_fault() {
    let world = world(Abilities { examines: true, ..ONCE });
    world.portal.seen().beside = Some(Ok("one"));
    let line = world.start().await;
    cycle(&line, "mo").await;
    assert_eq!(cycle(&line, "mo").await.sent, 0);
    world.portal.seen().beside = Some(Ok("two"));
    cycle(&line, "mo").await;
    assert_eq!(world.portal.held("mo")[&Key::Guid(MO)]["beside"], "two");
    world.portal.seen().beside = Some(Err("name"));
    assert_eq!(cycle(&line, "mo").await.invalid, 1);
    let refusals = world.ledger.refusals(line.feed("mo").unwrap().id).await.unwrap();
    assert_eq!((refusals[0].code.as_str(), refusals[0].violations[0].field.as_ref()), ("CHECK", "name"));
}

#[tokio::test(start_paused = true)]
async fn what_was_turned_down_and_then_approved_is_well() {
    for pushed in [true, false] {
        let mut world = world(Abilities { inquiry: Inquiry::UntilConfirmed, ..ONCE });
        world.portal.seen().stage = Some(Stage::Sent);
        cycle(&world.start().await, "mo").await;
        let line = world.start().await;
        let say = |stage, status: &str| Receipt { stage, status: Some(status.into()), ..Receipt::default() };
        line.told("mo", &Key::Guid(MO), say(Stage::TurnedDown, "rework")).await.unwrap();
        assert_eq!(world.refusals(&line, "mo").await[0].2, "TURNED_DOWN");
        let approved = say(Stage::Confirmed, "approved");
        if pushed {
            assert_eq!(line.told("mo", &Key::Guid(MO), approved).await.unwrap(), Heard::Taken);
        } else {
            world.portal.seen().says = Some(Finding::Held(approved));
            minutes(10).await;
            assert!(!line.has_follow_up("mo"), "it is asked about more rarely than what is on its way");
            minutes(25 * 60).await;
            line.follow_up("mo").await.unwrap();
        }
        assert_eq!(register(&world, &line).await, [well(ExchangeState::Confirmed)]);
        assert!(world.refusals(&line, "mo").await.is_empty());
        assert_eq!(line.feed("mo").unwrap().counts().accepted, 1);
        let line = world.start().await;
        assert_eq!(cycle(&line, "mo").await.sent, 0);
        world.put("mo", MO, mo(MO, "Renamed"));
        assert_eq!(cycle(&line, "mo").await.accepted, 1);
    }
}

#[tokio::test]
async fn news_of_a_record_that_is_on_its_way_are_asked_for_again() {
    let mut world = asking(Inquiry::UntilConfirmed);
    let line = world.start().await;
    let approved = Receipt { status: Some("approved".into()), ..Receipt::default() };
    let key = Key::Guid(MO);
    assert_eq!(line.told("mo", &key, approved.clone()).await.unwrap(), Heard::Kept);
    cycle(&line, "mo").await;
    world.put("mo", MO, mo(MO, "Renamed"));
    world.portal.hold_up("mo");
    let running = tokio::spawn({
        let line = Arc::clone(&line);
        async move { cycle(&line, "mo").await }
    });
    while world.portal.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(line.told("mo", &key, approved.clone()).await.unwrap(), Heard::Later);
    world.portal.let_go();
    assert_eq!(running.await.unwrap().accepted, 1);
    assert_eq!(line.told("mo", &key, approved).await.unwrap(), Heard::Taken);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_change_leaves_what_was_given_before() {
    let mut world = world(ONCE);
    world.portal.seen().stage = Some(Stage::Confirmed);
    let line = world.start().await;
    cycle(&line, "mo").await;
    let known = Receipt { url: Some("https://portal/1".into()), ..Receipt::default() };
    line.told("mo", &Key::Guid(MO), known.clone()).await.unwrap();
    world.put("mo", MO, mo(MO, "Renamed"));
    assert_eq!(cycle(&line, "mo").await.accepted, 1);
    let receipt = only(&world, &line).await.receipt.unwrap();
    assert_eq!((receipt.url, receipt.remote_id), (known.url, Some(format!("r-{}", Key::Guid(MO)))));
}

#[tokio::test(start_paused = true)]
async fn an_operator_names_the_id_of_a_record_that_the_portal_refused_because_it_has_it() {
    let world = world(ONCE);
    world.portal.refuse(Key::Guid(MO), true);
    let line = world.start().await;
    cycle(&line, "mo").await;
    let not_sent = ResolveWord { key: Key::Guid(MO).to_string(), outcome: Resolution::NotSent };
    assert_eq!(line.resolve("mo", &not_sent).await.unwrap(), Resolved::NotUnknown, "it was refused for something else");
    world.portal.seen().lacks_ids = true;
    let word = ResolveWord { key: Key::Guid(MO).to_string(), outcome: Resolution::Sent("36".into()) };
    assert_eq!(line.resolve("mo", &word).await.unwrap(), Resolved::Done);
    world.portal.refuse(Key::Guid(MO), false);
    let line = world.start().await;
    assert_eq!(cycle(&line, "mo").await.accepted, 1);
    assert_eq!(world.portal.seen().ids.last().unwrap().0.as_deref(), Some("36"));
    assert!(world.refusals(&line, "mo").await.is_empty());
    assert_eq!(register(&world, &line).await, [well(ExchangeState::Confirmed)]);
}

#[tokio::test]
async fn a_disk_that_does_not_answer_holds_up_nobody_else() {
    let world = world(Abilities { examines: true, ..ONCE });
    let disk = Arc::new(Disk::default());
    world.portal.seen().disk = Some(Arc::clone(&disk));
    let line = world.start().await;
    let running = tokio::spawn({
        let line = Arc::clone(&line);
        async move { cycle(&line, "mo").await }
    });
    while !disk.is_reached() {
        tokio::task::yield_now().await;
    }
    assert_eq!(line.feed("mo").unwrap().counts().accepted, 0);
    assert!(!disk.was_given_up(), "everybody waited for the disk");
    disk.answer();
    assert_eq!(running.await.unwrap().accepted, 1);
}

/// A statement of the site that fails as often as the test wants.
#[derive(Default)]
struct Statement {
    fails: Mutex<usize>,
    written: Mutex<Vec<BTreeMap<&'static str, Option<String>>>>,
}

impl WriteBack for Statement {
    fn write<'a>(
        &'a self,
        parameters: BTreeMap<&'static str, Option<&'a str>>,
    ) -> BoxFuture<'a, Result<(), WriteBackError>> {
        let owned = parameters.into_iter().map(|(name, value)| (name, value.map(str::to_owned))).collect();
        self.written.lock().unwrap().push(owned);
        let mut fails = self.fails.lock().unwrap();
        let result = if *fails == 0 { Ok(()) } else { Err(WriteBackError { reason: "down".into() }) };
        *fails = fails.saturating_sub(1);
        Box::pin(std::future::ready(result))
    }
}

impl Statement {
    fn statuses(&self) -> Vec<String> {
        self.written.lock().unwrap().iter().map(|row| row["status"].clone().unwrap()).collect()
    }
}

fn writing(inquiry: Inquiry) -> (World, Arc<Statement>) {
    let mut world = asking(inquiry);
    let statement = Arc::new(Statement::default());
    world.write_back = Some(Arc::clone(&statement) as Arc<dyn WriteBack>);
    (world, statement)
}

#[tokio::test(start_paused = true)]
async fn what_the_portal_gave_back_is_written_back_at_each_step() {
    let (world, statement) = writing(Inquiry::UntilConfirmed);
    world.portal.seen().stage = Some(Stage::Sent);
    let line = world.start().await;
    cycle(&line, "mo").await;
    let full = Receipt { base_no: Some("№ 5".into()), set_id: Some("s".into()), ..Receipt::default() };
    world.portal.seen().says = Some(Finding::Held(full));
    minutes(5).await;
    line.follow_up("mo").await.unwrap();
    days(&line).await;
    assert_eq!(statement.statuses(), ["sent", "confirmed"]);
    let last = statement.written.lock().unwrap()[1].clone();
    let text = |name: &str| last[name].clone().unwrap_or_default();
    let id = Key::Guid(MO).to_string();
    assert_eq!(
        [text("key"), text("remote_id"), text("base_no"), text("set_id")],
        [id.clone(), format!("r-{id}"), "№ 5".into(), "s".into()]
    );
    assert_eq!(last["url"], None);
    assert_eq!(line.feed("mo").unwrap().exchanges().unwrap().write_back, 0);
}

#[tokio::test(start_paused = true)]
async fn a_write_back_that_fails_is_tried_again_ever_more_rarely_over_restarts() {
    let (world, statement) = writing(Inquiry::Never);
    *statement.fails.lock().unwrap() = 5;
    let line = world.start().await;
    cycle(&line, "mo").await;
    assert_eq!(only(&world, &line).await.write_back.unwrap().attempts, 1);
    assert_eq!(line.feed("mo").unwrap().exchanges().unwrap().write_back, 1);
    let line = world.start().await;
    for _ in 0..300 {
        tokio::time::advance(Duration::from_secs(1)).await;
        if line.has_follow_up("mo") {
            line.follow_up("mo").await.unwrap();
        }
    }
    assert_eq!(statement.statuses(), ["confirmed"; 6]);
    assert_eq!(only(&world, &line).await.write_back, None);
    assert_eq!(world.portal.received("mo").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_the_register_hears_of_a_write_back_repeats_it() {
    let (mut world, statement) = writing(Inquiry::Never);
    let line = world.start().await;
    *statement.fails.lock().unwrap() = 1;
    cycle(&line, "mo").await;
    tokio::time::advance(Duration::from_secs(60)).await;
    // The row is read, the statement runs, and the register does not hear of it.
    world.ledger.script([Fate::Serve, Fate::Refuse]);
    line.follow_up("mo").await.unwrap_err();
    world.ledger = world.ledger.crash();
    let line = world.start().await;
    tokio::time::advance(Duration::from_secs(60)).await;
    line.follow_up("mo").await.unwrap();
    assert_eq!(statement.statuses(), ["confirmed"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_down_is_not_asked_for_every_record() {
    let (mut world, statement) = writing(Inquiry::Never);
    (1..=24).for_each(|id| world.put("mo", id, mo(id, &format!("Unit {id}"))));
    *statement.fails.lock().unwrap() = 3;
    let line = world.start().await;
    cycle(&line, "mo").await;
    assert_eq!(statement.statuses().len(), 3);
    tokio::time::advance(Duration::from_secs(120)).await;
    line.follow_up("mo").await.unwrap();
    assert_eq!(statement.statuses().len(), 3 + 25);
    assert_eq!(line.feed("mo").unwrap().exchanges().unwrap().write_back, 0);
}

#[tokio::test(start_paused = true)]
async fn the_register_is_counted_by_state() {
    let mut world = world(ONCE);
    (1..=5).for_each(|id| world.put("mo", id, mo(id, &format!("Unit {id}"))));
    world.portal.refuse(Key::Guid(2), true);
    let line = world.start().await;
    cycle(&line, "mo").await;
    let counts = line.feed("mo").unwrap().exchanges().unwrap();
    assert_eq!((counts.confirmed, counts.refused, counts.unknown), (5, 1, 0));
    assert_eq!(world.start().await.feed("mo").unwrap().exchanges(), Some(counts));
    assert_eq!(line.feed("slot").unwrap().exchanges(), None);
}
