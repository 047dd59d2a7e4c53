//! A hospital shuffles its timetable: the slots of every resource exchange their times, in rings of any length.
//!
//! `TANGLE` makes it so many slots, `BATCH` sends so many in a request.

use std::time::Duration;

use super::site::{Settings, Site};
use crate::support::database::postgres;
use crate::support::hospital::Hospital;
use crate::support::storm::Limits;

const RATE: usize = 20;

/// Far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_shuffled_timetable_reaches_the_mart() {
    let slots = std::env::var("TANGLE").ok().map_or(1_000, |slots| slots.parse().expect("TANGLE"));
    let batch = std::env::var("BATCH").ok().map_or(25, |batch| batch.parse().expect("BATCH"));
    let db = postgres().await;
    Hospital::new(slots, false).fill(&db).await;
    let settings = Settings { requests_per_second: RATE, batch, timeout: 5, more: Site::every_second() };
    let site = Site::new(db, &settings).await;
    let first = site.sync().await;
    assert_eq!(first.code, 0, "{}", first.out);
    let before = site.receiver.journal().len();

    // Each slot takes the time of another of its resource, whichever a seedless hash gives it. Booked ones stay where they are: of two that
    // exchange their times neither may be removed for it.
    site.db
        .execute(&[
            "WITH own AS (SELECT id, resource_id, visit_time, row_number() OVER (PARTITION BY resource_id ORDER BY id) AS n \
             FROM vitrina_fer_slot WHERE status <> 'RECORDED'), \
             other AS (SELECT resource_id, visit_time, row_number() OVER (PARTITION BY resource_id ORDER BY md5(id::text)) AS n FROM own) \
             UPDATE vitrina_fer_slot s SET visit_time = other.visit_time FROM own, other \
             WHERE s.id = own.id AND own.resource_id = other.resource_id AND own.n = other.n",
        ])
        .await;
    let daemon = site.start_daemon();
    let took = site.becomes_equal(PATIENCE).await;
    assert_eq!(daemon.stop(), Some(0), "{}", site.log());
    let journal = site.receiver.journal();
    println!("{} requests, {took:?}", journal.len() - before);
    journal.assert_kept(Limits { requests_per_second: RATE });
}
