//! Every parser of bytes that come from outside, and what must hold of it whatever the bytes are.
//!
//! Each room keeps the targets of its own private parsers in a file `fuzzing.rs` beside them; here is their list. `fuzz/` runs them with
//! invented bytes, `make test` with all bytes that were ever found to matter. They are compiled for those two only: a target panics
//! when a promise is broken, and neither the program nor its interface holds any of it.

mod input;
mod planted;

pub(crate) use input::Input;
pub(crate) use planted::{PERSON, SECRET, assert_hidden};

use crate::ledger::fuzzing as ledger;
use crate::portal::{
    ekdo::fuzzing as ekdo, fer::fuzzing as fer, nmo::fuzzing as nmo, pos::fuzzing as pos, sout::fuzzing as sout,
};
use crate::record::fuzzing as record;
use crate::serve::booking::fuzzing as booking;
use crate::serve::platform::fuzzing as platform;
use crate::source::fuzzing as source;
use crate::transport::fuzzing as transport;

/// A parser under its promises.
pub type Target = fn(&[u8]);

/// The targets by the names of their files in `fuzz/fuzz_targets`.
pub const TARGETS: [(&str, Target); 24] = [
    ("booking", booking::booking),
    ("ekdo_answer", ekdo::answer),
    ("ekdo_login", ekdo::login),
    ("ekdo_signature", ekdo::signature),
    ("fer_auth", fer::auth),
    ("fer_read", fer::read),
    ("fer_removal", fer::removal),
    ("fer_upsert", fer::upsert),
    ("fer_webhook", fer::webhook),
    ("gzip", transport::gzip),
    ("http_dates", transport::http_dates),
    ("journal", ledger::journal),
    ("nmo_answer", nmo::answer),
    ("nmo_auth", nmo::auth),
    ("platform", platform::platform),
    ("pos_answer", pos::answer),
    ("pos_refresh", pos::refresh),
    ("postgres_copy", source::copy),
    ("redaction", transport::redaction),
    ("rows", record::rows),
    ("sout_programs", sout::programs),
    ("sout_push", sout::push),
    ("sout_read", sout::read),
    ("values", record::values),
];

/// Gives a target its bytes.
///
/// # Panics
/// When a promise of the parser is broken, or there is no such target.
pub fn run(name: &str, bytes: &[u8]) {
    match TARGETS.iter().find(|(target, _)| *target == name) {
        Some((_, target)) => target(bytes),
        None => panic!("no fuzz target is called {name}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn names_in(folder: &str) -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    }

    fn corpus(name: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    #[test]
    fn the_list_is_what_fuzz_runs() {
        let listed: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let bins = manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap().to_owned());
        assert_eq!(names_in("fuzz_targets"), listed);
        assert_eq!(names_in("corpus"), listed);
        assert_eq!(bins.collect::<BTreeSet<_>>(), listed);
    }

    #[test]
    fn what_was_once_found_still_holds() {
        for (name, target) in TARGETS {
            let files = corpus(name);
            assert!(files.len() >= 10, "{name}: {} files", files.len());
            for file in files {
                println!("{}", file.display());
                target(&fs::read(file).unwrap());
            }
        }
    }
}
