//! The two tables of the document: modules («Добавление и изменение информации о модуле») and results («Результаты прохождения
//! обучения»), flat as a view's columns are.
//!
//! - The document names no lengths. Those here only keep senseless values at home.
//! - `organization` is an object of two fields on the wire; as columns they are `organization_inn` and `organization_name`.
//! - `url`, `type`, `kind` and the organisation may be set for the whole platform in the portal's own settings: optional here.
//! - `actual` is no business of a creation; of an update it is false when a module is withdrawn.
//! - A result has no id of its own in the document: the key is a column `id`, which is not sent, or made of module, SNILS and pin.

use crate::record::{Condition, Edge, Expiry, Field, Hold, Kind, Schema, Unit, may, may_if, must, only_if};

/// The two feeds, parents before children.
pub static SCHEMAS: &[&Schema] = &[&MODULE, &RESULT];

/// The modules' feed.
pub const MODULE_FEED: &str = "module";

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
        must("module_id", Kind::Text(ID)),
        must("name", Kind::Text(NAME)),
        must("description", Kind::Text(LONG)),
        must("annotation", Kind::Text(LONG)),
        may("actual", Kind::Bool),
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
    ],
    key: "module_id",
    discriminator: None,
    parents: &[],
    unit: Unit::None,
    expires: Expiry::Never,
    place: &[],
    status: None,
    spare: &[],
    cascades: &[],
    urgent: false,
    derived_key: &[],
};

static RESULT: Schema = Schema {
    feed: "result",
    table: "Результаты прохождения обучения",
    fields: &[
        may("id", Kind::Text(ID)),
        must("module_id", Kind::Text(ID)),
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
    cascades: &[],
    urgent: false,
    derived_key: &["module_id", "snils", "pin"],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Presence;

    /// One sign a presence: `!` mandatory, `?` optional, `=field:values` only then, `~field:values` optional then.
    fn outline(schema: &Schema) -> String {
        let under = |condition: Condition| format!("{}:{}", condition.field, condition.values.join("|"));
        let presence = |presence| match presence {
            Presence::Mandatory => "!".to_owned(),
            Presence::Optional => "?".to_owned(),
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
            "module_id! name! description! annotation! actual? available_from? available_to? hours! is_paid! \
             price=is_paid:true info_url? url? type? kr_name~type:iomKR kr_develop_year~type:iomKR \
             kr_review_year~type:iomKR kind? organization_inn? organization_name? specialities!"
        );
        assert_eq!(
            outline(&RESULT),
            "id? module_id! snils! pin! status! status_date! result_mark=status:failed|completed \
             result_percentage~status:failed|completed completion_percentage~status:in_progress \
             certificate_number~status:completed"
        );
    }

    #[test]
    fn a_result_hangs_on_its_module_and_makes_its_key_of_fields_that_it_has() {
        let [edge] = RESULT.parents else { panic!("one parent") };
        assert_eq!((edge.field, edge.feed, edge.hold), ("module_id", MODULE.feed, Hold::AcceptedIfOurs));
        assert!(RESULT.derived_key.iter().all(|name| RESULT.position(name).is_some()));
        assert!(SCHEMAS.iter().all(|schema| schema.position(schema.key).is_some()));
    }
}
