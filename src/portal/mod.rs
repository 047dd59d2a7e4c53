//! Portals: one folder per remote system with its schemas, its wire and its answers.

mod any;
mod batch;
mod catalogue;
pub mod ekdo;
mod expiry;
pub mod fer;
mod lenient;
pub mod nmo;
pub mod pos;
pub mod sout;

use std::future::Future;

pub use any::AnyPortal;
pub use batch::{Batch, Sent};
pub use catalogue::{AdviceOn, Handling, Kind, UNEXPLAINED, WireWords, kind};

use chrono::NaiveDate;
use serde_json::{Map, Value};

use crate::record::{Key, Receipt, Schema, Violation};
use crate::transport::Failure;

/// A remote system we write to.
pub trait Portal: Send + Sync + 'static {
    /// Its feeds, each with its schema, in no particular order.
    fn schemas(&self) -> &'static [&'static Schema];

    /// What the portal can do with a record of this feed.
    fn abilities(&self, schema: &Schema) -> Abilities;

    /// True when a record takes several requests, so that one whose first answer was lost is there in part at most.
    fn begins(&self, schema: &Schema) -> bool {
        let _ = schema;
        false
    }

    /// True for the code of a refusal which says that the portal holds the record under an id that is not known here. With that id, which an
    /// operator may find there, a further write may be repeated and makes no second record.
    fn lacks_id(&self, code: &str) -> bool {
        let _ = code;
        false
    }

    /// Most records of one request, whatever the configuration says.
    fn most_records(&self, schema: &Schema) -> usize {
        let _ = schema;
        usize::MAX
    }

    /// Whether records of this feed go out signed, where a signature decides what a lost request may have left behind. It is noted with each
    /// record of unknown outcome, so that it is judged by how it went out and not by today's settings.
    fn signs(&self, schema: &Schema) -> Option<bool> {
        let _ = schema;
        None
    }

    /// Sends one batch and says what became of each of its records. Never retries by itself, except once after renewing a token.
    fn deliver(&self, schema: &'static Schema, batch: &Batch) -> impl Future<Output = Delivery> + Send;

    /// Looks at what a record names outside its row (a file), and adds to its body what the fingerprint must cover. What it finds wrong
    /// breaks rules like a wrong field. Is called only where [`Abilities::examines`] says so, for each row of each read: it must be cheap for
    /// what has not changed. It may wait for a disk: it is called on a thread of its own, with nothing locked.
    fn examine(&self, schema: &'static Schema, body: &mut Vec<u8>) -> Result<(), Unfit> {
        let _ = (schema, body);
        Ok(())
    }

    /// Asks what the portal holds of records that it took, or may have taken: one finding per record, in order. Is called only where
    /// [`Abilities::inquiry`] allows it. Never writes.
    fn inquire(
        &self,
        schema: &'static Schema,
        asked: &[Asked],
    ) -> impl Future<Output = Result<Vec<Finding>, Failure>> + Send {
        let _ = schema;
        std::future::ready(Ok(asked.iter().map(|_| Finding::Unclear).collect()))
    }

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

    /// Reads all records of the register that the account may see. Is asked only where [`Self::reading`] says that there is one.
    fn registered(&self, schema: &'static Schema) -> impl Future<Output = Result<Vec<Registered>, Failure>> + Send {
        let _ = schema;
        std::future::ready(Ok(Vec::new()))
    }
}

/// Why a record is not sent for what it names outside its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It breaks rules.
    Broken(Vec<Violation>),
    /// The file that this field names is still to come: the record waits for it, and goes by itself.
    Awaits {
        /// The field.
        field: &'static str,
        /// What there is of the file.
        file: Awaited,
    },
}

/// What there is of a file that a record waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// Nothing yet.
    Missing,
    /// A part, or what is about to be replaced.
    Unfinished,
}

impl From<Vec<Violation>> for Unfit {
    fn from(broken: Vec<Violation>) -> Self {
        Unfit::Broken(broken)
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
    /// All that the account has in a register behind the portal, where records may stand under ids of other systems, or of none.
    Register(&'static Likeness),
    /// By key, and all that belong to one record of another feed.
    OfParent {
        /// The other feed, which one of the schema's edges names.
        feed: &'static str,
        /// True when a span of days is asked for.
        dated: bool,
    },
}

/// By what a record of a register and a row are held against each other. A register does not give back all that it was given.
#[derive(Debug, PartialEq, Eq)]
pub struct Likeness {
    /// Fields that must be the same.
    pub compared: &'static [&'static str],
    /// Whose record it is, where no id tells: one of these must be there.
    pub whose: &'static [&'static str],
    /// Which of theirs: all of these must be there.
    pub which: &'static [&'static str],
}

/// A record of a register.
pub struct Registered {
    /// Its key, where it has an id that may be ours.
    pub key: Option<Key>,
    /// What it is called where it has none.
    pub label: String,
    /// Its fields under the names of the schema, as far as the register tells them.
    pub record: Map<String, Value>,
    /// What the portal gives back for it.
    pub receipt: Receipt,
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
    /// A repeated creation does no harm. Otherwise it makes a second record, so that an outcome that nobody knows is a state of its own.
    /// An update of a record whose id is known may always be repeated.
    pub idempotent: bool,
    /// A changed version can replace an accepted one.
    pub update: bool,
    /// How a record is taken away.
    pub removal: Removal,
    /// What the portal can be asked about a record that it took.
    pub inquiry: Inquiry,
    /// Each record is one exchange of documents, which is entered in the register of exchange.
    pub registered: bool,
    /// Records name something outside their rows: [`Portal::examine`] is to be called.
    pub examines: bool,
}

impl Abilities {
    /// Those of a portal that keeps records by their keys: everything can be repeated, replaced and removed.
    pub const KEYED: Abilities = Abilities {
        idempotent: true,
        update: true,
        removal: Removal::Supported,
        inquiry: Inquiry::Never,
        registered: false,
        examines: false,
    };
}

/// What a portal can be asked about a record that it took, or may have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inquiry {
    /// Nothing.
    Never,
    /// Whether it took a record after its answer was lost.
    AfterLoss,
    /// That, and how far a record has got until it is confirmed.
    UntilConfirmed,
}

/// A record that a portal is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its key.
    pub key: Key,
    /// What the portal gave back for it so far; nothing where its answer was lost.
    pub receipt: Option<Receipt>,
    /// When it was sent: seconds since 1970-01-01T00:00:00Z.
    pub sent: i64,
    /// Whether it went out signed, as [`Portal::signs`] said then; none where that is not known.
    pub signed: Option<bool>,
}

/// What a portal said of a record that it was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It holds the record.
    Held(Receipt),
    /// It holds a part of the record, under this id of its own: delivered again with that id, the rest follows.
    Begun(String),
    /// It certainly does not hold the record, and will not come to: it may be sent again.
    Absent,
    /// Its answer proves neither, and will not later.
    Unclear,
    /// Its answer proves neither yet: it may come to hold the record, or be known not to.
    Later,
    /// The portal was not asked about this record: there were too many before it. It is the first one's turn next time.
    NotAsked,
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
    /// The portal has blocked a unit, and says which: nothing was applied.
    Blocked {
        /// The unit.
        unit: Key,
        /// What it said.
        failure: Failure,
    },
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
        /// What it gave back, where it gives anything.
        receipt: Option<Box<Receipt>>,
    },
    /// It took a part of it, under an id of its own. Delivered again with that id, the rest follows.
    Begun {
        /// Its own id for the record.
        remote_id: String,
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
