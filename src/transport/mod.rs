//! The outbound HTTP stack that all portals share: gzip, token, rate, time-outs, caps, redaction, and the failure table.

mod breaker;
mod client;
mod dates;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod gzip;
mod host;
mod parking;
mod rate;
mod redact;
mod refused_login;
mod retry;
mod secret_store;
mod tape;
mod token;

pub use breaker::{Breaker, Health};
pub use client::{ANSWER_LIMIT, Answer, Body, ClientError, ClientSettings, Exchange, HttpClient, Witness};
pub use dates::{RETRY_AFTER, http_date, retry_after};
pub use failure::{Failure, Mishap, Trouble};
pub use gzip::{InflateError, Level, Packed, inflate};
pub use host::{HostName, NoHostName};
pub use parking::Parking;
pub use rate::Rate;
pub use redact::{redact, redact_hiding};
pub use refused_login::RefusedLogins;
pub use retry::{RetryTiming, RetryTimingError, is_due};
pub use secret_store::{SecretStore, SecretStoreError};
pub use tape::{TAPE_LIMIT, Tape, Taped, TapedAnswer};
pub use token::{Authenticate, Bearer, Pauses, Token, TokenHolder, TokenOutlook};
