//! Stand-ins: what takes the place of a value that could tell of a person. The same value has the same stand-in as long as the key is the
//! same; the stand-in has the value's form, so that what was valid, or was not, stays so. Without the key none leads back to its value.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{Days, NaiveDate};

use crate::record::{guid, inn, snils};

/// Shorter texts are words, and never taken for base64.
const SHORTEST_CONTENT: usize = 64;
/// Endings of file names that are kept: receivers look at them.
const ENDINGS: [&str; 6] = [".pdf", ".sig", ".p7s", ".xml", ".zip", ".olot"];
/// Most tries for a stand-in of the same form that is not the value itself.
const TRIES: u32 = 64;
const CYRILLIC: [char; 32] = [
    'а', 'б', 'в', 'г', 'д', 'е', 'ж', 'з', 'и', 'й', 'к', 'л', 'м', 'н', 'о', 'п', 'р', 'с', 'т', 'у', 'ф', 'х', 'ц',
    'ч', 'ш', 'щ', 'ъ', 'ы', 'ь', 'э', 'ю', 'я',
];

/// Makes stand-ins under one key.
#[derive(Clone)]
pub struct StandIns {
    key: hmac::Key,
}

/// A form that receivers check, and that a stand-in must have exactly when its value has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Guid,
    Snils,
    Inn,
    Date,
    Plain,
}

impl Form {
    fn of(text: &str) -> Self {
        if guid::parse(text).is_some() {
            Form::Guid
        } else if snils::from_text(text).is_some() {
            Form::Snils
        } else if inn::is_valid(text) {
            Form::Inn
        } else if date(text).is_some() {
            Form::Date
        } else {
            Form::Plain
        }
    }
}

/// The date that a text begins with.
fn date(text: &str) -> Option<NaiveDate> {
    let day = text.get(..10).filter(|_| matches!(text.as_bytes().get(10), None | Some(b'T' | b' ')))?;
    NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()
}

/// An endless stream of bytes that hang on a value.
struct Bytes<'a> {
    key: &'a hmac::Key,
    value: &'a [u8],
    round: u32,
    block: Vec<u8>,
}

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        if self.block.is_empty() {
            let mut context = hmac::Context::with_key(self.key);
            context.update(&self.round.to_be_bytes());
            context.update(self.value);
            self.block = context.sign().as_ref().to_vec();
            self.round = self.round.wrapping_add(1);
        }
        self.block.pop().unwrap_or_default()
    }

    /// One of so many, at most 256.
    fn one_of(&mut self, many: usize) -> usize {
        // Sixteen bits make every choice as likely as the others, but for less than a percent.
        (usize::from(self.next()) << 8 | usize::from(self.next())) % many
    }

    fn digit(&mut self) -> u8 {
        b'0' + self.one_of(10) as u8
    }
}

impl StandIns {
    /// Under a key that must not be kept beside what it makes.
    pub fn new(key: &[u8]) -> Self {
        StandIns { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    fn bytes<'a>(&'a self, value: &'a [u8], round: u32) -> Bytes<'a> {
        Bytes { key: &self.key, value, round: round << 16, block: Vec::new() }
    }

    /// For a token: it says nothing but which of them it was.
    pub fn token(&self, token: &str) -> String {
        let mut bytes = self.bytes(token.as_bytes(), 0);
        let hex: String = (0..8).map(|_| format!("{:02x}", bytes.next())).collect();
        format!("stand-in-token-{hex}")
    }

    /// For a text.
    pub fn text(&self, text: &str) -> String {
        if text.len() >= SHORTEST_CONTENT
            && let Ok(content) = STANDARD.decode(text)
        {
            return STANDARD.encode(self.content(&content));
        }
        let inner = text.trim();
        let (name, ending) =
            match ENDINGS.iter().find_map(|ending| inner.strip_suffix(ending).map(|name| (name, *ending))) {
                Some((name, ending)) if !name.is_empty() => (name, ending),
                _ => (inner, ""),
            };
        let form = Form::of(name);
        let fits = |made: &String| made != name && Form::of(made) == form;
        let made = (0..TRIES).map(|round| self.formed(form, name, round)).find(fits);
        format!("{}{ending}", made.unwrap_or_else(|| self.formed(form, name, 0)))
    }

    /// For the digits of a number.
    pub fn digits(&self, digits: &str) -> String {
        let made = self.text(digits);
        // A number begins with no zero.
        match made.strip_prefix('0') {
            Some(rest) if !rest.is_empty() => format!("1{rest}"),
            _ => made,
        }
    }

    fn formed(&self, form: Form, value: &str, round: u32) -> String {
        // Hyphens and the letter case of a GUID, and the hyphens of a SNILS, make no other value of it.
        let canonical = match form {
            Form::Guid => value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase(),
            Form::Snils => value.chars().filter(char::is_ascii_digit).collect(),
            Form::Inn | Form::Date | Form::Plain => value.to_owned(),
        };
        let mut bytes = self.bytes(canonical.as_bytes(), round);
        match form {
            Form::Guid => like(value, |_| char::from(b"0123456789abcdef"[bytes.one_of(16)])),
            Form::Snils => {
                // The first digit keeps the number above those that were given out before there was a check sum.
                let number: Vec<u8> =
                    (0..9).map(|at| if at == 0 { b'1' + bytes.one_of(9) as u8 } else { bytes.digit() }).collect();
                let digits = snils::checked(&number);
                let mut digits = digits.iter();
                like(value, |_| char::from(digits.next().copied().unwrap_or(b'0')))
            }
            Form::Inn => {
                let length = if value.len() == 10 { 9 } else { 10 };
                inn::checked((0..length).map(|_| bytes.digit()).collect())
            }
            Form::Date => {
                let days = u64::from(bytes.next()) * 100 + u64::from(bytes.next() % 100);
                let made =
                    NaiveDate::from_ymd_opt(1935, 1, 1).and_then(|first| first.checked_add_days(Days::new(days)));
                let rest = value.get(10..).unwrap_or_default();
                format!("{}{rest}", made.unwrap_or_default().format("%Y-%m-%d"))
            }
            Form::Plain => like(value, |sign| plain(sign, &mut bytes)),
        }
    }

    /// For the content of a file: a document of the same kind without what it says, or bytes that are none.
    pub fn content(&self, content: &[u8]) -> Vec<u8> {
        let mut bytes = self.bytes(content, 0);
        let mark: String = (0..16).map(|_| format!("{:02x}", bytes.next())).collect();
        let text = std::str::from_utf8(content).ok();
        if content.starts_with(b"%PDF-1.") {
            let archival = content.windows(11).any(|window| window == b"pdfaid:part");
            let claim = if archival { "% pdfaid:part 1\n" } else { "" };
            return format!("%PDF-1.4\n% stand-in {mark}\n{claim}%%EOF\n").into_bytes();
        }
        // A signature as text of base64, or its bytes: a sequence of one octet string.
        let decoded = text.and_then(|text| STANDARD.decode(text.split_ascii_whitespace().collect::<String>()).ok());
        match decoded.filter(|der| der.first() == Some(&0x30)) {
            Some(_) => STANDARD.encode(structure(&mark)).into_bytes(),
            None if content.first() == Some(&0x30) => structure(&mark),
            None => format!("stand-in {mark}").into_bytes(),
        }
    }
}

/// DER of a sequence with one octet string.
fn structure(mark: &str) -> Vec<u8> {
    let length = mark.len() as u8;
    [&[0x30, length + 2, 0x04, length], mark.as_bytes()].concat()
}

/// The text with another sign for each letter and digit.
fn like(text: &str, mut sign_for: impl FnMut(char) -> char) -> String {
    text.chars().map(|sign| if sign.is_alphanumeric() { sign_for(sign) } else { sign }).collect()
}

/// A sign of the same alphabet and letter case.
fn plain(sign: char, bytes: &mut Bytes<'_>) -> char {
    match sign {
        '0'..='9' => char::from(bytes.digit()),
        'a'..='z' => char::from(b'a' + bytes.one_of(26) as u8),
        'A'..='Z' => char::from(b'A' + bytes.one_of(26) as u8),
        _ => {
            let small = CYRILLIC[bytes.one_of(CYRILLIC.len())];
            let large = small.to_uppercase().next().unwrap_or(small);
            if sign.is_uppercase() { large } else { small }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand_ins() -> StandIns {
        StandIns::new(b"a key")
    }

    #[test]
    fn a_value_has_one_stand_in_and_another_value_another_one() {
        for value in ["Иванова", "7f3c", "112-233-445 95", "500100732259", "ab7cbc4b-2e68-40d2-881b-6f957b044818"]
        {
            assert_eq!(stand_ins().text(value), stand_ins().text(value));
            assert_ne!(stand_ins().text(value), value);
            assert_ne!(StandIns::new(b"another").text(value), stand_ins().text(value));
        }
        assert_ne!(stand_ins().text("Иванова"), stand_ins().text("Петрова"));
    }

    #[test]
    fn stand_ins_have_the_form_of_their_values() {
        let form = |value: &str| Form::of(&stand_ins().text(value));
        assert_eq!(form("AB7CBC4B-2E68-40D2-881B-6F957B044818"), Form::Guid);
        assert_eq!((form("11223344595"), form("112-233-445 95")), (Form::Snils, Form::Snils));
        assert_eq!((form("7707083893"), form("500100732259")), (Form::Inn, Form::Inn));
        assert_eq!((form("1980-02-29"), form("1980-02-29T00:00:00")), (Form::Date, Form::Date));
        // What was refused for its check digits is refused again.
        assert_eq!((form("11223344596"), form("7707083894")), (Form::Plain, Form::Plain));
        let made = stand_ins().text("Иванов-Пётр Smith 12");
        let shape = |text: &str| -> Vec<(bool, bool)> {
            text.chars().map(|sign| (sign.is_uppercase(), sign.is_alphanumeric())).collect()
        };
        assert_eq!(shape(&made), shape("Иванов-Пётр Smith 12"));
    }

    #[test]
    fn both_spellings_of_a_snils_are_one_person() {
        let digits = |text: String| text.chars().filter(char::is_ascii_digit).collect::<String>();
        assert_eq!(digits(stand_ins().text("112-233-445 95")), stand_ins().text("11223344595"));
    }

    #[test]
    fn a_document_becomes_one_of_its_kind_that_says_nothing() {
        let made = stand_ins().content(b"%PDF-1.4 pdfaid:part Ivanov");
        let made = String::from_utf8(made).unwrap();
        assert!(made.starts_with("%PDF-1.") && made.contains("pdfaid:part") && !made.contains("Ivanov"));
        assert_eq!(stand_ins().content(&[0x30, 0x82, 1]).first(), Some(&0x30));
        let text = stand_ins().content(STANDARD.encode([0x30, 0x82, 1]).as_bytes());
        assert_eq!(STANDARD.decode(text).unwrap().first(), Some(&0x30));
        assert!(stand_ins().content(b"Ivanov").starts_with(b"stand-in "));
    }

    #[test]
    fn the_ending_of_a_file_stays() {
        let made = stand_ins().text("Иванов Иван 17.pdf");
        assert!(made.ends_with(".pdf") && !made.contains("Иванов"), "{made}");
    }
}
