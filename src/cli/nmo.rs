//! `vitrina nmo`: questions to a portal of medical education that a person asks.

use std::io;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Subcommand;

use super::{CliError, ConfigFile, Outcome, print};
use crate::config::{Config, PortalKind};
use crate::daemon::open_portal;
use crate::ledger::{MemoryLedger, PortalSecrets};
use crate::portal::AnyPortal;
use crate::portal::nmo::ByPin;
use crate::telemetry::Metrics;

/// Digits of a SNILS.
const SNILS_DIGITS: usize = 11;

/// Options of `nmo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to ask.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Print the id of the module to which a specialist's pin belongs
    IdByPin(IdByPinArgs),
}

/// Options of `nmo id-by-pin`. Has no `Debug` that shows a person.
#[derive(clap::Args)]
pub struct IdByPinArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// The portal, where several are configured
    #[arg(long, value_name = "NAME")]
    pub portal: Option<String>,

    /// The specialist's SNILS; without it both are read from a line of standard input, which leaves no trace in the shell's history
    #[arg(value_name = "SNILS", requires = "pin")]
    pub snils: Option<String>,

    /// The pin
    #[arg(value_name = "PIN")]
    pub pin: Option<String>,
}

impl std::fmt::Debug for IdByPinArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdByPinArgs").field("portal", &self.portal).finish_non_exhaustive()
    }
}

/// Does what was asked.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    match &args.verb {
        Verb::IdByPin(args) => id_by_pin(args).await,
    }
}

async fn id_by_pin(args: &IdByPinArgs) -> Result<Outcome, CliError> {
    let config = args.config.load()?.config;
    let name = the_portal(&config, args.portal.as_deref())?;
    let (snils, pin) = match (&args.snils, &args.pin) {
        (Some(snils), Some(pin)) => (snils.clone(), pin.clone()),
        _ => question(&read_line()?)?,
    };
    if snils.chars().filter(char::is_ascii_digit).count() != SNILS_DIGITS {
        return Err(CliError::Usage("a SNILS has eleven digits".into()));
    }
    let metrics = Metrics::new().map_err(anyhow::Error::from)?;
    let Some(section) = config.portals.get(name) else { return Err(no_portal(&config)) };
    // A question keeps nothing, so that it may be asked beside a running daemon.
    let secrets = Arc::new(PortalSecrets::new(Arc::new(MemoryLedger::new()), name));
    let AnyPortal::Nmo(portal) = open_portal(name, section, &metrics, secrets).map_err(anyhow::Error::from)? else {
        return Err(no_portal(&config));
    };
    let found = portal.module_by_pin(&snils, &pin).await.map_err(|failure| anyhow!("{name}: {}", failure.text))?;
    match found {
        ByPin::Found(module) => {
            print(&format!("{module}\n"))?;
            Ok(Outcome::Done)
        }
        ByPin::NotFound => Err(CliError::Failed(anyhow!(
            "{name}: not found: the module is not in this specialist's plan, or the pin or the SNILS is another one"
        ))),
        ByPin::IncorrectPin => Err(CliError::Failed(anyhow!("{name}: the portal does not take this pin for one"))),
    }
}

/// The portal that was named, or the only one of its kind.
fn the_portal<'a>(config: &'a Config, named: Option<&str>) -> Result<&'a str, CliError> {
    let known = portals(config);
    match (named, &known[..]) {
        (None, [only]) => Ok(only),
        (None, []) => Err(no_portal(config)),
        (None, several) => {
            Err(CliError::Usage(format!("several portals could be asked: --portal {}", several.join("|"))))
        }
        (Some(named), known) => known.iter().copied().find(|name| *name == named).ok_or_else(|| no_portal(config)),
    }
}

fn portals(config: &Config) -> Vec<&str> {
    let portals = config.portals.iter().filter(|(_, portal)| portal.kind() == PortalKind::Nmo);
    portals.map(|(name, _)| name.as_str()).collect()
}

fn no_portal(config: &Config) -> CliError {
    let known = portals(config);
    let known = if known.is_empty() { "there are none".to_owned() } else { format!("known: {}", known.join(", ")) };
    CliError::Usage(format!("there is no such portal of kind nmo; {known}"))
}

fn read_line() -> Result<String, CliError> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line)
}

/// `SNILS PIN`; the pin is what follows the last blank.
fn question(line: &str) -> Result<(String, String), CliError> {
    match line.trim().rsplit_once(char::is_whitespace) {
        Some((snils, pin)) => Ok((snils.to_owned(), pin.to_owned())),
        None => {
            Err(CliError::Usage("a SNILS and a pin are needed, as arguments or on a line of standard input".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_snils_in_any_form_and_a_pin() {
        assert_eq!(question("112-233-445 95 DASJ23\n").unwrap(), ("112-233-445 95".into(), "DASJ23".into()));
        assert!(matches!(question("11223344595"), Err(CliError::Usage(_))));
    }
}
