//! The two tables of the document: modules («Добавление и изменение информации о модуле») and results («Результаты прохождения
//! обучения»), flat as a view's columns are.
//!
//! - The document names no lengths. Those here only keep senseless values at home.
//! - `organization` is an object of two fields on the wire; as columns they are `organization_inn` and `organization_name`.
//! - `url`, `type`, `kind` and the organisation may be set for the whole platform in the portal's own settings: optional here.
//! - `actual` is no business of a creation; of an update it is false when a module is withdrawn, and then everything else is ignored.
//! - `description` and `annotation` are mandatory, and empty in the document's own sample.
//! - `version` is ours: the document sends changed content to another evaluation, and only this column tells that it has changed.
//! - A result has no id of its own in the document: the key is a column `id`, which is not sent, or made of module, SNILS and pin.

use crate::record::{
    Condition, Edge, Expiry, Field, Hold, Kind, Schema, Unit, may, may_if, must, only_if, or_empty, withdraws,
};

/// The two feeds, parents before children.
pub static SCHEMAS: &[&Schema] = &[&MODULE, &RESULT];

/// The modules' feed.
pub const MODULE_FEED: &str = "module";

/// The column that says which version of its content a module has. Part of the fingerprint and not of the wire.
pub(super) const VERSION: &str = "version";

const ID: usize = 255;
const NAME: usize = 1000;
const ADDRESS: usize = 2000;
const LONG: usize = 20_000;

const KINDS: &[&str] = &[
    "eduFilm",
    "eok",
    "interSituationTask",
    "lecture",
    "onlineSimulator",
    "onlineTrainer",
    "recFullTimeEduEvent",
    "simulationGame",
];

/// Where a specialist stands with a module.
const STATUSES: &[&str] = &["started", "in_progress", "finished", "failed", "completed"];

/// Specialities as the portal spells them; before version 1.8 of the document `university` was `high`.
const SPECIALITY: &[Field] = &[
    must("level", Kind::EnumWithAliases(&["university", "middle_spec"], &[("high", "university")])),
    must("name", Kind::Text(NAME)),
    must("main", Kind::Bool),
];

const YEAR: Kind = Kind::Int { min: 1950, max: 2150 };
const PERCENT: Kind = Kind::Int { min: 0, max: 100 };

const PAID: Condition = Condition { field: "is_paid", values: &["true"] };
const GUIDELINES: Condition = Condition { field: "type", values: &["iomKR"] };
const MARKED: Condition = Condition { field: "status", values: &["failed", "completed"] };
const UNDER_WAY: Condition = Condition { field: "status", values: &["in_progress"] };
const COMPLETED: Condition = Condition { field: "status", values: &["completed"] };

static MODULE: Schema = Schema {
    feed: MODULE_FEED,
    table: "Добавление и изменение информации о модуле",
    fields: &[
        must("module_id", Kind::IdText(ID)),
        must("name", Kind::Text(NAME)),
        or_empty("description", Kind::Text(LONG)),
        or_empty("annotation", Kind::Text(LONG)),
        withdraws("actual"),
        may("available_from", Kind::Date),
        may("available_to", Kind::Date),
        must("hours", Kind::Int { min: 1, max: 10_000 }),
        must("is_paid", Kind::Bool),
        only_if(PAID, "price", Kind::Number),
        may("info_url", Kind::Text(ADDRESS)),
        may("url", Kind::Text(ADDRESS)),
        may("type", Kind::Enum(&["iomT", "iomKR"])),
        may_if(GUIDELINES, "kr_name", Kind::Text(NAME)),
        may_if(GUIDELINES, "kr_develop_year", YEAR),
        may_if(GUIDELINES, "kr_review_year", YEAR),
        may("kind", Kind::Enum(KINDS)),
        may("organization_inn", Kind::Inn),
        may("organization_name", Kind::Text(NAME)),
        must("specialities", Kind::Objects(SPECIALITY)),
        may(VERSION, Kind::Version),
    ],
    key: "module_id",
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
    shown: &["module_id", "version", "url"],
};

static RESULT: Schema = Schema {
    feed: "result",
    table: "Результаты прохождения обучения",
    fields: &[
        may("id", Kind::IdText(ID)),
        must("module_id", Kind::IdText(ID)),
        must("snils", Kind::Snils),
        must("pin", Kind::Text(ID)),
        must("status", Kind::Enum(STATUSES)),
        must("status_date", Kind::Date),
        only_if(MARKED, "result_mark", Kind::Int { min: 1, max: 5 }),
        may_if(MARKED, "result_percentage", PERCENT),
        may_if(UNDER_WAY, "completion_percentage", PERCENT),
        may_if(COMPLETED, "certificate_number", Kind::Text(ID)),
    ],
    key: "id",
    discriminator: None,
    parents: &[Edge { field: "module_id", feed: MODULE_FEED, hold: Hold::AcceptedIfOurs }],
    unit: Unit::None,
    expires: Expiry::Never,
    place: &[],
    status: None,
    spare: &[],
    yields: &[],
    cascades: &[],
    urgent: false,
    persons: true,
    derived_key: &["module_id", "snils", "pin"],
    shown: &["id", "module_id"],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Cell, EncodeSettings, Encoder, Presence, RowChunk, VisitTimeZone};

    /// One sign a presence: `!` mandatory, `"` mandatory and perhaps empty, `-` withdraws, `?` optional, `=field:values` only then, `~field:values` optional then.
    fn outline(schema: &Schema) -> String {
        let under = |condition: Condition| format!("{}:{}", condition.field, condition.values.join("|"));
        let presence = |presence| match presence {
            Presence::Mandatory => "!".to_owned(),
            Presence::Optional => "?".to_owned(),
            Presence::OrEmpty => "\"".to_owned(),
            Presence::Withdraws => "-".to_owned(),
            Presence::OnlyIf(condition) => format!("={}", under(condition)),
            Presence::OptionalIf(condition) => format!("~{}", under(condition)),
            other => panic!("no table of the document has {other:?}"),
        };
        let field = |field: &Field| format!("{}{}", field.name, presence(field.presence));
        schema.fields.iter().map(field).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn fields_and_their_presence_are_those_of_the_document() {
        assert_eq!(
            outline(&MODULE),
            "module_id! name! description\" annotation\" actual- available_from? available_to? hours! is_paid! \
             price=is_paid:true info_url? url? type? kr_name~type:iomKR kr_develop_year~type:iomKR \
             kr_review_year~type:iomKR kind? organization_inn? organization_name? specialities! version?"
        );
        assert_eq!(
            outline(&RESULT),
            "id? module_id! snils! pin! status! status_date! result_mark=status:failed|completed \
             result_percentage~status:failed|completed completion_percentage~status:in_progress \
             certificate_number~status:completed"
        );
    }

    const SPECIALITIES: &str = r#"[{"level":"university","name":"Терапия","main":true}]"#;

    /// A sound module, but for these cells: its body, or the fields that break rules.
    fn encoded(changed: &[(&'static str, Cell<'_>)]) -> Result<String, Vec<String>> {
        let sound = [
            ("module_id", Cell::Text("A")),
            ("name", Cell::Text("Н")),
            ("description", Cell::Text("О")),
            ("annotation", Cell::Text("А")),
            ("actual", Cell::Null),
            ("hours", Cell::Int(2)),
            ("is_paid", Cell::Bool(false)),
            ("specialities", Cell::Text(SPECIALITIES)),
            ("version", Cell::Null),
        ];
        let names = sound.map(|(name, _)| name);
        let settings = EncodeSettings {
            zone: chrono_tz::UTC,
            visit_time_zone: VisitTimeZone::Source,
            defaults: std::collections::BTreeMap::new(),
            salt: None,
        };
        let mut encoder = Encoder::bind(&MODULE, &names, &settings).unwrap();
        let mut chunk = RowChunk::default();
        chunk.reset(sound.len());
        for (name, cell) in sound {
            chunk.push(changed.iter().find(|(changed, _)| *changed == name).map_or(cell, |(_, cell)| *cell));
        }
        if encoder.encode(chunk.rows().next().unwrap()) {
            return Ok(String::from_utf8(encoder.body().to_vec()).unwrap());
        }
        Err(encoder.violations().iter().map(|violation| violation.field.clone().into_owned()).collect())
    }

    #[test]
    fn a_withdrawal_ignores_all_other_fields() {
        let rubbish = [
            ("name", Cell::Null),
            ("description", Cell::Bytes(b"x")),
            ("hours", Cell::Text("many")),
            ("is_paid", Cell::Int(7)),
            ("specialities", Cell::Text("[]")),
            ("version", Cell::Int(3)),
        ];
        let with = |actual| encoded(&[&rubbish[..], &[("actual", actual)]].concat());
        for no in [Cell::Bool(false), Cell::Int(0), Cell::Text("нет")] {
            assert_eq!(with(no).unwrap(), r#"{"module_id":"A","actual":false}"#);
        }
        for yes in [Cell::Bool(true), Cell::Null] {
            assert_eq!(with(yes).unwrap_err(), ["name", "description", "hours", "is_paid", "specialities"]);
        }
        assert!(with(Cell::Text("perhaps")).unwrap_err().contains(&"actual".to_owned()));
        assert_eq!(encoded(&[("actual", Cell::Bool(false)), ("module_id", Cell::Null)]).unwrap_err(), ["module_id"]);
    }

    #[test]
    fn texts_that_the_sample_prints_empty_are_sent_empty() {
        for empty in [Cell::Null, Cell::Text(""), Cell::Text(" ")] {
            let body = encoded(&[("description", empty), ("annotation", empty)]).unwrap();
            assert!(body.contains(r#""description":"","annotation":"","hours":2"#), "{body}");
        }
        assert_eq!(encoded(&[("name", Cell::Text(""))]).unwrap_err(), ["name"]);
    }

    #[test]
    fn a_version_comes_in_any_type() {
        let version = |cell| encoded(&[("version", cell)]).unwrap();
        let written = |text: &str| format!(r#","version":"{text}"}}"#);
        for (cell, text) in [
            (Cell::Int(7), "7"),
            (Cell::Text(" 2.1 "), "2.1"),
            (Cell::Bytes(&[0, 0, 7, 0xd1]), "000007d1"),
            (Cell::Instant(1_711_602_000_000_001), "1711602000000001"),
            (Cell::Date(19_000), "19000"),
        ] {
            assert!(version(cell).ends_with(&written(text)), "{}", version(cell));
        }
        assert!(!version(Cell::Null).contains("version"));
        assert_eq!(encoded(&[("version", Cell::Bytes(&[1; 200]))]).unwrap_err(), ["version"]);
    }

    #[test]
    fn a_result_hangs_on_its_module_and_makes_its_key_of_fields_that_it_has() {
        let [edge] = RESULT.parents else { panic!("one parent") };
        assert_eq!((edge.field, edge.feed, edge.hold), ("module_id", MODULE.feed, Hold::AcceptedIfOurs));
        assert!(RESULT.derived_key.iter().all(|name| RESULT.position(name).is_some()));
        assert!(SCHEMAS.iter().all(|schema| schema.position(schema.key).is_some()));
    }
}
