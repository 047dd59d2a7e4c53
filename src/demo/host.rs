//! A mock portal on an address of this process.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a stopping mock waits for requests that are being answered.
const DRAIN: Duration = Duration::from_secs(5);

/// A mock that listens until this is dropped.
#[derive(Debug)]
pub struct Host {
    /// The address, with the port that was picked.
    pub addr: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<io::Result<()>>,
}

impl Host {
    /// Serves routes on an address; port 0 picks a free one.
    pub async fn start(listen: SocketAddr, routes: Router) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let addr = listener.local_addr()?;
        let stop = CancellationToken::new();
        let server = axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned()).into_future();
        Ok(Host { addr, stop, server: tokio::spawn(server) })
    }

    /// Stops listening, lets requests that are being answered finish (at most five seconds), then ends.
    pub async fn shutdown(mut self) -> io::Result<()> {
        self.stop.cancel();
        match tokio::time::timeout(DRAIN, &mut self.server).await {
            Ok(ended) => ended.map_err(io::Error::other)?,
            Err(_) => {
                self.server.abort();
                Ok(())
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
