//! What the comments of the views say of a field, in both languages. `=` stands between a field and its value in Russian.

use crate::record::phrases;

phrases! {
    HEAD:
        "Views that vitrina reads. Each can be created as it stands and gives no rows. Fill it in: put an expression in place of \
         each CAST(NULL AS ...), FROM and WHERE of your own in place of the last line. Delete the views that are not needed: \
         a feed without a view is off. Times without a zone are read in the zone that the configuration names for the source.",
        "Представления, которые читает vitrina. Каждое можно создать как есть, строк оно не даст. Заполните его: поставьте выражение на место \
         каждого CAST(NULL AS ...), свои FROM и WHERE на место последней строки. Ненужные представления удалите: поток без представления \
         выключен. Время без пояса читается в поясе, который конфигурация называет для источника.";
    TITLE: "{}: {}. Key: {}.", "{}: {}. Ключ: {}.";
    MANDATORY: "mandatory", "обязательно";
    OPTIONAL: "optional", "необязательно";
    OR_EMPTY: "mandatory column; empty is sent as an empty text", "столбец обязателен; пустое уходит пустым текстом";
    WITHDRAWS:
        "optional; false withdraws the record, whatever the other columns hold",
        "необязательно; false отзывает запись, что бы ни было в других столбцах";
    ONLY_IF: "mandatory when {}, NULL otherwise", "обязательно, если {}, иначе NULL";
    MANDATORY_IF: "mandatory when {}, otherwise optional", "обязательно, если {}, иначе необязательно";
    OPTIONAL_IF: "optional when {}, NULL otherwise", "необязательно, если {}, иначе NULL";
    REMOTE_ID:
        "optional, not sent; the portal's own id of what it has already",
        "необязательно, не отправляется; идентификатор, который у портала уже есть";
    OID: "OID: digits and dots", "OID: цифры и точки";
    TEXT: "text, at most {} characters", "текст, не длиннее {} знаков";
    ID_TEXT: "GUID or text, at most {} characters", "GUID или текст, не длиннее {} знаков";
    WHOLE: "whole number, {} to {}", "целое число, от {} до {}";
    NUMBER: "number", "число";
    ONE_OF: "one of {}", "одно из {}";
    ONE_OF_ALSO: "one of {}; also {}", "одно из {}; годится и {}";
    ALIAS: "{} for {}", "{} вместо {}";
    SEVERAL_OF: "one or several, joined by commas, of {}", "одно или несколько через запятую из {}";
    TIME: "date and time", "дата и время";
    END_OF_DAY: "a date alone is the end of that day", "дата без времени — конец этого дня";
    VISIT_TIME:
        "date and time, sent on the clock that visit_time_zone names",
        "дата и время, уходят по часам, которые называет visit_time_zone";
    SNILS: "SNILS", "СНИЛС";
    BOOL: "true or false", "true или false";
    DATE: "date", "дата";
    EPOCH:
        "date and time, or seconds since 1970-01-01T00:00:00Z, from the year 2000 on",
        "дата и время или секунды с 1970-01-01T00:00:00Z, не раньше 2000 года";
    INN: "INN", "ИНН";
    OKTMO:
        "the first {} digits of an OKTMO code; a whole one of 8 or 11 digits is cut",
        "первые {} цифр кода ОКТМО; целый код из 8 или 11 цифр обрезается";
    DIGITS: "{} digits", "цифры, числом {}";
    OR: " or ", " или ";
    VERSION:
        "anything that changes with the content: a number, a text, a time",
        "что угодно, что меняется вместе с содержимым: число, текст, время";
    IDENTIFIER: "Latin letters, digits and hyphens, at most {}", "латинские буквы, цифры и дефисы, не больше {}";
    OBJECTS: "JSON array of objects with {}", "массив JSON из объектов, в каждом {}";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_the_same_about_as_many_things() {
        for (name, phrase) in ALL {
            assert_eq!(phrase.en.matches("{}").count(), phrase.ru.matches("{}").count(), "{name}");
        }
    }
}
