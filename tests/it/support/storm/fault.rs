//! What can go wrong between a client and the gateway, and when it may.
//!
//! Lasting 401, 403, 404 and 405 are not among the faults: these are verdicts, not weather. The refusal of a valid record is one as well, and
//! can be asked for, but is never drawn.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

/// One thing that goes wrong with one request, or begins with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed before the request is read.
    CutUnread,
    /// The request is read and the connection reset; nothing is applied.
    CutBeforeApply,
    /// The request is applied; the connection ends before the answer is whole.
    CutAfterApply(CutAt),
    /// No answer within the client's time-out.
    Hold { applied: bool },
    /// The answer is right, but comes byte by byte.
    Slow,
    /// What comes is no answer of the gateway.
    Garbage { kind: Garbage, applied: bool },
    /// A status that says: later.
    Later { status: u16, retry_after: Option<RetryAfter>, applied: bool },
    /// 422 of the gateway's form that names no record.
    NoIds,
    /// 200 with `isSuccess` false, nothing else.
    NoSuccess,
    /// Every token issued so far is worth nothing.
    Revoked,
    /// For a while everything gets 503.
    Maintenance,
    /// For a while requests with large bodies get 413.
    Narrow,
    /// 422 of the gateway's form: one valid record is refused by name, the others are stored.
    Refuse,
}

/// Where an answer breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutAt {
    BeforeStatus,
    InHead,
    InBody,
}

/// The two forms of the header. Both ask for a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    Seconds,
    Date,
}

/// What a broken gateway, or something that stands where it should, may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbage {
    Html200,
    TruncatedJson,
    Empty200,
    OtherJson,
    Plain422,
    WrongEncoding,
    NotGzip,
    CutGzip,
    GzipBomb,
    Oversized,
    OversizedChunks,
    BadChunks,
    NotHttp,
}

/// What a request is, as far as a fault must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Token,
    /// A write of so many records.
    Upsert(usize),
    Removal,
    Other,
}

impl Garbage {
    pub const ALL: [Garbage; 13] = [
        Garbage::Html200,
        Garbage::TruncatedJson,
        Garbage::Empty200,
        Garbage::OtherJson,
        Garbage::Plain422,
        Garbage::WrongEncoding,
        Garbage::NotGzip,
        Garbage::CutGzip,
        Garbage::GzipBomb,
        Garbage::Oversized,
        Garbage::OversizedChunks,
        Garbage::BadChunks,
        Garbage::NotHttp,
    ];

    /// True for what is a whole message of HTTP, after which the connection can go on.
    pub fn is_whole(self) -> bool {
        match self {
            Garbage::Oversized | Garbage::OversizedChunks | Garbage::BadChunks | Garbage::NotHttp => false,
            Garbage::Html200 | Garbage::TruncatedJson | Garbage::Empty200 | Garbage::OtherJson => true,
            Garbage::Plain422 | Garbage::WrongEncoding => true,
            Garbage::NotGzip | Garbage::CutGzip | Garbage::GzipBomb => true,
        }
    }
}

impl Fault {
    /// All weather there is, each kind once; what nobody can tell from outside (applied or not) is not told apart where it was told once.
    pub fn all() -> Vec<Fault> {
        let mut all = vec![Fault::CutUnread, Fault::CutBeforeApply];
        all.extend([CutAt::BeforeStatus, CutAt::InHead, CutAt::InBody].map(Fault::CutAfterApply));
        all.extend([true, false].map(|applied| Fault::Hold { applied }));
        all.push(Fault::Slow);
        all.extend(Garbage::ALL.map(|kind| Fault::Garbage { kind, applied: true }));
        all.push(Fault::Garbage { kind: Garbage::Html200, applied: false });
        for retry_after in [None, Some(RetryAfter::Seconds), Some(RetryAfter::Date)] {
            all.extend([429, 503].map(|status| Fault::Later { status, retry_after, applied: false }));
        }
        all.extend([408, 425, 500, 502, 504].map(|status| Fault::Later { status, retry_after: None, applied: false }));
        all.extend([408, 500, 502, 504].map(|status| Fault::Later { status, retry_after: None, applied: true }));
        all.extend([Fault::NoIds, Fault::NoSuccess, Fault::Revoked, Fault::Maintenance, Fault::Narrow]);
        all
    }

    /// Any weather, each kind as often as another.
    pub fn draw(rng: &mut impl Rng) -> Fault {
        let applied = rng.random();
        let retry_after = [None, Some(RetryAfter::Seconds), Some(RetryAfter::Date)][rng.random_range(0..3)];
        match rng.random_range(0..24) {
            0 => Fault::CutUnread,
            1 => Fault::CutBeforeApply,
            2..=4 => Fault::CutAfterApply([CutAt::BeforeStatus, CutAt::InHead, CutAt::InBody][rng.random_range(0..3)]),
            5 | 6 => Fault::Hold { applied },
            7 | 8 => Fault::Slow,
            9..=13 => Fault::Garbage { kind: Garbage::ALL[rng.random_range(0..Garbage::ALL.len())], applied },
            14 => Fault::Later { status: [408, 500, 502, 504][rng.random_range(0..4)], retry_after: None, applied },
            15 => Fault::Later { status: 425, retry_after: None, applied: false },
            16 | 17 => Fault::Later { status: 429, retry_after, applied: false },
            18 => Fault::Later { status: 503, retry_after, applied: false },
            19 => Fault::NoIds,
            20 => Fault::NoSuccess,
            21 => Fault::Revoked,
            22 => Fault::Maintenance,
            _ => Fault::Narrow,
        }
    }

    /// True when the fault is weather for such a request. An unattributed refusal of a single record would be a verdict on it, and so
    /// would one of a login or a removal.
    pub fn may_hit(self, asked: Asked) -> bool {
        let names_nobody =
            matches!(self, Fault::NoIds | Fault::NoSuccess | Fault::Garbage { kind: Garbage::Plain422, .. });
        match asked {
            Asked::Upsert(records) => records > 1 || !names_nobody && self != Fault::Refuse,
            Asked::Token => !names_nobody && !matches!(self, Fault::Revoked | Fault::Narrow | Fault::Refuse),
            Asked::Removal | Asked::Other => !names_nobody && !matches!(self, Fault::Narrow | Fault::Refuse),
        }
    }

    /// True when the gateway is asked all the same, and for all of it.
    pub fn applies(self) -> bool {
        match self {
            Fault::CutAfterApply(_) | Fault::Slow | Fault::Revoked => true,
            Fault::Hold { applied } | Fault::Garbage { applied, .. } | Fault::Later { applied, .. } => applied,
            Fault::CutUnread | Fault::CutBeforeApply | Fault::NoIds | Fault::NoSuccess => false,
            Fault::Maintenance | Fault::Narrow | Fault::Refuse => false,
        }
    }
}

/// Decides what happens to each request.
#[derive(Debug)]
pub enum Plan {
    /// Nothing goes wrong.
    Calm,
    /// This goes wrong, once, with the first request that `on` speaks of.
    Once { fault: Fault, on: On },
    /// So many of a hundred requests meet some fault.
    Storm { percent: u32, rng: Box<StdRng> },
}

/// Which request a single fault hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Token,
    Feed(&'static str),
}

impl Plan {
    /// What is to happen to this request, as far as its head tells; [`Plan::spend`] decides.
    pub fn draw(&mut self, method: &str, target: &str) -> Option<Fault> {
        match self {
            Plan::Calm => None,
            Plan::Once { fault, on } => on.is(method, target).then_some(*fault),
            Plan::Storm { percent, rng } => (rng.random_range(0..100) < *percent).then(|| Fault::draw(rng)),
        }
    }

    /// True when the fault drawn may hit such a request. A single fault is spent with it.
    pub fn spend(&mut self, fault: Fault, asked: Asked) -> bool {
        if !fault.may_hit(asked) {
            return false;
        }
        match self {
            Plan::Calm => false,
            Plan::Storm { .. } => true,
            Plan::Once { .. } => {
                *self = Plan::Calm;
                true
            }
        }
    }
}

impl On {
    fn is(self, method: &str, target: &str) -> bool {
        match self {
            On::Token => target == "/auth.svc",
            On::Feed(feed) => method == "POST" && target.strip_prefix("/api/") == Some(feed),
        }
    }
}
