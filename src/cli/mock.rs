//! `vitrina mock`: the mock portals alone.

use std::net::SocketAddr;

/// Options of `mock`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the mock portals are served, for example 127.0.0.1:2100; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub listen: SocketAddr,
}
