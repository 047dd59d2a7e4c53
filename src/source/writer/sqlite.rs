//! SQLite: the write lock is taken before the first statement, so that nothing is read that another writer may change; the progress handler
//! is the time limit, and ends what nobody waits for any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions, Executor, Row as _, SqlSafeStr, Statement};

use super::super::sqlite::{self, STEPS_PER_LOOK, StopOnDrop};
use super::super::{SourceError, SourceSettings};
use super::Row;
use super::session::{Failure, last};

/// How connections are made.
#[derive(Debug)]
pub(super) struct SqliteConnector {
    options: SqliteConnectOptions,
}

/// A connection.
pub(super) struct SqliteSession {
    connection: SqliteConnection,
    stop: StopOnDrop,
}

impl SqliteConnector {
    pub(super) fn open(settings: &SourceSettings) -> Result<Self, SourceError> {
        Ok(SqliteConnector { options: sqlite::options(settings)? })
    }

    pub(super) async fn connect(&self) -> Result<SqliteSession, sqlx::Error> {
        Ok(SqliteSession {
            connection: self.options.connect().await?,
            stop: StopOnDrop(Arc::new(AtomicBool::new(false))),
        })
    }
}

impl SqliteSession {
    pub(super) async fn begin(&mut self, limit: Duration) -> Result<(), sqlx::Error> {
        let stopped = Arc::clone(&self.stop.0);
        let start = Instant::now();
        let go_on = move || !stopped.load(Ordering::Relaxed) && start.elapsed() < limit;
        self.connection.lock_handle().await?.set_progress_handler(STEPS_PER_LOOK, go_on);
        self.say(format!("PRAGMA busy_timeout = {}", limit.as_millis().min(i32::MAX as u128))).await?;
        self.say("BEGIN IMMEDIATE".to_owned()).await
    }

    pub(super) async fn run(
        &mut self,
        (statement, values): (String, Vec<Option<&str>>),
    ) -> Result<Option<Row>, Failure> {
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for value in values {
            query = query.bind(value.map(str::to_owned));
        }
        Ok(last(query.fetch(&mut self.connection)).await?.map(|row| texts(&row)).transpose()?)
    }

    /// The names of a statement's columns. Runs nothing.
    pub(super) async fn describe(&mut self, statement: String) -> Result<Vec<String>, sqlx::Error> {
        let prepared = self.connection.prepare(AssertSqlSafe(statement).into_sql_str()).await?;
        Ok(prepared.columns().iter().map(|column| column.name().to_owned()).collect())
    }

    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.connection.lock_handle().await?.remove_progress_handler();
        self.say("COMMIT".to_owned()).await
    }

    pub(super) async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        self.connection.lock_handle().await?.remove_progress_handler();
        self.say("ROLLBACK".to_owned()).await
    }

    async fn say(&mut self, statement: String) -> Result<(), sqlx::Error> {
        self.connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.map(|_| ())
    }
}

/// SQLite itself makes a text of every value.
fn texts(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let text = |column: &sqlx::sqlite::SqliteColumn| {
        Ok((column.name().to_owned(), row.try_get_unchecked::<Option<String>, _>(column.ordinal())?))
    };
    Ok(Row::new(row.columns().iter().map(text).collect::<Result<_, sqlx::Error>>()?))
}
