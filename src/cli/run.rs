//! `vitrina run`: the daemon.

/// Options of `run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: super::ConfigFile,
}
