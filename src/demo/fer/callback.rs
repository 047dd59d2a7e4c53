//! Webhooks (section «Ответный сервис»): one address of the organisation, one for each department that wants its own. An address is called
//! before it is taken.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::Shared;
use super::answer::Answer;

/// How long the gateway waits for the answering service.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Most webhooks.
const MOST: usize = 1_000;
/// Most bytes of a registration.
const BODY: usize = 64 << 10;

/// What the gateway remembers beside its mart.
#[derive(Default)]
pub(super) struct Callbacks {
    /// Addresses by department; none is the whole organisation.
    addresses: BTreeMap<Option<String>, String>,
    /// The document's table `associations_slots`: the booking of a slot.
    pub(super) bookings: HashMap<u128, u128>,
}

impl Callbacks {
    /// Where bookings of a department go: to its own webhook, else to the organisation's.
    pub(super) fn address_for(&self, department: Option<&str>) -> Option<String> {
        let own = department.and_then(|oid| self.addresses.get(&Some(oid.to_owned())));
        own.or_else(|| self.addresses.get(&None)).cloned()
    }

    /// All addresses, by department.
    pub(super) fn all(&self) -> BTreeMap<Option<String>, String> {
        self.addresses.clone()
    }

    fn of(&self, department: &Option<String>) -> Option<String> {
        self.addresses.get(department).cloned()
    }
}

/// The client that calls hospitals: plain HTTP, nothing followed. None where the machine does not let one be made.
pub(super) fn client() -> Option<reqwest::Client> {
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.tls_certs_only([]).timeout(PATIENCE).build().ok()
}

/// Its routes.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/callback", post(register).get(show).put(update).delete(remove))
        .route("/api/callback/check", get(check))
}

#[derive(Deserialize)]
struct Registration {
    address: String,
    depart_oid: Option<String>,
}

#[derive(Deserialize)]
struct OfDepartment {
    depart_oid: Option<String>,
}

#[derive(Deserialize)]
struct OfAddress {
    address: Option<String>,
}

async fn register(State(shared): State<Arc<Shared>>, body: Body) -> Answer {
    let Some(wish) = wish(body).await else { return Answer::malformed() };
    let registered = shared.callbacks().of(&wish.depart_oid);
    if registered.is_some_and(|registered| registered != wish.address) {
        return Answer::failed(StatusCode::BAD_REQUEST, "Доступна регистрация одного вебхука");
    }
    take(&shared, wish).await
}

async fn update(State(shared): State<Arc<Shared>>, body: Body) -> Answer {
    let Some(wish) = wish(body).await else { return Answer::malformed() };
    if shared.callbacks().of(&wish.depart_oid).is_none() {
        return Answer::not_found();
    }
    take(&shared, wish).await
}

async fn wish(body: Body) -> Option<Registration> {
    let body = to_bytes(body, BODY).await.ok()?;
    let wish: Registration = serde_json::from_slice(&body).ok()?;
    Some(Registration { depart_oid: wish.depart_oid.filter(|oid| !oid.is_empty()), ..wish })
}

/// Calls the address and keeps it if it answers 200.
async fn take(shared: &Shared, wish: Registration) -> Answer {
    if let Err(answer) = probe(shared, &wish.address).await {
        return answer;
    }
    let mut callbacks = shared.callbacks();
    if callbacks.addresses.len() >= MOST && !callbacks.addresses.contains_key(&wish.depart_oid) {
        return Answer::too_large();
    }
    callbacks.addresses.insert(wish.depart_oid.clone(), wish.address.clone());
    Answer::found(vec![record(&wish.depart_oid, &wish.address)])
}

async fn show(State(shared): State<Arc<Shared>>, Query(of): Query<OfDepartment>) -> Answer {
    let found = shared.callbacks().of(&of.depart_oid);
    found.map_or_else(Answer::not_found, |address| Answer::found(vec![record(&of.depart_oid, &address)]))
}

async fn remove(State(shared): State<Arc<Shared>>, Query(of): Query<OfDepartment>) -> Answer {
    let removed = shared.callbacks().addresses.remove(&of.depart_oid);
    removed.map_or_else(Answer::not_found, |address| Answer::found(vec![record(&of.depart_oid, &address)]))
}

async fn check(State(shared): State<Arc<Shared>>, Query(of): Query<OfAddress>) -> Answer {
    let Some(address) = of.address else { return Answer::malformed() };
    probe(&shared, &address).await.map_or_else(|refusal| refusal, |()| Answer::found(vec![json!({"address": address})]))
}

/// `GET <address>/booking/book` must answer 200.
async fn probe(shared: &Shared, address: &str) -> Result<(), Answer> {
    let refusal = |text: &str| Answer::failed(StatusCode::BAD_REQUEST, text);
    if !Url::parse(address).is_ok_and(|url| url.scheme() == "http" && url.has_host()) {
        return Err(refusal("Некорректный адрес ответного сервиса"));
    }
    let Some(http) = &shared.http else { return Err(refusal("Ответный сервис недоступен")) };
    match http.get(booking(address, "book")).send().await {
        Ok(answer) if answer.status() == StatusCode::OK => Ok(()),
        Ok(answer) => Err(refusal(&format!("Ответный сервис отвечает с кодом {}", answer.status().as_u16()))),
        Err(_) => Err(refusal("Ответный сервис недоступен")),
    }
}

/// The address of a method of the answering service.
pub(super) fn booking(address: &str, method: &str) -> String {
    format!("{}/booking/{method}", address.trim_end_matches('/'))
}

/// Table 2; the department is ours to tell them apart.
fn record(department: &Option<String>, address: &str) -> Value {
    match department {
        None => json!({"address": address}),
        Some(oid) => json!({"address": address, "depart_oid": oid}),
    }
}
