//! MySQL and MariaDB: rows of a prepared statement in the binary protocol, inside a read-only transaction with one snapshot.

mod cells;
pub(super) mod clock;
pub(super) mod limit;
mod locking;
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
use self::clock::{Clock, Lack};
use self::limit::Limit;
use self::locking::Holding;
use super::failure::Place;
use super::rows::{Outlet, answer};
use super::{Advice, Column, Engine, Query, Read, Rows, Source, SourceError, SourceSettings, settings, sql};

/// Parameters that an address may have.
const PARAMETERS: &[&str] =
    &["ssl-mode", "sslmode", "ssl-ca", "sslca", "ssl-cert", "sslcert", "ssl-key", "sslkey", "socket"];

/// A MySQL or MariaDB database.
pub struct MySqlSource {
    settings: SourceSettings,
    options: MySqlConnectOptions,
    holding: Holding,
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
    /// The clock on which TIMESTAMP columns are sent.
    clock: Clock,
    /// What keeps the session from the source's own clock.
    lack: Option<Lack>,
}

impl MySqlSource {
    /// Checks the settings. Each read connects for itself.
    pub fn open(settings: SourceSettings) -> Result<Self, SourceError> {
        let options = options(&settings)?;
        Ok(MySqlSource { settings, options, holding: Holding::default() })
    }

    fn place(&self, action: &str, label: &str) -> Place {
        Place::new(&self.settings.name, action, label)
    }

    /// A connection inside a read-only transaction that sees one state of the database.
    async fn begin(&self, place: &Place) -> Result<Session, SourceError> {
        let start = async {
            let mut connection = self.options.connect().await.map_err(|error| place.connecting(&error))?;
            let prepared = prepare_session(&mut connection, self.settings.statement_timeout, self.settings.zone).await;
            let (clock, lack) = prepared.map_err(|error| place.failure(&error))?;
            Ok(Session { connection, clock, lack })
        };
        timeout(self.settings.connect_timeout, start).await.map_err(|_| place.unreachable())?
    }

    /// Whether a read of the query holds writers, as it was found a short time ago or is found now.
    async fn holds_writers(
        &self,
        connection: &mut MySqlConnection,
        query: &str,
        place: &Place,
    ) -> Result<bool, SourceError> {
        if let Some(known) = self.holding.get(query) {
            return Ok(known);
        }
        let finding = async {
            let found = locking::may_hold_writers(connection, query).await;
            found.map_err(|error| place.failure(&error))
        };
        let found = answer(self.settings.statement_timeout, place, finding).await?;
        self.holding.put(query, found);
        Ok(found)
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

async fn prepare_session(
    connection: &mut MySqlConnection,
    time: Duration,
    zone: Tz,
) -> Result<(Clock, Option<Lack>), sqlx::Error> {
    Limit::find_and_set(connection, time).await?;
    let clock = clock::set_and_tell(connection, zone).await?;
    // A reader may pause as long as the whole read may take.
    let pause = time.as_secs().clamp(60, 31_536_000);
    for statement in [
        format!("SET SESSION net_write_timeout = {pause}"),
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY".to_owned(),
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY".to_owned(),
    ] {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    }
    Ok(clock)
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
        let holds_writers = self.holds_writers(&mut session.connection, query.sql, &place).await?;
        let folder = self.settings.spool_folder.clone();
        let clocks = predicate::Clocks { zone: self.settings.zone, session: session.clock };
        let statements = predicate::statements(query.sql, &columns, &kinds, read, clocks, &place)?;
        let keys = read.swept(&columns, &place)?.map(|keys| {
            let of_keys: Vec<Column> = keys.iter().map(|at| columns[*at].clone()).collect();
            let kinds: Vec<Kind> = keys.iter().map(|at| kinds[*at]).collect();
            (of_keys, kinds)
        });
        let sweep = keys.as_ref().map(|(columns, kinds)| (predicate::sweep(query.sql, columns), kinds.clone()));
        let key_columns = keys.map(|(columns, _)| columns);
        let statements = Statements { sweep, rows: statements, kinds };
        Ok(Rows::new(columns, key_columns, wait, place.clone(), move |mut outlet| async move {
            // Not every server ends a statement by itself.
            if holds_writers {
                outlet.spool_in(&folder);
            }
            let read = timeout(wait, stream(session, statements, &place, &mut outlet)).await;
            read.map_err(|_| place.timeout())??;
            outlet.finish().await
        }))
    }

    async fn now(&self) -> Result<i64, SourceError> {
        let place = self.place("clock", &self.settings.name);
        self.ask(&place, sqlx::query_scalar("SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))")).await
    }

    async fn has_relation(&self, name: &str) -> Result<bool, SourceError> {
        let place = self.place("search", name);
        let search = "SELECT COUNT(*) FROM information_schema.tables \
                      WHERE table_schema = DATABASE() AND table_name = ?";
        Ok(self.ask(&place, sqlx::query_scalar(search).bind(name)).await? > 0)
    }

    async fn advice(&self) -> Result<Vec<Advice>, SourceError> {
        let session = self.begin(&self.place("look at the clock", &self.settings.name)).await?;
        let _ = session.connection.close().await;
        let advice = session.lack.map(|lack| Advice { key: "timezone", text: lack.advice(self.settings.zone) });
        Ok(advice.into_iter().collect())
    }
}

/// What one read asks the server for.
struct Statements {
    /// All keys, and how each of their columns is sent.
    sweep: Option<(String, Vec<Kind>)>,
    rows: Vec<String>,
    kinds: Vec<Kind>,
}

async fn stream(
    mut session: Session,
    statements: Statements,
    place: &Place,
    outlet: &mut Outlet,
) -> Result<(), SourceError> {
    if let Some((statement, kinds)) = statements.sweep {
        answer_of(&mut session, statement, &kinds, place, outlet).await?;
        outlet.keys_done().await;
    }
    for statement in statements.rows {
        answer_of(&mut session, statement, &statements.kinds, place, outlet).await?;
    }
    // The transaction only read: an error while saying good-bye changes nothing.
    let _ = session.connection.close().await;
    Ok(())
}

/// Hands the rows of one statement on.
async fn answer_of(
    session: &mut Session,
    statement: String,
    kinds: &[Kind],
    place: &Place,
    outlet: &mut Outlet,
) -> Result<(), SourceError> {
    let clock = session.clock;
    let mut rows = sqlx::query(AssertSqlSafe(statement)).fetch(&mut session.connection);
    while let Some(row) = rows.try_next().await.map_err(|error| place.failure(&error))? {
        if row.len() != kinds.len() {
            return Err(place.unreadable());
        }
        for (index, kind) in kinds.iter().enumerate() {
            let pushed = cells::push(&row, index, *kind, clock, outlet.chunk());
            pushed.map_err(|cells::Malformed| place.unreadable())?;
        }
        outlet.row_done().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_loses_its_brackets() {
        let settings = SourceSettings::new("mis", "mysql://reader@[::1]:3307/mis", Tz::UTC);
        let options = options(&settings).unwrap();
        assert_eq!((options.get_host(), options.get_port()), ("::1", 3307));
    }
}
