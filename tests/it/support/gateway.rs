//! A scripted FER gateway on loopback: remembers every request with the instant it arrived, answers as the test's closure says.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use vitrina::portal::Batch;
use vitrina::portal::fer::{FerPortal, FerSettings, ReferralRequired, WebhookMethods};
use vitrina::record::{Fingerprint, Key, Schema};
use vitrina::transport::{Level, Pauses, inflate};

/// The password of every test account, and a string that must never come out anywhere.
pub const PASSWORD: &str = "pa55word-never-shown";

/// A request as it arrived, its body inflated.
#[derive(Debug, Clone)]
pub struct Seen {
    pub at: Instant,
    pub method: String,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn is_auth(&self) -> bool {
        self.target == "/auth.svc"
    }
}

/// What the gateway answers, and how late.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub after: Duration,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Reply { status, headers: Vec::new(), body: body.into(), after: Duration::ZERO }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Reply::new(status, body.to_string())
    }

    pub fn success() -> Self {
        Reply::json(
            200,
            &json!({"isSuccess": true, "error": null, "errors": null, "sendedGuids": null, "statusCode": 200}),
        )
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }
}

/// A token that lives an hour.
pub fn issued(token: &str) -> Reply {
    let end = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    Reply::json(
        200,
        &json!({"Result": {"Value": token, "ValidTo": end.to_rfc3339()}, "IsSuccess": true, "StatusCode": 200}),
    )
}

type Script = dyn Fn(&Seen, usize) -> Reply + Send + Sync;

struct Shared {
    seen: Mutex<Vec<Seen>>,
    script: Box<Script>,
}

pub struct Gateway {
    pub url: String,
    shared: Arc<Shared>,
}

impl Gateway {
    /// Starts a gateway. The script gets each request and how many came before it.
    pub async fn start(script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { seen: Mutex::default(), script: Box::new(script) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Gateway { url, shared }
    }

    /// A gateway that issues `token-N` and answers everything else by `script`.
    pub async fn with_auth(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let issues = AtomicUsize::new(0);
        Gateway::start(move |seen, _| match seen.is_auth() {
            true => issued(&format!("token-{}", issues.fetch_add(1, Ordering::SeqCst) + 1)),
            false => script(seen),
        })
        .await
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Requests for a token, and all others.
    pub fn counts(&self) -> (usize, usize) {
        let seen = self.seen();
        let auth = seen.iter().filter(|seen| seen.is_auth()).count();
        (auth, seen.len() - auth)
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let at = Instant::now();
    let (parts, body) = request.into_parts();
    let raw = to_bytes(body, 1 << 24).await.unwrap().to_vec();
    let gzip = parts.headers.get("content-encoding").is_some_and(|value| value == "gzip");
    let body = if gzip { inflate(&raw, 1 << 26).unwrap() } else { raw };
    let seen =
        Seen { at, method: parts.method.to_string(), target: parts.uri.to_string(), headers: parts.headers, body };
    let before = shared.seen.lock().unwrap().len();
    let reply = (shared.script)(&seen, before);
    shared.seen.lock().unwrap().push(seen);
    tokio::time::sleep(reply.after).await;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}

/// Settings of a fast account at this address.
pub fn settings(url: &str) -> FerSettings {
    FerSettings {
        referral_required: ReferralRequired::Table,
        url: url.parse().unwrap(),
        username: "1.2.643.5.1.13.13.12.2.86.8902".into(),
        password: PASSWORD.into(),
        timeout: Duration::from_secs(20),
        requests_per_second: NonZeroU32::new(1000).unwrap(),
        gzip_level: Level::default(),
        ca_file: None,
        webhook: WebhookMethods::default(),
        pauses: Pauses::DEFAULT,
    }
}

pub fn portal(settings: FerSettings) -> FerPortal {
    FerPortal::new(settings, None).unwrap()
}

pub fn schema(feed: &str) -> &'static Schema {
    vitrina::portal::fer::SCHEMAS.iter().find(|schema| schema.feed == feed).unwrap()
}

/// A batch of these records, each under the key that its schema names.
pub fn batch(schema: &Schema, records: &[Value]) -> Batch {
    let mut batch = Batch::default();
    for record in records {
        let body = record.to_string();
        let key = Key::parse(record[schema.key].as_str().unwrap());
        batch.push(key, Fingerprint::of(body.as_bytes()), None, false, body.as_bytes());
    }
    batch
}

/// A batch of one record that holds nothing but its key.
pub fn single(schema: &Schema) -> Batch {
    batch(schema, &[json!({schema.key: "aaaaaaa1-5eff-49b8-9d07-ff2486162b3f"})])
}
