//! A hospital with tables of its own: views stand in the place of the reference's tables, and the functions book through them.

use super::site::{DOCTOR, Site, day, id, request};
use crate::support::database::{self, TestDb};

/// The hospital's own tables, and views over them. `{s}` is what stands before a name of the reference, `{id}` the type of its ids.
const OWN: [&str; 10] = [
    "CREATE TABLE doctors (code {id} PRIMARY KEY, kind varchar(16), spec varchar(9))",
    "CREATE TABLE grid (code {id} PRIMARY KEY, dept {id}, doc {id}, kinds varchar(99), ages varchar(9), at {time}, mins integer, \
     state varchar(16), room varchar(9), touched {time})",
    "CREATE TABLE people (card varchar(64) PRIMARY KEY, guid varchar(64), snils varchar(11), policy varchar(32), born date)",
    "CREATE TABLE sheets (code {id} PRIMARY KEY, card varchar(64), unit {id}, doc {id}, spec varchar(9), since date, until date, state varchar(16), \
     touched {time})",
    "CREATE TABLE visits (code {id} PRIMARY KEY, grid {id}, card varchar(64), guid varchar(64), claim varchar(99), \
     kind varchar(32), sheet {id}, service varchar(64), mail varchar(99), phone varchar(64), state integer, \
     made {time}, touched {time})",
    "CREATE VIEW {s}resource AS SELECT code AS id, kind AS type, spec AS speciality_id FROM doctors",
    "CREATE VIEW {s}slot AS SELECT code AS id, dept AS mo_id, doc AS resource_id, kinds AS tag_type, ages AS tag_age, \
     at AS visit_time, mins AS duration, state AS status, room AS area_id, touched AS updated_at FROM grid",
    "CREATE VIEW {s}patient AS SELECT card AS id, guid AS rrp_id, snils, policy AS oms_number, born AS birth_date FROM people",
    "CREATE VIEW {s}referral AS SELECT code AS id, card AS patient_id, 'CONSULTATION' AS type, unit AS to_mo_id, doc AS to_resource_id, \
     NULL AS to_profile_code, spec AS speciality_id, NULL AS to_service_id, since AS start_date, until AS end_date, state AS status, touched AS updated_at FROM sheets",
    "CREATE VIEW {s}booking AS SELECT code AS id, grid AS slot_id, card AS patient_id, guid AS given_patient_id, \
     claim AS case_number, kind AS booking_type, sheet AS referral_id, service AS service_id, mail AS email, \
     phone AS mobile_phone, state AS status_code, made AS create_ts, touched AS updated_at FROM visits",
];

async fn book_and_cancel(db: TestDb, terms: [(&str, &str); 3]) {
    for statement in OWN {
        let statement = terms.iter().fold(statement.to_owned(), |text, (term, meaning)| text.replace(term, meaning));
        db.execute(&[&statement]).await;
    }
    let site = Site::install(db).await;
    site.insert("resource", "id, type, speciality_id", &[format!("('{}', 'SPECIALIST', '10')", id(1, DOCTOR))]).await;
    site.patients([1, 2], None).await;
    site.slot(1, DOCTOR, day(0), "09:00").await;
    let booked = site.book(&request(1, 1)).await;
    assert_eq!(booked.code, 0);
    assert_eq!(site.book(&request(1, 1)).await, booked);
    assert_eq!(site.book(&request(1, 2)).await.code, 11);
    let book = booked.book.unwrap();
    assert_eq!(site.value("status", "slot", "updated_at IS NOT NULL").await.as_deref(), Some("RECORDED"));
    assert_eq!((site.cancel(&book, 1, "[]").await.code, site.cancel(&book, 1, "[]").await.code), (0, 1));
    assert_eq!(site.value("status", "slot", "1 = 1").await.as_deref(), Some("AVAILABLE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_book_through_views_over_a_hospitals_own_tables() {
    let postgres = database::postgres().await;
    postgres.execute(&["CREATE SCHEMA vitrina_mis"]).await;
    let terms = [("{s}", "vitrina_mis."), ("{id}", "uuid"), ("{time}", "timestamptz")];
    book_and_cancel(postgres, terms).await;
    let terms = [("{s}", "mis_"), ("{id}", "varchar(36)"), ("{time}", "datetime")];
    book_and_cancel(database::mariadb().await, terms).await;
}
