//! The client's requests, as the document has them and as the settings change them, and answers of every kind.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;
use vitrina::portal::fer::{FerPortal, FerSettings, Reachability, Registration, WebhookMethods, WebhookStanding};
use vitrina::transport::Trouble;

use crate::support::gateway::{Gateway, Reply, portal, settings};

const OID: &str = "1.2.643.5.1.13.13.12.2.86.8964.0.163227";

fn ours() -> Url {
    Url::parse("http://10.0.0.5:8090/").unwrap()
}

fn registered(address: &str) -> Reply {
    Reply::json(200, &json!({"result": [{"address": address}], "isSuccess": true, "statusCode": 200}))
}

fn absent() -> Reply {
    Reply::json(
        404,
        &json!({"isSuccess": false, "error": {"errorMessage": "не найден", "errorCode": "404"}, "statusCode": 404}),
    )
}

/// A gateway with this registration, which agrees to everything else.
async fn gateway(address: Option<&'static str>) -> Gateway {
    Gateway::with_auth(move |seen| {
        match (seen.method.as_str(), seen.target.starts_with("/api/callback/check"), address) {
            ("GET", false, Some(address)) => registered(address),
            ("GET", false, None) => absent(),
            _ => Reply::success(),
        }
    })
    .await
}

/// What was asked, authentication aside: method, target, body.
fn asked(gateway: &Gateway) -> Vec<(String, String, Value)> {
    let seen = gateway.seen().into_iter().filter(|seen| !seen.is_auth());
    seen.map(|seen| (seen.method, seen.target, serde_json::from_slice(&seen.body).unwrap_or_default())).collect()
}

fn line(method: &str, target: &str, body: Value) -> (String, String, Value) {
    (method.to_owned(), target.to_owned(), body)
}

#[tokio::test]
async fn a_registration_reads_first_and_then_creates() {
    let gateway = gateway(None).await;
    let done = portal(settings(&gateway.url)).register_webhook(&ours(), None).await.unwrap();
    assert_eq!(done, Registration::Created);
    let address = json!({"address": "http://10.0.0.5:8090"});
    assert_eq!(asked(&gateway), [line("GET", "/api/callback", Value::Null), line("POST", "/api/callback", address)]);
    let seen = gateway.seen();
    let sent = seen.last().unwrap();
    assert_eq!((sent.header("authorization"), sent.header("content-type")), ("bearer token-1", "application/json"));
}

#[tokio::test]
async fn another_address_is_changed_by_the_method_of_the_settings() {
    let body = json!({"address": "http://10.0.0.5:8090", "depart_oid": OID});
    let of = format!("/api/callback?depart_oid={OID}");
    let query = format!("/api/callback?address=http%3A%2F%2F10.0.0.5%3A8090&depart_oid={OID}");
    for (update, expected) in [
        (Method::PUT, line("PUT", "/api/callback", body.clone())),
        (Method::POST, line("POST", "/api/callback", body)),
        (Method::GET, line("GET", &query, Value::Null)),
    ] {
        let gateway = gateway(Some("http://10.0.0.9:1")).await;
        let webhook = WebhookMethods { update, remove: Method::DELETE };
        let portal = portal(FerSettings { webhook, ..settings(&gateway.url) });
        let done = portal.register_webhook(&ours(), Some(OID)).await.unwrap();
        assert_eq!(done, Registration::Replaced("http://10.0.0.9:1".into()));
        assert_eq!(asked(&gateway), [line("GET", &of, Value::Null), expected]);
    }
}

#[tokio::test]
async fn what_is_registered_already_is_not_sent_again() {
    let gateway = gateway(Some("HTTP://10.0.0.5:8090")).await;
    let done = portal(settings(&gateway.url)).register_webhook(&ours(), None).await.unwrap();
    assert_eq!((done, asked(&gateway).len()), (Registration::Unchanged, 1));
}

#[tokio::test]
async fn a_removal_asks_for_the_department_in_the_query() {
    for remove in [Method::DELETE, Method::GET] {
        let gateway = gateway(Some("http://10.0.0.9:1")).await;
        let webhook = WebhookMethods { update: Method::PUT, remove: remove.clone() };
        let portal = portal(FerSettings { webhook, ..settings(&gateway.url) });
        assert!(portal.remove_webhook(Some(OID)).await.unwrap());
        let of = format!("/api/callback?depart_oid={OID}");
        assert_eq!(asked(&gateway)[1], line(remove.as_str(), &of, Value::Null));
    }
    let empty = gateway(None).await;
    assert!(!portal(settings(&empty.url)).remove_webhook(None).await.unwrap());
    assert_eq!(asked(&empty).len(), 1, "there is nothing to remove");
}

async fn checked(status: u16, body: Value) -> Result<Reachability, vitrina::transport::Failure> {
    let gateway = Gateway::with_auth(move |_| Reply::json(status, &body)).await;
    let found = portal(settings(&gateway.url)).check_webhook(&ours()).await;
    let target = "/api/callback/check?address=http%3A%2F%2F10.0.0.5%3A8090";
    assert_eq!(asked(&gateway), [line("GET", target, Value::Null)]);
    found
}

#[tokio::test]
async fn an_address_is_reached_or_not_whatever_form_the_answer_has() {
    for body in [json!(true), json!({"result": true, "isSuccess": true}), json!({"address": "x"}), Value::Null] {
        assert_eq!(checked(200, body.clone()).await.unwrap(), Reachability::Reachable, "{body}");
    }
    for body in [json!(false), json!({"result": false, "isSuccess": true}), json!({"available": false})] {
        assert!(matches!(checked(200, body.clone()).await.unwrap(), Reachability::Unreachable(_)), "{body}");
    }
    let refusal = json!({
        "isSuccess": false, "statusCode": 502,
        "error": {"errorCode": "502", "errorMessage": "Ответный сервис недоступен, пользователь Иванов"}
    });
    let Reachability::Unreachable(why) = checked(502, refusal).await.unwrap() else { panic!("reached") };
    assert!(why.starts_with("502 Ответный сервис недоступен") && !why.contains("Иванов"), "{why}");
    assert!(checked(404, json!("no such page")).await.is_err(), "a web server's 404 is no answer about the hospital");
}

#[tokio::test]
async fn standing_is_a_sentence_for_the_log() {
    let sentence = async |portal: FerPortal| portal.webhook_standing(&ours(), None).await.unwrap();
    for (address, standing, word) in [
        (Some("http://10.0.0.5:8090/"), WebhookStanding::Registered, "calls the public_url"),
        (None, WebhookStanding::Missing, "departments that have one of their own"),
        (
            Some("http://u:pw9@10.0.0.9:1"),
            WebhookStanding::Other("http://10.0.0.9:1".into()),
            "calls http://10.0.0.9:1 and not",
        ),
    ] {
        let gateway = gateway(address).await;
        let found = sentence(portal(settings(&gateway.url))).await;
        assert!(found == standing && found.to_string().contains(word), "{found}");
    }
}

#[tokio::test]
async fn a_refused_registration_is_told_in_the_gateways_words_and_a_405_speaks_of_the_method() {
    let refusal = json!({
        "isSuccess": false, "statusCode": 400, "error": {"errorCode": "400", "errorMessage": "Ответный сервис недоступен"}
    });
    let gateway = Gateway::with_auth(move |seen| match seen.method.as_str() {
        "GET" => absent(),
        _ => Reply::json(400, &refusal),
    })
    .await;
    let failure = portal(settings(&gateway.url)).register_webhook(&ours(), None).await.unwrap_err();
    assert!(failure.text.contains("Ответный сервис недоступен"), "{}", failure.text);

    let gateway = Gateway::with_auth(|seen| match seen.method.as_str() {
        "GET" => registered("http://10.0.0.9:1"),
        _ => Reply::new(405, ""),
    })
    .await;
    let failure = portal(settings(&gateway.url)).register_webhook(&ours(), None).await.unwrap_err();
    assert_eq!(failure.trouble, Trouble::FeedParked, "no unit is blocked by it");
    assert!(!failure.text.contains("unit"), "{}", failure.text);
}
