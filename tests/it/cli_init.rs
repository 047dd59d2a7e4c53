//! `vitrina init` and the shape of the command line.

use crate::support::command::{run, vitrina, write_private};

#[test]
fn what_init_prints_passes_the_check_for_every_engine() {
    for engine in ["postgres", "mysql", "sqlite"] {
        let printed = run(vitrina(&["init", "--source", engine]));
        assert_eq!(printed.code, 0, "{}", printed.err);
        assert!(printed.out.contains(&format!("url = \"{engine}:")), "{}", printed.out);

        let directory = tempfile::tempdir().unwrap();
        let path = write_private(directory.path(), "vitrina.toml", &printed.out);
        let checked = run(vitrina(&["check", "--offline", "--config", path.to_str().unwrap()]));
        assert_eq!(checked.code, 0, "{}", checked.out);
        assert!(!checked.out.contains("error:"), "{}", checked.out);
        let warnings: Vec<&str> = checked.out.lines().filter(|line| line.starts_with("warning:")).collect();
        assert!(warnings.iter().all(|line| line.ends_with("the one that vitrina init printed")), "{warnings:?}");
    }
}

#[test]
fn what_init_prints_for_every_kind_passes_the_check_too() {
    let kinds = ["fer", "sout", "nmo", "pos", "ekdo"];
    let arguments: Vec<&str> = ["init"].into_iter().chain(kinds.iter().flat_map(|kind| ["--portal", kind])).collect();
    let printed = run(vitrina(&arguments));
    assert_eq!(printed.code, 0, "{}", printed.err);
    let directory = tempfile::tempdir().unwrap();
    let path = write_private(directory.path(), "vitrina.toml", &printed.out);
    let checked = run(vitrina(&["check", "--offline", "--config", path.to_str().unwrap()]));
    assert_eq!(checked.code, 0, "{}", checked.out);
    for kind in kinds {
        assert!(printed.out.contains(&format!("[portals.{kind}]\nkind = \"{kind}\"\n")), "{kind}: {}", printed.out);
    }
}

#[test]
fn views_are_printed_for_the_kinds_that_are_asked_for() {
    let printed = |arguments: &[&str]| run(vitrina(&[&["init", "--views"], arguments].concat())).out;
    let fer = printed(&["--portal", "fer"]);
    assert_eq!(fer.matches("CREATE VIEW vitrina_fer_").count(), 8, "{fer}");
    assert!(printed(&[]).starts_with(&fer), "all kinds, those of the gateway first");
    assert_eq!(run(vitrina(&["init", "--portal", "egisz"])).code, 2);
}

#[test]
fn a_mistake_on_the_command_line_is_exit_code_two() {
    for arguments in [&["colour"][..], &["sync", "--colour"], &["mock"], &[]] {
        let ran = run(vitrina(arguments));
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("Usage:"), "{}", ran.err);
    }
    assert_eq!(run(vitrina(&["--version"])).out, concat!("vitrina ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn completions_know_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(vitrina(&["completions", shell]));
        assert_eq!(ran.code, 0);
        assert!(["check", "sync", "status"].iter().all(|verb| ran.out.contains(verb)), "{shell}");
    }
}
