//! `vitrina init`: a configuration to fill in, or the SQL of the views to fill in.

mod configuration;
mod views;

use clap::ValueEnum;

use super::{CliError, Outcome, print};
use crate::config::PortalKind;
use crate::portal;

/// Options of `init`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The kind of database that is read
    #[arg(long, value_name = "ENGINE", default_value = "postgres")]
    pub source: Dialect,

    /// Print the SQL of the views that feeds read, one for each feed, in this database's dialect
    #[arg(long)]
    pub views: bool,

    /// A kind of portal, any number: fer, sout, nmo, pos, ekdo [default: fer; with --views all]
    #[arg(long, value_name = "KIND", value_parser = PortalKind::ALL.map(PortalKind::name))]
    pub portal: Vec<String>,
}

/// A kind of database, as `init` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
}

/// Prints a configuration.
pub fn configuration(args: &Args) -> Result<Outcome, CliError> {
    let mut kinds = args.kinds();
    if args.portal.is_empty() {
        kinds.retain(|kind| *kind == PortalKind::Fer);
    }
    print(&configuration::text(args.source, &kinds))?;
    Ok(Outcome::Done)
}

/// Prints the views of kinds of portals.
pub fn views(args: &Args) -> Result<Outcome, CliError> {
    let kinds: Vec<&portal::Kind> = args.kinds().into_iter().filter_map(|kind| portal::kind(kind.name())).collect();
    print(&views::text(args.source, &kinds))?;
    Ok(Outcome::Done)
}

impl Args {
    /// The kinds that are asked for; all when none is named.
    fn kinds(&self) -> Vec<PortalKind> {
        let asked = |kind: &PortalKind| self.portal.is_empty() || self.portal.iter().any(|name| name == kind.name());
        PortalKind::ALL.into_iter().filter(asked).collect()
    }
}
