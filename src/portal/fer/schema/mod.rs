//! The tables of appendix 1, one file each, field by field in the document's order.
//!
//! Where the document is of two minds, the file of the table says what was decided and why. Everywhere: `update_ts` and
//! `post_name` are not sent (the document withdraws them), and a table that gives no length gets [`UNSIZED`].

mod book;
mod mo;
mod profilecode_resource;
mod referral;
mod resource;
mod service;
mod slot;
mod unaccessable_period;

use crate::record::{Edge, Hold, Schema};

/// The eight feeds, parents before children.
pub static SCHEMAS: &[&Schema] = &[
    &mo::SCHEMA,
    &resource::SCHEMA,
    &service::SCHEMA,
    &profilecode_resource::SCHEMA,
    &unaccessable_period::SCHEMA,
    &slot::SCHEMA,
    &referral::SCHEMA,
    &book::SCHEMA,
];

/// The same feeds with the referrals of the chapter on booking by referral.
static BY_SCENARIO: &[&Schema] = &[
    &mo::SCHEMA,
    &resource::SCHEMA,
    &service::SCHEMA,
    &profilecode_resource::SCHEMA,
    &unaccessable_period::SCHEMA,
    &slot::SCHEMA,
    &referral::SCENARIO,
    &book::SCHEMA,
];

/// Which part of the document says what a referral must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReferralRequired {
    /// Table 8, what it calls «Да».
    #[default]
    Table,
    /// The chapter on booking by referral, what it calls obligatory.
    Scenario,
}

/// The eight feeds of a gateway with this setting.
pub fn schemas(referral_required: ReferralRequired) -> &'static [&'static Schema] {
    match referral_required {
        ReferralRequired::Table => SCHEMAS,
        ReferralRequired::Scenario => BY_SCENARIO,
    }
}

/// The slots' feed.
const SLOT: &str = "slot";

/// Characters of an identifier or a code: `string(45)`.
const ID: usize = 45;
/// Characters of a name or an address: `string(512)`.
const NAME: usize = 512;
/// For texts whose length the document leaves open: the largest that it names anywhere.
const UNSIZED: usize = 512;

/// Who is received: tables 1 and 2.
const ENABLED: &[&str] = &["ATTACHED_MO", "ATTACHED_REG", "ALL", "NONE"];

/// A child that needs its parent on the mart.
const fn needs(field: &'static str, feed: &'static str) -> Edge {
    Edge { field, feed, hold: Hold::Accepted }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::record::{Expiry, Kind, Presence, Unit};

    fn named(feed: &str) -> &'static Schema {
        SCHEMAS.iter().find(|schema| schema.feed == feed).unwrap()
    }

    /// One letter a presence: `!` mandatory, `?` optional, `=X` only when, `+X` mandatory when.
    fn outline(schema: &Schema) -> String {
        let presence = |presence| match presence {
            Presence::Mandatory => "!".to_owned(),
            Presence::Optional => "?".to_owned(),
            Presence::OnlyWhen(value) => format!("={value}"),
            Presence::MandatoryWhen(value) => format!("+{value}"),
            other => panic!("no table of the document has {other:?}"),
        };
        let fields: Vec<_> =
            schema.fields.iter().map(|field| format!("{}{}", field.name, presence(field.presence))).collect();
        fields.join(" ")
    }

    #[test]
    fn fields_and_their_presence_are_those_of_the_appendix() {
        let tables = [
            (
                "mo",
                "id! parent_id! branch_oid! name! address! address_fias_guid? region_okato? phone? enabled! create_ts! tag_age!",
            ),
            (
                "resource",
                "id! type! mo_id! enabled! create_ts! post_id=SPECIALIST speciality_id=SPECIALIST snils=SPECIALIST \
                 last_name=SPECIALIST first_name=SPECIALIST middle_name? description? machine_name=MACHINE room_number=ROOM \
                 room_name=ROOM",
            ),
            ("service", "id! resource_id! code! price? create_ts!"),
            ("profilecode_resource", "id! resource_id! profile_code! create_ts!"),
            ("unaccessable_period", "period_id! resource_id! reason! beg_date! end_date! create_ts!"),
            ("slot", "id! mo_id! resource_id! tag_type! tag_age! visit_time! duration! status! create_ts!"),
            (
                "referral",
                "id! patient_id! speciality_id+CONSULTATION number! type! start_date! end_date? to_mo_id! to_profile_code! \
                 to_post_name+CONSULTATION to_service_id+RESEARCH to_service_name? from_mo_id? from_resource_id! status! create_ts! \
                 to_resource_id? from_referral_id? from_rmis_id? referral_type_code! to_mo_oid! from_mo_oid! from_mnemonic_code?",
            ),
            ("book", "id! patient_id! slot_id! status_code! tag_source! type! referral_id? create_ts!"),
        ];
        for (feed, fields) in tables {
            assert_eq!(outline(named(feed)), fields, "{feed}");
        }
        assert_eq!(SCHEMAS.len(), tables.len());
    }

    #[test]
    fn the_scenario_asks_of_a_referral_for_what_the_page_needs_alone() {
        let scenario = schemas(ReferralRequired::Scenario).iter().find(|schema| schema.feed == "referral").unwrap();
        assert_eq!(
            outline(scenario),
            "id! patient_id! speciality_id+CONSULTATION number? type! start_date! end_date? to_mo_id! to_profile_code! \
             to_post_name+CONSULTATION to_service_id+RESEARCH to_service_name+RESEARCH from_mo_id? from_resource_id? status! \
             create_ts? to_resource_id? from_referral_id? from_rmis_id? referral_type_code? to_mo_oid? from_mo_oid? \
             from_mnemonic_code?"
        );
        let names = |schemas: &[&Schema]| schemas.iter().map(|schema| schema.feed).collect::<Vec<_>>();
        assert_eq!(names(schemas(ReferralRequired::Scenario)), names(SCHEMAS));
    }

    #[test]
    fn every_name_that_a_schema_mentions_is_a_field_of_it() {
        for schema in SCHEMAS {
            let edges = schema.parents.iter().map(|edge| edge.field);
            let unit = match schema.unit {
                Unit::Field(field) | Unit::FieldIfOurs(field) | Unit::OfParent(field) => Some(field),
                Unit::Itself | Unit::None => None,
            };
            let expiry = match schema.expires {
                Expiry::At(field) | Expiry::WithParent(field) => Some(field),
                Expiry::Never => None,
            };
            let mentioned = [Some(schema.key), schema.discriminator, schema.status, unit, expiry].into_iter().flatten();
            for name in mentioned.chain(edges).chain(schema.place.iter().copied()) {
                assert!(schema.position(name).is_some(), "{}.{name}", schema.feed);
            }
            let names: HashSet<_> = schema.fields.iter().map(|field| field.name).collect();
            assert_eq!(names.len(), schema.fields.len(), "{}", schema.feed);
        }
    }

    #[test]
    fn parents_come_before_children_and_units_and_expiries_follow_an_edge() {
        let mut seen = HashSet::new();
        for schema in SCHEMAS {
            assert!(schema.parents.iter().all(|edge| seen.contains(edge.feed)), "{}", schema.feed);
            let edges: Vec<_> = schema.holding_edges().map(|edge| edge.field).collect();
            assert!(edges.len() <= 2, "{}", schema.feed);
            if let Unit::OfParent(field) = schema.unit {
                assert!(edges.contains(&field), "{}", schema.feed);
            }
            if let Expiry::WithParent(field) = schema.expires {
                assert!(edges.contains(&field), "{}", schema.feed);
            }
            seen.insert(schema.feed);
        }
    }

    #[test]
    fn keys_are_guids_and_conditions_name_values_of_the_discriminator() {
        for schema in SCHEMAS {
            let kind_of = |name| schema.position(name).map(|at| schema.fields[at].kind);
            assert_eq!(kind_of(schema.key), Some(Kind::Guid), "{}", schema.feed);
            let values = match schema.discriminator.and_then(kind_of) {
                Some(Kind::Enum(values)) => values,
                _ => &[],
            };
            for field in schema.fields {
                if let Presence::OnlyWhen(value) | Presence::MandatoryWhen(value) = field.presence {
                    assert!(values.contains(&value), "{}.{}", schema.feed, field.name);
                }
            }
        }
    }

    #[test]
    fn a_book_that_took_place_waits_for_its_slot_to_be_recorded() {
        let [slot, referral] = named("book").parents else { panic!("two parents") };
        let Hold::AcceptedAs { status, field, values } = slot.hold else { panic!("{:?}", slot.hold) };
        assert_eq!((status, field, values), ("RECORDED", "status_code", ["5000", "5020", "5030"].as_slice()));
        assert_eq!((referral.feed, referral.hold), ("referral", Hold::AcceptedIfOurs));
        assert_eq!(named("slot").status, Some("status"));
    }

    #[test]
    fn another_hospitals_units_and_resources_hold_no_referral_back() {
        assert_eq!(named("referral").holding_edges().count(), 0);
        assert_eq!(named("referral").parents.len(), 4);
    }

    #[test]
    fn cascades_are_those_of_the_document() {
        assert_eq!(named("mo").cascades, ["resource", "slot", "book", "service"]);
        assert_eq!(named("resource").cascades, ["slot", "book", "service"]);
        assert_eq!(named("slot").cascades, ["book"]);
        assert_eq!(SCHEMAS.iter().filter(|schema| !schema.cascades.is_empty()).count(), 3);
    }
}
