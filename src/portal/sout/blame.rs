//! Whom a refusal blames. A set is refused as a whole, and the portal has no codes for reasons: only its sentences tell a fault of the key, of
//! the set itself (its signature, its archive), or of a record in it.

/// What a refusal finds fault with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The ApiKey: no request of this account is heard.
    Key,
    /// The set itself, whatever its records: signature, certificate, archive, NeedSend.
    Set,
    /// The size of the set.
    Size,
    /// A record, or nothing that could be told.
    Record,
}

/// Shorter values of records are not looked for in a message: they might be parts of its words.
const SHORTEST_VALUE: usize = 4;
/// Words that find fault.
const FAULTS: [&str; 14] = [
    "не найден",
    "неверн",
    "недейств",
    "не действ",
    "отсутств",
    "не существ",
    "истек",
    "истёк",
    "просроч",
    "удален",
    "не указан",
    "некоррект",
    "invalid",
    "not found",
];
/// Beginnings of words that stand for a signature and what makes one.
const SIGNATURE: [&str; 8] = ["подпис", "неподпис", "сертификат", "эцп", "укэп", "signature", "signed", "certificate"];
/// Beginnings of words that stand for what the set is packed in.
const ARCHIVE: [&str; 5] = ["needsend", "olot", "zip", "архив", "archive"];
/// Words of people who keep archives: a position, and no fault of ours.
const ARCHIVISTS: [&str; 2] = ["архивар", "архивист"];
/// What stands before or behind the word for a key that signs.
const OF_SIGNING: [&str; 7] = ["провер", "открыт", "закрыт", "криптогр", "контейнер", "носител", "электронн"];

/// Whom a message blames. `values` are those of the set's records, which a message may repeat and which say nothing.
pub(super) fn blame<'a>(message: &str, key: &str, values: impl IntoIterator<Item = &'a str>) -> Blame {
    let mut message = message.to_lowercase();
    let api_key = key.to_lowercase();
    if !api_key.is_empty() {
        message = message.replace(&api_key, " apikey ");
    }
    for value in values.into_iter().filter(|value| value.chars().count() >= SHORTEST_VALUE) {
        message = message.replace(&value.to_lowercase(), " ");
    }
    let parts: Vec<Vec<&str>> = parts(&message).map(words).collect();
    let of_signing = parts.iter().any(|part| speaks_of_signing(part));
    let packed = parts.iter().any(|part| speaks_of_archive(part));
    if parts.iter().any(|part| names_api_key(part) && finds_fault(part) && !speaks_of_signing(part)) {
        return Blame::Key;
    }
    match (of_signing || packed, names_a_record(&parts)) {
        (_, true) => Blame::Record,
        (true, false) if speaks_of_size(&message) => Blame::Size,
        (true, false) => Blame::Set,
        (false, false) if parts.iter().any(|part| keys(part).next().is_some() && finds_fault(part)) => Blame::Key,
        (false, false) => Blame::Record,
    }
}

fn parts(message: &str) -> impl Iterator<Item = &str> {
    message.split(['.', ',', ';', ':', '!', '\n'])
}

fn words(part: &str) -> Vec<&str> {
    part.split(|sign: char| !sign.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

fn finds_fault(part: &[&str]) -> bool {
    let text = part.join(" ");
    FAULTS.iter().any(|fault| text.contains(fault))
}

fn begins(word: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| word.starts_with(beginning))
}

fn names_api_key(part: &[&str]) -> bool {
    let pair = |pair: &[&str]| matches!(pair, ["api", "key"] | ["апи", _] if begins(pair[1], &["key", "ключ"]));
    part.iter().any(|word| word.starts_with("apikey")) || part.windows(2).any(pair)
}

/// Where a part has the word for a key of any kind.
fn keys<'a>(part: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
    part.iter().enumerate().filter(|(_, word)| word.starts_with("ключ")).map(|(at, _)| at)
}

fn speaks_of_signing(part: &[&str]) -> bool {
    let beside = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| part.get(before));
        before.into_iter().chain(part.get(at + 1)).any(|word| begins(word, &OF_SIGNING))
    };
    part.iter().any(|word| begins(word, &SIGNATURE) || *word == "sig" || *word == "эп" || *word == "кэп")
        || keys(part).any(beside)
}

fn speaks_of_archive(part: &[&str]) -> bool {
    part.iter().any(|word| begins(word, &ARCHIVE) && !begins(word, &ARCHIVISTS))
}

/// True when one record is named: by its number, or by its id.
fn names_a_record(parts: &[Vec<&str>]) -> bool {
    let numbered = |pair: &[&str]| match pair {
        [word, number] => {
            begins(word, &["запис", "строк", "record", "работник"])
                && number.starts_with(|sign: char| sign.is_ascii_digit())
        }
        _ => false,
    };
    parts.iter().any(|part| part.windows(2).any(numbered) || part.contains(&"outerid"))
}

fn speaks_of_size(message: &str) -> bool {
    ["слишком больш", "превыш", "размер", "too large", "too big"].iter().any(|words| message.contains(words))
}

/// True when a sentence finds fault with the ApiKey. That it is merely repeated in a text about something else says nothing.
pub(super) fn blames_key(message: &str, key: &str) -> bool {
    blame(message, key, []) == Blame::Key
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "6f7d6a579e5d422d8a25026a2d02cd05";

    #[test]
    fn sentences_are_told_apart_by_whom_they_blame() {
        let table = [
            ("ApiKey 6F7D6A579E5D422D8A25026A2D02CD05 не найден", Blame::Key),
            ("Ключ 6f7d6a579e5d422d8a25026a2d02cd05 не найден", Blame::Key),
            ("Ключ пользователя недействителен", Blame::Key),
            ("API key is invalid", Blame::Key),
            ("Неверный ключ", Blame::Key),
            ("Запрос с ключом 6f7d6a579e5d422d8a25026a2d02cd05. Подпись набора не распознана", Blame::Set),
            ("Срок действия ключа проверки электронной подписи истёк", Blame::Set),
            ("Ключ проверки недействителен", Blame::Set),
            ("Закрытый ключ не найден", Blame::Set),
            ("Сертификат отозван", Blame::Set),
            ("Не удалось проверить ЭЦП", Blame::Set),
            ("Набор не подписан", Blame::Set),
            ("Certificate has expired", Blame::Set),
            ("В архиве olot нет файла Data.xml", Blame::Set),
            ("NeedSend равен true, но набор не подписан", Blame::Set),
            ("Файл olot не является архивом", Blame::Set),
            ("Архив слишком большой", Blame::Size),
            ("Запись 3 (outerId=a-5): неверный СНИЛС", Blame::Record),
            ("Запись 3: работник не подписан", Blame::Record),
            ("Запрос с ключом 6f7d6a579e5d422d8a25026a2d02cd05. Неверный СНИЛС", Blame::Record),
            ("Исключение: некорректный ИНН", Blame::Record),
            ("Должность архивариус не найдена", Blame::Record),
            ("Организация не найдена", Blame::Record),
            ("", Blame::Record),
        ];
        for (message, expected) in table {
            assert_eq!(blame(message, KEY, []), expected, "{message}");
        }
    }

    #[test]
    fn what_a_record_says_of_itself_is_no_complaint() {
        let message = "Неверная организация «Городской архив»";
        assert_eq!(blame(message, KEY, ["Городской архив"]), Blame::Record);
    }
}
