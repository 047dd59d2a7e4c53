//! The statements that are built in: every rule of the document over the demo hospital's tables.

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::site::{Hospitals, Site, builtin, code, column, guid, request};

/// The demo hospital with a patient who is thirty and one who is five, both without a visit.
struct Demo {
    hospital: Hospitals,
    site: Site,
}

const ADULT: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const CHILD: &str = "aaaaaaaa-0000-4000-8000-000000000002";
const BABY: &str = "aaaaaaaa-0000-4000-8000-000000000003";

impl Demo {
    async fn open() -> Demo {
        let hospital = builtin().await;
        let site = hospital.open().await;
        let demo = Demo { hospital, site };
        for (patient, age) in [(ADULT, "-30 years"), (CHILD, "-5 years"), (BABY, "-3 months")] {
            demo.run(&format!("INSERT INTO patients (guid, birth_date) VALUES ('{patient}', date('now', '{age}'))"))
                .await;
        }
        demo
    }

    async fn run(&self, statement: &str) {
        let mut connection = SqliteConnection::connect(&self.hospital.settings.url).await.unwrap();
        connection.execute(sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn one(&self, query: &str) -> String {
        column(&self.hospital.settings.url, query).await.remove(0)
    }

    /// A free slot that fits a condition.
    async fn slot(&self, condition: &str) -> String {
        self.one(&format!(
            "SELECT s.guid FROM slots s LEFT JOIN doctors d ON d.resource_id = s.resource_id \
             WHERE s.state = 0 AND {condition} ORDER BY s.id LIMIT 1"
        ))
        .await
    }

    async fn book(&self, slot: &str, patient: &str) -> u64 {
        code(&self.site.book(slot, patient).await)
    }

    async fn states(&self, slot: &str) -> String {
        self.one(&format!("SELECT state FROM slots WHERE guid = '{slot}'")).await
    }
}

#[tokio::test]
async fn slots_that_are_not_free_or_not_there() {
    let demo = Demo::open().await;
    let slot = demo.slot("s.ages = 'ALL'").await;
    for (state, expected) in [(1, 11), (2, 15), (3, 11), (4, 11), (0, 0)] {
        demo.run(&format!("UPDATE slots SET state = {state} WHERE guid = '{slot}'")).await;
        assert_eq!(demo.book(&slot, ADULT).await, expected, "state {state}");
    }
    let unknown = demo.site.book(&guid(1, 1), ADULT).await;
    assert_eq!((code(&unknown), &unknown["status"]["status_message"]), (18, &json!("Слот не найден")));
}

#[tokio::test]
async fn patients_nobody_knows_and_those_known_under_another_id() {
    let demo = Demo::open().await;
    let slot = demo.slot("s.ages = 'ALL'").await;
    assert_eq!(demo.book(&slot, &guid(9, 9)).await, 17);
    let mut merged = request(&slot, &guid(9, 9), Value::Null);
    merged["patient_data_rrp"]["united_guids"] = json!([guid(9, 8), ADULT.to_uppercase()]);
    let (_, answer) = demo.site.post("/booking/book", &merged).await;
    assert_eq!(code(&answer), 0);
    let cancel = json!({"book_ext_id": answer["book_ext_id"], "patient_id": guid(9, 9), "united_guids": [ADULT]});
    assert_eq!(code(&demo.site.post("/booking/cancel", &cancel).await.1), 0);
}

#[tokio::test]
async fn ages() {
    let demo = Demo::open().await;
    for (ages, adult, child, baby) in
        [("ADULT", 0, 14, 14), ("CHILD", 14, 0, 14), ("BABY", 14, 14, 0), ("ALL", 0, 0, 0)]
    {
        for (patient, expected) in [(ADULT, adult), (CHILD, child), (BABY, baby)] {
            let slot = demo.slot("date(s.starts_at) < date('now', '+10 days')").await;
            demo.run(&format!("UPDATE slots SET ages = '{ages}' WHERE guid = '{slot}'")).await;
            let answer = demo.site.book(&slot, patient).await;
            assert_eq!(code(&answer), expected, "{ages} {patient}: {answer}");
            if (ages, patient) == ("CHILD", BABY) {
                let said = &answer["status"]["status_message"];
                assert_eq!(said, "Бирка только для пациентов СТАРШЕ ГОДА", "an infant is under 18, too");
            }
            // One visit would stand in the way of the next.
            demo.run(&format!("DELETE FROM visits WHERE patient_id = '{patient}'")).await;
            demo.run(&format!("UPDATE slots SET state = 1 WHERE guid = '{slot}'")).await;
        }
    }
}

#[tokio::test]
async fn one_visit_at_a_time_and_one_to_a_speciality_a_day() {
    let demo = Demo::open().await;
    let first = demo.slot("s.ages = 'ALL' AND d.speciality_code = 49").await;
    assert_eq!(demo.book(&first, ADULT).await, 0);
    let of_first = |column: &str| format!("(SELECT s2.{column} FROM slots s2 WHERE s2.guid = '{first}')");
    demo.run("UPDATE slots SET ages = 'ALL'").await;
    let (starts, resource) = (of_first("starts_at"), of_first("resource_id"));
    let day = format!("date(s.starts_at) = date({starts})");
    let at_once = demo.slot(&format!("s.starts_at = {starts} AND s.resource_id <> {resource}")).await;
    assert_eq!(demo.book(&at_once, ADULT).await, 12);
    let same_doctor = demo.slot(&format!("s.starts_at <> {starts} AND s.resource_id = {resource} AND {day}")).await;
    assert_eq!(demo.book(&same_doctor, ADULT).await, 13);
    let same_speciality = demo
        .slot(&format!("s.starts_at <> {starts} AND s.resource_id <> {resource} AND d.speciality_code = 49 AND {day}"))
        .await;
    assert_eq!(demo.book(&same_speciality, ADULT).await, 13);
    let elsewhere = demo.slot(&format!("s.starts_at <> {starts} AND d.speciality_code <> 49 AND {day}")).await;
    assert_eq!(demo.book(&elsewhere, ADULT).await, 0);
    let next_day = demo.slot(&format!("s.resource_id = {resource} AND NOT {day}")).await;
    assert_eq!(demo.book(&next_day, ADULT).await, 0);
}

#[tokio::test]
async fn a_referral_is_used_by_its_patient_once_and_is_free_again_after_a_cancellation() {
    let demo = Demo::open().await;
    let (referral, patient) = (
        demo.one("SELECT guid FROM referrals WHERE state = 0 ORDER BY id LIMIT 1").await,
        demo.one("SELECT patient_id FROM referrals WHERE state = 0 ORDER BY id LIMIT 1").await,
    );
    demo.run(&format!("UPDATE patients SET birth_date = '1990-01-01' WHERE guid = '{patient}'")).await;
    let slot = demo.slot("s.ages = 'ALL'").await;
    let by_referral = |slot: &str, patient: &str| {
        let mut body = request(slot, patient, json!("c"));
        body["referral_id"] = json!(referral);
        body
    };
    let strangers = demo.site.post("/booking/book", &by_referral(&slot, ADULT)).await.1;
    let said = &strangers["status"]["status_message"];
    assert_eq!((code(&strangers), said), (18, &json!("Передано неверное направление")));
    let state = format!("SELECT state FROM referrals WHERE guid = '{referral}'");
    let booked = demo.site.post("/booking/book", &by_referral(&slot, &patient)).await.1;
    assert_eq!((code(&booked), demo.one(&state).await.as_str()), (0, "1"));
    assert_eq!(demo.site.changed.lock().unwrap()[0].referral.as_ref().unwrap().to_string(), referral);
    let again = demo.site.post("/booking/book", &by_referral(&slot, &patient)).await.1;
    assert_eq!(again, booked, "a repetition is no second use");
    assert_eq!(code(&demo.site.cancel(&booked["book_ext_id"], &patient).await), 0);
    assert_eq!((demo.one(&state).await.as_str(), demo.states(&slot).await.as_str()), ("0", "0"));
}

#[tokio::test]
async fn a_visit_that_took_place_is_not_cancelled() {
    let demo = Demo::open().await;
    let slot = demo.slot("s.ages = 'ALL'").await;
    let booked = demo.site.book(&slot, ADULT).await;
    demo.run("UPDATE visits SET status = 5020 WHERE case_number IS NULL AND patient_id = 'aaaaaaaa-0000-4000-8000-000000000001'")
        .await;
    assert_eq!(code(&demo.site.cancel(&booked["book_ext_id"], ADULT).await), 18);
    assert_eq!(demo.states(&slot).await, "1");
}
