//! What is looked at before a document is sent: both files, as far as the portal's text says what they must be.
//!
//! A row is examined at every read, so what was found of a file is remembered until its length or its time of change differs. The bytes'
//! hashes go into the record's body: a file that was replaced is another version of its record.
//!
//! A file that changes while it is read, or was changed seconds ago, is neither taken nor judged: it is reported as being written and
//! looked at again at the next read.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::document::Row;
use super::files::{self, Stamp};
use super::remembered::Remembered;
use super::{cms, pdf};
use crate::record::{Rule, Violation};

/// Most bytes of a signature: certificates and time stamps make some kilobytes.
pub(super) const MOST_SIGNATURE_BYTES: u64 = 1 << 20;
/// Files of which something is remembered: two of each of a hundred thousand documents, some 60 MB at the most.
const REMEMBERED: usize = 200_000;

/// What a file must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Document,
    Signature,
}

/// What was found of a file: its hash, or what is wrong with it.
type Finding = Result<String, String>;

/// Looks at files.
pub(super) struct Examiner {
    root: PathBuf,
    max_file_bytes: u64,
    known: Mutex<Remembered<(PathBuf, Part), (Stamp, Finding)>>,
}

impl Examiner {
    pub fn new(root: PathBuf, max_file_bytes: u64) -> Self {
        Examiner { root, max_file_bytes, known: Mutex::new(Remembered::new(REMEMBERED)) }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The hashes of a row's document and signature.
    pub fn examine(&self, row: &Row) -> Result<[String; 2], Vec<Violation>> {
        let document = self.look("file_path", &row.file_path, Part::Document);
        let signature = self.look("signature_path", &row.signature_path, Part::Signature);
        match (document, signature) {
            (Ok(document), Ok(signature)) => Ok([document, signature]),
            (document, signature) => Err([document.err(), signature.err()].into_iter().flatten().collect()),
        }
    }

    fn look(&self, field: &'static str, path: &str, part: Part) -> Result<String, Violation> {
        let found = files::locate(&self.root, path).map_err(str::to_owned);
        let found = found.and_then(|path| self.remembered(path, part));
        found.map_err(|text| Violation { field: field.into(), rule: Rule::File, text: text.into() })
    }

    fn remembered(&self, path: PathBuf, part: Part) -> Finding {
        let mut file = files::open(&path)?;
        let unreadable = |_| "cannot be read".to_owned();
        let stamp = Stamp::of(&file).map_err(unreadable)?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&(path.clone(), part)).cloned();
        if let Some((_, finding)) = known.filter(|(known, _)| *known == stamp) {
            return finding;
        }
        let finding = self.read(&mut file, part).map_err(unreadable)?;
        if stamp.is_settling(SystemTime::now()) || Stamp::of(&file).map_err(unreadable)? != stamp {
            return Err(
                "is still being written; it is looked at again at the next read, nothing needs to be done".into()
            );
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((path, part), (stamp, finding.clone()));
        finding
    }

    fn read(&self, file: &mut std::fs::File, part: Part) -> std::io::Result<Finding> {
        let most = match part {
            Part::Document => self.max_file_bytes,
            Part::Signature => MOST_SIGNATURE_BYTES,
        };
        let Some(bytes) = files::read(file, most)? else {
            return Ok(Err(format!("is larger than {most} bytes")));
        };
        let sound = match part {
            Part::Document => pdf::check(&bytes),
            Part::Signature => cms::check(&bytes),
        };
        Ok(sound.map(|()| files::hash(&bytes)))
    }
}
