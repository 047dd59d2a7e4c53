//! After a pause of the portal slots go first, and the other feeds of the running daemon follow once they are through.

use std::time::Duration;

use super::site::{Settings, Site};
use crate::support::database::sqlite;
use crate::support::hospital::Hospital;
use crate::support::storm::{Fault, Limits, On, Plan};

const RATE: usize = 20;
const SLOTS: usize = 60;
const BATCH: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn slots_lead_when_the_portal_is_back() {
    let db = sqlite().await;
    Hospital::new(SLOTS, false).fill(&db).await;
    // Nobody looks again by itself: whatever is sent after the pause is sent because the pause is over.
    let more = Site::every(Duration::from_secs(24 * 3600));
    let site = Site::new(db, &Settings { requests_per_second: RATE, batch: BATCH, timeout: 5, more }).await;
    assert_eq!(site.sync().await.code, 0);
    site.db
        .execute(&[
            "UPDATE vitrina_fer_mo SET address = 'elsewhere'",
            "UPDATE vitrina_fer_resource SET enabled = 'NONE'",
            "UPDATE vitrina_fer_service SET price = 7",
            "UPDATE vitrina_fer_slot SET duration = 25",
        ])
        .await;
    let before = site.receiver.journal().len();
    // The first thing that everybody needs, so that everybody meets the pause.
    site.receiver.follow(Plan::Once { fault: Fault::Maintenance, on: On::Token });
    let daemon = site.start_daemon();
    site.becomes_equal(Duration::from_secs(60)).await;
    assert_eq!(daemon.stop(), Some(0), "{}", site.log());
    let journal = site.receiver.journal();
    let feeds = journal.writes_to(before);
    let (first, rest) = feeds.split_at(SLOTS / BATCH);
    assert!(first.iter().all(|feed| *feed == "slot") && !rest.is_empty(), "{feeds:?}");
    journal.assert_kept(Limits { requests_per_second: RATE });
}
