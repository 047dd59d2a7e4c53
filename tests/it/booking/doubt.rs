//! A booking whose COMMIT was not answered: the gateway is told 18, and nothing may stand of it that the gateway does not hear of.

use std::time::Duration;

use super::site::{Hospitals, Site, code, mariadb, postgres};
use super::wire::{Mode, Wire};

/// A hospital in which patient 0 has booked slot 0, and nobody was told.
async fn with_a_doubt(hospital: &mut Hospitals) -> (Site, Wire) {
    let wire = Wire::before(&mut hospital.settings).await;
    let site = hospital.open().await;
    wire.set(Mode::CutAtCommit);
    let (slot, patient) = (&hospital.slots[0], &hospital.patients[0]);
    assert_eq!(code(&site.book(slot, patient).await), 18, "{}", hospital.name);
    assert_eq!(hospital.standing(slot).await, "1", "{}: it was made indeed", hospital.name);
    let status = site.status();
    assert_eq!(status.uncertain[0].slot.as_deref(), Some(slot.as_str()), "{}", hospital.name);
    assert!(status.last[0].uncertain);
    (site, wire)
}

#[tokio::test]
async fn it_is_found_and_cancelled_before_somebody_else_is_answered() {
    for mut hospital in [postgres().await, mariadb().await] {
        let (site, wire) = with_a_doubt(&mut hospital).await;
        let (slot, other) = (&hospital.slots[0], &hospital.patients[1]);
        wire.set(Mode::Away);
        assert_eq!(code(&site.book(slot, other).await), 18, "{}: nobody can know yet", hospital.name);
        wire.set(Mode::Open);
        assert_eq!(code(&site.book(slot, other).await), 0, "{}", hospital.name);
        assert_eq!(
            (hospital.standing(slot).await.as_str(), site.status().uncertain.len()),
            ("1", 0),
            "{}",
            hospital.name
        );
    }
}

#[tokio::test]
async fn who_asks_again_gets_it() {
    for mut hospital in [postgres().await, mariadb().await] {
        let (site, wire) = with_a_doubt(&mut hospital).await;
        wire.set(Mode::Open);
        let (slot, patient) = (&hospital.slots[0], &hospital.patients[0]);
        let again = site.book(slot, patient).await;
        assert_eq!((code(&again), hospital.standing(slot).await.as_str()), (0, "1"), "{}", hospital.name);
        assert!(site.status().uncertain.is_empty(), "{}", hospital.name);
        assert_eq!(code(&site.cancel(&again["book_ext_id"], patient).await), 0);
    }
}

#[tokio::test]
async fn it_is_cancelled_in_the_end_though_nobody_asks_for_its_slot() {
    for mut hospital in [postgres().await, mariadb().await] {
        let (site, wire) = with_a_doubt(&mut hospital).await;
        wire.set(Mode::Open);
        let slot = &hospital.slots[0];
        let gone = async {
            while !site.status().uncertain.is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone).await.expect("it is found out");
        assert_eq!(hospital.standing(slot).await, "0", "{}", hospital.name);
        let changed = site.changed.lock().unwrap().iter().filter(|changed| changed.slot.is_some()).count();
        assert!(changed >= 1, "the mart hears of the slot");
    }
}

#[tokio::test]
async fn without_a_lookup_it_stays_listed_and_others_hear_what_is_so() {
    let mut hospital = postgres().await;
    hospital.config.lookup = None;
    let (site, wire) = with_a_doubt(&mut hospital).await;
    wire.set(Mode::Open);
    assert_eq!(code(&site.book(&hospital.slots[0], &hospital.patients[1]).await), 11);
    let status = site.status();
    assert_eq!((status.lookup, status.uncertain.len()), (false, 1));
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_18_and_rolled_back() {
    let mut hospital = postgres().await;
    hospital.config.book = vec![
        "INSERT INTO booking (slot_id, patient) VALUES (:slot_id, :patient_id)".into(),
        "SELECT 0 AS status_code, '2031-03-01' AS visit_time, 20 AS duration".into(),
    ];
    let site = hospital.open().await;
    assert_eq!(code(&site.book(&hospital.slots[0], &hospital.patients[0]).await), 18);
    assert_eq!(hospital.standing(&hospital.slots[0]).await, "0");
}
