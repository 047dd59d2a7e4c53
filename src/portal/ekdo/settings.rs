//! What is set about EKDO. Its document names the steps and one path; everything else of the wire is an assumption that can be changed.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use secrecy::SecretString;
use url::Url;

use crate::record::Stage;
use crate::transport::Pauses;

/// What the portal takes at most: 15 MB.
pub const MOST_FILE_BYTES: u64 = 15 << 20;

/// What the client of EKDO needs to know.
#[derive(Debug, Clone)]
pub struct EkdoSettings {
    /// Address that the paths of [`EkdoWire`] lie under.
    pub url: Url,
    /// The employer's login.
    pub username: SecretString,
    /// Its password.
    pub password: SecretString,
    /// The user's identifier that support gave together with them; an empty one is not sent.
    pub user_id: SecretString,
    /// The folder that all files must lie in, symbolic links resolved.
    pub files_root: PathBuf,
    /// Most bytes of a document.
    pub max_file_bytes: u64,
    /// Document group of the portal for each subtype. Empty: no group is sent.
    pub groups: BTreeMap<String, String>,
    /// Group of subtypes that are not listed; none: they are rejected where groups are listed at all.
    pub default_group: Option<String>,
    /// Undocumented details.
    pub wire: EkdoWire,
    /// Longest wait for a whole answer. An upload gets more, by its size.
    pub timeout: Duration,
    /// Most requests in any second, authentication included.
    pub requests_per_second: NonZeroU32,
    /// PEM file with root certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// How long nobody asks again after a failed authentication.
    pub pauses: Pauses,
}

/// How credentials are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginForm {
    /// A JSON object.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// In the `Authorization` header, with an empty body.
    Basic,
}

/// Where the token of a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// `Authorization: Bearer …`.
    Bearer,
    /// A header of this name.
    Header(String),
    /// A parameter of this name in the query. No query is ever logged.
    Query(String),
}

/// How files are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `multipart/form-data`.
    Multipart,
    /// Base64 inside a JSON object.
    Base64,
}

/// In which form a signature is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureForm {
    /// As the file holds it.
    AsItIs,
    /// DER, whatever the file holds.
    Der,
    /// Base64 of DER, whatever the file holds.
    Base64,
}

/// Undocumented details of the wire.
#[derive(Debug, Clone)]
pub struct EkdoWire {
    /// Where a token is got.
    pub token_path: String,
    /// Where documents go.
    pub docs_path: String,
    /// Where signatures go; `{id}` stands for the document's id.
    pub signature_path: String,
    /// The method by which a token is got.
    pub token_method: Method,
    /// The method by which a signature is put.
    pub signature_method: Method,
    /// How credentials are sent.
    pub login: LoginForm,
    /// Where the token goes.
    pub token_place: TokenPlace,
    /// How files are sent.
    pub encoding: Encoding,
    /// In which form a signature is sent.
    pub signature_form: SignatureForm,
    /// The portal's words for types of signatures, where they are not those of the column.
    pub signature_types: BTreeMap<String, String>,
    /// Names of fields.
    pub names: FieldNames,
    /// By which answers a document is signed.
    pub terms: Terms,
}

/// By which answers to its signature a document is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What the portal calls a document that is signed, whatever the letter case.
    pub signed_statuses: Vec<String>,
    /// How far a document got whose signature was taken without a word about its status.
    pub bare_success: Stage,
}

impl Default for Terms {
    fn default() -> Self {
        Terms {
            signed_statuses: ["Вступил в силу", "SIGNED"].map(str::to_owned).into(), bare_success: Stage::Sent
        }
    }
}

/// Names of fields in requests and answers. A field whose name is empty is not sent.
#[derive(Debug, Clone)]
pub struct FieldNames {
    /// Of a login.
    pub username: String,
    /// Of a login.
    pub password: String,
    /// Of a login and of a document.
    pub user_id: String,
    /// Of a document: its content.
    pub file: String,
    /// Of a document: its file's name. In `multipart/form-data` the name also stands beside the content.
    pub file_name: String,
    /// Of a document.
    pub group: String,
    /// Of a document: its number. Not sent by default, as the next three.
    pub number: String,
    /// Of a document: its date.
    pub date: String,
    /// Of a document: its subtype.
    pub subtype: String,
    /// Of a document: the employee's full name.
    pub employee: String,
    /// Of a signature: its content.
    pub signature: String,
    /// Of a signature.
    pub signature_type: String,
    /// Of the answer to a document. Other usual names are tried after it.
    pub document_id: String,
    /// Of the answer to a login. Other usual names are tried after it.
    pub token: String,
}

impl Default for EkdoWire {
    fn default() -> Self {
        EkdoWire {
            token_path: "/token".into(),
            docs_path: "/docs".into(),
            signature_path: "/docs/{id}/signature".into(),
            token_method: Method::POST,
            signature_method: Method::POST,
            login: LoginForm::Json,
            token_place: TokenPlace::Bearer,
            encoding: Encoding::Multipart,
            signature_form: SignatureForm::AsItIs,
            signature_types: BTreeMap::new(),
            names: FieldNames::default(),
            terms: Terms::default(),
        }
    }
}

impl Default for FieldNames {
    fn default() -> Self {
        FieldNames {
            username: "username".into(),
            password: "password".into(),
            user_id: "user_id".into(),
            file: "file".into(),
            file_name: "file_name".into(),
            group: "group".into(),
            number: String::new(),
            date: String::new(),
            subtype: String::new(),
            employee: String::new(),
            signature: "signature".into(),
            signature_type: "type".into(),
            document_id: "id".into(),
            token: "token".into(),
        }
    }
}
