//! The form of a recorded exchange. Recordings, and the exchanges that documents print and tests play, have this one form.
//!
//! A file is a sequence of JSON objects, one an exchange. The recorder writes one a line (`*.jsonl`); a file that people write may spread them
//! over lines (`*.json`).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::body::Body;

/// One exchange with a portal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cassette {
    /// Where an exchange comes from that was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// The portal's name in the configuration.
    pub portal: String,
    /// Its kind.
    pub kind: String,
    /// When the exchange ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    /// What was sent.
    pub request: Request,
    /// What came back; none where no whole answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// What a test needs beside the exchange.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub given: Map<String, Value>,
    /// What a test expects to be made of the answer.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub expect: Value,
}

/// Where a printed exchange comes from, and what was done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// What it shows.
    pub name: String,
    /// Where the document prints it.
    pub section: String,
    /// What was mended in the print.
    pub repairs: Vec<String>,
    /// Where we differ from the print.
    pub deviations: Vec<String>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `POST`
    pub method: String,
    /// Path under the portal's address, with the query.
    pub path: String,
    /// Headers that mean something, names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, inflated.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub body: Body,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers that mean something, names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, inflated.
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    pub body: Body,
}

/// Why a text is no sequence of exchanges.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct NoCassette {
    /// Where it goes wrong.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

impl Cassette {
    /// Reads a sequence of exchanges. The last one may be cut off in a line, as a crash leaves it; it is left out.
    pub fn read_all(text: &[u8]) -> Result<Vec<Cassette>, NoCassette> {
        let mut read = serde_json::Deserializer::from_slice(text).into_iter::<Cassette>();
        let mut cassettes = Vec::new();
        loop {
            let begins = read.byte_offset();
            match read.next() {
                None => return Ok(cassettes),
                Some(Ok(cassette)) => cassettes.push(cassette),
                Some(Err(error)) => {
                    let rest = text.get(begins..).unwrap_or_default().trim_ascii_start();
                    // What a crash leaves is no whole line: the writer ends each with a line feed, in one write.
                    if !cassettes.is_empty() && !rest.contains(&b'\n') && !error.is_data() {
                        return Ok(cassettes);
                    }
                    return Err(NoCassette { line: error.line(), reason: told(&error) });
                }
            }
        }
    }
}

/// What is wrong, without the place that the library's own text repeats, and without what stands there.
fn told(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => {
            "an exchange lacks a field, or has one that this version does not know".into()
        }
        serde_json::error::Category::Eof => "an exchange is cut off".into(),
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "it is not JSON".into(),
    }
}
