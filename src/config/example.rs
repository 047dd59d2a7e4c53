//! The example file is a promise: it names every key, and the defaults it states are those of the code.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::shape::{Key, Need, Shape};
use super::sources;
use super::{Environment, KEYS, feeds, load, portals};

const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The example with every commented-out key in force.
fn in_force() -> String {
    let is_key = |line: &str| {
        let name = line.split(" = ").next().unwrap_or_default();
        line.contains(" = ") && !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    let uncomment = |line: &str| match line.strip_prefix("# ").filter(|rest| is_key(rest)) {
        Some(rest) => format!("{rest}\n"),
        None => format!("{line}\n"),
    };
    EXAMPLE.lines().map(uncomment).collect()
}

/// The example's own directory with the files it names.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["mis-password", "fer-password", "admin-token", "portal-ca.pem"] {
        fs::write(directory.path().join(name), "content\n").expect("a file");
    }
    directory
}

fn load_from(directory: &Path, text: &str) -> Result<super::Loaded, super::Problems> {
    let path = directory.join("vitrina.toml");
    fs::write(&path, text).expect("a file");
    load(&path, &Environment::default())
}

#[test]
fn the_example_is_valid_as_it_stands_and_with_every_key_in_force() {
    let directory = directory();
    for text in [EXAMPLE, &in_force()] {
        if let Err(problems) = load_from(directory.path(), text) {
            panic!("{problems}");
        }
    }
}

#[test]
fn every_key_stands_in_the_example_with_the_default_of_the_code() {
    let example: Table = in_force().parse().expect("TOML");
    let source = example["sources"]["mis"].as_table().expect("a source");
    let portal = example["portals"]["fer"].as_table().expect("a portal");
    let slot = portal["feeds"]["slot"].as_table().expect("a feed");
    compare("", KEYS, &example, &[]);
    compare("sources.mis.", sources::KEYS, source, &[]);
    compare("portals.fer.", portals::FER_KEYS, portal, &["feeds"]);
    compare("portals.fer.feeds.slot.", feeds::KEYS, slot, &["cron"]);
    assert!(portal["feeds"]["mo"].get("cron").is_some(), "cron is shown where it does not meet every");
}

fn compare(path: &str, keys: &[Key], example: &Table, elsewhere: &[&str]) {
    for key in keys.iter().filter(|key| !matches!(key.shape, Shape::Later(_)) && !elsewhere.contains(&key.name)) {
        let full = format!("{path}{}", key.name);
        let shown = example.get(key.name).or_else(|| example.get(&format!("{}_file", key.name)));
        let shown = shown.unwrap_or_else(|| panic!("{full} is not in the example"));
        match (key.need, &key.shape) {
            (Need::Default(default), _) => assert_eq!(plain(shown), default, "{full}"),
            (Need::Filled, Shape::Table(inner)) => {
                compare(&format!("{full}."), inner, shown.as_table().expect("a table"), &[]);
            }
            (Need::Mandatory | Need::Optional | Need::Filled, _) => {}
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
