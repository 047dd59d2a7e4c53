//! Answers in the shape that the document prints (appendix 2 and the samples of sections 5.1 and 5.4).

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use super::subsystem::Subsystem;

/// Record texts that the summary of a refused request repeats at most.
const SUMMARY_TEXTS: usize = 20;

/// One answer; the order of its fields is the printed one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    is_success: bool,
    error: Option<Summary>,
    errors: Option<Vec<RecordError>>,
    sended_guids: Option<Vec<String>>,
    sended_guids_to_contact_center: Option<Vec<String>>,
    status_code: u16,
}

/// What is wrong with the request as a whole.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    error_message: String,
    error_code: String,
}

/// What is wrong with one record.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordError {
    pub(super) id: Option<String>,
    pub(super) error_message: String,
    pub(super) error_code: &'static str,
}

impl RecordError {
    /// A fault inside the record or its request: R-310.
    pub(super) fn in_record(subsystem: Subsystem, id: Option<&str>, fault: &str) -> Self {
        let name = id.unwrap_or("не указан");
        RecordError {
            id: id.map(str::to_owned),
            error_message: format!("{} с идентификатором '{name}': {fault}", subsystem.locative()),
            error_code: "R-310",
        }
    }

    /// A conflict with another record of the mart: R-330.
    pub(super) fn conflict(id: &str, text: String) -> Self {
        RecordError { id: Some(id.to_owned()), error_message: text, error_code: "R-330" }
    }

    /// How the summary repeats it: the printed one adds the id behind the text of a conflict.
    fn summarized(&self) -> String {
        match (self.error_code, &self.id) {
            ("R-330", Some(id)) => format!("{} [{id}].", self.error_message),
            _ => self.error_message.clone(),
        }
    }
}

impl Answer {
    /// Everything was stored, or one record was removed.
    pub(super) fn stored(subsystem: Subsystem, ids: Vec<String>) -> Self {
        Answer {
            result: Some(Value::Null),
            is_success: true,
            error: None,
            errors: None,
            sended_guids_to_contact_center: contact_center(subsystem, &ids),
            sended_guids: Some(ids),
            status_code: 200,
        }
    }

    /// Some records were refused; the others are stored.
    pub(super) fn refused(subsystem: Subsystem, status: u16, errors: Vec<RecordError>, ids: Vec<String>) -> Self {
        let texts: Vec<String> = errors.iter().take(SUMMARY_TEXTS).map(RecordError::summarized).collect();
        Answer {
            result: None,
            is_success: false,
            error: Some(Summary { error_message: texts.join(" "), error_code: "R-310".to_owned() }),
            errors: Some(errors),
            sended_guids_to_contact_center: contact_center(subsystem, &ids),
            sended_guids: Some(ids),
            status_code: status,
        }
    }

    /// Records that were asked for; an array even for one.
    pub(super) fn found(records: Vec<Value>) -> Self {
        Answer {
            result: Some(Value::Array(records)),
            is_success: true,
            error: None,
            errors: None,
            sended_guids: None,
            sended_guids_to_contact_center: None,
            status_code: 200,
        }
    }

    /// The request as a whole is refused.
    pub(super) fn failed(status: StatusCode, text: &str) -> Self {
        Answer {
            result: Some(Value::Null),
            is_success: false,
            error: Some(Summary { error_message: text.to_owned(), error_code: status.as_u16().to_string() }),
            errors: None,
            sended_guids: None,
            sended_guids_to_contact_center: None,
            status_code: status.as_u16(),
        }
    }

    /// 400: no request of the documented form.
    pub(super) fn malformed() -> Self {
        Answer::failed(StatusCode::BAD_REQUEST, "Формат переданных сведений некорректен и не соответствует требованиям")
    }

    /// 401: no token, or one that is no longer good.
    pub(super) fn unauthorized() -> Self {
        Answer::failed(StatusCode::UNAUTHORIZED, "Требуется авторизация")
    }

    /// 404: nothing of that id.
    pub(super) fn not_found() -> Self {
        Answer::failed(StatusCode::NOT_FOUND, "Результат по заданному идентификатору SQL-запроса не найден")
    }

    /// 405: the unit is blocked. The print masks what the text calls it.
    pub(super) fn unit_blocked(called: Option<&str>) -> Self {
        let called = called.unwrap_or("***");
        let text = format!(
            "Обновление информации о структурных подразделениях МО [{called}] заблокировано. Для разъяснения обратитесь в \
             группу сопровождения: «Витрина данных ХМАО»."
        );
        Answer::failed(StatusCode::METHOD_NOT_ALLOWED, &text)
    }

    /// 413: too many bytes or records.
    pub(super) fn too_large() -> Self {
        Answer::failed(StatusCode::PAYLOAD_TOO_LARGE, "Размер запроса превышает допустимый")
    }

    /// Its HTTP status.
    pub(super) fn status(&self) -> u16 {
        self.status_code
    }
}

/// The contact centre hears of slots only; the samples print null elsewhere.
fn contact_center(subsystem: Subsystem, ids: &[String]) -> Option<Vec<String>> {
    (subsystem == Subsystem::Slot).then(|| ids.to_vec())
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status_code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}
