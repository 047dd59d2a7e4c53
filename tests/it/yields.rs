//! A slot that was called off gives its time up to a new one: it goes at the portal, the new one is sent, and nothing is rejected.

use std::time::Duration;

use vitrina::ledger::State;
use vitrina::record::Key;
use vitrina::sync::AcceptFuse;

use crate::support::portal::Act;
use crate::support::world::*;

/// Ids of the slots that the portal holds at the time of slot 1.
fn at_the_portal(world: &World) -> Vec<Key> {
    world.portal.held("slot").keys().filter(|key| !OTHERS.contains(key)).cloned().collect()
}

/// Slots elsewhere, so that the fuse has something to compare with.
const OTHERS: [Key; 8] = [
    Key::Guid(101),
    Key::Guid(102),
    Key::Guid(103),
    Key::Guid(104),
    Key::Guid(105),
    Key::Guid(106),
    Key::Guid(107),
    Key::Guid(108),
];

/// A world of other slots, and this one at its time.
fn world_with(status: &str) -> World {
    let mut world = World::new();
    (101..=108).for_each(|id| world.put("slot", id, slot(id, "AVAILABLE")));
    world.put("slot", 1, slot(1, status));
    world
}

/// Nothing is rejected or held.
async fn assert_well(world: &World, line: &TestLine) {
    assert_eq!(world.refusals(line, "slot").await, []);
    let counts = line.feed("slot").unwrap().counts();
    assert_eq!((counts.rejected, counts.held, counts.pending), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_was_called_off_gives_way_to_a_new_one_at_its_time() {
    for status in ["CANCELED", "BLOCKED"] {
        let mut world = world_with(status);
        let line = world.start().await;
        passes(&line).await;
        world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
        passes(&line).await;
        assert_eq!(at_the_portal(&world), [Key::Guid(2)], "{status}");
        assert_well(&world, &line).await;
        // It stays away, whatever reads it, after a restart too.
        world.portal.forget_requests();
        passes(&line).await;
        let line = world.start().await;
        passes(&line).await;
        assert!(world.portal.received("slot").is_empty());
        assert_well(&world, &line).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_called_off_in_the_very_read_that_brings_the_new_one_gives_way() {
    let mut world = world_with("AVAILABLE");
    let line = world.start().await;
    passes(&line).await;
    world.put("slot", 1, slot(1, "CANCELED"));
    world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
    passes(&line).await;
    assert_eq!(at_the_portal(&world), [Key::Guid(2)]);
    assert_well(&world, &line).await;
}

#[tokio::test(start_paused = true)]
async fn on_a_first_load_only_the_slot_that_counts_is_sent() {
    let mut world = world_with("CANCELED");
    world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
    world.put("slot", 3, slot_at(3, 1, "BLOCKED"));
    let line = world.start().await;
    passes(&line).await;
    assert_eq!(at_the_portal(&world), [Key::Guid(2)]);
    let received = world.portal.received("slot");
    assert!(!received.contains(&Key::Guid(1)) && !received.contains(&Key::Guid(3)), "{received:?}");
    assert!(world.portal.seen().removals.is_empty());
    assert_well(&world, &line).await;
}

#[tokio::test(start_paused = true)]
async fn the_old_slot_comes_back_when_the_new_one_goes_or_moves_in_any_process() {
    for (moves, restarts) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut world = world_with("CANCELED");
        let mut line = world.start().await;
        passes(&line).await;
        world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
        passes(&line).await;
        if restarts {
            line = world.start().await;
        }
        match moves {
            true => world.put("slot", 2, slot(2, "AVAILABLE")),
            false => world.delete("slot", 2),
        }
        passes(&line).await;
        let expected = if moves { vec![Key::Guid(1), Key::Guid(2)] } else { vec![Key::Guid(1)] };
        assert_eq!(at_the_portal(&world), expected, "moves: {moves}, restarts: {restarts}");
        assert_well(&world, &line).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_successor_that_is_called_off_stays_and_gives_way_to_the_next() {
    let mut world = world_with("CANCELED");
    let line = world.start().await;
    passes(&line).await;
    world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
    passes(&line).await;
    world.put("slot", 2, slot_at(2, 1, "CANCELED"));
    passes(&line).await;
    assert_eq!(at_the_portal(&world), [Key::Guid(2)], "of two that are over, the one that is there stays");
    assert_well(&world, &line).await;
    world.put("slot", 3, slot_at(3, 1, "AVAILABLE"));
    passes(&line).await;
    assert_eq!(at_the_portal(&world), [Key::Guid(3)]);
    assert_well(&world, &line).await;
    // The first one counts again, and the third is called off: the other direction.
    world.put("slot", 3, slot_at(3, 1, "CANCELED"));
    world.put("slot", 1, slot(1, "AVAILABLE"));
    passes(&line).await;
    assert_eq!(at_the_portal(&world), [Key::Guid(1)]);
    assert_well(&world, &line).await;
}

#[tokio::test(start_paused = true)]
async fn two_slots_that_count_at_one_time_are_the_sites_fault_until_one_is_called_off() {
    let mut world = world_with("AVAILABLE");
    let line = world.start().await;
    passes(&line).await;
    world.put("slot", 2, slot_at(2, 1, "RECORDED"));
    passes(&line).await;
    let expected = [(Some(Key::Guid(2)), State::Rejected, "DUPLICATE_PLACE".to_owned())];
    assert_eq!(world.refusals(&line, "slot").await, expected);
    world.put("slot", 1, slot(1, "CANCELED"));
    passes(&line).await;
    assert_eq!(at_the_portal(&world), [Key::Guid(2)]);
    assert_well(&world, &line).await;
}

#[tokio::test(start_paused = true)]
async fn with_a_change_column_it_is_the_same() {
    let mut world = world_with("CANCELED");
    world.changed_at = Some("updated_at");
    let line = world.start().await;
    passes(&line).await;
    world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
    passes(&line).await;
    passes(&line).await;
    assert_eq!(at_the_portal(&world), [Key::Guid(2)]);
    assert_well(&world, &line).await;
    let line = world.start().await;
    passes(&line).await;
    world.delete("slot", 2);
    tokio::time::advance(Duration::from_secs(30)).await;
    passes(&line).await;
    assert_eq!(at_the_portal(&world), [Key::Guid(1)]);
    assert_well(&world, &line).await;
}

#[tokio::test(start_paused = true)]
async fn bookings_of_a_slot_that_gives_way_go_with_it_and_rest_with_it() {
    let mut world = world_with("CANCELED");
    world.put("book", 0xc1, book(0xc1, 1, 5010));
    let line = world.start().await;
    passes(&line).await;
    assert_eq!(world.portal.held("book").len(), 1);
    world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
    passes(&line).await;
    assert_eq!(at_the_portal(&world), [Key::Guid(2)]);
    assert!(world.portal.held("book").is_empty());
    assert_eq!(world.refusals(&line, "book").await, []);
    assert_eq!(line.feed("book").unwrap().counts().held, 0);
    world.delete("slot", 2);
    passes(&line).await;
    assert_eq!(world.portal.held("book").len(), 1, "it comes back with its slot");
}

#[tokio::test(start_paused = true)]
async fn slots_that_give_way_pass_the_fuse() {
    let mut world = World::new();
    (1..=10).for_each(|id| world.put("slot", id, slot(id, "CANCELED")));
    let line = world.start().await;
    passes(&line).await;
    (1..=8).for_each(|id| world.put("slot", 20 + id, slot_at(20 + id, id, "AVAILABLE")));
    passes(&line).await;
    assert!(world.portal.seen().removals.is_empty());
    let fuse = line.feed("slot").unwrap().fuse().unwrap();
    assert!(fuse.reason().starts_with("8 of 10 records of slot"), "{}", fuse.reason());
    assert!(line.accept_fuse("slot", &AcceptFuse::of(&fuse)).await.unwrap());
    passes(&line).await;
    assert_eq!(world.portal.seen().removals.len(), 8);
    assert_eq!(world.portal.held("slot").len(), 10);
    assert_well(&world, &line).await;
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_the_portal_refuses_is_told_and_not_asked_for_again_at_once() {
    let mut world = world_with("CANCELED");
    let line = world.start().await;
    passes(&line).await;
    world.portal.refuse(Key::Guid(1), true);
    world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
    passes(&line).await;
    passes(&line).await;
    assert_eq!(world.portal.seen().removals.len(), 1);
    let refused = world.refusals(&line, "slot").await;
    assert!(refused.iter().any(|(key, _, code)| *key == Some(Key::Guid(1)) && code == "R-310"), "{refused:?}");
    world.portal.refuse(Key::Guid(1), false);
    tokio::time::advance(Duration::from_secs(86_401)).await;
    passes(&line).await;
    assert_eq!(at_the_portal(&world), [Key::Guid(2)]);
    assert_well(&world, &line).await;
}

#[tokio::test(start_paused = true)]
async fn a_removal_whose_answer_was_lost_is_asked_for_again_by_the_next_process() {
    let mut world = world_with("CANCELED");
    let line = world.start().await;
    passes(&line).await;
    world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
    world.portal.next_removal(Act::ApplyAndLose);
    pass(&line).await;
    let line = world.start().await;
    tokio::time::advance(Duration::from_secs(120)).await;
    passes(&line).await;
    assert_eq!(at_the_portal(&world), [Key::Guid(2)]);
    assert_well(&world, &line).await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_held_for_its_doctor_takes_nobodys_time() {
    let mut world = world_with("CANCELED");
    let line = world.start().await;
    passes(&line).await;
    world.portal.refuse(Key::Guid(1), true);
    world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
    passes(&line).await;
    let mut elsewhere = slot(2, "AVAILABLE");
    elsewhere[2] = guid(0xdead);
    world.put("slot", 2, elsewhere);
    world.portal.refuse(Key::Guid(1), false);
    tokio::time::advance(Duration::from_secs(86_401)).await;
    passes(&line).await;
    assert_eq!(world.portal.seen().removals.len(), 1, "the one that was refused while the time was wanted");
    assert_eq!(at_the_portal(&world), [Key::Guid(1)]);
}

/// A table in which slot 2 has two rows, of which the first wants the time of slot 1 and the second is what the portal holds.
fn with_a_second_row(world: &World) {
    let first = slot_at(2, 1, "AVAILABLE");
    let rows = std::iter::once(first).chain(world.tables["slot"].values().cloned()).collect();
    world.source.set("slot", columns("slot"), rows);
}

#[tokio::test(start_paused = true)]
async fn of_two_rows_the_one_that_the_portal_holds_decides_who_gives_way() {
    let mut world = world_with("BLOCKED");
    world.put("slot", 2, slot(2, "AVAILABLE"));
    let line = world.start().await;
    passes(&line).await;
    world.portal.forget_requests();
    with_a_second_row(&world);
    passes(&line).await;
    passes(&line).await;
    assert_eq!(at_the_portal(&world), [Key::Guid(1), Key::Guid(2)]);
    assert!(world.portal.received("slot").is_empty() && world.portal.seen().removals.is_empty());
    let reported = [(Some(Key::Guid(2)), State::Rejected, "DUPLICATE_KEY".to_owned())];
    assert_eq!(world.refusals(&line, "slot").await, reported);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_not_used_keeps_no_time_from_another_slot() {
    let mut world = world_with("BLOCKED");
    world.delete("slot", 1);
    world.put("slot", 2, slot(2, "AVAILABLE"));
    let line = world.start().await;
    passes(&line).await;
    world.put("slot", 1, slot(1, "BLOCKED"));
    with_a_second_row(&world);
    passes(&line).await;
    assert_eq!(at_the_portal(&world), [Key::Guid(1), Key::Guid(2)]);
    world.publish("slot");
    passes(&line).await;
    assert_well(&world, &line).await;
}
