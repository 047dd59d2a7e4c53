//! Explaining: each thing that is wrong with a record, with who must act and what helps, in a language.

use std::borrow::Cow;

use crate::ledger::Refusal;
use crate::portal::{Kind, UNEXPLAINED};
use crate::record::{Language, Phrase, RULE_TEXTS, Remedy, Rule, retold};
use crate::sync;

const WHO_ACTS: Phrase = Phrase { en: "Who acts: {}.", ru: "Кто исправляет: {}." };

/// One thing that stands in the way of a record.
pub struct Point<'a> {
    /// The field, when one is to blame.
    pub field: Option<&'a str>,
    /// The rule that it breaks.
    pub rule: Option<Rule>,
    /// What is wrong with it.
    pub text: Cow<'a, str>,
    /// What helps.
    pub remedy: &'static Remedy,
}

/// Everything that is wrong with a record: its broken rules, or the one reason for which it is refused or held.
pub fn points<'a>(kind: Option<&Kind>, refusal: &'a Refusal, language: Language) -> Vec<Point<'a>> {
    if refusal.violations.is_empty() {
        let text = told(&refusal.text, language);
        return vec![Point { field: None, rule: None, text, remedy: reason(kind, refusal) }];
    }
    let point = |violation: &'a crate::record::Violation| Point {
        field: Some(violation.field.as_ref()),
        rule: Some(violation.rule),
        text: told(&violation.text, language),
        remedy: violation.rule.remedy(),
    };
    refusal.violations.iter().map(point).collect()
}

/// A text of a rule or of the engine; the portal's own stays as it is.
fn told(text: &str, language: Language) -> Cow<'_, str> {
    match retold(text, language, RULE_TEXTS) {
        Cow::Borrowed(text) => retold(text, language, sync::TEXTS),
        told => told,
    }
}

/// What helps with a record that no rule of a field stands against.
pub(super) fn reason(kind: Option<&Kind>, refusal: &Refusal) -> &'static Remedy {
    let (code, text) = (refusal.code.as_str(), refusal.text.as_str());
    match (kind, sync::remedy(code, text)) {
        // Some of the engine's codes repeat a portal's word, of which the portal's own catalogue knows more.
        (Some(kind), Some(own)) => kind.particular(code, text).unwrap_or(own),
        // What a refusal says comes before its code: the catalogue's order.
        (Some(kind), None) => kind.remedy(code, text),
        (None, own) => own.unwrap_or(&UNEXPLAINED),
    }
}

/// Who must act and what helps with a record as a whole, in one text that names each remedy once.
pub fn remedy_text(points: &[Point<'_>], language: Language) -> String {
    let mut told: Vec<&Remedy> = Vec::new();
    for point in points {
        if !told.contains(&point.remedy) {
            told.push(point.remedy);
        }
    }
    let sentences = told.iter().map(|remedy| {
        let who = WHO_ACTS.said_in(language).replace("{}", remedy.actor.name(language));
        format!("{who} {}", remedy.text(language))
    });
    sentences.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::State;
    use crate::portal::kind;
    use crate::record::{Actor, Key};

    #[test]
    fn what_a_refusal_says_is_explained_before_its_code() {
        let actor = |code: &str, text: &str| {
            let refusal = Refusal {
                key: Some(Key::parse("a-1")),
                state: State::Rejected,
                code: code.to_owned(),
                violations: Vec::new(),
                text: text.to_owned(),
                since: 0,
            };
            let points = points(kind("sout"), &refusal, Language::English);
            (points[0].remedy.actor, points[0].remedy.meaning.en)
        };
        let (who, meaning) = actor("SOUT-400", "Запись 1 уже существует в реестре");
        assert!(who == Actor::Data && meaning.contains("already"), "{meaning}");
        let (who, meaning) = actor("SOUT-400", "Запись 1: подпись работника не найдена");
        assert!(who == Actor::Mapping && meaning.contains("signature"), "{meaning}");
        assert!(actor("SOUT-400", "Неверный СНИЛС").1.contains("fault in its values"));
        assert_eq!(actor("NO_PROGRAM", "уже нет").0, Actor::Mapping);
    }
}
