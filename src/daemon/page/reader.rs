//! The reader: in which language, with which session a page is asked for.

use axum::http::{HeaderMap, header};
use chrono::{DateTime, Local, Utc};

use super::session::{Session, Sessions};
use crate::record::Language;

/// The cookies: of a session, of the language.
pub(super) const SESSION: &str = "vitrina_session";
pub(super) const LANGUAGE: &str = "vitrina_lang";

/// Who reads a page.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub language: Language,
    /// None for who only looks.
    pub session: Option<Session>,
    /// False where there is no admin token: nobody can act from the page.
    pub may_sign_in: bool,
}

impl Reader {
    pub fn of(headers: &HeaderMap, wanted: Option<&str>, sessions: &Sessions, may_sign_in: bool) -> Self {
        let spoken = wanted.and_then(named).or_else(|| cookie(headers, LANGUAGE).and_then(named));
        let session = cookie(headers, SESSION).and_then(|cookie| sessions.find(cookie));
        Reader { language: spoken.unwrap_or_else(|| preferred(headers)), session, may_sign_in }
    }

    /// The one of two texts that the reader understands.
    pub fn t(&self, en: &'static str, ru: &'static str) -> &'static str {
        match self.language {
            Language::English => en,
            Language::Russian => ru,
        }
    }

    /// The language's code.
    pub fn code(&self) -> &'static str {
        self.t("en", "ru")
    }

    /// How long ago, or how long: `3 min`.
    pub fn span(&self, seconds: u64) -> String {
        let (number, unit) = match seconds {
            0..120 => (seconds, self.t("s", "с")),
            120..7200 => (seconds / 60, self.t("min", "мин")),
            7200..172_800 => (seconds / 3600, self.t("h", "ч")),
            _ => (seconds / 86_400, self.t("d", "дн.")),
        };
        format!("{number} {unit}")
    }

    /// A time of today by its hour, another with its date, as the hospital's clocks have it.
    pub fn clock(&self, seconds: i64) -> String {
        let Some(time) = DateTime::from_timestamp(seconds, 0) else { return "—".to_owned() };
        let time = time.with_timezone(&Local);
        let today = Utc::now().with_timezone(&Local).date_naive() == time.date_naive();
        time.format(if today { "%H:%M" } else { "%d.%m.%Y %H:%M" }).to_string()
    }

    /// A time that stands in the status as text.
    pub fn told(&self, text: Option<&str>) -> Option<String> {
        seconds(text?).map(|seconds| self.clock(seconds))
    }
}

/// The seconds of a time in RFC 3339.
pub(super) fn seconds(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp())
}

/// A number in groups of three.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

fn named(code: &str) -> Option<Language> {
    match code {
        "ru" => Some(Language::Russian),
        "en" => Some(Language::English),
        _ => None,
    }
}

/// The language that the browser would rather have.
fn preferred(headers: &HeaderMap) -> Language {
    let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut best = (0.0, Language::English);
    for part in wanted.split(',') {
        let mut words = part.split(';').map(str::trim);
        let tag = words.next().unwrap_or_default().get(..2).unwrap_or_default().to_ascii_lowercase();
        let weight = words.find_map(|word| word.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
        if let Some(language) = named(&tag).filter(|_| weight > best.0) {
            best = (weight, language);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(name: header::HeaderName, value: &str) -> Language {
        let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
        Reader::of(&headers, None, &Sessions::default(), false).language
    }

    #[test]
    fn the_browser_says_which_language_and_the_switch_overrules_it() {
        let asked = |value| language(header::ACCEPT_LANGUAGE, value);
        assert_eq!(asked("ru-RU,ru;q=0.9,en;q=0.8"), Language::Russian);
        assert_eq!(asked("de, ru;q=0.3, en;q=0.7"), Language::English);
        assert_eq!(asked("ru;q=0, fr"), Language::English);
        assert_eq!(asked("я"), Language::English);
        assert_eq!(language(header::COOKIE, "a=b; vitrina_lang=ru"), Language::Russian);
    }

    #[test]
    fn numbers_are_read_in_groups() {
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((number(0), number(999)), ("0".to_owned(), "999".to_owned()));
    }
}
