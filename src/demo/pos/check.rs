//! The mock's own reading of tables 5, 7 and 9: which fields there are, how long, and when.

use serde_json::{Map, Value};

use super::Kind;

/// What a value must be.
#[derive(Clone, Copy)]
enum Form {
    /// Text of at most so many characters.
    Text(usize),
    /// Exactly so many digits, as text.
    Digits(usize),
    /// At most nine digits, as a number.
    Count,
    /// Seconds since 1970.
    Moment,
    /// One of the two levels.
    Level,
    /// True or false.
    Truth,
}

/// Name, form, whether it must be there.
type Line = (&'static str, Form, bool);

const COMMON: &[Line] = &[
    ("title", Form::Text(500), true),
    ("description", Form::Text(2000), false),
    ("external_id", Form::Text(36), true),
    ("participants_count", Form::Count, true),
    ("level", Form::Level, true),
    ("reg_oktmo", Form::Digits(2), true),
    ("mun_oktmo", Form::Digits(8), false),
    ("external_linked_activity_id", Form::Text(36), false),
    ("start_date", Form::Moment, false),
    ("end_date", Form::Moment, false),
    ("service_info", Form::Text(255), false),
];
const OF_OBJECTS: &[Line] = &[
    ("external_voting_id", Form::Text(36), false),
    ("votes_for", Form::Count, true),
    ("is_winner", Form::Truth, true),
];

/// What is wrong with a record first, if anything.
pub(super) fn fault(kind: Kind, record: &Map<String, Value>) -> Option<String> {
    let more = if kind == Kind::VotingObjects { OF_OBJECTS } else { &[] };
    let table: Vec<&Line> = COMMON.iter().chain(more).collect();
    let wrong = table.iter().find_map(|(name, form, mandatory)| match record.get(*name) {
        None if *mandatory => Some(format!("Поле {name} обязательно")),
        None => None,
        Some(value) => (!form.fits(value)).then(|| format!("Поле {name} имеет неверный формат")),
    });
    let stranger = || record.keys().find(|name| !table.iter().any(|(known, _, _)| known == name));
    let municipal = record.get("level").and_then(Value::as_str) == Some("Муниципальный");
    let without_place = municipal && !record.contains_key("mun_oktmo");
    wrong
        .or_else(|| stranger().map(|name| format!("Поле {} не описано", name.chars().take(64).collect::<String>())))
        .or_else(|| without_place.then(|| "Поле mun_oktmo обязательно".to_owned()))
}

impl Form {
    fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Form::Text(most), Value::String(text)) => (1..=most).contains(&text.chars().count()),
            (Form::Digits(count), Value::String(text)) => {
                text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
            }
            (Form::Count, Value::Number(number)) => number.as_u64().is_some_and(|count| count <= 999_999_999),
            (Form::Moment, Value::Number(number)) => {
                number.as_u64().is_some_and(|moment| (946_684_800..5_000_000_000).contains(&moment))
            }
            (Form::Level, Value::String(text)) => matches!(text.as_str(), "Региональный" | "Муниципальный"),
            (Form::Truth, Value::Bool(_)) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_samples_of_the_document_pass() {
        let poll = json!({
            "title": "Результаты опроса", "reg_oktmo": "78", "mun_oktmo": "78701000", "external_id": "4", "participants_count": 100000,
            "level": "Муниципальный", "service_info": "Дополнительная информация", "start_date": 1624612954, "end_date": 1624612954,
            "external_linked_activity_id": "324234",
        });
        assert_eq!(fault(Kind::Polls, &record(poll.clone())), None);
        let mut object = record(poll);
        object.insert("is_winner".into(), json!(true));
        object.insert("votes_for".into(), json!(77));
        object.insert("external_voting_id".into(), json!("324234"));
        assert_eq!(fault(Kind::VotingObjects, &object), None);
        assert_eq!(fault(Kind::Voting, &object).as_deref(), Some("Поле is_winner не описано"));
        object.shift_remove("mun_oktmo");
        assert_eq!(fault(Kind::VotingObjects, &object).as_deref(), Some("Поле mun_oktmo обязательно"));
        object.insert("votes_for".into(), json!("77"));
        assert_eq!(fault(Kind::VotingObjects, &object).as_deref(), Some("Поле votes_for имеет неверный формат"));
    }
}
