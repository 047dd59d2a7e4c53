//! Tokens that portals are given: random, short-lived, bounded in number, and kept only as digests, in memory.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::time::Instant;

/// How long a token is good for: a portal asks for one right before it uses it.
pub(super) const LIFE: Duration = Duration::from_secs(10 * 60);
/// Most tokens of one portal at a time; a new one takes the place of the oldest.
const MOST: usize = 1000;

/// The tokens of one portal that are good now, oldest first.
#[derive(Default)]
pub(super) struct Tokens(VecDeque<([u8; 32], Instant)>);

impl Tokens {
    /// A new token; none when the system has no random numbers.
    pub fn issue(&mut self) -> Option<String> {
        let mut secret = [0; 32];
        rand::fill(&mut secret).ok()?;
        let token = URL_SAFE_NO_PAD.encode(secret);
        self.drop_expired();
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back((digest_of(&token), Instant::now() + LIFE));
        Some(token)
    }

    /// True for a token that was issued and is still good.
    pub fn is_good(&mut self, token: &str) -> bool {
        self.drop_expired();
        let wanted = digest_of(token);
        self.0.iter().any(|(known, _)| *known == wanted)
    }

    fn drop_expired(&mut self) {
        let now = Instant::now();
        while self.0.front().is_some_and(|(_, until)| *until <= now) {
            self.0.pop_front();
        }
    }
}

/// The tokens of one portal, which its next settings take over.
#[derive(Clone, Default)]
pub struct Granted(Arc<Mutex<Tokens>>);

impl Granted {
    /// A new token; none when the system has no random numbers.
    pub(super) fn issue(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).issue()
    }

    /// True for a token that was issued and is still good.
    pub(super) fn is_good(&self, token: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_good(token)
    }
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Granted(…)")
    }
}

fn digest_of(token: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(digest(&SHA256, token.as_bytes()).as_ref()).for_each(|(byte, of)| *byte = *of);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_token_is_good_for_its_life_and_no_other_one_is() {
        let mut tokens = Tokens::default();
        let token = tokens.issue().unwrap();
        assert!(tokens.is_good(&token) && !tokens.is_good("") && !tokens.is_good(&format!("{token}x")));
        tokio::time::advance(LIFE - Duration::from_secs(1)).await;
        assert!(tokens.is_good(&token));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!tokens.is_good(&token));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_makes_room() {
        let mut tokens = Tokens::default();
        let first = tokens.issue().unwrap();
        let second = tokens.issue().unwrap();
        (0..MOST - 1).for_each(|_| drop(tokens.issue()));
        assert!(!tokens.is_good(&first) && tokens.is_good(&second));
        assert_eq!(tokens.0.len(), MOST);
    }
}
