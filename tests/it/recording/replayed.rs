//! `vitrina replay`, run as a user runs it: the recording of a demo plays against the mocks, and a portal that says something else is found.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::support::command::{Ran, run, vitrina};

/// The mocks with the accounts of recordings; ended when they are dropped.
struct Mocks(Child, Vec<(String, String)>);

impl Drop for Mocks {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Mocks {
    fn start(arguments: &[&str]) -> Self {
        let arguments = [&["mock", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut child = vitrina(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(5).map(Result::unwrap);
        let kinds = ["fer", "sout", "nmo", "pos", "ekdo"];
        let url = |line: String| line.split_once(": ").unwrap().1.split("  ").next().unwrap().to_owned();
        let urls = kinds.into_iter().map(str::to_owned).zip(lines.map(url)).collect();
        Mocks(child, urls)
    }

    fn url(&self, kind: &str) -> String {
        self.1.iter().find(|(known, _)| known == kind).unwrap().1.clone()
    }

    fn play(&self, recording: &Path, more: &[&str]) -> Ran {
        let mut command = vitrina(&["replay", recording.to_str().unwrap(), "--patience", "20s"]);
        for (kind, url) in &self.1 {
            command.args(["--against", &format!("{kind}={url}")]);
        }
        command.args(more);
        run(command)
    }
}

#[test]
fn the_recording_of_a_demo_plays_against_the_mocks_without_a_difference() {
    let dir = tempfile::tempdir().unwrap();
    let recording = dir.path().join("exchanges");
    let record = recording.to_str().unwrap();
    let demo = run(vitrina(&["demo", "--for", "6s", "--slots", "200", "--listen", "127.0.0.1:0", "--record", record]));
    assert_eq!(demo.code, 0, "{}{}", demo.out, demo.err);
    let played = Mocks::start(&["--recorded"]).play(&recording, &[]);
    assert_eq!(played.code, 0, "{}{}", played.out, played.err);
    assert!(played.out.contains(" with the same verdict, 0 with another"), "{}", played.out);
    // Accounts of its own are refused to stand-ins.
    let refused = Mocks::start(&[]).play(&recording, &["--portal", "fer", "--against", "http://127.0.0.1:9"]);
    assert_eq!(refused.code, 2, "an address of a portal that is not played: {}{}", refused.out, refused.err);
}

/// A recording of one request to a gateway.
fn recorded(dir: &Path, code: &str) {
    let login = json!({
        "portal": "fer", "kind": "fer",
        "request": {"method": "POST", "path": "/auth.svc", "headers": {"content-type": "application/json"},
            "body": {"json": {"username": "stand-in-username", "password": "stand-in-password"}}},
        "answer": {"status": 200, "body": {"json": {"Result": {"Value": "stand-in-token-1"}, "IsSuccess": true, "StatusCode": 200}}},
    });
    let service = json!({
        "portal": "fer", "kind": "fer",
        "request": {"method": "POST", "path": "/api/service",
            "headers": {"content-type": "application/json", "content-encoding": "gzip", "authorization": "bearer stand-in-token-1"},
            "body": {"json": {"data": [{"id": "no guid"}]}}},
        "answer": {"status": 422, "body": {"json": {"isSuccess": false, "statusCode": 422,
            "error": {"errorMessage": "x", "errorCode": code}, "errors": [{"id": "no guid", "errorMessage": "x", "errorCode": code}]}}},
    });
    let lines: Vec<String> = [login, service].iter().map(Value::to_string).collect();
    std::fs::write(dir.join("a.jsonl"), lines.join("\n") + "\n").unwrap();
}

#[test]
fn another_verdict_is_told_with_its_request_and_fails() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path(), "R-999");
    let mocks = Mocks::start(&["--recorded"]);
    let url = mocks.url("fer");
    let ran = run(vitrina(&["replay", dir.path().to_str().unwrap(), "--against", &url]));
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("2. fer POST /api/service"), "{}", ran.out);
    assert!(ran.out.contains("instead of \"R-999\""), "{}", ran.out);
    assert!(ran.out.contains("2 exchanges: 1 with the same verdict, 1 with another"), "{}", ran.out);
    let ran = run(vitrina(&["replay", dir.path().to_str().unwrap(), "--against", &url, "--json"]));
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &told["same"], &told["different"]), (1, &json!(1), &json!(1)));
    assert_eq!(told["exchanges"][0]["path"], "/api/service");
}

#[test]
fn a_portal_of_the_configuration_is_not_played_against_and_an_account_is_taken_from_it() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path(), "R-999");
    let mocks = Mocks::start(&[]);
    let url = mocks.url("fer");
    let config = dir.path().join("vitrina.toml");
    let text = format!(
        "[sources.mis]\nurl = \"sqlite:{0}/mis.db\"\n[ledger]\nurl = \"sqlite:{0}/ledger.db\"\n[portals.fer]\nkind = \"fer\"\nurl = \"{url}\"\n\
         username = \"1.2.643.5.1.13.13.12.2.86.8902\"\npassword = \"demo\"\n",
        dir.path().display()
    );
    std::fs::write(&config, text).unwrap();
    let play = |more: &[&str]| {
        let file = dir.path().join("a.jsonl");
        let arguments = ["replay", file.to_str().unwrap(), "--against", &url, "--config", config.to_str().unwrap()];
        run(vitrina(&[&arguments, more].concat()))
    };
    let refused = play(&[]);
    assert_eq!(refused.code, 2, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("portals.fer") && refused.err.contains("--test-stand"), "{}", refused.err);
    let played = play(&["--test-stand"]);
    assert_eq!(played.code, 1, "{}{}", played.out, played.err);
    assert!(played.out.contains("1 with the same verdict"), "signed in with the account: {}", played.out);
}
