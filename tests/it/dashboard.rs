//! The dashboard and the operator's guides know every metric, and ask for nothing that `/metrics` does not give.

use std::collections::BTreeSet;

use vitrina::telemetry::Metrics;

/// Every metric that is registered.
fn all() -> BTreeSet<String> {
    Metrics::new().unwrap().names().iter().cloned().collect()
}

/// Names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("vitrina_"));
    names
        .map(|name| name.trim_end_matches("_bucket").trim_end_matches("_count").trim_end_matches("_sum").to_owned())
        .collect()
}

/// What the dashboard's panels ask for.
fn asked() -> BTreeSet<String> {
    let board: serde_json::Value = serde_json::from_str(include_str!("../../dashboards/vitrina.json")).unwrap();
    named(&board["panels"].to_string())
}

/// The metrics that a guide's table describes, and those that it recommends an alert for.
fn described(guide: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let table: String = guide.lines().filter(|line| line.starts_with("| `vitrina_")).collect();
    let alerts: String = guide.lines().filter(|line| !line.starts_with('|')).collect();
    (named(&table), named(&alerts))
}

#[test]
fn every_metric_of_the_dashboard_exists() {
    let (all, asked) = (all(), asked());
    assert!(asked.len() > 10, "{asked:?}");
    let missing: Vec<_> = asked.difference(&all).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let (all, asked) = (all(), asked());
    let shown_nowhere: Vec<_> = all.difference(&asked).filter(|name| *name != "vitrina_build_info").collect();
    assert!(shown_nowhere.is_empty(), "{shown_nowhere:?}");
}

#[test]
fn the_guides_describe_every_metric_and_alert_to_what_needs_a_person() {
    for guide in [include_str!("../../docs/operations.md"), include_str!("../../docs/ru/operations.md")] {
        let (table, alerts) = described(guide);
        assert_eq!(table, all());
        for needs_a_person in ["vitrina_fuse_tripped", "vitrina_feed_parked", "vitrina_portal_state"] {
            assert!(alerts.contains(needs_a_person), "{needs_a_person}");
        }
    }
}
