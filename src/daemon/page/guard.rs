//! The guard of everything that changes something: a browser's request must come from this page itself, and whoever acts must show the
//! admin token or a session with the secret of its forms.

use std::net::IpAddr;

use axum::http::{HeaderMap, StatusCode, header};
use secrecy::SecretString;

use super::session::{Session, Sessions, Shut};

/// Who acts, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Actor {
    Token,
    Session(Session),
}

/// Why a request is not carried out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub status: StatusCode,
    pub why: String,
}

impl Refused {
    pub fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Refused { status, why: why.into() }
    }
}

impl Actor {
    /// Its name in the log.
    pub fn by(&self) -> &'static str {
        match self {
            Actor::Token => "token",
            Actor::Session(_) => "page",
        }
    }
}

/// A request that another site makes a browser send is refused.
pub(super) fn of_this_page(headers: &HeaderMap) -> Result<(), Refused> {
    let foreign = || Refused::new(StatusCode::FORBIDDEN, "the request comes from another site");
    let text = |name| headers.get(name).map(|value: &header::HeaderValue| value.to_str().unwrap_or_default());
    if text(header::HeaderName::from_static("sec-fetch-site"))
        .is_some_and(|site| !matches!(site, "same-origin" | "none"))
    {
        return Err(foreign());
    }
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let host = text(header::HOST).filter(|host| !host.is_empty()).ok_or_else(foreign)?;
    let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    own.filter(|own| own.eq_ignore_ascii_case(host)).map(drop).ok_or_else(foreign)
}

/// Who acts: by the bearer token, else by a session and the secret that its form repeats, or the header `X-CSRF-Token`.
pub(super) fn actor(
    (headers, address): (&HeaderMap, IpAddr),
    admin: Option<&SecretString>,
    (sessions, session): (&Sessions, Option<Session>),
    csrf: Option<&str>,
) -> Result<Actor, Refused> {
    of_this_page(headers)?;
    let Some(admin) = admin else {
        return Err(Refused::new(StatusCode::FORBIDDEN, "there are no actions: set serve.admin_token_file"));
    };
    if let Some(shown) = bearer(headers) {
        return match sessions.check(admin, shown, address) {
            Ok(()) => Ok(Actor::Token),
            Err(Shut::Wrong) => Err(Refused::new(StatusCode::UNAUTHORIZED, "this is not the admin token")),
            Err(Shut::Wait) => Err(Refused::new(StatusCode::TOO_MANY_REQUESTS, WAIT)),
        };
    }
    let Some(session) = session else {
        let why = "show the admin token (Authorization: Bearer …), or sign in on the page";
        return Err(Refused::new(StatusCode::UNAUTHORIZED, why));
    };
    let repeated = headers.get("x-csrf-token").and_then(|value| value.to_str().ok()).or(csrf);
    match repeated.is_some_and(|shown| session.guards(shown)) {
        true => Ok(Actor::Session(session)),
        false => Err(Refused::new(StatusCode::FORBIDDEN, "the form is not of this session; load the page anew")),
    }
}

/// What who guessed too often is told.
pub(super) const WAIT: &str = "too many wrong tokens from this address; wait a minute";

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_this_page_itself_may_have_a_browser_act() {
        let passes = |pairs: &[(&'static str, &str)]| of_this_page(&headers(pairs)).is_ok();
        assert!(passes(&[("host", "vitrina:9464")]), "curl sends no origin");
        assert!(passes(&[("host", "Vitrina:9464"), ("origin", "http://vitrina:9464")]));
        for origin in ["http://evil.example", "null", "http://vitrina:9465", "http://vitrina:9464.evil.example"] {
            assert!(!passes(&[("host", "vitrina:9464"), ("origin", origin)]), "{origin}");
        }
        assert!(!passes(&[("origin", "http://vitrina:9464")]), "without a host there is nothing to compare");
        assert!(!passes(&[("host", "vitrina:9464"), ("sec-fetch-site", "cross-site")]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_acts_only_with_the_secret_of_its_forms() {
        let (sessions, admin) = (Sessions::default(), SecretString::from("right"));
        let session = sessions.find(&sessions.begin().unwrap()).unwrap();
        let act = |csrf: Option<&str>| {
            let none = HeaderMap::new();
            actor((&none, [127, 0, 0, 1].into()), Some(&admin), (&sessions, Some(session.clone())), csrf)
        };
        assert_eq!(act(Some(&session.csrf)), Ok(Actor::Session(session.clone())));
        assert_eq!(act(None).unwrap_err().status, StatusCode::FORBIDDEN);
        assert_eq!(act(Some("guessed")).unwrap_err().status, StatusCode::FORBIDDEN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_acts_when_it_is_right_and_when_there_is_one() {
        let (sessions, admin) = (Sessions::default(), SecretString::from("right"));
        let act = |token: &str, admin: Option<&SecretString>| {
            let shown = headers(&[("authorization", &format!("Bearer {token}"))]);
            actor((&shown, [127, 0, 0, 1].into()), admin, (&sessions, None), None).map_err(|refused| refused.status)
        };
        assert_eq!(act("right", Some(&admin)), Ok(Actor::Token));
        assert_eq!(act("wrong", Some(&admin)), Err(StatusCode::UNAUTHORIZED));
        assert_eq!(act("right", None), Err(StatusCode::FORBIDDEN));
    }
}
