//! Lists of records that do not go, and of what was exchanged: grouped by reason, found by key, bounded in length.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use maud::{Markup, html};

use super::below::search;
use super::layout::{action, table_head};
use super::reader::{Reader, number};
use super::{link, named, names};
use crate::daemon::Shared;
use crate::daemon::trouble::{Point, points};
use crate::ledger::{Exchange, FeedSummary, Ledger, LedgerError, Refusal, State};
use crate::portal::Kind;
use crate::record::{Key, Language, Remedy, Rule};

/// Records that one page lists.
const LISTED: usize = 100;

/// What is sought; everything that is given must fit.
#[derive(Debug, Default)]
pub(super) struct Sought<'a> {
    pub portal: Option<&'a str>,
    pub feed: Option<&'a str>,
    pub code: Option<&'a str>,
    /// A part of a key.
    pub key: &'a str,
}

/// Records of one feed that do not go for one reason.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reason {
    remedy: &'static Remedy,
    place: (String, String),
    code: String,
    fault: Option<(String, Rule)>,
    state: &'static str,
}

/// What was found.
#[derive(Default)]
struct Found {
    reasons: BTreeMap<Reason, (u64, String)>,
    records: Vec<Listed>,
    all: u64,
}

struct Listed {
    place: (String, String),
    key: Option<String>,
    code: String,
    state: State,
    since: i64,
}

impl Sought<'_> {
    fn covers(&self, known: &FeedSummary) -> bool {
        self.portal.is_none_or(|portal| portal == known.portal) && self.feed.is_none_or(|feed| feed == known.feed)
    }

    fn admits(&self, refusal: &Refusal) -> bool {
        let key = || refusal.key.as_ref().map(|key| key.to_string().to_lowercase()).unwrap_or_default();
        self.code.is_none_or(|code| code.eq_ignore_ascii_case(&refusal.code))
            && (self.key.is_empty() || key().contains(&self.key.to_lowercase()))
    }
}

impl Found {
    fn add(&mut self, known: &FeedSummary, kind: Option<&'static Kind>, refusal: &Refusal, language: Language) {
        self.all += 1;
        let place = (known.portal.clone(), known.feed.clone());
        for Point { field, rule, text, remedy } in points(kind, refusal, language) {
            let fault = field.zip(rule).map(|(field, rule)| (field.to_owned(), rule));
            let (code, state) = (refusal.code.clone(), names::record_state(refusal.state, language));
            let reason = Reason { remedy, place: place.clone(), code, fault, state };
            self.reasons.entry(reason).or_insert_with(|| (0, text.into_owned())).0 += 1;
        }
        if self.records.len() < LISTED {
            let (code, state, since) = (refusal.code.clone(), refusal.state, refusal.since);
            let key = refusal.key.as_ref().map(ToString::to_string);
            self.records.push(Listed { place, key, code, state, since });
        }
    }
}

/// The list of refused and held records.
pub(super) async fn rejects(shared: &Shared, reader: &Reader, sought: &Sought<'_>) -> Result<Markup, LedgerError> {
    let mut found = Found::default();
    for known in shared.ledger.feeds().await?.iter().filter(|known| sought.covers(known)) {
        let kind = shared.kind_of(&known.portal);
        let mut visit = |refusal: &Refusal| {
            if sought.admits(refusal) {
                found.add(known, kind, refusal, reader.language);
            }
        };
        shared.ledger.each_refusal(known.id, &mut visit).await?;
    }
    let straight = sought_record(shared, sought);
    Ok(html! {
        h1 { (reader.t("Records that do not go", "Записи, которые не проходят")) }
        p { (heading(sought, reader)) " " (reader.t("Found:", "Найдено:")) " " (number(found.all)) }
        (search(reader, sought.key))
        @if found.all == 0 {
            p { (reader.t("None: what is sought is neither refused nor held.", "Нет: искомое не отклонено и не ждёт.")) }
            @for (portal, feed) in straight {
                p { a href=(link("/record", &[("portal", portal), ("feed", feed), ("key", sought.key)])) { (named(portal, feed, reader)) ": " (sought.key) } }
            }
        } @else {
            (by_reason(&found, reader))
            (by_record(&found, reader))
        }
    })
}

/// Where a record with the whole key that is sought may stand, though nothing stands against it.
fn sought_record<'a>(shared: &'a Shared, sought: &Sought<'_>) -> Vec<(&'a str, &'a str)> {
    if sought.key.is_empty() {
        return Vec::new();
    }
    shared.feeds.iter().map(|feed| (feed.line.name.as_str(), feed.name)).collect()
}

fn heading(sought: &Sought<'_>, reader: &Reader) -> String {
    let place = match (sought.portal, sought.feed) {
        (Some(portal), Some(feed)) => named(portal, feed, reader),
        (Some(portal), None) => portal.to_owned(),
        (None, _) => reader.t("All feeds", "Все потоки").to_owned(),
    };
    let code = sought.code.map(|code| format!(", {code}")).unwrap_or_default();
    format!("{place}{code}.")
}

fn by_reason(found: &Found, reader: &Reader) -> Markup {
    html! {
        @for (reason, (count, text)) in &found.reasons {
            article.card {
                h2 { (names::who(reason.remedy.actor, reader.language)) }
                p {
                    (named(&reason.place.0, &reason.place.1, reader)) ": " strong { (number(*count)) } " × " code { (reason.code) }
                    @if let Some((field, rule)) = &reason.fault { " " code { (field) } " (" (rule.name()) ")" }
                    ", " (reason.state)
                }
                p { (text) }
                p { strong { (reader.t("What it means: ", "Что значит: ")) } (reason.remedy.meaning.said_in(reader.language)) }
                p { strong { (reader.t("What to do: ", "Что делать: ")) } (reason.remedy.action.said_in(reader.language)) }
                (action(reader, "/api/rejects/retry", &link("/rejects", &[("portal", &reason.place.0), ("feed", &reason.place.1)]),
                    &[("portal", &reason.place.0), ("feed", &reason.place.1), ("code", &reason.code)],
                    reader.t("Try again", "Повторить"), &reason.code))
            }
        }
    }
}

fn by_record(found: &Found, reader: &Reader) -> Markup {
    let heads = [
        reader.t("Key", "Ключ"),
        reader.t("What", "Что"),
        reader.t("Code", "Код"),
        reader.t("State", "Состояние"),
        reader.t("Since", "С"),
    ];
    html! {
        @if found.all > LISTED as u64 { p { (reader.t("The first records:", "Первые записи:")) " " (LISTED) } }
        table {
            (table_head(&heads))
            tbody { @for record in &found.records {
                @let (portal, feed) = (record.place.0.as_str(), record.place.1.as_str());
                tr {
                    th scope="row" { @match &record.key {
                        Some(key) => { a href=(link("/record", &[("portal", portal), ("feed", feed), ("key", key)])) { code { (key) } } }
                        None => { (reader.t("a row without a key", "строка без ключа")) }
                    } }
                    td data-label=(heads[1]) { (named(portal, feed, reader)) }
                    td data-label=(heads[2]) { code { (record.code) } }
                    td data-label=(heads[3]) { (names::record_state(record.state, reader.language)) }
                    td data-label=(heads[4]) { (reader.clock(record.since)) }
                }
            } }
        }
    }
}

/// A page of a feed's register of exchange, behind a key. None when there is no such feed.
pub(super) async fn register(
    shared: &Shared,
    reader: &Reader,
    (portal, feed): (&str, &str),
    after: Option<&str>,
) -> Result<(StatusCode, Markup), LedgerError> {
    let feeds = shared.ledger.feeds().await?;
    let Some(known) = feeds.iter().find(|known| known.portal == portal && known.feed == feed) else {
        return Ok((StatusCode::NOT_FOUND, super::unknown(reader)));
    };
    let rows = shared.ledger.exchanges(known.id, after.map(Key::parse).as_ref(), LISTED).await?;
    let next = rows.last().filter(|_| rows.len() == LISTED).map(|last| last.key.to_string());
    Ok((
        StatusCode::OK,
        html! {
            h1 { (reader.t("Register of exchange", "Журнал обмена")) ": " (named(portal, feed, reader)) }
            @if rows.is_empty() { p { (reader.t("No more records.", "Записей больше нет.")) } }
            @else { (exchanged(&rows, (portal, feed), reader)) }
            @if let Some(next) = next {
                p { a href=(link("/register", &[("portal", portal), ("feed", feed), ("after", &next)])) { (reader.t("Further", "Дальше")) } }
            }
        },
    ))
}

fn exchanged(rows: &[Exchange], (portal, feed): (&str, &str), reader: &Reader) -> Markup {
    let heads = [
        reader.t("Key", "Ключ"),
        reader.t("State", "Состояние"),
        reader.t("Sent", "Отправлено"),
        reader.t("The portal's id", "Номер на портале"),
        reader.t("Code", "Код"),
    ];
    html! {
        table {
            (table_head(&heads))
            tbody { @for row in rows {
                @let key = row.key.to_string();
                tr {
                    th scope="row" { a href=(link("/record", &[("portal", portal), ("feed", feed), ("key", &key)])) { code { (key) } } }
                    td data-label=(heads[1]) { (names::exchange_state(row.state, reader.language)) }
                    td data-label=(heads[2]) { (row.sent.map_or_else(|| "—".to_owned(), |sent| reader.clock(sent))) }
                    td data-label=(heads[3]) { (row.receipt.as_ref().and_then(|receipt| receipt.remote_id.as_deref()).unwrap_or("—")) }
                    td data-label=(heads[4]) { (row.code.as_deref().unwrap_or("—")) }
                }
            } }
        }
    }
}
