//! A mock of EKDO: documents with detached signatures, behind a token.
//!
//! The document prints no wire; the mock speaks the defaults of our configuration, reads both encodings and keeps what it is sent. It checks
//! what the portal says that it wants (a PDF/A-1 of at most 15 MB) and not what it says that it does not (the signature): of that it only
//! counts which are of other documents. What it calls a signed document can be set.

mod form;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use uuid::Uuid;

use super::fault::{Fault, Faults};
use super::host::Host;
use form::Form;

/// Most bytes of a document: 15 MB.
const DOCUMENT_BYTES: usize = 15 << 20;
/// Most bytes of a request: such a document in base64, and its fields.
const BODY_BYTES: usize = 24 << 20;
/// The fields of a document beside its file and the file's name.
const FIELDS: [&str; 6] = ["group", "user_id", "number", "date", "subtype", "employee"];
/// Failures to log in that are borne before the account is locked.
const MOST_FAILURES: u32 = 5;

/// The account that the mock knows.
#[derive(Clone)]
pub struct EkdoAccount {
    /// The login.
    pub username: String,
    /// The password.
    pub password: String,
    /// The user's identifier; empty: none is asked for.
    pub user_id: String,
    /// How long a token is good for.
    pub life: Duration,
}

impl Default for EkdoAccount {
    fn default() -> Self {
        EkdoAccount {
            username: "demo".to_owned(),
            password: "demo".to_owned(),
            user_id: String::new(),
            life: Duration::from_secs(3600),
        }
    }
}

impl fmt::Debug for EkdoAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EkdoAccount").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A document as the mock holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EkdoDocument {
    /// The name of its file.
    pub file_name: String,
    /// Its other fields.
    pub fields: BTreeMap<String, String>,
    /// Its bytes.
    pub content: Bytes,
    /// Type and bytes of its signature: «Вступил в силу».
    pub signature: Option<(String, Bytes)>,
}

/// What the mock was asked since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EkdoCounts {
    /// Documents that were taken.
    pub documents: u64,
    /// Signatures that were taken.
    pub signatures: u64,
    /// Signatures among them that state the digest of another document.
    pub foreign_signatures: u64,
    /// Uploads that were refused.
    pub refused: u64,
    /// Tokens that were issued.
    pub logins: u64,
    /// Wrong credentials.
    pub logins_refused: u64,
    /// Requests without a good token.
    pub unauthorized: u64,
}

/// The mock: cheap to clone, all clones share one state.
#[derive(Clone)]
pub struct EkdoMock {
    shared: Arc<Shared>,
}

struct Shared {
    account: EkdoAccount,
    store: Mutex<Store>,
    faults: Faults,
}

struct Store {
    /// What a document is called after its signature.
    signed: Value,
    tokens: BTreeMap<String, Instant>,
    documents: BTreeMap<String, EkdoDocument>,
    counts: EkdoCounts,
    failures: u32,
}

impl Default for Store {
    fn default() -> Self {
        Store {
            signed: json!("Вступил в силу"),
            tokens: BTreeMap::new(),
            documents: BTreeMap::new(),
            counts: EkdoCounts::default(),
            failures: 0,
        }
    }
}

impl EkdoMock {
    /// A mock that holds nothing.
    pub fn new(account: EkdoAccount) -> Self {
        let shared = Shared { account, store: Mutex::default(), faults: Faults::default() };
        EkdoMock { shared: Arc::new(shared) }
    }

    /// Its routes.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/token", post(login).get(login_by_query))
            .route("/docs", post(document))
            .route("/docs/{id}/signature", post(signature))
            .with_state(Arc::clone(&self.shared))
    }

    /// Listens on an address; port 0 picks a free one. Serving it again keeps what it holds.
    pub async fn serve(&self, listen: SocketAddr) -> io::Result<Host> {
        Host::start(listen, self.router()).await
    }

    /// What a portal's `url` names.
    pub fn url(host: &Host) -> String {
        format!("http://{}", host.addr)
    }

    /// All documents, by the mock's own ids.
    pub fn documents(&self) -> BTreeMap<String, EkdoDocument> {
        self.shared.store().documents.clone()
    }

    /// What it was asked.
    pub fn counts(&self) -> EkdoCounts {
        self.shared.store().counts
    }

    /// What it calls a document from now on after it has taken its signature; null for nothing.
    pub fn call_signed(&self, status: Value) {
        self.shared.store().signed = status;
    }

    /// Has one more upload fail.
    pub fn plan(&self, fault: Fault) {
        self.shared.faults.plan(fault);
    }

    /// All tokens that were issued and not revoked.
    pub fn tokens(&self) -> Vec<String> {
        self.shared.store().tokens.keys().cloned().collect()
    }

    /// Makes every token worthless.
    pub fn revoke_tokens(&self) {
        self.shared.store().tokens.clear();
    }

    /// True when too many logins have failed.
    pub fn is_locked(&self) -> bool {
        self.shared.store().failures >= MOST_FAILURES
    }

    /// Forgets a document, as a person in the employer's account can.
    pub fn delete(&self, id: &str) -> bool {
        self.shared.store().documents.remove(id).is_some()
    }
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Mock = State<Arc<Shared>>;

async fn login(State(shared): Mock, Json(given): Json<Value>) -> Response {
    issue(&shared, &given)
}

async fn login_by_query(State(shared): Mock, Query(given): Query<BTreeMap<String, String>>) -> Response {
    issue(&shared, &json!(given))
}

fn issue(shared: &Shared, given: &Value) -> Response {
    let account = &shared.account;
    let text = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default();
    let good = text("username") == account.username
        && text("password") == account.password
        && text("user_id") == account.user_id;
    let mut store = shared.store();
    if !good || store.failures >= MOST_FAILURES {
        store.failures += 1;
        store.counts.logins_refused += 1;
        return refused(StatusCode::UNAUTHORIZED, "Неверный логин или пароль");
    }
    store.failures = 0;
    store.counts.logins += 1;
    let token = Uuid::new_v4().simple().to_string();
    store.tokens.insert(token.clone(), Instant::now() + account.life);
    Json(json!({"token": token, "expires_in": account.life.as_secs()})).into_response()
}

async fn document(State(shared): Mock, headers: HeaderMap, body: Body) -> Response {
    let body = to_bytes(body, BODY_BYTES).await.ok();
    shared.faults.answer(|| shared.store().take_document(&headers, body.as_ref())).await
}

async fn signature(State(shared): Mock, Path(id): Path<String>, headers: HeaderMap, body: Body) -> Response {
    let body = to_bytes(body, BODY_BYTES).await.ok();
    shared.faults.answer(|| shared.store().take_signature(&id, &headers, body.as_ref())).await
}

impl Store {
    /// The form of an upload, or the answer to one that cannot be taken.
    fn form(&mut self, headers: &HeaderMap, body: Option<&Bytes>, file: &str) -> Result<Form, Box<Response>> {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = given.strip_prefix("Bearer ").unwrap_or_default();
        if self.tokens.get(token).is_none_or(|until| *until <= Instant::now()) {
            self.counts.unauthorized += 1;
            return Err(Box::new(refused(StatusCode::UNAUTHORIZED, "Unauthorized")));
        }
        let Some(body) = body else {
            return Err(Box::new(self.refuse(StatusCode::PAYLOAD_TOO_LARGE, "Размер документа превышает 15 Мб")));
        };
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        form::read(content_type, body, file)
            .ok_or_else(|| Box::new(self.refuse(StatusCode::BAD_REQUEST, "Некорректный запрос")))
    }

    fn refuse(&mut self, status: StatusCode, message: &str) -> Response {
        self.counts.refused += 1;
        refused(status, message)
    }

    fn take_document(&mut self, headers: &HeaderMap, body: Option<&Bytes>) -> Response {
        let mut form = match self.form(headers, body, "file") {
            Ok(form) => form,
            Err(answer) => return *answer,
        };
        if form.content.len() > DOCUMENT_BYTES {
            return self.refuse(StatusCode::PAYLOAD_TOO_LARGE, "Размер документа превышает 15 Мб");
        }
        if !form.content.starts_with(b"%PDF-1.") || !holds(&form.content, b"pdfaid:part") {
            return self.refuse(StatusCode::UNPROCESSABLE_ENTITY, "Документ не является PDF/A-1");
        }
        let Some(file_name) = form.fields.remove("file_name").filter(|name| name.ends_with(".pdf")) else {
            return self.refuse(StatusCode::BAD_REQUEST, "Не указано имя файла");
        };
        if form.fields.keys().any(|name| !FIELDS.contains(&name.as_str())) {
            return self.refuse(StatusCode::BAD_REQUEST, "Неизвестное поле");
        }
        let id = Uuid::new_v4().to_string();
        self.counts.documents += 1;
        let document = EkdoDocument { file_name, fields: form.fields, content: form.content, signature: None };
        self.documents.insert(id.clone(), document);
        (StatusCode::CREATED, Json(json!({"id": id}))).into_response()
    }

    fn take_signature(&mut self, id: &str, headers: &HeaderMap, body: Option<&Bytes>) -> Response {
        let mut form = match self.form(headers, body, "signature") {
            Ok(form) => form,
            Err(answer) => return *answer,
        };
        let kind = form.fields.remove("type").unwrap_or_default();
        match self.documents.get_mut(id) {
            None => self.refuse(StatusCode::NOT_FOUND, "Документ не найден"),
            Some(_) if kind.is_empty() || form.content.is_empty() => {
                self.refuse(StatusCode::BAD_REQUEST, "Не указан тип подписи")
            }
            Some(document) if document.signature.is_some() => {
                self.refuse(StatusCode::CONFLICT, "Документ уже подписан")
            }
            Some(document) => {
                self.counts.foreign_signatures += u64::from(is_foreign(&form.content, &document.content));
                document.signature = Some((kind, form.content));
                self.counts.signatures += 1;
                Json(json!({"id": id, "status": self.signed})).into_response()
            }
        }
    }
}

/// True for a signature that states digests, of which none is that of the document. Only SHA-256 is known here.
fn is_foreign(signature: &[u8], document: &[u8]) -> bool {
    const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, document);
    holds(signature, MESSAGE_DIGEST) && !holds(signature, digest.as_ref())
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"success": false, "message": message}))).into_response()
}
