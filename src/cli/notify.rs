//! `vitrina notify`: how people are told of troubles.

use anyhow::anyhow;
use clap::Subcommand;

use super::{CliError, ConfigFile, Outcome, print};
use crate::daemon::notices::Notices;

/// Options of `notify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What can be done with notices.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Send a notice that says it is a trial, by every way that the section notify of the configuration names
    Test(TestArgs),
}

/// Options of `notify test`.
#[derive(Debug, clap::Args)]
pub struct TestArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Does what is asked.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let Verb::Test(args) = &args.verb;
    let config = args.config.load()?.config;
    let notices = Notices::open(&config).map_err(anyhow::Error::from)?;
    let notices = notices.ok_or_else(|| anyhow!("the configuration has no [notify] section: nobody is told"))?;
    let (mut text, mut failed) = (String::new(), Vec::new());
    for (channel, sent) in notices.try_out().await {
        match sent {
            Ok(()) => text.push_str(&format!("{channel}: sent\n")),
            Err(error) => failed.push(format!("{channel}: {error}")),
        }
    }
    print(&text)?;
    match failed.is_empty() {
        true => Ok(Outcome::Done),
        false => Err(CliError::Failed(anyhow!("not delivered: {}", failed.join("; ")))),
    }
}
