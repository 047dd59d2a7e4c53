//! The gateway's HTTP side: paths as printed, the bearer check, gzip and plain bodies under caps.
//!
//! `/api/*` is the portal; `/mock/*` shows a test what is inside and needs no token.

use std::io::Read;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{NaiveDate, NaiveTime, Utc};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::auth::{AuthAnswer, Credentials};
use super::callback;
use super::citizen::{BookRequest, CancelRequest, ForwardError, Forwarded};
use super::form;
use super::intake::{self, Unreadable};
use super::journal::LogEntry;
use super::subsystem::Subsystem;
use super::{FerGateway, Shared};

/// Records in one page of `/mock/records` unless it asks for fewer.
const PAGE: usize = 50_000;
/// Requests in `/mock/log` unless it asks for fewer.
const LOG_PAGE: usize = 1_000;
/// Most bytes of a login.
const LOGIN_BYTES: usize = 64 << 10;

type Mock = State<Arc<Shared>>;

/// All routes.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let api = Router::new()
        .route("/api/{subsystem}", post(receive).get(read_by_query).delete(remove))
        .route("/api/{subsystem}/{id}", get(read_by_path))
        .route("/api/mo/oid/{oid}", get(units_of_oid))
        .route("/api/oid/{oid}", get(units_of_oid))
        .route("/api/mo/{id}/resource", get(resources_of_unit))
        .route("/api/resourse/{id}/slots", get(slots_of_resource))
        .route("/api/slot/{id}/books", get(books_of_slot))
        .merge(callback::routes())
        .route_layer(middleware::from_fn_with_state(Arc::clone(&shared), require_token));
    let mock = Router::new()
        .route("/mock/stats", get(stats))
        .route("/mock/log", get(log))
        .route("/mock/records/{subsystem}", get(records))
        .route("/mock/book", post(book))
        .route("/mock/cancel", post(cancel));
    Router::new().route("/auth.svc", post(login)).merge(api).merge(mock).with_state(shared)
}

async fn login(State(shared): Mock, body: Body) -> Response {
    let body = to_bytes(body, LOGIN_BYTES).await.unwrap_or_default();
    let settings = &shared.settings;
    let answer = match serde_json::from_slice::<Credentials>(&body) {
        Ok(given) if given.are(&settings.username, &settings.password) => {
            shared.journal().count_total(|totals| totals.tokens_issued += 1);
            (StatusCode::OK, AuthAnswer::issued(shared.tokens().issue()))
        }
        Ok(_) => {
            shared.journal().count_total(|totals| totals.logins_refused += 1);
            (StatusCode::UNAUTHORIZED, AuthAnswer::refused(401, "Неверное имя пользователя или пароль"))
        }
        Err(_) => (StatusCode::BAD_REQUEST, AuthAnswer::refused(400, "Некорректный запрос")),
    };
    (answer.0, Json(answer.1)).into_response()
}

async fn require_token(State(shared): Mock, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token =
        given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let good = token.is_some_and(|(_, token)| shared.tokens().is_good(token.trim()));
    if good {
        return next.run(request).await;
    }
    shared.journal().count_total(|totals| totals.unauthorized += 1);
    Answer::unauthorized().into_response()
}

async fn receive(State(shared): Mock, Path(name): Path<String>, uri: Uri, headers: HeaderMap, body: Body) -> Response {
    let Some(subsystem) = Subsystem::parse(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let gzip =
        headers.get(header::CONTENT_ENCODING).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"gzip"));
    let Ok(body) = to_bytes(body, shared.settings.max_body_bytes).await else {
        return Answer::too_large().into_response();
    };
    let work = move || take_in(&shared, subsystem, uri.path(), &body, gzip);
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer.into_response(),
        Err(_) => Answer::failed(StatusCode::INTERNAL_SERVER_ERROR, "Ошибка обработки запроса").into_response(),
    }
}

/// The whole of a POST, off the reactor: a batch of a thousand records is milliseconds of work.
fn take_in(shared: &Shared, subsystem: Subsystem, path: &str, body: &Bytes, gzip: bool) -> Answer {
    let inflated = match inflate(body, gzip, shared.settings.max_inflated_bytes) {
        Ok(inflated) => inflated,
        Err(unreadable) => return unreadable.into(),
    };
    let raw = inflated.as_deref().unwrap_or(body);
    shared.journal().count(subsystem, |counters| {
        counters.requests += 1;
        counters.raw_bytes += raw.len() as u64;
        counters.gzip_bytes += if gzip { body.len() as u64 } else { 0 };
    });
    let batch = match intake::read(subsystem, raw, &shared.settings) {
        Ok(batch) => batch,
        Err(unreadable) => return unreadable.into(),
    };
    let ids: Vec<String> = batch.iter().map(|record| record.id().to_owned()).collect();
    let outcome = intake::store(&mut shared.mart(), subsystem, batch, &shared.settings);
    let mut journal = shared.journal();
    journal.count(subsystem, |counters| {
        counters.received += ids.len() as u64;
        counters.accepted += outcome.accepted;
        counters.refused += outcome.refused;
    });
    let status = outcome.answer.status();
    journal.note(LogEntry { at: Utc::now(), method: "POST", subsystem, path: path.to_owned(), ids, status });
    outcome.answer
}

/// The body after gunzip, None when it came plain.
fn inflate(body: &[u8], gzip: bool, limit: usize) -> Result<Option<Vec<u8>>, Unreadable> {
    if !gzip {
        return Ok(None);
    }
    let mut inflated = Vec::new();
    let cap = (limit as u64).saturating_add(1);
    MultiGzDecoder::new(body).take(cap).read_to_end(&mut inflated).map_err(|_| Unreadable::Malformed)?;
    if inflated.len() > limit {
        return Err(Unreadable::TooLarge);
    }
    Ok(Some(inflated))
}

#[derive(Deserialize)]
struct ById {
    id: Option<String>,
}

async fn remove(State(shared): Mock, Path(name): Path<String>, uri: Uri, Query(by): Query<ById>) -> Response {
    let Some(subsystem) = Subsystem::parse(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let id = by.id.unwrap_or_default();
    let removed = form::guid(&id).map(|key| shared.mart().remove(subsystem, key));
    let answer = match removed {
        None => Answer::malformed(),
        Some(0) => Answer::not_found(),
        Some(_) => Answer::stored(subsystem, vec![id.clone()]),
    };
    let mut journal = shared.journal();
    journal.count(subsystem, |counters| {
        counters.deletes += 1;
        counters.removed += removed.unwrap_or_default();
    });
    let (path, status) = (uri.to_string(), answer.status());
    journal.note(LogEntry { at: Utc::now(), method: "DELETE", subsystem, path, ids: vec![id], status });
    answer.into_response()
}

async fn read_by_query(State(shared): Mock, Path(name): Path<String>, Query(by): Query<ById>) -> Response {
    let Some(subsystem) = Subsystem::parse(&name) else { return StatusCode::NOT_FOUND.into_response() };
    read_one(&shared, subsystem, &by.id.unwrap_or_default()).into_response()
}

async fn read_by_path(State(shared): Mock, Path((name, id)): Path<(String, String)>) -> Response {
    let Some(subsystem) = Subsystem::parse(&name) else { return StatusCode::NOT_FOUND.into_response() };
    read_one(&shared, subsystem, &id).into_response()
}

fn read_one(shared: &Shared, subsystem: Subsystem, id: &str) -> Answer {
    shared.journal().count(subsystem, |counters| counters.reads += 1);
    let found = form::guid(id).and_then(|key| shared.mart().get(subsystem, key));
    found.map_or_else(Answer::not_found, |record| Answer::found(vec![record]))
}

async fn units_of_oid(State(shared): Mock, Path(oid): Path<String>) -> Answer {
    shared.journal().count(Subsystem::Mo, |counters| counters.reads += 1);
    let units = shared.mart().units_of_oid(&oid);
    if units.is_empty() { Answer::not_found() } else { Answer::found(units) }
}

async fn resources_of_unit(State(shared): Mock, Path(id): Path<String>) -> Answer {
    read_children(&shared, Subsystem::Mo, &id, Subsystem::Resource)
}

async fn books_of_slot(State(shared): Mock, Path(id): Path<String>) -> Answer {
    read_children(&shared, Subsystem::Slot, &id, Subsystem::Book)
}

fn read_children(shared: &Shared, parent: Subsystem, id: &str, children: Subsystem) -> Answer {
    shared.journal().count(children, |counters| counters.reads += 1);
    let mart = shared.mart();
    match form::guid(id).filter(|key| mart.holds(parent, *key)) {
        Some(key) => Answer::found(mart.children(children, key)),
        None => Answer::not_found(),
    }
}

/// Both days are part of the interval.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Interval {
    start_date: NaiveDate,
    end_date: NaiveDate,
}

async fn slots_of_resource(
    State(shared): Mock,
    Path(id): Path<String>,
    interval: Result<Query<Interval>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    shared.journal().count(Subsystem::Slot, |counters| counters.reads += 1);
    let Ok(Query(interval)) = interval else { return Answer::malformed() };
    let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp();
    let (from, until) = (midnight(interval.start_date), midnight(interval.end_date) + 24 * 3600);
    let mart = shared.mart();
    match form::guid(&id).filter(|key| mart.holds(Subsystem::Resource, *key)) {
        Some(key) => Answer::found(mart.slots_between(key, from, until)),
        None => Answer::not_found(),
    }
}

/// Counters of everything, and how many records each subsystem holds.
async fn stats(State(shared): Mock) -> Json<Value> {
    let (journal, mart) = (shared.journal(), shared.mart());
    let subsystems: serde_json::Map<String, Value> = Subsystem::ALL
        .into_iter()
        .map(|subsystem| {
            let counted = json!({"records": mart.len(subsystem), "counters": journal.counters(subsystem)});
            (subsystem.name().to_owned(), counted)
        })
        .collect();
    Json(json!({
        "subsystems": subsystems,
        "totals": journal.totals(),
        "blocked_units": mart.blocked_units(),
    }))
}

#[derive(Deserialize)]
struct Last {
    last: Option<usize>,
}

/// The last requests, oldest first.
async fn log(State(shared): Mock, Query(asked): Query<Last>) -> Json<Value> {
    let journal = shared.journal();
    let last = asked.last.unwrap_or(LOG_PAGE).min(LOG_PAGE);
    let mut entries: Vec<&LogEntry> = journal.entries().rev().take(last).collect();
    entries.reverse();
    Json(json!({ "requests": entries }))
}

#[derive(Deserialize)]
struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

/// What one subsystem holds, by id; `next` is what to ask `after` for the page behind this one.
async fn records(State(shared): Mock, Path(name): Path<String>, Query(page): Query<Page>) -> Response {
    let Some(subsystem) = Subsystem::parse(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let after = page.after.as_deref().and_then(form::guid);
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let (mart_holds, (records, next)) = {
        let mart = shared.mart();
        (mart.len(subsystem), mart.page(subsystem, after, limit))
    };
    Json(json!({"subsystem": subsystem, "count": mart_holds, "records": records, "next": next})).into_response()
}

/// Books as a citizen does, for test stands.
async fn book(State(shared): Mock, Json(request): Json<BookRequest>) -> Response {
    told(FerGateway { shared }.book(&request).await)
}

/// Cancels as a citizen does.
async fn cancel(State(shared): Mock, Json(request): Json<CancelRequest>) -> Response {
    told(FerGateway { shared }.cancel(&request).await)
}

fn told(outcome: Result<Forwarded, ForwardError>) -> Response {
    match outcome {
        Ok(forwarded) => Json(forwarded).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, Json(json!({"error": error.to_string()}))).into_response(),
    }
}
