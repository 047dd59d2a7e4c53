//! `vitrina rejects list`: grouped for people, record by record for programs.

use std::fmt::Write as _;

use anyhow::Context;

use super::filter::{Filter, Stuck};
use super::gather::{FeedRejects, gather};
use super::group::{Group, groups};
use super::item;
use crate::cli::{CliError, ConfigFile, LanguageChoice, Outcome, moment, print};
use crate::ledger::AnyLedger;
use crate::record::{Language, Phrase};

const NOTHING: Phrase = Phrase {
    en: "Nothing is rejected or held.", ru: "Отклонённых и удержанных записей нет."
};
pub(super) const NO_KEY: Phrase = Phrase { en: "(row without a key)", ru: "(строка без ключа)" };
const WHO: Phrase = Phrase { en: "who acts", ru: "кто исправляет" };
const MEANS: Phrase = Phrase { en: "means", ru: "что значит" };
const HELPS: Phrase = Phrase { en: "helps", ru: "что делать" };
const EXAMPLE: Phrase = Phrase { en: "example", ru: "например" };
const SINCE: Phrase = Phrase { en: "since", ru: "с" };
const UNTIL: Phrase = Phrase { en: "the last", ru: "последняя" };
const TOTAL: Phrase = Phrase { en: "In all", ru: "Всего" };

/// Options of `rejects list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// What to show.
    #[command(flatten)]
    pub filter: Filter,

    /// Print JSON: an array with every record
    #[arg(long)]
    pub json: bool,

    /// In which language.
    #[command(flatten)]
    pub language: LanguageChoice,
}

/// Shows what is rejected and held.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let config = args.config.load()?.config;
    let ledger = AnyLedger::open_read_only(config.ledger.url.expose()).await.map_err(anyhow::Error::from)?;
    let gathered = gather(&config, &ledger, &args.filter).await?;
    let language = args.language.language();
    if args.json {
        for piece in item::array(&gathered, language) {
            print(&piece.context("cannot print the records")?)?;
        }
        return Ok(Outcome::Done);
    }
    for of in &gathered {
        print(&readable(of, &args.filter, language))?;
    }
    print(&summary(&gathered, language))?;
    Ok(Outcome::Done)
}

/// A feed's groups.
fn readable(of: &FeedRejects, filter: &Filter, language: Language) -> String {
    let mut text = String::new();
    for group in groups(of, filter, language) {
        write_group(&mut text, of, &group, language);
    }
    text
}

fn write_group(text: &mut String, of: &FeedRejects, group: &Group<'_>, language: Language) {
    let said = |phrase: &Phrase| phrase.said_in(language);
    let label = |phrase: &Phrase| format!("{:>15}", said(phrase));
    let _ = write!(text, "{}.{}  {}  {}", of.portal, of.feed, state(group.state, language), group.code);
    if let (Some(field), Some(rule)) = (group.field, group.rule) {
        let _ = write!(text, "  {field}  {}", rule.name());
    }
    let _ = writeln!(text, "  × {}", group.count);
    let _ = writeln!(text, "{}  {}", label(&WHO), group.remedy.actor.name(language));
    let _ = writeln!(text, "{}  {}", label(&MEANS), said(&group.remedy.meaning));
    let _ = writeln!(text, "{}  {}", label(&HELPS), said(&group.remedy.action));
    let key = group.example.key.as_ref().map_or_else(|| said(&NO_KEY).to_owned(), ToString::to_string);
    let _ = writeln!(text, "{}  {key}: {}", label(&EXAMPLE), group.text);
    let _ = write!(text, "{}  {}", label(&SINCE), moment(group.oldest));
    if group.newest != group.oldest {
        let _ = write!(text, ", {} {}", said(&UNTIL), moment(group.newest));
    }
    text.push_str("\n\n");
}

/// A state's name for people.
pub(super) fn state(state: Stuck, language: Language) -> &'static str {
    let name = match state {
        Stuck::Rejected => Phrase { en: "rejected", ru: "отклонено" },
        Stuck::Held => Phrase { en: "held", ru: "удержано" },
        Stuck::Unknown => Phrase { en: "unknown", ru: "исход неизвестен" },
    };
    name.said_in(language)
}

/// How many records stand in each state.
fn summary(gathered: &[FeedRejects], language: Language) -> String {
    let count = |wanted: Stuck| {
        let refusals = gathered.iter().flat_map(|of| &of.refusals);
        refusals.filter(|refusal| Stuck::of(refusal.state) == wanted).count()
    };
    let parts: Vec<String> = [Stuck::Rejected, Stuck::Held, Stuck::Unknown]
        .into_iter()
        .map(|stuck| (stuck, count(stuck)))
        .filter(|(_, count)| *count > 0)
        .map(|(stuck, count)| format!("{} {count}", state(stuck, language)))
        .collect();
    if parts.is_empty() {
        return format!("{}\n", NOTHING.said_in(language));
    }
    format!("{}: {}.\n", TOTAL.said_in(language), parts.join(", "))
}
