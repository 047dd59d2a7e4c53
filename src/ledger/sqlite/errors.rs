//! What SQLite and the file system said, as an operator needs to hear it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ledger::LedgerError;
use crate::ledger::codec::Damaged;

/// The way out of a file that cannot be mended.
pub(super) const MOVE_AWAY: &str = "put the last copy back, or move the file (and those beside it that end in -wal and -shm) \
     away. A new ledger has every record sent again: FER takes that as an update, and `vitrina audit PORTAL --repair` does the rest; SOUT, POS \
     and EKDO make second records of all. Read \"A lost ledger\" in docs/operations.md before the next start";

/// Primary result codes of SQLite that get words of their own.
const BUSY: i32 = 5;
const READ_ONLY: i32 = 8;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const NOT_A_DATABASE: i32 = 26;

/// The ledger's place, which its errors name.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    path: Arc<Path>,
}

impl Storage {
    pub(super) fn new(path: &Path) -> Self {
        Storage { path: path.into() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory the file lies in.
    pub(super) fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        }
    }

    /// A file beside the ledger's: its path with this ending.
    pub(super) fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.path.as_os_str().to_owned();
        path.push(ending);
        path.into()
    }

    pub(super) fn unusable(&self, reason: impl Into<String>) -> LedgerError {
        LedgerError::Unusable { path: self.path.display().to_string(), reason: reason.into() }
    }

    /// Something in the file contradicts itself.
    pub(super) fn damaged(&self, what: impl fmt::Display) -> LedgerError {
        self.unusable(format!("it is damaged ({what}); {MOVE_AWAY}"))
    }

    /// A journal row cannot be read.
    pub(super) fn damaged_row(&self, row: i64, damage: Damaged) -> LedgerError {
        self.damaged(format_args!("journal row {row}: {damage}"))
    }

    /// A number that no feed has was used.
    pub(super) fn no_feed(&self, action: &'static str, feed: i64) -> LedgerError {
        LedgerError::Storage { action, reason: format!("no feed has the number {feed}") }
    }

    /// The database refused.
    pub(super) fn refused(&self, action: &'static str, error: sqlx::Error) -> LedgerError {
        let words = match &error {
            sqlx::Error::PoolClosed => return LedgerError::Closed,
            sqlx::Error::Database(error) => error.message().to_owned(),
            other => other.to_string(),
        };
        let directory = self.directory().display();
        let reason = match primary_code(&error) {
            Some(CORRUPT | NOT_A_DATABASE) => return self.damaged(words),
            Some(FULL) => format!("the disk is full: free some space under {directory} ({words})"),
            Some(READ_ONLY) => format!(
                "the ledger is read-only: its file, or {directory}, may not be written by this user, or lies on a file system that is mounted read-only ({words})"
            ),
            Some(CANNOT_OPEN) => {
                format!(
                    "this user may not use the files under {directory} as needed; run as the daemon's user ({words})"
                )
            }
            Some(BUSY) => format!("another program holds a lock on the file ({words})"),
            _ => words,
        };
        LedgerError::Storage { action, reason }
    }

    /// The file system refused.
    pub(super) fn no_access(&self, error: &io::Error) -> LedgerError {
        let directory = self.directory().display();
        self.unusable(match error.kind() {
            io::ErrorKind::NotFound => {
                format!("the directory {directory} does not exist; make it, or correct [ledger] url")
            }
            io::ErrorKind::NotADirectory => format!("{directory} is not a directory; correct [ledger] url"),
            io::ErrorKind::PermissionDenied => {
                format!(
                    "it is read-only for this user: give {directory} and the files in it to the user that runs vitrina"
                )
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                format!(
                    "it is read-only: {directory} lies on a file system that is mounted read-only; mount it for writing, or correct [ledger] url"
                )
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                format!("the disk is full: free some space under {directory}")
            }
            _ => format!("the file system says: {error}"),
        })
    }
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|extended| extended & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_cannot_be_written_is_called_read_only() {
        let storage = Storage::new(Path::new("/var/lib/vitrina/ledger.db"));
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem] {
            let text = storage.no_access(&kind.into()).to_string();
            assert!(text.contains("read-only") && text.contains("/var/lib/vitrina"), "{text}");
        }
    }
}
