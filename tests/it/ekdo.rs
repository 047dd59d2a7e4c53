//! EKDO against its stateful mock: documents from the file system, begun once and finished with their signatures.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::os::unix::fs::symlink;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use vitrina::demo::ekdo::{EkdoAccount, EkdoDocument, EkdoMock};
use vitrina::demo::fault::Fault;
use vitrina::demo::host::Host;
use vitrina::portal::ekdo::{
    EkdoPortal, EkdoSettings, EkdoWire, Encoding, LoginForm, MOST_FILE_BYTES, SCHEMAS, SignatureForm, TokenPlace,
};
use vitrina::portal::{Batch, Delivery, Portal, Verdict};
use vitrina::record::{Fingerprint, Key, Violation};
use vitrina::transport::{Failure, Pauses, Trouble};

use crate::support::hasty::Hasty;
use crate::support::papers::{pdf, signature, write};
use crate::support::traces::Traces;

const PASSWORD: &str = "pa55word-never-shown";
const AGAIN: Trouble = Trouble::Transient { retry_after: None };
/// Long enough ago for a file to be finished.
const AGO: Duration = Duration::from_secs(60);

/// A mock, its address, and a folder with one document and its signature.
struct Site {
    mock: EkdoMock,
    host: Host,
    files: TempDir,
}

impl Site {
    async fn new() -> Self {
        let mock = EkdoMock::new(EkdoAccount { password: PASSWORD.into(), ..EkdoAccount::default() });
        let host = mock.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let site = Site { mock, host, files: tempfile::tempdir().unwrap() };
        site.write("order.pdf", &pdf(2000));
        site.write("order.sig", &signature());
        site
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        write(&self.files.path().join(name), bytes, AGO);
    }

    fn settings(&self) -> EkdoSettings {
        EkdoSettings {
            url: EkdoMock::url(&self.host).parse().unwrap(),
            username: "demo".into(),
            password: PASSWORD.into(),
            user_id: "".into(),
            files_root: self.files.path().to_owned(),
            max_file_bytes: MOST_FILE_BYTES,
            groups: BTreeMap::from([("Приказ о приеме".to_owned(), "Приказы".to_owned())]),
            default_group: None,
            wire: EkdoWire::default(),
            timeout: Duration::from_secs(30),
            requests_per_second: NonZeroU32::new(1000).unwrap(),
            ca_file: None,
            pauses: Pauses::DEFAULT,
        }
    }

    fn portal(&self) -> EkdoPortal {
        EkdoPortal::new(self.settings(), None).unwrap()
    }

    fn only(&self) -> (String, EkdoDocument) {
        let mut documents = self.mock.documents();
        assert_eq!(documents.len(), 1, "one document was to be made");
        documents.pop_first().unwrap()
    }
}

fn row() -> Value {
    json!({
        "id": "17", "employee_name": "Щукин Феофан Ёлкович", "subtype": "Приказ о приеме", "number": "17/к", "date": "2026-03-02",
        "file_path": "order.pdf", "signature_path": "order.sig", "signature_type": "УКЭП",
    })
}

fn examined(portal: &EkdoPortal, row: &Value) -> Result<Vec<u8>, Vec<Violation>> {
    let mut body = row.to_string().into_bytes();
    portal.examine(SCHEMAS[0], &mut body).map(|()| body)
}

/// What is wrong with a row: field and text.
fn wrong(portal: &EkdoPortal, row: &Value) -> Vec<(String, String)> {
    let violations = examined(portal, row).err().unwrap_or_default();
    violations.into_iter().map(|broken| (broken.field.into_owned(), broken.text.into_owned())).collect()
}

async fn deliver(portal: &EkdoPortal, body: &[u8], remote_id: Option<&str>) -> Result<Verdict, Failure> {
    let mut batch = Batch::default();
    batch.push(Key::parse("17"), Fingerprint::of(body), remote_id.map(Into::into), false, body);
    match portal.deliver(SCHEMAS[0], &batch).await {
        Delivery::Judged(mut verdicts) => Ok(verdicts.pop().unwrap()),
        Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => Err(failure),
    }
}

fn begun(verdict: Result<Verdict, Failure>) -> String {
    match verdict {
        Ok(Verdict::Begun { remote_id }) => remote_id,
        other => panic!("{other:?}"),
    }
}

fn accepted(verdict: Result<Verdict, Failure>) {
    assert!(matches!(verdict, Ok(Verdict::Accepted { receipt: Some(_) })), "{verdict:?}");
}

#[tokio::test]
async fn a_document_is_begun_with_its_file_and_accepted_with_its_signature_in_both_encodings() {
    for encoding in [Encoding::Multipart, Encoding::Base64] {
        let site = Site::new().await;
        let wire = EkdoWire { encoding, ..EkdoWire::default() };
        let portal = EkdoPortal::new(EkdoSettings { wire, ..site.settings() }, None).unwrap();
        let body = examined(&portal, &row()).unwrap();
        let id = begun(deliver(&portal, &body, None).await);
        let (held_id, held) = site.only();
        assert_eq!(
            (&held_id, held.file_name.as_str()),
            (&id, "Щукин Феофан Ёлкович Приказ о приеме 17-к от 02.03.2026.pdf")
        );
        assert_eq!(held.fields, BTreeMap::from([("group".to_owned(), "Приказы".to_owned())]));
        assert_eq!((held.content.as_ref(), held.signature), (pdf(2000).as_slice(), None));
        // Another process goes on with what was begun.
        accepted(deliver(&site.portal(), &body, Some(&id)).await);
        let (kind, bytes) = site.only().1.signature.unwrap();
        assert_eq!((kind.as_str(), bytes.as_ref()), ("УКЭП", signature().as_slice()));
    }
}

#[tokio::test]
async fn the_largest_document_arrives_whole_and_one_byte_more_is_refused_here() {
    let site = Site::new().await;
    let portal = site.portal();
    let largest = pdf(MOST_FILE_BYTES as usize);
    assert_eq!(largest.len() as u64, MOST_FILE_BYTES);
    site.write("order.pdf", &largest);
    begun(deliver(&portal, &examined(&portal, &row()).unwrap(), None).await);
    assert!(site.only().1.content == largest);
    site.write("order.pdf", &pdf(MOST_FILE_BYTES as usize + 1));
    let [(field, text)] = &wrong(&portal, &row())[..] else { panic!("one thing is wrong") };
    assert!(field == "file_path" && text == "is larger than 15728640 bytes", "{text}");
}

#[tokio::test]
async fn a_file_that_was_replaced_makes_another_version_and_a_touched_one_does_not() {
    let site = Site::new().await;
    let portal = site.portal();
    let first = examined(&portal, &row()).unwrap();
    write(&site.files.path().join("order.pdf"), &pdf(2000), AGO * 2);
    assert_eq!(examined(&portal, &row()).unwrap(), first);
    site.write("order.pdf", &pdf(2001));
    let second = examined(&portal, &row()).unwrap();
    site.write("order.sig", &[signature(), Vec::new()].concat());
    assert_ne!(first, second);
    assert_eq!(examined(&portal, &row()).unwrap(), second);
}

#[tokio::test]
async fn what_is_wrong_with_files_and_group_is_said_all_at_once_and_names_nobody() {
    let site = Site::new().await;
    let portal = site.portal();
    site.write("order.pdf", "PK\u{3}\u{4} Щукин".as_bytes());
    let mut bad = row();
    bad["signature_path"] = json!("Щукин.sig");
    bad["subtype"] = json!("Приказ Щукин");
    let found = wrong(&portal, &bad);
    let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["subtype", "file_path", "signature_path"]);
    assert!(found.iter().all(|(_, text)| !text.contains("Щукин")), "{found:?}");
}

#[tokio::test]
async fn no_link_leads_out_of_the_folder() {
    let site = Site::new().await;
    let outside = tempfile::tempdir().unwrap();
    write(&outside.path().join("secret.pdf"), &pdf(100), AGO);
    symlink(outside.path().join("secret.pdf"), site.files.path().join("link.pdf")).unwrap();
    for path in ["link.pdf".to_owned(), outside.path().join("secret.pdf").display().to_string()] {
        let mut bad = row();
        bad["file_path"] = json!(path);
        assert_eq!(wrong(&site.portal(), &bad), [("file_path".into(), "lies outside files_root".into())], "{path}");
    }
}

#[tokio::test]
async fn a_file_that_is_being_written_is_looked_at_again() {
    let site = Site::new().await;
    let portal = site.portal();
    let path = site.files.path().join("order.pdf");
    write(&path, &pdf(3000), Duration::ZERO);
    let [(_, text)] = &wrong(&portal, &row())[..] else { panic!("one thing is wrong") };
    assert!(text.contains("still being written"), "{text}");
    write(&path, &pdf(3000), AGO);
    assert!(examined(&portal, &row()).is_ok());
}

#[tokio::test]
async fn nothing_is_sent_of_a_file_that_changed_after_it_was_examined() {
    let site = Site::new().await;
    let portal = site.portal();
    let body = examined(&portal, &row()).unwrap();
    site.write("order.pdf", &pdf(2001));
    let verdict = deliver(&portal, &body, None).await;
    assert!(matches!(&verdict, Ok(Verdict::Rejected { code, .. }) if code == "FILE_CHANGED"), "{verdict:?}");
    std::fs::remove_file(site.files.path().join("order.pdf")).unwrap();
    let verdict = deliver(&portal, &body, None).await;
    assert!(matches!(&verdict, Ok(Verdict::Rejected { code, .. }) if code == "FILE_CHANGED"), "{verdict:?}");
    assert_eq!((site.mock.documents().len(), site.mock.counts().logins), (0, 0));
}

#[tokio::test]
async fn a_document_whose_answer_was_lost_is_told_from_one_that_never_came() {
    for (fault, made, trouble, maybe_applied) in [
        (Fault::LoseAnswer, 1, AGAIN, true),
        (Fault::Page, 1, AGAIN, true),
        (Fault::Empty, 1, AGAIN, true),
        (Fault::Status(502), 0, AGAIN, true),
        (Fault::Status(503), 0, Trouble::Maintenance { retry_after: None }, false),
        (Fault::Status(404), 0, Trouble::FeedParked, false),
        (Fault::Status(405), 0, Trouble::FeedParked, false),
    ] {
        let site = Site::new().await;
        let portal = site.portal();
        site.mock.plan(fault);
        let failure = deliver(&portal, &examined(&portal, &row()).unwrap(), None).await.unwrap_err();
        assert_eq!((failure.trouble, failure.maybe_applied), (trouble, maybe_applied), "{fault:?}");
        assert_eq!(site.mock.documents().len(), made, "{fault:?}");
    }
}

#[tokio::test]
async fn a_signature_is_sent_again_until_it_is_there() {
    let site = Site::new().await;
    let portal = site.portal();
    let body = examined(&portal, &row()).unwrap();
    let id = begun(deliver(&portal, &body, None).await);
    for fault in [Fault::Status(503), Fault::Status(500), Fault::LoseAnswer] {
        site.mock.plan(fault);
        deliver(&portal, &body, Some(&id)).await.unwrap_err();
    }
    // It is there since the last one: the mock says 409.
    accepted(deliver(&portal, &body, Some(&id)).await);
    assert_eq!((site.mock.counts().signatures, site.mock.counts().documents), (1, 1));
}

#[tokio::test]
async fn a_signature_to_a_document_that_was_deleted_is_for_a_person() {
    let site = Site::new().await;
    let portal = site.portal();
    let body = examined(&portal, &row()).unwrap();
    let id = begun(deliver(&portal, &body, None).await);
    site.mock.delete(&id);
    let verdict = deliver(&portal, &body, Some(&id)).await;
    assert!(matches!(&verdict, Ok(Verdict::Rejected { code, .. }) if code == "NOT_FOUND"), "{verdict:?}");
    assert!(site.mock.documents().is_empty());
}

#[tokio::test]
async fn a_token_that_was_revoked_is_renewed_and_the_whole_file_sent_again() {
    let site = Site::new().await;
    let portal = site.portal();
    site.write("order.pdf", &pdf(1 << 20));
    portal.authenticate().await.unwrap();
    site.mock.revoke_tokens();
    begun(deliver(&portal, &examined(&portal, &row()).unwrap(), None).await);
    assert!(site.only().1.content == pdf(1 << 20));
    assert_eq!((site.mock.counts().logins, site.mock.counts().unauthorized), (2, 1));
}

#[tokio::test]
async fn a_document_arrives_whole_though_the_refused_attempt_is_still_going_out() {
    for encoding in [Encoding::Multipart, Encoding::Base64] {
        let (site, hasty) = (Site::new().await, Hasty::start().await);
        let document = pdf(MOST_FILE_BYTES as usize);
        site.write("order.pdf", &document);
        let url = format!("http://{}", hasty.address).parse().unwrap();
        let wire = EkdoWire { encoding, ..EkdoWire::default() };
        let portal = EkdoPortal::new(EkdoSettings { url, wire, ..site.settings() }, None).unwrap();
        assert_eq!(begun(deliver(&portal, &examined(&portal, &row()).unwrap(), None).await), "d-1");
        let content = match encoding {
            Encoding::Multipart => document,
            Encoding::Base64 => STANDARD.encode(document).into_bytes(),
        };
        let arrived = hasty.arrived();
        let start = arrived.windows(4).position(|start| start == &content[..4]).unwrap();
        assert!(arrived[start..].starts_with(&content), "{encoding:?}");
    }
}

#[tokio::test]
async fn wrong_credentials_are_tried_once_and_lock_nothing() {
    let site = Site::new().await;
    let portal = EkdoPortal::new(EkdoSettings { password: "wrong".into(), ..site.settings() }, None).unwrap();
    let body = examined(&portal, &row()).unwrap();
    for _ in 0..20 {
        let failure = deliver(&portal, &body, None).await.unwrap_err();
        assert_eq!((failure.trouble, failure.maybe_applied), (Trouble::Parked, false));
    }
    assert_eq!(site.mock.counts().logins_refused, 1);
    assert!(!site.mock.is_locked());
}

#[tokio::test]
async fn what_the_document_leaves_open_can_be_set() {
    use crate::support::gateway::{Gateway, Reply};
    let site = Site::new().await;
    let gateway = Gateway::start(|seen, _| match seen.target.as_str() {
        "/v2/login" => Reply::json(200, &json!({"ключ": "t"})),
        "/v2/files?key=t" => Reply::json(200, &json!({"result": {"number": 5}})),
        _ => Reply::new(204, ""),
    })
    .await;
    let mut wire = EkdoWire {
        token_path: "/v2/login".into(),
        docs_path: "v2/files/".into(),
        signature_path: "/v2/files/{id}/sign".into(),
        login: LoginForm::Form,
        token_place: TokenPlace::Query("key".into()),
        encoding: Encoding::Base64,
        signature_form: SignatureForm::Base64,
        signature_types: BTreeMap::from([("УКЭП".to_owned(), "ukep".to_owned())]),
        ..EkdoWire::default()
    };
    wire.names.token = "ключ".into();
    wire.names.document_id = "number".into();
    wire.names.user_id = "operator".into();
    let settings = EkdoSettings { url: gateway.url.parse().unwrap(), user_id: "u 5".into(), wire, ..site.settings() };
    let portal = EkdoPortal::new(settings, None).unwrap();
    let body = examined(&portal, &row()).unwrap();
    assert_eq!(begun(deliver(&portal, &body, None).await), "5");
    accepted(deliver(&portal, &body, Some("5")).await);
    let seen = gateway.seen();
    assert_eq!(seen[0].header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(seen[0].body, format!("username=demo&password={PASSWORD}&operator=u+5").into_bytes());
    let document: Value = serde_json::from_slice(&seen[1].body).unwrap();
    assert_eq!((document["operator"].as_str(), document["group"].as_str()), (Some("u 5"), Some("Приказы")));
    assert_eq!(seen[2].target, "/v2/files/5/sign?key=t");
    let signed: Value = serde_json::from_slice(&seen[2].body).unwrap();
    assert_eq!(signed["type"], "ukep");
    assert!(
        seen[1].header("content-length") == seen[1].body.len().to_string()
            && seen[1].header("transfer-encoding").is_empty()
    );
}

#[tokio::test]
async fn neither_traces_nor_texts_hold_a_secret_or_a_name() {
    let (traces, _guard) = Traces::capture();
    let site = Site::new().await;
    let settings = site.settings();
    let mut texts = format!("{settings:?}");
    let portal = EkdoPortal::new(settings, None).unwrap();
    let body = examined(&portal, &row()).unwrap();
    for fault in [Fault::Status(500), Fault::Page, Fault::None] {
        site.mock.plan(fault);
        let verdict = deliver(&portal, &body, None).await;
        texts.push_str(&format!("{verdict:?}"));
        if let Ok(Verdict::Begun { remote_id }) = verdict {
            texts.push_str(&format!("{:?}", deliver(&portal, &body, Some(&remote_id)).await));
        }
    }
    let traced = traces.text();
    assert!(traced.contains("/docs") && traced.contains("/token"), "nothing was captured");
    assert!(texts.contains("signed"), "{texts}");
    for secret in [PASSWORD, "Щукин", "Феофан", "order.pdf"] {
        assert!(!traced.contains(secret), "{secret} is traced");
        assert!(!texts.contains(secret), "{secret} is in {texts}");
    }
}
