//! Names: how people call portals, feeds and states. A head physician knows neither `fer.slot` nor HTTP.

use crate::daemon::{FeedStatus, PortalStatus};
use crate::ledger::{ExchangeState, State};
use crate::record::{Actor, Language, Phrase};

/// How grave a state looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    Well,
    Busy,
    Wait,
    Bad,
}

impl Tone {
    /// The class of the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Tone::Well => "well",
            Tone::Busy => "busy",
            Tone::Wait => "wait",
            Tone::Bad => "bad",
        }
    }
}

const fn phrase(en: &'static str, ru: &'static str) -> Phrase {
    Phrase { en, ru }
}

/// What a kind of portal is for.
pub(super) fn portal(kind: &str) -> Phrase {
    match kind {
        "fer" => phrase("Booking with doctors (FER)", "Запись на приём (ФЭР)"),
        "sout" => phrase("Register of trained staff (SOUT)", "Реестр обученных по охране труда"),
        "nmo" => phrase("Continuing medical education (NMO)", "Портал НМО"),
        "pos" => phrase("Public feedback (POS)", "Платформа обратной связи (ПОС)"),
        "ekdo" => phrase("Staff documents (EKDO)", "Кадровые документы (ЭКДО)"),
        _ => phrase("Portal", "Портал"),
    }
}

/// What the records of a feed are.
pub(super) fn feed(feed: &str) -> Option<Phrase> {
    Some(match feed {
        "mo" => phrase("Departments", "Подразделения"),
        "resource" => phrase("Doctors and rooms", "Врачи и кабинеты"),
        "service" => phrase("Services", "Услуги"),
        "profilecode_resource" => phrase("Doctors' profiles", "Профили врачей"),
        "unaccessable_period" => phrase("Absences", "Периоды недоступности"),
        "slot" => phrase("Timetable (slots)", "Расписание (слоты)"),
        "referral" => phrase("Referrals", "Направления"),
        "book" => phrase("Appointments", "Записи на приём"),
        "training" => phrase("Trained staff", "Обученные сотрудники"),
        "module" => phrase("Educational modules", "Учебные модули"),
        "result" => phrase("Results of training", "Результаты обучения"),
        "poll" => phrase("Polls", "Опросы"),
        "voting" => phrase("Votings", "Голосования"),
        "voting_object" => phrase("Objects of votings", "Объекты голосований"),
        "document" => phrase("Documents", "Документы"),
        _ => return None,
    })
}

/// How a feed does.
pub(super) fn feed_state(feed: &FeedStatus, language: Language) -> (Tone, &'static str) {
    let (tone, name) = match feed.state.as_str() {
        "ok" => (Tone::Well, phrase("in step", "совпадает")),
        "behind" => (Tone::Busy, phrase("sending", "отправляется")),
        "new" => (Tone::Busy, phrase("first run", "первый проход")),
        "parked" => (Tone::Bad, phrase("stopped", "остановлено")),
        _ if feed.fuse.is_some() => (Tone::Bad, phrase("fuse tripped", "сработал предохранитель")),
        _ if feed.rejected > 0 => (Tone::Bad, phrase("some refused", "есть отклонённые")),
        _ if feed.unknown > 0 => (Tone::Bad, phrase("outcome unknown", "исход неизвестен")),
        _ => (Tone::Wait, phrase("some wait", "есть ожидающие")),
    };
    (tone, name.said_in(language))
}

/// How a portal does.
pub(super) fn portal_state(portal: &PortalStatus, language: Language) -> (Tone, &'static str) {
    let (tone, name) = match portal.state.as_str() {
        "open" => (Tone::Well, phrase("connected", "на связи")),
        "paused" => (Tone::Wait, phrase("paused", "пауза")),
        "parked" => (Tone::Bad, phrase("stopped: it refuses us", "остановлен: портал отказывает")),
        "waiting" => (Tone::Busy, phrase("starting", "запуск")),
        _ => (Tone::Wait, phrase("not running", "не работает")),
    };
    (tone, name.said_in(language))
}

/// Where a record stands.
pub(super) fn record_state(state: State, language: Language) -> &'static str {
    let name = match state {
        State::Accepted => phrase("accepted by the portal", "принята порталом"),
        State::Pending => phrase("to be sent", "ожидает отправки"),
        State::Held => phrase("waits for another record", "ждёт другую запись"),
        State::Rejected => phrase("refused", "отклонена"),
        State::Unknown => phrase("outcome unknown", "исход неизвестен"),
        State::Past => phrase("its time has passed", "её время прошло"),
        State::Gone => phrase("gone from the source, to be removed", "исчезла из источника, будет удалена"),
        State::Yielded => phrase("gives way to another record", "уступает другой записи"),
    };
    name.said_in(language)
}

/// Where an exchange stands.
pub(super) fn exchange_state(state: ExchangeState, language: Language) -> &'static str {
    let name = match state {
        ExchangeState::Ready => phrase("to be sent", "к отправке"),
        ExchangeState::Sent => phrase("sent, not confirmed yet", "отправлено, ждёт подтверждения"),
        ExchangeState::Confirmed => phrase("confirmed", "подтверждено"),
        ExchangeState::Refused => phrase("turned down", "отказано"),
        ExchangeState::Unknown => phrase("outcome unknown", "исход неизвестен"),
    };
    name.said_in(language)
}

/// Who must act, as a head of a line.
pub(super) fn who(actor: Actor, language: Language) -> &'static str {
    let name = match actor {
        Actor::Data => phrase("Whoever keeps the hospital's data", "Кто ведёт данные больницы"),
        Actor::Mapping => {
            phrase("Whoever keeps the views and the configuration", "Кто ведёт представления и настройку")
        }
        Actor::Portal => phrase("The portal's support", "Поддержка портала"),
        Actor::Operator => phrase("Whoever runs Vitrina", "Администратор Vitrina"),
        Actor::Nobody => phrase("Nobody: it goes by itself", "Никто: пройдёт само"),
    };
    name.said_in(language)
}

/// What an answer to a booking's request means.
pub(super) fn booking_code(code: u8) -> Phrase {
    match code {
        0 => phrase("done", "выполнено"),
        18 => phrase("failed here", "сбой на нашей стороне"),
        _ => phrase("refused by the rules", "отказ по правилам"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::kind;

    #[test]
    fn every_portal_and_feed_has_a_name_in_both_languages() {
        for name in ["fer", "sout", "nmo", "pos", "ekdo"] {
            assert_ne!(portal(name), portal(""), "{name}");
            for schema in kind(name).unwrap().schemas {
                let named = feed(schema.feed).unwrap_or_else(|| panic!("{} has no name", schema.feed));
                assert!(named.en.is_ascii() && !named.ru.is_ascii());
            }
        }
    }
}
