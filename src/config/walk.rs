//! The walk: one pass over the parsed tree against the description of allowed keys. It finds every problem of single keys, reads secrets
//! from their files, fills in defaults, and leaves a tree of checked values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config::{Map, Value, ValueKind};
use serde_json::Value as Json;

use super::environment::Environment;
use super::file;
use super::names;
use super::portals::PortalKind;
use super::problem::Problems;
use super::scalar::{self, Given};
use super::shape::{Key, Need, Scalar, Shape, Texts};
use super::suggest::did_you_mean;
use super::tree::Table;

/// A walk under way.
pub(super) struct Walk<'a> {
    /// Where secrets may come from.
    pub environment: &'a Environment,
    /// Directory of the configuration file.
    pub base: &'a Path,
    /// What was found.
    pub problems: Problems,
    /// Keys that were given, not filled in.
    pub given: BTreeSet<String>,
    /// Secrets that stand in the file itself.
    pub literal_secrets: bool,
}

type Values = Map<String, Value>;

impl Walk<'_> {
    /// Walks a table. `path` is empty at the top, otherwise ends with a dot.
    pub fn table(&mut self, path: &str, values: &Values, keys: &'static [Key]) -> Table {
        self.grouped(path, values, &[keys])
    }

    /// Walks a table whose keys stand in groups.
    fn grouped(&mut self, path: &str, values: &Values, groups: &[&'static [Key]]) -> Table {
        self.refuse_unknown(path, values, groups);
        let mut checked = Table::new();
        for key in groups.iter().copied().flatten() {
            let full = format!("{path}{}", key.name);
            let value = match &key.shape {
                Shape::Secret => self.secret(&full, key, values),
                shape => match values.get(key.name) {
                    Some(value) => Some(self.value(&full, value, shape)),
                    None => self.absent(&full, key),
                },
            };
            if let Some(value) = value {
                checked.insert(key.name.to_owned(), value);
            }
        }
        checked
    }

    fn refuse_unknown(&mut self, path: &str, values: &Values, groups: &[&'static [Key]]) {
        let keys = || groups.iter().copied().flatten();
        for (name, value) in values {
            let known = |key: &Key| key.name == name || is_file_of(name, key);
            if keys().any(known) {
                continue;
            }
            let suggestion = did_you_mean(name, keys().map(|key| key.name));
            let names: Vec<&str> = keys().map(|key| key.name).collect();
            let text = format!("unknown key{suggestion}{}known here: {}", separator(&suggestion), names.join(", "));
            self.fault(&format!("{path}{name}"), value, text);
        }
    }

    fn absent(&mut self, full: &str, key: &Key) -> Option<Json> {
        match (key.need, &key.shape) {
            (Need::Mandatory, _) => {
                self.problems.error(full, "is missing");
                Some(Json::Null)
            }
            (Need::Default(text), Shape::Scalar(scalar)) => {
                Some(self.noted(full, None, scalar::read(*scalar, Given::Untyped(text))))
            }
            (Need::Filled, Shape::Table(keys)) => Some(self.table(&format!("{full}."), &Values::new(), keys).into()),
            _ => None,
        }
    }

    fn value(&mut self, full: &str, value: &Value, shape: &Shape) -> Json {
        self.given.insert(full.to_owned());
        match shape {
            Shape::Scalar(scalar) => {
                let read = scalar::read(*scalar, given(value));
                self.noted(full, Some(value), read)
            }
            Shape::Secret => {
                let read = scalar::text(given(value)).map(Json::from);
                self.literal_secrets |= read.is_ok() && self.variable(full, value).is_none();
                self.noted(full, Some(value), read)
            }
            Shape::File => {
                let read = self.file(value);
                self.noted(full, Some(value), read)
            }
            Shape::Folder => {
                let read = self.folder(value);
                self.noted(full, Some(value), read)
            }
            Shape::Texts(texts) => self.texts(full, value, *texts),
            Shape::Words { most } => self.inner(full, value, |walk, path, values| walk.words(path, values, *most)),
            Shape::Table(keys) => self.inner(full, value, |walk, path, values| walk.table(path, values, keys)),
            Shape::Named { what, keys } => self.inner(full, value, |walk, path, values| {
                walk.named(path, values, what, |walk, _, path, values| walk.table(path, values, keys))
            }),
            Shape::Portals => self.inner(full, value, Walk::portals),
        }
    }

    fn inner(&mut self, full: &str, value: &Value, walk: impl FnOnce(&mut Self, &str, &Values) -> Table) -> Json {
        match &value.kind {
            ValueKind::Table(values) => walk(self, &format!("{full}."), values).into(),
            other => {
                self.fault(full, value, format!("expected a table, found {}", scalar::type_name(other)));
                Json::Null
            }
        }
    }

    fn named(
        &mut self,
        path: &str,
        values: &Values,
        what: &str,
        walk_one: impl Fn(&mut Self, &str, &str, &Values) -> Table,
    ) -> Table {
        if values.is_empty() {
            self.problems.error(path.trim_end_matches('.'), format!("at least one {what} is needed"));
        }
        let mut checked = Table::new();
        // The parsed map has no order; what later stages say of two of them must not depend on chance.
        for (name, value) in values.iter().collect::<BTreeMap<_, _>>() {
            let full = format!("{path}{name}");
            if let Err(text) = names::name(name) {
                self.fault(&full, value, text);
            }
            let inside = self.inner(&full, value, |walk, path, values| walk_one(walk, name, path, values));
            checked.insert(name.clone(), inside);
        }
        checked
    }

    /// Walks the portals. One of an unknown kind is one problem, whatever else it says; one without a kind is taken for what its name says.
    fn portals(&mut self, path: &str, values: &Values) -> Table {
        self.named(path, values, "portal", |walk, name, path, inside| {
            let kind = match inside.get("kind") {
                Some(value) => kind_of(value).map_err(|text| walk.fault(&format!("{path}kind"), value, text)),
                None => Ok(PortalKind::parse(name).unwrap_or(PortalKind::Fer)),
            };
            kind.map_or_else(|()| Table::new(), |kind| walk.grouped(path, inside, kind.keys()))
        })
    }

    /// Walks a list of texts.
    fn texts(&mut self, full: &str, value: &Value, texts: Texts) -> Json {
        let given = match &value.kind {
            ValueKind::Array(values) => values.iter().collect(),
            _ if texts.alone || from_environment(value) => vec![value],
            other => {
                self.fault(full, value, format!("expected a list of texts, found {}", scalar::type_name(other)));
                return Json::Null;
            }
        };
        if given.is_empty() || given.len() > texts.most {
            self.fault(full, value, format!("{} texts are out of range: 1 to {}", given.len(), texts.most));
            return Json::Null;
        }
        let read = given.into_iter().map(|text| scalar::read(Scalar::Text(texts.check), self::given(text)));
        match read.collect::<Result<Vec<Json>, String>>() {
            Ok(checked) => checked.into(),
            Err(text) => {
                self.fault(full, value, text);
                Json::Null
            }
        }
    }

    /// Walks a table of texts under words of the operator's.
    fn words(&mut self, path: &str, values: &Values, most: usize) -> Table {
        if values.len() > most {
            self.problems.error(path.trim_end_matches('.'), format!("has more than {most} entries"));
            return Table::new();
        }
        let mut checked = Table::new();
        for (word, value) in values.iter().collect::<BTreeMap<_, _>>() {
            let read = scalar::read(Scalar::Text(names::any), given(value));
            let text = self.noted(&format!("{path}{word}"), Some(value), read);
            checked.insert(word.clone(), text);
        }
        checked
    }

    fn secret(&mut self, full: &str, key: &Key, values: &Values) -> Option<Json> {
        let file_name = format!("{}_file", key.name);
        let file_key = format!("{full}_file");
        match (values.get(key.name), values.get(&file_name)) {
            (Some(value), None) => Some(self.value(full, value, &Shape::Secret)),
            (None, Some(value)) => {
                self.given.insert(file_key.clone());
                let read = self.secret_file(&file_key, value);
                Some(self.noted(&file_key, Some(value), read))
            }
            (Some(value), Some(_)) => {
                let text = format!("{} and {file_name} are both given; keep one", key.name);
                self.fault(full, value, text);
                Some(Json::Null)
            }
            (None, None) if key.need == Need::Mandatory => {
                self.problems.error(full, format!("is missing; give {file_name}, the name of a file that holds it"));
                Some(Json::Null)
            }
            (None, None) => None,
        }
    }

    fn secret_file(&mut self, full: &str, value: &Value) -> Result<Json, String> {
        let path = self.environment.locate(scalar::text(given(value))?, self.base)?;
        let contents = file::read_secret(&path)?;
        if contents.world_readable {
            let path = path.display();
            self.problems.warning(full, format!("every user of this machine can read {path}; chmod o-r {path}"));
        }
        Ok(contents.text.into())
    }

    fn file(&self, value: &Value) -> Result<Json, String> {
        let path = self.environment.locate(scalar::text(given(value))?, self.base)?;
        file::read(&path, file::CONFIG_LIMIT)?;
        path.to_str().map(Json::from).ok_or_else(|| "is not a UTF-8 path".to_owned())
    }

    fn folder(&self, value: &Value) -> Result<Json, String> {
        let path = self.environment.locate(scalar::text(given(value))?, self.base)?;
        if !path.is_dir() {
            return Err(format!("{} is no folder, or may not be looked at", path.display()));
        }
        path.to_str().map(Json::from).ok_or_else(|| "is not a UTF-8 path".to_owned())
    }

    fn noted(&mut self, full: &str, value: Option<&Value>, read: Result<Json, String>) -> Json {
        match (read, value) {
            (Ok(json), _) => json,
            (Err(text), Some(value)) => {
                self.fault(full, value, text);
                Json::Null
            }
            (Err(text), None) => {
                self.problems.error(full, text);
                Json::Null
            }
        }
    }

    /// Notes an error, with the variable if the value came from the environment.
    fn fault(&mut self, full: &str, value: &Value, text: String) {
        let text = match self.variable(full, value) {
            Some(variable) => format!("{text} (set by the environment variable {variable})"),
            None => text,
        };
        self.problems.error(full, text);
    }

    /// The variable that a value comes from; of a table, if nothing in it comes from the file.
    fn variable(&self, full: &str, value: &Value) -> Option<&str> {
        match &value.kind {
            ValueKind::Table(values) => {
                let variables = values.iter().map(|(name, inside)| self.variable(&format!("{full}.{name}"), inside));
                variables.collect::<Option<BTreeSet<_>>>()?.first().copied()
            }
            _ if from_environment(value) => self.environment.variable(full),
            _ => None,
        }
    }
}

fn given(value: &Value) -> Given<'_> {
    match &value.kind {
        ValueKind::String(text) if from_environment(value) => Given::Untyped(text),
        kind => Given::Typed(kind),
    }
}

/// The `config` crate names the environment so; of values of a text it says nothing.
fn from_environment(value: &Value) -> bool {
    value.origin() == Some("the environment")
}

fn kind_of(value: &Value) -> Result<PortalKind, String> {
    PortalKind::parse(scalar::text(given(value))?)
}

fn is_file_of(name: &str, key: &Key) -> bool {
    matches!(key.shape, Shape::Secret) && name.strip_suffix("_file") == Some(key.name)
}

fn separator(suggestion: &str) -> &'static str {
    if suggestion.is_empty() { "; " } else { " " }
}
