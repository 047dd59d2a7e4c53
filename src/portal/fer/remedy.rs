//! What helps with the gateway's refusals. The document shows but defines neither, and uses them for one another: what
//! a refusal means is told by its text (sections 5.1 and 5.4), and only where the text is unknown by its code.

use crate::record::{Actor, Case, Phrase, Remedy};

/// The particular first.
pub(super) static CASES: &[Case] = &[
    // The engine's own code: a doctor's time becomes free by itself, the names of two departments that exchange them never do.
    Case {
        code: "PLACE",
        says: "that mo ",
        remedy: Remedy {
            actor: Actor::Data,
            meaning: Phrase {
                en: "Another department still has this name at the data mart. Where two departments exchange their names, neither can go first.",
                ru: "Это наименование в витрине пока у другого подразделения. Если два подразделения меняются наименованиями, ни одно не может уйти первым.",
            },
            action: Phrase {
                en: "Give one of the two another name in the hospital's system until the next run, then the right one. A department is not removed for a name: its doctors and slots would go with it.",
                ru: "Дайте одному из двух в МИС другое наименование до следующего запуска, затем верное. Ради наименования подразделение не удаляется: с ним ушли бы его врачи и слоты.",
            },
        },
    },
    Case {
        code: "",
        says: "дублирует ранее загруженное в витрину структурное подразделение",
        remedy: Remedy {
            actor: Actor::Data,
            meaning: Phrase {
                en: "The data mart holds another department with this name; its id is the last one in square brackets.",
                ru: "В витрине есть другое подразделение с таким наименованием; его идентификатор — последний в квадратных скобках.",
            },
            action: Phrase {
                en: "Give the two different names in the hospital's system; if it does not know the other one, have the region remove it (see also on_conflict in the configuration).",
                ru: "Дайте им в МИС разные наименования; если другого в МИС нет, попросите регион его удалить (см. также on_conflict в конфигурации).",
            },
        },
    },
    Case {
        code: "",
        says: "дублирует ранее загруженный в витрину слот",
        remedy: Remedy {
            actor: Actor::Data,
            meaning: Phrase {
                en: "The data mart holds another slot of this doctor, room or machine at this time; its id is the last one in square brackets.",
                ru: "В витрине есть другой слот этого врача, кабинета или аппарата на это же время; его идентификатор — последний в квадратных скобках.",
            },
            action: Phrase {
                en: "Leave one of the two in the hospital's system; if it does not know the other one, have the region remove it (see also on_conflict in the configuration).",
                ru: "Оставьте в МИС один из двух; если другого в МИС нет, попросите регион его удалить (см. также on_conflict в конфигурации).",
            },
        },
    },
    Case {
        code: "",
        says: "забронирован с book_ext_id",
        remedy: Remedy {
            actor: Actor::Mapping,
            meaning: Phrase {
                en: "A citizen booked this slot through the gateway, and the hospital answered with another booking's id (book_ext_id); that id is the last one in square brackets.",
                ru: "Гражданин записался на этот слот через шлюз, и больница ответила другим идентификатором записи (book_ext_id); он — последний в квадратных скобках.",
            },
            action: Phrase {
                en: "Let the view of bookings give as id the very book_ext_id that the statement of booking.book answers with.",
                ru: "Пусть представление бирок отдаёт в id тот самый book_ext_id, которым отвечает запрос booking.book.",
            },
        },
    },
    Case {
        code: "",
        says: "имеет дубликат внутри запроса",
        remedy: Remedy {
            actor: Actor::Mapping,
            meaning: Phrase {
                en: "The gateway says that the id stood in one request twice.",
                ru: "Шлюз сообщает, что идентификатор встретился в одном запросе дважды.",
            },
            action: Phrase {
                en: "Look for a JOIN in the view that multiplies rows; if there is none, ask the region's support.",
                ru: "Найдите в представлении JOIN, размножающий строки; если его нет, обратитесь в поддержку региона.",
            },
        },
    },
    Case {
        code: "R-330",
        says: "",
        remedy: Remedy {
            actor: Actor::Data,
            meaning: Phrase {
                en: "The record contradicts another one in the data mart; the document shows this code for a name or a time that is taken.",
                ru: "Запись противоречит другой записи витрины; в документе этот код стоит при занятом наименовании или времени.",
            },
            action: Phrase {
                en: "Read the text: ids in square brackets name the other record; correct one of the two in the hospital's system.",
                ru: "Прочтите текст: другую запись называет идентификатор в квадратных скобках; исправьте одну из двух в МИС.",
            },
        },
    },
    Case {
        code: "R-310",
        says: "",
        remedy: Remedy {
            actor: Actor::Data,
            meaning: Phrase {
                en: "The gateway found a fault in the record; the document does not define this code further.",
                ru: "Шлюз нашёл в записи ошибку; точнее документ этот код не определяет.",
            },
            action: Phrase {
                en: "Read the text: it names the field or the other record; correct the row, and if it is right, ask the region's support.",
                ru: "Прочтите текст: в нём названы поле или другая запись; исправьте строку, а если она верна, обратитесь в поддержку региона.",
            },
        },
    },
    Case {
        code: "UNCODED",
        says: "",
        remedy: Remedy {
            actor: Actor::Portal,
            meaning: Phrase {
                en: "The gateway refused the record without a code that can be used.",
                ru: "Шлюз отклонил запись, не указав пригодного кода.",
            },
            action: Phrase {
                en: "Read the text; if it gives no reason, ask the region's support and tell them the key and the time.",
                ru: "Прочтите текст; если причины в нём нет, обратитесь в поддержку региона, назвав ключ и время.",
            },
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::remedy_in;
    use crate::transport::redact;

    const ID: &str = "aaaaaaa1-5eff-49b8-9d07-ff2486162b3f";

    /// The texts that the document prints, as they are kept.
    #[test]
    fn a_refusal_is_explained_by_its_text_whatever_its_code() {
        let printed = [
            (
                format!(
                    "Слот с идентификатором [{ID}] и указанным в нем ресурсом [resource_id] и временем визита [visit_time] \
                     дублирует ранее загруженный в витрину слот с другим идентификатором [{ID}]."
                ),
                "another slot",
            ),
            (
                format!(
                    "Структурное подразделение с идентификатором [{ID}] дублирует ранее загруженное в витрину структурное \
                     подразделение с таким наименованием [name] и с другим идентификатором [{ID}]."
                ),
                "another department",
            ),
            (
                format!(
                    "В слоте с идентификатором '{ID}': Уникальный идентификатор слота [id] имеет дубликат внутри запроса"
                ),
                "in one request twice",
            ),
        ];
        for (text, meaning) in printed {
            for code in ["R-310", "R-330", "UNCODED"] {
                let found = remedy_in(CASES, code, &redact(&text)).map(|remedy| remedy.meaning.en);
                assert!(found.is_some_and(|found| found.contains(meaning)), "{text}");
            }
        }
    }

    #[test]
    fn a_code_is_explained_where_its_text_is_unknown() {
        let actor = |code| remedy_in(CASES, code, "что-то не так").map(|remedy| remedy.actor);
        assert_eq!(actor("R-330"), Some(Actor::Data));
        assert_eq!(actor("UNCODED"), Some(Actor::Portal));
        assert_eq!(actor("R-999"), None);
    }
}
