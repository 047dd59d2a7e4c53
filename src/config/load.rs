//! Loading: text and environment into one tree, through all checks, into types.

use std::collections::BTreeSet;
use std::path::Path;

use config::{FileFormat, ValueKind};

use super::environment::Environment;
use super::file::Contents;
use super::problem::Problems;
use super::sections::Sections;
use super::tree::Table;
use super::walk::Walk;
use super::{Config, KEYS, advice, file, relations};

/// A configuration that can be used, and what is to be said about it all the same.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings only.
    pub warnings: Problems,
    /// What tells it from another one.
    pub sections: Sections,
}

/// Reads a configuration file and everything it points to. Fails with all problems at once, warnings among them.
pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, Problems> {
    let contents = file::read(path, file::CONFIG_LIMIT).map_err(|text| alone("", text))?;
    load_contents(path, &contents, environment)
}

/// Reads a configuration that is to stand in a file and does not yet. Otherwise as [`load`].
pub fn load_text(path: &Path, text: &str, environment: &Environment) -> Result<Loaded, Problems> {
    load_contents(path, &Contents { text: text.to_owned(), world_readable: false }, environment)
}

fn load_contents(path: &Path, contents: &Contents, environment: &Environment) -> Result<Loaded, Problems> {
    let base = path.parent().unwrap_or(Path::new(""));
    let mut problems = Problems::default();
    let values = parse(path, &contents.text, environment, &mut problems)?;

    let mut walk = Walk { environment, base, problems, given: BTreeSet::new(), literal_secrets: false };
    let mut tree = walk.table("", &values, KEYS);
    let Walk { mut problems, given, literal_secrets, .. } = walk;
    relations::check(&mut tree, &mut problems);
    advice::give(&tree, &given, &mut problems);
    if contents.world_readable && (literal_secrets || advice::password_in_url(&tree)) {
        let path = path.display();
        problems
            .warning("", format!("{path} holds a secret and every user of this machine can read it; chmod o-r {path}"));
    }
    build(tree, problems)
}

fn build(tree: Table, mut problems: Problems) -> Result<Loaded, Problems> {
    if problems.errors() > 0 {
        return Err(problems);
    }
    let sections = Sections::of(&tree);
    match serde_json::from_value(tree.into()) {
        Ok(config) => Ok(Loaded { config, warnings: problems, sections }),
        Err(error) => {
            problems.error("", format!("the checked configuration does not fit its types: {error}"));
            Err(problems)
        }
    }
}

/// The file and the environment as one tree.
fn parse(
    path: &Path,
    text: &str,
    environment: &Environment,
    problems: &mut Problems,
) -> Result<config::Map<String, config::Value>, Problems> {
    // The config crate reads TOML too, but its errors print the offending line, which may hold a password.
    toml::from_str::<toml::Table>(text).map_err(|error| alone("", syntax(path, text, &error)))?;
    let source = environment.source(problems);
    let file = config::File::from_str(text, FileFormat::Toml);
    let built = config::Config::builder().add_source(file).add_source(source).build();
    match built.map(|config| config.cache.kind) {
        Ok(ValueKind::Table(values)) => Ok(values),
        Ok(_) | Err(_) => Err(alone("", format!("{}: cannot be read together with the environment", path.display()))),
    }
}

fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    // Only the first line of the message: nothing that could repeat the text.
    let message = error.message().lines().next().unwrap_or_default();
    format!("{}: line {line}, column {column}: {message}", path.display())
}

fn alone(key: &str, text: String) -> Problems {
    let mut problems = Problems::default();
    problems.error(key, text);
    problems
}

/// Loads a text, for tests of other modules.
#[cfg(test)]
pub(super) fn of_text(text: &str) -> Result<Loaded, Problems> {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("a written file");
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).expect("permissions");
    load(file.path(), &Environment::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_names_its_place_and_not_the_line() {
        let problems = of_text("[portals.fer]\npassword = \"hunter2\n").expect_err("a syntax error");
        let text = problems.to_string();
        assert!(text.contains("line 2, column"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_file_that_is_not_there_is_the_only_problem() {
        let problems = load(Path::new("/nowhere/vitrina.toml"), &Environment::default()).expect_err("no file");
        assert_eq!(problems.errors(), 1);
        assert!(problems.to_string().contains("/nowhere/vitrina.toml"));
    }
}
