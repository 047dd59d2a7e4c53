//! The dashboard asks for nothing that `/metrics` does not give.

use std::collections::BTreeSet;
use std::time::Duration;

use vitrina::ledger::Counts;
use vitrina::telemetry::{Metrics, Outcome, RetryReason};
use vitrina::transport::Health;

/// Every metric, with a value.
fn all() -> BTreeSet<String> {
    let metrics = Metrics::new().unwrap();
    metrics.announce_feed("fer", "slot");
    metrics.count_records("fer", "slot", Outcome::Accepted, 1);
    metrics.observe_cycle("fer", "slot", Duration::from_secs(1));
    metrics.show_feed("fer", "slot", &Counts::default(), Some(1), 2);
    metrics.show_drain("fer", "slot", 1.0);
    metrics.show_portal("fer", &Health::Open, 0);
    metrics.observe_booking("book", 0, Duration::from_millis(5));
    metrics.show_uncertain_bookings(1);
    let portal = metrics.portal("fer");
    portal.request(200, Duration::from_secs(1));
    portal.sent(2, 1);
    portal.retry(RetryReason::Token);
    portal.token_expires(1);
    metrics.names().into_iter().collect()
}

/// Names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("vitrina_"));
    names
        .map(|name| name.trim_end_matches("_bucket").trim_end_matches("_count").trim_end_matches("_sum").to_owned())
        .collect()
}

#[test]
fn every_metric_of_the_dashboard_exists() {
    let board: serde_json::Value = serde_json::from_str(include_str!("../../dashboards/vitrina.json")).unwrap();
    let asked = named(&board["panels"].to_string());
    assert!(asked.len() > 10, "{asked:?}");
    let missing: Vec<_> = asked.difference(&all()).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let board = named(include_str!("../../dashboards/vitrina.json"));
    let shown_nowhere: Vec<_> =
        all().difference(&board).filter(|name| *name != "vitrina_build_info").cloned().collect();
    assert!(shown_nowhere.is_empty(), "{shown_nowhere:?}");
}
