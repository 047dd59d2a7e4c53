//! Records: one pass from a row's cells to the canonical bytes a portal gets, or to every rule the row breaks.

mod cell;
mod datetime;
mod encode;
mod field;
mod fingerprint;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod guid;
pub(crate) mod inn;
mod key;
mod phrase;
mod receipt;
mod remedy;
mod schema;
pub(crate) mod snils;
mod unreadable;
mod violation;
mod zone;

pub use cell::{Cell, Row, RowChunk};
pub use datetime::{Written, parse as parse_time};
pub use encode::{BindError, EncodeSettings, Encoder, KeyReader, Record, Salt, VisitTimeZone};
pub use fingerprint::{ENCODER_VERSION, Fingerprint};
pub use key::{Key, KeyId};
pub(crate) use phrase::phrases;
pub use phrase::{Language, Phrase, retold};
pub use receipt::{Receipt, Stage};
#[cfg(test)]
pub use remedy::faults_of;
pub use remedy::{Actor, Case, RULE_TEXTS, Remedy, remedy_in};
pub use schema::{
    Condition, Edge, Expiry, Field, Hold, Kind, Presence, Schema, Unit, may, may_if, must, must_if, must_when, only_if,
    only_when, or_empty, remote_id, withdraws,
};
pub use violation::{Rule, Violation};
pub use zone::Zone;

#[cfg(test)]
mod tests;
