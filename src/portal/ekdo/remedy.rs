//! What helps with the refusals of EKDO. The document defines no codes: these are statuses of HTTP and names of our own.

use crate::record::{Actor, Case, Phrase, Remedy};

const fn case(code: &'static str, actor: Actor, meaning: Phrase, action: Phrase) -> Case {
    Case { code, says: "", remedy: Remedy { actor, meaning, action } }
}

pub(super) static CASES: &[Case] = &[
    case(
        "FILE_CHANGED",
        Actor::Data,
        Phrase {
            en: "A file of the document changed or went between the look at it and its sending, so nothing was sent.",
            ru: "Файл документа изменился или исчез между проверкой и отправкой, поэтому ничего не отправлено.",
        },
        Phrase {
            en: "Put the file back as it was, or leave the new one: the next read looks at it again.",
            ru: "Верните файл в прежнем виде или оставьте новый: следующее чтение проверит его заново.",
        },
    ),
    case(
        "NOT_FOUND",
        Actor::Portal,
        Phrase {
            en: "The portal does not know the document to which the signature belongs.",
            ru: "Портал не знает документа, к которому относится подпись.",
        },
        Phrase {
            en: "Look for the document in the employer's account: if it was deleted there, give the row another id to have it uploaded anew; if it is there, check signature_path in the configuration.",
            ru: "Найдите документ в личном кабинете работодателя: если его там удалили, дайте строке другой id, и документ будет загружен заново; если он есть, проверьте signature_path в конфигурации.",
        },
    ),
    case(
        "ALREADY_SIGNED",
        Actor::Data,
        Phrase {
            en: "The portal says that the document has a signature already, although none of ours can have got there.",
            ru: "Портал сообщает, что у документа уже есть подпись, хотя нашей там быть не может.",
        },
        Phrase {
            en: "Look at the document in the employer's account: if it is signed as it should be, say `vitrina rejects resolve PORTAL.document KEY --sent ID` with its id; if not, ask support_ekd@rostrud.gov.ru.",
            ru: "Посмотрите документ в личном кабинете работодателя: если он подписан как надо, скажите `vitrina rejects resolve ПОРТАЛ.document КЛЮЧ --sent ID` с его идентификатором; если нет, обратитесь на support_ekd@rostrud.gov.ru.",
        },
    ),
    case(
        "NOT_SIGNED",
        Actor::Operator,
        Phrase {
            en: "The portal took the signature, but the document's status there is none that is expected of a signed one.",
            ru: "Портал принял подпись, но статус документа там не тот, которого ждут от подписанного.",
        },
        Phrase {
            en: "Look at the document in the employer's account. If its status means that it is signed, add it to signed_statuses and say `vitrina rejects resolve PORTAL.document KEY --sent ID`; if not, ask support_ekd@rostrud.gov.ru.",
            ru: "Посмотрите документ в личном кабинете работодателя. Если такой статус значит, что он подписан, добавьте его в signed_statuses и скажите `vitrina rejects resolve ПОРТАЛ.document КЛЮЧ --sent ID`; если нет, обратитесь на support_ekd@rostrud.gov.ru.",
        },
    ),
    case(
        "HTTP-400",
        Actor::Mapping,
        Phrase {
            en: "The portal does not understand the request; names of fields and the encoding are assumptions until support confirms them.",
            ru: "Портал не понимает запрос; имена полей и кодировка — предположения, пока их не подтвердила поддержка.",
        },
        Phrase {
            en: "Read the text, ask support_ekd@rostrud.gov.ru for the description of the API and correct the portal's section in the configuration.",
            ru: "Прочтите текст, запросите описание API у support_ekd@rostrud.gov.ru и исправьте раздел портала в конфигурации.",
        },
    ),
    case(
        "HTTP-409",
        Actor::Data,
        Phrase {
            en: "The portal says that it holds this document already.",
            ru: "Портал сообщает, что такой документ у него уже есть.",
        },
        Phrase {
            en: "Look for the document in the employer's account; if it is there, name its id: `vitrina rejects resolve PORTAL.document KEY --sent ID`.",
            ru: "Найдите документ в личном кабинете работодателя; если он там есть, назовите его идентификатор: `vitrina rejects resolve ПОРТАЛ.document КЛЮЧ --sent ID`.",
        },
    ),
    case(
        "HTTP-413",
        Actor::Data,
        Phrase {
            en: "The portal, or a proxy in front of it, finds the file too large, although it keeps within 15 MB.",
            ru: "Портал или прокси перед ним считает файл слишком большим, хотя он укладывается в 15 МБ.",
        },
        Phrase {
            en: "Make a smaller PDF, or have the limit of the proxy raised.",
            ru: "Уменьшите файл PDF или попросите увеличить предел на прокси.",
        },
    ),
    case(
        "HTTP-422",
        Actor::Data,
        Phrase {
            en: "The portal finds a fault in the document or its attributes.",
            ru: "Портал находит ошибку в документе или его реквизитах.",
        },
        Phrase {
            en: "Read the text; correct the row or the group of its subtype, and if both are right, ask support_ekd@rostrud.gov.ru.",
            ru: "Прочтите текст; исправьте строку или группу её подтипа, а если всё верно, обратитесь на support_ekd@rostrud.gov.ru.",
        },
    ),
    case(
        "REFUSED",
        Actor::Portal,
        Phrase {
            en: "The portal answered that it did not take the document or its signature.",
            ru: "Портал ответил, что не принял документ или подпись к нему.",
        },
        Phrase {
            en: "Read the text; if it gives no reason, ask support_ekd@rostrud.gov.ru and tell them the time and the document's id.",
            ru: "Прочтите текст; если причины в нём нет, обратитесь на support_ekd@rostrud.gov.ru, назвав время и идентификатор документа.",
        },
    ),
];
