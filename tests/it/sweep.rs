//! Sweeps: with a change column a row that is gone is noticed as fast as one that changed, under the same fuse.

use std::time::Duration;

use vitrina::record::Key;
use vitrina::source::memory::{Fault, Value};
use vitrina::sync::{AcceptFuse, CycleReport, Order};
use vitrina::transport::Trouble;

use crate::support::portal::Act;
use crate::support::world::*;

/// Slots that are read by change time, all of them at the portal.
async fn swept_world(slots: u128) -> (World, TestLine) {
    let mut world = World::with_slots(slots);
    world.changed_at = Some("updated_at");
    let line = world.start().await;
    pass(&line).await;
    (world, line)
}

/// The next cycle of slots in which a sweep is due.
async fn sweep(line: &TestLine) -> CycleReport {
    tokio::time::advance(Duration::from_secs(30)).await;
    cycle(line, "slot").await
}

fn removals(world: &World) -> Vec<Key> {
    world.portal.seen().removals.iter().map(|(_, key)| key.clone()).collect()
}

/// A row as it was stamped days ago.
fn of_old(mut row: Vec<Value>) -> Vec<Value> {
    row[9] = Value::Instant((NOW - 10 * 86_400) * 1_000_000);
    row
}

#[tokio::test(start_paused = true)]
async fn a_row_that_vanished_is_removed_by_the_next_sweep_and_not_by_a_change_read() {
    let (mut world, line) = swept_world(8).await;
    world.delete("slot", 3);
    let between = cycle(&line, "slot").await;
    assert!(!between.sees_all() && removals(&world).is_empty());
    let report = sweep(&line).await;
    assert_eq!((report.full, report.swept, report.keys), (false, true, 7));
    assert_eq!((report.vanished, report.removed), (1, 1));
    assert_eq!(removals(&world), [Key::Guid(3)]);
    assert_eq!(sweep(&line).await.vanished, 0);
}

#[tokio::test(start_paused = true)]
async fn a_pass_by_hand_sweeps_whenever_the_last_one_was() {
    let (mut world, line) = swept_world(8).await;
    world.delete("slot", 3);
    let order = Order { sweep: true, whole: true, ..Order::default() };
    assert_eq!(line.cycle("slot", order).await.unwrap().removed, 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_change_read_of_a_process_sweeps() {
    let (mut world, _) = swept_world(8).await;
    world.delete("slot", 3);
    assert_eq!(cycle(&world.start().await, "slot").await.removed, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_past_is_forgotten_by_a_sweep_and_not_removed() {
    let (mut world, line) = swept_world(8).await;
    world.delete("slot", 3);
    world.source.set_now((NOW + 86_400 + 3 * 60 + 1) * 1_000_000);
    let report = sweep(&line).await;
    assert_eq!((report.swept, report.vanished), (true, 0));
    assert!(removals(&world).is_empty());
    // A slot may be asked for by its bookings: it stays as a tombstone.
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 7);
}

#[tokio::test(start_paused = true)]
async fn an_empty_sweep_trips_the_fuse_and_one_with_the_rows_back_lets_it_be() {
    let (mut world, line) = swept_world(3).await;
    let rows = std::mem::take(world.tables.get_mut("slot").unwrap());
    world.publish("slot");
    let report = sweep(&line).await;
    let fused = report.fused.unwrap();
    assert!(fused.contains("the query returned no row at all; 3 of 3 records of slot"), "{fused}");
    assert!(sweep(&line).await.fused.is_some(), "it says so again");
    world.tables.insert("slot", rows);
    world.publish("slot");
    assert_eq!(sweep(&line).await.fused, None);
    assert!(line.feed("slot").unwrap().fuse().is_none());
    assert!(removals(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_operators_word_lets_go_what_a_sweep_held_back() {
    let (mut world, line) = swept_world(10).await;
    (1..=8).for_each(|id| world.delete("slot", id));
    assert!(sweep(&line).await.fused.is_some());
    let shown = AcceptFuse::of(&line.feed("slot").unwrap().fuse().unwrap());
    assert!(line.accept_fuse("slot", &shown).await.unwrap());
    passes(&line).await;
    assert_eq!(removals(&world).len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_breaks_off_says_nothing_and_leaves_changes_alone_for_a_while() {
    let (mut world, line) = swept_world(8).await;
    world.delete("slot", 3);
    // In the middle of the keys, and after them, in the middle of the changes.
    for rows in [4, 8] {
        tokio::time::advance(Duration::from_secs(300)).await;
        world.source.fail_next(Fault::LostAfter(rows));
        assert!(line.cycle("slot", Order::default()).await.is_err());
        let next = sweep(&line).await;
        assert!(!next.swept, "changes are read without keys meanwhile");
        assert!(removals(&world).is_empty());
    }
    tokio::time::advance(Duration::from_secs(300)).await;
    assert_eq!(cycle(&line, "slot").await.removed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_comes_into_view_with_an_old_change_time_is_sent_at_once() {
    let (mut world, line) = swept_world(8).await;
    world.portal.forget_requests();
    world.put("slot", 20, of_old(slot(20, "AVAILABLE")));
    assert_eq!(cycle(&line, "slot").await.sent, 0);
    assert_eq!(sweep(&line).await.sent, 1);
    assert_eq!(world.portal.received("slot"), [Key::Guid(20)]);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_a_sweep_finds_again_is_not_removed() {
    let (mut world, line) = swept_world(8).await;
    world.delete("slot", 3);
    world.portal.next_removal(Act::Fail(Trouble::Transient { retry_after: None }));
    assert_eq!(sweep(&line).await.removed, 0);
    // It is back as it was, with a change time that no read by change reaches.
    world.put("slot", 3, of_old(slot(3, "AVAILABLE")));
    world.portal.forget_requests();
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(sweep(&line).await.vanished, 0);
    assert_eq!(
        (removals(&world), world.portal.received("slot")),
        (vec![Key::Guid(3)], vec![]),
        "the first try is the last"
    );
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 8);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_a_sweep_finds_again_is_not_removed_although_it_cannot_be_read() {
    let (mut world, line) = swept_world(8).await;
    world.delete("slot", 3);
    world.portal.next_removal(Act::Fail(Trouble::Transient { retry_after: None }));
    assert_eq!(sweep(&line).await.removed, 0);
    world.put("slot", 3, of_old(slot(3, "AVAILABLE")));
    world.portal.forget_requests();
    tokio::time::advance(Duration::from_secs(600)).await;
    world.source.fail_after(1, Fault::Unreachable);
    line.cycle("slot", Order::default()).await.unwrap_err();
    let between = cycle(&line, "slot").await;
    assert!(!between.sees_all(), "no sweep is due");
    assert_eq!(removals(&world), [Key::Guid(3)], "after the first try the sweep found its row");
    assert!(world.portal.held("slot").contains_key(&Key::Guid(3)));
}

#[tokio::test(start_paused = true)]
async fn keys_in_any_spelling_are_the_records_that_they_name() {
    let (mut world, line) = swept_world(6).await;
    let text = |id: u128| Key::Guid(id).to_string();
    let forms: [Value; 5] = [
        Value::Text(text(1).to_uppercase()),
        Value::Text(format!("{{{}}}", text(2))),
        Value::Text(format!("{}   ", text(3))),
        Value::Text(text(4).replace('-', "")),
        Value::Bytes(5u128.to_be_bytes().to_vec()),
    ];
    for (id, form) in (1..).zip(forms) {
        let mut row = of_old(slot(id, "AVAILABLE"));
        row[0] = form;
        world.put("slot", id, row);
    }
    let report = sweep(&line).await;
    assert_eq!((report.keys, report.vanished, report.sent), (6, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn rows_whose_key_cannot_be_read_stand_for_nobody() {
    let (mut world, line) = swept_world(3).await;
    for (id, key) in [(1, Value::Null), (2, "what".into()), (3, Value::Int(3))] {
        let mut row = of_old(slot(id, "AVAILABLE"));
        row[0] = key;
        world.put("slot", id, row);
    }
    let report = sweep(&line).await;
    assert!(report.fused.unwrap().contains("no row at all"), "rows without a key are as good as none");
    assert!(removals(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_changed_its_room_does_not_go_with_the_old_one() {
    let (mut world, line) = swept_world(3).await;
    world.put("resource", 0xb1, room(0xb1, MO));
    for id in 1..=3 {
        let mut row = slot(id, "AVAILABLE");
        row[2] = Value::Guid(0xb1);
        world.put("slot", id, row);
    }
    world.delete("resource", RESOURCE);
    tokio::time::advance(Duration::from_secs(30)).await;
    passes(&line).await;
    assert_eq!(removals(&world), [Key::Guid(RESOURCE)]);
    assert_eq!(world.portal.held("slot").len(), 3);
}
