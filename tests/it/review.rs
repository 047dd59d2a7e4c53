//! What goes on at once, or takes longer than usual: removals and contests come forward all the same, and nobody is asked without end.

use std::sync::Arc;
use std::time::Duration;

use vitrina::ledger::{Entry, Ledger, Settlement, State};
use vitrina::record::Key;
use vitrina::source::memory::Value;
use vitrina::sync::Order;

use crate::support::world::*;

fn removals(world: &World) -> Vec<(String, Key)> {
    world.portal.seen().removals.clone()
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn removals_come_forward_however_long_the_scan_takes() {
    let mut world = World::with_slots(8);
    let line = world.start().await;
    pass(&line).await;
    world.delete("slot", 3);
    world.put("slot", 4, slot(4, "BLOCKED"));
    world.portal.hold_up("slot");
    let running = tokio::spawn({
        let line = Arc::clone(&line);
        async move { cycle(&line, "slot").await }
    });
    until(|| world.portal.waiting() > 0).await;
    tokio::time::advance(Duration::from_secs(30)).await;
    world.portal.let_go();
    let report = running.await.unwrap();
    assert_eq!((report.removed, report.released.contains("slot")), (1, false));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_the_portal_will_not_remove_is_asked_about_once_and_its_parent_waits() {
    let mut world = World::with_slots(3);
    world.put("resource", 0xb1, room(0xb1, MO));
    world.put("unaccessable_period", 0xd1, period(0xd1));
    let line = world.start().await;
    pass(&line).await;
    world.portal.refuse(Key::Guid(0xd1), true);
    world.delete("resource", RESOURCE);
    passes(&line).await;
    let whole = Order { whole: true, ..Order::default() };
    line.cycle("resource", whole).await.unwrap();
    assert_eq!(removals(&world), [("unaccessable_period".to_owned(), Key::Guid(0xd1))]);
    let listed = world.refusals(&line, "resource").await;
    assert_eq!(listed, [(Some(Key::Guid(RESOURCE)), State::Rejected, "R-310".to_owned())]);
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 3, "what would have gone with it stays as it is");
    world.portal.refuse(Key::Guid(0xd1), false);
    tokio::time::advance(Duration::from_secs(86_401)).await;
    passes(&line).await;
    assert!(!world.portal.held("resource").contains_key(&Key::Guid(RESOURCE)));
    assert!(world.refusals(&line, "resource").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_child_in_a_request_is_waited_for_and_not_asked_about_in_a_loop() {
    let mut world = World::with_slots(3);
    world.in_flight = 4;
    let line = with_a_leaving_room(&mut world).await;
    let mut moved = slot(2, "AVAILABLE");
    moved[2] = guid(0xb1);
    world.put("slot", 2, moved);
    world.portal.hold_up("slot");
    let running = tokio::spawn({
        let line = Arc::clone(&line);
        async move { cycle(&line, "slot").await }
    });
    until(|| world.portal.waiting() > 0).await;
    let whole = Order { whole: true, ..Order::default() };
    let report = line.cycle("resource", whole).await.unwrap();
    assert_eq!((report.removed, report.released.contains("resource")), (0, false));
    assert!(report.released.contains("slot"), "that feed calls it back");
    world.portal.let_go();
    running.await.unwrap();
    passes(&line).await;
    assert!(!world.portal.held("resource").contains_key(&Key::Guid(RESOURCE)));
    assert_eq!(world.portal.held("slot").into_keys().collect::<Vec<_>>(), [Key::Guid(2)]);
}

/// A room that is about to leave: its children's feeds have run.
async fn with_a_leaving_room(world: &mut World) -> TestLine {
    world.put("resource", 0xb1, room(0xb1, MO));
    let line = world.start().await;
    pass(&line).await;
    world.delete("resource", RESOURCE);
    for feed in FEEDS {
        cycle(&line, feed).await;
    }
    line
}

#[tokio::test(start_paused = true)]
async fn a_journal_is_not_shortened_under_the_marks_of_a_parents_removal() {
    let mut world = World::with_slots(3);
    let line = with_a_leaving_room(&mut world).await;
    let slots = line.feed("slot").unwrap().id;
    // As months of changes would leave it.
    let entries: Vec<Entry> = (0..12_000).map(|_| Entry::new(Key::Guid(0x77))).collect();
    let dropped = vec![Key::Guid(0x77)];
    world.ledger.settle(slots, Settlement { entries, dropped, ..Settlement::default() }).await.unwrap();
    world.portal.seen().slow_removals = Some(Duration::from_secs(2));
    let running = tokio::spawn({
        let line = Arc::clone(&line);
        async move { cycle(&line, "resource").await }
    });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    line.cycle("slot", Order::default()).await.unwrap();
    assert_eq!(running.await.unwrap().removed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_booking_that_comes_while_its_slot_leaves_is_not_taken_for_accepted() {
    let mut world = World::with_slots(3);
    let line = with_a_leaving_room(&mut world).await;
    world.portal.seen().slow_removals = Some(Duration::from_secs(2));
    let running = tokio::spawn({
        let line = Arc::clone(&line);
        async move { cycle(&line, "resource").await }
    });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    world.put("book", 0xc1, book(0xc1, 1, 5010));
    let report = cycle(&line, "book").await;
    assert_eq!((report.sent, report.held), (0, 1));
    running.await.unwrap();
    assert_eq!(line.feed("book").unwrap().counts().accepted, 0);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_forgotten_while_its_parent_leaves_stays_forgotten() {
    let mut world = World::with_slots(3);
    world.put("unaccessable_period", 0xd1, period(0xd1));
    let mut bad = slot(9, "AVAILABLE");
    bad[6] = Value::Null;
    world.put("slot", 9, bad);
    world.portal.refuse(Key::Guid(8), true);
    world.put("slot", 8, slot(8, "AVAILABLE"));
    let line = with_a_leaving_room(&mut world).await;
    world.portal.seen().slow_removals = Some(Duration::from_secs(2));
    let running = tokio::spawn({
        let line = Arc::clone(&line);
        async move { cycle(&line, "resource").await }
    });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    world.delete("slot", 8);
    cycle(&line, "slot").await;
    running.await.unwrap();
    passes(&line).await;
    let counts = line.feed("slot").unwrap().counts();
    assert_eq!((counts.accepted, counts.pending, counts.held, counts.rejected), (0, 0, 3, 1));
}

#[tokio::test(start_paused = true)]
async fn rows_of_which_none_has_a_key_empty_no_portal() {
    let mut world = World::with_slots(3);
    let line = world.start().await;
    pass(&line).await;
    (1..=3).for_each(|id| {
        let mut row = slot(id, "AVAILABLE");
        row[0] = Value::Null;
        world.put("slot", id, row);
    });
    assert!(cycle(&line, "slot").await.fused.is_some());
    passes(&line).await;
    assert!(removals(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_ring_whose_slot_may_not_be_removed_is_not_tried_by_every_cycle() {
    let mut world = World::with_slots(0);
    world.portal.seen().one_a_place = true;
    world.put("slot", 1, slot(1, "RECORDED"));
    world.put("slot", 2, slot(2, "AVAILABLE"));
    let line = world.start().await;
    pass(&line).await;
    (1..=2).for_each(|id| world.portal.refuse(Key::Guid(id), true));
    world.put("slot", 1, slot_at(1, 2, "RECORDED"));
    world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
    for _ in 0..5 {
        passes(&line).await;
    }
    assert!(removals(&world).len() <= 2, "{:?}", removals(&world));
}
