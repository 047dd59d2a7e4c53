//! PostgreSQL: rows by binary COPY out of a read-only transaction, decoded straight from the wire into cells.

mod binary;
mod encoding;
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
    AssertSqlSafe, Column as _, ConnectOptions, Connection, Executor, FromRow, Postgres, Row as _, SqlSafeStr,
    Statement, TypeInfo,
};
use tokio::time::timeout;

use self::binary::{Decoder, Wire};
use self::encoding::Encoding;
use self::plan::Plan;
use super::failure::Place;
use super::rows::{Outlet, answer};
use super::{Advice, Column, Engine, Query, Read, Rows, Source, SourceError, SourceSettings, settings, sql};

/// Parameters that an address may have.
const PARAMETERS: &[&str] =
    &["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "dbname", "user", "options"];

/// For one transaction, makes the server notice a client that is gone even while it is not sending. Servers before 14 and on Windows
/// cannot; asked like this they do not fill their log with it.
pub(super) const NOTICE_ABSENCE: &str = "DO $$ BEGIN PERFORM set_config('client_connection_check_interval', '5s', true); \
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

/// A connection inside its transaction.
struct Session {
    connection: PgConnection,
    encoding: Encoding,
}

impl Session {
    /// Ends the transaction before the connection, so that a pooler can keep its own. The transaction only read: an error while saying
    /// good-bye changes nothing.
    async fn end(mut self) {
        if self.connection.execute("COMMIT").await.is_ok() {
            let _ = self.connection.close().await;
        }
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
    async fn begin(&self, place: &Place) -> Result<Session, SourceError> {
        let start = async {
            let mut connection = self.options.connect().await.map_err(|error| place.connecting(&error))?;
            let setup = setup(self.settings.zone, self.settings.statement_timeout.as_millis());
            let encoding = connection.fetch_one(sqlx::raw_sql(AssertSqlSafe(setup))).await;
            let encoding = encoding.and_then(|row| row.try_get_unchecked::<String, _>(0));
            let encoding = Encoding::of(&encoding.map_err(|error| place.failure(&error))?);
            notice_absence(&mut connection).await.map_err(|error| place.failure(&error))?;
            Ok(Session { connection, encoding })
        };
        timeout(self.settings.connect_timeout, start).await.map_err(|_| place.unreachable())?
    }

    async fn ask<T>(&self, place: &Place, question: Question<'_, T>) -> Result<T, SourceError>
    where
        (T,): for<'r> FromRow<'r, PgRow>,
        T: Send + Unpin,
    {
        let mut session = self.begin(place).await?;
        // A statement with a name would stay behind in a pooler's connection.
        let question = question.persistent(false);
        let asking = async { question.fetch_one(&mut session.connection).await.map_err(|error| place.failure(&error)) };
        let value = answer(self.settings.statement_timeout, place, asking).await?;
        session.end().await;
        Ok(value)
    }
}

/// How to connect.
pub(super) fn options(settings: &SourceSettings) -> Result<PgConnectOptions, SourceError> {
    let url = settings.server_url(PARAMETERS)?;
    let mut options = PgConnectOptions::from_url(&url)
        .map_err(|_| settings.refuse("url", "has a value that cannot be used, or its sslmode is unknown"))?
        .application_name("vitrina")
        // Poolers refuse it, and nothing here is read that depends on it.
        .extra_float_digits(None)
        .disable_statement_logging();
    if let Some(address) = settings::ip_v6(&url) {
        options = options.host(&address);
    }
    if let Some(password) = settings.password() {
        options = options.password(password);
    }
    Ok(options)
}

/// A question with one value for an answer.
type Question<'q, T> = QueryScalar<'q, Postgres, T, PgArguments>;

/// The transaction's clock is the source's, so that a view which compares its zone-less times with `now()` means what it says. Nothing is
/// set beyond the transaction: behind a pooler the connection serves others afterwards.
fn setup(zone: Tz, statement_timeout_ms: u128) -> String {
    let timeout = statement_timeout_ms.clamp(1, i32::MAX as u128);
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {timeout}; {}; \
         SELECT current_setting('server_encoding')",
        clock_and_forms(zone)
    )
}

/// The settings of a transaction on which the forms of values depend.
pub(super) fn clock_and_forms(zone: Tz) -> String {
    format!(
        "SET LOCAL client_min_messages = error; SET LOCAL TimeZone = '{zone}'; SET LOCAL DateStyle = 'ISO, YMD'; \
         SET LOCAL IntervalStyle = iso_8601"
    )
}

/// Runs [`NOTICE_ABSENCE`]. Where even that is refused, the statement time-out alone ends what was abandoned.
async fn notice_absence(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let tried = AssertSqlSafe(format!("SAVEPOINT notice; {NOTICE_ABSENCE}; RELEASE notice"));
    if connection.execute(sqlx::raw_sql(tried)).await.is_err() {
        connection.execute("ROLLBACK TO notice").await?;
    }
    Ok(())
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
    // The driver gives each statement a name, under which it would stay behind in a pooler's connection.
    connection.clear_cached_statements().await.map_err(|error| place.failure(&error))?;
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
        let mut session = self.begin(&place).await?;
        let wait = self.settings.statement_timeout;
        let (columns, _) = answer(wait, &place, describe(&mut session.connection, query.sql, &place)).await?;
        session.end().await;
        Ok(columns)
    }

    async fn read(&self, query: Query<'_>, read: Read<'_>) -> Result<Rows, SourceError> {
        let place = self.place(read.action(), query.label);
        let mut session = self.begin(&place).await?;
        let wait = self.settings.statement_timeout;
        let (columns, wires) = answer(wait, &place, describe(&mut session.connection, query.sql, &place)).await?;
        place.need_distinct(Engine::Postgres, &columns)?;
        let plan = Plan::new(query.sql, &columns, wires, read, self.settings.zone, session.encoding, &place)?;
        let keys = plan.keys.as_ref().map(|keys| keys.columns.clone());
        Ok(Rows::new(columns, keys, wait, place.clone(), move |outlet| stream(session, plan, place, outlet)))
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

    async fn advice(&self) -> Result<Vec<Advice>, SourceError> {
        let place = self.place("look at the encoding", &self.settings.name);
        let name: String = self.ask(&place, sqlx::query_scalar("SELECT current_setting('server_encoding')")).await?;
        let text = Encoding::of(&name).advice(&name);
        Ok(text.into_iter().map(|text| Advice { key: "url", text }).collect())
    }
}

async fn stream(mut session: Session, plan: Plan, place: Place, mut outlet: Outlet) -> Result<(), SourceError> {
    if let Some(keys) = &plan.keys {
        copy_out(&mut session, &keys.statement, &keys.wires, &place, &mut outlet).await?;
        outlet.keys_done().await;
    }
    for statement in &plan.statements {
        copy_out(&mut session, statement, &plan.wires, &place, &mut outlet).await?;
    }
    session.end().await;
    outlet.finish().await
}

/// Hands the rows of one COPY on.
async fn copy_out(
    session: &mut Session,
    statement: &str,
    wires: &[Wire],
    place: &Place,
    outlet: &mut Outlet,
) -> Result<(), SourceError> {
    let mut decoder = Decoder::new(wires, session.encoding);
    let mut copy = session.connection.copy_out_raw(statement).await.map_err(|error| place.failure(&error))?;
    while let Some(data) = copy.try_next().await.map_err(|error| place.failure(&error))? {
        decoder.take(&data);
        while decoder.next_row(outlet.chunk()).map_err(|_| place.unreadable())? {
            outlet.row_done().await?;
        }
    }
    if decoder.is_complete() { Ok(()) } else { Err(place.unreadable()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_loses_its_brackets_and_nothing_is_asked_for_that_poolers_refuse() {
        let settings = SourceSettings::new("mis", "postgres://reader@[::1]:5433/mis", Tz::UTC);
        let options = options(&settings).unwrap();
        assert_eq!((options.get_host(), options.get_port()), ("::1", 5433));
        assert!(!format!("{options:?}").contains("extra_float_digits: Some"), "{options:?}");
    }
}
