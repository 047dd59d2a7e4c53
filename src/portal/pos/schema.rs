//! Tables 5, 7 and 9: polls, votings, and the objects that are voted on.
//!
//! - Fields go in the order of the tables. `external_linked_activity_id` is missing from table 5 and printed in both of its samples: it is
//!   taken for polls too.
//! - `level` is `string(255)` with two values; other spellings of them are translated.
//! - `mun_oktmo` is mandatory for the municipal level and optional for the regional one. One that does not begin with `reg_oktmo` is sent
//!   all the same, with a warning of `check`: the document's own samples break it. Longer codes are cut to what the tables ask for.
//! - `pos_id` is no field of the tables: it is the id that POS gave to what was made there before.
//! - `date timestamp` is seconds since 1970 in UTC, as the examples have it; `integer(9)` is at most nine digits.
//! - A voting goes before the objects that name it in `external_voting_id`.

use crate::record::{Condition, Edge, Expiry, Field, Hold, Kind, Schema, Unit, may, must, must_if, remote_id};

/// The three feeds, votings before their objects.
pub static SCHEMAS: &[&Schema] = &[&POLL, &VOTING, &VOTING_OBJECT];

/// The feed of objects' votings.
const VOTING_FEED: &str = "voting";
/// Characters of an id of the hospital's own system: a number or a GUID.
const ID: usize = 36;
const TITLE: usize = 500;
const DESCRIPTION: usize = 2000;
const NOTE: usize = 255;
/// `integer(9)`.
const COUNT: Kind = Kind::Int { min: 0, max: 999_999_999 };

const REGIONAL: &str = "Региональный";
const MUNICIPAL: &str = "Муниципальный";
const LEVEL: Kind = Kind::EnumWithAliases(
    &[REGIONAL, MUNICIPAL],
    &[
        ("региональный", REGIONAL),
        ("РЕГИОНАЛЬНЫЙ", REGIONAL),
        ("regional", REGIONAL),
        ("муниципальный", MUNICIPAL),
        ("МУНИЦИПАЛЬНЫЙ", MUNICIPAL),
        ("municipal", MUNICIPAL),
    ],
);
const OF_A_MUNICIPALITY: Condition = Condition { field: "level", values: &[MUNICIPAL] };

const TITLE_FIELD: Field = must("title", Kind::Text(TITLE));
const DESCRIPTION_FIELD: Field = may("description", Kind::Text(DESCRIPTION));
const KEY_FIELD: Field = must("external_id", Kind::IdText(ID));
const PARTICIPANTS_FIELD: Field = must("participants_count", COUNT);
const LEVEL_FIELD: Field = must("level", LEVEL);
const REGION_FIELD: Field = must("reg_oktmo", Kind::Oktmo(2));
const MUNICIPALITY_FIELD: Field = must_if(OF_A_MUNICIPALITY, "mun_oktmo", Kind::Oktmo(8));
const LINKED_FIELD: Field = may("external_linked_activity_id", Kind::IdText(ID));
const START_FIELD: Field = may("start_date", Kind::Epoch);
const END_FIELD: Field = may("end_date", Kind::EpochEnd);
const NOTE_FIELD: Field = may("service_info", Kind::Text(NOTE));
const ID_FIELD: Field = remote_id("pos_id", Kind::Identifier(64));

/// A feed as all three are: without units, places and an end.
const fn feed(feed: &'static str, table: &'static str, fields: &'static [Field], parents: &'static [Edge]) -> Schema {
    Schema {
        feed,
        table,
        fields,
        key: "external_id",
        discriminator: None,
        parents,
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
        shown: &["external_id", "external_linked_activity_id", "external_voting_id", "pos_id"],
    }
}

static POLL: Schema = feed(
    "poll",
    "таблица 5",
    &[
        TITLE_FIELD,
        DESCRIPTION_FIELD,
        KEY_FIELD,
        PARTICIPANTS_FIELD,
        REGION_FIELD,
        MUNICIPALITY_FIELD,
        LEVEL_FIELD,
        START_FIELD,
        END_FIELD,
        NOTE_FIELD,
        LINKED_FIELD,
        ID_FIELD,
    ],
    &[],
);

static VOTING: Schema = feed(
    VOTING_FEED,
    "таблица 7",
    &[
        TITLE_FIELD,
        DESCRIPTION_FIELD,
        KEY_FIELD,
        PARTICIPANTS_FIELD,
        LEVEL_FIELD,
        REGION_FIELD,
        MUNICIPALITY_FIELD,
        LINKED_FIELD,
        START_FIELD,
        END_FIELD,
        NOTE_FIELD,
        ID_FIELD,
    ],
    &[],
);

static VOTING_OBJECT: Schema = feed(
    "voting_object",
    "таблица 9",
    &[
        TITLE_FIELD,
        DESCRIPTION_FIELD,
        KEY_FIELD,
        may("external_voting_id", Kind::IdText(ID)),
        PARTICIPANTS_FIELD,
        must("votes_for", COUNT),
        LEVEL_FIELD,
        REGION_FIELD,
        MUNICIPALITY_FIELD,
        LINKED_FIELD,
        must("is_winner", Kind::Bool),
        START_FIELD,
        END_FIELD,
        NOTE_FIELD,
        ID_FIELD,
    ],
    &[Edge { field: "external_voting_id", feed: VOTING_FEED, hold: Hold::AcceptedIfOurs }],
);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono_tz::Tz;

    use super::*;
    use crate::record::{Cell, EncodeSettings, Encoder, Key, Presence, RowChunk, VisitTimeZone};

    /// `!` mandatory, `?` optional, `+` mandatory for the municipal level, `@` not sent.
    fn outline(schema: &Schema) -> String {
        let presence = |field: &Field| match field.presence {
            Presence::Mandatory => '!',
            Presence::Optional => '?',
            Presence::MandatoryIf(condition) if condition == OF_A_MUNICIPALITY => '+',
            Presence::RemoteId => '@',
            other => panic!("no table has {other:?}"),
        };
        let fields: Vec<_> = schema.fields.iter().map(|field| format!("{}{}", field.name, presence(field))).collect();
        fields.join(" ")
    }

    #[test]
    fn fields_and_their_presence_are_those_of_the_tables() {
        let tables = [
            "title! description? external_id! participants_count! reg_oktmo! mun_oktmo+ level! start_date? end_date? service_info? \
             external_linked_activity_id? pos_id@",
            "title! description? external_id! participants_count! level! reg_oktmo! mun_oktmo+ external_linked_activity_id? \
             start_date? end_date? service_info? pos_id@",
            "title! description? external_id! external_voting_id? participants_count! votes_for! level! reg_oktmo! mun_oktmo+ \
             external_linked_activity_id? is_winner! start_date? end_date? service_info? pos_id@",
        ];
        for (schema, table) in SCHEMAS.iter().zip(tables) {
            assert_eq!(outline(schema), table, "{}", schema.feed);
        }
    }

    /// The body of a poll of these values, or the fields that break a rule.
    fn encoded(changes: &[(&str, &str)]) -> Result<(Key, String), Vec<String>> {
        let mut row = BTreeMap::from([
            ("title", "Опрос"),
            ("external_id", "4"),
            ("participants_count", "100"),
            ("reg_oktmo", "78"),
            ("level", REGIONAL),
        ]);
        row.extend(changes.iter().copied());
        let columns: Vec<&str> = row.keys().copied().collect();
        let settings = EncodeSettings {
            zone: Tz::Europe__Moscow,
            visit_time_zone: VisitTimeZone::Source,
            defaults: BTreeMap::new(),
            salt: None,
        };
        let mut encoder = Encoder::bind(&POLL, &columns, &settings).unwrap();
        let mut chunk = RowChunk::default();
        chunk.reset(columns.len());
        row.values().for_each(|value| chunk.push(if value.is_empty() { Cell::Null } else { Cell::Text(value) }));
        let Some(row) = chunk.rows().next() else { panic!("one row") };
        match encoder.encode(row) {
            true => Ok((encoder.key().unwrap(), String::from_utf8(encoder.body().to_vec()).unwrap())),
            false => Err(encoder.violations().iter().map(|broken| broken.field.to_string()).collect()),
        }
    }

    #[test]
    fn lengths_counts_and_codes_are_bounded_as_printed() {
        let long = |length: usize| "я".repeat(length);
        for (field, value) in [
            ("title", long(501)),
            ("title", String::new()),
            ("description", long(2001)),
            ("external_id", "1".repeat(37)),
            ("participants_count", "1000000000".into()),
            ("participants_count", "-1".into()),
            ("reg_oktmo", "7".into()),
            ("reg_oktmo", "780".into()),
            ("mun_oktmo", "7870100".into()),
            ("mun_oktmo", "787010000".into()),
            ("mun_oktmo", "7870100000x".into()),
            ("pos_id", "36 или 37".into()),
            ("level", "Федеральный".into()),
            ("service_info", long(256)),
            ("external_linked_activity_id", "1".repeat(37)),
            ("start_date", "вчера".into()),
        ] {
            assert_eq!(encoded(&[(field, &value)]), Err(vec![field.to_owned()]), "{field}");
        }
        for (field, value) in [
            ("title", long(500)),
            ("description", long(2000)),
            ("participants_count", "999999999".into()),
            ("service_info", long(255)),
            ("mun_oktmo", "78701000".into()),
        ] {
            assert!(encoded(&[(field, &value)]).is_ok(), "{field}");
        }
    }

    #[test]
    fn a_poll_that_ends_on_a_date_ends_with_that_day() {
        let (_, body) = encoded(&[("start_date", "2024-03-28"), ("end_date", "2024-03-28")]).unwrap();
        // Midnight, and one second before the next one, in Moscow.
        assert!(body.contains(r#""start_date":1711573200"#) && body.contains(r#""end_date":1711659599"#), "{body}");
    }

    #[test]
    fn a_municipality_is_named_exactly_when_the_level_asks_for_it() {
        assert_eq!(encoded(&[("level", "муниципальный")]), Err(vec!["mun_oktmo".to_owned()]));
        let (_, body) = encoded(&[("level", "municipal"), ("mun_oktmo", "45352000")]).unwrap();
        assert!(body.contains(r#""mun_oktmo":"45352000","level":"Муниципальный""#), "{body}");
        assert!(encoded(&[]).is_ok());
    }

    #[test]
    fn a_whole_code_is_cut_to_what_the_tables_ask_for() {
        for code in ["45352000", "45352000101"] {
            let (_, body) = encoded(&[("reg_oktmo", code), ("mun_oktmo", code)]).unwrap();
            assert!(body.contains(r#""reg_oktmo":"45","mun_oktmo":"45352000""#), "{body}");
        }
    }

    #[test]
    fn the_portals_own_id_is_no_part_of_the_record() {
        assert_eq!(encoded(&[("pos_id", "36")]), encoded(&[]));
    }

    #[test]
    fn digits_that_are_no_seconds_are_refused_by_the_columns_name() {
        for digits in ["20210425", "25042021", "20210425120000", "202104", "946684799", "0", "-5", "1619384400000"] {
            for field in ["start_date", "end_date"] {
                assert_eq!(encoded(&[(field, digits)]), Err(vec![field.to_owned()]), "{digits}");
            }
        }
        for seconds in ["946684800", "1619384400", "1619384400.0"] {
            assert!(encoded(&[("start_date", seconds)]).is_ok(), "{seconds}");
        }
    }

    #[test]
    fn dates_are_seconds_in_universal_time() {
        let (_, body) = encoded(&[("start_date", "2021-04-26T00:00:00"), ("end_date", "1629381280")]).unwrap();
        assert!(body.contains(r#""start_date":1619384400,"end_date":1629381280"#), "{body}");
    }

    #[test]
    fn a_key_may_be_a_number_or_a_guid_and_is_the_one_that_an_operator_types() {
        for id in ["342345", "123e4567-e89b-12d3-a456-426614174000"] {
            let (key, _) = encoded(&[("external_id", id)]).unwrap();
            assert_eq!((key.to_string().as_str(), &key), (id, &Key::parse(id)));
        }
    }
}
