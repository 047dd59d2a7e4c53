//! The tunnel's unit: systemd takes it as it is, and rates how well it is locked in.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The unit, where `systemd-analyze` finds it.
fn unit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/gost/vitrina-gost.service")
}

fn analyze(arguments: &[&str]) -> String {
    let output = Command::new("systemd-analyze").args(arguments).arg(unit()).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn systemd_takes_the_unit_without_a_remark() {
    assert_eq!(analyze(&["verify", "--man=no"]), "");
}

#[test]
fn the_unit_is_locked_in() {
    let rated = analyze(&["security", "--offline=yes", "--threshold=20"]);
    assert!(rated.contains("Overall exposure level for vitrina-gost.service: 1."), "{rated}");
}
