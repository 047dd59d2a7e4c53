//! What helps with the refusals of POS. The document defines no codes: these are statuses of HTTP and names of our own.

use crate::record::{Actor, Case, Phrase, Remedy};

const fn case(code: &'static str, actor: Actor, meaning: Phrase, action: Phrase) -> Case {
    Case { code, says: "", remedy: Remedy { actor, meaning, action } }
}

pub(super) static CASES: &[Case] = &[
    case(
        "NOT_FOUND",
        Actor::Portal,
        Phrase {
            en: "POS does not know the id under which it took the record, so it cannot be changed there.",
            ru: "ПОС не знает идентификатора, под которым принял запись, поэтому изменить её там нельзя.",
        },
        Phrase {
            en: "Find the activity in the personal account of the department: if it is there, ask the support of POS why its id is unknown; if it was deleted there, `vitrina rejects resolve PORTAL.FEED KEY --not-sent` has it created anew, and `--sent ID` names another one that stands for it.",
            ru: "Найдите активность в личном кабинете ведомства: если она есть, спросите поддержку ПОС, почему её идентификатор неизвестен; если её там удалили, `vitrina rejects resolve ПОРТАЛ.ПОТОК КЛЮЧ --not-sent` создаст её заново, а `--sent ID` назовёт другую, заведённую вместо неё.",
        },
    ),
    case(
        "NO_ID",
        Actor::Mapping,
        Phrase {
            en: "POS holds an earlier version of the record, but its id there is not known, and without it nothing can be changed.",
            ru: "ПОС держит прежнюю версию записи, но её идентификатор там неизвестен, а без него изменить ничего нельзя.",
        },
        Phrase {
            en: "Find the activity in the personal account of the department and name its id: `vitrina rejects resolve PORTAL.FEED KEY --sent ID`.",
            ru: "Найдите активность в личном кабинете ведомства и назовите её идентификатор: `vitrina rejects resolve ПОРТАЛ.ПОТОК КЛЮЧ --sent ID`.",
        },
    ),
    case(
        "HTTP-400",
        Actor::Portal,
        Phrase {
            en: "POS does not understand the record, although it passed all checks of the document.",
            ru: "ПОС не понимает запись, хотя она прошла все проверки по документу.",
        },
        Phrase {
            en: "Read the text; if it names a field, correct the row, otherwise ask the support of POS and tell them the external_id and the time.",
            ru: "Прочтите текст; если в нём названо поле, исправьте строку, иначе обратитесь в поддержку ПОС, назвав external_id и время.",
        },
    ),
    case(
        "HTTP-409",
        Actor::Portal,
        Phrase {
            en: "POS says that the record contradicts something that it holds already.",
            ru: "ПОС сообщает, что запись противоречит тому, что в нём уже есть.",
        },
        Phrase {
            en: "Look for an activity with the same external_id in the personal account of the department; if it is this one, name its id: `vitrina rejects resolve PORTAL.FEED KEY --sent ID`.",
            ru: "Найдите в личном кабинете ведомства активность с тем же external_id; если это она, назовите её идентификатор: `vitrina rejects resolve ПОРТАЛ.ПОТОК КЛЮЧ --sent ID`.",
        },
    ),
    case(
        "HTTP-413",
        Actor::Portal,
        Phrase {
            en: "POS, or a proxy in front of it, finds the record too large, although it keeps within the lengths of the document.",
            ru: "ПОС или прокси перед ним считает запись слишком большой, хотя длины полей соответствуют документу.",
        },
        Phrase {
            en: "Shorten the description in the row, or have the limit of the proxy raised.",
            ru: "Сократите описание в строке или попросите увеличить предел на прокси.",
        },
    ),
    case(
        "HTTP-422",
        Actor::Data,
        Phrase {
            en: "POS finds a fault in the values of the record.", ru: "ПОС находит ошибку в значениях записи."
        },
        Phrase {
            en: "Read the text, which names the field as far as POS does, and correct the row.",
            ru: "Прочтите текст: в нём названо поле, если ПОС его назвал; исправьте строку.",
        },
    ),
    case(
        "REFUSED",
        Actor::Data,
        Phrase {
            en: "POS answered that it did not take the record.", ru: "ПОС ответил, что не принял запись."
        },
        Phrase {
            en: "Read the text; correct the row, and if it is right, ask the support of POS and tell them the external_id and the time.",
            ru: "Прочтите текст; исправьте строку, а если она верна, обратитесь в поддержку ПОС, назвав external_id и время.",
        },
    ),
];
