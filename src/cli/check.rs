//! `vitrina check`: every problem of the configuration at once, each with its key.

mod booking;
mod columns;
mod ledger;
mod modes;
mod online;
mod reality;
mod rows;
mod skew;

use super::{CliError, ConfigFile, Outcome, print};
use crate::config::{Environment, Problems, load};

pub use online::World;
pub use reality::Reality;

/// Options of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// Do not connect to sources and portals
    #[arg(long)]
    pub offline: bool,

    /// Print an array of {key, severity, text}
    #[arg(long)]
    pub json: bool,
}

/// Checks the configuration by itself.
pub fn offline(args: &Args) -> Result<Outcome, CliError> {
    let problems = match load(&args.config.config, &Environment::of_process()) {
        Ok(mut loaded) => {
            booking::check(&loaded.config, &mut loaded.warnings);
            modes::check(&args.config.config, &loaded.config, &mut loaded.warnings);
            loaded.warnings
        }
        Err(problems) => problems,
    };
    report(args, &problems)
}

/// Checks the configuration, and, if it has no errors, the sources, the ledger and the portals it names.
pub async fn online(args: &Args, world: &impl World) -> Result<Outcome, CliError> {
    let problems = match load(&args.config.config, &Environment::of_process()) {
        Ok(loaded) => {
            let mut problems = loaded.warnings;
            booking::check(&loaded.config, &mut problems);
            modes::check(&args.config.config, &loaded.config, &mut problems);
            problems.extend(online::check(&loaded.config, world).await);
            problems
        }
        Err(problems) => problems,
    };
    report(args, &problems)
}

fn report(args: &Args, problems: &Problems) -> Result<Outcome, CliError> {
    let text = match args.json {
        true => serde_json::to_string_pretty(problems).map_err(anyhow::Error::from)?,
        false => readable(args, problems),
    };
    print(&format!("{text}\n"))?;
    Ok(if problems.errors() > 0 { Outcome::Misconfigured } else { Outcome::Done })
}

fn readable(args: &Args, problems: &Problems) -> String {
    let path = args.config.config.display();
    let summary = match (problems.errors(), problems.warnings()) {
        (0, 0) => format!("{path}: no problems"),
        (errors, warnings) => format!("{path}: {}, {}", count(errors, "error"), count(warnings, "warning")),
    };
    if problems.is_empty() { summary } else { format!("{problems}\n{summary}") }
}

fn count(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}
