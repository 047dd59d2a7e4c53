//! What the process was started with, as far as configuration reads it: a value, so that tests have their own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::problem::Problems;

const PREFIX: &str = "VITRINA__";
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// The folder of secrets beside the configuration, and the name under which the shipped unit hands it over.
pub const SECRETS: &str = "secrets";

/// The part of the environment that configuration reads: `VITRINA__SECTION__KEY` and systemd's credentials directory.
#[derive(Clone, Default)]
pub struct Environment {
    /// Variable to its value; None where the value is not Unicode.
    variables: BTreeMap<String, Option<String>>,
    credentials: Option<PathBuf>,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Environment {
        Environment::of(std::env::vars_os())
    }

    /// That of these variables.
    pub fn of<K: Into<OsString>, V: Into<OsString>>(variables: impl IntoIterator<Item = (K, V)>) -> Environment {
        let mut environment = Environment::default();
        for (name, value) in variables {
            let Ok(name) = name.into().into_string() else { continue };
            let value: OsString = value.into();
            if name == CREDENTIALS {
                environment.credentials = Some(value.into());
            } else if name.starts_with(PREFIX) {
                environment.variables.insert(name, value.into_string().ok());
            }
        }
        environment
    }

    /// The variables for the `config` crate; those that it cannot take are problems.
    pub(super) fn source(&self, problems: &mut Problems) -> config::Environment {
        let mut readable = config::Map::new();
        for (name, value) in &self.variables {
            match value {
                Some(value) => _ = readable.insert(name.clone(), value.clone()),
                None => problems.error(key_of(name), format!("the value of {name} is not UTF-8")),
            }
        }
        config::Environment::with_prefix("VITRINA").prefix_separator("__").separator("__").source(Some(readable))
    }

    /// The variable that sets this key.
    pub(super) fn variable(&self, key: &str) -> Option<&str> {
        self.variables.keys().find(|name| key_of(name) == key).map(String::as_str)
    }

    /// The file that a configured name means: `${CREDENTIALS_DIRECTORY}` is expanded; a relative name is looked for among the
    /// credentials, then beside the configuration and in the folder of secrets there.
    pub(super) fn locate(&self, name: &str, base: &Path) -> Result<PathBuf, String> {
        for form in ["${CREDENTIALS_DIRECTORY}/", "$CREDENTIALS_DIRECTORY/"] {
            if let Some(rest) = name.strip_prefix(form) {
                let directory = self.credentials.as_ref().ok_or_else(|| {
                    format!("{CREDENTIALS} is not set: systemd sets it for a unit with LoadCredential=")
                })?;
                return Ok(directory.join(rest));
            }
        }
        let credentials = self.credentials.iter().flat_map(|directory| {
            // A whole folder of credentials comes as one file for each of its own, with its name before theirs.
            [directory.join(name), directory.join(format!("{SECRETS}_{name}"))]
        });
        let found = credentials.chain([base.join(name), base.join(SECRETS).join(name)]).find(|path| path.exists());
        Ok(found.unwrap_or_else(|| base.join(name)))
    }
}

fn key_of(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).to_lowercase().replace("__", ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_found_by_the_key_it_sets() {
        let environment = Environment::of([("VITRINA__PORTALS__FER__BATCH", "5"), ("HOME", "/root")]);
        assert_eq!(environment.variable("portals.fer.batch"), Some("VITRINA__PORTALS__FER__BATCH"));
        assert_eq!(environment.variable("portals.fer"), None);
    }

    #[test]
    fn credentials_come_before_files_beside_the_configuration() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("fer-password"), "x").expect("a file");
        let environment = Environment::of([(CREDENTIALS, directory.path())]);
        let base = Path::new("/etc/vitrina");
        let found = |name| environment.locate(name, base);
        assert_eq!(found("fer-password"), Ok(directory.path().join("fer-password")));
        assert_eq!(found("${CREDENTIALS_DIRECTORY}/other"), Ok(directory.path().join("other")));
        assert_eq!(found("other"), Ok(base.join("other")));
        assert_eq!(found("/run/secret"), Ok("/run/secret".into()));
        assert!(Environment::default().locate("${CREDENTIALS_DIRECTORY}/other", base).is_err());
    }

    #[test]
    fn a_secret_of_the_folder_has_one_name_for_the_service_and_for_root() {
        let (credentials, base) =
            (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        std::fs::create_dir(base.path().join("secrets")).expect("a directory");
        let by_root = base.path().join("secrets/fer-password");
        let by_service = credentials.path().join("secrets_fer-password");
        for file in [&by_root, &by_service] {
            std::fs::write(file, "x").expect("a file");
        }
        assert_eq!(Environment::default().locate("fer-password", base.path()), Ok(by_root));
        let service = Environment::of([(CREDENTIALS, credentials.path())]);
        assert_eq!(service.locate("fer-password", base.path()), Ok(by_service));
    }
}
