//! Who comes in, how, and what is left of it: callers, TLS, limits, logs.

use std::time::Duration;

use reqwest::{Certificate, Client, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vitrina::serve::booking::TlsFiles;

use super::site::{Door, builtin, code, guid, postgres, request};
use crate::support::mart::send;
use crate::support::tls;
use crate::support::traces::Traces;

#[tokio::test]
async fn the_gateway_finds_somebody_and_both_verbs() {
    let hospital = builtin().await;
    let site = hospital.open().await;
    let present = site.client.get(format!("{}/booking/book", site.url)).send().await.unwrap();
    assert_eq!(present.status(), 200);
    for (method, path) in
        [("GET", "/booking/cancel"), ("PUT", "/booking/book"), ("GET", "/"), ("POST", "/booking/books")]
    {
        let request = site.client.request(method.parse().unwrap(), format!("{}{path}", site.url));
        assert_eq!(send(request).await, (StatusCode::NOT_FOUND, Value::Null), "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_400_and_what_lacks_its_fields_is_18() {
    let hospital = builtin().await;
    let site = hospital.open().await;
    for path in ["/booking/book", "/booking/cancel"] {
        let malformed = site.client.post(format!("{}{path}", site.url)).body("{\"slot_id\": «1»}");
        assert_eq!(send(malformed).await.0, StatusCode::BAD_REQUEST, "{path}");
        for body in [json!({}), json!([]), json!({"slot_id": null, "patient_id": ""})] {
            let (status, answer) = site.post(path, &body).await;
            assert_eq!((status, code(&answer)), (StatusCode::OK, 18), "{path} {body}");
            assert_eq!(answer["status"]["status_message"], "Несоответствие в переданных данных для записи");
        }
    }
}

#[tokio::test]
async fn who_may_not_call_hears_what_nobody_would_say() {
    let hospital = builtin().await;
    let site = hospital.open_behind(Door { allow: vec!["10.86.6.189"], ..Door::default() }).await;
    for (method, path) in [("GET", "/booking/book"), ("POST", "/booking/book"), ("GET", "/")] {
        let request = site.client.request(method.parse().unwrap(), format!("{}{path}", site.url));
        let request = request.header("x-forwarded-for", "10.86.6.189").json(&request_of(&hospital.slots[0]));
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status(), answer.headers().get("content-type")), (StatusCode::NOT_FOUND, None), "{path}");
        assert!(answer.bytes().await.unwrap().is_empty());
    }
    let status = site.status();
    assert_eq!((status.refused_callers, status.last_refused_caller.as_deref()), (3, Some("127.0.0.1")));
    assert!(status.answered.is_empty());
}

fn request_of(slot: &str) -> Value {
    request(slot, &guid(9, 1), Value::Null)
}

#[tokio::test]
async fn a_trusted_proxy_speaks_for_the_gateway() {
    let hospital = builtin().await;
    let door = Door { allow: vec!["10.86.6.189"], proxies: vec!["127.0.0.1"], ..Door::default() };
    let site = hospital.open_behind(door).await;
    for (forwarded, expected) in [("203.0.113.9, 10.86.6.189", 200), ("10.86.6.189, 203.0.113.9", 404)] {
        let request = site.client.get(format!("{}/booking/book", site.url)).header("x-forwarded-for", forwarded);
        assert_eq!(send(request).await.0, expected, "{forwarded}");
    }
}

#[tokio::test]
async fn with_a_certificate_the_listener_speaks_tls_only() {
    let hospital = builtin().await;
    let folder = tls::roots().parent().unwrap().to_owned();
    let files = TlsFiles { cert: folder.join("server.pem"), key: folder.join("server.key") };
    let site = hospital.open_behind(Door { tls: Some(files), ..Door::default() }).await;
    let roots = Certificate::from_pem_bundle(&std::fs::read(tls::roots()).unwrap()).unwrap();
    let client = Client::builder().no_proxy().tls_certs_only(roots).build().unwrap();
    let (status, answer) = send(client.post(format!("{}/booking/book", site.url)).json(&request_of("x"))).await;
    assert_eq!((status, code(&answer)), (StatusCode::OK, 18));
    let plain = client.get(format!("{}/booking/book", site.url.replace("https", "http"))).send().await;
    assert!(plain.is_err(), "{plain:?}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named_by_its_key() {
    let folder = tls::roots().parent().unwrap().to_owned();
    let missing = TlsFiles { cert: folder.join("server.pem"), key: folder.join("nothing.key") };
    assert!(missing.check().unwrap_err().to_string().starts_with("booking.tls_key_file: "));
    let empty = TlsFiles { cert: folder.join("server.key"), key: folder.join("server.key") };
    assert!(empty.check().unwrap_err().to_string().contains("holds no certificate"));
}

#[tokio::test]
async fn a_body_that_is_too_large_or_never_ends_is_not_waited_for() {
    let hospital = builtin().await;
    let site = hospital.open_behind(Door { max_body: 5000, ..Door::default() }).await;
    let large = json!({"slot_id": "x".repeat(6000)});
    assert_eq!(site.post("/booking/book", &large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let mut stream = TcpStream::connect(site.url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(b"POST /booking/book HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
    let mut answer = vec![0; 12];
    let read = tokio::time::timeout(Duration::from_secs(8), stream.read_exact(&mut answer)).await;
    read.expect("an answer in time").unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let hospital = builtin().await;
    let address = |url: &str| url.strip_prefix("http://").unwrap().to_owned();
    let site = hospital.open_behind(Door { connections: 8, ..Door::default() }).await;
    let address = address(&site.url);
    let mut open = Vec::new();
    let refused = loop {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"GET /booking/book HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        match stream.read(&mut answer).await {
            Ok(12) => open.push(stream),
            _ => break open.len(),
        }
        assert!(open.len() < 20, "no limit");
    };
    assert_eq!(refused, 8);
    drop(open);
}

#[tokio::test]
async fn strangers_take_none_of_the_gateways_connections() {
    let hospital = builtin().await;
    let site = hospital.open_behind(Door { connections: 8, ..Door::default() }).await;
    let address: std::net::SocketAddr = site.url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut strangers = Vec::new();
    for _ in 0..40 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        strangers.push(socket.connect(address).await.unwrap());
    }
    let present = site.client.get(format!("{}/booking/book", site.url)).send().await.unwrap();
    assert_eq!(present.status(), 200, "the gateway's own are free");
    let mut closed = 0;
    for stranger in &mut strangers {
        let read = tokio::time::timeout(Duration::from_millis(100), stranger.read(&mut [0; 1])).await;
        closed += usize::from(matches!(read, Ok(Ok(0) | Err(_))));
    }
    assert_eq!(closed, 24, "sixteen may stay");
}

#[tokio::test]
async fn what_is_counted_and_remembered_names_nobody() {
    let hospital = builtin().await;
    let site = hospital.open().await;
    site.book(&hospital.slots[0], &hospital.patients[0]).await;
    site.book(&hospital.slots[0], &hospital.patients[1]).await;
    let metrics = site.metrics.text().unwrap();
    for series in [
        "vitrina_booking_requests_total{code=\"0\",verb=\"book\"} 1",
        "vitrina_booking_requests_total{code=\"11\",verb=\"book\"} 1",
        "vitrina_booking_duration_seconds_count{verb=\"book\"} 2",
    ] {
        assert!(metrics.contains(series), "{metrics}");
    }
    let status = serde_json::to_value(site.status()).unwrap();
    assert_eq!((&status["last"][0]["code"], &status["last"][1]["code"]), (&json!(11), &json!(0)));
    assert_eq!(status["last"][0]["slot"], json!(hospital.slots[0]));
    let shown = status.to_string();
    assert!(hospital.patients.iter().all(|patient| !shown.contains(patient)));
}

#[tokio::test]
async fn nothing_of_a_person_is_traced_whatever_goes_wrong() {
    let mut hospital = postgres().await;
    let (traces, _guard) = Traces::capture();
    let site = hospital.open().await;
    let mut body = request(&hospital.slots[0], "broken-patient-77", json!("case-4711"));
    body["email"] = json!("secret@example.ru");
    body["mobile_phone"] = json!("+79990001122");
    let (_, answer) = site.post("/booking/book", &body).await;
    assert_eq!(code(&answer), 18, "the function raises an error that names the patient");
    body["patient_id"] = json!("fine-patient-78");
    let (_, answer) = site.post("/booking/book", &body).await;
    assert_eq!(code(&answer), 0);
    site.cancel(&answer["book_ext_id"], "fine-patient-78").await;
    hospital.config.book = vec!["SELECT 0 AS status_code, :lastname AS visit_time".into()];
    let senseless = hospital.open().await;
    senseless.post("/booking/book", &body).await;
    let malformed = site.client.post(format!("{}/booking/book", site.url)).body("{\"lastname\": \"Иванова\"");
    send(malformed).await;
    let text = traces.text();
    assert!(text.contains("answered") && text.contains("raised an error of its own"), "{text}");
    assert!(text.contains("its body is no JSON in UTF-8"), "{text}");
    assert!(text.contains("visit_time is missing or no time") || text.contains("book_ext_id is missing"), "{text}");
    // What the test's own client says of its requests is not ours.
    let ours: String = text.lines().filter(|line| line.contains("vitrina")).collect();
    for secret in [
        "Иванова",
        "Анна",
        "11147535028",
        "11080835497",
        "1999-10-10",
        "broken-patient",
        "fine-patient",
        "4711",
        "secret@",
        "79990001122",
    ] {
        assert!(!ours.contains(secret), "{secret} in {ours}");
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
