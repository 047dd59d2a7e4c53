//! Exactly one winner, on every engine.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::site::{Door, all, code, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_who_want_a_slot_one_gets_it_and_the_others_hear_that_it_is_taken() {
    for hospital in all().await {
        let site = hospital.open_behind(Door { limit: vitrina::serve::booking::LIMIT, ..Door::default() }).await;
        let slot = &hospital.slots[0];
        let asked = hospital.patients[..200].iter().map(|patient| site.book(slot, patient));
        let codes: Vec<u64> = join_all(asked).await.iter().map(code).collect();
        let (won, taken) = [0, 11].map(|of| codes.iter().filter(|code| **code == of).count()).into();
        assert_eq!((won, taken), (1, 199), "{}: {codes:?}", hospital.name);
        assert_eq!(hospital.standing(slot).await, "1", "{}", hospital.name);
        assert_eq!(site.changed.lock().unwrap().len(), 1, "{}", hospital.name);
    }
}

#[tokio::test]
async fn the_same_request_again_gives_the_same_booking_and_another_case_does_not() {
    for hospital in all().await {
        let site = hospital.open().await;
        let (slot, patient) = (&hospital.slots[0], &hospital.patients[0]);
        let first = site.book(slot, patient).await;
        assert_eq!((code(&first), &first["slot_id"]), (0, &json!(slot)), "{}: {first}", hospital.name);
        assert_eq!(first["duration"], json!("20"));
        assert!(first["visit_time"].as_str().unwrap().ends_with("+05:00"), "{first}");
        assert_eq!(site.book(slot, patient).await, first, "null equals null");
        let (_, other) = site.post("/booking/book", &request(slot, patient, json!("17"))).await;
        assert_eq!((code(&other), &other["book_ext_id"]), (11, &Value::Null), "{}", hospital.name);
        assert_eq!(hospital.standing(slot).await, "1");
    }
}

#[tokio::test]
async fn cancelling_twice_is_0_then_1_and_strangers_cancel_nothing() {
    for hospital in all().await {
        let site = hospital.open().await;
        let (slot, patient, other) = (&hospital.slots[0], &hospital.patients[0], &hospital.patients[1]);
        let book = site.book(slot, patient).await["book_ext_id"].clone();
        assert_eq!(code(&site.cancel(&book, other).await), 18, "{}", hospital.name);
        assert_eq!(code(&site.cancel(&json!(super::site::guid(1, 1)), patient).await), 18);
        let cancelled = site.cancel(&book, patient).await;
        assert_eq!((code(&cancelled), &cancelled["book_ext_id"]), (0, &book), "{}: {cancelled}", hospital.name);
        assert_eq!(code(&site.cancel(&book, patient).await), 1, "{}", hospital.name);
        assert_eq!(code(&site.book(slot, other).await), 0, "{}: it is free again", hospital.name);
        let slots: Vec<_> = site.changed.lock().unwrap().iter().map(|changed| changed.slot.clone()).collect();
        assert_eq!(slots.len(), 3, "two bookings and a cancellation");
        assert!(slots.iter().all(|changed| changed.as_ref().map(ToString::to_string).as_deref() == Some(slot)));
    }
}
