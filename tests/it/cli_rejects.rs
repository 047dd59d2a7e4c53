//! `vitrina rejects`: what a person and a script are told of records that do not flow, by the built program over a real source and gateway.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use vitrina::demo::fer::{FerGateway, GatewaySettings, Running, Subsystem};

use crate::support::command::{Ran, run, vitrina, write_private};
use crate::support::daemon::Daemon;
use crate::support::database::{TestDb, sqlite};
use crate::support::hospital::{Hospital, id};

/// A hospital with every kind of mistake, of which one pass has been made. The gateway wants a referral with every booking.
struct Site {
    config: PathBuf,
    folder: tempfile::TempDir,
    _db: TestDb,
    gateway: Running,
}

/// Key of a booking that the gateway refuses.
fn refused() -> String {
    id(0xbad, 9)
}

/// Key of a slot whose row is wrong in two fields.
fn wrong() -> String {
    id(0xbad, 3)
}

/// Key of a slot whose resource is rejected.
fn orphan() -> String {
    id(0xbad, 2)
}

impl Site {
    async fn after_a_pass() -> Self {
        let db = sqlite().await;
        Hospital::new(20, true).fill(&db).await;
        let book = format!(
            "INSERT INTO vitrina_fer_book VALUES ('{}', '{}', '{}', 5000, 'REG', 'APPOINTMENT', NULL, '2023-10-01 09:00:00')",
            refused(),
            id(9, 9),
            id(6, 0)
        );
        db.execute(&[&book]).await;
        let account = GatewaySettings { book_needs_referral: true, ..GatewaySettings::default() };
        let gateway = FerGateway::start(SocketAddr::from(([127, 0, 0, 1], 0)), account.clone()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        // A port of our own, so that nobody else's daemon answers for ours.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let text = format!(
            "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n\
             [ledger]\nurl = \"sqlite:{}\"\n[serve]\nlisten = \"127.0.0.1:{port}\"\n\
             [portals.fer]\nkind = \"fer\"\nurl = \"{}\"\nusername = \"{}\"\npassword = \"{}\"\nrequests_per_second = 1000\n",
            db.url,
            folder.path().join("ledger.db").display(),
            gateway.url(),
            account.username,
            account.password,
        );
        let config = write_private(folder.path(), "vitrina.toml", &text);
        let site = Site { config, folder, _db: db, gateway };
        let pass = site.run("sync", &[], &[]).await;
        assert_eq!(pass.code, 3, "{}{}", pass.out, pass.err);
        site
    }

    async fn run(&self, verb: &str, more: &[&str], variables: &[(&str, &str)]) -> Ran {
        let config = self.config.to_str().unwrap();
        let words: Vec<&str> = verb.split(' ').chain(["--config", config]).chain(more.iter().copied()).collect();
        let mut command = vitrina(&words);
        command.envs(variables.iter().copied());
        tokio::task::spawn_blocking(move || run(command)).await.unwrap()
    }

    async fn list(&self, more: &[&str]) -> String {
        let ran = self.run("rejects list", more, &[]).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    }

    async fn items(&self, more: &[&str]) -> Vec<Value> {
        let more: Vec<&str> = more.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.list(&more).await).unwrap()
    }

    /// Words that nobody has taken up yet: feed and argument.
    async fn words(&self) -> Vec<(String, Value)> {
        let url = format!("sqlite:{}?mode=ro", self.folder.path().join("ledger.db").display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let words: Vec<(String, String)> =
            sqlx::query_as("SELECT feed, argument FROM word WHERE kind = 'retry' ORDER BY id")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        words.into_iter().map(|(feed, argument)| (feed, serde_json::from_str(&argument).unwrap())).collect()
    }
}

/// The paragraph of a list that holds all these words.
fn paragraph<'a>(list: &'a str, words: &[&str]) -> &'a str {
    let found = list.split("\n\n").find(|group| words.iter().all(|word| group.contains(word)));
    found.unwrap_or_else(|| panic!("no group with {words:?} in\n{list}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reason_is_told_with_who_must_act_and_an_example() {
    let site = Site::after_a_pass().await;
    let list = site.list(&[]).await;
    let mapping = paragraph(&list, &["fer.slot  rejected  CHECK  status  enum  × 1", &wrong()]);
    assert!(mapping.contains("the view or the configuration"), "{mapping}");
    let data = paragraph(&list, &["fer.slot  rejected  CHECK  duration  mandatory  × 1"]);
    assert!(data.contains("the hospital's data") && data.contains("since  20"), "{data}");
    let held = paragraph(&list, &["fer.slot  held  PARENT  × 1", &orphan()]);
    assert!(held.contains("is rejected itself"), "{held}");
    let portal = paragraph(&list, &["fer.book  rejected  R-310  × 1", &refused()]);
    assert!(portal.contains("[referral_id]"), "{portal}");
    paragraph(&list, &["fer.slot  rejected  DUPLICATE_KEY  id  duplicate_key  × 1", "JOIN"]);
    paragraph(&list, &["(row without a key)", "id  mandatory"]);
    assert!(list.ends_with("In all: rejected 5, held 2.\n"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_told_in_russian_when_asked_or_when_the_environment_speaks_it() {
    let site = Site::after_a_pass().await;
    let asked = site.list(&["--lang", "ru"]).await;
    let spoken = site.run("rejects list", &[], &[("LANG", "ru_RU.UTF-8")]).await.out;
    assert_eq!(asked, spoken);
    let english = site.run("rejects list", &["--lang", "en"], &[("LC_ALL", "ru_RU.UTF-8")]).await.out;
    assert!(english.contains("who acts") && !english.contains("кто исправляет"), "{english}");
    let group = paragraph(&asked, &["fer.slot  отклонено  CHECK  duration  mandatory"]);
    assert!(group.contains("данные больницы") && group.contains("обязательно ("), "{group}");
    let held = paragraph(&asked, &["fer.slot  удержано  PARENT"]);
    assert!(held.contains("ждёт resource"), "{held}");
    for left in ["is mandatory", "waits for", "is none of", "who acts"] {
        assert!(!asked.contains(left), "{left} is left in English:\n{asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lists_every_record_in_the_form_of_the_contract() {
    let site = Site::after_a_pass().await;
    let items = site.items(&[]).await;
    for item in &items {
        let fields: Vec<_> = item.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["portal", "feed", "key", "state", "code", "violations", "text", "remedy", "since"]);
        assert!(chrono::DateTime::parse_from_rfc3339(item["since"].as_str().unwrap()).is_ok(), "{item}");
        assert!(item["remedy"].as_str().unwrap().starts_with("Who acts: "), "{item}");
    }
    let find = |key: &str| items.iter().find(|item| item["key"] == key).unwrap();
    let wrong = find(&wrong());
    assert_eq!(
        (&wrong["feed"], &wrong["state"], &wrong["code"]),
        (&"slot".into(), &"rejected".into(), &"CHECK".into())
    );
    let rules: BTreeSet<_> = wrong["violations"].as_array().unwrap().iter().map(|it| it["rule"].as_str()).collect();
    assert_eq!(rules, BTreeSet::from([Some("mandatory"), Some("enum")]));
    assert_eq!(find(&orphan())["state"], "held");
    let refused = find(&refused());
    assert_eq!((&refused["code"], refused["violations"].as_array().unwrap().len()), (&"R-310".into(), 0));
    let keyless = items.iter().find(|item| item["key"].is_null()).unwrap();
    assert_eq!((&keyless["state"], &keyless["violations"][0]["field"]), (&"rejected".into(), &"id".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_narrow_what_is_listed() {
    let site = Site::after_a_pass().await;
    let keys = async |more: &[&str]| -> Vec<String> {
        site.items(more).await.iter().map(|item| item["key"].as_str().unwrap_or("none").to_owned()).collect()
    };
    assert_eq!(keys(&["fer.book", "--state", "rejected"]).await, [refused()]);
    assert_eq!(keys(&["fer.slot", "--code", "PARENT"]).await, [orphan()]);
    assert_eq!(keys(&["fer", "--field", "duration"]).await, [wrong()]);
    assert!(keys(&["fer.mo"]).await.is_empty());
    assert_eq!(site.list(&["fer.mo"]).await, "Nothing is rejected or held.\n");
    let wrong = site.run("rejects list", &["fer.solt"], &[]).await;
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("solt") && wrong.err.contains("slot"), "{}", wrong.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn show_tells_everything_of_one_record_and_of_what_it_waits_for() {
    let site = Site::after_a_pass().await;
    let shown = site.run("rejects show", &["fer.slot", &orphan().to_uppercase()], &[]).await;
    assert_eq!(shown.code, 0, "{}", shown.err);
    let parent = format!("resource {} (resource_id): rejected", id(0xbad, 1));
    for told in ["held", &parent, "when what it waits for is accepted", "nothing, as far as is known", &id(1, 0)] {
        assert!(shown.out.contains(told), "{told} is not in\n{}", shown.out);
    }
    let json = site.run("rejects show", &["fer.book", &refused(), "--json"], &[]).await;
    let book: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&book["state"], &book["attempts"], &book["accepted"]), (&"rejected".into(), &1.into(), &Value::Null));
    assert_eq!((&book["parents"][0]["feed"], &book["parents"][0]["state"]), (&"slot".into(), &"accepted".into()));
    assert!(book["next_attempt"].is_null(), "only its row can cure this: {book}");
    assert_eq!(book["refusals"][0]["code"], "R-310");
    let sound = site.run("rejects show", &["fer.slot", &id(6, 1)], &[]).await;
    assert!(sound.out.contains("accepted"), "{}", sound.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_whose_key_cannot_be_read_are_found_by_the_query_that_show_prints() {
    let site = Site::after_a_pass().await;
    let rows = [
        "INSERT INTO vitrina_fer_slot (id) VALUES ('Кабинет 5/17')",
        "INSERT INTO vitrina_fer_book (id) VALUES ('112-233-445 95')",
    ];
    site._db.execute(&rows).await;
    site.run("sync", &[], &[]).await;
    let list = site.run("rejects list", &[], &[]).await.out;
    assert!(list.contains("Кабинет 5/17") && list.contains("***-***-*** 95") && !list.contains("233"), "{list}");
    for (feed, key) in [("fer.slot", Some("Кабинет 5/17")), ("fer.book", Some("***-***-*** 95")), ("fer.slot", None)]
    {
        let arguments: Vec<&str> = [feed].into_iter().chain(key).collect();
        let shown = site.run("rejects show", &arguments, &[]).await;
        assert_eq!(shown.code, 0, "{}", shown.err);
        let query = shown.out.lines().find_map(|line| line.strip_prefix("finds the rows")).expect(&shown.out).trim();
        assert!(!query.contains("233"), "{query}");
        let count = query.replacen("SELECT *", "SELECT count(*) AS n", 1);
        assert_eq!(site._db.number(&count).await, "1", "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn show_names_what_it_does_not_know() {
    let site = Site::after_a_pass().await;
    let stranger = site.run("rejects show", &["fer.slot", &id(0xbad, 77)], &[]).await;
    assert_eq!(stranger.code, 2);
    assert!(stranger.err.contains(&id(0xbad, 77)) && stranger.err.contains("fer.slot"), "{}", stranger.err);
    let portal = site.run("rejects show", &["fer", &wrong()], &[]).await;
    assert_eq!(portal.code, 2);
    assert!(portal.err.contains("name the feed too"), "{}", portal.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_a_table_with_a_row_for_each_broken_rule() {
    let site = Site::after_a_pass().await;
    let path = site.folder.path().join("rejects.csv");
    let ran = site.run("rejects export", &["--output", path.to_str().unwrap()], &[]).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    let rows = table(&std::fs::read_to_string(&path).unwrap(), ',');
    assert_eq!(rows[0], ["portal", "feed", "key", "state", "code", "field", "rule", "text", "who", "remedy", "since"]);
    assert!(rows.iter().all(|row| row.len() == 11), "{rows:?}");
    let of_wrong: BTreeSet<_> = rows.iter().filter(|row| row[2] == wrong()).map(|row| row[5].as_str()).collect();
    assert_eq!(of_wrong, BTreeSet::from(["duration", "status"]));
    let refused = rows.iter().find(|row| row[2] == refused()).unwrap();
    assert_eq!((refused[4].as_str(), refused[5].as_str()), ("R-310", ""));

    let excel = site.run("rejects export", &["fer.slot", "--excel", "--lang", "ru"], &[]).await;
    let rows = table(excel.out.strip_prefix('\u{feff}').expect("a byte order mark"), ';');
    assert!(rows.len() > 4 && rows.iter().all(|row| row.len() == 11), "{rows:?}");
    assert!(rows.iter().any(|row| row[8] == "данные больницы"), "{rows:?}");

    let json = site.run("rejects export", &["--format", "json"], &[]).await;
    let exported: Vec<Value> = serde_json::from_str(&json.out).unwrap();
    assert_eq!(exported, site.items(&[]).await);
}

/// Reads CSV back, by the standard.
fn table(text: &str, separator: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '"' if quoted && signs.peek() == Some(&'"') => cell.extend(signs.next()),
            '"' => quoted = !quoted,
            _ if quoted => cell.push(sign),
            '\r' => assert_eq!(signs.peek(), Some(&'\n'), "a row ends with CR and LF"),
            '\n' => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            _ if sign == separator => row.push(std::mem::take(&mut cell)),
            _ => cell.push(sign),
        }
    }
    assert!(row.is_empty() && cell.is_empty() && !quoted, "the last row ends too");
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn no_verb_tells_personal_data() {
    let site = Site::after_a_pass().await;
    let mut told = String::new();
    for (verb, more) in [
        ("rejects list", vec![]),
        ("rejects list", vec!["--json", "--lang", "ru"]),
        ("rejects export", vec![]),
        ("rejects show", vec!["fer.resource", &id(0xbad, 1)]),
        ("rejects show", vec!["fer.book", &refused(), "--json"]),
    ] {
        told.push_str(&site.run(verb, &more, &[]).await.out);
    }
    assert!(told.contains(&id(0xbad, 1)));
    for personal in ["11223344594", "Иванова", "Анна", "Петровна"] {
        assert!(!told.contains(personal), "{personal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_leaves_a_word_for_each_feed_and_says_who_takes_it_up() {
    let site = Site::after_a_pass().await;
    let ran = site.run("rejects retry", &["fer.book", &refused().to_uppercase()], &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("fer.book: 1 record(s)") && ran.out.contains("No daemon answers"), "{}", ran.out);
    let named = serde_json::json!({"code": null, "keys": [refused()]});
    assert_eq!(site.words().await, [("book".to_owned(), named)]);

    let ran = site.run("rejects retry", &["fer", "--code", "CHECK"], &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("go only if their rows are mended"), "{}", ran.out);
    let by_code = serde_json::json!({"code": "CHECK", "keys": null});
    let words = site.words().await;
    assert_eq!(words[1..], [("resource".to_owned(), by_code.clone()), ("slot".to_owned(), by_code)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pass_after_a_retry_sends_the_record_again() {
    let site = Site::after_a_pass().await;
    let sent = || {
        let books = site.gateway.gateway().counters(Subsystem::Book);
        (books.received, books.refused)
    };
    let (received, refusals) = sent();
    assert_eq!(site.run("sync", &[], &[]).await.code, 3);
    assert_eq!(sent(), (received, refusals), "without a word it waits");

    assert_eq!(site.run("rejects retry", &["fer.book", &refused()], &[]).await.code, 0);
    let pass = site.run("sync", &[], &[]).await;
    assert_eq!(pass.code, 3, "{}{}", pass.out, pass.err);
    assert_eq!(sent(), (received + 1, refusals + 1), "it alone");
    assert_eq!(site.words().await, [], "a word is heard once");
    site.run("sync", &[], &[]).await;
    assert_eq!(sent(), (received + 1, refusals + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_what_is_not_rejected_asks_for_nothing_and_names_it() {
    let site = Site::after_a_pass().await;
    let accepted = id(6, 1);
    for (more, told) in [
        (vec!["fer.slot", wrong().as_str(), &accepted], format!("{accepted} is not rejected")),
        (vec!["fer.slot", &orphan()], format!("{} is held, not rejected", orphan())),
        (vec!["fer.slot", &id(6, 0)], format!("{} is only the second row of its key", id(6, 0))),
        (vec!["fer.mo"], "no record of fer.mo is rejected".to_owned()),
        (vec!["fer", "--code", "R-999"], "no record of fer is rejected with the code R-999".to_owned()),
        (vec![], "--all".to_owned()),
    ] {
        let ran = site.run("rejects retry", &more, &[]).await;
        assert_eq!(ran.code, 2, "{more:?}: {}", ran.out);
        assert!(ran.err.contains(&told), "{more:?}: {}", ran.err);
    }
    assert_eq!(site.words().await, []);
    let all = site.run("rejects retry", &["--all"], &[]).await;
    assert_eq!(all.code, 0, "{}", all.err);
    assert_eq!(site.words().await.len(), 3, "resource, slot and book");
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_daemon_everything_can_be_asked_and_the_word_goes_to_it() {
    let site = Site::after_a_pass().await;
    let _daemon = Daemon::start(&site.config);
    let deadline = Instant::now() + Duration::from_secs(60);
    while site.run("status", &[], &[]).await.out.contains("stopped") {
        assert!(Instant::now() < deadline, "the daemon does not answer");
    }
    assert!(site.list(&[]).await.contains("R-310"));
    let ran = site.run("rejects retry", &["fer.book", "--code", "R-310"], &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("The running daemon takes it up"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_is_no_failure() {
    let site = Site::after_a_pass().await;
    let script = format!(
        "{} rejects list --config {} | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_vitrina"),
        site.config.display()
    );
    let status =
        tokio::task::spawn_blocking(move || std::process::Command::new("bash").args(["-c", &script]).status().unwrap());
    assert_eq!(status.await.unwrap().code(), Some(0));
}
