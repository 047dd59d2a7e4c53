//! The mock gateway forwards bookings and cancellations to a hospital, judges its answers, and writes what the document says into its mart.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde_json::{Value, json};
use vitrina::demo::fer::{BookRequest, CancelRequest, ForwardError, GatewaySettings, PatientData, Subsystem};

use super::answering::Hospital;
use crate::support::mart::{BOOK, Mart, SLOT, UNIT, book, send, slot, unit, with};

const PATIENT: &str = "953f8666-21ce-478f-8351-389f27ce8cde";

async fn registered(mart: &Mart, hospital: &Hospital, department: Option<&str>) {
    let body = json!({"address": hospital.url, "depart_oid": department});
    let (status, answer) = send(mart.authorized(Method::POST, "/api/callback").json(&body)).await;
    assert_eq!(status, 200, "{answer}");
}

async fn site(script: impl Fn(&str, &str, &Value) -> (u16, Value) + Send + Sync + 'static) -> (Mart, Hospital) {
    let mart = Mart::with_schedule(GatewaySettings::default()).await;
    let hospital = Hospital::start(script).await;
    registered(&mart, &hospital, None).await;
    (mart, hospital)
}

fn wish() -> BookRequest {
    BookRequest {
        slot_id: SLOT.to_owned(),
        patient_id: PATIENT.to_owned(),
        patient_data_rrp: PatientData { id: Some(PATIENT.to_owned()), ..PatientData::default() },
        ..BookRequest::default()
    }
}

fn cancellation() -> CancelRequest {
    CancelRequest { book_ext_id: BOOK.to_owned(), patient_id: PATIENT.to_owned(), united_guids: Vec::new() }
}

fn booked() -> Value {
    json!({
        "book_ext_id": BOOK, "slot_id": SLOT, "visit_time": "2024-03-28T05:00:00+05:00", "duration": "20",
        "service_id": null, "organization_id": UNIT, "area_id": null, "queue_number": null,
        "status": {"status_code": 0, "status_message": null},
    })
}

/// A hospital that books and cancels everything, a second cancellation with 1.
fn willing() -> impl Fn(&str, &str, &Value) -> (u16, Value) {
    let cancelled = Arc::new(AtomicBool::new(false));
    move |_, path, _| match path {
        "/booking/cancel" => {
            let code = i32::from(cancelled.swap(true, Ordering::Relaxed));
            let mut answer = booked();
            answer["status"] = json!({"status_code": code, "status_message": "текст"});
            (200, answer)
        }
        _ => (200, booked()),
    }
}

fn held(mart: &Mart, subsystem: Subsystem, id: &str) -> Value {
    mart.running.gateway().snapshot(subsystem).get(id).cloned().map(Value::Object).unwrap_or_default()
}

#[tokio::test]
async fn a_booking_is_forwarded_whole_and_written_to_the_mart() {
    let (mart, hospital) = site(willing()).await;
    let request = BookRequest { booking_type: "PROPHYLACTIC_ADULT".into(), ..wish() };
    let forwarded = mart.running.gateway().book(&request).await.unwrap();
    assert_eq!((forwarded.code, forwarded.book_ext_id.as_deref()), (0, Some(BOOK)));
    let asked = hospital.asked();
    let (line, body) = asked.last().unwrap();
    assert_eq!(line, "POST /booking/book");
    let fields =
        ["slot_id", "patient_id", "case_number", "preliminary_reservation", "referral_id", "cards_id", "email"];
    let more = ["mobile_phone", "service_id", "dictionary_nsi_code"];
    assert!(fields.iter().chain(&more).all(|field| body.get(field).is_some()), "{body}");
    let patient = json!({
        "id": PATIENT, "united_guids": [], "firstname": null, "lastname": null, "middlename": null, "snils": null,
        "oms_number": null, "birthdate": null, "gender": null, "phone": null, "email": null,
    });
    assert_eq!((&body["patient_data_rrp"], &body["preliminary_reservation"]), (&patient, &json!(false)));

    assert_eq!(held(&mart, Subsystem::Slot, SLOT), with(slot(), json!({"status": "RECORDED"})));
    let record = held(&mart, Subsystem::Book, BOOK);
    let created = record["create_ts"].clone();
    assert_eq!(record, with(book(), json!({"type": "PROPHYLACTIC", "create_ts": created})));
    let again = mart.running.gateway().book(&wish()).await.unwrap_err();
    assert_eq!(again, ForwardError::NotFree);
    // The hospital's own upload of the same two records is no conflict.
    mart.accepts("slot", &[with(slot(), json!({"status": "RECORDED"}))]).await;
    mart.accepts("book", &[book()]).await;
}

#[tokio::test]
async fn a_cancellation_frees_the_slot_and_a_second_one_changes_nothing() {
    let (mart, hospital) = site(willing()).await;
    let gateway = mart.running.gateway();
    assert_eq!(gateway.cancel(&cancellation()).await.unwrap_err(), ForwardError::NoBooking);
    gateway.book(&wish()).await.unwrap();
    assert_eq!(gateway.cancel(&cancellation()).await.unwrap().code, 0);
    let body = json!({"book_ext_id": BOOK, "patient_id": PATIENT, "united_guids": []});
    assert_eq!(hospital.asked().last().unwrap(), &("POST /booking/cancel".to_owned(), body));
    assert_eq!(held(&mart, Subsystem::Slot, SLOT)["status"], "AVAILABLE");
    assert_eq!(held(&mart, Subsystem::Book, BOOK)["status_code"], 5010);
    let second = gateway.cancel(&cancellation()).await.unwrap();
    assert_eq!((second.code, second.message.as_deref()), (1, Some("текст")));
    let totals = gateway.totals();
    assert_eq!((totals.webhook_calls, totals.bookings, totals.cancellations), (3, 1, 1));
    assert_eq!(gateway.book(&wish()).await.unwrap().code, 0, "the slot is free again");
}

#[tokio::test]
async fn another_booking_than_the_one_that_the_hospital_answered_with_is_refused_until_it_is_cancelled() {
    let (mart, _hospital) = site(willing()).await;
    let gateway = mart.running.gateway();
    gateway.book(&wish()).await.unwrap();
    let other = with(book(), json!({"id": "0b00c0de-0000-4000-8000-000000000077"}));
    let texts = mart.refuses("book", other.clone()).await;
    assert!(texts[0].ends_with(&format!("забронирован с book_ext_id [{BOOK}]")), "{texts:?}");
    let remedy = vitrina::portal::kind("fer").unwrap().remedy("R-330", &texts[0]);
    assert!(remedy.action.en.contains("booking.book"), "{remedy:?}");
    gateway.cancel(&cancellation()).await.unwrap();
    let recorded = with(slot(), json!({"status": "RECORDED"}));
    mart.accepts("slot", &[recorded]).await;
    mart.accepts("book", &[other]).await;
}

#[tokio::test]
async fn a_refusal_leaves_the_mart_as_it_was() {
    let (mart, _hospital) =
        site(|_, _, _| (200, json!({"status": {"status_code": 11, "status_message": "занято"}}))).await;
    let told = mart.running.gateway().book(&wish()).await.unwrap();
    assert_eq!((told.code, told.message.as_deref(), told.book_ext_id), (11, Some("занято"), None));
    assert_eq!(held(&mart, Subsystem::Slot, SLOT), slot());
    assert_eq!(mart.running.gateway().len(Subsystem::Book), 0);
}

#[tokio::test]
async fn an_answer_that_is_not_the_documents_books_nothing() {
    let with_cyrillic = json!({"status": {"status_\u{441}ode": 0}});
    let (mart, _hospital) =
        site(move |method, _, _| if method == "GET" { (200, Value::Null) } else { (200, with_cyrillic.clone()) }).await;
    let error = mart.running.gateway().book(&wish()).await.unwrap_err();
    assert!(
        matches!(&error, ForwardError::Malformed(faults) if faults[0].starts_with("status.status_code")),
        "{error}"
    );
    let (ill, _hospital) = site(|method, _, _| (if method == "GET" { 200 } else { 500 }, booked())).await;
    assert_eq!(ill.running.gateway().book(&wish()).await.unwrap_err(), ForwardError::Status(500));
    for mart in [&mart, &ill] {
        assert_eq!(held(mart, Subsystem::Slot, SLOT), slot());
    }
}

#[tokio::test]
async fn a_hospital_that_does_not_answer_is_given_up_after_ten_seconds() {
    let mart = Mart::with_schedule(GatewaySettings::default()).await;
    // It answers the registration and is silent from then on.
    let calls = std::sync::atomic::AtomicU32::new(0);
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut connection, _)) = silent.accept().await {
            if calls.fetch_add(1, Ordering::Relaxed) == 0 {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                tokio::io::AsyncWriteExt::write_all(&mut connection, answer).await.unwrap();
            }
            kept.push(connection);
        }
    });
    let body = json!({"address": url});
    assert_eq!(send(mart.authorized(Method::POST, "/api/callback").json(&body)).await.0, 200);
    tokio::time::pause();
    let start = tokio::time::Instant::now();
    assert_eq!(mart.running.gateway().book(&wish()).await.unwrap_err(), ForwardError::TooLate);
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(held(&mart, Subsystem::Slot, SLOT), slot());
}

#[tokio::test]
async fn without_a_webhook_or_a_slot_nobody_is_called() {
    let mart = Mart::with_schedule(GatewaySettings::default()).await;
    assert_eq!(mart.running.gateway().book(&wish()).await.unwrap_err(), ForwardError::NoWebhook);
    let nowhere = BookRequest { slot_id: BOOK.to_owned(), ..wish() };
    assert_eq!(mart.running.gateway().book(&nowhere).await.unwrap_err(), ForwardError::NoSlot);
    assert_eq!(mart.running.gateway().totals().webhook_calls, 0);
}

#[tokio::test]
async fn a_department_with_a_webhook_is_called_there() {
    let (mart, whole) = site(willing()).await;
    let own = Hospital::start(willing()).await;
    registered(&mart, &own, unit()["branch_oid"].as_str()).await;
    mart.running.gateway().book(&wish()).await.unwrap();
    assert_eq!(own.asked().last().unwrap().0, "POST /booking/book");
    assert_eq!(whole.asked().last().unwrap().0, "GET /booking/book", "only when it was registered");
}

#[tokio::test]
async fn a_second_address_is_refused_until_the_first_is_changed_or_removed() {
    let (mart, hospital) = site(willing()).await;
    let body = json!({"address": Hospital::idle().await.url});
    let (status, answer) = send(mart.authorized(Method::POST, "/api/callback").json(&body)).await;
    assert_eq!(
        (status.as_u16(), &answer["error"]["errorMessage"]),
        (400, &json!("Доступна регистрация одного вебхука"))
    );
    assert_eq!(mart.get("/api/callback").await.1["result"], json!([{"address": hospital.url}]));
    assert_eq!(send(mart.authorized(Method::PUT, "/api/callback").json(&body)).await.0, 200);
    assert_eq!(mart.get("/api/callback").await.1["result"], json!([body]));
    assert_eq!(send(mart.request(Method::GET, "/api/callback")).await.0, 401, "it needs the token");
}

#[tokio::test]
async fn a_test_stand_books_over_http() {
    let (mart, _hospital) = site(willing()).await;
    let book = json!({"slot_id": SLOT, "patient_id": PATIENT});
    let (status, mut told) = send(mart.request(Method::POST, "/mock/book").json(&book)).await;
    told["elapsed_ms"].take();
    assert_eq!(
        (status.as_u16(), told),
        (200, json!({"code": 0, "message": null, "book_ext_id": BOOK, "elapsed_ms": null}))
    );
    let (status, told) = send(mart.request(Method::POST, "/mock/book").json(&book)).await;
    assert_eq!((status.as_u16(), &told["error"]), (502, &json!("the slot is not AVAILABLE on the mart")));
    let cancel = json!({"book_ext_id": BOOK, "patient_id": PATIENT});
    assert_eq!(send(mart.request(Method::POST, "/mock/cancel").json(&cancel)).await.1["code"], 0);
}
