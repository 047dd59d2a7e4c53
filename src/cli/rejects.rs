//! `vitrina rejects`: what was refused or is held, for the people who can do something about it.

mod export;
mod filter;
mod gather;
mod group;
mod item;
mod list;
mod resolve;
mod retry;
mod seek;
mod show;
#[cfg(test)]
mod tests;

pub(super) use gather::kind_of;

use clap::Subcommand;

use super::{CliError, Outcome};

/// Options of `rejects`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do with them.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What can be done with rejected and held records.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show them by feed, field and code: how many, why, who must act, and what helps
    List(list::Args),
    /// Show everything that is known of one record
    Show(show::Args),
    /// Have rejected records tried again
    Retry(retry::Args),
    /// Say what became of a record of which nobody knows whether the portal took it
    Resolve(resolve::Args),
    /// Write them as a table or as JSON, a row for each broken rule
    Export(export::Args),
}

/// Does what was asked.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    match &args.verb {
        Verb::List(args) => list::run(args).await,
        Verb::Show(args) => show::run(args).await,
        Verb::Retry(args) => retry::run(args).await,
        Verb::Resolve(args) => resolve::run(args).await,
        Verb::Export(args) => export::run(args).await,
    }
}
