//! Invariant 14: a record that no answer named is condemned only after it was refused alone, another of its feed was accepted, and it was
//! refused alone again; and never for a bare 400, 409 or 422.

use std::collections::BTreeMap;

use super::{Evidence, Violation};
use crate::hospital::{Feed, Id};
use crate::trace::{Answer, Said, What};

/// How far the case against a record has got.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Case {
    Suspected,
    OthersPass,
    Proven,
}

pub fn check(evidence: &Evidence, broken: &mut Vec<Violation>) {
    let mut open: BTreeMap<usize, (Feed, Vec<Id>)> = BTreeMap::new();
    let mut cases: BTreeMap<(Feed, Id), Case> = BTreeMap::new();
    for (at, event) in evidence.events.iter().enumerate() {
        match &event.what {
            What::Sent { request, feed, records } => {
                let ids = records.iter().map(|(id, _)| *id).collect();
                open.insert(*request, (*feed, ids));
            }
            What::Answered { request, answer } => {
                if let Some((feed, ids)) = open.remove(request) {
                    hear(&mut cases, feed, &ids, answer);
                }
            }
            What::Condemned { feed, id } if cases.get(&(*feed, *id)) != Some(&Case::Proven) => {
                broken.push(Violation {
                    invariant: 14,
                    at: Some(at),
                    about: Some((*feed, *id)),
                    text: "condemned, and nothing proves that it is to blame".to_owned(),
                });
            }
            _ => {}
        }
    }
}

fn hear(cases: &mut BTreeMap<(Feed, Id), Case>, feed: Feed, ids: &[Id], answer: &Answer) {
    match (answer, ids) {
        (Answer::NoIds(_) | Answer::Status { code: 413, .. }, [id]) => {
            let case = cases.entry((feed, *id)).or_insert(Case::Suspected);
            if *case == Case::OthersPass {
                *case = Case::Proven;
            }
        }
        (Answer::Judged(said), _) => {
            let accepted: Vec<Id> =
                ids.iter().zip(said).filter(|(_, said)| **said == Said::Accepted).map(|(id, _)| *id).collect();
            cases.retain(|(of, id), _| *of != feed || !accepted.contains(id));
            let others = cases.iter_mut().filter(|((of, _), case)| *of == feed && **case == Case::Suspected);
            if !accepted.is_empty() {
                others.for_each(|(_, case)| *case = Case::OthersPass);
            }
        }
        _ => {}
    }
}
