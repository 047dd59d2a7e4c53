//! `vitrina unit`: the units whose records wait, and the operator's word to end a pause.

use std::fmt::Write as _;

use anyhow::Context;
use chrono::Utc;
use clap::Subcommand;
use serde::Serialize;

use super::{CliError, ConfigFile, LanguageChoice, Outcome, moment, print, status};
use crate::config::Config;
use crate::ledger::{AnyLedger, Ledger, Word, WordKind};
use crate::record::{Key, Language, Phrase};
use crate::sync::{PausedUnit, ResumeWord, UnitTrouble};

/// Options of `unit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do with them.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What can be done with units.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show the units whose records wait, why, and until when
    List(ListArgs),
    /// End a unit's pause: its records go out again
    Resume(ResumeArgs),
}

/// Options of `unit list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// A portal [default: all]
    #[arg(value_name = "PORTAL")]
    pub portal: Option<String>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// In which language.
    #[command(flatten)]
    pub language: LanguageChoice,
}

/// Options of `unit resume`.
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// The portal
    #[arg(value_name = "PORTAL")]
    pub portal: String,

    /// The unit's key, as `unit list` prints it
    #[arg(value_name = "UNIT")]
    pub unit: String,
}

/// A paused unit, and whose it is.
#[derive(Debug, Serialize)]
struct Shown {
    portal: String,
    unit: String,
    /// When it is tried again, with one record.
    until: String,
    why: String,
    /// How often it has paused in a row.
    times: u32,
}

/// Does what was asked.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    match &args.verb {
        Verb::List(args) => list(args).await,
        Verb::Resume(args) => resume(args).await,
    }
}

async fn list(args: &ListArgs) -> Result<Outcome, CliError> {
    let config = args.config.load()?.config;
    if let Some(portal) = &args.portal {
        check_portal(&config, portal)?;
    }
    let ledger = AnyLedger::open_read_only(config.ledger.url.expose()).await.map_err(anyhow::Error::from)?;
    let language = args.language.language();
    let mut units = Vec::new();
    for portal in config.portals.keys().filter(|name| args.portal.as_ref().is_none_or(|only| only == *name)) {
        let paused = PausedUnit::in_notes(&ledger.notes(portal).await.map_err(anyhow::Error::from)?);
        units.extend(paused.into_iter().map(|unit| shown(portal, unit, language)));
    }
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(&units).context("cannot print the units")?)
    } else {
        readable(&units, language)
    };
    print(&text)?;
    Ok(Outcome::Done)
}

async fn resume(args: &ResumeArgs) -> Result<Outcome, CliError> {
    let config = args.config.load()?.config;
    check_portal(&config, &args.portal)?;
    let ledger = AnyLedger::open_for_words(config.ledger.url.expose()).await.map_err(anyhow::Error::from)?;
    // Keys are printed in lower case; a GUID may be typed in any.
    let unit = Key::parse(&args.unit.to_lowercase());
    let paused = PausedUnit::in_notes(&ledger.notes(&args.portal).await.map_err(anyhow::Error::from)?);
    if !paused.iter().any(|one| one.unit == unit) {
        let named: Vec<String> = paused.iter().map(|one| one.unit.to_string()).collect();
        let others = if named.is_empty() { "none is".to_owned() } else { format!("paused are: {}", named.join(", ")) };
        return Err(CliError::Usage(format!("unit {unit} of {} is not paused; {others}", args.portal)));
    }
    let word = Word {
        portal: args.portal.clone(),
        feed: String::new(),
        kind: WordKind::ResumeUnit,
        argument: ResumeWord { unit: unit.to_string() }.to_json(),
        said: Utc::now().timestamp(),
    };
    ledger.say(&word).await.map_err(anyhow::Error::from)?;
    ledger.close().await.map_err(anyhow::Error::from)?;
    let daemon = status::daemon_answers(&config).await;
    print(&format!("{}: the pause of unit {unit} ends\n{}", args.portal, status::takes_it_up(daemon)))?;
    Ok(Outcome::Done)
}

fn check_portal(config: &Config, portal: &str) -> Result<(), CliError> {
    if config.portals.contains_key(portal) {
        return Ok(());
    }
    let known: Vec<&str> = config.portals.keys().map(String::as_str).collect();
    Err(CliError::Usage(format!("there is no portal {portal}; configured are: {}", known.join(", "))))
}

fn shown(portal: &str, unit: PausedUnit, language: Language) -> Shown {
    Shown {
        portal: portal.to_owned(),
        unit: unit.unit.to_string(),
        until: moment(unit.until),
        why: why(&unit.why, language),
        times: unit.times,
    }
}

fn why(trouble: &UnitTrouble, language: Language) -> String {
    match (language, trouble) {
        (Language::English, trouble) => trouble.to_string(),
        (Language::Russian, UnitTrouble::Blocked) => "портал заблокировал его (405)".to_owned(),
        (Language::Russian, UnitTrouble::Budget { refused, window }) => {
            format!("портал отклонил записей: {refused} за {} мин", window.div_ceil(60))
        }
    }
}

fn readable(units: &[Shown], language: Language) -> String {
    const NONE: Phrase = Phrase {
        en: "No unit is paused.", ru: "Ни одно подразделение не приостановлено."
    };
    const UNTIL: Phrase = Phrase { en: "tried again with one record at", ru: "проба одной записью:" };
    const RESUME: Phrase = Phrase { en: "to end the pause now:", ru: "чтобы снять паузу сейчас:" };
    if units.is_empty() {
        return format!("{}\n", NONE.said_in(language));
    }
    let mut text = String::new();
    for Shown { portal, unit, until, why, .. } in units {
        let _ = writeln!(text, "{portal} {unit}: {why}; {} {until}", UNTIL.said_in(language));
        let _ = writeln!(text, "    {} vitrina unit resume {portal} {unit}", RESUME.said_in(language));
    }
    text
}
