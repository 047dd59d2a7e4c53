//! Modes of files: what other users of the machine could read or change, and must not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::{Config, Own, Problems};
use crate::daemon::booking_certificate;

/// Bits that let others, or the group too, do something with a file.
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
const ANYBODY_ELSE: u32 = 0o077;

/// Warns of files that are open to more than the service's account and root. Secret files are looked at where they are read.
pub(super) fn check(file: &Path, config: &Config, problems: &mut Problems) {
    if has(file, OTHERS_WRITE) {
        let shown = file.display();
        let text = format!(
            "every user of this machine can change {shown}, which says where passwords go and which programs run; chmod o-w {shown}"
        );
        problems.warning("", text);
    }
    if let Some(files) = config.booking.as_ref().and_then(booking_certificate)
        && has(&files.key, OTHERS_READ)
    {
        let shown = files.key.display();
        problems
            .warning("booking.tls_key_file", format!("every user of this machine can read {shown}; chmod o-r {shown}"));
    }
    for (name, portal) in &config.portals {
        if let Own::Sout(own) = &portal.own
            && let Some(open) = own.sign_command.as_ref().and_then(|command| changeable(Path::new(command.first()?)))
        {
            let shown = open.display();
            let text = format!(
                "every user of this machine can change {shown}, and so what signs for the hospital; chmod o-w {shown}"
            );
            problems.warning(format!("portals.{name}.sign_command"), text);
        }
    }
    ledger(config, problems);
}

/// The ledger's files are for their owner alone whatever is done; its directory is the administrator's. A relative one is warned of by
/// the configuration itself.
fn ledger(config: &Config, problems: &mut Problems) {
    let path = config.ledger.url.sqlite_path().map(Path::new).filter(|path| path.is_absolute());
    let Some(directory) = path.and_then(Path::parent).filter(|_| !config.portals.is_empty()) else { return };
    if has(directory, ANYBODY_ELSE) {
        let shown = directory.display();
        let text = format!(
            "other users can enter {shown}, where the ledger and copies of it stand; give the ledger a directory of its own, and chmod 700 it"
        );
        problems.warning("ledger.url", text);
    }
}

/// The program, or the directory it stands in, if every user can change it.
fn changeable(program: &Path) -> Option<PathBuf> {
    let places = [Some(program), program.parent()].into_iter().flatten().filter(|place| place.is_absolute());
    places.into_iter().find(|place| has(place, OTHERS_WRITE)).map(Path::to_path_buf)
}

/// True for a file or directory that is there and has one of these bits.
fn has(path: &Path, bits: u32) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & bits != 0)
}
