//! `vitrina demo`: a demo hospital, mock portals and the real daemon in one process.

use std::net::SocketAddr;
use std::time::Duration;

use humantime_serde::re::humantime::parse_duration;

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long it runs
    #[arg(long = "for", value_name = "TIME", default_value = "90s", value_parser = parse_duration)]
    pub lasts: Duration,

    /// How many slots the demo hospital has
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub slots: u32,

    /// Where the status page is served; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9464")]
    pub listen: SocketAddr,
}
