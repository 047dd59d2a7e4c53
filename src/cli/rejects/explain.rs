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

fn reason(kind: Option<&Kind>, refusal: &Refusal) -> &'static Remedy {
    let (code, text) = (refusal.code.as_str(), refusal.text.as_str());
    // Some of the engine's codes repeat a portal's word, of which the portal's own catalogue knows more.
    let particular = kind.and_then(|kind| kind.particular(code, text));
    let of_portal = || kind.map_or(&UNEXPLAINED, |kind| kind.remedy(code, text));
    particular.or_else(|| sync::remedy(code, text)).unwrap_or_else(of_portal)
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
