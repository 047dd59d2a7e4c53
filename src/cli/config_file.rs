//! `--config FILE`, which most verbs have.

use std::path::PathBuf;

use crate::config::{Environment, Loaded, load};

use super::CliError;

/// Where the configuration is.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigFile {
    /// The configuration file
    #[arg(long = "config", value_name = "FILE", default_value = "/etc/vitrina/vitrina.toml")]
    pub config: PathBuf,
}

impl ConfigFile {
    /// Loads the configuration for a verb that needs it without errors.
    pub fn load(&self) -> Result<Loaded, CliError> {
        load(&self.config, &Environment::of_process()).map_err(CliError::Configuration)
    }
}
