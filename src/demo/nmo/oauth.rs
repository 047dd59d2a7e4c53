//! Tokens of the mock portal («Аутентификация платформы на портале»), with the locks of the framework under the real one.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use super::settings::NmoMockSettings;

/// Tokens alive at once; beyond that the oldest go.
const MOST_TOKENS: usize = 1000;

/// What became of requests for tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Logins {
    /// Passwords that were right.
    pub granted: u64,
    /// Passwords that were wrong, or of a user who is blocked.
    pub refused: u64,
    /// Refresh tokens that were good.
    pub refreshed: u64,
    /// Refresh tokens that were not.
    pub unrefreshed: u64,
    /// The user is blocked.
    pub locked: bool,
}

pub(super) struct Tokens {
    account: NmoMockSettings,
    access: HashMap<String, Instant>,
    refresh: HashSet<String>,
    logins: Logins,
    wrong_in_a_row: u32,
}

/// A refusal: the word of OAuth, and a sentence.
type Refused = (&'static str, &'static str);

impl Tokens {
    pub(super) fn new(settings: &NmoMockSettings) -> Self {
        Tokens {
            account: settings.clone(),
            access: HashMap::new(),
            refresh: HashSet::new(),
            logins: Logins::default(),
            wrong_in_a_row: 0,
        }
    }

    pub(super) fn is_client(&self, id: &str, secret: &str) -> bool {
        id == self.account.client_id && secret == self.account.client_secret
    }

    pub(super) fn by_password(&mut self, username: &str, password: &str) -> Result<Value, Refused> {
        if self.logins.locked {
            self.logins.refused += 1;
            return Err(("invalid_grant", "User temporarily blocked"));
        }
        if username != self.account.username || password != self.account.password {
            self.logins.refused += 1;
            self.wrong_in_a_row += 1;
            self.logins.locked = self.wrong_in_a_row >= self.account.lock_after;
            return Err(("invalid_grant", "Bad credentials"));
        }
        self.wrong_in_a_row = 0;
        self.logins.granted += 1;
        let refresh = Uuid::new_v4().to_string();
        self.refresh.insert(refresh.clone());
        Ok(self.issue(&refresh))
    }

    pub(super) fn by_refresh(&mut self, token: &str) -> Result<Value, Refused> {
        if !self.refresh.contains(token) {
            self.logins.unrefreshed += 1;
            return Err(("invalid_grant", "Invalid refresh token"));
        }
        self.logins.refreshed += 1;
        Ok(self.issue(token))
    }

    fn issue(&mut self, refresh: &str) -> Value {
        let now = Instant::now();
        self.access.retain(|_, until| *until > now);
        if self.access.len() >= MOST_TOKENS {
            self.access.clear();
        }
        let token = Uuid::new_v4().to_string();
        let life: Duration = self.account.token_life;
        self.access.insert(token.clone(), now + life);
        json!({
            "access_token": token, "token_type": "bearer", "refresh_token": refresh, "expires_in": life.as_secs(),
            "scope": "rest-api",
        })
    }

    pub(super) fn is_good(&self, token: &str) -> bool {
        self.access.get(token).is_some_and(|until| *until > Instant::now())
    }

    /// All that are good now, of both kinds.
    pub(super) fn all(&self) -> Vec<String> {
        self.access.keys().chain(&self.refresh).cloned().collect()
    }

    pub(super) fn revoke_access(&mut self) {
        self.access.clear();
    }

    pub(super) fn forget(&mut self) {
        self.access.clear();
        self.refresh.clear();
    }

    pub(super) fn change_password(&mut self, password: &str) {
        self.account.password = password.to_owned();
    }

    pub(super) fn logins(&self) -> Logins {
        self.logins
    }
}
