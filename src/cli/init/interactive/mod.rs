//! `vitrina init --interactive`: the first hour as a conversation. Each answer is tried at once; what is written in the end is what was tried.
//! Nothing of a portal or a database changes, and no file is written before the last question.

mod database;
mod feeds;
mod files;
mod matching;
mod portals;
mod sql;
mod synonyms;
mod talk;
mod text;
mod words;
mod zone;

use std::path::{Path, PathBuf};

use self::database::Database;
use self::feeds::Plan;
use self::files::{Draft, Readers};
use self::talk::{Talk, broken_off};
use self::text::{Secrets, Section, Setting, toml};
use super::Args;
use crate::cli::check::{self, Reality};
use crate::cli::{CliError, ConfigFile, Outcome};
use crate::config::PortalKind;
use crate::record::{Language, Phrase};

const CONFIGURATION: &str = "vitrina.toml";
const VIEWS: &str = "views.sql";
const USUAL_FOLDER: &str = "/etc/vitrina";
const USUAL_LEDGER: &str = "/var/lib/vitrina";

/// An example of a feed's section, as a comment.
const EXAMPLE: &str = "#\n# [portals.fer.feeds.slot]\n# changed_at = \"updated_at\"\n";

/// Everything that was answered.
struct Answers {
    database: Database,
    source: Section,
    portals: Vec<Section>,
    plans: Vec<Plan>,
}

/// Asks, writes, checks.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let talk = Talk::begin(args.language.language())?;
    talk.say(&words::GREETING, &[]);
    let mut folder = folder(&talk, args.dir.as_deref())?;
    let Some(answers) = answers(&talk, args, &folder).await? else { return Ok(broken_off(&talk)) };
    let ledger = ledger(&talk, &folder)?;
    let drafts = loop {
        let drafts = drafts(talk.language(), &answers, &ledger, &folder);
        let there = files::existing(&drafts);
        if there.is_empty() {
            break drafts;
        }
        let question = talk.words(&words::OVERWRITE, &[&there.join(", ")]);
        let choices = [&words::OTHER_FOLDER, &words::OVERWRITE_YES, &words::STOP].map(|choice| talk.words(choice, &[]));
        match talk.choose(&question, &choices, 0)? {
            0 => folder = self::folder(&talk, None)?,
            1 => break drafts,
            _ => return Ok(broken_off(&talk)),
        }
    };
    for draft in &drafts {
        let shown = draft.path.display();
        files::write(draft)
            .map_err(|error| anyhow::Error::from(error).context(format!("{shown} cannot be written")))?;
        talk.say(&words::WRITTEN, &[&shown]);
    }
    finish(&talk, &answers, &folder).await
}

async fn answers(talk: &Talk, args: &Args, folder: &Path) -> Result<Option<Answers>, CliError> {
    let Some(database) = database::ask(talk, args.source).await? else { return Ok(None) };
    let source = database.section(zone::ask(talk)?.name());
    let kinds = if args.portal.is_empty() { portals::kinds(talk)? } else { args.kinds() };
    let (mut sections, mut plans) = (Vec::new(), Vec::new());
    for kind in kinds {
        let Some(section) = portals::ask(talk, kind, &source, &folder.join(CONFIGURATION)).await? else {
            return Ok(None);
        };
        let oid = oid_of(kind, &section);
        plans.extend(feeds::ask(talk, database.dialect.engine(), kind, &database.tables, oid.as_deref())?);
        sections.push(section);
    }
    Ok(Some(Answers { database, source, portals: sections, plans }))
}

/// The organisation's OID, where an account is one.
fn oid_of(kind: PortalKind, section: &Section) -> Option<String> {
    let of_account = section.settings.iter().find(|(key, _)| *key == "username" && kind == PortalKind::Fer);
    match of_account {
        Some((_, Setting::Text(oid))) => Some(oid.clone()),
        Some((_, Setting::Secret(_))) | None => None,
    }
}

fn folder(talk: &Talk, given: Option<&Path>) -> Result<PathBuf, CliError> {
    let refused = |path: &Path| {
        let refusal = |error| talk.words(&words::FOLDER_REFUSED, &[&path.display(), &error]);
        files::prepare(path).map_err(refusal)
    };
    let folder = match given {
        Some(folder) => {
            refused(folder).map_err(CliError::Usage)?;
            folder.to_owned()
        }
        None => PathBuf::from(talk.line(&words::FOLDER, USUAL_FOLDER, |text| refused(Path::new(text)))?),
    };
    Ok(std::path::absolute(folder)?)
}

/// Asks where the ledger is to be: a daemon runs anywhere, so its path begins at the root.
fn ledger(talk: &Talk, folder: &Path) -> Result<String, CliError> {
    let usual = [Path::new(USUAL_LEDGER), folder].into_iter().find(|place| tempfile::tempfile_in(place).is_ok());
    let default = usual.unwrap_or(Path::new(USUAL_LEDGER)).join("ledger.db");
    let check = |text: &str| {
        let place = Path::new(text).parent().unwrap_or(Path::new("/")).to_owned();
        match Path::new(text).is_absolute() && tempfile::tempfile_in(&place).is_ok() {
            true => Ok(()),
            false => Err(talk.words(&words::LEDGER_REFUSED, &[&place.display()])),
        }
    };
    talk.say(&words::LEDGER_ABOUT, &[]);
    talk.line(&words::LEDGER, &default.to_string_lossy(), check)
}

fn drafts(language: Language, answers: &Answers, ledger: &str, folder: &Path) -> Vec<Draft> {
    let mut sections = vec![
        answers.source.clone(),
        Section::new("ledger").text("url", format!("sqlite:{ledger}")),
        Section::new("serve").text("listen", "127.0.0.1:9464"),
    ];
    sections.extend(answers.portals.iter().cloned());
    let draft = |name: &str, text: String, readers| Draft { path: folder.join(name), text, readers };
    let remark = |phrase: &Phrase| remark(phrase.said_in(language));
    let sections_text = toml(&sections, Secrets::InFiles);
    let configuration = format!("{}{sections_text}\n{}{EXAMPLE}", remark(&words::HEAD), remark(&words::TAIL));
    let mut drafts = vec![draft(CONFIGURATION, configuration, Readers::All)];
    if !answers.plans.is_empty() {
        let sql = sql::text(answers.database.dialect, language, answers.database.reader().as_deref(), &answers.plans);
        drafts.push(draft(VIEWS, sql, Readers::All));
    }
    let secrets = sections.iter().flat_map(Section::secrets);
    drafts.extend(secrets.map(|secret| Draft {
        path: files::place_of_secret(folder, &secret.file),
        text: format!("{}\n", secret.value),
        readers: Readers::Owner,
    }));
    drafts
}

/// A comment of the configuration, in lines.
fn remark(text: &str) -> String {
    talk::broken(text, 100).lines().map(|line| format!("# {line}\n")).collect()
}

/// Has the views made, and checks everything until it is well or enough.
async fn finish(talk: &Talk, answers: &Answers, folder: &Path) -> Result<Outcome, CliError> {
    let (config, views) = (folder.join(CONFIGURATION), folder.join(VIEWS));
    let shown = config.display();
    if !answers.plans.is_empty() {
        if answers.plans.iter().all(|plan| plan.proposal.is_none()) {
            talk.say(&words::NO_VIEWS, &[&views.display(), &shown]);
            return Ok(Outcome::Done);
        }
        let file = views.display().to_string();
        talk.say(&words::CREATE_VIEWS, &[&answers.database.command(&file), &file]);
        loop {
            if talk.decide(&words::VIEWS_MADE, &[&words::CHECK_NOW, &words::CHECK_LATER])? == 1 {
                talk.say(&words::CHECK_BY_HAND, &[&shown]);
                return Ok(Outcome::Done);
            }
            let wanted = answers.plans.iter().filter(|plan| plan.proposal.is_some()).map(Plan::view);
            match answers.database.lacks(wanted).await {
                Ok(missing) if missing.is_empty() => break,
                Ok(missing) => talk.say(&words::VIEWS_MISSING, &[&missing.join(", ")]),
                Err(error) => talk.say(&words::FAILED, &[&error]),
            }
        }
    }
    let args = check::Args { config: ConfigFile { config: config.clone() }, offline: false, json: false };
    loop {
        let outcome = check::online(&args, &Reality).await?;
        if outcome == Outcome::Done {
            talk.say(&words::NEXT, &[&shown, &shown]);
            return Ok(outcome);
        }
        if talk.decide(&words::AND_NOW, &[&words::CHECK_AGAIN, &words::CHECK_LATER])? == 1 {
            return Ok(outcome);
        }
    }
}
