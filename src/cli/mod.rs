//! The command line: one file per verb.

pub mod audit;
pub mod check;
pub mod completions;
mod config_file;
mod csv;
pub mod demo;
mod dumps;
mod exit;
pub mod fuse;
pub mod init;
mod language;
pub mod log;
pub mod man;
pub mod migrate;
pub mod mock;
mod moment;
pub mod nmo;
pub mod notify;
mod one_portal;
mod output;
pub mod register;
pub mod rejects;
pub mod replay;
pub mod run;
mod runtime;
mod selection;
pub mod status;
pub mod sync;
pub mod unit;
pub mod webhook;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use config_file::ConfigFile;
pub use exit::{CliError, Outcome};
pub use language::LanguageChoice;
pub use moment::moment;
pub use output::print;
use output::tell;
pub use runtime::block_on;
pub use selection::Selection;

/// Keeps state portals true to what a hospital's databases say.
#[derive(Debug, Parser)]
#[command(name = "vitrina", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done; 1 failed; 2 usage or configuration; 3 finished, but records are rejected, held, of \
unknown outcome, or stopped by the fuse."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What the program can be asked to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the daemon: keep the portals up to date until told to stop
    Run(run::Args),
    /// Show it all at work: a demo hospital, mock portals and the real daemon, in one process
    Demo(demo::Args),
    /// Serve the mock portals alone, for test stands
    Mock(mock::Args),
    /// Print a configuration to fill in, or the SQL of the views; or write both by questions (--interactive)
    Init(init::Args),
    /// Name every problem of the configuration at once
    Check(check::Args),
    /// Do one pass and exit
    Sync(sync::Args),
    /// Show feeds, lag, counts and the states of the portals
    Status(status::Args),
    /// Compare a portal's own contents with the source, and repair what differs
    Audit(audit::Args),
    /// Show what was refused or is held, why, and who must act; have it tried again, or say what became of it
    Rejects(rejects::Args),
    /// List what was exchanged with portals that take documents: what was sent, when, and where it stands
    Log(log::Args),
    /// Play recorded exchanges against a test stand and compare its verdicts with the recorded ones
    Replay(replay::Args),
    /// Show tripped fuses and what they hold back; let one go
    Fuse(fuse::Args),
    /// Show the units whose records wait; end a pause
    Unit(unit::Args),
    /// Print what the register behind a portal holds, to standard output only
    Register(register::Args),
    /// Ask a portal of medical education
    Nmo(nmo::Args),
    /// Register, show, check or remove the address at which the gateway calls when a citizen books
    Webhook(webhook::Args),
    /// Try out how people are told of troubles
    Notify(notify::Args),
    /// Bring the ledger's tables up to date
    Migrate(migrate::Args),
    /// Print shell completions
    Completions(completions::Args),
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Man(man::Args),
}

/// The whole program: reads the command line, does what it says, prints what went wrong, and gives the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return exit::usage(&usage),
    };
    dumps::forbid();
    // A second installation is refused and does no harm.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    exit::code(dispatch(cli.verb))
}

fn dispatch(verb: Verb) -> Result<Outcome, CliError> {
    match verb {
        Verb::Run(args) => block_on(run::run(&args)),
        Verb::Sync(args) => block_on(sync::run(&args)),
        Verb::Status(args) => block_on(status::run(&args)),
        Verb::Audit(args) => block_on(audit::run(&args)),
        Verb::Rejects(args) => block_on(rejects::run(&args)),
        Verb::Log(args) => block_on(log::run(&args)),
        Verb::Replay(args) => block_on(replay::run(&args)),
        Verb::Fuse(args) => block_on(fuse::run(&args)),
        Verb::Unit(args) => block_on(unit::run(&args)),
        Verb::Register(args) => block_on(register::run(&args)),
        Verb::Nmo(args) => block_on(nmo::run(&args)),
        Verb::Webhook(args) => block_on(webhook::run(&args)),
        Verb::Notify(args) => block_on(notify::run(&args)),
        Verb::Migrate(args) => block_on(migrate::run(&args)),
        Verb::Init(args) if args.interactive => block_on(init::interactive(&args)),
        Verb::Init(args) if args.views => init::views(&args),
        Verb::Init(args) => init::configuration(&args),
        Verb::Check(args) if args.offline => check::offline(&args),
        Verb::Check(args) => block_on(check::online(&args, &check::Reality)),
        Verb::Completions(args) => completions::run(&args),
        Verb::Man(args) => man::run(&args),
        Verb::Demo(args) => block_on(demo::run(&args)),
        Verb::Mock(args) => block_on(mock::run(&args)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_with_a_configuration_looks_for_it_in_one_place() {
        for verb in ["run", "check", "sync", "status", "audit", "migrate", "log"] {
            let command = Cli::command();
            let verb = command.find_subcommand(verb).expect("a verb");
            let config = verb.get_arguments().find(|arg| arg.get_id() == "config").expect("--config");
            assert_eq!(config.get_default_values(), ["/etc/vitrina/vitrina.toml"]);
        }
    }
}
