//! Plays the requests and answers that the documents print, byte for byte after the repairs that each cassette lists.

use std::sync::{Arc, Mutex};

use mockito::{Mock, Server, ServerGuard};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vitrina::portal::fer::Read;
use vitrina::portal::{Cure, Delivery, Portal, Verdict};
use vitrina::record::Key;
use vitrina::recording::{Cassette, Request};
use vitrina::transport::inflate;

use crate::support::cassettes::{answer, cassette, expected, json as sent};
use crate::support::gateway::{batch, portal, schema, settings};

const TOKEN: &str = "replayed-token";

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Verdicts(Vec<Expected>),
    Token { value: String, lives_seconds: u64 },
    Records(Vec<Map<String, Value>>),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expected {
    Accepted,
    Rejected { code: String, text: String, holder: Option<String> },
}

impl From<Expected> for Verdict {
    fn from(expected: Expected) -> Self {
        match expected {
            Expected::Accepted => Verdict::Accepted { receipt: None },
            Expected::Rejected { code, text, holder } => {
                // All that are printed speak of another record.
                Verdict::Rejected { code, text, cure: Cure::Time, holder: holder.as_deref().map(Key::parse) }
            }
        }
    }
}

/// What arrived that was not what the cassette holds.
type Differences = Arc<Mutex<Vec<String>>>;

async fn mocked(server: &mut ServerGuard, cassette: &Cassette, token: &str, differences: &Differences) -> Mock {
    let (request, token, differences) = (cassette.request.clone(), token.to_owned(), Arc::clone(differences));
    let (status, body) = answer(cassette);
    let mut mock = server.mock(&request.method.clone(), request.path.as_str()).match_request(move |arrived| {
        let found = compare(&request, arrived, &token);
        let same = found.is_empty();
        differences.lock().unwrap().extend(found);
        same
    });
    mock = mock.with_status(status.into()).with_body(body);
    for (name, value) in &cassette.answer.as_ref().unwrap().headers {
        mock = mock.with_header(name.as_str(), value);
    }
    mock.expect(1).create_async().await
}

fn compare(wanted: &Request, arrived: &mockito::Request, token: &str) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, value) in &wanted.headers {
        let value = value.replace("TOKEN", token);
        let sent: Vec<_> =
            arrived.header(name.as_str()).iter().map(|value| value.to_str().unwrap().to_owned()).collect();
        if sent != [value.clone()] {
            differences.push(format!("{name}: {sent:?} instead of {value}"));
        }
    }
    let raw = arrived.body().unwrap().clone();
    let body = if arrived.has_header("content-encoding") { inflate(&raw, 1 << 20).unwrap() } else { raw };
    let wanted = wanted.body.written().unwrap().0;
    if body != wanted {
        let [body, wanted] = [&body, &wanted].map(|bytes| String::from_utf8_lossy(bytes));
        differences.push(format!("body: {body} instead of {wanted}"));
    }
    differences
}

async fn replay(file: &str) {
    let cassette = cassette(file);
    let expect: Expect = expected(&cassette);
    let mut server = Server::new_async().await;
    let differences = Differences::default();
    let mut settings = settings(&server.url());
    if let Expect::Token { value, .. } = &expect {
        settings.password = sent(&cassette)["password"].as_str().unwrap().into();
        let used = format!("bearer {value}");
        server.mock("GET", "/api/mo/oid/1.2").match_header("authorization", used.as_str()).create_async().await;
    } else {
        let issued = json!({"Result": {"Value": TOKEN}, "IsSuccess": true}).to_string();
        server.mock("POST", "/auth.svc").with_body(issued).create_async().await;
    }
    let mock = mocked(&mut server, &cassette, TOKEN, &differences).await;
    let portal = portal(settings);
    let path: Vec<String> = cassette.request.path.split('/').map(str::to_owned).collect();
    match expect {
        Expect::Verdicts(expected) => {
            let schema = schema(&path[2]);
            let batch = batch(schema, sent(&cassette)["data"].as_array().unwrap());
            let Delivery::Judged(verdicts) = portal.deliver(schema, &batch).await else {
                panic!("not judged: {:?}", differences.lock().unwrap())
            };
            assert_eq!(verdicts, expected.into_iter().map(Verdict::from).collect::<Vec<_>>());
        }
        Expect::Token { lives_seconds, .. } => {
            portal.authenticate().await.unwrap();
            let left = crate::support::portal::token_left(portal.token_outlook());
            assert!(left <= lives_seconds && left > lives_seconds - 60, "{left}");
            // Only the printed token opens this address; its empty answer is of no interest.
            let failure = portal.read(&Read::Units("1.2")).await.unwrap_err();
            assert!(failure.text.contains("not JSON"), "{}", failure.text);
        }
        Expect::Records(expected) => {
            let records = portal.read(&Read::Units(path.last().unwrap())).await.unwrap();
            assert_eq!(records, expected);
        }
    }
    mock.assert_async().await;
    assert_eq!(*differences.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn authentication() {
    replay("fer_auth.json").await;
}

#[tokio::test]
async fn a_unit_with_the_name_of_another() {
    replay("fer_mo_duplicate_name.json").await;
}

#[tokio::test]
async fn two_slots_with_one_id() {
    replay("fer_slot_duplicate_id.json").await;
}

#[tokio::test]
async fn a_slot_at_the_time_of_another() {
    replay("fer_slot_duplicate_time.json").await;
}

#[tokio::test]
async fn the_units_of_an_organisation() {
    replay("fer_mo_by_oid.json").await;
}
