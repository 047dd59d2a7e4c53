//! Grouping, explaining and the forms that records are printed in, without a ledger.

use std::collections::BTreeSet;

use serde_json::Value;

use super::filter::{Filter, Stuck};
use super::gather::FeedRejects;
use super::group::groups;
use super::item;
use crate::daemon::trouble::{points, remedy_text};
use crate::ledger::{Refusal, State};
use crate::portal;
use crate::record::{
    Cell, EncodeSettings, Encoder, Key, Language, RULE_TEXTS, RowChunk, Rule, Violation, VisitTimeZone, retold,
};

fn refusal(key: u128, state: State, code: &str, text: &str, since: i64) -> Refusal {
    Refusal { key: Some(Key::Guid(key)), state, code: code.into(), violations: Vec::new(), text: text.into(), since }
}

fn broken(key: u128, rules: &[(&'static str, Rule)], since: i64) -> Refusal {
    let violation = |(field, rule): &(&'static str, Rule)| Violation {
        field: (*field).into(),
        rule: *rule,
        text: "is negative".into(),
    };
    let violations = rules.iter().map(violation).collect();
    Refusal { violations, ..refusal(key, State::Rejected, "CHECK", "", since) }
}

fn slots(refusals: Vec<Refusal>) -> FeedRejects {
    FeedRejects { portal: "fer".into(), feed: "slot".into(), kind: portal::kind("fer"), refusals }
}

#[test]
fn records_that_fail_for_one_reason_are_one_group_and_the_largest_comes_first() {
    let of = slots(vec![
        broken(1, &[("duration", Rule::Range)], 30),
        broken(2, &[("duration", Rule::Range), ("status", Rule::Enum)], 10),
        broken(3, &[("duration", Rule::Mandatory)], 20),
        refusal(4, State::Held, "PARENT", "waits for resource x, which the portal does not hold yet", 5),
        refusal(5, State::Held, "PARENT", "waits for resource x, which is rejected", 6),
    ]);
    let groups = groups(&of, &Filter::default(), Language::English);
    let seen: Vec<_> =
        groups.iter().map(|group| (group.code, group.field, group.rule.map(Rule::name), group.count)).collect();
    assert_eq!(seen[0], ("CHECK", Some("duration"), Some("range"), 2));
    let rest: BTreeSet<_> = seen[1..].iter().copied().collect();
    assert_eq!(
        rest,
        BTreeSet::from([
            ("CHECK", Some("status"), Some("enum"), 1),
            ("CHECK", Some("duration"), Some("mandatory"), 1),
            ("PARENT", None, None, 1),
        ]),
        "a parent that is late and one that is rejected are two reasons"
    );
    assert_eq!(groups.len(), 5);
    assert_eq!((groups[0].oldest, groups[0].newest), (10, 30));
    assert_eq!(groups[0].example.key, Some(Key::Guid(1)), "the last to come");
}

#[test]
fn a_hundred_thousand_records_of_one_reason_are_one_group() {
    let of = slots((0..100_000).map(|key| broken(key, &[("duration", Rule::Range)], 0)).collect());
    let groups = groups(&of, &Filter::default(), Language::Russian);
    assert_eq!((groups.len(), groups[0].count), (1, 100_000));
}

#[test]
fn a_field_filter_narrows_records_and_what_is_told_of_them() {
    let filter = Filter { field: Some("status".into()), ..Filter::default() };
    let both = broken(1, &[("duration", Rule::Range), ("status", Rule::Enum)], 0);
    assert!(filter.admits(&both));
    assert!(!filter.admits(&broken(2, &[("duration", Rule::Range)], 0)));
    assert!(!filter.admits(&refusal(3, State::Rejected, "R-330", "", 0)));
    let of = slots(vec![both]);
    let groups = groups(&of, &filter, Language::English);
    assert_eq!(groups.iter().map(|group| group.field).collect::<Vec<_>>(), [Some("status")]);
}

#[test]
fn state_and_code_filters_must_both_fit() {
    let filter = Filter { state: Some(Stuck::Held), code: Some("parent".into()), ..Filter::default() };
    assert!(filter.admits(&refusal(1, State::Held, "PARENT", "", 0)));
    assert!(!filter.admits(&refusal(1, State::Rejected, "PARENT", "", 0)));
    assert!(!filter.admits(&refusal(1, State::Held, "PLACE", "", 0)));
}

#[test]
fn json_has_exactly_the_fields_of_the_contract_and_every_record() {
    let mut keyless = broken(1, &[("id", Rule::Mandatory)], 0);
    keyless.key = None;
    let many = (2..2_500).map(|key| refusal(key, State::Rejected, "R-330", "x", 60)).collect::<Vec<_>>();
    let of = slots(std::iter::once(keyless).chain(many).collect());
    let text: String = item::array(&[of], Language::English).map(Result::unwrap).collect();
    let items: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(items.len(), 2_499);
    let fields: Vec<_> = items[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["portal", "feed", "key", "state", "code", "violations", "text", "remedy", "since"]);
    assert_eq!((&items[0]["key"], &items[0]["since"]), (&Value::Null, &Value::from("1970-01-01T00:00:00Z")));
    let violation = serde_json::json!({"field": "id", "rule": "mandatory", "text": "is negative"});
    assert_eq!(items[0]["violations"], Value::from(vec![violation]));
    assert_eq!(items[1]["key"], Key::Guid(2).to_string());
    assert!(items[1]["remedy"].as_str().unwrap().starts_with("Who acts: the hospital's data."));
}

#[test]
fn an_empty_array_is_json_too() {
    let text: String = item::array(&[], Language::English).map(Result::unwrap).collect();
    assert_eq!(text, "[]\n");
}

#[test]
fn a_remedy_that_helps_twice_is_told_once() {
    let refusal = broken(1, &[("status", Rule::Enum), ("tag_age", Rule::Enum), ("duration", Rule::Range)], 0);
    let told = remedy_text(&points(None, &refusal, Language::Russian), Language::Russian);
    assert_eq!(told.matches("Кто исправляет").count(), 2, "{told}");
}

#[test]
fn a_refusal_of_a_portal_that_the_configuration_forgot_is_still_explained() {
    let refusal = refusal(1, State::Rejected, "R-330", "x", 0);
    let point = &points(None, &refusal, Language::English)[0];
    assert_eq!(point.remedy, &portal::UNEXPLAINED);
}

/// Rows of every feed, each field once with every kind of cell, so that the encoder says all it can say.
#[test]
fn every_text_of_the_encoder_is_told_in_russian() {
    let settings = EncodeSettings {
        zone: chrono_tz::Tz::Asia__Yekaterinburg,
        visit_time_zone: VisitTimeZone::Source,
        defaults: Default::default(),
        salt: None,
    };
    let long = "щ".repeat(600);
    let cells = [
        Cell::Null,
        Cell::Text("?"),
        Cell::Text(&long),
        Cell::Int(-1),
        Cell::Int(1 << 40),
        Cell::Float(1.5),
        Cell::Bool(true),
        Cell::Bytes(b"abc"),
        Cell::Text("SPECIALIST"),
        Cell::Text("2024-02-30"),
    ];
    let mut texts = BTreeSet::new();
    for schema in portal::kind("fer").unwrap().schemas {
        let columns: Vec<&str> = schema.fields.iter().map(|field| field.name).collect();
        for kind in ["SPECIALIST", "CONSULTATION", "RESEARCH"] {
            let mut encoder = Encoder::bind(schema, &columns, &settings).unwrap();
            let mut chunk = RowChunk::default();
            chunk.reset(columns.len());
            for cell in cells {
                for name in &columns {
                    chunk.push(if schema.discriminator == Some(name) { Cell::Text(kind) } else { cell });
                }
            }
            for row in chunk.rows() {
                encoder.encode(row);
                texts.extend(encoder.violations().iter().map(|violation| violation.text.to_string()));
            }
        }
    }
    assert!(texts.len() > 20, "{texts:?}");
    for text in texts {
        assert_ne!(retold(&text, Language::Russian, RULE_TEXTS), text);
    }
}
