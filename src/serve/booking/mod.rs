//! Booking: the answering service of the FER gateway («Ответный сервис», «Сервис бронирования и отмены записи на прием»).
//!
//! The gateway calls `GET /booking/book` to see whether somebody is there, `POST /booking/book` and `POST /booking/cancel` for citizens. Each
//! is answered with HTTP 200 and a code of the document's tables, from one transaction in the hospital's own database, before the gateway's ten
//! seconds are over. What a request says about a person goes to that database and nowhere else.

mod answer;
mod builtin;
mod callers;
mod desk;
mod doubts;
mod fault;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod journal;
mod listener;
mod mis;
mod refusals;
mod request;
mod told;
mod turns;
mod visits;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::time::{Instant, timeout};

pub use super::connections::Peer;
pub use answer::{Answer, Code, Visit};
pub use callers::Callers;
pub use desk::{Cause, Changed, Desk, LIMIT, Listening};
pub use fault::Fault;
pub use journal::{Answered, BookingStatus, JournalEntry, UncertainStatus};
pub use listener::{BookingBindError, BookingListener, TlsFiles};
pub use mis::{Fate, Mis, Statements};
pub use request::{Fields, Malformed};
pub use visits::Visits;

/// How long a request's body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(2);

/// What the gateway asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// A slot for a patient.
    Book,
    /// To give a booking up.
    Cancel,
}

impl Verb {
    /// Its name in metrics, logs and status.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Book => "book",
            Verb::Cancel => "cancel",
        }
    }
}

/// What all handlers share.
struct Shared<M> {
    desk: Arc<Desk<M>>,
    callers: Callers,
    max_body: usize,
}

/// The routes of the answering service, for these callers. Requests carry a [`Peer`].
pub fn router<M: Mis>(desk: Arc<Desk<M>>, callers: Callers, max_body: usize) -> Router {
    let shared = Arc::new(Shared { desk, callers, max_body });
    Router::new()
        .route("/booking/book", get(present).post(book::<M>))
        .route("/booking/cancel", post(cancel::<M>))
        .fallback(nothing)
        .method_not_allowed_fallback(nothing)
        .layer(from_fn_with_state(Arc::clone(&shared), admit::<M>))
        .with_state(shared)
}

/// Lets those in who may call. All others hear what they would hear if there were nothing here.
async fn admit<M: Mis>(
    State(shared): State<Arc<Shared<M>>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    if !shared.callers.may_call(peer, request.headers()) {
        shared.desk.refused(shared.callers.named(peer, request.headers()));
        return nothing().await.into_response();
    }
    next.run(request).await
}

async fn nothing() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// The gateway registers an address only if this answers 200.
async fn present() -> StatusCode {
    StatusCode::OK
}

async fn book<M: Mis>(State(shared): State<Arc<Shared<M>>>, request: Request) -> Response {
    shared.answer(Verb::Book, request).await
}

async fn cancel<M: Mis>(State(shared): State<Arc<Shared<M>>>, request: Request) -> Response {
    shared.answer(Verb::Cancel, request).await
}

impl<M: Mis> Shared<M> {
    async fn answer(&self, verb: Verb, request: Request) -> Response {
        let arrived = Instant::now();
        let body = match self.body(request).await {
            Ok(body) => body,
            Err((status, why)) => {
                self.desk.unread(verb, why);
                return status.into_response();
            }
        };
        let Ok(fields) = Fields::parse(verb, &body) else {
            self.desk.unread(verb, "its body is no JSON in UTF-8");
            return StatusCode::BAD_REQUEST.into_response();
        };
        drop(body);
        let answer = self.desk.answer(verb, fields, arrived).await;
        let mut response = Json(answer).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    async fn body(&self, request: Request<Body>) -> Result<Bytes, (StatusCode, &'static str)> {
        match timeout(BODY_PATIENCE, to_bytes(request.into_body(), self.max_body)).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(_)) => {
                Err((StatusCode::PAYLOAD_TOO_LARGE, "its body broke off, or is larger than booking.max_body"))
            }
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "its body did not arrive in time")),
        }
    }
}
