//! Forgetting: series of portals and feeds that the configuration no longer has. A gauge that nobody sets any more would stand for ever.

use std::collections::{BTreeSet, HashMap};

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};

/// Portals and their feeds.
pub(super) type Feeds = BTreeSet<(String, &'static str)>;

/// A metric whose series can be dropped.
pub(super) trait Forgets {
    /// Drops the series of every portal and feed that is not among these.
    fn keep_only(&self, feeds: &Feeds);
}

impl<T: MetricVecBuilder> Forgets for MetricVec<T> {
    fn keep_only(&self, feeds: &Feeds) {
        for family in self.collect() {
            for metric in family.get_metric() {
                let labels: HashMap<&str, &str> =
                    metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
                if !is_among(&labels, feeds) {
                    // A series that went by itself is gone all the same.
                    drop(self.remove(&labels));
                }
            }
        }
    }
}

fn is_among(labels: &HashMap<&str, &str>, feeds: &Feeds) -> bool {
    let Some(portal) = labels.get("portal") else { return true };
    let mut of_portal = feeds.iter().filter(|(name, _)| name == portal);
    match labels.get("feed") {
        Some(feed) => of_portal.any(|(_, name)| name == feed),
        None => of_portal.next().is_some(),
    }
}
