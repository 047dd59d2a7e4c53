//! What a configuration says of the open wire of EKDO, as it arrives at the portal: each setting in its own place.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use vitrina::config::{Environment, load};
use vitrina::daemon::{Access, Assembly};
use vitrina::sync::Order;
use vitrina::telemetry::Metrics;

use crate::support::database::sqlite;
use crate::support::gateway::{Gateway, Reply};
use crate::support::papers::{pdf, signature, write};

const SETTINGS: &str = r#"
kind = "ekdo"
username = "the-account"
password = "the-password"
user_id = "the-user"
token_path = "/a/login"
docs_path = "/b/papers"
signature_path = "/c/{id}/sign"
token_method = "PUT"
signature_method = "PATCH"
login = "form"
encoding = "base64"
signature_form = "base64"
signature_types = { "УКЭП" = "qualified" }
token_place = "header"
token_name = "X-Pass"
fields = { username = "f-account", password = "f-password", user_id = "f-user", token = "f-token", file = "f-file", file_name = "f-name", group = "f-group", number = "f-number", date = "f-date", subtype = "f-subtype", employee = "f-employee", document_id = "f-id", signature = "f-signature", signature_type = "f-type" }
groups = { "Приказ" = "Приказы" }
default_group = "Прочее"
retry = { initial = "1s", max = "1s" }
"#;

#[tokio::test]
async fn each_setting_arrives_in_its_own_place() {
    let gateway = Gateway::start(|seen, _| match seen.target.as_str() {
        "/a/login" => Reply::json(200, &json!({"token": "another", "f-token": "the-token"})),
        "/b/papers" => Reply::json(200, &json!({"id": "another", "f-id": "d-5"})),
        _ => Reply::new(204, ""),
    })
    .await;
    let db = sqlite().await;
    db.execute(&[
        "CREATE VIEW vitrina_ekdo_document AS SELECT '17' AS id, 'Щукин Феофан' AS employee_name, 'Приказ' AS subtype, '4' AS number,
         '2026-11-02' AS date, 'order.pdf' AS file_path, 'order.sig' AS signature_path, 'УКЭП' AS signature_type
         UNION ALL SELECT '18', 'Щукин Феофан', 'Справка', '5', '2026-11-02', 'order.pdf', 'order.sig', 'УНЭП'",
    ])
    .await;
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("order.pdf", pdf(2000)), ("order.sig", signature())] {
        write(&folder.path().join(name), &bytes, Duration::from_secs(60));
    }
    let text = format!(
        "[sources.mis]\nurl = \"{}\"\n[ledger]\nurl = \"sqlite:{folder}/ledger.db\"\n[portals.ekdo]\nurl = \"{}\"\nfiles_root = \"{folder}\"\n\
         {SETTINGS}",
        db.url,
        gateway.url,
        folder = folder.path().display(),
    );
    let path = folder.path().join("vitrina.toml");
    std::fs::write(&path, text).unwrap();
    let config = load(&path, &Environment::of([("", ""); 0])).unwrap().config;
    let assembly = Assembly::open(&config, &Metrics::new().unwrap(), Access::Write).await.unwrap();
    for _ in 0..2 {
        assembly.lines[0].cycle("document", Order::default()).await.unwrap();
    }

    let seen = gateway.seen();
    let at = |target: &str| seen.iter().filter(|seen| seen.target == target).collect::<Vec<_>>();
    let [login] = at("/a/login")[..] else { panic!("one login") };
    assert_eq!((login.method.as_str(), login.header("content-type")), ("PUT", "application/x-www-form-urlencoded"));
    assert_eq!(login.body, b"f-account=the-account&f-password=the-password&f-user=the-user");
    let mut documents: Vec<Value> = Vec::new();
    for document in at("/b/papers") {
        assert_eq!((document.method.as_str(), document.header("x-pass")), ("POST", "the-token"));
        documents.push(serde_json::from_slice(&document.body).unwrap());
    }
    documents.sort_by_key(|document| document["f-name"].to_string());
    let groups: Vec<&Value> = documents.iter().map(|document| &document["f-group"]).collect();
    assert_eq!(groups, ["Приказы", "Прочее"]);
    for (document, name) in documents.iter().zip(["Приказ 4", "Справка 5"]) {
        assert_eq!(document["f-name"], format!("Щукин Феофан {name} от 02.11.2026.pdf"));
        let attributes = ["f-subtype", "f-number"].map(|name| document[name].as_str().unwrap()).join(" ");
        assert_eq!((attributes.as_str(), document["f-date"].as_str()), (name, Some("2026-11-02")));
        assert_eq!(document["f-employee"], "Щукин Феофан");
        assert_eq!(
            (&document["f-user"], &document["f-file"]),
            (&json!("the-user"), &json!(STANDARD.encode(pdf(2000))))
        );
    }
    let mut types = Vec::new();
    for signed in at("/c/d-5/sign") {
        assert_eq!(signed.method, "PATCH");
        let body: Value = serde_json::from_slice(&signed.body).unwrap();
        assert_eq!(body["f-signature"], STANDARD.encode(STANDARD.encode(signature())));
        types.push(body["f-type"].as_str().unwrap().to_owned());
    }
    types.sort();
    assert_eq!(types, ["qualified", "УНЭП"]);
}
