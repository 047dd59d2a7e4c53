//! The body of an upload: some fields and one content, streamed from where it lies, of a length that is known before.

use std::fs::File;
use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, Stream};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::files;
use super::settings::Encoding;

/// Bytes that are read at a time; a multiple of three, so that base64 goes on without padding.
const CHUNK: u64 = 48 << 10;
/// Stands in a JSON template where the content goes.
const PLACE: &str = "\u{1}";

/// What is uploaded.
pub(super) struct Content<'a> {
    /// The name of its field.
    pub field: &'a str,
    /// The name of its file.
    pub file_name: &'a str,
    pub media_type: &'static str,
    pub bytes: u64,
}

/// Where a content lies. It is read by position: a portal may refuse one attempt while its body still goes out, and the next begins
/// before that one has ended.
#[derive(Clone)]
pub(super) enum Bytes {
    Filed(Arc<File>),
    Held(Arc<[u8]>),
}

impl Bytes {
    async fn read(&self, place: u64, count: usize) -> io::Result<Vec<u8>> {
        match self {
            Bytes::Held(bytes) => {
                let rest = usize::try_from(place).ok().and_then(|place| bytes.get(place..));
                let read = rest.and_then(|rest| rest.get(..count));
                read.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
            Bytes::Filed(file) => {
                let file = Arc::clone(file);
                // A disk may keep its reader waiting.
                let read = tokio::task::spawn_blocking(move || files::read_at(&file, place, count));
                read.await.map_err(io::Error::other)?
            }
        }
    }
}

/// A body that waits for its content.
pub(super) struct Upload {
    pub content_type: String,
    encoding: Encoding,
    head: Vec<u8>,
    tail: Vec<u8>,
    content: u64,
}

impl Upload {
    /// A body of these fields, in their order, and a content. Fields without a name are left out.
    pub fn new(encoding: Encoding, fields: &[(&str, &str)], content: &Content<'_>) -> Self {
        let fields = fields.iter().filter(|(name, _)| !name.is_empty());
        match encoding {
            Encoding::Multipart => multipart(fields, content),
            Encoding::Base64 => json(fields, content),
        }
    }

    /// Bytes of the whole body.
    pub fn bytes(&self) -> u64 {
        let content = match self.encoding {
            Encoding::Multipart => self.content,
            Encoding::Base64 => self.content.div_ceil(3) * 4,
        };
        self.head.len() as u64 + content + self.tail.len() as u64
    }

    /// The body. A content that turns out shorter than was said breaks it off.
    pub fn stream(self, content: Bytes) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
        let (encoding, length) = (self.encoding, self.content);
        let step = Step::Head(self.head, self.tail);
        stream::try_unfold((step, content), move |(step, content)| async move {
            Ok(match step {
                Step::Head(head, tail) if length == 0 => Some((head, (Step::Tail(tail), content))),
                Step::Head(head, tail) => Some((head, (Step::Content(0, tail), content))),
                Step::Content(place, tail) => {
                    let count = length.saturating_sub(place).min(CHUNK);
                    let chunk = content.read(place, count as usize).await?;
                    let chunk = match encoding {
                        Encoding::Multipart => chunk,
                        Encoding::Base64 => STANDARD.encode(&chunk).into_bytes(),
                    };
                    let next = match place + count {
                        next if next < length => Step::Content(next, tail),
                        _ => Step::Tail(tail),
                    };
                    Some((chunk, (next, content)))
                }
                Step::Tail(tail) => Some((tail, (Step::End, content))),
                Step::End => None,
            })
        })
    }
}

/// What goes out next.
enum Step {
    /// What stands before the content and what stands behind it.
    Head(Vec<u8>, Vec<u8>),
    /// The content from a place on, and what stands behind it.
    Content(u64, Vec<u8>),
    Tail(Vec<u8>),
    End,
}

fn multipart<'a>(fields: impl Iterator<Item = &'a (&'a str, &'a str)>, content: &Content<'_>) -> Upload {
    let boundary = format!("vitrina-{}", Uuid::new_v4().simple());
    let mut head = String::new();
    for (name, value) in fields {
        head.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{value}\r\n",
            quoted(name)
        ));
    }
    head.push_str(&format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
        quoted(content.field),
        quoted(content.file_name),
        content.media_type
    ));
    Upload {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        encoding: Encoding::Multipart,
        head: head.into_bytes(),
        tail: format!("\r\n--{boundary}--\r\n").into_bytes(),
        content: content.bytes,
    }
}

/// As browsers escape names: nothing of them ends the quotes or the line.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

fn json<'a>(fields: impl Iterator<Item = &'a (&'a str, &'a str)>, content: &Content<'_>) -> Upload {
    let mut object: Map<String, Value> =
        fields.map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    // The content is the last member, so that its place is found from behind.
    object.shift_remove(content.field);
    object.insert(content.field.to_owned(), Value::from(PLACE));
    let template = Value::Object(object).to_string();
    let (head, tail) = template.rsplit_once("\\u0001").unwrap_or((&template, ""));
    Upload {
        content_type: "application/json".into(),
        encoding: Encoding::Base64,
        head: head.as_bytes().to_vec(),
        tail: tail.as_bytes().to_vec(),
        content: content.bytes,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    fn upload(encoding: Encoding, bytes: &[u8]) -> Upload {
        let content = Content {
            field: "file",
            file_name: "И \"x\".pdf",
            media_type: "application/pdf",
            bytes: bytes.len() as u64,
        };
        Upload::new(encoding, &[("number", "1\"7"), ("", "left out"), ("date", "2026-03-02")], &content)
    }

    async fn streamed(encoding: Encoding, bytes: &[u8]) -> (String, Vec<u8>) {
        let upload = upload(encoding, bytes);
        let (length, content_type) = (upload.bytes(), upload.content_type.clone());
        let body: Vec<Vec<u8>> = upload.stream(Bytes::Held(bytes.into())).try_collect().await.unwrap();
        let body = body.concat();
        assert_eq!(body.len() as u64, length);
        (content_type, body)
    }

    #[tokio::test]
    async fn a_form_holds_its_fields_and_the_file_as_it_is() {
        let (content_type, body) = streamed(Encoding::Multipart, b"%PDF").await;
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let text = String::from_utf8(body).unwrap().replace(boundary, "B");
        assert_eq!(
            text,
            "--B\r\nContent-Disposition: form-data; name=\"number\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n1\"7\r\n\
             --B\r\nContent-Disposition: form-data; name=\"date\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n2026-03-02\r\n\
             --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"И %22x%22.pdf\"\r\nContent-Type: application/pdf\r\n\r\n\
             %PDF\r\n--B--\r\n"
        );
    }

    #[tokio::test]
    async fn base64_goes_on_over_all_chunks() {
        for length in [0, 1, 2, 3, CHUNK as usize - 1, CHUNK as usize, CHUNK as usize + 1, 3 * CHUNK as usize + 7] {
            let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let (content_type, body) = streamed(Encoding::Base64, &bytes).await;
            assert_eq!(content_type, "application/json");
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((body["number"].as_str(), body["date"].as_str()), (Some("1\"7"), Some("2026-03-02")));
            assert_eq!(STANDARD.decode(body["file"].as_str().unwrap()).unwrap(), bytes, "{length}");
        }
    }

    #[tokio::test]
    async fn a_file_that_has_become_shorter_breaks_the_body_off() {
        let broken: io::Result<Vec<Vec<u8>>> =
            upload(Encoding::Multipart, &[0; 100]).stream(Bytes::Held([0; 99].into())).try_collect().await;
        assert!(broken.is_err());
    }
}
