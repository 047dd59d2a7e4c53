//! `vitrina nmo`: questions to a portal of medical education that a person asks.

use std::io;

use anyhow::anyhow;
use clap::Subcommand;

use super::one_portal::{no_portal, open_alone, the_portal};
use super::{CliError, ConfigFile, Outcome, print};
use crate::config::PortalKind;
use crate::portal::AnyPortal;
use crate::portal::nmo::ByPin;

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
    let name = the_portal(&config, PortalKind::Nmo, args.portal.as_deref())?;
    let (snils, pin) = match (&args.snils, &args.pin) {
        (Some(snils), Some(pin)) => (snils.clone(), pin.clone()),
        _ => question(&read_line()?)?,
    };
    if snils.chars().filter(char::is_ascii_digit).count() != SNILS_DIGITS {
        return Err(CliError::Usage("a SNILS has eleven digits".into()));
    }
    let AnyPortal::Nmo(portal) = open_alone(&config, name)? else {
        return Err(no_portal(&config, PortalKind::Nmo));
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
        ByPin::Reviewer => Err(CliError::Failed(anyhow!(
            "{name}: the portal was not asked: this is the technical reviewer (portals.{name}.platform.reviewer_snils), whose pins are \
             reviewer_test_pin and reviewer_full_pin of that section"
        ))),
        ByPin::IncorrectPin => Err(CliError::Failed(anyhow!("{name}: the portal does not take this pin for one"))),
    }
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
