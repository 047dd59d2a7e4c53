//! The mock's pair of tokens (section 2.1).

use std::fmt;
use std::time::{Duration, Instant};

use chrono::Utc;
use serde_json::{Value, json};
use uuid::Uuid;

/// In which of its three meanings `expires_in` is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Milliseconds since 1970, as in the document's sample.
    Milliseconds,
    /// Seconds since 1970.
    Seconds,
    /// Seconds from now.
    Lifetime,
}

/// The account that the mock knows.
#[derive(Clone)]
pub struct PosAccount {
    /// The name of the external system.
    pub name: String,
    /// The first access token.
    pub access_token: String,
    /// The first refresh token.
    pub refresh_token: String,
    /// How long an access token is good for; the first one too.
    pub life: Duration,
    /// How `expires_in` is meant.
    pub ends: Ends,
}

impl Default for PosAccount {
    fn default() -> Self {
        PosAccount {
            name: "vitrina".to_owned(),
            access_token: "demo-access".to_owned(),
            refresh_token: "demo-refresh".to_owned(),
            life: Duration::from_secs(3600),
            ends: Ends::Milliseconds,
        }
    }
}

impl fmt::Debug for PosAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PosAccount").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The pair that is good now.
pub(super) struct Tokens {
    account: PosAccount,
    access: String,
    refresh: Option<String>,
    good_until: Instant,
}

impl Tokens {
    pub(super) fn new(account: PosAccount) -> Self {
        Tokens {
            access: account.access_token.clone(),
            refresh: Some(account.refresh_token.clone()),
            good_until: Instant::now() + account.life,
            account,
        }
    }

    pub(super) fn is_good(&self, access: &str) -> bool {
        access == self.access && Instant::now() < self.good_until
    }

    pub(super) fn revoke_access(&mut self) {
        self.good_until = Instant::now();
    }

    pub(super) fn revoke_pair(&mut self) {
        self.revoke_access();
        self.refresh = None;
    }

    pub(super) fn pair(&self) -> (String, String) {
        (self.access.clone(), self.refresh.clone().unwrap_or_default())
    }

    /// A new pair for the old one, which is worth nothing afterwards. An access token that has ended will do.
    pub(super) fn refresh(&mut self, access: &str, refresh: &str, name: &str) -> Option<Value> {
        let good = access == self.access && self.refresh.as_deref() == Some(refresh) && name == self.account.name;
        if !good {
            return None;
        }
        self.access = Uuid::new_v4().simple().to_string();
        let refresh = Uuid::new_v4().simple().to_string();
        self.good_until = Instant::now() + self.account.life;
        let life = i64::try_from(self.account.life.as_secs()).unwrap_or(i64::MAX);
        let end = match self.account.ends {
            Ends::Milliseconds => Utc::now().timestamp_millis() + life * 1000,
            Ends::Seconds => Utc::now().timestamp() + life,
            Ends::Lifetime => life,
        };
        let pair = json!({"access_token": self.access, "refresh_token": refresh, "expires_in": end});
        self.refresh = Some(refresh);
        Some(pair)
    }
}
