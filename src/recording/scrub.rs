//! Scrubbing: from an exchange as it went over the wire to one that says nothing of a person and opens nothing.
//!
//! What may be shown is listed, by each schema and each kind of portal; every other value becomes a stand-in. So a field that a portal invents
//! tomorrow is hidden.

use std::collections::{BTreeMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::form_urlencoded;
use xxhash_rust::xxh3::xxh3_64;

use super::{Answer, Body, Cassette, Part, Request, StandIns, xml};
use crate::portal::{Handling, Kind};
use crate::transport::{Taped, redact_hiding};

/// Headers that are shown as they are.
const SHOWN_HEADERS: [&str; 6] =
    ["accept", "content-encoding", "content-type", "date", "retry-after", "www-authenticate"];
/// Shorter credentials are replaced only where a name says that they are one: they would be found in other values.
const SHORTEST_CREDENTIAL: usize = 6;
/// Most words of hidden values that are remembered, to be masked in sentences of answers.
const MOST_WORDS: usize = 1 << 20;
/// Letters by which a word is known again in another case or number.
const STEM: usize = 5;

/// What a portal is logged in at with: keys of the configuration, and their values.
pub type Credentials = Vec<(&'static str, SecretString)>;

/// Scrubs the exchanges of one portal.
pub struct Scrubber {
    portal: String,
    kind: &'static Kind,
    credentials: Credentials,
    stand_ins: StandIns,
    /// Stems of the words of hidden values, as hashes.
    words: HashSet<u64>,
    /// Values that were hidden in the exchange at hand.
    hidden: Vec<String>,
}

impl Scrubber {
    /// For a portal of this name and kind.
    pub fn new(portal: &str, kind: &'static Kind, credentials: Credentials, stand_ins: StandIns) -> Self {
        Scrubber { portal: portal.to_owned(), kind, credentials, stand_ins, words: HashSet::new(), hidden: Vec::new() }
    }

    /// What is kept of an exchange that ended at this moment.
    pub fn scrub(&mut self, taped: &Taped, at: DateTime<Utc>) -> Cassette {
        self.hidden.clear();
        let path = self.path(&taped.path);
        let headers = self.headers(&taped.headers);
        let body = match &taped.body {
            Some(body) => self.body(&taped.headers, body, false),
            None => Body::Omitted(0),
        };
        let request = Request { method: taped.method.clone(), path, headers, body };
        let answer = taped.answer.as_ref().map(|answer| Answer {
            status: answer.status,
            headers: self.headers(&answer.headers),
            body: self.body(&answer.headers, &answer.body, true),
        });
        Cassette {
            about: None,
            portal: self.portal.clone(),
            kind: self.kind.name.to_owned(),
            at: Some(at),
            request,
            answer,
            given: Map::new(),
            expect: Value::Null,
        }
    }

    /// Paths are made of the document's words, and of keys and ids that may be shown.
    fn path(&mut self, path: &str) -> String {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let segments: Vec<String> = path.split('/').map(|segment| self.segment(segment)).collect();
        let path = segments.join("/");
        let Some(query) = query else { return path };
        let mut made = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            made.append_pair(&name, &self.value(&name, &value, false));
        }
        format!("{path}?{}", made.finish())
    }

    fn segment(&self, segment: &str) -> String {
        let plain = segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        match self.credential(segment) {
            Some(stand_in) => stand_in,
            None if plain => segment.to_owned(),
            None => format!("{:x}", xxh3_64(self.stand_ins.token(segment).as_bytes())),
        }
    }

    fn headers(&self, headers: &HeaderMap) -> BTreeMap<String, String> {
        let mut kept = BTreeMap::new();
        for (name, value) in headers {
            let Ok(value) = value.to_str() else { continue };
            let value = match name.as_str() {
                // The boundary of a form is made anew each time.
                "content-type" => {
                    value.split(';').next().filter(|kind| kind.starts_with("multipart/")).unwrap_or(value).to_owned()
                }
                shown if SHOWN_HEADERS.contains(&shown) => value.to_owned(),
                "authorization" => self.authorization(value),
                // A header of the configuration's own that carries the token.
                other if other.contains("token") || other.contains("auth") || other.contains("key") => {
                    self.secret(None, value)
                }
                _ => continue,
            };
            kept.insert(name.as_str().to_owned(), value);
        }
        kept
    }

    fn authorization(&self, value: &str) -> String {
        let Some((scheme, rest)) = value.split_once(' ') else { return self.secret(None, value) };
        if !scheme.eq_ignore_ascii_case("basic") {
            return format!("{scheme} {}", self.secret(None, rest));
        }
        let account =
            STANDARD.decode(rest).ok().and_then(|account| String::from_utf8(account).ok()).unwrap_or_default();
        let (user, password) = account.split_once(':').unwrap_or((&account, ""));
        let account = format!("{}:{}", self.secret(Some("username"), user), self.secret(Some("password"), password));
        format!("{scheme} {}", STANDARD.encode(account))
    }

    /// What stands for a credential or a token.
    fn secret(&self, name: Option<&str>, value: &str) -> String {
        // One value may stand under two keys, as in a test account: the key of this name comes first.
        let same = || self.credentials.iter().filter(|(_, secret)| secret.expose_secret() == value);
        let named = same().find(|(key, _)| Some(*key) == name).or_else(|| same().next());
        match named {
            Some((key, _)) => stand_in_for(key),
            None if value.is_empty() => String::new(),
            None => self.stand_ins.token(value),
        }
    }

    /// What stands for a text that is a credential, whatever its name.
    fn credential(&self, text: &str) -> Option<String> {
        let is = |secret: &SecretString| secret.expose_secret() == text && text.len() >= SHORTEST_CREDENTIAL;
        let found = self.credentials.iter().find(|(key, secret)| !is_public(self.kind, key) && is(secret));
        found.map(|(key, _)| stand_in_for(key))
    }

    fn body(&mut self, headers: &HeaderMap, bytes: &[u8], of_answer: bool) -> Body {
        let media = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.shown(Body::read(media, bytes), "", of_answer)
    }

    /// A body, or a file in one, that stands under this name.
    fn shown(&mut self, body: Body, name: &str, of_answer: bool) -> Body {
        match body {
            Body::Empty => Body::Empty,
            Body::Json(mut json) => {
                self.json(name, &mut json, of_answer);
                Body::Json(json)
            }
            Body::Xml(text) => {
                let length = text.len();
                let made = xml::mapped(&text, &mut |name, value| self.value(name, value, of_answer));
                // A page is XML at times, and says what a person wrote.
                let is_page = text.to_ascii_lowercase().contains("<html");
                made.filter(|_| !is_page).map_or(Body::Omitted(length), Body::Xml)
            }
            Body::Form(fields) => {
                let value = |(name, value): (String, String)| {
                    let made = self.value(&name, &value, of_answer);
                    (name, made)
                };
                Body::Form(fields.into_iter().map(value).collect())
            }
            Body::Parts(parts) => Body::Parts(parts.into_iter().map(|part| self.part(part, of_answer)).collect()),
            Body::Archive(files) => Body::Archive(
                files
                    .into_iter()
                    .map(|(file, body)| {
                        let made = self.shown(body, &file, of_answer);
                        (self.file(&file), made)
                    })
                    .collect(),
            ),
            Body::Text(text) if name.is_empty() => Body::Omitted(text.len()),
            // A field of a form, or a file of text.
            Body::Text(text) => match self.kind.handling(name, of_answer) {
                Handling::Hidden if self.kind.wire_words.files.contains(&name) => {
                    let made = self.stand_ins.content(text.as_bytes());
                    Body::Text(String::from_utf8(made).unwrap_or_default())
                }
                _ => Body::Text(self.value(name, &text, of_answer)),
            },
            Body::Base64(text) => {
                let content = STANDARD.decode(text).unwrap_or_default();
                Body::Base64(STANDARD.encode(self.stand_ins.content(&content)))
            }
            Body::Omitted(bytes) => Body::Omitted(bytes),
        }
    }

    fn part(&mut self, part: Part, of_answer: bool) -> Part {
        let body = self.shown(part.body, &part.name, of_answer);
        Part { name: part.name, file: part.file.map(|file| self.file(&file)), media: part.media, body }
    }

    fn file(&mut self, name: &str) -> String {
        if self.kind.wire_words.files.contains(&name) { name.to_owned() } else { self.hide(name) }
    }

    fn json(&mut self, name: &str, value: &mut Value, of_answer: bool) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(name, item, of_answer)),
            Value::Object(members) => {
                let taken = std::mem::take(members);
                for (name, mut value) in taken {
                    self.json(&name, &mut value, of_answer);
                    members.insert(self.member(name), value);
                }
            }
            Value::String(text) => *text = self.value(name, text, of_answer),
            Value::Number(number) if self.kind.handling(name, of_answer) == Handling::Hidden => {
                let text = number.to_string();
                self.remember(&text);
                let made = self.stand_ins.digits(&text);
                *value = serde_json::from_str(&made).unwrap_or(Value::Null);
            }
            Value::Number(_) => {}
        }
    }

    /// Names of members are words of a document; anything else may be a value that was made a name.
    fn member(&mut self, name: String) -> String {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_-.:$".contains(&byte));
        if plain && name.len() <= 64 { name } else { self.hide(&name) }
    }

    /// What is shown of a text under a name.
    fn value(&mut self, name: &str, text: &str, of_answer: bool) -> String {
        if text.is_empty() {
            return String::new();
        }
        let handling = self.kind.handling(name, of_answer);
        if handling == Handling::Secret {
            return self.secret(Some(name), text);
        }
        if let Some(stand_in) = self.credential(text) {
            return stand_in;
        }
        match handling {
            Handling::Shown | Handling::Incidental => text.to_owned(),
            Handling::Message => self.message(text),
            Handling::Secret | Handling::Hidden => self.hide(text),
        }
    }

    fn hide(&mut self, text: &str) -> String {
        self.remember(text);
        self.stand_ins.text(text)
    }

    fn remember(&mut self, text: &str) {
        // Content of files is no word that a sentence could repeat.
        if text.len() > 10_000 {
            return;
        }
        self.hidden.push(text.to_owned());
        if self.words.len() < MOST_WORDS {
            self.words.extend(words(text).filter_map(stem));
        }
    }

    /// A sentence of an answer, as a log would show it, and without any word of a value that was ever hidden.
    fn message(&self, text: &str) -> String {
        let secrets = self.credentials.iter().map(|(_, secret)| secret.expose_secret().to_owned());
        let values: Vec<String> =
            self.hidden.iter().cloned().chain(secrets).filter(|value| value.chars().count() > 2).collect();
        let redacted = redact_hiding(text, &values);
        let mut made = String::with_capacity(redacted.len());
        for piece in redacted.split_inclusive(|sign: char| !sign.is_alphanumeric()) {
            let word = piece.trim_end_matches(|sign: char| !sign.is_alphanumeric());
            let known = stem(word).is_some_and(|stem| self.words.contains(&stem));
            made.push_str(if known { "***" } else { word });
            made.push_str(piece.get(word.len()..).unwrap_or_default());
        }
        made
    }
}

/// Stands for a credential in every recording: a replay puts the account's own in its place.
pub fn stand_in_for(key: &str) -> String {
    format!("stand-in-{key}")
}

/// FER's user name is the hospital's own OID, which its records name too.
fn is_public(kind: &Kind, key: &str) -> bool {
    kind.name == "fer" && key == "username"
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|sign: char| !sign.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn stem(word: &str) -> Option<u64> {
    let stem: String = word.chars().flat_map(char::to_lowercase).take(STEM).collect();
    (stem.chars().count() > 2).then(|| xxh3_64(stem.as_bytes()))
}
