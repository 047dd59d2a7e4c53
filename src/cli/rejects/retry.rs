//! `vitrina rejects retry`: an operator asks that refused records are tried again now. It leaves a word in the ledger; whoever holds
//! the ledger takes it up.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::Utc;

use super::filter::Stuck;
use super::gather::kind_of;
use super::show::key_of;
use crate::cli::{CliError, ConfigFile, Outcome, Selection, print, status};
use crate::config::Config;
use crate::ledger::{AnyLedger, Ledger, Refusal, Word, WordKind};
use crate::record::{Key, Rule};
use crate::sync::RetryWord;

/// Most keys of one command; for more there are codes.
const MOST_KEYS: usize = 10_000;
/// Stands for a key whose record is well but has another row beside it.
const SECOND_ROW: &str = "second row";

/// Options of `rejects retry`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// A portal, or one feed of it
    #[arg(value_name = "PORTAL[.FEED]")]
    pub selection: Option<Selection>,

    /// Only these records
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,

    /// Only records refused with this code
    #[arg(long)]
    pub code: Option<String>,

    /// Every rejected record of every portal
    #[arg(long, conflicts_with_all = ["selection", "keys"])]
    pub all: bool,
}

/// What is asked of one feed.
#[derive(Debug)]
struct Asked {
    portal: String,
    feed: String,
    word: RetryWord,
    /// Records that it concerns.
    records: usize,
    /// Those of them that our own checks refuse.
    by_checks: usize,
}

/// Leaves the word and says who takes it up.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let config = args.config.load()?.config;
    match &args.selection {
        Some(selection) => selection.check(&config)?,
        None if args.all => {}
        None => return Err(CliError::Usage("name a portal, a feed (PORTAL.FEED), or ask for --all".to_owned())),
    }
    if args.keys.len() > MOST_KEYS {
        return Err(CliError::Usage(format!("more than {MOST_KEYS} keys at once; use --code, or several commands")));
    }
    let ledger = AnyLedger::open_for_words(config.ledger.url.expose()).await.map_err(anyhow::Error::from)?;
    let asked = asked(args, &config, &ledger).await?;
    if asked.is_empty() && args.all && args.code.is_none() {
        print("nothing is rejected\n")?;
        return Ok(Outcome::Done);
    }
    refuse_nothing(args, &asked)?;
    for one in &asked {
        say(&ledger, one).await?;
    }
    ledger.close().await.map_err(anyhow::Error::from)?;
    print(&told(&asked, status::daemon_answers(&config).await))?;
    Ok(Outcome::Done)
}

/// Looks up what is asked for, feed by feed.
async fn asked(args: &Args, config: &Config, ledger: &AnyLedger) -> Result<Vec<Asked>, CliError> {
    let mut asked = Vec::new();
    let mut unfound: BTreeMap<&str, Option<&'static str>> = args.keys.iter().map(|key| (key.as_str(), None)).collect();
    for known in ledger.feeds().await.map_err(anyhow::Error::from)? {
        let covered = args.selection.as_ref().is_none_or(|selection| selection.covers(&known.portal, &known.feed));
        if !covered || !config.portals.contains_key(&known.portal) {
            continue;
        }
        let schema = kind_of(config, &known.portal).and_then(|kind| kind.schema(&known.feed));
        let refusals = ledger.refusals(known.id).await.map_err(anyhow::Error::from)?;
        let typed: BTreeMap<Key, &str> = args.keys.iter().map(|text| (key_of(schema, text), text.as_str())).collect();
        let mut word = RetryWord { code: args.code.clone(), keys: None };
        if !typed.is_empty() {
            word.keys = Some(choose(&typed, args.code.as_deref(), &refusals, &mut unfound));
        }
        let chosen: Vec<&Refusal> = refusals.iter().filter(|refusal| is_chosen(refusal, args, &typed)).collect();
        if !chosen.is_empty() {
            let by_checks = chosen.iter().filter(|refusal| !refusal.is_of_portal()).count();
            let records = chosen.len();
            asked.push(Asked { portal: known.portal, feed: known.feed, word, records, by_checks });
        }
    }
    refuse_unfound(args, &unfound)?;
    Ok(asked)
}

/// True for a record that can be tried again. A row without a key is no record, and neither is the second row of one.
fn is_retriable(refusal: &Refusal, code: Option<&str>) -> bool {
    let same_code = code.is_none_or(|code| code.eq_ignore_ascii_case(&refusal.code));
    let is_record = refusal.key.is_some() && !is_second_row(refusal);
    is_record && Stuck::of(refusal.state) == Stuck::Rejected && same_code
}

fn is_second_row(refusal: &Refusal) -> bool {
    refusal.violations.iter().any(|violation| violation.rule == Rule::DuplicateKey)
}

fn is_chosen(refusal: &Refusal, args: &Args, typed: &BTreeMap<Key, &str>) -> bool {
    let named = refusal.key.as_ref().is_some_and(|key| typed.contains_key(key));
    is_retriable(refusal, args.code.as_deref()) && (typed.is_empty() || named)
}

/// The keys, as they are printed, of the records of this feed that were typed; those found are struck from `unfound`, and those that are
/// there in another state are noted with it.
fn choose<'a>(
    typed: &BTreeMap<Key, &'a str>,
    code: Option<&str>,
    refusals: &[Refusal],
    unfound: &mut BTreeMap<&'a str, Option<&'static str>>,
) -> Vec<String> {
    let mut chosen = Vec::new();
    for refusal in refusals {
        let Some((key, text)) = refusal.key.as_ref().and_then(|key| typed.get_key_value(key)) else { continue };
        if is_retriable(refusal, code) {
            unfound.remove(text);
            chosen.push(key.to_string());
        } else if let Some(seen) = unfound.get_mut(text) {
            *seen = Some(if is_second_row(refusal) { SECOND_ROW } else { Stuck::of(refusal.state).name() });
        }
    }
    chosen.dedup();
    chosen
}

/// Every key must be that of a rejected record.
fn refuse_unfound(args: &Args, unfound: &BTreeMap<&str, Option<&'static str>>) -> Result<(), CliError> {
    /// Keys that an error names.
    const NAMED: usize = 10;
    if unfound.is_empty() {
        return Ok(());
    }
    let with_code = args.code.as_ref().map(|code| format!(" with the code {code}")).unwrap_or_default();
    let named: Vec<String> = unfound
        .iter()
        .take(NAMED)
        .map(|(key, state)| match state {
            Some("held") => format!("{key} is held, not rejected: it goes by itself"),
            Some(SECOND_ROW) => format!("{key} is only the second row of its key: the view must give it once"),
            Some("unknown") => format!("{key} is of unknown outcome, not rejected: see `vitrina rejects resolve`"),
            Some(_) | None => format!("{key} is not rejected{with_code}"),
        })
        .collect();
    let rest = unfound.len().saturating_sub(NAMED);
    let rest = if rest == 0 { String::new() } else { format!("; and {rest} more") };
    Err(CliError::Usage(format!("nothing was asked: {}{rest}", named.join("; "))))
}

/// A wish that concerns nothing is a mistake.
fn refuse_nothing(args: &Args, asked: &[Asked]) -> Result<(), CliError> {
    if !asked.is_empty() {
        return Ok(());
    }
    let place = match &args.selection {
        Some(Selection { portal, feed: Some(feed) }) => format!(" of {portal}.{feed}"),
        Some(Selection { portal, feed: None }) => format!(" of {portal}"),
        None => String::new(),
    };
    let with_code = args.code.as_ref().map(|code| format!(" with the code {code}")).unwrap_or_default();
    Err(CliError::Usage(format!("nothing was asked: no record{place} is rejected{with_code}")))
}

async fn say(ledger: &AnyLedger, asked: &Asked) -> Result<(), CliError> {
    let word = Word {
        portal: asked.portal.clone(),
        feed: asked.feed.clone(),
        kind: WordKind::Retry,
        argument: asked.word.to_json(),
        said: Utc::now().timestamp(),
    };
    ledger.say(&word).await.map_err(anyhow::Error::from)?;
    Ok(())
}

fn told(asked: &[Asked], daemon: bool) -> String {
    let mut text = String::new();
    for one in asked {
        let _ = write!(text, "{}.{}: {} record(s) to be tried again", one.portal, one.feed, one.records);
        if one.by_checks > 0 {
            let _ = write!(text, "; {} of them go only if their rows are mended", one.by_checks);
        }
        text.push('\n');
    }
    text.push_str(status::takes_it_up(daemon));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::State;

    fn refusal(key: u128, state: State, code: &str) -> Refusal {
        let (text, violations) = (String::new(), Vec::new());
        Refusal { key: Some(Key::Guid(key)), state, code: code.to_owned(), violations, text, since: 0 }
    }

    #[test]
    fn a_key_in_another_state_is_not_chosen_but_noted() {
        let refusals = [refusal(1, State::Rejected, "R-330"), refusal(2, State::Held, "PARENT")];
        let typed = BTreeMap::from([(Key::Guid(1), "one"), (Key::Guid(2), "two"), (Key::Guid(3), "three")]);
        let mut unfound = BTreeMap::from([("one", None), ("two", None), ("three", None)]);
        let chosen = choose(&typed, None, &refusals, &mut unfound);
        assert_eq!(chosen, [Key::Guid(1).to_string()]);
        assert_eq!(unfound, BTreeMap::from([("two", Some("held")), ("three", None)]));
    }

    #[test]
    fn a_record_with_another_code_is_not_chosen() {
        assert!(is_retriable(&refusal(1, State::Rejected, "R-330"), Some("R-330")));
        assert!(!is_retriable(&refusal(1, State::Rejected, "R-310"), Some("R-330")));
        assert!(!is_retriable(&Refusal { key: None, ..refusal(1, State::Rejected, "CHECK") }, None));
    }
}
