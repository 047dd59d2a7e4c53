//! The oracle: says of a whole run whether the invariants of ARCHITECTURE.md held. Pure, and without a line of the engine: it reads the
//! trace, the tables and the mart, and models for itself what must follow from them.

mod blame;
mod forgotten;
mod ledger;
mod mart;
mod reads;
mod removals;
mod requests;
mod secrets;
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use crate::engine::hash;
use crate::hospital::{Body, Feed, Id, Version};
use crate::trace::{Event, What};
use crate::wire;

/// What a run left behind.
#[derive(Debug, Default)]
pub struct Evidence {
    pub events: Vec<Event>,
    pub versions: Vec<Version>,
    /// What the tables hold at the end.
    pub tables: [Vec<usize>; 8],
    /// What the mart holds at the end.
    pub mart: Mart,
    /// Texts that the ledger keeps for people.
    pub texts: Vec<String>,
    /// What the engine's clock shows at the end.
    pub second: i64,
    pub in_flight: usize,
    /// The database's clock never stepped back.
    pub steady_database: bool,
    /// Reads never showed less than there was.
    pub honest_source: bool,
}

/// Records by feed and id, each as it arrived.
pub type Mart = BTreeMap<(Feed, Id), Body>;

/// The rows of the tables at the end, and what the ledger then knows without a doubt to be acknowledged: the mart may hold more, and yet
/// nobody can know that.
struct Rows<'a> {
    by_record: BTreeMap<(Feed, Id), Vec<&'a Version>>,
    acknowledged: Option<BTreeMap<(Feed, Id), u128>>,
}

impl<'a> Rows<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let mut rows: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for number in evidence.tables.iter().flatten() {
            let version = &evidence.versions[*number];
            rows.entry((version.feed, version.row.id)).or_default().push(version);
        }
        let acknowledged = match evidence.events.last().map(|event| &event.what) {
            Some(What::Remembered(memories)) => {
                let sure = memories.iter().filter(|memory| memory.doubt.is_none());
                Some(sure.filter_map(|memory| Some(((memory.feed, memory.id), memory.accepted?))).collect())
            }
            _ => None,
        };
        Rows { by_record: rows, acknowledged }
    }

    /// True when the ledger can know that the portal holds a record. What is past is forgotten, but for what children may ask for.
    fn is_acknowledged(&self, record: (Feed, Id)) -> bool {
        self.acknowledged.as_ref().is_none_or(|acknowledged| acknowledged.contains_key(&record))
    }

    /// True when the ledger can know of which status a record is at the portal. Where its row is gone, no other attempt tells what became of
    /// a version whose outcome nobody learnt.
    fn knows_status(&self, record: (Feed, Id), held: &str) -> bool {
        let version = self.acknowledged.as_ref().and_then(|acknowledged| acknowledged.get(&record));
        self.by_record.contains_key(&record) || version.is_none_or(|version| *version == hash(held))
    }

    /// Every parent of a version is at the portal, as it must be.
    fn let_go(&self, feed: Feed, body: &str, mart: &Mart) -> bool {
        parents(feed, body).iter().all(|parent| {
            let key = (parent.feed, parent.id);
            match mart.get(&key) {
                Some(_) if !self.is_acknowledged(key) => false,
                Some(held) => !parent.recorded || (is_recorded(held) && self.knows_status(key, held)),
                None => parent.if_ours && !self.by_record.contains_key(&key),
            }
        })
    }

    /// The row of a record, if it is sound and alone of its key, and held back by no parent.
    fn flowing(&self, record: (Feed, Id), mart: &Mart) -> Option<&Body> {
        match self.by_record.get(&record)?.as_slice() {
            [Version { body: Some(body), .. }] if self.let_go(record.0, body, mart) => Some(body),
            _ => None,
        }
    }
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// Its number in ARCHITECTURE.md.
    pub invariant: u8,
    /// At which event, if it is not the end.
    pub at: Option<usize>,
    /// Which record.
    pub about: Option<(Feed, Id)>,
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {}", self.invariant)?;
        if let Some(at) = self.at {
            write!(f, ", event {at}")?;
        }
        if let Some((feed, id)) = self.about {
            write!(f, ", {} #{}", feed.name(), id as u64)?;
        }
        write!(f, ": {}", self.text)
    }
}

/// Everything that was broken.
pub fn judge(evidence: &Evidence) -> Vec<Violation> {
    let mut broken = Vec::new();
    mart::check(evidence, &mut broken);
    ledger::check(evidence, &mut broken);
    requests::check(evidence, &mut broken);
    reads::check(evidence, &mut broken);
    removals::check(evidence, &mut broken);
    secrets::check(evidence, &mut broken);
    blame::check(evidence, &mut broken);
    broken
}

/// Follows the mart through a trace.
fn follow(mart: &mut Mart, what: &What) {
    match what {
        What::Stored { feed, id, body } => drop(mart.insert((*feed, *id), body.clone())),
        What::Removed { feed, id, .. } => drop(mart.remove(&(*feed, *id))),
        _ => {}
    }
}

/// A parent that a record must not go before.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Parent {
    feed: Feed,
    id: Id,
    /// It must be there as RECORDED.
    recorded: bool,
    /// It counts only if the hospital has it at all.
    if_ours: bool,
}

/// The parents that the document names (RECORDED slots for visits that stand, took place or were missed).
fn parents(feed: Feed, body: &str) -> Vec<Parent> {
    let parent = |feed, field| wire::id_in(body, field).map(|id| Parent { feed, id, recorded: false, if_ours: false });
    let named = match feed {
        Feed::Mo | Feed::Referral => vec![],
        Feed::Resource => vec![parent(Feed::Mo, "mo_id")],
        Feed::Service | Feed::Profile | Feed::Period => vec![parent(Feed::Resource, "resource_id")],
        Feed::Slot => vec![parent(Feed::Mo, "mo_id"), parent(Feed::Resource, "resource_id")],
        Feed::Book => {
            let stands = ["5000", "5020", "5030"].iter().any(|code| body.contains(&format!("\"status_code\":{code}")));
            let slot = parent(Feed::Slot, "slot_id").map(|slot| Parent { recorded: stands, ..slot });
            let referral = parent(Feed::Referral, "referral_id").map(|referral| Parent { if_ours: true, ..referral });
            vec![slot, referral]
        }
    };
    named.into_iter().flatten().collect()
}

/// A slot that is over gives its time up to any other.
fn yields(body: &str) -> bool {
    matches!(wire::field(body, "status"), Some("CANCELED" | "BLOCKED"))
}

fn is_recorded(body: &str) -> bool {
    wire::field(body, "status") == Some("RECORDED")
}

/// When the time of a record is over: seconds since 1970. None is never.
fn expiry(feed: Feed, body: &str, mart: &Mart) -> Option<i64> {
    let time = |name: &str| {
        let text = wire::field(body, name)?;
        chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok().map(|time| time.and_utc().timestamp())
    };
    match feed {
        Feed::Slot => time("visit_time"),
        Feed::Period | Feed::Referral => time("end_date"),
        Feed::Book => {
            let slot = mart.get(&(Feed::Slot, wire::id_in(body, "slot_id")?))?;
            expiry(Feed::Slot, slot, mart)
        }
        Feed::Mo | Feed::Resource | Feed::Service | Feed::Profile => None,
    }
}
