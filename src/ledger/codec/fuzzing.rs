//! What must hold of reading a blob of a ledger file that somebody damaged or made up.

use xxhash_rust::xxh3::xxh3_64;

use super::{Damaged, Encoder, decode};
use crate::ledger::{Entry, Replay};
use crate::record::Key;

type Step = Result<Entry, Key>;

fn read(blob: &[u8]) -> Result<Vec<Step>, Damaged> {
    let mut steps = Vec::new();
    let read = decode(blob, |step| {
        steps.push(match step {
            Replay::Put(entry) => Ok(entry),
            Replay::Drop(key) => Err(key),
        });
    });
    read.map(|()| steps)
}

/// Any bytes are steps or an error, steps cost bytes, and what was read is read again after it was written. The checksum is
/// made right, or nearly nothing behind it would ever be reached.
pub(crate) fn journal(bytes: &[u8]) {
    let as_it_is = read(bytes);
    assert!(as_it_is.is_err() || bytes.len() >= 13);
    let mut sealed = bytes.to_vec();
    sealed.extend_from_slice(&xxh3_64(bytes).to_le_bytes());
    let Ok(steps) = read(&sealed) else { return };
    assert!(steps.len() * 4 <= bytes.len(), "{} steps from {} bytes", steps.len(), bytes.len());
    let mut encoder = Encoder::with_capacity(steps.len());
    for step in &steps {
        match step {
            Ok(entry) => encoder.put(entry),
            Err(key) => encoder.forget(key),
        }
    }
    let body = encoder.finish();
    assert_eq!(body.entries as usize, steps.len());
    assert_eq!(read(&body.bytes), Ok(steps));
}
