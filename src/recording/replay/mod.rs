//! Replaying: recorded requests go to a test stand in their order, and its answers are held against the recorded ones.

mod compare;
mod put;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, sleep};
use url::form_urlencoded;

use super::{Body, Cassette};
use crate::portal::{self, Handling, Kind};
use crate::transport::{Body as Sending, HttpClient, Level, Mishap, Packed};
use compare::{Comparison, Learned};
pub use put::Account;
use put::Puts;

/// Most bytes of an answer.
const ANSWER_LIMIT: usize = 64 << 20;
/// Pause before a portal that is not done is asked again.
const PAUSE: Duration = Duration::from_millis(500);
/// Where the gateway is told who answers its bookings.
const CALLBACK: &str = "/api/callback";

/// A portal of a recording and who plays its part now.
pub struct Stand {
    /// The client of the test stand.
    pub client: HttpClient,
    /// The account to sign in with; where it lacks a key, the recording's stand-in is sent.
    pub account: Account,
}

/// What came of one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Played {
    /// The same verdict.
    Same,
    /// Another one: what differs.
    Different(Vec<String>),
    /// It could not be played, or there is nothing to compare: why.
    Skipped(&'static str),
}

/// Plays a recording.
pub struct Player {
    stands: BTreeMap<String, Stand>,
    learned: BTreeMap<String, Memory>,
    /// How long a question is asked again whose answer differs.
    patience: Duration,
}

/// What is known of a portal at hand.
#[derive(Default)]
struct Memory {
    learned: Learned,
    /// The token that it gave last.
    token: Option<String>,
    /// How a token is got: the recorded request for one.
    sign_in: Option<Cassette>,
}

/// An answer of the test stand.
struct Live {
    status: u16,
    body: Body,
}

impl Player {
    /// Plays against these stands, by the portals' names in the recording.
    pub fn new(stands: BTreeMap<String, Stand>, patience: Duration) -> Self {
        Player { stands, learned: BTreeMap::new(), patience }
    }

    /// Looks at what will be played: a recording that lost its beginning still shows how a token is got.
    pub fn prepare(&mut self, cassettes: &[Cassette]) {
        for cassette in cassettes.iter().filter(|cassette| is_sign_in(cassette)) {
            let memory = self.learned.entry(cassette.portal.clone()).or_default();
            memory.sign_in.get_or_insert_with(|| cassette.clone());
        }
    }

    /// Plays one exchange.
    pub async fn play(&mut self, cassette: &Cassette) -> Played {
        let Some(kind) = portal::kind(&cassette.kind) else {
            return Played::Skipped("this version does not know its kind");
        };
        let Some(stand) = self.stands.get(&cassette.portal) else {
            return Played::Skipped("no address is named for its portal");
        };
        let memory = self.learned.entry(cassette.portal.clone()).or_default();
        let signs_in = is_sign_in(cassette);
        if !signs_in && cassette.answer.as_ref().is_some_and(|answer| answer.status == 401) {
            return Played::Skipped("its token had ended, and the daemon asked again");
        }
        if cassette.kind == "fer" && cassette.request.path.starts_with(CALLBACK) {
            return Played::Skipped("where the hospital takes bookings is said by hand, and not to a test stand");
        }
        if !signs_in && memory.token.is_none() && memory.sign_in.is_some() {
            sign_in(stand, kind, memory).await;
        }
        let deadline = Instant::now() + self.patience;
        let mut renewed = false;
        loop {
            let played = attempt(stand, kind, memory, cassette).await;
            match &played {
                Attempt::Unauthorized if !signs_in && !renewed && memory.sign_in.is_some() => {
                    renewed = true;
                    sign_in(stand, kind, memory).await;
                    continue;
                }
                Attempt::Done(Played::Different(_)) if is_question(kind, cassette) && Instant::now() < deadline => {}
                _ => return played.told(),
            }
            sleep(PAUSE).await;
        }
    }
}

/// What came of one try.
enum Attempt {
    Unauthorized,
    Done(Played),
}

impl Attempt {
    fn told(self) -> Played {
        match self {
            Attempt::Unauthorized => {
                Played::Different(vec!["status 401: the test stand refuses the token or the account".into()])
            }
            Attempt::Done(played) => played,
        }
    }
}

async fn attempt(stand: &Stand, kind: &'static Kind, memory: &mut Memory, cassette: &Cassette) -> Attempt {
    let puts = Puts { kind, account: &stand.account, learned: &memory.learned, token: memory.token.as_deref() };
    let asked = puts.request(cassette);
    let Some(live) = send(&stand.client, asked).await.transpose() else {
        return Attempt::Done(Played::Skipped("its request is not shown in the recording"));
    };
    let Some(recorded) = &cassette.answer else {
        return Attempt::Done(Played::Skipped("it had no answer when it was recorded"));
    };
    let live = match live {
        Ok(live) => live,
        Err(mishap) => return Attempt::Done(Played::Different(vec![format!("no answer: {mishap}")])),
    };
    if live.status == 401 && recorded.status != 401 {
        return Attempt::Unauthorized;
    }
    let mut comparison = Comparison::new(kind, &mut memory.learned);
    if live.status != recorded.status {
        comparison.differences.push(format!("status {} instead of {}", live.status, recorded.status));
    }
    comparison.bodies(&recorded.body, &live.body);
    let (differences, token) = (comparison.differences, comparison.token);
    memory.token = token.or(memory.token.take());
    Attempt::Done(if differences.is_empty() { Played::Same } else { Played::Different(differences) })
}

/// Gets a token as the recording did.
async fn sign_in(stand: &Stand, kind: &'static Kind, memory: &mut Memory) {
    if let Some(cassette) = memory.sign_in.clone() {
        // What is wrong with it shows in the request that needs it.
        attempt(stand, kind, memory, &cassette).await;
    }
}

/// Sends a request. None where its body is not shown.
async fn send(client: &HttpClient, asked: super::Request) -> Result<Option<Live>, Mishap> {
    let Some((bytes, media)) = asked.body.written() else { return Ok(None) };
    let unsendable = || Mishap::Unsendable { reason: "the recorded request cannot be sent".into() };
    let method = Method::from_str(&asked.method).map_err(|_| unsendable())?;
    let (path, query) = asked.path.split_once('?').map_or((asked.path.as_str(), ""), |(path, query)| (path, query));
    let decoded: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| {
            form_urlencoded::parse(format!("x={}", segment.replace('+', "%2B")).as_bytes())
                .map(|(_, value)| value.into_owned())
                .collect()
        })
        .collect();
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let mut headers = HeaderMap::new();
    for (name, value) in &asked.headers {
        let name = HeaderName::from_str(name).map_err(|_| unsendable())?;
        headers.insert(name, HeaderValue::from_str(value).map_err(|_| unsendable())?);
    }
    if let Some(media) = media {
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(&media).map_err(|_| unsendable())?);
    }
    let packs = asked.headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip");
    let bytes = if packs { Packed::of(&bytes, Level::default()).bytes } else { bytes };
    let mut request = client.request(method, &segments).headers(headers);
    if !query.is_empty() {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        request = request.query(&pairs);
    }
    if !bytes.is_empty() {
        request = request.body(bytes);
    }
    let answer = client.send_within(request, Sending::AsBuilt, ANSWER_LIMIT).await?;
    Ok(Some(Live { status: answer.status, body: Body::read("", &answer.body) }))
}

/// True for a request whose answer brings a token.
fn is_sign_in(cassette: &Cassette) -> bool {
    let (Some(kind), Some(answer)) = (portal::kind(&cassette.kind), &cassette.answer) else { return false };
    let mut learned = Learned::new();
    let mut comparison = Comparison::new(kind, &mut learned);
    comparison.bodies(&answer.body, &answer.body);
    let brings = comparison.token.is_some();
    // A login that is refused brings none; it names what is secret all the same.
    let names = match &cassette.request.body {
        Body::Json(serde_json::Value::Object(members)) => members.keys().cloned().collect(),
        Body::Form(fields) => fields.iter().map(|(name, _)| name.clone()).collect(),
        _ => Vec::new(),
    };
    brings
        || names
            .iter()
            .any(|name| kind.handling(name, false) == Handling::Secret && name.to_lowercase().contains("password"))
}

/// True for a request that may be asked again.
fn is_question(kind: &Kind, cassette: &Cassette) -> bool {
    let (path, query) = cassette.request.path.split_once('?').unwrap_or((&cassette.request.path, ""));
    let secret =
        || form_urlencoded::parse(query.as_bytes()).any(|(name, _)| kind.handling(&name, false) == Handling::Secret);
    let listed = kind.wire_words.questions.iter().any(|question| path.ends_with(question));
    listed || (cassette.request.method == "GET" && !secret())
}
