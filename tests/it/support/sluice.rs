//! A slow line to a portal: bytes towards it are held back in the middle of an upload until somebody opens the sluice.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A relay that lets only so much of each connection through while it is shut.
pub struct Sluice {
    pub address: SocketAddr,
    /// Connections that have sent all that a shut sluice lets through.
    stuck: Arc<AtomicU64>,
    open: watch::Sender<bool>,
}

impl Sluice {
    /// A shut one before `target`: `passes` bytes of each connection go through.
    pub async fn before(target: SocketAddr, passes: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, opened) = watch::channel(false);
        let stuck = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&stuck);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(portal) = TcpStream::connect(target).await else { return };
                let (from_client, mut to_client) = client.into_split();
                let (mut from_portal, to_portal) = portal.into_split();
                tokio::spawn(upstream(from_client, to_portal, passes, opened.clone(), Arc::clone(&counted)));
                tokio::spawn(async move { copy(&mut from_portal, &mut to_client).await });
            }
        });
        Sluice { address, stuck, open }
    }

    /// Uploads that are in the middle.
    pub fn stuck(&self) -> u64 {
        self.stuck.load(Ordering::Relaxed)
    }

    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

async fn upstream(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    passes: usize,
    mut opened: watch::Receiver<bool>,
    stuck: Arc<AtomicU64>,
) -> io::Result<()> {
    let (mut passed, mut buffer) = (0, vec![0; 16 << 10]);
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        if passed + read > passes && !*opened.borrow() {
            stuck.fetch_add(1, Ordering::Relaxed);
            let ended = opened.wait_for(|open| *open).await.is_err();
            stuck.fetch_sub(1, Ordering::Relaxed);
            if ended {
                return Ok(());
            }
        }
        to.write_all(&buffer[..read]).await?;
        passed += read;
    }
}
