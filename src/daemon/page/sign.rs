//! Signing in and out, and what comes of an action: a redirect for a form, JSON for a program. Every action is logged with who asked.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::actions::{Action, Asked, Done, act as carry_out};
use super::guard::{self, Actor, Refused, WAIT, actor};
use super::layout;
use super::reader::{Reader, SESSION, cookie};
use super::session::{LIFE, Session, Shut};
use super::visit::Visit;
use crate::daemon::front::Front;
use crate::record::Language;
use crate::serve::Peer;

/// The form that asks for the admin token.
pub(super) async fn form(State(front): State<Arc<Front>>, uri: Uri, headers: HeaderMap) -> Response {
    let visit = Visit::of(&front, &uri, &headers);
    let content = layout::sign_in(&visit.reader, None);
    visit.answer(&front, visit.reader.t("Sign in", "Вход"), (StatusCode::OK, content))
}

/// Takes the admin token and begins a session.
pub(super) async fn sign_in(
    State(front): State<Arc<Front>>,
    Extension(peer): Extension<Peer>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let visit = Visit::of(&front, &uri, &headers);
    let caller = peer.0.ip();
    let (status, wrong) = match begin(&front, &headers, peer, &body) {
        Ok(cookie) => {
            tracing::info!(%caller, "an operator has signed in at the page");
            return redirect("/", Some(&format!("{cookie}; Max-Age={}", LIFE.as_secs())));
        }
        Err(status) => (status, failed_words(&visit.reader, status)),
    };
    tracing::warn!(%caller, %status, "a sign-in at the page was refused");
    let content = layout::sign_in(&visit.reader, Some(wrong));
    visit.answer(&front, visit.reader.t("Sign in", "Вход"), (status, content))
}

fn begin(front: &Front, headers: &HeaderMap, peer: Peer, body: &[u8]) -> Result<String, StatusCode> {
    guard::of_this_page(headers).map_err(|refused| refused.status)?;
    let admin = front.page.admin.get().ok_or(StatusCode::FORBIDDEN)?;
    let fields = form_fields(body);
    let token = value(&fields, "token").unwrap_or_default();
    front.page.sessions.check(admin, token.trim(), peer.0.ip()).map_err(|shut| match shut {
        Shut::Wrong => StatusCode::UNAUTHORIZED,
        Shut::Wait => StatusCode::TOO_MANY_REQUESTS,
    })?;
    let session = front.page.sessions.begin().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(format!("{SESSION}={session}; Path=/; HttpOnly; SameSite=Strict"))
}

fn failed_words(reader: &Reader, status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => reader.t("This is not the admin token.", "Это не токен администратора."),
        StatusCode::TOO_MANY_REQUESTS => reader.t(
            "Too many wrong tokens from this address; wait a minute.",
            "Слишком много неверных токенов с этого адреса; подождите минуту.",
        ),
        _ => reader.t("Signing in is not possible from there.", "Отсюда войти нельзя."),
    }
}

/// Ends a session.
pub(super) async fn sign_out(State(front): State<Arc<Front>>, headers: HeaderMap, body: Bytes) -> Response {
    let shown = cookie(&headers, SESSION);
    let session = shown.and_then(|shown| front.page.sessions.find(shown));
    let fields = form_fields(&body);
    let guarded = session.is_none_or(|session| session.guards(value(&fields, "csrf").unwrap_or_default()));
    match guard::of_this_page(&headers) {
        Ok(()) if guarded => {
            shown.into_iter().for_each(|shown| front.page.sessions.end(shown));
            redirect("/", Some(&format!("{SESSION}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")))
        }
        Ok(()) => StatusCode::FORBIDDEN.into_response(),
        Err(refused) => (refused.status, refused.why).into_response(),
    }
}

/// Carries an action out for who may have it done.
pub(super) async fn act(front: Arc<Front>, action: Action, peer: Peer, headers: HeaderMap, body: Bytes) -> Response {
    let is_form = content_type(&headers).starts_with("application/x-www-form-urlencoded");
    let fields = if is_form { form_fields(&body) } else { Vec::new() };
    let session = cookie(&headers, SESSION).and_then(|shown| front.page.sessions.find(shown));
    let sessions = (&front.page.sessions, session);
    let admitted = actor((&headers, peer.0.ip()), front.page.admin.get(), sessions, value(&fields, "csrf"));
    let result = match &admitted {
        Ok(_) => match asked(&headers, is_form, &fields, &body) {
            Ok(asked) => logged(&front, action, &asked, (&admitted, peer)).await,
            Err(refused) => Err(refused),
        },
        Err(refused) => Err(Refused::new(refused.status, refused.why.clone())),
    };
    if let Err(refused) = &result {
        tracing::warn!(action = action.name(), caller = %peer.0.ip(), status = %refused.status, "an action was not carried out");
    }
    match (is_form, admitted) {
        (true, Ok(Actor::Session(session))) => {
            let reader = Reader::of(&headers, None, &front.page.sessions, true);
            to_page(&front, &session, reader.language, value(&fields, "back"), result)
        }
        _ => to_program(result),
    }
}

async fn logged(
    front: &Front,
    action: Action,
    asked: &Asked,
    (actor, peer): (&Result<Actor, Refused>, Peer),
) -> Result<Done, Refused> {
    let shared = front.shared().map_err(|why| Refused::new(StatusCode::SERVICE_UNAVAILABLE, why))?;
    let done = carry_out(&shared, action, asked).await?;
    let by = actor.as_ref().map(Actor::by).unwrap_or_default();
    let feed = asked.feed.as_deref().unwrap_or_default();
    let (code, unit) = (asked.code.as_deref().unwrap_or_default(), asked.unit.as_deref().unwrap_or_default());
    let records = asked.keys.as_ref().map(Vec::len);
    tracing::info!(
        action = action.name(), portal = %asked.portal, feed, ?code, ?unit, ?records, caller = %peer.0.ip(), by,
        "an operator has had an action carried out"
    );
    Ok(done)
}

fn asked(headers: &HeaderMap, is_form: bool, fields: &[(String, String)], body: &[u8]) -> Result<Asked, Refused> {
    if is_form {
        return Ok(Asked::of_form(fields));
    }
    if !content_type(headers).starts_with("application/json") {
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send JSON with Content-Type: application/json"));
    }
    serde_json::from_slice(body).map_err(|error| Refused::new(StatusCode::BAD_REQUEST, format!("the body: {error}")))
}

/// A form's answer: its page anew, which tells once what came of it.
fn to_page(
    front: &Front,
    session: &Session,
    language: Language,
    back: Option<&str>,
    result: Result<Done, Refused>,
) -> Response {
    let told = match result {
        Ok(Done(phrase)) => phrase.said_in(language).to_owned(),
        Err(refused) => {
            format!("{}: {}", if language == Language::Russian { "Не выполнено" } else { "Not done" }, refused.why)
        }
    };
    front.page.sessions.tell(session, told);
    redirect(back.filter(|back| is_own(back)).unwrap_or("/"), None)
}

fn to_program(result: Result<Done, Refused>) -> Response {
    match result {
        Ok(Done(phrase)) => Json(json!({ "done": phrase.en })).into_response(),
        Err(Refused { status, why }) => {
            let mut response = (status, Json(json!({ "error": why }))).into_response();
            if why == WAIT {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
            }
            response
        }
    }
}

/// True for an address within this page.
fn is_own(back: &str) -> bool {
    back.starts_with('/')
        && !back.starts_with("//")
        && !back.contains('\\')
        && back.bytes().all(|byte| byte.is_ascii_graphic())
}

fn redirect(to: &str, cookie: Option<&str>) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    for (name, value) in [(header::LOCATION, Some(to)), (header::SET_COOKIE, cookie)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn form_fields(body: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn value<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_back_to_this_page_alone() {
        assert!(is_own("/rejects?portal=fer"));
        for foreign in ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\r\nb"] {
            assert!(!is_own(foreign), "{foreign:?}");
        }
    }
}
