//! Remedies: for each way in which a record can fail to flow, who must act, what it means and what to do. Each room keeps the
//! remedies of its own codes; the words they are made of are here, with those of the rules.

mod rules;

use serde::{Deserialize, Serialize};

use super::{Language, Phrase};

pub use rules::RULE_TEXTS;

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Who keeps the hospital's data.
    Data,
    /// Who wrote the SQL view or the configuration.
    Mapping,
    /// The portal's support.
    Portal,
    /// Who runs Vitrina: something has to be found out and said to it.
    Operator,
    /// Nobody: it waits by itself.
    Nobody,
}

/// What a person needs to know of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Remedy {
    /// Who must act.
    pub actor: Actor,
    /// What it means.
    pub meaning: Phrase,
    /// What to do.
    pub action: Phrase,
}

/// An entry of a catalogue of remedies: which refusals it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The refusal's code; an empty one stands for any.
    pub code: &'static str,
    /// What its text says somewhere; empty for any text.
    pub says: &'static str,
    /// What helps.
    pub remedy: Remedy,
}

impl Actor {
    /// Everyone who can be asked to act.
    pub const ALL: [Actor; 5] = [Actor::Data, Actor::Mapping, Actor::Portal, Actor::Operator, Actor::Nobody];

    /// How people call them.
    pub fn name(self, language: Language) -> &'static str {
        let name = match self {
            Actor::Data => Phrase { en: "the hospital's data", ru: "данные больницы" },
            Actor::Mapping => Phrase {
                en: "the view or the configuration", ru: "представление или конфигурация"
            },
            Actor::Portal => Phrase { en: "the portal's support", ru: "поддержка портала" },
            Actor::Operator => Phrase { en: "whoever runs Vitrina", ru: "администратор Vitrina" },
            Actor::Nobody => Phrase { en: "no one: it resolves itself", ru: "никто, ждёт само" },
        };
        name.said_in(language)
    }
}

impl Remedy {
    /// Meaning and action, as two or more sentences.
    pub fn text(&self, language: Language) -> String {
        format!("{} {}", self.meaning.said_in(language), self.action.said_in(language))
    }
}

/// The first case of a catalogue that a refusal with this code and text is.
pub fn remedy_in(cases: &'static [Case], code: &str, text: &str) -> Option<&'static Remedy> {
    let fits = |case: &&Case| (case.code.is_empty() || case.code == code) && text.contains(case.says);
    cases.iter().find(fits).map(|case| &case.remedy)
}

/// What is wrong with a catalogue's sentences: none may be missing, unended, or in the wrong alphabet.
#[cfg(test)]
pub fn faults_of(remedy: &Remedy) -> Vec<&'static str> {
    let cyrillic = |text: &str| text.chars().any(|letter| ('а'..='я').contains(&letter));
    let mut faults = Vec::new();
    for phrase in [remedy.meaning, remedy.action] {
        let sound = |text: &str| text.len() > 10 && text.ends_with('.') && !text.contains("{}") && !text.contains("  ");
        if !sound(phrase.en) || cyrillic(phrase.en) {
            faults.push(phrase.en);
        }
        if !sound(phrase.ru) || !cyrillic(phrase.ru) {
            faults.push(phrase.ru);
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Rule;

    #[test]
    fn every_rule_is_explained_in_every_language() {
        for rule in Rule::ALL {
            assert_eq!(faults_of(rule.remedy()), Vec::<&str>::new(), "{}", rule.name());
        }
    }

    #[test]
    fn everyone_who_must_act_has_a_name_in_every_language() {
        for actor in Actor::ALL {
            assert!(actor.name(Language::English).is_ascii() && !actor.name(Language::Russian).is_ascii());
        }
    }

    #[test]
    fn the_first_case_that_fits_code_and_text_is_taken() {
        const NOTHING: Phrase = Phrase { en: "", ru: "" };
        const fn by(actor: Actor) -> Remedy {
            Remedy { actor, meaning: NOTHING, action: NOTHING }
        }
        static CASES: [Case; 3] = [
            Case { code: "", says: "taken", remedy: by(Actor::Data) },
            Case { code: "R-1", says: "", remedy: by(Actor::Portal) },
            Case { code: "R-2", says: "x", remedy: by(Actor::Mapping) },
        ];
        let found = |code, text| remedy_in(&CASES, code, text).map(|remedy| remedy.actor);
        assert_eq!(found("R-9", "is taken"), Some(Actor::Data));
        assert_eq!(found("R-1", "anything"), Some(Actor::Portal));
        assert_eq!(found("R-2", "anything"), None);
    }
}
