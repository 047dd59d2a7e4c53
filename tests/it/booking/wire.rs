//! A way to a database server that can be cut, held, or made deaf to COMMIT.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vitrina::source::SourceSettings;

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// Carries everything.
    Open,
    /// Carries nothing and says nothing.
    Silent,
    /// Ends every connection.
    Away,
    /// Carries everything but the answer to COMMIT, and ends there.
    CutAtCommit,
}

/// The way.
#[derive(Clone)]
pub struct Wire(Arc<AtomicU8>);

impl Wire {
    /// Puts a way between these settings and their server.
    pub async fn before(settings: &mut SourceSettings) -> Wire {
        let server = settings.url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        settings.url = settings.url.replace(&server, &listener.local_addr().unwrap().to_string());
        let wire = Wire(Arc::new(AtomicU8::new(Mode::Open as u8)));
        let carries = wire.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carries.clone().carry(client, server.clone()));
            }
        });
        wire
    }

    pub fn set(&self, mode: Mode) {
        self.0.store(mode as u8, Ordering::SeqCst);
    }

    fn is(&self, mode: Mode) -> bool {
        self.0.load(Ordering::SeqCst) == mode as u8
    }

    async fn carry(self, mut client: TcpStream, server: String) {
        if self.is(Mode::Away) {
            return;
        }
        let mut server = TcpStream::connect(&server).await.unwrap();
        let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
        let mut committing = false;
        loop {
            let (from, length) = tokio::select! {
                read = client.read(&mut asked) => (true, read.unwrap_or(0)),
                read = server.read(&mut answered) => (false, read.unwrap_or(0)),
            };
            if length == 0 || self.is(Mode::Away) {
                return;
            }
            if self.is(Mode::Silent) {
                // For ever: what was held is not carried later.
                return std::future::pending().await;
            }
            if from {
                committing = self.is(Mode::CutAtCommit) && asked[..length].windows(6).any(|word| word == b"COMMIT");
                server.write_all(&asked[..length]).await.unwrap();
            } else if committing || client.write_all(&answered[..length]).await.is_err() {
                return;
            }
        }
    }
}
