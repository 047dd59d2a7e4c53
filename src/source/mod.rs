//! Sources: rows out of the hospital's databases, by SQL, read-only, streamed.

use std::future::Future;

use crate::record::{Key, RowChunk};

/// A database we read.
///
/// Every read runs on a connection of its own inside one read-only transaction, with the source's statement time-out, and streams:
/// a table never sits in memory. Dropping the stream before its end closes the connection; it is not pooled.
pub trait Source: Send + Sync + 'static {
    /// The rows of one read.
    type Rows: RowStream;

    /// The columns of a query, in order, without reading rows. Used by `check` and to bind a schema.
    fn columns(&self, query: Query<'_>) -> impl Future<Output = Result<Vec<Column>, SourceError>> + Send;

    /// Starts one read of a query.
    fn read(&self, query: Query<'_>, read: Read<'_>) -> impl Future<Output = Result<Self::Rows, SourceError>> + Send;

    /// The database's own clock: microseconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> impl Future<Output = Result<i64, SourceError>> + Send;

    /// True when a relation (table or view) of this name can be read.
    fn has_relation(&self, name: &str) -> impl Future<Output = Result<bool, SourceError>> + Send;
}

/// A query and what messages call it.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Name for messages: the feed.
    pub label: &'a str,
    /// The SQL.
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

/// The rows of one read, some at a time.
pub trait RowStream: Send + 'static {
    /// The columns of the rows to come, in order.
    fn columns(&self) -> &[Column];

    /// Resets `chunk` and fills it with the next rows, at most [`CHUNK_ROWS`] and about [`CHUNK_BYTES`]. False when there
    /// are no more rows; only then was the read complete.
    fn next(&mut self, chunk: &mut RowChunk) -> impl Future<Output = Result<bool, SourceError>> + Send;
}

/// Most rows a chunk holds.
pub const CHUNK_ROWS: usize = 1024;
/// A chunk is closed when its text and binary data pass this size.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Why a read failed. Never holds a value of a row: of a database's own errors only SQLSTATE and the statement's name are kept.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No connection.
    #[error("source {source_name}: cannot connect: {reason}")]
    Connect {
        /// The source's name in the configuration.
        source_name: String,
        /// What went wrong, without credentials.
        reason: String,
    },
    /// The database refused the statement.
    #[error("source {source_name}: {statement} failed with SQLSTATE {code}{hint}")]
    Statement {
        /// The source's name in the configuration.
        source_name: String,
        /// Which statement: a feed's name and what was done, not its text.
        statement: String,
        /// SQLSTATE, or the engine's own error number.
        code: String,
        /// What an operator can do, beginning with a colon and a space; may be empty.
        hint: String,
    },
    /// The statement time-out passed.
    #[error("source {source_name}: {statement} took longer than the statement_timeout")]
    Timeout {
        /// The source's name in the configuration.
        source_name: String,
        /// Which statement.
        statement: String,
    },
    /// The connection broke in the middle.
    #[error("source {source_name}: connection lost during {statement}")]
    Lost {
        /// The source's name in the configuration.
        source_name: String,
        /// Which statement.
        statement: String,
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
