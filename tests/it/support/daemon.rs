//! The built program as a daemon, and the conditions that are waited for.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::command::{Ran, run, vitrina};

/// Far beyond what any condition takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A daemon that ends with its test, whatever becomes of it.
pub struct Daemon {
    child: Child,
    config: PathBuf,
}

impl Daemon {
    pub fn start(config: &Path) -> Self {
        Daemon::start_telling(config, Stdio::null())
    }

    /// One whose log goes there.
    pub fn start_telling(config: &Path, log: impl Into<Stdio>) -> Self {
        let mut command = vitrina(&["run", "--config", config.to_str().unwrap()]);
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Daemon { child, config: config.to_owned() }
    }

    /// One that logs all there is to log.
    pub fn start_tracing(config: &Path, log: File) -> Self {
        let mut command = vitrina(&["run", "--config", config.to_str().unwrap()]);
        let child = command.env("RUST_LOG", "trace").stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Daemon { child, config: config.to_owned() }
    }

    /// Asks it to stop, and waits for its exit code.
    pub fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        tokio::task::block_in_place(|| self.child.wait()).unwrap().code()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Ends it without a word.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        tokio::task::block_in_place(|| self.child.wait()).unwrap();
    }

    /// How it ended, if it ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Another verb of the program, with the daemon's configuration.
    pub fn run(&self, verb: &str, more: &[&str]) -> Ran {
        let config = self.config.to_str().unwrap();
        let words: Vec<&str> = verb.split(' ').chain(["--config", config]).chain(more.iter().copied()).collect();
        tokio::task::block_in_place(|| run(vitrina(&words)))
    }

    /// The register of exchange of a feed; nothing while there is none.
    pub fn log(&self, feed: &str) -> Vec<Value> {
        let ran = self.run("log", &[feed, "--json"]);
        serde_json::from_str(&ran.out).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
