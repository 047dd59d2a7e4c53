//! EKDO («Электронный кадровый документооборот» of «Работа России»): personnel documents with detached signatures.
//!
//! A document takes two requests. The first brings the PDF and is answered with the portal's id: from then on the record is begun. The
//! second brings the signature under that id and may be repeated. Files are streamed from where they lie, after the very bytes that
//! are about to go were compared with those that were examined.

mod answer;
mod cms;
mod digest;
mod document;
mod examine;
mod files;
mod login;
mod pdf;
mod remedy;
mod remembered;
mod schema;
mod settings;
mod upload;
mod wire_words;
mod word;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing {
    //! What must hold of the reading of answers and files.
    pub(crate) use super::answer::fuzzing::ekdo_answer as answer;
    pub(crate) use super::cms::fuzzing::ekdo_signature as signature;
    pub(crate) use super::login::fuzzing::ekdo_login as login;
}

use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret;

pub use schema::SCHEMAS;
pub use settings::{
    EkdoSettings, EkdoWire, Encoding, FieldNames, LoginForm, MOST_FILE_BYTES, SignatureForm, Terms, TokenPlace,
};

use super::{Abilities, Batch, Cure, Delivery, Inquiry, Kind, Portal, Removal, Sent, Unfit, Verdict};
use crate::record::{Key, Schema};
use crate::transport::{
    Answer, Bearer, Body, ClientError, ClientSettings, Failure, HostName, HttpClient, Mishap, Rate, RefusedLogins,
    Tape, TokenHolder, TokenOutlook, Witness,
};
use document::{Document, Row};
use examine::{Examiner, MOST_SIGNATURE_BYTES};
use login::Login;
use upload::{Bytes, Content, Upload};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The slowest line that an upload is given time for: bytes in a second.
const SLOWEST: u64 = 64 << 10;

/// What is known of every EKDO.
pub(super) static KIND: Kind = Kind {
    name: "ekdo",
    schemas: SCHEMAS,
    remedies: remedy::CASES,
    unnamed: &["HTTP-409", answer::ALREADY_SIGNED, answer::NOT_SIGNED],
    wire_words: &wire_words::WORDS,
};

/// The portal of personnel documents.
pub struct EkdoPortal {
    client: HttpClient,
    rate: Arc<Rate>,
    tokens: TokenHolder<Login>,
    token_header: HeaderName,
    examiner: Examiner,
    settings: EkdoSettings,
}

/// A file that was found as it was examined.
struct Proven {
    file: Arc<File>,
    bytes: u64,
}

impl EkdoPortal {
    /// A client of the portal. Connects to nothing and opens no file; the first request authenticates. `witness` is told of every request.
    pub fn new(settings: EkdoSettings, witness: Option<Witness>) -> Result<Self, ClientError> {
        let client_settings = ClientSettings {
            url: &settings.url,
            connect_timeout: CONNECT_TIMEOUT.min(settings.timeout / 2),
            timeout: settings.timeout,
            ca_file: settings.ca_file.as_deref(),
        };
        let client = HttpClient::new(&client_settings, witness)?;
        let rate = Arc::new(Rate::new(settings.requests_per_second));
        let token_header = match &settings.wire.token_place {
            TokenPlace::Header(name) => {
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| ClientError::Header { key: "token_name" })?
            }
            TokenPlace::Bearer | TokenPlace::Query(_) => AUTHORIZATION,
        };
        let login = Login::new(client.clone(), Arc::clone(&rate), &settings);
        Ok(EkdoPortal {
            tokens: TokenHolder::new(login, settings.pauses),
            examiner: Examiner::new(settings.files_root.clone(), settings.max_file_bytes),
            client,
            rate,
            token_header,
            settings,
        })
    }

    /// Has every request say this in its `Host` header: see [`HttpClient::name_host`].
    pub fn name_host(&self, host: HostName) {
        self.client.name_host(host);
    }

    /// Has every exchange taken by a tape: see [`HttpClient::record_to`].
    pub fn record_to(&self, tape: Arc<dyn Tape>) {
        self.client.record_to(tape);
    }

    /// Fetches a token if there is none: proves address, TLS and credentials.
    pub async fn authenticate(&self) -> Result<(), Failure> {
        self.tokens.bearer().await.map(|_: Bearer| ())
    }

    /// Lets a refusal of the credentials outlive the process.
    pub fn remember_refusals(&self, refused: RefusedLogins) {
        self.tokens.remember(refused);
    }

    /// How the token does.
    pub fn token_outlook(&self) -> TokenOutlook {
        self.tokens.outlook()
    }

    /// How far the portal's clock was ahead of ours at its last answer, to the second; none before the first answer.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        self.client.clock_skew()
    }

    async fn send(&self, sent: &Sent, body: &[u8]) -> Result<Verdict, Failure> {
        let document: Document = serde_json::from_slice(body)
            .map_err(|_| Mishap::Unsendable { reason: "the record was not examined".into() })?;
        match sent.remote_id.as_deref() {
            None => self.send_document(&document, body).await,
            Some(id) => self.send_signature((id, sent.open), &document, body).await,
        }
    }

    async fn send_document(&self, document: &Document, body: &[u8]) -> Result<Verdict, Failure> {
        let most = self.settings.max_file_bytes;
        let Some(proven) = self.prove(&document.row.file_path, &document.file_hash, most).await? else {
            return Ok(changed());
        };
        let wire = &self.settings.wire;
        let (name, names) = (document.row.file_name(), &wire.names);
        let mut fields = vec![(names.file_name.as_str(), name.as_str())];
        fields.extend(document.row.group(&self.settings).map(|group| (names.group.as_str(), group)));
        let date = document.row.date.to_string();
        fields.extend([
            (names.number.as_str(), document.row.number.as_str()),
            (names.date.as_str(), date.as_str()),
            (names.subtype.as_str(), document.row.subtype.as_str()),
            (names.employee.as_str(), document.row.employee_name.as_str()),
        ]);
        let user_id = Some(self.settings.user_id.expose_secret()).filter(|id| !id.is_empty());
        fields.extend(user_id.map(|id| (names.user_id.as_str(), id)));
        let content =
            Content { field: &names.file, file_name: &name, media_type: "application/pdf", bytes: proven.bytes };
        let path = segments(&wire.docs_path, "");
        let attempt = |bearer| async {
            let upload = Upload::new(wire.encoding, &fields, &content);
            self.attempt((Method::POST, &path), upload, Bytes::Filed(Arc::clone(&proven.file)), bearer).await
        };
        let answer = self.tokens.authorized(attempt, |answer: &Answer| answer.status == 401).await?;
        answer::judge_document(&names.document_id, &answer, body)
    }

    async fn send_signature(
        &self,
        (id, open): (&str, bool),
        document: &Document,
        body: &[u8],
    ) -> Result<Verdict, Failure> {
        let proven = self.prove(&document.row.signature_path, &document.signature_hash, MOST_SIGNATURE_BYTES).await?;
        let Some(proven) = proven else { return Ok(changed()) };
        let Ok(Some(bytes)) = files::read(&proven.file, MOST_SIGNATURE_BYTES) else { return Ok(changed()) };
        let wire = &self.settings.wire;
        let Some(bytes) = formed(wire.signature_form, &bytes) else { return Ok(changed()) };
        let bytes: Arc<[u8]> = bytes.into();
        let kind = &document.row.signature_type;
        let kind = wire.signature_types.get(kind).unwrap_or(kind);
        let name = format!("{}.sig", document.row.file_name());
        let fields = [(wire.names.signature_type.as_str(), kind.as_str())];
        let content = Content {
            field: &wire.names.signature,
            file_name: &name,
            media_type: "application/octet-stream",
            bytes: bytes.len() as u64,
        };
        let path = segments(&wire.signature_path, id);
        let attempt = |bearer| async {
            let upload = Upload::new(wire.encoding, &fields, &content);
            self.attempt((wire.signature_method.clone(), &path), upload, Bytes::Held(Arc::clone(&bytes)), bearer).await
        };
        let answer = self.tokens.authorized(attempt, |answer: &Answer| answer.status == 401).await?;
        answer::judge_signature((id, open), &wire.terms, &answer, body)
    }

    async fn attempt(
        &self,
        (method, path): (Method, &[String]),
        upload: Upload,
        content: Bytes,
        bearer: Bearer,
    ) -> Result<Answer, Failure> {
        let bytes = upload.bytes();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let request = self
            .with_token(self.client.request(method, &path), &bearer)?
            .header(CONTENT_TYPE, &upload.content_type)
            .timeout(self.settings.timeout + Duration::from_secs(bytes / SLOWEST))
            .body(reqwest::Body::wrap_stream(upload.stream(content)));
        self.rate.turn().await;
        self.client.send(request, Body::Streamed(bytes as usize)).await
    }

    fn with_token(&self, request: RequestBuilder, bearer: &Bearer) -> Result<RequestBuilder, Failure> {
        Ok(match &self.settings.wire.token_place {
            TokenPlace::Bearer => request.header(&self.token_header, bearer.header("Bearer")?),
            TokenPlace::Header(_) => request.header(&self.token_header, bearer.header("")?),
            TokenPlace::Query(name) => {
                let token = bearer.header("")?;
                request.query(&[(name.as_str(), token.to_str().unwrap_or_default())])
            }
        })
    }

    /// Opens a file of a row; none if it is not what was examined.
    async fn prove(&self, path: &str, hash: &str, most: u64) -> Result<Option<Proven>, Failure> {
        let (root, path, hash) = (self.examiner.root().to_owned(), path.to_owned(), hash.to_owned());
        let prove = move || {
            let mut file = files::open(&files::locate(&root, &path).ok()?).ok()?;
            let (found, bytes) = files::hash_of(&mut file, most).ok()?;
            (found == hash).then(|| Proven { file: Arc::new(file), bytes })
        };
        // Reading up to 15 MB is no work for a thread that serves others.
        let proven = tokio::task::spawn_blocking(prove).await;
        proven.map_err(|_| Mishap::Unsendable { reason: "a file could not be read".into() }.into())
    }
}

fn formed(form: SignatureForm, bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    match form {
        SignatureForm::AsItIs => Some(Cow::Borrowed(bytes)),
        SignatureForm::Der => cms::der(bytes),
        SignatureForm::Base64 => cms::der(bytes).map(|der| Cow::Owned(STANDARD.encode(der).into_bytes())),
    }
}

/// The parts of a configured path, with an id where it says so, be it in the middle of a part.
fn segments(path: &str, id: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty()).map(|part| part.replace("{id}", id)).collect()
}

fn changed() -> Verdict {
    let text = "a file is not what was examined".to_owned();
    Verdict::Rejected { code: "FILE_CHANGED".into(), text, cure: Cure::Time, holder: None }
}

impl Portal for EkdoPortal {
    fn schemas(&self) -> &'static [&'static Schema] {
        SCHEMAS
    }

    fn abilities(&self, _schema: &Schema) -> Abilities {
        Abilities {
            idempotent: false,
            update: false,
            removal: Removal::Unsupported,
            inquiry: Inquiry::Never,
            registered: true,
            examines: true,
        }
    }

    fn begins(&self, _schema: &Schema) -> bool {
        true
    }

    fn lacks_id(&self, code: &str) -> bool {
        KIND.unnamed.contains(&code)
    }

    fn most_records(&self, _schema: &Schema) -> usize {
        1
    }

    fn examine(&self, _schema: &'static Schema, body: &mut Vec<u8>) -> Result<(), Unfit> {
        // What an encoder has written is a row; anything else is found out when it is to be sent.
        let Ok(row) = serde_json::from_slice::<Row>(body) else { return Ok(()) };
        let group = row.without_group(&self.settings);
        match (self.examiner.examine(&row), group) {
            (Ok(hashes), None) => {
                document::add_hashes(body, &hashes);
                Ok(())
            }
            (Err(Unfit::Broken(files)), group) => Err(Unfit::Broken(group.into_iter().chain(files).collect())),
            (Ok(_) | Err(Unfit::Awaits { .. }), Some(group)) => Err(Unfit::Broken(vec![group])),
            (Err(awaits), None) => Err(awaits),
        }
    }

    async fn deliver(&self, _schema: &'static Schema, batch: &Batch) -> Delivery {
        let mut verdicts = Vec::with_capacity(batch.len());
        for (at, sent) in batch.records().iter().enumerate() {
            match self.send(sent, batch.body(at)).await {
                Ok(verdict) => verdicts.push(verdict),
                Err(failure) if verdicts.is_empty() => return Delivery::Failed(failure),
                Err(_) => {
                    // What was judged before stays judged; nothing follows a failure.
                    verdicts.resize(batch.len(), Verdict::Unknown);
                    break;
                }
            }
        }
        Delivery::Judged(verdicts)
    }

    /// Never called: [`Removal::Unsupported`].
    async fn remove(&self, _schema: &'static Schema, _key: &Key) -> Delivery {
        let reason = "EKDO has no request that takes a document away".to_owned();
        Delivery::Failed(Mishap::Unsendable { reason }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stands_wherever_the_path_names_it() {
        assert_eq!(segments("/docs/{id}/signature", "7"), ["docs", "7", "signature"]);
        assert_eq!(segments("/docs/{id}.sig", "7"), ["docs", "7.sig"]);
        assert_eq!(segments("docs/", ""), ["docs"]);
    }
}
