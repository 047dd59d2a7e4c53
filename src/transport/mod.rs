//! The outbound HTTP stack that all portals share: gzip, token, rate, time-outs, caps, redaction, and the failure table.

mod breaker;
mod failure;
mod retry;

pub use breaker::{Breaker, Health};
pub use failure::{Failure, Trouble};
pub use retry::RetryTiming;
