//! `vitrina rejects show`: everything that is known of one record.

use anyhow::Context;
use serde::Serialize;

use super::filter::Stuck;
use super::gather::{FeedRejects, kind_of};
use super::item::Item;
use super::list::{NO_KEY, state as stuck_name};
use super::seek;
use crate::cli::{CliError, ConfigFile, LanguageChoice, Outcome, Selection, moment, print};
use crate::daemon::trouble::points;
use crate::ledger::{AnyLedger, Entry, FeedId, FeedSummary, Ledger, Mark, Refusal, Replay, State};
use crate::portal::Kind;
use crate::record::{Fingerprint, Key, Kind as FieldKind, Language, Phrase, Schema, guid};

/// Options of `rejects show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigFile,

    /// The feed of the record
    #[arg(value_name = "PORTAL.FEED")]
    pub feed: Selection,

    /// The record's key, as the list shows it; without one, the rows that have none
    pub key: Option<String>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// In which language.
    #[command(flatten)]
    pub language: LanguageChoice,
}

/// Everything known of a record. Versions are hashes: the ledger holds no contents.
#[derive(Debug, Serialize)]
struct Known {
    portal: String,
    feed: String,
    /// None: rows without a key.
    key: Option<String>,
    state: &'static str,
    /// A query that finds the rows, where their key cannot be read.
    find: Option<String>,
    /// The version that the portal acknowledged.
    accepted: Option<String>,
    /// The version that is to be there, when it is another one.
    wanted: Option<String>,
    /// What may have reached the portal without an acknowledgement: a version, or `removal`.
    in_flight: Option<String>,
    unit: Option<String>,
    expires: Option<String>,
    remote_id: Option<String>,
    attempts: u16,
    next_attempt: Option<String>,
    parents: Vec<KnownParent>,
    refusals: Vec<Item>,
}

#[derive(Debug, Serialize)]
struct KnownParent {
    /// The field of the record that names it.
    field: &'static str,
    feed: &'static str,
    key: String,
    /// `absent` when the ledger knows nothing of it.
    state: &'static str,
}

/// Shows one record.
pub async fn run(args: &Args) -> Result<Outcome, CliError> {
    let config = args.config.load()?.config;
    let name = args.feed.one_feed(&config)?;
    let ledger = AnyLedger::open_read_only(config.ledger.url.expose()).await.map_err(anyhow::Error::from)?;
    let feeds = ledger.feeds().await.map_err(anyhow::Error::from)?;
    let kind = kind_of(&config, &args.feed.portal);
    let schema = kind.and_then(|kind| kind.schema(name));
    let key = args.key.as_deref().map(|text| key_of(schema, text));
    let unknown = || nothing_known(&args.feed.portal, name, key.as_ref());
    let Some(feed) = id_of(&feeds, &args.feed.portal, name) else { return Err(unknown()) };
    let entry = match &key {
        Some(key) => find(&ledger, feed, key).await?,
        None => None,
    };
    let mut refusals = ledger.refusals(feed).await.map_err(anyhow::Error::from)?;
    refusals.retain(|refusal| refusal.key == key);
    if entry.is_none() && refusals.is_empty() {
        return Err(unknown());
    }
    let sought = |refusal: &Refusal| schema.and_then(|schema| seek::query(&config, &args.feed.portal, schema, refusal));
    let finds: Vec<Option<String>> = refusals.iter().map(sought).collect();
    let of = FeedRejects { portal: args.feed.portal.clone(), feed: name.to_owned(), kind, refusals };
    let parents = match &entry {
        Some(entry) => parents(&ledger, &feeds, &of, entry).await?,
        None => Vec::new(),
    };
    let language = args.language.language();
    let text = if args.json {
        let mut known = known(&of, key.as_ref(), entry.as_ref(), parents, language);
        known.find = finds.into_iter().flatten().next();
        format!("{}\n", serde_json::to_string_pretty(&known).context("cannot print the record")?)
    } else {
        readable(&of, (key.as_ref(), &finds), entry.as_ref(), &parents, language)
    };
    print(&text)?;
    Ok(Outcome::Done)
}

/// A key as it was typed. GUIDs may be typed in any of their forms where keys are GUIDs.
pub(super) fn key_of(schema: Option<&'static Schema>, text: &str) -> Key {
    let field = schema.and_then(|schema| schema.fields.get(schema.position(schema.key)?));
    let typed = field.is_some_and(|field| field.kind == FieldKind::Guid).then(|| guid::parse(text)).flatten();
    typed.map_or_else(|| Key::parse(text), Key::Guid)
}

pub(super) fn id_of(feeds: &[FeedSummary], portal: &str, feed: &str) -> Option<FeedId> {
    feeds.iter().find(|known| known.portal == portal && known.feed == feed).map(|known| known.id)
}

fn nothing_known(portal: &str, feed: &str, key: Option<&Key>) -> CliError {
    CliError::Usage(match key {
        Some(key) => format!("the ledger knows no record {key} of {portal}.{feed}"),
        None => format!("the ledger knows no row without a key of {portal}.{feed}"),
    })
}

/// What the ledger remembers of a record: the last that its journal says.
pub(super) async fn find(ledger: &AnyLedger, feed: FeedId, key: &Key) -> Result<Option<Entry>, CliError> {
    let mut found = None;
    let mut visit = |step: Replay| match step {
        Replay::Put(entry) if entry.key == *key => found = Some(entry),
        Replay::Drop(dropped) if dropped == *key => found = None,
        Replay::Put(_) | Replay::Drop(_) => {}
    };
    ledger.load(feed, &mut visit).await.map_err(anyhow::Error::from)?;
    Ok(found)
}

/// The records that a record belongs to, and where they stand.
async fn parents(
    ledger: &AnyLedger,
    feeds: &[FeedSummary],
    of: &FeedRejects,
    entry: &Entry,
) -> Result<Vec<KnownParent>, CliError> {
    let schema = of.kind.and_then(|kind: &Kind| kind.schema(&of.feed));
    let edges = schema.into_iter().flat_map(Schema::holding_edges);
    let mut parents = Vec::new();
    for (edge, key) in edges.zip(&entry.parents) {
        let Some(key) = key else { continue };
        let standing = match id_of(feeds, &of.portal, edge.feed) {
            Some(feed) => find(ledger, feed, key).await?,
            None => None,
        };
        let state = standing.map_or("absent", |entry| state_name(&entry));
        parents.push(KnownParent { field: edge.field, feed: edge.feed, key: key.to_string(), state });
    }
    Ok(parents)
}

/// A record's state in JSON.
fn state_name(entry: &Entry) -> &'static str {
    match entry.state {
        State::Accepted => "accepted",
        State::Pending => "pending",
        State::Held => "held",
        State::Rejected => "rejected",
        State::Unknown => "unknown",
        State::Past => "past",
        State::Gone => "gone",
        State::Yielded => "yielded",
    }
}

fn printed(version: Fingerprint) -> String {
    format!("{:032x}", version.0)
}

fn in_flight(entry: &Entry) -> Option<String> {
    entry.mark.map(|mark| match mark {
        Mark::Version(version) | Mark::Begun(version) | Mark::Finishing(version) => printed(version),
        Mark::Removal => "removal".to_owned(),
    })
}

fn known(
    of: &FeedRejects,
    key: Option<&Key>,
    entry: Option<&Entry>,
    parents: Vec<KnownParent>,
    language: Language,
) -> Known {
    let of_refusal = || of.refusals.first().map_or("rejected", |refusal| Stuck::of(refusal.state).name());
    Known {
        portal: of.portal.clone(),
        feed: of.feed.clone(),
        key: key.map(ToString::to_string),
        state: entry.map_or_else(of_refusal, state_name),
        find: None,
        accepted: entry.and_then(|entry| entry.accepted).map(printed),
        wanted: entry.and_then(|entry| entry.wanted).map(printed),
        in_flight: entry.and_then(in_flight),
        unit: entry.and_then(|entry| entry.unit.as_ref()).map(ToString::to_string),
        expires: entry.and_then(|entry| entry.expires).map(moment),
        remote_id: entry.and_then(|entry| entry.remote_id.as_deref()).map(str::to_owned),
        attempts: entry.map_or(0, |entry| entry.attempts),
        next_attempt: entry.and_then(|entry| entry.next_attempt).map(moment),
        parents,
        refusals: of.refusals.iter().map(|refusal| Item::new(of, refusal, language)).collect(),
    }
}

/// Lines of a label and what belongs to it.
struct Sheet {
    text: String,
    language: Language,
}

impl Sheet {
    fn line(&mut self, label: Phrase, value: &str) {
        let label = label.said_in(self.language);
        // Padded by letters, not by bytes: labels are not all ASCII.
        self.text.push_str(&format!("{label:<22} {value}\n"));
    }

    fn line_if(&mut self, label: Phrase, value: Option<String>) {
        if let Some(value) = value {
            self.line(label, &value);
        }
    }
}

/// `finds` are the queries that find the rows of the refusals, in their order.
fn readable(
    of: &FeedRejects,
    (key, finds): (Option<&Key>, &[Option<String>]),
    entry: Option<&Entry>,
    parents: &[KnownParent],
    language: Language,
) -> String {
    let key = key.map_or_else(|| NO_KEY.said_in(language).to_owned(), ToString::to_string);
    let mut sheet = Sheet { text: format!("{}.{} {key}\n", of.portal, of.feed), language };
    if let Some(entry) = entry {
        write_entry(&mut sheet, entry);
    }
    for parent in parents {
        let label = Phrase { en: "belongs to", ru: "относится к" };
        let absent = Phrase { en: "unknown to the ledger", ru: "в журнале нет" };
        let state = if parent.state == "absent" { absent.said_in(language) } else { parent.state };
        sheet.line(label, &format!("{} {} ({}): {state}", parent.feed, parent.key, parent.field));
    }
    for (refusal, find) in of.refusals.iter().zip(finds) {
        let state = stuck_name(Stuck::of(refusal.state), language);
        sheet.text.push('\n');
        sheet.line(Phrase { en: "why", ru: "причина" }, &format!("{}, {state}", refusal.code));
        sheet.line(Phrase { en: "since", ru: "с" }, &moment(refusal.since));
        for point in points(of.kind, refusal, language) {
            let field = point.field.zip(point.rule).map(|(field, rule)| format!("{field}: {}: ", rule.name()));
            let text = format!("{}{}", field.unwrap_or_default(), point.text);
            sheet.line(Phrase { en: "text", ru: "текст" }, &text);
            sheet.line(Phrase { en: "who acts", ru: "кто исправляет" }, point.remedy.actor.name(language));
            sheet.line(Phrase { en: "means", ru: "что значит" }, point.remedy.meaning.said_in(language));
            sheet.line(Phrase { en: "helps", ru: "что делать" }, point.remedy.action.said_in(language));
        }
        sheet.line_if(Phrase { en: "finds the rows", ru: "найти строки" }, find.clone());
    }
    sheet.text
}

fn write_entry(sheet: &mut Sheet, entry: &Entry) {
    let state = match entry.state {
        State::Accepted => Phrase { en: "accepted", ru: "принято" },
        State::Pending => Phrase { en: "pending, will be sent", ru: "ожидает отправки" },
        State::Held => Phrase { en: "held", ru: "удержано" },
        State::Rejected => Phrase { en: "rejected", ru: "отклонено" },
        State::Unknown => Phrase { en: "of unknown outcome", ru: "исход неизвестен" },
        State::Past => Phrase { en: "past, forgotten", ru: "время прошло, забыто" },
        State::Gone => Phrase { en: "gone, to be removed", ru: "исчезло, будет удалено" },
        State::Yielded => {
            Phrase { en: "gives way to another record", ru: "уступает место другой записи" }
        }
    };
    let there = Phrase { en: "a version of it", ru: "есть одна из версий" };
    let nothing = Phrase { en: "nothing, as far as is known", ru: "насколько известно, нет" };
    let at_portal = if entry.accepted.is_some() { there } else { nothing };
    let language = sheet.language;
    sheet.line(Phrase { en: "state", ru: "состояние" }, state.said_in(language));
    sheet.line(Phrase { en: "the portal holds", ru: "на портале" }, at_portal.said_in(language));
    sheet.line_if(Phrase { en: "not acknowledged", ru: "не подтверждено" }, in_flight(entry));
    let attempts = (entry.attempts > 0).then(|| entry.attempts.to_string());
    sheet.line_if(Phrase { en: "failed attempts", ru: "неудачных попыток" }, attempts);
    sheet.line_if(Phrase { en: "tried again", ru: "следующая попытка" }, next_try(entry, language));
    let unit = entry.unit.as_ref().map(ToString::to_string);
    sheet.line_if(Phrase { en: "unit", ru: "подразделение" }, unit);
    sheet.line_if(Phrase { en: "its time is past", ru: "время пройдёт" }, entry.expires.map(moment));
    let remote = entry.remote_id.as_deref().map(str::to_owned);
    sheet.line_if(Phrase { en: "the portal's id", ru: "номер на портале" }, remote);
}

/// When the record is tried again, if it is stuck.
fn next_try(entry: &Entry, language: Language) -> Option<String> {
    let by_row = Phrase { en: "when its row changes", ru: "когда изменится строка" };
    let by_parent = Phrase {
        en: "when what it waits for is accepted", ru: "когда будет принято то, чего она ждёт"
    };
    let or_at = Phrase {
        en: "when its row or its parent changes, or at",
        ru: "когда изменится строка или родитель, или",
    };
    let at = Phrase { en: "at", ru: "не раньше" };
    let said = |phrase: Phrase| phrase.said_in(language);
    match (entry.state, entry.next_attempt) {
        (State::Rejected, Some(time)) => Some(format!("{} {}", said(or_at), moment(time))),
        (State::Rejected, None) => Some(said(by_row).to_owned()),
        (State::Held, _) => Some(said(by_parent).to_owned()),
        (State::Pending | State::Unknown, Some(time)) => Some(format!("{} {}", said(at), moment(time))),
        (State::Pending | State::Unknown | State::Accepted | State::Past | State::Gone | State::Yielded, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal;

    #[test]
    fn a_guid_may_be_typed_in_any_form_where_keys_are_guids() {
        let schema = portal::kind("fer").and_then(|kind| kind.schema("slot"));
        let typed = "{AB7CBC4B-2E68-40D2-881B-6F957B044818}";
        assert_eq!(key_of(schema, typed).to_string(), "ab7cbc4b-2e68-40d2-881b-6f957b044818");
        assert_eq!(key_of(None, "protocol-17").to_string(), "protocol-17");
    }

    #[test]
    fn every_state_says_when_the_record_is_tried_again() {
        let entry = |state, next_attempt| Entry { state, next_attempt, ..Entry::new(Key::Guid(1)) };
        let told = |state, next| next_try(&entry(state, next), Language::English);
        assert_eq!(told(State::Rejected, None).as_deref(), Some("when its row changes"));
        assert!(told(State::Rejected, Some(0)).is_some_and(|text| text.ends_with("or at 1970-01-01T00:00:00Z")));
        assert!(told(State::Held, None).is_some());
        assert_eq!(told(State::Accepted, None), None);
    }
}
