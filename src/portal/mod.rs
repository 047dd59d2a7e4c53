//! Portals: one folder per remote system with its schemas, its wire and its answers.

mod any;
mod batch;
mod catalogue;
pub mod fer;

use std::future::Future;

pub use any::AnyPortal;
pub use batch::{Batch, Sent};
pub use catalogue::{Kind, UNEXPLAINED, kind};

use chrono::NaiveDate;
use serde_json::{Map, Value};

use crate::record::{Key, Schema};
use crate::transport::Failure;

/// A remote system we write to.
pub trait Portal: Send + Sync + 'static {
    /// Its feeds, each with its schema, in no particular order.
    fn schemas(&self) -> &'static [&'static Schema];

    /// What the portal can do with a record of this feed.
    fn abilities(&self, schema: &Schema) -> Abilities;

    /// Sends one batch and says what became of each of its records. Never retries by itself, except once after renewing a token.
    fn deliver(&self, schema: &'static Schema, batch: &Batch) -> impl Future<Output = Delivery> + Send;

    /// Removes one record. An id that is not there counts as removed.
    fn remove(&self, schema: &'static Schema, key: &Key) -> impl Future<Output = Delivery> + Send;

    /// How the records of this feed can be read back.
    fn reading(&self, schema: &Schema) -> Reading {
        let _ = schema;
        Reading::Unsupported
    }

    /// Reads records back as the portal holds them. What is not there gives none. Is asked only what [`Self::reading`] allows.
    fn read_back(
        &self,
        schema: &'static Schema,
        ask: Ask<'_>,
    ) -> impl Future<Output = Result<Vec<Held>, Failure>> + Send {
        let _ = (schema, ask);
        std::future::ready(Ok(Vec::new()))
    }
}

/// How the records of a feed can be read back from a portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Not at all.
    Unsupported,
    /// One record by its key; nobody can say what else is there.
    ByKey,
    /// By key, and all that the account holds at once.
    Whole,
    /// By key, and all that belong to one record of another feed.
    OfParent {
        /// The other feed, which one of the schema's edges names.
        feed: &'static str,
        /// True when a span of days is asked for.
        dated: bool,
    },
}

/// What is read back.
#[derive(Debug, Clone, Copy)]
pub enum Ask<'a> {
    /// One record.
    Record(&'a Key),
    /// All records of the account.
    Whole,
    /// The records that belong to a parent.
    ChildrenOf {
        /// The parent's key.
        parent: &'a Key,
        /// First and last day, both included, where the reading is dated.
        days: Option<(NaiveDate, NaiveDate)>,
    },
}

/// A record as a portal holds it.
#[derive(Clone, PartialEq)]
pub struct Held {
    /// Its key.
    pub key: Key,
    /// Its fields under the names of the schema. Others may stand beside them.
    pub record: Map<String, Value>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What a portal can do with the records of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// A repeated write of one version does no harm.
    pub idempotent: bool,
    /// A changed version can replace an accepted one.
    pub update: bool,
    /// How a record is taken away.
    pub removal: Removal,
}

/// How a portal takes a record away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// By a request of its own.
    Supported,
    /// By sending it as no longer valid.
    Deactivation,
    /// Not at all.
    Unsupported,
}

/// What became of a request.
#[derive(Debug)]
pub enum Delivery {
    /// The portal judged: one verdict per record of the batch, in its order.
    Judged(Vec<Verdict>),
    /// The request as a whole came to nothing, or nobody knows what came of it.
    Failed(Failure),
}

/// What can change a portal's mind about a version that it refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// Its row alone: the version itself is at fault, and sending it again would get the same refusal.
    Row,
    /// Other records, or somebody at the portal: the same version may be accepted later.
    Time,
}

/// What a portal said about one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds the version that was sent.
    Accepted {
        /// Its own id for the record, where it gives one.
        remote_id: Option<String>,
    },
    /// It refused the version that was sent, and said so of this record by name.
    Rejected {
        /// The portal's code: `R-330`.
        code: String,
        /// The portal's text, redacted: digits and quoted values masked, GUIDs kept.
        text: String,
        /// What can change the portal's mind.
        cure: Cure,
        /// The record that holds what this one claims (a resource's time, a unit's name), where the text names it.
        holder: Option<Key>,
    },
    /// The answer does not mention it.
    Unknown,
}
