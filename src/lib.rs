//! Vitrina keeps state portals true to what a hospital's databases say.
//!
//! The modules stand in the order in which a record meets them; ARCHITECTURE.md tells the story.

pub mod cli;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod ledger;
pub mod portal;
pub mod record;
pub mod serve;
pub mod source;
pub mod sync;
pub mod telemetry;
pub mod transport;
