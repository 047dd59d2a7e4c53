//! The async runtime, for the verbs that need one.

use std::future::Future;

use anyhow::Context;

use super::{CliError, Outcome};

/// Runs a verb to its end on all cores.
pub fn block_on(verb: impl Future<Output = Result<Outcome, CliError>>) -> Result<Outcome, CliError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the async runtime")?;
    runtime.block_on(verb)
}
