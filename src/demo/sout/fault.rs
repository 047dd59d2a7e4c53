//! What tests make go wrong.

use std::collections::{BTreeMap, VecDeque};

/// How one push ends otherwise than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The set is made, the answer is cut off.
    LoseAnswer,
    /// The set is made, and no answer comes for a minute.
    HoldAnswer,
    /// Nothing is made, the answer is cut off.
    LoseRequest,
    /// The set is made; the answer is an `Error` whose status is 200.
    SuccessAsError,
    /// The set is made and stays a draft, though it is signed.
    NotSentOn,
    /// The set is made and stays a draft, though it is signed; the answer is cut off.
    NotSentOnAndLost,
    /// Nothing is made: HTTP 500.
    Fail,
    /// Nothing is made: HTTP 503.
    Maintenance,
}

/// Faults that are to come.
#[derive(Default)]
pub(super) struct Faults {
    queue: VecDeque<Fault>,
    refused: BTreeMap<String, String>,
    set_refused: Option<String>,
    pub(super) maintenance: bool,
    pub(super) programs_hidden: bool,
}

impl Faults {
    pub(super) fn push(&mut self, fault: Fault) {
        self.queue.push_back(fault);
    }

    pub(super) fn next(&mut self) -> Option<Fault> {
        self.queue.pop_front()
    }

    pub(super) fn refuse(&mut self, outer_id: &str, words: &str) {
        self.refused.insert(outer_id.to_owned(), words.to_owned());
    }

    /// Every set is refused in these words, whatever is in it.
    pub(super) fn refuse_sets(&mut self, words: &str) {
        self.set_refused = Some(words.to_owned());
    }

    /// The words in which every set is refused.
    pub(super) fn set_refusal(&self) -> Option<String> {
        self.set_refused.clone()
    }

    pub(super) fn refuse_nothing(&mut self) {
        self.set_refused = None;
        self.refused.clear();
    }

    /// The words about a record that is refused.
    pub(super) fn refusal(&self, outer_id: Option<&str>) -> Option<String> {
        self.refused.get(outer_id?).cloned()
    }
}
