//! What helps with the engine's own refusals. The rules of single fields are explained beside the rules themselves.

use super::contest::DUPLICATE_PLACE;
use super::inability::{NO_REMOVAL, NO_UPDATE, REMOVED};
use super::inquiry::{LOST_AT_PORTAL, TURNED_DOWN};
use super::plan::{CHECK, DUPLICATE_KEY, FILE, PARENT, PLACE};
use super::stray::NOT_FED;
use super::unknown::OUTCOME_UNKNOWN;
use crate::record::{Actor, Case, Phrase, Remedy, Rule, remedy_in};

/// Code of a record that the portal refused when it was sent alone, without naming it.
pub(super) const REFUSED: &str = "REFUSED";
/// Code of a record that alone is too large for the portal.
pub(super) const TOO_LARGE: &str = "TOO_LARGE";

/// The remedy for a refusal with one of the engine's own codes.
pub fn remedy(code: &str, text: &str) -> Option<&'static Remedy> {
    match code {
        DUPLICATE_KEY => Some(Rule::DuplicateKey.remedy()),
        DUPLICATE_PLACE => Some(Rule::DuplicatePlace.remedy()),
        _ => remedy_in(CASES, code, text),
    }
}

/// All cases of the engine's own codes but those that are rules of a document.
pub fn remedies() -> &'static [Case] {
    CASES
}

/// True for a refusal that only follows from that of another record: once that one is mended, nothing is left of it.
pub fn follows_another(code: &str, text: &str) -> bool {
    code == PARENT && text.contains(REJECTED_PARENT)
}

/// What the text of a record says that waits for a rejected one.
const REJECTED_PARENT: &str = "which is rejected";

static CASES: &[Case] = &[
    Case {
        code: PARENT,
        says: REJECTED_PARENT,
        remedy: Remedy {
            actor: Actor::Data,
            meaning: Phrase {
                en: "The record that this one belongs to is rejected itself.",
                ru: "Запись, к которой относится эта, сама отклонена.",
            },
            action: Phrase {
                en: "Mend that one first, its key stands in the text; this one then goes by itself.",
                ru: "Сначала исправьте ту, её ключ — в тексте; эта после того уйдёт сама.",
            },
        },
    },
    Case {
        code: PARENT,
        says: "with the status that this record needs",
        remedy: Remedy {
            actor: Actor::Data,
            meaning: Phrase {
                en: "The portal holds the record that this one belongs to, but not with the status that this one needs.",
                ru: "Запись, к которой относится эта, на портале есть, но не с тем статусом, который нужен этой.",
            },
            action: Phrase {
                en: "Correct the status of that row in the hospital's system, if it does not follow within an hour.",
                ru: "Исправьте статус той строки в МИС, если в течение часа он не изменится сам.",
            },
        },
    },
    Case {
        code: PARENT,
        says: "",
        remedy: Remedy {
            actor: Actor::Nobody,
            meaning: Phrase {
                en: "The portal does not have the record's parent yet.",
                ru: "Записи, к которой относится эта, на портале ещё нет.",
            },
            action: Phrase {
                en: "The record is sent once the parent is accepted; if it waits for days, check that the parent is in its view.",
                ru: "Уйдёт сама, как только та будет принята; если ждёт днями, посмотрите, есть ли та в своём представлении.",
            },
        },
    },
    Case {
        code: FILE,
        says: "",
        remedy: Remedy {
            actor: Actor::Nobody,
            meaning: Phrase {
                en: "A file that the row names is incomplete: it is still being written, or its counterpart is missing.",
                ru: "Файл, который называет строка, не готов: он пишется, или того, что к нему относится, ещё нет.",
            },
            action: Phrase {
                en: "The record is sent once both files are complete and match; files that stay as they are for a quarter of an hour are rejected.",
                ru: "Уйдёт сама, когда оба файла будут готовы и подойдут друг к другу; что не меняется четверть часа, станет отклонённым.",
            },
        },
    },
    Case {
        code: PLACE,
        says: "",
        remedy: Remedy {
            actor: Actor::Nobody,
            meaning: Phrase {
                en: "At the portal another record still holds this one's place: a time, or a name.",
                ru: "Место, которое занимает эта запись (время или наименование), на портале пока держит другая.",
            },
            action: Phrase {
                en: "It is sent once the other has moved or is removed; if it waits for days, see whether both are wanted.",
                ru: "Уйдёт сама, когда другая освободит место или будет удалена; если ждёт днями, посмотрите, нужны ли обе.",
            },
        },
    },
    Case {
        code: OUTCOME_UNKNOWN,
        says: "",
        remedy: Remedy {
            actor: Actor::Operator,
            meaning: Phrase {
                en: "The record was sent and no answer came: the portal may hold it. Sent again, it might be there twice, so it is not sent.",
                ru: "Запись отправлена, а ответа нет: возможно, портал её принял. Повторная отправка могла бы её удвоить, поэтому её нет.",
            },
            action: Phrase {
                en: "If the portal can be asked, Vitrina asks it by itself. Otherwise look for the record at the portal: if it is there, say \
                     `vitrina rejects resolve PORTAL.FEED KEY --sent REMOTE_ID`, if not, `… --not-sent`, and it is sent again.",
                ru: "Если портал можно спросить, Vitrina спросит сама. Иначе найдите запись на портале: если она там, скажите \
                     `vitrina rejects resolve ПОРТАЛ.ПОТОК КЛЮЧ --sent ID_НА_ПОРТАЛЕ`, если нет — `… --not-sent`, и она уйдёт снова.",
            },
        },
    },
    Case {
        code: NO_UPDATE,
        says: "taken a part",
        remedy: Remedy {
            actor: Actor::Operator,
            meaning: Phrase {
                en: "The portal has taken a part of the record, and its row has changed since: the rest would not fit.",
                ru: "Портал принял часть записи, а строка с тех пор изменилась: остальное к ней уже не подойдёт.",
            },
            action: Phrase {
                en: "Put the row (and its files) back as they were, and it is finished; or have the part withdrawn at the portal and say \
                     `vitrina rejects resolve PORTAL.FEED KEY --not-sent`: then the new version is sent as a new record.",
                ru: "Верните строку (и её файлы) к прежнему виду, и запись будет завершена; или отзовите её часть на портале и скажите \
                     `vitrina rejects resolve ПОРТАЛ.ПОТОК КЛЮЧ --not-sent`: тогда новая версия уйдёт как новая запись.",
            },
        },
    },
    Case {
        code: NO_UPDATE,
        says: "",
        remedy: Remedy {
            actor: Actor::Portal,
            meaning: Phrase {
                en: "The portal holds an earlier version of this record and has no request that replaces it.",
                ru: "На портале прежняя версия записи, а запроса, который бы её заменил, у портала нет.",
            },
            action: Phrase {
                en: "If the change matters there, have it made by the portal's support; if it was a mistake, put the row back as it was.",
                ru: "Если изменение важно, попросите о нём поддержку портала; если оно ошибочно, верните строку к прежнему виду.",
            },
        },
    },
    Case {
        code: NO_REMOVAL,
        says: "",
        remedy: Remedy {
            actor: Actor::Portal,
            meaning: Phrase {
                en: "The row is gone, and the portal has no request that removes the record: it stays there.",
                ru: "Строки больше нет, а запроса на удаление записи у портала нет: она там остаётся.",
            },
            action: Phrase {
                en: "If it must not be there, have it removed by the portal's support.",
                ru: "Если её там быть не должно, попросите поддержку портала удалить её.",
            },
        },
    },
    Case {
        code: REMOVED,
        says: "",
        remedy: Remedy {
            actor: Actor::Nobody,
            meaning: Phrase {
                en: "The row is gone and the portal has removed the record.",
                ru: "Строки больше нет, и запись на портале удалена.",
            },
            action: Phrase { en: "No action is needed.", ru: "Делать ничего не нужно." },
        },
    },
    Case {
        code: NOT_FED,
        says: "",
        remedy: Remedy {
            actor: Actor::Mapping,
            meaning: Phrase {
                en: "The portal told what became of a record that was never sent to it from here: it was entered there by hand, or its row is no longer in the view.",
                ru: "Портал сообщил о записи, которую отсюда ему не передавали: её завели там вручную, или её строки больше нет в представлении.",
            },
            action: Phrase {
                en: "If it is yours, add its row to the view; otherwise nothing is to be done.",
                ru: "Если запись ваша, добавьте её строку в представление; иначе делать ничего не нужно.",
            },
        },
    },
    Case {
        code: TURNED_DOWN,
        says: "",
        remedy: Remedy {
            actor: Actor::Data,
            meaning: Phrase {
                en: "The portal took the record, and its checks or the people behind it turned it down later.",
                ru: "Портал принял запись, но позже её отклонили его проверки или люди, которые за ним стоят.",
            },
            action: Phrase {
                en: "See at the portal why, and correct the row: the new version then goes by itself.",
                ru: "Посмотрите на портале, почему, и исправьте строку: новая версия уйдёт сама.",
            },
        },
    },
    Case {
        code: LOST_AT_PORTAL,
        says: "",
        remedy: Remedy {
            actor: Actor::Portal,
            meaning: Phrase {
                en: "The portal took the record and says by now that it does not hold it.",
                ru: "Портал принял запись, а теперь отвечает, что её у него нет.",
            },
            action: Phrase {
                en: "It is sent again once a day, or at once by `vitrina rejects retry`; if it is lost again, ask the portal's support.",
                ru: "Она отправляется снова раз в сутки или сразу по `vitrina rejects retry`; если пропадёт опять, обратитесь в поддержку портала.",
            },
        },
    },
    Case {
        code: REFUSED,
        says: "",
        remedy: Remedy {
            actor: Actor::Portal,
            meaning: Phrase {
                en: "The portal refused this record when it was sent alone, and named neither the record nor a field.",
                ru: "Портал отклонил эту запись, отправленную отдельно, не назвав ни записи, ни поля.",
            },
            action: Phrase {
                en: "Read the text; if it gives no reason, ask the portal's support and tell them the key and the time.",
                ru: "Прочтите текст; если причины в нём нет, обратитесь в поддержку портала, назвав ключ и время.",
            },
        },
    },
    Case {
        code: TOO_LARGE,
        says: "",
        remedy: Remedy {
            actor: Actor::Mapping,
            meaning: Phrase {
                en: "This record alone is larger than the portal takes.",
                ru: "Одна эта запись больше, чем принимает портал.",
            },
            action: Phrase {
                en: "See which text of the row is so long, and let the view shorten it.",
                ru: "Посмотрите, какой текст строки так велик, и пусть представление его сократит.",
            },
        },
    },
    Case {
        code: CHECK,
        says: "",
        remedy: Remedy {
            actor: Actor::Data,
            meaning: Phrase {
                en: "The row breaks rules of the portal's document and was not sent.",
                ru: "Строка нарушает правила документа портала и не отправлена.",
            },
            action: Phrase {
                en: "Correct it in the hospital's system or in the view; it then goes by itself.",
                ru: "Исправьте её в МИС или в представлении; после этого она уйдёт сама.",
            },
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Language, faults_of, retold};
    use crate::sync::said::{Said, TEXTS};

    #[test]
    fn every_own_code_is_explained_in_every_language() {
        let fields = [CHECK, PARENT, DUPLICATE_KEY, DUPLICATE_PLACE, PLACE, REFUSED, TOO_LARGE];
        let exchanges = [OUTCOME_UNKNOWN, NO_UPDATE, NO_REMOVAL, REMOVED, NOT_FED, TURNED_DOWN, LOST_AT_PORTAL];
        for code in fields.into_iter().chain(exchanges) {
            let found = remedy(code, "").unwrap_or_else(|| panic!("{code} has no remedy"));
            assert_eq!(faults_of(found), Vec::<&str>::new(), "{code}");
        }
        for case in CASES {
            assert_eq!(faults_of(&case.remedy), Vec::<&str>::new(), "{} {}", case.code, case.says);
        }
        assert_eq!(remedy("R-330", ""), None);
    }

    #[test]
    fn a_child_of_a_rejected_record_needs_a_person_and_one_of_a_late_record_does_not() {
        let actor = |text| remedy(PARENT, text).map(|remedy| remedy.actor);
        assert_eq!(actor("waits for slot 1, which is rejected"), Some(Actor::Data));
        assert_eq!(actor("waits for slot 1, which the portal does not hold yet"), Some(Actor::Nobody));
    }

    #[test]
    fn what_a_record_waits_for_is_told_in_russian() {
        let told = |said: Said| retold(&said.into_text(), Language::Russian, TEXTS).into_owned();
        let key = crate::record::Key::Text("k-1".into());
        for (rejected, needs_status) in [(true, false), (false, true), (false, false)] {
            let told = told(super::super::plan::waiting(("slot", &key), rejected, needs_status));
            assert!(told.starts_with("ждёт slot k-1"), "{told}");
        }
        let waits = super::super::contest::waiting("slot", &key);
        assert_eq!(told(waits), "ждёт места на портале, которое занимает slot k-1");
        let schema = crate::portal::fer::SCHEMAS.iter().find(|schema| schema.feed == "slot").unwrap();
        let fault = super::super::contest::fault(schema, &key);
        let told = retold(&fault.text, Language::Russian, TEXTS);
        assert!(told.starts_with("resource_id, visit_time: то же, что у slot k-1"), "{told}");
    }
}
