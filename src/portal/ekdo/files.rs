//! The files that rows name: found under one folder only, read under a limit, known by a hash of their bytes.
//!
//! A path comes out of a database and names what is sent out of the house: nothing outside the folder is ever opened, links resolved.
//! Paths hold people's names and are in no text.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// A file that was written to so short a time ago may not be finished.
pub(super) const SETTLING: Duration = Duration::from_secs(5);
/// A file that was written to so short a time ago may be one of two of which the other is still to come.
pub(super) const YOUNG: Duration = Duration::from_secs(15 * 60);
/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub bytes: u64,
    pub modified: Option<SystemTime>,
}

impl Stamp {
    pub fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Stamp { bytes: metadata.len(), modified: metadata.modified().ok() })
    }

    /// True while somebody may still be writing. A stamp in the future is some other machine's clock.
    pub fn is_settling(&self, now: SystemTime) -> bool {
        self.was_changed_within(SETTLING, now)
    }

    /// True while what belongs to it may still come.
    pub fn is_young(&self, now: SystemTime) -> bool {
        self.was_changed_within(YOUNG, now)
    }

    fn was_changed_within(&self, time: Duration, now: SystemTime) -> bool {
        let Some(modified) = self.modified else { return false };
        match now.duration_since(modified) {
            Ok(age) => age < time,
            Err(ahead) => ahead.duration() < time,
        }
    }
}

/// Why there is no file: what follows "the file".
pub(super) type Absence = &'static str;

/// Of a file that is not there.
pub(super) const ABSENT: Absence = "does not exist";

/// Where a row's path leads, links resolved, inside the folder. A relative path begins there.
pub(super) fn locate(root: &Path, path: &str) -> Result<PathBuf, Absence> {
    let root = root.canonicalize().map_err(|_| "cannot be looked for: files_root cannot be opened")?;
    let found = root.join(path).canonicalize().map_err(|error| absence(&error))?;
    if !found.starts_with(&root) {
        return Err("lies outside files_root");
    }
    Ok(found)
}

/// Opens a file that was located.
pub(super) fn open(path: &Path) -> Result<File, Absence> {
    // Opening a pipe would wait for its other end.
    let metadata = path.metadata().map_err(|error| absence(&error))?;
    if !metadata.is_file() {
        return Err("is no ordinary file");
    }
    File::open(path).map_err(|error| absence(&error))
}

fn absence(error: &io::Error) -> Absence {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => ABSENT,
        ErrorKind::PermissionDenied => "cannot be read: the account of this service lacks the right",
        _ => "cannot be read",
    }
}

/// All of a file of at most so many bytes; none if it has more.
pub(super) fn read(file: &File, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

/// So many bytes of an open file from a place in it. Where it stands is left alone: several may read it at once.
pub(super) fn read_at(file: &File, place: u64, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    file.read_exact_at(&mut bytes, place)?;
    Ok(bytes)
}

/// The hash by which a file's bytes are known.
pub(super) fn hash(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}

/// The hash of an open file and its length; afterwards it stands at its beginning. Stops behind `most` bytes.
pub(super) fn hash_of(file: &mut File, most: u64) -> io::Result<(String, u64)> {
    file.rewind()?;
    let (mut hasher, mut length) = (Xxh3::new(), 0_u64);
    let mut chunk = vec![0; CHUNK];
    while length <= most {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        hasher.update(chunk.get(..read).unwrap_or_default());
        length += read as u64;
    }
    file.rewind()?;
    Ok((format!("{:032x}", hasher.digest128()), length))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("inside")).unwrap();
        std::fs::write(root.path().join("inside/a.pdf"), "abc").unwrap();
        root
    }

    #[test]
    fn a_path_may_be_relative_or_absolute_as_long_as_it_leads_inside() {
        let root = root();
        let absolute = root.path().join("inside/a.pdf");
        symlink(&absolute, root.path().join("link")).unwrap();
        for path in ["inside/a.pdf", "./inside/../inside/a.pdf", absolute.to_str().unwrap(), "link"] {
            let found = locate(root.path(), path).unwrap();
            assert_eq!(read(&open(&found).unwrap(), 3).unwrap().as_deref(), Some(b"abc".as_slice()), "{path}");
        }
    }

    #[test]
    fn nothing_outside_is_reached_by_path_or_link() {
        let (root, outside) = (root(), root());
        let secret = outside.path().join("inside/a.pdf");
        symlink(&secret, root.path().join("link")).unwrap();
        symlink(outside.path(), root.path().join("folder")).unwrap();
        let name = outside.path().file_name().unwrap().to_str().unwrap().to_owned();
        for path in
            [secret.to_str().unwrap(), "link", "folder/inside/a.pdf", &format!("../{name}/inside/a.pdf"), "/etc/passwd"]
        {
            assert_eq!(locate(root.path(), path), Err("lies outside files_root"), "{path}");
        }
    }

    #[test]
    fn what_is_not_there_or_no_file_is_named() {
        let root = root();
        assert_eq!(locate(root.path(), "inside/b.pdf"), Err("does not exist"));
        assert_eq!(locate(root.path(), "inside/a.pdf/x"), Err("does not exist"));
        assert_eq!(locate(root.path(), "a\0b"), Err("cannot be read"));
        assert_eq!(locate(&root.path().join("gone"), "a"), Err("cannot be looked for: files_root cannot be opened"));
        assert_eq!(open(&locate(root.path(), "inside").unwrap()).err(), Some("is no ordinary file"));
    }

    #[test]
    fn the_limit_holds_and_both_hashes_are_one() {
        let root = root();
        let mut file = open(&root.path().join("inside/a.pdf")).unwrap();
        assert_eq!(read(&file, 2).unwrap(), None);
        let hashed = hash_of(&mut file, 10).unwrap();
        assert_eq!(hashed, (hash(b"abc"), 3));
        assert_eq!(read(&file, 3).unwrap().as_deref(), Some(b"abc".as_slice()), "it stands at its beginning again");
        assert_eq!(read_at(&file, 1, 2).unwrap(), b"bc");
        assert!(read_at(&file, 2, 2).is_err(), "it is shorter");
    }

    #[test]
    fn a_file_settles_for_some_seconds_and_never_by_a_clock_that_is_far_ahead() {
        let now = SystemTime::now();
        let settling = |modified| Stamp { bytes: 1, modified: Some(modified) }.is_settling(now);
        assert!(settling(now) && settling(now - SETTLING / 2) && settling(now + SETTLING / 2));
        assert!(!settling(now - SETTLING) && !settling(now + SETTLING * 2));
    }
}
