//! What can be set about the mock register: its key, and what the document and running services leave open or do in several ways.

use std::time::Duration;

/// Settings of the mock register.
#[derive(Clone)]
pub struct RegisterSettings {
    /// The key of the account.
    pub api_key: String,
    /// How answers are wrapped.
    pub envelope: Envelope,
    /// How often a record is read back before it has its number.
    pub reads_before_number: u32,
    /// After how long a person sends drafts on. None: nobody does.
    pub drafts_sent_after: Option<Duration>,
    /// Largest page, whatever is asked for.
    pub largest_page: usize,
    /// Most bytes of an answer: a larger page is refused by what stands before the register (HTTP 413). None: no limit.
    pub largest_answer: Option<usize>,
    /// Most bytes of a request.
    pub max_body_bytes: usize,
}

impl RegisterSettings {
    /// A register with this key that gives numbers at once.
    pub fn new(api_key: &str) -> Self {
        RegisterSettings {
            api_key: api_key.to_owned(),
            envelope: Envelope::Printed,
            reads_before_number: 0,
            drafts_sent_after: None,
            largest_page: 5000,
            largest_answer: None,
            max_body_bytes: 64 << 20,
        }
    }
}

impl std::fmt::Debug for RegisterSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegisterSettings").field("envelope", &self.envelope).finish_non_exhaustive()
    }
}

/// The ways in which answers were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// As the document prints: a bare `Error` under its own status, `EducatedPersons` with attributes.
    Printed,
    /// `Error` inside `Response` under HTTP 200; `ArrayOfRegistryRecord` with elements.
    Serialized,
    /// As `Serialized`, records inside `Response`.
    Wrapped,
}
