//! Telemetry: every metric's name and label in one file, and the log's form in another.

mod log;
mod metrics;

pub use log::{LogFormat, start as start_log};
pub use metrics::{Described, Metrics, Outcome, PortalMeter, Recorded, RetryReason};
