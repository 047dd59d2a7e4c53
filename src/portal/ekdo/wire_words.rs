//! What a recording makes of the wire of EKDO: names of the default wire.

use crate::portal::WireWords;

pub(super) static WORDS: WireWords = WireWords {
    shown: &["success", "status", "type"],
    incidental: &["id", "expiresin"],
    messages: &["message"],
    secrets: &["username", "password", "userid", "token"],
    files: &[],
    pending: &[],
    questions: &[],
    moving_days: &[],
};
