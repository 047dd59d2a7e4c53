//! A sink that answers as a FER gateway does and does no more than a receiver must: it inflates, parses, and acknowledges every id.
//! A process of its own, so that its work is not counted as anybody's. Prints the port it listens on.
//!
//! `GET /count` tells per feed: requests, records, bytes before and after compression, and a sum of hashes of the ids, by which two
//! senders can be seen to have sent the same records in whatever order.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libdeflater::Decompressor;
use serde::{Deserialize, Serialize};
use serde_json::json;
use xxhash_rust::xxh3::xxh3_64;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Largest body that is inflated.
const BODY_LIMIT: usize = 64 << 20;

#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Count {
    requests: u64,
    records: u64,
    raw_bytes: u64,
    sent_bytes: u64,
    digest: u64,
}

/// Counts by feed.
#[derive(Default)]
struct Counts(Mutex<BTreeMap<String, Count>>);

#[derive(Deserialize)]
struct Upsert<'a> {
    #[serde(borrow)]
    data: Vec<Record<'a>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    id: &'a str,
}

struct Request {
    line: String,
    packed: bool,
    body: Vec<u8>,
}

fn main() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let counts = Arc::new(Counts::default());
    for socket in listener.incoming() {
        let (socket, counts) = (socket?, Arc::clone(&counts));
        std::thread::spawn(move || {
            if let Err(error) = serve(socket, &counts) {
                eprintln!("sink: {error}");
            }
        });
    }
    Ok(())
}

/// Answers the requests of one connection until it ends.
fn serve(mut socket: TcpStream, counts: &Counts) -> Outcome {
    socket.set_nodelay(true)?;
    let mut input = BufReader::with_capacity(64 * 1024, socket.try_clone()?);
    let mut inflated = Vec::new();
    while let Some(request) = read(&mut input)? {
        let words: Vec<&str> = request.line.split_whitespace().collect();
        let answer = match words[..] {
            ["GET", "/count", _] => serde_json::to_string(&*counts.lock())?,
            ["POST", "/auth.svc", _] => token(),
            ["POST", path, _] if path.starts_with("/api/") => {
                let json = inflate(&request, &mut inflated)?;
                accept(&path["/api/".len()..], json, request.body.len(), counts)?
            }
            _ => return Err(format!("no answer to {}", request.line).into()),
        };
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", answer.len());
        socket.write_all(&[head.as_bytes(), answer.as_bytes()].concat())?;
    }
    Ok(())
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next request; none when the peer has hung up.
fn read(input: &mut impl BufRead) -> Outcome<Option<Request>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let (mut header, mut length, mut packed) = (String::new(), 0, false);
    loop {
        header.clear();
        input.read_line(&mut header)?;
        let Some((name, value)) = header.split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse()?,
            "content-encoding" => packed = value == "gzip",
            "transfer-encoding" => return Err("bodies of unknown length are not taken".into()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(Some(Request { line, packed, body }))
}

/// The body as JSON.
fn inflate<'a>(request: &'a Request, room: &'a mut Vec<u8>) -> Outcome<&'a [u8]> {
    if !request.packed {
        return Ok(&request.body);
    }
    // The last four bytes of a gzip stream hold its inflated length.
    let length = request.body.last_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
    room.resize(length.min(BODY_LIMIT), 0);
    let inflated = Decompressor::new().gzip_decompress(&request.body, room)?;
    Ok(&room[..inflated])
}

fn token() -> String {
    json!({
        "result": {"value": "bench", "validTo": "2099-01-01T00:00:00Z"},
        "isSuccess": true, "errorMessage": "", "statusCode": 200,
    })
    .to_string()
}

/// Counts an upsert; answers that all of it was stored.
fn accept(feed: &str, json: &[u8], sent_bytes: usize, counts: &Counts) -> Outcome<String> {
    let upsert: Upsert = serde_json::from_slice(json)?;
    let ids: Vec<&str> = upsert.data.iter().map(|record| record.id).collect();
    let digest = ids.iter().fold(0u64, |sum, id| sum.wrapping_add(xxh3_64(id.as_bytes())));
    let mut counts = counts.lock();
    let count = counts.entry(feed.to_owned()).or_default();
    count.requests += 1;
    count.records += ids.len() as u64;
    count.raw_bytes += json.len() as u64;
    count.sent_bytes += sent_bytes as u64;
    count.digest = count.digest.wrapping_add(digest);
    drop(counts);
    let answer = json!({"isSuccess": true, "error": null, "errors": null, "sendedGuids": ids, "statusCode": 200});
    Ok(answer.to_string())
}
