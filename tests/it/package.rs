//! The package's parts as far as they can be tried without building it: what it names is there, and what it runs can be run. `make test-deb`
//! installs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::command::{run, vitrina};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn metadata() -> toml::Table {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    manifest["package"]["metadata"]["deb"].as_table().unwrap().clone()
}

/// The assets as they are named: where they lie, where they go, their mode.
fn assets() -> Vec<[String; 3]> {
    let assets = metadata()["assets"].as_array().unwrap().clone();
    assets.into_iter().map(|asset| asset.try_into().unwrap()).collect()
}

/// A pattern's folder.
fn place(asset: &str) -> PathBuf {
    root().join(asset.split('*').next().unwrap())
}

#[test]
fn every_asset_of_the_package_is_there() {
    let here: Vec<[String; 3]> = assets().into_iter().filter(|[from, ..]| !from.starts_with("target/")).collect();
    assert!(here.len() > 8, "{here:?}");
    for [from, ..] in here {
        assert!(place(&from).exists(), "{from} is no file of ours");
    }
    for key in ["changelog", "maintainer-scripts"] {
        assert!(root().join(metadata()[key].as_str().unwrap()).exists(), "{key}");
    }
}

#[test]
fn only_root_and_the_services_group_read_the_configuration() {
    let configuration = assets().into_iter().find(|[_, to, _]| to == "etc/vitrina/").unwrap();
    assert_eq!(configuration[2], "640");
    let script = fs::read_to_string(root().join("deploy/debian/postinst")).unwrap();
    assert!(script.contains("chown root:vitrina \"$config\""), "{script}");
}

#[test]
fn scripts_can_be_read_by_a_plain_shell() {
    for script in ["debian/postinst", "debian/prerm", "debian/postrm", "debian/prepare.sh"] {
        let path = root().join("deploy").join(script);
        assert!(Command::new("sh").arg("-n").arg(&path).status().unwrap().success(), "{script}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().any(|line| line.starts_with("set -e")), "{script} goes on after a failure");
    }
}

#[test]
fn a_configuration_that_is_not_filled_in_starts_no_daemon() {
    let shipped = root().join("deploy/debian/vitrina.toml");
    let ran = run(vitrina(&["check", "--offline", "--config", shipped.to_str().unwrap()]));
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!([ran.out, ran.err].concat().contains("portals: is missing"));
}

#[test]
fn what_the_program_makes_for_the_package_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("package");
    let mut command = Command::new(root().join("deploy/debian/prepare.sh"));
    let status = command.current_dir(root()).arg(env!("CARGO_BIN_EXE_vitrina")).arg(&made).status().unwrap();
    assert!(status.success());
    for [from, ..] in assets() {
        if let Some(inside) = from.strip_prefix("target/package/") {
            let place = made.join(inside.split('*').next().unwrap());
            let empty = place.is_dir() && fs::read_dir(&place).unwrap().next().is_none();
            assert!(place.exists() && !empty, "{from}");
        }
    }
    assert!(made.join("man/vitrina-rejects-list.1.gz").exists());
    assert!(made.join("share/dashboards").is_dir());
}

#[test]
fn the_shipped_changelog_is_of_this_version() {
    let changelog = fs::read_to_string(root().join("deploy/debian/changelog")).unwrap();
    assert!(changelog.starts_with(&format!("vitrina ({}-1) ", env!("CARGO_PKG_VERSION"))), "{changelog}");
}
