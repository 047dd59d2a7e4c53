//! SQLite: each cell by its own storage class, whatever its column was declared as. Opened read-only; the progress handler is
//! its statement time-out.

mod packed;
mod predicate;

use std::fs::File;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions, Connection, Decode, Executor, Row as _, SqlSafeStr, Sqlite, Statement,
    TypeInfo,
};
use tokio::time::timeout;

use super::failure::{NO_HANDLE_LEFT, Place, no_handle_left};
use super::rows::{Outlet, answer};
use super::{Column, Engine, Query, Read, Rows, Source, SourceError, SourceSettings, sql};

/// Steps of SQLite's machine between two looks at the clock: a fraction of a millisecond.
pub(super) const STEPS_PER_LOOK: i32 = 10_000;
/// Rows that SQLite's thread may be ahead of us.
const ROWS_AHEAD: usize = 512;

/// Files that SQLite opens for a database: itself, its log, the log's index, its folder.
const HANDLES: usize = 4;

/// A SQLite file.
#[derive(Debug)]
pub struct SqliteSource {
    settings: SourceSettings,
    options: SqliteConnectOptions,
}

/// Stops the statement that SQLite's thread may still be running when its reader is gone.
pub(super) struct StopOnDrop(pub(super) Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl SqliteSource {
    /// Checks the settings. The file is opened by each read.
    pub fn open(settings: SourceSettings) -> Result<Self, SourceError> {
        let options = options(&settings)?.read_only(true).pragma("query_only", "1").row_buffer_size(ROWS_AHEAD);
        Ok(SqliteSource { settings, options })
    }

    /// Path of the file.
    pub fn path(&self) -> PathBuf {
        self.options.get_filename().to_owned()
    }

    /// Why the file could not be opened. SQLite has one code for whatever keeps a file closed.
    fn unopened(&self, place: &Place, error: &sqlx::Error) -> SourceError {
        let tried: Vec<_> = (0..HANDLES).map(|_| File::open(self.options.get_filename())).collect();
        let starved = tried.iter().filter_map(|file| file.as_ref().err()).any(no_handle_left);
        if starved { place.no_connection(NO_HANDLE_LEFT.to_owned()) } else { place.connecting(error) }
    }

    fn place(&self, action: &str, label: &str) -> Place {
        Place::new(&self.settings.name, action, label)
    }

    /// A connection inside a transaction, and the guard that interrupts it.
    async fn begin(&self, place: &Place) -> Result<(SqliteConnection, StopOnDrop), SourceError> {
        let mut connection = timeout(self.settings.connect_timeout.saturating_mul(2), self.options.connect())
            .await
            .map_err(|_| place.unreachable())?
            .map_err(|error| self.unopened(place, &error))?;
        let stop = StopOnDrop(Arc::default());
        limit(&mut connection, self.settings.statement_timeout, &stop).await.map_err(|error| place.failure(&error))?;
        connection.execute("BEGIN").await.map_err(|error| place.failure(&error))?;
        Ok((connection, stop))
    }
}

/// How to connect.
pub(super) fn options(settings: &SourceSettings) -> Result<SqliteConnectOptions, SourceError> {
    if settings.url.contains('?') || settings.url.contains(":memory:") {
        return Err(settings.refuse("url", "must be sqlite: and the path of a file, without parameters"));
    }
    let options = SqliteConnectOptions::from_str(&settings.url)
        .map_err(|_| settings.refuse("url", "must be sqlite: and the path of a file"))?;
    Ok(options.create_if_missing(false).busy_timeout(settings.connect_timeout).disable_statement_logging())
}

/// Makes SQLite look at the clock and at the guard while it works.
async fn limit(connection: &mut SqliteConnection, time: Duration, stop: &StopOnDrop) -> Result<(), sqlx::Error> {
    let stopped = Arc::clone(&stop.0);
    let start = Instant::now();
    let go_on = move || !stopped.load(Ordering::Relaxed) && start.elapsed() < time;
    connection.lock_handle().await?.set_progress_handler(STEPS_PER_LOOK, go_on);
    Ok(())
}

/// True unless the file has a write-ahead log: without one no writer can commit while somebody reads.
async fn holds_writers(connection: &mut SqliteConnection, place: &Place) -> Result<bool, SourceError> {
    let mode = sqlx::query_scalar::<_, String>("PRAGMA journal_mode").fetch_one(connection).await;
    mode.map(|mode| mode != "wal").map_err(|error| place.failure(&error))
}

/// The columns of a query. As a subquery it is what is read, but SQLite renames columns of one name there: such a query is shown as the
/// site wrote it.
async fn describe(connection: &mut SqliteConnection, query: &str, place: &Place) -> Result<Vec<Column>, SourceError> {
    let read = prepare(connection, format!("SELECT * FROM {}", sql::subquery(Engine::Sqlite, query)), place).await?;
    let written = prepare(connection, sql::without_terminator(Engine::Sqlite, query).to_owned(), place).await?;
    Ok(if Column::repeated(Engine::Sqlite, &written).is_some() { written } else { read })
}

async fn prepare(
    connection: &mut SqliteConnection,
    statement: String,
    place: &Place,
) -> Result<Vec<Column>, SourceError> {
    let prepared =
        connection.prepare(AssertSqlSafe(statement).into_sql_str()).await.map_err(|error| place.failure(&error))?;
    let column = |column: &sqlx::sqlite::SqliteColumn| Column {
        name: column.name().to_owned(),
        type_name: column.type_info().name().to_lowercase(),
    };
    Ok(prepared.columns().iter().map(column).collect())
}

impl Source for SqliteSource {
    type Rows = Rows;

    async fn columns(&self, query: Query<'_>) -> Result<Vec<Column>, SourceError> {
        let place = self.place("description", query.label);
        let (mut connection, _stop) = self.begin(&place).await?;
        answer(self.settings.statement_timeout, &place, describe(&mut connection, query.sql, &place)).await
    }

    async fn read(&self, query: Query<'_>, read: Read<'_>) -> Result<Rows, SourceError> {
        let place = self.place(read.action(), query.label);
        let (mut connection, stop) = self.begin(&place).await?;
        let wait = self.settings.statement_timeout;
        let columns = answer(wait, &place, describe(&mut connection, query.sql, &place)).await?;
        place.need_distinct(Engine::Sqlite, &columns)?;
        let from = sql::subquery(Engine::Sqlite, query.sql);
        let conditions = predicate::conditions(&columns, read, self.settings.zone, &place)?;
        let row = packed::expression(&columns);
        let statements = conditions.iter().map(|condition| format!("SELECT {row} FROM {from}{condition}")).collect();
        let key_columns: Option<Vec<Column>> =
            read.swept(&columns, &place)?.map(|keys| keys.into_iter().map(|at| columns[at].clone()).collect());
        let keys =
            key_columns.as_ref().map(|keys| (format!("SELECT {} FROM {from}", packed::expression(keys)), keys.len()));
        let statements = Statements { keys, rows: statements, width: columns.len() };
        let holds_writers = holds_writers(&mut connection, &place).await?;
        let folder = self.settings.spool_folder.clone();
        Ok(Rows::new(columns, key_columns, wait, place.clone(), move |mut outlet| {
            if holds_writers {
                outlet.spool_in(&folder);
            }
            stream(connection, stop, statements, place, outlet)
        }))
    }

    async fn now(&self) -> Result<i64, SourceError> {
        let place = self.place("clock", &self.settings.name);
        let (mut connection, _stop) = self.begin(&place).await?;
        let clock = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000";
        sqlx::query_scalar(clock).fetch_one(&mut connection).await.map_err(|error| place.failure(&error))
    }

    async fn has_relation(&self, name: &str) -> Result<bool, SourceError> {
        let place = self.place("search", name);
        let (mut connection, _stop) = self.begin(&place).await?;
        let search = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') \
                      AND name = ? COLLATE NOCASE)";
        let found = sqlx::query_scalar(search).bind(name).fetch_one(&mut connection).await;
        found.map_err(|error| place.failure(&error))
    }
}

/// What one read asks SQLite for.
struct Statements {
    /// The keys of a sweep, and their number of columns.
    keys: Option<(String, usize)>,
    rows: Vec<String>,
    width: usize,
}

async fn stream(
    mut connection: SqliteConnection,
    stop: StopOnDrop,
    statements: Statements,
    place: Place,
    mut outlet: Outlet,
) -> Result<(), SourceError> {
    let place = place.running();
    if let Some((statement, width)) = statements.keys {
        answer_of(&mut connection, statement, width, &place, &mut outlet).await?;
        outlet.keys_done().await;
    }
    for statement in statements.rows {
        answer_of(&mut connection, statement, statements.width, &place, &mut outlet).await?;
    }
    // The file is only read: an error while closing it changes nothing.
    let _ = connection.close().await;
    drop(stop);
    outlet.finish().await
}

/// Hands the packed rows of one statement on.
async fn answer_of(
    connection: &mut SqliteConnection,
    statement: String,
    width: usize,
    place: &Place,
    outlet: &mut Outlet,
) -> Result<(), SourceError> {
    let mut scratch = Vec::new();
    let mut rows = sqlx::query(AssertSqlSafe(statement)).persistent(false).fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(|error| place.failure(&error))? {
        let packed = <&[u8] as Decode<Sqlite>>::decode(row.try_get_raw(0).map_err(|error| place.failure(&error))?);
        let packed = packed.map_err(|_| place.unreadable())?;
        packed::unpack(packed, width, outlet.chunk(), &mut scratch).map_err(|_| place.unreadable())?;
        outlet.row_done().await?;
    }
    Ok(())
}
