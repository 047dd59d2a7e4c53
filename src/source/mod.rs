//! Sources: rows out of the hospital's databases, by SQL, read-only, streamed; and, apart from that, the statements by which a site lets
//! results be written back.

mod any;
mod catalogue;
mod failure;
mod float;
pub mod memory;
mod mysql;
mod postgres;
mod rows;
mod seek;
mod settings;
mod spool;
mod sql;
mod sqlite;
mod stamp;
mod statement;
mod writer;

use std::future::Future;

pub use any::AnySource;
pub use catalogue::{Table, quoted, quoted_text};
pub use mysql::MySqlSource;
pub use postgres::PostgresSource;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use postgres::fuzzing;
pub use rows::Rows;
pub use seek::{Sought, rows_with_key};
pub use settings::{Engine, SourceSettings};
pub use sqlite::SqliteSource;
pub use statement::{Script, ScriptError, Values};
pub use writer::{Row, Run, WriteError, Writer, Written};

use self::failure::Place;
use crate::record::{Key, RowChunk};

/// A database we read.
///
/// Every read runs on a connection of its own inside one read-only transaction that sees one state of the database, and streams:
/// a table never sits in memory. The source's statement time-out covers a whole read, the reader's own pauses included. Dropping
/// the stream before its end closes the connection; it is not pooled.
pub trait Source: Send + Sync + 'static {
    /// The rows of one read.
    type Rows: RowStream;

    /// The columns of a query, in order, without reading rows. Used by `check` and to bind a schema.
    fn columns(&self, query: Query<'_>) -> impl Future<Output = Result<Vec<Column>, SourceError>> + Send;

    /// Starts one read of a query.
    fn read(&self, query: Query<'_>, read: Read<'_>) -> impl Future<Output = Result<Self::Rows, SourceError>> + Send;

    /// The database's own clock: microseconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> impl Future<Output = Result<i64, SourceError>> + Send;

    /// True when a table or view of this name is there. Whether it may be read is seen when it is read: a missing grant must not
    /// look like a missing view.
    fn has_relation(&self, name: &str) -> impl Future<Output = Result<bool, SourceError>> + Send;

    /// What a site should know of this source before it relies on it.
    fn advice(&self) -> impl Future<Output = Result<Vec<Advice>, SourceError>> + Send {
        async { Ok(Vec::new()) }
    }
}

/// A trait of a source that is no error, and what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// The key inside the source's section that it concerns.
    pub key: &'static str,
    /// The sentence.
    pub text: String,
}

/// A query of the configuration, or of a feed's default view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    /// What errors call it: the feed, `fer.slot`.
    pub label: &'a str,
    /// One SELECT. A closing semicolon and comments do no harm.
    pub sql: &'a str,
}

/// What one read asks for.
#[derive(Debug, Clone, Copy)]
pub enum Read<'a> {
    /// Every row.
    All,
    /// Rows whose change time is at or after a point, or is NULL.
    Changed {
        /// Column with the change time.
        column: &'a str,
        /// The point, inclusive.
        since: Stamp,
    },
    /// The keys of all rows, and after them the rows that [`Read::Changed`] gives, both out of one state of the database.
    Swept {
        /// Column with the change time.
        column: &'a str,
        /// The point, inclusive.
        since: Stamp,
        /// Columns that make up a key. Those that the query does not give are left out.
        keys: &'a [&'a str],
    },
    /// Rows with one of these keys, in whatever form the source keeps them.
    Keys {
        /// Column with the key.
        column: &'a str,
        /// The keys.
        keys: &'a [Key],
    },
}

/// A change time in the column's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stamp {
    /// A wall clock without a zone: microseconds since 1970-01-01T00:00:00 on that clock.
    Local(i64),
    /// A point in time: microseconds since 1970-01-01T00:00:00Z.
    Instant(i64),
}

/// A column of a query's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name as the query gives it.
    pub name: String,
    /// Its type as the database calls it, for messages.
    pub type_name: String,
}

impl Read<'_> {
    /// What errors call such a read.
    fn action(&self) -> &'static str {
        match self {
            Read::All => "full read",
            Read::Changed { .. } => "change read",
            Read::Swept { .. } => "sweep and change read",
            Read::Keys { .. } => "key read",
        }
    }

    /// Positions among these columns of those that a sweep reads; none for any other read.
    fn swept(&self, columns: &[Column], place: &Place) -> Result<Option<Vec<usize>>, SourceError> {
        let Read::Swept { keys, .. } = self else { return Ok(None) };
        let found: Vec<usize> =
            keys.iter().filter_map(|key| Column::find(columns, key)).map(|(position, _)| position).collect();
        match (found.is_empty(), keys.first()) {
            (true, Some(key)) => Err(place.no_column(key)),
            _ => Ok(Some(found)),
        }
    }
}

impl Column {
    /// The position of the column with this name: the exact one, else one that differs only in case.
    pub fn position(columns: &[Column], name: &str) -> Option<usize> {
        Column::find(columns, name).map(|(position, _)| position)
    }

    /// The column with this name and its position: the exact one, else one that differs only in case.
    fn find<'c>(columns: &'c [Column], name: &str) -> Option<(usize, &'c Column)> {
        let mut numbered = columns.iter().enumerate();
        let exact = numbered.clone().find(|(_, column)| column.name == name);
        exact.or_else(|| numbered.find(|(_, column)| column.name.eq_ignore_ascii_case(name)))
    }

    /// A column whose name an earlier one has, as the engine compares names.
    fn repeated(engine: Engine, columns: &[Column]) -> Option<&Column> {
        let same = |one: &Column, other: &Column| match engine {
            Engine::Postgres => one.name == other.name,
            Engine::MySql | Engine::Sqlite => one.name.to_lowercase() == other.name.to_lowercase(),
        };
        let mut numbered = columns.iter().enumerate();
        let repeated = numbered.find(|(at, column)| columns.iter().take(*at).any(|earlier| same(earlier, column)));
        repeated.map(|(_, column)| column)
    }
}

/// The rows of one read, some at a time.
pub trait RowStream: Send + 'static {
    /// The columns of the rows to come, in order.
    fn columns(&self) -> &[Column];

    /// The columns of the keys of a [`Read::Swept`], in order; none for any other read.
    fn key_columns(&self) -> &[Column];

    /// As [`Self::next`], for the keys of a [`Read::Swept`]: they come before its rows, and asking for rows skips those that are left.
    /// Only after a false was the sweep complete.
    fn next_keys(&mut self, chunk: &mut RowChunk) -> impl Future<Output = Result<bool, SourceError>> + Send;

    /// Resets `chunk` and fills it with the next rows, at most [`CHUNK_ROWS`] and about [`CHUNK_BYTES`]. False when there
    /// are no more rows; only then was the read complete.
    fn next(&mut self, chunk: &mut RowChunk) -> impl Future<Output = Result<bool, SourceError>> + Send;
}

/// Most rows a chunk holds.
pub const CHUNK_ROWS: usize = 1024;
/// A chunk is closed when its text and binary data pass this size.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Why a read failed. Never holds a value of a row: of a database's own errors only the code and the statement's name are kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The settings cannot be used.
    #[error("sources.{source_name}.{key}: {reason}")]
    Settings {
        /// The source's name in the configuration.
        source_name: String,
        /// The key inside the source's section.
        key: &'static str,
        /// What is wrong and what to write instead, without the value.
        reason: String,
    },
    /// No connection.
    #[error("source {source_name}: cannot connect: {reason}")]
    Connect {
        /// The source's name in the configuration.
        source_name: String,
        /// What went wrong, without credentials.
        reason: String,
    },
    /// The database refused the statement.
    #[error("source {source_name}: {statement} failed with {code}{hint}")]
    Statement {
        /// The source's name in the configuration.
        source_name: String,
        /// Which statement: what was done for which feed, not its text.
        statement: String,
        /// `SQLSTATE 42P01`, `SQLSTATE 42S02 (1146)`, `SQLite error 1`.
        code: String,
        /// What an operator can do, beginning with a colon and a space; may be empty.
        hint: &'static str,
    },
    /// The statement time-out passed.
    #[error("source {source_name}: {statement} took longer than the statement_timeout")]
    Timeout {
        /// The source's name in the configuration.
        source_name: String,
        /// Which statement.
        statement: String,
    },
    /// The connection broke in the middle, or the database fell silent.
    #[error("source {source_name}: connection lost during {statement}")]
    Lost {
        /// The source's name in the configuration.
        source_name: String,
        /// Which statement.
        statement: String,
    },
    /// The rows had to wait outside of the database, and could not.
    #[error("source {source_name}: {statement}: its rows cannot wait for the portal in {folder}: {reason}")]
    Spool {
        /// The source's name in the configuration.
        source_name: String,
        /// Which statement.
        statement: String,
        /// Where they were to wait.
        folder: String,
        /// What went wrong and what to do.
        reason: String,
    },
    /// The query does not give a column that is needed.
    #[error("source {source_name}: {statement} needs a column {column}, which the query does not give")]
    Column {
        /// The source's name in the configuration.
        source_name: String,
        /// Which statement.
        statement: String,
        /// The column.
        column: String,
    },
    /// Two columns of one name: which of them is meant cannot be said.
    #[error(
        "source {source_name}: {statement}: column {column} appears twice in the query; give one of them another name"
    )]
    Duplicate {
        /// The source's name in the configuration.
        source_name: String,
        /// Which statement.
        statement: String,
        /// The column.
        column: String,
    },
    /// A change column that is no time.
    #[error(
        "source {source_name}: change column {column} has type {type_name}; make it a date or a timestamp in the query"
    )]
    ChangeColumn {
        /// The source's name in the configuration.
        source_name: String,
        /// The column.
        column: String,
        /// Its type.
        type_name: String,
    },
    /// A column's type cannot be read.
    #[error(
        "source {source_name}: column {column} has type {type_name}, which cannot be read; cast it to text in the query"
    )]
    Type {
        /// The source's name in the configuration.
        source_name: String,
        /// The column.
        column: String,
        /// Its type.
        type_name: String,
    },
}
