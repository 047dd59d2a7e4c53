//! The portal's side: a record as the portal holds it goes through the very encoder that rows go through, so that there is one notion
//! of what is the same.

use serde_json::{Map, Value};

use crate::portal::Held;
use crate::record::{
    BindError, Cell, EncodeSettings, Encoder, Fingerprint, Kind, Record, RowChunk, Schema, VisitTimeZone, Written,
    parse_time,
};

/// Reads records of one feed as the portal holds them.
pub(super) struct Mart {
    encoder: Encoder,
    chunk: RowChunk,
    visit_time_zone: VisitTimeZone,
}

/// A record as the portal holds it.
pub(super) struct Version {
    /// Its fingerprint: that of its body, or, when our checks refuse it, of its text.
    pub(super) fingerprint: Fingerprint,
    /// What it carries, as far as it can be read.
    pub(super) record: Option<Record>,
}

impl Mart {
    /// A reader of records that rows with these settings are sent as. What a setting fills in for the source, the portal must hold.
    pub(in crate::sync) fn new(schema: &'static Schema, settings: &EncodeSettings) -> Result<Self, BindError> {
        let columns: Vec<&str> = schema.fields.iter().map(|field| field.name).collect();
        let settings = EncodeSettings { defaults: Default::default(), ..settings.clone() };
        let encoder = Encoder::bind(schema, &columns, &settings)?;
        Ok(Mart { encoder, chunk: RowChunk::default(), visit_time_zone: settings.visit_time_zone })
    }

    /// Reads one record.
    pub(super) fn read(&mut self, held: &Held) -> Version {
        let schema = self.encoder.schema();
        self.chunk.reset(schema.fields.len());
        for field in schema.fields {
            let value = held.record.get(field.name).unwrap_or(&Value::Null);
            push(&mut self.chunk, field.kind, value, self.visit_time_zone);
        }
        let sound = match self.chunk.rows().next() {
            Some(row) => self.encoder.encode(row),
            None => false,
        };
        let fingerprint = if sound { self.encoder.fingerprint() } else { fingerprint_of(&held.record) };
        Version { fingerprint, record: self.encoder.record() }
    }

    /// What the record that was read last says of each field.
    pub(super) fn fields(&self) -> Vec<Option<Box<[u8]>>> {
        fields(&self.encoder)
    }
}

/// What the row or record that was encoded last says of each field.
pub(super) fn fields(encoder: &Encoder) -> Vec<Option<Box<[u8]>>> {
    (0..encoder.schema().fields.len()).map(|at| encoder.written(at).map(Into::into)).collect()
}

/// Stands for a record that our checks refuse. No body of ours has it.
fn fingerprint_of(record: &Map<String, Value>) -> Fingerprint {
    let mut text = serde_json::to_vec(record).unwrap_or_default();
    text.push(b'!');
    Fingerprint::of(&text)
}

/// Appends a JSON value as the cell that a source would have given.
fn push(chunk: &mut RowChunk, kind: Kind, value: &Value, visit_time_zone: VisitTimeZone) {
    let joined;
    let cell = match value {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Cell::Int(whole),
            (None, Some(other)) => Cell::Float(other),
            (None, None) => Cell::Null,
        },
        Value::String(text) => match kind {
            Kind::Time | Kind::PeriodEnd => Cell::Text(without_zone(text)),
            Kind::VisitTime => visit(text, visit_time_zone),
            _ => Cell::Text(text),
        },
        Value::Array(words) => {
            joined = words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",");
            Cell::Text(&joined)
        }
        // No field of ours is an object; its bytes are refused by every kind.
        Value::Object(_) => Cell::Bytes(b"{}"),
    };
    chunk.push(cell);
}

/// The start of a visit in the form in which it was sent, as the moment it means.
fn visit(text: &str, visit_time_zone: VisitTimeZone) -> Cell<'_> {
    match (visit_time_zone, parse_time(without_zone(text))) {
        (VisitTimeZone::Utc, Some(Written::Local(seconds))) => Cell::Instant(seconds.saturating_mul(1_000_000)),
        (VisitTimeZone::Offset, _) => Cell::Text(text),
        (VisitTimeZone::Source | VisitTimeZone::Utc, _) => Cell::Text(without_zone(text)),
    }
}

/// A time without the zone that a portal writes behind one that was sent without: the digits are those that were sent.
fn without_zone(text: &str) -> &str {
    let date = text.char_indices().nth(10).map_or(text.len(), |(at, _)| at);
    let zone = text[date..].find(['Z', 'z', '+', '-']);
    zone.map_or(text, |at| &text[..date + at])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::portal::fer::SCHEMAS;
    use crate::record::Key;

    fn slot() -> Value {
        json!({
            "id": "aaaaaaa1-5eff-49b8-9d07-ff2486162b3f", "mo_id": "ab7cbc4b-2e68-40d2-881b-6f957b044818",
            "resource_id": "1919135c-7c9e-4564-a8b4-29aff7adfe72", "tag_type": "EPGU", "tag_age": "ALL",
            "visit_time": "2024-03-28T05:00:00", "duration": 20, "status": "AVAILABLE", "create_ts": "2023-10-01T09:00:00",
        })
    }

    fn read(record: &Value, visit_time_zone: VisitTimeZone) -> (Version, String) {
        let schema = SCHEMAS.iter().find(|schema| schema.feed == "slot").unwrap();
        let zone = chrono_tz::Asia::Yekaterinburg;
        let settings = EncodeSettings { zone, visit_time_zone, defaults: BTreeMap::new(), salt: None };
        let mut mart = Mart::new(schema, &settings).unwrap();
        let held = Held { key: Key::Guid(1), record: record.as_object().unwrap().clone() };
        let version = mart.read(&held);
        let visit = mart.fields()[schema.position("visit_time").unwrap()].clone().unwrap_or_default();
        (version, String::from_utf8(visit.into()).unwrap())
    }

    fn with(name: &str, value: Value) -> Value {
        let mut record = slot();
        record[name] = value;
        record
    }

    #[test]
    fn the_marts_own_additions_and_ways_of_writing_are_no_difference() {
        let sent = read(&slot(), VisitTimeZone::Source).0.fingerprint;
        for same in [
            with("update_ts", json!("2024-01-01T00:00:00")),
            with("duration", json!("20")),
            with("id", json!("AAAAAAA1-5EFF-49B8-9D07-FF2486162B3F")),
            with("create_ts", json!("2023-10-01 09:00:00.000")),
            with("create_ts", json!("2023-10-01T09:00:00Z")),
            with("visit_time", json!("2024-03-28T05:00:00+00:00")),
            with("tag_type", json!(["EPGU"])),
        ] {
            assert_eq!(read(&same, VisitTimeZone::Source).0.fingerprint, sent, "{same}");
        }
        assert_ne!(read(&with("status", json!("BLOCKED")), VisitTimeZone::Source).0.fingerprint, sent);
    }

    #[test]
    fn a_visit_reads_back_as_it_was_sent_on_every_clock() {
        for (zone, text) in [
            (VisitTimeZone::Source, "2024-03-28T05:00:00"),
            (VisitTimeZone::Utc, "2024-03-28T05:00:00"),
            (VisitTimeZone::Offset, "2024-03-28T05:00:00+05:00"),
        ] {
            let (_, visit) = read(&with("visit_time", json!(text)), zone);
            assert_eq!(visit, format!("\"{text}\""), "{zone:?}");
        }
        let same_moment = with("visit_time", json!("2024-03-28T00:00:00Z"));
        assert_eq!(read(&same_moment, VisitTimeZone::Offset).1, "\"2024-03-28T05:00:00+05:00\"");
    }

    #[test]
    fn the_moment_of_a_visit_is_known_on_every_clock() {
        let expires = |zone| read(&slot(), zone).0.record.unwrap().expires;
        assert_eq!(expires(VisitTimeZone::Utc), Some(1_711_602_000));
        assert_eq!(expires(VisitTimeZone::Source), Some(1_711_602_000 - 5 * 3600));
    }

    #[test]
    fn a_record_that_our_checks_refuse_is_another_content_and_keeps_its_key() {
        let refused = read(&with("status", json!("FREE")), VisitTimeZone::Source).0;
        assert_ne!(refused.fingerprint, read(&slot(), VisitTimeZone::Source).0.fingerprint);
        assert!(refused.record.is_some_and(|record| record.parents.iter().all(Option::is_some)));
        let other = read(&with("status", json!({"code": 1})), VisitTimeZone::Source).0;
        assert_ne!(other.fingerprint, refused.fingerprint);
    }
}
