//! The format and logic check of one record against its table (step 3 of the loading scenario of the document).

use serde_json::{Map, Value};

use super::rules::{Need, Reading, Rule, rules};
use super::subsystem::Subsystem;

/// Faults reported of one record at most; a record beyond that is no record.
const MOST_FAULTS: usize = 10;

/// Everything wrong with a record by its table: sentences that name fields and repeat no value.
pub(super) fn faults(subsystem: Subsystem, record: &Map<String, Value>, reading: Reading) -> Vec<String> {
    let kind = record.get("type").and_then(Value::as_str).unwrap_or_default();
    let table = rules(subsystem);
    let known = table.iter().filter_map(|rule| fault(rule, reading.need(subsystem, rule), record, kind));
    let unknown = record
        .iter()
        .filter(|(field, value)| !value.is_null() && !table.iter().any(|rule| rule.field == field.as_str()))
        .map(|(field, _)| format!("Поле [{}] не описано", shown(field)));
    known.chain(unknown).take(MOST_FAULTS).collect()
}

fn fault(rule: &Rule, need: Need, record: &Map<String, Value>, kind: &str) -> Option<String> {
    let field = rule.field;
    let value = record.get(field).filter(|value| !is_empty(value));
    match (value, need) {
        (None, need) => demanded(need, kind).then(|| format!("Поле [{field}] обязательно")),
        (Some(_), Need::Withdrawn) => Some(format!("Поле [{field}] больше не передается")),
        (Some(_), Need::OnlyFor(owner)) if owner != kind => {
            Some(format!("Поле [{field}] не указывается при type != {owner}"))
        }
        (Some(value), _) => rule.form.fault(value).map(|demand| format!("Поле [{field}] {demand}")),
    }
}

fn demanded(need: Need, kind: &str) -> bool {
    match need {
        Need::Yes => true,
        Need::OnlyFor(owner) | Need::For(owner) => owner == kind,
        Need::No | Need::Setting | Need::Withdrawn => false,
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// A field name from outside, short enough for an answer.
fn shown(field: &str) -> String {
    field.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(fields: Value) -> Map<String, Value> {
        let mut record = json!({
            "id": "1919135c-7c9e-4564-a8b4-29aff7adfe72",
            "mo_id": "ab7cbc4b-2e68-40d2-881b-6f957b044818",
            "enabled": "ALL",
            "create_ts": "2023-10-01T09:00:00",
        });
        let (record, fields) = (record.as_object_mut().unwrap(), fields.as_object().unwrap().clone());
        record.extend(fields);
        record.clone()
    }

    fn of(fields: Value) -> Vec<String> {
        faults(Subsystem::Resource, &resource(fields), Reading::default())
    }

    #[test]
    fn a_room_needs_what_rooms_have_and_refuses_what_doctors_have() {
        assert!(of(json!({"type": "ROOM", "room_number": "12", "room_name": "Процедурный"})).is_empty());
        assert_eq!(of(json!({"type": "ROOM", "room_number": "12"})), ["Поле [room_name] обязательно"]);
        assert_eq!(
            of(json!({"type": "ROOM", "room_number": "12", "room_name": "Процедурный", "last_name": "Иванов"})),
            ["Поле [last_name] не указывается при type != SPECIALIST"]
        );
    }

    #[test]
    fn withdrawn_and_unknown_fields_are_refused_and_nulls_are_absent() {
        let room = json!({"type": "ROOM", "room_number": "12", "room_name": "Процедурный", "snils": null,
            "update_ts": "2023-10-01T09:00:00", "colour": "red"});
        assert_eq!(of(room), ["Поле [update_ts] больше не передается", "Поле [colour] не описано"]);
    }

    #[test]
    fn a_record_of_nothing_has_a_bounded_list_of_faults() {
        assert_eq!(faults(Subsystem::Referral, &Map::new(), Reading::default()).len(), MOST_FAULTS);
    }

    #[test]
    fn a_referral_of_the_scenario_needs_less_and_the_name_of_its_service() {
        let referral = json!({"id": "ab7cbc4b-2e68-40d2-881b-6f957b044818", "patient_id": "1", "type": "RESEARCH",
            "start_date": "2024-03-01T00:00:00", "to_mo_id": "ab7cbc4b-2e68-40d2-881b-6f957b044818", "to_profile_code": "97",
            "to_service_id": "A04.10.002", "status": "AVAILABLE"});
        let Value::Object(referral) = referral else { panic!("an object") };
        let scenario = Reading { referral_by_scenario: true, ..Reading::default() };
        assert_eq!(faults(Subsystem::Referral, &referral, scenario), ["Поле [to_service_name] обязательно"]);
        assert_eq!(faults(Subsystem::Referral, &referral, Reading::default()).len(), 6);
    }
}
