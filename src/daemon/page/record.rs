//! One record, with its history as the ledger's journal keeps it; and what a tripped fuse holds back.

use std::collections::VecDeque;

use axum::http::StatusCode;
use maud::{Markup, html};

use super::layout::action;
use super::reader::{Reader, number};
use super::{link, named, names};
use crate::daemon::Shared;
use crate::daemon::trouble::points;
use crate::ledger::{Entry, Exchange, FeedId, Ledger, LedgerError, Mark, NoteKind, Refusal, Replay, State};
use crate::record::{Fingerprint, Key, Kind as FieldKind, guid};
use crate::sync::{AcceptFuse, Tripped};

/// Steps of a history that are shown: the last.
const STEPS: usize = 30;
/// Keys that are shown of what a fuse holds back.
const HELD: usize = 50;

/// One step: how the record stood then, or none once it was forgotten.
type Step = Option<Entry>;

/// Everything that is known of a record.
pub(super) async fn record(
    shared: &Shared,
    reader: &Reader,
    (portal, feed): (&str, &str),
    text: &str,
) -> Result<(StatusCode, Markup), LedgerError> {
    let feeds = shared.ledger.feeds().await?;
    let Some(known) = feeds.iter().find(|known| known.portal == portal && known.feed == feed) else {
        return Ok((StatusCode::NOT_FOUND, super::unknown(reader)));
    };
    let key = key_of(shared, portal, feed, text);
    let steps = history(shared, known.id, &key).await?;
    let mut refusals: Vec<Refusal> = Vec::new();
    let mut visit = |refusal: &Refusal| {
        if refusal.key.as_ref() == Some(&key) {
            refusals.push(refusal.clone());
        }
    };
    shared.ledger.each_refusal(known.id, &mut visit).await?;
    let exchange = shared.ledger.exchange(known.id, &key).await?;
    if steps.is_empty() && refusals.is_empty() && exchange.is_none() {
        return Ok((
            StatusCode::NOT_FOUND,
            html! {
                h1 { (named(portal, feed, reader)) " " code { (text) } }
                p { (reader.t("The ledger knows no such record.", "В журнале такой записи нет.")) }
            },
        ));
    }
    Ok((
        StatusCode::OK,
        html! {
            h1 { (named(portal, feed, reader)) " " code { (key.to_string()) } }
            @for refusal in &refusals { (against(shared, reader, portal, refusal)) }
            @if refusals.iter().any(|refusal| refusal.state == State::Rejected) {
                @let (key, back) = (key.to_string(), link("/record", &[("portal", portal), ("feed", feed), ("key", &key.to_string())]));
                (action(reader, "/api/rejects/retry", &back, &[("portal", portal), ("feed", feed), ("key", &key)], reader.t("Try again", "Повторить"), &key))
            }
            @if let Some(exchange) = &exchange { (exchanged(reader, exchange)) }
            (told(reader, &steps))
        },
    ))
}

/// A key as it was typed. GUIDs may be typed in any of their forms where keys are GUIDs.
fn key_of(shared: &Shared, portal: &str, feed: &str, text: &str) -> Key {
    let schema = shared.kind_of(portal).and_then(|kind| kind.schema(feed));
    let field = schema.and_then(|schema| schema.fields.get(schema.position(schema.key)?));
    let typed = field.is_some_and(|field| field.kind == FieldKind::Guid).then(|| guid::parse(text)).flatten();
    typed.map_or_else(|| Key::parse(text), Key::Guid)
}

/// The last steps of a record, the oldest first. The journal is rewritten now and then, which leaves the last step alone.
async fn history(shared: &Shared, feed: FeedId, key: &Key) -> Result<VecDeque<Step>, LedgerError> {
    let mut steps: VecDeque<Step> = VecDeque::new();
    let mut visit = |step: Replay| {
        let step = match step {
            Replay::Put(entry) if entry.key == *key => Some(entry),
            Replay::Drop(dropped) if dropped == *key => None,
            Replay::Put(_) | Replay::Drop(_) => return,
        };
        if steps.len() >= STEPS {
            steps.pop_front();
        }
        steps.push_back(step);
    };
    shared.ledger.load(feed, &mut visit).await?;
    Ok(steps)
}

fn against(shared: &Shared, reader: &Reader, portal: &str, refusal: &Refusal) -> Markup {
    html! {
        article.card {
            h2 { (names::record_state(refusal.state, reader.language)) ": " code { (refusal.code) } }
            p { (reader.t("Since", "С")) " " (reader.clock(refusal.since)) }
            @for point in points(shared.kind_of(portal), refusal, reader.language) {
                dl {
                    dt { (reader.t("Text", "Текст")) }
                    dd { @if let Some(field) = point.field { code { (field) } ": " } (point.text) }
                    dt { (reader.t("Who acts", "Кто действует")) } dd { (names::who(point.remedy.actor, reader.language)) }
                    dt { (reader.t("What it means", "Что значит")) } dd { (point.remedy.meaning.said_in(reader.language)) }
                    dt { (reader.t("What to do", "Что делать")) } dd { (point.remedy.action.said_in(reader.language)) }
                }
            }
        }
    }
}

fn exchanged(reader: &Reader, exchange: &Exchange) -> Markup {
    let remote = exchange.receipt.as_ref().and_then(|receipt| receipt.remote_id.as_deref());
    html! {
        article.card {
            h2 { (reader.t("Register of exchange", "Журнал обмена")) ": " (names::exchange_state(exchange.state, reader.language)) }
            dl {
                @if let Some(sent) = exchange.sent { dt { (reader.t("Sent", "Отправлено")) } dd { (reader.clock(sent)) } }
                dt { (reader.t("Changed", "Изменено")) } dd { (reader.clock(exchange.changed)) }
                @if let Some(remote) = remote { dt { (reader.t("The portal's id", "Номер на портале")) } dd { code { (remote) } } }
                @if let Some(code) = &exchange.code { dt { (reader.t("Code", "Код")) } dd { code { (code) } } }
            }
        }
    }
}

fn told(reader: &Reader, steps: &VecDeque<Step>) -> Markup {
    html! {
        h2 { (reader.t("History", "История")) }
        @if steps.is_empty() { p { (reader.t("Nothing of it was ever sent.", "Запись ещё не отправлялась.")) } }
        @else {
            p.small { (reader.t("As the ledger's journal keeps it, the oldest step first; versions by the beginning of their hash.",
                "Как её хранит журнал, от старых шагов к новым; версии — по началу их отпечатка.")) }
            ol { @for step in steps { li { (said(reader, step.as_ref())) } } }
        }
    }
}

fn said(reader: &Reader, step: Option<&Entry>) -> String {
    let Some(entry) = step else {
        return reader.t("removed from the portal and forgotten", "удалена с портала и забыта").to_owned();
    };
    let short = |version: Fingerprint| format!("{:032x}", version.0).chars().take(8).collect::<String>();
    let mut text = match entry.mark {
        Some(Mark::Removal) => reader.t("its removal went out", "отправлено удаление").to_owned(),
        Some(Mark::Version(version) | Mark::Begun(version) | Mark::Finishing(version)) => {
            format!("{} {}", reader.t("went out, version", "отправлена, версия"), short(version))
        }
        None => names::record_state(entry.state, reader.language).to_owned(),
    };
    if let (None, Some(version)) = (entry.mark, entry.accepted) {
        text.push_str(&format!("; {} {}", reader.t("at the portal: version", "на портале версия"), short(version)));
    }
    if entry.attempts > 0 {
        text.push_str(&format!("; {} {}", reader.t("failed attempts:", "неудачных попыток:"), entry.attempts));
    }
    if let Some(next) = entry.next_attempt {
        text.push_str(&format!("; {} {}", reader.t("again not before", "снова не раньше"), reader.clock(next)));
    }
    text
}

/// A fuse that has tripped in a feed, as the ledger keeps it.
pub(super) async fn tripped(shared: &Shared, portal: &str, feed: &str) -> Result<Option<Tripped>, LedgerError> {
    let notes = shared.ledger.notes(portal).await?;
    let note = notes.into_iter().find(|note| note.place.kind == NoteKind::Fuse && note.place.feed == feed);
    Ok(note.and_then(|note| serde_json::from_str(&note.body).ok()))
}

/// What a fuse holds back, and the word that lets it go.
pub(super) async fn fuse(
    shared: &Shared,
    reader: &Reader,
    (portal, feed): (&str, &str),
) -> Result<(StatusCode, Markup), LedgerError> {
    let Some(fuse) = tripped(shared, portal, feed).await? else {
        return Ok((
            StatusCode::NOT_FOUND,
            html! {
                h1 { (reader.t("No fuse has tripped here", "Здесь предохранитель не сработал")) }
                p { a href="/" { (reader.t("Back", "Назад")) } }
            },
        ));
    };
    let seen = AcceptFuse::of(&fuse).to_json();
    let keys = fuse.keys.iter().take(HELD);
    Ok((
        StatusCode::OK,
        html! {
            h1 { (reader.t("The fuse holds removals back", "Предохранитель удерживает удаления")) ": " (named(portal, feed, reader)) }
            @if fuse.accepted { p.told { (reader.t("Let go already: the next full scan removes them.", "Уже разрешено: записи удалит следующий полный проход.")) } }
            p { (reader.t("Since", "С")) " " (reader.clock(fuse.since)) }
            @if fuse.empty { p.why { (reader.t("The query returned no row at all.", "Запрос не вернул ни одной строки.")) } }
            ul { @for (name, loss) in fuse.losses.iter().filter(|(_, loss)| loss.removed > 0) {
                li { (named(portal, name, reader)) ": " (reader.t("would be removed", "было бы удалено")) " " strong { (number(loss.removed)) } " " (reader.t("of", "из")) " " (number(loss.of)) }
            } }
            p { (reader.t("These rows are gone from the hospital's database. If that is a mistake (a broken view, an empty table), mend the source: the fuse closes by itself. If the records are really gone, let them be removed.",
                "Этих строк больше нет в базе больницы. Если это ошибка (сломанное представление, пустая таблица), исправьте источник: предохранитель закроется сам. Если записей действительно больше нет, разрешите удаление.")) }
            h2 { (reader.t("The first of them", "Первые из них")) }
            ul.keys { @for key in keys { li { code { (key) } } } }
            @if !fuse.accepted {
                @if reader.session.is_some() {
                    (action(reader, "/api/fuse/accept", &link("/fuse", &[("portal", portal), ("feed", feed)]),
                        &[("portal", portal), ("feed", feed), ("seen", &seen)],
                        reader.t("Let these records be removed", "Разрешить удаление этих записей"), &named(portal, feed, reader)))
                } @else { p { (reader.t("To let them go, sign in, or:", "Чтобы разрешить, войдите, или:")) " " code { "vitrina fuse accept " (portal) "." (feed) } } }
            }
        },
    ))
}
