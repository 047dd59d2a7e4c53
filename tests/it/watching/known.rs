//! What can be asked for: every metric with its labels, and the values of labels that are enums.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vitrina::ledger::Counts;
use vitrina::sync::Drafts;
use vitrina::telemetry::Metrics;
use vitrina::transport::Health;

/// Labels that Prometheus itself gives each series.
const OF_THE_SCRAPE: [&str; 2] = ["job", "instance"];
/// Labels whose values are an enum.
const ENUMS: [&str; 8] = ["state", "outcome", "verb", "code", "fault", "reason", "encoding", "kind"];

/// Series by name, with their labels.
pub struct Known {
    series: BTreeMap<String, BTreeSet<String>>,
    values: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    /// What a daemon exposes, and what Prometheus makes by itself.
    pub fn new() -> Self {
        let metrics = shown();
        let mut series = BTreeMap::new();
        for metric in metrics.described() {
            let labels: BTreeSet<String> =
                metric.labels.iter().cloned().chain(OF_THE_SCRAPE.map(str::to_owned)).collect();
            if metric.is_histogram {
                let le = labels.iter().cloned().chain(["le".to_owned()]).collect();
                series.insert(format!("{}_bucket", metric.name), le);
                series.insert(format!("{}_sum", metric.name), labels.clone());
                series.insert(format!("{}_count", metric.name), labels);
            } else {
                series.insert(metric.name.clone(), labels);
            }
        }
        let alerts = ["alertname", "alertstate", "severity", "kind", "portal", "feed"];
        series.insert("ALERTS".to_owned(), alerts.into_iter().chain(OF_THE_SCRAPE).map(str::to_owned).collect());
        series.insert("up".to_owned(), OF_THE_SCRAPE.map(str::to_owned).into());
        Known { series, values: values(&metrics.text().unwrap()) }
    }

    /// With a series that a rule records.
    pub fn record(&mut self, name: &str, labels: BTreeSet<String>) {
        self.series.insert(name.to_owned(), labels);
    }

    /// The labels of a series.
    pub fn labels(&self, name: &str) -> Option<&BTreeSet<String>> {
        self.series.get(name)
    }

    /// The values that a label can have, if it is an enum.
    pub fn values(&self, label: &str) -> Option<&BTreeSet<String>> {
        self.values.get(label)
    }
}

/// Metrics of which every series with an enum is shown.
fn shown() -> Metrics {
    let metrics = Metrics::new().unwrap();
    metrics.announce_portal("fer");
    metrics.announce_feed("fer", "slot");
    metrics.show_feed("fer", "slot", &Counts::default(), Some(1), 1);
    metrics.show_portal("fer", &Health::Open, 0);
    metrics.show_drafts("sout", "training", &Drafts::default(), 1);
    // As the document numbers them.
    metrics.announce_booking("book", [0, 11, 12, 13, 14, 15, 17, 18], []);
    metrics.announce_booking("cancel", [0, 1, 18], []);
    metrics.portal("fer").request(200, Duration::ZERO);
    metrics
}

fn values(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for pair in text.lines().filter_map(|line| line.split_once('{')).flat_map(|(_, rest)| rest.split(['{', ',', '}'])) {
        if let Some((label, value)) = pair.split_once('=').filter(|(label, _)| ENUMS.contains(label)) {
            values.entry(label.to_owned()).or_default().insert(value.trim_matches('"').to_owned());
        }
    }
    values
}
