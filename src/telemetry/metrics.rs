//! Metrics: every name, help text and label of `/metrics`. Labels are names from the configuration and enums, never keys or texts.

use std::cell::RefCell;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::ledger::Counts;
use crate::transport::Health;

/// What became of a record, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The portal holds it.
    Accepted,
    /// The portal refused it.
    Refused,
    /// Our own checks refused its row.
    Invalid,
    /// The portal removed it.
    Removed,
    /// It was put off to a later cycle.
    Postponed,
}

/// Why a request or a record is tried again, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryReason {
    /// The token was refused and renewed.
    Token,
    /// The portal or the network failed.
    Failure,
    /// A request was cut into smaller ones.
    Split,
}

impl Outcome {
    const ALL: [Outcome; 5] =
        [Outcome::Accepted, Outcome::Refused, Outcome::Invalid, Outcome::Removed, Outcome::Postponed];

    fn label(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Refused => "refused",
            Outcome::Invalid => "invalid",
            Outcome::Removed => "removed",
            Outcome::Postponed => "postponed",
        }
    }
}

impl RetryReason {
    fn label(self) -> &'static str {
        match self {
            RetryReason::Token => "token",
            RetryReason::Failure => "failure",
            RetryReason::Split => "split",
        }
    }
}

/// States of `vitrina_portal_state`.
const PORTAL_STATES: [&str; 3] = ["open", "paused", "parked"];

/// Buckets of the time to an answer: fine where it should be, and at the limits of ours and of the gateway.
const BOOKING_BUCKETS: [f64; 13] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0];

/// What every name begins with.
const PREFIX: &str = "vitrina";

/// Every metric of the process.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    names: Vec<String>,
    last_success: GaugeVec,
    lag: GaugeVec,
    records: IntGaugeVec,
    records_total: IntCounterVec,
    cycle_duration: HistogramVec,
    cycle_failures: IntCounterVec,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    retries: IntCounterVec,
    sent_bytes: IntCounterVec,
    portal_state: IntGaugeVec,
    token_expires: GaugeVec,
    feed_parked: IntGaugeVec,
    drafts: IntGaugeVec,
    draft_age: GaugeVec,
    unit_paused: IntGaugeVec,
    fuse_tripped: IntGaugeVec,
    drain: GaugeVec,
    last_tick: Gauge,
    booking_requests: IntCounterVec,
    booking_faults: IntCounterVec,
    booking_duration: HistogramVec,
    booking_uncertain: IntGauge,
    reloaded: IntGauge,
}

impl Metrics {
    /// The metrics, all registered, none with a value of its own yet but `build_info`.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some(PREFIX.to_owned()), None)?;
        let roll = Roll { registry: &registry, names: RefCell::default() };
        let feed = &["portal", "feed"];
        let build = GaugeVec::new(Opts::new("build_info", "Always 1; the label tells the version."), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        roll.add(build)?;
        let gauge = |name: &str, help: &str, labels: &[&str]| roll.add(GaugeVec::new(Opts::new(name, help), labels)?);
        let integer =
            |name: &str, help: &str, labels: &[&str]| roll.add(IntGaugeVec::new(Opts::new(name, help), labels)?);
        let counter =
            |name: &str, help: &str, labels: &[&str]| roll.add(IntCounterVec::new(Opts::new(name, help), labels)?);
        let seconds = |name: &str, help: &str, labels: &[&str], buckets: Vec<f64>| {
            roll.add(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels)?)
        };
        Ok(Metrics {
            last_success: gauge(
                "feed_last_success_timestamp_seconds",
                "End of the feed's last cycle that did all it had to, seconds since 1970-01-01.",
                feed,
            )?,
            lag: gauge(
                "feed_lag_seconds",
                "Age of the oldest change that the portal has not acknowledged, in seconds.",
                feed,
            )?,
            records: integer("feed_records", "Records of the feed by state.", &["portal", "feed", "state"])?,
            records_total: counter("records_total", "Records by what became of them.", &["portal", "feed", "outcome"])?,
            cycle_duration: seconds(
                "cycle_duration_seconds",
                "Duration of a feed's cycles, in seconds.",
                feed,
                buckets(0.01, 16),
            )?,
            cycle_failures: counter(
                "cycle_failures_total",
                "Cycles that could not be done: the source or the query failed.",
                feed,
            )?,
            requests: counter(
                "requests_total",
                "Requests to the portal by HTTP status; 0 means that no answer came.",
                &["portal", "status"],
            )?,
            request_duration: seconds(
                "request_duration_seconds",
                "Duration of requests to the portal, in seconds.",
                &["portal"],
                buckets(0.005, 14),
            )?,
            retries: counter("retries_total", "Requests made again, by reason.", &["portal", "reason"])?,
            sent_bytes: counter(
                "sent_bytes_total",
                "Bytes of request bodies, before (raw) and after (gzip) compression.",
                &["portal", "encoding"],
            )?,
            portal_state: integer(
                "portal_state",
                "1 for the state the portal is in: open, paused, parked.",
                &["portal", "state"],
            )?,
            token_expires: gauge(
                "token_expires_timestamp_seconds",
                "When the portal's token expires, seconds since 1970-01-01.",
                &["portal"],
            )?,
            feed_parked: integer(
                "feed_parked",
                "1 while the portal refuses the feed's address, or what its records travel in (a signature), and the feed is tried rarely, else 0.",
                feed,
            )?,
            drafts: integer(
                "feed_drafts",
                "Records that went out signed and lie at the portal as drafts: a person must send them on from the site.",
                feed,
            )?,
            draft_age: gauge(
                "feed_draft_age_seconds",
                "Age of the oldest of these drafts, in seconds; 0 when there is none.",
                feed,
            )?,
            unit_paused: integer("unit_paused", "Units of the portal whose records are paused.", &["portal"])?,
            fuse_tripped: integer("fuse_tripped", "1 while the feed's fuse holds removals back.", feed)?,
            drain: gauge(
                "backlog_drain_seconds",
                "Estimate of how long the pending records will take, in seconds.",
                feed,
            )?,
            last_tick: roll.add(Gauge::with_opts(Opts::new(
                "clock_last_tick_timestamp_seconds",
                "Last tick of the clock, seconds since 1970-01-01.",
            ))?)?,
            booking_requests: counter(
                "booking_requests_total",
                "Bookings (book) and cancellations (cancel) answered, by the code of the answer.",
                &["verb", "code"],
            )?,
            booking_faults: counter(
                "booking_faults_total",
                "Rows of the site's booking statements that are no answer, by what is wrong with them.",
                &["verb", "fault"],
            )?,
            booking_duration: seconds(
                "booking_duration_seconds",
                "Time from a booking's or cancellation's arrival to its answer, in seconds; the gateway waits 10.",
                &["verb"],
                BOOKING_BUCKETS.to_vec(),
            )?,
            booking_uncertain: roll.add(IntGauge::with_opts(Opts::new(
                "booking_uncertain",
                "Bookings answered 18 of which nobody knows whether they were made.",
            ))?)?,
            reloaded: roll.add(IntGauge::with_opts(Opts::new(
                "config_last_reload_successful",
                "1 while the configuration that was read last is in force, 0 when it was refused and an older one goes on.",
            ))?)?,
            names: roll.names.into_inner(),
            registry,
        })
    }

    /// The text of `/metrics`.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// Names of all metrics that are registered, with or without a value yet, for tests of dashboards and documents.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Lets a feed's series appear before anything happens to it.
    pub fn announce_feed(&self, portal: &str, feed: &str) {
        for outcome in Outcome::ALL {
            self.records_total.with_label_values(&[portal, feed, outcome.label()]);
        }
        self.cycle_failures.with_label_values(&[portal, feed]);
        self.cycle_duration.with_label_values(&[portal, feed]);
    }

    /// Some records had this outcome.
    pub fn count_records(&self, portal: &str, feed: &str, outcome: Outcome, count: u64) {
        self.records_total.with_label_values(&[portal, feed, outcome.label()]).inc_by(count);
    }

    /// A cycle ended.
    pub fn observe_cycle(&self, portal: &str, feed: &str, duration: Duration) {
        self.cycle_duration.with_label_values(&[portal, feed]).observe(duration.as_secs_f64());
    }

    /// A cycle could not be done.
    pub fn count_cycle_failure(&self, portal: &str, feed: &str) {
        self.cycle_failures.with_label_values(&[portal, feed]).inc();
    }

    /// The feed's numbers at `now`.
    pub fn show_feed(&self, portal: &str, feed: &str, counts: &Counts, last_success: Option<i64>, now: i64) {
        let states = [
            ("accepted", counts.accepted),
            ("pending", counts.pending),
            ("held", counts.held),
            ("rejected", counts.rejected),
            ("unknown", counts.unknown),
        ];
        for (state, count) in states {
            self.records.with_label_values(&[portal, feed, state]).set(count.cast_signed());
        }
        let lag = counts.oldest_pending.map_or(0, |since| now.saturating_sub(since).max(0));
        self.lag.with_label_values(&[portal, feed]).set(lag as f64);
        if let Some(last) = last_success {
            self.last_success.with_label_values(&[portal, feed]).set(last as f64);
        }
    }

    /// Whether the portal refuses the feed's address, or what its records travel in.
    pub fn show_parked(&self, portal: &str, feed: &str, parked: bool) {
        self.feed_parked.with_label_values(&[portal, feed]).set(i64::from(parked));
    }

    /// Records that lie at the portal as drafts although they went out signed.
    pub fn show_drafts(&self, portal: &str, feed: &str, count: u64, age: u64) {
        self.drafts.with_label_values(&[portal, feed]).set(count.cast_signed());
        self.draft_age.with_label_values(&[portal, feed]).set(age as f64);
    }

    /// How long the pending records will take at the pace of the last cycles.
    pub fn show_drain(&self, portal: &str, feed: &str, seconds: f64) {
        self.drain.with_label_values(&[portal, feed]).set(seconds);
    }

    /// How the portal does.
    pub fn show_portal(&self, portal: &str, health: &Health, paused_units: usize) {
        let current = match health {
            Health::Open => "open",
            Health::Paused { .. } => "paused",
            Health::Parked { .. } => "parked",
        };
        for state in PORTAL_STATES {
            self.portal_state.with_label_values(&[portal, state]).set(i64::from(state == current));
        }
        self.unit_paused.with_label_values(&[portal]).set(i64::try_from(paused_units).unwrap_or(i64::MAX));
    }

    /// Whether a feed's fuse holds removals back.
    pub fn show_fuse(&self, portal: &str, feed: &str, tripped: bool) {
        self.fuse_tripped.with_label_values(&[portal, feed]).set(i64::from(tripped));
    }

    /// The clock ticked.
    pub fn show_tick(&self, now: i64) {
        self.last_tick.set(now as f64);
    }

    /// Lets the series of a verb appear before anything is answered.
    pub fn announce_booking(
        &self,
        verb: &str,
        codes: impl IntoIterator<Item = u8>,
        faults: impl IntoIterator<Item = &'static str>,
    ) {
        for code in codes {
            self.booking_requests.with_label_values(&[verb, &code.to_string()]);
        }
        for fault in faults {
            self.booking_faults.with_label_values(&[verb, fault]);
        }
        self.booking_duration.with_label_values(&[verb]);
    }

    /// A booking or cancellation was answered.
    pub fn observe_booking(&self, verb: &str, code: u8, duration: Duration) {
        self.booking_requests.with_label_values(&[verb, &code.to_string()]).inc();
        self.booking_duration.with_label_values(&[verb]).observe(duration.as_secs_f64());
    }

    /// A row of the site's statement was no answer.
    pub fn count_booking_fault(&self, verb: &str, fault: &'static str) {
        self.booking_faults.with_label_values(&[verb, fault]).inc();
    }

    /// Whether the configuration that was read last is in force.
    pub fn show_reload(&self, is_in_force: bool) {
        self.reloaded.set(i64::from(is_in_force));
    }

    /// How many bookings are of unknown outcome.
    pub fn show_uncertain_bookings(&self, count: usize) {
        self.booking_uncertain.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// What a portal's wire reports to.
    pub fn portal(&self, portal: &str) -> PortalMeter {
        PortalMeter { metrics: self.clone(), portal: portal.to_owned() }
    }
}

/// Where one portal's wire reports its requests.
#[derive(Clone)]
pub struct PortalMeter {
    metrics: Metrics,
    portal: String,
}

impl PortalMeter {
    /// A request ended; `status` is 0 when no answer came.
    pub fn request(&self, status: u16, duration: Duration) {
        let portal = self.portal.as_str();
        self.metrics.requests.with_label_values(&[portal, &status.to_string()]).inc();
        self.metrics.request_duration.with_label_values(&[portal]).observe(duration.as_secs_f64());
    }

    /// A body went out.
    pub fn sent(&self, raw: usize, gzip: usize) {
        let bytes = |encoding: &str| self.metrics.sent_bytes.with_label_values(&[self.portal.as_str(), encoding]);
        bytes("raw").inc_by(raw as u64);
        bytes("gzip").inc_by(gzip as u64);
    }

    /// Something is tried again.
    pub fn retry(&self, reason: RetryReason) {
        self.metrics.retries.with_label_values(&[self.portal.as_str(), reason.label()]).inc();
    }

    /// A token was received.
    pub fn token_expires(&self, at: i64) {
        self.metrics.token_expires.with_label_values(&[self.portal.as_str()]).set(at as f64);
    }
}

/// Where metrics are registered, and the names under which they show.
struct Roll<'a> {
    registry: &'a Registry,
    names: RefCell<Vec<String>>,
}

impl Roll<'_> {
    fn add<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C, prometheus::Error> {
        self.registry.register(Box::new(collector.clone()))?;
        let names = collector.desc().into_iter().map(|desc| format!("{PREFIX}_{}", desc.fq_name));
        self.names.borrow_mut().extend(names);
        Ok(collector)
    }
}

/// `count` buckets, each twice the one before.
fn buckets(start: f64, count: i32) -> Vec<f64> {
    (0..count).map(|power| start * f64::from(2i32.pow(power.unsigned_abs()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_carries_the_prefix() {
        let metrics = Metrics::new().unwrap();
        metrics.announce_feed("fer", "slot");
        metrics.show_feed("fer", "slot", &Counts::default(), Some(5), 10);
        let text = metrics.text().unwrap();
        let series = text.lines().filter(|line| !line.starts_with('#'));
        assert!(series.clone().count() > 5);
        series.for_each(|line| assert!(line.starts_with("vitrina_"), "{line}"));
    }

    #[test]
    fn lag_is_the_age_of_the_oldest_pending_record() {
        let metrics = Metrics::new().unwrap();
        let counts = Counts { pending: 1, oldest_pending: Some(40), ..Counts::default() };
        metrics.show_feed("fer", "slot", &counts, None, 100);
        assert!(metrics.text().unwrap().contains("vitrina_feed_lag_seconds{feed=\"slot\",portal=\"fer\"} 60"));
    }

    #[test]
    fn a_portal_is_in_one_state() {
        let metrics = Metrics::new().unwrap();
        metrics.show_portal("fer", &Health::Paused { until: 1, why: String::new() }, 2);
        let text = metrics.text().unwrap();
        assert!(text.contains("vitrina_portal_state{portal=\"fer\",state=\"paused\"} 1"));
        assert!(text.contains("vitrina_portal_state{portal=\"fer\",state=\"open\"} 0"));
        assert!(text.contains("vitrina_unit_paused{portal=\"fer\"} 2"));
    }
}
