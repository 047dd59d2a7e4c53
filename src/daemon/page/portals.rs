//! Portals, each with its state and its feeds.

use maud::{Markup, PreEscaped, html};

use super::history::Piece;
use super::layout::{action, table_head};
use super::names;
use super::plot::plot;
use super::reader::{Reader, number};
use super::scene::{PortalScene, Scene};
use super::{link, named};
use crate::daemon::{FeedStatus, PortalStatus, UnitStatus};
use crate::record::Language;

/// All portals.
pub(super) fn portals(scene: &Scene, reader: &Reader) -> Markup {
    let none = PortalScene::default();
    html! {
        section #portals aria-labelledby="portals-head" {
            h2 #portals-head { (reader.t("Portals", "Порталы")) }
            @for portal in &scene.status.portals {
                (one(scene, portal, scene.portals.get(&portal.portal).unwrap_or(&none), reader))
            }
        }
    }
}

fn one(scene: &Scene, portal: &PortalStatus, more: &PortalScene, reader: &Reader) -> Markup {
    let (tone, state) = names::portal_state(portal, reader.language);
    let name = portal.portal.as_str();
    let feeds: Vec<&FeedStatus> = scene.status.feeds.iter().filter(|feed| feed.portal == name).collect();
    html! {
        article.card aria-labelledby=(format!("portal-{name}")) {
            h3 #(format!("portal-{name}")) { (names::portal(more.kind).said_in(reader.language)) " " code { (name) } }
            p.facts {
                span class=(format!("badge {}", tone.class())) { (state) }
                @if let Some(until) = reader.told(portal.until.as_deref()) { span { (reader.t("until", "до")) " " (until) } }
                span { (reader.t("token", "токен")) ": " (token(scene, more, reader)) }
                @if let Some(rate) = more.per_minute {
                    span { (number(rate)) " " (reader.t("requests a minute", "запросов в минуту")) }
                }
                (action(reader, "/api/audit", "/", &[("portal", name)], reader.t("Audit", "Сверить"), name))
            }
            @if let Some(why) = &portal.why { p.why { (why) } }
            @for unit in &portal.units { (waiting_unit(name, unit, reader)) }
            @if !feeds.is_empty() { (table(scene, &feeds, more, reader)) }
        }
    }
}

fn token(scene: &Scene, more: &PortalScene, reader: &Reader) -> String {
    match (more.kind, more.token) {
        ("sout", _) => reader.t("a key without an end", "ключ без срока").to_owned(),
        (_, Some(end)) if end > scene.now => {
            format!("{} {}", reader.t("good for", "годен ещё"), reader.span(end.abs_diff(scene.now)))
        }
        (_, Some(_)) => reader.t("ended, asked for when needed", "истёк, будет запрошен").to_owned(),
        (_, None) => reader.t("not asked for yet", "ещё не запрошен").to_owned(),
    }
}

fn waiting_unit(portal: &str, unit: &UnitStatus, reader: &Reader) -> Markup {
    html! {
        p.why {
            (reader.t("Department", "Подразделение")) " " code { (unit.unit) } ": " (unit.why)
            @if let Some(until) = reader.told(unit.until.as_deref()) { "; " (reader.t("tried again at", "проба в")) " " (until) }
            (action(reader, "/api/unit/resume", "/", &[("portal", portal), ("unit", &unit.unit)], reader.t("Resume", "Возобновить"), &unit.unit))
        }
    }
}

fn table(scene: &Scene, feeds: &[&FeedStatus], more: &PortalScene, reader: &Reader) -> Markup {
    let heads = heads(reader);
    html! {
        table {
            (table_head(&heads))
            tbody { @for feed in feeds { (row(scene, feed, more, reader)) } }
        }
    }
}

fn heads(reader: &Reader) -> [&'static str; 9] {
    [
        reader.t("What", "Что"),
        reader.t("State", "Состояние"),
        reader.t("Lag", "Отставание"),
        reader.t("Last success", "Последний успех"),
        reader.t("At the portal", "На портале"),
        reader.t("Pending", "К отправке"),
        reader.t("Held", "Ждут"),
        reader.t("Rejected", "Отклонено"),
        reader.t("24 hours", "24 часа"),
    ]
}

fn row(scene: &Scene, feed: &FeedStatus, more: &PortalScene, reader: &Reader) -> Markup {
    let [_, state_head, lag_head, last_head, at_head, pending_head, held_head, rejected_head, plot_head] =
        heads(reader);
    let (tone, state) = names::feed_state(feed, reader.language);
    let place = [("portal", feed.portal.as_str()), ("feed", feed.feed.as_str())];
    let lag = if feed.lag_seconds == 0 { "—".to_owned() } else { reader.span(feed.lag_seconds) };
    let last = reader.told(feed.last_success.as_deref()).unwrap_or_else(|| "—".to_owned());
    let name = named(&feed.portal, &feed.feed, reader);
    let bare = names::feed(&feed.feed).map_or(feed.feed.as_str(), |name| name.said_in(reader.language));
    let number_class = |count: u64| if count == 0 { "n zero" } else { "n" };
    let listed =
        |count: u64| html! { @if count > 0 { a href=(link("/rejects", &place)) { (number(count)) } } @else { "0" } };
    let past = scene.history.get(&(feed.portal.clone(), feed.feed.clone())).map(Vec::as_slice).unwrap_or_default();
    html! {
        tr {
            th scope="row" { (bare) " " code { (feed.feed) } (action(reader, "/api/wake", "/", &place, reader.t("Look now", "Проверить сейчас"), &name)) }
            td data-label=(state_head) {
                span class=(format!("badge {}", tone.class())) { (state) }
                @if let Some(why) = &feed.why { span.why { (why) } }
                @if let Some(failing) = &feed.failing { span.why { (failing.why) } }
                @if feed.fuse.is_some() { " " a href=(link("/fuse", &place)) { (reader.t("what is held back", "что удерживается")) } }
                @else if more.let_go.contains(&feed.feed) { span.why { (reader.t("let go; the next full scan removes it", "разрешено; удалит следующий полный проход")) } }
            }
            td class=(number_class(feed.lag_seconds)) data-label=(lag_head) { (lag) }
            td data-label=(last_head) title=[feed.last_success.as_deref()] { (last) }
            td.n data-label=(at_head) { (number(feed.accepted)) }
            td class=(number_class(feed.pending)) data-label=(pending_head) { (number(feed.pending)) }
            td class=(number_class(feed.held)) data-label=(held_head) { (listed(feed.held)) }
            td class=(number_class(feed.rejected + feed.unknown)) data-label=(rejected_head) { (listed(feed.rejected + feed.unknown)) }
            td data-label=(plot_head) { (day(past, scene.now, reader)) }
        }
    }
}

/// The last 24 hours: a picture, and its words for who does not see it.
fn day(past: &[Piece], now: i64, reader: &Reader) -> Markup {
    let most = |of: fn(&Piece) -> u64| past.iter().map(of).max().unwrap_or_default();
    let (lag, waited, stuck) = (most(|piece| piece.lag), most(|piece| piece.pending), most(|piece| piece.stuck));
    let (lag_words, waited, stuck) = (reader.span(lag), number(waited), number(stuck));
    let words = match reader.language {
        Language::English => format!(
            "Over 24 hours: at most {lag_words} late; most that waited to be sent: {waited}; most that was stuck: {stuck}"
        ),
        Language::Russian => format!(
            "За 24 часа: отставание до {lag_words}; больше всего ожидало отправки: {waited}; больше всего застряло: {stuck}"
        ),
    };
    html! {
        span.plot role="img" aria-label=(words) title=(words) {
            @if let Some(svg) = plot(past, now) { (PreEscaped(svg)) }
        }
        @if lag > 0 { span.small { (reader.t("worst lag", "худшее отставание")) " " (lag_words) } }
    }
}
