//! `vitrina fuse`: what a tripped fuse holds back, and the operator's word to let it go.

use std::fmt::Write as _;

use anyhow::Context;
use chrono::Utc;
use clap::Subcommand;
use serde::Serialize;

use super::{CliError, ConfigFile, LanguageChoice, Outcome, Selection, moment, print, status};
use crate::config::Config;
use crate::ledger::{AnyLedger, Ledger, NoteKind, Word, WordKind};
use crate::record::{Language, Phrase};
use crate::sync::{AcceptFuse, Tripped};

/// Keys that people are shown of a set; JSON has as many as the ledger keeps.
const SHOWN: usize = 10;

/// Options of `fuse`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do with them.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What can be done with fuses.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show the fuses that have tripped and what they hold back
    List(ListArgs),
    /// Let go what a fuse holds back: the records that were shown, and no others
    Accept(AcceptArgs),
}

/// Options of `fuse list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// A portal, or one feed of it [default: everything]
    #[arg(value_name = "PORTAL[.FEED]")]
    pub selection: Option<Selection>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// In which language.
    #[command(flatten)]
    pub language: LanguageChoice,
}

/// Options of `fuse accept`.
#[derive(Debug, clap::Args)]
pub struct AcceptArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// The feed whose fuse has tripped
    #[arg(value_name = "PORTAL.FEED")]
    pub feed: Selection,
}

/// A fuse that has tripped, and whose it is.
#[derive(Debug, Serialize)]
struct Shown {
    portal: String,
    feed: String,
    since: String,
    /// True once an operator has let it go.
    accepted: bool,
    reason: String,
    /// Keys of the first records that are held back.
    keys: Vec<String>,
    #[serde(skip)]
    fuse: Tripped,
}

/// Does what was asked.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    match &args.verb {
        Verb::List(args) => list(args).await,
        Verb::Accept(args) => accept(args).await,
    }
}

async fn list(args: &ListArgs) -> Result<Outcome, CliError> {
    let config = args.config.load()?.config;
    if let Some(selection) = &args.selection {
        selection.check(&config)?;
    }
    let ledger = AnyLedger::open_read_only(config.ledger.url.expose()).await.map_err(anyhow::Error::from)?;
    let mut fuses = tripped(&config, &ledger, args.language.language()).await?;
    fuses.retain(|fuse| args.selection.as_ref().is_none_or(|selection| selection.covers(&fuse.portal, &fuse.feed)));
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(&fuses).context("cannot print the fuses")?)
    } else {
        readable(&fuses, args.language.language())
    };
    print(&text)?;
    Ok(Outcome::Done)
}

async fn accept(args: &AcceptArgs) -> Result<Outcome, CliError> {
    let config = args.config.load()?.config;
    let feed = args.feed.one_feed(&config)?;
    let portal = &args.feed.portal;
    let ledger = AnyLedger::open_for_words(config.ledger.url.expose()).await.map_err(anyhow::Error::from)?;
    let fuses = tripped(&config, &ledger, Language::English).await?;
    let Some(fuse) = fuses.into_iter().find(|fuse| &fuse.portal == portal && fuse.feed == feed) else {
        return Err(CliError::Usage(format!("the fuse of {portal}.{feed} has not tripped")));
    };
    if fuse.accepted {
        print(&format!("{portal}.{feed}: {}; it was let go already, the next full scan removes it\n", fuse.reason))?;
        return Ok(Outcome::Done);
    }
    let word = Word {
        portal: portal.clone(),
        feed: feed.to_owned(),
        kind: WordKind::AcceptFuse,
        argument: AcceptFuse::of(&fuse.fuse).to_json(),
        said: Utc::now().timestamp(),
    };
    ledger.say(&word).await.map_err(anyhow::Error::from)?;
    ledger.close().await.map_err(anyhow::Error::from)?;
    let daemon = status::daemon_answers(&config).await;
    print(&format!("{portal}.{feed}: {}; let go\n{}", fuse.reason, status::takes_it_up(daemon)))?;
    Ok(Outcome::Done)
}

/// The fuses that have tripped, by portal and feed.
async fn tripped(config: &Config, ledger: &AnyLedger, language: Language) -> Result<Vec<Shown>, CliError> {
    let mut fuses = Vec::new();
    for portal in config.portals.keys() {
        for note in ledger.notes(portal).await.map_err(anyhow::Error::from)? {
            if note.place.kind != NoteKind::Fuse {
                continue;
            }
            // A note of another version's: the engine rules anew at the next scan, and so does this verb.
            let Ok(fuse) = serde_json::from_str::<Tripped>(&note.body) else { continue };
            fuses.push(Shown {
                portal: portal.clone(),
                feed: note.place.feed,
                since: moment(fuse.since),
                accepted: fuse.accepted,
                reason: reason(&fuse, language),
                keys: fuse.keys.clone(),
                fuse,
            });
        }
    }
    Ok(fuses)
}

fn reason(fuse: &Tripped, language: Language) -> String {
    match language {
        Language::English => fuse.reason(),
        Language::Russian => {
            let lost = fuse.losses.iter().filter(|(_, loss)| loss.removed > 0);
            let lost: Vec<String> =
                lost.map(|(feed, loss)| format!("{feed} — {} из {}", loss.removed, loss.of)).collect();
            let empty = if fuse.empty { "запрос не вернул ни одной строки; " } else { "" };
            format!("{empty}было бы удалено записей: {}", lost.join(", "))
        }
    }
}

fn readable(fuses: &[Shown], language: Language) -> String {
    const NONE: Phrase =
        Phrase { en: "No fuse has tripped.", ru: "Ни один предохранитель не сработал." };
    const SINCE: Phrase = Phrase { en: "since", ru: "с" };
    const HELD: Phrase = Phrase {
        en: "held back; look at the source, and if the records are really gone:",
        ru: "удерживается; посмотрите на источник, и если записей действительно больше нет:",
    };
    const LET_GO: Phrase = Phrase {
        en: "let go; the next full scan removes it",
        ru: "разрешено; удалит следующий полный проход",
    };
    const MORE: Phrase = Phrase { en: "and others", ru: "и другие" };
    if fuses.is_empty() {
        return format!("{}\n", NONE.said_in(language));
    }
    let mut text = String::new();
    for Shown { portal, feed, since, accepted, reason, keys, .. } in fuses {
        let _ = writeln!(text, "{portal}.{feed}: {reason} ({} {since})", SINCE.said_in(language));
        for key in keys.iter().take(SHOWN) {
            let _ = writeln!(text, "    {key}");
        }
        if keys.len() > SHOWN {
            let _ = writeln!(text, "    {}", MORE.said_in(language));
        }
        if *accepted {
            let _ = writeln!(text, "  {}", LET_GO.said_in(language));
        } else {
            let _ = writeln!(text, "  {} vitrina fuse accept {portal}.{feed}", HELD.said_in(language));
        }
    }
    text
}
