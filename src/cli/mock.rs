//! `vitrina mock`: the mock portals alone.

use std::net::SocketAddr;

use super::run::Signals;
use super::{CliError, Outcome, print};
use crate::demo::mocks::{Account, Accounts, Mocks};

/// Options of `mock`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the FER gateway is served, for example 127.0.0.1:2100. SOUT, NMO, POS and EKDO take the four ports behind it, in this order;
    /// with port 0 each takes a free one
    #[arg(long, value_name = "ADDR")]
    pub listen: SocketAddr,

    /// Take the stand-ins of recordings for credentials, so that `vitrina replay` needs no account
    #[arg(long)]
    pub recorded: bool,
}

/// Serves until told to stop.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let mut signals = Signals::new()?;
    let accounts = if args.recorded { Accounts::Recorded } else { Accounts::Own };
    let mocks = Mocks::start(args.listen, accounts).await.map_err(anyhow::Error::from)?;
    for account in mocks.accounts() {
        print(&line(&account))?;
    }
    signals.next().await;
    mocks.shutdown().await.map_err(anyhow::Error::from)?;
    Ok(Outcome::Done)
}

/// A portal with its address and its credentials, by the keys of a configuration.
fn line(account: &Account) -> String {
    let credentials: String = account.credentials.iter().map(|(key, value)| format!("  {key} {value}")).collect();
    format!("{}: {}{credentials}\n", account.title, account.url)
}
