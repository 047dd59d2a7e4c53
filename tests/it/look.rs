//! A look at named records: what is new of them goes out, and nothing else is concluded.

use vitrina::ledger::State;
use vitrina::record::Key;

use crate::support::world::{World, book, cycle, pass, passes, slot};

fn keys(ids: &[u128]) -> Vec<Key> {
    ids.iter().map(|id| Key::Guid(*id)).collect()
}

#[tokio::test]
async fn what_is_named_goes_out_and_what_else_has_changed_waits_for_its_turn() {
    let mut world = World::with_slots(3);
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 1, slot(1, "RECORDED"));
    world.put("slot", 2, slot(2, "RECORDED"));
    let before = line.feed("slot").unwrap().progress();
    let report = line.look("slot", keys(&[1])).await.unwrap();
    assert_eq!((report.rows, report.sent, report.accepted), (1, 1, 1));
    assert_eq!(line.feed("slot").unwrap().progress(), before, "a look is no cycle");
    assert_eq!(cycle(&line, "slot").await.sent, 1, "the other one");
}

#[tokio::test]
async fn a_record_that_nobody_knew_goes_out_after_its_parent() {
    let mut world = World::with_slots(1);
    let line = world.start().await;
    passes(&line).await;
    world.put("slot", 1, slot(1, "RECORDED"));
    world.put("book", 9, book(9, 1, 5000));
    assert_eq!(line.look("slot", keys(&[1])).await.unwrap().accepted, 1);
    assert_eq!(line.look("book", keys(&[9])).await.unwrap().accepted, 1);
    assert_eq!(line.parents_of_record("book", &Key::Guid(9)), [("slot", Key::Guid(1))]);
    assert!(line.parents_of_record("book", &Key::Guid(8)).is_empty());
}

#[tokio::test]
async fn a_record_that_does_not_come_back_is_left_as_it_is() {
    let mut world = World::with_slots(2);
    let line = world.start().await;
    passes(&line).await;
    world.delete("slot", 1);
    let report = line.look("slot", keys(&[1, 2, 77])).await.unwrap();
    assert_eq!((report.rows, report.unchanged, report.vanished, report.removed), (1, 1, 0, 0));
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 2, "an ordinary cycle decides what is gone");
    assert!(world.refusals(&line, "slot").await.iter().all(|(_, state, _)| *state != State::Gone));
}

#[tokio::test]
async fn nothing_is_asked_for_nothing() {
    let world = World::with_slots(1);
    let line = world.start().await;
    assert_eq!(line.look("slot", Vec::new()).await.unwrap().rows, 0);
    assert!(line.look("nowhere", keys(&[1])).await.is_err());
}
