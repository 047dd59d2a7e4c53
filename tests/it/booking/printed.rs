//! The requests that the document prints, answered byte for byte as it prints its answers, after the repairs that each cassette lists.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::site::builtin;
use crate::support::mart::send;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cassette {
    name: String,
    section: String,
    repairs: Vec<String>,
    deviations: Vec<String>,
    path: String,
    request: String,
    /// What the hospital's system says.
    statement: String,
    answer: Value,
}

#[tokio::test]
async fn the_printed_requests_are_answered_as_printed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay/booking");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 3);
    let mut hospital = builtin().await;
    for file in files {
        let cassette: Cassette = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert!(!cassette.section.is_empty() && cassette.repairs.len() + cassette.deviations.len() > 0);
        hospital.config.book = vec![cassette.statement.clone()];
        hospital.config.cancel = vec![cassette.statement];
        let site = hospital.open().await;
        let request = site.client.post(format!("{}{}", site.url, cassette.path)).body(cassette.request);
        let (status, answer) = send(request).await;
        assert_eq!((status.as_u16(), &answer), (200, &cassette.answer), "{}", cassette.name);
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&answer), keys(&cassette.answer), "{}: in the table's order", cassette.name);
    }
}
