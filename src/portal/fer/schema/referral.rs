//! Table 8: referrals.
//!
//! - `end_date` and `from_mo_id` are marked both «Да» and «Нет»: optional, since a referral may be without end.
//! - The table and the chapter on booking by referral disagree about what is obligatory: a setting of the portal chooses.
//! - `to_service_name` is asked for by that chapter alone and missing from the table: sent when the source has it.
//! - `patient_id` is text, unlike that of a book; a GUID in any form is written canonically, so that both name one patient alike.
//! - `to_service_id` is the code of a service, not the id of one: no edge follows it.
//! - The gateway counts a referral to the unit that gives it, never to the one it leads to.
//! - Units and resources may be another hospital's, so its edges order the feeds and hold nothing back.

use super::{ID, NAME, UNSIZED};
use crate::record::{Edge, Expiry, Field, Hold, Kind, Presence, Schema, Unit, may, must, must_when};

const CONSULTATION: &str = "CONSULTATION";
const RESEARCH: &str = "RESEARCH";

const fn after(field: &'static str, feed: &'static str) -> Edge {
    Edge { field, feed, hold: Hold::OrderOnly }
}

/// What table 8 calls obligatory.
static BY_TABLE: [Field; 23] = fields(Presence::Mandatory, Presence::Optional);
/// What the chapter on booking by referral calls obligatory («Требования к услуге»); it leaves the rest optional.
static BY_SCENARIO: [Field; 23] = fields(Presence::Optional, Presence::MandatoryWhen(RESEARCH));

/// The fields. `by_table` is the presence of those that the table alone calls obligatory, `service_name` that of the one that the chapter
/// alone does.
const fn fields(by_table: Presence, service_name: Presence) -> [Field; 23] {
    [
        must("id", Kind::Guid),
        must("patient_id", Kind::GuidOrText(ID)),
        must_when(CONSULTATION, "speciality_id", Kind::IdText(ID)),
        Field { name: "number", kind: Kind::Text(ID), presence: by_table },
        must("type", Kind::Enum(&[CONSULTATION, RESEARCH])),
        must("start_date", Kind::Time),
        may("end_date", Kind::PeriodEnd),
        must("to_mo_id", Kind::Guid),
        must("to_profile_code", Kind::Text(ID)),
        must_when(CONSULTATION, "to_post_name", Kind::Text(NAME)),
        must_when(RESEARCH, "to_service_id", Kind::IdText(ID)),
        Field { name: "to_service_name", kind: Kind::Text(UNSIZED), presence: service_name },
        may("from_mo_id", Kind::Guid),
        Field { name: "from_resource_id", kind: Kind::Guid, presence: by_table },
        must("status", Kind::Enum(&["AVAILABLE", "RECORDED", "CANCELED"])),
        Field { name: "create_ts", kind: Kind::Time, presence: by_table },
        may("to_resource_id", Kind::Guid),
        may("from_referral_id", Kind::IdText(UNSIZED)),
        may("from_rmis_id", Kind::IdText(UNSIZED)),
        Field { name: "referral_type_code", kind: Kind::Text(UNSIZED), presence: by_table },
        Field { name: "to_mo_oid", kind: Kind::Oid, presence: by_table },
        Field { name: "from_mo_oid", kind: Kind::Oid, presence: by_table },
        may("from_mnemonic_code", Kind::Text(UNSIZED)),
    ]
}

/// Referrals, whose obligatory fields are those of table 8.
pub(super) static SCHEMA: Schema = schema(&BY_TABLE);
/// Referrals, whose obligatory fields are those of the chapter on booking by referral.
pub(super) static SCENARIO: Schema = schema(&BY_SCENARIO);

static PARENTS: &[Edge] = &[
    after("to_mo_id", "mo"),
    after("from_mo_id", "mo"),
    after("from_resource_id", "resource"),
    after("to_resource_id", "resource"),
];

const fn schema(fields: &'static [Field]) -> Schema {
    Schema {
        feed: "referral",
        table: "приложение 1, таблица 8",
        fields,
        key: "id",
        discriminator: Some("type"),
        parents: PARENTS,
        unit: Unit::FieldIfOurs("from_mo_id"),
        expires: Expiry::At("end_date"),
        place: &[],
        status: None,
        spare: &[],
        yields: &[],
        cascades: &[],
        urgent: false,
        persons: true,
        derived_key: &[],
        shown: &[
            "id",
            "speciality_id",
            "to_mo_id",
            "to_profile_code",
            "to_service_id",
            "from_mo_id",
            "from_resource_id",
            "to_resource_id",
            "referral_type_code",
        ],
    }
}
