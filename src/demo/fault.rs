//! Faults that a mock portal can be told to have, one request each.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This status is answered, and nothing is done.
    Status(u16),
    /// This status is answered with this JSON, and nothing is done.
    Says(u16, &'static str),
    /// The connection breaks, and nothing is done.
    Cut,
    /// All is done, and the connection breaks before the answer is whole.
    LoseAnswer,
    /// All is done, and a page of a web server is answered with 200.
    Page,
    /// All is done, and nothing is answered, with 200.
    Empty,
    /// All is done after a pause.
    Slow(Duration),
    /// All is done, and answered after a pause.
    Late(Duration),
    /// All is as it should be: lets faults be planned for later requests.
    None,
}

/// Faults that are to come, the next first.
#[derive(Debug, Default)]
pub struct Faults(Mutex<VecDeque<Fault>>);

impl Faults {
    /// Has one more request fail, after those that are planned already.
    pub fn plan(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(fault);
    }

    /// Answers one request under the fault that is its turn.
    pub async fn answer(&self, work: impl FnOnce() -> Response) -> Response {
        let fault = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match fault.unwrap_or(Fault::None) {
            Fault::Status(code) => status(code).into_response(),
            Fault::Says(code, words) => {
                (status(code), [(header::CONTENT_TYPE, "application/json")], words).into_response()
            }
            Fault::Cut => broken(),
            Fault::LoseAnswer => {
                work();
                broken()
            }
            Fault::Page => {
                work();
                ([(header::CONTENT_TYPE, "text/html")], "<html><body>Добро пожаловать</body></html>").into_response()
            }
            Fault::Empty => {
                work();
                StatusCode::OK.into_response()
            }
            Fault::Slow(pause) => {
                tokio::time::sleep(pause).await;
                work()
            }
            Fault::Late(pause) => {
                let answer = work();
                tokio::time::sleep(pause).await;
                answer
            }
            Fault::None => work(),
        }
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An answer that announces a body and breaks off in it.
fn broken() -> Response {
    let pieces = [Ok("{"), Err(io::Error::other("planned"))];
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    ([(header::CONTENT_LENGTH, "100")], body).into_response()
}
