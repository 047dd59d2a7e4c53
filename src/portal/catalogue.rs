//! The catalogue of kinds: what is known of each kind of portal without opening one. Verbs that explain need it; the engine does not.

use super::{ekdo, fer, nmo, pos, sout};
use crate::record::{Actor, Case, Phrase, Remedy, Schema, remedy_in};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind as FieldKind;
    use crate::record::faults_of;

    #[test]
    fn every_remedy_of_every_kind_is_told_in_every_language() {
        for kind in KINDS {
            for case in kind.remedies {
                assert_eq!(faults_of(&case.remedy), Vec::<&str>::new(), "{} {} {}", kind.name, case.code, case.says);
            }
        }
        assert_eq!(faults_of(&UNEXPLAINED), Vec::<&str>::new());
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
