//! The forms in which sources keep identifiers and the ends of periods.

use super::*;

const ID: &str = "2c1e9a52-70e3-4f5b-9a1d-3b1f0c6e7d11";

fn department<'a>() -> Vec<(&'static str, Cell<'a>)> {
    vec![
        ("id", Cell::Text(ID)),
        ("parent_id", Cell::Text("1.2.643.5.1.13.13.12.2.86.8902")),
        ("branch_oid", Cell::Text("1.2.643.5.1.13.13.12.2.86.8902.0.1")),
        ("name", Cell::Text("Поликлиника")),
        ("address", Cell::Text("Сургут, улица Энергетиков, 14")),
        ("address_fias_guid", Cell::Null),
        ("enabled", Cell::Text("ALL")),
        ("create_ts", Cell::Text("2024-03-28 05:00:00")),
        ("tag_age", Cell::Text("ALL")),
    ]
}

fn book<'a>() -> Vec<(&'static str, Cell<'a>)> {
    vec![
        ("id", Cell::Text(ID)),
        ("patient_id", Cell::Null),
        ("slot_id", Cell::Text(RESOURCE)),
        ("status_code", Cell::Int(5000)),
        ("tag_source", Cell::Text("REG")),
        ("type", Cell::Text("APPOINTMENT")),
        ("create_ts", Cell::Text("2024-03-28 05:00:00")),
    ]
}

fn referral<'a>() -> Vec<(&'static str, Cell<'a>)> {
    vec![
        ("id", Cell::Text(ID)),
        ("patient_id", Cell::Text(MO)),
        ("speciality_id", Cell::Text("49")),
        ("number", Cell::Text("17/2")),
        ("type", Cell::Text("CONSULTATION")),
        ("start_date", Cell::Text("2024-03-01")),
        ("end_date", Cell::Null),
        ("to_mo_id", Cell::Text(MO)),
        ("to_profile_code", Cell::Text("97")),
        ("to_post_name", Cell::Text("врач-терапевт")),
        ("from_resource_id", Cell::Text(RESOURCE)),
        ("status", Cell::Text("AVAILABLE")),
        ("create_ts", Cell::Text("2024-03-01 05:00:00")),
        ("from_referral_id", Cell::Null),
        ("referral_type_code", Cell::Text("1")),
        ("to_mo_oid", Cell::Text("1.2.643.5.1.13.13.12.2.86.8902")),
        ("from_mo_oid", Cell::Text("1.2.643.5.1.13.13.12.2.86.8902")),
    ]
}

fn absence<'a>() -> Vec<(&'static str, Cell<'a>)> {
    vec![
        ("period_id", Cell::Text(ID)),
        ("resource_id", Cell::Text(RESOURCE)),
        ("reason", Cell::Text("VACATION")),
        ("beg_date", Cell::Text("2024-03-01")),
        ("end_date", Cell::Text("2024-03-31")),
        ("create_ts", Cell::Text("2024-03-01 05:00:00")),
    ]
}

#[test]
fn a_patient_and_an_address_are_one_text_in_whatever_form_the_source_keeps_their_guid() {
    let guid = guid::parse(MO).unwrap();
    let bytes = guid.to_be_bytes();
    let (upper, braced, bare) = (MO.to_uppercase(), format!("{{{MO}}}"), MO.replace('-', ""));
    let forms = [Cell::Guid(guid), Cell::Bytes(&bytes), Cell::Text(&upper), Cell::Text(&braced), Cell::Text(&bare)];
    let fields = [
        ("book", "patient_id", book()),
        ("referral", "patient_id", referral()),
        ("mo", "address_fias_guid", department()),
    ];
    for (feed, field, row) in fields {
        for form in forms {
            let body = encode(feed, &with(row.clone(), field, form)).body.unwrap();
            assert_eq!(body[field], MO, "{feed}.{field} from {form:?}");
        }
    }
}

#[test]
fn a_patient_of_a_book_is_a_guid_and_one_of_a_referral_may_be_any_text() {
    let card = Cell::Text("11234455");
    let book = encode("book", &with(book(), "patient_id", card)).body;
    assert_eq!(book, Err(vec![("patient_id".to_owned(), Rule::Guid)]));
    assert_eq!(encode("referral", &with(referral(), "patient_id", card)).body.unwrap()["patient_id"], "11234455");
}

#[test]
fn sixteen_bytes_identify_and_do_not_name() {
    let bytes = guid::parse(MO).unwrap().to_be_bytes();
    let body = encode("referral", &with(referral(), "from_referral_id", Cell::Bytes(&bytes))).body;
    assert_eq!(body.unwrap()["from_referral_id"], MO);
    let upper = MO.to_uppercase();
    let body = encode("referral", &with(referral(), "from_referral_id", Cell::Text(&upper))).body;
    assert_eq!(body.unwrap()["from_referral_id"], upper, "another program's text stays as it is");
    let body = encode("mo", &with(department(), "name", Cell::Bytes(&bytes))).body;
    assert_eq!(body, Err(vec![("name".to_owned(), Rule::Type)]));
}

#[test]
fn a_period_that_ends_on_a_date_ends_with_that_day() {
    // 2024-03-28; 23:59:59 in Yekaterinburg is 18:59:59Z.
    let (day, last) = ("2024-03-28T23:59:59", 1_711_652_399);
    for (cell, written, expires) in [
        (Cell::Date(19_810), day, last),
        (Cell::Text("2024-03-28"), day, last),
        (Cell::Text("28.03.2024"), day, last),
        (Cell::Text("2024-03-28 00:00:00"), "2024-03-28T00:00:00", 1_711_566_000),
        (Cell::LocalTime(1_711_584_000_000_000), "2024-03-28T00:00:00", 1_711_566_000),
    ] {
        let referral = encode("referral", &with(referral(), "end_date", cell));
        assert_eq!(referral.body.unwrap()["end_date"], written, "{cell:?}");
        assert_eq!(referral.record.unwrap().expires, Some(expires), "{cell:?}");
        let absence = encode("unaccessable_period", &with(absence(), "end_date", cell));
        assert_eq!(absence.body.unwrap()["end_date"], written, "{cell:?}");
        assert_eq!(absence.record.unwrap().expires, Some(expires), "{cell:?}");
    }
    let begins = encode("unaccessable_period", &with(absence(), "beg_date", Cell::Date(19_810))).body;
    assert_eq!(begins.unwrap()["beg_date"], "2024-03-28T00:00:00");
}
