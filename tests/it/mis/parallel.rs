//! Many citizens at once: one winner a slot, one visit a day a patient, and no call that ends in a deadlock.

use chrono::NaiveDate;
use futures_util::future::join_all;
use vitrina::source::{Writer, Written};

use super::site::{Answer, COLLEAGUE, DOCTOR, Site, Values, another, answer, call, day, id, request, with};

/// Citizens who want one slot.
const CITIZENS: u32 = 200;

fn adult() -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(1980, 5, 5)
}

/// Writers with twenty-four connections between them.
fn writers(site: &Site) -> Vec<Writer> {
    (0..3).map(|_| another(&site.db)).collect()
}

async fn book_all(site: &Site, requests: &[Values]) -> Vec<Answer> {
    let writers = writers(site);
    let calls = requests.iter().zip(writers.iter().cycle());
    let written = join_all(calls.map(|(request, writer)| call(writer, "booking.book", &site.book, request))).await;
    written.into_iter().map(answer).collect()
}

async fn one_winner(site: Site) {
    site.patients(1..=CITIZENS, adult()).await;
    site.slot(1, DOCTOR, day(0), "09:00").await;
    let requests: Vec<Values> = (1..=CITIZENS).map(|patient| request(1, patient)).collect();
    let codes: Vec<i64> = book_all(&site, &requests).await.iter().map(|answer| answer.code).collect();
    let with_code = |code: i64| codes.iter().filter(|found| **found == code).count();
    assert_eq!((with_code(0), with_code(11)), (1, 199), "{codes:?}");
    assert_eq!(site.value("count(*)", "booking", "1 = 1").await.as_deref(), Some("1"));
}

async fn one_booking_for_one_patient(site: Site) {
    site.patients([1], adult()).await;
    site.slot(1, DOCTOR, day(0), "09:00").await;
    let request = with(request(1, 1), &[("case_number", "77")]);
    let answers = book_all(&site, &vec![request; 50]).await;
    assert!(answers.iter().all(|answer| answer.code == 0 && answer.book == answers[0].book), "{answers:?}");
    assert_eq!(site.value("count(*)", "booking", "1 = 1").await.as_deref(), Some("1"));
}

/// Patients who ask for many slots of one speciality at once, while what was booked is cancelled again.
async fn a_crowd(site: Site) {
    const PATIENTS: u32 = 8;
    const SLOTS: u32 = 24;
    site.patients(1..=PATIENTS, adult()).await;
    for patient in 1..=PATIENTS {
        site.referral(patient, patient, "'10', NULL, 'AVAILABLE'").await;
    }
    for number in 1..=SLOTS {
        let resource = if number % 2 == 0 { DOCTOR } else { COLLEAGUE };
        site.slot(number, resource, day(0), &format!("{:02}:{:02}", 8 + number / 2 / 3, number / 2 % 3 * 20)).await;
    }
    let writers = writers(&site);
    for round in 0..3 {
        let wishes = (0..PATIENTS * SLOTS).map(|n| (n % SLOTS + 1, n / SLOTS + 1));
        let calls = wishes.zip(writers.iter().cycle()).map(|((slot, patient), writer)| {
            // Every second round by referral, so that these rows are locked too.
            let own = id(3, patient);
            let request = request(slot, patient);
            let request = if round % 2 == 0 { request } else { with(request, &[("referral_id", &own)]) };
            let site = &site;
            async move {
                let answer = answer(call(writer, "booking.book", &site.book, &request).await);
                let cancels = answer.code == 0 && (slot + patient + round) % 3 != 0;
                if let Some(book) = answer.book.clone().filter(|_| cancels) {
                    let patient_id = format!("rrp-{patient}");
                    let values = vec![("book_ext_id", Some(book)), ("patient_id", Some(patient_id))];
                    let written = call(writer, "booking.cancel", &site.cancel, &values).await;
                    assert!(matches!(&written, Written::Done(_)), "{written:?}");
                }
                answer.code
            }
        });
        let codes = join_all(calls).await;
        assert!(codes.iter().all(|code| [0, 11, 12, 13, 18].contains(code)), "{codes:?}");
    }
    let visits = "status_code = 5000 GROUP BY patient_id ORDER BY count(*) DESC LIMIT 1";
    let most = site.value("count(*)", "booking", visits).await;
    assert!(most.is_none_or(|most| most == "1"), "one visit a day to one speciality");
    let standing = site.value("count(*)", "booking", "status_code = 5000").await;
    assert_eq!(site.value("count(*)", "slot", "status = 'RECORDED'").await, standing);
    let by_referral = site.value("count(*)", "booking", "status_code = 5000 AND referral_id IS NOT NULL").await;
    assert_eq!(site.value("count(*)", "referral", "status = 'RECORDED'").await, by_referral);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_one_gets_the_slot() {
    one_winner(Site::postgres().await).await;
    one_winner(Site::mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_sent_fifty_times_is_one_booking() {
    one_booking_for_one_patient(Site::postgres().await).await;
    one_booking_for_one_patient(Site::mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_and_cancellations_of_a_crowd_wait_for_each_other_and_never_fail() {
    a_crowd(Site::postgres().await).await;
    a_crowd(Site::mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_does_not_lock_cannot_book_a_taken_slot() {
    for site in [Site::postgres().await, Site::mariadb().await] {
        site.patients([1, 2], adult()).await;
        site.slot(1, DOCTOR, day(0), "09:00").await;
        assert_eq!(site.book(&request(1, 1)).await.code, 0);
        let insert = format!(
            "INSERT INTO {} (id, slot_id, patient_id, booking_type) VALUES ('{}', '{}', 'card-2', 'APPOINTMENT')",
            site.table("booking"),
            id(8, 1),
            id(2, 1)
        );
        let refusal = site.db.refusal(&insert).await.to_lowercase();
        assert!(refusal.contains("taken_slot_id"), "{refusal}");
    }
}
