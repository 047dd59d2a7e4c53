//! What only the portal of personnel documents has. Its document describes the steps and not their form, so that every detail of the wire is a
//! setting.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::super::shape::Texts;
use super::{Key, OnUnknownOutcome, Pace, Scalar, Shape, feed, on_unknown_outcome, path};

/// Settings of the portal.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EkdoConfig {
    /// The account.
    pub username: SecretString,
    /// Its password.
    pub password: SecretString,
    /// The user's identifier that comes with them.
    pub user_id: SecretString,
    /// The folder under which all files lie that rows may name.
    pub files_root: PathBuf,
    /// Largest document, in bytes.
    pub max_file_bytes: u64,
    /// Where a token is got, below the portal's address.
    pub token_path: String,
    /// Where a document is put.
    pub docs_path: String,
    /// Where its signature is put; `{id}` stands for the document's identifier.
    pub signature_path: String,
    /// The method by which a token is got.
    pub token_method: TokenMethod,
    /// The method by which a signature is put.
    pub signature_method: UploadMethod,
    /// How credentials travel.
    pub login: LoginForm,
    /// How files travel.
    pub encoding: FileEncoding,
    /// In which form a signature travels.
    pub signature_form: SignatureForm,
    /// The portal's words for types of signatures, where they are not those of the column.
    #[serde(default)]
    pub signature_types: BTreeMap<String, String>,
    /// Where the token goes in a request.
    pub token_place: TokenPlace,
    /// Name of the header or the query's parameter that carries it; a bearer needs none.
    pub token_name: String,
    /// Names of fields.
    pub fields: EkdoFields,
    /// The portal's group of documents for each subtype.
    #[serde(default)]
    pub groups: BTreeMap<String, String>,
    /// The group of subtypes that are not listed.
    pub default_group: Option<String>,
    /// What the portal calls a document that is signed; none for the statuses that are known.
    pub signed_statuses: Option<Vec<String>>,
    /// What a document is whose signature was taken without a word about its status.
    pub bare_success: BareSuccess,
    /// What is done with a document when nobody knows whether the portal took it.
    pub on_unknown_outcome: OnUnknownOutcome,
}

/// What a document is whose signature was taken without a word about its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BareSuccess {
    /// Sent: the portal has not said that it is signed.
    Sent,
    /// Signed.
    Signed,
}

/// The method by which a token is got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TokenMethod {
    /// The account goes in the query, or in a header.
    Get,
    /// The account goes in the body, as with the other two.
    Post,
    /// As those take it that speak of a thing under its name.
    Put,
    /// As those take it that speak of a part of a thing.
    Patch,
}

/// The method of a request with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum UploadMethod {
    /// As portals mostly take it.
    Post,
    /// As those take it that speak of a thing under its name.
    Put,
    /// As those take it that speak of a part of a thing.
    Patch,
}

/// How credentials travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoginForm {
    /// As a JSON object.
    Json,
    /// As a form of a web page.
    Form,
    /// In the header of HTTP's own basic authentication.
    Basic,
}

/// In which form a signature travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureForm {
    /// As its file holds it.
    File,
    /// As DER, whatever its file holds.
    Der,
    /// As base64 of DER, whatever its file holds.
    Base64,
}

/// How a file travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileEncoding {
    /// As a part of a form.
    Multipart,
    /// As text inside a JSON object.
    Base64,
}

/// Where a token goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenPlace {
    /// `Authorization: Bearer …`.
    Bearer,
    /// A header of its own.
    Header,
    /// A parameter of the query.
    Query,
}

/// Names of fields in requests and answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EkdoFields {
    /// The account, in the request for a token.
    pub username: String,
    /// Its password, there.
    pub password: String,
    /// The user's identifier, there and with each document.
    pub user_id: String,
    /// The token, in the answer.
    pub token: String,
    /// The document's file.
    pub file: String,
    /// The name of that file.
    pub file_name: String,
    /// The group of documents.
    pub group: String,
    /// The document's number; none: it is not sent, as the next three.
    pub number: Option<String>,
    /// The document's date.
    pub date: Option<String>,
    /// The document's subtype.
    pub subtype: Option<String>,
    /// The employee's full name.
    pub employee: Option<String>,
    /// The document's identifier, in the answer.
    pub document_id: String,
    /// The signature's file.
    pub signature: String,
    /// The type of the signature.
    pub signature_type: String,
}

/// How it is sent to: one document a request, of many megabytes.
pub(super) const PACE: [Key; 5] =
    Pace { batch: "1", max_batch_bytes: "1048576", in_flight: "2", requests_per_second: "5", timeout: "2m" }.keys();

/// Its own keys.
pub(super) const KEYS: &[Key] = &[
    Key::must("username", Shape::Secret),
    Key::must("password", Shape::Secret),
    Key::must("user_id", Shape::Secret),
    Key::must("files_root", Shape::Folder),
    Key::or("max_file_bytes", "15728640", Scalar::Integer { min: 1024, max: 256 << 20 }),
    Key::or("token_path", "/token", Scalar::Text(path)),
    Key::or("docs_path", "/docs", Scalar::Text(path)),
    Key::or("signature_path", "/docs/{id}/signature", Scalar::Text(signature_path)),
    Key::or("token_method", "POST", Scalar::Word(&["GET", "POST", "PUT", "PATCH"])),
    Key::or("signature_method", "POST", Scalar::Word(METHODS)),
    Key::or("login", "json", Scalar::Word(&["json", "form", "basic"])),
    Key::or("encoding", "multipart", Scalar::Word(&["multipart", "base64"])),
    Key::or("signature_form", "file", Scalar::Word(&["file", "der", "base64"])),
    Key::may("signature_types", Shape::Words { most: 10 }),
    Key::or("token_place", "bearer", Scalar::Word(&["bearer", "header", "query"])),
    Key::or("token_name", "token", Scalar::Text(field_name)),
    Key::filled("fields", FIELD_KEYS),
    Key::may("groups", Shape::Words { most: 1_000 }),
    Key::may("default_group", Shape::text(any_text)),
    Key::may("signed_statuses", Shape::Texts(Texts { check: any_text, alone: true, most: 20 })),
    Key::or("bare_success", "sent", Scalar::Word(&["sent", "signed"])),
    on_unknown_outcome(),
    Key::may("feeds", Shape::Table(FEEDS)),
];

const METHODS: &[&str] = &["POST", "PUT", "PATCH"];

const FIELD_KEYS: &[Key] = &[
    Key::or("username", "username", Scalar::Text(field_name)),
    Key::or("password", "password", Scalar::Text(field_name)),
    Key::or("user_id", "user_id", Scalar::Text(field_name)),
    Key::or("token", "token", Scalar::Text(field_name)),
    Key::or("file", "file", Scalar::Text(field_name)),
    Key::or("file_name", "file_name", Scalar::Text(field_name)),
    Key::or("group", "group", Scalar::Text(field_name)),
    Key::may("number", Shape::text(field_name)),
    Key::may("date", Shape::text(field_name)),
    Key::may("subtype", Shape::text(field_name)),
    Key::may("employee", Shape::text(field_name)),
    Key::or("document_id", "id", Scalar::Text(field_name)),
    Key::or("signature", "signature", Scalar::Text(field_name)),
    Key::or("signature_type", "type", Scalar::Text(field_name)),
];

/// Its feeds.
pub(super) const FEEDS: &[Key] = &[feed("document")];

fn signature_path(text: &str) -> Result<(), String> {
    path(text)?;
    match text.matches("{id}").count() {
        1 => Ok(()),
        _ => Err("must name the document's identifier once, as {id}".into()),
    }
}

fn any_text(text: &str) -> Result<(), String> {
    match text.trim().is_empty() || text.chars().count() > 255 {
        false => Ok(()),
        true => Err("expected a text of at most 255 characters".into()),
    }
}

/// A name that is safe in a header, a query and a form.
fn field_name(text: &str) -> Result<(), String> {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) && text.len() <= 64;
    match plain {
        true => Ok(()),
        false => Err("expected a name of at most 64 letters, digits, hyphens, dots and underscores".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_signature_names_its_document() {
        assert_eq!(signature_path("/docs/{id}/signature"), Ok(()));
        assert!(signature_path("/docs/signature").is_err());
        assert!(signature_path("docs/{id}").is_err());
    }

    #[test]
    fn a_fields_name_breaks_no_header() {
        assert_eq!(field_name("X-Token"), Ok(()));
        assert!(field_name("a\r\nb: c").is_err() && field_name("имя").is_err());
    }
}
