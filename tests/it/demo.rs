//! `vitrina demo` and `vitrina mock`, run as a user runs them.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::command::{run, vitrina};

/// The numbers of one feed in the summary: rows, at the portal, confirmed, rejected, held.
fn numbers(summary: &str, feed: &str) -> Vec<u64> {
    let line = summary.lines().find(|line| line.split_whitespace().next() == Some(feed));
    let line = line.unwrap_or_else(|| panic!("no line of {feed}:\n{summary}"));
    line.split_whitespace().skip(1).map(|number| number.parse().unwrap()).collect()
}

#[test]
fn a_demo_fills_five_portals_and_has_it_confirmed() {
    let ran = run(vitrina(&["demo", "--for", "8s", "--slots", "500", "--listen", "127.0.0.1:0"]));
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let verdict = "All portals hold what the hospital says, and have confirmed it: ";
    assert!(ran.out.contains(verdict), "{}", ran.out);
    for (feed, fewest) in [
        ("sout.training", 200),
        ("nmo.module", 10),
        ("nmo.result", 30),
        ("pos.poll", 2),
        ("pos.voting", 4),
        ("pos.voting_object", 12),
        ("ekdo.document", 2),
    ] {
        let [rows, at_portal, confirmed, rejected, held] = numbers(&ran.out, feed)[..] else { panic!("{}", ran.out) };
        assert!(rows >= fewest && at_portal == rows && confirmed >= rows, "{feed}:\n{}", ran.out);
        assert_eq!((rejected, held), (0, 0), "{feed}:\n{}", ran.out);
    }
    let [rows, at_portal, ..] = numbers(&ran.out, "fer.slot")[..] else { panic!("{}", ran.out) };
    assert!(rows >= 500 && at_portal > 400, "{}", ran.out);
    let bookings = ran.out.lines().find(|line| line.starts_with("Bookings: ")).unwrap_or_else(|| panic!("{}", ran.out));
    assert!(bookings.contains("; every answer was as the document has it, the longest after "), "{bookings}");
    for what in ["booked ", "cancelled ", "refused "] {
        let number = bookings.split_once(what).unwrap().1.split([',', ';']).next().unwrap();
        assert!(number.parse::<u64>().unwrap() > 0, "{bookings}");
    }
    let progress: Vec<&str> = ran.out.lines().filter(|line| line.contains(" s  changes ")).collect();
    assert!(!progress.is_empty() && progress.iter().all(|line| line.len() < 160), "{progress:?}");
}

/// The program with its standard output; ended when it is dropped.
struct Started(Child, BufReader<ChildStdout>);

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Started {
    fn new(arguments: &[&str]) -> Self {
        let mut child = vitrina(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Started(child, out)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        line
    }

    fn interrupt(&self) {
        let sent = Command::new("kill").arg("-INT").arg(self.0.id().to_string()).status().unwrap();
        assert!(sent.success());
    }
}

#[test]
fn a_demo_that_is_interrupted_still_catches_up() {
    let mut demo = Started::new(&["demo", "--for", "0s", "--slots", "200", "--listen", "127.0.0.1:0"]);
    while !demo.line().contains(" s  changes ") {}
    demo.interrupt();
    let mut rest = String::new();
    while !rest.contains("records compared") {
        let line = demo.line();
        assert!(!line.is_empty(), "{rest}");
        rest.push_str(&line);
    }
    assert_eq!(demo.0.wait().unwrap().code(), Some(0), "{rest}");
}

#[test]
fn the_mocks_print_where_each_listens_and_who_may_use_it() {
    let mut mocks = Started::new(&["mock", "--listen", "127.0.0.1:0"]);
    for (title, keys) in [
        ("FER gateway", &["username", "password"][..]),
        ("SOUT register", &["api_key"]),
        ("NMO portal", &["client_id", "client_secret", "username", "password"]),
        ("POS", &["access_token", "refresh_token", "name"]),
        ("EKDO", &["username", "password", "user_id"]),
    ] {
        let line = mocks.line();
        let (named, rest) = line.split_once(": http://").unwrap_or_else(|| panic!("{line}"));
        assert_eq!(named, title);
        let mut parts = rest.split("  ");
        let address: SocketAddr = parts.next().unwrap().trim().split('/').next().unwrap().parse().unwrap();
        TcpStream::connect(address).unwrap();
        let given: Vec<&str> = parts.map(|part| part.split_once(' ').unwrap().0).collect();
        assert_eq!(given, keys, "{line}");
    }
    mocks.interrupt();
    assert_eq!(mocks.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_port_without_four_behind_it_is_refused_by_the_key_that_names_it() {
    let ran = run(vitrina(&["mock", "--listen", "127.0.0.1:65533"]));
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.err.contains("--listen 127.0.0.1:65533") && ran.err.contains("65531"), "{}", ran.err);
}
