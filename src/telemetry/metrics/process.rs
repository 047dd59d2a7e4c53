//! The standard `process_*` metrics, complete also where the unit shows the process nothing of /proc but itself.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;

/// What tells when the process began. The collector needs /proc/stat for it, which `ProcSubset=pid` hides, and says 0 without.
const START: &str = "process_start_time_seconds";

/// The collector of the prometheus crate, with a start time in any case.
pub(super) struct Process {
    collector: ProcessCollector,
    /// When this was made, seconds since 1970-01-01: a moment after the process began.
    made: f64,
}

impl Process {
    pub(super) fn new() -> Self {
        let made = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as f64;
        Process { collector: ProcessCollector::for_self(), made }
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.collector.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        with_start(self.collector.collect(), self.made)
    }
}

/// These families, with this start time where none is known.
fn with_start(mut families: Vec<MetricFamily>, made: f64) -> Vec<MetricFamily> {
    for family in families.iter_mut().filter(|family| family.name() == START) {
        for metric in family.mut_metric() {
            let mut gauge = metric.get_gauge().clone();
            if gauge.get_value() == 0.0 {
                gauge.set_value(made);
                metric.set_gauge(gauge);
            }
        }
    }
    families
}

#[cfg(test)]
mod tests {
    use prometheus::IntGauge;

    use super::*;

    fn start_of(families: &[MetricFamily]) -> f64 {
        families.iter().find(|family| family.name() == START).unwrap().get_metric()[0].get_gauge().get_value()
    }

    #[test]
    fn a_process_that_sees_nothing_but_itself_has_a_start_time() {
        let unknown = IntGauge::new(START, "help").unwrap();
        assert_eq!(start_of(&with_start(unknown.collect(), 77.0)), 77.0);
        unknown.set(5);
        assert_eq!(start_of(&with_start(unknown.collect(), 77.0)), 5.0, "what is known stays");
    }
}
