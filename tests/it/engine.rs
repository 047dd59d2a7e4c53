//! The engine over a source, a ledger and a portal in memory: what is sent, held, refused, sent again and never sent twice.

use std::sync::Arc;
use std::time::Duration;

use vitrina::ledger::{Ledger, Replay, State};
use vitrina::record::{Key, Rule};
use vitrina::source::memory::{Fault, Value};
use vitrina::sync::{Clock, CycleError, Order, RetryWord, Stop};
use vitrina::transport::Trouble;

use crate::support::portal::Act;
use crate::support::world::{MO, NOW, RESOURCE, World, book, columns, cycle, guid, mo, pass, room, slot};

#[tokio::test(start_paused = true)]
async fn a_second_pass_sends_nothing_even_after_a_restart() {
    let world = World::with_slots(25);
    assert_eq!(pass(&world.start().await).await, 27);
    let line = world.start().await;
    assert_eq!(pass(&line).await, 0);
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 25);
}

#[tokio::test(start_paused = true)]
async fn exactly_the_changed_rows_are_sent() {
    let mut world = World::with_slots(25);
    let line = world.start().await;
    pass(&line).await;
    world.portal.forget_requests();
    for id in [3, 17] {
        world.put("slot", id, slot(id, "BLOCKED"));
    }
    pass(&line).await;
    assert_eq!(world.portal.received("slot"), [Key::Guid(3), Key::Guid(17)]);
    assert_eq!(world.portal.held("slot")[&Key::Guid(17)]["status"], "BLOCKED");
}

#[tokio::test(start_paused = true)]
async fn children_wait_for_their_parents_and_go_by_themselves() {
    let world = World::with_slots(3);
    let line = world.start().await;
    let report = cycle(&line, "slot").await;
    assert_eq!((report.sent, report.held), (0, 3));
    assert!(report.missing.contains("mo"));
    assert_eq!(world.refusals(&line, "slot").await.len(), 3);
    cycle(&line, "mo").await;
    let report = cycle(&line, "resource").await;
    assert!(report.released.contains("slot"), "the parent's cycle says who may go");
    assert_eq!(cycle(&line, "slot").await.accepted, 3);
    assert!(world.refusals(&line, "slot").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_bad_row_is_reported_and_its_neighbours_go_out() {
    let mut world = World::with_slots(3);
    let mut bad = slot(2, "FREE");
    bad[6] = Value::Null;
    world.put("slot", 2, bad);
    let line = world.start().await;
    pass(&line).await;
    assert_eq!(world.portal.received("slot"), [Key::Guid(1), Key::Guid(3)]);
    let refusals = world.ledger.refusals(line.feed("slot").unwrap().id).await.unwrap();
    let fields: Vec<_> = refusals[0].violations.iter().map(|broken| broken.field.as_ref()).collect();
    assert_eq!((refusals.len(), fields), (1, vec!["duration", "status"]));
    world.put("slot", 2, slot(2, "AVAILABLE"));
    pass(&line).await;
    assert!(world.refusals(&line, "slot").await.is_empty());
    assert_eq!(world.portal.held("slot").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_row_with_bytes_that_are_no_text_is_rejected_by_its_key_and_its_neighbours_go_out() {
    let mut world = World::with_slots(3);
    let mut bad = slot(2, "AVAILABLE");
    bad[3] = Value::Undecodable;
    world.put("slot", 2, bad);
    let line = world.start().await;
    pass(&line).await;
    assert_eq!(world.portal.received("slot"), [Key::Guid(1), Key::Guid(3)]);
    let refusals = world.ledger.refusals(line.feed("slot").unwrap().id).await.unwrap();
    assert_eq!(refusals[0].key, Some(Key::Guid(2)));
    let broken: Vec<_> = refusals[0].violations.iter().map(|broken| (broken.field.as_ref(), broken.rule)).collect();
    assert_eq!(broken, [("tag_type", Rule::Encoding)]);
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_row_became_bad_stays_at_the_portal_and_is_rejected() {
    let mut world = World::with_slots(1);
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 1, slot(1, "FREE"));
    pass(&line).await;
    assert_eq!(world.portal.held("slot")[&Key::Guid(1)]["status"], "AVAILABLE");
    assert_eq!(world.refusals(&line, "slot").await[0].1, State::Rejected);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_the_portal_refused_is_not_sent_again_until_it_changes() {
    let mut world = World::with_slots(3);
    world.portal.refuse(Key::Guid(2), true);
    let line = world.start().await;
    pass(&line).await;
    assert_eq!(world.refusals(&line, "slot").await, [(Some(Key::Guid(2)), State::Rejected, "R-330".to_owned())]);
    world.portal.forget_requests();
    pass(&line).await;
    pass(&world.start().await).await;
    assert!(world.portal.received("slot").is_empty());
    world.portal.refuse(Key::Guid(2), false);
    world.put("slot", 2, slot(2, "BLOCKED"));
    pass(&world.start().await).await;
    assert_eq!(world.portal.received("slot"), [Key::Guid(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_child_goes_out_again_when_its_parent_is_accepted_anew() {
    let mut world = World::with_slots(1);
    world.portal.refuse(Key::Guid(1), true);
    // No time of its own comes for it.
    world.portal.blame_row(Key::Guid(1));
    let line = world.start().await;
    pass(&line).await;
    world.portal.refuse(Key::Guid(1), false);
    assert_eq!(cycle(&line, "slot").await.sent, 0);
    let mut other = room(RESOURCE, MO);
    other[6] = "Other".into();
    world.put("resource", RESOURCE, other);
    let report = cycle(&line, "resource").await;
    assert_eq!((report.accepted, report.released.contains("slot")), (1, true));
    assert_eq!(cycle(&line, "slot").await.accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_version_gets_its_slow_retry() {
    let world = World::with_slots(1);
    world.portal.refuse(Key::Guid(1), true);
    let line = world.start().await;
    pass(&line).await;
    world.portal.refuse(Key::Guid(1), false);
    tokio::time::advance(Duration::from_secs(86_401)).await;
    assert_eq!(cycle(&line, "slot").await.accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn an_operators_word_has_refused_records_tried_again_and_no_others() {
    let mut world = World::with_slots(4);
    world.changed_at = Some("updated_at");
    let mut wrong = slot(3, "AVAILABLE");
    wrong[6] = Value::Null;
    world.put("slot", 3, wrong);
    [1, 2].map(Key::Guid).into_iter().for_each(|key| world.portal.refuse(key, true));
    let line = world.start().await;
    pass(&line).await;
    [1, 2].map(Key::Guid).into_iter().for_each(|key| world.portal.refuse(key, false));
    world.portal.forget_requests();
    assert_eq!(pass(&line).await, 0, "without a word they wait");

    let named = |ids: &[u128]| Some(ids.iter().map(|id| Key::Guid(*id).to_string()).collect());
    let by_key = |ids| RetryWord { code: None, keys: named(ids) };
    let by_code = |code: &str| RetryWord { code: Some(code.to_owned()), keys: None };
    assert_eq!(line.retry("slot", &by_key(&[4, 99])).await.unwrap(), 0, "accepted, or not known at all");
    assert_eq!(line.retry("slot", &by_key(&[1])).await.unwrap(), 1);
    let line = world.start().await;
    assert_eq!(cycle(&line, "slot").await.accepted, 1, "the word outlives the process that heard it");
    assert_eq!(world.portal.received("slot"), [Key::Guid(1)]);

    assert_eq!(line.retry("slot", &by_code("CHECK")).await.unwrap(), 1);
    assert_eq!(cycle(&line, "slot").await.sent, 0, "its row is as wrong as before");
    assert_eq!(line.retry("slot", &by_code("r-330")).await.unwrap(), 1);
    assert_eq!(cycle(&line, "slot").await.accepted, 1);
    assert_eq!(world.portal.received("slot"), [Key::Guid(1), Key::Guid(2)]);
    assert_eq!(world.refusals(&line, "slot").await, [(Some(Key::Guid(3)), State::Rejected, "CHECK".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn two_rows_with_one_key_are_one_record_and_a_report() {
    let world = World::with_slots(2);
    let mut rows: Vec<_> = world.tables["slot"].values().cloned().collect();
    rows.push(slot(1, "BLOCKED"));
    world.source.set("slot", columns("slot"), rows);
    let line = world.start().await;
    pass(&line).await;
    assert_eq!(world.portal.held("slot")[&Key::Guid(1)]["status"], "AVAILABLE", "the first copy");
    assert_eq!(
        world.refusals(&line, "slot").await,
        [(Some(Key::Guid(1)), State::Rejected, "DUPLICATE_KEY".to_owned())]
    );
    assert_eq!(pass(&line).await, 0);
    world.publish("slot");
    pass(&line).await;
    assert!(world.refusals(&line, "slot").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_two_rows_with_one_key_the_accepted_copy_is_kept() {
    let world = World::with_slots(1);
    let line = world.start().await;
    pass(&line).await;
    world.portal.forget_requests();
    world.source.set("slot", columns("slot"), vec![slot(1, "BLOCKED"), slot(1, "AVAILABLE")]);
    assert_eq!(pass(&line).await, 0);
    assert_eq!(world.portal.held("slot")[&Key::Guid(1)]["status"], "AVAILABLE");
}

#[tokio::test(start_paused = true)]
async fn a_row_that_comes_back_in_two_copies_is_there() {
    let mut world = World::with_slots(8);
    let line = world.start().await;
    pass(&line).await;
    world.delete("slot", 1);
    world.portal.next_removal(Act::Fail(Trouble::Transient { retry_after: None }));
    cycle(&line, "slot").await;
    let mut rows: Vec<_> = world.tables["slot"].values().cloned().collect();
    rows.extend([slot(1, "BLOCKED"), slot(1, "AVAILABLE")]);
    world.source.set("slot", columns("slot"), rows);
    world.portal.seen().removals.clear();
    for _ in 0..2 {
        tokio::time::advance(Duration::from_secs(3600)).await;
        cycle(&line, "slot").await;
    }
    assert!(world.portal.seen().removals.is_empty());
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 8);
}

#[tokio::test(start_paused = true)]
async fn a_row_without_a_key_is_a_finding_without_a_key() {
    let world = World::with_slots(1);
    let mut keyless = slot(9, "AVAILABLE");
    keyless[0] = Value::Null;
    world.source.set("slot", columns("slot"), vec![keyless, slot(1, "AVAILABLE")]);
    let line = world.start().await;
    pass(&line).await;
    assert_eq!(world.refusals(&line, "slot").await, [(None, State::Rejected, "CHECK".to_owned())]);
    assert_eq!(line.feed("slot").unwrap().counts().rejected, 1);
    assert_eq!(world.portal.received("slot"), [Key::Guid(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_failed_is_made_again_later() {
    let world = World::with_slots(3);
    let line = world.start().await;
    cycle(&line, "mo").await;
    cycle(&line, "resource").await;
    world.portal.next(Act::Fail(Trouble::Transient { retry_after: None }));
    let report = cycle(&line, "slot").await;
    assert_eq!((report.failures, report.complete()), (1, true));
    assert_eq!(line.feed("slot").unwrap().counts().pending, 3);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(cycle(&line, "slot").await.accepted, 3);
}

/// How long a slot's next attempt is put off when, after so many failed ones, the engine starts anew with these dice and fails once more.
async fn put_off_after(failures: u16, seed: u64) -> i64 {
    let mut world = World::with_slots(1);
    let line = world.start().await;
    cycle(&line, "mo").await;
    cycle(&line, "resource").await;
    let began = tokio::time::Instant::now();
    for _ in 0..failures {
        world.portal.next(Act::Fail(Trouble::Transient { retry_after: None }));
        assert_eq!(cycle(&line, "slot").await.failures, 1);
        // Longer than any pause, the portal's included.
        tokio::time::advance(Duration::from_secs(120)).await;
    }
    world.seed = seed;
    let now = NOW + began.elapsed().as_secs().cast_signed();
    let line = world.start_at(Clock::simulated(now)).await;
    world.portal.next(Act::Fail(Trouble::Transient { retry_after: None }));
    assert_eq!(cycle(&line, "slot").await.failures, 1);
    let mut next = None;
    let mut note = |step| match step {
        Replay::Put(entry) => next = entry.next_attempt,
        Replay::Drop(_) => next = None,
    };
    world.ledger.load(line.feed("slot").unwrap().id, &mut note).await.unwrap();
    next.expect("a next attempt") - now
}

#[tokio::test(start_paused = true)]
async fn pauses_between_attempts_go_on_growing_after_a_restart() {
    for (failures, ceiling) in [(0, 1), (2, 4), (4, 16)] {
        let mut longest = 0;
        for seed in 0..40 {
            longest = longest.max(put_off_after(failures, seed).await);
        }
        assert!(longest > ceiling / 2 && longest <= ceiling, "up to {longest} s after {failures} failures");
    }
}

#[tokio::test(start_paused = true)]
async fn a_portal_that_fails_again_and_again_is_left_alone() {
    let world = World::with_slots(100);
    let line = world.start().await;
    cycle(&line, "mo").await;
    cycle(&line, "resource").await;
    (0..10).for_each(|_| world.portal.next(Act::Fail(Trouble::Transient { retry_after: None })));
    world.portal.forget_requests();
    let report = cycle(&line, "slot").await;
    assert_eq!(report.stop, Some(Stop::PortalFailed));
    assert!(world.portal.seen().requests.len() < 6, "{} requests", world.portal.seen().requests.len());
}

#[tokio::test(start_paused = true)]
async fn a_portal_under_maintenance_is_left_alone() {
    let world = World::with_slots(3);
    let line = world.start().await;
    world.portal.next(Act::Fail(Trouble::Maintenance { retry_after: Some(Duration::from_secs(120)) }));
    cycle(&line, "mo").await;
    world.portal.forget_requests();
    tokio::time::advance(Duration::from_secs(119)).await;
    assert_eq!(cycle(&line, "mo").await.stop, Some(Stop::PortalPaused));
    assert!(world.portal.received("mo").is_empty());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(cycle(&line, "mo").await.accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_answer_a_row_that_went_back_is_sent_all_the_same() {
    let mut world = World::with_slots(1);
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 1, slot(1, "BLOCKED"));
    world.portal.next(Act::ApplyAndLose);
    cycle(&line, "slot").await;
    assert_eq!(world.portal.held("slot")[&Key::Guid(1)]["status"], "BLOCKED");
    world.put("slot", 1, slot(1, "AVAILABLE"));
    tokio::time::advance(Duration::from_secs(5)).await;
    let line = world.start().await;
    cycle(&line, "slot").await;
    assert_eq!(world.portal.held("slot")[&Key::Guid(1)]["status"], "AVAILABLE");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_does_not_end_an_older_doubt_of_the_same_version() {
    let mut world = World::with_slots(1);
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 1, slot(1, "BLOCKED"));
    world.portal.next(Act::ApplyAndLose);
    cycle(&line, "slot").await;
    world.portal.refuse(Key::Guid(1), true);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(cycle(&line, "slot").await.refused, 1);
    world.portal.refuse(Key::Guid(1), false);
    world.put("slot", 1, slot(1, "AVAILABLE"));
    pass(&world.start().await).await;
    assert_eq!(world.portal.held("slot")[&Key::Guid(1)]["status"], "AVAILABLE");
}

#[tokio::test(start_paused = true)]
async fn a_later_piece_that_came_to_nothing_does_not_end_the_doubt_of_an_earlier_one() {
    let mut world = World::with_slots(2);
    let line = world.start().await;
    pass(&line).await;
    for id in [1, 2] {
        world.put("slot", id, slot(id, "BLOCKED"));
    }
    world.portal.next(Act::AnswerOnly(1));
    world.portal.next(Act::Fail(Trouble::Transient { retry_after: None }));
    assert_eq!(cycle(&line, "slot").await.accepted, 1);
    assert_eq!(world.portal.held("slot")[&Key::Guid(2)]["status"], "BLOCKED");
    world.put("slot", 2, slot(2, "AVAILABLE"));
    pass(&world.start().await).await;
    assert_eq!(world.portal.held("slot")[&Key::Guid(2)]["status"], "AVAILABLE");
}

#[tokio::test(start_paused = true)]
async fn records_that_an_answer_does_not_mention_are_asked_about_again() {
    let world = World::with_slots(8);
    let line = world.start().await;
    cycle(&line, "mo").await;
    cycle(&line, "resource").await;
    world.portal.next(Act::AnswerOnly(5));
    let report = cycle(&line, "slot").await;
    assert_eq!(report.accepted, 8);
    let sizes: Vec<usize> = world.portal.seen().requests.iter().skip(2).map(|(_, keys)| keys.len()).collect();
    assert_eq!(sizes, [8, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_names_nobody_is_bisected_to_the_culprit() {
    const RECORDS: u128 = 500;
    // Two halves for each time that the culprit's piece is halved, the request itself, a record before and one after that show that
    // others pass, and the culprit once more.
    let most = (2.0 * (RECORDS as f64).log2() + 5.0) as usize;
    for culprit in [1, 250, 333, RECORDS] {
        let mut world = World::with_slots(RECORDS);
        world.batch = RECORDS as usize;
        world.portal.choke_on(Key::Guid(culprit));
        let line = world.start().await;
        pass(&line).await;
        assert_eq!(world.portal.held("slot").len(), 499);
        let refused = (Some(Key::Guid(culprit)), State::Rejected, "REFUSED".to_owned());
        assert_eq!(world.refusals(&line, "slot").await, [refused]);
        let requests = world.portal.sizes("slot").len();
        assert!(requests <= most, "{requests} requests for culprit {culprit}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_blocked_unit_pauses_and_the_others_go_on() {
    let mut world = World::with_slots(2);
    world.put("mo", 0xa1, mo(0xa1, "Other"));
    world.put("resource", 0xb1, room(0xb1, 0xa1));
    let mut elsewhere = slot(50, "AVAILABLE");
    elsewhere[1] = guid(0xa1);
    elsewhere[2] = guid(0xb1);
    world.put("slot", 50, elsewhere);
    let line = world.start().await;
    cycle(&line, "mo").await;
    cycle(&line, "resource").await;
    world.portal.block_unit(&Key::Guid(MO).to_string());
    cycle(&line, "slot").await;
    assert_eq!(world.portal.held("slot").keys().collect::<Vec<_>>(), [&Key::Guid(50)]);
    assert_eq!(line.paused_units().len(), 1);
    world.portal.forget_requests();
    cycle(&line, "slot").await;
    assert!(world.portal.received("slot").is_empty(), "a paused unit is not asked about every cycle");
    assert_eq!(line.feed("slot").unwrap().counts().pending, 2);
}

#[tokio::test(start_paused = true)]
async fn a_book_waits_for_its_slot_to_be_recorded() {
    let mut world = World::with_slots(1);
    world.put("book", 0xc1, book(0xc1, 1, 5000));
    world.put("book", 0xc2, book(0xc2, 1, 5010));
    let line = world.start().await;
    pass(&line).await;
    assert_eq!(world.portal.received("book"), [Key::Guid(0xc2)], "a cancelled booking needs no recorded slot");
    world.put("slot", 1, slot(1, "RECORDED"));
    pass(&line).await;
    assert_eq!(world.portal.received("book"), [Key::Guid(0xc2), Key::Guid(0xc1)]);
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_breaks_off_neither_loses_nor_moves_anything() {
    let world = World::with_slots(2000);
    let line = world.start().await;
    cycle(&line, "mo").await;
    cycle(&line, "resource").await;
    world.source.fail_next(Fault::LostAfter(1500));
    let broken = line.cycle("slot", Order::default()).await;
    assert!(matches!(broken, Err(CycleError::Source(_))));
    assert_eq!(line.feed("slot").unwrap().progress().last_full_scan, None);
    let report = cycle(&line, "slot").await;
    assert_eq!(world.portal.held("slot").len(), 2000);
    assert_eq!(world.portal.received("slot").len(), 2000, "nothing twice");
    assert!(report.complete());
}

#[tokio::test(start_paused = true)]
async fn a_read_by_change_time_sees_only_what_changed() {
    let mut world = World::with_slots(50);
    world.changed_at = Some("updated_at");
    let line = world.start().await;
    pass(&line).await;
    world.source.set_now((NOW + 600) * 1_000_000);
    let mut changed = slot(7, "BLOCKED");
    changed[9] = Value::Instant((NOW + 599) * 1_000_000);
    world.put("slot", 7, changed);
    let report = cycle(&line, "slot").await;
    assert!(!report.full);
    assert_eq!(report.sent, 1);
    assert_eq!(world.portal.held("slot")[&Key::Guid(7)]["status"], "BLOCKED");
}

#[tokio::test(start_paused = true)]
async fn a_late_commit_with_an_earlier_stamp_is_seen() {
    let mut world = World::with_slots(5);
    world.changed_at = Some("updated_at");
    let line = world.start().await;
    pass(&line).await;
    let mut late = slot(90, "AVAILABLE");
    late[9] = Value::Instant((NOW - 200) * 1_000_000);
    world.put("slot", 90, late);
    cycle(&line, "slot").await;
    assert!(world.portal.held("slot").contains_key(&Key::Guid(90)));
}

#[tokio::test(start_paused = true)]
async fn a_database_clock_that_steps_back_hides_no_change() {
    const HOUR: i64 = 3600;
    let mut world = World::with_slots(3);
    world.changed_at = Some("updated_at");
    let stamped = |id, at: i64| {
        let mut row = slot(id, "BLOCKED");
        row[9] = Value::Instant(at * 1_000_000);
        row
    };
    world.source.set_now((NOW + HOUR) * 1_000_000);
    world.put("slot", 3, stamped(3, NOW + HOUR));
    let line = world.start().await;
    pass(&line).await;
    // Back by an hour; what was stamped before that is ahead of the clock now, and what changes is stamped behind it. Then on, past where
    // the clock once was, without a read in between.
    for (id, stamp, now) in [(1, NOW, NOW), (2, NOW + 60, NOW + 60), (90, NOW + HOUR / 2, NOW + 2 * HOUR)] {
        world.source.set_now(now * 1_000_000);
        world.put("slot", id, stamped(id, stamp));
        let report = cycle(&line, "slot").await;
        assert_eq!((report.full, report.accepted), (false, 1), "slot {id}");
        assert_eq!(world.portal.held("slot")[&Key::Guid(id)]["status"], "BLOCKED");
    }
    assert_eq!(world.portal.held("slot").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_waits_comes_back_by_key_when_only_changes_are_read() {
    let mut world = World::with_slots(1);
    world.changed_at = Some("updated_at");
    let mut orphan = slot(60, "AVAILABLE");
    orphan[2] = guid(0xb7);
    world.put("slot", 60, orphan);
    let line = world.start().await;
    pass(&line).await;
    assert_eq!(line.feed("slot").unwrap().counts().held, 1);
    world.source.set_now((NOW + 3000) * 1_000_000);
    cycle(&line, "slot").await;
    world.put("resource", 0xb7, room(0xb7, MO));
    cycle(&line, "resource").await;
    let report = cycle(&line, "slot").await;
    assert!(!report.full);
    assert!(world.portal.held("slot").contains_key(&Key::Guid(60)));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_sends_and_remembers_nothing() {
    let world = World::with_slots(3);
    let line = world.start().await;
    let order = Order { dry_run: true, ..Order::default() };
    for (feed, sent) in [("mo", 1), ("resource", 1), ("slot", 3)] {
        assert_eq!(line.cycle(feed, order).await.unwrap().sent, sent, "{feed}");
    }
    assert!(world.portal.seen().requests.is_empty());
    assert_eq!(pass(&world.start().await).await, 5);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_never_reached_the_portal_and_is_gone_is_forgotten() {
    let mut world = World::with_slots(1);
    world.put("slot", 5, slot(5, "FREE"));
    let line = world.start().await;
    pass(&line).await;
    world.tables.get_mut("slot").unwrap().remove(&5);
    world.publish("slot");
    pass(&line).await;
    assert!(world.refusals(&line, "slot").await.is_empty());
    assert_eq!(line.feed("slot").unwrap().counts().rejected, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stopping_line_ends_its_scan_and_settles_what_is_under_way() {
    let world = World::with_slots(100);
    let line = world.start().await;
    cycle(&line, "mo").await;
    cycle(&line, "resource").await;
    line.stopping.cancel();
    let report = cycle(&line, "slot").await;
    assert_eq!(report.stop, Some(Stop::Stopping));
    assert_eq!(report.sent, report.accepted, "what was put back is not counted as sent");
    assert_eq!(pass(&world.start().await).await, 100 - report.accepted);
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_breaks_off_inside_a_request_leaves_nothing_in_flight() {
    let mut world = World::with_slots(25);
    world.put("slot", 26, slot(26, "FREE"));
    let line = world.start().await;
    cycle(&line, "mo").await;
    cycle(&line, "resource").await;
    let mut rows: Vec<_> = world.tables["slot"].values().cloned().collect();
    rows.rotate_right(1);
    world.source.set("slot", columns("slot"), rows);
    world.source.fail_next(Fault::LostAfter(18));
    assert!(line.cycle("slot", Order::default()).await.is_err());
    assert_eq!(world.refusals(&line, "slot").await.len(), 1, "what was found before the break is written down");
    cycle(&line, "slot").await;
    assert_eq!(world.portal.held("slot").len(), 25);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_does_not_settle_what_was_in_doubt_before_it() {
    let mut world = World::with_slots(1);
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 1, slot(1, "BLOCKED"));
    world.portal.next(Act::ApplyAndLose);
    cycle(&line, "slot").await;
    tokio::time::advance(Duration::from_secs(5)).await;
    world.put("slot", 1, slot(1, "CANCELED"));
    world.portal.refuse(Key::Guid(1), true);
    cycle(&line, "slot").await;
    world.portal.forget_requests();
    let line = world.start().await;
    cycle(&line, "slot").await;
    assert!(world.portal.received("slot").is_empty(), "a restart is no reason to send a refused version again");
    world.portal.refuse(Key::Guid(1), false);
    world.put("slot", 1, slot(1, "AVAILABLE"));
    cycle(&line, "slot").await;
    assert_eq!(world.portal.held("slot")[&Key::Guid(1)]["status"], "AVAILABLE", "the lost BLOCKED is overwritten");
}

#[tokio::test(start_paused = true)]
async fn a_portal_that_refuses_everything_without_a_name_is_not_hammered() {
    let mut world = World::with_slots(150);
    world.batch = 150;
    (1..=150).for_each(|id| world.portal.choke_on(Key::Guid(id)));
    let line = world.start().await;
    cycle(&line, "mo").await;
    cycle(&line, "resource").await;
    world.portal.forget_requests();
    let report = cycle(&line, "slot").await;
    let requests = world.portal.seen().requests.len();
    assert!(requests < 6, "{requests} requests");
    assert_eq!((report.refused, report.postponed), (0, 150), "nothing shows that a record is to blame");
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_passed_and_left_the_window_leaves_a_tombstone() {
    let mut world = World::with_slots(3);
    let mut old = slot(9, "AVAILABLE");
    old[5] = Value::LocalTime((NOW - 3600) * 1_000_000);
    world.put("slot", 9, old);
    let line = world.start().await;
    pass(&line).await;
    for id in [3, 9] {
        world.tables.get_mut("slot").unwrap().remove(&id);
    }
    world.publish("slot");
    assert_eq!(cycle(&line, "slot").await.vanished, 1, "the one whose time is still to come");
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 2);
    world.put("book", 0xc1, book(0xc1, 9, 5010));
    assert_eq!(cycle(&line, "book").await.accepted, 1, "its tombstone still satisfies a child");
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_of_a_slot_that_was_never_acknowledged_lets_no_booking_go() {
    let mut world = World::with_slots(8);
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 90, slot(90, "AVAILABLE"));
    world.portal.next(Act::ApplyAndLose);
    cycle(&line, "slot").await;
    world.portal.seen().mart.remove(&("slot".to_owned(), Key::Guid(90)));
    world.delete("slot", 90);
    world.put("book", 0xc1, book(0xc1, 90, 5010));
    world.source.set_now((NOW + 2 * 86_400) * 1_000_000);
    tokio::time::advance(Duration::from_secs(2 * 86_400)).await;
    pass(&line).await;
    assert!(world.portal.held("book").is_empty(), "the portal may not have its slot");
    assert_eq!(line.feed("book").unwrap().counts().held, 1);
}

#[tokio::test(start_paused = true)]
async fn a_feed_stops_when_another_met_maintenance() {
    let world = World::with_slots(100);
    let line = world.start().await;
    cycle(&line, "mo").await;
    cycle(&line, "resource").await;
    world.portal.next(Act::AnswerOnly(10));
    world.portal.next(Act::Fail(Trouble::Maintenance { retry_after: Some(Duration::from_secs(300)) }));
    world.portal.forget_requests();
    let report = cycle(&line, "slot").await;
    assert_eq!(report.stop, Some(Stop::PortalFailed));
    assert!(world.portal.seen().requests.len() <= 3);
    tokio::time::advance(Duration::from_secs(301)).await;
    cycle(&line, "slot").await;
    tokio::time::advance(Duration::from_secs(301)).await;
    cycle(&line, "slot").await;
    assert_eq!(world.portal.held("slot").len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_cycles_see_every_row_once() {
    let world = World::with_slots(3);
    let line = world.start().await;
    pass(&line).await;
    for _ in 0..600 {
        let report = cycle(&line, "slot").await;
        assert_eq!((report.unchanged, report.findings, report.sent), (3, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn feeds_that_run_at_once_do_not_wait_for_each_other_for_ever() {
    let world = World::with_slots(3000);
    let line = world.start().await;
    pass(&line).await;
    let rounds = ["mo", "resource", "slot", "book"].map(|feed| {
        let line = Arc::clone(&line);
        tokio::spawn(async move {
            for _ in 0..200 {
                line.cycle(feed, Order::default()).await.unwrap();
            }
        })
    });
    let all = async {
        for round in rounds {
            round.await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(120), all).await.expect("no feed is stuck");
}

#[tokio::test(start_paused = true)]
async fn a_full_scan_that_breaks_off_does_not_keep_changes_from_being_read() {
    let mut world = World::with_slots(20);
    world.changed_at = Some("updated_at");
    let line = world.start().await;
    pass(&line).await;
    tokio::time::advance(Duration::from_secs(3601)).await;
    world.source.fail_next(Fault::LostAfter(5));
    assert!(line.cycle("slot", Order::default()).await.is_err(), "the hourly full scan");
    world.put("slot", 7, slot(7, "BLOCKED"));
    tokio::time::advance(Duration::from_secs(10)).await;
    let report = cycle(&line, "slot").await;
    assert!(!report.full);
    assert_eq!(world.portal.held("slot")[&Key::Guid(7)]["status"], "BLOCKED");
    tokio::time::advance(Duration::from_secs(300)).await;
    assert!(cycle(&line, "slot").await.full, "and is begun again after a while");
}

#[tokio::test(start_paused = true)]
async fn a_booking_waits_while_nobody_knows_the_status_of_its_slot() {
    let mut world = World::with_slots(2);
    world.put("slot", 1, slot(1, "RECORDED"));
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 1, slot(1, "BLOCKED"));
    world.portal.next(Act::ApplyAndLose);
    cycle(&line, "slot").await;
    world.put("book", 1, book(1, 1, 5000));
    let report = cycle(&line, "book").await;
    assert_eq!((report.held, report.sent), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_booking_waits_while_its_slot_is_under_way() {
    let mut world = World::with_slots(2);
    world.put("slot", 1, slot(1, "RECORDED"));
    let line = world.start().await;
    pass(&line).await;
    world.put("slot", 1, slot(1, "BLOCKED"));
    world.portal.hold_up("slot");
    let sending = tokio::spawn({
        let line = Arc::clone(&line);
        async move { line.cycle("slot", Order::default()).await.unwrap().accepted }
    });
    while world.portal.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    world.put("book", 7, book(7, 1, 5000));
    let report = cycle(&line, "book").await;
    assert_eq!((report.held, report.sent), (1, 0));
    world.portal.refuse(Key::Guid(1), true);
    world.portal.let_go();
    assert_eq!(sending.await.unwrap(), 0);
    assert_eq!(
        cycle(&line, "book").await.accepted,
        1,
        "the slot is RECORDED still, and the booking is not held for it any more"
    );
}

#[tokio::test(start_paused = true)]
async fn a_record_is_in_one_request_at_a_time_however_many_cycles_are_asked_for() {
    let mut world = World::with_slots(2);
    let line = world.start().await;
    pass(&line).await;
    world.portal.forget_requests();
    world.portal.hold_up("slot");
    world.put("slot", 1, slot(1, "BLOCKED"));
    let run = || {
        let line = Arc::clone(&line);
        tokio::spawn(async move { line.cycle("slot", Order::default()).await.unwrap().accepted })
    };
    let first = run();
    while world.portal.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    world.put("slot", 1, slot(1, "CANCELED"));
    let second = run();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.portal.waiting(), 1);
    world.portal.let_go();
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (1, 1));
    assert_eq!(world.portal.held("slot")[&Key::Guid(1)]["status"], "CANCELED", "the newest wins");
}
