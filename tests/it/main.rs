//! The integration tests: one binary, real databases, real HTTP on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]

mod gateway;
mod hospital;
mod support;

#[test]
fn the_binary_is_built() {
    assert!(std::path::Path::new(env!("CARGO_BIN_EXE_vitrina")).exists());
}
