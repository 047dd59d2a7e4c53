//! A look at named records: what is new of them goes out, and nothing else is concluded. What somebody else may have written goes out in any case.

use std::sync::Arc;

use vitrina::ledger::State;
use vitrina::record::Key;

use crate::support::portal::Act;
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

#[tokio::test]
async fn what_somebody_else_may_have_written_is_sent_once_though_nothing_is_new_of_it() {
    let world = World::with_slots(3);
    let line = world.start().await;
    pass(&line).await;
    world.portal.forget_requests();
    line.doubt("slot", &keys(&[1, 77])).await.unwrap();
    assert_eq!(line.feed("slot").unwrap().counts().pending, 1, "and one that nobody knows is none of ours");
    let report = line.look_doubting("slot", keys(&[1]), &keys(&[1])).await.unwrap();
    assert_eq!((report.sent, report.accepted), (1, 1));
    assert_eq!((cycle(&line, "slot").await.sent, world.portal.received("slot")), (0, keys(&[1])), "and not again");
}

#[tokio::test]
async fn what_an_ordinary_cycle_sent_before_the_look_may_have_been_overwritten_since() {
    let world = World::with_slots(1);
    let line = world.start().await;
    pass(&line).await;
    line.doubt("slot", &keys(&[1])).await.unwrap();
    assert_eq!(cycle(&line, "slot").await.sent, 1, "the cycle knows of the doubt, too");
    assert_eq!(line.look_doubting("slot", keys(&[1]), &keys(&[1])).await.unwrap().accepted, 1);
}

#[tokio::test]
async fn a_doubt_outlives_the_process_and_a_portal_that_is_away() {
    let mut world = World::with_slots(2);
    let line = world.start().await;
    pass(&line).await;
    line.doubt("slot", &keys(&[1])).await.unwrap();
    world.ledger = world.ledger.crash();
    world.portal.forget_requests();
    let line = world.start().await;
    world.portal.next(Act::Lose);
    assert_eq!(line.look("slot", keys(&[1])).await.unwrap().accepted, 0);
    world.ledger = world.ledger.crash();
    let line = world.start().await;
    assert_eq!(cycle(&line, "slot").await.accepted, 1);
    assert_eq!(world.portal.received("slot"), keys(&[1, 1]));
}

#[tokio::test]
async fn what_is_under_way_while_it_is_doubted_goes_once_more() {
    let mut world = World::with_slots(2);
    let line = world.start().await;
    pass(&line).await;
    world.portal.forget_requests();
    world.put("slot", 1, slot(1, "RECORDED"));
    world.portal.hold_up("slot");
    let looking = tokio::spawn({
        let line = Arc::clone(&line);
        async move { line.look("slot", keys(&[1])).await.unwrap() }
    });
    while world.portal.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    line.doubt("slot", &keys(&[1])).await.unwrap();
    world.portal.let_go();
    assert_eq!(looking.await.unwrap().accepted, 1);
    assert_eq!(line.feed("slot").unwrap().counts().pending, 1, "what was accepted may have been overwritten");
    world.ledger = world.ledger.crash();
    let line = world.start().await;
    assert_eq!((cycle(&line, "slot").await.sent, cycle(&line, "slot").await.sent), (1, 0));
}

#[tokio::test]
async fn what_is_to_go_goes_though_it_is_doubted() {
    let mut world = World::with_slots(3);
    let line = world.start().await;
    passes(&line).await;
    world.delete("slot", 1);
    line.doubt("slot", &keys(&[1])).await.unwrap();
    let report = line.look_doubting("slot", keys(&[1]), &keys(&[1])).await.unwrap();
    assert_eq!((report.sent, report.unfound), (0, keys(&[1])));
    passes(&line).await;
    assert_eq!(world.portal.held("slot").into_keys().collect::<Vec<_>>(), keys(&[2, 3]));
}

#[tokio::test]
async fn what_somebody_else_brought_and_no_row_has_is_taken_away_and_what_has_one_is_sent() {
    let mut world = World::with_slots(2);
    world.put("slot", 1, slot(1, "RECORDED"));
    let line = world.start().await;
    passes(&line).await;
    let slot_1 = ("slot", Key::Guid(1));
    let taken = [8, 9].map(|id| (Key::Guid(id), vec![slot_1.clone()]));
    line.take_over("book", taken.into()).await.unwrap();
    assert_eq!(line.parents_of_record("book", &Key::Guid(9)), [slot_1]);
    world.ledger = world.ledger.crash();
    let line = world.start().await;
    world.put("book", 8, book(8, 1, 5000));
    passes(&line).await;
    assert_eq!(world.portal.received("book"), keys(&[8]));
    assert_eq!(world.portal.seen().removals, [("book".to_owned(), Key::Guid(9))]);
    assert_eq!((line.feed("book").unwrap().counts().accepted, line.feed("book").unwrap().counts().pending), (1, 0));
    line.take_over("book", vec![(Key::Guid(8), Vec::new())]).await.unwrap();
    assert_eq!(pass(&line).await, 0, "what is known is ours already");
}

#[tokio::test]
async fn what_the_portal_has_refused_is_not_sent_again_for_a_doubt() {
    let mut world = World::with_slots(2);
    let line = world.start().await;
    pass(&line).await;
    world.portal.refuse(Key::Guid(1), true);
    world.put("slot", 1, slot(1, "RECORDED"));
    assert_eq!(cycle(&line, "slot").await.refused, 1);
    world.portal.forget_requests();
    for _ in 0..2 {
        assert_eq!(line.look_doubting("slot", keys(&[1]), &keys(&[1])).await.unwrap().sent, 0);
    }
    world.put("slot", 1, slot(1, "AVAILABLE"));
    world.portal.refuse(Key::Guid(1), false);
    assert_eq!(line.look("slot", keys(&[1])).await.unwrap().accepted, 1, "the version that the ledger acknowledged");
}
