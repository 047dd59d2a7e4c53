//! `vitrina sync`: one pass.

use super::{ConfigFile, Selection};

/// Options of `sync`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// What to synchronise: whole portals or single feeds [default: everything]
    #[arg(value_name = "PORTAL[.FEED]")]
    pub selections: Vec<Selection>,

    /// Read every row, even where changes could be read alone; what is accepted and unchanged is still not sent
    #[arg(long)]
    pub full: bool,

    /// Show what would be sent, removed, held and rejected, and send nothing
    #[arg(long)]
    pub dry_run: bool,
}
