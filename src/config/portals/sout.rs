//! What only the register of training in occupational safety has: the key of the organisation and the program that signs its sets.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use super::{Key, OnUnknownOutcome, Pace, Scalar, Shape, feed, inquire_every, on_unknown_outcome};
use crate::config::names;
use crate::config::shape::Texts;

/// Settings of the register.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoutConfig {
    /// The organisation's key.
    pub api_key: SecretString,
    /// Program and arguments that sign a set: the path of the file is appended, the signature is left beside it as `<path>.sig`. Without one,
    /// sets arrive as drafts that a person sends from the site.
    #[serde(default)]
    pub sign_command: Option<Vec<String>>,
    /// Longest time that it may take.
    #[serde(with = "humantime_serde")]
    pub sign_timeout: Duration,
    /// The form in which the signature goes into the set's archive, whichever form the program leaves.
    pub sig_encoding: SignatureEncoding,
    /// What is done with a set when nobody knows whether the register took it and the register cannot tell.
    pub on_unknown_outcome: OnUnknownOutcome,
    /// Pause between two questions for registry numbers.
    #[serde(with = "humantime_serde")]
    pub inquire_every: Duration,
    /// How long after a signed set was sent the register may still come to show it: only then is a set whose answer was lost sent again.
    #[serde(with = "humantime_serde")]
    pub absent_after: Duration,
    /// Records of a page that is read back.
    pub page_size: u32,
}

/// The form of a detached signature's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureEncoding {
    /// Text.
    Base64,
    /// Bytes.
    Der,
}

/// Most records of a set, by its published schema.
pub(super) const LARGEST_SET: u32 = 5_000;

/// How it is sent to: few sets, each as large as it may be.
pub(super) const PACE: [Key; 5] =
    Pace { batch: "5000", max_batch_bytes: "16777216", in_flight: "1", requests_per_second: "2", timeout: "2m" }.keys();

/// Its own keys.
pub(super) const KEYS: &[Key] = &[
    Key::must("api_key", Shape::Secret),
    Key::may("sign_command", Shape::Texts(Texts { check: names::any, alone: false, most: 64 })),
    Key::or("sign_timeout", "1m", Scalar::seconds(1, 600)),
    Key::or("sig_encoding", "base64", Scalar::Word(&["base64", "der"])),
    on_unknown_outcome(),
    inquire_every(),
    Key::or("absent_after", "6h", Scalar::seconds(15 * 60, 30 * 24 * 3600)),
    Key::or("page_size", "1000", Scalar::Integer { min: 1, max: LARGEST_SET as i64 }),
    Key::may("feeds", Shape::Table(FEEDS)),
];

/// Its feeds.
pub(super) const FEEDS: &[Key] = &[feed("training")];
