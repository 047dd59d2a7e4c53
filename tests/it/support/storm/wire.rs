//! HTTP/1.1 by hand, as far as a receiver needs it that must be able to break it at any byte.

use std::io::Write as _;
use std::time::{Duration, Instant};

use libdeflater::{CompressionLvl, Compressor};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Most bytes of a request's head, and of its body.
const HEAD_LIMIT: usize = 64 << 10;
const BODY_LIMIT: usize = 64 << 20;
/// A client that stays silent in the middle of a request for so long is gone.
const SILENCE: Duration = Duration::from_secs(10);

/// A connection of the client.
pub type Connection = BufReader<TcpStream>;

/// The head of a request.
#[derive(Debug, Clone)]
pub struct Head {
    /// When its first byte was there.
    pub at: Instant,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn length(&self) -> usize {
        self.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)
    }
}

/// An answer as it would go out in peace.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn new(status: u16, media: &str, body: impl Into<Vec<u8>>) -> Self {
        Answer { status, headers: vec![("content-type", media.to_owned())], body: body.into() }
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// The head, for a body of this many bytes.
    pub fn head(&self, length: usize) -> Vec<u8> {
        let mut head = self.open_head();
        write!(head, "content-length: {length}\r\n\r\n").unwrap();
        head
    }

    /// The head without the line that says how long the body is, and without its end.
    pub fn open_head(&self) -> Vec<u8> {
        let date = chrono::Utc::now().format("%a, %d %b %Y %H:%M:%S GMT");
        let mut head = format!("HTTP/1.1 {} Storm\r\ndate: {date}\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head
    }

    pub fn bytes(&self) -> Vec<u8> {
        [self.head(self.body.len()), self.body.clone()].concat()
    }
}

/// The next request's head; none when the client has gone, or speaks no HTTP.
pub async fn read_head(connection: &mut Connection) -> Option<Head> {
    connection.fill_buf().await.ok().filter(|bytes| !bytes.is_empty())?;
    let at = Instant::now();
    let rest = tokio::time::timeout(SILENCE, read_lines(connection)).await.ok()??;
    let mut lines = rest.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let header =
        |line: &str| line.split_once(':').map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned()));
    Some(Head { at, method, target, headers: lines.filter_map(header).collect() })
}

async fn read_lines(connection: &mut Connection) -> Option<String> {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        let read = (&mut *connection).take(HEAD_LIMIT as u64).read_line(&mut text).await.ok()?;
        if read == 0 || text.len() > HEAD_LIMIT {
            return None;
        }
    }
    Some(text)
}

/// The whole body; none when it did not come.
pub async fn read_body(connection: &mut Connection, head: &Head) -> Option<Vec<u8>> {
    let length = head.length();
    assert!(length <= BODY_LIMIT, "a request of {length} bytes");
    let mut body = vec![0; length];
    tokio::time::timeout(SILENCE, connection.read_exact(&mut body)).await.ok()?.ok()?;
    Some(body)
}

/// Writes and says whether everything went out.
pub async fn write(connection: &mut Connection, bytes: &[u8]) -> bool {
    let stream = connection.get_mut();
    let written = async { stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok() };
    tokio::time::timeout(SILENCE, written).await.unwrap_or(false)
}

/// Ends the connection, if asked so that the client sees it reset.
pub fn end(connection: Connection, reset: bool) {
    if reset {
        let _ = connection.get_ref().set_zero_linger();
    }
    drop(connection);
}

/// Compressed by C code, which is quick without optimization too.
pub fn gzip(body: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::fastest());
    let mut packed = vec![0; compressor.gzip_compress_bound(body.len())];
    let length = compressor.gzip_compress(body, &mut packed).unwrap();
    packed.truncate(length);
    packed
}
