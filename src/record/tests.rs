//! Tests of the pass from rows to records, over the schemas of the FER document.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::portal::fer::SCHEMAS;

mod forms;

const MO: &str = "ab7cbc4b-2e68-40d2-881b-6f957b044818";
const RESOURCE: &str = "1919135c-7c9e-4564-a8b4-29aff7adfe72";

fn schema(feed: &str) -> &'static Schema {
    SCHEMAS.iter().copied().find(|schema| schema.feed == feed).unwrap()
}

fn settings() -> EncodeSettings {
    EncodeSettings {
        zone: chrono_tz::Asia::Yekaterinburg,
        visit_time_zone: VisitTimeZone::Source,
        defaults: BTreeMap::new(),
        salt: None,
    }
}

/// What a row came to.
struct Outcome {
    body: Result<serde_json::Value, Vec<(String, Rule)>>,
    record: Option<Record>,
    bytes: Vec<u8>,
}

fn encode_with(feed: &str, row: &[(&str, Cell<'_>)], settings: &EncodeSettings) -> Outcome {
    let columns: Vec<&str> = row.iter().map(|(name, _)| *name).collect();
    let mut encoder = Encoder::bind(schema(feed), &columns, settings).unwrap();
    let mut chunk = RowChunk::default();
    chunk.reset(row.len());
    row.iter().for_each(|(_, cell)| chunk.push(*cell));
    let sound = encoder.encode(chunk.rows().next().unwrap());
    let broken = encoder.violations().iter().map(|broken| (broken.field.to_string(), broken.rule)).collect();
    let body = if sound { Ok(serde_json::from_slice(encoder.body()).unwrap()) } else { Err(broken) };
    Outcome { body, record: encoder.record(), bytes: encoder.body().to_vec() }
}

fn encode(feed: &str, row: &[(&str, Cell<'_>)]) -> Outcome {
    encode_with(feed, row, &settings())
}

fn slot<'a>() -> Vec<(&'static str, Cell<'a>)> {
    vec![
        ("id", Cell::Text("aaaaaaa1-5eff-49b8-9d07-ff2486162b3f")),
        ("mo_id", Cell::Text(MO)),
        ("resource_id", Cell::Text(RESOURCE)),
        ("tag_type", Cell::Text("EPGU")),
        ("tag_age", Cell::Text("ALL")),
        ("visit_time", Cell::Text("2024-03-28 05:00:00")),
        ("duration", Cell::Text("20")),
        ("status", Cell::Text("AVAILABLE")),
        ("create_ts", Cell::Text("01.10.2023 09:00:00")),
    ]
}

fn specialist<'a>() -> Vec<(&'static str, Cell<'a>)> {
    vec![
        ("id", Cell::Text(RESOURCE)),
        ("type", Cell::Text("SPECIALIST")),
        ("mo_id", Cell::Text(MO)),
        ("enabled", Cell::Text("ALL")),
        ("create_ts", Cell::LocalTime(1_711_602_000_000_000)),
        ("post_id", Cell::Int(110)),
        ("speciality_id", Cell::Text("49")),
        ("snils", Cell::Int(11_223_344_595)),
        ("last_name", Cell::Text("Иванов")),
        ("first_name", Cell::Text("Иван")),
        ("middle_name", Cell::Null),
        ("description", Cell::Null),
        ("machine_name", Cell::Text("Рентген")),
        ("room_number", Cell::Null),
        ("room_name", Cell::Null),
    ]
}

fn with<'a>(mut row: Vec<(&'static str, Cell<'a>)>, field: &str, cell: Cell<'a>) -> Vec<(&'static str, Cell<'a>)> {
    row.iter_mut().filter(|(name, _)| *name == field).for_each(|(_, old)| *old = cell);
    row
}

fn broken(outcome: Outcome) -> Vec<(String, Rule)> {
    outcome.body.unwrap_err()
}

#[test]
fn a_slot_is_written_in_the_documents_order_and_forms() {
    let written = String::from_utf8(encode("slot", &slot()).bytes).unwrap();
    assert_eq!(
        written,
        format!(
            r#"{{"id":"aaaaaaa1-5eff-49b8-9d07-ff2486162b3f","mo_id":"{MO}","resource_id":"{RESOURCE}","tag_type":"EPGU","tag_age":"ALL","visit_time":"2024-03-28T05:00:00","duration":20,"status":"AVAILABLE","create_ts":"2023-10-01T09:00:00"}}"#
        )
    );
}

#[test]
fn every_form_of_a_cell_gives_the_same_bytes() {
    let plain = encode("slot", &slot()).bytes;
    let guid = guid::parse(MO).unwrap();
    let bytes = guid.to_be_bytes();
    let upper = MO.to_uppercase();
    for (field, cell) in [
        ("mo_id", Cell::Guid(guid)),
        ("mo_id", Cell::Bytes(&bytes)),
        ("mo_id", Cell::Text(&upper)),
        ("visit_time", Cell::LocalTime(1_711_602_000_000_000)),
        ("visit_time", Cell::Instant(1_711_584_000_000_000)),
        ("visit_time", Cell::Text("2024-03-28T00:00:00Z")),
        ("duration", Cell::Int(20)),
        ("duration", Cell::Decimal("20.00")),
        ("duration", Cell::Float(20.0)),
        ("tag_type", Cell::Text("epgu ")),
        ("status", Cell::Text("available   ")),
    ] {
        assert_eq!(encode("slot", &with(slot(), field, cell)).bytes, plain, "{field} from {cell:?}");
    }
}

#[test]
fn the_fingerprint_of_a_slot_is_what_it_always_was() {
    // Should this fail, canonical bodies have changed: raise ENCODER_VERSION.
    let record = encode("slot", &slot()).record.unwrap();
    assert_eq!(format!("{:?}", record.fingerprint), "Fingerprint(a311fec016808a35f15727dd6aa6738d)");
    assert_eq!(ENCODER_VERSION, 1);
}

#[test]
fn a_record_knows_its_parents_unit_status_place_and_time() {
    let record = encode("slot", &slot()).record.unwrap();
    let (mo, resource) = (Key::parse(MO), Key::parse(RESOURCE));
    assert_eq!(record.parents, [Some(mo.clone()), Some(resource)]);
    assert_eq!(record.unit, Some(mo));
    assert_eq!(record.status, Some(0));
    assert_eq!(record.expires, Some(1_711_584_000), "the visit in Yekaterinburg, in universal time");
    let later = with(slot(), "visit_time", Cell::Text("2024-03-28 05:20:00"));
    let other_time = encode("slot", &later).record.unwrap();
    assert_ne!(record.place, other_time.place);
    let status_only = encode("slot", &with(slot(), "status", Cell::Text("RECORDED"))).record.unwrap();
    assert_eq!(record.place, status_only.place);
}

#[test]
fn visit_time_goes_out_on_the_clock_that_is_set() {
    for (zone, expected) in [
        (VisitTimeZone::Source, "2024-03-28T05:00:00"),
        (VisitTimeZone::Utc, "2024-03-28T00:00:00"),
        (VisitTimeZone::Offset, "2024-03-28T05:00:00+05:00"),
    ] {
        let settings = EncodeSettings { visit_time_zone: zone, ..settings() };
        let body = encode_with("slot", &slot(), &settings).body.unwrap();
        assert_eq!(body["visit_time"], expected);
        assert_eq!(body["create_ts"], "2023-10-01T09:00:00");
    }
}

#[test]
fn fields_of_other_types_are_left_out() {
    let body = encode("resource", &specialist()).body.unwrap();
    assert_eq!(body["last_name"], "Иванов");
    assert_eq!(body["snils"], "11223344595");
    assert_eq!(body["post_id"], "110");
    for absent in ["machine_name", "room_number", "room_name", "middle_name", "description"] {
        assert!(body.get(absent).is_none(), "{absent}");
    }
    let machine = encode("resource", &with(specialist(), "type", Cell::Text("MACHINE"))).body.unwrap();
    assert_eq!(machine["machine_name"], "Рентген");
    for absent in ["last_name", "snils", "post_id", "speciality_id"] {
        assert!(machine.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn every_broken_rule_of_a_row_is_named() {
    let row = with(with(specialist(), "snils", Cell::Text("11223344594")), "last_name", Cell::Text("  "));
    let row = with(with(row, "mo_id", Cell::Text("17")), "enabled", Cell::Null);
    let mut found = broken(encode("resource", &row));
    found.sort();
    let expected =
        [("enabled", Rule::Mandatory), ("last_name", Rule::Conditional), ("mo_id", Rule::Guid), ("snils", Rule::Snils)];
    assert_eq!(found, expected.map(|(field, rule)| (field.to_owned(), rule)));
}

#[test]
fn each_kind_of_mistake_breaks_its_rule() {
    let long = "я".repeat(513);
    for (feed, row, field, rule) in [
        ("slot", with(slot(), "status", Cell::Text("FREE")), "status", Rule::Enum),
        ("slot", with(slot(), "tag_type", Cell::Text("EPGU,FREE")), "tag_type", Rule::Enum),
        ("slot", with(slot(), "duration", Cell::Text("20 min")), "duration", Rule::Integer),
        ("slot", with(slot(), "duration", Cell::Int(0)), "duration", Rule::Range),
        ("slot", with(slot(), "visit_time", Cell::Text("2023-02-29 10:00")), "visit_time", Rule::Date),
        ("slot", with(slot(), "visit_time", Cell::LocalTime(i64::MAX)), "visit_time", Rule::Date),
        ("slot", with(slot(), "visit_time", Cell::Int(5)), "visit_time", Rule::Type),
        ("resource", with(specialist(), "last_name", Cell::Text(&long)), "last_name", Rule::Length),
    ] {
        assert_eq!(broken(encode(feed, &row)), [(field.to_owned(), rule)]);
    }
}

#[test]
fn lengths_are_counted_in_characters() {
    let name = "я".repeat(512);
    assert!(encode("resource", &with(specialist(), "last_name", Cell::Text(&name))).body.is_ok());
}

#[test]
fn several_tag_types_are_joined_by_commas() {
    let row = with(slot(), "tag_type", Cell::Text("EPGU, registry,EPGU"));
    assert_eq!(encode("slot", &row).body.unwrap()["tag_type"], "EPGU,REGISTRY");
}

#[test]
fn texts_are_escaped_as_json_wants_it() {
    let name = "Д\"Артаньян\\ \u{1}\n";
    let body = encode("resource", &with(specialist(), "last_name", Cell::Text(name))).body.unwrap();
    assert_eq!(body["last_name"], name.trim());
}

#[test]
fn violations_never_repeat_a_value() {
    let columns: Vec<&str> = specialist().iter().map(|(name, _)| *name).collect();
    let mut encoder = Encoder::bind(schema("resource"), &columns, &settings()).unwrap();
    let mut chunk = RowChunk::default();
    chunk.reset(columns.len());
    columns.iter().for_each(|_| chunk.push(Cell::Text("Секретов11223344594")));
    assert!(!encoder.encode(chunk.rows().next().unwrap()));
    assert!(
        encoder.violations().iter().all(|broken| !broken.text.contains("Секретов") && !broken.text.contains("1122"))
    );
}

#[test]
fn a_default_fills_an_empty_field() {
    let settings = EncodeSettings { defaults: BTreeMap::from([("referral_id".into(), MO.into())]), ..settings() };
    let row = [
        ("id", Cell::Text(RESOURCE)),
        ("patient_id", Cell::Text(RESOURCE)),
        ("slot_id", Cell::Text(MO)),
        ("status_code", Cell::Int(5000)),
        ("tag_source", Cell::Text("REG")),
        ("type", Cell::Text("PROPHYLACTIC_ADULT")),
        ("create_ts", Cell::Date(19_000)),
    ];
    let outcome = encode_with("book", &row, &settings);
    let body = outcome.body.unwrap();
    assert_eq!((body["referral_id"].as_str(), body["type"].as_str()), (Some(MO), Some("PROPHYLACTIC")));
    assert_eq!(outcome.record.unwrap().needs_status, [true, false], "status 5000 needs a recorded slot");
}

#[test]
fn a_query_without_a_mandatory_column_is_refused_by_name() {
    let error = Encoder::bind(schema("slot"), &["id", "mo_id", "MO_ID"], &settings()).unwrap_err();
    assert_eq!(error, BindError::Twice { feed: "slot", column: "mo_id" });
    let error = Encoder::bind(schema("service"), &["ID", "resource_id", "code"], &settings()).unwrap_err();
    assert!(error.to_string().contains("create_ts"), "{error}");
}

fn any_cell() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..40)
}

/// A cell of any kind made from a selector, some bytes and a number.
fn cell_of<'a>(kind: u8, text: &'a str, bytes: &'a [u8], number: i64) -> Cell<'a> {
    match kind % 13 {
        0 => Cell::Null,
        1 | 2 => Cell::Text(text),
        3 => Cell::Bytes(bytes),
        4 => Cell::Guid(number as u128),
        5 => Cell::Int(number),
        6 => Cell::Float(f64::from_bits(number as u64)),
        7 => Cell::Decimal(text),
        8 => Cell::Bool(number > 0),
        9 => Cell::Date(number as i32),
        10 => Cell::LocalTime(number),
        11 => Cell::Undecodable,
        _ => Cell::Instant(number),
    }
}

proptest! {
    #[test]
    fn any_row_gives_a_record_or_violations(
        which in 0..8usize,
        cells in prop::collection::vec((any::<u8>(), any_cell(), any::<i64>(), "[0-9A-Za-zА-я .:,{}\"\\\\-]{0,40}"), 24),
    ) {
        let schema = SCHEMAS[which];
        let columns: Vec<&str> = schema.fields.iter().map(|field| field.name).collect();
        let mut encoder = Encoder::bind(schema, &columns, &settings()).unwrap();
        let mut chunk = RowChunk::default();
        chunk.reset(columns.len());
        for (kind, bytes, number, text) in cells.iter().take(columns.len()) {
            chunk.push(cell_of(*kind, text, bytes, *number));
        }
        for row in chunk.rows() {
            let sound = encoder.encode(row);
            let mut reader = KeyReader::bind(schema, &columns, &settings()).unwrap();
            prop_assert_eq!(reader.key_id(row), encoder.key_id());
            prop_assert_eq!(reader.key(), encoder.key());
            prop_assert_eq!(sound, encoder.violations().is_empty());
            if sound {
                let body: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(encoder.body()).unwrap();
                prop_assert!(body.contains_key(schema.key));
                prop_assert!(encoder.record().is_some());
                prop_assert_eq!(encoder.key_id(), encoder.key().map(|key| key.id()));
            }
        }
    }

    #[test]
    fn a_sound_row_in_any_forms_keeps_its_fingerprint(forms in prop::collection::vec(0..3u8, 9)) {
        let plain = encode("slot", &slot()).bytes;
        let row: Vec<(&str, String)> = slot().iter().zip(&forms).map(|((name, cell), form)| {
            let Cell::Text(text) = cell else { panic!("texts only") };
            let text = match form {
                0 => (*text).to_owned(),
                1 => format!("{text}   "),
                _ if *name == "visit_time" || *name == "create_ts" => (*text).to_owned(),
                _ => text.to_uppercase(),
            };
            (*name, text)
        }).collect();
        let row: Vec<(&str, Cell<'_>)> = row.iter().map(|(name, text)| (*name, Cell::Text(text))).collect();
        prop_assert_eq!(encode("slot", &row).bytes, plain);
    }
}

/// Nearly everything that a table of a document can ask for beside the tables of the gateway.
static OTHERS: Schema = Schema {
    feed: "others",
    table: "table 1",
    fields: &[
        may("id", Kind::Identifier(8)),
        must("level", Kind::Enum(&["near", "far"])),
        must_if(FAR, "code", Kind::Digits(&[8])),
        must("paid", Kind::Bool),
        only_if(PAID, "price", Kind::Number),
        may_if(PAID, "note", Kind::Text(9)),
        may_if(UNMARKED, "unmarked", Kind::Text(9)),
        may("marked", Kind::Bool),
        may("snils", Kind::PrintedSnils),
        may("day", Kind::Date),
        may("moment", Kind::Epoch),
        may("inn", Kind::Inn),
        may("list", Kind::Objects(&[must("name", Kind::Text(5)), must("main", Kind::Bool), may("no", Kind::Number)])),
    ],
    key: "id",
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
    derived_key: &["level", "paid"],
    shown: &[],
};
const FAR: Condition = Condition { field: "level", values: &["far"] };
const PAID: Condition = Condition { field: "paid", values: &["true"] };
const UNMARKED: Condition = Condition { field: "marked", values: &["", "false"] };

/// The body of a row of the other tables, or the fields that break rules; and its key.
#[expect(clippy::type_complexity, reason = "a body or its faults, and the key")]
fn encode_other(row: &[(&str, Cell<'_>)], salt: &[u8]) -> (Result<String, Vec<(String, Rule)>>, Option<Key>) {
    let columns: Vec<&str> = row.iter().map(|(name, _)| *name).collect();
    let settings = EncodeSettings { salt: Some(Salt::new(salt)), ..settings() };
    let mut encoder = Encoder::bind(&OTHERS, &columns, &settings).unwrap();
    let mut chunk = RowChunk::default();
    chunk.reset(row.len());
    row.iter().for_each(|(_, cell)| chunk.push(*cell));
    let sound = encoder.encode(chunk.rows().next().unwrap());
    let broken = encoder.violations().iter().map(|broken| (broken.field.to_string(), broken.rule)).collect();
    let body = if sound { Ok(String::from_utf8(encoder.body().to_vec()).unwrap()) } else { Err(broken) };
    (body, encoder.key())
}

#[test]
fn other_documents_forms_are_written() {
    let row = [
        ("id", Cell::Text("a-1")),
        ("level", Cell::Text("far")),
        ("code", Cell::Int(1_234_567)),
        ("paid", Cell::Int(1)),
        ("price", Cell::Text("12.50")),
        ("note", Cell::Null),
        ("snils", Cell::Int(11_223_344_595)),
        ("day", Cell::Text("02.10.2023")),
        ("moment", Cell::Text("2023-10-01T05:00:00")),
        ("inn", Cell::Int(7_707_083_893)),
        ("list", Cell::Text(r#"[{"Name":"a","main":"да","more":1},{"main":false,"name":"b","no":2.5}]"#)),
    ];
    assert_eq!(
        encode_other(&row, b"x").0.unwrap(),
        r#"{"id":"a-1","level":"far","code":"01234567","paid":true,"price":12.5,"snils":"112-233-445 95","day":"2023-10-02","moment":1696118400,"inn":"7707083893","list":[{"name":"a","main":true},{"name":"b","main":false,"no":2.5}]}"#
    );
}

#[test]
fn what_no_document_takes_breaks_the_rule_of_its_kind() {
    let sound = [("id", Cell::Text("a")), ("level", Cell::Text("near")), ("paid", Cell::Bool(false))];
    for (field, cell, rule) in [
        ("id", Cell::Text("a_b"), Rule::Characters),
        ("paid", Cell::Int(2), Rule::Boolean),
        ("code", Cell::Text("123"), Rule::Characters),
        ("snils", Cell::Text("112-233-445 96"), Rule::Snils),
        ("day", Cell::Text("2023-02-30"), Rule::Date),
        ("moment", Cell::Int(-1), Rule::Range),
        ("moment", Cell::Text("soon"), Rule::Date),
        ("inn", Cell::Text("1313123131"), Rule::Inn),
        ("list", Cell::Text("[]"), Rule::List),
        ("list", Cell::Text(r#"[{"name":"a"}]"#), Rule::List),
        ("list", Cell::Text(r#"[{"name":"too long","main":true}]"#), Rule::List),
        ("list", Cell::Text("{}"), Rule::List),
    ] {
        let mut row: Vec<_> = sound.iter().copied().filter(|(name, _)| *name != field).collect();
        row.push((field, cell));
        assert_eq!(encode_other(&row, b"x").0, Err(vec![(field.to_owned(), rule)]), "{field} {rule:?}");
    }
}

#[test]
fn conditions_on_another_field_decide_what_must_be_there_and_what_is_left_out() {
    let row = |level, paid, price: Cell<'static>, code: Cell<'static>| {
        let row = [("id", Cell::Text("a")), ("level", Cell::Text(level)), ("paid", Cell::Bool(paid))];
        encode_other(&[row.as_slice(), &[("price", price), ("code", code), ("note", Cell::Text("n"))]].concat(), b"x").0
    };
    let (price, code) = (Cell::Int(5), Cell::Text("12345678"));
    assert_eq!(row("near", false, price, Cell::Null).unwrap(), r#"{"id":"a","level":"near","paid":false}"#);
    assert_eq!(
        row("near", true, price, code).unwrap(),
        r#"{"id":"a","level":"near","code":"12345678","paid":true,"price":5,"note":"n"}"#
    );
    assert_eq!(
        row("far", true, Cell::Null, Cell::Null).unwrap_err(),
        [("code".to_owned(), Rule::Conditional), ("price".to_owned(), Rule::Conditional)]
    );
}

#[test]
fn a_condition_may_name_the_absence_of_the_other_field() {
    let row = |marked: Cell<'static>| {
        let row = [("id", Cell::Text("a")), ("level", Cell::Text("near")), ("paid", Cell::Bool(false))];
        encode_other(&[row.as_slice(), &[("unmarked", Cell::Text("u")), ("marked", marked)]].concat(), b"x").0.unwrap()
    };
    for (marked, kept) in
        [(Cell::Null, true), (Cell::Text(" "), true), (Cell::Bool(false), true), (Cell::Bool(true), false)]
    {
        assert_eq!(row(marked).contains("\"unmarked\":\"u\""), kept, "{marked:?}");
    }
    assert_eq!(UNMARKED.told(), "marked is empty or false");
}

#[test]
fn keys_alone_are_those_of_the_whole_rows() {
    let settings = EncodeSettings { salt: Some(Salt::new(b"x")), ..settings() };
    let columns = ["paid", "ID", "level"];
    assert_eq!(KeyReader::columns(&OTHERS), ["id", "level", "paid"]);
    let mut reader = KeyReader::bind(&OTHERS, &columns, &settings).unwrap();
    let mut chunk = RowChunk::default();
    chunk.reset(columns.len());
    let rows = [
        (Cell::Bool(false), Cell::Null, Cell::Text("near")),
        (Cell::Null, Cell::Text(" a-1 "), Cell::Null),
        (Cell::Text("да"), Cell::Null, Cell::Text("FAR")),
        (Cell::Null, Cell::Null, Cell::Text("near")),
    ];
    for (paid, id, level) in rows {
        [paid, id, level].into_iter().for_each(|cell| chunk.push(cell));
    }
    for (row, (paid, id, level)) in chunk.rows().zip(rows) {
        let whole = encode_other(&[("id", id), ("level", level), ("paid", paid)], b"x").1;
        assert_eq!(reader.key_id(row), whole.as_ref().map(Key::id));
        assert_eq!(reader.key(), whole);
    }
}

#[test]
fn a_row_without_a_key_gets_one_that_only_the_salt_explains() {
    let row = |level| [("id", Cell::Null), ("level", Cell::Text(level)), ("paid", Cell::Bool(false))];
    let key = |level, salt: &[u8]| encode_other(&row(level), salt).1.unwrap();
    assert_eq!(key("near", b"x"), key("near", b"x"));
    assert_ne!(key("near", b"x"), key("near", b"y"));
    assert_eq!(key("near", b"x").to_string().len(), 32);
    let (unpaid, _) = ([("id", Cell::Null), ("level", Cell::Text("near")), ("paid", Cell::Null)], ());
    assert_eq!(encode_other(&unpaid, b"x").1, None, "what the key is made of must be there");
}

#[test]
fn bytes_that_are_no_text_break_a_rule_of_their_field_and_never_pass_for_a_guid() {
    for field in ["id", "mo_id", "status", "visit_time"] {
        let broken = broken(encode("slot", &with(slot(), field, Cell::Undecodable)));
        assert_eq!(broken, [(field.to_owned(), Rule::Encoding)]);
    }
}
