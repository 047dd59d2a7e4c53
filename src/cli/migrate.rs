//! `vitrina migrate`: the ledger's tables.

/// Options of `migrate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: super::ConfigFile,
}
