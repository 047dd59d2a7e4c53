//! What can be set about the mock gateway: its account, its limits, and the points the document leaves open.

use std::fmt;
use std::time::Duration;

/// What a refusal calls a unit by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// Nothing: the print masks it.
    Nothing,
    /// This field of the unit.
    Field(&'static str),
}

/// Settings of the mock gateway.
#[derive(Clone)]
pub struct GatewaySettings {
    /// The account that `/auth.svc` knows: the OID of the medical organization.
    pub username: String,
    /// Its password.
    pub password: String,
    /// How long an issued token is good for.
    pub token_life: Duration,
    /// Most bytes of a request body as sent.
    pub max_body_bytes: usize,
    /// Most bytes of a request body after gunzip.
    pub max_inflated_bytes: usize,
    /// Most records of one request.
    pub max_records: usize,
    /// Records of one unit that may be refused before its updates are blocked with 405. None: never.
    pub block_unit_after: Option<u32>,
    /// What the refusal of a blocked unit's records names in its brackets.
    pub blocked_unit_named: NamedBy,
    /// True: a CANCELED slot still holds its (resource, time), as some marts do.
    pub canceled_slot_holds_place: bool,
    /// True: a book without `referral_id` is refused, as the letter of table 7 has it.
    pub book_needs_referral: bool,
    /// True: a referral must hold what the chapter on booking by referral calls obligatory, instead of what table 8 does.
    pub referral_by_scenario: bool,
    /// True: a request in which every record breaks appendix 1 is answered 400 instead of 422; the body is the same.
    pub format_errors_as_400: bool,
    /// Requests the log remembers.
    pub log_requests: usize,
    /// Record ids the log remembers over all its requests.
    pub log_ids: usize,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        GatewaySettings {
            username: "1.2.643.5.1.13.13.12.2.86.8902".to_owned(),
            password: "demo".to_owned(),
            token_life: Duration::from_secs(3600),
            max_body_bytes: 16 << 20,
            max_inflated_bytes: 64 << 20,
            max_records: 10_000,
            block_unit_after: None,
            blocked_unit_named: NamedBy::Nothing,
            canceled_slot_holds_place: true,
            book_needs_referral: false,
            referral_by_scenario: false,
            format_errors_as_400: false,
            log_requests: 10_000,
            log_ids: 200_000,
        }
    }
}

impl fmt::Debug for GatewaySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewaySettings")
            .field("username", &self.username)
            .field("token_life", &self.token_life)
            .field("max_records", &self.max_records)
            .field("block_unit_after", &self.block_unit_after)
            .finish_non_exhaustive()
    }
}
