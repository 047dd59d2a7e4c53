//! The pair of tokens of POS (section 2.1). Nobody can log in there: an operator is given one pair, and each pair buys the next.
//!
//! A refreshed pair is therefore durable before it is used, and before one is asked for, the store has proven that it can keep it. An answer
//! that was lost may have spent the pair that is held: its refresh token is tried again, and once it is refused nothing more is asked in
//! this process, because only the portal's owner can help. A pair that the configuration did not hold before beats the stored one.
//!
//! The refresh token goes in the query of a URL, as the document wants. No URL is ever logged or put into a text.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::sync::Mutex;

use super::refresh::{self, Refreshed};
use crate::portal::expiry::{LONGEST_LIFE, life_left};
use crate::portal::lenient;
use crate::transport::{Authenticate, Body, Failure, HttpClient, Mishap, Rate, SecretStore, SecretStoreError, Token};

/// The stored pair's name.
const STORED: &str = "pos_tokens";

/// An access token and what buys the next one.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub access: SecretString,
    pub refresh: SecretString,
}

/// Where a pair is refreshed.
pub(super) struct Desk {
    pub client: HttpClient,
    pub rate: Arc<Rate>,
    /// Segments of the path under the portal's address.
    pub path: Vec<String>,
    /// The name of this system at POS.
    pub name: SecretString,
}

/// The keeper of the pair.
pub(super) struct Tokens {
    desk: Desk,
    configured: Pair,
    /// When the configured access token ends: seconds since 1970-01-01T00:00:00Z; none when nobody said.
    configured_ends: Option<i64>,
    store: Arc<dyn SecretStore>,
    memory: Mutex<Memory>,
}

/// What is known of the pair while the process runs.
#[derive(Default)]
struct Memory {
    held: Option<Held>,
    /// The pair is newer than what the store has.
    unsaved: bool,
    /// The access token was given out already: who asks again wants another one.
    given_out: bool,
    /// A request for a new pair may have been granted without our knowing.
    doubtful: bool,
    /// Nothing more is asked.
    spent: Option<Failure>,
}

/// The pair that is good now, as it is stored.
#[derive(Clone)]
struct Held {
    /// Digest of the configured pair that it descends from.
    origin: String,
    pair: Pair,
    /// When the access token ends: seconds since 1970-01-01T00:00:00Z; none when nobody said.
    ends: Option<i64>,
    /// A request for the next pair was about to be made.
    refreshing: bool,
}

impl Tokens {
    /// `ends` is when the configured access token ends, where that was said.
    pub fn new(desk: Desk, configured: Pair, ends: Option<i64>, store: Arc<dyn SecretStore>) -> Self {
        Tokens { desk, configured, configured_ends: ends, store, memory: Mutex::new(Memory::default()) }
    }

    /// The stored pair if it descends from the configured one, else the configured one.
    async fn open(&self) -> Result<Held, SecretStoreError> {
        let origin = self.configured.digest();
        let stored = self.store.read(STORED).await?.and_then(|text| Held::read(&text));
        let mut held = stored.filter(|held| held.origin == origin).unwrap_or_else(|| Held {
            origin,
            pair: self.configured.clone(),
            ends: None,
            refreshing: false,
        });
        if held.pair.access.expose_secret() == self.configured.access.expose_secret() {
            held.ends = self.configured_ends;
        }
        Ok(held)
    }

    async fn save(&self, held: &Held) -> Result<(), Failure> {
        self.store.keep(STORED, held.written()).await.map_err(store_failed)
    }

    /// Buys the next pair. Whenever this is cut off, what is held and stored is what the next call can go on with.
    async fn refresh(&self, memory: &mut Memory, held: Held) -> Result<Token, Failure> {
        if !held.refreshing {
            let announced = Held { refreshing: true, ..held.clone() };
            self.save(&announced).await?;
            memory.held = Some(announced);
        }
        let lost_before = std::mem::replace(&mut memory.doubtful, true);
        match self.ask(&held.pair).await {
            Ok(refreshed) => {
                let next = held.followed_by(refreshed);
                memory.held = Some(next.clone());
                memory.unsaved = true;
                memory.doubtful = false;
                self.give_saved(memory, &next).await
            }
            Err(Refusal::Token(failure)) => {
                let mishap = Failure::from(Mishap::RefreshTokenRefused { lost: lost_before });
                let failure = mishap.saying(&failure);
                memory.spent = Some(failure.clone());
                Err(failure)
            }
            Err(Refusal::Other(failure)) => {
                memory.doubtful = lost_before || failure.maybe_applied;
                Err(failure)
            }
        }
    }

    /// Keeps a new pair, and only then gives it out.
    async fn give_saved(&self, memory: &mut Memory, held: &Held) -> Result<Token, Failure> {
        self.save(held).await?;
        memory.unsaved = false;
        memory.given_out = true;
        held.token()
    }

    async fn ask(&self, pair: &Pair) -> Result<Refreshed, Refusal> {
        let bearer = format!("Bearer {}", pair.access.expose_secret());
        let mut bearer = HeaderValue::from_str(&bearer).map_err(|_| {
            Refusal::Other(Mishap::Unsendable { reason: "the access token does not fit into a header".into() }.into())
        })?;
        bearer.set_sensitive(true);
        let path: Vec<&str> = self.desk.path.iter().map(String::as_str).collect();
        let query = [("refresh_token", pair.refresh.expose_secret()), ("name", self.desk.name.expose_secret())];
        let request = self.desk.client.request(Method::GET, &path).header(AUTHORIZATION, bearer).query(&query);
        self.desk.rate.turn().await;
        let answer = self.desk.client.send(request, Body::AsBuilt).await.map_err(Refusal::Other)?;
        let secrets = [&pair.access, &pair.refresh].map(|secret| secret.expose_secret().to_owned());
        refresh::read(&answer, &secrets)
    }
}

/// Why there is no new pair.
pub(super) enum Refusal {
    /// POS does not take the refresh token; what it said about it, redacted.
    Token(String),
    /// Anything else.
    Other(Failure),
}

impl Authenticate for Tokens {
    async fn authenticate(&self) -> Result<Token, Failure> {
        let mut memory = self.memory.lock().await;
        if let Some(spent) = &memory.spent {
            return Err(spent.clone());
        }
        let held = match memory.held.clone() {
            Some(held) => held,
            None => {
                let held = self.open().await.map_err(store_failed)?;
                // Who asked for a pair and never came back may have been given one.
                memory.doubtful = held.refreshing;
                memory.held.insert(held).clone()
            }
        };
        if memory.unsaved {
            return self.give_saved(&mut memory, &held).await;
        }
        if !memory.given_out && held.ends.is_none_or(|ends| ends > Utc::now().timestamp()) {
            memory.given_out = true;
            return held.token();
        }
        self.refresh(&mut memory, held).await
    }
}

impl Pair {
    /// Stands for the pair without being it.
    fn digest(&self) -> String {
        let both = [self.access.expose_secret(), "\0", self.refresh.expose_secret()].concat();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, both.as_bytes());
        URL_SAFE_NO_PAD.encode(digest.as_ref())
    }
}

impl Held {
    fn token(&self) -> Result<Token, Failure> {
        // Of a token whose end nobody told the portal's refusal tells it.
        let life = self.ends.map_or(LONGEST_LIFE, |ends| life_left(ends - Utc::now().timestamp()));
        Token::new(self.pair.access.clone(), life)
            .ok_or_else(|| Mishap::Unsendable { reason: "the access token does not fit into a header".into() }.into())
    }

    fn followed_by(&self, next: Refreshed) -> Held {
        let refresh = next.refresh.unwrap_or_else(|| self.pair.refresh.clone());
        let ends = next.life.map(|life| Utc::now().timestamp().saturating_add(life.as_secs() as i64));
        Held { origin: self.origin.clone(), pair: Pair { access: next.access, refresh }, ends, refreshing: false }
    }

    fn written(&self) -> SecretString {
        let text = json!({
            "origin": self.origin,
            "access": self.pair.access.expose_secret(),
            "refresh": self.pair.refresh.expose_secret(),
            "ends": self.ends,
            "refreshing": self.refreshing,
        });
        text.to_string().into()
    }

    fn read(text: &SecretString) -> Option<Held> {
        let stored = lenient::parse(text.expose_secret().as_bytes())?;
        let text = |name| lenient::member(&stored, name).and_then(|value| value.as_str());
        Some(Held {
            origin: text("origin")?.to_owned(),
            pair: Pair { access: text("access")?.into(), refresh: text("refresh")?.into() },
            ends: lenient::member(&stored, "ends").and_then(lenient::number),
            refreshing: lenient::member(&stored, "refreshing").and_then(lenient::truth).unwrap_or_default(),
        })
    }
}

fn store_failed(error: SecretStoreError) -> Failure {
    Mishap::SecretStore { reason: error.to_string() }.into()
}
