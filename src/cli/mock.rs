//! `vitrina mock`: the mock portals alone.

use std::net::SocketAddr;

use super::run::Signals;
use super::{CliError, Outcome, print};
use crate::demo::fer::{FerGateway, GatewaySettings};

/// Options of `mock`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the mock portals are served, for example 127.0.0.1:2100; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub listen: SocketAddr,
}

/// Serves until told to stop.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let mut signals = Signals::new()?;
    let settings = GatewaySettings::default();
    let (username, password) = (settings.username.clone(), settings.password.clone());
    let gateway = FerGateway::start(args.listen, settings).await.map_err(anyhow::Error::from)?;
    print(&format!("FER gateway: {}  username {username}  password {password}\n", gateway.url()))?;
    signals.next().await;
    gateway.shutdown().await.map_err(anyhow::Error::from)?;
    Ok(Outcome::Done)
}
