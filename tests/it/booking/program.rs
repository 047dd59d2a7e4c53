//! The built program: its configuration, its check, its listener while the database is not there yet, its status.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::site::{code, guid, request};
use crate::support::command::{Ran, run, vitrina, write_private};
use crate::support::mart::send;

/// A configuration with these lines for booking, over a database that is not there.
fn configuration(port: u16, booking: &str) -> String {
    format!(
        "[sources.mis]\nurl = \"sqlite:/nowhere/mis.db\"\n[ledger]\nurl = \"sqlite:/nowhere/ledger.db\"\n\
         [serve]\nlisten = \"127.0.0.1:{port}\"\n[booking]\n{booking}\n\
         [portals.fer]\nkind = \"fer\"\nurl = \"http://127.0.0.1:1\"\nusername = \"u\"\npassword = \"hunter2\"\n\
         [portals.fer.feeds.slot]\nevery = \"30s\"\n"
    )
}

const BUILTIN: &str = "book = \"builtin\"\ncancel = \"builtin\"\n";

/// What `check --offline` says of these lines.
fn check(booking: &str) -> Ran {
    check_text(&configuration(9464, booking))
}

fn check_text(text: &str) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let path = write_private(folder.path(), "vitrina.toml", text);
    run(vitrina(&["check", "--offline", "--config", path.to_str().unwrap()]))
}

#[test]
fn a_section_of_two_lines_is_enough() {
    let ran = check(BUILTIN);
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn every_mistake_is_named_by_its_key() {
    for (lines, expected) in [
        ("cancel = \"builtin\"", "error: booking.book: is missing"),
        ("bok = \"x\"", "error: booking.bok: unknown key; did you mean book?"),
        ("allow = [\"gateway\"]", "error: booking.allow: \"gateway\" is neither an address"),
        ("proxies = \"10.0.0.0/33\"", "error: booking.proxies: \"10.0.0.0/33\" is neither an address"),
        ("source = \"mos\"", "error: booking.source: there is no source \"mos\"; did you mean mis?"),
        (
            "book = \"SELECT :slot_idd\"",
            "error: booking.book: statement 1 has the parameter :slot_idd; there are: :slot_id",
        ),
        ("lookup = \"SELECT :lastname\"", "error: booking.lookup: statement 1 has the parameter :lastname"),
        ("cancel = [\"SELECT 1\", \"COMMIT\"]", "error: booking.cancel: statement 2 begins with COMMIT"),
        ("public_url = \"http://h:8090/booking\"", "error: booking.public_url: must end before /booking"),
        ("tls_cert_file = \"vitrina.toml\"", "error: booking.tls_key_file: is missing"),
        ("connections = 1", "error: booking.connections: 1 is out of range: 8 to 65536"),
        ("allow = \"0.0.0.0/0\"", "warning: booking.allow: lets everybody book and cancel"),
        ("proxies = [\"::/0\"]", "warning: booking.proxies: believes everybody's"),
        ("book = \"SELECT 1\"", "warning: booking.lookup: is missing: a booking whose COMMIT"),
        ("tls_cert_file = \"vitrina.toml\"\ntls_key_file = \"vitrina.toml\"", "error: booking.tls_cert_file: "),
    ] {
        let kept: Vec<&str> = BUILTIN
            .lines()
            .filter(|line| !lines.starts_with("cancel = \"builtin\"") || !line.starts_with("book"))
            .filter(|line| !lines.lines().any(|own| own.split(' ').next() == line.split(' ').next()))
            .collect();
        let out = check(&format!("{lines}\n{}", kept.join("\n"))).out;
        assert!(out.contains(expected), "{lines}\n{out}");
    }
}

#[test]
fn builtin_is_for_the_demo_hospital() {
    let text = configuration(9464, BUILTIN).replace("sqlite:/nowhere/mis.db", "postgres://localhost/mis");
    let out = check_text(&text).out;
    assert!(out.contains("error: booking.book: builtin is for the demo hospital's SQLite tables"), "{out}");
}

/// As [`configuration`], of a host that does nothing but answer bookings.
fn without_portals(port: u16, booking: &str) -> String {
    let text = configuration(port, booking);
    text.split("[portals.fer]").next().unwrap().replace("[ledger]\nurl = \"sqlite:/nowhere/ledger.db\"\n", "")
}

#[test]
fn a_host_that_only_answers_bookings_needs_neither_portals_nor_a_ledger() {
    let ran = check_text(&without_portals(9464, BUILTIN));
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("warning: booking: there is no portal of kind fer here"), "{}", ran.out);
    let with_ledger = format!("{}[ledger]\nurl = \"sqlite:/l.db\"\n", without_portals(9464, BUILTIN));
    assert!(check_text(&with_ledger).out.contains("warning: ledger.url: has no effect"));
    let nothing = "[sources.mis]\nurl = \"sqlite:/nowhere/mis.db\"\n";
    let ran = check_text(nothing);
    assert_eq!(ran.code, 2);
    assert!(
        ran.out.contains("error: portals: is missing; name a portal to write to, or give [booking]"),
        "{}",
        ran.out
    );
}

/// The program, running; killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _may_have_ended = self.0.kill();
        let _status = self.0.wait();
    }
}

impl Running {
    /// Starts the daemon and gives the address at which it answers bookings.
    async fn start(config: &std::path::Path) -> (Running, String) {
        let mut command = vitrina(&["run", "--config", config.to_str().unwrap()]);
        let mut running = Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let (out, err) = (running.0.stdout.take().unwrap(), running.0.stderr.take().unwrap());
        let told = tokio::task::spawn_blocking(move || {
            let (tell, told) = std::sync::mpsc::channel();
            for stream in [Box::new(out) as Box<dyn std::io::Read + Send>, Box::new(err)] {
                let tell = tell.clone();
                std::thread::spawn(move || {
                    for line in BufReader::new(stream).lines().map_while(Result::ok) {
                        let _nobody_may_listen = tell.send(line);
                    }
                });
            }
            drop(tell);
            told.into_iter().find(|line| line.contains("bookings are answered")).unwrap()
        });
        let line = told.await.unwrap();
        let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        (running, address)
    }
}

#[tokio::test]
async fn a_host_without_portals_answers_bookings_and_shows_them() {
    let hospital = super::site::builtin().await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let text = without_portals(port, &format!("listen = \"127.0.0.1:0\"\nallow = \"127.0.0.1\"\n{BUILTIN}"))
        .replace("sqlite:/nowhere/mis.db", &hospital.settings.url);
    let path = write_private(folder.path(), "vitrina.toml", &text);
    let path_text = path.to_str().unwrap().to_owned();
    let status = move || run(vitrina(&["status", "--config", &path_text]));
    let ran = status();
    assert!(ran.code == 0 && ran.out.contains("no daemon answers"), "{} {}", ran.code, ran.out);
    let (_running, address) = Running::start(&path).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = request(&hospital.slots[0], &hospital.patients[0], Value::Null);
    let (_, answer) = send(client.post(format!("http://{address}/booking/book")).json(&body)).await;
    assert_eq!(code(&answer), 0, "{answer}");
    let ready = client.get(format!("http://127.0.0.1:{port}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let ran = tokio::task::spawn_blocking(status).await.unwrap();
    assert!(ran.code == 0 && ran.out.contains("book 0 × 1") && !ran.out.contains("last success"), "{}", ran.out);
    let check = run(vitrina(&["check", "--config", path.to_str().unwrap()]));
    assert_eq!(check.code, 0, "{}", check.out);
    let sync = run(vitrina(&["sync", "--config", path.to_str().unwrap()]));
    assert_eq!(sync.code, 2, "{}", sync.out);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no ledger");
}

#[tokio::test]
async fn bookings_are_answered_18_while_the_database_is_not_there_yet() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let booking = "listen = \"127.0.0.1:0\"\nallow = \"127.0.0.1\"\nbook = \"SELECT 0\"\ncancel = \"SELECT 0\"\n";
    let text = configuration(port, booking)
        .replace("sqlite:/nowhere/mis.db", &format!("postgres://u:hunter2@{nobody}/mis"))
        .replace("/nowhere", folder.path().to_str().unwrap());
    let path = write_private(folder.path(), "vitrina.toml", &text);
    let (_running, address) = Running::start(&path).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = request(&guid(6, 1), &guid(9, 1), Value::Null);
    let (status, answer) = send(client.post(format!("http://{address}/booking/book")).json(&body)).await;
    assert_eq!((status.as_u16(), code(&answer), &answer["book_ext_id"]), (200, 18, &json!(null)));
}
