//! What the recorder's thread writes, and what it does when it cannot keep up.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use vitrina::portal::kind;
use vitrina::recording::{Body, Limits, Recorder, read_folder};
use vitrina::telemetry::Metrics;
use vitrina::transport::{ClientSettings, HttpClient, Taped};

use crate::support::gateway::{Gateway, Reply};

fn recorder(dir: &Path, metrics: &Metrics) -> Recorder {
    let limits = Limits { dir: dir.join("exchanges"), max_bytes: 16 << 20, max_age: Duration::from_secs(3600) };
    Recorder::start(limits, b"a key", metrics.clone()).unwrap()
}

#[tokio::test]
async fn a_client_with_a_tape_sends_and_gets_the_same_bytes_and_both_are_recorded() {
    let gateway = Gateway::start(|seen, _| Reply::json(200, &json!({"isSuccess": true, "got": seen.body.len()}))).await;
    let (dir, metrics) = (tempfile::tempdir().unwrap(), Metrics::new().unwrap());
    let url = format!("{}/base", gateway.url).parse().unwrap();
    let settings = ClientSettings {
        url: &url,
        connect_timeout: Duration::from_secs(5),
        timeout: Duration::from_secs(20),
        ca_file: None,
    };
    let client = HttpClient::new(&settings, None).unwrap();
    let recorder = recorder(dir.path(), &metrics);
    client.record_to(recorder.tape("fer", kind("fer").unwrap(), Vec::new()));
    // One body at once, one in pieces whose length is known before.
    let whole = br#"{"data":[{"id":"1"}]}"#.to_vec();
    let pieces: Vec<std::io::Result<Vec<u8>>> = whole.chunks(5).map(|piece| Ok(piece.to_vec())).collect();
    let streamed = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    for body in [reqwest::Body::from(whole.clone()), streamed] {
        let request = client.request(Method::POST, &["api", "slot"]).body(body).header("content-length", whole.len());
        let answer = client.send(request, vitrina::transport::Body::AsBuilt).await.unwrap();
        assert_eq!(answer.status, 200);
    }
    drop(recorder);
    for seen in gateway.seen() {
        assert_eq!((seen.body.as_slice(), seen.target.as_str()), (whole.as_slice(), "/base/api/slot"));
        assert_eq!(seen.header("content-length"), whole.len().to_string());
    }
    let kept = read_folder(&dir.path().join("exchanges")).unwrap();
    assert_eq!(kept.len(), 2);
    for cassette in kept {
        assert_eq!(
            (cassette.request.path.as_str(), &cassette.request.body),
            ("/api/slot", &Body::Json(json!({"data": [{"id": "1"}]})))
        );
        assert_eq!(cassette.answer.unwrap().status, 200);
    }
}

#[test]
fn what_does_not_fit_into_the_queue_is_dropped_and_counted_and_holds_nobody_up() {
    let (dir, metrics) = (tempfile::tempdir().unwrap(), Metrics::new().unwrap());
    let recorder = recorder(dir.path(), &metrics);
    let tape = recorder.tape("fer", kind("fer").unwrap(), Vec::new());
    let sent = 40;
    for _ in 0..sent {
        tape.take(Taped {
            method: "POST".into(),
            path: "/api/slot".into(),
            headers: reqwest::header::HeaderMap::new(),
            body: Some(vec![b'x'; 20 << 20]),
            answer: None,
        });
    }
    drop(recorder);
    let text = metrics.text().unwrap();
    let count = |outcome: &str| {
        let name = format!("vitrina_recorded_exchanges_total{{outcome=\"{outcome}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |number| number.parse::<u64>().unwrap())
    };
    assert_eq!(count("written") + count("queue_full"), sent, "{text}");
    assert!(count("queue_full") > 0 && count("written") > 0, "{text}");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told_at_the_start() {
    let (dir, metrics) = (tempfile::tempdir().unwrap(), Metrics::new().unwrap());
    std::fs::write(dir.path().join("file"), "").unwrap();
    let limits =
        Limits { dir: dir.path().join("file/exchanges"), max_bytes: 1 << 20, max_age: Duration::from_secs(60) };
    assert!(Recorder::start(limits, b"a key", metrics).is_err());
}
