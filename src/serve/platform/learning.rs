//! What the learning system may ask: how a module stands in a specialist's plan, and with the people who evaluate it. The portal is asked at
//! its own rate, by few questions at a time, so that neither feeds nor the portal suffer from a system that asks too much.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::learner::{MODULE, parameter};
use super::target::digits;
use super::{Evaluated, QUERY_LIMIT, Shared};
use crate::portal::nmo::{Evaluation, PlanStatus};

/// Most questions that are before portals at a time.
pub(super) const AT_A_TIME: usize = 4;
/// How long the portal may take. A question that takes longer is still heard to its end.
const PATIENCE: Duration = Duration::from_secs(8);
/// Digits of a SNILS, and most characters of a pin.
const SNILS: usize = 11;
const PIN: usize = 64;

/// A question to a portal.
#[derive(Clone, PartialEq, Eq)]
pub enum Question {
    /// How a module stands in a specialist's plan.
    Plan {
        /// The module.
        module: String,
        /// Eleven digits.
        snils: String,
        /// The pin; none where it is not to be checked.
        pin: Option<String>,
    },
    /// How a module fared in the technical evaluation.
    Evaluation {
        /// The module.
        module: String,
    },
}

/// What the portal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// How the module stands in the plan.
    Plan(PlanStatus),
    /// How it fared; none for a module that the portal does not know.
    Evaluation(Option<Evaluation>),
    /// The portal is left alone for so many seconds.
    Paused(u64),
    /// The portal did not answer, or not in the document's words.
    Failed,
}

/// `GET /nmo/{portal}/plan-status?snils=…&module_id=…`
pub(super) async fn plan_status<E: Evaluated>(
    State(shared): State<Arc<Shared<E>>>,
    Path(portal): Path<String>,
    request: Request,
) -> Response {
    let ready = ready(&shared, &portal, &request, |query| {
        let snils = digits(&parameter(query, "snils")?);
        let pin = parameter(query, "pin").filter(|pin| !pin.is_empty());
        let fits = snils.len() == SNILS && pin.as_ref().is_none_or(|pin| pin.chars().count() <= PIN);
        module(query).filter(|_| fits).map(|module| Question::Plan { module, snils, pin })
    });
    answer(&shared, &portal, ready).await
}

/// `GET /nmo/{portal}/evaluation?module_id=…`
pub(super) async fn evaluation<E: Evaluated>(
    State(shared): State<Arc<Shared<E>>>,
    Path(portal): Path<String>,
    request: Request,
) -> Response {
    let read = |query: &str| Some(Question::Evaluation { module: module(query)? });
    let ready = ready(&shared, &portal, &request, read);
    answer(&shared, &portal, ready).await
}

fn module(query: &str) -> Option<String> {
    let module = parameter(query, "module_id")?.trim().to_owned();
    let fits = (1..=MODULE).contains(&module.chars().count()) && !module.contains(char::is_control);
    fits.then_some(module)
}

async fn answer<E: Evaluated>(
    shared: &Arc<Shared<E>>,
    portal: &str,
    ready: Result<Question, Box<Response>>,
) -> Response {
    match ready {
        Ok(question) => ask(Arc::clone(shared), portal.to_owned(), question).await,
        Err(response) => *response,
    }
}

/// The question of a caller that may ask it, or what the caller is told instead.
fn ready<E: Evaluated>(
    shared: &Shared<E>,
    portal: &str,
    request: &Request,
    read: impl FnOnce(&str) -> Option<Question>,
) -> Result<Question, Box<Response>> {
    let known = shared.portals.learning(portal, request.headers()).ok_or_else(|| Box::new(refused()))?;
    let query = request.uri().query().filter(|query| query.len() <= QUERY_LIMIT).unwrap_or_default();
    match read(query).ok_or_else(|| Box::new(said(StatusCode::BAD_REQUEST, "incomplete_data")))? {
        // The document wants no calls about the reviewer, and promises success.
        Question::Plan { snils, .. } if known.is_reviewer(&snils) => {
            Err(Box::new(told(Reply::Plan(PlanStatus { included: true, status: "planned" }))))
        }
        question => Ok(question),
    }
}

/// Asks on a task of its own: a caller that hangs up must not cut a renewal of the portal's token short.
async fn ask<E: Evaluated>(shared: Arc<Shared<E>>, portal: String, question: Question) -> Response {
    let Ok(permit) = Arc::clone(&shared.questions).try_acquire_owned() else {
        return later(StatusCode::TOO_MANY_REQUESTS, 1);
    };
    let asking = tokio::spawn(async move {
        let reply = shared.evaluated.ask(&portal, question).await;
        drop(permit);
        reply
    });
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(reply)) => told(reply),
        Ok(Err(_)) => said(StatusCode::BAD_GATEWAY, "portal_unavailable"),
        Err(_) => said(StatusCode::GATEWAY_TIMEOUT, "portal_unavailable"),
    }
}

fn told(reply: Reply) -> Response {
    match reply {
        Reply::Plan(PlanStatus { included, status }) => {
            Json(json!({"included": included, "status": status})).into_response()
        }
        Reply::Evaluation(None) => Json(json!({"status": "unknown_module"})).into_response(),
        Reply::Evaluation(Some(evaluation)) => {
            let mut body = json!({"status": evaluation.word()});
            if let Evaluation::NotApproved { reason } = evaluation {
                body["status_reason"] = Value::from(reason);
            }
            Json(body).into_response()
        }
        Reply::Paused(seconds) => later(StatusCode::SERVICE_UNAVAILABLE, seconds.max(1)),
        Reply::Failed => said(StatusCode::BAD_GATEWAY, "portal_unavailable"),
    }
}

fn said(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({"success": false, "reason": reason}))).into_response()
}

fn later(status: StatusCode, seconds: u64) -> Response {
    let mut response = said(status, "try_later");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn refused() -> Response {
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response()
}

/// As many questions as may be before portals.
pub(super) fn questions() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(AT_A_TIME))
}
