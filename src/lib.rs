//! Vitrina keeps state portals true to what a hospital's databases say.
//!
//! The modules stand in the order in which a record meets them; ARCHITECTURE.md tells the story.

pub mod cli;
pub mod config;
pub mod daemon;
pub mod demo;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod ledger;
pub mod portal;
pub mod record;
pub mod recording;
pub mod serve;
pub mod source;
pub mod sync;
pub mod telemetry;
pub mod transport;
