//! Real databases for tests: each call gives a fresh, empty one. PostgreSQL and MariaDB run once per test process, on private
//! ports of 127.0.0.1 and in temporary folders, and end with the process.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono_tz::Tz;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, Row};
use vitrina::source::{AnySource, Engine, SourceSettings};

use super::server::Server;
use super::{mariadb, postgres};

/// The zone of every test database.
pub const ZONE: Tz = Tz::Asia__Yekaterinburg;

static POSTGRES: OnceLock<Server> = OnceLock::new();
static MARIADB: OnceLock<Server> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// An empty database of one test.
pub struct TestDb {
    /// Its engine.
    pub engine: Engine,
    /// Its address, for an account that may do everything.
    pub url: String,
    /// The folder of a SQLite file.
    _folder: Option<tempfile::TempDir>,
}

/// A fresh PostgreSQL database.
pub async fn postgres() -> TestDb {
    let server = tokio::task::spawn_blocking(|| POSTGRES.get_or_init(postgres::start)).await.unwrap();
    let name = fresh_name();
    execute_postgres(&server.url("postgres"), &[&format!("CREATE DATABASE {name}")]).await;
    TestDb { engine: Engine::Postgres, url: server.url(&name), _folder: None }
}

/// A fresh PostgreSQL database that keeps its texts in an encoding.
pub async fn postgres_in(encoding: &str) -> TestDb {
    let server = tokio::task::spawn_blocking(|| POSTGRES.get_or_init(postgres::start)).await.unwrap();
    let name = fresh_name();
    let create = format!("CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0");
    execute_postgres(&server.url("postgres"), &[&create]).await;
    TestDb { engine: Engine::Postgres, url: server.url(&name), _folder: None }
}

/// A fresh MariaDB database.
pub async fn mariadb() -> TestDb {
    let server = tokio::task::spawn_blocking(|| MARIADB.get_or_init(mariadb::start)).await.unwrap();
    let name = fresh_name();
    execute_mysql(&server.url("mysql"), &[&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")]).await;
    TestDb { engine: Engine::MySql, url: server.url(&name), _folder: None }
}

/// Loads a zone from this machine's tables into the MariaDB server, under a name.
pub async fn load_zone(db: &TestDb, zone: &str, name: &str) {
    let address = url::Url::parse(&db.url).unwrap();
    let client = format!("mariadb --host=127.0.0.1 --port={} --user=root mysql", address.port().unwrap());
    let script = format!("mariadb-tzinfo-to-sql /usr/share/zoneinfo/{zone} {name} | {client}");
    tokio::task::spawn_blocking(move || super::server::run(&script)).await.unwrap();
}

/// A fresh SQLite file.
pub async fn sqlite() -> TestDb {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let db = TestDb { engine: Engine::Sqlite, url, _folder: Some(folder) };
    db.execute(&["PRAGMA journal_mode = WAL"]).await;
    db
}

fn fresh_name() -> String {
    format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

impl TestDb {
    /// Runs statements, one after another, as an account that may do everything.
    pub async fn execute(&self, statements: &[&str]) {
        match self.engine {
            Engine::Postgres => execute_postgres(&self.url, statements).await,
            Engine::MySql => execute_mysql(&self.url, statements).await,
            Engine::Sqlite => {
                let url = format!("{}?mode=rwc", self.url);
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                for statement in statements {
                    connection.execute(sqlx::raw_sql(AssertSqlSafe(*statement))).await.expect(statement);
                }
                connection.close().await.unwrap();
            }
        }
    }

    /// The number that a query of one row gives in its column `n`.
    pub async fn number(&self, query: &str) -> String {
        let query = sqlx::raw_sql(AssertSqlSafe(query));
        match self.engine {
            Engine::Postgres => {
                let row = query.fetch_one(&mut PgConnection::connect(&self.url).await.unwrap()).await.unwrap();
                row.try_get_unchecked::<i64, _>("n").unwrap().to_string()
            }
            Engine::MySql => {
                let row = query.fetch_one(&mut MySqlConnection::connect(&self.url).await.unwrap()).await.unwrap();
                row.try_get_unchecked::<i64, _>("n").unwrap().to_string()
            }
            Engine::Sqlite => {
                let row = query.fetch_one(&mut SqliteConnection::connect(&self.url).await.unwrap()).await.unwrap();
                row.try_get_unchecked::<i64, _>("n").unwrap().to_string()
            }
        }
    }

    /// The database's own words about a statement that fails.
    pub async fn refusal(&self, statement: &str) -> String {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement));
        let error = match self.engine {
            Engine::Postgres => statement.execute(&mut PgConnection::connect(&self.url).await.unwrap()).await.err(),
            Engine::MySql => statement.execute(&mut MySqlConnection::connect(&self.url).await.unwrap()).await.err(),
            Engine::Sqlite => statement.execute(&mut SqliteConnection::connect(&self.url).await.unwrap()).await.err(),
        };
        error.unwrap().to_string()
    }

    /// The settings of a source called `mis` over this database.
    pub fn settings(&self) -> SourceSettings {
        let mut settings = SourceSettings::new("mis", &self.url, ZONE);
        settings.statement_timeout = Duration::from_secs(60);
        settings
    }

    /// A source called `mis` over this database.
    pub fn source(&self) -> AnySource {
        AnySource::open(self.settings()).unwrap()
    }
}

async fn execute_postgres(url: &str, statements: &[&str]) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    for statement in statements {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(*statement))).await.expect(statement);
    }
    connection.close().await.unwrap();
}

async fn execute_mysql(url: &str, statements: &[&str]) {
    let mut connection = MySqlConnection::connect(url).await.unwrap();
    for statement in statements {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(*statement))).await.expect(statement);
    }
    connection.close().await.unwrap();
}
