//! The listener for bookings under attack: what docs/threat-model.md promises of it, tried.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::site::{Door, Site, builtin, code, guid, postgres, request};

fn address(site: &Site) -> &str {
    site.url.strip_prefix("http://").unwrap()
}

/// Says this and gives the first line of the answer, or nothing where the connection is closed without one.
async fn hears(site: &Site, text: &str) -> String {
    let mut stream = TcpStream::connect(address(site)).await.unwrap();
    // The listener may close before all is said.
    let _said = stream.write_all(text.as_bytes()).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_buf(&mut answer)).await;
    let _closed = read.expect("an answer or an end");
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

/// A caller behind a proxy that is not trusted, or one who writes the header himself, is who he is.
#[tokio::test]
async fn no_header_makes_a_stranger_the_gateway() {
    let hospital = builtin().await;
    let door = Door { allow: vec!["10.86.6.189"], proxies: vec!["127.0.0.9"], ..Door::default() };
    let site = hospital.open_behind(door).await;
    for lie in [
        "X-Forwarded-For: 10.86.6.189",
        "X-Forwarded-For: 10.86.6.189, 127.0.0.9",
        "X-Real-IP: 10.86.6.189",
        "Forwarded: for=10.86.6.189",
        "X-Forwarded-For: 10.86.6.189\r\nX-Forwarded-For: 10.86.6.189",
    ] {
        let heard = hears(&site, &format!("GET /booking/book HTTP/1.1\r\nhost: h\r\n{lie}\r\n\r\n")).await;
        assert!(heard.starts_with("HTTP/1.1 404"), "{lie}: {heard}");
    }
}

/// A recorded request that is sent again books nothing more, and cancels nothing twice.
#[tokio::test]
async fn a_replay_changes_nothing() {
    let hospital = postgres().await;
    let site = hospital.open().await;
    let first = site.book(&hospital.slots[0], &hospital.patients[0]).await;
    for _ in 0..20 {
        let again = site.book(&hospital.slots[0], &hospital.patients[0]).await;
        assert_eq!((code(&again), &again["book_ext_id"]), (0, &first["book_ext_id"]));
    }
    let cancelled: Vec<u64> = [
        site.cancel(&first["book_ext_id"], &hospital.patients[0]).await,
        site.cancel(&first["book_ext_id"], &hospital.patients[0]).await,
    ]
    .map(|answer| code(&answer))
    .into();
    assert_eq!(cancelled, [0, 1]);
}

/// What an allowed address can do by number: all are answered in time, and who comes next is served.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_an_allowed_address_is_answered_and_others_are_served_after_it() {
    let hospital = postgres().await;
    let site = hospital.open().await;
    let bodies: Vec<Value> =
        (0..1000).map(|number| request(&guid(6, 1 + number % 30), &guid(9, number), Value::Null)).collect();
    let codes = join_all(bodies.iter().map(|body| async { code(&site.post("/booking/book", body).await.1) })).await;
    let booked = codes.iter().filter(|code| **code == 0).count();
    assert!(booked <= 30, "a slot was given away twice: {booked}");
    assert!(codes.iter().all(|code| [0, 11, 18].contains(code)), "{codes:?}");
    let next = site.book(&hospital.slots[35], &guid(9, 5000)).await;
    assert_eq!(code(&next), 0, "{next}");
}

/// Bodies that lie about their length, never end, nest without end or are no text.
#[tokio::test]
async fn bodies_that_are_made_to_hurt_are_refused() {
    let hospital = builtin().await;
    let site = hospital.open().await;
    let post = |headers: &str, body: &str| format!("POST /booking/book HTTP/1.1\r\nhost: h\r\n{headers}\r\n\r\n{body}");
    let nested = "[".repeat(60_000);
    let endless = format!("10000\r\n{}\r\n", "x".repeat(0x10000)).repeat(4);
    for (text, heard) in [
        (post("content-length: 9999999999999", "{}"), "HTTP/1.1 4"),
        (post("content-length: 5\r\ncontent-length: 50", "{}"), "HTTP/1.1 400"),
        (post("content-length: -1", "{}"), "HTTP/1.1 400"),
        (post("transfer-encoding: chunked", &endless), "HTTP/1.1 413"),
        (post("transfer-encoding: chunked", "zz\r\n{}\r\n0\r\n\r\n"), "HTTP/1.1 4"),
        (post(&format!("content-length: {}", nested.len()), &nested), "HTTP/1.1 400"),
        (post("content-length: 50\r\nexpect: 100-continue", ""), "HTTP/1.1 "),
        ("\0\u{1}\u{2}\r\n\r\n".to_owned(), "HTTP/1.1 400"),
        (post(&"x: y\r\n".repeat(80), "{}"), "HTTP/1.1 431"),
        (post(&format!("x: {}", "y".repeat(100 << 10)), "{}"), "HTTP/1.1 431"),
    ] {
        let said = hears(&site, &text).await;
        assert!(said.starts_with(heard), "{}: {said}", text.chars().take(80).collect::<String>());
    }
    assert!(site.status().answered.is_empty(), "none of them came to the desk");
}
