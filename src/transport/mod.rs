//! The outbound HTTP stack that all portals share: gzip, token, rate, time-outs, caps, redaction, and the failure table.

mod failure;

pub use failure::{Failure, Trouble};
