//! Plays the samples of the document on online education platforms: requests of ours with the portal's answers, and requests of the
//! portal with our answers.

use std::sync::Arc;

use reqwest::{Client, Method, redirect};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use vitrina::portal::nmo::{ByPin, Evaluation, NmoPortal, NmoSettings};
use vitrina::portal::{Asked, Finding, Portal, Verdict};
use vitrina::record::{Key, Stage};
use vitrina::recording::{Body, Cassette, Request};
use vitrina::serve::platform::{Evaluated, Granted, PlatformSettings, Question, Reply as Told, Taken, Target, router};

use crate::support::cassettes::{self, answer, expected};
use crate::support::gateway::{Gateway, Reply, Seen};
use crate::support::nmo::{portal, schema, send_module, send_result, settings, verdict};

#[derive(Deserialize, Clone)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Token { lives_seconds: u64 },
    Refreshed,
    Module(Judged),
    Result(Judged),
    Plan(Judged),
    Evaluation { stage: Stage, status: String },
    ModuleOfPin(String),
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "snake_case")]
enum Judged {
    Accepted(String),
    Rejected { code: String, text: String },
}

impl Judged {
    fn is(self, verdict: Verdict) {
        match (self, verdict) {
            (Judged::Accepted(status), Verdict::Accepted { receipt: Some(receipt) }) => {
                assert_eq!(receipt.status, Some(status));
            }
            (Judged::Rejected { code, text }, Verdict::Rejected { code: said, text: saying, .. }) => {
                assert_eq!((said, saying), (code, text));
            }
            (_, other) => panic!("{other:?}"),
        }
    }
}

fn cassette(file: &str) -> Cassette {
    cassettes::cassette(&format!("nmo/{file}"))
}

/// What arrived is what the cassette holds.
fn assert_sent(wanted: &Request, seen: &Seen) {
    assert_eq!((&seen.method, &seen.target), (&wanted.method, &wanted.path));
    for (name, value) in &wanted.headers {
        assert_eq!(seen.header(name), value, "{name}");
    }
    match &wanted.body {
        Body::Json(json) => assert_eq!(&serde_json::from_slice::<Value>(&seen.body).unwrap(), json),
        other => {
            assert_eq!(String::from_utf8_lossy(&seen.body), String::from_utf8(other.written().unwrap().0).unwrap())
        }
    }
}

/// A portal that gives the printed token, and the cassette's answer to the cassette's path.
async fn playing(cassette: &Cassette) -> (Gateway, NmoPortal) {
    let token = self::cassette("token.json");
    let (path, played) = (cassette.request.path.clone(), cassette.clone());
    let gateway = Gateway::start(move |seen, _| {
        let cassette = if seen.target == path { &played } else { &token };
        let (status, body) = answer(cassette);
        let known = seen.target == path || seen.target == "/rest/v2/oauth/token";
        let headers = &cassette.answer.as_ref().unwrap().headers;
        headers.iter().fold(Reply::new(if known { status } else { 401 }, body), |reply, (_, value)| {
            reply.with("content-type", value)
        })
    })
    .await;
    let settings = NmoSettings {
        client_secret: "secret".into(),
        password: "qwerty123".into(),
        check_plan: cassette.request.path.ends_with("plan-status"),
        reviewer_snils: None,
        ..settings(&gateway.url)
    };
    (gateway, portal(settings))
}

/// The flat record of a printed body.
fn flat(body: &Value) -> Value {
    let mut record: Map<String, Value> = body.as_object().unwrap().clone();
    if let Some(organization) = record.remove("organization") {
        record.insert("organization_inn".into(), organization["inn"].clone());
        record.insert("organization_name".into(), organization["name"].clone());
    }
    Value::Object(record)
}

async fn replay(file: &str) {
    let cassette = cassette(file);
    let (gateway, portal) = playing(&cassette).await;
    let is_json = matches!(cassette.request.body, Body::Json(_));
    let body = if is_json { cassettes::json(&cassette) } else { Value::Null };
    match expected(&cassette) {
        Expect::Token { lives_seconds } => {
            portal.authenticate().await.unwrap();
            let left = crate::support::portal::token_left(portal.token_outlook());
            assert!(left <= lives_seconds && left > lives_seconds - 60, "{left}");
        }
        // Every token is refused, so that the refresh token is used.
        Expect::Refreshed => drop(portal.module_by_pin("1234554645", "JYE4397").await.unwrap_err()),
        Expect::Module(judged) => judged.is(verdict(send_module(&portal, &flat(&body), false).await)),
        Expect::Result(judged) => judged.is(verdict(send_result(&portal, &body).await)),
        Expect::Plan(judged) => {
            let mut started = body.clone();
            started["status"] = json!("started");
            judged.is(verdict(send_result(&portal, &started).await));
        }
        Expect::Evaluation { stage, status } => {
            let asked = Asked { key: Key::parse("ABC123"), receipt: None, sent: 0, signed: None };
            let findings = portal.inquire(schema("module"), &[asked]).await.unwrap();
            let [Finding::Held(receipt)] = &findings[..] else { panic!("{findings:?}") };
            let told = [receipt.status.as_deref(), receipt.reason.as_deref()].into_iter().flatten().collect::<Vec<_>>();
            assert_eq!((receipt.stage, told.join(": ")), (stage, status));
        }
        Expect::ModuleOfPin(module) => {
            assert_eq!(portal.module_by_pin("1234554645", "JYE4397").await, Ok(ByPin::Found(module)));
        }
    }
    let wanted = cassette.request.body.written().unwrap().0;
    let body_is = |seen: &&Seen| is_json || wanted == seen.body;
    let seen = gateway.seen();
    let sent: Vec<&Seen> = seen.iter().filter(|seen| seen.target == cassette.request.path).filter(body_is).collect();
    let [sent] = sent[..] else { panic!("sent {} times", sent.len()) };
    assert_sent(&cassette.request, sent);
}

#[tokio::test]
async fn tokens() {
    replay("token.json").await;
    replay("refresh.json").await;
}

#[tokio::test]
async fn modules() {
    replay("create.json").await;
    replay("status.json").await;
}

#[tokio::test]
async fn results() {
    for file in ["started.json", "completed.json", "plan_status.json", "id_by_pin.json"] {
        replay(file).await;
    }
}

struct Anything;

impl Evaluated for Anything {
    async fn evaluated(&self, _: &str, module: &Key, evaluation: Evaluation) -> Taken {
        assert_eq!(module, &Key::parse("ABC123"));
        assert!(matches!(evaluation, Evaluation::NotApproved { .. }));
        Taken::Applied
    }

    async fn ask(&self, _: &str, _: Question) -> Told {
        Told::Failed
    }
}

#[tokio::test]
async fn what_the_portal_calls() {
    let target = Target::parse("https://online-platform.ru/edu/{module_id}?snils={snils}&pin={pin}").unwrap();
    let settings = PlatformSettings {
        portal: "nmo".into(),
        portal_id: "client".into(),
        portal_secret: "secret".into(),
        reviewer: None,
        handover_secret: None,
        api_token: None,
        target,
        granted: Granted::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router(vec![settings], Arc::new(Anything))).await.unwrap() });
    let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap();
    let mut token = String::new();
    for file in ["get_token", "redirect", "get_url_query", "get_url_body", "status_update"] {
        let cassette = cassette(&format!("platform_{file}.json"));
        let wanted = &cassette.request;
        let method: Method = wanted.method.parse().unwrap();
        let mut request = client.request(method, format!("{url}{}", wanted.path));
        for (name, value) in &wanted.headers {
            request = request.header(name, value.replace("TOKEN", &token));
        }
        if let Body::Json(json) = &wanted.body {
            request = request.header("content-type", "application/json").body(json.to_string());
        }
        let (status, printed) = answer(&cassette);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{file}");
        for (name, value) in &cassette.answer.as_ref().unwrap().headers {
            assert_eq!(answer.headers()[name], value, "{file}");
        }
        let body = answer.text().await.unwrap();
        match file {
            // The token is made at random.
            "get_token" => {
                let issued: Value = serde_json::from_str(&body).unwrap();
                token = issued["access_token"].as_str().unwrap().to_owned();
            }
            _ => assert_eq!(body, printed, "{file}"),
        }
    }
}
