//! The integration tests: one binary, real databases, real HTTP on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod audit;
mod binary;
mod cli_check;
mod cli_check_kinds;
mod cli_fuse;
mod cli_init;
mod cli_rejects;
mod cli_unit;
mod dashboard;
mod ekdo;
mod ekdo_replay;
mod engine;
mod exchange;
mod exchanges;
mod fer;
mod gateway;
mod guard;
mod hospital;
mod ledgers;
mod places;
mod pos;
mod pos_replay;
mod removal;
mod replay;
mod review;
mod sources;
mod storm;
mod support;
mod transport;
mod write_back;
