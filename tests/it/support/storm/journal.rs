//! The receiver's own record: what came, when, what the gateway said of it, and whether the client can have heard that.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use serde_json::{Map, Value};

use super::fault::Fault;
use super::pulse::Pulse;
use super::wire::Head;

/// Position of an exchange in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(pub(super) usize);

/// A record of a request.
#[derive(Debug, Clone)]
pub struct Carried {
    /// Its id as sent.
    pub id: String,
    /// Hash of its body: equal for equal versions.
    pub version: u64,
    /// Feed and id of each parent that it cannot be without.
    pub parents: Vec<(&'static str, String)>,
}

/// What was asked.
#[derive(Debug, Clone)]
pub enum Request {
    Token,
    Upsert {
        feed: String,
        records: Vec<Carried>,
    },
    Removal {
        feed: String,
        id: String,
    },
    Read,
    /// The body did not come.
    Unread,
}

/// What an answer said of records, by id.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    pub accepted: BTreeSet<String>,
    /// Code and text.
    pub refused: BTreeMap<String, String>,
}

/// One request and what came of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub at: Instant,
    pub request: Request,
    pub fault: Option<Fault>,
    /// The gateway's own status, when it was asked.
    pub gateway: Option<u16>,
    /// What was answered; none when no whole answer was.
    pub answered: Option<Answered>,
}

/// An answer that went out whole.
#[derive(Debug, Clone)]
pub struct Answered {
    pub at: Instant,
    /// False when the client may no longer have listened.
    pub heard: bool,
    pub judged: Judged,
}

/// The moment at which the client was killed, and what its ledger then had in flight: feed and id.
#[derive(Debug, Clone)]
pub struct Kill {
    pub at: Instant,
    pub in_flight: BTreeSet<(String, String)>,
}

/// Everything that came.
pub struct Journal {
    pub exchanges: Vec<Exchange>,
    pub kills: Vec<Kill>,
    pub pulse: Pulse,
}

impl Journal {
    pub fn new(pulse: Pulse) -> Self {
        Journal { exchanges: Vec::new(), kills: Vec::new(), pulse }
    }

    pub fn arrive(&mut self, head: &Head, request: Request) -> Number {
        self.exchanges.push(Exchange { at: head.at, request, fault: None, gateway: None, answered: None });
        Number(self.exchanges.len() - 1)
    }

    pub fn met(&mut self, number: Number, fault: Fault) {
        self.exchanges[number.0].fault = Some(fault);
    }

    pub fn forwarded(&mut self, number: Number, status: u16) {
        self.exchanges[number.0].gateway = Some(status);
    }

    pub fn answered(&mut self, number: Number, judged: Judged) {
        self.exchanges[number.0].answered = Some(Answered { at: Instant::now(), heard: true, judged });
    }

    /// The answer could not be written whole.
    pub fn lost(&mut self, number: Number) {
        self.exchanges[number.0].answered = None;
    }

    /// The answer came so late that the client may have given up.
    pub fn late(&mut self, number: Number) {
        if let Some(answered) = &mut self.exchanges[number.0].answered {
            answered.heard = false;
        }
    }

    /// The client was killed.
    pub fn killed(&mut self, kill: Kill) {
        self.kills.push(kill);
    }

    /// Requests so far.
    pub fn len(&self) -> usize {
        self.exchanges.len()
    }

    /// Records that came in writes, and removals, from a number of requests on.
    pub fn writes_since(&self, from: usize) -> usize {
        let count = |exchange: &Exchange| match &exchange.request {
            Request::Upsert { records, .. } => records.len(),
            Request::Removal { .. } => 1,
            Request::Token | Request::Read | Request::Unread => 0,
        };
        self.exchanges[from..].iter().map(count).sum()
    }

    /// The feed of each write that came, from a number of requests on, in order.
    pub fn writes_to(&self, from: usize) -> Vec<&str> {
        self.exchanges[from..].iter().filter_map(|exchange| exchange.request.writes_to()).collect()
    }

    /// Ids of records that were refused by name, in order, repetitions included.
    pub fn refused(&self) -> Vec<String> {
        let answers = self.exchanges.iter().filter_map(|exchange| exchange.answered.as_ref());
        answers.flat_map(|answered| answered.judged.refused.keys().cloned()).collect()
    }

    /// Everything that came about one record, and the kills between, a line each.
    pub fn history(&self, id: &str) -> Vec<String> {
        let Some(first) = self.exchanges.iter().map(|exchange| exchange.at).min() else { return Vec::new() };
        let mut lines: Vec<(Instant, String)> =
            self.exchanges.iter().filter_map(|exchange| Some((exchange.at, exchange.about(id)?))).collect();
        let in_flight = |kill: &Kill| kill.in_flight.iter().any(|(_, marked)| marked == id);
        lines.extend(self.kills.iter().map(|kill| (kill.at, format!("kill, in flight: {}", in_flight(kill)))));
        lines.sort();
        lines.iter().map(|(at, line)| format!("{:.3} s: {line}", (*at - first).as_secs_f64())).collect()
    }

    /// How often each fault was met.
    pub fn faults(&self) -> BTreeMap<String, usize> {
        let mut faults = BTreeMap::new();
        for fault in self.exchanges.iter().filter_map(|exchange| exchange.fault) {
            let name = format!("{fault:?}");
            let kind = name.split([' ', '(', '{']).next().unwrap_or_default();
            *faults.entry(kind.to_owned()).or_default() += 1;
        }
        faults
    }
}

impl Exchange {
    /// What it says about one record, if it does.
    fn about(&self, id: &str) -> Option<String> {
        let what = match &self.request {
            Request::Upsert { records, .. } => {
                let record = records.iter().find(|record| record.id == id)?;
                format!("version {:04x} of {} records", record.version & 0xffff, records.len())
            }
            Request::Removal { id: removed, .. } if removed == id => "removal".to_owned(),
            _ => return None,
        };
        let said = self.answered.as_ref().map(|answered| match answered.judged.refused.get(id) {
            Some(text) => format!("refused: {text}"),
            None if answered.judged.accepted.contains(id) => "accepted".to_owned(),
            None => "not mentioned".to_owned(),
        });
        Some(format!("{what}; fault {:?}, gateway {:?}, answer {said:?}", self.fault, self.gateway))
    }
}

impl Request {
    /// The feed that it writes records of.
    fn writes_to(&self) -> Option<&str> {
        match self {
            Request::Upsert { feed, .. } => Some(feed),
            Request::Token | Request::Removal { .. } | Request::Read | Request::Unread => None,
        }
    }

    /// What a request asks, from its head and its inflated body.
    pub fn of(head: &Head, body: &[u8]) -> Request {
        let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
        let feed = path.strip_prefix("/api/").unwrap_or_default().to_owned();
        match (head.method.as_str(), path) {
            ("POST", "/auth.svc") => Request::Token,
            ("POST", _) => {
                let body: Value = serde_json::from_slice(body).expect("a request is JSON");
                let records = body["data"].as_array().expect("an array of records");
                let records = records.iter().map(|record| Carried::of(&feed, record.as_object().unwrap())).collect();
                Request::Upsert { feed, records }
            }
            ("DELETE", _) => {
                let id = query.strip_prefix("id=").expect("a removal names an id").to_owned();
                Request::Removal { feed, id }
            }
            _ => Request::Read,
        }
    }
}

impl Carried {
    fn of(feed: &str, record: &Map<String, Value>) -> Carried {
        let key = if feed == "unaccessable_period" { "period_id" } else { "id" };
        let text = |field: &str| record.get(field).and_then(Value::as_str).map(str::to_owned);
        let mut hasher = DefaultHasher::new();
        serde_json::to_string(record).unwrap().hash(&mut hasher);
        let edges = parents_of(feed);
        let parents = edges.iter().filter_map(|(field, parent)| Some((*parent, text(field)?))).collect();
        Carried { id: text(key).expect("a record has an id"), version: hasher.finish(), parents }
    }
}

/// Fields that name what a record of a feed cannot be without, and the feed of that.
fn parents_of(feed: &str) -> &'static [(&'static str, &'static str)] {
    match feed {
        "resource" => &[("mo_id", "mo")],
        "service" | "profilecode_resource" | "unaccessable_period" => &[("resource_id", "resource")],
        "slot" => &[("mo_id", "mo"), ("resource_id", "resource")],
        "book" => &[("slot_id", "slot"), ("referral_id", "referral")],
        _ => &[],
    }
}

impl Judged {
    /// What an answer of the gateway says.
    pub fn of(status: u16, body: &[u8]) -> Judged {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        if !matches!(status, 200 | 422) {
            return Judged::default();
        }
        let texts = |value: &Value| value.as_str().map(str::to_owned);
        let accepted = body["sendedGuids"].as_array().into_iter().flatten().filter_map(texts).collect();
        let refused = body["errors"].as_array().into_iter().flatten().filter_map(|error| {
            let said = format!("{} {}", error["errorCode"].as_str()?, error["errorMessage"].as_str()?);
            Some((texts(&error["id"])?, said))
        });
        Judged { accepted, refused: refused.collect() }
    }
}
