//! The hand-over to the learning system: `{signature}` and `{expires}` of the site's address, by which the learning system knows that a
//! specialist was sent by this program, and just now.

use std::fmt::Write as _;
use std::time::Duration;

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};

/// How long an address is good for: a browser follows a redirect at once.
pub(super) const LIFE: Duration = Duration::from_secs(5 * 60);

/// The key that is shared with the learning system.
pub(super) struct Handover(hmac::Key);

/// Until when an address is good, and the signature under it; both empty where nothing is signed.
#[derive(Debug, Default)]
pub(super) struct Stamp {
    pub expires: String,
    pub signature: String,
}

impl Handover {
    pub fn new(secret: &SecretString) -> Self {
        Handover(hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes()))
    }

    /// Signs for a moment in seconds since 1970-01-01T00:00:00Z.
    pub fn stamp(&self, module_id: &str, snils: &str, reviewer: &str, now: i64) -> Stamp {
        let expires = now.saturating_add(LIFE.as_secs().cast_signed()).to_string();
        let tag = hmac::sign(&self.0, format!("{module_id}\n{snils}\n{reviewer}\n{expires}").as_bytes());
        let mut signature = String::with_capacity(64);
        for byte in tag.as_ref() {
            let _infallible = write!(signature, "{byte:02x}");
        }
        Stamp { expires, signature }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_is_what_another_program_makes_of_the_same_four_lines() {
        let stamp = Handover::new(&"handover-secret".into()).stamp("Курс 1", "11223344595", "test", 1_800_000_000);
        assert_eq!(stamp.expires, "1800000300");
        assert_eq!(stamp.signature, "63511d6b7ef20e5ef7b3bd75bc94d8b379aec5da1f5af47d4480ed1e491aee37");
    }
}
