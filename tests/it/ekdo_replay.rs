//! Plays the three steps that the document of EKDO describes. It prints no request: what the cassette holds beside the steps are defaults.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mockito::Server;
use vitrina::portal::ekdo::{EkdoPortal, EkdoSettings, EkdoWire, Encoding, MOST_FILE_BYTES, SCHEMAS};
use vitrina::portal::{Batch, Delivery, Portal, Verdict};
use vitrina::record::{Fingerprint, Key};
use vitrina::recording::About;
use vitrina::transport::Pauses;

use crate::support::cassettes::{about, answer, cassette, given, json};
use crate::support::papers::{pdf, signature, write};

fn settings(url: &str, files: &Path, groups: BTreeMap<String, String>) -> EkdoSettings {
    EkdoSettings {
        url: url.parse().unwrap(),
        username: "login".into(),
        password: "password".into(),
        user_id: "1001".into(),
        files_root: files.to_owned(),
        max_file_bytes: MOST_FILE_BYTES,
        groups,
        default_group: None,
        wire: EkdoWire { encoding: Encoding::Base64, ..EkdoWire::default() },
        timeout: Duration::from_secs(20),
        requests_per_second: NonZeroU32::new(1000).unwrap(),
        ca_file: None,
        pauses: Pauses::DEFAULT,
    }
}

#[tokio::test]
async fn the_steps_of_the_document_follow_one_another() {
    let steps = ["1_token", "2_document", "3_signature"].map(|step| cassette(&format!("ekdo/{step}.json")));
    let About { repairs, deviations, .. } = about(&steps[0]);
    assert!(!deviations.is_empty() && repairs.is_empty(), "nothing is printed that could be repaired");
    let groups: BTreeMap<String, String> = serde_json::from_value(given(&steps[0], "groups")).unwrap();
    let files = tempfile::tempdir().unwrap();
    let ago = Duration::from_secs(60);
    write(&files.path().join("17.pdf"), &pdf(0), ago);
    write(&files.path().join("17.sig"), &signature(), ago);
    let mut server = Server::new_async().await;
    let mut mocks = Vec::new();
    for step in &steps {
        let (exchange, (status, answer)) = (&step.request, answer(step));
        let body = json(step).to_string();
        let body = body.replace("FILE", &STANDARD.encode(pdf(0))).replace("SIGNATURE", &STANDARD.encode(signature()));
        let mut mock = server.mock(&exchange.method, exchange.path.as_str()).match_body(body.as_str());
        for (name, value) in &exchange.headers {
            mock = mock.match_header(name.as_str(), value.as_str());
        }
        mock = mock.with_status(status.into()).with_body(answer);
        mocks.push(mock.expect(1).create_async().await);
    }
    let portal = EkdoPortal::new(settings(&server.url(), files.path(), groups), None).unwrap();
    let mut body = given(&steps[0], "row").to_string().into_bytes();
    portal.examine(SCHEMAS[0], &mut body).unwrap();
    let deliver = async |remote_id: Option<&str>| {
        let mut batch = Batch::default();
        batch.push(Key::parse("17"), Fingerprint::of(&body), remote_id.map(Into::into), false, &body);
        match portal.deliver(SCHEMAS[0], &batch).await {
            Delivery::Judged(mut verdicts) => verdicts.pop().unwrap(),
            Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => panic!("{failure:?}"),
        }
    };
    assert_eq!(deliver(None).await, Verdict::Begun { remote_id: "d5f1a6f0-17".into() });
    assert!(matches!(deliver(Some("d5f1a6f0-17")).await, Verdict::Accepted { receipt: Some(_) }));
    for mock in mocks {
        mock.assert_async().await;
    }
}
