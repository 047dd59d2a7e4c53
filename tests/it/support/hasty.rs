//! A portal of documents that refuses a token before it has read what comes with it. It goes on reading that body only when the next attempt
//! has begun, and reads that one when the first has ended: both are on their way at once.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How far both attempts have got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stage {
    attempts: u32,
    /// All of the first attempt that will ever come is here.
    first_ended: bool,
}

/// The portal.
pub struct Hasty {
    pub address: SocketAddr,
    stage: watch::Sender<Stage>,
    arrived: Mutex<Vec<u8>>,
}

impl Hasty {
    pub async fn start() -> Arc<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stage, arrived) = (watch::Sender::default(), Mutex::default());
        let hasty = Arc::new(Hasty { address, stage, arrived });
        let serving = Arc::clone(&hasty);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let hasty = Arc::clone(&serving);
                // What a client breaks off is no fault here.
                tokio::spawn(async move { drop(hasty.serve(BufReader::new(stream)).await) });
            }
        });
        hasty
    }

    /// The body of the second attempt.
    pub fn arrived(&self) -> Vec<u8> {
        self.arrived.lock().unwrap().clone()
    }

    async fn serve(&self, mut stream: BufReader<TcpStream>) -> std::io::Result<()> {
        while let Some((target, length)) = head(&mut stream).await? {
            if target == "/token" {
                copy(&mut (&mut stream).take(length), &mut sink()).await?;
                answer(&mut stream, "200 OK", r#"{"token":"t"}"#).await?;
                continue;
            }
            self.stage.send_modify(|stage| stage.attempts += 1);
            if self.stage.borrow().attempts == 1 {
                answer(&mut stream, "401 Unauthorized", "").await?;
                self.reached(|stage| stage.attempts > 1).await;
                drop(copy(&mut (&mut stream).take(length), &mut sink()).await);
                self.stage.send_modify(|stage| stage.first_ended = true);
                return Ok(());
            }
            self.reached(|stage| stage.first_ended).await;
            let mut body = Vec::new();
            (&mut stream).take(length).read_to_end(&mut body).await?;
            *self.arrived.lock().unwrap() = body;
            answer(&mut stream, "201 Created", r#"{"id":"d-1"}"#).await?;
        }
        Ok(())
    }

    async fn reached(&self, stage: impl FnMut(&Stage) -> bool) {
        drop(self.stage.subscribe().wait_for(stage).await);
    }
}

/// The target of a request and the length of its body; none when no more come.
async fn head(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<(String, u64)>> {
    let (mut target, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            return Ok(target.map(|target| (target, length)));
        }
        target = target.or_else(|| line.split(' ').nth(1).map(str::to_owned));
        length = line.strip_prefix("content-length: ").map_or(length, |length| length.parse().unwrap());
    }
}

async fn answer(stream: &mut BufReader<TcpStream>, status: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.get_mut().write_all(head.as_bytes()).await
}
