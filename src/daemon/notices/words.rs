//! What notices say around the troubles themselves, in each language.

use crate::daemon::trouble::TroubleKind;
use crate::record::{Language, Phrase, phrases};

phrases! {
    WRONG: "This needs a person.", "Требуется внимание.";
    STANDING: "It was told before and still stands:", "Сообщалось раньше и остаётся:";
    OVER: "This is over.", "Это закончилось.";
    OVER_SUBJECT: "over", "закончилось";
    NOTHING_STANDS: "Nothing else is wrong.", "Больше ничего не требует внимания.";
    DIGEST_WELL: "All is well: the portals hold what the databases say.", "Всё в порядке: на порталах то же, что в базах.";
    DIGEST_WRONG: "This needs a person:", "Требует внимания:";
    DIGEST_SUBJECT_WELL: "the morning: all is well", "утро: всё в порядке";
    DIGEST_SUBJECT_WRONG: "the morning: troubles: {}", "утро: требует внимания: {}";
    FEEDS: "The feeds (accepted, waiting, rejected, last success):", "Потоки (принято, ждёт, отклонено, последний успех):";
    NEVER: "never", "не было";
    TRIAL_SUBJECT: "a trial", "проверка";
    TRIAL:
        "This is a trial of the notices of Vitrina. Nothing has happened, and nothing is to be done.",
        "Это проверка оповещений Vitrina. Ничего не случилось, делать ничего не нужно.";
    WHO: "Who acts: {}.", "Кто действует: {}.";
    REMEDY: "What to do: {}", "Что делать: {}";
    SINCE: "Since {}.", "С {}.";
    MORE: "{} more: vitrina status lists all.", "И ещё {}: весь список показывает vitrina status.";
    AND_MORE: "{} and {} more", "{} и ещё {}";
    DETAILS: "vitrina status on {} shows more.", "Подробнее: vitrina status на {}.";
}

/// What a kind of trouble is called in a subject.
pub(super) fn title(kind: TroubleKind, language: Language) -> &'static str {
    let phrase = match kind {
        TroubleKind::Ledger => Phrase { en: "the ledger is in danger", ru: "журнал под угрозой" },
        TroubleKind::Booking => Phrase { en: "bookings fail", ru: "сбой записи на приём" },
        TroubleKind::PortalRefused => Phrase { en: "the portal refuses", ru: "портал отказывает" },
        TroubleKind::PortalDown => Phrase { en: "the portal is down", ru: "портал не отвечает" },
        TroubleKind::Freshness => Phrase { en: "data is late", ru: "данные устаревают" },
        TroubleKind::UnitBlocked => Phrase { en: "a department waits", ru: "подразделение ждёт" },
        TroubleKind::Fuse => Phrase { en: "removals are held back", ru: "удаления удержаны" },
        TroubleKind::Rejected => Phrase { en: "records are rejected", ru: "записи отклонены" },
    };
    phrase.said_in(language)
}
