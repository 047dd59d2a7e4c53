//! Tokens on a paused clock, against a portal that follows a script.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex as StdMutex};

use futures_util::future::{BoxFuture, join_all};

use super::*;
use crate::transport::{SecretStore, SecretStoreError};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A portal that issues `token-1`, `token-2`, … with the lifetimes of its script, or refuses where the script says so.
#[derive(Default)]
struct Scripted {
    asked: AtomicUsize,
    answers: StdMutex<VecDeque<Result<Duration, Failure>>>,
}

impl Authenticate for &'static Scripted {
    async fn authenticate(&self) -> Result<Token, Failure> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Ok(HOUR));
        answer.map(|lifetime| Token::new(format!("token-{number}").into(), lifetime).unwrap())
    }
}

fn holder(answers: Vec<Result<Duration, Failure>>) -> (&'static Scripted, TokenHolder<&'static Scripted>) {
    let portal: &'static Scripted =
        Box::leak(Box::new(Scripted { answers: StdMutex::new(answers.into()), ..Scripted::default() }));
    (portal, TokenHolder::new(portal, Pauses::DEFAULT))
}

fn asked(portal: &Scripted) -> usize {
    portal.asked.load(Ordering::SeqCst)
}

fn status(code: u16) -> Failure {
    Mishap::Status { code, retry_after: None }.into()
}

/// A portal's view of a request: refused unless its token is one of the accepted.
fn send(bearer: Bearer, accepted: &[&str]) -> Ready<Result<bool, Failure>> {
    ready(Ok(accepted.contains(&bearer.secret.expose_secret())))
}

#[tokio::test(start_paused = true)]
async fn many_who_wait_share_one_authentication() {
    let (portal, holder) = holder(vec![]);
    let bearers = join_all((0..20).map(|_| holder.bearer())).await;
    assert!(bearers.iter().all(|bearer| bearer.as_ref().unwrap().serial == 1));
    assert_eq!(asked(portal), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_expires_and_not_sooner() {
    let (portal, holder) = holder(vec![Ok(HOUR), Ok(Duration::from_secs(100))]);
    holder.bearer().await.unwrap();
    tokio::time::advance(Duration::from_secs(49 * 60)).await;
    holder.bearer().await.unwrap();
    assert_eq!(asked(portal), 1);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(holder.bearer().await.unwrap().serial, 2);
    tokio::time::advance(Duration::from_secs(79)).await;
    assert_eq!(holder.bearer().await.unwrap().serial, 2);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(holder.bearer().await.unwrap().serial, 3);
}

#[tokio::test(start_paused = true)]
async fn a_failed_early_renewal_keeps_the_old_token_to_its_end() {
    let (portal, holder) = holder(vec![Ok(HOUR), Err(status(500)), Err(status(500))]);
    holder.bearer().await.unwrap();
    tokio::time::advance(Duration::from_secs(51 * 60)).await;
    assert_eq!(holder.bearer().await.unwrap().serial, 1);
    assert_eq!(holder.bearer().await.unwrap().serial, 1);
    assert_eq!(asked(portal), 2);
    tokio::time::advance(Duration::from_secs(9 * 60)).await;
    assert!(holder.bearer().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_401_renews_once_for_all_requests_it_hit() {
    let (portal, holder) = holder(vec![]);
    let requests = (0..8).map(|_| holder.authorized(|bearer| send(bearer, &["token-2"]), |accepted| !accepted));
    for answer in join_all(requests).await {
        assert_eq!(answer, Ok(true));
    }
    assert_eq!(asked(portal), 2);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_refused_at_birth_park_and_are_not_fetched_in_a_loop() {
    let (portal, holder) = holder(vec![]);
    for _ in 0..50 {
        let failure = holder.authorized(|bearer| send(bearer, &[]), |accepted| !accepted).await.unwrap_err();
        assert_eq!(failure.trouble, Trouble::Parked);
    }
    assert_eq!(asked(portal), 2);
}

#[tokio::test(start_paused = true)]
async fn many_requests_under_tokens_refused_at_birth_ask_no_more_often_than_one() {
    let (portal, holder) = holder(vec![]);
    for round in 1..=3 {
        let requests = (0..20).map(|_| holder.authorized(|bearer| send(bearer, &[]), |accepted| !accepted));
        for answer in join_all(requests).await {
            assert_eq!(answer.unwrap_err().trouble, Trouble::Parked);
        }
        assert_eq!(asked(portal), 2 * round, "one token, one renewal, then a pause");
        tokio::time::advance(Duration::from_secs(60 << (round - 1))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_authentication_waits_longer_each_time_up_to_an_hour() {
    let (portal, holder) = holder(vec![Err(status(403)); 400]);
    for _ in 0..24 * 60 * 6 {
        let failure = holder.bearer().await.unwrap_err();
        assert_eq!(failure.trouble, Trouble::Parked);
        tokio::time::advance(Duration::from_secs(10)).await;
    }
    // One, two, four … thirty-two minutes, then hourly for the rest of the day.
    assert!((26..=30).contains(&asked(portal)), "{}", asked(portal));
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_authentication_is_transient_and_tried_again_soon() {
    let (portal, holder) = holder(vec![Err(status(502))]);
    assert_eq!(holder.bearer().await.unwrap_err().trouble, Trouble::Transient { retry_after: None });
    let waiting = holder.bearer().await.unwrap_err();
    assert!(
        matches!(waiting.trouble, Trouble::Transient { retry_after: Some(left) } if left <= Duration::from_secs(1))
    );
    tokio::time::advance(Duration::from_millis(1001)).await;
    assert_eq!(holder.bearer().await.unwrap().serial, 1);
    assert_eq!(asked(portal), 2);
}

#[tokio::test(start_paused = true)]
async fn pauses_start_over_once_a_token_has_worked() {
    let (_, holder) = holder(vec![Err(status(500)), Err(status(500)), Ok(HOUR), Err(status(500))]);
    for pause in [1, 2] {
        assert!(holder.bearer().await.is_err());
        tokio::time::advance(Duration::from_millis(pause * 1000 + 1)).await;
    }
    holder.authorized(|bearer| send(bearer, &["token-3"]), |accepted| !accepted).await.unwrap();
    tokio::time::advance(HOUR).await;
    assert!(holder.bearer().await.is_err());
    tokio::time::advance(Duration::from_millis(1001)).await;
    assert!(holder.bearer().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn failures_to_renew_show_while_the_old_token_still_works() {
    let (_, holder) = holder(vec![Ok(HOUR), Err(status(500)), Ok(HOUR)]);
    assert_eq!(holder.outlook(), TokenOutlook { expires: None, failures: 0 });
    let work = || holder.authorized(|bearer| send(bearer, &["token-1", "token-3"]), |accepted| !accepted);
    work().await.unwrap();
    let expires = holder.outlook().expires.unwrap();
    assert!((expires - Utc::now().timestamp() - 3600).abs() < 60, "{expires}");
    tokio::time::advance(Duration::from_secs(51 * 60)).await;
    work().await.unwrap();
    assert_eq!(holder.outlook(), TokenOutlook { expires: Some(expires), failures: 1 });
    tokio::time::advance(Duration::from_secs(2)).await;
    work().await.unwrap();
    assert_eq!(holder.outlook().failures, 0, "the new token has worked");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_portal_took_back_has_no_end() {
    let (_, holder) = holder(vec![]);
    assert!(holder.authorized(|bearer| send(bearer, &[]), |accepted| !accepted).await.is_err());
    let outlook = holder.outlook();
    assert!(outlook.expires.is_none() && outlook.failures > 0, "{outlook:?}");
}

#[test]
fn nothing_prints_a_token() {
    let token = Token::new("very-secret".into(), HOUR).unwrap();
    let bearer = Bearer { secret: "very-secret".into(), serial: 3 };
    let header = bearer.header("bearer").unwrap();
    assert_eq!(header, "bearer very-secret");
    let printed = format!("{token:?} {bearer:?} {header:?}");
    assert!(!printed.contains("very-secret"), "{printed}");
}

#[test]
fn a_token_that_no_header_can_carry_is_refused() {
    assert!(Token::new("".into(), HOUR).is_none());
    assert!(Token::new("a\r\nb".into(), HOUR).is_none());
}

/// A portal that also refreshes, by its own script, and whose nodes lag behind one another.
#[derive(Default)]
struct Refreshing {
    logins: AtomicUsize,
    refreshes: AtomicUsize,
    refused_refreshes: StdMutex<VecDeque<Failure>>,
}

impl Refreshing {
    fn token(&self, name: &str) -> Token {
        Token::new(name.to_owned().into(), HOUR).unwrap()
    }

    fn counts(&self) -> (usize, usize) {
        (self.logins.load(Ordering::SeqCst), self.refreshes.load(Ordering::SeqCst))
    }
}

impl Authenticate for &'static Refreshing {
    const LAGS: bool = true;

    async fn authenticate(&self) -> Result<Token, Failure> {
        let number = self.logins.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(self.token(&format!("login-{number}")))
    }

    async fn refresh(&self) -> Option<Result<Token, Failure>> {
        if self.logins.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let number = self.refreshes.fetch_add(1, Ordering::SeqCst) + 1;
        match self.refused_refreshes.lock().unwrap().pop_front() {
            Some(failure) => Some(Err(failure)),
            None => Some(Ok(self.token(&format!("refresh-{number}")))),
        }
    }
}

fn refreshing(refused: Vec<Failure>) -> (&'static Refreshing, TokenHolder<&'static Refreshing>) {
    let portal: &'static Refreshing =
        Box::leak(Box::new(Refreshing { refused_refreshes: StdMutex::new(refused.into()), ..Refreshing::default() }));
    (portal, TokenHolder::new(portal, Pauses::DEFAULT))
}

#[tokio::test(start_paused = true)]
async fn a_token_is_refreshed_before_credentials_are_used_again() {
    let (portal, holder) = refreshing(vec![]);
    holder.bearer().await.unwrap();
    assert_eq!(portal.counts(), (1, 0));
    tokio::time::advance(HOUR).await;
    holder.bearer().await.unwrap();
    assert_eq!(portal.counts(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn refused_tokens_take_one_refresh_one_login_and_then_a_pause() {
    let (portal, holder) = refreshing(vec![]);
    for _ in 0..30 {
        let requests = (0..5).map(|_| holder.authorized(|bearer| send(bearer, &[]), |accepted| !accepted));
        for answer in join_all(requests).await {
            assert_eq!(answer.unwrap_err().trouble, Trouble::Parked);
        }
    }
    assert_eq!(portal.counts(), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_refused_refresh_is_followed_by_one_login() {
    let (portal, holder) = refreshing(vec![status(401)]);
    holder.authorized(|bearer| send(bearer, &["login-1"]), |accepted| !accepted).await.unwrap();
    holder.authorized(|bearer| send(bearer, &["login-2"]), |accepted| !accepted).await.unwrap();
    assert_eq!(portal.counts(), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_nobody_answers_costs_no_login() {
    let (portal, holder) = refreshing(vec![status(503)]);
    holder.bearer().await.unwrap();
    tokio::time::advance(HOUR).await;
    assert_eq!(holder.bearer().await.unwrap_err().trouble, Trouble::Maintenance { retry_after: None });
    assert_eq!(portal.counts(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_new_token_that_a_node_has_not_heard_of_is_shown_twice_and_an_old_one_once() {
    let (portal, holder) = refreshing(vec![]);
    let shown = AtomicUsize::new(0);
    let lagging = |_: Bearer| ready(Ok(shown.fetch_add(1, Ordering::SeqCst) > 0));
    assert_eq!(holder.authorized(lagging, |accepted| !accepted).await, Ok(true));
    assert_eq!(portal.counts(), (1, 0));
    shown.store(0, Ordering::SeqCst);
    assert_eq!(holder.authorized(lagging, |accepted| !accepted).await, Ok(true));
    assert_eq!(portal.counts(), (1, 1));
}

/// A store of secrets in memory.
#[derive(Default)]
struct Store(StdMutex<Option<SecretString>>);

impl SecretStore for Store {
    fn read(&self, _: &'static str) -> BoxFuture<'_, Result<Option<SecretString>, SecretStoreError>> {
        Box::pin(ready(Ok(self.0.lock().unwrap().clone())))
    }

    fn keep(&self, _: &'static str, secret: SecretString) -> BoxFuture<'_, Result<(), SecretStoreError>> {
        *self.0.lock().unwrap() = Some(secret);
        Box::pin(ready(Ok(())))
    }
}

#[tokio::test]
async fn refused_credentials_are_not_tried_by_the_next_process_either_but_others_are() {
    let store: Arc<Store> = Arc::default();
    let start = |password: &str, answers| {
        let (portal, holder) = holder(answers);
        let store: Arc<dyn SecretStore> = Arc::clone(&store) as _;
        holder.remember(RefusedLogins::new(store, "http://portal", &["clinic-7", password]));
        (portal, holder)
    };
    let (portal, refused) = start("mistyped", vec![Err(status(401))]);
    refused.bearer().await.unwrap_err();
    assert_eq!(asked(portal), 1);
    for _ in 0..3 {
        let (portal, next) = start("mistyped", vec![]);
        let failure = next.bearer().await.unwrap_err();
        assert!(failure.trouble == Trouble::Parked && failure.text.contains("is not tried again for"), "{failure:?}");
        assert_eq!(asked(portal), 0);
    }
    let kept = store.0.lock().unwrap().clone().unwrap();
    assert!(!["mistyped", "clinic-7"].iter().any(|secret| kept.expose_secret().contains(secret)));
    let (portal, mended) = start("right", vec![]);
    mended.bearer().await.unwrap();
    assert_eq!(asked(portal), 1);
}

#[tokio::test]
async fn a_pause_that_is_over_lets_the_same_credentials_be_tried_and_the_next_one_is_longer() {
    let store: Arc<dyn SecretStore> = Arc::new(Store::default());
    let memory = || RefusedLogins::new(Arc::clone(&store), "http://portal", &["wrong"]);
    let ago = Utc::now().timestamp() - 61;
    memory().note(Duration::from_secs(60), 1, "refused", ago).await;
    let (portal, again) = holder(vec![Err(status(401))]);
    again.remember(memory());
    again.bearer().await.unwrap_err();
    assert_eq!(asked(portal), 1);
    let left = memory().last(Utc::now().timestamp()).await.unwrap().left;
    assert!((100..=120).contains(&left.as_secs()), "{left:?}");
    memory().note(HOUR * 12, 9, "refused", Utc::now().timestamp()).await;
    assert!(memory().last(Utc::now().timestamp()).await.unwrap().left <= HOUR, "the account may have been unlocked");
    memory().note(Duration::from_secs(60), 1, "refused", ago).await;
    let (_, taken) = holder(vec![]);
    taken.remember(memory());
    taken.bearer().await.unwrap();
    assert_eq!(memory().last(ago).await, None);
}

#[tokio::test]
async fn a_portal_that_could_not_be_asked_is_asked_by_the_next_process() {
    let store: Arc<dyn SecretStore> = Arc::new(Store::default());
    for answer in [Err(status(500)), Ok(HOUR)] {
        let (portal, holder) = holder(vec![answer]);
        holder.remember(RefusedLogins::new(Arc::clone(&store), "http://portal", &["right"]));
        drop(holder.bearer().await);
        assert_eq!(asked(portal), 1);
    }
}
