//! Plays what the document prints and describes, byte for byte after the repairs that each cassette lists.

use serde::Deserialize;
use serde_json::json;
use vitrina::portal::sout::SoutSettings;
use vitrina::portal::{Delivery, Finding, Portal, Verdict};
use vitrina::record::Stage;
use vitrina::recording::Body;

use crate::support::cassettes::{answer, cassette, expected};
use crate::support::gateway::{Gateway, Reply, Seen};
use crate::support::sout::{asked, many, portal, schema, settings, signing};

/// The key of the document's figure.
const KEY: &str = "38aa6eff27734b47990dc667310b03ff";

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Accepted { set_id: String, status: String },
    Rejected { code: String, text: String },
    Registered { set_id: String, base_no: String },
    Absent,
}

async fn replay(file: &str) {
    let cassette = cassette(&format!("sout/{file}"));
    let headers = &cassette.answer.as_ref().unwrap().headers;
    assert_eq!(headers["content-type"], "application/xml; charset=utf-8");
    let (status, body) = answer(&cassette);
    let gateway = Gateway::start(move |seen, _| match seen.method.as_str() {
        "GET" => Reply::json(200, &json!({"learnPrograms": [{"id": 4, "code": "x", "title": "Программа"}]})),
        _ => Reply::new(status, body.clone()).with("content-type", "application/xml; charset=utf-8"),
    })
    .await;
    let Body::Parts(parts) = &cassette.request.body else { panic!("{file} sends no form") };
    let signed = parts.iter().any(|part| matches!(&part.body, Body::Archive(files) if files.len() > 1));
    let settings = settings(&gateway.url, signed.then(signing));
    let portal = portal(SoutSettings { api_key: KEY.into(), ..settings });
    let batch = many(1);
    match expected::<Expect>(&cassette) {
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
    assert_eq!(Body::read(sent[0].header("content-type"), &sent[0].body), cassette.request.body);
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
