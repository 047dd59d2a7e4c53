//! The ledger: durable memory of what each portal has acknowledged, by key and fingerprint. Never a body, never a name.
//!
//! A feed's memory is a journal. A batch about to be sent is one journal row, written before its first byte leaves
//! ([`Ledger::mark`]); when the portal has answered, that row is closed and so becomes the memory of what was acknowledged
//! ([`Ledger::settle`]): what was sent is written once, whatever its size. Everything else that is remembered of a record is
//! a later entry that wins over earlier ones. [`Ledger::load`] replays the journal; [`Ledger::rewrite`] shortens it.

mod any;
mod codec;
mod exchange;
mod journal;
mod memory;
mod note;
mod secrets;
mod sqlite;

use std::future::Future;

pub use any::AnyLedger;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use codec::fuzzing;
pub use exchange::{Exchange, ExchangeCounts, ExchangeState, Remark, WriteBackDue};
pub use memory::{Fate, MemoryLedger};
pub use note::{Note, NoteKind, NotePlace, Word, WordId, WordKind};
pub use secrets::PortalSecrets;
pub use sqlite::SqliteLedger;

use secrecy::SecretString;

use crate::record::{Fingerprint, Key, Violation};

/// A feed's number inside one ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FeedId(pub i64);

/// What a ledger takes of its disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Its files together.
    pub used: u64,
    /// Free space beside them.
    pub free: u64,
}

/// The journal row of a batch in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MarkId(pub i64);

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The portal holds the wanted version. Set by settling.
    Accepted,
    /// A version waits to be sent, or to be sent again. Set when a delivery failed as a whole.
    Pending,
    /// Waits for a parent. Set by planning.
    Held,
    /// Refused by our checks or by the portal. Set by scanning and settling.
    Rejected,
    /// Sent, and nobody knows what became of it. Set by settling where a write is not idempotent.
    Unknown,
    /// Its time passed and its row is gone: a tombstone that still satisfies children. Set at the end of a scan.
    Past,
    /// Its row is gone and the portal holds it, or may hold it: to be removed. Set at the end of a scan, once the fuse has let it pass.
    Gone,
    /// Its row gives its place up to that of another record, or hangs on one that does: it is taken away where the portal may hold it, and not
    /// sent before that changes. Nothing is wrong. Set by planning, and at the end of a read once the fuse has let it pass.
    Yielded,
}

/// What a batch in flight may already have done to a record at the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// This version may be there.
    Version(Fingerprint),
    /// A part of this version is there, under the portal's own id. Nothing of the rest has left.
    Begun(Fingerprint),
    /// A part of this version is there, and the rest of it may be.
    Finishing(Fingerprint),
    /// It may be removed.
    Removal,
}

impl Mark {
    /// The version that may be there, whole or in part.
    pub fn version(self) -> Option<Fingerprint> {
        match self {
            Mark::Version(version) | Mark::Begun(version) | Mark::Finishing(version) => Some(version),
            Mark::Removal => None,
        }
    }

    /// The mark of this version about to be sent, where this one stood before: the rest of what was begun, or all of it.
    pub fn before_sending(before: Option<Mark>, version: Fingerprint) -> Mark {
        match before {
            Some(Mark::Begun(begun) | Mark::Finishing(begun)) if begun == version => Mark::Finishing(version),
            Some(_) | None => Mark::Version(version),
        }
    }

    /// True when an earlier request that carried all of this version, or the rest of it, may have been carried out.
    pub fn leaves_open(before: Option<Mark>, version: Fingerprint) -> bool {
        matches!(before, Some(Mark::Version(open) | Mark::Finishing(open)) if open == version)
    }
}

/// Everything the ledger remembers of one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The record's key.
    pub key: Key,
    /// The version that the portal acknowledged.
    pub accepted: Option<Fingerprint>,
    /// What may have reached the portal without an acknowledgement.
    pub mark: Option<Mark>,
    /// Where the record stands.
    pub state: State,
    /// The version (or, for a row that our checks refuse, the set of violations) that a state other than `Accepted` speaks of.
    pub wanted: Option<Fingerprint>,
    /// Keys of the parents, in the order of the schema's holding edges.
    pub parents: [Option<Key>; 2],
    /// Key of the unit the record belongs to.
    pub unit: Option<Key>,
    /// When its time is past: seconds since 1970-01-01T00:00:00Z.
    pub expires: Option<i64>,
    /// Index of the last accepted status in its schema's enum, where children depend on it.
    pub status: Option<u8>,
    /// Hash of the place the accepted version holds.
    pub place: Option<u64>,
    /// The portal's own id of the record, where it gives one.
    pub remote_id: Option<Box<str>>,
    /// True when the acknowledgement is still to be written back to the source.
    pub write_back_due: bool,
    /// Deliveries of the wanted version that failed.
    pub attempts: u16,
    /// Earliest time of the next one: seconds since 1970-01-01T00:00:00Z.
    pub next_attempt: Option<i64>,
}

/// How a mark ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// Every record of the batch has been acknowledged as it was marked (a version is accepted, a removal is done), but for those
    /// that the same settlement states anew.
    Acknowledged,
    /// Nothing is known from the batch itself: the settlement states every record of it anew.
    Restated,
}

/// Why a record does not flow, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The record's key; none when the row has no usable one.
    pub key: Option<Key>,
    /// `Rejected`, `Held` or `Unknown`.
    pub state: State,
    /// The portal's code, or ours for a local check (`CHECK`, `PARENT`, `DUPLICATE_KEY`).
    pub code: String,
    /// The broken rules, when a local check refused the row.
    pub violations: Vec<Violation>,
    /// The portal's text with values masked, or our sentence.
    pub text: String,
    /// Since when: seconds since 1970-01-01T00:00:00Z.
    pub since: i64,
}

/// Numbers of a feed that readers see without loading its journal. Written with every settlement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records the portal holds in their wanted version.
    pub accepted: u64,
    /// Records to be sent, or to be removed.
    pub pending: u64,
    /// Records that wait for a parent.
    pub held: u64,
    /// Records refused.
    pub rejected: u64,
    /// Records of unknown outcome.
    pub unknown: u64,
    /// Since when the oldest pending record waits: seconds since 1970-01-01T00:00:00Z.
    pub oldest_pending: Option<i64>,
}

/// One transaction on a feed.
#[derive(Debug, Default)]
pub struct Settlement {
    /// The marks that end, if any.
    pub close: Vec<(MarkId, Close)>,
    /// Records stated anew.
    pub entries: Vec<Entry>,
    /// Records to forget. What of them is ready in the register is forgotten too; what was ever sent stays there.
    pub dropped: Vec<Key>,
    /// Refusals to write, by key: these replace any earlier one of that key.
    pub refused: Vec<Refusal>,
    /// Keys whose refusal is over.
    pub cleared: Vec<Key>,
    /// When given, replaces all findings of the feed: rows without a key and second rows of a key, which are no records.
    pub findings: Option<Vec<Refusal>>,
    /// Rows of the register of exchange to state anew.
    pub exchanged: Vec<Exchange>,
    /// Rows of the register of which only the code changes, after those that are stated anew.
    pub remarked: Vec<Remark>,
    /// The feed's numbers after this transaction.
    pub counts: Option<Counts>,
}

/// What a feed remembers beside its records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The largest change time read: microseconds since 1970-01-01T00:00:00Z, whatever the column's own terms.
    pub watermark: Option<i64>,
    /// End of the last complete full scan: seconds since 1970-01-01T00:00:00Z.
    pub last_full_scan: Option<i64>,
    /// End of the last cycle that did all it had to: seconds since 1970-01-01T00:00:00Z.
    pub last_success: Option<i64>,
    /// Version of the encoder whose fingerprints stand in the journal.
    pub encoder: u32,
}

/// A feed as readers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedSummary {
    /// Its number.
    pub id: FeedId,
    /// The portal's name in the configuration.
    pub portal: String,
    /// The feed's name.
    pub feed: String,
    /// Its numbers.
    pub counts: Counts,
    /// Its progress.
    pub progress: Progress,
}

/// One step of a replay.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a step lives on the stack of the replay, never in a collection")]
pub enum Replay {
    /// The record now stands like this.
    Put(Entry),
    /// The record is forgotten.
    Drop(Key),
}

/// Durable memory of what each portal has acknowledged.
///
/// Contract, held by one suite over every implementation:
/// * `mark` and `settle` are durable and atomic when they return; calls may run concurrently.
/// * `load` replays in the order of the calls that were made: a mark counts where it was made, with its close if it has one. An
///   entry whose mark was never closed is replayed as it was marked: its `mark` is set.
/// * One process writes: opening a ledger for writing fails while another holds it.
pub trait Ledger: Send + Sync + 'static {
    /// The feed's number, given on first use.
    fn feed(&self, portal: &str, feed: &str) -> impl Future<Output = Result<FeedId, LedgerError>> + Send;

    /// Every feed ever used, ordered by portal and number.
    fn feeds(&self) -> impl Future<Output = Result<Vec<FeedSummary>, LedgerError>> + Send;

    /// Replays the feed's journal into `visit`, oldest first.
    fn load(
        &self,
        feed: FeedId,
        visit: &mut (dyn FnMut(Replay) + Send),
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Writes a batch about to be sent. Each entry states its record with `mark` set and is as it shall stand once acknowledged
    /// (`accepted` and so on still the old ones; [`Entry::acknowledge`] says what closing does to it).
    fn mark(&self, feed: FeedId, entries: &[Entry]) -> impl Future<Output = Result<MarkId, LedgerError>> + Send;

    /// Writes one transaction.
    fn settle(&self, feed: FeedId, settlement: Settlement) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Reads what the feed remembers beside its records.
    fn progress(&self, feed: FeedId) -> impl Future<Output = Result<Progress, LedgerError>> + Send;

    /// Writes what the feed remembers beside its records.
    fn set_progress(&self, feed: FeedId, progress: Progress) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Refusals and findings of a feed, ordered by key, keyless ones last.
    fn refusals(&self, feed: FeedId) -> impl Future<Output = Result<Vec<Refusal>, LedgerError>> + Send;

    /// Hands refusals and findings of a feed to `visit`, in any order, without keeping them all: there may be as many as rows.
    fn each_refusal(
        &self,
        feed: FeedId,
        visit: &mut (dyn FnMut(&Refusal) + Send),
    ) -> impl Future<Output = Result<(), LedgerError>> + Send {
        async move {
            self.refusals(feed).await?.iter().for_each(visit);
            Ok(())
        }
    }

    /// True when the journal holds so much that is overruled that a rewrite pays. `live` is the number of records.
    fn wants_rewrite(&self, feed: FeedId, live: u64) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Replaces the feed's whole journal by these entries, in one transaction. No mark of the feed may be open.
    fn rewrite(
        &self,
        feed: FeedId,
        entries: &mut (dyn Iterator<Item = Entry> + Send),
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Notes of a portal, ordered by place.
    fn notes(&self, portal: &str) -> impl Future<Output = Result<Vec<Note>, LedgerError>> + Send;

    /// Writes a note; it replaces the one that was at its place.
    fn set_note(&self, note: &Note) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Forgets a note. One that is not there is no error.
    fn drop_note(&self, place: &NotePlace) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// At most so many rows of the feed's register of exchange behind a key, ordered by key.
    fn exchanges(
        &self,
        feed: FeedId,
        after: Option<&Key>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Exchange>, LedgerError>> + Send;

    /// The row of one record in the feed's register of exchange.
    fn exchange(&self, feed: FeedId, key: &Key) -> impl Future<Output = Result<Option<Exchange>, LedgerError>> + Send;

    /// How many rows of the feed's register of exchange stand where.
    fn exchange_counts(&self, feed: FeedId) -> impl Future<Output = Result<ExchangeCounts, LedgerError>> + Send;

    /// A secret that was kept for a portal.
    fn secret(
        &self,
        portal: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<SecretString>, LedgerError>> + Send;

    /// Keeps a portal's secret in place of the one with this name. Durable when it returns.
    fn keep_secret(
        &self,
        portal: &str,
        name: &str,
        secret: SecretString,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Leaves a word for the process that holds the ledger.
    fn say(&self, word: &Word) -> impl Future<Output = Result<WordId, LedgerError>> + Send;

    /// Words that nobody has taken up yet, in the order in which they were said.
    fn words(&self) -> impl Future<Output = Result<Vec<(WordId, Word)>, LedgerError>> + Send;

    /// These words have been taken up, and what follows from them is durable.
    fn heard(&self, words: &[WordId]) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Finishes what was asked and closes. Later calls fail.
    fn close(&self) -> impl Future<Output = Result<(), LedgerError>> + Send;
}

impl Refusal {
    /// True when the portal refused, not we.
    pub fn is_of_portal(&self) -> bool {
        self.state == State::Rejected && self.violations.is_empty()
    }
}

impl Entry {
    /// A record of which nothing is known but its key.
    pub fn new(key: Key) -> Self {
        Entry {
            key,
            accepted: None,
            mark: None,
            state: State::Pending,
            wanted: None,
            parents: [None, None],
            unit: None,
            expires: None,
            status: None,
            place: None,
            remote_id: None,
            write_back_due: false,
            attempts: 0,
            next_attempt: None,
        }
    }

    /// The portal acknowledged what the mark says. None: the record is removed and is to be forgotten.
    pub fn acknowledge(mut self) -> Option<Self> {
        self.close_mark().then_some(self)
    }

    /// [`Entry::acknowledge`] in place: false means that the record is to be forgotten.
    pub fn close_mark(&mut self) -> bool {
        match self.mark.take() {
            Some(Mark::Version(version) | Mark::Begun(version) | Mark::Finishing(version)) => {
                self.accepted = Some(version);
                self.state = State::Accepted;
                self.wanted = None;
                self.attempts = 0;
                self.next_attempt = None;
                true
            }
            Some(Mark::Removal) => false,
            None => true,
        }
    }
}

/// Why the ledger cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process holds it.
    #[error(
        "the ledger {path} is in use by another vitrina process{owner}; stop it first, or use a verb that only reads"
    )]
    Locked {
        /// Its path.
        path: String,
        /// Who, beginning with a space; may be empty.
        owner: String,
    },
    /// The file is not a ledger, is damaged, or is of a newer version.
    #[error("the ledger {path} cannot be used: {reason}")]
    Unusable {
        /// Its path.
        path: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The database under it refused.
    #[error("the ledger failed at {action}: {reason}")]
    Storage {
        /// What was being done.
        action: &'static str,
        /// The database's own words.
        reason: String,
    },
    /// It was closed.
    #[error("the ledger is closed")]
    Closed,
}
