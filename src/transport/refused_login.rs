//! Remembers durably that a portal has refused credentials: a pass that a timetable starts every few minutes must not log in with a wrong
//! password each time, because portals lock accounts. Other credentials, or another address, are tried at once.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::SecretStore;

/// The note's name in the store.
const NAME: &str = "refused_login";
/// No start waits longer than this, however long the process that was refused would have: an account may be unlocked at the portal, which
/// nobody tells us.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The memory of refused logins of one portal.
pub struct RefusedLogins {
    store: Arc<dyn SecretStore>,
    /// The address and the credentials, as they are digested.
    account: SecretString,
}

/// What is kept of a refusal: nothing by which anybody could log in.
#[derive(Serialize, Deserialize)]
struct Refusal {
    salt: String,
    digest: String,
    /// Seconds since 1970-01-01T00:00:00Z.
    until: i64,
    /// Refusals in a row.
    failures: u16,
    /// What was logged of it.
    text: String,
}

/// The last refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Last {
    /// How long it still stands.
    pub left: Duration,
    /// Refusals in a row.
    pub failures: u16,
    /// What was logged of it.
    pub text: String,
}

impl RefusedLogins {
    /// The memory of logins at this address with these credentials.
    pub fn new(store: Arc<dyn SecretStore>, address: &str, credentials: &[&str]) -> Self {
        let account = [&[address], credentials].concat().join("\0");
        RefusedLogins { store, account: account.into() }
    }

    /// The last refusal of these credentials. A store that cannot be read knows of none.
    pub(super) async fn last(&self, now: i64) -> Option<Last> {
        let kept = self.store.read(NAME).await.ok()??;
        let refusal: Refusal = serde_json::from_str(kept.expose_secret()).ok()?;
        let same = refusal.digest == self.digest(&refusal.salt);
        // A clock that was set back makes nobody wait for years.
        let left = Duration::from_secs(u64::try_from(refusal.until.saturating_sub(now)).unwrap_or(0)).min(LONGEST);
        same.then_some(Last { left, failures: refusal.failures, text: refusal.text })
    }

    /// The portal has refused these credentials so many times in a row, and is left alone for so long.
    pub(super) async fn note(&self, pause: Duration, failures: u16, text: &str, now: i64) {
        let salt = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        let until = now.saturating_add(pause.min(LONGEST).as_secs().cast_signed());
        let refusal = Refusal { digest: self.digest(&salt), salt, until, failures, text: text.to_owned() };
        self.keep(serde_json::to_string(&refusal).unwrap_or_default()).await;
    }

    /// The portal has taken them.
    pub(super) async fn forget(&self) {
        self.keep(String::new()).await;
    }

    /// Without the note the account is guarded by the pause in memory alone: no reason to stop.
    async fn keep(&self, text: String) {
        if let Err(error) = self.store.keep(NAME, text.into()).await {
            tracing::debug!("a refused login cannot be noted: {error}");
        }
    }

    fn digest(&self, salt: &str) -> String {
        let text = SecretString::from([salt, "\0", self.account.expose_secret()].concat());
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.expose_secret().as_bytes());
        URL_SAFE_NO_PAD.encode(digest.as_ref())
    }
}
