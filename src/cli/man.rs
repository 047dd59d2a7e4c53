//! `vitrina man`: the manual pages, made of the very texts that `--help` prints. The package is built with it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{Cli, CliError, Outcome};

/// Options of `man`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write the pages into; it is made if it is missing
    pub folder: PathBuf,
}

const FILES: [(&str, &str); 4] = [
    ("/etc/vitrina/vitrina.toml", "The configuration. `vitrina init` prints one to start from."),
    ("/etc/vitrina/secrets/", "Passwords and tokens, a file each, which systemd hands over to the service."),
    ("/var/lib/vitrina/ledger.db", "The ledger: what the portals have acknowledged. Keep a copy of it."),
    ("/usr/share/doc/vitrina/", "The documentation, in English and in Russian."),
];

const SIGNALS: [(&str, &str); 2] = [
    ("TERM, INT", "Finish what is in flight and stop; a second one leaves at once."),
    ("HUP", "`run` reads its configuration again and keeps the old one if the new one is wrong; other verbs stop."),
];

/// Writes a page for the program and one for each verb.
pub fn run(args: &Args) -> Result<Outcome, CliError> {
    fs::create_dir_all(&args.folder).with_context(|| format!("cannot make {}", args.folder.display()))?;
    let mut program = Cli::command();
    program.build();
    write(&args.folder, "vitrina", &program, true)?;
    write_verbs(&args.folder, "vitrina", &program)?;
    Ok(Outcome::Done)
}

fn write_verbs(folder: &Path, name: &str, command: &Command) -> Result<(), CliError> {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        let name = format!("{name}-{}", verb.get_name());
        write(folder, &name, verb, false)?;
        write_verbs(folder, &name, verb)?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, command: &Command, is_main: bool) -> Result<(), CliError> {
    let path = folder.join(format!("{name}.1"));
    let mut page = Vec::new();
    let command = command.clone().display_name(name.to_owned()).disable_help_subcommand(true);
    Man::new(command).source("Vitrina").manual("Vitrina").render(&mut page).context("cannot make a page")?;
    if is_main {
        more().to_writer(&mut page).context("cannot make a page")?;
    }
    Ok(fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?)
}

/// What `--help` does not say.
fn more() -> Roff {
    let mut roff = Roff::new();
    for (heading, entries) in [("FILES", &FILES[..]), ("SIGNALS", &SIGNALS[..])] {
        roff.control("SH", [heading]);
        for (term, text) in entries {
            roff.control("TP", []);
            roff.text([bold(*term)]);
            roff.text([roman(*text)]);
        }
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page_and_the_program_names_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let args = Args { folder: folder.path().join("man") };
        assert!(run(&args).is_ok());
        let page = |name: &str| fs::read_to_string(args.folder.join(name)).unwrap_or_default();
        for verb in Cli::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let page = page(&format!("vitrina-{}.1", verb.get_name()));
            assert!(page.contains(".TH vitrina") && page.contains("SYNOPSIS"), "{}: {page}", verb.get_name());
        }
        let main = page("vitrina.1");
        assert!(main.contains(FILES[0].0) && main.contains(".SH SIGNALS") && main.contains("Exit codes"), "{main}");
        assert!(!args.folder.join("vitrina-man.1").exists(), "a hidden verb has none");
        assert!(!page("vitrina-rejects-list.1").is_empty());
    }
}
