//! Comparing an answer with the recorded one: the status, and what is said of each record. Ids that the portal gives out, tokens, dates and
//! sentences are no part of a verdict; ids and tokens are learned, so that requests that follow may name them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::portal::{Handling, Kind};
use crate::recording::{Body, xml};

/// Most differences that are told of one answer.
const MOST: usize = 10;

/// What the portal of a recording called one thing, and what the one at hand calls it.
pub(super) type Learned = BTreeMap<String, String>;

/// Compares answers of one kind of portal.
pub(super) struct Comparison<'a> {
    kind: &'static Kind,
    learned: &'a mut Learned,
    /// What differs.
    pub differences: Vec<String>,
    /// A token was among what was learned: the last one.
    pub token: Option<String>,
}

impl<'a> Comparison<'a> {
    pub fn new(kind: &'static Kind, learned: &'a mut Learned) -> Self {
        Comparison { kind, learned, differences: Vec::new(), token: None }
    }

    /// Compares two bodies.
    pub fn bodies(&mut self, recorded: &Body, live: &Body) {
        match (tree(recorded), tree(live)) {
            (Some(recorded), Some(live)) => self.values("", "", &recorded, &live),
            (Some(_), None) => self.differ("the answer is not of the recorded form".into()),
            // What is not shown cannot be compared.
            (None, _) => {}
        }
    }

    fn differ(&mut self, what: String) {
        if self.differences.len() < MOST {
            self.differences.push(what);
        }
    }

    fn values(&mut self, place: &str, name: &str, recorded: &Value, live: &Value) {
        match (recorded, live) {
            (Value::Object(recorded), Value::Object(live)) => self.members(place, recorded, live),
            (Value::Array(recorded), Value::Array(live)) => self.items(place, name, recorded, live),
            // A list of one, as XML has it.
            (Value::Array(_), one) if is_tree(one) => {
                self.values(place, name, recorded, &Value::Array(vec![one.clone()]))
            }
            (one, Value::Array(_)) if is_tree(one) => self.values(place, name, &Value::Array(vec![one.clone()]), live),
            (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => {
                // An empty list and nothing are one.
                if !(is_nothing(recorded) && is_nothing(live)) {
                    let place = if place.is_empty() { "the answer" } else { place };
                    self.differ(format!("{place} is of another form"));
                }
            }
            _ => self.scalars(place, name, recorded, live),
        }
    }

    fn members(&mut self, place: &str, recorded: &Map<String, Value>, live: &Map<String, Value>) {
        let names = recorded.keys().chain(live.keys().filter(|name| !recorded.contains_key(*name)));
        for name in names {
            let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            let member = |members: &Map<String, Value>| members.get(name).cloned().unwrap_or_default();
            self.values(&place, name, &member(recorded), &member(live));
        }
    }

    /// Lists are compared whatever their order: a portal promises none.
    fn items(&mut self, place: &str, name: &str, recorded: &[Value], live: &[Value]) {
        if recorded.len() != live.len() {
            self.differ(format!("{place} has {} entries instead of {}", live.len(), recorded.len()));
            return;
        }
        let mut pairs = [recorded, live].map(|items| {
            let mut items: Vec<(String, &Value)> = items.iter().map(|item| (self.verdict(name, item), item)).collect();
            items.sort_by(|left, right| left.0.cmp(&right.0));
            items.into_iter().map(|(_, item)| item).collect::<Vec<_>>()
        });
        let [recorded, live] = &mut pairs;
        for (at, (recorded, live)) in recorded.iter().zip(live.iter()).enumerate() {
            self.values(&format!("{place}[{at}]"), name, recorded, live);
        }
    }

    /// What counts of a value, as a text.
    fn verdict(&self, name: &str, value: &Value) -> String {
        match value {
            Value::Object(members) => {
                members.iter().map(|(name, value)| format!("{name}:{};", self.verdict(name, value))).collect()
            }
            Value::Array(items) => {
                let mut items: Vec<String> = items.iter().map(|item| self.verdict(name, item)).collect();
                items.sort();
                items.join(",")
            }
            scalar if self.kind.handling(name, true) == Handling::Shown => scalar.to_string(),
            _ => String::new(),
        }
    }

    fn scalars(&mut self, place: &str, name: &str, recorded: &Value, live: &Value) {
        let (was, is) = (told(recorded), told(live));
        match self.kind.handling(name, true) {
            handling @ (Handling::Incidental | Handling::Secret) => {
                if was.is_empty() || is.is_empty() {
                    return;
                }
                if handling == Handling::Secret {
                    self.token = Some(is.clone());
                }
                self.learned.insert(was, is);
            }
            Handling::Message => {}
            // A yes or no tells of nobody and is never replaced.
            Handling::Hidden if !(recorded.is_boolean() && live.is_boolean()) => {}
            Handling::Shown | Handling::Hidden => {
                let pending = self.kind.wire_words.pending.contains(&was.as_str());
                if was != is && !pending {
                    self.differ(format!("{place} is {} instead of {}", quoted(&is), quoted(&was)));
                }
            }
        }
    }
}

/// What can be compared of a body.
fn tree(body: &Body) -> Option<Value> {
    match body {
        Body::Json(json) => Some(json.clone()),
        Body::Xml(text) => xml::tree(text),
        Body::Text(text) => serde_json::from_str(text)
            .ok()
            .or_else(|| xml::tree(text).filter(|tree| tree.as_object().is_some_and(|tree| !tree.is_empty()))),
        Body::Empty => Some(Value::Null),
        Body::Form(_) | Body::Parts(_) | Body::Archive(_) | Body::Base64(_) | Body::Omitted(_) => None,
    }
}

fn is_tree(value: &Value) -> bool {
    value.is_object()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn told(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    if short.is_empty() { "nothing".into() } else { format!("\"{short}\"") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::portal::kind;

    fn compared(of: &str, recorded: Value, live: Value) -> (Vec<String>, Learned) {
        let mut learned = Learned::new();
        let mut comparison = Comparison::new(kind(of).unwrap(), &mut learned);
        comparison.bodies(&Body::Json(recorded), &Body::Json(live));
        (comparison.differences, learned)
    }

    #[test]
    fn another_code_for_a_record_is_told_with_its_place() {
        let answer = |code: &str, text: &str| json!({"isSuccess": false, "errors": [{"id": "a", "errorCode": code, "errorMessage": text}], "statusCode": 422});
        assert_eq!(compared("fer", answer("R-330", "x"), answer("R-330", "y")).0, Vec::<String>::new());
        let (differences, _) = compared("fer", answer("R-330", "x"), answer("R-310", "x"));
        assert_eq!(differences, ["errors[0].errorCode is \"R-310\" instead of \"R-330\""]);
    }

    #[test]
    fn the_order_of_records_is_no_difference_and_one_too_few_is() {
        let sent = |ids: &[&str]| json!({"isSuccess": true, "sendedGuids": ids});
        assert_eq!(compared("fer", sent(&["a", "b"]), sent(&["b", "a"])).0, Vec::<String>::new());
        assert_eq!(compared("fer", sent(&["a", "b"]), sent(&["a", "c"])).0.len(), 1);
        assert_eq!(compared("fer", sent(&["a", "b"]), sent(&["a"])).0, ["sendedGuids has 1 entries instead of 2"]);
    }

    #[test]
    fn ids_and_tokens_that_a_portal_gives_out_are_learned() {
        let (differences, learned) =
            compared("pos", json!({"success": true, "data": {"id": 7}}), json!({"success": true, "data": {"id": 9}}));
        assert_eq!((differences, learned.get("7")), (Vec::new(), Some(&"9".to_owned())));
        let (_, learned) =
            compared("nmo", json!({"access_token": "stand-in-token-1"}), json!({"access_token": "live"}));
        assert_eq!(learned["stand-in-token-1"], "live");
    }

    #[test]
    fn a_portal_that_was_not_done_may_be_further_today_and_not_the_other_way_round() {
        let status = |word: &str| json!({"status": word});
        assert!(compared("nmo", status("in_progress"), status("approved")).0.is_empty());
        assert!(!compared("nmo", status("approved"), status("in_progress")).0.is_empty());
        assert!(!compared("nmo", status("approved"), status("not_approved")).0.is_empty());
    }

    #[test]
    fn success_and_refusal_of_hidden_names_differ() {
        assert_eq!(compared("fer", json!({"unheard": true}), json!({"unheard": false})).0.len(), 1);
        assert!(compared("fer", json!({"unheard": "a"}), json!({"unheard": "b"})).0.is_empty());
    }
}
