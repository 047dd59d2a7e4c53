//! The HTTP stack against servers that break, stall, flood and redirect.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use vitrina::transport::{
    ANSWER_LIMIT, Answer, Body, ClientSettings, Exchange, Failure, HttpClient, Level, Packed, Trouble, Witness,
};

use crate::support::gateway::{Gateway, Reply};
use crate::support::tls::{certificate, deaf, hanging_up_after, over_tcp, over_tls, over_tls_as, roots, stalling};

const AGAIN: Trouble = Trouble::Transient { retry_after: None };

/// Long enough for a loopback, short enough for a test that waits for its end.
const SHORT: Duration = Duration::from_millis(300);

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
async fn an_answer_that_stalls_at_any_stage_timed_out_after_sending() {
    for stalled in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"isSucc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"isSucc\r\n",
        "HTTP/1.1 200 OK\r\n\r\n{\"isSuccess\":true}",
    ] {
        let client = client(&stalling(stalled.into()).await, SHORT, None);
        let failure = client.send(client.request(Method::GET, &["x"]), Body::AsBuilt).await.unwrap_err();
        assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::TimedOut, true), "{stalled}: {}", failure.text);
    }
}

#[tokio::test]
async fn a_request_that_nobody_reads_timed_out_after_sending() {
    let client = client(&deaf().await, SHORT, None);
    let larger_than_any_buffer = vec![b' '; 64 << 20];
    let result = client.send(client.request(Method::POST, &["x"]), Body::Json(&larger_than_any_buffer)).await;
    let failure = result.unwrap_err();
    assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::TimedOut, true), "{}", failure.text);
}

#[tokio::test]
async fn a_connection_that_never_comes_timed_out_before_sending() {
    let url = deaf().await.replace("http:", "https:").parse().unwrap();
    let (timeout, roots) = (Duration::from_secs(20), roots());
    let settings = ClientSettings { url: &url, connect_timeout: SHORT, timeout, ca_file: Some(&roots) };
    let client = HttpClient::new(&settings, None).unwrap();
    let failure = client.send(client.request(Method::GET, &["x"]), Body::AsBuilt).await.unwrap_err();
    assert_eq!((failure.trouble, failure.maybe_applied), (AGAIN, false), "{}", failure.text);
    assert!(failure.text.contains("connect time-out"), "{}", failure.text);
}

#[tokio::test]
async fn cut_answers_leave_the_outcome_unknown() {
    for cut in [
        "",
        "HTTP/1.1 20",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"isSucc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{\"isSucc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"isSucc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/9.9 200 OK\r\n\r\n{}",
        "garbage\r\n\r\n",
    ] {
        assert_unknown_outcome(get(&over_tcp(cut.into()).await).await, "broke");
    }
}

#[tokio::test]
async fn a_request_that_is_cut_leaves_the_outcome_unknown() {
    let body = vec![b' '; 8 << 20];
    for bytes in [0, 10, 1000, 1 << 20] {
        let client = client(&hanging_up_after(bytes).await, Duration::from_secs(20), None);
        assert_unknown_outcome(client.send(client.request(Method::POST, &["x"]), Body::Json(&body)).await, "broke");
    }
}

#[tokio::test]
async fn a_handshake_that_is_cut_sent_nothing() {
    for bytes in [0, 10] {
        let url = hanging_up_after(bytes).await.replace("http:", "https:").parse().unwrap();
        let (timeout, roots) = (Duration::from_secs(20), roots());
        let settings = ClientSettings { url: &url, connect_timeout: timeout, timeout, ca_file: Some(&roots) };
        let client = HttpClient::new(&settings, None).unwrap();
        let failure = client.send(client.request(Method::GET, &["x"]), Body::AsBuilt).await.unwrap_err();
        assert_eq!((failure.trouble, failure.maybe_applied), (AGAIN, false), "{}", failure.text);
    }
}

#[tokio::test]
async fn headers_without_end_are_not_read() {
    let mut headers = b"HTTP/1.1 200 OK\r\n".to_vec();
    (0..200_000).for_each(|number| headers.extend_from_slice(format!("x-{number}: y\r\n").as_bytes()));
    assert_unknown_outcome(get(&over_tcp(headers).await).await, "broke");
}

#[tokio::test]
async fn a_cut_gzip_body_is_unreadable_and_one_inside_another_was_not_asked_for() {
    let packed = Packed::of(b"{\"isSuccess\":true}", Level::default()).bytes;
    let cut = packed[..packed.len() - 4].to_vec();
    assert_unknown_outcome(
        answered(move || Reply::new(200, cut.clone()).with("content-encoding", "gzip")).await,
        "damaged",
    );
    assert_unknown_outcome(
        answered(move || Reply::new(200, packed.clone()).with("content-encoding", "gzip, gzip")).await,
        "encoding",
    );
}

#[tokio::test]
async fn a_body_that_is_cut_under_a_telling_status_leaves_the_status() {
    for status in ["503 Maintenance", "405 Blocked", "302 Found", "500 Oops", "413 Large"] {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 100\r\n\r\n{{\"isSucc");
        let answer = get(&over_tcp(answer.into()).await).await.unwrap();
        assert_eq!((answer.status.to_string(), answer.body.len()), (status[..3].to_owned(), 0));
    }
    for status in ["400 Bad", "404 None", "422 Part"] {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 100\r\n\r\n{{\"isSucc");
        assert_unknown_outcome(get(&over_tcp(answer.into()).await).await, "broke");
    }
}

#[tokio::test]
async fn a_wait_is_read_in_both_forms_against_the_portals_own_clock() {
    for value in ["30", "Mon, 02 Mar 2026 10:00:30 GMT", "Monday, 02-Mar-26 10:00:30 GMT"] {
        let answer = format!(
            "HTTP/1.1 429 Slow\r\nDate: Mon, 02 Mar 2026 10:00:00 GMT\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n"
        );
        let answer = get(&over_tcp(answer.into()).await).await.unwrap();
        assert_eq!((answer.status, answer.retry_after), (429, Some(Duration::from_secs(30))), "{value}");
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

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/// What a client makes of a server when it trusts this file.
async fn trusting(server: &str, ca_file: &std::path::Path) -> Result<Answer, Failure> {
    let (url, timeout) = (server.parse().unwrap(), Duration::from_secs(20));
    let settings = ClientSettings { url: &url, connect_timeout: timeout, timeout, ca_file: Some(ca_file) };
    let client = HttpClient::new(&settings, None).unwrap();
    client.send(client.request(Method::GET, &["x"]), Body::AsBuilt).await
}

#[tokio::test]
async fn a_root_may_come_as_der_or_behind_the_mark_of_an_editor() {
    let server = over_tls(OK.to_vec()).await;
    let folder = tempfile::tempdir().unwrap();
    let pem = std::fs::read(roots()).unwrap();
    let marked = folder.path().join("marked.pem");
    std::fs::write(&marked, [b"\xef\xbb\xbf".as_slice(), &pem].concat()).unwrap();
    assert_eq!(trusting(&server, &marked).await.unwrap().body, b"{}");
    let der = folder.path().join("root.cer");
    std::fs::write(&der, CertificateDer::pem_slice_iter(&pem).last().unwrap().unwrap()).unwrap();
    assert_eq!(trusting(&server, &der).await.unwrap().body, b"{}");
}

#[tokio::test]
async fn a_certificate_that_vouches_for_itself_is_trusted_by_name_and_an_authority_as_server_is_explained() {
    let server = over_tls_as("self_signed", OK.to_vec()).await;
    assert_eq!(trusting(&server, &certificate("self_signed")).await.unwrap().body, b"{}");
    let server = over_tls_as("own_authority", OK.to_vec()).await;
    let failure = trusting(&server, &certificate("own_authority")).await.unwrap_err();
    assert!(failure.text.contains("is its own authority") && failure.text.contains("CA:FALSE"), "{}", failure.text);
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
