//! Protection from being blocked: units that pause and come back, requests that become smaller, feeds that are parked, refusals that are
//! not repeated, and clocks that step back.

use std::sync::Arc;
use std::time::Duration;

use vitrina::ledger::{Ledger, NoteKind};
use vitrina::record::Key;
use vitrina::sync::{Clock, ErrorBudget, Order, Stop, UnitTrouble};
use vitrina::transport::Trouble;

use crate::support::portal::Act;
use crate::support::world::{MO, NOW, RESOURCE, TestLine, World, cycle, mo, pass, room, slot};

const HOUR: Duration = Duration::from_secs(3600);
/// How long the unit's own record has the first turn after a pause.
const TURN: Duration = Duration::from_secs(60);

/// A line whose units and rooms are accepted and whose slots are still to be sent.
async fn before_slots(world: &World) -> TestLine {
    let line = world.start().await;
    cycle(&line, "mo").await;
    cycle(&line, "resource").await;
    world.portal.forget_requests();
    line
}

async fn notes(world: &World, kind: NoteKind) -> usize {
    world.ledger.notes("fer").await.unwrap().iter().filter(|note| note.place.kind == kind).count()
}

fn blocked(world: &World) {
    world.portal.block_unit(&Key::Guid(MO).to_string());
}

/// Refuses slots 1 to `count` by name.
fn refuse_slots(world: &World, count: u128) {
    (1..=count).for_each(|id| world.portal.refuse(Key::Guid(id), true));
}

#[tokio::test(start_paused = true)]
async fn a_blocked_unit_stays_paused_over_a_restart() {
    let world = World::with_slots(3);
    let line = before_slots(&world).await;
    blocked(&world);
    cycle(&line, "slot").await;
    assert_eq!(notes(&world, NoteKind::Unit).await, 1);
    world.portal.forget_requests();
    let line = world.start().await;
    cycle(&line, "slot").await;
    assert!(world.portal.received("slot").is_empty());
    let paused = line.paused_units();
    assert_eq!(
        (paused[0].unit.clone(), paused[0].until, &paused[0].why),
        (Key::Guid(MO), NOW + 3600, &UnitTrouble::Blocked)
    );
}

#[tokio::test(start_paused = true)]
async fn after_its_pause_a_unit_is_tried_with_one_record_alone() {
    let world = World::with_slots(5);
    let line = before_slots(&world).await;
    blocked(&world);
    cycle(&line, "slot").await;
    tokio::time::advance(HOUR + TURN).await;
    let dry = line.cycle("slot", Order { dry_run: true, ..Order::default() }).await.unwrap();
    assert_eq!(dry.sent, 5, "a dry run claims nothing and says what would go out");
    let line = world.start_at(Clock::simulated(NOW + 3660)).await;
    cycle(&line, "slot").await;
    tokio::time::advance(HOUR).await;
    cycle(&line, "slot").await;
    assert_eq!(world.portal.sizes("slot"), [5, 1], "still blocked: the second pause is twice as long");
    tokio::time::advance(HOUR + TURN).await;
    world.portal.unblock_units();
    let report = cycle(&line, "slot").await;
    assert_eq!((report.accepted, report.postponed), (1, 4));
    assert!(report.released.contains("slot"), "the rest is poked at once");
    assert_eq!(notes(&world, NoteKind::Unit).await, 0);
    cycle(&line, "slot").await;
    assert_eq!(world.portal.sizes("slot"), [5, 1, 1, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_probation_that_came_to_nothing_is_repeated_in_the_next_cycle() {
    let world = World::with_slots(3);
    let line = before_slots(&world).await;
    blocked(&world);
    cycle(&line, "slot").await;
    world.portal.unblock_units();
    tokio::time::advance(HOUR + TURN).await;
    world.portal.next(Act::Fail(Trouble::Transient { retry_after: None }));
    cycle(&line, "slot").await;
    assert_eq!((world.portal.sizes("slot"), line.paused_units().len()), (vec![3, 1], 1));
    tokio::time::advance(Duration::from_secs(90)).await;
    cycle(&line, "slot").await;
    assert_eq!((world.portal.sizes("slot"), line.paused_units().len()), (vec![3, 1, 1], 0));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_pause_lets_the_records_of_all_feeds_go() {
    let mut world = World::with_slots(2);
    let line = before_slots(&world).await;
    blocked(&world);
    world.put("mo", MO, mo(MO, "Renamed"));
    world.put("resource", RESOURCE, {
        let mut row = room(RESOURCE, MO);
        row[6] = "Other".into();
        row
    });
    for feed in ["slot", "resource", "mo"] {
        cycle(&line, feed).await;
    }
    world.portal.unblock_units();
    tokio::time::advance(HOUR + TURN).await;
    let report = cycle(&line, "slot").await;
    assert_eq!(report.released.iter().copied().collect::<Vec<_>>(), ["mo", "resource", "slot"]);
    assert!(pass(&line).await >= 3);
    assert_eq!(world.portal.held("mo")[&Key::Guid(MO)]["name"], "Renamed");
}

#[tokio::test(start_paused = true)]
async fn an_operators_word_ends_a_pause_at_once() {
    let world = World::with_slots(3);
    let line = before_slots(&world).await;
    blocked(&world);
    cycle(&line, "slot").await;
    world.portal.unblock_units();
    assert!(line.resume_unit(&Key::Guid(MO)).await.unwrap());
    assert!(!line.resume_unit(&Key::Guid(MO)).await.unwrap());
    assert_eq!((cycle(&line, "slot").await.accepted, notes(&world, NoteKind::Unit).await), (3, 0));
}

/// What the portal says of its unit.
fn enabled(world: &World) -> String {
    world.portal.held("mo")[&Key::Guid(MO)]["enabled"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn after_a_block_the_units_own_record_goes_first_and_once_although_its_row_is_the_same() {
    let world = World::with_slots(3);
    let line = before_slots(&world).await;
    blocked(&world);
    cycle(&line, "slot").await;
    assert_eq!(enabled(&world), "NONE");
    world.portal.forget_requests();
    cycle(&line, "mo").await;
    assert!(line.wake_after_pauses().is_empty() && world.portal.received("mo").is_empty(), "the pause lasts");
    tokio::time::advance(HOUR).await;
    world.portal.unblock_units();
    assert_eq!(cycle(&line, "slot").await.accepted, 0, "the unit's own record stands for it");
    assert_eq!(line.wake_after_pauses().into_iter().collect::<Vec<_>>(), ["mo"]);
    assert!(line.wake_after_pauses().is_empty(), "once is enough");
    let report = cycle(&line, "mo").await;
    assert_eq!((report.accepted, enabled(&world)), (1, "ALL".to_owned()));
    assert!(report.released.contains("slot") && line.paused_units().is_empty());
    pass(&line).await;
    assert_eq!((world.portal.received("mo").len(), world.portal.held("slot").len()), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn an_operators_word_opens_the_unit_as_well() {
    let world = World::with_slots(3);
    let line = before_slots(&world).await;
    blocked(&world);
    cycle(&line, "slot").await;
    world.portal.unblock_units();
    line.resume_unit(&Key::Guid(MO)).await.unwrap();
    pass(&line).await;
    pass(&line).await;
    assert_eq!((enabled(&world), world.portal.received("mo").len()), ("ALL".to_owned(), 1));
}

#[tokio::test(start_paused = true)]
async fn a_block_is_undone_over_restarts() {
    let world = World::with_slots(3);
    blocked(&world);
    let line = world.start().await;
    world.portal.unblock_units();
    cycle(&line, "mo").await;
    cycle(&line, "resource").await;
    blocked(&world);
    cycle(&line, "slot").await;
    world.portal.unblock_units();
    let line = world.start_at(Clock::simulated(NOW + 3600)).await;
    assert_eq!(cycle(&line, "slot").await.accepted, 0, "the unit's own record goes first");
    assert_eq!(line.wake_after_pauses().into_iter().collect::<Vec<_>>(), ["mo"]);
    let line = world.start_at(Clock::simulated(NOW + 3600)).await;
    pass(&line).await;
    assert_eq!((enabled(&world), world.portal.held("slot").len()), ("ALL".to_owned(), 3));
}

#[tokio::test(start_paused = true)]
async fn a_block_that_the_units_own_record_meets_is_undone_like_any_other() {
    let mut world = World::with_slots(0);
    let line = before_slots(&world).await;
    blocked(&world);
    world.put("mo", MO, mo(MO, "Renamed"));
    cycle(&line, "mo").await;
    // The row is again what the portal acknowledged.
    world.put("mo", MO, mo(MO, "Unit"));
    cycle(&line, "mo").await;
    world.portal.unblock_units();
    tokio::time::advance(HOUR).await;
    assert_eq!(cycle(&line, "mo").await.accepted, 1);
    assert_eq!(enabled(&world), "ALL");
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_our_own_budget_sends_no_units_record_again() {
    let mut world = World::with_slots(10);
    world.batch = 2;
    world.budget = ErrorBudget { rejects: 3, window: HOUR };
    refuse_slots(&world, 10);
    let line = before_slots(&world).await;
    cycle(&line, "slot").await;
    assert!(matches!(line.paused_units()[0].why, UnitTrouble::Budget { .. }));
    line.resume_unit(&Key::Guid(MO)).await.unwrap();
    pass(&line).await;
    assert!(world.portal.received("mo").is_empty(), "the portal has not closed it");
}

#[tokio::test(start_paused = true)]
async fn a_unit_whose_own_record_cannot_go_is_tried_by_others_after_a_minute() {
    let mut world = World::with_slots(3);
    let line = before_slots(&world).await;
    blocked(&world);
    cycle(&line, "slot").await;
    world.put("mo", MO, mo(MO, ""));
    world.portal.unblock_units();
    tokio::time::advance(HOUR).await;
    cycle(&line, "mo").await;
    assert_eq!(cycle(&line, "slot").await.accepted, 0);
    tokio::time::advance(TURN).await;
    assert_eq!(cycle(&line, "slot").await.accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_unit_with_too_many_refusals_pauses_before_the_portal_blocks_it() {
    let mut world = World::with_slots(40);
    world.batch = 2;
    world.budget = ErrorBudget { rejects: 3, window: HOUR };
    refuse_slots(&world, 40);
    let line = before_slots(&world).await;
    let report = cycle(&line, "slot").await;
    assert!((4..=8).contains(&report.refused), "{} refusals until those under way were in", report.refused);
    assert_eq!(report.refused + report.postponed, 40);
    assert!(matches!(line.paused_units()[0].why, UnitTrouble::Budget { refused: 4, window: 3600 }));
    world.portal.forget_requests();
    tokio::time::advance(HOUR).await;
    let report = cycle(&line, "slot").await;
    assert_eq!((world.portal.sizes("slot"), report.refused), (vec![1], 1));
    assert!(line.paused_units().is_empty(), "the portal judges its records: it is not blocked");
}

#[tokio::test(start_paused = true)]
async fn refusals_are_counted_over_a_restart() {
    let mut world = World::with_slots(3);
    world.budget = ErrorBudget { rejects: 3, window: HOUR };
    refuse_slots(&world, 4);
    let line = before_slots(&world).await;
    cycle(&line, "slot").await;
    assert!(line.paused_units().is_empty());
    world.put("slot", 4, slot(4, "AVAILABLE"));
    let line = world.start().await;
    cycle(&line, "slot").await;
    assert_eq!(line.paused_units().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn rows_that_our_own_checks_refuse_are_held_against_nobody() {
    let mut world = World::with_slots(0);
    world.budget = ErrorBudget { rejects: 1, window: HOUR };
    (1..=20).for_each(|id| world.put("slot", id, slot(id, "FREE")));
    pass(&world.start().await).await;
    let line = world.start().await;
    assert!(line.paused_units().is_empty());
    world.portal.refuse(Key::Guid(21), true);
    world.put("slot", 21, slot(21, "AVAILABLE"));
    cycle(&line, "slot").await;
    assert!(line.paused_units().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_portal_that_finds_requests_too_large_gets_smaller_ones_from_then_on() {
    let mut world = World::with_slots(10);
    let line = before_slots(&world).await;
    world.portal.bears(3);
    assert_eq!(cycle(&line, "slot").await.accepted, 10);
    assert_eq!(world.portal.sizes("slot")[0], 10);
    world.portal.forget_requests();
    (1..=10).for_each(|id| world.put("slot", id, slot(id, "BLOCKED")));
    let line = world.start().await;
    assert_eq!(cycle(&line, "slot").await.accepted, 10);
    assert_eq!(world.portal.sizes("slot"), [2; 5], "remembered over a restart");
}

#[tokio::test(start_paused = true)]
async fn two_time_outs_in_a_row_make_requests_smaller() {
    let world = World::with_slots(10);
    let line = before_slots(&world).await;
    (0..2).for_each(|_| world.portal.next(Act::Fail(Trouble::TimedOut)));
    for _ in 0..3 {
        cycle(&line, "slot").await;
        tokio::time::advance(Duration::from_secs(90)).await;
    }
    assert_eq!(world.portal.sizes("slot"), [10, 10, 5, 5]);
    assert_eq!(notes(&world, NoteKind::Batch).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_feed_whose_address_is_refused_is_parked_alone() {
    let mut world = World::with_slots(3);
    let line = before_slots(&world).await;
    world.portal.lacks(Some("slot"));
    assert_eq!(cycle(&line, "slot").await.stop, Some(Stop::FeedParked));
    assert_eq!(line.feed("slot").unwrap().counts().pending, 3);
    assert_eq!(cycle(&line, "slot").await.stop, Some(Stop::FeedParked));
    assert_eq!(world.portal.sizes("slot").len(), 1, "nothing is sent there meanwhile");
    assert!(!line.lets_pass("slot") && line.lets_pass("mo"));
    world.put("mo", MO, mo(MO, "Renamed"));
    assert_eq!(cycle(&line, "mo").await.accepted, 1, "the other feeds go on");
    world.portal.lacks(None);
    tokio::time::advance(Duration::from_secs(300)).await;
    assert_eq!(cycle(&line, "slot").await.accepted, 3, "it is tried again by itself");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_only_the_row_can_cure_is_not_repeated_for_the_same_row() {
    let mut world = World::with_slots(1);
    world.portal.refuse(Key::Guid(1), true);
    world.portal.blame_row(Key::Guid(1));
    let line = world.start().await;
    pass(&line).await;
    tokio::time::advance(Duration::from_secs(30 * 86_400)).await;
    cycle(&line, "slot").await;
    assert_eq!(world.portal.received("slot").len(), 1);
    world.portal.refuse(Key::Guid(1), false);
    world.put("slot", 1, slot(1, "BLOCKED"));
    assert_eq!(cycle(&line, "slot").await.accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_steps_back_puts_no_attempt_off() {
    let world = World::with_slots(1);
    world.portal.refuse(Key::Guid(1), true);
    pass(&world.start().await).await;
    world.portal.refuse(Key::Guid(1), false);
    let line = world.start_at(Clock::simulated(NOW - 86_400)).await;
    assert_eq!(cycle(&line, "slot").await.accepted, 1, "no slow retry is two days away");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_steps_back_puts_no_full_scan_off() {
    let mut world = World::with_slots(1);
    world.changed_at = Some("updated_at");
    pass(&world.start().await).await;
    assert!(!cycle(&world.start().await, "slot").await.full);
    let line = world.start_at(Clock::simulated(NOW - 86_400)).await;
    assert!(cycle(&line, "slot").await.full);
}

#[tokio::test(start_paused = true)]
async fn bulk_work_never_takes_the_place_that_is_kept_for_slots() {
    let mut world = World::with_slots(1);
    world.batch = 1;
    let units: Vec<u128> = (0xd0..0xd8).collect();
    units.iter().for_each(|id| world.put("mo", *id, mo(*id, &format!("Unit {id}"))));
    let line = world.start().await;
    pass(&line).await;
    units.iter().for_each(|id| world.put("mo", *id, mo(*id, &format!("Renamed {id}"))));
    world.put("slot", 1, slot(1, "BLOCKED"));
    world.portal.hold_up("mo");
    let bulk = tokio::spawn({
        let line = Arc::clone(&line);
        async move { line.cycle("mo", Order::default()).await.unwrap() }
    });
    while world.portal.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(cycle(&line, "slot").await.accepted, 1, "slots do not wait for units");
    assert_eq!(world.portal.waiting(), 1, "of two places one is kept");
    world.portal.let_go();
    assert_eq!(bulk.await.unwrap().accepted, 8);
}

#[tokio::test(start_paused = true)]
async fn a_unit_of_which_only_removals_wait_is_tried_by_one_of_them() {
    let mut world = World::with_slots(60);
    let line = before_slots(&world).await;
    pass(&line).await;
    (1..=3).for_each(|id| world.delete("slot", id));
    world.portal.next_removal(Act::Fail(Trouble::UnitBlocked));
    cycle(&line, "slot").await;
    assert_eq!((line.paused_units().len(), world.portal.seen().removals.len()), (1, 1), "the others wait");
    tokio::time::advance(HOUR - Duration::from_secs(1)).await;
    cycle(&line, "slot").await;
    assert_eq!(world.portal.seen().removals.len(), 1);
    tokio::time::advance(Duration::from_secs(1) + TURN).await;
    let report = cycle(&line, "slot").await;
    assert_eq!((report.removed, line.paused_units().len()), (1, 0));
    assert!(report.released.contains("slot"));
    assert_eq!(cycle(&line, "slot").await.removed, 2);
}

#[tokio::test(start_paused = true)]
async fn refused_removals_count_against_the_unit_as_refused_records_do() {
    let mut world = World::with_slots(60);
    world.budget = ErrorBudget { rejects: 3, window: HOUR };
    let line = before_slots(&world).await;
    cycle(&line, "slot").await;
    (1..=10).for_each(|id| world.delete("slot", id));
    // One without the gateway's form, the others by name: both are refusals to whoever counts them there.
    world.portal.next_removal(Act::Fail(Trouble::Unattributed));
    refuse_slots(&world, 10);
    cycle(&line, "slot").await;
    assert_eq!(world.portal.seen().removals.len(), 4, "the unit pauses with the first refusal that is too many");
    let paused = line.paused_units();
    assert_eq!(paused[0].unit, Key::Guid(MO));
    assert_eq!(paused[0].why, UnitTrouble::Budget { refused: 4, window: 3600 });
    tokio::time::advance(HOUR).await;
    cycle(&line, "slot").await;
    assert_eq!(world.portal.seen().removals.len(), 5, "it comes back with one removal alone");
}
