//! What the mart could not store, or the gateway would take for no answer: rolled back, filled in, or named by `check`.

use serde_json::{Value, json};

use super::site::{Hospitals, Site, builtin, code, guid, mariadb, postgres};
use crate::support::command::{Ran, run, vitrina, write_private};

/// Books in two statements: what the second one says decides whether the first one stands.
fn booking_with(hospitals: &mut Hospitals, answer: &str) {
    let id = if hospitals.name == "postgres" { "gen_random_uuid()" } else { "UUID()" };
    let insert = format!("INSERT INTO booking (id, slot_id, patient) VALUES ({id}, :slot_id, :patient_id)");
    let answer = format!("SELECT 0 AS status_code, '2031-03-01 10:00:00' AS visit_time, 20 AS duration, {answer}");
    hospitals.config.book = vec![insert, answer];
}

fn metric(site: &Site, verb: &str, fault: &str) -> bool {
    let series = format!("vitrina_booking_faults_total{{fault=\"{fault}\",verb=\"{verb}\"}} 1");
    site.metrics.text().unwrap().contains(&series)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_that_the_mart_could_not_store_is_rolled_back_and_answered_18() {
    let other = guid(6, 2);
    let cases = [
        ("'V-2031/17' AS book_ext_id, :slot_id AS slot_id".to_owned(), "book_ext_id_no_guid"),
        (format!("'{}' AS book_ext_id, '{other}' AS slot_id", guid(7, 1)), "other_slot_id"),
        (format!("'{}' AS book_ext_id, '17' AS slot_id", guid(7, 1)), "other_slot_id"),
    ];
    for mut hospitals in [postgres().await, mariadb().await] {
        let (slot, patient) = (hospitals.slots[0].clone(), hospitals.patients[0].clone());
        for (answer, fault) in &cases {
            booking_with(&mut hospitals, answer);
            let site = hospitals.open().await;
            let answer = site.book(&slot, &patient).await;
            assert_eq!((code(&answer), &answer["book_ext_id"]), (18, &Value::Null), "{}: {answer}", hospitals.name);
            assert_eq!(hospitals.standing(&slot).await, "0", "{}: {fault}", hospitals.name);
            assert!(metric(&site, "book", fault), "{}: {fault}", hospitals.name);
            assert!(site.changed.lock().unwrap().is_empty(), "nothing was done");
        }
        booking_with(&mut hospitals, &format!("upper('{}') AS book_ext_id, upper(:slot_id) AS slot_id", guid(7, 1)));
        let answer = hospitals.open().await.book(&slot, &patient).await;
        assert_eq!((code(&answer), &answer["book_ext_id"]), (0, &json!(guid(7, 1))), "{}", hospitals.name);
        assert_eq!(hospitals.standing(&slot).await, "1", "{}", hospitals.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_booking_than_the_one_that_was_named_is_not_cancelled() {
    for mut hospitals in [postgres().await, mariadb().await] {
        let cancel = format!("SELECT 0 AS status_code, '{}' AS book_ext_id", guid(7, 9));
        hospitals.config.cancel = vec!["UPDATE booking SET status = 5010".to_owned(), cancel];
        let site = hospitals.open().await;
        let (slot, patient) = (hospitals.slots[0].clone(), hospitals.patients[0].clone());
        let booked = site.book(&slot, &patient).await;
        assert_eq!(code(&site.cancel(&booked["book_ext_id"], &patient).await), 18, "{}", hospitals.name);
        assert_eq!(hospitals.standing(&slot).await, "1", "{}", hospitals.name);
        assert!(metric(&site, "cancel", "other_book_ext_id"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_is_completed_by_the_sites_lookup() {
    for mut hospitals in [postgres().await, mariadb().await] {
        hospitals.config.cancel =
            vec!["UPDATE booking SET status = 5010 WHERE id = :book_ext_id".into(), "SELECT 0 AS status_code".into()];
        let lookup = "SELECT id AS book_ext_id, slot_id, '2031-03-01 10:00:00' AS visit_time, 20 AS duration FROM booking \
                      WHERE id = :book_ext_id";
        hospitals.config.lookup = Some(vec![lookup.into()]);
        let site = hospitals.open().await;
        let (slot, patient) = (hospitals.slots[0].clone(), hospitals.patients[0].clone());
        let booked = site.book(&slot, &patient).await;
        let answer = site.cancel(&booked["book_ext_id"], &patient).await;
        let said = ["book_ext_id", "slot_id", "visit_time", "duration"].map(|name| answer[name].clone());
        let expected = [booked["book_ext_id"].clone(), json!(slot), json!("2031-03-01T10:00:00+05:00"), json!("20")];
        assert_eq!((code(&answer), said), (0, expected), "{}", hospitals.name);
        assert!(!metric(&site, "cancel", "incomplete"));
    }
}

/// What `check` says of these statements over a hospital's database.
fn check(hospitals: &Hospitals, book: &str, cancel: &str) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let password = hospitals.settings.password.as_ref().map(|password| {
        use secrecy::ExposeSecret;
        format!("password = {:?}\n", password.expose_secret())
    });
    let text = format!(
        "[sources.mis]\nurl = {:?}\n{}[booking]\nlisten = \"127.0.0.1:0\"\nallow = \"127.0.0.1\"\nbook = {book:?}\ncancel = {cancel:?}\n\
         lookup = \"SELECT NULL AS book_ext_id\"\n",
        hospitals.settings.url,
        password.unwrap_or_default(),
    );
    let path = write_private(folder.path(), "vitrina.toml", &text);
    run(vitrina(&["check", "--config", path.to_str().unwrap()]))
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_the_columns_that_the_statements_never_give() {
    const WHOLE: &str =
        "SELECT 0 AS status_code, NULL AS book_ext_id, NULL AS slot_id, NULL AS visit_time, 20 AS duration";
    for hospitals in [postgres().await, mariadb().await, builtin().await] {
        let ran = check(&hospitals, WHOLE, WHOLE);
        assert!(ran.code == 0 && !ran.out.contains("gives no column"), "{}: {}", hospitals.name, ran.out);
        let ran = check(&hospitals, "SELECT 0 AS status_code, 20 AS DURATION", "SELECT 0 AS status_code");
        assert_eq!(ran.code, 2, "{}", ran.out);
        for expected in [
            "error: booking.book: gives no column book_ext_id, visit_time: every booking would be rolled back",
            "warning: booking.cancel: gives no column slot_id, visit_time, duration, which the document calls mandatory",
        ] {
            assert!(ran.out.contains(expected), "{}: {}", hospitals.name, ran.out);
        }
        let ran = check(&hospitals, "SELECT nowhere FROM nothing", WHOLE);
        assert!(ran.code == 2 && ran.out.contains("error: booking.book: cannot be described: "), "{}", ran.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_describes_functions_without_running_them_and_says_nothing_of_what_cannot_be_described() {
    let hospitals = postgres().await;
    let own = |hospitals: &Hospitals| (hospitals.config.book[0].clone(), hospitals.config.cancel[0].clone());
    let (book, cancel) = own(&hospitals);
    let ran = check(&hospitals, &book, &cancel);
    assert!(ran.code == 0 && ran.out.contains("booking.cancel: gives no column visit_time, duration"), "{}", ran.out);
    assert_eq!(hospitals.db.as_ref().unwrap().number("SELECT count(*) AS n FROM booking").await, "0", "nothing ran");
    let hospitals = mariadb().await;
    let (book, cancel) = own(&hospitals);
    let ran = check(&hospitals, &book, &cancel);
    assert!(ran.code == 0 && !ran.out.contains("gives no column"), "{}", ran.out);
}
