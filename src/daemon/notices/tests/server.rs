//! A mail server and a webhook on loopback, which keep what they get.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A mail as it arrived.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    pub to: Vec<String>,
    pub subject: String,
    pub text: String,
}

#[derive(Debug, Default)]
struct Kept {
    mails: Mutex<Vec<Mail>>,
    greetings: AtomicUsize,
    refuses: AtomicBool,
}

/// Speaks as much SMTP as a mail needs.
pub struct MailServer {
    port: u16,
    kept: Arc<Kept>,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, kept) = (listener.local_addr().unwrap().port(), Arc::<Kept>::default());
        let serving = Arc::clone(&kept);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&serving)));
            }
        });
        MailServer { port, kept }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.kept.mails.lock().unwrap().clone()
    }

    pub fn greetings(&self) -> usize {
        self.kept.greetings.load(Ordering::Relaxed)
    }

    pub fn refuse(&self, refuses: bool) {
        self.kept.refuses.store(refuses, Ordering::Relaxed);
    }
}

async fn talk(stream: TcpStream, kept: Arc<Kept>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    if kept.refuses.load(Ordering::Relaxed) {
        return stream.write_all(b"421 not now\r\n").await.ok();
    }
    stream.write_all(b"220 mail.hospital.lan ESMTP\r\n").await.ok()?;
    let mut mail = Mail::default();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let answer = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => {
                kept.greetings.fetch_add(1, Ordering::Relaxed);
                "250-mail.hospital.lan\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n"
            }
            "AUTH" => "535 5.7.8 wrong account\r\n",
            "RCPT" => {
                mail.to.extend(line.split(['<', '>']).nth(1).map(str::to_owned));
                "250 ok\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                (mail.subject, mail.text) = read(&mut stream).await?;
                kept.mails.lock().unwrap().push(std::mem::take(&mut mail));
                "250 taken\r\n"
            }
            "QUIT" => return stream.write_all(b"221 bye\r\n").await.ok(),
            _ => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// Subject and body of a mail, decoded.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut raw = String::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        if line == ".\r\n" {
            break;
        }
        raw.push_str(&line);
    }
    let (head, body) = raw.split_once("\r\n\r\n")?;
    let head = head.replace("\r\n ", " ");
    let subject = head.lines().find_map(|line| line.strip_prefix("Subject: "))?;
    let words = subject.split(' ').filter(|word| !word.is_empty()).map(|word| {
        let encoded = word.strip_prefix("=?utf-8?b?").and_then(|word| word.strip_suffix("?="));
        match encoded {
            Some(encoded) => String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap(),
            None => format!("{word} "),
        }
    });
    let subject = words.collect();
    let encoding = head.lines().find_map(|line| line.strip_prefix("Content-Transfer-Encoding: "));
    let body = match encoding {
        Some("base64") => String::from_utf8(STANDARD.decode(body.replace("\r\n", "")).unwrap()).unwrap(),
        _ => body.to_owned(),
    };
    Some((subject, body))
}

#[derive(Debug, Default)]
struct Posts {
    posts: Mutex<Vec<Value>>,
    status: AtomicU16,
}

/// A webhook.
pub struct Hook {
    url: String,
    posts: Arc<Posts>,
}

impl Hook {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let posts = Arc::new(Posts { status: AtomicU16::new(204), ..Posts::default() });
        let routes = Router::new().fallback(post(take)).with_state(Arc::clone(&posts));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Hook { url, posts }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    pub fn posts(&self) -> Vec<Value> {
        self.posts.posts.lock().unwrap().clone()
    }

    pub fn answer(&self, status: u16) {
        self.posts.status.store(status, Ordering::Relaxed);
    }
}

async fn take(State(posts): State<Arc<Posts>>, Json(post): Json<Value>) -> StatusCode {
    posts.posts.lock().unwrap().push(post);
    StatusCode::from_u16(posts.status.load(Ordering::Relaxed)).unwrap()
}
