//! Tapes: who wants to see whole exchanges, bodies included. A client without a tape copies nothing.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body as AnyBody;
use futures_util::TryStreamExt;
use reqwest::Body;
use reqwest::header::HeaderMap;
use url::Url;

/// Most bytes of a request's body that are taped; a larger body is taped as left out.
pub const TAPE_LIMIT: usize = 24 << 20;

/// An exchange as it went over the wire, secrets and persons included. It must be scrubbed before it is kept.
pub struct Taped {
    /// `POST`
    pub method: String,
    /// Path under the portal's address, with the query.
    pub path: String,
    /// All headers of the request that the client itself has set.
    pub headers: HeaderMap,
    /// The request's body as sent, compressed where a header says so; none where it was larger than [`TAPE_LIMIT`].
    pub body: Option<Vec<u8>>,
    /// The answer; none where no whole one came.
    pub answer: Option<TapedAnswer>,
}

/// An answer as it came.
pub struct TapedAnswer {
    /// HTTP status.
    pub status: u16,
    /// All of its headers.
    pub headers: HeaderMap,
    /// Its body, inflated.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Taped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Taped({}, {} bytes)", self.method, self.body.as_ref().map_or(0, Vec::len))
    }
}

impl Taped {
    /// The bytes that it keeps in memory.
    pub fn weight(&self) -> usize {
        self.body.as_ref().map_or(0, Vec::len) + self.answer.as_ref().map_or(0, |answer| answer.body.len())
    }
}

/// Takes exchanges as they end. Must return at once: the request that was taped waits for it.
pub trait Tape: Send + Sync {
    /// Takes one.
    fn take(&self, taped: Taped);
}

/// Copies a request's body while it is sent.
pub(super) struct Copying {
    method: String,
    path: String,
    headers: HeaderMap,
    copied: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Copying {
    /// Begins with a request that is about to be sent. A body that is a stream is copied as it goes.
    pub fn of(request: &mut reqwest::Request, base: &Url) -> Self {
        let copied = Arc::new(Mutex::new(Some(Vec::new())));
        let whole = request.body().map(|body| body.as_bytes().map(<[u8]>::to_vec));
        match whole {
            None => {}
            Some(Some(bytes)) => append(&copied, &bytes),
            Some(None) => {
                let body = request.body_mut().take().unwrap_or_default();
                let copy = Arc::clone(&copied);
                let stream = AnyBody::new(body).into_data_stream().inspect_ok(move |chunk| append(&copy, chunk));
                *request.body_mut() = Some(Body::wrap_stream(stream));
            }
        }
        let url = request.url();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let path = url.path().strip_prefix(base.path().trim_end_matches('/')).unwrap_or(url.path());
        Copying {
            method: request.method().to_string(),
            path: format!("{path}{query}"),
            headers: request.headers().clone(),
            copied,
        }
    }

    /// The exchange, with what came of it.
    pub fn end(self, answer: Option<TapedAnswer>) -> Taped {
        let body = self.copied.lock().unwrap_or_else(PoisonError::into_inner).take();
        Taped { method: self.method, path: self.path, headers: self.headers, body, answer }
    }
}

fn append(copied: &Mutex<Option<Vec<u8>>>, chunk: &[u8]) {
    let mut copied = copied.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *copied {
        Some(body) if body.len() + chunk.len() <= TAPE_LIMIT => body.extend_from_slice(chunk),
        _ => *copied = None,
    }
}
