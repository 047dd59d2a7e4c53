//! The rest of the page: what runs, refused records by who must act, registers of exchange, bookings.

use maud::{Markup, html};

use super::layout::table_head;
use super::reader::{Reader, number};
use super::scene::{Running, Scene};
use super::{link, named, names, prose};
use crate::daemon::trouble::{Trouble, TroubleKind};
use crate::daemon::{FeedStatus, RegisterStatus};
use crate::record::Actor;
use crate::serve::booking::BookingStatus;
use crate::sync::audit::{AuditProgress, AuditState, Stage};

/// What runs now.
pub(super) fn running(scene: &Scene, reader: &Reader) -> Markup {
    let audits = scene.portals.iter().filter_map(|(portal, more)| Some((portal, more.audit.as_ref()?)));
    let audits: Vec<_> = audits.filter(|(_, audit)| scene.now - audit.updated < 24 * 3600).collect();
    html! {
        section #running aria-labelledby="running-head" {
            h2 #running-head { (reader.t("Running now", "Выполняется сейчас")) }
            @if scene.running.is_empty() { p { (reader.t("Nothing: all feeds have done what was to be done.", "Ничего: все потоки сделали что нужно.")) } }
            @else { ul { @for run in &scene.running { li { (runs(scene, run, reader)) } } } }
            @for (portal, audit) in audits { p { (audited(portal, audit, reader)) } }
        }
    }
}

fn runs(scene: &Scene, run: &Running, reader: &Reader) -> String {
    let feed = scene.status.feeds.iter().find(|feed| feed.portal == run.portal && feed.feed == run.feed);
    let mut text = format!(
        "{}: {} {}",
        named(&run.portal, &run.feed, reader),
        reader.t("for", "уже"),
        reader.span(scene.now.abs_diff(run.since))
    );
    if let Some(feed) = feed.filter(|feed| feed.pending > 0) {
        text.push_str(&format!("; {} {}", reader.t("to be sent:", "к отправке:"), number(feed.pending)));
        if let Some(left) = run.drain.filter(|left| *left >= 1.0) {
            text.push_str(&format!(", {} {}", reader.t("about", "примерно"), reader.span(left.round() as u64)));
        }
    }
    text
}

fn audited(portal: &str, audit: &AuditProgress, reader: &Reader) -> Markup {
    let done = audit.feeds.iter().filter(|feed| matches!(feed.stage, Stage::Compared | Stage::Unreadable)).count();
    let left: u64 = audit.feeds.iter().map(|feed| feed.left()).sum();
    let (word, state) = match &audit.state {
        AuditState::Running => (reader.t("Audit runs", "Идёт сверка"), String::new()),
        AuditState::Finished => (
            reader.t("Audit finished", "Сверка закончена"),
            format!("; {} {}", reader.t("differences left:", "осталось расхождений:"), number(left)),
        ),
        AuditState::Failed { why } => (reader.t("Audit not finished", "Сверка не закончена"), format!("; {why}")),
    };
    html! {
        (word) ", " code { (portal) } ": " (done) " / " (audit.feeds.len()) " " (reader.t("feeds", "потоков")) (state) " · " (reader.clock(audit.updated)) " "
        @if audit.state == AuditState::Running {
            progress value=(done) max=(audit.feeds.len().max(1)) aria-label=(word) {}
        }
    }
}

/// Refused records by who must act.
pub(super) fn refused(scene: &Scene, reader: &Reader) -> Markup {
    let all: Vec<&Trouble> =
        scene.status.troubles.iter().filter(|trouble| trouble.kind == TroubleKind::Rejected).collect();
    let held: u64 = scene.status.feeds.iter().map(|feed| feed.held).sum();
    html! {
        section #refused aria-labelledby="refused-head" {
            h2 #refused-head { (reader.t("Records that do not go", "Записи, которые не проходят")) }
            @if all.is_empty() { p { (reader.t("None that a person must mend.", "Таких, что требуют человека, нет.")) } }
            @for actor in Actor::ALL {
                @let own: Vec<&&Trouble> = all.iter().filter(|trouble| trouble.who == actor).collect();
                @if !own.is_empty() {
                    h3 { (names::who(actor, reader.language)) }
                    ul { @for trouble in own { li { (group(trouble, reader)) } } }
                }
            }
            @if held > 0 { p { (reader.t("Wait for another record and go by themselves:", "Ждут другую запись и пройдут сами:")) " " a href="/rejects" { (number(held)) } } }
        }
    }
}

fn group(trouble: &Trouble, reader: &Reader) -> Markup {
    let (portal, feed) = (trouble.portal.as_deref().unwrap_or_default(), trouble.feed.as_deref().unwrap_or_default());
    let code = trouble.code.as_deref().unwrap_or_default();
    let mut asked = vec![("portal", portal), ("feed", feed)];
    if code != "DRAFT" {
        asked.push(("code", code));
    }
    html! {
        a href=(link("/rejects", &asked)) { (named(portal, feed, reader)) ", " (code) ": " (number(trouble.count)) }
        " — " (prose(trouble.remedy.said_in(reader.language)))
    }
}

/// The search by key.
pub(super) fn search(reader: &Reader, sought: &str) -> Markup {
    html! {
        form.search method="get" action="/rejects" role="search" {
            label for="q" { (reader.t("Find a record by its key", "Найти запись по ключу")) }
            input #q type="search" name="q" value=(sought) autocomplete="off" maxlength="100";
            button { (reader.t("Find", "Найти")) }
        }
    }
}

/// The registers of exchange.
pub(super) fn registers(scene: &Scene, reader: &Reader) -> Markup {
    let kept: Vec<_> = scene.status.feeds.iter().filter_map(|feed| Some((feed, feed.register.as_ref()?))).collect();
    html! {
        @if !kept.is_empty() {
            section #registers aria-labelledby="registers-head" {
                h2 #registers-head { (reader.t("Register of exchange", "Журнал обмена")) }
                table {
                    (table_head(&register_heads(reader)))
                    tbody { @for (feed, register) in kept { (register_row(feed, register, reader)) } }
                }
            }
        }
    }
}

fn register_heads(reader: &Reader) -> [&'static str; 8] {
    [
        reader.t("What", "Что"),
        reader.t("To be sent", "К отправке"),
        reader.t("Sent", "Отправлено"),
        reader.t("Confirmed", "Подтверждено"),
        reader.t("Turned down", "Отказано"),
        reader.t("Unknown", "Исход неизвестен"),
        reader.t("Drafts at the portal", "Черновики на портале"),
        reader.t("To be written back", "К записи в МИС"),
    ]
}

fn register_row(feed: &FeedStatus, register: &RegisterStatus, reader: &Reader) -> Markup {
    let RegisterStatus { ready, sent, confirmed, refused, unknown, write_back, drafts, .. } = *register;
    let numbers = [ready, sent, confirmed, refused, unknown, drafts, write_back];
    html! {
        tr {
            th scope="row" { a href=(link("/register", &[("portal", &feed.portal), ("feed", &feed.feed)])) { (named(&feed.portal, &feed.feed, reader)) } }
            @for (head, count) in register_heads(reader).into_iter().skip(1).zip(numbers) { td.n data-label=(head) { (number(count)) } }
        }
    }
}

/// Bookings: numbers and times, no persons.
pub(super) fn bookings(scene: &Scene, reader: &Reader) -> Markup {
    html! {
        @if let Some(booking) = &scene.status.booking {
            section #bookings aria-labelledby="bookings-head" {
                h2 #bookings-head { (reader.t("Citizens' bookings", "Запись граждан")) }
                @if booking.answered.is_empty() { p { (reader.t("None since the start.", "С запуска не было.")) } }
                @else { (answers(booking, reader)) (latency(booking, reader)) }
                @if !booking.uncertain.is_empty() {
                    p.why { (reader.t("Bookings of which it is not known whether they are made:", "Записи, о которых неизвестно, сделаны ли они:")) " " (booking.uncertain.len()) }
                }
                @if booking.refused_callers > 0 {
                    p.why { (reader.t("Calls from addresses that may not call:", "Обращений с чужих адресов:")) " " (number(booking.refused_callers)) }
                }
            }
        }
    }
}

fn answers(booking: &BookingStatus, reader: &Reader) -> Markup {
    let heads = [
        reader.t("Request", "Запрос"),
        reader.t("Code", "Код"),
        reader.t("Meaning", "Значение"),
        reader.t("Since the start", "С запуска"),
    ];
    html! {
        table.narrow {
            (table_head(&heads))
            tbody { @for answered in &booking.answered {
                tr {
                    th scope="row" { @if answered.verb == "book" { (reader.t("book", "записаться")) } @else { (reader.t("cancel", "отменить")) } }
                    td.n data-label=(heads[1]) { (answered.code) }
                    td data-label=(heads[2]) { (names::booking_code(answered.code).said_in(reader.language)) }
                    td.n data-label=(heads[3]) { (number(answered.count)) }
                }
            } }
        }
    }
}

fn latency(booking: &BookingStatus, reader: &Reader) -> Markup {
    let mut times: Vec<u64> = booking.last.iter().map(|entry| entry.ms).collect();
    times.sort_unstable();
    html! {
        @if let (Some(median), Some(longest)) = (times.get(times.len() / 2), times.last()) {
            p {
                (reader.t("Of the last answers:", "Из последних ответов:")) " " (times.len()) "; "
                (reader.t("half within", "половина за")) " " (number(*median)) " " (reader.t("ms", "мс")) ", "
                (reader.t("the longest", "самый долгий")) " " (number(*longest)) " " (reader.t("ms", "мс"))
                " (" (reader.t("the gateway waits 10 s", "шлюз ждёт 10 с")) ")"
            }
        }
    }
}
