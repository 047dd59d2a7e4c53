//! `vitrina init`: a configuration to fill in, or the SQL of the views to fill in.

mod configuration;
mod views;

use clap::ValueEnum;

use super::{CliError, Outcome, print};
use crate::record::Schema;

/// Options of `init`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The kind of database that is read
    #[arg(long, value_name = "ENGINE", default_value = "postgres")]
    pub source: Dialect,

    /// Print the SQL of the views that feeds read, one for each feed, in this database's dialect
    #[arg(long)]
    pub views: bool,
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
    print(&configuration::text(args.source))?;
    Ok(Outcome::Done)
}

/// Prints the views of a kind of portal.
pub fn views(args: &Args, kind: &str, schemas: &[&Schema]) -> Result<Outcome, CliError> {
    print(&views::text(args.source, kind, schemas))?;
    Ok(Outcome::Done)
}
