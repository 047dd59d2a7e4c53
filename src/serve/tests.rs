//! What a caller of a listener can take, over real connections and a clock that jumps whenever all wait.

use std::net::Ipv4Addr;

use axum::body::Bytes;
use axum::routing::post;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use super::*;

/// A listener with a page and a form.
async fn listening() -> SocketAddr {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.address;
    let router = Router::new().route("/", get(|| async { "page" })).route("/", post(|_: Bytes| async { "taken" }));
    tokio::spawn(listener.serve(router, CancellationToken::new()));
    address
}

/// Says this and gives what comes back until the listener closes, and after how long it does.
async fn says(text: &str) -> (String, Duration) {
    let mut stream = TcpStream::connect(listening().await).await.unwrap();
    let begun = Instant::now();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // What was said may not have been read to its end: then the connection is reset behind the answer.
    let _reset = stream.read_to_end(&mut answer).await;
    (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_or_never_ends_his_headers_is_let_go() {
    for text in ["", "GET / HTTP/1.1\r\nhost: h\r\nx: y\r\n"] {
        let (answer, after) = says(text).await;
        assert!(!answer.contains("page") && after.as_secs() == 30, "{after:?} {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_nothing_more_is_closed() {
    let (answer, after) = says("GET / HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert!(answer.ends_with("page") && after.as_secs() == 30, "{after:?} {answer}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let (answer, after) = says("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\nhalf").await;
    assert!(answer.starts_with("HTTP/1.1 408") && after.as_secs() >= 30, "{after:?} {answer}");
}

#[tokio::test(start_paused = true)]
async fn a_body_without_end_is_cut() {
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let body = chunk.repeat(20);
    let (answer, _) = says(&format!("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n{body}")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn headers_beyond_number_and_size_are_refused() {
    let many = "x: y\r\n".repeat(65);
    let large = format!("x: {}\r\n", "y".repeat(80 << 10));
    for headers in [many, large] {
        let (answer, _) = says(&format!("GET / HTTP/1.1\r\nhost: h\r\n{headers}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}

#[tokio::test]
async fn one_address_cannot_take_all_places() {
    let address = listening().await;
    let mut flood = Vec::new();
    for _ in 0..CONNECTIONS + 50 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into()).unwrap();
        flood.push(socket.connect(address).await.unwrap());
    }
    let mut other = TcpStream::connect(address).await.unwrap();
    other.write_all(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    let mut answer = [0; 15];
    other.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}
