//! `vitrina replay`: plays recorded exchanges against a test stand and compares the verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use humantime_serde::re::humantime::parse_duration;
use serde::Serialize;
use url::Url;

use super::{CliError, Outcome, print};
use crate::config::{Config, Environment, load};
use crate::daemon::account;
use crate::demo::pos;
use crate::recording::replay::{Account, Played, Player, Stand};
use crate::recording::{Cassette, read_folder};
use crate::transport::{ClientSettings, HttpClient};

/// Where a configuration lies when none is named.
const DEFAULT: &str = "/etc/vitrina/vitrina.toml";
/// The kinds in the order of the ports that `vitrina mock` takes.
const MOCKS: [&str; 5] = ["fer", "sout", "nmo", "pos", "ekdo"];
/// Longest wait for a connection and for an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(60);

/// Options of `replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of a recording, or one file of it
    #[arg(value_name = "DIR")]
    pub recording: PathBuf,

    /// Who plays the portals now: PORTAL=URL for each portal of the recording, or one URL. One URL is that of the only portal, or of
    /// `vitrina mock`, whose portals take the ports behind it
    #[arg(long, value_name = "[PORTAL=]URL", required = true)]
    pub against: Vec<Against>,

    /// A configuration whose portals of the same names hold the accounts to sign in with; without one the recording's stand-ins are sent
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Play the exchanges of this portal alone
    #[arg(long, value_name = "PORTAL")]
    pub portal: Vec<String>,

    /// How long a question is asked again whose answer differs, because a portal may work in the background
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub patience: Duration,

    /// The address is a test stand although a configuration names it as a portal
    #[arg(long)]
    pub test_stand: bool,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// An address, perhaps of one portal.
#[derive(Debug, Clone)]
pub struct Against {
    portal: Option<String>,
    url: Url,
}

impl FromStr for Against {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (portal, url) = match text.split_once('=') {
            Some((portal, url)) if !portal.contains(['/', ':']) => (Some(portal.to_owned()), url),
            _ => (None, text),
        };
        let url =
            Url::parse(url).map_err(|error| format!("{error}; write http://host:port or PORTAL=http://host:port"))?;
        if url.host_str().is_none() || !matches!(url.scheme(), "http" | "https") {
            return Err("must begin with http:// or https:// and name a host".into());
        }
        Ok(Against { portal, url })
    }
}

/// What is told of one exchange that differs or was not played.
#[derive(Debug, Serialize)]
struct Told<'a> {
    number: usize,
    portal: &'a str,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<&'static str>,
}

/// Plays a recording.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let mut cassettes = read_folder(&args.recording).map_err(anyhow::Error::from)?;
    let recorded: BTreeMap<String, String> =
        cassettes.iter().map(|cassette| (cassette.portal.clone(), cassette.kind.clone())).collect();
    if let Some(unknown) = args.portal.iter().find(|portal| !recorded.contains_key(*portal)) {
        let known: Vec<&str> = recorded.keys().map(String::as_str).collect();
        return Err(CliError::Usage(format!("--portal {unknown}: the recording holds {}", known.join(", "))));
    }
    let wanted = |portal: &String| args.portal.is_empty() || args.portal.contains(portal);
    cassettes.retain(|cassette| wanted(&cassette.portal));
    let kinds: BTreeMap<String, String> = recorded.into_iter().filter(|(portal, _)| wanted(portal)).collect();
    let addresses = addresses(&args.against, &kinds)?;
    let config = configuration(args)?;
    if let Some(config) = &config
        && !args.test_stand
    {
        refuse_real_portals(config, &addresses)?;
    }
    // Credentials of a configuration that only guards go nowhere.
    let accounts = config.as_ref().filter(|_| args.config.is_some());
    let stands = stands(&addresses, accounts)?;
    let mut player = Player::new(stands, args.patience);
    player.prepare(&cassettes);
    play(&mut player, &cassettes, args.json).await
}

async fn play(player: &mut Player, cassettes: &[Cassette], json: bool) -> Result<Outcome, CliError> {
    let (mut same, mut different, mut skipped) = (0, 0, BTreeMap::<&str, usize>::new());
    let mut told = Vec::new();
    for (at, cassette) in cassettes.iter().enumerate() {
        let line = |differences, skipped| Told {
            number: at + 1,
            portal: &cassette.portal,
            method: &cassette.request.method,
            path: cassette.request.path.split('?').next().unwrap_or_default(),
            at: cassette.at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
            differences,
            skipped,
        };
        match player.play(cassette).await {
            Played::Same => same += 1,
            Played::Different(differences) => {
                different += 1;
                let line = line(differences, None);
                if json { told.push(line) } else { print(&text(&line))? }
            }
            Played::Skipped(why) => {
                *skipped.entry(why).or_default() += 1;
                if json {
                    told.push(line(Vec::new(), Some(why)));
                }
            }
        }
    }
    if json {
        let body = serde_json::json!({"same": same, "different": different, "skipped": skipped.values().sum::<usize>(), "exchanges": told});
        print(&format!("{body:#}\n"))?;
    } else {
        for (why, count) in &skipped {
            print(&format!("not compared: {count} ({why})\n"))?;
        }
        print(&format!("{} exchanges: {same} with the same verdict, {different} with another\n", cassettes.len()))?;
    }
    match (same, different) {
        (0, 0) => Err(CliError::Failed(anyhow::anyhow!("nothing could be compared"))),
        (_, 0) => Ok(Outcome::Done),
        _ => Ok(Outcome::Different),
    }
}

fn text(told: &Told<'_>) -> String {
    let at = told.at.as_deref().map(|at| format!(" of {at}")).unwrap_or_default();
    let mut text = format!("{}. {} {} {}{at}\n", told.number, told.portal, told.method, told.path);
    told.differences.iter().for_each(|difference| text.push_str(&format!("   {difference}\n")));
    text
}

/// An address for each portal.
fn addresses(against: &[Against], kinds: &BTreeMap<String, String>) -> Result<BTreeMap<String, Url>, CliError> {
    let mut addresses = BTreeMap::new();
    for Against { portal, url } in against {
        match portal {
            Some(portal) if kinds.contains_key(portal) => drop(addresses.insert(portal.clone(), url.clone())),
            Some(portal) => {
                let known: Vec<&str> = kinds.keys().map(String::as_str).collect();
                return Err(CliError::Usage(format!("--against {portal}=: the recording holds {}", known.join(", "))));
            }
            None if kinds.len() == 1 => addresses.extend(kinds.keys().map(|portal| (portal.clone(), url.clone()))),
            None => {
                for (portal, kind) in kinds {
                    addresses.entry(portal.clone()).or_insert(of_mock(url, kind)?);
                }
            }
        }
    }
    match kinds.keys().find(|portal| !addresses.contains_key(*portal)) {
        Some(portal) => Err(CliError::Usage(format!(
            "no address for {portal}: name one with --against {portal}=URL, or choose others with --portal"
        ))),
        None => Ok(addresses),
    }
}

/// The address of a kind behind that of `vitrina mock`.
fn of_mock(url: &Url, kind: &str) -> Result<Url, CliError> {
    let wrong =
        || CliError::Usage(format!("--against {url}: no port of a mock of {kind} lies behind it; use PORTAL=URL"));
    let behind = MOCKS.iter().position(|known| *known == kind).ok_or_else(wrong)?;
    let port = url.port_or_known_default().and_then(|port| port.checked_add(u16::try_from(behind).ok()?));
    let mut url = url.clone();
    url.set_port(Some(port.ok_or_else(wrong)?)).map_err(|()| wrong())?;
    if kind == "pos" {
        url.set_path(pos::BASE);
    }
    Ok(url)
}

/// The configuration that was named, or the machine's own where it can be read.
fn configuration(args: &Args) -> Result<Option<Config>, CliError> {
    match &args.config {
        Some(path) => {
            load(path, &Environment::of_process()).map(|loaded| Some(loaded.config)).map_err(CliError::Configuration)
        }
        None => Ok(load(DEFAULT.as_ref(), &Environment::of_process()).ok().map(|loaded| loaded.config)),
    }
}

/// A replay writes: what was meant for a test stand must not reach a portal.
fn refuse_real_portals(config: &Config, addresses: &BTreeMap<String, Url>) -> Result<(), CliError> {
    let place = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
    for url in addresses.values().collect::<BTreeSet<_>>() {
        if let Some((name, _)) = config.portals.iter().find(|(_, portal)| place(&portal.url) == place(url)) {
            return Err(CliError::Usage(format!(
                "{url} is the address of portals.{name} in the configuration: a replay sends every recorded record there again. Name a test stand, \
                 or say --test-stand if it is one"
            )));
        }
    }
    Ok(())
}

fn stands(addresses: &BTreeMap<String, Url>, config: Option<&Config>) -> Result<BTreeMap<String, Stand>, CliError> {
    let mut stands = BTreeMap::new();
    for (name, url) in addresses {
        let section = config.and_then(|config| config.portals.get(name));
        let settings = ClientSettings {
            url,
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TIMEOUT,
            ca_file: section.and_then(|section| section.ca_file.as_deref()),
        };
        let client =
            HttpClient::new(&settings, None).map_err(|error| CliError::Usage(format!("--against {url}: {error}")))?;
        if let Some(host) = section.and_then(|section| section.host.clone()) {
            client.name_host(host);
        }
        let account: Account = section.map(|section| account(section).into_iter().collect()).unwrap_or_default();
        stands.insert(name.clone(), Stand { client, account });
    }
    Ok(stands)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn against(texts: &[&str], kinds: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let against: Vec<Against> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let kinds = kinds.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect();
        let found = addresses(&against, &kinds).map_err(|error| error.to_string())?;
        Ok(found.iter().map(|(name, url)| format!("{name} {url}")).collect())
    }

    #[test]
    fn one_address_is_that_of_the_only_portal_or_of_the_mocks() {
        let url = "http://127.0.0.1:2100";
        assert_eq!(against(&[url], &[("a", "nmo")]).unwrap(), ["a http://127.0.0.1:2100/"]);
        let two = [("a", "nmo"), ("b", "fer")];
        assert_eq!(against(&[url], &two).unwrap(), ["a http://127.0.0.1:2102/", "b http://127.0.0.1:2100/"]);
        let named = against(&["a=http://h:1/x", "b=http://h:2"], &two).unwrap();
        assert_eq!(named, ["a http://h:1/x", "b http://h:2/"]);
    }

    #[test]
    fn a_portal_without_an_address_and_an_address_without_a_portal_are_told() {
        let two = [("a", "nmo"), ("b", "fer")];
        assert!(against(&["a=http://h:1"], &two).unwrap_err().contains("no address for b"));
        assert!(against(&["c=http://h:1"], &two).unwrap_err().contains("holds a, b"));
        for text in ["h:1", "ftp://h", "a=", "http://"] {
            assert!(text.parse::<Against>().is_err(), "{text}");
        }
    }
}
