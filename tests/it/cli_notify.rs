//! `vitrina notify`, and what `check` says of `[notify]`.

use serde_json::Value;

use crate::support::command::{Ran, run, vitrina, write_private};

const BASE: &str = "[sources.mis]\nurl = \"postgres://vitrina@localhost/mis\"\ntimezone = \"Asia/Yekaterinburg\"\n\n\
                    [portals.fer]\nkind = \"fer\"\nurl = \"http://10.86.6.237:2100\"\nusername = \"u\"\npassword = \"p\"\n\n\
                    [portals.fer.feeds.slot]\nevery = \"30s\"\n\n";

/// Runs a verb over a configuration with this section.
fn with(section: &str, verb: &[&str]) -> Ran {
    let directory = tempfile::tempdir().unwrap();
    let path = write_private(directory.path(), "vitrina.toml", &format!("{BASE}[notify]\n{section}"));
    run(vitrina(&[verb, &["--config", path.to_str().unwrap()]].concat()))
}

/// What the check says of the section, by key.
fn said(section: &str) -> Vec<(String, String)> {
    let ran = with(section, &["check", "--offline", "--json"]);
    let problems: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let text = |problem: &Value, key: &str| problem[key].as_str().unwrap().to_owned();
    let all = problems.iter().map(|problem| (text(problem, "key"), text(problem, "text")));
    all.filter(|(key, _)| key.starts_with("notify")).collect()
}

#[test]
fn a_section_that_tells_nobody_or_half_is_an_error_with_its_key() {
    for (section, key) in [
        ("language = \"ru\"", "notify"),
        ("smtp = \"smtp://127.0.0.1\"\nfrom = \"a@b\"", "notify.to"),
        ("smtp = \"mail.lan\"\nfrom = \"a@b\"\nto = \"c@d\"", "notify.smtp"),
        ("command = \"notify\"", "notify.command"),
        ("command = \"/bin/true\"\nfrom = \"a@b\"", "notify.from"),
        ("command = \"/bin/true\"\ndigest = \"8\"", "notify.digest"),
        ("command = \"/bin/true\"\nalways = \"yes\"", "notify.always"),
        ("command = \"/bin/true\"\nquiet = \"1s\"", "notify.quiet"),
    ] {
        let keys: Vec<String> = said(section).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [key], "{section}");
    }
    assert_eq!(said("command = \"/bin/true\"\ndigest = \"08:00\"\nalways = true"), []);
}

#[test]
fn a_webhook_goes_over_tls_or_stays_on_this_machine_and_is_never_repeated() {
    for (url, problems) in [
        ("https://chat.lan/hooks/s3cret", 0),
        ("http://127.0.0.1:9000/s3cret", 0),
        ("http://chat.lan/s3cret", 1),
        ("chat.lan/s3cret", 1),
    ] {
        let said = said(&format!("webhook = \"{url}\""));
        assert_eq!(said.len(), problems, "{url}");
        assert!(said.iter().all(|(key, text)| key == "notify.webhook" && !text.contains("s3cret")), "{said:?}");
    }
}

#[test]
fn a_password_in_the_clear_is_warned_of() {
    let account = "from = \"a@b\"\nto = \"c@d\"\nusername = \"u\"\npassword = \"hunter2\"\n";
    let said_of = |smtp: &str| said(&format!("{account}smtp = \"{smtp}\"")).len();
    assert_eq!((said_of("smtp://mail.lan"), said_of("smtps://mail.lan"), said_of("smtp://127.0.0.1")), (1, 0, 0));
}

#[test]
fn a_trial_is_delivered_or_says_why_not() {
    let directory = tempfile::tempdir().unwrap();
    let got = directory.path().join("got");
    let command = |program: &str| format!("command = [\"/bin/sh\", \"-c\", \"{program}\", \"{}\"]", got.display());
    let sent = with(&command("cat > $0"), &["notify", "test"]);
    assert_eq!((sent.code, sent.out.as_str()), (0, "command: sent\n"), "{}", sent.err);
    let notice: Value = serde_json::from_slice(&std::fs::read(&got).unwrap()).unwrap();
    assert_eq!((notice["kind"].as_str(), notice["language"].as_str()), (Some("test"), Some("ru")));
    let failed = with(&command("exit 3"), &["notify", "test"]);
    assert!(failed.code == 1 && failed.err.contains("exit status: 3"), "{}", failed.err);
}
