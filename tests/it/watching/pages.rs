//! The operator's guides describe every metric with its labels, and lead to the alerts.

use std::collections::BTreeSet;

use vitrina::telemetry::Metrics;

const GUIDES: [&str; 2] = [include_str!("../../../docs/operations.md"), include_str!("../../../docs/ru/operations.md")];

/// Rows of the guide's table of metrics: each with its labels, in the order of their names.
fn described(guide: &str) -> BTreeSet<String> {
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| `"));
    let metrics = rows.filter(|row| row.starts_with("vitrina_") || row.starts_with("process_"));
    metrics.map(|row| in_order(row.split('`').next().unwrap())).collect()
}

fn in_order(metric: &str) -> String {
    let Some((name, labels)) = metric.split_once('{') else { return metric.to_owned() };
    let labels: BTreeSet<&str> = labels.trim_end_matches('}').split(',').collect();
    format!("{name}{{{}}}", labels.into_iter().collect::<Vec<_>>().join(","))
}

#[test]
fn the_guides_describe_every_metric_with_its_labels() {
    let metrics = Metrics::new().unwrap();
    let all: BTreeSet<String> = metrics
        .described()
        .iter()
        .map(|metric| match metric.labels.as_slice() {
            [] => metric.name.clone(),
            labels => in_order(&format!("{}{{{}}}", metric.name, labels.join(","))),
        })
        .collect();
    for guide in GUIDES {
        assert_eq!(described(guide), all);
    }
}

#[test]
fn the_guides_lead_to_the_alerts() {
    for guide in GUIDES {
        assert!(guide.contains("(alerts.md)") && guide.contains("vitrina.rules.yml"));
    }
}
