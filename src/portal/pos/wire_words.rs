//! What a recording makes of the wire of POS: the exchange of tokens, and its short answers.

use crate::portal::WireWords;

pub(super) static WORDS: WireWords = WireWords {
    shown: &["success"],
    incidental: &["id", "expiresin"],
    messages: &["message"],
    secrets: &["accesstoken", "refreshtoken", "name"],
    files: &[],
    pending: &[],
    questions: &[],
    moving_days: &[],
};
