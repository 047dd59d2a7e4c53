//! Every rule and every status code of the document, once, on both engines.

use chrono::{Days, Months, NaiveDate};
use vitrina::source::{Engine, Run, Script, WriteError, Writer, Written};

use super::site::{
    Answer, COLLEAGUE, DOCTOR, OTHER_ROOM, ROOM, SISTER, STRANGER, SURGEON, Site, Values, another, answer, call, day,
    id, request, with,
};

fn adult() -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(1980, 5, 5)
}

async fn both() -> [Site; 2] {
    [Site::postgres().await, Site::mariadb().await]
}

/// What is expected of a request.
struct Case {
    what: &'static str,
    request: Values,
    code: i64,
    message: Option<&'static str>,
}

fn case(what: &'static str, request: Values, code: i64, message: &'static str) -> Case {
    Case { what, request, code, message: Some(message).filter(|text| !text.is_empty()) }
}

async fn judge(site: &Site, cases: Vec<Case>) {
    for Case { what, request, code, message } in cases {
        let answer = site.book(&request).await;
        let engine = site.db.engine;
        assert_eq!((answer.code, answer.message.as_deref()), (code, message), "{engine:?}: {what}");
        assert_eq!(answer.book.is_some(), code == 0, "{engine:?}: {what}: a refusal has no booking");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_answered_in_full_and_takes_slot_and_referral() {
    for site in both().await {
        site.patients([1], adult()).await;
        site.slot(1, DOCTOR, day(0), "09:00").await;
        site.referral(1, 1, "'10', NULL, 'AVAILABLE'").await;
        let given = with(request(1, 1), &[("referral_id", &id(3, 1).to_uppercase()), ("case_number", "77")]);
        let Answer { code, message, book, slot, visit_time, duration, organization } = site.book(&given).await;
        assert_eq!((code, message, slot.unwrap(), organization.unwrap()), (0, None, id(2, 1), id(9, 1)));
        assert_eq!(duration.as_deref(), Some("20"));
        let zone = if site.db.engine == Engine::Postgres { "+05" } else { "" };
        assert_eq!(visit_time.unwrap(), format!("{} 09:00:00{zone}", day(0)), "on the hospital's clock");
        let book = book.unwrap();
        assert!(uuid::Uuid::try_parse(&book).is_ok(), "{book}");
        let own = format!("id = '{book}' AND status_code = 5000 AND given_patient_id = 'rrp-1' AND case_number = '77'");
        assert_eq!(site.value("patient_id", "booking", &own).await.as_deref(), Some("card-1"));
        for (table, kind) in [("slot", 2), ("referral", 3)] {
            let status = site.value("status", table, &format!("id = '{}'", id(kind, 1))).await;
            assert_eq!(status.as_deref(), Some("RECORDED"), "{table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_refused_for_what_it_is() {
    for site in both().await {
        site.patients(1..=4, adult()).await;
        let statuses = ["RECORDED", "BLOCKED", "RESERVED", "CANCELED"];
        for (number, status) in (1..).zip(statuses) {
            site.slot_as(number, ROOM, day(number), "09:00", "EPGU", "ALL", status).await;
        }
        site.slot(5, ROOM, day(0) - Days::new(60), "09:00").await;
        site.slot_as(6, ROOM, day(6), "09:00", "PAID, REGISTRY", "ALL", "AVAILABLE").await;
        let paid = with(request(6, 1), &[("booking_type", "PAID_APPOINTMENT")]);
        let cases = vec![
            case("taken", request(1, 1), 11, "Слот занят или заблокирован"),
            case("blocked", request(2, 1), 11, "Слот занят или заблокирован"),
            case("reserved", request(3, 1), 11, "Слот заблокирован другим пациентом"),
            case("annulled", request(4, 1), 15, "Слот аннулирован"),
            case("past", request(5, 1), 15, "Слот аннулирован"),
            case("unknown", request(99, 1), 18, "Слот не найден"),
            case("no GUID at all", with(request(1, 1), &[("slot_id", "'; --")]), 18, "Слот не найден"),
            case("not for citizens", request(6, 1), 18, "Бирка не соответствующего типа"),
            case(
                "an unknown way",
                with(request(6, 1), &[("booking_type", "PICNIC")]),
                18,
                "Несоответствие в переданных данных для записи",
            ),
            case("paid", paid, 0, ""),
            case("another patient's", request(6, 2), 11, "Бирка к врачу занята или заблокирована"),
        ];
        judge(&site, cases).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn age_is_counted_on_the_day_of_the_visit() {
    for site in both().await {
        let visit = day(0);
        let years = |years: u32| visit.checked_sub_months(Months::new(12 * years)).unwrap();
        let births = [
            (1, years(18)),
            (2, years(18) + Days::new(1)),
            (3, years(1)),
            (4, years(1) + Days::new(1)),
            (5, years(40)),
        ];
        for (patient, birth) in births {
            site.patients([patient], Some(birth)).await;
        }
        site.patients([6, 7], None).await;
        for (number, age) in (1..).zip(["ADULT", "CHILD", "BABY", "ADULT", "CHILD", "BABY", "ADULT"]) {
            let resource = if number > 3 { OTHER_ROOM } else { ROOM };
            site.slot_as(number, resource, visit, &format!("{:02}:00", 8 + number), "EPGU", age, "AVAILABLE").await;
        }
        let told = |birth: NaiveDate| with(request(7, 6), &[("birthdate", &format!("{birth}T00:00:00"))]);
        let cases = vec![
            case("17 for an adult's", request(1, 2), 14, "Бирка только для пациентов от 18 лет"),
            case("18 for a child's", request(2, 1), 14, "Бирка только для детей до 18 лет"),
            case("0 for a child's", request(2, 4), 14, "Бирка только для пациентов СТАРШЕ ГОДА"),
            case("1 for a baby's", request(3, 3), 14, "Бирка только для пациентов ДО ГОДА"),
            case(
                "the register's day where the hospital has none",
                told(years(5)),
                14,
                "Бирка только для пациентов от 18 лет",
            ),
            case("18 on this day", request(1, 1), 0, ""),
            case("1 on this day", request(2, 3), 0, ""),
            case("a baby", request(3, 4), 0, ""),
            case("no such day", with(request(7, 7), &[("birthdate", "2023-02-30")]), 0, ""),
        ];
        judge(&site, cases).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_is_in_one_place_at_a_time_and_once_a_day_with_a_doctor_or_speciality() {
    for site in both().await {
        site.patients(1..=2, adult()).await;
        let slots = [
            (1, DOCTOR, 0, "09:00"),
            (2, SURGEON, 0, "09:10"),
            (3, DOCTOR, 0, "12:00"),
            (4, COLLEAGUE, 0, "13:00"),
            (5, SURGEON, 0, "09:20"),
            (6, ROOM, 0, "14:00"),
            (7, OTHER_ROOM, 0, "15:00"),
            (8, ROOM, 0, "16:00"),
            (9, DOCTOR, 1, "00:10"),
        ];
        for (number, resource, ahead, time) in slots {
            site.slot(number, resource, day(ahead), time).await;
        }
        let doctor = "Есть бирка на тот же день к тому же врачу";
        let speciality = "Пациент имеет предстоящую запись к данному врачу или врачу данной специальности";
        let cases = vec![
            case("the first", request(1, 1), 0, ""),
            case("while at another", request(2, 1), 12, "Есть бирка на то же время"),
            case("the same doctor", request(3, 1), 13, doctor),
            case("the same speciality", request(4, 1), 13, speciality),
            case("right after it", request(5, 1), 0, ""),
            case("a room", request(6, 1), 0, ""),
            case("another room has no speciality", request(7, 1), 0, ""),
            case("the same room again", request(8, 1), 0, ""),
            case("the next day by the hospital's clock", request(9, 1), 0, ""),
            case("somebody else", request(3, 2), 0, ""),
        ];
        judge(&site, cases).await;
        let done = format!("UPDATE {} SET status_code = 5020 WHERE slot_id = '{}'", site.table("booking"), id(2, 1));
        site.execute(&done).await;
        judge(&site, vec![case("what took place is no appointment any more", request(4, 1), 0, "")]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_must_be_the_patients_free_and_to_this_speciality() {
    for site in both().await {
        site.patients(1..=2, adult()).await;
        let last_day = day(0);
        let referrals = [
            (1, 2, "NULL, NULL, 'AVAILABLE'".to_owned()),
            (2, 1, "NULL, NULL, 'RECORDED'".to_owned()),
            (3, 1, "'20', NULL, 'AVAILABLE'".to_owned()),
            (4, 1, format!("'10', '{}', 'AVAILABLE'", last_day - Days::new(1))),
            (5, 1, format!("'10', '{last_day}', 'AVAILABLE'")),
        ];
        for (number, patient, more) in &referrals {
            site.referral(*number, *patient, more).await;
        }
        site.slot_as(1, DOCTOR, day(0), "09:00", "REFERRAL", "ALL", "AVAILABLE").await;
        let by = |number: u32| with(request(1, 1), &[("referral_id", &id(3, number))]);
        let wrong = "Передано неверное направление.";
        let cases = vec![
            case("without one", request(1, 1), 18, "Бирка не соответствующего типа"),
            case("another patient's", by(1), 18, wrong),
            case("used", by(2), 18, wrong),
            case("to another speciality", by(3), 18, wrong),
            case("expired", by(4), 18, wrong),
            case("unknown", by(99), 18, wrong),
            case("on its last day", by(5), 0, ""),
        ];
        judge(&site, cases).await;
        let stolen = site.value("status", "referral", &format!("id = '{}'", id(3, 1))).await;
        assert_eq!(stolen.as_deref(), Some("AVAILABLE"), "a refusal changes nothing");
    }
}

/// Referrals that differ from a good one in one column, and what is thought of each.
async fn judge_referrals(
    site: &Site,
    slot: u32,
    kind: &str,
    good: &[(&str, String)],
    wrong: &[(&'static str, &str, String)],
) {
    let columns: Vec<&str> = good.iter().map(|(column, _)| *column).collect();
    let row = |number: u32, changed: Option<(&str, &str)>| {
        let values = good.iter().map(|(column, value)| match changed {
            Some((changed, other)) if changed == *column => other.to_owned(),
            _ => value.clone(),
        });
        format!("('{}', 'card-1', '{kind}', {})", id(3, number), values.collect::<Vec<_>>().join(", "))
    };
    let last = slot * 100 + 99;
    let rows: Vec<String> = (slot * 100..)
        .zip(wrong)
        .map(|(number, (_, column, other))| row(number, Some((column, other))))
        .chain([row(last, None)])
        .collect();
    site.insert("referral", &format!("id, patient_id, type, {}", columns.join(", ")), &rows).await;
    let by = |number: u32| with(request(slot, 1), &[("referral_id", &id(3, number))]);
    let refused = (slot * 100..)
        .zip(wrong)
        .map(|(number, (what, ..))| case(what, by(number), 18, "Передано неверное направление."));
    judge(site, refused.chain([case("as it should be", by(last), 0, "")]).collect()).await;
}

fn quoted(text: impl std::fmt::Display) -> String {
    format!("'{text}'")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_leads_to_the_department_profile_speciality_and_service_that_it_names() {
    for site in both().await {
        site.patients([1], adult()).await;
        let profiles =
            [(DOCTOR, "97"), (DOCTOR, "68"), (ROOM, "60")].map(|(of, code)| format!("('{}', '{code}')", id(1, of)));
        site.insert("profilecode_resource", "resource_id, profile_code", &profiles).await;
        let services = [(ROOM, "A05.10.006")].map(|(of, code)| format!("('{}', '{code}')", id(1, of)));
        site.insert("service", "resource_id, code", &services).await;
        site.slot_as(1, DOCTOR, day(0), "09:00", "REFERRAL", "ALL", "AVAILABLE").await;
        site.slot_as(2, ROOM, day(1), "09:00", "REFERRAL", "ALL", "AVAILABLE").await;
        let common = |profile: &str, ahead: u32| {
            vec![
                // The other department of the same organisation: any of them may serve it.
                ("to_mo_id", quoted(id(9, SISTER))),
                ("to_profile_code", quoted(profile)),
                ("to_resource_id", "NULL".to_owned()),
                ("start_date", quoted(day(ahead))),
            ]
        };
        let also_wrong = |ahead: u32| {
            vec![
                ("another organisation", "to_mo_id", quoted(id(9, STRANGER))),
                ("a department that is not known", "to_mo_id", quoted(id(9, 77))),
                ("a profile that the resource lacks", "to_profile_code", quoted("3")),
                ("another resource", "to_resource_id", quoted(id(1, SURGEON))),
                ("not begun on the day of the visit", "start_date", quoted(day(ahead) + Days::new(1))),
            ]
        };
        let (mut good, mut wrong) = (common("97", 0), also_wrong(0));
        good.push(("speciality_id", quoted("10")));
        wrong.push(("another speciality", "speciality_id", quoted("20")));
        judge_referrals(&site, 1, "CONSULTATION", &good, &wrong).await;
        let (mut good, mut wrong) = (common("60", 1), also_wrong(1));
        good.push(("to_service_id", quoted("A05.10.006")));
        wrong.push(("a service that the room does not provide", "to_service_id", quoted("A06.09.007")));
        judge_referrals(&site, 2, "RESEARCH", &good, &wrong).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consultation_is_with_a_doctor_of_its_speciality_and_not_in_a_room_without_one() {
    for site in both().await {
        site.patients([1], adult()).await;
        site.slot_as(1, ROOM, day(0), "09:00", "REFERRAL", "ALL", "AVAILABLE").await;
        site.referral(1, 1, "'10', NULL, 'AVAILABLE'").await;
        let by_referral = with(request(1, 1), &[("referral_id", &id(3, 1))]);
        judge(&site, vec![case("a room", by_referral, 18, "Передано неверное направление.")]).await;
    }
}

/// The view of bookings that a guide prints.
fn printed_view(guide: &str) -> String {
    let blocks = guide.split("```sql\n").skip(1).filter_map(|block| block.split("```").next());
    blocks.filter(|block| block.contains("FROM vitrina_mis.booking")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_view_of_bookings_names_the_registers_patient_and_the_gateway_where_it_booked() {
    let printed = printed_view(include_str!("../../../docs/mis.md"));
    assert_eq!(printed, printed_view(include_str!("../../../docs/ru/mis.md")), "one view in both languages");
    for site in both().await {
        site.patients([1, 2], adult()).await;
        site.slot(1, ROOM, day(1), "09:00").await;
        site.slot(2, ROOM, day(2), "09:00").await;
        assert_eq!(site.book(&request(1, 1)).await.code, 0);
        let registrars = format!("('{}', '{}', 'card-2', 'APPOINTMENT')", id(8, 1), id(2, 2));
        site.insert("booking", "id, slot_id, patient_id, booking_type", &[registrars]).await;
        let view = match site.db.engine {
            Engine::Postgres => printed.clone(),
            _ => printed.replace("vitrina_mis.", "mis_"),
        };
        let seen = |slot: u32| {
            let text = format!("SELECT patient_id, tag_source FROM ({view}) v WHERE slot_id = '{}'", id(2, slot));
            let script = Script::parse(site.db.engine, &[text], &[]).unwrap();
            let owner = Writer::open(site.db.settings()).unwrap();
            async move {
                let Written::Done(Some(row)) = call(&owner, "view", &script, &Vec::new()).await else {
                    panic!("no row")
                };
                ["patient_id", "tag_source"].map(|name| row.get(name).unwrap_or_default().to_owned())
            }
        };
        assert_eq!(seen(1).await, ["rrp-1", "EPGU"], "{:?}", site.db.engine);
        assert_eq!(seen(2).await, ["rrp-2", "REG"], "{:?}: not the number of the card", site.db.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_is_found_by_the_registers_names_then_by_snils_then_by_the_policy() {
    for site in both().await {
        site.patients(1..=9, adult()).await;
        for number in 1..=7 {
            site.slot(number, ROOM, day(number), "09:00").await;
        }
        let twins = format!(
            "UPDATE {} SET snils = '50000000099', oms_number = 'family' WHERE rrp_id IN ('rrp-8', 'rrp-9')",
            site.table("patient")
        );
        site.execute(&twins).await;
        let nobody =
            |slot: u32, more: &[(&'static str, &str)]| with(with(request(slot, 1), &[("patient_id", "nobody")]), more);
        let cases = vec![
            case("blanks around a name", with(request(1, 1), &[("patient_id", " rrp-1 ")]), 0, ""),
            case("the register's id", nobody(2, &[("rrp_id", "rrp-2")]), 0, ""),
            case("a united one", nobody(3, &[("united_guids", "[\"other\", \"rrp-3\"]")]), 0, ""),
            case("SNILS in any form", nobody(4, &[("snils", "500-000-000 04")]), 0, ""),
            case("the policy", nobody(5, &[("oms_number", "oms-5")]), 0, ""),
            case("SNILS before the policy", nobody(6, &[("snils", "50000000006"), ("oms_number", "oms-1")]), 0, ""),
            case("nobody", nobody(7, &[]), 17, "Пациент не найден"),
            case(
                "born on another day",
                nobody(7, &[("snils", "50000000007"), ("birthdate", "1981-05-05T00:00:00")]),
                17,
                "Пациент не найден",
            ),
            case(
                "two with one number",
                nobody(7, &[("snils", "50000000099"), ("oms_number", "family")]),
                17,
                "Пациент не найден",
            ),
            case("a list that is none", nobody(7, &[("united_guids", "null"), ("snils", "")]), 17, "Пациент не найден"),
        ];
        judge(&site, cases).await;
        for number in 1..=6 {
            let found = site.value("patient_id", "booking", &format!("slot_id = '{}'", id(2, number))).await;
            assert_eq!(found, Some(format!("card-{number}")), "{:?}", site.db.engine);
        }
        let given = site.value("given_patient_id", "booking", &format!("slot_id = '{}'", id(2, 4))).await;
        assert_eq!(given.as_deref(), Some("nobody"), "what the gateway writes as patient_id");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gives_the_same_booking_and_another_application_does_not() {
    for site in both().await {
        site.patients(1..=2, adult()).await;
        site.slot(1, DOCTOR, day(0), "09:00").await;
        site.slot(2, DOCTOR, day(1), "09:00").await;
        let numbered = with(request(1, 1), &[("case_number", "4711")]);
        let first = site.book(&numbered).await;
        assert_eq!(first.code, 0);
        assert_eq!(site.book(&numbered).await, first);
        let united = with(numbered, &[("patient_id", "new-name"), ("united_guids", "[\"rrp-1\"]")]);
        assert_eq!(site.book(&united).await.book, first.book, "the same person under another name");
        assert_eq!(site.book(&request(1, 1)).await.code, 11, "no application is another one");
        let unnumbered = site.book(&request(2, 1)).await;
        assert_eq!(site.book(&request(2, 1)).await, unnumbered, "none equals none");
        assert_eq!(site.value("count(*)", "booking", "status_code = 5000").await.as_deref(), Some("2"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_frees_slot_and_referral_once() {
    for site in both().await {
        site.patients(1..=2, adult()).await;
        site.referral(1, 1, "NULL, NULL, 'AVAILABLE'").await;
        site.slot(1, DOCTOR, day(0), "09:00").await;
        let given = with(request(1, 1), &[("referral_id", &id(3, 1))]);
        let book = site.book(&given).await.book.unwrap();
        let failed = Some("Произошла техническая ошибка при отмене в МИС");
        for (book, patient) in [(book.as_str(), 2), (id(8, 1).as_str(), 1), ("no GUID", 1)] {
            let answer = site.cancel(book, patient, "[]").await;
            assert_eq!((answer.code, answer.message.as_deref()), (18, failed), "{:?}", site.db.engine);
            assert_eq!((answer.book.as_deref(), answer.slot), (Some(book), None), "a stranger learns nothing");
        }
        let first = site.cancel(&book.to_uppercase(), 1, "[]").await;
        assert_eq!((first.code, first.message.as_deref()), (0, Some("Вы отменили своё заявление")));
        assert_eq!((first.slot, first.duration), (Some(id(2, 1)), Some("20".to_owned())));
        let second = site.cancel(&book, 2, "[\"rrp-1\"]").await;
        assert_eq!((second.code, second.message.as_deref()), (1, Some("Запись с таким ИД уже отменена")));
        for (table, kind) in [("slot", 2), ("referral", 3)] {
            let status = site.value("status", table, &format!("id = '{}'", id(kind, 1))).await;
            assert_eq!(status.as_deref(), Some("AVAILABLE"), "{table}");
        }
        assert_eq!(site.value("status_code", "booking", "1 = 1").await.as_deref(), Some("5010"));
        let again = site.book(&given).await;
        assert!(again.code == 0 && again.book.as_deref() != Some(&book), "a new booking of the free slot");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hospital_has_decided_meanwhile_outlives_a_cancellation() {
    for site in both().await {
        site.patients(1..=2, adult()).await;
        for (number, patient, change) in
            [(1, 1, "slot SET status = 'BLOCKED'"), (2, 2, "booking SET status_code = 5030")]
        {
            site.slot(number, ROOM, day(number), "09:00").await;
            let book = site.book(&request(number, patient)).await.book.unwrap();
            let (table, set) = change.split_once(' ').unwrap();
            let key = if table == "slot" { "id" } else { "slot_id" };
            let update = format!("UPDATE {} {set} WHERE {key} = '{}'", site.table(table), id(2, number));
            site.execute(&update).await;
            let expected = if table == "slot" { 0 } else { 18 };
            assert_eq!(site.cancel(&book, patient, "[]").await.code, expected, "{:?}: {change}", site.db.engine);
        }
        assert_eq!(site.value("status", "slot", &format!("id = '{}'", id(2, 1))).await.as_deref(), Some("BLOCKED"));
        assert_eq!(site.value("status", "slot", &format!("id = '{}'", id(2, 2))).await.as_deref(), Some("RECORDED"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_finds_what_stands_and_waits_for_what_is_under_way() {
    for site in both().await {
        site.patients(1..=2, adult()).await;
        site.slot(1, ROOM, day(1), "09:00").await;
        site.slot(2, ROOM, day(2), "09:00").await;
        let booked = site.book(&request(1, 1)).await;
        let found = site.lookup(&request(1, 1)).await;
        assert_eq!((found.code, &found.book), (0, &booked.book));
        let stranger = with(request(3, 1), &[("patient_id", "nobody"), ("snils", "50000000002")]);
        site.slot(3, ROOM, day(3), "09:00").await;
        let booked = site.book(&stranger).await;
        assert_eq!(site.lookup(&stranger).await.book, booked.book, "under the name that the request had");
        for nothing in [request(1, 2), request(2, 1), request(9, 9), with(request(1, 1), &[("case_number", "1")])] {
            let answer = site.lookup(&nothing).await;
            assert_eq!((answer.code, answer.book), (18, None), "{:?}", site.db.engine);
        }

        let endless = if site.db.engine == Engine::Postgres { "SELECT pg_sleep(60)" } else { "SELECT SLEEP(60)" };
        let book = match site.db.engine {
            Engine::Postgres => {
                "SELECT * FROM vitrina_book(:slot_id, :patient_id, :booking_type, :case_number, \
                                 NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
            }
            _ => {
                "CALL vitrina_book(:slot_id, :patient_id, :booking_type, :case_number, \
                  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
            }
        };
        let script =
            Script::parse(site.db.engine, &[book, endless], &["slot_id", "patient_id", "booking_type", "case_number"]);
        let (script, writer) = (script.unwrap(), another(&site.db));
        let holding = tokio::spawn(async move { call(&writer, "book", &script, &request(2, 2)).await });
        let second = std::time::Duration::from_secs(1);
        let error = loop {
            let asked = request(2, 2);
            let values: Vec<_> = asked.iter().map(|(name, value)| (*name, value.as_deref())).collect();
            let run = Run { key: "booking.lookup", script: &site.lookup, values: &values, limit: second };
            match site.writer.run(run).await {
                Written::RolledBack(error) => break error,
                // The holder has not begun yet.
                done => assert!(answer(done).code == 18 && !holding.is_finished(), "never waited"),
            }
        };
        assert!(matches!(error, WriteError::Timeout { .. }), "{error}");
        holding.abort();
        assert_eq!(site.lookup(&request(2, 2)).await.code, 18, "it was rolled back, and that is final");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_may_call_and_nothing_else() {
    for site in both().await {
        for statement in [
            format!("SELECT * FROM {}", site.table("patient")),
            format!("UPDATE {} SET status = 'AVAILABLE'", site.table("slot")),
            match site.db.engine {
                Engine::Postgres => "SELECT vitrina_mis.find_patient(ARRAY['rrp-1'], NULL, NULL, NULL)".to_owned(),
                _ => "CALL vitrina_mis_find_patient('rrp-1', NULL, NULL, NULL, NULL, NULL, @a, @b)".to_owned(),
            },
        ] {
            let script = Script::parse(site.db.engine, &[&statement], &[]).unwrap();
            let written = call(&site.writer, "test", &script, &Vec::new()).await;
            let Written::RolledBack(error) = written else { panic!("{statement}: {written:?}") };
            assert!(error.to_string().contains("write_url may name another account"), "{statement}: {error}");
        }
    }
}
