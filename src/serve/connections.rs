//! Connections: what every listener grants a caller, and no more: a time to say what it wants, so many headers, a time to take the answer, a
//! place among a number of connections.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::map_request;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::patience::Patient;

/// How long a connection may take to say what it wants, the time between two requests included.
const HEADER_PATIENCE: Duration = Duration::from_secs(30);
/// How long a TLS handshake may take.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(5);
/// How long a caller may take to read an answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// Most headers, and most bytes of them.
const MOST_HEADERS: usize = 64;
const HEADER_BYTES: usize = 32 << 10;
/// How long a connection that has not yet asked anything when the listener ends may take to do so: its caller knows of no end.
const FIRST_WORD: Duration = Duration::from_secs(1);
/// Pause after the system refused a connection: it has no more file descriptors, and asking at once would not give it any.
const BREATH: Duration = Duration::from_millis(100);

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Answers by these routes until `stop` comes, then finishes what is under way. `room` gives a caller a place, if there is one.
pub(super) async fn serve<P: Send + 'static>(
    socket: Arc<TcpListener>,
    tls: Option<TlsAcceptor>,
    router: Router,
    room: impl Fn(IpAddr) -> Option<P>,
    stop: CancellationToken,
) {
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = socket.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        // No room: the connection is closed at once, which tells the caller sooner than silence does.
        let Some(place) = room(peer.ip()) else { continue };
        let router = router.clone().layer(Extension(Peer(peer)));
        open.spawn(converse(stream, tls.clone(), router, place, stop.clone()));
    }
    drop(socket);
    open.close();
    open.wait().await;
}

/// One connection to its end.
async fn converse<P>(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, place: P, stop: CancellationToken) {
    let _small_answers_go_at_once = stream.set_nodelay(true);
    match tls {
        None => answer(stream, router, stop).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE_PATIENCE, tls.accept(stream)).await {
                answer(stream, router, stop).await;
            }
        }
    }
    drop(place);
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_PATIENCE).max_headers(MOST_HEADERS);
    http.max_buf_size(HEADER_BYTES);
    let has_asked = Arc::new(AtomicBool::new(false));
    let asks = Arc::clone(&has_asked);
    let router = router.layer(map_request(move |request: Request| {
        asks.store(true, Ordering::Relaxed);
        std::future::ready(request)
    }));
    let conversation =
        http.serve_connection(TokioIo::new(Patient::new(stream, ANSWER_PATIENCE)), TowerToHyperService::new(router));
    tokio::pin!(conversation);
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            // How a caller's connection ends is the caller's affair.
            _ = conversation.as_mut() => return,
            () = last_call(&stop, &has_asked), if !stopping => {
                stopping = true;
                conversation.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Comes when the listener ends, and a little later to a connection that was opened right before.
async fn last_call(stop: &CancellationToken, has_asked: &AtomicBool) {
    stop.cancelled().await;
    if !has_asked.load(Ordering::Relaxed) {
        tokio::time::sleep(FIRST_WORD).await;
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test]
    async fn a_caller_that_came_right_before_the_end_is_answered() {
        let socket = Arc::new(TcpListener::bind("127.0.0.1:0").await.expect("a port"));
        let address = socket.local_addr().expect("an address");
        let (let_in, mut came) = unbounded_channel();
        let room = move |_| let_in.send(()).ok();
        let stop = CancellationToken::new();
        let router = Router::new().route("/", get(async || "well"));
        let serving = tokio::spawn(serve(socket, None, router, room, stop.clone()));
        let mut caller = TcpStream::connect(address).await.expect("a connection");
        came.recv().await;
        stop.cancel();
        caller.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it is open");
        let mut answer = String::new();
        caller.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("well"), "{answer:?}");
        serving.await.expect("it ends");
    }
}
