//! A record as a portal should hold it, made field by field out of a row of the hospital's own tables. Nothing of the engine's encoder is
//! used.

use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// A record in the making: NULL leaves its field out.
pub(super) struct Wire<'a> {
    pub(super) row: &'a SqliteRow,
    record: Map<String, Value>,
}

impl<'a> Wire<'a> {
    /// A record without fields.
    pub(super) fn new(row: &'a SqliteRow) -> Self {
        Wire { row, record: Map::new() }
    }

    /// The record as far as it was made.
    pub(super) fn record(self) -> Map<String, Value> {
        self.record
    }

    pub(super) fn put(&mut self, field: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.record.insert(field.to_owned(), value);
        }
    }

    fn map_text(&mut self, field: &str, column: &str, map: fn(String) -> String) -> Result<(), sqlx::Error> {
        let text: Option<String> = self.row.try_get(column)?;
        self.put(field, text.map(|text| map(text).into()));
        Ok(())
    }

    pub(super) fn text(&mut self, field: &str, column: &str) -> Result<(), sqlx::Error> {
        self.map_text(field, column, |text| text)
    }

    /// Lower case, with hyphens where a table has none.
    pub(super) fn guid(&mut self, field: &str, column: &str) -> Result<(), sqlx::Error> {
        self.map_text(field, column, |text| {
            let mut guid = text.to_lowercase();
            if guid.len() == 32 {
                [8, 13, 18, 23].into_iter().for_each(|at| guid.insert(at, '-'));
            }
            guid
        })
    }

    /// The letter between day and time.
    pub(super) fn time(&mut self, field: &str, column: &str) -> Result<(), sqlx::Error> {
        self.map_text(field, column, |text| text.replace(' ', "T"))
    }

    pub(super) fn number(&mut self, field: &str, column: &str) -> Result<(), sqlx::Error> {
        let number: Option<i64> = self.row.try_get(column)?;
        self.put(field, number.map(Value::from));
        Ok(())
    }

    pub(super) fn number_as_text(&mut self, field: &str, column: &str) -> Result<(), sqlx::Error> {
        let number: Option<i64> = self.row.try_get(column)?;
        self.put(field, number.map(|number| number.to_string().into()));
        Ok(())
    }

    pub(super) fn word(&mut self, field: &str, column: &str, words: &[&str]) -> Result<(), sqlx::Error> {
        let code: i64 = self.row.try_get(column)?;
        let word = usize::try_from(code).ok().and_then(|code| words.get(code)).copied();
        self.put(field, word.map(Value::from));
        Ok(())
    }

    /// Numbers from 0 and 1.
    pub(super) fn truth(&mut self, field: &str, column: &str) -> Result<(), sqlx::Error> {
        let number: Option<i64> = self.row.try_get(column)?;
        self.put(field, number.map(|number| Value::from(number != 0)));
        Ok(())
    }

    /// A number with a fraction.
    pub(super) fn decimal(&mut self, field: &str, column: &str) -> Result<(), sqlx::Error> {
        let number: Option<f64> = self.row.try_get(column)?;
        self.put(field, number.map(Value::from));
        Ok(())
    }

    /// A column that a write-back fills: while it is empty the record differs from every one that a portal holds.
    pub(super) fn returned(&mut self, field: &str, column: &str) -> Result<(), sqlx::Error> {
        let text: Option<String> = self.row.try_get(column)?;
        self.put(field, Some(text.map_or(Value::Null, Value::from)));
        Ok(())
    }
}
