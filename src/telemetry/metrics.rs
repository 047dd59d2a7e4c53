//! Metrics: every name, help text and label of `/metrics`. Labels are names from the configuration and enums, never keys or texts.

mod forget;
mod labels;
mod process;
mod register;
#[cfg(test)]
mod tests;

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::Metric as Series;
use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};

use crate::ledger::{Counts, Room};
use crate::sync::Drafts;
use crate::transport::{Health, TokenOutlook};
use forget::{Feeds, Forgets};
use labels::{DRAFTS, ENCODINGS, PORTAL_STATES, state_of};
pub use labels::{Outcome, Recorded, RetryReason};
use process::Process;
pub use register::Described;
use register::Register;

/// Buckets of the time to an answer: fine where it should be, and at the limits of ours and of the gateway.
const BOOKING_BUCKETS: [f64; 13] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0];

/// No label: a metric that stays away until it has a value, because 0 would be one.
const NONE: &[&str] = &[];
/// Outcomes of `vitrina_notices_total`.
const NOTICE_OUTCOMES: [&str; 2] = ["sent", "failed"];

/// Every metric of the process.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    described: Vec<Described>,
    last_success: GaugeVec,
    lag: GaugeVec,
    records: IntGaugeVec,
    records_total: IntCounterVec,
    cycle_duration: HistogramVec,
    schedule: GaugeVec,
    failed_cycles: IntGaugeVec,
    cycle_failures: IntCounterVec,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    retries: IntCounterVec,
    sent_bytes: IntCounterVec,
    portal_state: IntGaugeVec,
    token_expires: GaugeVec,
    token_failures: IntGaugeVec,
    clock_skew: GaugeVec,
    feed_parked: IntGaugeVec,
    drafts: IntGaugeVec,
    draft_age: GaugeVec,
    unit_paused: IntGaugeVec,
    fuse_tripped: IntGaugeVec,
    drain: GaugeVec,
    last_tick: GaugeVec,
    healthy: IntGauge,
    ready: IntGauge,
    ledger_bytes: IntGaugeVec,
    ledger_disk_free: IntGaugeVec,
    booking_requests: IntCounterVec,
    booking_faults: IntCounterVec,
    booking_duration: HistogramVec,
    booking_uncertain: IntGauge,
    reloaded: IntGauge,
    notices: IntCounterVec,
    notices_failing: IntGaugeVec,
    notices_last: GaugeVec,
    recorded: IntCounterVec,
}

impl Metrics {
    /// The metrics, all registered, none with a value of its own yet but `build_info`.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let register = Register::of(&registry);
        let feed = &["portal", "feed"];
        register
            .numbers("build_info", "Always 1; the label tells the version.", &["version"])?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1.0);
        register.add(Process::new())?;
        let reloaded = register.integer(
            "config_last_reload_successful",
            "1 while the configuration that was read last is in force, 0 when it was refused and an older one goes on.",
        )?;
        reloaded.set(1);
        Ok(Metrics {
            last_success: register.numbers(
                "feed_last_success_timestamp_seconds",
                "End of the feed's last cycle that did all it had to, seconds since 1970-01-01.",
                feed,
            )?,
            lag: register.numbers(
                "feed_lag_seconds",
                "Age of the oldest change that the portal has not acknowledged, in seconds.",
                feed,
            )?,
            records: register.integers("feed_records", "Records of the feed by state.", &["portal", "feed", "state"])?,
            records_total: register.counters("records_total", "Records by what became of them.", &["portal", "feed", "outcome"])?,
            cycle_duration: register.histograms(
                "cycle_duration_seconds",
                "Duration of a feed's cycles, in seconds.",
                feed,
                buckets(0.01, 16),
            )?,
            schedule: register.numbers(
                "feed_schedule_seconds",
                "Longest pause between two of the feed's next runs by its schedule, in seconds.",
                feed,
            )?,
            failed_cycles: register.integers(
                "feed_failed_cycles",
                "Cycles in a row that could not be done; 0 after one that was.",
                feed,
            )?,
            cycle_failures: register.counters(
                "cycle_failures_total",
                "Cycles that could not be done: the source or the query failed.",
                feed,
            )?,
            requests: register.counters(
                "requests_total",
                "Requests to the portal by HTTP status; 0 means that no answer came.",
                &["portal", "status"],
            )?,
            request_duration: register.histograms(
                "request_duration_seconds",
                "Duration of requests to the portal, in seconds.",
                &["portal"],
                buckets(0.005, 14),
            )?,
            retries: register.counters("retries_total", "Requests made again, by reason.", &["portal", "reason"])?,
            sent_bytes: register.counters(
                "sent_bytes_total",
                "Bytes of request bodies, before (raw) and after (gzip) compression.",
                &["portal", "encoding"],
            )?,
            portal_state: register.integers(
                "portal_state",
                "1 for the state the portal is in: open, paused (it fails), maintenance (it said so), parked (it refuses us).",
                &["portal", "state"],
            )?,
            token_expires: register.numbers(
                "token_expires_timestamp_seconds",
                "When the portal's token expires, seconds since 1970-01-01.",
                &["portal"],
            )?,
            token_failures: register.integers(
                "token_renewal_failures",
                "Failed attempts in a row to get a token; 0 once the portal has accepted one.",
                &["portal"],
            )?,
            clock_skew: register.numbers(
                "portal_clock_skew_seconds",
                "How far the portal's clock was ahead of ours at its last answer, in seconds; below 0 when behind.",
                &["portal"],
            )?,
            feed_parked: register.integers(
                "feed_parked",
                "1 while the portal refuses the feed's address, or what its records travel in (a signature), and the feed is tried rarely, else 0.",
                feed,
            )?,
            drafts: register.integers(
                "feed_drafts",
                "Records that lie at the portal as drafts: kept although they went out signed, or unsigned and to be signed there.",
                &["portal", "feed", "kind"],
            )?,
            draft_age: register.numbers(
                "feed_draft_age_seconds",
                "Age of the oldest of these drafts, in seconds; 0 when there is none.",
                &["portal", "feed", "kind"],
            )?,
            unit_paused: register.integers("unit_paused", "Units of the portal whose records are paused.", &["portal"])?,
            fuse_tripped: register.integers("fuse_tripped", "1 while the feed's fuse holds removals back.", feed)?,
            drain: register.numbers(
                "backlog_drain_seconds",
                "Estimate of how long the pending records will take, in seconds.",
                feed,
            )?,
            last_tick: register.numbers("clock_last_tick_timestamp_seconds", "Last tick of the clock, seconds since 1970-01-01.", &[])?,
            healthy: register.integer("healthy", "1 while /healthz answers 200: the daemon is alive and moves, else 0.")?,
            ready: register.integer(
                "ready",
                "1 while /readyz answers 200: work is being done; 0 while a database is waited for and while it stops.",
            )?,
            ledger_bytes: register.integers("ledger_bytes", "Size of the ledger's files, in bytes.", &[])?,
            ledger_disk_free: register.integers("ledger_disk_free_bytes", "Space that is free where the ledger lies, in bytes.", &[])?,
            booking_requests: register.counters(
                "booking_requests_total",
                "Bookings (book) and cancellations (cancel) answered, by the code of the answer.",
                &["verb", "code"],
            )?,
            booking_faults: register.counters(
                "booking_faults_total",
                "Rows of the site's booking statements that are no answer, by what is wrong with them.",
                &["verb", "fault"],
            )?,
            booking_duration: register.histograms(
                "booking_duration_seconds",
                "Time from a booking's or cancellation's arrival to its answer, in seconds; the gateway waits 10.",
                &["verb"],
                BOOKING_BUCKETS.to_vec(),
            )?,
            booking_uncertain: register.integer("booking_uncertain", "Bookings answered 18 of which nobody knows whether they were made.")?,
            notices: register.counters("notices_total", "Notices to people by channel and by whether they could be delivered.", &["channel", "outcome"])?,
            notices_failing: register.integers("notices_failing", "1 while a notice could not be delivered and is tried again.", &["channel"])?,
            notices_last: register.numbers("notices_last_success_timestamp_seconds", "When the last notice was delivered, seconds since 1970-01-01.", &["channel"])?,
            reloaded,
            recorded: register.counters("recorded_exchanges_total", "Exchanges that were to be recorded, by what became of them.", &["outcome"])?,
            described: register.into_described(),
            registry,
        })
    }

    /// The text of `/metrics`.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// All metrics that are registered, with or without a value yet, for tests of dashboards, rules and documents.
    pub fn described(&self) -> &[Described] {
        &self.described
    }

    /// Lets a feed's series appear before anything happens to it.
    pub fn announce_feed(&self, portal: &str, feed: &str) {
        for outcome in Outcome::ALL {
            self.records_total.with_label_values(&[portal, feed, outcome.label()]);
        }
        self.cycle_failures.with_label_values(&[portal, feed]);
        self.cycle_duration.with_label_values(&[portal, feed]);
    }

    /// Lets a portal's series appear before anything is sent to it.
    pub fn announce_portal(&self, portal: &str) {
        for reason in RetryReason::ALL {
            self.retries.with_label_values(&[portal, reason.label()]);
        }
        for encoding in ENCODINGS {
            self.sent_bytes.with_label_values(&[portal, encoding]);
        }
        self.request_duration.with_label_values(&[portal]);
    }

    /// The longest pause that the feed's schedule leaves between two runs.
    pub fn show_schedule(&self, portal: &str, feed: &str, pause: Duration) {
        self.schedule.with_label_values(&[portal, feed]).set(pause.as_secs_f64());
    }

    /// Forgets the series of all portals and feeds but these.
    pub fn keep_only(&self, feeds: &Feeds) {
        let every: [&dyn Forgets; 22] = [
            &self.last_success,
            &self.lag,
            &self.records,
            &self.records_total,
            &self.cycle_duration,
            &self.schedule,
            &self.failed_cycles,
            &self.cycle_failures,
            &self.requests,
            &self.request_duration,
            &self.retries,
            &self.sent_bytes,
            &self.portal_state,
            &self.token_expires,
            &self.token_failures,
            &self.clock_skew,
            &self.feed_parked,
            &self.drafts,
            &self.draft_age,
            &self.unit_paused,
            &self.fuse_tripped,
            &self.drain,
        ];
        every.into_iter().for_each(|metric| metric.keep_only(feeds));
    }

    /// Some records had this outcome.
    pub fn count_records(&self, portal: &str, feed: &str, outcome: Outcome, count: u64) {
        self.records_total.with_label_values(&[portal, feed, outcome.label()]).inc_by(count);
    }

    /// A cycle ended.
    pub fn observe_cycle(&self, portal: &str, feed: &str, duration: Duration) {
        self.cycle_duration.with_label_values(&[portal, feed]).observe(duration.as_secs_f64());
    }

    /// A cycle could be done, whatever the portal said.
    pub fn count_cycle_done(&self, portal: &str, feed: &str) {
        self.failed_cycles.with_label_values(&[portal, feed]).set(0);
    }

    /// A cycle could not be done.
    pub fn count_cycle_failure(&self, portal: &str, feed: &str) {
        self.failed_cycles.with_label_values(&[portal, feed]).inc();
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

    /// Records that lie at the portal as drafts at `now`.
    pub fn show_drafts(&self, portal: &str, feed: &str, drafts: &Drafts, now: i64) {
        let kinds = [(drafts.count, drafts.oldest), (drafts.unsigned, drafts.oldest_unsigned)];
        for (kind, (count, oldest)) in DRAFTS.into_iter().zip(kinds) {
            let age = oldest.map_or(0, |oldest| now.saturating_sub(oldest).max(0));
            self.drafts.with_label_values(&[portal, feed, kind]).set(count.cast_signed());
            self.draft_age.with_label_values(&[portal, feed, kind]).set(age as f64);
        }
    }

    /// How long the pending records will take at the pace of the last cycles.
    pub fn show_drain(&self, portal: &str, feed: &str, seconds: f64) {
        self.drain.with_label_values(&[portal, feed]).set(seconds);
    }

    /// How the portal does.
    pub fn show_portal(&self, portal: &str, health: &Health, paused_units: usize) {
        let current = state_of(health);
        for state in PORTAL_STATES {
            self.portal_state.with_label_values(&[portal, state]).set(i64::from(state == current));
        }
        self.unit_paused.with_label_values(&[portal]).set(i64::try_from(paused_units).unwrap_or(i64::MAX));
    }

    /// How long the portal's token lives, and whether another can be had.
    pub fn show_token(&self, portal: &str, token: &TokenOutlook) {
        match token.expires {
            Some(at) => self.token_expires.with_label_values(&[portal]).set(at as f64),
            // Without a token there was perhaps no series either.
            None => drop(self.token_expires.remove_label_values(&[portal])),
        }
        self.token_failures.with_label_values(&[portal]).set(i64::from(token.failures));
    }

    /// How far the portal's clock is ahead of ours.
    pub fn show_skew(&self, portal: &str, seconds: i64) {
        self.clock_skew.with_label_values(&[portal]).set(seconds as f64);
    }

    /// Whether a feed's fuse holds removals back.
    pub fn show_fuse(&self, portal: &str, feed: &str, tripped: bool) {
        self.fuse_tripped.with_label_values(&[portal, feed]).set(i64::from(tripped));
    }

    /// Lets the series of a channel of notices appear before anything is told.
    pub fn announce_notices(&self, channel: &str) {
        for outcome in NOTICE_OUTCOMES {
            self.notices.with_label_values(&[channel, outcome]);
        }
        self.notices_failing.with_label_values(&[channel]).set(0);
    }

    /// A notice was delivered, or could not be.
    pub fn count_notice(&self, channel: &str, delivered: bool) {
        let [sent, failed] = NOTICE_OUTCOMES;
        self.notices.with_label_values(&[channel, if delivered { sent } else { failed }]).inc();
        self.notices_failing.with_label_values(&[channel]).set(i64::from(!delivered));
        if delivered {
            let now = chrono::Utc::now().timestamp();
            self.notices_last.with_label_values(&[channel]).set(now as f64);
        }
    }

    /// The clock ticked.
    pub fn show_tick(&self, now: i64) {
        self.last_tick.with_label_values(NONE).set(now as f64);
    }

    /// What `/healthz` and `/readyz` say.
    pub fn show_health(&self, healthy: bool, ready: bool) {
        self.healthy.set(i64::from(healthy));
        self.ready.set(i64::from(ready));
    }

    /// What the ledger takes of its disk, and what is left there.
    pub fn show_ledger(&self, room: Room) {
        self.ledger_bytes.with_label_values(NONE).set(room.used.cast_signed());
        self.ledger_disk_free.with_label_values(NONE).set(room.free.cast_signed());
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

    /// What became of an exchange that was to be recorded.
    pub fn recorded(&self, outcome: Recorded) {
        self.recorded.with_label_values(&[outcome.label()]).inc();
    }

    /// How many bookings are of unknown outcome.
    pub fn show_uncertain_bookings(&self, count: usize) {
        self.booking_uncertain.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many requests a portal has got since the start.
    pub fn requests_to(&self, portal: &str) -> u64 {
        let of = |series: &Series| series.get_counter().get_value();
        series_of(&self.requests, &[("portal", portal)]).iter().map(of).sum::<f64>() as u64
    }

    /// How long a feed's pending records will take, in seconds, at the pace of its last cycles; none before it is known.
    pub fn drain_of(&self, portal: &str, feed: &str) -> Option<f64> {
        let seconds = series_of(&self.drain, &[("portal", portal), ("feed", feed)]).first()?.get_gauge().get_value();
        (seconds > 0.0).then_some(seconds)
    }

    /// What a portal's wire reports to.
    pub fn portal(&self, portal: &str) -> PortalMeter {
        PortalMeter { metrics: self.clone(), portal: portal.to_owned() }
    }
}

/// The series of a metric with these labels. Asking for one by its labels would make it.
fn series_of(metric: &impl Collector, labels: &[(&str, &str)]) -> Vec<Series> {
    let has = |series: &Series, (name, value): &(&str, &str)| {
        series.get_label().iter().any(|pair| pair.name() == *name && pair.value() == *value)
    };
    let all = metric.collect().into_iter().flat_map(|mut family| family.take_metric());
    all.filter(|series| labels.iter().all(|label| has(series, label))).collect()
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
        for (encoding, bytes) in ENCODINGS.into_iter().zip([raw, gzip]) {
            self.metrics.sent_bytes.with_label_values(&[self.portal.as_str(), encoding]).inc_by(bytes as u64);
        }
    }

    /// Something is tried again.
    pub fn retry(&self, reason: RetryReason) {
        self.metrics.retries.with_label_values(&[self.portal.as_str(), reason.label()]).inc();
    }
}

/// `count` buckets, each twice the one before.
fn buckets(start: f64, count: i32) -> Vec<f64> {
    (0..count).map(|power| start * f64::from(2i32.pow(power.unsigned_abs()))).collect()
}
