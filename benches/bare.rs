//! The bare line: what Vitrina's job costs when nothing is checked, remembered on disk, retried or limited. It stands for the best
//! that plain Rust can do on the machine at hand: blocking sockets, rows cut out of the wire, one encoding, one compressor a thread.
//!
//! `bare load DATABASE SINK` sends every slot. `bare rescan DATABASE SINK` first reads all slots to remember their hashes, says
//! `ready`, waits for a line on its input, then reads again and sends those that differ. Only the second read is measured.
//! DATABASE is `host:port/name`, of a server that trusts the user postgres; SINK is `host:port`.

use std::collections::HashMap;
use std::error::Error;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use libdeflater::{CompressionLvl, Compressor};
use xxhash_rust::xxh3::xxh3_128;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const QUERY: &str = "COPY (SELECT id, mo_id, resource_id, tag_type, tag_age, visit_time, duration, status, create_ts \
                     FROM vitrina_fer_slot) TO STDOUT (FORMAT BINARY)";
const BATCH: usize = 1000;
const IN_FLIGHT: usize = 4;
/// The copy's header: signature, flags, length of the extension.
const HEADER: usize = 19;
/// PostgreSQL counts from 2000-01-01.
const EPOCH_SECONDS: i64 = 946_684_800;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["load", database, sink] => load(database, sink),
        ["rescan", database, sink] => rescan(database, sink),
        _ => Err("usage: bare load|rescan HOST:PORT/DATABASE HOST:PORT".into()),
    }
}

fn load(database: &str, sink: &str) -> Outcome {
    let cost = Cost::start()?;
    let mut portal = Portal::connect(sink)?;
    let rows = scan(database, |_, body| portal.push(body))?;
    let sent = portal.finish()?;
    cost.print("load", rows, sent)
}

fn rescan(database: &str, sink: &str) -> Outcome {
    let mut index: HashMap<u128, u128, BuildHasherDefault<Folded>> = HashMap::default();
    let building = Cost::start()?;
    let rows = scan(database, |key, body| {
        index.insert(key, xxh3_128(body));
        Ok(())
    })?;
    building.print("index", rows, 0)?;
    println!("ready");
    std::io::stdin().read_line(&mut String::new())?;

    let cost = Cost::start()?;
    let mut portal = Portal::connect(sink)?;
    let rows = scan(database, |key, body| {
        let hash = xxh3_128(body);
        match index.insert(key, hash) {
            Some(known) if known == hash => Ok(()),
            _ => portal.push(body),
        }
    })?;
    let sent = portal.finish()?;
    cost.print("rescan", rows, sent)
}

/// Keys are random already.
#[derive(Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = (key >> 64) as u64 ^ key as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Reads all slots; gives `take` each one's key and JSON. Answers how many there were.
fn scan(database: &str, mut take: impl FnMut(u128, &[u8]) -> Outcome) -> Outcome<u64> {
    let (address, name) = database.split_once('/').ok_or("DATABASE lacks a name")?;
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(&message(None, &[&[0, 3, 0, 0], format!("user\0postgres\0database\0{name}\0\0").as_bytes()]))?;
    socket.write_all(&message(Some(b'Q'), &[QUERY.as_bytes(), b"\0"]))?;
    let (mut buffer, mut filled, mut rows) = (vec![0; 256 * 1024], 0, 0);
    let (mut body, mut dates) = (Vec::with_capacity(512), <[Dates; 2]>::default());
    loop {
        filled += match socket.read(&mut buffer[filled..])? {
            0 => return Err("the database hung up".into()),
            count => count,
        };
        let mut at = 0;
        while let Some(length) = whole_message(&buffer[at..filled]) {
            let payload = &buffer[at + 5..at + length];
            match buffer[at] {
                b'd' => {
                    let row = payload.strip_prefix(b"PGCOPY\n\xff\r\n\0").map_or(payload, |_| &payload[HEADER..]);
                    if !row.is_empty() && row[..2] != [0xff, 0xff] {
                        let key = encode(&row[2..], &mut body, &mut dates)?;
                        take(key, &body)?;
                        rows += 1;
                    }
                }
                b'c' => return Ok(rows),
                b'E' => return Err(String::from_utf8_lossy(payload).into()),
                _ => {}
            }
            at += length;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
    }
}

fn message(tag: Option<u8>, parts: &[&[u8]]) -> Vec<u8> {
    let payload = parts.concat();
    let length = (payload.len() as u32 + 4).to_be_bytes();
    tag.into_iter().chain(length).chain(payload).collect()
}

/// Bytes of the message at the front, tag included, if it is all there.
fn whole_message(bytes: &[u8]) -> Option<usize> {
    let (length, _) = bytes.get(1..)?.split_first_chunk::<4>()?;
    let length = 1 + u32::from_be_bytes(*length) as usize;
    (length <= bytes.len()).then_some(length)
}

/// Writes a row of [`QUERY`] as JSON; answers its key.
fn encode(mut row: &[u8], out: &mut Vec<u8>, [visits, creations]: &mut [Dates; 2]) -> Outcome<u128> {
    let mut field = || -> Outcome<&[u8]> {
        let (length, rest) = row.split_first_chunk::<4>().ok_or("a row is cut")?;
        let (field, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or("a row is cut")?;
        row = rest;
        Ok(field)
    };
    out.clear();
    let id = field()?;
    put_guid(b"{\"id\":\"", id, out);
    put_guid(b"\",\"mo_id\":\"", field()?, out);
    put_guid(b"\",\"resource_id\":\"", field()?, out);
    put(b"\",\"tag_type\":\"", field()?, out);
    put(b"\",\"tag_age\":\"", field()?, out);
    out.extend_from_slice(b"\",\"visit_time\":\"");
    visits.put(i64::from_be_bytes(field()?.try_into()?), out);
    let duration = i32::from_be_bytes(field()?.try_into()?);
    put(b"\",\"duration\":", itoa::Buffer::new().format(duration).as_bytes(), out);
    put(b",\"status\":\"", field()?, out);
    out.extend_from_slice(b"\",\"create_ts\":\"");
    creations.put(i64::from_be_bytes(field()?.try_into()?), out);
    out.extend_from_slice(b"\"}");
    Ok(u128::from_be_bytes(id.try_into()?))
}

fn put(prefix: &[u8], text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(prefix);
    out.extend_from_slice(text);
}

fn put_guid(prefix: &[u8], guid: &[u8], out: &mut Vec<u8>) {
    let (mut text, mut at) = ([b'-'; 36], 0);
    for (index, byte) in guid.iter().take(16).enumerate() {
        at += usize::from(matches!(index, 4 | 6 | 8 | 10));
        text[at..at + 2].copy_from_slice(&HEX[usize::from(*byte)]);
        at += 2;
    }
    put(prefix, &text, out);
}

/// Each byte as two digits.
static HEX: [[u8; 2]; 256] = {
    let (mut table, mut byte) = ([[0; 2]; 256], 0);
    while byte < 256 {
        table[byte] = [b"0123456789abcdef"[byte >> 4], b"0123456789abcdef"[byte & 15]];
        byte += 1;
    }
    table
};

/// Writes the times of one column; remembers the last date.
#[derive(Default)]
struct Dates {
    day: i64,
    date: String,
}

impl Dates {
    fn put(&mut self, micros: i64, out: &mut Vec<u8>) {
        let seconds = micros.div_euclid(1_000_000) + EPOCH_SECONDS;
        let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        if day != self.day || self.date.is_empty() {
            (self.day, self.date) = (day, date(day));
        }
        let two = |value: i64| [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
        let ([h0, h1], [m0, m1], [s0, s1]) = (two(second / 3600), two(second / 60 % 60), two(second % 60));
        put(self.date.as_bytes(), &[h0, h1, b':', m0, m1, b':', s0, s1], out);
    }
}

/// The date of a day since 1970-01-01, with a `T` behind it. Counts in years that begin in March and so end with the leap day.
fn date(day: i64) -> String {
    let z = day + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let (month, early) = if march < 10 { (march + 3, 0) } else { (march - 9, 1) };
    format!("{:04}-{month:02}-{:02}T", year + era * 400 + early, of_year - (153 * march + 2) / 5 + 1)
}

/// Batches, and the threads that send them.
struct Portal {
    batch: Vec<u8>,
    records: usize,
    sent: u64,
    queue: SyncSender<Vec<u8>>,
    senders: Vec<JoinHandle<Outcome>>,
}

impl Portal {
    fn connect(sink: &str) -> Outcome<Self> {
        let (queue, batches) = sync_channel(1);
        let batches = Arc::new(Mutex::new(batches));
        let mut senders = Vec::new();
        for _ in 0..IN_FLIGHT {
            let (socket, batches) = (TcpStream::connect(sink)?, Arc::clone(&batches));
            socket.set_nodelay(true)?;
            senders.push(std::thread::spawn(move || deliver(socket, &batches)));
        }
        Ok(Portal { batch: Vec::new(), records: 0, sent: 0, queue, senders })
    }

    fn push(&mut self, body: &[u8]) -> Outcome {
        put(if self.records == 0 { b"{\"data\":[" } else { b"," }, body, &mut self.batch);
        self.records += 1;
        if self.records == BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Outcome {
        self.batch.extend_from_slice(b"]}");
        self.sent += std::mem::take(&mut self.records) as u64;
        let room = Vec::with_capacity(self.batch.capacity());
        self.queue.send(std::mem::replace(&mut self.batch, room)).map_err(|_| "all senders failed".into())
    }

    fn finish(mut self) -> Outcome<u64> {
        if self.records > 0 {
            self.flush()?;
        }
        drop(self.queue);
        for sender in self.senders {
            sender.join().map_err(|_| "a sender panicked")??;
        }
        Ok(self.sent)
    }
}

/// Sends batches over one connection until there are no more.
fn deliver(mut socket: TcpStream, batches: &Mutex<Receiver<Vec<u8>>>) -> Outcome {
    let mut answers = BufReader::new(socket.try_clone()?);
    let mut compressor = Compressor::new(CompressionLvl::new(1).map_err(|_| "no such level")?);
    let (mut packed, mut answer) = (Vec::new(), Vec::new());
    loop {
        let next = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = next else { return Ok(()) };
        packed.resize(compressor.gzip_compress_bound(batch.len()), 0);
        let length = compressor.gzip_compress(&batch, &mut packed)?;
        let head = format!(
            "POST /api/slot HTTP/1.1\r\nHost: sink\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        socket.write_all(head.as_bytes())?;
        socket.write_all(&packed[..length])?;
        read_answer(&mut answers, &mut answer)?;
    }
}

fn read_answer(answers: &mut impl BufRead, body: &mut Vec<u8>) -> Outcome {
    let (mut line, mut length) = (String::new(), 0);
    answers.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200") {
        return Err(format!("the sink answered {line}").into());
    }
    while line != "\r\n" {
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse()?;
        }
        line.clear();
        answers.read_line(&mut line)?;
    }
    body.resize(length, 0);
    Ok(answers.read_exact(body)?)
}

/// What has been used since some moment.
struct Cost {
    start: Instant,
    cpu: f64,
}

impl Cost {
    fn start() -> Outcome<Self> {
        Ok(Cost { start: Instant::now(), cpu: cpu_seconds()? })
    }

    /// One JSON line for the script that measures.
    fn print(&self, what: &str, rows: u64, sent: u64) -> Outcome {
        let (wall, cpu) = (self.start.elapsed().as_secs_f64(), cpu_seconds()? - self.cpu);
        let status = std::fs::read_to_string("/proc/self/status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
        let rss: f64 = peak.trim().trim_end_matches(" kB").parse()?;
        let rss = rss / 1024.0;
        println!(r#"{{"what":"{what}","wall":{wall:.3},"cpu":{cpu:.2},"rss":{rss:.1},"rows":{rows},"sent":{sent}}}"#);
        Ok(())
    }
}

/// User and system time of this process. Linux shows it in hundredths of a second.
fn cpu_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/self/stat is unreadable")?;
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / 100.0)
}
