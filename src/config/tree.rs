//! The checked tree: what the walk leaves for later stages. A key whose value was wrong is there with nothing in it.

use std::time::Duration;

use humantime_serde::re::humantime::parse_duration;
use serde_json::{Map, Value as Json};

/// A checked table.
pub(super) type Table = Map<String, Json>;

/// Typed looks into a checked table. What is missing or was wrong is none.
pub(super) trait Look {
    /// A text.
    fn text(&self, key: &str) -> Option<&str>;
    /// A whole number.
    fn integer(&self, key: &str) -> Option<i64>;
    /// A number.
    fn number(&self, key: &str) -> Option<f64>;
    /// A duration.
    fn duration(&self, key: &str) -> Option<Duration>;
    /// A list of texts.
    fn texts(&self, key: &str) -> Option<Vec<&str>>;
    /// A table.
    fn table(&self, key: &str) -> Option<&Table>;
    /// The tables inside a table, by name.
    fn tables(&self, key: &str) -> impl Iterator<Item = (&str, &Table)>;
}

impl Look for Table {
    fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    fn integer(&self, key: &str) -> Option<i64> {
        self.get(key)?.as_i64()
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.get(key)?.as_f64()
    }

    fn duration(&self, key: &str) -> Option<Duration> {
        parse_duration(self.text(key)?).ok()
    }

    fn texts(&self, key: &str) -> Option<Vec<&str>> {
        self.get(key)?.as_array()?.iter().map(|text| text.as_str()).collect()
    }

    fn table(&self, key: &str) -> Option<&Table> {
        self.get(key)?.as_object()
    }

    fn tables(&self, key: &str) -> impl Iterator<Item = (&str, &Table)> {
        let inside = self.table(key).into_iter().flatten();
        inside.filter_map(|(name, value)| Some((name.as_str(), value.as_object()?)))
    }
}
