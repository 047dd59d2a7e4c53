//! `vitrina status`: how the feeds and portals are.

/// Options of `status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: super::ConfigFile,

    /// Print JSON, the same as /api/status
    #[arg(long)]
    pub json: bool,
}
