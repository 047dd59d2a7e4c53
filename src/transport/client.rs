//! One HTTP client per portal: verified TLS, no redirects, no proxies, time-outs, and answers that are never larger than a cap.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderName,
    RETRY_AFTER,
};
use reqwest::{Certificate, Method, RequestBuilder, Response, redirect, retry};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tracing::debug;
use url::Url;

use super::dates::{http_date, retry_after};
use super::gzip::{InflateError, inflate};
use super::tape::{Copying, TapedAnswer};
use super::{Failure, HostName, Mishap, Packed, Tape};

/// Most bytes of an answer that are read, and most that a compressed one may inflate to.
pub const ANSWER_LIMIT: usize = 8 << 20;
/// Connections that idle longer are closed: gateways drop them without a word.
const IDLE: Duration = Duration::from_secs(30);
/// Stands for a clock that was never seen.
const UNSEEN: i64 = i64::MIN;

/// What a client needs to know of its portal.
#[derive(Debug, Clone)]
pub struct ClientSettings<'a> {
    /// The portal's address: scheme, host, and a path prefix if it has one.
    pub url: &'a Url,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for the whole answer, from the first byte sent.
    pub timeout: Duration,
    /// File with root certificates, PEM or one in DER, to trust beside the system's.
    pub ca_file: Option<&'a Path>,
}

/// Why no client could be made. Keys are relative to the portal's section.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not an address that requests can be sent to.
    #[error("url: {reason}")]
    Url {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file cannot be read.
    #[error("ca_file: cannot read {path}")]
    CaUnreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no certificate.
    #[error(
        "ca_file: {path} holds no certificate, neither as PEM nor as DER; export it as one of these (a .p7b or .pfx is none of them)"
    )]
    CaEmpty {
        /// Its path.
        path: PathBuf,
    },
    /// A configured name cannot be that of a header.
    #[error("{key}: is no name of an HTTP header")]
    Header {
        /// The key that names it.
        key: &'static str,
    },
    /// TLS cannot be set up.
    #[error(
        "url: TLS cannot be set up ({reason}); install the package ca-certificates or name the portal's root in ca_file"
    )]
    Tls {
        /// What the TLS library said.
        reason: String,
    },
}

/// What a finished request looked like from outside, for metrics: no body, no query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The answer's status; none when there was no answer.
    pub status: Option<u16>,
    /// From sending to the whole answer.
    pub elapsed: Duration,
    /// Bytes of the body before compression.
    pub raw_bytes: usize,
    /// Bytes of the body as sent.
    pub sent_bytes: usize,
}

/// Is told of every finished request.
pub type Witness = Arc<dyn Fn(&Exchange) + Send + Sync>;

/// The body of a request.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// None, or one that the request already carries with its length.
    AsBuilt,
    /// JSON as it is.
    Json(&'a [u8]),
    /// JSON, compressed.
    Gzip(&'a Packed),
    /// One that the request carries as a stream of so many bytes.
    Streamed(usize),
}

/// An answer, whole and inflated.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The wait that the portal asks for.
    pub retry_after: Option<Duration>,
    /// The portal's clock when it answered.
    pub date: Option<DateTime<Utc>>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// The client of one portal.
#[derive(Clone)]
pub struct HttpClient {
    inner: reqwest::Client,
    base: Url,
    witness: Option<Witness>,
    /// Seconds by which the portal's clock was ahead at its last answer.
    skew: Arc<AtomicI64>,
    /// What every request calls the portal's host, where its address names another one.
    host: Arc<OnceLock<HostName>>,
    /// Takes every exchange, where exchanges are recorded.
    tape: Arc<OnceLock<Arc<dyn Tape>>>,
}

impl HttpClient {
    /// Builds the client. Reads `ca_file`; connects to nothing.
    pub fn new(settings: &ClientSettings<'_>, witness: Option<Witness>) -> Result<Self, ClientError> {
        check_url(settings.url)?;
        let builder = reqwest::Client::builder()
            .user_agent(concat!("vitrina/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .pool_idle_timeout(IDLE);
        let builder = match (settings.url.scheme(), settings.ca_file) {
            // Without TLS there is nothing to trust, and a host without root certificates must still reach a local tunnel.
            ("http", None) => builder.tls_certs_only([]),
            (_, None) => builder,
            (_, Some(path)) => builder.tls_certs_merge(certificates(path)?),
        };
        let inner = builder.build().map_err(|error| ClientError::Tls { reason: innermost(&error).to_string() })?;
        let skew = Arc::new(AtomicI64::new(UNSEEN));
        Ok(HttpClient { inner, base: settings.url.clone(), witness, skew, host: Arc::default(), tape: Arc::default() })
    }

    /// Has every request of this client, and of those cloned from it, say this in its `Host` header. Is said once, before the first request.
    pub fn name_host(&self, host: HostName) {
        // What was said first holds.
        let _ = self.host.set(host);
    }

    /// Has every exchange of this client, and of those cloned from it, taken by a tape. Is said once, before the first request.
    pub fn record_to(&self, tape: Arc<dyn Tape>) {
        let _first_holds = self.tape.set(tape);
    }

    /// A request to a path under the portal's address. Segments are escaped.
    pub fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        self.inner.request(method, url).header(ACCEPT, "application/json").header(ACCEPT_ENCODING, "gzip")
    }

    /// Sends a request and reads its whole answer, whatever its status.
    pub async fn send(&self, request: RequestBuilder, body: Body<'_>) -> Result<Answer, Failure> {
        self.send_within(request, body, ANSWER_LIMIT).await.map_err(Failure::from)
    }

    /// The same where an answer may have so many bytes.
    pub async fn send_within(&self, request: RequestBuilder, body: Body<'_>, limit: usize) -> Result<Answer, Mishap> {
        let (request, raw_bytes, sent_bytes) = with_body(request, body);
        let mut request = request.build().map_err(|error| mishap(&error))?;
        if let Some(host) = self.host.get() {
            request.headers_mut().insert(HOST, host.header());
        }
        let declared = header(request.headers(), CONTENT_LENGTH).and_then(|length| length.parse().ok()).unwrap_or(0);
        let (raw_bytes, sent_bytes) = if sent_bytes == 0 { (declared, declared) } else { (raw_bytes, sent_bytes) };
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let taping = self.tape.get().map(|tape| (tape, Copying::of(&mut request, &self.base)));
        let started = Instant::now();
        let (answer, headers) = match self.exchange(request, limit).await {
            Ok((answer, headers)) => (Ok(answer), headers),
            Err(mishap) => (Err(mishap), HeaderMap::new()),
        };
        if let Some((tape, copying)) = taping {
            let answer = answer.as_ref().ok();
            tape.take(copying.end(answer.map(|answer| TapedAnswer {
                status: answer.status,
                headers,
                body: answer.body.clone(),
            })));
        }
        let status = answer.as_ref().ok().map(|answer| answer.status);
        let exchange = Exchange { status, elapsed: started.elapsed(), raw_bytes, sent_bytes };
        debug!(%method, path, ?status, elapsed_ms = exchange.elapsed.as_millis() as u64, raw_bytes, sent_bytes, "exchange");
        if let Some(witness) = &self.witness {
            witness(&exchange);
        }
        answer
    }

    /// How far the portal's clock was ahead of ours at its last answer, to the second; none before the first one.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        match self.skew.load(Ordering::Relaxed) {
            UNSEEN => None,
            seconds => TimeDelta::try_seconds(seconds),
        }
    }

    async fn exchange(&self, request: reqwest::Request, limit: usize) -> Result<(Answer, HeaderMap), Mishap> {
        let response = self.inner.execute(request).await.map_err(|error| mishap(&error))?;
        let status = response.status().as_u16();
        let date = header(response.headers(), DATE).and_then(http_date);
        if let Some(date) = date {
            self.skew.store((date - Utc::now()).num_seconds(), Ordering::Relaxed);
        }
        let retry_after =
            header(response.headers(), RETRY_AFTER).and_then(|value| retry_after(value, date.unwrap_or_else(Utc::now)));
        let headers = response.headers().clone();
        match read(response, limit).await {
            Ok(body) => Ok((Answer { status, retry_after, date, body }, headers)),
            // The status alone says what to do: a broken page under it changes nothing.
            Err(_) if !body_decides(status) => Ok((Answer { status, retry_after, date, body: Vec::new() }, headers)),
            Err(mishap) => Err(mishap),
        }
    }
}

fn check_url(url: &Url) -> Result<(), ClientError> {
    let reason = match url.scheme() {
        "http" | "https" if url.host_str().is_none() => "has no host",
        "http" | "https" if !url.username().is_empty() || url.password().is_some() => {
            "must not hold credentials; use username and password"
        }
        "http" | "https" if url.query().is_some() || url.fragment().is_some() => "must end with its path",
        "http" | "https" => return Ok(()),
        _ => "must begin with http:// or https://",
    };
    Err(ClientError::Url { reason })
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, ClientError> {
    let pem = std::fs::read(path).map_err(|source| ClientError::CaUnreadable { path: path.to_owned(), source })?;
    let bytes = pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&pem);
    if let Ok(certificates) = Certificate::from_pem_bundle(bytes)
        && !certificates.is_empty()
    {
        return Ok(certificates);
    }
    // What Windows exports is the certificate itself.
    let is_der = RootCertStore::empty().add(CertificateDer::from(bytes)).is_ok();
    let der = is_der.then(|| Certificate::from_der(bytes).ok()).flatten();
    der.map(|certificate| vec![certificate]).ok_or_else(|| ClientError::CaEmpty { path: path.to_owned() })
}

fn with_body(request: RequestBuilder, body: Body<'_>) -> (RequestBuilder, usize, usize) {
    match body {
        Body::AsBuilt => (request, 0, 0),
        // A body of known length is not sent in chunks: what stands in front of portals often takes no other.
        Body::Streamed(bytes) => (request.header(CONTENT_LENGTH, bytes), bytes, bytes),
        Body::Json(json) => {
            (request.header(CONTENT_TYPE, "application/json").body(json.to_vec()), json.len(), json.len())
        }
        Body::Gzip(packed) => {
            let request = request.header(CONTENT_TYPE, "application/json").header(CONTENT_ENCODING, "gzip");
            (request.body(packed.bytes.clone()), packed.raw_len, packed.bytes.len())
        }
    }
}

/// Reads the body up to the cap and inflates it up to the cap.
async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, Mishap> {
    let too_large = || Mishap::Oversized { limit };
    let encoding = header(response.headers(), CONTENT_ENCODING).unwrap_or_default().trim().to_ascii_lowercase();
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| mishap(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    match encoding.as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" if body.is_empty() => Ok(body),
        "gzip" | "x-gzip" => inflate(&body, limit).map_err(|error| match error {
            InflateError::TooLarge { limit } => Mishap::Oversized { limit },
            InflateError::Damaged => Mishap::Unreadable { reason: error.to_string() },
        }),
        _ => Err(Mishap::Unreadable { reason: "it has a content encoding that was not asked for".into() }),
    }
}

/// True for statuses whose meaning depends on the body: without it the outcome is unknown.
fn body_decides(status: u16) -> bool {
    matches!(status, 200..=299 | 400 | 404 | 409 | 422)
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Translates an error of the HTTP library. Its own text is never shown: it prints addresses, and addresses may hold tokens.
fn mishap(error: &reqwest::Error) -> Mishap {
    if error.is_builder() {
        return Mishap::Unsendable { reason: "an address or a header does not fit into a request".into() };
    }
    if error.is_connect() {
        return unconnected(error);
    }
    if error.is_timeout() {
        return Mishap::AnswerTimeout;
    }
    Mishap::Cut
}

fn unconnected(error: &reqwest::Error) -> Mishap {
    if let Some(tls) = cause::<rustls::Error>(error) {
        return Mishap::Tls { reason: tls_reason(&tls) };
    }
    if error.is_timeout() {
        return Mishap::ConnectTimeout;
    }
    let reason = match cause::<std::io::Error>(error) {
        Some(reason) => reason,
        None => "the name of its host cannot be resolved".into(),
    };
    Mishap::Connect { reason }
}

fn tls_reason(reason: &str) -> String {
    let hint = if reason.contains("CaUsedAsEndEntity") {
        "; the portal shows a certificate that is its own authority: have its owner issue one for the server (openssl: basicConstraints = CA:FALSE), and name that one, or the authority that signed it, in ca_file"
    } else if reason.contains("UnknownIssuer") {
        "; name the portal's root certificate in ca_file"
    } else {
        ""
    };
    format!("{reason}{hint}")
}

/// The text of the first cause of this type, looking into I/O errors as well, which hide what they wrap.
fn cause<E: Error + 'static>(error: &(dyn Error + 'static)) -> Option<String> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found.to_string());
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        current = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Result<HttpClient, ClientError> {
        let settings = ClientSettings {
            url: &url.parse().unwrap(),
            connect_timeout: Duration::from_millis(500),
            timeout: Duration::from_millis(500),
            ca_file: None,
        };
        HttpClient::new(&settings, None)
    }

    #[test]
    fn paths_are_joined_under_the_address_and_escaped() {
        for (url, joined) in [
            ("http://h:2100", "http://h:2100/api/mo/a%2Fb%3Fc"),
            ("http://h/", "http://h/api/mo/a%2Fb%3Fc"),
            ("http://h/fer/", "http://h/fer/api/mo/a%2Fb%3Fc"),
        ] {
            let request = client(url).unwrap().request(Method::GET, &["api", "mo", "a/b?c"]).build().unwrap();
            assert_eq!(request.url().as_str(), joined);
        }
    }

    #[test]
    fn an_address_that_cannot_serve_is_refused_by_key() {
        for url in ["ftp://h", "http://user:secret@h", "http://h/?token=secret", "http://h/#x"] {
            let text = client(url).err().unwrap().to_string();
            assert!(text.starts_with("url: ") && !text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn a_ca_file_must_hold_certificates() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("roots.pem");
        let url = "https://localhost".parse().unwrap();
        let timeout = Duration::from_secs(1);
        let settings = ClientSettings { url: &url, connect_timeout: timeout, timeout, ca_file: Some(&path) };
        assert!(matches!(HttpClient::new(&settings, None), Err(ClientError::CaUnreadable { .. })));
        std::fs::write(&path, "not a certificate").unwrap();
        assert!(matches!(HttpClient::new(&settings, None), Err(ClientError::CaEmpty { .. })));
    }

    #[tokio::test]
    async fn a_closed_port_is_named_without_its_address() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let client = client(&format!("http://127.0.0.1:{port}")).unwrap();
        let request = client.request(Method::GET, &["x"]).query(&[("token", "very-secret")]);
        let failure = client.send(request, Body::AsBuilt).await.unwrap_err();
        assert!(!failure.maybe_applied);
        assert!(failure.text.starts_with("cannot connect: "), "{}", failure.text);
        assert!(!failure.text.contains("secret") && !failure.text.contains("127.0.0.1"), "{}", failure.text);
    }
}
