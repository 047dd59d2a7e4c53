//! `vitrina check --offline` of the portals that take exchanges: the account of each kind, its own settings, and what they say about each other.

use std::fs;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;
use vitrina::config::{
    Config, Environment, FileEncoding, OnUnknownOutcome, Own, PortalKind, Schedule, SignatureEncoding, TokenPlace, load,
};

use crate::support::command::{run, vitrina, write_private};
use crate::support::database::sqlite;

const GOOD: &str = r#"
[sources.mis]
url = "postgres://vitrina@localhost/mis"
timezone = "Asia/Yekaterinburg"

[serve]
platform_listen = "127.0.0.1:9465"

[portals.sout]
kind = "sout"
url = "https://edu.rosmintrud.ru"
api_key = "hunter2hunter2hunter2hunter2hunt"
sign_command = ["/usr/bin/sign", "--detached"]
[portals.sout.feeds.training]
write_back = "UPDATE training SET no = :base_no WHERE id = :key"

[portals.nmo_higher]
kind = "nmo"
url = "https://vo.edu.rosminzdrav.ru"
client_id = "hunter2"
client_secret = "hunter2"
username = "hunter2"
password = "hunter2"
[portals.nmo_higher.platform]
portal_id = "higher"
portal_secret = "hunter2"
redirect_template = "https://edu.hospital.ru/{module_id}"

[portals.pos]
kind = "pos"
url = "https://pos.gosuslugi.ru/og/rgis/analytics"
access_token = "hunter2"
refresh_token = "hunter2"
name = "hunter2"
on_unknown_outcome = "resend"

[portals.ekdo]
kind = "ekdo"
url = "https://ekdo.trudvsem.ru/api"
username = "hunter2"
password = "hunter2"
user_id = "hunter2"
files_root = "files"
encoding = "base64"
fields = { document_id = "docId" }
groups = { "Приказ № 1.2 о приёме" = "Приказы" }
"#;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("files")).unwrap();
    folder
}

fn read(text: &str) -> Config {
    let folder = folder();
    load(&write_private(folder.path(), "vitrina.toml", text), &Environment::default()).unwrap().config
}

/// Each problem that the check finds, as `severity key`, and all it printed.
fn problems(text: &str) -> (Vec<String>, String) {
    let folder = folder();
    let path = write_private(folder.path(), "vitrina.toml", text);
    let ran = run(vitrina(&["check", "--offline", "--json", "--config", path.to_str().unwrap()]));
    let problems: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let name =
        |problem: &Value| format!("{} {}", problem["severity"].as_str().unwrap(), problem["key"].as_str().unwrap());
    (problems.iter().map(name).collect(), ran.out)
}

fn after(section: &str, lines: &str) -> String {
    assert!(GOOD.contains(section));
    GOOD.replace(section, &format!("{section}\n{lines}"))
}

#[test]
fn four_kinds_side_by_side_have_no_problems_and_each_its_own_settings() {
    assert_eq!(problems(GOOD).0, Vec::<String>::new());
    let config = read(GOOD);
    let Own::Sout(sout) = &config.portals["sout"].own else { panic!("no sout") };
    assert_eq!(sout.sign_command.as_deref(), Some(&["/usr/bin/sign".to_owned(), "--detached".to_owned()][..]));
    assert_eq!((sout.sig_encoding, sout.inquire_every), (SignatureEncoding::Base64, Duration::from_secs(300)));
    assert_eq!((sout.absent_after, sout.page_size), (Duration::from_secs(6 * 3600), 1000));
    let Own::Nmo(nmo) = &config.portals["nmo_higher"].own else { panic!("no nmo") };
    assert_eq!(nmo.platform.as_ref().unwrap().portal_secret.expose_secret(), "hunter2");
    let Own::Pos(pos) = &config.portals["pos"].own else { panic!("no pos") };
    assert_eq!((pos.refresh_path.as_str(), pos.on_unknown_outcome), ("/refresh-token", OnUnknownOutcome::Resend));
    let Own::Ekdo(ekdo) = &config.portals["ekdo"].own else { panic!("no ekdo") };
    assert_eq!((ekdo.encoding, ekdo.token_place), (FileEncoding::Base64, TokenPlace::Bearer));
    assert_eq!((ekdo.fields.document_id.as_str(), ekdo.fields.file.as_str()), ("docId", "file"));
    assert_eq!(ekdo.groups["Приказ № 1.2 о приёме"], "Приказы");
    assert!(ekdo.files_root.ends_with("files"));
}

#[test]
fn what_a_portal_is_sent_at_once_suits_its_kind() {
    let config = read(GOOD);
    let batch = |portal: &str| config.portals[portal].batch;
    assert_eq!(["sout", "nmo_higher", "pos", "ekdo"].map(batch), [5000, 1, 1, 1]);
    let feed = &config.portals["sout"].feeds["training"];
    assert!(matches!(feed.schedule, Schedule::Cron(_)), "{:?}", feed.schedule);
    assert_eq!(feed.write_back.as_ref().unwrap().len(), 1);
    assert_eq!(config.portals["sout"].kind(), PortalKind::Sout);
    assert_eq!(config.portals["pos"].inquire_every(), None);
}

#[test]
fn each_mistake_of_a_kind_is_found_at_its_key() {
    let without = |line: &str| {
        assert!(GOOD.contains(line));
        GOOD.replacen(line, "", 1)
    };
    let cases = [
        (without("api_key = \"hunter2hunter2hunter2hunter2hunt\""), "portals.sout.api_key"),
        (without("client_id = \"hunter2\""), "portals.nmo_higher.client_id"),
        (without("refresh_token = \"hunter2\""), "portals.pos.refresh_token"),
        (without("user_id = \"hunter2\""), "portals.ekdo.user_id"),
        (without("files_root = \"files\""), "portals.ekdo.files_root"),
        (GOOD.replace("\"files\"", "\"nowhere\""), "portals.ekdo.files_root"),
        (GOOD.replace("[\"/usr/bin/sign\", \"--detached\"]", "\"/usr/bin/sign\""), "portals.sout.sign_command"),
        (GOOD.replace("[\"/usr/bin/sign\", \"--detached\"]", "[]"), "portals.sout.sign_command"),
        (GOOD.replace("[\"/usr/bin/sign\", \"--detached\"]", "[\"sign\", 5]"), "portals.sout.sign_command"),
        (after("api_key = \"hunter2hunter2hunter2hunter2hunt\"", "batch = 5001"), "portals.sout.batch"),
        (
            after("api_key = \"hunter2hunter2hunter2hunter2hunt\"", "sig_encoding = \"pem\""),
            "portals.sout.sig_encoding",
        ),
        (after("api_key = \"hunter2hunter2hunter2hunter2hunt\"", "absent_after = \"1m\""), "portals.sout.absent_after"),
        (after("api_key = \"hunter2hunter2hunter2hunter2hunt\"", "page_size = 5001"), "portals.sout.page_size"),
        (after("api_key = \"hunter2hunter2hunter2hunter2hunt\"", "username = \"u\""), "portals.sout.username"),
        (after("[portals.sout.feeds.training]", "batch = 6000"), "portals.sout.feeds.training.batch"),
        (GOOD.replace("feeds.training", "feeds.trainings"), "portals.sout.feeds.trainings"),
        (after("refresh_token = \"hunter2\"", "batch = 2"), "portals.pos.batch"),
        (after("refresh_token = \"hunter2\"", "inquire_every = \"1m\""), "portals.pos.inquire_every"),
        (after("refresh_token = \"hunter2\"", "refresh_path = \"refresh\""), "portals.pos.refresh_path"),
        (GOOD.replace("\"resend\"", "\"repeat\""), "portals.pos.on_unknown_outcome"),
        (after("refresh_token = \"hunter2\"", "expires_in = 3600"), "portals.pos.expires_in"),
        (after("refresh_token = \"hunter2\"", "host = \"https://pos.gosuslugi.ru\""), "portals.pos.host"),
        (after("api_key = \"hunter2hunter2hunter2hunter2hunt\"", "host = \"a b\""), "portals.sout.host"),
        (GOOD.replace(":base_no", ":registry_no"), "portals.sout.feeds.training.write_back"),
        (GOOD.replace("\"UPDATE", "\"COMMIT; UPDATE"), "portals.sout.feeds.training.write_back"),
        (after("user_id = \"hunter2\"", "signature_path = \"/signature\""), "portals.ekdo.signature_path"),
        (GOOD.replace("document_id =", "document ="), "portals.ekdo.fields.document"),
        (GOOD.replace("= \"Приказы\"", "= 5"), "portals.ekdo.groups.Приказ № 1.2 о приёме"),
        (GOOD.replace("/{module_id}", "/{module}"), "portals.nmo_higher.platform.redirect_template"),
        (without("portal_secret = \"hunter2\""), "portals.nmo_higher.platform.portal_secret"),
        (GOOD.replace("/{module_id}", "/{module_id}?s={signature}"), "portals.nmo_higher.platform.handover_secret"),
        (
            after("portal_secret = \"hunter2\"", "handover_secret = \"hunter2hunter2hunter2\""),
            "portals.nmo_higher.platform.redirect_template",
        ),
        (
            after("portal_secret = \"hunter2\"", "handover_secret = \"hunter2hunter2hunter2\"")
                .replace("/{module_id}", "/{module_id}?s={signature}"),
            "portals.nmo_higher.platform.redirect_template",
        ),
        (without("platform_listen = \"127.0.0.1:9465\""), "portals.nmo_higher.platform"),
    ];
    for (text, key) in cases {
        let (mut found, printed) = problems(&text);
        found.retain(|problem| problem.starts_with("error "));
        assert_eq!(found, [format!("error {key}")], "{printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}

#[test]
fn a_reviewer_has_all_three_secrets_or_none() {
    let text = after("portal_secret = \"hunter2\"", "reviewer_snils = \"00000000000\"");
    let keys = ["reviewer_full_pin", "reviewer_test_pin"];
    assert_eq!(problems(&text).0, keys.map(|key| format!("error portals.nmo_higher.platform.{key}")));
}

#[test]
fn an_address_that_strangers_could_make_up_is_warned_of() {
    let warned = |template: &str, more: &str| {
        problems(&after("portal_secret = \"hunter2\"", more).replace("/{module_id}", template)).0
    };
    let (template, secret) =
        ("warning portals.nmo_higher.platform.redirect_template", "handover_secret = \"hunter2hunter2hunter2\"");
    let whole = "/{module_id}?u={snils}&r={reviewer}&e={expires}&s={signature}";
    assert_eq!(warned("/{module_id}?u={snils}", ""), [template]);
    assert_eq!(warned("/{module_id}?u={snils}&e={expires}&s={signature}", secret), [template]);
    assert_eq!(warned(whole, secret), Vec::<String>::new());
    assert_eq!(warned(whole, "handover_secret = \"short\""), ["warning portals.nmo_higher.platform.handover_secret"]);
    assert_eq!(warned("/{module_id}", "api_token = \"short\""), ["warning portals.nmo_higher.platform.api_token"]);
}

#[test]
fn two_platforms_under_one_name_are_an_error() {
    let section = GOOD.split("[portals.nmo_higher]").nth(1).unwrap().split("[portals.pos]").next().unwrap();
    let second = section.replace("portals.nmo_higher", "portals.nmo_middle");
    let (found, printed) = problems(&format!("{GOOD}\n[portals.nmo_middle]{second}"));
    assert_eq!(found, ["error portals.nmo_middle.platform.portal_id"], "{printed}");
}

#[test]
fn what_has_no_effect_is_warned_of() {
    let text = after("refresh_token = \"hunter2\"", "")
        .replace("[sources.mis]", "[sources.mis]\nwrite_password = \"hunter2\"");
    assert_eq!(problems(&text).0, ["error sources.mis.write_password"]);
    let writer = "[sources.mis]\nwrite_url = \"postgres://writer@localhost/mis\"";
    let text = GOOD.replace("[sources.mis]", writer);
    assert_eq!(problems(&text).0, Vec::<String>::new(), "a feed writes back");
    let text = text.replace("write_back =", "changed_at = \"updated_at\"\n#");
    assert_eq!(problems(&text).0, ["warning sources.mis.write_url"]);
    let platform = GOOD.split("[portals.nmo_higher.platform]").nth(1).unwrap().split("[portals.pos]").next().unwrap();
    let text = GOOD.replace("[portals.nmo_higher.platform]", "").replace(platform, "\n");
    assert_eq!(problems(&text).0, ["warning serve.platform_listen"]);
}

#[test]
fn a_host_for_a_tunnel_is_taken_and_one_beside_tls_is_warned_of() {
    let text = after("refresh_token = \"hunter2\"", "host = \"pos.gosuslugi.ru\"");
    assert_eq!(problems(&text).0, ["warning portals.pos.host"]);
    let text = text.replace("https://pos.gosuslugi.ru/", "http://127.0.0.1:8443/");
    assert_eq!(problems(&text).0, Vec::<String>::new());
    let host = read(&text).portals["pos"].host.as_ref().map(ToString::to_string);
    assert_eq!(host.as_deref(), Some("pos.gosuslugi.ru"));
}

#[test]
fn a_portal_without_a_kind_is_taken_for_what_its_name_says() {
    let text = GOOD.replace("kind = \"sout\"\n", "");
    assert_eq!(problems(&text).0, ["error portals.sout.kind"]);
}

#[test]
fn every_secret_of_every_kind_can_come_from_a_file() {
    let folder = folder();
    write_private(folder.path(), "secret", "from a file\n");
    let secrets = [
        "api_key",
        "client_id",
        "client_secret",
        "username",
        "password",
        "access_token",
        "refresh_token",
        "name",
        "user_id",
        "portal_secret",
    ];
    let mut text = GOOD.replace("hunter2hunter2hunter2hunter2hunt", "hunter2");
    for secret in secrets {
        text = text.replace(&format!("\n{secret} = \"hunter2\""), &format!("\n{secret}_file = \"secret\""));
    }
    assert!(!text.contains("hunter2"));
    let config = load(&write_private(folder.path(), "vitrina.toml", &text), &Environment::default()).unwrap().config;
    let Own::Pos(pos) = &config.portals["pos"].own else { panic!("no pos") };
    assert_eq!(pos.refresh_token.expose_secret(), "from a file");
    let Own::Ekdo(ekdo) = &config.portals["ekdo"].own else { panic!("no ekdo") };
    assert_eq!(ekdo.user_id.expose_secret(), "from a file");
}

#[test]
fn a_list_can_come_from_the_environment_as_one_text_and_no_secret_is_printed() {
    let folder = folder();
    let path = write_private(folder.path(), "vitrina.toml", GOOD);
    let environment = Environment::of([("VITRINA__PORTALS__SOUT__SIGN_COMMAND", "/usr/bin/other")]);
    let loaded = load(&path, &environment).unwrap();
    let Own::Sout(sout) = &loaded.config.portals["sout"].own else { panic!("no sout") };
    assert_eq!(sout.sign_command.as_deref(), Some(&["/usr/bin/other".to_owned()][..]));
    assert!(!format!("{loaded:#?}").contains("hunter2"));
}

#[tokio::test]
async fn a_municipality_of_another_region_is_a_warning_that_names_a_row() {
    let db = sqlite().await;
    db.execute(&[
        "CREATE TABLE vitrina_pos_poll (title TEXT, external_id TEXT, participants_count INTEGER, reg_oktmo TEXT, mun_oktmo TEXT, level TEXT,
         pos_id INTEGER)",
        "INSERT INTO vitrina_pos_poll VALUES ('a', '3', 5, '45', '45352000', 'Муниципальный', NULL),
         ('b', '4', 5, '12', '45352000101', 'Муниципальный', 36), ('c', '5', 5, '12', '45352000', 'Муниципальный', NULL)",
    ])
    .await;
    let folder = folder();
    let text = format!(
        "[sources.mis]\nurl = \"{}\"\n[ledger]\nurl = \"sqlite:ledger.db\"\n[portals.pos]\nkind = \"pos\"\nurl = \"http://127.0.0.1:1\"\n\
         access_token = \"a\"\nrefresh_token = \"r\"\nname = \"n\"\n",
        db.url
    );
    let path = write_private(folder.path(), "vitrina.toml", &text);
    let ran = run(vitrina(&["check", "--json", "--config", path.to_str().unwrap()]));
    let problems: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let said: Vec<&Value> = problems.iter().filter(|problem| problem["key"] == "portals.pos.feeds.poll").collect();
    let [said] = said[..] else { panic!("{}", ran.out) };
    assert_eq!(said["severity"], "warning");
    let text = said["text"].as_str().unwrap();
    assert!(text.starts_with("2 rows, 4 the first: mun_oktmo does not begin with reg_oktmo"), "{text}");
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn a_key_of_another_length_than_the_documents_is_warned_of() {
    let text = GOOD.replace("hunter2hunter2hunter2hunter2hunt", "hunter2");
    let (found, printed) = problems(&text);
    assert_eq!(found, ["warning portals.sout.api_key"]);
    assert!(printed.contains("32") && !printed.contains("hunter2"), "{printed}");
}

#[tokio::test]
async fn a_worker_without_any_number_is_a_warning_that_names_a_row() {
    let db = sqlite().await;
    let row = |id: &str, snils: &str| {
        format!(
            "SELECT '{id}' AS outer_id, 'Секретова' AS last_name, 'Анна' AS first_name, {snils} AS snils, 'врач' AS position,
             '7707083893' AS employer_inn, 'ООО' AS employer_title, '7707083893' AS organization_inn, 'УЦ' AS organization_title,
             '2026-10-02' AS test_date, '17/2' AS protocol_number, 4 AS learn_program_id, 1 AS is_passed"
        )
    };
    let view = format!(
        "CREATE VIEW vitrina_sout_training AS {} UNION ALL {}",
        row("a-1", "'11223344595'"),
        row("a-2", "NULL")
    );
    db.execute(&[view.as_str()]).await;
    let folder = folder();
    let text = format!(
        "[sources.mis]\nurl = \"{}\"\n[ledger]\nurl = \"sqlite:ledger.db\"\n[portals.sout]\nkind = \"sout\"\nurl = \"http://127.0.0.1:1\"\n\
         api_key = \"hunter2hunter2hunter2hunter2hunt\"\n",
        db.url
    );
    let path = write_private(folder.path(), "vitrina.toml", &text);
    let ran = run(vitrina(&["check", "--json", "--config", path.to_str().unwrap()]));
    let problems: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let said = |problem: &&Value| {
        problem["severity"] == "warning"
            && problem["text"].as_str().unwrap().starts_with("1 row, a-2 the first: neither snils nor foreign_snils")
    };
    assert!(problems.iter().any(|problem| said(&problem)), "{}", ran.out);
    assert!(!ran.out.contains("Секретова"));
}
