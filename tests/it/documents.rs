//! Pages that speak of the code say nothing that the code does not hold: the tests that the guarantees name exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const GUARANTEES: [&str; 2] = [include_str!("../../docs/guarantees.md"), include_str!("../../docs/ru/guarantees.md")];

/// What a page holds between single backticks.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// A test that a page names: the room where it stands, and its name. `storm::fifty_kills` or `src/sync: a_word`.
fn named_test(words: &str) -> Option<(&str, &str)> {
    let (room, name) =
        words.split_once("::").or_else(|| words.split_once(": ").filter(|_| words.starts_with("src/")))?;
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'_')
    };
    is_name(name).then_some((room, name))
}

/// Files of code that make up a room: a file, or everything in a folder.
fn files_of(room: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = if room.starts_with("src/") {
        vec![root.join(room)]
    } else {
        vec![root.join("tests/it").join(room), root.join("tests").join(room)]
    };
    let mut files = Vec::new();
    for place in places {
        files.extend(Some(place.with_extension("rs")).filter(|file| file.is_file()));
        gather(&place, &mut files);
    }
    files
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn the_tests_that_the_guarantees_name_exist_and_both_pages_name_the_same() {
    let [english, russian] = GUARANTEES.map(|page| quoted(page).filter_map(named_test).collect::<BTreeSet<_>>());
    assert!(english.len() > 50, "only {} tests are named", english.len());
    assert_eq!(english, russian);
    for (room, name) in english {
        let function = format!("fn {name}(");
        let exists = files_of(room).iter().any(|file| fs::read_to_string(file).unwrap().contains(&function));
        assert!(exists, "{room} has no test {name}");
    }
}
