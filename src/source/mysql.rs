//! MySQL and MariaDB: rows of a prepared statement in the binary protocol, inside a read-only transaction with one snapshot.

mod cells;
mod predicate;

use std::fmt;
use std::time::Duration;

use chrono_tz::Tz;
use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlArguments, MySqlColumn, MySqlConnectOptions, MySqlConnection};
use sqlx::query::QueryScalar;
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions, Connection, Executor, MySql, Row as _, SqlSafeStr, Statement, TypeInfo,
};
use tokio::time::timeout;

use self::cells::Kind;
use super::failure::Place;
use super::rows::{Outlet, answer};
use super::{Column, Engine, Query, Read, Rows, Source, SourceError, SourceSettings, settings, sql, stamp};

/// Parameters that an address may have.
const PARAMETERS: &[&str] =
    &["ssl-mode", "sslmode", "ssl-ca", "sslca", "ssl-cert", "sslcert", "ssl-key", "sslkey", "socket"];

/// Farthest from UTC that a session's clock can be: seconds.
const FARTHEST_OFFSET: i64 = 13 * 3600;

/// A MySQL or MariaDB database.
pub struct MySqlSource {
    settings: SourceSettings,
    options: MySqlConnectOptions,
}

impl fmt::Debug for MySqlSource {
    /// Leaves out the driver's options, which print their password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlSource").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A connection inside its transaction.
struct Session {
    connection: MySqlConnection,
    /// How far the session's clock, on which TIMESTAMP columns are sent, is ahead of UTC: seconds.
    offset: i64,
}

impl MySqlSource {
    /// Checks the settings. Each read connects for itself.
    pub fn open(settings: SourceSettings) -> Result<Self, SourceError> {
        let options = options(&settings)?;
        Ok(MySqlSource { settings, options })
    }

    fn place(&self, action: &str, label: &str) -> Place {
        Place::new(&self.settings.name, action, label)
    }

    /// A connection inside a read-only transaction that sees one state of the database.
    async fn begin(&self, place: &Place) -> Result<Session, SourceError> {
        let start = async {
            let mut connection = self.options.connect().await.map_err(|error| place.connecting(&error))?;
            let offset = clock_offset(self.settings.zone);
            prepare_session(&mut connection, self.settings.statement_timeout, offset)
                .await
                .map_err(|error| place.failure(&error))?;
            Ok(Session { connection, offset })
        };
        timeout(self.settings.connect_timeout, start).await.map_err(|_| place.unreachable())?
    }

    async fn ask(&self, place: &Place, question: Question<'_>) -> Result<i64, SourceError> {
        let mut connection = self.begin(place).await?.connection;
        let asking = async { question.fetch_one(&mut connection).await.map_err(|error| place.failure(&error)) };
        let value = answer(self.settings.statement_timeout, place, asking).await?;
        let _ = connection.close().await;
        Ok(value)
    }
}

/// How to connect.
pub(super) fn options(settings: &SourceSettings) -> Result<MySqlConnectOptions, SourceError> {
    let url = settings.server_url(PARAMETERS)?;
    // The driver's usual additions to sql_mode and time_zone would change what the site's statements mean.
    let mut options = MySqlConnectOptions::from_url(&url)
        .map_err(|_| settings.refuse("url", "has a value that cannot be used, or its ssl-mode is unknown"))?
        .charset("utf8mb4")
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .disable_statement_logging();
    if let Some(address) = settings::ip_v6(&url) {
        options = options.host(&address);
    }
    if let Some(password) = settings.password() {
        options = options.password(password);
    }
    Ok(options)
}

/// A question with one number for an answer.
type Question<'q> = QueryScalar<'q, MySql, i64, MySqlArguments>;

/// Seconds that the source's clock is ahead of UTC now, in whole minutes, as far as a session can be set to it.
pub(super) fn clock_offset(zone: Tz) -> i64 {
    let offset = stamp::offset_at(zone, chrono::Utc::now().timestamp_micros()) / 60 * 60;
    if offset.abs() <= FARTHEST_OFFSET { offset } else { 0 }
}

/// The session's clock is the source's, so that a view which compares its DATETIME columns with `NOW()` means what it says. It is
/// set as an offset: names need tables that few servers have, and TIMESTAMP columns stay exact in every season.
async fn prepare_session(connection: &mut MySqlConnection, time: Duration, offset: i64) -> Result<(), sqlx::Error> {
    let limit = if is_mariadb(connection).await? {
        format!("max_statement_time = {:.3}", time.as_secs_f64())
    } else {
        format!("max_execution_time = {}", time.as_millis().clamp(1, u32::MAX.into()))
    };
    let zone = session_zone(offset);
    // A reader may pause as long as the whole read may take.
    let pause = time.as_secs().clamp(60, 31_536_000);
    for statement in [
        format!("SET SESSION {limit}, net_write_timeout = {pause}, time_zone = '{zone}'"),
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY".to_owned(),
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY".to_owned(),
    ] {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    }
    Ok(())
}

/// Which of the two it is.
pub(super) async fn is_mariadb(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
    let version: String = sqlx::query_scalar("SELECT VERSION()").persistent(false).fetch_one(&mut *connection).await?;
    Ok(version.to_ascii_lowercase().contains("mariadb"))
}

/// A session's zone as the server wants it: `+05:00`.
pub(super) fn session_zone(offset: i64) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", offset.abs() / 3600, offset.abs() / 60 % 60)
}

/// The columns of a query and how each is sent.
async fn describe(
    connection: &mut MySqlConnection,
    query: &str,
    place: &Place,
) -> Result<(Vec<Column>, Vec<Kind>), SourceError> {
    let statement = sql::without_terminator(Engine::MySql, query).to_owned();
    let prepared =
        connection.prepare(AssertSqlSafe(statement).into_sql_str()).await.map_err(|error| place.failure(&error))?;
    let described = prepared.columns().iter().map(|column: &MySqlColumn| {
        let name = column.name().to_owned();
        let type_name = column.type_info().name().to_lowercase();
        let kind = Kind::of(column.type_info()).ok_or_else(|| place.no_type(&name, &type_name))?;
        Ok((Column { name, type_name }, kind))
    });
    described.collect()
}

impl Source for MySqlSource {
    type Rows = Rows;

    async fn columns(&self, query: Query<'_>) -> Result<Vec<Column>, SourceError> {
        let place = self.place("description", query.label);
        let mut session = self.begin(&place).await?;
        let wait = self.settings.statement_timeout;
        let (columns, _) = answer(wait, &place, describe(&mut session.connection, query.sql, &place)).await?;
        let _ = session.connection.close().await;
        Ok(columns)
    }

    async fn read(&self, query: Query<'_>, read: Read<'_>) -> Result<Rows, SourceError> {
        let place = self.place(read.action(), query.label);
        let mut session = self.begin(&place).await?;
        let wait = self.settings.statement_timeout;
        let (columns, kinds) = answer(wait, &place, describe(&mut session.connection, query.sql, &place)).await?;
        place.need_distinct(Engine::MySql, &columns)?;
        let clock = predicate::Clock { zone: self.settings.zone, offset: session.offset };
        let statements = predicate::statements(query.sql, &columns, &kinds, read, clock, &place)?;
        Ok(Rows::new(columns, wait, place.clone(), move |outlet| stream(session, statements, kinds, place, outlet)))
    }

    async fn now(&self) -> Result<i64, SourceError> {
        let place = self.place("clock", &self.settings.name);
        self.ask(&place, sqlx::query_scalar("SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)")).await
    }

    async fn has_relation(&self, name: &str) -> Result<bool, SourceError> {
        let place = self.place("search", name);
        let search = "SELECT COUNT(*) FROM information_schema.tables \
                      WHERE table_schema = DATABASE() AND table_name = ?";
        Ok(self.ask(&place, sqlx::query_scalar(search).bind(name)).await? > 0)
    }
}

async fn stream(
    mut session: Session,
    statements: Vec<String>,
    kinds: Vec<Kind>,
    place: Place,
    mut outlet: Outlet,
) -> Result<(), SourceError> {
    for statement in statements {
        let mut rows = sqlx::query(AssertSqlSafe(statement)).fetch(&mut session.connection);
        while let Some(row) = rows.try_next().await.map_err(|error| place.failure(&error))? {
            if row.len() != kinds.len() {
                return Err(place.unreadable());
            }
            for (index, kind) in kinds.iter().enumerate() {
                let pushed = cells::push(&row, index, *kind, session.offset, outlet.chunk());
                pushed.map_err(|cells::Malformed| place.unreadable())?;
            }
            outlet.row_done().await;
        }
    }
    // The transaction only read: an error while saying good-bye changes nothing.
    let _ = session.connection.close().await;
    outlet.finish().await;
    Ok(())
}
