//! The HTTP stack against servers that break, stall, flood and redirect.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use vitrina::transport::{
    ANSWER_LIMIT, Answer, Body, ClientSettings, Exchange, Failure, HttpClient, Level, Packed, Trouble, Witness,
};

use crate::support::gateway::{Gateway, Reply};
use crate::support::tls::{over_tcp, over_tls, roots};

const AGAIN: Trouble = Trouble::Transient { retry_after: None };

fn client(url: &str, timeout: Duration, witness: Option<Witness>) -> HttpClient {
    let url = url.parse().unwrap();
    let settings = ClientSettings { url: &url, connect_timeout: Duration::from_secs(10), timeout, ca_file: None };
    HttpClient::new(&settings, witness).unwrap()
}

async fn get(url: &str) -> Result<Answer, Failure> {
    let client = client(url, Duration::from_secs(20), None);
    client.send(client.request(Method::GET, &["x"]), Body::AsBuilt).await
}

async fn answered(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Result<Answer, Failure> {
    let gateway = Gateway::start(move |_, _| reply()).await;
    get(&gateway.url).await
}

fn assert_unknown_outcome(result: Result<Answer, Failure>, word: &str) {
    let failure = result.unwrap_err();
    assert_eq!((failure.trouble, failure.maybe_applied), (AGAIN, true), "{}", failure.text);
    assert!(failure.text.contains(word), "{}", failure.text);
}

#[tokio::test]
async fn a_compressed_answer_is_inflated() {
    let packed = Packed::of("{\"ответ\":1}".as_bytes(), Level::default());
    let answer =
        answered(move || Reply::new(200, packed.bytes.clone()).with("content-encoding", "gzip")).await.unwrap();
    assert_eq!(answer.body, "{\"ответ\":1}".as_bytes());
}

#[tokio::test]
async fn a_bomb_in_an_answer_is_stopped_at_the_cap() {
    let bomb = Packed::of(&vec![b' '; ANSWER_LIMIT + 1], Level::default());
    assert!(bomb.bytes.len() < ANSWER_LIMIT / 50);
    let result = answered(move || Reply::new(200, bomb.bytes.clone()).with("content-encoding", "gzip")).await;
    assert_unknown_outcome(result, "larger than");
}

#[tokio::test]
async fn an_answer_above_the_cap_is_not_read() {
    assert_unknown_outcome(answered(|| Reply::new(200, vec![b' '; ANSWER_LIMIT + 1])).await, "larger than");
}

#[tokio::test]
async fn an_endless_answer_without_a_length_is_stopped_at_the_cap() {
    let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    endless.resize(ANSWER_LIMIT + 1000, b' ');
    assert_unknown_outcome(get(&over_tcp(endless).await).await, "larger than");
}

#[tokio::test]
async fn damaged_and_foreign_encodings_are_unreadable() {
    assert_unknown_outcome(answered(|| Reply::new(200, "{}").with("content-encoding", "gzip")).await, "damaged");
    assert_unknown_outcome(answered(|| Reply::new(200, "{}").with("content-encoding", "br")).await, "encoding");
}

#[tokio::test]
async fn a_broken_body_under_a_telling_status_leaves_the_status() {
    let answer =
        answered(|| Reply::new(503, "{}").with("content-encoding", "gzip").with("retry-after", "7")).await.unwrap();
    assert_eq!((answer.status, answer.retry_after), (503, Some(Duration::from_secs(7))));
}

#[tokio::test]
async fn a_slow_answer_ends_at_the_timeout() {
    let gateway = Gateway::start(|_, _| Reply::success().after(Duration::from_secs(60))).await;
    let client = client(&gateway.url, Duration::from_millis(200), None);
    let result = client.send(client.request(Method::GET, &["x"]), Body::AsBuilt).await;
    assert_unknown_outcome(result, "timeout");
}

#[tokio::test]
async fn cut_answers_leave_the_outcome_unknown() {
    for cut in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"isSucc",
        "garbage\r\n\r\n",
    ] {
        assert_unknown_outcome(get(&over_tcp(cut.into()).await).await, "broke");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let gateway = Gateway::start(|_, _| Reply::new(302, "").with("location", "/elsewhere")).await;
    assert_eq!(get(&gateway.url).await.unwrap().status, 302);
    assert_eq!(gateway.seen().len(), 1);
}

#[tokio::test]
async fn a_root_of_the_ca_file_is_trusted_and_only_then() {
    let server = over_tls(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec()).await;
    let failure = get(&server).await.unwrap_err();
    assert_eq!((failure.trouble, failure.maybe_applied), (AGAIN, false));
    assert!(failure.text.starts_with("TLS failed: ") && failure.text.contains("ca_file"), "{}", failure.text);
    let (url, roots) = (server.parse().unwrap(), roots());
    let timeout = Duration::from_secs(20);
    let settings = ClientSettings { url: &url, connect_timeout: timeout, timeout, ca_file: Some(&roots) };
    let client = HttpClient::new(&settings, None).unwrap();
    let answer = client.send(client.request(Method::GET, &["x"]), Body::AsBuilt).await.unwrap();
    assert_eq!(answer.body, b"{}");
}

#[tokio::test]
async fn a_server_without_tls_is_a_tls_failure_and_nothing_was_sent() {
    let gateway = Gateway::start(|_, _| Reply::success()).await;
    let url = gateway.url.replace("http:", "https:").parse().unwrap();
    let (timeout, roots) = (Duration::from_secs(20), roots());
    let settings = ClientSettings { url: &url, connect_timeout: timeout, timeout, ca_file: Some(&roots) };
    let client = HttpClient::new(&settings, None).unwrap();
    let failure = client.send(client.request(Method::GET, &["x"]), Body::AsBuilt).await.unwrap_err();
    assert_eq!((failure.trouble, failure.maybe_applied), (AGAIN, false), "{}", failure.text);
}

#[tokio::test]
async fn the_witness_is_told_of_sizes_and_status_and_of_requests_without_answer() {
    let told: Arc<Mutex<Vec<Exchange>>> = Arc::default();
    let witness: Witness = {
        let told = Arc::clone(&told);
        Arc::new(move |exchange: &Exchange| told.lock().unwrap().push(exchange.clone()))
    };
    let gateway = Gateway::start(|_, _| Reply::new(418, "")).await;
    let packed = Packed::of(&[b'x'; 5000], Level::default());
    let there = client(&gateway.url, Duration::from_secs(20), Some(Arc::clone(&witness)));
    there.send(there.request(Method::POST, &["x"]), Body::Gzip(&packed)).await.unwrap();
    let nowhere = client(&over_tcp(Vec::new()).await, Duration::from_secs(20), Some(witness));
    nowhere.send(nowhere.request(Method::POST, &["x"]), Body::Json(b"{}")).await.unwrap_err();
    let told: Vec<_> = told.lock().unwrap().iter().map(|told| (told.status, told.raw_bytes, told.sent_bytes)).collect();
    assert_eq!(told, [(Some(418), 5000, packed.bytes.len()), (None, 2, 2)]);
}
