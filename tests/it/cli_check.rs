//! `vitrina check --offline`: every problem at once, each with its key.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;
use vitrina::config::{Config, Environment, Own, Schedule, load};

use crate::support::command::{Ran, run, vitrina, write_private};

const GOOD: &str = r#"
[sources.mis]
url = "postgres://vitrina@localhost/mis"
timezone = "Asia/Yekaterinburg"

[portals.fer]
kind = "fer"
url = "http://10.86.6.237:2100"
username = "1.2.643.5.1.13.13.12.2.86.8902"
password = "hunter2"

[portals.fer.feeds.slot]
every = "30s"
"#;

fn check(text: &str, options: &[&str], variables: &[(&str, &str)]) -> Ran {
    let directory = tempfile::tempdir().unwrap();
    check_in(&directory, text, options, variables)
}

fn check_in(directory: &TempDir, text: &str, options: &[&str], variables: &[(&str, &str)]) -> Ran {
    let path = write_private(directory.path(), "vitrina.toml", text);
    let mut command = vitrina(&["check", "--offline", "--config", path.to_str().unwrap()]);
    command.args(options).envs(variables.iter().copied());
    run(command)
}

/// The keys of the errors that the check finds.
fn errors(text: &str) -> Vec<String> {
    let ran = check(text, &["--json"], &[]);
    let problems: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let errors = problems.iter().filter(|problem| problem["severity"] == "error");
    errors.map(|problem| problem["key"].as_str().unwrap().to_owned()).collect()
}

fn password(config: &Config) -> &str {
    match &config.portals["fer"].own {
        Own::Fer(own) => own.password.expose_secret(),
        other => panic!("{other:?} is no FER portal"),
    }
}

fn problem(text: &str, options: &[(&str, &str)]) -> String {
    check(text, &[], options).out
}

const FIVE_MISTAKES: &str = r#"
[sources.mis]
url = "oracle://localhost/mis"
timezone = "Asia/Ekaterinburg"

[portals.fer]
kind = "fer"
url = "http://10.86.6.237:2100"
username = "u"
password = "hunter2"
bacth = 500
requests_per_second = 0

[portals.fer.feeds.slot]
every = "30"
"#;

const FIVE_KEYS: [&str; 5] = [
    "portals.fer.bacth",
    "portals.fer.feeds.slot.every",
    "portals.fer.requests_per_second",
    "sources.mis.timezone",
    "sources.mis.url",
];

#[test]
fn a_good_configuration_has_no_problems() {
    let ran = check(GOOD, &[], &[]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.ends_with("vitrina.toml: no problems\n"), "{}", ran.out);
    assert_eq!(check(GOOD, &["--json"], &[]).out, "[]\n");
}

#[test]
fn five_mistakes_are_five_lines_and_a_summary() {
    let ran = check(FIVE_MISTAKES, &[], &[]);
    assert_eq!(ran.code, 2);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 6, "{}", ran.out);
    for (line, key) in lines.iter().zip(FIVE_KEYS) {
        assert!(line.starts_with(&format!("error: {key}: ")), "{line}");
    }
    assert!(lines[0].contains("did you mean batch?"), "{}", lines[0]);
    assert!(lines[5].ends_with("vitrina.toml: 5 errors, 0 warnings"), "{}", lines[5]);
}

#[test]
fn five_mistakes_are_five_objects_of_json() {
    let ran = check(FIVE_MISTAKES, &["--json"], &[]);
    assert_eq!(ran.code, 2);
    let problems: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let keys: Vec<&str> = problems.iter().map(|problem| problem["key"].as_str().unwrap()).collect();
    assert_eq!(keys, FIVE_KEYS);
    for problem in &problems {
        assert_eq!(problem["severity"], "error");
        assert_eq!(problem.as_object().unwrap().len(), 3);
    }
}

#[test]
fn each_mistake_is_found_at_its_key() {
    let slot = |lines: &str| GOOD.replace("every = \"30s\"", lines);
    let portal = |lines: &str| GOOD.replace("password = \"hunter2\"", &format!("password = \"hunter2\"\n{lines}"));
    let cases = [
        (slot("every = \"30s\"\ncron = \"0 0 * * * *\""), "portals.fer.feeds.slot.every"),
        (slot("cron = \"0 * * * *\""), "portals.fer.feeds.slot.cron"),
        (slot("source = \"misc\""), "portals.fer.feeds.slot.source"),
        (slot("query = \"SELECT 1;\""), "portals.fer.feeds.slot.query"),
        (slot("batch = 0"), "portals.fer.feeds.slot.batch"),
        (GOOD.replace("feeds.slot", "feeds.slots"), "portals.fer.feeds.slots"),
        (GOOD.replace("sources.mis", "sources.\"МИС\""), "sources.МИС"),
        (GOOD.replace("portals.fer", "portals.f__r"), "portals.f__r"),
        (GOOD.replace("kind = \"fer\"", "kind = \"fre\""), "portals.fer.kind"),
        (GOOD.replace("kind = \"fer\"\n", ""), "portals.fer.kind"),
        (GOOD.replace("password = \"hunter2\"\n", ""), "portals.fer.password"),
        (GOOD.replace("\"hunter2\"", "12345"), "portals.fer.password"),
        (GOOD.replace("http://", "http://user:hunter2@"), "portals.fer.url"),
        (GOOD.replace("http://", "gopher://"), "portals.fer.url"),
        (portal("in_flight = 0"), "portals.fer.in_flight"),
        (portal("batch = \"many\""), "portals.fer.batch"),
        (portal("retry = { initial = \"5m\" }"), "portals.fer.retry.initial"),
        (portal("fuse = { share = 1.5 }"), "portals.fer.fuse.share"),
        (portal("unit_error_budget = 5"), "portals.fer.unit_error_budget"),
        (portal("ca_file = \"nowhere.pem\""), "portals.fer.ca_file"),
        (portal("on_conflict = \"overwrite\""), "portals.fer.on_conflict"),
        (format!("[ledger]\nurl = \"postgres://h/d\"\n{GOOD}"), "ledger.url"),
        (format!("[ledger]\nurl = \"sqlite::memory:\"\n{GOOD}"), "ledger.url"),
        (format!("[serve]\nlisten = \"localhost\"\n{GOOD}"), "serve.listen"),
        (format!("[booking]\nlisten = \"8090\"\nbook = \"SELECT 1\"\ncancel = \"SELECT 1\"\n{GOOD}"), "booking.listen"),
        (format!("[daemon]\nworkers = 1\n{GOOD}"), "daemon.workers"),
        (format!("[sources.second]\nurl = \"sqlite:/b.db\"\n{GOOD}"), "portals.fer.feeds.slot.source"),
    ];
    for (text, key) in cases {
        assert_eq!(errors(&text), [key], "{text}");
    }
}

#[test]
fn an_empty_file_lacks_sources_and_portals() {
    assert_eq!(errors(""), ["portals", "sources"]);
    assert_eq!(errors("[sources]\n[portals]\n"), ["portals", "sources"]);
}

#[test]
fn two_feeds_whose_default_view_has_one_name_are_an_error() {
    let second =
        GOOD.split("[portals.fer.feeds.slot]").next().unwrap().replace("[portals.fer]", "[portals.fer_profilecode]");
    let second = second.split("[portals.fer_profilecode]").last().unwrap();
    let text = format!("{GOOD}\n[portals.fer_profilecode]{second}");
    assert_eq!(errors(&text), ["portals.fer_profilecode"]);
}

#[test]
fn two_portals_that_may_read_one_view_are_warned_of() {
    let second = GOOD.split("[portals.fer]").last().unwrap().replace("portals.fer", "portals.test");
    let text = problem(&format!("{GOOD}\n[portals.test]{second}"), &[]);
    assert!(text.contains("warning: portals.test.feeds.slot: reads the view vitrina_fer_slot by default"), "{text}");
}

#[test]
fn legal_but_dangerous_settings_are_warned_of_and_pass() {
    let text = GOOD
        .replace("10.86.6.237", "gateway.region.ru")
        .replace("every = \"30s\"", "cron = \"0 0 * * * *\"\noverlap = \"1m\"")
        .replace(
            "password = ",
            "batch = 6000\nrequests_per_second = 200\ntimeout = \"2m\"\nfuse = { share = 0.9 }\npassword = ",
        );
    let ran = check(&text, &[], &[]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let keys =
        ["url", "batch", "requests_per_second", "timeout", "fuse.share", "feeds.slot.cron", "feeds.slot.overlap"];
    for key in keys {
        assert!(ran.out.contains(&format!("warning: portals.fer.{key}: ")), "{key}: {}", ran.out);
    }
    assert_eq!(ran.out.lines().count(), keys.len() + 1, "{}", ran.out);
}

#[test]
fn a_missing_time_zone_is_warned_of_where_it_matters() {
    let text = GOOD.replace("timezone = \"Asia/Yekaterinburg\"\n", "");
    assert!(problem(&text, &[]).ends_with("no problems\n"));
    let text = text.replace("every = \"30s\"", "changed_at = \"updated_at\"");
    assert!(problem(&text, &[]).contains("set sources.mis.timezone"));
}

#[test]
fn a_sweep_needs_a_change_column_and_one_that_full_scans_outrun_is_warned_of() {
    let alone = check(&GOOD.replace("every = \"30s\"", "sweep_every = \"30s\""), &[], &[]);
    assert_eq!(alone.code, 2, "{}", alone.out);
    assert!(alone.out.contains("portals.fer.feeds.slot.sweep_every: needs changed_at"), "{}", alone.out);
    let with = |more: &str| GOOD.replace("every = \"30s\"", &format!("changed_at = \"updated_at\"\n{more}"));
    assert!(problem(&with("sweep_every = \"1m\""), &[]).ends_with("no problems\n"));
    let idle = problem(&with("sweep_every = \"1m\"\nfull_every = \"1m\""), &[]);
    assert!(idle.contains("portals.fer.feeds.slot.sweep_every: has no effect: full scans come as often"), "{idle}");
}

#[test]
fn a_syntax_error_is_named_by_line_and_column() {
    let ran = check(&GOOD.replace("[portals.fer]", "[portals.fer"), &["--json"], &[]);
    assert_eq!(ran.code, 2);
    let problems: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(problems.len(), 1);
    assert!(problems[0]["text"].as_str().unwrap().contains("line 6, column"), "{}", ran.out);
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem_of_the_configuration() {
    let ran = run(vitrina(&["check", "--offline", "--config", "/nowhere/vitrina.toml"]));
    assert_eq!(ran.code, 2);
    assert!(ran.out.contains("error: cannot read /nowhere/vitrina.toml"), "{}", ran.out);
}

#[test]
fn the_environment_wins_over_the_file_and_its_mistakes_name_the_variable() {
    let directory = tempfile::tempdir().unwrap();
    let path = write_private(directory.path(), "vitrina.toml", GOOD);
    let environment = Environment::of([
        ("VITRINA__PORTALS__FER__BATCH", "77"),
        ("VITRINA__PORTALS__FER__PASSWORD", "12345"),
        ("VITRINA__PORTALS__FER__RETRY__MAX", "2m"),
        ("VITRINA__PORTALS__FER__FEEDS__BOOK__EVERY", "5m"),
    ]);
    let config = load(&path, &environment).unwrap().config;
    let portal = &config.portals["fer"];
    assert_eq!((portal.batch, portal.retry.max.as_secs()), (77, 120));
    assert_eq!(portal.feeds["book"].schedule, Schedule::Every(std::time::Duration::from_secs(300)));

    let text = problem(GOOD, &[("VITRINA__PORTALS__FER__BATCH", "many"), ("VITRINA__PORTALZ__FER__BATCH", "1")]);
    assert!(text.contains("set by the environment variable VITRINA__PORTALS__FER__BATCH"), "{text}");
    assert!(text.contains("error: portalz: unknown key; did you mean portals?"), "{text}");
    assert!(text.contains("set by the environment variable VITRINA__PORTALZ__FER__BATCH"), "{text}");
}

#[test]
fn a_secret_comes_from_its_file_without_the_line_end() {
    let directory = tempfile::tempdir().unwrap();
    write_private(directory.path(), "fer-password", "hunter2 \r\n");
    let text = GOOD.replace("password = \"hunter2\"", "password_file = \"fer-password\"");
    let path = write_private(directory.path(), "vitrina.toml", &text);
    let loaded = load(&path, &Environment::default()).unwrap();
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    assert_eq!(password(&loaded.config), "hunter2 ");
}

#[test]
fn a_secret_may_be_a_credential_of_systemd() {
    let credentials = tempfile::tempdir().unwrap();
    write_private(credentials.path(), "fer", "from systemd\n");
    let directory = tempfile::tempdir().unwrap();
    for name in ["fer", "${CREDENTIALS_DIRECTORY}/fer"] {
        let text = GOOD.replace("password = \"hunter2\"", &format!("password_file = \"{name}\""));
        let path = write_private(directory.path(), "vitrina.toml", &text);
        let environment = Environment::of([("CREDENTIALS_DIRECTORY", credentials.path())]);
        let config = load(&path, &environment).unwrap().config;
        assert_eq!(password(&config), "from systemd");
    }
}

#[test]
fn a_secret_given_twice_or_in_an_unusable_file_is_an_error() {
    let twice = GOOD.replace("password =", "password_file = \"fer-password\"\npassword =");
    assert!(problem(&twice, &[]).contains("error: portals.fer.password: password and password_file are both given"));
    let missing = GOOD.replace("password = \"hunter2\"", "password_file = \"nowhere\"");
    assert!(problem(&missing, &[]).contains("error: portals.fer.password_file: cannot read "));
    let directory = tempfile::tempdir().unwrap();
    write_private(directory.path(), "nowhere", "\n");
    assert!(check_in(&directory, &missing, &[], &[]).out.contains("nowhere is empty"));
}

#[test]
fn secrets_that_everybody_can_read_are_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let path = write_private(directory.path(), "vitrina.toml", GOOD);
    open(&path);
    let text = load(&path, &Environment::default()).unwrap().warnings.to_string();
    assert!(text.contains("vitrina.toml holds a secret and every user of this machine can read it"), "{text}");

    open(&write_private(directory.path(), "fer-password", "hunter2"));
    let text = GOOD.replace("password = \"hunter2\"", "password_file = \"fer-password\"");
    let text = check_in(&directory, &text, &[], &[]).out;
    assert!(text.contains("warning: portals.fer.password_file: every user of this machine can read"), "{text}");
}

#[test]
fn files_that_other_users_can_read_or_change_are_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let (folder, tls) = (directory.path().display(), crate::support::tls::roots().parent().unwrap().to_owned());
    let open = |name: &str, mode| {
        fs::set_permissions(directory.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for (from, to) in [("server.pem", "cert.pem"), ("server.key", "tls.key")] {
        fs::copy(tls.join(from), directory.path().join(to)).unwrap();
    }
    for made in ["ledger", "bin"] {
        fs::create_dir(directory.path().join(made)).unwrap();
    }
    write_private(directory.path(), "bin/sign", "#!/bin/sh");
    let text = format!(
        "{GOOD}[portals.sout]\nkind = \"sout\"\nurl = \"https://sout.example\"\napi_key = \"{}\"\n\
         sign_command = [\"{folder}/bin/sign\"]\n[ledger]\nurl = \"sqlite:{folder}/ledger/ledger.db\"\n\
         [booking]\nbook = \"SELECT 0\"\ncancel = \"SELECT 0\"\ntls_cert_file = \"cert.pem\"\ntls_key_file = \"tls.key\"\n",
        "k".repeat(32)
    );
    let warnings = [
        ("ledger", 0o700, 0o750, "ledger.url: other users can enter"),
        ("tls.key", 0o640, 0o644, "booking.tls_key_file: every user of this machine can read"),
        ("bin/sign", 0o755, 0o777, "portals.sout.sign_command: every user of this machine can change"),
        ("bin", 0o755, 0o757, "portals.sout.sign_command: every user of this machine can change"),
    ];
    warnings.iter().for_each(|(name, sound, ..)| open(name, *sound));
    let sound = check_in(&directory, &text, &[], &[]);
    assert!(sound.code == 0 && !sound.out.contains("users"), "{}", sound.out);
    for (name, sound, loose, said) in warnings {
        open(name, loose);
        let ran = check_in(&directory, &text, &[], &[]);
        assert!(ran.code == 0 && ran.out.contains(said), "{name}: {}", ran.out);
        open(name, sound);
    }
    open("vitrina.toml", 0o602);
    let path = directory.path().join("vitrina.toml");
    let ran = run(vitrina(&["check", "--offline", "--config", path.to_str().unwrap()]));
    assert!(ran.out.contains("every user of this machine can change"), "{}", ran.out);
}

#[test]
fn no_secret_is_ever_printed() {
    let directory = tempfile::tempdir().unwrap();
    let text = GOOD.replace("vitrina@localhost", "vitrina:hunter2@localhost");
    let path = write_private(directory.path(), "vitrina.toml", &format!("[serve]\nadmin_token = \"hunter2\"\n{text}"));
    let loaded = load(&path, &Environment::default()).unwrap();
    let printed = format!("{loaded:?} {:#?}", loaded.config);
    assert!(!printed.contains("hunter2"), "{printed}");

    let wrong = [
        GOOD.replace("password = \"hunter2\"", "password = [\"hunter2\"]"),
        GOOD.replace("password = \"hunter2\"", "passwort = \"hunter2\""),
        GOOD.replace("password = \"hunter2\"", "password = \"hunter2"),
        GOOD.replace("http://", "http://hunter2@"),
        GOOD.replace("postgres://vitrina@localhost/mis", "postgres://vitrina:hunter2@:x"),
    ];
    for text in wrong {
        let ran = check(&text, &[], &[("VITRINA__PORTALS__FER__USERNAME__X", "hunter2")]);
        assert_eq!(ran.code, 2, "{}", ran.out);
        assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"), "{} {}", ran.out, ran.err);
    }
}

#[test]
fn a_feed_that_runs_more_rarely_than_the_document_wants_is_warned_of() {
    for (feed, pace, key) in [
        ("slot", "every = \"31s\"", "portals.fer.feeds.slot.every"),
        ("mo", "every = \"61m\"", "portals.fer.feeds.mo.every"),
        ("referral", "cron = \"0 0 3 * * *\"", "portals.fer.feeds.referral.cron"),
    ] {
        let text = GOOD.replace("feeds.slot", &format!("feeds.{feed}")).replace("every = \"30s\"", pace);
        let ran = check(&text, &[], &[]);
        assert!(ran.out.contains(key) && ran.code == 0, "{pace}: {}{}", ran.out, ran.err);
    }
    let hourly = GOOD.replace("feeds.slot", "feeds.mo").replace("every = \"30s\"", "every = \"1h\"");
    assert!(!check(&hourly, &[], &[]).out.contains("feeds.mo.every"));
}

#[test]
fn a_path_in_the_public_address_of_bookings_is_warned_of() {
    let with = |url: &str| {
        let booking = "book = \"builtin\"\ncancel = \"builtin\"";
        let text = format!("{GOOD}\n[booking]\nlisten = \"127.0.0.1:0\"\npublic_url = \"{url}\"\n{booking}\n");
        check(&text, &[], &[]).out
    };
    assert!(with("http://10.0.0.5:8090/vitrina").contains("booking.public_url"));
    assert!(!with("http://10.0.0.5:8090/").contains("booking.public_url"));
}

#[test]
fn a_recording_wants_a_folder_that_says_where_it_is_and_that_others_cannot_read() {
    let directory = tempfile::tempdir().unwrap();
    let open = directory.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    let with = |dir: &str, more: &str| format!("{GOOD}\n[record]\ndir = \"{dir}\"\n{more}");
    let told = check(&with(open.to_str().unwrap(), ""), &[], &[]);
    assert!(told.code == 0 && told.out.contains("record.dir") && told.out.contains("chmod 700"), "{}", told.out);
    assert!(!check(&with("/nowhere/yet", ""), &[], &[]).out.contains("record"));
    assert_eq!(
        errors(&with("exchanges", "max_bytes = 10\nmax_age = \"1s\"\n")),
        ["record.dir", "record.max_age", "record.max_bytes"]
    );
    assert_eq!(errors(&format!("{GOOD}\n[record]\n")), ["record.dir"]);
}
