//! Actions: what an operator can have done from the page or by `POST /api/…`. Each leaves a word in the ledger, as the verbs do, or wakes a
//! feed; each is logged with who asked.

use std::sync::Arc;

use axum::http::StatusCode;
use chrono::Utc;
use serde::Deserialize;

use super::guard::Refused;
use super::record::tripped;
use crate::daemon::{AnyLine, Shared};
use crate::ledger::{Ledger, LedgerError, Refusal, State, Word, WordKind};
use crate::record::{Key, Phrase, Rule};
use crate::sync::audit::AuditOrder;
use crate::sync::{AcceptFuse, PausedUnit, ResumeWord, RetryWord};

/// Most keys of one action.
const MOST_KEYS: usize = 1000;

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    AcceptFuse,
    Retry,
    Resume,
    Wake,
    Audit,
}

/// With what it is to be done.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub portal: String,
    #[serde(default)]
    pub feed: Option<String>,
    /// Of `retry`: only records refused with this code.
    #[serde(default)]
    pub code: Option<String>,
    /// Of `retry`: only these records.
    #[serde(default)]
    pub keys: Option<Vec<String>>,
    /// Of `unit/resume`.
    #[serde(default)]
    pub unit: Option<String>,
    /// Of `fuse/accept`: the set that was shown, as the page's form repeats it.
    #[serde(default)]
    pub seen: Option<String>,
    /// Of `audit`: mend what differs.
    #[serde(default)]
    pub repair: bool,
}

/// What an action came to.
#[derive(Debug)]
pub(super) struct Done(pub Phrase);

const LET_GO: Phrase = Phrase {
    en: "Let go: the next full scan removes the records.",
    ru: "Разрешено: записи удалит следующий полный проход.",
};
const TRIED: Phrase =
    Phrase { en: "The records are tried again now.", ru: "Записи отправляются повторно." };
const RESUMED: Phrase =
    Phrase { en: "The department's pause ends.", ru: "Пауза подразделения снята." };
const WOKEN: Phrase =
    Phrase { en: "The database is looked at now.", ru: "База проверяется сейчас." };
const AUDITED: Phrase = Phrase {
    en: "The audit begins; it stands under “Running now”.",
    ru: "Сверка начинается; она видна в «Выполняется сейчас».",
};

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Self {
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl Action {
    /// Its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Action::AcceptFuse => "fuse/accept",
            Action::Retry => "rejects/retry",
            Action::Resume => "unit/resume",
            Action::Wake => "wake",
            Action::Audit => "audit",
        }
    }
}

impl Asked {
    /// What a form asks for.
    pub fn of_form(fields: &[(String, String)]) -> Self {
        let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let keys: Vec<String> = fields.iter().filter(|(name, _)| name == "key").map(|(_, key)| key.clone()).collect();
        Asked {
            portal: field("portal").unwrap_or_default(),
            feed: field("feed"),
            code: field("code"),
            keys: Some(keys).filter(|keys| !keys.is_empty()),
            unit: field("unit"),
            seen: field("seen"),
            repair: field("repair").is_some(),
        }
    }
}

/// Carries an action out.
pub(super) async fn act(shared: &Shared, action: Action, asked: &Asked) -> Result<Done, Refused> {
    let line = line(shared, &asked.portal)?;
    match action {
        Action::AcceptFuse => accept_fuse(shared, line, asked).await,
        Action::Retry => retry(shared, line, asked).await,
        Action::Resume => resume(shared, line, asked).await,
        Action::Wake => wake(shared, line, asked),
        Action::Audit => audit(shared, line, asked).await,
    }
}

fn missing(what: String) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, what)
}

fn line<'a>(shared: &'a Shared, portal: &str) -> Result<&'a Arc<AnyLine>, Refused> {
    let found = shared.lines.iter().find(|line| line.name == portal);
    found.ok_or_else(|| missing(format!("portal: there is no portal {portal:?}")))
}

/// The feed that must be named.
fn feed(line: &AnyLine, asked: &Asked) -> Result<&'static str, Refused> {
    let Some(name) = asked.feed.as_deref() else {
        return Err(Refused::new(StatusCode::BAD_REQUEST, "feed: name the feed"));
    };
    let found = line.feed(name).map(|feed| feed.plan.schema.feed);
    found.ok_or_else(|| missing(format!("feed: {} has no feed {name:?}", line.name)))
}

async fn say(shared: &Shared, line: &AnyLine, feed: &str, kind: WordKind, argument: String) -> Result<(), Refused> {
    let (portal, feed, said) = (line.name.clone(), feed.to_owned(), Utc::now().timestamp());
    shared.ledger.say(&Word { portal, feed, kind, argument, said }).await?;
    Ok(())
}

async fn accept_fuse(shared: &Shared, line: &AnyLine, asked: &Asked) -> Result<Done, Refused> {
    let feed = feed(line, asked)?;
    let Some(fuse) = tripped(shared, &line.name, feed).await? else {
        return Err(missing(format!("the fuse of {}.{feed} has not tripped", line.name)));
    };
    if fuse.accepted {
        return Ok(Done(LET_GO));
    }
    let holds = AcceptFuse::of(&fuse).to_json();
    if asked.seen.as_ref().is_some_and(|seen| *seen != holds) {
        let why = "the fuse holds back other records by now than those that were shown; look again";
        return Err(Refused::new(StatusCode::CONFLICT, why));
    }
    say(shared, line, feed, WordKind::AcceptFuse, holds).await?;
    Ok(Done(LET_GO))
}

async fn retry(shared: &Shared, line: &AnyLine, asked: &Asked) -> Result<Done, Refused> {
    let name = feed(line, asked)?;
    let keys: Option<Vec<Key>> = asked.keys.as_ref().map(|keys| keys.iter().map(|key| Key::parse(key)).collect());
    if keys.as_ref().is_some_and(|keys| keys.len() > MOST_KEYS) {
        return Err(Refused::new(StatusCode::BAD_REQUEST, format!("keys: more than {MOST_KEYS}; name a code instead")));
    }
    let word = RetryWord {
        code: asked.code.clone(),
        keys: keys.as_ref().map(|keys| keys.iter().map(Key::to_string).collect()),
    };
    let mut fitting = 0u64;
    let mut visit = |refusal: &Refusal| {
        let is_second = refusal.violations.iter().any(|violation| violation.rule == Rule::DuplicateKey);
        let named = refusal.key.as_ref().is_some_and(|key| keys.as_ref().is_none_or(|keys| keys.contains(key)));
        if named && !is_second && refusal.state == State::Rejected && word.fits(&refusal.code) {
            fitting += 1;
        }
    };
    if let Some(known) = line.feed(name) {
        shared.ledger.each_refusal(known.id, &mut visit).await?;
    }
    if fitting == 0 {
        return Err(missing(format!("no such record of {}.{name} is rejected", line.name)));
    }
    say(shared, line, name, WordKind::Retry, word.to_json()).await?;
    Ok(Done(TRIED))
}

async fn resume(shared: &Shared, line: &AnyLine, asked: &Asked) -> Result<Done, Refused> {
    let Some(named) = asked.unit.as_deref() else {
        return Err(Refused::new(StatusCode::BAD_REQUEST, "unit: name the department"));
    };
    // Keys are printed in lower case; a GUID may be typed in any.
    let unit = Key::parse(&named.to_lowercase());
    let paused = PausedUnit::in_notes(&shared.ledger.notes(&line.name).await?);
    if !paused.iter().any(|one| one.unit == unit) {
        return Err(missing(format!("unit: {unit} of {} is not paused", line.name)));
    }
    say(shared, line, "", WordKind::ResumeUnit, ResumeWord { unit: unit.to_string() }.to_json()).await?;
    Ok(Done(RESUMED))
}

fn wake(shared: &Shared, line: &Arc<AnyLine>, asked: &Asked) -> Result<Done, Refused> {
    match asked.feed {
        Some(_) => shared.poke(line, feed(line, asked)?),
        None => line.feeds().iter().for_each(|feed| shared.poke(line, feed.plan.schema.feed)),
    }
    Ok(Done(WOKEN))
}

async fn audit(shared: &Shared, line: &AnyLine, asked: &Asked) -> Result<Done, Refused> {
    let feeds = match asked.feed {
        Some(_) => vec![feed(line, asked)?.to_owned()],
        None => Vec::new(),
    };
    let ticket = uuid::Uuid::new_v4().to_string();
    let order = AuditOrder { ticket, feeds, repair: asked.repair, by_daemon: true, ..AuditOrder::default() };
    let argument = serde_json::json!(order).to_string();
    say(shared, line, "", WordKind::Audit, argument).await?;
    Ok(Done(AUDITED))
}
