//! Redaction: what may be kept of a portal's text. Portals echo what they were sent, so their texts hold names, numbers and tokens.
//!
//! What stays is the template of the text, by which an operator knows the reason, and GUIDs, by which the record is found. Quoted
//! values, digits, tokens, addresses and what looks like a person's name are masked. A mask too many costs nothing here; one too
//! few does.

/// Most characters kept of a text.
const LIMIT: usize = 500;
/// Characters of a GUID.
const GUID_LEN: usize = 36;
const MASK: &str = "***";

/// The template of a portal's text: at most 500 characters, values masked, GUIDs kept.
pub fn redact(text: &str) -> String {
    // Masking only shortens what matters here, so a little more than the limit is read; the rest is never looked at.
    let chars: Vec<char> = text.trim().chars().take(LIMIT * 4).collect();
    let mut scan = Scan { chars: &chars, at: 0, kept: String::new(), sentence_starts: true, after_name: false };
    while scan.at < chars.len() {
        scan.step();
    }
    match scan.kept.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}…", &scan.kept[..end]),
        None => scan.kept,
    }
}

/// The template of a text in which these values must not stand, whatever their letter case: those of the record that it speaks of, a
/// password that was sent.
pub fn redact_hiding(text: &str, values: &[String]) -> String {
    let chars: Vec<char> = text.trim().chars().take(LIMIT * 4).collect();
    let lower: Vec<char> = chars.iter().copied().map(lowered).collect();
    let mut hidden = vec![false; chars.len()];
    for value in values {
        let value: Vec<char> = value.chars().map(lowered).collect();
        let Some(first) = value.first() else { continue };
        for at in 0..lower.len() {
            if lower.get(at) == Some(first) && lower.get(at..).is_some_and(|rest| rest.starts_with(&value)) {
                hidden.iter_mut().skip(at).take(value.len()).for_each(|hidden| *hidden = true);
            }
        }
    }
    let mut kept = String::with_capacity(text.len().min(LIMIT * 8));
    let mut before = false;
    for (sign, hidden) in chars.into_iter().zip(hidden) {
        match hidden {
            true if !before => kept.push_str(MASK),
            true => {}
            false => kept.push(sign),
        }
        before = hidden;
    }
    redact(&kept)
}

fn lowered(sign: char) -> char {
    sign.to_lowercase().next().unwrap_or(sign)
}

struct Scan<'a> {
    chars: &'a [char],
    at: usize,
    kept: String,
    /// The next word begins a sentence, so its capital letter means nothing.
    sentence_starts: bool,
    /// The last word was masked as a part of a name.
    after_name: bool,
}

impl Scan<'_> {
    fn rest(&self) -> &[char] {
        self.chars.get(self.at..).unwrap_or_default()
    }

    fn before(&self) -> Option<char> {
        self.at.checked_sub(1).and_then(|at| self.chars.get(at)).copied()
    }

    fn step(&mut self) {
        let Some(&first) = self.rest().first() else { return };
        if begins_with_guid(self.rest()) && !self.before().is_some_and(belongs_to_run) {
            self.keep(GUID_LEN);
        } else if let Some(close) = closing_of(first).filter(|_| self.opens(first)) {
            self.enclosed(first, close);
        } else if first == '[' {
            self.bracketed();
        } else if belongs_to_run(first) && first != '.' {
            self.run();
        } else if is_letter(first) {
            self.word();
        } else {
            self.sign(first);
        }
    }

    /// Keeps the next characters as they are.
    fn keep(&mut self, count: usize) {
        let end = (self.at + count).min(self.chars.len());
        self.kept.extend(self.chars.get(self.at..end).unwrap_or_default());
        self.at = end;
        self.sentence_starts = false;
        self.after_name = false;
    }

    /// Replaces the next characters.
    fn mask(&mut self, count: usize, mask: &str) {
        self.kept.push_str(mask);
        self.at = (self.at + count).min(self.chars.len());
        self.sentence_starts = false;
    }

    /// An apostrophe inside a word opens nothing.
    fn opens(&self, quote: char) -> bool {
        quote != '\'' || !self.before().is_some_and(char::is_alphanumeric)
    }

    /// A quoted value: kept only when it is a GUID. One that is never closed runs to the end of the text.
    fn enclosed(&mut self, open: char, close: char) {
        let rest = self.rest();
        let end = closing_position(rest, open, close);
        let inside = rest.get(1..end).unwrap_or_default();
        if is_guid(inside) {
            self.keep(end + 1);
        } else {
            let mask = format!("{open}…{close}");
            self.mask(end + 1, &mask);
        }
    }

    /// Square brackets hold GUIDs, names of fields, or values.
    fn bracketed(&mut self) {
        let rest = self.rest();
        let end = rest.iter().position(|sign| *sign == ']').unwrap_or(rest.len());
        let inside = rest.get(1..end).unwrap_or_default();
        let is_field = inside.iter().all(|sign| sign.is_ascii_lowercase() || *sign == '_');
        if is_guid(inside) || is_field || inside.iter().all(|sign| *sign == '*') {
            self.keep(end + 1);
        } else {
            self.mask(end + 1, "[…]");
        }
    }

    /// Latin letters, digits and what joins them in numbers, tokens and addresses.
    fn run(&mut self) {
        let rest = self.rest();
        let length = rest.iter().take_while(|sign| belongs_to_run(**sign)).count();
        let run: String = rest.iter().take(length).collect();
        if is_secret(&run) {
            self.mask(length, MASK);
        } else {
            let sentence_ends = run.ends_with('.');
            self.mask(length, &without_digits(&run));
            self.sentence_starts = sentence_ends;
        }
        self.after_name = false;
    }

    /// A word of letters other than Latin: kept unless it looks like a part of a person's name.
    fn word(&mut self) {
        let rest = self.rest();
        let length = word_length(rest);
        let capital = looks_like_name(rest);
        let next = rest.get(length..).unwrap_or_default();
        let named = capital && (!self.sentence_starts || self.after_name || name_follows(next));
        if named {
            self.mask(length, MASK);
        } else {
            self.keep(length);
        }
        self.after_name = named;
    }

    fn sign(&mut self, sign: char) {
        self.sentence_starts = match sign {
            '.' | '!' | '?' | ':' | ';' => true,
            _ if sign.is_whitespace() => self.sentence_starts,
            _ => false,
        };
        self.after_name = self.after_name && (sign.is_whitespace() || sign == '.');
        self.kept.push(if sign.is_numeric() { '#' } else { sign });
        self.at += 1;
    }
}

fn closing_of(open: char) -> Option<char> {
    match open {
        '«' => Some('»'),
        '“' => Some('”'),
        '„' => Some('“'),
        '‘' => Some('’'),
        '"' | '\'' | '`' => Some(open),
        _ => None,
    }
}

/// Where the quote that opens `rest` closes. Quotes inside quotes are counted; with quotes that look the same at both ends, one after
/// a space and before a letter opens, and one before a letter never closes.
fn closing_position(rest: &[char], open: char, close: char) -> usize {
    let mut depth = 1_usize;
    for at in 1..rest.len() {
        let (Some(&sign), before, after) = (rest.get(at), rest.get(at - 1), rest.get(at + 1)) else { break };
        let before_letter = after.is_some_and(|sign| sign.is_alphanumeric());
        let opens = if open == close { before_letter && before.is_some_and(|sign| sign.is_whitespace()) } else { true };
        if sign == open && opens && at > 1 {
            depth += 1;
        } else if sign == close && !(open == close && before_letter) {
            depth -= 1;
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn begins_with_guid(rest: &[char]) -> bool {
    rest.get(..GUID_LEN).is_some_and(is_guid) && !rest.get(GUID_LEN).copied().is_some_and(continues_guid)
}

fn continues_guid(sign: char) -> bool {
    sign.is_alphanumeric() || matches!(sign, '-' | '_')
}

fn is_guid(text: &[char]) -> bool {
    text.len() == GUID_LEN
        && text.iter().enumerate().all(|(at, sign)| match at {
            8 | 13 | 18 | 23 => *sign == '-',
            _ => sign.is_ascii_hexdigit(),
        })
}

fn belongs_to_run(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-' | '.' | '+' | '/' | '=' | '@' | '~' | '%')
}

/// Tokens and keys mix letters with digits or cases over a length that words do not have; an `@` is an address.
fn is_secret(run: &str) -> bool {
    let has = |class: fn(&char) -> bool| run.chars().any(|sign| class(&sign));
    let letters_and_digits = has(char::is_ascii_alphabetic) && has(char::is_ascii_digit);
    let both_cases = has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase);
    run.contains('@')
        || (run.len() >= 16 && letters_and_digits)
        || (run.len() >= 32 && both_cases && !run.contains('.'))
}

/// Every group of digits becomes one sign, so that texts that differ in numbers only are one template.
fn without_digits(run: &str) -> String {
    let mut masked = String::with_capacity(run.len());
    for sign in run.chars() {
        match sign {
            '0'..='9' if masked.ends_with('#') => {}
            '0'..='9' => masked.push('#'),
            _ => masked.push(sign),
        }
    }
    masked
}

/// Some numbers, Ⅻ among them, are letters too; here they are numbers.
fn is_letter(sign: char) -> bool {
    sign.is_alphabetic() && !sign.is_numeric()
}

/// Letters, with hyphens between them.
fn word_length(rest: &[char]) -> usize {
    let letter = |at: usize| rest.get(at).copied().is_some_and(is_letter);
    let hyphen = |at: usize| rest.get(at) == Some(&'-') && letter(at + 1);
    (0..rest.len()).find(|at| !letter(*at) && !hyphen(*at)).unwrap_or(rest.len())
}

/// `Иванов`, or an initial: `И.`
fn looks_like_name(rest: &[char]) -> bool {
    match rest {
        [first, second, ..] => first.is_uppercase() && (second.is_lowercase() || *second == '.'),
        _ => false,
    }
}

fn name_follows(rest: &[char]) -> bool {
    let spaces = rest.iter().take_while(|sign| sign.is_whitespace()).count();
    spaces > 0 && looks_like_name(rest.get(spaces..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "ab7cbc4b-2e68-40d2-881b-6f957b044818";

    #[test]
    fn the_templates_of_the_document_survive_with_their_guids() {
        let text = format!(
            "Слот с идентификатором [{GUID}] и указанным в нем ресурсом [resource_id] и временем визита [visit_time] \
             дублирует ранее загруженный в витрину слот с другим идентификатором [{GUID}]."
        );
        assert_eq!(redact(&text), text);
        let text = format!(
            "В слоте с идентификатором '{GUID}': Уникальный идентификатор слота [id] имеет дубликат внутри запроса"
        );
        assert_eq!(redact(&text), text);
        let text =
            "Обновление информации о структурных подразделениях МО [***] заблокировано. Для разъяснения обратитесь";
        assert_eq!(redact(text), text);
    }

    #[test]
    fn quoted_values_are_masked_whatever_the_quotes() {
        let table = [
            ("Пациент «Иванов Иван» не найден", "Пациент «…» не найден"),
            ("bad value \"Ivanov\" in", "bad value \"…\" in"),
            ("bad value 'Ivanov' in", "bad value '…' in"),
            ("bad value 'O'Brien' in", "bad value '…' in"),
            ("поле “Иванов” и „Петров“", "поле “…” и „…“"),
            ("«ООО «Ромашка» Иванов» ушёл", "«…» ушёл"),
            ("\"ООО \"Ромашка\" Иванов\" ушёл", "\"…\" ушёл"),
            ("can't read 'Ivanov'", "can't read '…'"),
            ("не закрыто: «Иванов Иван", "не закрыто: «…»"),
        ];
        for (text, kept) in table {
            assert_eq!(redact(text), kept);
        }
    }

    #[test]
    fn an_echoed_record_loses_its_values() {
        let echo = format!("{{\"id\":\"{GUID}\",\"last_name\":\"Иванов\",\"snils\":11223344595}}");
        assert_eq!(redact(&echo), format!("{{\"…\":\"{GUID}\",\"…\":\"…\",\"…\":#}}"));
    }

    #[test]
    fn numbers_are_masked_as_groups() {
        let table = [
            ("СНИЛС 112-233-445 95 неверен", "СНИЛС #-#-# # неверен"),
            ("снилс 11223344595", "снилс #"),
            ("тел. +7 (912) 345-67-89", "тел. +# (#) #-#-#"),
            ("дата 2024-03-28T05:00:00", "дата #-#-#T#:#:#"),
            ("цифры ٣٤", "цифры ##"),
            ("глава Ⅻ, ⅻ", "глава #, #"),
        ];
        for (text, kept) in table {
            assert_eq!(redact(text), kept);
        }
    }

    #[test]
    fn tokens_keys_and_addresses_are_masked() {
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJNTyJ9.TQD86ZL4oUvJWEGF1SJWFirN9bvIgT-91qQXEafByKE";
        let table = [
            (format!("bearer {token} expired"), "bearer *** expired".to_owned()),
            ("ApiKey E837EE78350021618250663B60EF58** unknown".to_owned(), "ApiKey ***** unknown".to_owned()),
            ("mail ivan@example.org".to_owned(), "mail ***".to_owned()),
            (format!("x{GUID}"), MASK.to_owned()),
        ];
        for (text, kept) in table {
            assert_eq!(redact(&text), kept);
        }
    }

    #[test]
    fn what_looks_like_a_name_is_masked_without_quotes_too() {
        let table = [
            ("Пациент Иванов не найден", "*** *** не найден"),
            ("для врача Иванова И. И. Петровой нет", "для врача *** ***. ***. *** нет"),
            ("Иванов Иван Иванович уволен", "*** *** *** уволен"),
            ("Салтыков-Щедрин Михаил", "*** ***"),
            ("значение [Тестовая МО] занято", "значение […] занято"),
        ];
        for (text, kept) in table {
            assert_eq!(redact(text), kept);
        }
    }

    #[test]
    fn known_values_are_hidden_in_any_letter_case_and_wherever_they_overlap() {
        let values = ["Иванов", "Иван", "hunter2 or so", ""].map(str::to_owned);
        let table = [
            ("нет записи ИВАНОВ у врача", "нет записи *** у врача"),
            ("нет ивановых, иван", "нет ***ых, ***"),
            ("ошибка: Hunter2 Or So", "ошибка: ***"),
            ("ошибка иваниванов", "ошибка ***"),
        ];
        for (text, kept) in table {
            assert_eq!(redact_hiding(text, &values), kept);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        let kept = redact(&"ошибка ".repeat(1_000_000));
        assert_eq!(kept.chars().count(), LIMIT + 1);
        assert!(kept.ends_with('…'));
    }
}
