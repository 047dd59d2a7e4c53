//! Failures: what a request that was not judged record by record came to.

use std::time::Duration;

/// A request without a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub trouble: Trouble,
    /// True when the portal may have applied the request all the same.
    pub maybe_applied: bool,
    /// What an operator reads: no body, no secret, no personal data.
    pub text: String,
}

/// What happened to a request, as far as it matters for what is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No connection, a time-out, a cut or unreadable answer, 408, 429, 5xx: the same batch again, later. A portal that names a delay is
    /// believed.
    Transient {
        /// Not before this long.
        retry_after: Option<Duration>,
    },
    /// 413, or a refusal that names no record: smaller pieces, at once.
    TooLarge,
    /// 400 or 422 without a record's id: bisect to the culprit.
    Unattributed,
    /// 405: the portal has blocked the unit.
    UnitBlocked,
    /// 503: maintenance, the whole portal pauses.
    Maintenance {
        /// Not before this long.
        retry_after: Option<Duration>,
    },
    /// 401 after renewal, 403, 404, a redirect: a person must act.
    Parked,
}
