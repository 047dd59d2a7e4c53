//! The audit over a source, a ledger and a portal in memory.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use vitrina::ledger::{Ledger, MemoryLedger};
use vitrina::record::Key;
use vitrina::source::memory::Value;
use vitrina::sync::Order;
use vitrina::sync::audit::{AuditError, AuditOrder, AuditProgress, AuditState, Difference, FeedAudit, Kind, Stage};
use vitrina::transport::{Health, Trouble};

use crate::support::world::{MO, NOW, RESOURCE, TestLine, World, book, columns, mo, pass, room, slot};

fn look() -> AuditOrder {
    AuditOrder::default()
}

fn repair() -> AuditOrder {
    AuditOrder { repair: true, ..AuditOrder::default() }
}

async fn audit(line: &TestLine, order: AuditOrder) -> AuditProgress {
    let progress = line.begin_audit(order).await.unwrap();
    line.audit(progress).await.unwrap()
}

fn of<'p>(progress: &'p AuditProgress, feed: &str) -> &'p FeedAudit {
    progress.feeds.iter().find(|audit| audit.feed == feed).unwrap()
}

/// Feed, key, kind, fields and whether it was mended, of all differences.
fn found(progress: &AuditProgress) -> Vec<(String, Key, Kind, Vec<String>, bool)> {
    let of_feed = |audit: &FeedAudit| -> Vec<_> {
        let found = |difference: &Difference| {
            let Difference { key, kind, fields, repaired } = difference.clone();
            (audit.feed.clone(), Key::parse(&key), kind, fields, repaired)
        };
        audit.differences.iter().map(found).collect()
    };
    progress.feeds.iter().flat_map(of_feed).collect()
}

fn difference(id: u128, kind: Kind, fields: &[&str], repaired: bool) -> (String, Key, Kind, Vec<String>, bool) {
    ("slot".to_owned(), Key::Guid(id), kind, fields.iter().map(|field| (*field).to_owned()).collect(), repaired)
}

/// A hospital whose mart is full, and the line between them.
async fn full(slots: u128) -> (World, TestLine) {
    let mut world = World::with_slots(slots);
    world.put("slot", 2, slot(2, "RECORDED"));
    world.put("book", 0x70, book(0x70, 2, 5000));
    let line = world.start().await;
    pass(&line).await;
    world.portal.forget_requests();
    (world, line)
}

/// Changes what the portal holds of a slot behind everybody's back; null takes a field away, and no fields take the slot away.
fn alter(world: &World, id: u128, fields: &[(&str, Json)]) {
    let mut seen = world.portal.seen();
    let place = ("slot".to_owned(), Key::Guid(id));
    if fields.is_empty() {
        seen.mart.remove(&place).unwrap();
        return;
    }
    let body = seen.mart.get_mut(&place).unwrap();
    for (name, value) in fields {
        body[*name] = value.clone();
    }
}

/// Puts a slot into the mart that nobody here knows, a week ahead or back.
fn foreign(world: &World, id: u128, days: i64) {
    let mut seen = world.portal.seen();
    let mut body = seen.mart[&("slot".to_owned(), Key::Guid(1))].clone();
    let visit = chrono::DateTime::from_timestamp(NOW + days * 86_400 + i64::try_from(id % 1000).unwrap() * 60, 0);
    body["id"] = Key::Guid(id).to_string().into();
    body["visit_time"] = visit.unwrap().format("%Y-%m-%dT%H:%M:%S").to_string().into();
    seen.mart.insert(("slot".to_owned(), Key::Guid(id)), body);
}

/// Takes the slot's row out of the source.
fn remove_row(world: &mut World, id: u128) {
    world.tables.get_mut("slot").unwrap().remove(&id);
    world.publish("slot");
}

fn statuses(world: &World) -> BTreeMap<Key, Json> {
    world.portal.held("slot").into_iter().map(|(key, body)| (key, body["status"].clone())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_mart_that_holds_what_the_source_says_shows_no_difference() {
    let (world, line) = full(25).await;
    let progress = audit(&line, look()).await;
    assert_eq!((found(&progress), &progress.state), (Vec::new(), &AuditState::Finished));
    let equal = ["mo", "resource", "slot", "book"].map(|feed| of(&progress, feed).tally.equal);
    assert_eq!(equal, [1, 1, 25, 1]);
    assert!(progress.feeds.iter().all(|feed| feed.tally.unknown == 0 && feed.left() == 0));
    assert!(world.portal.seen().requests.is_empty(), "an audit sends nothing");
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_difference_is_named_and_a_stale_record_by_its_fields() {
    let (world, line) = full(25).await;
    alter(&world, 3, &[]);
    alter(&world, 4, &[("status", json!("BLOCKED")), ("update_ts", json!("2023-11-01T00:00:00"))]);
    alter(&world, 5, &[("duration", json!("30")), ("tag_age", json!("CHILD"))]);
    alter(&world, 6, &[("status", json!("FREE"))]);
    alter(&world, 7, &[("duration", json!("20")), ("post_name", json!("a doctor"))]);
    foreign(&world, 0x900, 7);
    let expected = [
        difference(3, Kind::Missing, &[], false),
        difference(4, Kind::Stale, &["status"], false),
        difference(5, Kind::Stale, &["tag_age", "duration"], false),
        difference(6, Kind::Stale, &["status"], false),
        difference(0x900, Kind::Foreign, &[], false),
    ];
    assert_eq!(found(&audit(&line, look()).await), expected);
    assert!(world.portal.seen().requests.is_empty());
    assert_eq!(pass(&line).await, 0, "and the ledger is as it was");
}

#[tokio::test(start_paused = true)]
async fn what_is_mended_is_equal_afterwards_and_nothing_else_is_sent() {
    let (world, line) = full(25).await;
    alter(&world, 3, &[]);
    alter(&world, 4, &[("status", json!("BLOCKED"))]);
    foreign(&world, 0x900, 7);
    let progress = audit(&line, repair()).await;
    let expected = [
        difference(3, Kind::Missing, &[], true),
        difference(4, Kind::Stale, &["status"], true),
        difference(0x900, Kind::Foreign, &[], true),
    ];
    assert_eq!(found(&progress), expected);
    assert_eq!(world.portal.received("slot"), [Key::Guid(3), Key::Guid(4)]);
    assert_eq!(statuses(&world).len(), 25);
    assert_eq!(statuses(&world)[&Key::Guid(4)], "AVAILABLE");
    assert!(found(&audit(&line, look()).await).is_empty());
    assert_eq!(pass(&world.start().await).await, 0);
}

#[tokio::test(start_paused = true)]
async fn where_only_changes_are_read_what_is_missing_is_sent_all_the_same() {
    let mut world = World::with_slots(25);
    world.changed_at = Some("updated_at");
    let line = world.start().await;
    pass(&line).await;
    alter(&world, 3, &[]);
    assert_eq!(found(&audit(&line, repair()).await), [difference(3, Kind::Missing, &[], true)]);
    assert_eq!(statuses(&world).len(), 25);
}

#[tokio::test(start_paused = true)]
async fn a_removed_foreign_resource_takes_its_foreign_slots_with_it() {
    let (world, line) = full(25).await;
    {
        let mut seen = world.portal.seen();
        let mut other = seen.mart[&("resource".to_owned(), Key::Guid(RESOURCE))].clone();
        other["id"] = Key::Guid(0xb1).to_string().into();
        seen.mart.insert(("resource".to_owned(), Key::Guid(0xb1)), other);
    }
    foreign(&world, 0x900, 7);
    alter(&world, 0x900, &[("resource_id", Key::Guid(0xb1).to_string().into())]);
    let progress = audit(&line, repair()).await;
    let kinds: Vec<_> =
        found(&progress).into_iter().map(|(feed, key, kind, _, done)| (feed, key, kind, done)).collect();
    let expected =
        [("resource", 0xb1), ("slot", 0x900)].map(|(feed, id)| (feed.to_owned(), Key::Guid(id), Kind::Foreign, true));
    assert_eq!(kinds, expected);
    assert_eq!((world.portal.held("resource").len(), statuses(&world).len()), (1, 25));
}

#[tokio::test(start_paused = true)]
async fn foreign_records_can_be_left_alone() {
    let (world, line) = full(25).await;
    foreign(&world, 0x900, 7);
    let progress = audit(&line, AuditOrder { keep_foreign: true, ..repair() }).await;
    assert_eq!(found(&progress), [difference(0x900, Kind::Foreign, &[], false)]);
    line.cycle("slot", Order { full: true, ..Order::default() }).await.unwrap();
    assert_eq!(statuses(&world).len(), 26);
}

#[tokio::test(start_paused = true)]
async fn the_fuse_holds_when_too_much_would_be_removed() {
    let (world, line) = full(10).await;
    (0..20).for_each(|id| foreign(&world, 0x900 + id, 7));
    let progress = audit(&line, repair()).await;
    assert_eq!((of(&progress, "slot").count(Kind::Foreign), of(&progress, "slot").left()), (20, 20));
    assert_eq!(statuses(&world).len(), 30);
    assert!(line.feed("slot").unwrap().fuse().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_past_is_nobodys_difference() {
    let (mut world, line) = full(5).await;
    let mut past = slot(40, "AVAILABLE");
    past[5] = Value::LocalTime((NOW - 3600) * 1_000_000);
    world.put("slot", 40, past);
    foreign(&world, 0x900, 0);
    alter(&world, 0x900, &[("visit_time", json!("2023-11-14T00:00:00"))]);
    foreign(&world, 0x901, -7);
    assert_eq!(found(&audit(&line, look()).await), []);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_moved_into_the_future_is_stale_though_the_mart_has_it_in_the_past() {
    let (world, line) = full(5).await;
    alter(&world, 3, &[("visit_time", json!("2023-11-01T10:00:00"))]);
    assert_eq!(found(&audit(&line, look()).await), [difference(3, Kind::Stale, &["visit_time"], false)]);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_changed_its_resource_is_stale_once() {
    let (mut world, line) = full(5).await;
    world.put("resource", 0xb1, room(0xb1, MO));
    pass(&line).await;
    let mut moved = slot(3, "AVAILABLE");
    moved[2] = Value::Guid(0xb1);
    world.put("slot", 3, moved);
    assert_eq!(found(&audit(&line, look()).await), [difference(3, Kind::Stale, &["resource_id"], false)]);
}

#[tokio::test(start_paused = true)]
async fn what_the_mart_shows_late_is_seen_at_the_second_look() {
    let (world, line) = full(25).await;
    world.portal.seen().late.extend([Key::Guid(3), Key::Guid(MO)]);
    let progress = audit(&line, look()).await;
    assert_eq!(found(&progress), []);
    assert_eq!((of(&progress, "mo").tally.equal, of(&progress, "slot").tally.equal), (1, 25));
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_would_not_send_is_not_missing() {
    let (mut world, line) = full(5).await;
    let mut broken = slot(40, "AVAILABLE");
    broken[6] = Value::Null;
    world.put("slot", 40, broken);
    world.portal.refuse(Key::Guid(41), true);
    world.put("slot", 41, slot(41, "AVAILABLE"));
    let mut nameless = room(0xb1, MO);
    nameless[6] = Value::Null;
    world.put("resource", 0xb1, nameless);
    let mut orphan = slot(42, "AVAILABLE");
    orphan[2] = Value::Guid(0xb1);
    world.put("slot", 42, orphan);
    world.put("book", 0x71, book(0x71, 1, 5000));
    pass(&line).await;
    let progress = audit(&line, look()).await;
    assert_eq!(found(&progress), []);
    assert_eq!((of(&progress, "resource").tally.unsendable, of(&progress, "slot").tally.unsendable), (1, 3));
    let requests = world.portal.seen().requests.len();
    assert_eq!(of(&audit(&line, repair()).await, "slot").tally.unsendable, 3);
    assert_eq!(world.portal.seen().requests.len(), requests, "and is not sent by a repair either");
}

#[tokio::test(start_paused = true)]
async fn children_of_a_bad_row_are_not_missing_even_without_a_ledger() {
    let (mut world, _) = full(5).await;
    let mut nameless = room(0xb1, MO);
    nameless[6] = Value::Null;
    world.put("resource", 0xb1, nameless);
    let mut orphan = slot(42, "AVAILABLE");
    orphan[2] = Value::Guid(0xb1);
    world.put("slot", 42, orphan);
    world.ledger = MemoryLedger::new();
    let progress = audit(&world.start().await, look()).await;
    assert_eq!((found(&progress), of(&progress, "slot").tally.unsendable), (Vec::new(), 1));
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_row_became_bad_is_stale_and_stays() {
    let (mut world, line) = full(5).await;
    world.put("slot", 3, slot(3, "FREE"));
    pass(&line).await;
    let expected = [difference(3, Kind::Stale, &["status"], false)];
    assert_eq!(found(&audit(&line, look()).await), expected);
    assert_eq!(found(&audit(&line, repair()).await), expected, "only the row can mend it");
    assert_eq!(statuses(&world)[&Key::Guid(3)], "AVAILABLE");
}

#[tokio::test(start_paused = true)]
async fn a_lost_ledger_is_rebuilt_and_nothing_is_sent() {
    let (mut world, _) = full(25).await;
    world.ledger = MemoryLedger::new();
    let line = world.start().await;
    let looked = audit(&line, look()).await;
    assert_eq!((found(&looked), of(&looked, "slot").tally.unknown), (Vec::new(), 25));
    assert_eq!(line.feed("slot").unwrap().counts().accepted, 0);
    let mended = audit(&line, repair()).await;
    assert_eq!((found(&mended), of(&mended, "slot").tally.adopted), (Vec::new(), 25));
    assert_eq!(pass(&line).await, 0);
    let again = world.start().await;
    assert_eq!(pass(&again).await, 0, "durably");
    assert!(world.portal.seen().requests.is_empty());
    assert_eq!(again.feed("book").unwrap().counts().accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_adopted_is_removed_and_changed_like_everything_else() {
    let (mut world, _) = full(25).await;
    world.ledger = MemoryLedger::new();
    let line = world.start().await;
    audit(&line, repair()).await;
    remove_row(&mut world, 2);
    world.tables.get_mut("book").unwrap().clear();
    world.publish("book");
    world.put("slot", 4, slot(4, "BLOCKED"));
    for _ in 0..3 {
        pass(&line).await;
    }
    assert_eq!((statuses(&world).len(), world.portal.held("book").len()), (24, 0));
    assert_eq!(world.portal.received("slot"), [Key::Guid(4)]);
}

#[tokio::test(start_paused = true)]
async fn a_mart_that_another_program_filled_is_adopted() {
    let (mut world, _) = full(25).await;
    world.ledger = MemoryLedger::new();
    alter(&world, 3, &[]);
    alter(&world, 4, &[("status", json!("BLOCKED"))]);
    alter(&world, 5, &[("tag_age", json!("grown up"))]);
    foreign(&world, 0x900, 7);
    let line = world.start().await;
    let progress = audit(&line, repair()).await;
    let expected = [
        difference(3, Kind::Missing, &[], true),
        difference(4, Kind::Stale, &["status"], true),
        difference(5, Kind::Stale, &["tag_age"], true),
        difference(0x900, Kind::Foreign, &[], true),
    ];
    assert_eq!(found(&progress), expected);
    assert_eq!(of(&progress, "slot").tally.adopted, 22);
    assert_eq!(world.portal.received("slot"), [Key::Guid(3), Key::Guid(4), Key::Guid(5)]);
    assert_eq!(statuses(&world).len(), 25);
    assert_eq!(pass(&line).await, 0);
}

#[tokio::test(start_paused = true)]
async fn bookings_are_read_of_recorded_slots_only_unless_asked_deeply() {
    let (mut world, line) = full(5).await;
    world.put("book", 0x71, book(0x71, 3, 5010));
    pass(&line).await;
    let asked = |world: &World| -> Vec<Key> {
        let reads = std::mem::take(&mut world.portal.seen().reads);
        reads.into_iter().filter(|(feed, _)| feed == "book").filter_map(|(_, key)| key).collect()
    };
    let looked = audit(&line, look()).await;
    assert_eq!(asked(&world), [Key::Guid(2)]);
    assert_eq!((of(&looked, "book").tally.equal, of(&looked, "book").tally.unchecked), (1, 1));
    let deep = audit(&line, AuditOrder { deep: true, ..look() }).await;
    assert_eq!(asked(&world), [1, 2, 3, 4, 5].map(Key::Guid));
    assert_eq!((of(&deep, "book").tally.equal, of(&deep, "book").tally.unchecked), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn one_feed_alone_is_listed_under_what_source_and_mart_have() {
    let (world, line) = full(5).await;
    foreign(&world, 0x900, 7);
    let progress = audit(&line, AuditOrder { feeds: vec!["slot".into()], ..look() }).await;
    assert_eq!(progress.feeds.len(), 1);
    assert_eq!(found(&progress), [difference(0x900, Kind::Foreign, &[], false)]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_audit_goes_on_where_it_stopped() {
    let (mut world, line) = full(5).await;
    for number in 1..6 {
        world.put("resource", RESOURCE + number, room(RESOURCE + number, MO));
    }
    pass(&line).await;
    alter(&world, 3, &[]);
    world.portal.seen().stop_at_read = Some(("slot".into(), Key::Guid(RESOURCE + 3), line.stopping.clone()));
    world.portal.seen().reads.clear();
    let begun = line.begin_audit(look()).await.unwrap();
    assert!(matches!(line.audit(begun).await, Err(AuditError::Stopped)));
    let first: Vec<_> = std::mem::take(&mut world.portal.seen().reads);
    world.portal.seen().stop_at_read = None;

    let again = world.start().await;
    let begun = again.begin_audit(look()).await.unwrap();
    assert!(begun.resumed);
    let progress = again.audit(begun).await.unwrap();
    assert_eq!(found(&progress), [difference(3, Kind::Missing, &[], false)], "what was seen before is not forgotten");
    let listed = |reads: &[(String, Option<Key>)]| -> Vec<Key> {
        let lists = reads.iter().filter(|(feed, key)| feed == "slot" && *key != Some(Key::Guid(3)));
        lists.filter_map(|(_, key)| key.clone()).collect()
    };
    let (before, after) = (listed(&first), listed(&world.portal.seen().reads));
    assert_eq!((before.first(), before.last()), (Some(&Key::Guid(RESOURCE)), Some(&Key::Guid(RESOURCE + 3))));
    assert_eq!(after.first(), Some(&Key::Guid(RESOURCE + 3)), "only the parent at hand is read twice");
    let fresh = again.begin_audit(look()).await.unwrap();
    assert!(!fresh.resumed, "a finished one is not gone on with");
}

#[tokio::test(start_paused = true)]
async fn an_audit_can_be_begun_anew() {
    let (world, line) = full(5).await;
    world.portal.seen().stop_at_read = Some(("slot".into(), Key::Guid(RESOURCE), line.stopping.clone()));
    let begun = line.begin_audit(look()).await.unwrap();
    assert!(line.audit(begun).await.is_err());
    let again = world.start().await;
    let begun = again.begin_audit(AuditOrder { restart: true, ..look() }).await.unwrap();
    assert!(!begun.resumed);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_for_now_is_made_again() {
    let (world, line) = full(5).await;
    let again = Trouble::Transient { retry_after: None };
    world.portal.seen().read_failures.extend([again, Trouble::TimedOut, Trouble::Maintenance { retry_after: None }]);
    assert_eq!(found(&audit(&line, look()).await), []);
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_the_portal_denies_is_named_and_the_others_are_compared() {
    let (mut world, line) = full(5).await;
    alter(&world, 3, &[]);
    foreign(&world, 0x900, 7);
    world.portal.seen().read_failures.push_back(Trouble::FeedParked);
    let progress = audit(&line, repair()).await;
    let units = of(&progress, "mo");
    assert_eq!((units.stage.clone(), progress.denied()), (Stage::Unreadable, vec!["mo"]));
    assert!(units.denied.as_ref().unwrap().contains("as the test told it"), "{units:?}");
    let expected = [difference(3, Kind::Missing, &[], true), difference(0x900, Kind::Foreign, &[], true)];
    assert_eq!(found(&progress), expected, "what is listed under units is, under those of the source");
    assert_eq!((of(&progress, "resource").tally.equal, of(&progress, "book").tally.equal), (1, 1));
    assert_eq!(line.breaker().health(NOW), Health::Open, "it goes on being written to");
    world.put("slot", 3, slot(3, "BLOCKED"));
    assert_eq!(pass(&line).await, 1);
    assert!(!line.begin_audit(look()).await.unwrap().resumed);
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_is_denied_halfway_shows_no_half_of_its_differences() {
    let (world, line) = full(5).await;
    alter(&world, 3, &[]);
    world.portal.seen().denied_key = Some(Key::Guid(3));
    let progress = audit(&line, look()).await;
    assert_eq!((progress.denied(), found(&progress)), (vec!["slot"], Vec::new()));
    assert_eq!((of(&progress, "slot").left(), of(&progress, "book").tally.equal), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_portal_that_refuses_the_account_ends_the_audit() {
    let (world, line) = full(5).await;
    world.portal.seen().read_failures.push_back(Trouble::Parked);
    let begun = line.begin_audit(look()).await.unwrap();
    let error = line.audit(begun).await.unwrap_err();
    assert!(matches!(error, AuditError::Portal { feed: "mo", .. }), "{error}");
    let left = AuditProgress::load(&world.ledger, "fer").await.unwrap().unwrap();
    assert!(matches!(left.state, AuditState::Failed { .. }));
    assert!(line.begin_audit(look()).await.unwrap().resumed, "and the next one goes on");
}

#[tokio::test(start_paused = true)]
async fn a_foreign_slot_is_found_where_the_source_has_no_visits() {
    let (world, line) = full(5).await;
    [(0x900, 100), (0x901, 178)].iter().for_each(|(id, days)| foreign(&world, *id, *days));
    let expected = [0x900, 0x901].map(|id| difference(id, Kind::Foreign, &[], true));
    assert_eq!(found(&audit(&line, repair()).await), expected);
    assert_eq!(statuses(&world).len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_makes_nothing_foreign() {
    let (world, line) = full(5).await;
    world.source.drop_table("slot");
    let begun = line.begin_audit(repair()).await.unwrap();
    assert!(matches!(line.audit(begun).await, Err(AuditError::Source(_))));
    world.publish("slot");
    assert_eq!(statuses(&world).len(), 5);
    assert_eq!(pass(&line).await, 0);
}

#[tokio::test(start_paused = true)]
async fn of_two_rows_of_a_key_the_one_that_the_portal_holds_counts() {
    let (world, line) = full(3).await;
    let mut rows: Vec<_> = world.tables["slot"].values().cloned().collect();
    rows.insert(0, slot(3, "BLOCKED"));
    world.source.set("slot", columns("slot"), rows);
    assert_eq!(found(&audit(&line, look()).await), []);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_feed_is_named() {
    let (world, line) = full(1).await;
    let error = line.begin_audit(AuditOrder { feeds: vec!["referral".into()], ..look() }).await.unwrap_err();
    assert!(matches!(&error, AuditError::NoSuchFeed(feed) if feed == "referral"), "{error}");
    let left = AuditProgress::load(&world.ledger, "fer").await.unwrap().unwrap();
    assert!(
        matches!(left.state, AuditState::Failed { why } if why.contains("referral")),
        "so that whoever asked hears"
    );
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_changed_its_name_at_the_mart_is_stale_by_that() {
    let (mut world, line) = full(1).await;
    world.put("mo", MO, mo(MO, "Another name"));
    let progress = audit(&line, look()).await;
    assert_eq!(of(&progress, "mo").differences[0].fields, ["name"]);
    let notes = world.ledger.notes("fer").await.unwrap();
    assert!(notes.iter().all(|note| !note.body.contains("Another")), "names of fields, never values");
}
