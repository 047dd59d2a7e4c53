//! In one line: is the hospital in step, since when, what must somebody do. Below it each trouble with who must act and what helps.

use maud::{Markup, html};

use super::names::{self, Tone};
use super::reader::{Reader, number, seconds};
use super::scene::Scene;
use super::{link, named, prose};
use crate::daemon::trouble::{Trouble, TroubleKind};
use crate::record::Actor;

/// The line and the list.
pub(super) fn now(scene: &Scene, reader: &Reader) -> Markup {
    let (tone, head, since) = summary(scene, reader);
    html! {
        section #now class=(format!("now {}", tone.class())) aria-labelledby="now-head" {
            h1 #now-head { (head) }
            p { (since) }
            @for trouble in &scene.status.troubles { (card(scene, trouble, reader)) }
        }
    }
}

fn summary(scene: &Scene, reader: &Reader) -> (Tone, String, String) {
    if let Some(why) = &scene.waiting {
        let head = reader.t("Vitrina is starting", "Vitrina запускается").to_owned();
        return (Tone::Busy, head, format!("{}: {why}", reader.t("It waits", "Ожидание")));
    }
    let acts = |trouble: &&Trouble| trouble.who != Actor::Nobody;
    let to_do = scene.status.troubles.iter().filter(acts).count();
    let first = scene.status.troubles.iter().map(|trouble| trouble.since.timestamp()).min();
    let since = |at: i64| format!("{} {}", reader.t("Since", "С"), reader.clock(at));
    match (to_do, first) {
        (0, None) => well(scene, reader),
        (0, Some(first)) => {
            let head = reader.t("Something waits, and goes by itself", "Есть задержка, она пройдёт сама");
            (
                Tone::Wait,
                head.to_owned(),
                format!("{}. {}", since(first), reader.t("Nobody has to act.", "Делать ничего не нужно.")),
            )
        }
        (_, first) => {
            let head = match reader.code() {
                "ru" => format!("Нужно вмешательство: {to_do}"),
                _ if to_do == 1 => "1 thing needs a person".to_owned(),
                _ => format!("{to_do} things need a person"),
            };
            (Tone::Bad, head, first.map(since).unwrap_or_default())
        }
    }
}

fn well(scene: &Scene, reader: &Reader) -> (Tone, String, String) {
    let pending: u64 = scene.status.feeds.iter().map(|feed| feed.pending).sum();
    let head = reader.t("The hospital is in step with every portal", "Все порталы соответствуют данным больницы");
    let since = scene
        .status
        .well_since
        .as_deref()
        .and_then(seconds)
        .map(|at| format!("{} {}. ", reader.t("All is well since", "Всё в порядке с"), reader.clock(at)));
    let on_the_way = match pending {
        0 => String::new(),
        _ => format!("{}: {}. ", reader.t("Changes on their way", "Изменений в пути"), number(pending)),
    };
    let nothing = reader.t("Nobody has to act.", "Делать ничего не нужно.");
    (Tone::Well, head.to_owned(), format!("{}{on_the_way}{nothing}", since.unwrap_or_default()))
}

fn card(scene: &Scene, trouble: &Trouble, reader: &Reader) -> Markup {
    let tone = if trouble.who == Actor::Nobody { Tone::Wait } else { Tone::Bad };
    html! {
        article class=(format!("trouble {}", tone.class())) {
            h2 { (place(scene, trouble, reader)) }
            p { (prose(trouble.text.said_in(reader.language))) }
            dl {
                dt { (reader.t("Who acts", "Кто действует")) } dd { (names::who(trouble.who, reader.language)) }
                dt { (reader.t("What to do", "Что делать")) } dd { (prose(trouble.remedy.said_in(reader.language))) }
                dt { (reader.t("Since", "С какого времени")) } dd { (reader.clock(trouble.since.timestamp())) }
            }
            @if let Some((address, name)) = further(trouble, reader) { p { a href=(address) { (name) } } }
        }
    }
}

fn place(scene: &Scene, trouble: &Trouble, reader: &Reader) -> String {
    match (&trouble.portal, &trouble.feed) {
        (Some(portal), Some(feed)) => named(portal, feed, reader),
        (Some(portal), None) => {
            let kind = scene.portals.get(portal).map_or("", |more| more.kind);
            format!("{} ({portal})", names::portal(kind).said_in(reader.language))
        }
        (None, _) => reader.t("Vitrina itself", "Сама Vitrina").to_owned(),
    }
}

/// Where more can be seen of a trouble.
fn further(trouble: &Trouble, reader: &Reader) -> Option<(String, &'static str)> {
    let (portal, feed) = (trouble.portal.as_deref()?, trouble.feed.as_deref()?);
    let place = [("portal", portal), ("feed", feed)];
    match trouble.kind {
        TroubleKind::Fuse => {
            let name = reader.t("See what is held back", "Посмотреть, что удерживается");
            Some((link("/fuse", &place), name))
        }
        TroubleKind::Rejected => {
            let mut asked = place.to_vec();
            asked.extend(trouble.code.as_deref().filter(|code| *code != "DRAFT").map(|code| ("code", code)));
            Some((link("/rejects", &asked), reader.t("See the records", "Посмотреть записи")))
        }
        _ => None,
    }
}
