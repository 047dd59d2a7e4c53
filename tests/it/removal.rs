//! What is gone from the source goes at the portal: alone, with its children, under the fuse, and never twice or by mistake.

use std::time::Duration;

use vitrina::ledger::{Ledger, State};
use vitrina::record::Key;
use vitrina::source::memory::Value;
use vitrina::sync::{AcceptFuse, Order};
use vitrina::transport::Trouble;

use crate::support::portal::Act;
use crate::support::world::*;

fn removals(world: &World) -> Vec<(String, Key)> {
    world.portal.seen().removals.clone()
}

/// An operator lets go what the slots' fuse shows.
async fn accept(line: &TestLine) -> bool {
    let shown = AcceptFuse::of(&line.feed("slot").unwrap().fuse().unwrap());
    line.accept_fuse("slot", &shown).await.unwrap()
}

fn of(feed: &str, id: u128) -> (String, Key) {
    (feed.to_owned(), Key::Guid(id))
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_gone_is_removed_once_and_sent_again_when_it_returns() {
    let mut world = World::with_slots(8);
    let line = world.start().await;
    pass(&line).await;
    world.delete("slot", 3);
    let report = cycle(&line, "slot").await;
    assert_eq!((report.vanished, report.removed), (1, 1));
    pass(&line).await;
    pass(&world.start().await).await;
    assert_eq!(removals(&world), [of("slot", 3)]);
    world.portal.forget_requests();
    world.put("slot", 3, slot(3, "AVAILABLE"));
    pass(&world.start().await).await;
    assert_eq!(world.portal.received("slot"), [Key::Guid(3)]);
    assert!(world.portal.held("slot").contains_key(&Key::Guid(3)));
}

#[tokio::test(start_paused = true)]
async fn a_removal_whose_answer_was_lost_is_asked_for_again() {
    let mut world = World::with_slots(8);
    let line = world.start().await;
    pass(&line).await;
    world.delete("slot", 3);
    world.portal.next_removal(Act::ApplyAndLose);
    cycle(&line, "slot").await;
    assert_eq!(line.feed("slot").unwrap().counts().pending, 1);
    let line = world.start().await;
    tokio::time::advance(Duration::from_secs(5)).await;
    pass(&line).await;
    assert_eq!(removals(&world), [of("slot", 3), of("slot", 3)]);
    assert_eq!(line.feed("slot").unwrap().counts().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_returns_after_a_lost_removal_is_sent_although_it_is_as_before() {
    let mut world = World::with_slots(8);
    let line = world.start().await;
    pass(&line).await;
    world.delete("slot", 3);
    world.portal.next_removal(Act::ApplyAndLose);
    cycle(&line, "slot").await;
    world.put("slot", 3, slot(3, "AVAILABLE"));
    let line = world.start().await;
    pass(&line).await;
    assert!(world.portal.held("slot").contains_key(&Key::Guid(3)));
}

#[tokio::test(start_paused = true)]
async fn a_row_that_returns_before_it_was_removed_costs_nothing() {
    let mut world = World::with_slots(8);
    let line = world.start().await;
    pass(&line).await;
    world.delete("slot", 3);
    world.portal.next_removal(Act::Fail(Trouble::Transient { retry_after: None }));
    cycle(&line, "slot").await;
    world.portal.forget_requests();
    world.put("slot", 3, slot(3, "AVAILABLE"));
    pass(&line).await;
    assert!(world.portal.received("slot").is_empty());
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 8);
}

#[tokio::test(start_paused = true)]
async fn a_refused_removal_is_reported_and_waits() {
    let mut world = World::with_slots(8);
    let line = world.start().await;
    pass(&line).await;
    world.delete("slot", 3);
    world.portal.refuse(Key::Guid(3), true);
    pass(&line).await;
    pass(&line).await;
    assert_eq!(removals(&world).len(), 1);
    assert_eq!(world.refusals(&line, "slot").await, [(Some(Key::Guid(3)), State::Rejected, "R-310".to_owned())]);
    world.portal.refuse(Key::Guid(3), false);
    tokio::time::advance(Duration::from_secs(86_401)).await;
    pass(&line).await;
    assert!(!world.portal.held("slot").contains_key(&Key::Guid(3)));
    assert!(world.refusals(&line, "slot").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refused_row_is_refused_still_when_its_removal_is_refused_as_well() {
    let mut world = World::with_slots(0);
    world.put("resource", 0xb1, room(0xb1, MO));
    world.put("unaccessable_period", 0xd1, period(0xd1));
    let line = world.start().await;
    pass(&line).await;
    world.portal.refuse(Key::Guid(0xd1), true);
    let mut moved = period(0xd1);
    moved[1] = guid(0xb1);
    world.put("unaccessable_period", 0xd1, moved);
    pass(&line).await;
    world.delete("resource", RESOURCE);
    passes(&line).await;
    assert_eq!(removals(&world), [of("unaccessable_period", 0xd1)], "the portal holds it in the room that leaves");
    assert_eq!(
        world.portal.received("unaccessable_period"),
        [Key::Guid(0xd1), Key::Guid(0xd1)],
        "its row has not changed since"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failing_or_broken_scan_removes_nothing() {
    let world = World::with_slots(40);
    let line = world.start().await;
    pass(&line).await;
    world.source.fail_next(vitrina::source::memory::Fault::LostAfter(10));
    assert!(line.cycle("slot", Order::default()).await.is_err());
    assert!(removals(&world).is_empty());
    assert_eq!(cycle(&line, "slot").await.vanished, 0);
}

#[tokio::test(start_paused = true)]
async fn a_leaving_room_takes_its_slots_by_one_request_and_its_periods_before() {
    let mut world = World::with_slots(3);
    world.put("resource", 0xb1, room(0xb1, MO));
    world.put("unaccessable_period", 0xd1, period(0xd1));
    world.put("book", 0xc1, book(0xc1, 1, 5010));
    let line = world.start().await;
    pass(&line).await;
    assert_eq!(world.portal.held("unaccessable_period").len(), 1);
    world.delete("resource", RESOURCE);
    passes(&line).await;
    assert_eq!(removals(&world), [of("unaccessable_period", 0xd1), of("resource", RESOURCE)]);
    assert!(world.portal.held("slot").is_empty() && world.portal.held("book").is_empty());
    let counts = line.feed("slot").unwrap().counts();
    assert_eq!((counts.accepted, counts.held), (0, 3), "the ledger followed; the rows are still there and wait");
    world.portal.forget_requests();
    world.put("resource", RESOURCE, room(RESOURCE, MO));
    passes(&line).await;
    assert_eq!(world.portal.held("slot").len(), 3, "and all of it comes back with the parent");
    assert_eq!(world.portal.held("book").len(), 1);
    assert_eq!(world.portal.held("unaccessable_period").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn children_that_move_to_another_parent_do_not_go_with_the_old_one() {
    let mut world = World::with_slots(3);
    world.put("resource", 0xb1, room(0xb1, MO));
    let line = world.start().await;
    pass(&line).await;
    world.delete("resource", RESOURCE);
    for id in 1..=3 {
        let mut moved = slot(id, "AVAILABLE");
        moved[2] = guid(0xb1);
        world.put("slot", id, moved);
    }
    let report = cycle(&line, "resource").await;
    assert_eq!(report.removed, 0, "its children's feed must run first");
    assert!(report.released.contains("slot"));
    world.portal.forget_requests();
    passes(&line).await;
    assert_eq!(world.portal.received("slot").len(), 3, "sent once: nothing was taken away under them");
    assert_eq!(removals(&world), [of("resource", RESOURCE)]);
    assert_eq!(world.portal.held("slot").len(), 3);
}

/// A slot whose row names another room while the portal still has it in the old one.
async fn with_a_slot_between_two_rooms() -> (World, TestLine) {
    let mut world = World::with_slots(1);
    world.put("resource", 0xb1, room(0xb1, MO));
    let line = world.start().await;
    pass(&line).await;
    let mut moved = slot(1, "AVAILABLE");
    moved[2] = guid(0xb2);
    world.put("slot", 1, moved);
    assert_eq!(cycle(&line, "slot").await.held, 1, "the new room is not there yet");
    (world, line)
}

#[tokio::test(start_paused = true)]
async fn a_child_that_cannot_move_yet_is_waited_for() {
    let (mut world, line) = with_a_slot_between_two_rooms().await;
    world.delete("resource", RESOURCE);
    world.put("resource", 0xb2, room(0xb2, MO));
    assert!(cycle(&line, "resource").await.released.contains("slot"));
    assert!(world.portal.held("slot").contains_key(&Key::Guid(1)), "it did not go with the old room");
    assert!(cycle(&line, "slot").await.released.contains("resource"));
    cycle(&line, "resource").await;
    assert_eq!(removals(&world), [of("resource", RESOURCE)]);
    assert_eq!(world.portal.held("slot").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_went_with_a_parent_it_had_left_is_sent_when_its_row_goes_back() {
    let (mut world, line) = with_a_slot_between_two_rooms().await;
    world.delete("resource", RESOURCE);
    world.portal.next_removal(Act::ApplyAndLose);
    for _ in 0..2 {
        cycle(&line, "resource").await;
        cycle(&line, "slot").await;
    }
    assert!(world.portal.held("slot").is_empty());
    world.put("resource", RESOURCE, room(RESOURCE, MO));
    world.put("slot", 1, slot(1, "AVAILABLE"));
    let line = world.start().await;
    tokio::time::advance(Duration::from_secs(60)).await;
    pass(&line).await;
    assert!(world.portal.held("slot").contains_key(&Key::Guid(1)));
}

#[tokio::test(start_paused = true)]
async fn a_refused_version_is_not_sent_again_because_the_old_one_went_with_its_parent() {
    let (mut world, line) = with_a_slot_between_two_rooms().await;
    world.put("resource", 0xb2, room(0xb2, MO));
    world.portal.refuse(Key::Guid(1), true);
    passes(&line).await;
    world.delete("resource", RESOURCE);
    passes(&line).await;
    assert!(world.portal.held("slot").is_empty(), "it went with the room in which the portal had it");
    assert_eq!(world.portal.seen().refusals, 1);
    assert_eq!(line.feed("slot").unwrap().counts().rejected, 1);
}

#[tokio::test(start_paused = true)]
async fn children_whose_parent_goes_by_cascade_are_not_removed_one_by_one() {
    let mut world = World::with_slots(4);
    world.put("resource", 0xb1, room(0xb1, MO));
    for id in 10..30 {
        let mut other = slot(id, "AVAILABLE");
        other[2] = guid(0xb1);
        world.put("slot", id, other);
    }
    let line = world.start().await;
    pass(&line).await;
    world.delete("resource", RESOURCE);
    (1..=4).for_each(|id| world.delete("slot", id));
    passes(&line).await;
    assert_eq!(removals(&world), [of("resource", RESOURCE)]);
    assert_eq!(world.portal.held("slot").len(), 20);
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 20);
}

#[tokio::test(start_paused = true)]
async fn a_cascade_that_was_cut_off_leaves_no_child_for_accepted() {
    let mut world = World::with_slots(3);
    world.put("resource", 0xb1, room(0xb1, MO));
    let line = world.start().await;
    pass(&line).await;
    world.delete("resource", RESOURCE);
    cycle(&line, "resource").await;
    for feed in ["unaccessable_period", "slot", "book"] {
        cycle(&line, feed).await;
    }
    world.portal.next_removal(Act::ApplyAndLose);
    cycle(&line, "resource").await;
    assert!(world.portal.held("slot").is_empty(), "the portal has removed them");
    world.put("resource", RESOURCE, room(RESOURCE, MO));
    let line = world.start().await;
    tokio::time::advance(Duration::from_secs(100)).await;
    passes(&line).await;
    assert_eq!(world.portal.held("slot").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_fuse_holds_a_large_removal_until_an_operator_lets_this_very_set_go() {
    let mut world = World::with_slots(200);
    let line = world.start().await;
    pass(&line).await;
    (1..=60).for_each(|id| world.delete("slot", id));
    let report = cycle(&line, "slot").await;
    assert_eq!((report.vanished, report.removed), (60, 0));
    assert!(report.fused.unwrap().contains("60 of 200 records of slot"));
    let line = world.start().await;
    assert!(line.feed("slot").unwrap().fuse_holds(), "it is remembered");
    assert!(accept(&line).await);
    world.delete("slot", 61);
    let report = cycle(&line, "slot").await;
    assert!(report.fused.is_some(), "one more than what was accepted");
    assert!(removals(&world).is_empty());
    assert!(accept(&line).await);
    world.put("slot", 61, slot(61, "AVAILABLE"));
    passes(&world.start().await).await;
    assert_eq!(removals(&world).len(), 60);
    let line = world.start().await;
    passes(&line).await;
    assert_eq!(line.feed("slot").unwrap().fuse(), None);
    assert!(world.ledger.notes("fer").await.unwrap().is_empty(), "the fuse is whole again");
}

#[tokio::test(start_paused = true)]
async fn a_view_that_lost_its_rows_never_empties_the_portal() {
    let mut world = World::with_slots(3);
    let line = world.start().await;
    pass(&line).await;
    (1..=3).for_each(|id| world.delete("slot", id));
    for _ in 0..3 {
        assert!(cycle(&line, "slot").await.fused.is_some());
    }
    assert!(removals(&world).is_empty());
    (1..=3).for_each(|id| world.put("slot", id, slot(id, "AVAILABLE")));
    world.portal.forget_requests();
    let report = cycle(&line, "slot").await;
    assert_eq!((report.fused, report.sent), (None, 0));
    assert!(!line.feed("slot").unwrap().fuse_holds());
}

#[tokio::test(start_paused = true)]
async fn a_parent_counts_what_the_portal_removes_with_it() {
    let mut world = World::with_slots(200);
    world.put("resource", 0xb1, room(0xb1, MO));
    let line = world.start().await;
    pass(&line).await;
    world.delete("resource", RESOURCE);
    let report = cycle(&line, "resource").await;
    assert!(report.fused.unwrap().contains("200 of 200 records of slot"));
    passes(&line).await;
    assert!(removals(&world).is_empty());
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 200, "its children go on");
}

#[tokio::test(start_paused = true)]
async fn what_goes_with_a_parent_counts_for_the_fuse_of_its_own_feed() {
    let mut world = World::with_slots(20);
    world.put("resource", 0xb1, room(0xb1, MO));
    for id in 11..=20 {
        let mut row = slot(id, "AVAILABLE");
        row[2] = guid(0xb1);
        world.put("slot", id, row);
    }
    let line = world.start().await;
    pass(&line).await;
    world.delete("resource", RESOURCE);
    (1..=17).for_each(|id| world.delete("slot", id));
    cycle(&line, "resource").await;
    assert!(!line.feed("resource").unwrap().fuse_holds(), "half of the slots may go with it");
    let report = cycle(&line, "slot").await;
    assert!(report.fused.unwrap().contains("17 of 20 records of slot"));
    passes(&line).await;
    assert_eq!(removals(&world), [of("resource", RESOURCE)], "the others wait for a word");
    assert_eq!(world.portal.held("slot").len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_passed_by_the_databases_clock_is_forgotten_not_removed() {
    let mut world = World::with_slots(8);
    let line = world.start().await;
    pass(&line).await;
    world.source.set_now((NOW + 86_400 + 3 * 60 + 1) * 1_000_000);
    world.delete("slot", 3);
    pass(&line).await;
    assert!(removals(&world).is_empty());
    assert!(world.portal.held("slot").contains_key(&Key::Guid(3)));
}

#[tokio::test(start_paused = true)]
async fn a_past_slot_whose_status_is_in_doubt_lets_no_visit_go() {
    for in_doubt in [false, true] {
        let mut world = World::with_slots(8);
        world.put("slot", 3, slot(3, "RECORDED"));
        let line = world.start().await;
        pass(&line).await;
        if in_doubt {
            world.put("slot", 3, slot(3, "BLOCKED"));
            world.portal.next(Act::ApplyAndLose);
            cycle(&line, "slot").await;
        }
        world.source.set_now((NOW + 86_400 + 3 * 60 + 1) * 1_000_000);
        world.delete("slot", 3);
        pass(&line).await;
        world.put("book", 0xc1, book(0xc1, 3, 5000));
        pass(&line).await;
        assert_eq!(world.portal.held("book").is_empty(), in_doubt);
    }
}

#[tokio::test(start_paused = true)]
async fn where_changes_are_read_alone_a_full_scan_finds_what_is_gone() {
    let mut world = World::with_slots(8);
    world.changed_at = Some("updated_at");
    let line = world.start().await;
    pass(&line).await;
    world.delete("slot", 3);
    cycle(&line, "slot").await;
    assert!(removals(&world).is_empty());
    tokio::time::advance(Duration::from_secs(3601)).await;
    cycle(&line, "slot").await;
    assert_eq!(removals(&world), [of("slot", 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_record_of_which_an_unacknowledged_version_may_be_there_is_removed() {
    let mut world = World::with_slots(8);
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 90, slot(90, "AVAILABLE"));
    world.portal.next(Act::ApplyAndLose);
    cycle(&line, "slot").await;
    assert!(world.portal.held("slot").contains_key(&Key::Guid(90)));
    world.delete("slot", 90);
    passes(&world.start().await).await;
    assert!(!world.portal.held("slot").contains_key(&Key::Guid(90)));
}

#[tokio::test(start_paused = true)]
async fn many_removals_leave_other_changes_their_turn() {
    let mut world = World::with_slots(400);
    let line = world.start().await;
    pass(&line).await;
    (1..=70).for_each(|id| world.delete("slot", id));
    world.portal.seen().slow_removals = Some(Duration::from_millis(200));
    let report = cycle(&line, "slot").await;
    assert!(report.removed > 0 && report.removed < 70, "{} in one slice", report.removed);
    assert!(report.released.contains("slot"), "and the rest at once after it");
    world.put("slot", 399, slot(399, "BLOCKED"));
    assert_eq!(cycle(&line, "slot").await.sent, 1);
    let whole = Order { whole: true, ..Order::default() };
    line.cycle("slot", whole).await.unwrap();
    assert_eq!(removals(&world).len(), 70);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_would_be_removed_and_removes_nothing() {
    let mut world = World::with_slots(8);
    pass(&world.start().await).await;
    world.delete("slot", 3);
    let order = Order { dry_run: true, ..Order::default() };
    let report = world.start().await.cycle("slot", order).await.unwrap();
    assert_eq!((report.vanished, report.removed), (1, 0));
    assert!(removals(&world).is_empty());
    let line = world.start().await;
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 8);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_becomes_invalid_stays() {
    let mut world = World::with_slots(8);
    let line = world.start().await;
    pass(&line).await;
    let mut bad = slot(3, "AVAILABLE");
    bad[6] = Value::Null;
    world.put("slot", 3, bad);
    passes(&line).await;
    assert!(removals(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slot_whose_time_comes_before_its_removal_stays() {
    let mut world = World::with_slots(8);
    world.changed_at = Some("updated_at");
    let mut soon = slot(3, "AVAILABLE");
    soon[5] = Value::LocalTime((NOW + 30) * 1_000_000);
    world.put("slot", 3, soon);
    let line = world.start().await;
    pass(&line).await;
    world.delete("slot", 3);
    world.portal.next_removal(Act::Fail(Trouble::Transient { retry_after: None }));
    line.cycle("slot", Order { full: true, ..Order::default() }).await.unwrap();
    assert_eq!(removals(&world).len(), 1, "it was still to come");
    tokio::time::advance(Duration::from_secs(60)).await;
    cycle(&line, "slot").await;
    assert_eq!(removals(&world).len(), 1);
    tokio::time::advance(Duration::from_secs(3600)).await;
    cycle(&line, "slot").await;
    assert_eq!(line.feed("slot").unwrap().counts().pending, 0, "the next complete read has forgotten it");
    assert!(world.portal.held("slot").contains_key(&Key::Guid(3)));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_the_portal_never_had_is_not_asked_away() {
    let mut world = World::with_slots(2);
    world.put("resource", 0xb1, room(0xb1, MO));
    world.portal.refuse(Key::Guid(2), true);
    let line = world.start().await;
    pass(&line).await;
    world.delete("resource", RESOURCE);
    cycle(&line, "resource").await;
    pass(&line).await;
    world.portal.next_removal(Act::ApplyAndLose);
    cycle(&line, "resource").await;
    assert!(world.portal.held("resource").len() == 1, "the room went, and nobody heard of it");
    world.delete("slot", 2);
    tokio::time::advance(Duration::from_secs(5)).await;
    passes(&line).await;
    assert!(!removals(&world).contains(&of("slot", 2)));
}

#[tokio::test(start_paused = true)]
async fn a_row_that_went_back_hangs_on_its_old_parent_again() {
    let (mut world, line) = with_a_slot_between_two_rooms().await;
    world.put("slot", 1, slot(1, "AVAILABLE"));
    cycle(&line, "slot").await;
    world.put("resource", 0xb2, room(0xb2, MO));
    passes(&line).await;
    world.portal.forget_requests();
    world.delete("resource", 0xb2);
    passes(&line).await;
    assert_eq!(removals(&world), [of("resource", 0xb2)]);
    assert!(world.portal.received("slot").is_empty(), "it had nothing to do with that room any more");
    world.delete("resource", RESOURCE);
    passes(&world.start().await).await;
    assert!(world.portal.held("slot").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_record_that_may_have_gone_is_in_doubt_as_well() {
    let mut world = World::with_slots(3);
    world.put("resource", 0xb1, room(0xb1, MO));
    (1..=3).for_each(|id| world.put("book", 0xc0 + id, book(0xc0 + id, id, 5010)));
    let line = world.start().await;
    pass(&line).await;
    let mut moved = slot(1, "AVAILABLE");
    moved[2] = guid(0xb1);
    world.put("slot", 1, moved);
    world.portal.next(Act::ApplyAndLose);
    world.delete("resource", RESOURCE);
    for feed in ["resource", "slot", "book", "unaccessable_period", "resource"] {
        cycle(&line, feed).await;
    }
    assert_eq!(removals(&world), [of("resource", RESOURCE)]);
    assert!(world.portal.held("book").contains_key(&Key::Guid(0xc1)), "its slot had moved in time");
    world.delete("book", 0xc1);
    passes(&line).await;
    assert!(!world.portal.held("book").contains_key(&Key::Guid(0xc1)), "nobody took it for gone already");
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_version_hangs_on_is_known_after_a_restart() {
    let mut world = World::with_slots(0);
    world.put("unaccessable_period", 0xd1, period(0xd1));
    let line = world.start().await;
    cycle(&line, "mo").await;
    cycle(&line, "resource").await;
    world.portal.next(Act::ApplyAndLose);
    cycle(&line, "unaccessable_period").await;
    let mut moved = period(0xd1);
    moved[1] = guid(0xb2);
    world.put("unaccessable_period", 0xd1, moved);
    cycle(&line, "unaccessable_period").await;
    let line = world.start().await;
    world.delete("resource", RESOURCE);
    world.put("resource", 0xb1, room(0xb1, MO));
    passes(&line).await;
    assert_eq!(removals(&world), [of("unaccessable_period", 0xd1), of("resource", RESOURCE)]);
    assert!(world.portal.held("unaccessable_period").is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_hangs_on_a_refused_version_of_a_batch_is_known_after_a_restart() {
    let mut world = World::with_slots(2);
    world.put("resource", 0xb1, room(0xb1, MO));
    world.put("book", 0xc1, book(0xc1, 1, 5010));
    let line = world.start().await;
    pass(&line).await;
    world.portal.refuse(Key::Guid(1), true);
    for id in 1..=2 {
        let mut moved = slot(id, "AVAILABLE");
        moved[2] = guid(0xb1);
        world.put("slot", id, moved);
    }
    cycle(&line, "slot").await;
    world.delete("resource", RESOURCE);
    let line = world.start().await;
    passes(&line).await;
    assert_eq!(world.portal.held("slot").len(), 1, "the one that the portal let move");
    assert!(world.portal.held("book").is_empty(), "it went with its slot");
    assert_eq!(line.feed("book").unwrap().counts().accepted, 0, "and the ledger followed");
}

#[tokio::test(start_paused = true)]
async fn a_booking_is_past_when_its_slot_is_by_now() {
    let mut world = World::with_slots(8);
    (1..=8).for_each(|id| world.put("book", 0xc0 + id, book(0xc0 + id, id, 5010)));
    let line = world.start().await;
    pass(&line).await;
    let mut earlier = slot(3, "AVAILABLE");
    earlier[5] = Value::LocalTime((NOW + 30) * 1_000_000);
    world.put("slot", 3, earlier);
    pass(&line).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    world.delete("book", 0xc3);
    pass(&line).await;
    assert!(removals(&world).is_empty());
    assert_eq!(line.feed("book").unwrap().counts().accepted, 7);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_hung_on_a_room_that_is_about_to_go() {
    let mut world = World::with_slots(8);
    let line = world.start().await;
    pass(&line).await;
    // The room's row is gone, but its removal does not come through yet.
    world.put("resource", 0x77, room(0x77, MO));
    pass(&line).await;
    world.delete("resource", 0x77);
    world.portal.next_removal(Act::Fail(Trouble::Transient { retry_after: None }));
    passes(&line).await;
    assert_eq!(line.feed("resource").unwrap().counts().pending, 1);
    let mut row = slot(9, "AVAILABLE");
    row[2] = Value::Guid(0x77);
    world.put("slot", 9, row);
    assert_eq!(cycle(&line, "slot").await.held, 1);
    assert!(!world.portal.held("slot").contains_key(&Key::Guid(9)));
}

#[tokio::test(start_paused = true)]
async fn what_goes_with_its_parent_is_not_sent_meanwhile() {
    let mut world = World::with_slots(8);
    let line = world.start().await;
    pass(&line).await;
    world.put("book", 1, book(1, 3, 5010));
    pass(&line).await;
    world.delete("slot", 3);
    // The slot waits for a look at what hangs on it.
    cycle(&line, "slot").await;
    cycle(&line, "book").await;
    world.portal.forget_requests();
    world.portal.seen().slow_removals = Some(Duration::from_secs(10));
    let removing = tokio::spawn({
        let line = std::sync::Arc::clone(&line);
        async move { line.cycle("slot", Order::default()).await.unwrap().removed }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.put("book", 1, book(1, 3, 5040));
    assert_eq!(cycle(&line, "book").await.sent, 0, "it is in a request that takes it away");
    assert_eq!(removing.await.unwrap(), 1);
    assert_eq!(world.portal.received("book"), [], "its slot is gone");
}
