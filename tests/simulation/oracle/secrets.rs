//! Invariant 13: what is personal is on the wire and nowhere else.

use super::{Evidence, Violation};
use crate::wire::PERSON;

pub fn check(evidence: &Evidence, broken: &mut Vec<Violation>) {
    let telling = evidence.texts.iter().find(|text| text.contains(PERSON));
    broken.extend(telling.map(|text| Violation {
        invariant: 13,
        at: None,
        about: None,
        text: format!("the ledger keeps personal data: {text}"),
    }));
}
