//! What the conversation writes: the configuration, the views, and each secret in a file of its own that only its owner reads.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::config::SECRETS;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Its owner alone.
    Owner,
    /// Everybody, the service's account too: it holds no secret.
    All,
}

/// A file to be written.
pub(super) struct Draft {
    /// Where.
    pub(super) path: PathBuf,
    /// What is in it.
    pub(super) text: String,
    /// Who may read it.
    pub(super) readers: Readers,
}

/// Makes the folder, if it is not there, and makes sure that it can be written.
pub(super) fn prepare(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    tempfile::tempfile_in(folder).map(drop)
}

/// Those that would be written over.
pub(super) fn existing(drafts: &[Draft]) -> Vec<String> {
    let there = drafts.iter().filter(|draft| draft.path.symlink_metadata().is_ok());
    there.map(|draft| draft.path.display().to_string()).collect()
}

/// Where a secret goes: into the folder that the service is handed, if there is one.
pub(super) fn place_of_secret(folder: &Path, name: &str) -> PathBuf {
    let secrets = folder.join(SECRETS);
    if secrets.is_dir() { secrets.join(name) } else { folder.join(name) }
}

/// Writes a file. One that is there keeps its owner, and its mode if it holds no secret; a secret is never readable for others, not even for a
/// moment.
pub(super) fn write(draft: &Draft) -> io::Result<()> {
    let mode = match draft.readers {
        Readers::Owner => 0o600,
        Readers::All => 0o644,
    };
    let is_new = draft.path.symlink_metadata().is_err();
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(mode).open(&draft.path)?;
    if is_new || draft.readers == Readers::Owner {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    file.set_len(0)?;
    file.write_all(draft.text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_secret_is_its_owners_alone_even_where_a_file_was_open_to_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fer-password");
        fs::write(&path, "an older and longer one").expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("permissions");
        let draft = Draft { path: path.clone(), text: "s3cret\n".into(), readers: Readers::Owner };
        assert_eq!(existing(std::slice::from_ref(&draft)), [path.display().to_string()]);
        write(&draft).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("text"), "s3cret\n");
        assert_eq!(fs::metadata(&path).expect("a file").mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_before_anything_is_asked() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        assert!(prepare(&file.path().join("below")).is_err());
    }

    #[test]
    fn what_a_package_has_laid_out_keeps_its_mode_and_gets_the_secrets() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vitrina.toml");
        fs::write(&path, "").expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("permissions");
        let draft = Draft { path: path.clone(), text: "[ledger]\n".into(), readers: Readers::All };
        write(&draft).expect("written");
        assert_eq!(fs::metadata(&path).expect("a file").mode() & 0o777, 0o640);
        let place = |name| place_of_secret(folder.path(), name);
        assert_eq!(place("fer-password"), folder.path().join("fer-password"));
        fs::create_dir(folder.path().join(SECRETS)).expect("a folder");
        assert_eq!(place("fer-password"), folder.path().join("secrets/fer-password"));
    }
}
