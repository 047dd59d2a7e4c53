//! Printed exchanges: cassettes of the form that recordings have, read by the recordings' own reader.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;
use vitrina::recording::{About, Body, Cassette};

/// The folder of a kind's cassettes, or of all.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay").join(name)
}

/// The one cassette of a file; it says where it comes from.
pub fn cassette(file: &str) -> Cassette {
    let text = std::fs::read(folder(file)).unwrap();
    let cassettes = Cassette::read_all(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let [cassette] = <[Cassette; 1]>::try_from(cassettes).unwrap();
    let About { name, section, repairs, deviations } = about(&cassette);
    let notes = [name, section].into_iter().chain(repairs).chain(deviations);
    assert!(notes.into_iter().all(|note| !note.is_empty()), "{file}");
    cassette
}

/// Where it comes from.
pub fn about(cassette: &Cassette) -> &About {
    cassette.about.as_ref().unwrap()
}

/// The JSON that a cassette sends; null for none.
pub fn json(cassette: &Cassette) -> Value {
    match &cassette.request.body {
        Body::Empty => Value::Null,
        Body::Json(json) => json.clone(),
        other => panic!("{other:?}"),
    }
}

/// The printed answer's status and its body, byte for byte.
pub fn answer(cassette: &Cassette) -> (u16, String) {
    let answer = cassette.answer.as_ref().unwrap();
    (answer.status, String::from_utf8(answer.body.written().unwrap().0).unwrap())
}

/// What is expected of it.
pub fn expected<T: DeserializeOwned>(cassette: &Cassette) -> T {
    serde_json::from_value(cassette.expect.clone()).unwrap()
}

/// Something that a test needs beside it; null for nothing.
pub fn given(cassette: &Cassette, name: &str) -> Value {
    cassette.given.get(name).cloned().unwrap_or_default()
}
