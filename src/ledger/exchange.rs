//! The register of exchange: what became of each record of a feed whose writes are exchanges of documents. Keys, ids, codes and
//! times only.

use crate::record::{Fingerprint, Key, Receipt};

/// Where an exchange stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExchangeState {
    /// It is to be sent, or to be sent again. Set when an attempt came to nothing, or the portal is found to lack the record.
    Ready,
    /// The portal took it and has yet to say what becomes of it. Set by settling.
    Sent,
    /// The portal holds it, and nothing more is to come. Set by settling and by inquiries.
    Confirmed,
    /// The portal, or people behind it, turned it down. Set by settling and by inquiries.
    Refused,
    /// It was sent, and nobody knows what became of it. Set by settling, and at a start over an open mark.
    Unknown,
}

impl ExchangeState {
    /// All of them, in the order of an exchange.
    pub const ALL: [ExchangeState; 5] = [
        ExchangeState::Ready,
        ExchangeState::Sent,
        ExchangeState::Confirmed,
        ExchangeState::Refused,
        ExchangeState::Unknown,
    ];

    /// Its word, as `log` prints it and a write-back gets it.
    pub fn name(self) -> &'static str {
        match self {
            ExchangeState::Ready => "ready",
            ExchangeState::Sent => "sent",
            ExchangeState::Confirmed => "confirmed",
            ExchangeState::Refused => "refused",
            ExchangeState::Unknown => "unknown",
        }
    }

    /// Its stored number. Never renumber.
    pub(super) fn number(self) -> i64 {
        match self {
            ExchangeState::Ready => 0,
            ExchangeState::Sent => 1,
            ExchangeState::Confirmed => 2,
            ExchangeState::Refused => 3,
            ExchangeState::Unknown => 4,
        }
    }

    /// The state of a stored number.
    pub(super) fn of(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }
}

/// One row of the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The record's key.
    pub key: Key,
    /// The version that the state speaks of.
    pub version: Option<Fingerprint>,
    /// Where it stands.
    pub state: ExchangeState,
    /// What the portal gave back last. In a settlement: none keeps what was given before, an empty one forgets it.
    pub receipt: Option<Receipt>,
    /// When the record last went out: seconds since 1970-01-01T00:00:00Z. In a settlement: none keeps the time before.
    pub sent: Option<i64>,
    /// When the row was last stated: seconds since 1970-01-01T00:00:00Z.
    pub changed: i64,
    /// Why the record is not simply well: the code of a refusal, or one of the engine's own.
    pub code: Option<String>,
    /// Set while this is still to be written back to the source.
    pub write_back: Option<WriteBackDue>,
}

/// What is still to be written back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteBackDue {
    /// Attempts that failed.
    pub attempts: u16,
    /// Earliest time of the next one: seconds since 1970-01-01T00:00:00Z.
    pub next_attempt: i64,
}

/// A change of the code alone; nothing where the register has no such row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The record's key.
    pub key: Key,
    /// The new code; none when all is well again.
    pub code: Option<&'static str>,
}

/// How many rows of a register stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExchangeCounts {
    /// To be sent.
    pub ready: u64,
    /// Taken, to be confirmed.
    pub sent: u64,
    /// Done.
    pub confirmed: u64,
    /// Turned down.
    pub refused: u64,
    /// Of unknown outcome.
    pub unknown: u64,
    /// To be written back to the source, in whatever state.
    pub write_back: u64,
}

impl ExchangeCounts {
    /// The number of rows in a state.
    pub fn of(&self, state: ExchangeState) -> u64 {
        match state {
            ExchangeState::Ready => self.ready,
            ExchangeState::Sent => self.sent,
            ExchangeState::Confirmed => self.confirmed,
            ExchangeState::Refused => self.refused,
            ExchangeState::Unknown => self.unknown,
        }
    }

    /// The place of a state's number.
    pub(super) fn at(&mut self, state: ExchangeState) -> &mut u64 {
        match state {
            ExchangeState::Ready => &mut self.ready,
            ExchangeState::Sent => &mut self.sent,
            ExchangeState::Confirmed => &mut self.confirmed,
            ExchangeState::Refused => &mut self.refused,
            ExchangeState::Unknown => &mut self.unknown,
        }
    }
}

impl Exchange {
    /// The row as it stands once it is written over an earlier one.
    pub(crate) fn over(mut self, earlier: Option<Exchange>) -> Exchange {
        let (receipt, sent) = earlier.map(|earlier| (earlier.receipt, earlier.sent)).unwrap_or_default();
        self.receipt = self.receipt.or(receipt).filter(|receipt| !receipt.is_empty());
        self.sent = self.sent.or(sent);
        self
    }
}
