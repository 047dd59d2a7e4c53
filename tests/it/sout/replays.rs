//! Plays what the document prints and describes, byte for byte after the repairs that each cassette lists.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::json;
use vitrina::portal::sout::SoutSettings;
use vitrina::portal::{Delivery, Finding, Portal, Verdict};
use vitrina::record::Stage;

use crate::support::gateway::{Gateway, Reply, Seen};
use crate::support::sout::{asked, many, portal, schema, settings, signing};

/// The key of the document's figure.
const KEY: &str = "38aa6eff27734b47990dc667310b03ff";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cassette {
    name: String,
    section: String,
    repairs: Vec<String>,
    deviations: Vec<String>,
    request: Request,
    answer: Answer,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    path: String,
    parts: Vec<Part>,
}

/// A part of a form: text, or an archive of texts by the names of their files.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Part {
    name: String,
    file: String,
    #[serde(rename = "type")]
    media: String,
    text: Option<String>,
    archive: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Accepted { set_id: String, status: String },
    Rejected { code: String, text: String },
    Registered { set_id: String, base_no: String },
    Absent,
}

fn cassette(file: &str) -> Cassette {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay/sout").join(file);
    let cassette: Cassette = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(!cassette.name.is_empty() && !cassette.section.is_empty());
    assert!(cassette.repairs.iter().chain(&cassette.deviations).all(|note| !note.is_empty()));
    assert_eq!(cassette.answer.headers["content-type"], "application/xml; charset=utf-8");
    cassette
}

/// The parts of a form as they arrived.
fn parts(seen: &Seen) -> Vec<Part> {
    let boundary = seen.header("content-type").split_once("boundary=").unwrap().1;
    let delimiter = format!("--{boundary}");
    let mut rest = seen.body.as_slice();
    let mut parts = Vec::new();
    while let Some(end) = find(rest, delimiter.as_bytes()) {
        if let Some(head) = find(&rest[..end], b"\r\n\r\n") {
            let (head, body) = (std::str::from_utf8(&rest[..head]).unwrap(), &rest[head + 4..end - 2]);
            parts.push(part(head, body));
        }
        rest = &rest[end + delimiter.len()..];
    }
    parts
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn part(head: &str, body: &[u8]) -> Part {
    let after = |mark: &str, end: char| head.split_once(mark).unwrap().1.split(end).next().unwrap().to_owned();
    let media = after("Content-Type: ", '\r');
    let text = (media == "text/xml").then(|| String::from_utf8(body.to_vec()).unwrap());
    let archive = text.is_none().then(|| unpacked(body));
    Part { name: after(" name=\"", '"'), file: after("filename=\"", '"'), media, text, archive }
}

fn unpacked(body: &[u8]) -> BTreeMap<String, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(body)).unwrap();
    let mut files = BTreeMap::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        files.insert(file.name().unwrap().into_owned(), text);
    }
    files
}

async fn replay(file: &str) {
    let cassette = cassette(file);
    let (status, body) = (cassette.answer.status, cassette.answer.body.clone());
    let gateway = Gateway::start(move |seen, _| match seen.method.as_str() {
        "GET" => Reply::json(200, &json!({"learnPrograms": [{"id": 4, "code": "x", "title": "Программа"}]})),
        _ => Reply::new(status, body.clone()).with("content-type", "application/xml; charset=utf-8"),
    })
    .await;
    let signed = cassette.request.parts.iter().filter_map(|part| part.archive.as_ref()).any(|files| files.len() > 1);
    let settings = settings(&gateway.url, signed.then(signing));
    let portal = portal(SoutSettings { api_key: KEY.into(), ..settings });
    let batch = many(1);
    match cassette.expect {
        Expect::Accepted { set_id, status } => {
            let Delivery::Judged(verdicts) = portal.deliver(schema(), &batch).await else { panic!("not judged") };
            let [Verdict::Accepted { receipt: Some(receipt) }] = verdicts.as_slice() else { panic!("{verdicts:?}") };
            let stage = if status == "draft" { Stage::Draft } else { Stage::Sent };
            assert_eq!((receipt.stage, receipt.set_id.as_ref()), (stage, Some(&set_id)));
            assert_eq!(receipt.status.as_ref(), Some(&status));
        }
        Expect::Rejected { code, text } => {
            let Delivery::Judged(verdicts) = portal.deliver(schema(), &batch).await else { panic!("not judged") };
            let [Verdict::Rejected { code: found, text: said, .. }] = verdicts.as_slice() else {
                panic!("{verdicts:?}")
            };
            assert_eq!((found, said), (&code, &text));
        }
        Expect::Registered { set_id, base_no } => {
            let findings = portal.inquire(schema(), &asked(&batch, None)).await.unwrap();
            let [Finding::Held(receipt)] = findings.as_slice() else { panic!("{findings:?}") };
            assert_eq!((receipt.set_id.as_ref(), receipt.base_no.as_ref()), (Some(&set_id), Some(&base_no)));
        }
        Expect::Absent => {
            let mut asked = asked(&batch, None);
            // Sets are not signed here: what is not found may be a draft.
            asked.iter_mut().for_each(|record| record.signed = Some(false));
            let findings = portal.inquire(schema(), &asked).await.unwrap();
            assert_eq!(findings, [Finding::Unclear]);
        }
    }
    let sent: Vec<Seen> = gateway.seen().into_iter().filter(|seen| seen.method != "GET").collect();
    assert_eq!(sent.len(), 1);
    assert_eq!((&sent[0].method, &sent[0].target), (&cassette.request.method, &cassette.request.path));
    assert_eq!(parts(&sent[0]), cassette.request.parts);
}

#[tokio::test]
async fn a_set_that_was_made_and_not_sent_on() {
    replay("push_created.json").await;
}

#[tokio::test]
async fn a_signed_set_that_was_sent_on() {
    replay("push_sent.json").await;
}

#[tokio::test]
async fn a_set_that_was_refused() {
    replay("push_refused.json").await;
}

#[tokio::test]
async fn the_printed_structure_of_a_page() {
    replay("read_printed.json").await;
}

#[tokio::test]
async fn a_record_that_has_its_number() {
    replay("read_registered.json").await;
}
