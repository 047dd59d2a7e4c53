//! The folder of a recording: files of exchanges, one a line, within a size and an age. The oldest file goes first.
//!
//! Every line is written in one piece, and a process begins a file of its own, so that a crash leaves at most one line without its end.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::Utc;

use super::{Cassette, NoCassette};

/// What the recorder's files are called: nothing else is ever deleted.
const PREFIX: &str = "exchanges-";
const SUFFIX: &str = ".jsonl";
/// A file is closed at this size, and at a sixteenth of the whole where that is less.
const MOST_FILE_BYTES: u64 = 4 << 20;
/// A file is closed at a sixteenth of the age, but not sooner than this.
const SHORTEST_FILE: Duration = Duration::from_secs(60);

/// Where a recording lies and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The folder. Made, for its owner alone, where it is not there.
    pub dir: PathBuf,
    /// Most bytes of all files.
    pub max_bytes: u64,
    /// No file is older.
    pub max_age: Duration,
}

/// The folder, open for writing.
pub(super) struct Folder {
    limits: Limits,
    current: Option<Current>,
    made: u64,
}

struct Current {
    file: File,
    path: PathBuf,
    bytes: u64,
    since: SystemTime,
}

/// An exchange that has no room.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotKept {
    /// It alone is larger than what is kept.
    #[error("an exchange is larger than record.max_bytes allows")]
    TooLarge,
    /// The disk.
    #[error("{0}")]
    Disk(#[from] io::Error),
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The folder or a file of it.
    #[error("cannot read {path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{path}: {source}")]
    Content {
        /// Which.
        path: PathBuf,
        /// Where and what.
        source: NoCassette,
    },
    /// There is none.
    #[error(
        "{path} holds no recorded exchange: no file ends with .jsonl or .json; name the folder that record.dir names"
    )]
    Nothing {
        /// The folder.
        path: PathBuf,
    },
}

/// Every exchange of a folder, or of one file, in the order of the files' names and of their lines.
pub fn read_folder(path: &Path) -> Result<Vec<Cassette>, ReadError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ReadError::Io { path, source }
    };
    let mut files = vec![path.to_owned()];
    if fs::metadata(path).map_err(failed(path))?.is_dir() {
        let entries = fs::read_dir(path).map_err(failed(path))?;
        let listed: io::Result<Vec<PathBuf>> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
        files = listed.map_err(failed(path))?;
        let ours = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "jsonl" || ending == "json");
        files.retain(ours);
        files.sort();
    }
    let mut cassettes = Vec::new();
    for file in files {
        let text = fs::read(&file).map_err(failed(&file))?;
        let read = Cassette::read_all(&text);
        cassettes.extend(read.map_err(|source| ReadError::Content { path: file, source })?);
    }
    if cassettes.is_empty() { Err(ReadError::Nothing { path: path.to_owned() }) } else { Ok(cassettes) }
}

impl Folder {
    /// Opens the folder, and forgets what has grown too old in it.
    pub fn open(limits: Limits) -> io::Result<Self> {
        if !limits.dir.is_dir() {
            DirBuilder::new().mode(0o700).create(&limits.dir)?;
        }
        let folder = Folder { limits, current: None, made: 0 };
        folder.prune(0)?;
        Ok(folder)
    }

    /// Writes an exchange.
    pub fn write(&mut self, cassette: &Cassette) -> Result<(), NotKept> {
        let mut line = serde_json::to_vec(cassette).map_err(io::Error::other)?;
        line.push(b'\n');
        let length = line.len() as u64;
        if length > self.limits.max_bytes {
            return Err(NotKept::TooLarge);
        }
        if self.current.as_ref().is_some_and(|current| self.is_full(current, length)) {
            self.current = None;
        }
        self.prune(length)?;
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        // A file into which a line went in part is not written to any more.
        current.file.write_all(&line)?;
        current.bytes += length;
        self.current = Some(current);
        Ok(())
    }

    fn is_full(&self, current: &Current, more: u64) -> bool {
        let age = current.since.elapsed().unwrap_or_default();
        let oldest = (self.limits.max_age / 16).max(SHORTEST_FILE).min(self.limits.max_age);
        current.bytes + more > MOST_FILE_BYTES.min(self.limits.max_bytes / 16) || age > oldest
    }

    fn begin(&mut self) -> io::Result<Current> {
        loop {
            self.made += 1;
            let now = Utc::now().format("%Y%m%dT%H%M%S%3fZ");
            let name = format!("{PREFIX}{now}-{:06}-{}{SUFFIX}", self.made, std::process::id());
            let path = self.limits.dir.join(name);
            match OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => return Ok(Current { file: opened?, path, bytes: 0, since: SystemTime::now() }),
            }
        }
    }

    /// Deletes the oldest files until so many bytes more have room, and those that are too old.
    pub fn prune(&self, more: u64) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.limits.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let ours = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
            // Another process may have deleted it just now.
            if ours && let Ok(told) = entry.metadata() {
                files.push((entry.path(), told.len(), told.modified().unwrap_or_else(|_| SystemTime::now())));
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (path, bytes, written) in files {
            let is_old = written.elapsed().unwrap_or_default() > self.limits.max_age;
            let in_use = self.current.as_ref().is_some_and(|current| current.path == path);
            if (is_old || total + more > self.limits.max_bytes) && !in_use {
                fs::remove_file(&path)?;
                total -= bytes;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::{Map, Value, json};

    use super::*;
    use crate::recording::{Body, Request};

    fn cassette(at: u64, bytes: usize) -> Cassette {
        let body = Body::Json(json!({"at": at, "text": "x".repeat(bytes)}));
        let request = Request { method: "POST".into(), path: "/api/slot".into(), headers: Default::default(), body };
        Cassette {
            about: None,
            portal: "fer".into(),
            kind: "fer".into(),
            at: None,
            request,
            answer: None,
            given: Map::new(),
            expect: Value::Null,
        }
    }

    fn limits(dir: &Path, max_bytes: u64) -> Limits {
        Limits { dir: dir.join("exchanges"), max_bytes, max_age: Duration::from_secs(3600) }
    }

    fn bytes(dir: &Path) -> u64 {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }

    fn number(cassette: &Cassette) -> u64 {
        let Body::Json(json) = &cassette.request.body else { panic!("{cassette:?}") };
        json["at"].as_u64().unwrap()
    }

    #[test]
    fn the_oldest_goes_first_and_the_whole_never_grows_past_its_cap() {
        let dir = tempfile::tempdir().unwrap();
        let limits = limits(dir.path(), 64 << 10);
        let mut folder = Folder::open(limits.clone()).unwrap();
        for at in 0..500 {
            folder.write(&cassette(at, 1000)).unwrap();
            assert!(bytes(&limits.dir) <= limits.max_bytes, "{at}");
        }
        let kept: Vec<u64> = read_folder(&limits.dir).unwrap().iter().map(number).collect();
        assert_eq!(kept.last(), Some(&499));
        assert!(kept.len() > 40 && kept.windows(2).all(|pair| pair[1] == pair[0] + 1), "{kept:?}");
        assert!(matches!(folder.write(&cassette(0, 70_000)), Err(NotKept::TooLarge)));
    }

    #[test]
    fn what_is_too_old_is_deleted_and_what_is_not_ours_stays() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { max_age: Duration::ZERO, ..limits(dir.path(), 1 << 20) };
        let mut folder = Folder::open(limits.clone()).unwrap();
        folder.write(&cassette(1, 10)).unwrap();
        fs::write(limits.dir.join("exchanges.txt"), "mine").unwrap();
        drop(folder);
        drop(Folder::open(limits.clone()).unwrap());
        let left: Vec<_> = fs::read_dir(&limits.dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["exchanges.txt"]);
    }

    #[test]
    fn files_are_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let limits = limits(dir.path(), 1 << 20);
        Folder::open(limits.clone()).unwrap().write(&cassette(1, 10)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&limits.dir), 0o700);
        for entry in fs::read_dir(&limits.dir).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
    }

    #[test]
    fn a_line_that_a_crash_cut_off_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let limits = limits(dir.path(), 1 << 20);
        let mut folder = Folder::open(limits.clone()).unwrap();
        (0..3).for_each(|at| folder.write(&cassette(at, 100)).unwrap());
        let path = folder.current.as_ref().unwrap().path.clone();
        let whole = fs::read(&path).unwrap();
        let second = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for cut in second..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let kept = read_folder(&limits.dir).unwrap();
            assert!((1..=3).contains(&kept.len()), "{cut}");
            assert!(kept.iter().enumerate().all(|(at, cassette)| number(cassette) == at as u64));
        }
        // A process that starts anew writes to another file.
        drop(folder);
        Folder::open(limits.clone()).unwrap().write(&cassette(9, 10)).unwrap();
        assert_eq!(read_folder(&limits.dir).unwrap().last().map(number), Some(9));
    }

    #[test]
    fn what_is_no_recording_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let nothing = read_folder(dir.path()).unwrap_err();
        assert!(nothing.to_string().contains("holds no recorded exchange"), "{nothing}");
        let file = dir.path().join("a.jsonl");
        let line = serde_json::to_string(&cassette(1, 1)).unwrap();
        for (text, wrong) in [
            (format!("{line}\n{{\"portal\": 1}}\n{line}\n"), "line 2: an exchange lacks"),
            (format!("{line}\nrubbish\n{line}\n"), "line 2: it is not JSON"),
        ] {
            fs::write(&file, text).unwrap();
            let error = read_folder(dir.path()).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
