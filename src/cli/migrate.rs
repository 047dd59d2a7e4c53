//! `vitrina migrate`: the ledger's tables.

use super::{CliError, Outcome, print};
use crate::ledger::{AnyLedger, Ledger};

/// Options of `migrate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: super::ConfigFile,
}

/// Brings the ledger's tables up to date; creates the ledger if there is none.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let config = args.config.load()?.config;
    if config.portals.is_empty() {
        print("there are no portals, and so no ledger\n")?;
        return Ok(Outcome::Done);
    }
    let ledger = AnyLedger::open(config.ledger.url.expose()).await.map_err(anyhow::Error::from)?;
    ledger.close().await.map_err(anyhow::Error::from)?;
    print(&format!("{}: up to date\n", config.ledger.url))?;
    Ok(Outcome::Done)
}
