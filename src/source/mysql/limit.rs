//! The limit that a server itself can set to a statement's time. MariaDB and MySQL have each their own, older servers have none.

use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Executor};

use super::clock::number;

/// The server has no such variable.
const UNKNOWN_VARIABLE: u16 = 1193;

/// How the server is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Limit {
    /// `max_statement_time`, for every statement.
    MariaDb,
    /// `max_execution_time`, for SELECT alone.
    MySql,
    /// Not at all: our own clock ends what takes too long.
    None,
}

impl Limit {
    /// Limits the statements to come, in the way that the server knows. What it says of its version is no proof: a proxy may speak for another server.
    pub(in crate::source) async fn find_and_set(
        connection: &mut MySqlConnection,
        time: Duration,
    ) -> Result<Self, sqlx::Error> {
        let version: String =
            sqlx::query_scalar("SELECT VERSION()").persistent(false).fetch_one(&mut *connection).await?;
        let limit = if version.to_ascii_lowercase().contains("mariadb") { Limit::MariaDb } else { Limit::MySql };
        match limit.set(connection, time).await {
            Ok(()) => Ok(limit),
            Err(error) if number(&error) == Some(UNKNOWN_VARIABLE) => Ok(Limit::None),
            Err(error) => Err(error),
        }
    }

    async fn set(self, connection: &mut MySqlConnection, time: Duration) -> Result<(), sqlx::Error> {
        let Some(assignment) = self.assignment(time) else { return Ok(()) };
        let statement = AssertSqlSafe(format!("SET SESSION {assignment}"));
        connection.execute(sqlx::raw_sql(statement)).await.map(|_| ())
    }

    /// What a SET sets.
    pub(in crate::source) fn assignment(self, time: Duration) -> Option<String> {
        match self {
            Limit::MariaDb => {
                Some(format!("max_statement_time = {:.3}", time.as_secs_f64().clamp(0.001, 31_536_000.0)))
            }
            Limit::MySql => Some(format!("max_execution_time = {}", time.as_millis().clamp(1, u32::MAX.into()))),
            Limit::None => None,
        }
    }
}
