//! `/auth.svc` and its tokens (section «Сервис авторизации»).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Tokens alive at once; beyond that the oldest go, as sessions of a real server do.
const MOST_TOKENS: usize = 1_000;

/// The tokens that are good now.
pub(super) struct Tokens {
    life: Duration,
    good_until: HashMap<String, Instant>,
}

/// A new token.
pub(super) struct Issued {
    pub(super) value: String,
    pub(super) valid_to: DateTime<Utc>,
}

impl Tokens {
    pub(super) fn new(life: Duration) -> Self {
        Tokens { life, good_until: HashMap::new() }
    }

    pub(super) fn issue(&mut self) -> Issued {
        let now = Instant::now();
        self.good_until.retain(|_, until| *until > now);
        if self.good_until.len() >= MOST_TOKENS {
            let oldest = self.good_until.iter().min_by_key(|(_, until)| **until).map(|(token, _)| token.clone());
            oldest.map(|token| self.good_until.remove(&token));
        }
        let value = format!("{}.{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.good_until.insert(value.clone(), now + self.life);
        let life = chrono::Duration::from_std(self.life).unwrap_or(chrono::Duration::days(1));
        Issued { value, valid_to: Utc::now() + life }
    }

    pub(super) fn is_good(&self, token: &str) -> bool {
        self.good_until.get(token).is_some_and(|until| *until > Instant::now())
    }

    pub(super) fn revoke_all(&mut self) {
        self.good_until.clear();
    }
}

/// What `/auth.svc` is asked with.
#[derive(Deserialize)]
pub(super) struct Credentials {
    username: String,
    password: String,
}

impl Credentials {
    /// True for the account of these settings. The print shows a blank before the name, so blanks around it do no harm.
    pub(super) fn are(&self, username: &str, password: &str) -> bool {
        self.username.trim() == username && self.password == password
    }
}

/// What `/auth.svc` answers; the capital letters are the document's.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AuthAnswer {
    result: Option<AuthResult>,
    is_success: bool,
    error_message: &'static str,
    status_code: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AuthResult {
    valid_to: String,
    value: String,
}

impl AuthAnswer {
    pub(super) fn issued(token: Issued) -> Self {
        let valid_to = token.valid_to.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let result = Some(AuthResult { valid_to, value: token.value });
        AuthAnswer { result, is_success: true, error_message: "", status_code: 200 }
    }

    pub(super) fn refused(status_code: u16, error_message: &'static str) -> Self {
        AuthAnswer { result: None, is_success: false, error_message, status_code }
    }
}
