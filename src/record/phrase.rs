//! Phrases: sentences for people, in the languages of those who read them. They are data: no phrase repeats a value of a record.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

/// A language that people are spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Russian.
    Russian,
}

/// A sentence, or a part of one, in every language. `{}` stands for what differs from case to case, in the same order in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Phrase {
    /// In English.
    pub en: &'static str,
    /// In Russian.
    pub ru: &'static str,
}

/// Phrases with their names, for the module that says them; and `ALL` of them, for its tests.
macro_rules! phrases {
    ($($(#[$doc:meta])* $name:ident: $en:literal, $ru:literal;)*) => {
        $($(#[$doc])* pub(super) const $name: $crate::record::Phrase = $crate::record::Phrase { en: $en, ru: $ru };)*
        #[cfg(test)]
        pub(super) const ALL: &[(&str, $crate::record::Phrase)] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use phrases;

impl Phrase {
    /// Its form in a language.
    pub fn said_in(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Russian => self.ru,
        }
    }

    /// The English form about these things, in its order.
    pub fn about(&self, about: &[&dyn Display]) -> String {
        self.about_in(Language::English, about)
    }

    /// Its form in a language about these things, in its order.
    pub fn about_in(&self, language: Language, about: &[&dyn Display]) -> String {
        let mut literals = self.said_in(language).split("{}");
        let mut text = literals.next().unwrap_or_default().to_owned();
        for (literal, thing) in literals.zip(about) {
            let _ = write!(text, "{thing}{literal}");
        }
        text
    }

    /// What a text that was made from the English form says in a language; none when it was not made from it. What it is about may be a
    /// sentence itself.
    fn retell(&self, text: &str, language: Language, phrases: &[Phrase]) -> Option<String> {
        let parts = parts(self.en, text)?;
        let mut literals = self.said_in(language).split("{}");
        let mut told = literals.next()?.to_owned();
        for (part, literal) in parts.into_iter().zip(literals) {
            told.push_str(&retold(part, language, phrases));
            told.push_str(literal);
        }
        Some(told)
    }
}

/// A text of the program in a language: the first phrase that fits retells it, and one that none fits stays as it is.
pub fn retold<'a>(text: &'a str, language: Language, phrases: &[Phrase]) -> Cow<'a, str> {
    match language {
        Language::English => None,
        Language::Russian => phrases.iter().find_map(|phrase| phrase.retell(text, language, phrases)),
    }
    .map_or(Cow::Borrowed(text), Cow::Owned)
}

/// What stands in a text where its form has `{}`.
fn parts<'a>(form: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let (first, rest) = form.split_once("{}").unwrap_or((form, ""));
    let mut left = text.strip_prefix(first)?;
    if first.len() == form.len() {
        return left.is_empty().then(Vec::new);
    }
    let mut literals = rest.split("{}").peekable();
    let mut parts = Vec::new();
    while let Some(literal) = literals.next() {
        let end = match literals.peek() {
            Some(_) => left.find(literal)?,
            None => left.strip_suffix(literal)?.len(),
        };
        let (part, after) = left.split_at_checked(end)?;
        parts.push(part);
        left = after.get(literal.len()..)?;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: Phrase = Phrase { en: "is not between {} and {}", ru: "не от {} до {}" };
    const NEGATIVE: Phrase = Phrase { en: "is negative", ru: "отрицательное" };

    #[test]
    fn a_text_is_retold_with_what_it_names() {
        let told = |text| retold(text, Language::Russian, &[NEGATIVE, RANGE]).into_owned();
        assert_eq!(told("is not between 1 and 1440"), "не от 1 до 1440");
        assert_eq!(told("is negative"), "отрицательное");
    }

    #[test]
    fn a_text_that_no_phrase_fits_and_english_stay_as_they_are() {
        for text in ["is negative and small", "is not between 1", "", "а"] {
            assert_eq!(retold(text, Language::Russian, &[NEGATIVE, RANGE]), text);
        }
        assert_eq!(retold("is negative", Language::English, &[NEGATIVE]), "is negative");
    }
}
