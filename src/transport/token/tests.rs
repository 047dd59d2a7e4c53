//! Tokens on a paused clock, against a portal that follows a script.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::sync::Mutex as StdMutex;
use std::sync::atomic::AtomicUsize;

use futures_util::future::join_all;

use super::*;

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
