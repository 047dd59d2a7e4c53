//! The table of `sout.training`: a record of the set that the register of training takes, by its published schema (1.0.9). The names are those
//! of the source's columns; how they stand in the set is told in `set.rs`.

use crate::record::{Condition, Expiry, Kind, Schema, Unit, may, may_if, must};

/// Most characters of a name, a title, a number. The published schema has no limits; a text above these is surely no such thing.
const NAME: usize = 250;
const TITLE: usize = 1000;
/// Most characters of an id that another system gives.
const ID: usize = 100;

/// A worker insured in Russia; a view without the column says nothing else.
const NATIVE: Condition = Condition { field: "is_foreign_snils", values: &["", "false"] };
const FOREIGN: Condition = Condition { field: "is_foreign_snils", values: &["true"] };

/// The programmes of training by their numbers in the register. There is no fifth.
pub(super) const PROGRAMS: &[i64] =
    &[1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29];

/// All feeds of the portal.
pub static SCHEMAS: &[&Schema] = &[&TRAINING];

/// A worker's test in one programme. Who was trained in several is several records.
pub static TRAINING: Schema = Schema {
    feed: "training",
    table: "RegistryRecord of the published schema 1.0.9",
    fields: &[
        must("outer_id", Kind::Identifier(ID)),
        must("last_name", Kind::Text(NAME)),
        must("first_name", Kind::Text(NAME)),
        // The element must be there and may be empty: not everybody has a patronymic.
        may("middle_name", Kind::Text(NAME)),
        may_if(NATIVE, "snils", Kind::PrintedSnils),
        may("is_foreign_snils", Kind::Bool),
        may_if(FOREIGN, "foreign_snils", Kind::Text(NAME)),
        may("citizenship", Kind::Text(NAME)),
        must("position", Kind::Text(TITLE)),
        must("employer_inn", Kind::Inn),
        must("employer_title", Kind::Text(TITLE)),
        may("organization_unit_id", Kind::Int { min: 1, max: i32::MAX as i64 }),
        must("organization_inn", Kind::Inn),
        must("organization_title", Kind::Text(TITLE)),
        must("test_date", Kind::Date),
        must("protocol_number", Kind::Text(NAME)),
        must("learn_program_id", Kind::IntEnum(PROGRAMS)),
        // The portal's own catalogue knows better; the column serves while that cannot be read.
        may("learn_program_title", Kind::Text(TITLE)),
        must("is_passed", Kind::Bool),
    ],
    key: "outer_id",
    discriminator: None,
    parents: &[],
    unit: Unit::None,
    expires: Expiry::Never,
    place: &[],
    status: None,
    spare: &[],
    yields: &[],
    cascades: &[],
    urgent: false,
    persons: true,
    derived_key: &[],
    shown: &["outer_id", "learn_program_title"],
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;
    use crate::record::{Cell, EncodeSettings, Encoder, RowChunk, Rule, VisitTimeZone};

    /// A sound row, less and with some columns; its body, or the fields that break rules.
    fn encode(changes: &[(&'static str, Cell<'static>)]) -> Result<Value, Vec<(String, Rule)>> {
        let mut row = BTreeMap::from([
            ("outer_id", Cell::Text("2f1-7")),
            ("last_name", Cell::Text("Петрова")),
            ("first_name", Cell::Text("Анна")),
            ("snils", Cell::Text("11223344595")),
            ("position", Cell::Text("врач")),
            ("employer_inn", Cell::Text("7707083893")),
            ("employer_title", Cell::Text("ООО «Ромашка»")),
            ("organization_inn", Cell::Text("7707083893")),
            ("organization_title", Cell::Text("УЦ")),
            ("test_date", Cell::Text("02.10.2026")),
            ("protocol_number", Cell::Text("17/2")),
            ("learn_program_id", Cell::Int(4)),
            ("is_passed", Cell::Int(1)),
        ]);
        row.extend(changes.iter().copied());
        let columns: Vec<&str> = row.keys().copied().collect();
        let settings = EncodeSettings {
            zone: chrono_tz::Tz::UTC,
            visit_time_zone: VisitTimeZone::Source,
            defaults: BTreeMap::new(),
            salt: None,
        };
        let mut encoder = Encoder::bind(&TRAINING, &columns, &settings).unwrap();
        let mut chunk = RowChunk::default();
        chunk.reset(columns.len());
        row.values().for_each(|cell| chunk.push(*cell));
        match encoder.encode(chunk.rows().next().unwrap()) {
            true => Ok(serde_json::from_slice(encoder.body()).unwrap()),
            false => Err(encoder.violations().iter().map(|broken| (broken.field.to_string(), broken.rule)).collect()),
        }
    }

    #[test]
    fn a_sound_row_is_written_in_the_registers_forms() {
        let body = encode(&[]).unwrap();
        assert_eq!(body["snils"], "112-233-445 95");
        assert_eq!(body["test_date"], "2026-10-02");
        assert_eq!((&body["learn_program_id"], &body["is_passed"]), (&Value::from(4), &Value::from(true)));
        assert!(body.get("middle_name").is_none());
    }

    #[test]
    fn each_rule_of_the_schema_is_broken_by_its_field() {
        for (field, cell, rule) in [
            ("outer_id", Cell::Text("2f1_7"), Rule::Characters),
            ("outer_id", Cell::Null, Rule::Mandatory),
            ("last_name", Cell::Text(" "), Rule::Mandatory),
            ("snils", Cell::Text("112-233-445 96"), Rule::Snils),
            ("employer_inn", Cell::Text("1313123131"), Rule::Inn),
            ("organization_inn", Cell::Null, Rule::Mandatory),
            ("test_date", Cell::Text("2026-02-30"), Rule::Date),
            ("learn_program_id", Cell::Int(5), Rule::Enum),
            ("learn_program_id", Cell::Int(30), Rule::Enum),
            ("is_passed", Cell::Text("maybe"), Rule::Boolean),
            ("organization_unit_id", Cell::Int(0), Rule::Range),
        ] {
            assert_eq!(encode(&[(field, cell)]), Err(vec![(field.to_owned(), rule)]), "{field}");
        }
    }

    #[test]
    fn a_worker_insured_abroad_has_a_number_of_there_and_none_of_ours() {
        let foreign = [("is_foreign_snils", Cell::Bool(true)), ("citizenship", Cell::Text("Узбекистан"))];
        assert!(encode(&foreign).unwrap().get("foreign_snils").is_none(), "the published schema has it optional");
        assert!(encode(&[("snils", Cell::Null)]).unwrap().get("snils").is_none(), "and this one too");
        let body = encode(&[foreign.as_slice(), &[("foreign_snils", Cell::Text("A-77"))]].concat()).unwrap();
        assert_eq!(body["foreign_snils"], "A-77");
        assert!(body.get("snils").is_none());
        let body = encode(&[("is_foreign_snils", Cell::Bool(false)), ("foreign_snils", Cell::Text("A-77"))]).unwrap();
        assert!(body.get("foreign_snils").is_none());
    }
}
