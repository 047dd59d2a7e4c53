//! Files that configuration reads: bounded, as text, and with an eye on who else can read them.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Largest configuration file, in bytes.
pub(super) const CONFIG_LIMIT: u64 = 1 << 20;
/// Largest secret, in bytes.
const SECRET_LIMIT: u64 = 64 << 10;

/// A file's text.
pub(super) struct Contents {
    /// The text.
    pub text: String,
    /// True when every user of the machine can read it.
    pub world_readable: bool,
}

/// Reads a whole text file of at most `limit` bytes. The error names the file.
pub(super) fn read(path: &Path, limit: u64) -> Result<Contents, String> {
    let problem = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let file = File::open(path).map_err(problem)?;
    let metadata = file.metadata().map_err(problem)?;
    if metadata.is_dir() {
        return Err(format!("cannot read {}: it is a directory", path.display()));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(problem)?;
    if bytes.len() as u64 > limit {
        return Err(format!("{} is larger than {limit} bytes", path.display()));
    }
    // Editors of another system mark UTF-8 by three bytes that belong to no text.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map_or_else(|| bytes.clone(), <[u8]>::to_vec);
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))?;
    Ok(Contents { text, world_readable: metadata.permissions().mode() & 0o004 != 0 })
}

/// Reads a secret; line ends after it do not count.
pub(super) fn read_secret(path: &Path) -> Result<Contents, String> {
    let mut contents = read(path, SECRET_LIMIT)?;
    contents.text.truncate(contents.text.trim_end_matches(['\r', '\n']).len());
    match contents.text.is_empty() {
        true => Err(format!("{} is empty", path.display())),
        false => Ok(contents),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_an_editor_is_no_part_of_a_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        std::fs::write(&path, "\u{feff}hunter\r\n").expect("a file");
        assert_eq!(read_secret(&path).map(|contents| contents.text), Ok("hunter".to_owned()));
        std::fs::write(&path, "\u{feff}\r\n").expect("a file");
        assert!(read_secret(&path).is_err_and(|text| text.contains("is empty")));
    }
}
