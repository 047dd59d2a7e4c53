//! Sessions: who showed the admin token at the page may act there for a while. A session is a cookie, kept here as a digest, with a second
//! secret that every form repeats. Who shows a wrong token too often is not listened to for a minute.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use tokio::time::Instant;

use crate::serve::secret;

/// How long a session lasts: a working day.
pub(super) const LIFE: Duration = Duration::from_secs(8 * 3600);
/// Most sessions at a time; a new one ends the oldest.
const MOST: usize = 32;
/// So many wrong tokens from one address within so long, and it has to wait.
const FAILURES: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);
/// Most addresses of which failures are counted. Beyond them, all that fail count as one.
const ADDRESSES: usize = 256;

/// A session that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    /// What every form repeats.
    pub csrf: String,
}

/// All sessions, and what failed of late.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: VecDeque<Open>,
    failed: BTreeMap<Option<IpAddr>, VecDeque<Instant>>,
}

#[derive(Debug)]
struct Open {
    cookie: Digest,
    csrf: String,
    until: Instant,
    /// What the last action came to, to be shown once.
    told: Option<String>,
}

/// Why a token does not open anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shut {
    /// It is not the token.
    Wrong,
    /// Too many wrong ones came from there: even the right one is not looked at.
    Wait,
}

impl Sessions {
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        state.open.retain(|open| open.until > now);
        for failed in state.failed.values_mut() {
            failed.retain(|at| now.duration_since(*at) < WINDOW);
        }
        state.failed.retain(|_, failed| !failed.is_empty());
        state
    }

    /// Whether this is the admin token, as an address shows it.
    pub fn check(&self, admin: &SecretString, shown: &str, address: IpAddr) -> Result<(), Shut> {
        let mut state = self.state();
        let known = state.failed.contains_key(&Some(network(address))) || state.failed.len() < ADDRESSES;
        let place = known.then(|| network(address));
        if state.failed.get(&place).is_some_and(|failed| failed.len() >= FAILURES) {
            return Err(Shut::Wait);
        }
        if secret::is_same(admin, shown.as_bytes()) {
            return Ok(());
        }
        state.failed.entry(place).or_default().push_back(Instant::now());
        Err(Shut::Wrong)
    }

    /// Begins a session: the cookie's value. None when the system has no random numbers.
    pub fn begin(&self) -> Option<String> {
        let (cookie, csrf) = (random()?, random()?);
        let mut state = self.state();
        if state.open.len() >= MOST {
            state.open.pop_front();
        }
        state.open.push_back(Open { cookie: digest_of(&cookie), csrf, until: Instant::now() + LIFE, told: None });
        Some(cookie)
    }

    /// The session of a cookie.
    pub fn find(&self, cookie: &str) -> Option<Session> {
        let shown = digest_of(cookie);
        let state = self.state();
        let open = state.open.iter().find(|open| is_same(&open.cookie, &shown))?;
        Some(Session { csrf: open.csrf.clone() })
    }

    /// Ends the session of a cookie.
    pub fn end(&self, cookie: &str) {
        let shown = digest_of(cookie);
        self.state().open.retain(|open| !is_same(&open.cookie, &shown));
    }

    /// Keeps a sentence for the next page of a session.
    pub fn tell(&self, session: &Session, text: String) {
        if let Some(open) = self.state().open.iter_mut().find(|open| open.csrf == session.csrf) {
            open.told = Some(text);
        }
    }

    /// The sentence that was kept for this page.
    pub fn told(&self, session: &Session) -> Option<String> {
        self.state().open.iter_mut().find(|open| open.csrf == session.csrf)?.told.take()
    }
}

impl Session {
    /// True for the secret that its forms repeat.
    pub fn guards(&self, shown: &str) -> bool {
        is_same(&digest_of(&self.csrf), &digest_of(shown))
    }
}

/// Failures count for an address, or for the whole network that a caller of IPv6 usually has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

fn random() -> Option<String> {
    let mut secret = [0; 32];
    rand::fill(&mut secret).ok()?;
    Some(URL_SAFE_NO_PAD.encode(secret))
}

fn digest_of(text: &str) -> Digest {
    digest(&SHA256, text.as_bytes())
}

/// Compares in a time that tells nothing of either.
fn is_same(one: &Digest, other: &Digest) -> bool {
    verify_slices_are_equal(one.as_ref(), other.as_ref()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_after_its_life_or_when_it_is_ended() {
        let sessions = Sessions::default();
        let (one, two) = (sessions.begin().unwrap(), sessions.begin().unwrap());
        let session = sessions.find(&one).unwrap();
        assert!(session.guards(&session.csrf) && !session.guards("") && sessions.find("other").is_none());
        sessions.end(&two);
        assert!(sessions.find(&two).is_none() && sessions.find(&one).is_some());
        tokio::time::advance(LIFE).await;
        assert!(sessions.find(&one).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_are_bounded_in_number() {
        let sessions = Sessions::default();
        let first = sessions.begin().unwrap();
        let last = (0..MOST).map(|_| sessions.begin().unwrap()).last().unwrap();
        assert!(sessions.find(&first).is_none() && sessions.find(&last).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_guesses_waits_and_others_do_not() {
        let (sessions, admin) = (Sessions::default(), SecretString::from("right"));
        for _ in 0..FAILURES {
            assert_eq!(sessions.check(&admin, "wrong", address(1)), Err(Shut::Wrong));
        }
        assert_eq!(sessions.check(&admin, "right", address(1)), Err(Shut::Wait));
        assert_eq!(sessions.check(&admin, "right", address(2)), Ok(()));
        tokio::time::advance(WINDOW).await;
        assert_eq!(sessions.check(&admin, "right", address(1)), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn guesses_from_more_addresses_than_are_counted_share_one_count() {
        let (sessions, admin) = (Sessions::default(), SecretString::from("right"));
        let many = |number: u32| IpAddr::from((0x0a00_0000 + number).to_be_bytes());
        let results: Vec<_> = (0..400).map(|number| sessions.check(&admin, "wrong", many(number))).collect();
        assert_eq!(results.iter().filter(|result| **result == Err(Shut::Wrong)).count(), ADDRESSES + FAILURES);
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_action_came_to_is_told_once() {
        let sessions = Sessions::default();
        let session = sessions.find(&sessions.begin().unwrap()).unwrap();
        sessions.tell(&session, "done".to_owned());
        assert_eq!((sessions.told(&session).as_deref(), sessions.told(&session)), (Some("done"), None));
    }
}
