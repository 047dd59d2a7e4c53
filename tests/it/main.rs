//! The integration tests: one binary, real databases, real HTTP on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod engine;
mod fer;
mod replay;
mod sources;
mod support;
