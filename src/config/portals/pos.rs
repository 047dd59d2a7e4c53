//! What only the feedback platform has: a pair of tokens that the operator gives once and that is renewed ever after.

use secrecy::SecretString;
use serde::Deserialize;

use super::{Key, OnUnknownOutcome, Pace, Scalar, Shape, feed, on_unknown_outcome, path};

/// Settings of the platform.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PosConfig {
    /// The first token for requests.
    pub access_token: SecretString,
    /// The first token for renewal.
    pub refresh_token: SecretString,
    /// When the first access token ends, as its owner was told: seconds since 1970.
    pub expires_in: Option<i64>,
    /// Name of the external resource for which access was granted.
    pub name: SecretString,
    /// Where tokens are renewed, below the portal's address.
    pub refresh_path: String,
    /// What is done with an activity when nobody knows whether the platform took it.
    pub on_unknown_outcome: OnUnknownOutcome,
}

/// How it is sent to: one activity a request.
pub(super) const PACE: [Key; 5] =
    Pace { batch: "1", max_batch_bytes: "1048576", in_flight: "2", requests_per_second: "5", timeout: "30s" }.keys();

/// Its own keys.
pub(super) const KEYS: &[Key] = &[
    Key::must("access_token", Shape::Secret),
    Key::must("refresh_token", Shape::Secret),
    Key::must("name", Shape::Secret),
    Key::may("expires_in", Shape::Scalar(Scalar::Moment)),
    Key::or("refresh_path", "/refresh-token", Scalar::Text(path)),
    on_unknown_outcome(),
    Key::may("feeds", Shape::Table(FEEDS)),
];

/// Its feeds, parents before children.
pub(super) const FEEDS: &[Key] = &[feed("poll"), feed("voting"), feed("voting_object")];
