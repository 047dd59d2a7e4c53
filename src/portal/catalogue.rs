//! The catalogue of kinds: what is known of each kind of portal without opening one. Verbs that explain need it; the engine does not.

use super::{ekdo, fer, nmo, pos, sout};
use crate::record::{Actor, Case, Field, Kind as FieldKind, Phrase, Remedy, Schema, remedy_in};

/// A kind of portal.
#[derive(Debug)]
pub struct Kind {
    /// Its name in configurations.
    pub name: &'static str,
    /// Its feeds.
    pub schemas: &'static [&'static Schema],
    /// What helps with its refusals, the particular before the general.
    pub remedies: &'static [Case],
    /// Codes of refusals that say: the portal holds the record, under an id that is not known here. An operator may name it.
    pub unnamed: &'static [&'static str],
    /// What a recording makes of names on its wire that are no fields of its schemas.
    pub wire_words: &'static WireWords,
}

/// Names on a kind's wire beside the fields of its schemas, and what a recording makes of them. They are written in lower case without
/// underscores, so that one entry stands for `SetId` and `set_id`. A value under any other name is replaced by a stand-in.
#[derive(Debug)]
pub struct WireWords {
    /// Codes, words and numbers that are shown and compared in a replay.
    pub shown: &'static [&'static str],
    /// What the portal gives out by chance or by the clock, such as its ids: shown, not compared, and learned by a replay.
    pub incidental: &'static [&'static str],
    /// Sentences of answers: shown as redacted as a log would have them, not compared.
    pub messages: &'static [&'static str],
    /// Credentials and tokens.
    pub secrets: &'static [&'static str],
    /// Names of files inside a request that say nothing of a person.
    pub files: &'static [&'static str],
    /// Words of an answer that say the portal is not done: another word in their place is no difference.
    pub pending: &'static [&'static str],
    /// How paths end whose requests change nothing, so that they may be asked again. A `GET` without a secret is one too.
    pub questions: &'static [&'static str],
    /// Dates of requests that mean today or days before: a replay moves them by the days that have passed.
    pub moving_days: &'static [&'static str],
}

impl WireWords {
    /// Nothing is shown, and nothing is known to be a secret.
    pub const NONE: WireWords = WireWords {
        shown: &[],
        incidental: &[],
        messages: &[],
        secrets: &[],
        files: &[],
        pending: &[],
        questions: &[],
        moving_days: &[],
    };
}

/// What a kind of portal says of the body of a row that goes out as it is and deserves a look all the same.
pub type AdviceOn = fn(&Schema, &[u8]) -> Option<&'static str>;

static KINDS: &[&Kind] = &[&fer::KIND, &sout::KIND, &nmo::KIND, &pos::KIND, &ekdo::KIND];

/// For a portal's refusal of which its catalogue knows nothing.
pub static UNEXPLAINED: Remedy = Remedy {
    actor: Actor::Portal,
    meaning: Phrase {
        en: "The portal refused the record with a code that no document explains.",
        ru: "Портал отклонил запись с кодом, которого нет ни в одном документе.",
    },
    action: Phrase {
        en: "Read the text; if it gives no reason, ask the portal's support and tell them the key, the code and the time.",
        ru: "Прочтите текст; если причины в нём нет, обратитесь в поддержку портала, назвав ключ, код и время.",
    },
};

/// The kind with this name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}

impl Kind {
    /// What a recording makes of values under this name, of a request or an answer.
    pub fn handling(&self, name: &str, of_answer: bool) -> Handling {
        let name = plain_name(name);
        let listed = |names: &[&str]| names.contains(&name.as_str());
        let words = self.wire_words;
        let fields = || {
            let fields =
                self.schemas.iter().flat_map(|schema| every_field(schema.fields).map(move |field| (schema, field)));
            fields.filter(|(_, field)| plain_name(field.name) == name)
        };
        if listed(words.secrets) {
            Handling::Secret
        } else if listed(words.incidental) {
            Handling::Incidental
        } else if listed(words.shown) {
            Handling::Shown
        } else if of_answer && listed(words.messages) {
            Handling::Message
        } else if fields().next().is_some() && fields().all(|(schema, field)| schema.discloses(field)) {
            Handling::Shown
        } else {
            Handling::Hidden
        }
    }

    /// True for a date that a replay moves.
    pub fn moves(&self, name: &str) -> bool {
        self.wire_words.moving_days.contains(&plain_name(name).as_str())
    }

    /// The schema of a feed.
    pub fn schema(&self, feed: &str) -> Option<&'static Schema> {
        self.schemas.iter().copied().find(|schema| schema.feed == feed)
    }

    /// What it says of rows that go out; none where it has nothing to say.
    pub fn advice(&self) -> Option<AdviceOn> {
        match self.name {
            "pos" => Some(pos::advice),
            "sout" => Some(sout::advice),
            _ => None,
        }
    }

    /// What helps with a refusal under just this code, where the portal has more to say of it than others.
    pub fn particular(&self, code: &str, text: &str) -> Option<&'static Remedy> {
        let fits = |case: &&Case| case.code == code && text.contains(case.says);
        self.remedies.iter().find(fits).map(|case| &case.remedy)
    }

    /// What helps with a refusal of the portal.
    pub fn remedy(&self, code: &str, text: &str) -> &'static Remedy {
        remedy_in(self.remedies, code, text).unwrap_or(&UNEXPLAINED)
    }
}

/// What a recording makes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// It is shown, and compared in a replay.
    Shown,
    /// It is shown; a replay expects another one, and learns it.
    Incidental,
    /// A sentence: redacted, not compared.
    Message,
    /// A credential or a token: replaced by what says only which one it was.
    Secret,
    /// Replaced by a stand-in.
    Hidden,
}

/// `SetId` and `set_id` are one name.
fn plain_name(name: &str) -> String {
    name.chars().filter(|sign| *sign != '_').flat_map(char::to_lowercase).collect()
}

/// Fields, and those of the objects in them.
fn every_field(fields: &'static [Field]) -> Box<dyn Iterator<Item = &'static Field>> {
    Box::new(fields.iter().flat_map(|field| {
        let inner = match field.kind {
            FieldKind::Objects(inner) => inner,
            _ => &[],
        };
        std::iter::once(field).chain(every_field(inner))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_a_wire_shows_what_a_schema_hides() {
        for kind in KINDS {
            let words = kind.wire_words;
            for name in words.shown.iter().chain(words.incidental) {
                let hidden = |schema: &Schema| {
                    let mut fields = every_field(schema.fields).filter(|field| plain_name(field.name) == **name);
                    fields.any(|field| !schema.discloses(field))
                };
                assert!(!kind.schemas.iter().any(|schema| hidden(schema)), "{} {name}", kind.name);
                assert_eq!(&plain_name(name), name);
            }
        }
    }

    #[test]
    fn what_tells_of_a_person_is_hidden_and_what_a_verdict_needs_is_shown() {
        let hidden = [
            ("fer", "patient_id"),
            ("fer", "snils"),
            ("fer", "last_name"),
            ("fer", "phone"),
            ("fer", "number"),
            ("sout", "LastName"),
            ("sout", "ForeignSnils"),
            ("sout", "EmployerInn"),
            ("nmo", "pin"),
            ("nmo", "name"),
            ("pos", "title"),
            ("ekdo", "file_name"),
            ("ekdo", "file"),
            ("ekdo", "what no document names"),
        ];
        for (kind, name) in hidden {
            assert_eq!(super::kind(kind).unwrap().handling(name, true), Handling::Hidden, "{kind} {name}");
        }
        for (kind, name) in
            [("fer", "slot_id"), ("fer", "errorCode"), ("sout", "outerId"), ("nmo", "status"), ("pos", "level")]
        {
            assert_eq!(super::kind(kind).unwrap().handling(name, true), Handling::Shown, "{kind} {name}");
        }
        assert_eq!(super::kind("sout").unwrap().handling("SetId", false), Handling::Incidental);
        assert_eq!(super::kind("nmo").unwrap().handling("access_token", true), Handling::Secret);
    }

    #[test]
    fn what_a_schema_shows_is_a_field_of_it() {
        for kind in KINDS {
            for schema in kind.schemas {
                let is_field = |name: &&str| kind.schemas.iter().any(|schema| schema.position(name).is_some());
                assert!(schema.shown.iter().all(is_field), "{}", schema.feed);
                // Keys are shown everywhere else too.
                assert!(schema.shown.contains(&schema.key), "{}", schema.feed);
            }
        }
    }

    #[test]
    fn every_text_that_identifies_takes_a_guid_in_sixteen_bytes() {
        let fields = KINDS.iter().flat_map(|kind| kind.schemas).flat_map(|schema| schema.fields);
        for field in fields.filter(|field| matches!(field.kind, FieldKind::Text(_))) {
            let identifies = field.name == "id" || field.name.ends_with("_id") || field.name.ends_with("_guid");
            assert!(!identifies, "{} is to be IdText or GuidOrText", field.name);
        }
    }

    #[test]
    fn no_case_stands_in_the_shadow_of_an_earlier_one() {
        for kind in KINDS {
            for (at, case) in kind.remedies.iter().enumerate() {
                let found = remedy_in(kind.remedies, case.code, case.says);
                assert_eq!(found, Some(&case.remedy), "case {at} of {}", kind.name);
            }
        }
    }
}
