//! What helps with the engine's own refusals. The rules of single fields are explained beside the rules themselves.

use super::contest::DUPLICATE_PLACE;
use super::plan::{CHECK, DUPLICATE_KEY, PARENT, PLACE};
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

/// The texts of the engine's refusals, as planning and delivering word them.
pub static TEXTS: &[Phrase] = &[
    Phrase { en: "waits for {}, which is rejected", ru: "ждёт {}, а запись эта отклонена" },
    Phrase {
        en: "waits for {}, which the portal does not hold with the status that this record needs",
        ru: "ждёт {}: на портале она не с тем статусом, который нужен этой записи",
    },
    Phrase {
        en: "waits for {}, which the portal does not hold yet", ru: "ждёт {}: на портале её ещё нет"
    },
    Phrase {
        en: "waits for a place at the portal that {} holds", ru: "ждёт места на портале, которое занимает {}"
    },
    Phrase {
        en: "{} is the same as that of {}, whose row is in the source too; only one of them can be at the portal",
        ru: "{}: то же, что у {}, строка которой тоже есть в источнике; на портале может быть только одна из двух",
    },
    Phrase {
        en: "HTTP {} without the id of a refused record: {}",
        ru: "HTTP {}: портал не назвал, какую запись он отклонил: {}",
    },
    Phrase {
        en: "HTTP {} without the id of a refused record",
        ru: "HTTP {}: портал не назвал, какую запись он отклонил",
    },
];

static CASES: &[Case] = &[
    Case {
        code: PARENT,
        says: "which is rejected",
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
                en: "The record that this one belongs to is not at the portal yet.",
                ru: "Записи, к которой относится эта, на портале ещё нет.",
            },
            action: Phrase {
                en: "It goes by itself as soon as that one is accepted; if it waits for days, see whether that one is in its view.",
                ru: "Уйдёт сама, как только та будет принята; если ждёт днями, посмотрите, есть ли та в своём представлении.",
            },
        },
    },
    Case {
        code: PLACE,
        says: "",
        remedy: Remedy {
            actor: Actor::Nobody,
            meaning: Phrase {
                en: "Another record still holds at the portal the place that this one claims: a time, or a name.",
                ru: "Место, которое занимает эта запись (время или наименование), на портале пока держит другая.",
            },
            action: Phrase {
                en: "It goes by itself as soon as the other has moved or is removed; if it waits for days, see whether both are wanted.",
                ru: "Уйдёт сама, когда другая освободит место или будет удалена; если ждёт днями, посмотрите, нужны ли обе.",
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

    #[test]
    fn every_own_code_is_explained_in_every_language() {
        for code in [CHECK, PARENT, DUPLICATE_KEY, DUPLICATE_PLACE, PLACE, REFUSED, TOO_LARGE] {
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
        for (rejected, needs_status) in [(true, false), (false, true), (false, false)] {
            let key = crate::record::Key::Text("k-1".into());
            let text = super::super::plan::waiting_text("slot", &key, rejected, needs_status);
            let told = retold(&text, Language::Russian, TEXTS);
            assert!(told.starts_with("ждёт slot k-1") && told != text, "{told}");
        }
        let key = crate::record::Key::Text("k-1".into());
        let text = super::super::contest::waiting_text("slot", &key);
        assert_eq!(retold(&text, Language::Russian, TEXTS), "ждёт места на портале, которое занимает slot k-1");
        let schema = crate::portal::fer::SCHEMAS.iter().find(|schema| schema.feed == "slot").unwrap();
        let fault = super::super::contest::fault(schema, &key);
        let told = retold(&fault.text, Language::Russian, TEXTS);
        assert!(told.starts_with("resource_id, visit_time: то же, что у slot k-1"), "{told}");
    }
}
