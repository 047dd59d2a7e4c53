//! The example file is a promise: it names every key, and the defaults it states are those of the code.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::shape::{Key, Need, Shape};
use super::sources;
use super::{Environment, KEYS, PortalKind, booking, feeds, load, notify, portals};

const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The example with every commented-out key and section in force.
fn in_force() -> String {
    let is_key = |line: &str| {
        let name = line.split(" = ").next().unwrap_or_default();
        line.contains(" = ") && !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    let is_section = |line: &str| {
        let optional = ["[booking]", "[notify]", "[record]"];
        (line.starts_with("[portals.") || optional.contains(&line)) && line.ends_with(']')
    };
    let uncomment = |line: &str| match line.strip_prefix("# ").filter(|rest| is_key(rest) || is_section(rest)) {
        Some(rest) => format!("{rest}\n"),
        None => format!("{line}\n"),
    };
    EXAMPLE.lines().map(uncomment).collect()
}

/// The example's own directory with the files it names.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for line in EXAMPLE.lines().filter_map(|line| line.split_once("_file = \"")) {
        let name = line.1.trim_end_matches('"');
        let content = if name == "notify-webhook" { "https://chat.hospital.lan/hook\n" } else { "content\n" };
        fs::write(directory.path().join(name), content).expect("a file");
    }
    fs::create_dir(directory.path().join("ekdo-files")).expect("a folder");
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
    let feed = |portal: &str, feed: &str| example["portals"][portal]["feeds"][feed].as_table().expect("a feed");
    compare("", KEYS, &example, &[]);
    compare("sources.mis.", sources::KEYS, source, &[]);
    compare("booking.", booking::KEYS, example["booking"].as_table().expect("booking"), &[]);
    compare("notify.", notify::KEYS, example["notify"].as_table().expect("notify"), &[]);
    for kind in PortalKind::ALL {
        let portal = example["portals"][kind.name()].as_table().expect("a portal");
        for keys in kind.keys() {
            compare(&format!("portals.{}.", kind.name()), keys, portal, &["feeds"]);
        }
    }
    let platform = example["portals"]["nmo"]["platform"].as_table().expect("a platform");
    compare("portals.nmo.platform.", portals::PLATFORM_KEYS, platform, &[]);
    compare("portals.fer.feeds.slot.", feeds::KEYS, feed("fer", "slot"), &["cron", "write_back"]);
    assert!(feed("fer", "mo").contains_key("cron"), "cron is shown where it does not meet every");
    assert!(feed("sout", "training").contains_key("write_back"), "write_back is shown where something comes back");
}

fn compare(path: &str, keys: &[Key], example: &Table, elsewhere: &[&str]) {
    for key in keys.iter().filter(|key| !elsewhere.contains(&key.name)) {
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
