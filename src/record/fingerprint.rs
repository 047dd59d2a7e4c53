//! Fingerprints: 128 bits that stand for a record's canonical body in the ledger, where bodies may not be.

use std::fmt;

use xxhash_rust::xxh3::xxh3_128;

/// Version of the encoder whose bodies the fingerprints stand for. Raise it whenever canonical bodies change: golden
/// fingerprints in the tests of this room notice when they do.
pub const ENCODER_VERSION: u32 = 1;

/// The hash of a canonical body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// The fingerprint of these bytes.
    pub fn of(body: &[u8]) -> Self {
        Fingerprint(xxh3_128(body))
    }

    /// Stands for a version that nobody here knows. No record has it: no body is empty.
    pub fn unknown() -> Self {
        Fingerprint::of(b"")
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({:032x})", self.0)
    }
}
