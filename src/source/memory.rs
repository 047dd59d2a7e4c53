//! A source in memory, for tests of the engine and for simulations: the tables are set by the test, failures come on cue, and
//! nothing depends on a clock or on chance.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono_tz::Tz;

use super::failure::Place;
use super::{CHUNK_ROWS, Column, Query, Read, RowStream, Source, SourceError, Stamp, sql};
use crate::record::{Cell, Key, RowChunk};

/// A cell that owns its text and bytes.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the variants are those of Cell")]
pub enum Value {
    Null,
    Text(String),
    Undecodable,
    Bytes(Vec<u8>),
    Guid(u128),
    Int(i64),
    Float(f64),
    Decimal(String),
    Bool(bool),
    Date(i32),
    LocalTime(i64),
    Instant(i64),
}

/// What goes wrong at one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No connection.
    Unreachable,
    /// The database refuses the statement.
    Refused,
    /// The statement time-out passes after this many rows.
    TimeoutAfter(usize),
    /// The connection breaks after this many rows.
    LostAfter(usize),
}

/// A source in memory. Clones share their tables.
#[derive(Debug, Clone)]
pub struct MemorySource {
    zone: Tz,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    tables: BTreeMap<String, Table>,
    faults: VecDeque<Option<Fault>>,
    now: i64,
    reads: u64,
}

#[derive(Debug, Clone)]
struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

/// The rows of one read of a [`MemorySource`], as they were when it began.
#[derive(Debug)]
pub struct MemoryRows {
    columns: Vec<Column>,
    key_columns: Vec<Column>,
    keys: VecDeque<Vec<Value>>,
    rows: VecDeque<Vec<Value>>,
    /// What comes instead of the end of the keys, if that is where the read breaks off.
    end_of_keys: Option<SourceError>,
    /// What comes instead of the end.
    end: Option<SourceError>,
}

impl MemorySource {
    /// A source without tables whose zone-less times are read in `zone`.
    pub fn new(zone: Tz) -> Self {
        MemorySource { zone, state: Arc::default() }
    }

    /// Creates or replaces a table. A query reads the table that its last word names.
    pub fn set(&self, name: &str, columns: &[&str], rows: Vec<Vec<Value>>) {
        let column = |name: &&str| Column { name: (*name).to_owned(), type_name: "memory".to_owned() };
        let table = Table { columns: columns.iter().map(column).collect(), rows };
        self.lock().tables.insert(name.to_owned(), table);
    }

    /// Drops a table.
    pub fn drop_table(&self, name: &str) {
        self.lock().tables.remove(name);
    }

    /// Lets the next read that has no fault yet meet this one.
    pub fn fail_next(&self, fault: Fault) {
        self.lock().faults.push_back(Some(fault));
    }

    /// Lets one read meet this fault after so many that meet none.
    pub fn fail_after(&self, reads: usize, fault: Fault) {
        let mut state = self.lock();
        state.faults.clear();
        state.faults.extend(std::iter::repeat_n(None, reads).chain([Some(fault)]));
    }

    /// Sets the database's clock: microseconds since 1970-01-01T00:00:00Z.
    pub fn set_now(&self, micros: i64) {
        self.lock().now = micros;
    }

    /// Reads begun so far, failed ones included.
    pub fn reads(&self) -> u64 {
        self.lock().reads
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self, query: Query<'_>, place: &Place) -> Result<Table, SourceError> {
        let name = query.sql.trim_end_matches([';', ' ', '\n']).rsplit([' ', '\n']).next().unwrap_or_default();
        self.lock().tables.get(name).cloned().ok_or_else(|| place.refused_as("42P01"))
    }

    fn wanted(&self, table: &Table, read: Read<'_>, place: &Place) -> Result<Vec<Vec<Value>>, SourceError> {
        let find = |name: &str| {
            Column::find(&table.columns, name).map(|(index, _)| index).ok_or_else(|| place.no_column(name))
        };
        let (index, zone) = match read {
            Read::All => return Ok(table.rows.clone()),
            Read::Changed { column, .. } | Read::Swept { column, .. } | Read::Keys { column, .. } => {
                (find(column)?, self.zone)
            }
        };
        let keep = |row: &&Vec<Value>| {
            let value = row.get(index).unwrap_or(&Value::Null);
            match read {
                Read::All => true,
                Read::Changed { since, .. } | Read::Swept { since, .. } => value.is_at_or_after(since, zone),
                Read::Keys { keys, .. } => keys.iter().any(|key| value.is_key(key)),
            }
        };
        Ok(table.rows.iter().filter(keep).cloned().collect())
    }
}

impl Source for MemorySource {
    type Rows = MemoryRows;

    async fn columns(&self, query: Query<'_>) -> Result<Vec<Column>, SourceError> {
        self.table(query, &Place::new("memory", "description", query.label)).map(|table| table.columns)
    }

    async fn read(&self, query: Query<'_>, read: Read<'_>) -> Result<MemoryRows, SourceError> {
        let place = Place::new("memory", read.action(), query.label);
        let fault = {
            let mut state = self.lock();
            state.reads += 1;
            state.faults.pop_front().flatten()
        };
        let table = self.table(query, &place)?;
        let mut rows = self.wanted(&table, read, &place)?;
        let positions = read.swept(&table.columns, &place)?.unwrap_or_default();
        let key_of =
            |row: &Vec<Value>| positions.iter().map(|at| row.get(*at).cloned().unwrap_or(Value::Null)).collect();
        let mut keys: Vec<Vec<Value>> =
            if positions.is_empty() { Vec::new() } else { table.rows.iter().map(key_of).collect() };
        let (count, broken) = match fault {
            None => (usize::MAX, None),
            Some(Fault::Unreachable) => return Err(place.unreachable()),
            Some(Fault::Refused) => return Err(place.refused_as("42501")),
            Some(Fault::TimeoutAfter(count)) => (count, Some(place.timeout())),
            Some(Fault::LostAfter(count)) => (count, Some(place.lost())),
        };
        // Keys come first and count as rows.
        let (end_of_keys, end) = if count < keys.len() { (broken, None) } else { (None, broken) };
        rows.truncate(count.saturating_sub(keys.len()));
        keys.truncate(count);
        Ok(MemoryRows {
            key_columns: positions.iter().map(|at| table.columns[*at].clone()).collect(),
            columns: table.columns,
            keys: keys.into(),
            rows: rows.into(),
            end_of_keys,
            end,
        })
    }

    async fn now(&self) -> Result<i64, SourceError> {
        Ok(self.lock().now)
    }

    async fn has_relation(&self, name: &str) -> Result<bool, SourceError> {
        Ok(self.lock().tables.contains_key(name))
    }
}

impl RowStream for MemoryRows {
    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn key_columns(&self) -> &[Column] {
        &self.key_columns
    }

    async fn next_keys(&mut self, chunk: &mut RowChunk) -> Result<bool, SourceError> {
        pour(&mut self.keys, self.key_columns.len(), &mut self.end_of_keys, chunk)
    }

    async fn next(&mut self, chunk: &mut RowChunk) -> Result<bool, SourceError> {
        self.keys.clear();
        if let Some(end) = mem::take(&mut self.end_of_keys) {
            return Err(end);
        }
        pour(&mut self.rows, self.columns.len(), &mut self.end, chunk)
    }
}

/// The next rows of these, or what comes after them.
fn pour(
    rows: &mut VecDeque<Vec<Value>>,
    width: usize,
    end: &mut Option<SourceError>,
    chunk: &mut RowChunk,
) -> Result<bool, SourceError> {
    chunk.reset(width);
    let count = rows.len().min(CHUNK_ROWS);
    for mut row in rows.drain(..count) {
        row.resize(width, Value::Null);
        row.iter().for_each(|value| chunk.push(value.cell()));
    }
    let broken = if count == 0 { mem::take(end) } else { None };
    broken.map_or(Ok(count > 0), Err)
}

impl Value {
    /// The value as a cell.
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Value::Null => Cell::Null,
            Value::Text(text) => Cell::Text(text),
            Value::Undecodable => Cell::Undecodable,
            Value::Bytes(bytes) => Cell::Bytes(bytes),
            Value::Guid(guid) => Cell::Guid(*guid),
            Value::Int(value) => Cell::Int(*value),
            Value::Float(value) => Cell::Float(*value),
            Value::Decimal(text) => Cell::Decimal(text),
            Value::Bool(value) => Cell::Bool(*value),
            Value::Date(days) => Cell::Date(*days),
            Value::LocalTime(micros) => Cell::LocalTime(*micros),
            Value::Instant(micros) => Cell::Instant(*micros),
        }
    }

    /// What is no time counts as changed, like NULL.
    fn is_at_or_after(&self, since: Stamp, zone: Tz) -> bool {
        match self {
            Value::LocalTime(micros) => *micros >= since.local(zone),
            Value::Instant(micros) => *micros >= since.instant(zone),
            Value::Date(days) => i64::from(*days) >= since.local(zone).div_euclid(86_400_000_000),
            _ => true,
        }
    }

    fn is_key(&self, key: &Key) -> bool {
        match self {
            Value::Guid(guid) => sql::key_guid(key) == Some(*guid),
            Value::Text(text) => sql::key_texts(key).iter().any(|form| form == text.trim_end()),
            Value::Bytes(bytes) => sql::key_bytes(key) == *bytes,
            Value::Int(value) => sql::key_number(key).is_some_and(|number| number == value.to_string()),
            Value::Decimal(text) => sql::key_number(key) == Some(text),
            Value::Null
            | Value::Float(_)
            | Value::Bool(_)
            | Value::Date(_)
            | Value::LocalTime(_)
            | Value::Instant(_)
            | Value::Undecodable => false,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: Query<'static> = Query { label: "fer.slot", sql: "SELECT * FROM slots" };

    fn source() -> MemorySource {
        let source = MemorySource::new(Tz::Asia__Yekaterinburg);
        let row = |id: i64, at: Value| vec![Value::Guid(id as u128), at];
        source.set(
            "slots",
            &["id", "at"],
            vec![row(1, Value::Null), row(2, Value::LocalTime(5)), row(3, Value::LocalTime(9))],
        );
        source
    }

    async fn ids(source: &MemorySource, read: Read<'_>) -> Result<Vec<u128>, SourceError> {
        let mut rows = source.read(QUERY, read).await?;
        let (mut chunk, mut ids) = (RowChunk::default(), Vec::new());
        while rows.next(&mut chunk).await? {
            ids.extend(chunk.rows().map(|row| match row.cell(0) {
                Cell::Guid(id) => id,
                other => panic!("{other:?}"),
            }));
        }
        Ok(ids)
    }

    #[tokio::test]
    async fn every_kind_of_read_gives_its_rows() {
        let source = source();
        let keys = [Key::Guid(3), Key::Guid(9)];
        assert_eq!(ids(&source, Read::All).await.unwrap(), [1, 2, 3]);
        assert_eq!(ids(&source, Read::Changed { column: "at", since: Stamp::Local(9) }).await.unwrap(), [1, 3]);
        assert_eq!(ids(&source, Read::Keys { column: "id", keys: &keys }).await.unwrap(), [3]);
    }

    #[tokio::test]
    async fn a_fault_hits_one_read() {
        let source = source();
        source.fail_next(Fault::LostAfter(2));
        let mut rows = source.read(QUERY, Read::All).await.unwrap();
        let mut chunk = RowChunk::default();
        assert!(rows.next(&mut chunk).await.unwrap());
        assert_eq!(chunk.len(), 2);
        assert!(matches!(rows.next(&mut chunk).await, Err(SourceError::Lost { .. })));
        assert_eq!(ids(&source, Read::All).await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn a_table_that_is_not_there_is_an_error() {
        let source = source();
        source.drop_table("slots");
        assert!(ids(&source, Read::All).await.unwrap_err().to_string().contains("42P01"));
    }
}
