//! What helps with the portal's refusals. No document lists them: a refusal is explained by what its text says, then by its status code.

use crate::record::{Actor, Case, Phrase, Remedy};

/// The particular first.
pub(super) static CASES: &[Case] = &[
    Case {
        code: super::NO_PROGRAM,
        says: "",
        remedy: Remedy {
            actor: Actor::Mapping,
            meaning: Phrase {
                en: "The portal's catalogue of training programmes in force does not have the record's learn_program_id. Nothing was sent.",
                ru: "В справочнике действующих программ обучения портала нет learn_program_id этой записи. Запись не отправлена.",
            },
            action: Phrase {
                en: "Compare the view's learn_program_id with the portal's catalogue; if the programme was withdrawn, the training belongs to the one that replaced it.",
                ru: "Сверьте learn_program_id в представлении со справочником портала; если программа отменена, обучение относится к той, что её заменила.",
            },
        },
    },
    Case {
        code: super::NO_TITLE,
        says: "",
        remedy: Remedy {
            actor: Actor::Portal,
            meaning: Phrase {
                en: "The title of the programme is not known: the portal's catalogue cannot be read, and the view gives no learn_program_title. Nothing was sent.",
                ru: "Наименование программы неизвестно: справочник портала не читается, а представление не даёт learn_program_title. Запись не отправлена.",
            },
            action: Phrase {
                en: "Check the portal's url and ask its support why /api/Reference/GetLearnProgram does not answer; until then let the view give the title exactly as the portal prints it.",
                ru: "Проверьте url портала и узнайте в его поддержке, почему не отвечает /api/Reference/GetLearnProgram; до того пусть представление даёт наименование точно как на портале.",
            },
        },
    },
    Case {
        code: "",
        says: "уже ",
        remedy: Remedy {
            actor: Actor::Data,
            meaning: Phrase {
                en: "The portal says that it has this record, or one like it, already.",
                ru: "Портал сообщает, что эта или такая же запись у него уже есть.",
            },
            action: Phrase {
                en: "Look the worker up on the site of the register; if the record is there, take the row out of the view.",
                ru: "Найдите работника на сайте реестра; если запись там есть, уберите строку из представления.",
            },
        },
    },
    Case {
        code: "",
        says: "одпис",
        remedy: Remedy {
            actor: Actor::Mapping,
            meaning: Phrase {
                en: "The portal finds fault with the signature of the set.",
                ru: "Портал не принимает подпись набора.",
            },
            action: Phrase {
                en: "Check that sign_command makes a detached signature with a certificate in force of the organisation whose api_key is used, and that sig_encoding is what the portal wants.",
                ru: "Проверьте, что sign_command делает откреплённую подпись действующим сертификатом той организации, чей api_key указан, и что sig_encoding такой, какой нужен порталу.",
            },
        },
    },
    Case { code: "SOUT-400", says: "", remedy: FAULT_IN_RECORD },
    Case { code: "SOUT-422", says: "", remedy: FAULT_IN_RECORD },
    Case {
        code: "SOUT-404",
        says: "",
        remedy: Remedy {
            actor: Actor::Mapping,
            meaning: Phrase {
                en: "The portal does not know something that the record names: an organisation by its INN, a unit, a programme.",
                ru: "Портал не знает чего-то из названного в записи: организацию по ИНН, подразделение, программу.",
            },
            action: Phrase {
                en: "Read the text; compare organization_inn, employer_inn, organization_unit_id and learn_program_id with what the account at the portal shows.",
                ru: "Прочтите текст; сверьте organization_inn, employer_inn, organization_unit_id и learn_program_id с личным кабинетом портала.",
            },
        },
    },
];

const FAULT_IN_RECORD: Remedy = Remedy {
    actor: Actor::Data,
    meaning: Phrase {
        en: "The portal refused a set with just this record: it finds a fault in its values.",
        ru: "Портал отклонил набор из одной этой записи: ошибка в её значениях.",
    },
    action: Phrase {
        en: "Read the text and correct the row; if it is right, ask the portal's support and give them the RequestId of the text.",
        ru: "Прочтите текст и исправьте строку; если она верна, обратитесь в поддержку портала и назовите RequestId из текста.",
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::remedy_in;

    #[test]
    fn a_refusal_is_explained_by_its_text_before_its_code() {
        let actor = |code, text| remedy_in(CASES, code, text).map(|remedy| remedy.actor);
        assert_eq!(actor("SOUT-400", "Неверный формат СНИЛС"), Some(Actor::Data));
        assert_eq!(actor("SOUT-400", "Подпись недействительна"), Some(Actor::Mapping));
        assert_eq!(actor("SOUT-409", "Запись уже существует"), Some(Actor::Data));
        assert_eq!(actor("SOUT-418", "чайник"), None);
    }
}
