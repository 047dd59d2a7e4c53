//! Values of labels that are enums.

use crate::transport::Health;

/// What became of a record, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The portal holds it.
    Accepted,
    /// The portal refused it.
    Refused,
    /// Our own checks refused its row.
    Invalid,
    /// The portal removed it.
    Removed,
    /// It was put off to a later cycle.
    Postponed,
}

/// Why a request or a record is tried again, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryReason {
    /// The token was refused and renewed.
    Token,
    /// The portal or the network failed.
    Failure,
    /// A request was cut into smaller ones.
    Split,
}

/// What became of an exchange that was to be recorded, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It stands in a file.
    Written,
    /// Too many waited to be written.
    QueueFull,
    /// It is larger than all that is kept.
    TooLarge,
    /// The disk refused it.
    Disk,
}

impl Recorded {
    pub(super) fn label(self) -> &'static str {
        match self {
            Recorded::Written => "written",
            Recorded::QueueFull => "queue_full",
            Recorded::TooLarge => "too_large",
            Recorded::Disk => "disk",
        }
    }
}

/// States of `vitrina_portal_state`.
pub(super) const PORTAL_STATES: [&str; 4] = ["open", "paused", "maintenance", "parked"];

/// Encodings of `vitrina_sent_bytes_total`.
pub(super) const ENCODINGS: [&str; 2] = ["raw", "gzip"];

/// Kinds of `vitrina_feed_drafts`: went out signed and kept all the same; to be signed at the portal.
pub(super) const DRAFTS: [&str; 2] = ["kept", "unsigned"];

impl Outcome {
    pub(super) const ALL: [Outcome; 5] =
        [Outcome::Accepted, Outcome::Refused, Outcome::Invalid, Outcome::Removed, Outcome::Postponed];

    pub(super) fn label(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Refused => "refused",
            Outcome::Invalid => "invalid",
            Outcome::Removed => "removed",
            Outcome::Postponed => "postponed",
        }
    }
}

impl RetryReason {
    pub(super) const ALL: [RetryReason; 3] = [RetryReason::Token, RetryReason::Failure, RetryReason::Split];

    pub(super) fn label(self) -> &'static str {
        match self {
            RetryReason::Token => "token",
            RetryReason::Failure => "failure",
            RetryReason::Split => "split",
        }
    }
}

/// A portal's health as a state. A pause that the portal itself announces is no failure.
pub(super) fn state_of(health: &Health) -> &'static str {
    match health {
        Health::Open => "open",
        Health::Paused { maintenance: true, .. } => "maintenance",
        Health::Paused { maintenance: false, .. } => "paused",
        Health::Parked { .. } => "parked",
    }
}
