//! The built program at a terminal: what it shows is read, keys are typed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

/// Longest wait for the program's next words.
const PATIENCE: Duration = Duration::from_secs(60);

pub const ENTER: &str = "\r";
pub const DOWN: &str = "\x1b[B";
pub const UP: &str = "\x1b[A";
pub const SPACE: &str = " ";

/// A program at a terminal of its own.
pub struct Terminal {
    child: Child,
    keys: File,
    screen: Receiver<Vec<u8>>,
    /// Everything that was shown.
    pub shown: String,
    /// Up to where it was waited for.
    seen: usize,
    bytes: Vec<u8>,
}

impl Terminal {
    /// Starts a program at a terminal.
    pub fn start(mut command: Command) -> Terminal {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let name = ptsname(&keys, Vec::new()).unwrap();
        let line = || -> OwnedFd { open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap() };
        command.env("TERM", "xterm");
        let child = command.stdin(Stdio::from(line())).stdout(Stdio::from(line())).stderr(Stdio::from(line()));
        let child = child.spawn().unwrap();
        drop(command);
        let keys = File::from(keys);
        let mut reader = keys.try_clone().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = reader.read(&mut buffer)
                && length > 0
                && sender.send(buffer[..length].to_vec()).is_ok()
            {}
        });
        Terminal { child, keys, screen, shown: String::new(), seen: 0, bytes: Vec::new() }
    }

    /// Waits until the program shows a text, after what was waited for before.
    pub fn wait_for(&mut self, text: &str) {
        let start = Instant::now();
        loop {
            if let Some(at) = self.shown[self.seen..].find(text) {
                self.seen += at + text.len();
                return;
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout) => panic!("{text:?} was not shown in time, but:\n{}", self.shown),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{text:?} was not shown before the end, but:\n{}", self.shown)
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.bytes) {
            Ok(_) => self.bytes.len(),
            Err(error) => error.valid_up_to(),
        };
        let rest = self.bytes.split_off(whole);
        self.shown.push_str(std::str::from_utf8(&self.bytes).unwrap());
        self.bytes = rest;
    }

    /// Types keys.
    pub fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for a question and types an answer and Enter.
    pub fn answer(&mut self, question: &str, keys: &str) {
        self.wait_for(question);
        self.type_keys(keys);
        self.type_keys(ENTER);
    }

    /// As [`Self::answer`], to a question whose answer does not show: keys that come before that has begun are lost, and would show.
    pub fn answer_hidden(&mut self, question: &str, keys: &str) {
        self.wait_until_hidden(question);
        self.type_keys(keys);
        self.type_keys(ENTER);
    }

    /// Waits for a question whose answer does not show, until it does not.
    pub fn wait_until_hidden(&mut self, question: &str) {
        self.wait_for(question);
        let start = Instant::now();
        while self.echoes() {
            assert!(start.elapsed() < PATIENCE, "{question:?} would show the answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the terminal shows what is typed.
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.keys).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// What Ctrl-C does at a terminal that belongs to the program.
    pub fn interrupt(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).unwrap();
    }

    /// Waits for the end; the exit code.
    pub fn end(&mut self) -> i32 {
        let start = Instant::now();
        loop {
            match self.screen.recv_timeout(PATIENCE.saturating_sub(start.elapsed())) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it did not end, and shows:\n{}", self.shown),
            }
        }
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
