//! What is looked at before a document is sent: both files, as far as the portal's text says what they must be, and whether the signature is
//! that of the document.
//!
//! A row is examined at every read, so what was found of a file is remembered until its length or its time of change differs. The bytes'
//! hashes go into the record's body: a file that was replaced is another version of its record.
//!
//! A row may be there before its files are finished. Whether one is still being written is told by what can be seen of it: it was changed
//! within seconds, or while it was read; or it has no end, or its other half is missing or of another version, and one of the two was changed
//! within a quarter of an hour. Such a record waits. What is older will not be finished by itself, so that somebody has to look.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::cms;
use super::digest::{Algorithm, Digest};
use super::document::Row;
use super::files::{self, ABSENT, Stamp};
use super::pdf;
use super::remembered::Remembered;
use crate::portal::{Awaited, Unfit};
use crate::record::{Rule, Violation};

/// Most bytes of a signature: certificates and time stamps make some kilobytes.
pub(super) const MOST_SIGNATURE_BYTES: u64 = 1 << 20;
/// Files of which something is remembered: two of each of a hundred thousand documents, some 80 MB at the most.
const REMEMBERED: usize = 200_000;
const DOCUMENT: &str = "file_path";
const SIGNATURE: &str = "signature_path";

/// What a file must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Document,
    Signature,
}

/// A file that is what it must be.
#[derive(Debug, Clone)]
struct Sound {
    hash: String,
    /// Of a signature: what its signers state of the document. Of a document: what was asked for so far.
    digests: Vec<Digest>,
}

/// What is wrong with a file.
#[derive(Debug, Clone)]
enum Fault {
    /// It will not get better by itself.
    Wrong(String),
    /// It may be the beginning of what it must be.
    Unfinished(String),
    /// Somebody is writing to it at this moment.
    Settling,
    /// It is not there.
    Missing,
}

/// What was found of a file, and when it was changed last.
struct Look {
    finding: Result<Sound, Fault>,
    stamp: Option<Stamp>,
}

type Known = Remembered<(PathBuf, Part), (Stamp, Result<Sound, Fault>)>;

/// Looks at files.
pub(super) struct Examiner {
    root: PathBuf,
    max_file_bytes: u64,
    known: Mutex<Known>,
}

impl Examiner {
    pub fn new(root: PathBuf, max_file_bytes: u64) -> Self {
        Examiner { root, max_file_bytes, known: Mutex::new(Remembered::new(REMEMBERED)) }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The hashes of a row's document and signature.
    pub fn examine(&self, row: &Row) -> Result<[String; 2], Unfit> {
        let signature = self.look(row, Part::Signature, &[]);
        let stated = signature.finding.as_ref().map(|sound| sound.digests.clone()).unwrap_or_default();
        let algorithms: Vec<Algorithm> = stated.iter().map(|digest| digest.algorithm).collect();
        let document = self.look(row, Part::Document, &algorithms);
        let is_young = |look: &Look| look.stamp.is_some_and(|stamp| stamp.is_young(SystemTime::now()));
        let (document_is_young, signature_is_young) = (is_young(&document), is_young(&signature));
        let either = document_is_young || signature_is_young;
        match (document.finding, signature.finding) {
            (Ok(document), Ok(signature)) if stated.iter().all(|digest| document.digests.contains(digest)) => {
                Ok([document.hash, signature.hash])
            }
            (Ok(_), Ok(_)) => {
                let fault = Fault::Unfinished(
                    "is the signature of other bytes than those of the document; sign it anew".into(),
                );
                Err(unfit([(SIGNATURE, fault, either)]))
            }
            (document, signature) => {
                // Of a file that is not there the other one tells whether it is still to come.
                let age_of = |fault: &Fault, own, other| if matches!(fault, Fault::Missing) { other } else { own };
                let document = document.err().map(|fault| {
                    let is_young = age_of(&fault, document_is_young, signature_is_young);
                    (DOCUMENT, fault, is_young)
                });
                let signature = signature.err().map(|fault| {
                    let is_young = age_of(&fault, signature_is_young, document_is_young);
                    (SIGNATURE, fault, is_young)
                });
                Err(unfit(document.into_iter().chain(signature)))
            }
        }
    }

    fn look(&self, row: &Row, part: Part, algorithms: &[Algorithm]) -> Look {
        let path = match part {
            Part::Document => &row.file_path,
            Part::Signature => &row.signature_path,
        };
        let found = files::locate(&self.root, path).map_err(absence);
        match found.and_then(|path| self.remembered(row, path, part, algorithms)) {
            Ok((stamp, finding)) => Look { finding, stamp: Some(stamp) },
            Err(fault) => Look { finding: Err(fault), stamp: None },
        }
    }

    fn remembered(
        &self,
        row: &Row,
        path: PathBuf,
        part: Part,
        algorithms: &[Algorithm],
    ) -> Result<(Stamp, Result<Sound, Fault>), Fault> {
        let mut file = files::open(&path).map_err(absence)?;
        let unreadable = |_| Fault::Wrong("cannot be read".to_owned());
        let stamp = Stamp::of(&file).map_err(unreadable)?;
        let has_all = |finding: &Result<Sound, Fault>| {
            let Ok(Sound { digests, .. }) = finding else { return true };
            algorithms.iter().all(|algorithm| digests.iter().any(|digest| digest.algorithm == *algorithm))
        };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&(path.clone(), part)).cloned();
        if let Some((_, finding)) = known.filter(|(known, finding)| *known == stamp && has_all(finding)) {
            return Ok((stamp, finding));
        }
        let finding = self.read(row, &mut file, part, algorithms).map_err(unreadable)?;
        if stamp.is_settling(SystemTime::now()) || Stamp::of(&file).map_err(unreadable)? != stamp {
            return Ok((stamp, Err(Fault::Settling)));
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((path, part), (stamp, finding.clone()));
        Ok((stamp, finding))
    }

    fn read(
        &self,
        row: &Row,
        file: &mut std::fs::File,
        part: Part,
        algorithms: &[Algorithm],
    ) -> std::io::Result<Result<Sound, Fault>> {
        let most = match part {
            Part::Document => self.max_file_bytes,
            Part::Signature => MOST_SIGNATURE_BYTES,
        };
        let Some(bytes) = files::read(file, most)? else {
            return Ok(Err(Fault::Wrong(format!("is larger than {most} bytes"))));
        };
        let digests = match part {
            Part::Document => document(&bytes, algorithms),
            Part::Signature => signature(row, &bytes),
        };
        Ok(digests.map(|digests| Sound { hash: files::hash(&bytes), digests }))
    }
}

fn absence(text: files::Absence) -> Fault {
    if text == ABSENT { Fault::Missing } else { Fault::Wrong(text.to_owned()) }
}

fn document(bytes: &[u8], algorithms: &[Algorithm]) -> Result<Vec<Digest>, Fault> {
    match pdf::check(bytes) {
        Ok(()) => Ok(algorithms.iter().map(|algorithm| algorithm.digest(bytes)).collect()),
        Err(text) if pdf::is_unfinished(bytes) => Err(Fault::Unfinished(text)),
        Err(text) => Err(Fault::Wrong(text)),
    }
}

fn signature(row: &Row, bytes: &[u8]) -> Result<Vec<Digest>, Fault> {
    match cms::read(bytes) {
        Ok(signature) => {
            if signature.uncompared {
                tracing::warn!(
                    record = %row.id,
                    "a signature states no digest of its document that can be compared (it has no signed attributes, or another algorithm \
                     than Streebog and SHA-2): it is sent as it is"
                );
            }
            Ok(signature.digests)
        }
        Err(fault) if fault.unfinished => Err(Fault::Unfinished(fault.text.to_owned())),
        Err(fault) => Err(Fault::Wrong(fault.text.to_owned())),
    }
}

/// Why a document is not sent, by what is wrong with its files and whether they were changed a short while ago: what is wrong for good is
/// told first.
fn unfit(faults: impl IntoIterator<Item = (&'static str, Fault, bool)>) -> Unfit {
    let (mut broken, mut awaited) = (Vec::new(), None);
    for (field, fault, is_young) in faults {
        let text = match fault {
            Fault::Settling => {
                awaited = Some((field, Awaited::Unfinished));
                continue;
            }
            Fault::Unfinished(_) if is_young => {
                awaited = Some((field, Awaited::Unfinished));
                continue;
            }
            Fault::Missing if is_young => {
                awaited = Some((field, Awaited::Missing));
                continue;
            }
            Fault::Missing => ABSENT.to_owned(),
            Fault::Wrong(text) | Fault::Unfinished(text) => text,
        };
        broken.push(Violation { field: field.into(), rule: Rule::File, text: text.into() });
    }
    match awaited.filter(|_| broken.is_empty()) {
        Some((field, file)) => Unfit::Awaits { field, file },
        None => Unfit::Broken(broken),
    }
}
