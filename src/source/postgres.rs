//! PostgreSQL: rows by binary COPY out of a read-only transaction, decoded straight from the wire into cells.

mod binary;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod numeric;
mod plan;

use std::fmt;

use chrono_tz::Tz;
use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use sqlx::query::QueryScalar;
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions, Connection, Executor, FromRow, Postgres, SqlSafeStr, Statement,
    TypeInfo,
};
use tokio::time::timeout;

use self::binary::{Decoder, Wire};
use self::plan::Plan;
use super::failure::Place;
use super::rows::{Outlet, answer};
use super::{Column, Engine, Query, Read, Rows, Source, SourceError, SourceSettings, sql};

/// Parameters that an address may have.
const PARAMETERS: &[&str] =
    &["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "dbname", "user", "options"];

/// Makes the server notice a reader that is gone even while it is not sending. Servers before 14 and on Windows cannot; asked
/// like this they do not fill their log with it.
pub(super) const NOTICE_ABSENCE: &str = "DO $$ BEGIN PERFORM set_config('client_connection_check_interval', '5s', false); \
                              EXCEPTION WHEN OTHERS THEN NULL; END $$";

/// A PostgreSQL database.
pub struct PostgresSource {
    settings: SourceSettings,
    options: PgConnectOptions,
}

impl fmt::Debug for PostgresSource {
    /// Leaves out the driver's options, which print their password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSource").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl PostgresSource {
    /// Checks the settings. Each read connects for itself.
    pub fn open(settings: SourceSettings) -> Result<Self, SourceError> {
        let options = options(&settings)?;
        Ok(PostgresSource { settings, options })
    }

    fn place(&self, action: &str, label: &str) -> Place {
        Place::new(&self.settings.name, action, label)
    }

    /// A connection inside a read-only transaction that sees one state of the database.
    async fn begin(&self, place: &Place) -> Result<PgConnection, SourceError> {
        let start = async {
            let mut connection = self.options.connect().await.map_err(|error| place.connecting(&error))?;
            // Where this is unknown, the statement time-out alone ends an abandoned read.
            let _ = connection.execute(NOTICE_ABSENCE).await;
            let setup = session(self.settings.zone, self.settings.statement_timeout.as_millis());
            connection.execute(sqlx::raw_sql(AssertSqlSafe(setup))).await.map_err(|error| place.failure(&error))?;
            Ok(connection)
        };
        timeout(self.settings.connect_timeout, start).await.map_err(|_| place.unreachable())?
    }

    async fn ask<T>(&self, place: &Place, question: Question<'_, T>) -> Result<T, SourceError>
    where
        (T,): for<'r> FromRow<'r, PgRow>,
        T: Send + Unpin,
    {
        let mut connection = self.begin(place).await?;
        let asking = async { question.fetch_one(&mut connection).await.map_err(|error| place.failure(&error)) };
        let value = answer(self.settings.statement_timeout, place, asking).await?;
        let _ = connection.close().await;
        Ok(value)
    }
}

/// How to connect.
pub(super) fn options(settings: &SourceSettings) -> Result<PgConnectOptions, SourceError> {
    let url = settings.server_url(PARAMETERS)?;
    let mut options = PgConnectOptions::from_url(&url)
        .map_err(|_| settings.refuse("url", "has a value that cannot be used, or its sslmode is unknown"))?
        .application_name("vitrina")
        .disable_statement_logging();
    if let Some(password) = settings.password() {
        options = options.password(password);
    }
    Ok(options)
}

/// A question with one value for an answer.
type Question<'q, T> = QueryScalar<'q, Postgres, T, PgArguments>;

/// The session's clock is the source's, so that a view which compares its zone-less times with `now()` means what it says.
fn session(zone: Tz, statement_timeout_ms: u128) -> String {
    let timeout = statement_timeout_ms.clamp(1, i32::MAX as u128);
    format!(
        "SET default_transaction_read_only = on; SET client_min_messages = error; SET statement_timeout = {timeout}; \
         SET TimeZone = '{zone}'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = iso_8601; \
         BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    )
}

/// The columns of a query and how each is sent.
async fn describe(
    connection: &mut PgConnection,
    query: &str,
    place: &Place,
) -> Result<(Vec<Column>, Vec<Wire>), SourceError> {
    let statement = format!("SELECT * FROM {}", sql::subquery(Engine::Postgres, query));
    let prepared =
        connection.prepare(AssertSqlSafe(statement).into_sql_str()).await.map_err(|error| place.failure(&error))?;
    let described = prepared.columns().iter().map(|column| {
        let kind = column.type_info();
        let named = Column { name: column.name().to_owned(), type_name: kind.name().to_lowercase() };
        (named, Wire::of(kind.oid().map_or(0, |oid| oid.0)))
    });
    Ok(described.unzip())
}

impl Source for PostgresSource {
    type Rows = Rows;

    async fn columns(&self, query: Query<'_>) -> Result<Vec<Column>, SourceError> {
        let place = self.place("description", query.label);
        let mut connection = self.begin(&place).await?;
        let wait = self.settings.statement_timeout;
        let (columns, _) = answer(wait, &place, describe(&mut connection, query.sql, &place)).await?;
        let _ = connection.close().await;
        Ok(columns)
    }

    async fn read(&self, query: Query<'_>, read: Read<'_>) -> Result<Rows, SourceError> {
        let place = self.place(read.action(), query.label);
        let mut connection = self.begin(&place).await?;
        let wait = self.settings.statement_timeout;
        let (columns, wires) = answer(wait, &place, describe(&mut connection, query.sql, &place)).await?;
        let plan = Plan::new(query.sql, &columns, wires, read, self.settings.zone, &place)?;
        Ok(Rows::new(columns, wait, place.clone(), move |outlet| stream(connection, plan, place, outlet)))
    }

    async fn now(&self) -> Result<i64, SourceError> {
        let place = self.place("clock", &self.settings.name);
        let clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        self.ask(&place, sqlx::query_scalar(clock)).await
    }

    async fn has_relation(&self, name: &str) -> Result<bool, SourceError> {
        let place = self.place("search", name);
        let search = "SELECT to_regclass(quote_ident($1)) IS NOT NULL";
        self.ask(&place, sqlx::query_scalar(search).bind(name)).await
    }
}

async fn stream(mut connection: PgConnection, plan: Plan, place: Place, mut outlet: Outlet) -> Result<(), SourceError> {
    for statement in &plan.statements {
        let mut decoder = Decoder::new(&plan.wires);
        let mut copy = connection.copy_out_raw(statement).await.map_err(|error| place.failure(&error))?;
        while let Some(data) = copy.try_next().await.map_err(|error| place.failure(&error))? {
            decoder.take(&data);
            while decoder.next_row(outlet.chunk()).map_err(|_| place.unreadable())? {
                outlet.row_done().await;
            }
        }
        if !decoder.is_complete() {
            return Err(place.unreadable());
        }
    }
    outlet.finish().await;
    // The transaction only read: an error while saying good-bye changes nothing.
    let _ = connection.close().await;
    Ok(())
}
