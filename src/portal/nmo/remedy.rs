//! What helps with the portal's refusals: the reasons of the document, the outcome of the technical evaluation, and what the framework
//! under the portal answers by itself.

use crate::record::{Actor, Case, Phrase, Remedy};

const fn case(code: &'static str, actor: Actor, meaning: Phrase, action: Phrase) -> Case {
    Case { code, says: "", remedy: Remedy { actor, meaning, action } }
}

/// One for each code.
pub(super) static CASES: &[Case] = &[
    case(
        "unknown_module",
        Actor::Mapping,
        Phrase {
            en: "The portal knows no module with this module_id on this platform.",
            ru: "Портал не знает модуля с таким module_id на этой платформе.",
        },
        Phrase {
            en: "Feed the module through this very portal (higher and secondary education are two portals) or have the portal's administrators enter it; the result is sent again by itself once a day.",
            ru: "Передайте модуль на этот же портал (высшее и среднее образование — два портала) или попросите администраторов портала завести его; результат раз в сутки отправляется снова сам.",
        },
    ),
    case(
        "not_planned",
        Actor::Data,
        Phrase {
            en: "The module is not in the specialist's plan on the portal.",
            ru: "Модуля нет в плане специалиста на портале.",
        },
        Phrase {
            en: "Ask the specialist to add the module to the plan in the personal account; the result is sent again by itself once a day.",
            ru: "Попросите специалиста добавить модуль в план в личном кабинете; результат раз в сутки отправляется снова сам.",
        },
    ),
    case(
        "incorrect_pin",
        Actor::Data,
        Phrase {
            en: "The pin is not the one that the portal gave this specialist for this module.",
            ru: "ПИН не тот, что портал выдал этому специалисту для этого модуля.",
        },
        Phrase {
            en: "Take the pin from the specialist's personal account and correct the row; `vitrina nmo id-by-pin` says which module a pin belongs to.",
            ru: "Возьмите ПИН из личного кабинета специалиста и исправьте строку; к какому модулю относится ПИН, скажет `vitrina nmo id-by-pin`.",
        },
    ),
    case(
        "incomplete_data",
        Actor::Data,
        Phrase {
            en: "The portal misses a field; url, type, kind and the organisation are needed unless the platform's settings at the portal name them.",
            ru: "Порталу не хватает поля; url, type, kind и организация нужны, если их нет в настройках платформы на портале.",
        },
        Phrase {
            en: "Read the text, fill the field in the row, or have the portal's administrators set a default for the platform and use `vitrina rejects retry`.",
            ru: "Прочтите текст, заполните поле в строке или попросите администраторов портала задать значение по умолчанию и выполните `vitrina rejects retry`.",
        },
    ),
    case(
        "incorrect_data",
        Actor::Data,
        Phrase {
            en: "The portal found a field of the module wrong; often a speciality that it spells otherwise.",
            ru: "Портал счёл неверным одно из полей модуля; часто это специальность, которая у него пишется иначе.",
        },
        Phrase {
            en: "Read the text and correct the row; specialities are named exactly as in the portal's own list.",
            ru: "Прочтите текст и исправьте строку; специальности называются в точности так, как в перечне портала.",
        },
    ),
    case(
        "already_exists",
        Actor::Portal,
        Phrase {
            en: "The portal says that it has this module, and that it does not know it: creating and updating were both refused.",
            ru: "Портал отвечает, что модуль у него есть и что он его не знает: отклонены и создание, и обновление.",
        },
        Phrase {
            en: "Ask the portal's support about this module_id; another platform may use it.",
            ru: "Спросите поддержку портала об этом module_id; возможно, его использует другая платформа.",
        },
    ),
    case(
        "not_found",
        Actor::Portal,
        Phrase {
            en: "The portal does not know the module that it has just called existing.",
            ru: "Портал не находит модуль, который только что назвал существующим.",
        },
        Phrase {
            en: "Ask the portal's support about this module_id; it is tried again by itself once a day.",
            ru: "Спросите поддержку портала об этом module_id; раз в сутки попытка повторяется сама.",
        },
    ),
    case(
        "already_started",
        Actor::Data,
        Phrase {
            en: "The portal answers that the module was begun, though something else was told of it.",
            ru: "Портал отвечает, что модуль уже начат, хотя ему сообщалось другое.",
        },
        Phrase {
            en: "Compare the row's status with the specialist's personal account; if the row is right, ask the portal's support.",
            ru: "Сверьте статус в строке с личным кабинетом специалиста; если строка верна, обратитесь в поддержку портала.",
        },
    ),
    case(
        "TURNED_DOWN",
        Actor::Data,
        Phrase {
            en: "The module did not pass the portal's technical evaluation; the reason stands behind not_approved.",
            ru: "Модуль не прошёл техническую оценку портала; причина указана после not_approved.",
        },
        Phrase {
            en: "Mend the module on the platform and change its row: the changed module is sent and evaluated anew.",
            ru: "Доработайте модуль на платформе и измените его строку: изменённый модуль отправится и будет оценён заново.",
        },
    ),
    case(
        "HTTP_400",
        Actor::Mapping,
        Phrase {
            en: "The portal could not take the request apart; the text names the field where it tells one.",
            ru: "Портал не смог разобрать запрос; поле названо в тексте, если портал его сообщил.",
        },
        Phrase {
            en: "Correct that field in the view; if none is named, ask the portal's support and tell them the key and the time.",
            ru: "Исправьте это поле в представлении; если поле не названо, обратитесь в поддержку портала, назвав ключ и время.",
        },
    ),
    case(
        "HTTP_409",
        Actor::Portal,
        Phrase {
            en: "The portal was changing the same record for another client.",
            ru: "Портал в это время менял ту же запись для кого-то другого.",
        },
        Phrase {
            en: "It is sent again by itself once a day; to try at once use `vitrina rejects retry`.",
            ru: "Раз в сутки она отправляется снова сама; чтобы попробовать сразу, выполните `vitrina rejects retry`.",
        },
    ),
    case(
        "HTTP_422",
        Actor::Mapping,
        Phrase {
            en: "The portal's own checks found a field wrong; the text names it where the portal tells one.",
            ru: "Проверки портала нашли неверное поле; оно названо в тексте, если портал его сообщил.",
        },
        Phrase {
            en: "Correct that field in the view or in the row; if none is named, ask the portal's support.",
            ru: "Исправьте это поле в представлении или в строке; если поле не названо, обратитесь в поддержку портала.",
        },
    ),
    case(
        "UNCODED",
        Actor::Portal,
        Phrase {
            en: "The portal refused the record without one of the document's reasons.",
            ru: "Портал отклонил запись без причины, предусмотренной документом.",
        },
        Phrase {
            en: "Read the text; if it says nothing, ask the portal's support and tell them the key and the time.",
            ru: "Прочтите текст; если он ничего не говорит, обратитесь в поддержку портала, назвав ключ и время.",
        },
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_document_is_explained() {
        for reason in [
            "already_exists",
            "not_found",
            "incomplete_data",
            "incorrect_data",
            "unknown_module",
            "not_planned",
            "incorrect_pin",
            "already_started",
            "TURNED_DOWN",
        ] {
            assert!(CASES.iter().any(|case| case.code == reason), "{reason}");
        }
    }
}
