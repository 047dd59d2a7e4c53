//! The HTTP side of the mock portal: paths as printed, the bearer check, faults, and errors in the framework's forms.

use std::io;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, State as Extracted};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{Call, Fault, MOST_CALLS, Shared, State};

/// Most bytes of a request.
const BODY_LIMIT: usize = 1 << 20;
/// The name under which faults of `/oauth/token` are asked for.
const OAUTH: &str = "oauth";

type Mock = Extracted<Arc<Shared>>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/rest/v2/oauth/token", post(token))
        .route("/rest/online-platforms/{group}/{name}", post(serve))
        .with_state(shared)
}

async fn token(Extracted(shared): Mock, headers: HeaderMap, body: Body) -> Response {
    let body = to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
    let mut state = shared.state();
    let fault = next_fault(&mut state, OAUTH);
    if let Some(refused) = fault.and_then(before) {
        return refused;
    }
    let field = |name: &str| {
        let mut pairs = form_urlencoded::parse(&body);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    if !basic(&headers).is_some_and(|(id, secret)| state.tokens.is_client(&id, &secret)) {
        return oauth_error(StatusCode::UNAUTHORIZED, "unauthorized", "Bad credentials");
    }
    let issued = match field("grant_type").as_str() {
        "password" => state.tokens.by_password(&field("username"), &field("password")),
        "refresh_token" => state.tokens.by_refresh(&field("refresh_token")),
        _ => Err(("unsupported_grant_type", "Unsupported grant type")),
    };
    match issued {
        Ok(issued) => Json(issued).into_response(),
        // As the framework does, with all that was sent.
        Err((error, text)) => {
            let text = format!("{text}: {}", String::from_utf8_lossy(&body));
            oauth_error(StatusCode::BAD_REQUEST, error, &text)
        }
    }
}

async fn serve(
    Extracted(shared): Mock,
    Path((group, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let body = to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
    let service = format!("{group}/{name}");
    let mut state = shared.state();
    let given = bearer(&headers).unwrap_or_default();
    let fault = next_fault(&mut state, &service);
    if fault == Some(Fault::Lag) || !state.tokens.is_good(given) {
        state.unauthorized += 1;
        return oauth_error(StatusCode::UNAUTHORIZED, "invalid_token", &format!("Invalid access token: {given}"));
    }
    if let Some(refused) = fault.and_then(before) {
        return refused;
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        let faults =
            json!([{"message": "Cannot parse JSON", "path": "", "invalidValue": String::from_utf8_lossy(&body)}]);
        return (StatusCode::BAD_REQUEST, Json(faults)).into_response();
    };
    if state.calls.len() >= MOST_CALLS {
        state.calls.pop_front();
    }
    state.calls.push_back(Call { service: service.clone(), body: body.clone() });
    match (answer(&mut state, &service, &body), fault) {
        (None, _) => StatusCode::NOT_FOUND.into_response(),
        (Some(_), Some(Fault::LoseAnswer)) => cut(),
        (Some(answer), _) => Json(answer).into_response(),
    }
}

fn answer(state: &mut State, service: &str, body: &Value) -> Option<Value> {
    let known = body.get("module_id").and_then(Value::as_str).is_some_and(|id| state.modules.knows(id));
    Some(match service {
        "iom/create" => state.modules.create(body),
        "iom/update" => state.modules.update(body),
        "iom/status" => state.modules.status(body),
        "results/started" | "results/completed" | "results/status" => state.results.take(service, body, known),
        "results/plan-status" => state.results.plan_status(body, known),
        "module/id-by-pin" => state.results.id_by_pin(body),
        _ => return None,
    })
}

fn next_fault(state: &mut State, service: &str) -> Option<Fault> {
    state.faults.get_mut(service)?.pop_front()
}

/// What a fault answers instead of doing anything.
fn before(fault: Fault) -> Option<Response> {
    match fault {
        Fault::Maintenance => Some(StatusCode::SERVICE_UNAVAILABLE.into_response()),
        Fault::Fail => {
            let error = json!({"error": "Server error", "details": ""});
            Some((StatusCode::INTERNAL_SERVER_ERROR, Json(error)).into_response())
        }
        Fault::Page => Some(Html("<html><body>Технические работы</body></html>").into_response()),
        Fault::LoseAnswer | Fault::Lag => None,
    }
}

/// A success whose body breaks off.
fn cut() -> Response {
    let broken = stream::iter([Err::<&[u8], _>(io::Error::other("cut"))]);
    ([(header::CONTENT_LENGTH, "64")], Body::from_stream(broken)).into_response()
}

fn oauth_error(status: StatusCode, error: &str, text: &str) -> Response {
    (status, Json(json!({"error": error, "error_description": text}))).into_response()
}

fn scheme<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then_some(rest.trim())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    scheme(headers, "bearer")
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(scheme(headers, "basic")?).ok()?).ok()?;
    decoded.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
}
