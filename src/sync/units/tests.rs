//! Pauses of units, without a line around them.

use super::*;
use crate::ledger::NotePlace;

const HOUR: i64 = 3600;

fn units() -> Units {
    Units::new(Duration::from_secs(3600), ErrorBudget { rejects: 3, window: Duration::from_secs(600) })
}

fn unit() -> Key {
    Key::Guid(0xa0)
}

fn admit(units: &Units, feed: &'static str, now: i64) -> Admission {
    units.admit(unit().id(), feed, || now)
}

#[test]
fn each_block_in_a_row_pauses_twice_as_long_up_to_a_day() {
    let units = units();
    let mut now = 0;
    let hours: Vec<i64> = (0..7)
        .map(|_| {
            let until = units.block(&unit(), now).unwrap().until;
            (until - std::mem::replace(&mut now, until)) / HOUR
        })
        .collect();
    assert_eq!(hours, [1, 2, 4, 8, 16, 24, 24]);
    assert!(units.end(unit().id()) && !units.end(unit().id()));
    assert_eq!(units.block(&unit(), now).unwrap().until - now, HOUR, "after an end it starts over");
}

#[test]
fn several_requests_that_meet_one_block_are_one_pause() {
    let units = units();
    assert!(units.block(&unit(), 0).is_some());
    assert!(units.block(&unit(), 1).is_none());
    assert_eq!(units.list()[0].times, 1);
}

#[test]
fn on_probation_one_record_of_all_feeds_goes_alone() {
    let units = units();
    assert_eq!(admit(&units, "slot", 0), Admission::Free);
    units.block(&unit(), 0);
    assert_eq!(admit(&units, "slot", HOUR - 1), Admission::Wait);
    assert_eq!(admit(&units, "slot", HOUR), Admission::Alone);
    assert_eq!(admit(&units, "slot", HOUR), Admission::Wait);
    assert_eq!(admit(&units, "resource", HOUR), Admission::Wait);
    units.release("resource");
    assert_eq!(admit(&units, "resource", HOUR), Admission::Wait, "the claim is another feed's");
    units.release("slot");
    assert_eq!(admit(&units, "resource", HOUR), Admission::Alone);
    assert!(units.holds_back(unit().id()), "nothing else goes until it is judged");
    units.end(unit().id());
    assert_eq!(admit(&units, "slot", HOUR), Admission::Free);
}

#[test]
fn one_refusal_more_than_the_budget_bears_pauses_for_the_window() {
    let units = units();
    let pauses: Vec<Option<i64>> =
        [0, 10, 20, 30, 31].map(|now| units.refuse(&unit(), now).map(|pause| pause.until)).to_vec();
    assert_eq!(pauses, [None, None, None, Some(630), None]);
    assert_eq!(units.list()[0].why.to_string(), "the portal refused 4 of its records within 10m");
    assert_eq!(admit(&units, "slot", 629), Admission::Wait);
    assert_eq!(admit(&units, "slot", 630), Admission::Alone);
}

#[test]
fn refusals_that_left_the_window_count_no_longer() {
    let units = units();
    for now in [0, 10, 20] {
        assert!(units.refuse(&unit(), now).is_none());
    }
    assert!(units.refuse(&unit(), 600).is_none(), "the first has left");
    assert!(units.refuse(&unit(), 601).is_some());
}

#[test]
fn refusals_of_one_unit_are_not_held_against_another() {
    let units = units();
    for now in 0..3 {
        assert!(units.refuse(&unit(), now).is_none());
        assert!(units.refuse(&Key::Guid(0xa1), now).is_none());
    }
}

#[test]
fn refusals_survive_a_restart() {
    let units = units();
    units.load_refusals(BTreeMap::from([(unit().id(), vec![100, 50, -600, 90, 5000])]), 200);
    let pause = units.refuse(&unit(), 201).unwrap();
    assert_eq!(
        pause.why,
        UnitTrouble::Budget { refused: 4, window: 600 },
        "of the past ten minutes, and not of the future"
    );
}

#[test]
fn a_block_during_a_pause_of_the_budget_is_a_block() {
    let units = units();
    (0..4).for_each(|now| drop(units.refuse(&unit(), now)));
    let pause = units.block(&unit(), 10).unwrap();
    assert_eq!((pause.why, pause.until), (UnitTrouble::Blocked, 10 + HOUR));
}

#[test]
fn an_operators_word_starts_the_count_over() {
    let units = units();
    (0..4).for_each(|now| drop(units.refuse(&unit(), now)));
    units.end(unit().id());
    units.forgive(unit().id());
    assert!(units.refuse(&unit(), 5).is_none());
}

#[test]
fn a_unit_that_only_the_budget_paused_and_that_wants_nothing_is_let_go() {
    let units = units();
    (0..4).for_each(|now| drop(units.refuse(&unit(), now)));
    units.block(&Key::Guid(0xa1), 0);
    assert!(units.quiet(603 + 599).is_empty());
    assert_eq!(units.quiet(603 + 600), [unit()], "what the portal has blocked stays");
}

#[test]
fn a_pause_is_remembered_in_a_note() {
    let units = units();
    let paused = units.block(&unit(), 0).unwrap();
    let place = |kind, name: String| NotePlace { portal: "fer".into(), feed: String::new(), kind, name };
    let note = Note { place: place(NoteKind::Unit, unit().to_string()), body: paused.body() };
    assert_eq!(note.body, r#"{"until":3600,"why":"blocked","times":1}"#);
    let newer = Note { place: place(NoteKind::Unit, "x".into()), body: "{}".into() };
    let other = Note { place: place(NoteKind::Batch, String::new()), body: note.body.clone() };
    assert_eq!(PausedUnit::in_notes(&[note, newer, other]), std::slice::from_ref(&paused));
    let restarted = self::units();
    restarted.load(vec![paused]);
    assert_eq!(admit(&restarted, "slot", 1), Admission::Wait);
    assert_eq!(restarted.block(&unit(), HOUR).unwrap().times, 2);
}

#[test]
fn a_clock_that_steps_back_ends_a_pause() {
    let units = units();
    units.block(&unit(), 10_000_000);
    assert_eq!(admit(&units, "slot", 1_000_000), Admission::Alone);
}
