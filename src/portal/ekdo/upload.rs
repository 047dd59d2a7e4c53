//! The body of an upload: some fields and one content, streamed from where it lies, of a length that is known before.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, Stream};
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt};
use uuid::Uuid;

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
    pub fn stream(
        self,
        content: impl AsyncRead + Send + Unpin + 'static,
    ) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
        let step = Step::Head(self.head, self.content, self.tail);
        let encoding = self.encoding;
        stream::try_unfold((step, content), move |(step, mut content)| async move {
            Ok(match step {
                Step::Head(head, 0, tail) => Some((head, (Step::Tail(tail), content))),
                Step::Head(head, left, tail) => Some((head, (Step::Content(left, tail), content))),
                Step::Content(left, tail) => {
                    let mut chunk = vec![0; left.min(CHUNK) as usize];
                    content.read_exact(&mut chunk).await?;
                    let chunk = match encoding {
                        Encoding::Multipart => chunk,
                        Encoding::Base64 => STANDARD.encode(&chunk).into_bytes(),
                    };
                    let next = match left.saturating_sub(CHUNK) {
                        0 => Step::Tail(tail),
                        left => Step::Content(left, tail),
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
    /// What stands before the content, its length, what stands behind it.
    Head(Vec<u8>, u64, Vec<u8>),
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
    use std::io::Cursor;

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
        let body: Vec<Vec<u8>> = upload.stream(Cursor::new(bytes.to_vec())).try_collect().await.unwrap();
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
            upload(Encoding::Multipart, &[0; 100]).stream(Cursor::new(vec![0; 99])).try_collect().await;
        assert!(broken.is_err());
    }
}
