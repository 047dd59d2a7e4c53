//! The platform side of medical education («Сервисы платформы онлайн-обучения»): what the portal calls here.
//!
//! The portal sends specialists to their modules, by a signed redirect or by asking for an address, and tells how a module fared in the
//! technical evaluation. The learning system behind the platform may ask the portal through it. Several portals share one listener; `portalId` tells them apart. Who is not let in learns nothing, and nothing
//! of what is asked is logged: every request names a person.

mod caller;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod handover;
mod learner;
mod learning;
mod signature;
mod target;
mod tokens;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

pub use learning::{Question, Reply};
pub use target::{Reviewer, Target, TemplateError};
pub use tokens::Granted;

use crate::portal::nmo::{Evaluation, evaluation};
use crate::record::Key;
use crate::serve::secret::is_same;
use caller::Portals;
use learner::Learner;

/// Longest that a caller may take to say what it wants, and we to answer.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Most bytes of a body: three short fields, or what people found wrong with a module.
const BODY_LIMIT: usize = 64 << 10;
/// Most bytes of a query.
const QUERY_LIMIT: usize = 4 << 10;

/// One portal that may call.
#[derive(Debug, Clone)]
pub struct PlatformSettings {
    /// Its name in the configuration.
    pub portal: String,
    /// The name under which it calls.
    pub portal_id: String,
    /// The secret that it shows, and signs redirects with.
    pub portal_secret: SecretString,
    /// The account of the technical reviewer.
    pub reviewer: Option<Reviewer>,
    /// The secret that is shared with the learning system, to sign the addresses that specialists are sent to.
    pub handover_secret: Option<SecretString>,
    /// The token with which the learning system asks; without one it cannot.
    pub api_token: Option<SecretString>,
    /// Where specialists go.
    pub target: Target,
    /// The tokens that it was given.
    pub granted: Granted,
}

impl PlatformSettings {
    /// The same, with the tokens that were given under earlier settings, if the portal signs in as it did.
    pub fn after(self, before: &[PlatformSettings]) -> Self {
        let signs_in_alike = |other: &&PlatformSettings| {
            other.portal == self.portal
                && other.portal_id == self.portal_id
                && is_same(&other.portal_secret, self.portal_secret.expose_secret().as_bytes())
        };
        match before.iter().find(signs_in_alike) {
            Some(other) => PlatformSettings { granted: other.granted.clone(), ..self },
            None => self,
        }
    }
}

/// Takes what portals tell of modules, and asks them.
pub trait Evaluated: Send + Sync + 'static {
    /// A portal, by its name in the configuration, told how a module fared. Durable when it returns [`Taken::Applied`].
    fn evaluated(&self, portal: &str, module: &Key, evaluation: Evaluation) -> impl Future<Output = Taken> + Send;

    /// Asks a portal, by its name in the configuration, what the learning system wants to know.
    fn ask(&self, portal: &str, question: Question) -> impl Future<Output = Reply> + Send;
}

/// What became of a portal's news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is remembered.
    Applied,
    /// No module of that id was sent from here; the register keeps the news all the same.
    Stray,
    /// This process does not write to that portal.
    Unknown,
    /// It could not be remembered: the portal is to tell it again, or will be asked.
    Later,
}

/// What all handlers share.
struct Shared<E> {
    portals: Portals,
    evaluated: Arc<E>,
    questions: Arc<Semaphore>,
}

/// The platform's services for these portals.
pub fn router<E: Evaluated>(portals: Vec<PlatformSettings>, evaluated: Arc<E>) -> Router {
    let shared = Arc::new(Shared { portals: Portals::new(portals), evaluated, questions: learning::questions() });
    Router::new()
        .route("/redirect", get(redirect::<E>))
        .route("/getUrl", post(get_url::<E>))
        .route("/getToken", post(get_token::<E>))
        .route("/statusUpdate", post(status_update::<E>))
        .route("/nmo/{portal}/plan-status", get(learning::plan_status::<E>))
        .route("/nmo/{portal}/evaluation", get(learning::evaluation::<E>))
        .fallback(nothing)
        .method_not_allowed_fallback(nothing)
        .layer(from_fn(in_time))
        .with_state(shared)
}

async fn in_time(request: Request, next: Next) -> Response {
    let mut response = match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    // Addresses here name persons: neither kept by a proxy nor told to the next site.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

async fn nothing() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// What everybody hears who is not let in.
fn refused() -> Response {
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic")]).into_response()
}

fn incomplete() -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"success": false, "reason": "incomplete_data"}))).into_response()
}

/// `GET /redirect?snils=…&moduleId=…&pin=…&portalId=…&signature=…`
async fn redirect<E: Evaluated>(State(shared): State<Arc<Shared<E>>>, request: Request) -> Response {
    let query = request.uri().query().filter(|query| query.len() <= QUERY_LIMIT).unwrap_or_default();
    let target = shared.portals.signed(query).and_then(|(portal, learner)| portal.target_of(&learner));
    match target.and_then(|target| HeaderValue::from_str(&target).ok()) {
        Some(target) => (StatusCode::FOUND, [(header::LOCATION, target)]).into_response(),
        // A browser shows this to the specialist; a challenge would only ask for a password that nobody has.
        None => {
            (StatusCode::UNAUTHORIZED, "Ссылка недействительна. Перейдите к обучению из личного кабинета ещё раз.\n")
                .into_response()
        }
    }
}

/// `POST /getUrl`: the three fields in the query or in a body of JSON.
async fn get_url<E: Evaluated>(State(shared): State<Arc<Shared<E>>>, request: Request) -> Response {
    let Some(portal) = shared.portals.caller(request.headers()) else { return refused() };
    let query = request.uri().query().filter(|query| query.len() <= QUERY_LIMIT).unwrap_or_default().to_owned();
    let Some(body) = body(request).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let Some(learner) = Learner::of_query(&query).or_else(|| Learner::of_json(&body)) else { return incomplete() };
    match portal.target_of(&learner) {
        Some(target) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], target).into_response(),
        None => refused(),
    }
}

/// `POST /getToken?snils=…&portalId=…`, for callers with a password alone: a token does not beget tokens.
async fn get_token<E: Evaluated>(State(shared): State<Arc<Shared<E>>>, request: Request) -> Response {
    let Some(portal) = shared.portals.by_password(request.headers()) else { return refused() };
    let query = request.uri().query().filter(|query| query.len() <= QUERY_LIMIT).unwrap_or_default();
    if learner::parameter(query, "portalId").is_some_and(|id| !portal.is_called(&id)) {
        return refused();
    }
    let Some(token) = portal.issue() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    if wants(request.headers(), header::ACCEPT, "text/plain") {
        return ([(header::CONTENT_TYPE, "text/plain")], token).into_response();
    }
    let answer = json!({"access_token": token, "token_type": "bearer", "expires_in": tokens::LIFE.as_secs()});
    Json(answer).into_response()
}

/// `POST /statusUpdate`: how a module fared in the technical evaluation.
async fn status_update<E: Evaluated>(State(shared): State<Arc<Shared<E>>>, request: Request) -> Response {
    let Some(portal) = shared.portals.caller(request.headers()) else { return refused() };
    let Some(body) = body(request).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let Some((module, told)) = told(&body) else { return incomplete() };
    match shared.evaluated.evaluated(portal.name(), &module, told).await {
        Taken::Applied | Taken::Stray => Json(json!({"success": true})).into_response(),
        Taken::Unknown => Json(json!({"success": false, "reason": "unknown_module"})).into_response(),
        Taken::Later => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Which module a body speaks of, and how it fared.
fn told(body: &[u8]) -> Option<(Key, Evaluation)> {
    let fields: Value = serde_json::from_slice(body).ok()?;
    let field = |name| learner::member(&fields, name).filter(|text| !text.trim().is_empty());
    let told = evaluation(&field("status")?, field("status_reason").as_deref())?;
    let module = field("module_id").filter(|id| id.len() <= learner::MODULE)?;
    Some((Key::parse(module.trim()), told))
}

/// The body, if it is not too large.
async fn body(request: Request) -> Option<Vec<u8>> {
    to_bytes(request.into_body(), BODY_LIMIT).await.ok().map(|bytes| bytes.to_vec())
}

fn wants(headers: &HeaderMap, name: HeaderName, kind: &str) -> bool {
    headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(kind))
}
