use super::*;
use crate::daemon::{FeedStatus, FuseStatus, PortalStatus, Status};
use crate::ledger::{Counts, Ledger, MemoryLedger, Progress, Refusal, Settlement, State};
use crate::record::{Key, Rule, Violation};
use crate::sync::{PausedUnit, UnitTrouble};
use crate::transport::Health;
use std::time::Duration;

const NOW: i64 = 1_780_000_000;

fn feed(name: &str, counts: Counts, last_success: i64) -> FeedStatus {
    let progress = Progress { last_success: Some(last_success), ..Progress::default() };
    let feed = FeedStatus::new("fer", name, &counts, &progress, NOW);
    feed.timed(name == "slot", Some(Duration::from_secs(30)), None)
}

fn portal() -> PortalStatus {
    PortalStatus::new("fer", &Health::Open, &[])
}

fn of(feeds: Vec<FeedStatus>, portal: PortalStatus) -> Status {
    Status { feeds, portals: vec![portal], ..Status::default() }
}

fn found(status: &Status) -> Vec<Trouble> {
    found_with(status, &Known::default())
}

fn found_with(status: &Status, known: &Known) -> Vec<Trouble> {
    troubles(&Snapshot { status, stuck: &[], booking: None, space: None, now: NOW }, known)
}

fn kinds(status: &Status) -> Vec<(TroubleKind, Option<String>)> {
    found(status).into_iter().map(|trouble| (trouble.kind, trouble.code)).collect()
}

fn down(since: i64) -> PortalStatus {
    portal().since(Some((since, &Health::Paused { until: NOW, why: "HTTP 503.".into(), maintenance: false })))
}

#[test]
fn nothing_is_wrong_with_a_process_that_is_well() {
    let pending = Counts { pending: 3, oldest_pending: Some(NOW - 20), ..Counts::default() };
    assert_eq!(found(&of(vec![feed("slot", pending, NOW - 20)], portal())), []);
}

#[test]
fn slots_are_late_sooner_than_other_feeds() {
    let behind = Counts { pending: 3, oldest_pending: Some(NOW - 900), ..Counts::default() };
    let status = of(vec![feed("slot", behind, NOW - 20), feed("mo", behind, NOW - 20)], portal());
    let found = found(&status);
    let [late] = &found[..] else { panic!("{found:?}") };
    assert_eq!((late.kind, late.feed.as_deref(), late.count), (TroubleKind::Freshness, Some("slot"), 3));
    assert_eq!(late.since.timestamp(), NOW - 900);
}

#[test]
fn a_feed_that_stopped_running_is_late_though_it_owes_nothing() {
    let status = of(vec![feed("mo", Counts::default(), NOW - 3600)], portal());
    assert_eq!(kinds(&status), [(TroubleKind::Freshness, Some("SILENT".into()))]);
}

#[test]
fn what_follows_from_another_trouble_is_not_told_beside_it() {
    let behind = Counts { pending: 3, oldest_pending: Some(NOW - 9000), ..Counts::default() };
    let late = || vec![feed("slot", behind, NOW - 9000)];
    assert_eq!(kinds(&of(late(), down(NOW - 9000))), [(TroubleKind::PortalDown, None)]);
    let unit = PausedUnit { unit: Key::parse("u"), until: NOW + 60, why: UnitTrouble::Blocked, times: 1 };
    let blocked = PortalStatus::new("fer", &Health::Open, &[unit]);
    assert_eq!(kinds(&of(late(), blocked)), [(TroubleKind::UnitBlocked, Some("405".into()))]);
    let parked = late().remove(0).parked(NOW + 60, "no such address".into());
    assert_eq!(kinds(&of(vec![parked], portal())), [(TroubleKind::PortalRefused, None)]);
}

#[test]
fn a_database_that_is_away_is_one_cause_however_many_feeds_it_has() {
    let unread = |name: &str| {
        let feed = feed(name, Counts::default(), NOW - 90_000);
        feed.timed(false, Some(Duration::from_secs(30)), Some((NOW - 8000, "source mis: cannot connect".into())))
    };
    let one = found(&of(vec![unread("mo")], portal()));
    let all = found(&of(["mo", "resource", "service"].map(unread).into(), portal()));
    assert_eq!((all.len(), all[0].count, all[0].feed.as_deref()), (1, 3, None));
    assert_eq!((one[0].feed.as_deref(), one[0].since.timestamp()), (Some("mo"), NOW - 8000));
    assert_eq!(one[0].cause, all[0].cause, "it stays the same cause when more feeds join it");
}

#[test]
fn a_portal_is_somebodys_work_only_after_a_while() {
    let who = |since| found(&of(Vec::new(), down(since)))[0].who;
    assert_eq!((who(NOW - 60), who(NOW - 1000)), (Actor::Nobody, Actor::Portal));
}

#[test]
fn the_state_tells_since_when_unless_more_is_known() {
    let status = of(Vec::new(), down(NOW - 60));
    let mut known = Known::default();
    assert!(known.take(&found(&status), NOW - 30));
    let later = of(Vec::new(), down(NOW - 10));
    assert_eq!(found_with(&later, &known)[0].since.timestamp(), NOW - 60, "it had not recovered in between");
}

#[test]
fn a_cause_that_was_away_for_long_is_a_new_one() {
    let status = of(Vec::new(), down(NOW - 60));
    let mut known = Known::default();
    known.take(&found(&status), NOW);
    assert_eq!((known.take(&[], NOW + 100), known.well_since()), (true, Some(NOW + 100)));
    assert_eq!(known.since("portal_down/fer/"), Some(NOW - 60));
    assert!(known.take(&[], NOW + known::OVER_AFTER + 1));
    assert_eq!((known.since("portal_down/fer/"), known.well_since()), (None, Some(NOW + 100)));
}

#[tokio::test]
async fn since_when_survives_a_restart() {
    let ledger = MemoryLedger::new();
    let mut known = Known::default();
    known.take(&found(&of(Vec::new(), down(NOW - 60))), NOW);
    known.keep(&ledger).await.unwrap();
    let known = Known::load(&ledger, NOW + 86_400).await.unwrap();
    let again = of(Vec::new(), down(NOW + 86_500));
    assert_eq!(found_with(&again, &known)[0].since.timestamp(), NOW - 60);
}

#[test]
fn the_gravest_stands_first_and_what_is_nobodys_work_last() {
    let fuse = FuseStatus { since: None, removals: 70, reason: "x".into() };
    let status = of(vec![feed("slot", Counts::default(), NOW).fused(Some(fuse))], down(NOW - 60));
    let snapshot =
        Snapshot { status: &status, stuck: &[], booking: None, space: Some(Space { free: 1 << 20 }), now: NOW };
    let order: Vec<TroubleKind> =
        troubles(&snapshot, &Known::default()).into_iter().map(|trouble| trouble.kind).collect();
    assert_eq!(order, [TroubleKind::Ledger, TroubleKind::Fuse, TroubleKind::PortalDown]);
}

#[test]
fn bookings_that_fail_now_and_then_are_no_trouble() {
    let rate = |answered, failed| Some(BookingRate { answered, failed });
    let status = Status::default();
    let is_told = |booking| {
        !troubles(&Snapshot { status: &status, stuck: &[], booking, space: None, now: NOW }, &Known::default())
            .is_empty()
    };
    let table =
        [(rate(100, 4), false), (rate(100, 19), false), (rate(100, 20), true), (rate(5, 5), true), (None, false)];
    for (booking, told) in table {
        assert_eq!(is_told(booking), told, "{booking:?}");
    }
}

fn refusal(key: &str, code: &str, violations: Vec<Violation>, text: &str) -> Refusal {
    let state = if code == "PARENT" { State::Held } else { State::Rejected };
    Refusal { key: Some(Key::parse(key)), state, code: code.into(), violations, text: text.into(), since: NOW - 50 }
}

fn breaks(field: &'static str, rule: Rule) -> Violation {
    Violation { field: field.into(), rule, text: "is wrong".into() }
}

#[tokio::test]
async fn records_are_counted_by_cause_and_what_follows_or_waits_is_none() {
    let ledger = MemoryLedger::new();
    let id = ledger.feed("fer", "resource").await.unwrap();
    let refused = vec![
        refusal("a", "CHECK", vec![breaks("snils", Rule::Snils), breaks("name", Rule::Length)], ""),
        refusal("b", "CHECK", vec![breaks("snils", Rule::Snils)], ""),
        refusal("c", "PARENT", Vec::new(), "waits for mo 1, which is rejected"),
        refusal("d", "PARENT", Vec::new(), "waits for mo 2, which the portal does not hold yet"),
        refusal("e", "R-330", Vec::new(), "Иванов"),
    ];
    ledger.settle(id, Settlement { refused, ..Settlement::default() }).await.unwrap();
    let stuck = stuck_records(&ledger, ("fer", "resource", id), crate::portal::kind("fer")).await.unwrap();
    let counted: Vec<_> = stuck.iter().map(|of| (of.code.as_str(), of.field.as_deref(), of.count)).collect();
    assert_eq!(counted, [("CHECK", Some("name"), 1), ("CHECK", Some("snils"), 2), ("R-330", None, 1)]);
    let status = Status::default();
    let snapshot = Snapshot { status: &status, stuck: &stuck, booking: None, space: None, now: NOW };
    let told = serde_json::to_string(&troubles(&snapshot, &Known::default())).unwrap();
    assert!(told.contains("CHECK snils: snils") && !told.contains("Иванов"), "{told}");
}

#[test]
fn every_text_is_there_in_both_languages() {
    for (_, phrase) in words::ALL {
        let holes = |text: &str| text.matches("{}").count();
        assert!(phrase.en.is_ascii() && !phrase.ru.is_ascii(), "{phrase:?}");
        assert_eq!(holes(phrase.en), holes(phrase.ru), "{phrase:?}");
    }
}

#[test]
fn kinds_are_named_alike_everywhere() {
    for kind in TroubleKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
    }
}
