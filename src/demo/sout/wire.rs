//! The mock's HTTP side: the three addresses, multipart as running clients send it, the key, faults. `/mock/*` shows a test what is inside.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::multipart::Field;
use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::Utc;
use quick_xml::escape::escape;
use serde_json::json;

use super::fault::Fault;
use super::parcel::{self, Parcel, Request};
use super::reading::{self, Filter};
use super::settings::Envelope;
use super::{Shared, programs};

/// How long an answer is held back.
const HOLD: Duration = Duration::from_secs(60);

type Mock = State<Arc<Shared>>;

/// All routes.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/set/push", post(push))
        .route("/api/GetEducatedPersonXML", post(read_back))
        .route("/api/Reference/GetLearnProgram", get(catalogue))
        .route("/mock/sets", get(sets))
        .layer(DefaultBodyLimit::max(shared.settings.max_body_bytes))
        .with_state(shared)
}

/// A refusal: the status that the portal means, and its words.
struct Refusal(u16, String);

impl Shared {
    /// An `Error` in the envelope that is set. The portal repeats the key, as the real one does.
    fn error(&self, status: u16, words: &str) -> Response {
        let words = format!("Запрос с ключом {}. {words}", self.settings.api_key);
        let error = format!(
            "<Error><StatusCode>{status}</StatusCode><Message>{}</Message><DateTime>{}</DateTime><RequestId>{}</RequestId></Error>",
            escape(words.as_str()),
            Utc::now().format("%Y-%m-%dT%H:%M:%S"),
            uuid::Uuid::new_v4(),
        );
        match self.settings.envelope {
            Envelope::Printed => xml(status, &error),
            Envelope::Serialized | Envelope::Wrapped => xml(200, &format!("<Response>{error}</Response>")),
        }
    }

    fn refuse(&self, Refusal(status, words): Refusal) -> Response {
        if status == 401 {
            self.register().counters.wrong_keys += 1;
        }
        self.error(status, &words)
    }

    fn admit(&self, key: &str) -> Result<(), Refusal> {
        match key == self.settings.api_key {
            true => Ok(()),
            false => Err(Refusal(401, format!("Ключ {key} не найден"))),
        }
    }
}

fn xml(status: u16, body: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>{body}");
    (status, [(header::CONTENT_TYPE, "application/xml; charset=utf-8")], body).into_response()
}

fn maintenance() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "<html><body>Ведутся технические работы</body></html>").into_response()
}

/// The beginning of an answer whose connection then breaks.
fn cut() -> Response {
    let broken = futures_util::stream::iter([Ok("<Resp"), Err(io::Error::other("cut off"))]);
    ([(header::CONTENT_LENGTH, "400")], Body::from_stream(broken)).into_response()
}

/// A file of a form, by the name of its part; its own name must end so.
struct File {
    part: String,
    bytes: Vec<u8>,
}

async fn file(field: Field<'_>) -> Result<File, Refusal> {
    let part = field.name().unwrap_or_default().to_owned();
    let name = field.file_name().unwrap_or_default().to_owned();
    let media = field.content_type().unwrap_or_default().to_owned();
    let (extension, wanted) = match part.as_str() {
        "olot" => (".olot", "application/octet-stream"),
        "xml" | "file" => (".xml", "text/xml"),
        _ => return Err(Refusal(400, format!("Неизвестная часть формы {part}"))),
    };
    if !name.ends_with(extension) || media != wanted {
        return Err(Refusal(400, format!("Файл части {part} должен иметь расширение {extension}")));
    }
    let bytes = field.bytes().await.map_err(|_| Refusal(413, "Слишком большой файл".to_owned()))?;
    Ok(File { part, bytes: bytes.to_vec() })
}

async fn files<const N: usize>(mut form: Multipart, parts: [&str; N]) -> Result<[Vec<u8>; N], Refusal> {
    let mut found: [Option<Vec<u8>>; N] = std::array::from_fn(|_| None);
    while let Ok(Some(field)) = form.next_field().await {
        let file = file(field).await?;
        let slot = parts.iter().position(|part| *part == file.part).and_then(|at| found.get_mut(at));
        *slot.ok_or_else(|| Refusal(400, format!("Лишняя часть формы {}", file.part)))? = Some(file.bytes);
    }
    let missing =
        |at: usize| Refusal(400, format!("Не прикреплен файл {}", parts.get(at).copied().unwrap_or_default()));
    match found.iter().position(Option::is_none) {
        Some(at) => Err(missing(at)),
        None => Ok(found.map(Option::unwrap_or_default)),
    }
}

async fn push(State(shared): Mock, form: Multipart) -> Response {
    if shared.faults().maintenance {
        return maintenance();
    }
    let received = match files(form, ["xml", "olot"]).await {
        Ok([request, olot]) => receive(&shared, &request, &olot),
        Err(refusal) => Err(refusal),
    };
    match received {
        Ok(parcel) => {
            let fault = shared.faults().next();
            let answer = make(&shared, parcel, fault);
            if fault == Some(Fault::HoldAnswer) {
                tokio::time::sleep(HOLD).await;
            }
            answer
        }
        Err(refusal) => {
            shared.register().counters.refused += 1;
            shared.refuse(refusal)
        }
    }
}

/// Everything that can be wrong with a push.
fn receive(shared: &Shared, request: &[u8], olot: &[u8]) -> Result<Parcel, Refusal> {
    let request: Request = parcel::read("Request", request).map_err(|words| Refusal(400, words))?;
    shared.admit(&request.api_key)?;
    shared.register().counters.pushes += 1;
    let parcel = parcel::open(olot).map_err(|words| Refusal(400, words))?;
    match (parcel.signed, request.need_send) {
        (true, false) => return Err(Refusal(400, "Набор подписан, но NeedSend не равен true".to_owned())),
        (false, true) => return Err(Refusal(400, "NeedSend равен true, но набор не подписан".to_owned())),
        (true, true) | (false, false) => {}
    }
    let faults = shared.faults();
    if let Some(words) = faults.set_refusal() {
        return Err(Refusal(400, words));
    }
    let refused = parcel.records.iter().find_map(|record| faults.refusal(record.outer_id.as_deref()));
    refused.map_or(Ok(parcel), |words| Err(Refusal(400, words)))
}

fn make(shared: &Shared, parcel: Parcel, fault: Option<Fault>) -> Response {
    match fault {
        Some(Fault::LoseRequest) => return cut(),
        Some(Fault::Fail) => return shared.error(500, "Внутренняя ошибка"),
        Some(Fault::Maintenance) => return maintenance(),
        Some(
            Fault::LoseAnswer | Fault::HoldAnswer | Fault::SuccessAsError | Fault::NotSentOn | Fault::NotSentOnAndLost,
        )
        | None => {}
    }
    let sent = parcel.signed && !matches!(fault, Some(Fault::NotSentOn | Fault::NotSentOnAndLost));
    let number = shared.register().make(parcel.records, parcel.signed, sent);
    match fault {
        Some(Fault::LoseAnswer | Fault::HoldAnswer | Fault::NotSentOnAndLost) => cut(),
        Some(Fault::SuccessAsError) => shared.error(200, "Набор был создан"),
        _ => {
            let sent = if sent { "True" } else { "False" };
            let answer = format!(
                "<Response><SetId>{number}</SetId><SendEducatedPerson>{sent}</SendEducatedPerson>\
                 <Message>Набор был создан</Message></Response>"
            );
            xml(200, &answer)
        }
    }
}

async fn read_back(State(shared): Mock, form: Multipart) -> Response {
    if shared.faults().maintenance {
        return maintenance();
    }
    match files(form, ["file"]).await.and_then(|[filter]| find(&shared, &filter)) {
        Ok(page) if shared.settings.largest_answer.is_some_and(|most| page.len() > most) => {
            StatusCode::PAYLOAD_TOO_LARGE.into_response()
        }
        Ok(page) => xml(200, &page),
        Err(refusal) => shared.refuse(refusal),
    }
}

fn find(shared: &Shared, filter: &[u8]) -> Result<String, Refusal> {
    let filter: Filter = parcel::read("EducatedPersonFilter", filter).map_err(|words| Refusal(400, words))?;
    shared.admit(&filter.api_key)?;
    let (question, page, size) = filter.question().map_err(|words| Refusal(400, words))?;
    let mut register = shared.register();
    register.counters.reads += 1;
    let entries = register.page(&question, page, size.min(shared.settings.largest_page));
    Ok(reading::page(shared.settings.envelope, &entries))
}

async fn catalogue(State(shared): Mock) -> Response {
    shared.register().counters.programs += 1;
    let faults = shared.faults();
    match (faults.maintenance, faults.programs_hidden) {
        (true, _) => maintenance(),
        (false, true) => StatusCode::NOT_FOUND.into_response(),
        (false, false) => Json(programs::catalogue()).into_response(),
    }
}

/// All sets with the ids of their records, and the counters.
async fn sets(State(shared): Mock) -> Response {
    let register = shared.register();
    Json(json!({"sets": register.sets(), "counters": register.counters()})).into_response()
}
