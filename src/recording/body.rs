//! Bodies: from the bytes on the wire to something that can be read, scrubbed and compared, and back.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::form_urlencoded;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::xml;
use crate::transport::{TAPE_LIMIT, inflate};

/// Most bytes that a body or a file in an archive may inflate to.
const MOST: usize = 64 << 20;
/// Most files of an archive.
const MOST_FILES: usize = 1000;
/// Between the parts of a form that is played.
const BOUNDARY: &str = "vitrina-replay-6f1d0c2a";

/// A body, read by what it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// JSON.
    Json(Value),
    /// XML, as text.
    Xml(String),
    /// Any other text, byte for byte.
    Text(String),
    /// Fields of a form in the order in which they stand.
    Form(Vec<(String, String)>),
    /// Parts of a form with files.
    Parts(Vec<Part>),
    /// Files of a zip archive.
    Archive(BTreeMap<String, Body>),
    /// Anything else, in base64.
    Base64(String),
    /// A body that is not shown, because what it is cannot be read: so many bytes.
    Omitted(usize),
}

/// A part of a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The media type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub body: Body,
}

impl Body {
    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        matches!(self, Body::Empty)
    }

    /// Reads the bytes of a body that came under this media type, inflated before where they are compressed.
    pub fn read(media: &str, bytes: &[u8]) -> Self {
        let inflated = if bytes.starts_with(&[0x1f, 0x8b]) { inflate(bytes, MOST).ok() } else { None };
        let bytes = inflated.as_deref().unwrap_or(bytes);
        let kind = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if bytes.is_empty() {
            return Body::Empty;
        }
        let special = match kind.as_str() {
            "multipart/form-data" => boundary(media).and_then(|boundary| parts(bytes, boundary)).map(Body::Parts),
            "application/x-www-form-urlencoded" => {
                Some(Body::Form(form_urlencoded::parse(bytes).into_owned().collect()))
            }
            _ => None,
        };
        special.unwrap_or_else(|| Body::guessed(bytes))
    }

    fn guessed(bytes: &[u8]) -> Self {
        if bytes.starts_with(b"PK\x03\x04") {
            return unpacked(bytes).map_or_else(|| Body::Base64(STANDARD.encode(bytes)), Body::Archive);
        }
        // A document may be text by chance, and is none.
        if bytes.starts_with(b"%PDF") {
            return Body::Base64(STANDARD.encode(bytes));
        }
        let Ok(text) = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)) else {
            return Body::Base64(STANDARD.encode(bytes));
        };
        if let Ok(json) = serde_json::from_str::<Value>(text) {
            return Body::Json(json);
        }
        if xml::is_document(text) { Body::Xml(text.to_owned()) } else { Body::Text(text.to_owned()) }
    }

    /// The bytes to send, and the media type where it depends on them. None for a body that is not shown.
    pub fn written(&self) -> Option<(Vec<u8>, Option<String>)> {
        Some(match self {
            Body::Empty => (Vec::new(), None),
            Body::Json(json) => (json.to_string().into_bytes(), None),
            Body::Xml(text) | Body::Text(text) => (text.clone().into_bytes(), None),
            Body::Form(fields) => {
                (form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes(), None)
            }
            Body::Parts(parts) => (joined(parts)?, Some(format!("multipart/form-data; boundary={BOUNDARY}"))),
            Body::Archive(files) => (packed(files)?, None),
            Body::Base64(text) => (STANDARD.decode(text).ok()?, None),
            Body::Omitted(_) => return None,
        })
    }
}

fn boundary(media: &str) -> Option<&str> {
    let (_, boundary) = media.split_once("boundary=")?;
    Some(boundary.split(';').next()?.trim().trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

/// The parts of a form; none where it is none, or breaks off.
fn parts(bytes: &[u8], boundary: &str) -> Option<Vec<Part>> {
    let delimiter = format!("\r\n--{boundary}");
    let mut parts = Vec::new();
    let mut rest = bytes.strip_prefix(delimiter.trim_start().as_bytes())?;
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, delimiter.as_bytes())?;
        let (whole, behind) = part.split_at_checked(end)?;
        let head_end = find(whole, b"\r\n\r\n")?;
        let head = std::str::from_utf8(whole.get(..head_end)?).ok()?;
        parts.push(part_of(head, whole.get(head_end + 4..)?)?);
        rest = behind.get(delimiter.len()..)?;
    }
    rest.starts_with(b"--").then_some(parts)
}

fn part_of(head: &str, body: &[u8]) -> Option<Part> {
    let quoted = |mark: &str| Some(head.split_once(mark)?.1.split_once('"')?.0.to_owned());
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let media = lines.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let media = media.map(|(_, value)| value.trim().to_owned());
    let body = Body::read(media.as_deref().unwrap_or_default(), body);
    Some(Part { name: quoted(" name=\"")?, file: quoted("filename=\""), media, body })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = wanted.first()?;
    let mut at = 0;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| byte == first)?;
        if bytes.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
}

fn joined(parts: &[Part]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"", part.name).as_bytes(),
        );
        if let Some(file) = &part.file {
            bytes.extend_from_slice(format!("; filename=\"{file}\"").as_bytes());
        }
        if let Some(media) = &part.media {
            bytes.extend_from_slice(format!("\r\nContent-Type: {media}").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&part.body.written()?.0);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    Some(bytes)
}

/// The files of an archive; none where it is damaged, or larger than a body may be.
fn unpacked(bytes: &[u8]) -> Option<BTreeMap<String, Body>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut files = BTreeMap::new();
    let mut left = MOST;
    for at in 0..archive.len().min(MOST_FILES + 1) {
        let file = archive.by_index(at).ok()?;
        let name = file.name().ok()?.into_owned();
        let mut content = Vec::new();
        file.take(left as u64 + 1).read_to_end(&mut content).ok()?;
        left = left.checked_sub(content.len())?;
        files.insert(name, Body::guessed(&content));
    }
    (files.len() <= MOST_FILES).then_some(files)
}

fn packed(files: &BTreeMap<String, Body>) -> Option<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, body) in files {
        archive.start_file(name.as_str(), SimpleFileOptions::default()).ok()?;
        archive.write_all(&body.written()?.0).ok()?;
    }
    let bytes = archive.finish().ok()?.into_inner();
    (bytes.len() <= TAPE_LIMIT).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::transport::{Level, Packed};

    fn back(media: &str, bytes: &[u8]) -> Body {
        let body = Body::read(media, bytes);
        let (bytes, made) = body.written().unwrap();
        assert_eq!(Body::read(made.as_deref().unwrap_or(media), &bytes), body);
        body
    }

    #[test]
    fn every_kind_of_body_comes_back_as_it_was() {
        assert_eq!(back("application/json", b"{\"a\":[1,\"\xd1\x8f\"]}"), Body::Json(json!({"a": [1, "я"]})));
        assert_eq!(back("application/xml", b"<a b='1'>x</a>"), Body::Xml("<a b='1'>x</a>".into()));
        assert_eq!(back("text/plain", b"busy"), Body::Text("busy".into()));
        assert_eq!(back("", &[0xff, 0x00]), Body::Base64("/wA=".into()));
        assert_eq!(back("", b""), Body::Empty);
        let form = back("application/x-www-form-urlencoded", b"b=2%26&a=%D1%8F");
        assert_eq!(form, Body::Form(vec![("b".into(), "2&".into()), ("a".into(), "я".into())]));
        let packed = Packed::of(b"{\"a\":1}", Level::default());
        assert_eq!(Body::read("application/json", &packed.bytes), Body::Json(json!({"a": 1})));
    }

    #[test]
    fn archives_in_parts_are_opened() {
        let files = BTreeMap::from([
            ("Data.xml".to_owned(), Body::Xml("<a>1</a>".into())),
            ("Data.xml.sig".to_owned(), Body::Base64("MP8=".into())),
        ]);
        let form = Body::Parts(vec![
            Part {
                name: "xml".into(),
                file: Some("R.xml".into()),
                media: Some("text/xml".into()),
                body: Body::Xml("<r/>".into()),
            },
            Part { name: "olot".into(), file: None, media: None, body: Body::Archive(files) },
        ]);
        let (bytes, media) = form.written().unwrap();
        assert_eq!(Body::read(&media.unwrap(), &bytes), form);
    }

    #[test]
    fn what_is_damaged_stays_what_it_is() {
        let cut = Body::read(
            "multipart/form-data; boundary=b",
            b"--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nab",
        );
        assert!(matches!(cut, Body::Text(_)));
        assert!(matches!(Body::read("", b"PK\x03\x04 no archive"), Body::Base64(_)));
    }
}
