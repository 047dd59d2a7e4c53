//! `vitrina init --interactive` at a terminal: from nothing to a check that passes and a first accepted slot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use url::Url;
use vitrina::demo::fer::{GatewaySettings, Subsystem};
use vitrina::source::Engine;

use crate::support::command::{run, vitrina};
use crate::support::database::{TestDb, mariadb, postgres, sqlite};
use crate::support::mart::Mart;
use crate::support::terminal::{DOWN, ENTER, SPACE, Terminal, UP};

const OID: &str = "1.2.643.5.1.13.13.12.2.86.8902";

/// A hospital's own tables, whose names and columns are its own, and whose rows name each other by numbers.
async fn fill(db: &TestDb) {
    let (guid, text, time) = match db.engine {
        Engine::Postgres => ("uuid", "varchar(200)", "timestamp"),
        Engine::MySql => ("CHAR(36)", "VARCHAR(200)", "DATETIME"),
        Engine::Sqlite => ("TEXT", "TEXT", "TEXT"),
    };
    let tables = [
        format!(
            "CREATE TABLE otdelenie (id INTEGER PRIMARY KEY, guid {guid}, oid {text}, naimenovanie {text}, adres {text}, created_at {time})"
        ),
        format!(
            "CREATE TABLE vrach (id INTEGER PRIMARY KEY, guid {guid}, otdelenie_id INTEGER, familiya {text}, imya {text}, otchestvo {text}, \
             snils {text}, dolzhnost_kod {text}, spec {text}, created_at {time})"
        ),
        format!(
            "CREATE TABLE raspisanie (id INTEGER PRIMARY KEY, guid {guid}, otdelenie_id INTEGER, vrach_id INTEGER, data_vremya {time}, \
             dlitelnost INTEGER, created_at {time})"
        ),
        format!("CREATE TABLE pacienty (id INTEGER PRIMARY KEY, guid {guid}, familiya {text}, imya {text}, snils {text})"),
        "INSERT INTO otdelenie VALUES (1, 'ab7cbc4b-2e68-40d2-881b-6f957b044818', '1.2.643.5.1.13.13.12.2.86.8902.0.1', \
         'Поликлиника № 1', 'г. Югорск, ул. Мира, 1', '2026-01-01 09:00:00')"
            .to_owned(),
        "INSERT INTO vrach VALUES (7, '1919135c-7c9e-4564-a8b4-29aff7adfe72', 1, 'Иванова', 'Анна', 'Петровна', '11223344595', '110', \
         '49', '2026-01-01 09:00:00')"
            .to_owned(),
        "INSERT INTO raspisanie VALUES (3, 'aaaaaaa1-5eff-49b8-9d07-ff2486162b3f', 1, 7, '2031-03-01 09:00:00', 20, \
         '2026-01-01 09:00:00')"
            .to_owned(),
    ];
    for statement in tables {
        db.execute(&[&statement]).await;
    }
}

/// How the words of the conversation begin.
struct Words {
    database: &'static str,
    whole: &'static str,
    password: &'static str,
    zone: &'static str,
    gateway: &'static str,
    account: &'static str,
    secret: &'static str,
    whence: &'static str,
    take: &'static str,
    later: &'static str,
    ledger: &'static str,
    made: &'static str,
    next: &'static str,
}

const ENGLISH: Words = Words {
    database: "What kind of database",
    whole: "How do you want to give its address",
    password: "Password of",
    zone: "time zone",
    gateway: "Address of the region's gateway",
    account: "the organisation's OID",
    secret: "Password (does not show)",
    whence: "where does it come from?",
    take: "Take it like this?",
    later: "which table or view?",
    ledger: "Ledger file",
    made: "Have the views been made?",
    next: "What comes next:",
};

const RUSSIAN: Words = Words {
    database: "Какая это СУБД",
    whole: "Как задать адрес",
    password: "Пароль ",
    zone: "Часовой пояс больницы",
    gateway: "Адрес шлюза региона",
    account: "OID организации",
    secret: "Пароль (не отображается)",
    whence: "откуда взять?",
    take: "Взять так?",
    later: "таблица или представление?",
    ledger: "Файл журнала",
    made: "Представления созданы?",
    next: "Дальше:",
};

fn begin(folder: &Path, locale: &str) -> Terminal {
    let mut command = vitrina(&["init", "--interactive", "--dir", folder.to_str().unwrap()]);
    command.env("LANG", locale);
    Terminal::start(command)
}

/// Gives the address as a whole, or a SQLite file, and takes the zone that is marked.
fn give_database(terminal: &mut Terminal, words: &Words, url: &str, password: &str) {
    if let Some(file) = url.strip_prefix("sqlite:") {
        terminal.answer(words.database, &DOWN.repeat(2));
        terminal.wait_for("mis.db");
        terminal.type_keys(file);
        terminal.type_keys(ENTER);
    } else {
        let steps = if url.starts_with("mysql:") { 1 } else { 0 };
        terminal.answer(words.database, &DOWN.repeat(steps));
        terminal.answer(words.whole, DOWN);
        terminal.wait_for("://");
        terminal.type_keys(url);
        terminal.type_keys(ENTER);
        terminal.answer_hidden(words.password, password);
    }
    terminal.wait_for("raspisanie");
    terminal.answer(words.zone, "");
}

/// The whole conversation, in whichever language; the views are made in the middle of it.
fn converse(
    mut terminal: Terminal,
    words: &Words,
    url: &str,
    gateway: &str,
    folder: &Path,
    make_views: impl FnOnce(&str),
) -> Terminal {
    give_database(&mut terminal, words, url, "reader-s3cret");
    terminal.answer("fer: ", "");
    terminal.answer(words.gateway, gateway);
    terminal.answer(words.account, OID);
    terminal.answer_hidden(words.secret, "wr0ng-guess");
    // Refused: once more, with the address and the account as they were.
    terminal.wait_for("401");
    terminal.type_keys(ENTER);
    terminal.answer(words.gateway, "");
    terminal.answer(words.account, "");
    terminal.answer_hidden(words.secret, "demo");
    for feed in ["mo", "resource", "service", "profilecode_resource", "unaccessable_period", "slot", "referral", "book"]
    {
        terminal.answer(&format!("{feed}: {}", words.later), "");
        let asked: &[&str] = match feed {
            "mo" => &["parent_id", "enabled", "tag_age"],
            "resource" => &["type", "enabled"],
            "slot" => &["tag_type", "tag_age", "status"],
            _ => continue,
        };
        for field in asked {
            // A status is never guessed: down from the last choice is the first, AVAILABLE.
            let keys = if *field == "status" { DOWN } else { "" };
            terminal.answer(&format!("{feed}.{field}: {}", words.whence), keys);
        }
        terminal.answer(words.take, "");
    }
    terminal.answer(words.ledger, folder.join("ledger.db").to_str().unwrap());
    // Too early: it is told which are missing, and asked again.
    terminal.answer(words.made, "");
    for view in ["vitrina_fer_mo", "vitrina_fer_resource", "vitrina_fer_slot"] {
        terminal.wait_for(view);
    }
    terminal.wait_for(words.made);
    make_views(&fs::read_to_string(folder.join("views.sql")).unwrap());
    terminal.type_keys(ENTER);
    terminal.wait_for(words.next);
    assert_eq!(terminal.end(), 0, "{}", terminal.shown);
    terminal
}

async fn from_nothing_to_a_slot(db: TestDb, url: String, locale: &'static str, words: &'static Words) {
    fill(&db).await;
    let mart = Mart::start(GatewaySettings::default()).await;
    let gateway = mart.running.url();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vitrina");
    let at = path.clone();
    let handle = tokio::runtime::Handle::current();
    let talked = tokio::task::spawn_blocking(move || {
        let make_views = |sql: &str| handle.block_on(db.execute(&[sql]));
        let terminal = converse(begin(&at, locale), words, &url, &gateway, &at, make_views);
        (terminal.shown.clone(), db)
    });
    let (shown, _db) = talked.await.unwrap();

    for secret in ["reader-s3cret", "wr0ng-guess"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let configuration = fs::read_to_string(path.join("vitrina.toml")).unwrap();
    assert!(configuration.contains("password_file = \"fer-password\""), "{configuration}");
    assert!(!configuration.contains("s3cret"), "{configuration}");
    let mode = |name: &str| fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("fer-password"), mode("vitrina.toml")), (0o600, 0o644));

    let config = path.join("vitrina.toml");
    let synced = tokio::task::spawn_blocking(move || run(vitrina(&["sync", "--config", config.to_str().unwrap()])));
    let synced = synced.await.unwrap();
    assert_eq!(synced.code, 0, "{}{}", synced.out, synced.err);
    assert_eq!(mart.running.gateway().len(Subsystem::Slot), 1, "{}", synced.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_slot_arrives_from_postgres_after_a_conversation_in_russian() {
    let db = postgres().await;
    // An account of its own, which may only read.
    db.execute(&["DROP ROLE IF EXISTS first_hour", "CREATE ROLE first_hour LOGIN PASSWORD 'reader-s3cret'"]).await;
    db.execute(&["ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO first_hour"]).await;
    let mut url = Url::parse(&db.url).unwrap();
    url.set_username("first_hour").unwrap();
    from_nothing_to_a_slot(db, url.into(), "ru_RU.UTF-8", &RUSSIAN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_slot_arrives_from_mariadb_after_a_conversation() {
    let db = mariadb().await;
    db.execute(&[
        "CREATE OR REPLACE USER 'first_hour'@'%' IDENTIFIED BY 'reader-s3cret'",
        "GRANT SELECT ON *.* TO 'first_hour'@'%'",
    ])
    .await;
    let mut url = Url::parse(&db.url).unwrap();
    url.set_username("first_hour").unwrap();
    from_nothing_to_a_slot(db, url.into(), "C", &ENGLISH).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_slot_arrives_from_sqlite_after_a_conversation() {
    let db = sqlite().await;
    let url = db.url.clone();
    from_nothing_to_a_slot(db, url, "en_US.UTF-8", &ENGLISH).await;
}

#[test]
fn without_a_terminal_it_says_what_to_do_instead() {
    let ran = run(vitrina(&["init", "--interactive", "--lang", "ru"]));
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("нужен терминал") && ran.err.contains("vitrina init --views"), "{}", ran.err);
}

#[test]
fn a_database_that_does_not_answer_is_told_and_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = begin(folder.path(), "C");
    terminal.answer(ENGLISH.database, "");
    terminal.answer(ENGLISH.whole, "");
    terminal.answer("Host", "127.0.0.1");
    terminal.answer("Port", "99999");
    terminal.wait_for("a port is a number");
    // Nothing listens there; an answer that was refused stays to be mended.
    terminal.type_keys(&"\x7f".repeat(5));
    terminal.type_keys("1");
    terminal.type_keys(ENTER);
    terminal.answer("Database", "");
    terminal.answer("Account", "");
    terminal.answer_hidden(ENGLISH.password, "hunter2");
    terminal.wait_for("It does not work: source mis: cannot connect");
    terminal.answer("What now?", UP);
    terminal.wait_for("Nothing has been written.");
    assert_eq!(terminal.end(), 2);
    assert!(!terminal.shown.contains("hunter2"), "{}", terminal.shown);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_there_is_written_over_only_by_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vitrina.toml");
    fs::write(&path, "# mine\n").unwrap();
    let arguments = ["--source", "postgres", "--portal", "pos", "--dir", folder.path().to_str().unwrap()];
    let mut terminal = Terminal::start(vitrina(&[&["init", "--interactive"], &arguments[..]].concat()));
    terminal.answer(ENGLISH.whole, DOWN);
    terminal.answer("Address", "postgres://reader@127.0.0.1:1/mis");
    terminal.answer_hidden(ENGLISH.password, "");
    terminal.answer("What now?", DOWN);
    terminal.answer(ENGLISH.zone, "");
    terminal.answer("without /polls", "https://127.0.0.1");
    terminal.answer_hidden("Access token", "t0ken-one");
    terminal.answer_hidden("Token for renewal", "t0ken-two");
    terminal.answer("Name of the external resource", "hospital");
    terminal.wait_for("Not tried");
    terminal.answer(ENGLISH.ledger, folder.path().join("ledger.db").to_str().unwrap());
    terminal.wait_for("Write over them?");
    terminal.type_keys(UP);
    terminal.type_keys(ENTER);
    terminal.wait_for("Nothing has been written.");
    assert_eq!(terminal.end(), 2);
    assert_eq!(fs::read_to_string(&path).unwrap(), "# mine\n");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn an_interrupt_leaves_the_terminal_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = begin(folder.path(), "C");
    terminal.answer(ENGLISH.database, "");
    terminal.answer(ENGLISH.whole, "");
    for question in ["Host", "Port", "Database", "Account"] {
        terminal.answer(question, "");
    }
    terminal.wait_until_hidden(ENGLISH.password);
    terminal.interrupt();
    assert_eq!(terminal.end(), 130);
    assert!(terminal.echoes());
}

#[test]
fn several_portals_are_marked_by_the_space_bar() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = begin(folder.path(), "C");
    terminal.answer(ENGLISH.database, &DOWN.repeat(2));
    terminal.answer("mis.db", "/nowhere/mis.db");
    terminal.answer("What now?", DOWN);
    terminal.answer(ENGLISH.zone, "");
    terminal.answer("fer: ", &[SPACE, DOWN, SPACE].concat());
    terminal.wait_for("-- Portal: sout");
    assert!(!terminal.shown.contains("-- Portal: fer"), "{}", terminal.shown);
}
