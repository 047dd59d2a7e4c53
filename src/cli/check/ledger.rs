//! The ledger's place: can it be written?

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use crate::config::{LedgerConfig, Problems};

/// Checks that a SQLite ledger can be opened for writing, or created. Writes nothing to it.
pub(super) fn check(config: &LedgerConfig, problems: &mut Problems) {
    let Some(path) = config.url.sqlite_path().map(Path::new) else { return };
    let tried = match path.exists() {
        true => OpenOptions::new().append(true).open(path).map(drop),
        false => try_directory(path),
    };
    if let Err(error) = tried {
        let text = format!(
            "{} cannot be written: {error}; its directory must exist and be writable for the service's account",
            path.display()
        );
        problems.error("ledger.url", text);
    }
}

fn try_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = directory.join(format!(".vitrina-check-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(probe)
}
