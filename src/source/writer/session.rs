//! A connection of whichever engine, inside one transaction at a time.

use std::time::Duration;

use futures_util::{Stream, TryStreamExt};
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use tokio::time::Instant;

use super::super::Engine;
use super::super::statement::{Script, Values};
use super::Row;
use super::error::{Place, WriteError};
use super::mysql::MySqlSession;
use super::postgres::PostgresSession;
use super::sqlite::SqliteSession;

/// Most rows that are looked through for the last one.
const MOST_ROWS: usize = 10_000;

/// A connection.
pub(super) enum Session {
    Postgres(PostgresSession),
    MySql(MySqlSession),
    Sqlite(SqliteSession),
}

/// Why a transaction is not known to be committed.
pub(super) enum Commit {
    /// The database has rolled it back.
    Refused(WriteError),
    /// The database's answer was lost.
    Lost(WriteError),
}

impl Session {
    /// True when there is no network between: it answers late only because somebody else writes.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Session::Sqlite(_))
    }

    /// Begins a transaction whose statements may take so long.
    pub(super) async fn begin(&mut self, limit: Duration) -> Result<(), sqlx::Error> {
        match self {
            Session::Postgres(session) => session.begin(limit).await,
            Session::MySql(session) => session.begin(limit).await,
            Session::Sqlite(session) => session.begin(limit).await,
        }
    }

    /// Runs the statements and gives the last row. Each gets what is left of the time.
    pub(super) async fn run(
        &mut self,
        script: &Script,
        values: Values<'_>,
        end: Instant,
        place: &Place,
    ) -> Result<Option<Row>, WriteError> {
        let mut last = None;
        for (index, statement) in script.statements().iter().enumerate() {
            if index > 0 {
                let left = end.saturating_duration_since(Instant::now());
                self.limit(left).await.map_err(|error| place.failure(&error))?;
            }
            let literals = |engine| statement.with_literals(engine, values).map_err(|name| place.value(name));
            let row = match self {
                Session::Postgres(session) => session.run(literals(Engine::Postgres)?).await,
                Session::MySql(session) => session.run(literals(Engine::MySql)?).await,
                Session::Sqlite(session) => session.run(statement.with_placeholders(values)).await,
            };
            last = match row {
                Ok(row) => row.or(last),
                Err(Failure::Database(error)) => return Err(place.failure(&error)),
                Err(Failure::TooManyRows) => return Err(place.too_many_rows()),
            };
        }
        Ok(last)
    }

    /// The columns of the row that the statements would give, without running them: those of the last statement that gives any. None where it
    /// gives none that the database could name, as a `CALL`, and where it cannot be described, as over a table that an earlier one makes.
    pub(super) async fn describe(&mut self, script: &Script, place: &Place) -> Result<Option<Vec<String>>, WriteError> {
        let is_alone = script.statements().len() == 1;
        for statement in script.statements().iter().rev() {
            let literals = |engine| statement.with_literals(engine, &[]).map_err(|name| place.value(name));
            let described = match self {
                Session::Postgres(session) => session.describe(literals(Engine::Postgres)?).await,
                Session::MySql(session) => session.describe(literals(Engine::MySql)?).await,
                Session::Sqlite(session) => session.describe(statement.with_placeholders(&[]).0).await,
            };
            match described {
                Ok(columns) if columns.is_empty() => {}
                Ok(columns) => return Ok(Some(columns)),
                Err(error) if is_alone => return Err(place.failure(&error)),
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    async fn limit(&mut self, left: Duration) -> Result<(), sqlx::Error> {
        match self {
            Session::Postgres(session) => session.limit(left).await,
            Session::MySql(session) => session.limit(left).await,
            // Its clock runs for the whole transaction.
            Session::Sqlite(_) => Ok(()),
        }
    }

    /// Commits.
    pub(super) async fn commit(&mut self, place: &Place) -> Result<(), Commit> {
        let answer = match self {
            Session::Postgres(session) => session.commit().await,
            Session::MySql(session) => session.commit().await,
            Session::Sqlite(session) => session.commit().await,
        };
        answer.map_err(|error| match place.failure(&error) {
            refused @ WriteError::Statement { .. } if is_certain(&error) => Commit::Refused(refused),
            // SQLite's own: readers that do not let go. The transaction is still there and goes with the connection.
            busy @ WriteError::Timeout { .. } if matches!(self, Session::Sqlite(_)) => Commit::Refused(busy),
            lost => Commit::Lost(lost),
        })
    }

    /// Rolls back.
    pub(super) async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Session::Postgres(session) => session.roll_back().await,
            Session::MySql(session) => session.roll_back().await,
            Session::Sqlite(session) => session.roll_back().await,
        }
    }
}

/// False for a COMMIT of MySQL that was cancelled: it may have been done by then.
fn is_certain(error: &sqlx::Error) -> bool {
    let cancelled = |error: &dyn DatabaseError| {
        error.try_downcast_ref::<MySqlDatabaseError>().is_some_and(|error| error.number() == 1317)
    };
    error.as_database_error().is_some_and(|error| !cancelled(error))
}

/// Why a statement gave no answer.
pub(super) enum Failure {
    Database(sqlx::Error),
    TooManyRows,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Failure::Database(error)
    }
}

/// The last of the rows.
pub(super) async fn last<R>(
    mut rows: impl Stream<Item = Result<R, sqlx::Error>> + Unpin,
) -> Result<Option<R>, Failure> {
    let (mut last, mut count) = (None, 0);
    while let Some(row) = rows.try_next().await? {
        count += 1;
        if count > MOST_ROWS {
            return Err(Failure::TooManyRows);
        }
        last = Some(row);
    }
    Ok(last)
}
