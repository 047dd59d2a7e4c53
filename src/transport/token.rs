//! The bearer token of one portal: fetched once for all who wait, renewed before it expires, and never fetched in a loop.
//!
//! State portals lock accounts that keep failing, so a refused authentication is followed by a growing pause during which nobody
//! asks again; callers get the refusal instead. A 401 renews the token that got it exactly once, however many requests it hit. Where a
//! portal gives something to renew a token with, that comes first, and the credentials are used once after it: two steps, never a loop.

use std::fmt;
use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU16, Ordering};
use std::time::Duration;

use chrono::Utc;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Failure, Mishap, RefusedLogins, RetryTiming, Trouble};

/// A token is renewed this long before its end, or a fifth of its life before it, whichever is shorter.
const LONGEST_MARGIN: Duration = Duration::from_secs(10 * 60);

/// Asks the portal for a token.
pub trait Authenticate: Send + Sync + 'static {
    /// True when a portal answers from several nodes, of which some hear late of a token that another one issued: a token that is refused
    /// before it was ever accepted is then shown once more.
    const LAGS: bool = false;

    /// One attempt. What it fails with goes through [`Failure::of_authentication`]: a refusal of any kind parks, anything else means
    /// that the portal could not be asked.
    fn authenticate(&self) -> impl Future<Output = Result<Token, Failure>> + Send;

    /// One attempt without the credentials, by what came with an earlier token; none where there is nothing to try. After a refusal
    /// [`Self::authenticate`] follows at once; any other failure means that the portal could not be asked.
    fn refresh(&self) -> impl Future<Output = Option<Result<Token, Failure>>> + Send {
        std::future::ready(None)
    }
}

/// A token as the portal gave it.
#[derive(Debug)]
pub struct Token {
    secret: SecretString,
    lifetime: Duration,
}

impl Token {
    /// A token and how long it lives from now. None when it has characters that a header cannot carry.
    pub fn new(secret: SecretString, lifetime: Duration) -> Option<Self> {
        let text = secret.expose_secret();
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then_some(Token { secret, lifetime })
    }
}

/// A token in use.
#[derive(Clone)]
pub struct Bearer {
    secret: SecretString,
    serial: u64,
}

impl Bearer {
    /// The value of an `Authorization` header of this scheme, or the bare token for an empty one, marked so that nobody prints it.
    pub fn header(&self, scheme: &str) -> Result<HeaderValue, Failure> {
        let text = format!("{scheme} {}", self.secret.expose_secret());
        let text = text.trim_start();
        let mut value = HeaderValue::from_str(text)
            .map_err(|_| Mishap::Unsendable { reason: "the token does not fit into a header".into() })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bearer(#{})", self.serial)
    }
}

/// How long nobody asks again after a failed authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// After a refusal: an operator must mend the credentials, and asking on may lock the account.
    pub refused: RetryTiming,
    /// After an answer that was none.
    pub unanswered: RetryTiming,
}

impl Pauses {
    /// A minute to an hour after a refusal, a second to half a minute when there was no answer.
    pub const DEFAULT: Self = Pauses {
        refused: timing(Duration::from_secs(60), Duration::from_secs(60 * 60)),
        unanswered: timing(Duration::from_secs(1), Duration::from_secs(30)),
    };

    /// For portals that lock an account after a few wrong passwords: ten minutes to half a day after a refusal.
    pub const GUARDING: Self = Pauses {
        refused: timing(Duration::from_secs(10 * 60), Duration::from_secs(12 * 60 * 60)),
        unanswered: Self::DEFAULT.unanswered,
    };
}

impl Default for Pauses {
    fn default() -> Self {
        Pauses::DEFAULT
    }
}

const fn timing(initial: Duration, max: Duration) -> RetryTiming {
    match RetryTiming::new(initial, max) {
        Ok(timing) => timing,
        Err(_) => panic!("the default pauses are checked when the program is compiled"),
    }
}

/// How a portal's token does, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenOutlook {
    /// When it expires, seconds since 1970-01-01T00:00:00Z; none while there is no token.
    pub expires: Option<i64>,
    /// Failed attempts in a row to get one. One that the portal has accepted ends the row.
    pub failures: u16,
}

/// The same, readable while the portal is being asked.
#[derive(Default)]
struct Shown {
    /// 0 for none.
    expires: AtomicI64,
    failures: AtomicU16,
}

/// Holds the token of one portal and renews it.
pub struct TokenHolder<A> {
    portal: A,
    pauses: Pauses,
    // Held while the portal is asked: whoever needs a token meanwhile waits for that one answer.
    state: Mutex<State>,
    // True from a renewal until the portal has accepted the new token: only then do the pauses start over.
    unproven: AtomicBool,
    // Refusals outlive the process where this is set.
    refused: OnceLock<RefusedLogins>,
    shown: Shown,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    pause: Option<Pause>,
    serial: u64,
    failures: u16,
    /// What an earlier process was told was looked up.
    recalled: bool,
    /// The store holds a refusal.
    noted: bool,
}

struct Live {
    bearer: Bearer,
    way: Way,
    renew_at: Instant,
    expires_at: Instant,
}

/// How a token is, or was, come by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By what came with an earlier token; where there is no such thing or it is refused, by the credentials.
    Shortest,
    /// By the credentials.
    Credentials,
}

struct Pause {
    until: Instant,
    failure: Failure,
}

impl<A: Authenticate> TokenHolder<A> {
    /// A holder without a token: the first caller fetches it.
    pub fn new(portal: A, pauses: Pauses) -> Self {
        TokenHolder {
            portal,
            pauses,
            state: Mutex::default(),
            unproven: AtomicBool::new(false),
            refused: OnceLock::new(),
            shown: Shown::default(),
        }
    }

    /// Lets refusals of the credentials outlive the process. Is said once, before the first token is asked for.
    pub fn remember(&self, refused: RefusedLogins) {
        // What was said first holds.
        let _ = self.refused.set(refused);
    }

    /// Sends a request under a token. When the answer `is_refused` (401), the token is renewed and the request repeated, once for each way
    /// to a token; a refusal after the last one parks.
    pub async fn authorized<T, F, Fut, R>(&self, send: F, is_refused: R) -> Result<T, Failure>
    where
        F: Fn(Bearer) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, Failure>> + Send,
        R: Fn(&T) -> bool + Send + Sync,
        T: Send,
    {
        let mut bearer = self.bearer().await?;
        let mut ways = [Way::Shortest, Way::Credentials].into_iter();
        loop {
            if let Some(answer) = self.attempt(&bearer, &send, &is_refused).await? {
                self.proven().await;
                return Ok(answer);
            }
            let renewed = match ways.next() {
                Some(way) => self.renew(&bearer, way).await?,
                None => None,
            };
            match renewed {
                Some(renewed) => bearer = renewed,
                None => return Err(self.refuse(&bearer).await),
            }
        }
    }

    /// Sends a request under this token; none when it is refused. A token that was never accepted may be one that a node has yet to hear
    /// of.
    async fn attempt<T, F, Fut, R>(&self, bearer: &Bearer, send: &F, is_refused: &R) -> Result<Option<T>, Failure>
    where
        F: Fn(Bearer) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, Failure>> + Send,
        R: Fn(&T) -> bool + Send + Sync,
        T: Send,
    {
        let times = if A::LAGS && self.unproven.load(Ordering::Relaxed) { 2 } else { 1 };
        for _ in 0..times {
            let answer = send(bearer.clone()).await?;
            if !is_refused(&answer) {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    /// The token now in use, fetched if there is none or its end is near.
    pub async fn bearer(&self) -> Result<Bearer, Failure> {
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(live) = &state.live
            && now < live.renew_at
        {
            return Ok(live.bearer.clone());
        }
        let fetched = self.fetch(&mut state, Way::Shortest).await;
        // An early renewal that failed is no harm while the old token lives.
        match (&fetched, &state.live) {
            (Err(_), Some(live)) if Instant::now() < live.expires_at => Ok(live.bearer.clone()),
            _ => fetched,
        }
    }

    /// How the token does.
    pub fn outlook(&self) -> TokenOutlook {
        let expires = self.shown.expires.load(Ordering::Relaxed);
        let failures = self.shown.failures.load(Ordering::Relaxed);
        TokenOutlook { expires: (expires != 0).then_some(expires), failures }
    }

    fn forget(&self, state: &mut State) {
        state.live = None;
        self.shown.expires.store(0, Ordering::Relaxed);
    }

    fn count(&self, state: &mut State, failures: u16) {
        state.failures = failures;
        self.shown.failures.store(failures, Ordering::Relaxed);
    }

    /// A token other than the one that was refused: already fetched by another request that it hit, or fetched now. None when the one that
    /// was refused came this way or by a later one: there is nothing left to try.
    async fn renew(&self, refused: &Bearer, way: Way) -> Result<Option<Bearer>, Failure> {
        let mut state = self.state.lock().await;
        match &state.live {
            Some(live) if live.bearer.serial != refused.serial => return Ok(Some(live.bearer.clone())),
            Some(live) if way == Way::Credentials && live.way == Way::Credentials => return Ok(None),
            None if way == Way::Credentials => return Ok(None),
            Some(_) | None => {}
        }
        self.forget(&mut state);
        self.fetch(&mut state, way).await.map(Some)
    }

    /// The portal accepted a token, so a later failure is a new one.
    async fn proven(&self) {
        if self.unproven.swap(false, Ordering::Relaxed) {
            self.count(&mut *self.state.lock().await, 0);
        }
    }

    /// The portal refused a token that it has just issued: asking for another would only go round.
    async fn refuse(&self, bearer: &Bearer) -> Failure {
        let mut state = self.state.lock().await;
        let failure = Failure::from(Mishap::TokenRefused);
        if state.live.as_ref().is_some_and(|live| live.bearer.serial == bearer.serial) {
            self.forget(&mut state);
            self.pause(&mut state, failure.clone());
        }
        failure
    }

    /// Takes up the pause that a refusal of the same credentials has set to an earlier process.
    async fn recall(&self, state: &mut State) {
        let Some(refused) = self.refused.get().filter(|_| !std::mem::replace(&mut state.recalled, true)) else {
            return;
        };
        if let Some(last) = refused.last(Utc::now().timestamp()).await {
            state.noted = true;
            self.count(state, last.failures);
            let failure = Failure { trouble: Trouble::Parked, maybe_applied: false, text: last.text };
            state.pause = Some(Pause { until: Instant::now() + last.left, failure });
        }
    }

    /// Keeps the store in step with what the portal has just said of the credentials.
    async fn note(&self, state: &mut State) {
        let Some(refused) = self.refused.get() else { return };
        let now = Instant::now();
        match &state.pause {
            Some(pause) if pause.failure.trouble == Trouble::Parked => {
                let left = pause.until.saturating_duration_since(now);
                refused.note(left, state.failures, &pause.failure.text, Utc::now().timestamp()).await;
                state.noted = true;
            }
            None if std::mem::take(&mut state.noted) => refused.forget().await,
            Some(_) | None => {}
        }
    }

    async fn fetch(&self, state: &mut State, way: Way) -> Result<Bearer, Failure> {
        self.recall(state).await;
        if let Some(pause) = &state.pause
            && let Some(left) = pause.until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        {
            return Err(pause.failure.still_standing(left));
        }
        let fetched = match way {
            Way::Shortest => self.ask_shortest().await,
            Way::Credentials => self.portal.authenticate().await.map(|token| (token, Way::Credentials)),
        };
        match fetched {
            Ok((token, way)) => {
                let bearer = self.keep(state, token, way);
                self.note(state).await;
                Ok(bearer)
            }
            Err(failure) => {
                let failure = failure.of_authentication();
                self.pause(state, failure.clone());
                self.note(state).await;
                Err(failure)
            }
        }
    }

    /// A token by what came with an earlier one; by the credentials, where there is no such thing or it is refused.
    async fn ask_shortest(&self) -> Result<(Token, Way), Failure> {
        match self.portal.refresh().await {
            Some(Ok(token)) => return Ok((token, Way::Shortest)),
            Some(Err(failure)) if failure.clone().of_authentication().trouble != Trouble::Parked => {
                return Err(failure);
            }
            Some(Err(_)) | None => {}
        }
        self.portal.authenticate().await.map(|token| (token, Way::Credentials))
    }

    fn keep(&self, state: &mut State, token: Token, way: Way) -> Bearer {
        let now = Instant::now();
        let margin = LONGEST_MARGIN.min(token.lifetime / 5);
        state.serial += 1;
        state.pause = None;
        let bearer = Bearer { secret: token.secret, serial: state.serial };
        let expires = Utc::now().timestamp().saturating_add(token.lifetime.as_secs().cast_signed());
        self.shown.expires.store(expires, Ordering::Relaxed);
        let expires_at = now + token.lifetime;
        state.live = Some(Live { bearer: bearer.clone(), way, renew_at: expires_at - margin, expires_at });
        self.unproven.store(true, Ordering::Relaxed);
        bearer
    }

    fn pause(&self, state: &mut State, failure: Failure) {
        let (timing, asked) = match failure.trouble {
            Trouble::Transient { retry_after }
            | Trouble::Maintenance { retry_after }
            | Trouble::Foreign { retry_after } => (self.pauses.unanswered, retry_after),
            Trouble::TimedOut => (self.pauses.unanswered, None),
            Trouble::TooLarge
            | Trouble::Unattributed
            | Trouble::UnitBlocked
            | Trouble::FeedParked
            | Trouble::BatchAtFault
            | Trouble::Parked => (self.pauses.refused, None),
        };
        let length = timing.ceiling(state.failures).max(asked.unwrap_or_default());
        self.count(state, state.failures.saturating_add(1));
        state.pause = Some(Pause { until: Instant::now() + length, failure });
    }
}

#[cfg(test)]
mod tests;
