//! The two encodings in which the mock takes an upload, read by code of its own.

use std::collections::BTreeMap;

use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// An upload: its fields and its one file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) fields: BTreeMap<String, String>,
    pub(super) content: Bytes,
}

/// Reads an upload whose file is called so.
pub(super) fn read(content_type: &str, body: &Bytes, file: &str) -> Option<Form> {
    match content_type.split_once("boundary=") {
        Some((kind, boundary)) if kind.starts_with("multipart/form-data") => multipart(boundary.trim(), body, file),
        _ if content_type.starts_with("application/json") => json(body, file),
        _ => None,
    }
}

fn json(body: &Bytes, file: &str) -> Option<Form> {
    let mut members: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let content = STANDARD.decode(members.shift_remove(file)?.as_str()?).ok()?.into();
    let text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
    Some(Form { fields: members.into_iter().map(text).collect::<Option<_>>()?, content })
}

fn multipart(boundary: &str, body: &Bytes, file: &str) -> Option<Form> {
    let delimiter = format!("\r\n--{boundary}");
    let mut fields = BTreeMap::new();
    let mut content = None;
    let mut at = find(body, delimiter.trim_start().as_bytes(), 0)? + delimiter.len() - 2;
    while body.get(at..)?.starts_with(b"\r\n") {
        let head_end = find(body, b"\r\n\r\n", at)?;
        let head = std::str::from_utf8(body.get(at..head_end)?).ok()?;
        let end = find(body, delimiter.as_bytes(), head_end + 2)?;
        let value = head_end + 4..end;
        let name = head.split_once(" name=\"")?.1.split_once('"')?.0;
        match name == file {
            true => content = Some(body.slice(value)),
            false => {
                fields.insert(name.to_owned(), std::str::from_utf8(body.get(value)?).ok()?.to_owned());
            }
        }
        at = end + delimiter.len();
    }
    body.get(at..)?.starts_with(b"--").then_some(Form { fields, content: content? })
}

fn find(body: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let first = wanted.first()?;
    let mut at = from;
    loop {
        at += body.get(at..)?.iter().position(|byte| byte == first)?;
        if body.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_give_the_same_form() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"fileName\"\r\n\r\nИванов.pdf\r\n--b\r\nContent-Disposition: form-data; \
                    name=\"file\"; filename=\"x\"\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--\r\n--b--\r\n";
        let parts = read("multipart/form-data; boundary=b", &Bytes::from(body), "file").unwrap();
        assert_eq!(parts.content, "%PDF\r\n--");
        let body = format!(r#"{{"fileName":"Иванов.pdf","file":"{}"}}"#, STANDARD.encode("%PDF\r\n--"));
        assert_eq!(read("application/json", &Bytes::from(body), "file").unwrap(), parts);
    }

    #[test]
    fn what_is_cut_or_without_its_file_is_no_form() {
        let whole = "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc\r\n--b--\r\n";
        assert!(read("multipart/form-data; boundary=b", &Bytes::from(whole), "file").is_some());
        assert!(read("multipart/form-data; boundary=b", &Bytes::from(whole), "other").is_none());
        for length in 0..whole.len() - 3 {
            let cut = Bytes::from(&whole[..length]);
            assert_eq!(read("multipart/form-data; boundary=b", &cut, "file"), None, "{length}");
        }
    }
}
