//! Places change hands: slots that exchange times, units that take a name, holders that are gone, in doubt or strangers.

use std::time::Duration;

use serde_json::json;
use vitrina::ledger::{Ledger as _, State};

use vitrina::record::Key;
use vitrina::source::memory::{Fault, Value};
use vitrina::sync::{OnConflict, Order, RetryWord};
use vitrina::transport::Trouble;

use crate::support::portal::Act;
use crate::support::world::*;

fn strict(count: u128) -> World {
    let world = World::with_slots(count);
    world.portal.seen().one_a_place = true;
    world
}

fn time(world: &World, id: u128) -> Option<String> {
    let held = world.portal.held("slot");
    held.get(&Key::Guid(id)).map(|body| body["visit_time"].as_str().unwrap().to_owned())
}

/// How often the portal refused a record by name.
fn refusals_by_name(world: &World) -> u64 {
    world.portal.seen().refusals
}

#[tokio::test(start_paused = true)]
async fn two_slots_that_exchange_their_times_converge_without_a_refusal() {
    let mut world = strict(8);
    let line = world.start().await;
    pass(&line).await;
    let (one, two) = (time(&world, 1), time(&world, 2));
    world.put("slot", 1, slot_at(1, 2, "RECORDED"));
    world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
    cycle(&line, "slot").await;
    assert_eq!((time(&world, 1), time(&world, 2)), (two, one));
    assert_eq!(refusals_by_name(&world), 0);
    assert!(world.refusals(&line, "slot").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn in_a_swap_the_available_one_steps_aside() {
    let mut world = strict(0);
    world.put("slot", 1, slot(1, "RECORDED"));
    world.put("slot", 2, slot(2, "AVAILABLE"));
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 1, slot_at(1, 2, "RECORDED"));
    world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
    cycle(&line, "slot").await;
    assert_eq!(world.portal.seen().removals, [("slot".to_owned(), Key::Guid(2))], "bookings hang on the other");
    assert_eq!(world.portal.held("slot").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn of_two_booked_slots_that_swap_the_one_with_fewer_bookings_steps_aside_and_gets_them_back() {
    let mut world = strict(0);
    (1..=2).for_each(|id| world.put("slot", id, slot(id, "RECORDED")));
    for (id, of) in [(0xc1, 1), (0xc2, 2), (0xc3, 2)] {
        world.put("book", id, book(id, of, 5000));
    }
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 1, slot_at(1, 2, "RECORDED"));
    world.put("slot", 2, slot_at(2, 1, "RECORDED"));
    passes(&line).await;
    assert_eq!(world.portal.seen().removals, [("slot".to_owned(), Key::Guid(1))]);
    assert_eq!((world.portal.held("slot").len(), world.portal.held("book").len()), (2, 3));
    assert_eq!(refusals_by_name(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_moves_by_one_slot_goes_from_its_end() {
    let mut world = strict(30);
    let line = world.start().await;
    pass(&line).await;
    world.portal.forget_requests();
    for id in 1..=30 {
        world.put("slot", id, slot_at(id, id + 1, "AVAILABLE"));
    }
    cycle(&line, "slot").await;
    assert_eq!(refusals_by_name(&world), 0);
    assert_eq!(world.portal.received("slot").len(), 30, "each once");
    assert!(world.portal.seen().removals.is_empty());
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 30);
}

#[tokio::test(start_paused = true)]
async fn a_unit_takes_the_name_that_another_gives_up() {
    let mut world = strict(1);
    world.put("mo", 0xa1, mo(0xa1, "Clinic"));
    let line = world.start().await;
    pass(&line).await;
    world.put("mo", MO, mo(MO, "Clinic"));
    world.put("mo", 0xa1, mo(0xa1, "Branch"));
    cycle(&line, "mo").await;
    assert_eq!(world.portal.held("mo")[&Key::Guid(MO)]["name"], "Clinic");
    assert_eq!(refusals_by_name(&world), 0);
    assert!(world.portal.seen().removals.is_empty(), "nothing hangs in the air for a name");
}

#[tokio::test(start_paused = true)]
async fn units_that_exchange_names_wait_for_a_person_and_nothing_is_torn_down() {
    let mut world = strict(1);
    world.put("mo", 0xa1, mo(0xa1, "Clinic"));
    let line = world.start().await;
    pass(&line).await;
    world.put("mo", MO, mo(MO, "Clinic"));
    world.put("mo", 0xa1, mo(0xa1, "Unit"));
    for _ in 0..3 {
        cycle(&line, "mo").await;
    }
    assert!(world.portal.seen().removals.is_empty());
    assert_eq!(refusals_by_name(&world), 0);
    let listed = world.refusals(&line, "mo").await;
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|(_, state, code)| *state == State::Held && code == "PLACE"), "{listed:?}");
    let texts = world.ledger.refusals(line.feed("mo").unwrap().id).await.unwrap();
    let remedy = vitrina::portal::kind("fer").unwrap().particular("PLACE", &texts[0].text);
    assert_eq!(remedy.map(|remedy| remedy.actor), Some(vitrina::record::Actor::Data), "{}", texts[0].text);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_under_new_ids_replaces_the_old_one() {
    let mut world = strict(30);
    let line = world.start().await;
    pass(&line).await;
    (1..=5).for_each(|id| world.delete("slot", id));
    for id in 1..=5 {
        world.put("slot", 0x1000 + id, slot_at(0x1000 + id, id, "AVAILABLE"));
    }
    passes(&line).await;
    assert_eq!(refusals_by_name(&world), 0);
    assert_eq!(world.portal.held("slot").len(), 30);
    assert!(world.portal.held("slot").contains_key(&Key::Guid(0x1003)));
    assert!(world.refusals(&line, "slot").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_two_slots_at_one_time_the_accepted_one_stays_and_the_other_is_the_sites_fault() {
    let mut world = strict(8);
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 0, slot_at(0, 3, "AVAILABLE"));
    for _ in 0..2 {
        pass(&line).await;
    }
    assert_eq!(refusals_by_name(&world), 0, "it was never sent");
    let listed = world.refusals(&line, "slot").await;
    assert_eq!(listed, [(Some(Key::Guid(0)), State::Rejected, "DUPLICATE_PLACE".to_owned())]);
    world.delete("slot", 3);
    passes(&line).await;
    assert!(world.portal.held("slot").contains_key(&Key::Guid(0)), "the place has become free");
    assert!(world.refusals(&line, "slot").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_two_new_slots_at_one_time_the_first_is_sent() {
    let mut world = strict(2);
    world.put("slot", 9, slot_at(9, 1, "AVAILABLE"));
    let line = world.start().await;
    pass(&line).await;
    assert_eq!(world.portal.held("slot").len(), 2);
    assert_eq!(refusals_by_name(&world), 0);
    let listed = world.refusals(&line, "slot").await;
    assert_eq!(listed, [(Some(Key::Guid(9)), State::Rejected, "DUPLICATE_PLACE".to_owned())]);
    assert_eq!(pass(&world.start().await).await, 0);
}

fn stranger(world: &World, at_time_of: u128) {
    let body = json!({"id": Key::Guid(0xee).to_string(), "resource_id": Key::Guid(RESOURCE).to_string(),
        "visit_time": time(world, at_time_of).unwrap()});
    let mut seen = world.portal.seen();
    seen.mart.remove(&("slot".to_owned(), Key::Guid(at_time_of)));
    seen.mart.insert(("slot".to_owned(), Key::Guid(0xee)), body);
}

/// A world in which the place of slot 3 is held by a record that nobody knows, and slot 3 is to be sent.
async fn with_a_stranger(on_conflict: OnConflict) -> (World, TestLine) {
    let mut world = strict(8);
    world.on_conflict = on_conflict;
    let line = world.start().await;
    pass(&line).await;
    stranger(&world, 3);
    world.put("slot", 3, slot(3, "BLOCKED"));
    (world, line)
}

#[tokio::test(start_paused = true)]
async fn a_stranger_at_a_place_is_reported() {
    let (world, line) = with_a_stranger(OnConflict::Report).await;
    for _ in 0..3 {
        passes(&line).await;
    }
    assert_eq!(refusals_by_name(&world), 1, "one version is refused once");
    assert_eq!(world.refusals(&line, "slot").await, [(Some(Key::Guid(3)), State::Rejected, "R-330".to_owned())]);
    assert!(world.portal.held("slot").contains_key(&Key::Guid(0xee)));
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 7, "the stranger is none of ours");
}

#[tokio::test(start_paused = true)]
async fn a_stranger_at_a_place_is_replaced_where_the_site_wants_it() {
    let (world, line) = with_a_stranger(OnConflict::Replace).await;
    passes(&line).await;
    let held = world.portal.held("slot");
    assert!(!held.contains_key(&Key::Guid(0xee)));
    assert_eq!(held[&Key::Guid(3)]["status"], "BLOCKED");
    assert!(world.refusals(&line, "slot").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_adopted_stranger_is_removed_as_any_record_whose_row_is_gone() {
    let (world, line) = with_a_stranger(OnConflict::Adopt).await;
    cycle(&line, "slot").await;
    assert!(world.portal.held("slot").contains_key(&Key::Guid(0xee)), "not before a full scan has missed it");
    passes(&world.start().await).await;
    let held = world.portal.held("slot");
    assert!(!held.contains_key(&Key::Guid(0xee)));
    assert_eq!(held[&Key::Guid(3)]["status"], "BLOCKED");
}

#[tokio::test(start_paused = true)]
async fn a_holder_whose_row_is_in_the_source_is_sent_first() {
    let (mut world, line) = with_a_stranger(OnConflict::Report).await;
    world.put("slot", 0xee, slot_at(0xee, 40, "AVAILABLE"));
    world.changed_at = None;
    passes(&line).await;
    assert_eq!(world.portal.held("slot").len(), 9);
    assert_eq!(world.portal.held("slot")[&Key::Guid(3)]["status"], "BLOCKED");
    assert!(refusals_by_name(&world) <= 1);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_a_lost_version_may_hold_is_not_claimed_before_that_is_clear() {
    let mut world = strict(8);
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 3, slot_at(3, 40, "AVAILABLE"));
    world.portal.next(Act::ApplyAndLose);
    cycle(&line, "slot").await;
    world.delete("slot", 3);
    world.put("slot", 0x2000, slot_at(0x2000, 40, "AVAILABLE"));
    world.put("slot", 0x2001, slot_at(0x2001, 3, "AVAILABLE"));
    tokio::time::advance(Duration::from_secs(5)).await;
    passes(&line).await;
    assert_eq!(refusals_by_name(&world), 0);
    assert_eq!(world.portal.held("slot").len(), 9);
}

#[tokio::test(start_paused = true)]
async fn both_places_of_a_request_that_was_cut_off_by_a_crash_are_known() {
    let mut world = strict(8);
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 3, slot_at(3, 40, "AVAILABLE"));
    world.portal.hold_up("slot");
    let cut = tokio::spawn(async move { line.cycle("slot", Order::default()).await });
    while world.portal.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    cut.abort();
    assert!(cut.await.is_err());
    world.portal.let_go();
    world.ledger = world.ledger.crash();
    world.delete("slot", 3);
    world.put("slot", 0x2000, slot_at(0x2000, 40, "AVAILABLE"));
    world.put("slot", 0x2001, slot_at(0x2001, 3, "AVAILABLE"));
    passes(&world.start().await).await;
    assert_eq!(refusals_by_name(&world), 0);
    assert_eq!(world.portal.held("slot").len(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_a_refusal_named_is_remembered_over_a_restart() {
    let mut world = strict(8);
    let line = world.start().await;
    pass(&line).await;
    // The mart has moved slot 3 without a word.
    let elsewhere = serde_json::to_value("2023-12-01T10:00:00").unwrap();
    world.portal.seen().mart.get_mut(&("slot".to_owned(), Key::Guid(3))).unwrap()["visit_time"] = elsewhere;
    let mut row = slot(0x2000, "AVAILABLE");
    row[5] = "2023-12-01T10:00:00".into();
    world.put("slot", 0x2000, row);
    world.source.fail_after(1, Fault::Unreachable);
    assert!(line.cycle("slot", Order::default()).await.is_err(), "refused, and then the source is away");
    assert_eq!(refusals_by_name(&world), 1);
    for _ in 0..3 {
        let line = world.start().await;
        world.source.fail_after(1, Fault::Unreachable);
        let _ = line.cycle("slot", Order::default()).await;
    }
    assert_eq!(refusals_by_name(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_often_failed_to_arrive_is_not_given_up_at_its_first_contest() {
    let mut world = strict(8);
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 3, slot_at(3, 40, "AVAILABLE"));
    world.portal.next(Act::ApplyAndLose);
    cycle(&line, "slot").await;
    world.put("slot", 3, slot(3, "AVAILABLE"));
    world.put("slot", 9, slot_at(9, 40, "AVAILABLE"));
    for _ in 0..4 {
        world.portal.next(Act::Fail(Trouble::Transient { retry_after: None }));
        cycle(&line, "slot").await;
        tokio::time::advance(Duration::from_secs(120)).await;
    }
    passes(&line).await;
    assert_eq!(world.portal.held("slot").len(), 9);
    assert!(world.refusals(&line, "slot").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_the_mart_has_moved_is_sent_again_once_somebody_wants_that_place() {
    let mut world = strict(8);
    let line = world.start().await;
    pass(&line).await;
    let before = world.portal.held("slot")[&Key::Guid(3)]["visit_time"].clone();
    let elsewhere = serde_json::to_value("2023-12-01T10:00:00").unwrap();
    world.portal.seen().mart.get_mut(&("slot".to_owned(), Key::Guid(3))).unwrap()["visit_time"] = elsewhere;
    let mut row = slot(0x2000, "AVAILABLE");
    row[5] = "2023-12-01T10:00:00".into();
    world.put("slot", 0x2000, row);
    cycle(&line, "slot").await;
    assert_eq!(refusals_by_name(&world), 1);
    assert_eq!(world.portal.held("slot")[&Key::Guid(3)]["visit_time"], before);
    assert!(world.portal.held("slot").contains_key(&Key::Guid(0x2000)));
    assert!(world.refusals(&line, "slot").await.is_empty(), "nobody's data is at fault");
}

#[tokio::test(start_paused = true)]
async fn two_units_in_doubt_that_swap_their_names_are_not_asked_for_without_end() {
    let mut world = World::new();
    world.put("mo", 0xa1, mo(0xa1, "Other"));
    let line = world.start().await;
    world.portal.next(Act::ApplyAndLose);
    cycle(&line, "mo").await;
    world.put("mo", MO, mo(MO, "Other"));
    world.put("mo", 0xa1, mo(0xa1, "Unit"));
    world.portal.forget_requests();
    for _ in 0..5 {
        tokio::time::advance(Duration::from_secs(60)).await;
        cycle(&line, "mo").await;
    }
    let requests = world.portal.received("mo").len();
    assert!(requests <= 4, "{requests} records were sent");
}

#[tokio::test(start_paused = true)]
async fn of_two_units_in_each_others_way_the_portal_says_where_both_are() {
    let mut world = strict(0);
    world.put("mo", 0xa1, mo(0xa1, "Other"));
    let line = world.start().await;
    world.portal.next(Act::ApplyAndLose);
    cycle(&line, "mo").await;
    world.put("mo", MO, mo(MO, "Other"));
    world.put("mo", 0xa1, mo(0xa1, "Unit"));
    for _ in 0..5 {
        tokio::time::advance(Duration::from_secs(60)).await;
        cycle(&line, "mo").await;
    }
    assert_eq!(refusals_by_name(&world), 0);
    assert_eq!(world.portal.seen().reads.len(), 2, "once for each");
}

#[tokio::test(start_paused = true)]
async fn a_past_slot_of_which_nobody_knows_is_remembered_once_it_is_named() {
    let mut world = strict(8);
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 90, slot(90, "AVAILABLE"));
    world.portal.next(Act::ApplyAndLose);
    cycle(&line, "slot").await;
    world.delete("slot", 90);
    world.source.set_now((NOW + 2 * 86_400) * 1_000_000);
    tokio::time::advance(Duration::from_secs(2 * 86_400)).await;
    for _ in 0..4 {
        world.put("slot", 0x2000, slot_at(0x2000, 90, "AVAILABLE"));
        passes(&line).await;
    }
    assert_eq!(refusals_by_name(&world), 1);
    assert!(world.portal.held("slot").contains_key(&Key::Guid(90)), "what is past is left alone");
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_again_when_the_row_of_its_doubtful_holder_wants_another_and_waits() {
    let mut world = strict(8);
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 90, slot(90, "AVAILABLE"));
    world.portal.next(Act::ApplyAndLose);
    cycle(&line, "slot").await;
    world.portal.seen().mart.remove(&("slot".to_owned(), Key::Guid(90)));
    world.put("slot", 0x2000, slot_at(0x2000, 90, "AVAILABLE"));
    cycle(&line, "slot").await;
    assert_eq!(world.refusals(&line, "slot").await[0].2, "DUPLICATE_PLACE", "90 may be there");
    let mut moved = slot(90, "AVAILABLE");
    moved[2] = guid(0xbad);
    world.put("slot", 90, moved);
    cycle(&line, "slot").await;
    assert_eq!(line.feed("slot").unwrap().counts().held, 1, "90 waits for its room");
    assert!(world.portal.held("slot").contains_key(&Key::Guid(0x2000)));
    assert_eq!(refusals_by_name(&world), 0);
}

/// Slot 3 was on its way to another time when the answer was lost, and now waits for a room that nobody knows; another slot wants its place.
async fn with_a_holder_in_doubt(act: Act) -> (World, TestLine) {
    let mut world = strict(8);
    let line = Box::pin(world.start()).await;
    Box::pin(pass(&line)).await;
    world.put("slot", 3, slot_at(3, 40, "AVAILABLE"));
    world.portal.next(act);
    Box::pin(cycle(&line, "slot")).await;
    let mut moved = slot_at(3, 41, "AVAILABLE");
    moved[2] = guid(0xbad);
    world.put("slot", 3, moved);
    Box::pin(cycle(&line, "slot")).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    world.put("slot", 0x2000, slot_at(0x2000, 3, "AVAILABLE"));
    (world, line)
}

/// How often the portal was asked for slot 3.
fn questions(world: &World) -> usize {
    world.portal.seen().reads.iter().filter(|read| **read == ("slot".to_owned(), Some(Key::Guid(3)))).count()
}

#[tokio::test(start_paused = true)]
async fn whether_a_holder_in_doubt_has_gone_is_asked_and_not_tried() {
    let (world, line) = with_a_holder_in_doubt(Act::ApplyAndLose).await;
    cycle(&line, "slot").await;
    assert_eq!((questions(&world), refusals_by_name(&world)), (1, 0));
    assert!(world.portal.held("slot").contains_key(&Key::Guid(0x2000)), "3 has gone to its other time");
}

#[tokio::test(start_paused = true)]
async fn who_is_told_that_the_holder_is_still_there_waits_and_asks_no_more() {
    let (world, line) = with_a_holder_in_doubt(Act::Lose).await;
    for _ in 0..3 {
        cycle(&line, "slot").await;
    }
    drop(line);
    cycle(&world.start().await, "slot").await;
    assert_eq!((questions(&world), refusals_by_name(&world)), (1, 0), "over a restart too");
    assert!(!world.portal.held("slot").contains_key(&Key::Guid(0x2000)));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_came_to_nothing_is_asked_again_in_the_next_cycle() {
    let (world, line) = with_a_holder_in_doubt(Act::ApplyAndLose).await;
    world.portal.seen().read_failures.push_back(Trouble::TimedOut);
    cycle(&line, "slot").await;
    assert_eq!((questions(&world), refusals_by_name(&world)), (1, 0));
    assert!(!world.portal.held("slot").contains_key(&Key::Guid(0x2000)));
    cycle(&line, "slot").await;
    assert_eq!(questions(&world), 2);
    assert!(world.portal.held("slot").contains_key(&Key::Guid(0x2000)));
}

#[tokio::test(start_paused = true)]
async fn a_portal_that_does_not_let_itself_be_asked_is_tried() {
    let (world, line) = with_a_holder_in_doubt(Act::ApplyAndLose).await;
    world.portal.seen().read_failures.push_back(Trouble::FeedParked);
    cycle(&line, "slot").await;
    assert!(world.portal.held("slot").contains_key(&Key::Guid(0x2000)));
    assert!(line.lets_pass("slot"), "a question that is refused parks no feed");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_while_the_portal_wants_to_be_left_alone() {
    let (world, line) = with_a_holder_in_doubt(Act::ApplyAndLose).await;
    world.portal.seen().read_failures.push_back(Trouble::Maintenance { retry_after: None });
    cycle(&line, "slot").await;
    assert!(!line.lets_pass("slot"), "what it says to a question holds for everything");
    cycle(&line, "slot").await;
    assert_eq!(questions(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_read_again_for_their_places_are_counted_once() {
    let mut world = World::with_slots(3);
    world.portal.seen().one_a_place = true;
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 1, slot_at(1, 2, "AVAILABLE"));
    world.put("slot", 2, slot_at(2, 1, "AVAILABLE"));
    let report = cycle(&line, "slot").await;
    assert_eq!((report.rows, report.unchanged), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_read_by_its_key_and_by_its_change_is_counted_once() {
    let mut world = World::with_slots(3);
    world.changed_at = Some("updated_at");
    let line = world.start().await;
    pass(&line).await;
    let mut wrong = slot(1, "AVAILABLE");
    wrong[6] = Value::Null;
    world.put("slot", 1, wrong);
    assert_eq!(cycle(&line, "slot").await.invalid, 1);
    assert_eq!(line.retry("slot", &RetryWord { code: None, keys: None }).await.unwrap(), 1);
    let report = cycle(&line, "slot").await;
    assert_eq!((report.rows, report.invalid, report.unchanged), (3, 1, 2));
}
