//! MySQL and MariaDB: statements in the text protocol, in which `CALL` gives all its results and every value is as the server prints it.

use std::fmt;
use std::time::Duration;

use chrono_tz::Tz;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions, Executor, Row as _, SqlSafeStr, Statement};

use super::super::mysql::limit::Limit;
use super::super::mysql::{self, clock};
use super::super::{SourceError, SourceSettings};
use super::Row;
use super::session::{Failure, last};

/// How connections are made.
pub(super) struct MySqlConnector {
    options: MySqlConnectOptions,
    zone: Tz,
}

/// A connection.
pub(super) struct MySqlSession {
    connection: MySqlConnection,
    limit: Limit,
}

impl MySqlConnector {
    pub(super) fn open(settings: &SourceSettings) -> Result<Self, SourceError> {
        Ok(MySqlConnector { options: mysql::options(settings)?, zone: settings.zone })
    }

    pub(super) async fn connect(&self) -> Result<MySqlSession, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        let limit = Limit::find_and_set(&mut connection, Duration::MAX).await?;
        clock::set(&mut connection, self.zone).await?;
        Ok(MySqlSession { connection, limit })
    }
}

impl fmt::Debug for MySqlConnector {
    /// Leaves out the driver's options, which print their password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MySqlConnector")
    }
}

impl MySqlSession {
    pub(super) async fn begin(&mut self, limit: Duration) -> Result<(), sqlx::Error> {
        self.limit(limit).await?;
        self.say("START TRANSACTION READ WRITE".to_owned()).await
    }

    /// MySQL's own limit counts for SELECT alone; there the wait for locks is limited, and the caller's clock ends the rest.
    pub(super) async fn limit(&mut self, left: Duration) -> Result<(), sqlx::Error> {
        let locks = left.as_secs().clamp(1, 1_000_000);
        let statements = self.limit.assignment(left).map(|assignment| format!("{assignment}, ")).unwrap_or_default();
        self.say(format!("SET SESSION {statements}innodb_lock_wait_timeout = {locks}")).await
    }

    pub(super) async fn run(&mut self, statement: String) -> Result<Option<Row>, Failure> {
        let rows = sqlx::raw_sql(AssertSqlSafe(statement)).fetch(&mut self.connection);
        Ok(last(rows).await?.map(|row| texts(&row)).transpose()?)
    }

    /// The names of a statement's columns. Runs nothing.
    pub(super) async fn describe(&mut self, statement: String) -> Result<Vec<String>, sqlx::Error> {
        let prepared = self.connection.prepare(AssertSqlSafe(statement).into_sql_str()).await?;
        Ok(prepared.columns().iter().map(|column| column.name().to_owned()).collect())
    }

    /// A COMMIT that is cut short by a limit of ours would leave its outcome open.
    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        if self.limit == Limit::MariaDb {
            self.say("SET SESSION max_statement_time = 0".to_owned()).await?;
        }
        self.say("COMMIT".to_owned()).await
    }

    pub(super) async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        self.say("ROLLBACK".to_owned()).await
    }

    async fn say(&mut self, statement: String) -> Result<(), sqlx::Error> {
        self.connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.map(|_| ())
    }
}

fn texts(row: &MySqlRow) -> Result<Row, sqlx::Error> {
    let text = |column: &sqlx::mysql::MySqlColumn| {
        Ok((column.name().to_owned(), row.try_get_unchecked::<Option<String>, _>(column.ordinal())?))
    };
    Ok(Row::new(row.columns().iter().map(text).collect::<Result<_, sqlx::Error>>()?))
}
