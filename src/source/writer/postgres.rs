//! PostgreSQL: statements in the simple protocol, with quoted literals. A literal takes the type that its place asks for, which a bound
//! parameter of the driver does not: it travels in binary form and must have the column's own type. Rows come back as the server prints them.

use std::fmt;
use std::time::Duration;

use chrono_tz::Tz;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions, Connection as _, Executor, Row as _, SqlSafeStr, Statement};

use super::super::postgres::{self, NOTICE_ABSENCE};
use super::super::{SourceError, SourceSettings};
use super::Row;
use super::session::{Failure, last};

/// How connections are made.
pub(super) struct PostgresConnector {
    options: PgConnectOptions,
    zone: Tz,
}

/// A connection.
pub(super) struct PostgresSession {
    connection: PgConnection,
    /// What a transaction begins with, but for its limits.
    start: String,
}

impl PostgresConnector {
    pub(super) fn open(settings: &SourceSettings) -> Result<Self, SourceError> {
        Ok(PostgresConnector { options: postgres::options(settings)?, zone: settings.zone })
    }

    pub(super) async fn connect(&self) -> Result<PostgresSession, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        let mut start = format!("BEGIN READ WRITE; {}", postgres::clock_and_forms(self.zone));
        // Where this is unknown, the statement time-out alone ends what nobody waits for.
        if connection.execute(NOTICE_ABSENCE).await.is_ok() {
            start = format!("{start}; {NOTICE_ABSENCE}");
        }
        Ok(PostgresSession { connection, start })
    }
}

impl fmt::Debug for PostgresConnector {
    /// Leaves out the driver's options, which print their password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresConnector")
    }
}

impl PostgresSession {
    pub(super) async fn begin(&mut self, limit: Duration) -> Result<(), sqlx::Error> {
        self.say(format!("{}; {}", self.start, limits(limit))).await
    }

    pub(super) async fn limit(&mut self, left: Duration) -> Result<(), sqlx::Error> {
        self.say(limits(left)).await
    }

    pub(super) async fn run(&mut self, statement: String) -> Result<Option<Row>, Failure> {
        let rows = sqlx::raw_sql(AssertSqlSafe(statement)).fetch(&mut self.connection);
        Ok(last(rows).await?.map(|row| texts(&row)).transpose()?)
    }

    /// The names of a statement's columns. Runs nothing.
    pub(super) async fn describe(&mut self, statement: String) -> Result<Vec<String>, sqlx::Error> {
        let prepared = self.connection.prepare(AssertSqlSafe(statement).into_sql_str()).await?;
        // Under its name it would stay behind in a pooler's connection.
        self.connection.clear_cached_statements().await?;
        Ok(prepared.columns().iter().map(|column| column.name().to_owned()).collect())
    }

    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.say("COMMIT".to_owned()).await
    }

    pub(super) async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        self.say("ROLLBACK".to_owned()).await
    }

    async fn say(&mut self, statement: String) -> Result<(), sqlx::Error> {
        self.connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.map(|_| ())
    }
}

fn limits(limit: Duration) -> String {
    let millis = limit.as_millis().clamp(1, i32::MAX as u128);
    format!("SET LOCAL statement_timeout = {millis}; SET LOCAL lock_timeout = {millis}")
}

fn texts(row: &PgRow) -> Result<Row, sqlx::Error> {
    let text = |column: &sqlx::postgres::PgColumn| {
        Ok((column.name().to_owned(), row.try_get_unchecked::<Option<String>, _>(column.ordinal())?))
    };
    Ok(Row::new(row.columns().iter().map(text).collect::<Result<_, sqlx::Error>>()?))
}
