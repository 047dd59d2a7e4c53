//! The ledger's files: who may read them, who holds them, and whether they are ours at all. No SQL here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use fs4::{FileExt, TryLockError};

use super::errors::{MOVE_AWAY, Storage};
use crate::ledger::{LedgerError, Room};

/// For the owner alone: keys of medical records stand in the ledger.
const MODE: u32 = 0o600;
/// SQLite's header.
const HEADER: usize = 100;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Marks a SQLite file as a ledger of ours: "VTRN" in the header.
pub(super) const APPLICATION_ID: u32 = 0x5654_524e;

/// What lies at the ledger's path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, or an empty file.
    Nothing,
    /// A ledger.
    Ledger,
}

/// The writer's lock: held while it lives, by the kernel's word, so a crash frees it.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// A program that is being started at this very moment holds a copy of every open file until it runs: closing ours would not free the
    /// lock before that.
    fn drop(&mut self) {
        drop(FileExt::unlock(&self.file));
    }
}

/// Takes the writer's lock and leaves a file, ours and for us alone, at the ledger's path.
pub(super) fn prepare(storage: &Storage) -> Result<Lock, LedgerError> {
    let lock = lock(storage)?;
    probe(storage)?;
    open_private(storage.path())
        .and_then(|_| File::open(storage.directory())?.sync_all())
        .map_err(|error| storage.no_access(&error))?;
    for ending in ["-wal", "-shm"] {
        tighten(&storage.beside(ending)).map_err(|error| storage.no_access(&error))?;
    }
    Ok(lock)
}

/// For readers: there must be a ledger.
pub(super) fn probe_existing(storage: &Storage) -> Result<(), LedgerError> {
    match probe(storage)? {
        Found::Ledger => Ok(()),
        Found::Nothing => Err(storage.unusable("it does not exist yet; `vitrina run` or `vitrina sync` makes it")),
    }
}

/// The size of the ledger's files, and what is free beside them.
pub(super) fn room(storage: &Storage) -> Option<Room> {
    let size = |ending: &str| fs::metadata(storage.beside(ending)).map_or(0, |found| found.len());
    let used = ["", "-wal", "-shm"].into_iter().map(size).sum();
    Some(Room { used, free: fs4::available_space(storage.directory()).ok()? })
}

fn lock(storage: &Storage) -> Result<Lock, LedgerError> {
    let mut file = open_private(&storage.beside(".lock")).map_err(|error| storage.no_access(&error))?;
    match FileExt::try_lock(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let path = storage.path().display().to_string();
            return Err(LedgerError::Locked { path, owner: owner(&mut file) });
        }
        Err(TryLockError::Error(error)) => return Err(storage.no_access(&error)),
    }
    let written = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
    written.map_err(|error| storage.no_access(&error))?;
    Ok(Lock { file })
}

/// The process that holds the lock, from what it wrote there. It may not have got to that yet.
fn owner(file: &mut File) -> String {
    let mut written = String::new();
    let read = file.rewind().and_then(|()| file.take(20).read_to_string(&mut written));
    match (read, written.parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!(" (pid {pid})"),
        _ => String::new(),
    }
}

/// Opens a file for the owner alone, made if need be. It is not truncated.
fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(MODE);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            leave_to_folder_owner(path, &file)?;
            return Ok(file);
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let file = options.create(true).truncate(false).open(path)?;
    tighten(path)?;
    Ok(file)
}

/// What root makes in the folder of the service's user must be that user's, or the service cannot open it. For a file that is new: an old one
/// may be a link that the user has laid out.
fn leave_to_folder_owner(path: &Path, file: &File) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (folder, made) = (fs::metadata(folder)?, file.metadata()?);
    match made.uid() == 0 && folder.uid() != 0 {
        true => fchown(file, Some(folder.uid()), Some(folder.gid())),
        false => Ok(()),
    }
}

/// Takes a file away from all but its owner.
fn tighten(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            fs::set_permissions(path, fs::Permissions::from_mode(MODE))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Looks at the header alone. The database behind it is looked at when it is opened.
fn probe(storage: &Storage) -> Result<Found, LedgerError> {
    let mut file = match File::open(storage.path()) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(storage.unusable("this user may not read it; run as the daemon's user"));
        }
        Err(error) => return Err(storage.no_access(&error)),
    };
    let found = file.metadata().map_err(|error| storage.no_access(&error))?;
    if !found.is_file() {
        return Err(storage.unusable("it is not a file; correct [ledger] url"));
    }
    if found.len() == 0 {
        return Ok(Found::Nothing);
    }
    let mut header = [0; HEADER];
    match file.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(
                storage.unusable(format!("it is not a ledger: too short; correct [ledger] url, or {MOVE_AWAY}"))
            );
        }
        Err(error) => return Err(storage.no_access(&error)),
    }
    judge(storage, &header, found.len())
}

fn judge(storage: &Storage, header: &[u8; HEADER], length: u64) -> Result<Found, LedgerError> {
    if !header.starts_with(MAGIC) {
        return Err(storage.unusable(format!("it is not a SQLite file; correct [ledger] url, or {MOVE_AWAY}")));
    }
    if number(header, 68) != APPLICATION_ID {
        return Err(storage.unusable("it is the SQLite file of another program; correct [ledger] url"));
    }
    // While a write-ahead log stands beside it, the file may lawfully be shorter than its header says.
    let page = match number(header, 16) >> 16 {
        1 => 65_536,
        size => u64::from(size),
    };
    let full = page * u64::from(number(header, 28));
    let logged = fs::metadata(storage.beside("-wal")).is_ok_and(|log| log.len() > 0);
    if length < full && !logged {
        return Err(storage.damaged(format_args!("{length} bytes where its header says {full}")));
    }
    Ok(Found::Ledger)
}

/// The four bytes at `at`, as SQLite's header writes numbers.
fn number(header: &[u8; HEADER], at: usize) -> u32 {
    header.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    fn owner_of(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").uid()
    }

    #[test]
    fn what_root_makes_belongs_to_the_owner_of_its_folder() {
        let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        // Only root can; for anybody else both are the user's own.
        drop(chown(folder.path(), Some(4711), Some(4711)));
        let path = folder.path().join("ledger.db");
        drop(open_private(&path).expect("a file"));
        assert_eq!(owner_of(&path), owner_of(folder.path()));
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, MODE);

        let (target, link) = (other.path().join("target"), folder.path().join("link"));
        fs::write(&target, "").expect("a file");
        symlink(&target, &link).expect("a link");
        let before = owner_of(&target);
        drop(open_private(&link).expect("a file"));
        assert_eq!(owner_of(&target), before, "a link gives nothing away");
    }
}
