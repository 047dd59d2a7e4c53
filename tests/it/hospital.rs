//! The demo hospital: the same from one seed, valid for the mock gateway, and valid still after a busy day.

use std::path::Path;

use chrono::NaiveDate;
use futures_util::TryStreamExt;
use serde_json::{Value, json};
use sqlx::{Row, SqlitePool};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use vitrina::demo::fer::{GatewaySettings, Subsystem};
use vitrina::demo::hospital::{Expected, Hospital, HospitalError, HospitalSettings, Lived, compare};

use crate::support::mart::Mart;

fn settings(seed: u64) -> HospitalSettings {
    let first_day = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
    HospitalSettings { slots: 2_000, seed, faulty: 5, first_day, days: 14 }
}

async fn hospital(dir: &TempDir, seed: u64) -> Hospital {
    Hospital::create(&dir.path().join(format!("mis-{seed}.db")), settings(seed)).await.unwrap()
}

/// Sends everything that is expected, parents before children; all of it must be taken.
async fn send_all(mart: &Mart, expected: &Expected) {
    for (subsystem, records) in expected {
        let records: Vec<Value> = records.values().cloned().map(Value::Object).collect();
        for chunk in records.chunks(1_000) {
            mart.accepts(subsystem.name(), chunk).await;
        }
    }
}

#[tokio::test]
async fn one_seed_makes_one_hospital_and_another_seed_another() {
    let (dir, again) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let first = hospital(&dir, 7).await.expected().await.unwrap();
    assert_eq!(first, hospital(&again, 7).await.expected().await.unwrap());
    assert_ne!(first, hospital(&dir, 8).await.expected().await.unwrap());
}

#[tokio::test]
async fn everything_expected_is_valid_for_the_gateway() {
    let dir = TempDir::new().unwrap();
    let hospital = hospital(&dir, 1).await;
    let mart = Mart::start(GatewaySettings::default()).await;
    let expected = hospital.expected().await.unwrap();
    assert!(expected.values().all(|records| !records.is_empty()));
    send_all(&mart, &expected).await;
    let differences = compare(&expected, |subsystem| mart.running.gateway().snapshot(subsystem));
    assert!(differences.is_empty(), "{differences}");
}

#[tokio::test]
async fn faulty_rows_and_what_hangs_on_them_are_all_that_is_not_expected() {
    let dir = TempDir::new().unwrap();
    let hospital = hospital(&dir, 1).await;
    let expected = hospital.expected().await.unwrap();
    let mut missing = Vec::new();
    for subsystem in Subsystem::ALL {
        let rows = hospital.rows(subsystem).await.unwrap();
        missing.push((subsystem.name(), rows - expected[&subsystem].len() as u64));
    }
    missing.retain(|(_, count)| *count > 0);
    // The doctor of a wrong SNILS with a service and two slots; the slot of an archived doctor; the slot for an unknown
    // channel; the referral without a speciality; the service with a long code.
    assert_eq!(missing, [("resource", 1), ("service", 2), ("slot", 4), ("referral", 1)]);
}

#[tokio::test]
async fn the_smallest_hospital_without_faults_is_expected_whole_and_lives() {
    let dir = TempDir::new().unwrap();
    let smallest = HospitalSettings { slots: 1, faulty: 0, ..settings(1) };
    let hospital = Hospital::create(&dir.path().join("mis.db"), smallest).await.unwrap();
    let mut life = hospital.life(1);
    for _ in 0..20 {
        life.tick().await.unwrap();
    }
    let expected = hospital.expected().await.unwrap();
    for subsystem in Subsystem::ALL {
        assert_eq!(hospital.rows(subsystem).await.unwrap(), expected[&subsystem].len() as u64, "{}", subsystem.name());
    }
}

#[tokio::test]
async fn the_gateway_refuses_the_faulty_rows() {
    let dir = TempDir::new().unwrap();
    let hospital = hospital(&dir, 1).await;
    let mart = Mart::start(GatewaySettings::default()).await;
    send_all(&mart, &hospital.expected().await.unwrap()).await;
    let pool = SqlitePool::connect(&hospital.source_url()).await.unwrap();
    let snils: i64 = sqlx::query_scalar(
        "SELECT snils FROM vitrina_fer_resource r, demo_faults f, resources t \
         WHERE f.feed = 'resource' AND t.id = f.row_id AND t.guid = r.id",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    let unit = mart.running.gateway().snapshot(Subsystem::Mo).keys().next().unwrap().clone();
    let doctor = crate::support::mart::with(
        crate::support::mart::doctor(),
        json!({"mo_id": unit, "snils": format!("{snils:011}")}),
    );
    let errors = mart.refuses("resource", doctor).await;
    assert!(errors[0].contains("[snils]"), "{errors:?}");
}

#[tokio::test]
async fn views_name_the_wire_and_show_the_hospitals_own_forms() {
    let dir = TempDir::new().unwrap();
    let hospital = hospital(&dir, 1).await;
    let pool = SqlitePool::connect(&hospital.source_url()).await.unwrap();
    let expected = hospital.expected().await.unwrap();
    for subsystem in Subsystem::ALL {
        let query = format!("SELECT * FROM vitrina_fer_{}", subsystem.name());
        let mut rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch(&pool);
        let first = rows.try_next().await.unwrap().unwrap();
        let columns: Vec<&str> = first.columns().iter().map(sqlx::Column::name).collect();
        for field in expected[&subsystem].values().flat_map(|record| record.keys()) {
            assert!(columns.contains(&field.as_str()), "{}: {field}", subsystem.name());
        }
        let written: String = first.try_get("create_ts").unwrap();
        assert_eq!(&written[10..11], " ", "{}", subsystem.name());
        let count = 1 + rows.try_fold(0_u64, |count, _| async move { Ok(count + 1) }).await.unwrap();
        assert_eq!(count, hospital.rows(subsystem).await.unwrap(), "{}", subsystem.name());
    }
    let unit: String = sqlx::query_scalar("SELECT id FROM vitrina_fer_mo").fetch_one(&pool).await.unwrap();
    let service: String = sqlx::query_scalar("SELECT id FROM vitrina_fer_service").fetch_one(&pool).await.unwrap();
    assert_eq!((unit == unit.to_uppercase(), service.len()), (true, 32));
}

#[tokio::test]
async fn five_hundred_ticks_of_life_keep_every_row_valid() {
    let dir = TempDir::new().unwrap();
    let hospital = hospital(&dir, 1).await;
    let before = hospital.expected().await.unwrap();
    let mut life = hospital.life(42);
    let mut lived = Lived::default();
    for _ in 0..500 {
        lived += life.tick().await.unwrap();
    }
    let kinds = [lived.booked, lived.canceled, lived.done, lived.missed, lived.opened, lived.on_leave];
    assert!(kinds.into_iter().all(|count| count > 0), "{lived:?}");
    let after = hospital.expected().await.unwrap();
    for (subsystem, records) in &before {
        let lost = records.keys().find(|id| !after[subsystem].contains_key(*id));
        assert_eq!(lost, None, "{} lost a row", subsystem.name());
    }
    let mart = Mart::start(GatewaySettings::default()).await;
    send_all(&mart, &before).await;
    send_all(&mart, &after).await;
    let differences = compare(&after, |subsystem| mart.running.gateway().snapshot(subsystem));
    assert!(differences.is_empty(), "{differences}");
}

#[tokio::test]
async fn life_runs_beside_readers_until_it_is_stopped() {
    let dir = TempDir::new().unwrap();
    let hospital = hospital(&dir, 1).await;
    let pool = SqlitePool::connect(&hospital.source_url()).await.unwrap();
    let mut reader = pool.begin().await.unwrap();
    let count = "SELECT count(*) FROM vitrina_fer_book WHERE status_code = 5000";
    let before: i64 = sqlx::query_scalar(count).fetch_one(&mut *reader).await.unwrap();
    let stop = CancellationToken::new();
    let life = tokio::spawn(hospital.life(3).run(std::time::Duration::from_millis(1), stop.clone()));
    loop {
        let now: i64 = sqlx::query_scalar(count).fetch_one(&pool).await.unwrap();
        if now != before {
            break;
        }
    }
    let still: i64 = sqlx::query_scalar(count).fetch_one(&mut *reader).await.unwrap();
    assert_eq!(still, before);
    stop.cancel();
    assert!(life.await.unwrap().unwrap().total() > 0);
}

#[tokio::test]
async fn a_hospital_is_not_made_over_a_file_or_out_of_nothing() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("mis.db");
    let nothing = Hospital::create(&path, HospitalSettings { slots: 0, ..settings(1) }).await.unwrap_err();
    assert_eq!(nothing.to_string(), "the demo hospital needs slots between 1 and 10000000");
    std::fs::write(&path, "precious").unwrap();
    let exists = Hospital::create(Path::new(&path), settings(1)).await.unwrap_err();
    assert!(matches!(exists, HospitalError::Exists { .. }));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}
