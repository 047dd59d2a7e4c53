//! The FER gateway's client against a scripted gateway: framing, tokens, pace, removals, reads.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use vitrina::portal::fer::{FerSettings, Read};
use vitrina::portal::{AnyPortal, Delivery, Portal, Removal, Verdict};
use vitrina::record::Key;
use vitrina::transport::{Failure, Trouble};

use crate::support::gateway::{Gateway, PASSWORD, Reply, batch, issued, portal, schema, settings, single};
use crate::support::traces::Traces;

const ID: &str = "aaaaaaa1-5eff-49b8-9d07-ff2486162b3f";

fn accepted(delivery: Delivery) {
    match delivery {
        Delivery::Judged(verdicts) => {
            assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Accepted { .. })), "{verdicts:?}");
        }
        Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => panic!("{failure:?}"),
    }
}

fn failed(delivery: Delivery) -> Failure {
    match delivery {
        Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => failure,
        Delivery::Judged(verdicts) => panic!("{verdicts:?}"),
    }
}

#[tokio::test]
async fn an_upsert_is_framed_compressed_and_signed_as_the_document_wants() {
    let gateway = Gateway::with_auth(|_| Reply::success()).await;
    let records = [json!({"id": ID, "name": "Поликлиника"}), json!({"id": ID.replace('a', "b"), "name": "Ещё одна"})];
    let portal = AnyPortal::Fer(Box::new(portal(settings(&gateway.url))));
    accepted(portal.deliver(schema("mo"), &batch(schema("mo"), &records)).await);
    let seen = gateway.seen();
    assert_eq!((seen[1].method.as_str(), seen[1].target.as_str()), ("POST", "/api/mo"));
    assert_eq!(seen[1].header("content-encoding"), "gzip");
    assert_eq!(seen[1].header("content-type"), "application/json");
    assert_eq!(seen[1].header("accept-encoding"), "gzip");
    assert_eq!(seen[1].header("authorization"), "bearer token-1");
    assert_eq!(seen[1].header("user-agent"), concat!("vitrina/", env!("CARGO_PKG_VERSION")));
    assert_eq!(seen[1].body, json!({"data": records}).to_string().into_bytes());
}

#[tokio::test]
async fn authentication_sends_plain_json_and_no_token() {
    let gateway = Gateway::with_auth(|_| Reply::success()).await;
    portal(settings(&gateway.url)).authenticate().await.unwrap();
    let seen = gateway.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].header("authorization")), ("POST", ""));
    assert_eq!((seen[0].header("content-encoding"), seen[0].header("content-type")), ("", "application/json"));
    let body: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(body, json!({"username": "1.2.643.5.1.13.13.12.2.86.8902", "password": PASSWORD}));
}

#[tokio::test]
async fn an_empty_batch_is_not_sent() {
    let gateway = Gateway::with_auth(|_| Reply::success()).await;
    accepted(portal(settings(&gateway.url)).deliver(schema("mo"), &batch(schema("mo"), &[])).await);
    assert_eq!(gateway.counts(), (0, 0));
}

#[tokio::test]
async fn the_address_may_have_a_path_of_its_own() {
    let gateway = Gateway::start(|_, before| if before == 0 { issued("t") } else { Reply::success() }).await;
    let portal = portal(settings(&format!("{}/fer/", gateway.url)));
    accepted(portal.deliver(schema("slot"), &single(schema("slot"))).await);
    let targets: Vec<_> = gateway.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets, ["/fer/auth.svc", "/fer/api/slot"]);
}

#[tokio::test]
async fn a_401_renews_the_token_once_and_repeats_the_same_request_once() {
    let gateway = Gateway::with_auth(|seen| match seen.header("authorization") {
        "bearer token-1" => Reply::new(401, ""),
        _ => Reply::success(),
    })
    .await;
    let portal = portal(settings(&gateway.url));
    accepted(portal.deliver(schema("mo"), &single(schema("mo"))).await);
    let seen = gateway.seen();
    assert_eq!(gateway.counts(), (2, 2));
    assert_eq!(seen[1].body, seen[3].body);
}

#[tokio::test]
async fn a_401_inside_the_envelope_is_a_401() {
    let gateway = Gateway::with_auth(|seen| match seen.header("authorization") {
        "bearer token-1" => Reply::json(200, &json!({"isSuccess": false, "statusCode": 401})),
        _ => Reply::success(),
    })
    .await;
    accepted(portal(settings(&gateway.url)).deliver(schema("mo"), &single(schema("mo"))).await);
    assert_eq!(gateway.counts(), (2, 2));
}

#[tokio::test]
async fn many_requests_that_meet_one_dead_token_share_one_renewal() {
    let gateway = Gateway::with_auth(|seen| match seen.header("authorization") {
        "bearer token-1" => Reply::new(401, "").after(Duration::from_millis(100)),
        _ => Reply::success(),
    })
    .await;
    let portal = portal(settings(&gateway.url));
    let batch = single(schema("mo"));
    join_all((0..3).map(|_| portal.deliver(schema("mo"), &batch))).await.into_iter().for_each(accepted);
    assert_eq!(gateway.counts().0, 2);
}

#[tokio::test]
async fn tokens_that_never_work_park_without_a_loop() {
    let gateway = Gateway::with_auth(|_| Reply::new(401, "")).await;
    let portal = portal(settings(&gateway.url));
    for _ in 0..10 {
        let failure = failed(portal.deliver(schema("mo"), &single(schema("mo"))).await);
        assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::Parked, false));
    }
    assert_eq!(gateway.counts(), (2, 2));
}

#[tokio::test]
async fn refused_credentials_are_tried_once_and_nothing_is_sent() {
    let gateway = Gateway::start(|_, _| {
        Reply::json(
            200,
            &json!({"Result": null, "IsSuccess": false, "ErrorMessage": "Неверный пароль", "StatusCode": 200}),
        )
    })
    .await;
    let portal = portal(settings(&gateway.url));
    for _ in 0..10 {
        assert_eq!(failed(portal.deliver(schema("mo"), &single(schema("mo"))).await).trouble, Trouble::Parked);
    }
    assert_eq!(gateway.counts(), (1, 0));
}

#[tokio::test]
async fn an_authentication_that_times_out_sent_nothing_and_says_nothing_about_batches() {
    let gateway = Gateway::start(|_, _| Reply::success().after(Duration::from_secs(60))).await;
    let settings = FerSettings { timeout: Duration::from_millis(300), ..settings(&gateway.url) };
    let failure = failed(portal(settings).deliver(schema("mo"), &single(schema("mo"))).await);
    assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::Transient { retry_after: None }, false));
    assert_eq!(gateway.counts().1, 0);
}

#[tokio::test]
async fn every_answer_that_is_no_verdict_comes_to_its_row_of_the_table() {
    let table = [
        (200, "<html>", Trouble::Transient { retry_after: None }, true),
        (200, r#"{"isSuccess":false}"#, Trouble::Unattributed, true),
        (200, r#"{"isSuccess":false,"statusCode":403}"#, Trouble::FeedParked, false),
        (302, "", Trouble::FeedParked, false),
        (400, "", Trouble::Foreign { retry_after: None }, false),
        (400, "<html>", Trouble::Foreign { retry_after: None }, false),
        (400, r#"{"isSuccess":false}"#, Trouble::Unattributed, false),
        (403, "", Trouble::FeedParked, false),
        (404, "", Trouble::FeedParked, false),
        (404, r#"{"isSuccess":false}"#, Trouble::Unattributed, true),
        (405, "", Trouble::UnitBlocked, false),
        (405, "<html>", Trouble::Foreign { retry_after: None }, false),
        (406, "", Trouble::FeedParked, false),
        (408, "", Trouble::TimedOut, true),
        (413, "", Trouble::TooLarge, false),
        (422, "", Trouble::Foreign { retry_after: None }, true),
        (429, "", Trouble::Transient { retry_after: None }, false),
        (500, "", Trouble::Transient { retry_after: None }, true),
        (503, "", Trouble::Maintenance { retry_after: None }, false),
        (504, "", Trouble::TimedOut, true),
    ];
    for (status, body, trouble, maybe_applied) in table {
        let gateway = Gateway::with_auth(move |_| Reply::new(status, body)).await;
        let failure = failed(portal(settings(&gateway.url)).deliver(schema("mo"), &single(schema("mo"))).await);
        assert_eq!((failure.trouble, failure.maybe_applied), (trouble, maybe_applied), "{status} {body}");
        assert_eq!(gateway.counts().1, 1, "{status} is not repeated by itself");
    }
}

#[tokio::test]
async fn no_second_holds_more_requests_than_the_rate_whatever_they_are() {
    let gateway = Gateway::with_auth(|_| Reply::success()).await;
    let mut settings = settings(&gateway.url);
    settings.requests_per_second = NonZeroU32::new(5).unwrap();
    let portal = portal(settings);
    let (batch, key) = (single(schema("slot")), Key::parse(ID));
    let deliveries = join_all((0..6).map(|_| portal.deliver(schema("slot"), &batch)));
    let removals = join_all((0..5).map(|_| portal.remove(schema("mo"), &key)));
    let started = Instant::now();
    let (delivered, removed) = join(deliveries, removals).await;
    assert!(started.elapsed() < Duration::from_secs(6));
    delivered.into_iter().chain(removed).for_each(accepted);
    let arrivals: Vec<_> = gateway.seen().iter().map(|seen| seen.at).collect();
    assert_eq!(arrivals.len(), 12);
    for second in arrivals.windows(6) {
        assert!(second[5] - second[0] >= Duration::from_secs(1), "{:?}", second[5] - second[0]);
    }
}

#[tokio::test]
async fn a_removal_names_its_record_as_id_for_every_feed() {
    let gateway = Gateway::with_auth(|_| Reply::success()).await;
    let portal = AnyPortal::Fer(Box::new(portal(settings(&gateway.url))));
    for schema in portal.schemas() {
        assert_eq!(portal.abilities(schema).removal, Removal::Supported);
        accepted(portal.remove(schema, &Key::parse(ID)).await);
    }
    let seen = gateway.seen();
    let removals: Vec<_> = seen.iter().filter(|seen| !seen.is_auth()).collect();
    assert_eq!(removals.len(), 8);
    for (removal, schema) in removals.iter().zip(portal.schemas()) {
        assert_eq!(removal.method, "DELETE");
        assert_eq!(removal.target, format!("/api/{}?id={ID}", schema.feed));
        assert!(removal.body.is_empty());
    }
}

#[tokio::test]
async fn a_404_is_a_removal_only_in_the_gateways_words() {
    let gateway = Gateway::with_auth(|seen| match seen.target.contains("/mo") {
        true => Reply::json(404, &json!({"isSuccess": false, "statusCode": 404})),
        false => Reply::new(404, "<html>Not Found</html>"),
    })
    .await;
    let portal = portal(settings(&gateway.url));
    accepted(portal.remove(schema("mo"), &Key::parse(ID)).await);
    assert_eq!(failed(portal.remove(schema("slot"), &Key::parse(ID)).await).trouble, Trouble::FeedParked);
}

#[tokio::test]
async fn reads_go_where_the_document_says_and_then_where_it_says_otherwise() {
    let gateway = Gateway::with_auth(|seen| match seen.target.as_str() {
        target if target == format!("/api/mo?id={ID}") || target == "/api/mo/oid/1.2.643" => Reply::new(404, ""),
        _ => Reply::json(200, &json!({"result": [{"id": ID}], "isSuccess": true})),
    })
    .await;
    let portal = portal(settings(&gateway.url));
    let key = Key::parse(ID);
    let day = |day| chrono::NaiveDate::from_ymd_opt(2026, 3, day).unwrap();
    let table = [
        (Read::Record(schema("mo"), &key), vec![format!("/api/mo?id={ID}"), format!("/api/mo/{ID}")]),
        (Read::Units("1.2.643"), vec!["/api/mo/oid/1.2.643".into(), "/api/oid/1.2.643".into()]),
        (Read::Resources(&key), vec![format!("/api/mo/{ID}/resource")]),
        (
            Read::Slots(&key, day(1), day(31)),
            vec![format!("/api/resourse/{ID}/slots?startDate=2026-03-01&endDate=2026-03-31")],
        ),
        (Read::Books(&key), vec![format!("/api/slot/{ID}/books")]),
    ];
    for (read, targets) in table {
        let before = gateway.seen().len();
        assert_eq!(portal.read(&read).await.unwrap().len(), 1);
        let seen = gateway.seen();
        let asked: Vec<_> = seen[before..].iter().filter(|seen| !seen.is_auth()).map(|seen| &seen.target).collect();
        assert_eq!(asked, targets.iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_record_that_is_not_there_reads_as_none_and_a_wrong_address_parks() {
    let gateway = Gateway::with_auth(|seen| match seen.target.contains("/mo?") {
        true => Reply::json(404, &json!({"isSuccess": false, "statusCode": 404})),
        false => Reply::new(404, ""),
    })
    .await;
    let portal = portal(settings(&gateway.url));
    let key = Key::parse(ID);
    assert_eq!(portal.read(&Read::Record(schema("mo"), &key)).await.unwrap(), Vec::new());
    assert_eq!(portal.read(&Read::Record(schema("slot"), &key)).await.unwrap_err().trouble, Trouble::FeedParked);
}

#[tokio::test]
async fn the_gateways_clock_is_compared_with_ours() {
    let gateway = Gateway::start(|_, _| {
        let ahead = chrono::Utc::now() + chrono::TimeDelta::seconds(600);
        issued("t").with("date", ahead.format("%a, %d %b %Y %H:%M:%S GMT"))
    })
    .await;
    let portal = portal(settings(&gateway.url));
    assert_eq!(portal.clock_skew(), None);
    portal.authenticate().await.unwrap();
    let skew = portal.clock_skew().unwrap().num_seconds();
    assert!((595..=601).contains(&skew), "{skew}");
    // By the gateway's clock the token has fifty minutes left, by ours an hour.
    let left = portal.token_outlook().expires.unwrap() - chrono::Utc::now().timestamp();
    assert!((45 * 60..51 * 60).contains(&left), "{left}");
}

#[tokio::test]
async fn neither_traces_nor_texts_hold_a_secret_or_a_value() {
    let (traces, _guard) = Traces::capture();
    let echo = r#"{"isSuccess":false,"errors":[{"id":"ID","errorMessage":"«Секретов» password pa55word-never-shown token never-shown-token-0123456789, СНИЛС 112-233-445 95","errorCode":"R-1"}],"statusCode":STATUS}"#;
    let gateway = Gateway::start(move |seen, before| match (seen.is_auth(), before) {
        (true, _) => issued("never-shown-token-0123456789"),
        (_, 1) => Reply::new(401, echo),
        (_, 3) => Reply::new(422, echo.replace("ID", ID).replace("STATUS", "422")),
        (_, 4) => Reply::new(400, echo.replace("STATUS", "400")),
        (_, 5) => Reply::new(500, echo.replace("STATUS", "500")),
        _ => Reply::new(200, echo.replace("STATUS", "405")),
    })
    .await;
    let settings = settings(&gateway.url);
    let mut texts = format!("{settings:?}");
    let portal = portal(settings);
    let record = json!({"id": ID, "last_name": "Секретов", "snils": "11223344595"});
    for _ in 0..4 {
        let delivery =
            portal.deliver(schema("resource"), &batch(schema("resource"), std::slice::from_ref(&record))).await;
        texts.push_str(&format!("{delivery:?}"));
    }
    let traced = traces.text();
    assert!(traced.contains("exchange") && traced.contains("/api/resource"), "nothing was captured");
    assert!(texts.contains("R-1") && texts.contains("UnitBlocked"), "{texts}");
    for secret in [PASSWORD, "never-shown-token", "Секретов", "11223344595", "112-233"] {
        assert!(!traced.contains(secret), "{secret} is traced");
        assert!(!texts.contains(secret), "{secret} is in {texts}");
    }
}
