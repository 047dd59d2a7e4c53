//! `vitrina webhook`: the address at which the gateway calls when a citizen books or cancels. Asks the gateway alone: no ledger, no source.

use anyhow::anyhow;
use clap::Subcommand;
use url::Url;

use super::one_portal::{no_portal, open_alone, the_portal};
use super::{CliError, ConfigFile, Outcome, print};
use crate::config::{Config, PortalKind};
use crate::portal::AnyPortal;
use crate::portal::fer::{FerPortal, Reachability, Registration, WebhookStanding, shown_address};
use crate::transport::Failure;

/// Longest OID of the document.
const LONGEST_OID: usize = 100;

/// Options of `webhook`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Register the address, in place of another one if need be. The gateway calls it first: the daemon must be running
    Register(AddressArgs),
    /// Print the registered address
    Show(Target),
    /// Compare what is registered with the address, and have the gateway call it
    Check(AddressArgs),
    /// Remove what is registered: from then on no booking reaches this hospital
    Remove(Target),
}

/// Which webhook.
#[derive(Debug, clap::Args)]
pub struct Target {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// The gateway, where several are configured
    #[arg(long, value_name = "NAME")]
    pub portal: Option<String>,

    /// The department with a webhook of its own, by its OID [default: the whole organisation's]
    #[arg(long, value_name = "OID", value_parser = oid)]
    pub department: Option<String>,
}

/// Which webhook, and where it should lead.
#[derive(Debug, clap::Args)]
pub struct AddressArgs {
    /// Which webhook.
    #[command(flatten)]
    pub target: Target,

    /// The address as the gateway reaches it, without /booking [default: booking.public_url]
    #[arg(long, value_name = "URL", value_parser = address)]
    pub url: Option<Url>,
}

/// Does what was asked.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    match &args.verb {
        Verb::Register(args) => register(args).await,
        Verb::Show(target) => show(target).await,
        Verb::Check(args) => check(args).await,
        Verb::Remove(target) => remove(target).await,
    }
}

/// A gateway that is open, and which of its webhooks is meant.
struct Gateway<'a> {
    name: String,
    portal: Box<FerPortal>,
    department: Option<&'a str>,
}

impl Gateway<'_> {
    /// `fer`, or `fer, department 1.2.643…`.
    fn place(&self) -> String {
        self.department.map_or_else(|| self.name.clone(), |oid| format!("{}, department {oid}", self.name))
    }

    fn failed(&self, failure: &Failure) -> CliError {
        CliError::Failed(anyhow!("{}: {}", self.name, failure.text))
    }
}

fn open<'a>(target: &'a Target, config: &Config) -> Result<Gateway<'a>, CliError> {
    let name = the_portal(config, PortalKind::Fer, target.portal.as_deref())?;
    let AnyPortal::Fer(portal) = open_alone(config, name)? else { return Err(no_portal(config, PortalKind::Fer)) };
    Ok(Gateway { name: name.to_owned(), portal, department: target.department.as_deref() })
}

async fn register(args: &AddressArgs) -> Result<Outcome, CliError> {
    let config = args.target.config.load()?.config;
    let wanted = wanted(args.url.as_ref(), &config)?;
    let gateway = open(&args.target, &config)?;
    let done = gateway.portal.register_webhook(&wanted, gateway.department).await.map_err(|failure| {
        CliError::Failed(anyhow!(
            "{}: {}. The gateway calls {}/booking/book before it registers the address: see that the daemon runs, that [booking] allow \
             holds the gateway's addresses, and that no firewall stands between",
            gateway.name,
            failure.text,
            wanted.as_str().trim_end_matches('/')
        ))
    })?;
    let done = match done {
        Registration::Unchanged => "was registered already".to_owned(),
        Registration::Created => "is registered".to_owned(),
        Registration::Replaced(old) => format!("is registered in place of {old}"),
    };
    print(&format!("{}: {wanted} {done}\n", gateway.place()))?;
    Ok(Outcome::Done)
}

async fn show(target: &Target) -> Result<Outcome, CliError> {
    let config = target.config.load()?.config;
    let gateway = open(target, &config)?;
    let found = gateway.portal.webhook(gateway.department).await.map_err(|failure| gateway.failed(&failure))?;
    match found {
        Some(address) => print(&format!("{}: {}\n", gateway.place(), shown_address(&address)))?,
        None => print(&format!("{}: no webhook is registered\n", gateway.place()))?,
    }
    Ok(Outcome::Done)
}

async fn check(args: &AddressArgs) -> Result<Outcome, CliError> {
    let config = args.target.config.load()?.config;
    let wanted = wanted(args.url.as_ref(), &config)?;
    let gateway = open(&args.target, &config)?;
    let failed = |failure| gateway.failed(&failure);
    let standing = gateway.portal.webhook_standing(&wanted, gateway.department).await.map_err(failed)?;
    let reach = gateway.portal.check_webhook(&wanted).await.map_err(failed)?;
    let registered = match &standing {
        WebhookStanding::Registered => format!("{wanted} is registered"),
        WebhookStanding::Missing => "no webhook is registered".to_owned(),
        WebhookStanding::Other(address) => format!("{address} is registered instead of {wanted}"),
    };
    let reached = match &reach {
        Reachability::Reachable => format!("the gateway reaches {wanted}"),
        Reachability::Unreachable(why) => format!("the gateway does not reach {wanted}: {why}"),
    };
    print(&format!("{0}: {registered}\n{0}: {reached}\n", gateway.place()))?;
    match (standing, reach) {
        (WebhookStanding::Registered, Reachability::Reachable) => Ok(Outcome::Done),
        (WebhookStanding::Registered, _) => Err(CliError::Failed(anyhow!(
            "bookings do not arrive: see that the daemon runs, that [booking] allow holds the gateway's addresses, and that no firewall stands between"
        ))),
        _ => Err(CliError::Failed(anyhow!("bookings do not arrive here: run `vitrina webhook register`"))),
    }
}

async fn remove(target: &Target) -> Result<Outcome, CliError> {
    let config = target.config.load()?.config;
    let gateway = open(target, &config)?;
    let removed =
        gateway.portal.remove_webhook(gateway.department).await.map_err(|failure| gateway.failed(&failure))?;
    let done = if removed { "the webhook is removed" } else { "no webhook was registered" };
    print(&format!("{}: {done}\n", gateway.place()))?;
    Ok(Outcome::Done)
}

/// The address that should be registered: the one that was given, else the configuration's.
fn wanted(given: Option<&Url>, config: &Config) -> Result<Url, CliError> {
    let configured = || Url::parse(config.booking.as_ref()?.public_url.as_deref()?).ok();
    let missing = || CliError::Usage("there is no address: set booking.public_url, or give --url".into());
    given.cloned().or_else(configured).ok_or_else(missing)
}

/// Reads an address that the gateway can put `/booking/book` behind.
fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "is no address; write it as http://10.0.0.5:8090".to_owned())?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    match url.scheme() {
        "http" | "https" if !url.has_host() => Err("names no host".into()),
        "http" | "https" if !plain => Err("must be a plain address: no account, no question mark, no hash".into()),
        "http" | "https" if url.path().trim_end_matches('/').ends_with("/booking") => {
            Err("must end before /booking, which the gateway puts behind it".into())
        }
        "http" | "https" => Ok(url),
        _ => Err("must begin with http:// or https://".into()),
    }
}

/// Reads an OID: numbers between dots.
fn oid(text: &str) -> Result<String, String> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    match text.len() <= LONGEST_OID && text.contains('.') && text.split('.').all(is_number) {
        true => Ok(text.to_owned()),
        false => Err("is no OID; write it as 1.2.643.5.1.13.13.12.2.86.8964".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_ends_where_the_gateway_goes_on() {
        for good in ["http://10.0.0.5:8090", "https://mis.hospital.ru/vitrina/"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in ["10.0.0.5:8090", "ftp://h/", "http://h/booking/", "http://u:p@h/", "http://h/?a=b", "data:x"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_oid_is_numbers_between_dots() {
        assert!(oid("1.2.643.5.1").is_ok());
        for bad in ["", "8902", "1..2", "1.2.x", "1.2&address=x"] {
            assert!(oid(bad).is_err(), "{bad}");
        }
    }
}
