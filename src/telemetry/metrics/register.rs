//! Registration: every metric enters the registry here and leaves its description, which tests hold dashboards, rules and guides against.

use std::cell::RefCell;

use prometheus::core::Collector;
use prometheus::proto::MetricType;
use prometheus::{Error, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// What every name of ours begins with.
const NAMESPACE: &str = "vitrina";

/// A registered metric, with or without a value yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// True when its series are `name_bucket`, `name_sum` and `name_count`.
    pub is_histogram: bool,
}

/// Fills a registry.
pub(super) struct Register<'a> {
    registry: &'a Registry,
    described: RefCell<Vec<Described>>,
}

impl<'a> Register<'a> {
    pub(super) fn of(registry: &'a Registry) -> Self {
        Register { registry, described: RefCell::default() }
    }

    pub(super) fn into_described(self) -> Vec<Described> {
        self.described.into_inner()
    }

    /// Registers a collector under the names it has.
    pub(super) fn add<C: Collector + 'static>(&self, collector: C) -> Result<(), Error> {
        let families = collector.collect();
        let is_histogram = |name: &str| {
            families.iter().any(|family| family.name() == name && family.get_field_type() == MetricType::HISTOGRAM)
        };
        let described = collector.desc().into_iter().map(|desc| Described {
            name: desc.fq_name.clone(),
            labels: desc.variable_labels.clone(),
            is_histogram: is_histogram(&desc.fq_name),
        });
        self.described.borrow_mut().extend(described);
        self.registry.register(Box::new(collector))
    }

    fn keep<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C, Error> {
        self.add(collector.clone())?;
        Ok(collector)
    }

    pub(super) fn integer(&self, name: &str, help: &str) -> Result<IntGauge, Error> {
        self.keep(IntGauge::with_opts(opts(name, help))?)
    }

    pub(super) fn numbers(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, Error> {
        self.keep(GaugeVec::new(opts(name, help), labels)?)
    }

    pub(super) fn integers(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, Error> {
        self.keep(IntGaugeVec::new(opts(name, help), labels)?)
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        self.keep(IntCounterVec::new(opts(name, help), labels)?)
    }

    pub(super) fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: Vec<f64>,
    ) -> Result<HistogramVec, Error> {
        let opts = HistogramOpts { common_opts: opts(name, help), buckets };
        self.keep(HistogramVec::new(opts, labels)?)
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(NAMESPACE)
}
