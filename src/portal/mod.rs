//! Portals: one folder per remote system with its schemas, its wire and its answers.

mod any;
mod batch;
mod catalogue;
pub mod fer;

use std::future::Future;

pub use any::AnyPortal;
pub use batch::{Batch, Sent};
pub use catalogue::{Kind, UNEXPLAINED, kind};

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
