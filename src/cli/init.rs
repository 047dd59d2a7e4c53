//! `vitrina init`: a configuration to fill in, or the SQL of the views to fill in; or both, by questions.

mod configuration;
mod interactive;
mod views;
mod words;

use std::path::PathBuf;

use clap::ValueEnum;

use super::{CliError, LanguageChoice, Outcome, print};
use crate::config::PortalKind;
use crate::portal;
use crate::source::Engine;
pub use interactive::run as interactive;

/// Options of `init`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The kind of database that is read [default: postgres; with --interactive it is asked]
    #[arg(long, value_name = "ENGINE")]
    pub source: Option<Dialect>,

    /// Print the SQL of the views that feeds read, one for each feed, in this database's dialect
    #[arg(long)]
    pub views: bool,

    /// A kind of portal, any number: fer, sout, nmo, pos, ekdo [default: fer; with --views all]
    #[arg(long, value_name = "KIND", value_parser = PortalKind::ALL.map(PortalKind::name))]
    pub portal: Vec<String>,

    /// Ask for database, portals and tables, try each answer at once, write configuration and views, and check them
    #[arg(long, conflicts_with = "views")]
    pub interactive: bool,

    /// With --interactive: the folder for what is written [default: it is asked]
    #[arg(long, value_name = "DIR", requires = "interactive")]
    pub dir: Option<PathBuf>,

    /// In which language it asks, and explains the views.
    #[command(flatten)]
    pub language: LanguageChoice,
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

impl Dialect {
    /// The engine that speaks it.
    fn engine(self) -> Engine {
        match self {
            Dialect::Postgres => Engine::Postgres,
            Dialect::Mysql => Engine::MySql,
            Dialect::Sqlite => Engine::Sqlite,
        }
    }

    /// How addresses of such databases begin.
    fn name(self) -> &'static str {
        match self {
            Dialect::Postgres => "postgres",
            Dialect::Mysql => "mysql",
            Dialect::Sqlite => "sqlite",
        }
    }
}

/// Prints a configuration.
pub fn configuration(args: &Args) -> Result<Outcome, CliError> {
    let mut kinds = args.kinds();
    if args.portal.is_empty() {
        kinds.retain(|kind| *kind == PortalKind::Fer);
    }
    print(&configuration::text(args.source.unwrap_or(Dialect::Postgres), &kinds))?;
    Ok(Outcome::Done)
}

/// Prints the views of kinds of portals.
pub fn views(args: &Args) -> Result<Outcome, CliError> {
    let kinds: Vec<&portal::Kind> = args.kinds().into_iter().filter_map(|kind| portal::kind(kind.name())).collect();
    print(&views::text(args.source.unwrap_or(Dialect::Postgres), &kinds, args.language.language()))?;
    Ok(Outcome::Done)
}

impl Args {
    /// The kinds that are asked for; all when none is named.
    fn kinds(&self) -> Vec<PortalKind> {
        let asked = |kind: &PortalKind| self.portal.is_empty() || self.portal.iter().any(|name| name == kind.name());
        PortalKind::ALL.into_iter().filter(asked).collect()
    }
}
