//! The journal's binary form: some steps of a replay in one blob, so that a batch is one row whatever its size.
//!
//! ```text
//! blob  = version (1 byte), number of steps (u32), step*, xxh3-64 of all before it (u64)
//! step  = flags (3 bytes), key, then only the parts that the flags name, in the order of the constants below
//! key   = sixteen bytes (a GUID), or length (varint) and UTF-8
//! ```
//!
//! Numbers are little-endian. Times are zigzag varints. A parent or a unit that equals that of the step before costs only its
//! flag, and so does a unit that is one of the record's own parents: the records of a batch mostly share them.
//! The version is raised when the form changes; older versions stay readable.

mod decode;
mod encode;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;

pub(super) use decode::{Damaged, decode};
pub(super) use encode::{Body, Encoder};

use super::State;
use crate::record::Key;

/// The form's version: the first byte of a blob.
const VERSION: u8 = 1;
/// Bytes before the first step.
const HEAD: usize = 5;
/// Bytes of the checksum.
const CHECKSUM: usize = 8;
/// Bytes of the flags of a step.
const FLAGS: usize = 3;

const STATE: u32 = 0b111;
/// In the place of a state: the step forgets its key.
const DROPPED: u32 = 6;
const KEY_IS_TEXT: u32 = 1 << 3;
const ACCEPTED: u32 = 1 << 4;
const MARK_SHIFT: u32 = 5;
const MARK: u32 = 0b11;
const MARK_VERSION: u32 = 1;
const MARK_REMOVAL: u32 = 2;
const MARK_BEGUN: u32 = 3;
const WANTED: u32 = 1 << 7;
const PARENT_SHIFT: [u32; 2] = [8, 10];
const PARENT: u32 = 0b11;
const UNIT_SHIFT: u32 = 12;
const UNIT: u32 = 0b111;
const EXPIRES: u32 = 1 << 15;
const STATUS: u32 = 1 << 16;
const PLACE: u32 = 1 << 17;
const REMOTE_ID: u32 = 1 << 18;
const WRITE_BACK_DUE: u32 = 1 << 19;
const ATTEMPTS: u32 = 1 << 20;
const NEXT_ATTEMPT: u32 = 1 << 21;
/// Of a version that was begun: the rest may be there too.
const FINISHING: u32 = 1 << 22;
/// The fourth bit of a state's number, which has no room beside the others.
const STATE_HIGH: u32 = 1 << 23;
const ALL: u32 = (1 << 24) - 1;

/// How a parent or a unit is written: not at all.
const LINK_NONE: u32 = 0;
/// As a GUID.
const LINK_GUID: u32 = 1;
/// As text.
const LINK_TEXT: u32 = 2;
/// As that of the step before.
const LINK_BEFORE: u32 = 3;
/// A unit only: as the first parent, or as the second.
const LINK_PARENT: [u32; 2] = [4, 5];

/// What the next step may refer to: the links of the last record that was put.
#[derive(Debug, Default)]
struct Before {
    parents: [Option<Key>; 2],
    unit: Option<Key>,
}

/// The number of a state in every stored form. Never renumber.
pub(super) fn state_number(state: State) -> u8 {
    match state {
        State::Accepted => 0,
        State::Pending => 1,
        State::Held => 2,
        State::Rejected => 3,
        State::Unknown => 4,
        State::Past => 5,
        State::Gone => 7,
        State::Yielded => 8,
    }
}

/// The state of a stored number.
pub(super) fn state_of(number: u32) -> Option<State> {
    Some(match number {
        0 => State::Accepted,
        1 => State::Pending,
        2 => State::Held,
        3 => State::Rejected,
        4 => State::Unknown,
        5 => State::Past,
        7 => State::Gone,
        8 => State::Yielded,
        _ => return None,
    })
}
