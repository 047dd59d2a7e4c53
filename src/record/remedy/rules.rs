//! What each rule of a document means to the person who mends the row, and the program's own texts about them in Russian.

use super::{Actor, Remedy};
use crate::record::{Phrase, Rule};

static MANDATORY: Remedy = Remedy {
    actor: Actor::Data,
    meaning: Phrase {
        en: "The field is empty, and the document wants it in every record.",
        ru: "Поле пусто, а документ требует его в каждой записи.",
    },
    action: Phrase {
        en: "Fill it in in the hospital's system; if it is filled there, let the view pass it on.",
        ru: "Заполните его в МИС; если там оно заполнено, пусть представление его отдаёт.",
    },
};

static CONDITIONAL: Remedy = Remedy {
    actor: Actor::Data,
    meaning: Phrase {
        en: "The field is empty, and the document wants it in records of this type.",
        ru: "Поле пусто, а для записей этого типа документ его требует.",
    },
    action: Phrase {
        en: "Fill it in in the hospital's system, or correct the record's type.",
        ru: "Заполните его в МИС или исправьте тип записи.",
    },
};

static LENGTH: Remedy = Remedy {
    actor: Actor::Data,
    meaning: Phrase {
        en: "The text is longer than the document allows.",
        ru: "Текст длиннее, чем допускает документ.",
    },
    action: Phrase {
        en: "Shorten it in the hospital's system, or let the view give a shorter form.",
        ru: "Сократите его в МИС или пусть представление отдаёт краткую форму.",
    },
};

static ENUM: Remedy = Remedy {
    actor: Actor::Mapping,
    meaning: Phrase {
        en: "The value is none of those that the document lists.",
        ru: "Такого значения нет в списке документа.",
    },
    action: Phrase {
        en: "Translate the system's own values into the document's in the view (CASE), or correct the row.",
        ru: "Переводите в представлении значения МИС в значения документа (CASE) или исправьте строку.",
    },
};

static GUID: Remedy = Remedy {
    actor: Actor::Mapping,
    meaning: Phrase {
        en: "The identifier is not a GUID.", ru: "Идентификатор не является GUID."
    },
    action: Phrase {
        en: "Let the view give a GUID that is stored with the row; one made up at each read is another record each time.",
        ru: "Пусть представление отдаёт GUID, хранимый вместе со строкой; созданный при чтении — каждый раз новая запись.",
    },
};

static DATE: Remedy = Remedy {
    actor: Actor::Data,
    meaning: Phrase {
        en: "The value is no date and time that exists.",
        ru: "Это не дата и время, которые существуют.",
    },
    action: Phrase {
        en: "Correct it in the hospital's system; if it is right there, cast the column to a timestamp in the view.",
        ru: "Исправьте её в МИС; если там она верна, приведите столбец к типу timestamp в представлении.",
    },
};

static INTEGER: Remedy = Remedy {
    actor: Actor::Mapping,
    meaning: Phrase {
        en: "The field wants a whole number.", ru: "В этом поле нужно целое число."
    },
    action: Phrase {
        en: "Let the view give the number alone, without a fraction, a unit or words.",
        ru: "Пусть представление отдаёт одно число, без дробной части, единиц и слов.",
    },
};

static NUMBER: Remedy = Remedy {
    actor: Actor::Mapping,
    meaning: Phrase { en: "The field wants a number.", ru: "В этом поле нужно число." },
    action: Phrase {
        en: "Let the view give the number alone, without a currency, spaces or words.",
        ru: "Пусть представление отдаёт одно число, без валюты, пробелов и слов.",
    },
};

static RANGE: Remedy = Remedy {
    actor: Actor::Data,
    meaning: Phrase {
        en: "The number is outside of what makes sense.", ru: "Число вне допустимых границ."
    },
    action: Phrase {
        en: "Correct it in the hospital's system; see that the view gives it in the document's unit (minutes, roubles).",
        ru: "Исправьте его в МИС; проверьте, что представление отдаёт его в единицах документа (минуты, рубли).",
    },
};

static OID: Remedy = Remedy {
    actor: Actor::Data,
    meaning: Phrase {
        en: "The field wants an OID: numbers joined by dots.",
        ru: "В этом поле нужен OID: числа через точку.",
    },
    action: Phrase {
        en: "Take it from the federal register of medical organisations and enter it in the hospital's system.",
        ru: "Возьмите его из федерального реестра медицинских организаций и внесите в МИС.",
    },
};

static SNILS: Remedy = Remedy {
    actor: Actor::Data,
    meaning: Phrase {
        en: "The SNILS is incomplete, or its check sum is wrong.",
        ru: "СНИЛС неполон или его контрольная сумма неверна.",
    },
    action: Phrase {
        en: "Compare it with the person's document and correct it in the hospital's system.",
        ru: "Сверьте его с документом человека и исправьте в МИС.",
    },
};

static BOOLEAN: Remedy = Remedy {
    actor: Actor::Mapping,
    meaning: Phrase {
        en: "The field wants yes or no, and the value is neither.",
        ru: "В этом поле нужно «да» или «нет», а значение не то и не другое.",
    },
    action: Phrase {
        en: "Let the view give true or false, or 1 or 0.",
        ru: "Пусть представление отдаёт true или false, 1 или 0.",
    },
};

static INN: Remedy = Remedy {
    actor: Actor::Data,
    meaning: Phrase {
        en: "The taxpayer's number is incomplete, or its check digits are wrong.",
        ru: "ИНН неполон или его контрольные цифры неверны.",
    },
    action: Phrase {
        en: "Compare it with the register of legal entities and correct it in the hospital's system.",
        ru: "Сверьте его с ЕГРЮЛ и исправьте в учётной системе.",
    },
};

static CHARACTERS: Remedy = Remedy {
    actor: Actor::Mapping,
    meaning: Phrase {
        en: "The value has characters, or a number of them, that the document does not allow.",
        ru: "В значении знаки, которых документ не допускает, или их неверное число.",
    },
    action: Phrase {
        en: "Let the view give the value in the form that the text names.",
        ru: "Пусть представление отдаёт значение в том виде, который назван в тексте.",
    },
};

static ENCODING: Remedy = Remedy {
    actor: Actor::Data,
    meaning: Phrase {
        en: "The text has bytes that are no characters in the database's encoding, or a NUL byte.",
        ru: "В тексте есть байты, которые в кодировке базы не являются символами, или нулевой байт.",
    },
    action: Phrase {
        en: "Enter the text anew in the hospital's system, or let the view convert it; vitrina check names the encoding and how.",
        ru: "Введите текст в МИС заново или пусть его преобразует представление; vitrina check назовёт кодировку и способ.",
    },
};

static LIST: Remedy = Remedy {
    actor: Actor::Mapping,
    meaning: Phrase {
        en: "The value is not a JSON array of the objects that the document describes.",
        ru: "Значение не является массивом JSON из объектов, описанных в документе.",
    },
    action: Phrase {
        en: "Build it in the view with the database's own JSON functions, with the fields that the text names.",
        ru: "Соберите его в представлении функциями JSON самой базы, с полями, названными в тексте.",
    },
};

static FILE: Remedy = Remedy {
    actor: Actor::Data,
    meaning: Phrase {
        en: "The file that the row names is missing, or the portal does not take such a file.",
        ru: "Файла, названного в строке, нет, или портал такие файлы не принимает.",
    },
    action: Phrase {
        en: "See the text; put the right file in its place, or correct the path in the view.",
        ru: "Прочтите текст; положите на место верный файл или исправьте путь в представлении.",
    },
};

static TYPE: Remedy = Remedy {
    actor: Actor::Mapping,
    meaning: Phrase {
        en: "The column's type cannot become this field.",
        ru: "Тип столбца нельзя привести к этому полю.",
    },
    action: Phrase {
        en: "Cast the column in the view to the type that the text names.",
        ru: "Приведите столбец в представлении к типу, названному в тексте.",
    },
};

static DUPLICATE_KEY: Remedy = Remedy {
    actor: Actor::Mapping,
    meaning: Phrase {
        en: "More than one row of the view has this key; one of them is used.",
        ru: "Этот ключ есть больше чем в одной строке представления; используется одна из них.",
    },
    action: Phrase {
        en: "Look for a JOIN in the view that multiplies rows: each record must be one row.",
        ru: "Найдите в представлении JOIN, размножающий строки: одна запись — одна строка.",
    },
};

static DUPLICATE_PLACE: Remedy = Remedy {
    actor: Actor::Data,
    meaning: Phrase {
        en: "Two records claim one place: a doctor, room or machine at one time, or the name of a department.",
        ru: "Две записи занимают одно место: время врача, кабинета или аппарата либо наименование подразделения.",
    },
    action: Phrase {
        en: "Decide in the hospital's system which of the two is right, and change or delete the other.",
        ru: "Решите в МИС, какая из двух верна, а другую измените или удалите.",
    },
};

impl Rule {
    /// Every rule.
    pub const ALL: [Rule; 20] = [
        Rule::Mandatory,
        Rule::Conditional,
        Rule::Length,
        Rule::Enum,
        Rule::Guid,
        Rule::Date,
        Rule::Integer,
        Rule::Number,
        Rule::Range,
        Rule::Oid,
        Rule::Snils,
        Rule::Boolean,
        Rule::Inn,
        Rule::Characters,
        Rule::Encoding,
        Rule::List,
        Rule::File,
        Rule::Type,
        Rule::DuplicateKey,
        Rule::DuplicatePlace,
    ];

    /// Who must act when a row breaks it, and what helps.
    pub fn remedy(self) -> &'static Remedy {
        match self {
            Rule::Mandatory => &MANDATORY,
            Rule::Conditional => &CONDITIONAL,
            Rule::Length => &LENGTH,
            Rule::Enum => &ENUM,
            Rule::Guid => &GUID,
            Rule::Date => &DATE,
            Rule::Integer => &INTEGER,
            Rule::Number => &NUMBER,
            Rule::Range => &RANGE,
            Rule::Oid => &OID,
            Rule::Snils => &SNILS,
            Rule::Boolean => &BOOLEAN,
            Rule::Inn => &INN,
            Rule::Characters => &CHARACTERS,
            Rule::Encoding => &ENCODING,
            Rule::List => &LIST,
            Rule::File => &FILE,
            Rule::Type => &TYPE,
            Rule::DuplicateKey => &DUPLICATE_KEY,
            Rule::DuplicatePlace => &DUPLICATE_PLACE,
        }
    }
}

/// The texts of violations, as the encoder words them.
pub static RULE_TEXTS: &[Phrase] = &[
    Phrase { en: "is mandatory for this {} ({})", ru: "обязательно при таком {} ({})" },
    Phrase { en: "is mandatory ({})", ru: "обязательно ({})" },
    Phrase { en: "is longer than {} characters", ru: "длиннее {} символов" },
    Phrase { en: "is none of {}", ru: "нет среди: {}" },
    Phrase { en: "is not a list, joined by commas, of {}", ru: "не список через запятую из: {}" },
    Phrase {
        en: "is not a GUID; wanted are {} hex digits, lower case, with hyphens",
        ru: "не GUID; нужны {} шестнадцатеричные цифры, нижний регистр, через дефис",
    },
    Phrase {
        en: "is not a date and time that exists; wanted is {}", ru: "не существующие дата и время; нужно {}"
    },
    Phrase { en: "is not a whole number", ru: "не целое число" },
    Phrase {
        en: "is not a number of at most {} digits", ru: "не число, в котором не больше {} цифр"
    },
    Phrase { en: "is not between {} and {}", ru: "не от {} до {}" },
    Phrase { en: "is negative", ru: "отрицательное" },
    Phrase {
        en: "is not an OID; wanted are numbers joined by dots, at most {} characters",
        ru: "не OID; нужны числа через точку, не больше {} символов",
    },
    Phrase {
        en: "is not a SNILS: eleven digits whose last two are the check sum",
        ru: "не СНИЛС: одиннадцать цифр, последние две — контрольная сумма",
    },
    Phrase { en: "is neither yes nor no", ru: "ни да, ни нет" },
    Phrase {
        en: "is not a date that exists; wanted is {}", ru: "не существующая дата; нужно {}"
    },
    Phrase {
        en: "is not an INN: ten or twelve digits, the last of them check digits",
        ru: "не ИНН: десять или двенадцать цифр, последние — контрольные",
    },
    Phrase { en: "is not {} digits", ru: "не {} цифр" },
    Phrase {
        en: "has other characters than Latin letters, digits and hyphens",
        ru: "содержит не только латинские буквы, цифры и дефисы",
    },
    Phrase {
        en: "has bytes that are no text in the database's encoding",
        ru: "содержит байты, которые в кодировке базы не являются текстом",
    },
    Phrase {
        en: "is not a JSON array of objects, at least one", ru: "не массив JSON из объектов, хотя бы одного"
    },
    Phrase { en: "object {}: {} {}", ru: "объект {}: {} {}" },
    Phrase { en: "is mandatory when {} is {} ({})", ru: "обязательно, когда {} — {} ({})" },
    Phrase {
        en: "comes from a column whose type cannot become {}; cast it in the query",
        ru: "из столбца, тип которого нельзя привести к виду «{}»; приведите его в запросе",
    },
    Phrase {
        en: "is the key of more than one row; one of them is used, the others are not",
        ru: "ключ больше чем одной строки; одна из них используется, остальные нет",
    },
];
