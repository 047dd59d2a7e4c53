//! Plays every request and answer that the document of POS prints: rows of the printed values go through the schema, over the wire, and
//! the printed answer comes back. What differs from the print is listed in each cassette.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use mockito::{Server, ServerGuard};
use serde::Deserialize;
use serde_json::{Map, Value};
use vitrina::portal::pos::{PosPortal, PosSettings, SCHEMAS};
use vitrina::portal::{Batch, Delivery, Portal, Verdict};
use vitrina::record::{Cell, EncodeSettings, Encoder, RowChunk, Schema, VisitTimeZone};
use vitrina::recording::Cassette;
use vitrina::transport::Pauses;

use crate::support::cassettes::{about, answer, cassette, expected, folder, given};
use crate::support::secrets::MemorySecrets;

const TOKEN: &str = "replayed-access";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    remote_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchanged {
    access: String,
    refresh: String,
    lives_seconds: u64,
}

async fn mocked(server: &mut ServerGuard, cassette: &Cassette) -> mockito::Mock {
    let request = &cassette.request;
    let mut mock = server.mock(&request.method, request.path.as_str());
    for (name, value) in &request.headers {
        mock = mock.match_header(name.as_str(), value.replace("TOKEN", TOKEN).as_str());
    }
    let (status, body) = answer(cassette);
    if !request.body.is_empty() {
        mock = mock.match_body(request.body.written().unwrap().0);
    }
    mock = mock.with_status(status.into()).with_body(body);
    for (name, value) in &cassette.answer.as_ref().unwrap().headers {
        mock = mock.with_header(name.as_str(), value);
    }
    mock.expect(1).create_async().await
}

fn portal(server: &ServerGuard, store: &MemorySecrets) -> PosPortal {
    let settings = PosSettings {
        url: format!("{}/og/rgis/analytics/", server.url()).parse().unwrap(),
        access_token: TOKEN.into(),
        refresh_token: "replayed-refresh".into(),
        expires_at: None,
        name: "replayed-name".into(),
        refresh_path: "/refresh-token".into(),
        timeout: Duration::from_secs(20),
        requests_per_second: NonZeroU32::new(1000).unwrap(),
        ca_file: None,
        pauses: Pauses::DEFAULT,
    };
    PosPortal::new(settings, Arc::new(store.clone()), None).unwrap()
}

/// The record of a row with the printed values.
fn batch(schema: &'static Schema, printed: &Map<String, Value>, remote_id: Option<&str>) -> Batch {
    let columns: Vec<&String> = printed.keys().collect();
    let settings = EncodeSettings {
        zone: Tz::Europe__Moscow,
        visit_time_zone: VisitTimeZone::Source,
        defaults: BTreeMap::new(),
        salt: None,
    };
    let mut encoder = Encoder::bind(schema, &columns, &settings).unwrap();
    let mut chunk = RowChunk::default();
    chunk.reset(columns.len());
    for value in printed.values() {
        chunk.push(match value {
            Value::String(text) => Cell::Text(text),
            Value::Bool(truth) => Cell::Bool(*truth),
            Value::Number(number) => Cell::Int(number.as_i64().unwrap()),
            other => panic!("{other}"),
        });
    }
    assert!(encoder.encode(chunk.rows().next().unwrap()), "{:?}", encoder.violations());
    let mut batch = Batch::default();
    let key = encoder.key().unwrap();
    batch.push(key, encoder.fingerprint(), remote_id.map(Into::into), remote_id.is_some(), encoder.body());
    batch
}

#[tokio::test]
async fn every_printed_record_goes_out_as_printed_and_its_answer_is_understood() {
    let mut files: Vec<_> = std::fs::read_dir(folder("pos")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| !path.ends_with("refresh.json"));
    files.sort();
    assert_eq!(files.len(), 8, "three methods of creation, two levels for two of them, three of change");
    for file in files {
        let cassette = cassette(file.to_str().unwrap());
        let expect: Accepted = expected(&cassette);
        let name = &about(&cassette).name;
        let mut server = Server::new_async().await;
        let mock = mocked(&mut server, &cassette).await;
        let schema = SCHEMAS.iter().find(|schema| given(&cassette, "feed") == schema.feed).unwrap();
        let printed = given(&cassette, "printed");
        let batch = batch(schema, printed.as_object().unwrap(), given(&cassette, "remote_id").as_str());
        let delivery = portal(&server, &MemorySecrets::default()).deliver(schema, &batch).await;
        let Delivery::Judged(verdicts) = delivery else { panic!("{name}: {delivery:?}") };
        let [Verdict::Accepted { receipt: Some(receipt) }] = &verdicts[..] else { panic!("{verdicts:?}") };
        assert_eq!(receipt.remote_id.as_deref(), Some(expect.remote_id.as_str()), "{name}");
        mock.assert_async().await;
    }
}

#[tokio::test]
async fn the_printed_exchange_of_tokens() {
    let cassette = cassette("pos/refresh.json");
    let expect: Exchanged = expected(&cassette);
    let mut server = Server::new_async().await;
    let old = server.mock("POST", "/og/rgis/analytics/polls").with_status(401).expect(1).create_async().await;
    let mock = mocked(&mut server, &cassette).await;
    let bearer = format!("Bearer {}", expect.access);
    let new = server
        .mock("POST", "/og/rgis/analytics/polls")
        .match_header("authorization", bearer.as_str())
        .with_body(r#"{"success":true,"data":{"id":1}}"#)
        .expect(1)
        .create_async()
        .await;
    let store = MemorySecrets::default();
    let portal = portal(&server, &store);
    let printed = given(&crate::support::cassettes::cassette("pos/poll_post_regional.json"), "printed");
    let batch = batch(SCHEMAS[0], printed.as_object().unwrap(), None);
    assert!(matches!(portal.deliver(SCHEMAS[0], &batch).await, Delivery::Judged(_)));
    let left = crate::support::portal::token_left(portal.token_outlook());
    let lives = expect.lives_seconds;
    assert!(left <= lives && left > lives - 60, "{left}");
    assert!(store.text().contains(&expect.refresh));
    for mock in [old, mock, new] {
        mock.assert_async().await;
    }
}
