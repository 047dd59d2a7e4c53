//! Connections to the ledger's file, and its tables brought up to date.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, SqlitePool};

use super::errors::{MOVE_AWAY, Storage};
use super::files::APPLICATION_ID;
use crate::ledger::LedgerError;

/// The tables, version by version.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Bytes of a page of a new file. From 4 to 32 KB a first load costs the same; a small cycle writes whole pages, so larger
/// ones only make its log longer, and smaller ones make a rewrite slower.
const PAGE: u32 = 8 * 1024;
/// Bytes of the write-ahead log at which it is carried into the file: a few times in a first load, once in hours
/// otherwise. Also what the log keeps on the disk afterwards.
const LOG: u32 = 16 << 20;
/// How long SQLite waits for a lock that another program holds on the file.
const BUSY: Duration = Duration::from_secs(10);
/// Reads at a time.
const READERS: u32 = 4;
/// Rows that a read fetches ahead: with rows of bounded size this bounds its memory to a few MB.
const ROWS_AHEAD: usize = 16;

const OPENING: &str = "opening";
const MIGRATING: &str = "bringing its tables up to date";

/// The writing connection of a file that [`super::files::prepare`] has left.
pub(super) async fn writer(storage: &Storage) -> Result<SqliteConnection, LedgerError> {
    let options = options(storage)
        .page_size(PAGE)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", (LOG / PAGE).to_string())
        .pragma("journal_size_limit", LOG.to_string());
    let mut connection = options.connect().await.map_err(|error| storage.refused(OPENING, error))?;
    claim(storage, &mut connection).await?;
    migrate(storage, &mut connection).await?;
    probe(storage, &mut connection).await?;
    Ok(connection)
}

/// Connections that read, opened as they are needed.
pub(super) async fn readers(storage: &Storage) -> Result<SqlitePool, LedgerError> {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options(storage).read_only(true).row_buffer_size(ROWS_AHEAD))
        .await
        .map_err(|error| storage.refused(OPENING, error))
}

/// The one connection that leaves words beside the process that writes everything else.
pub(super) async fn words(storage: &Storage) -> Result<SqlitePool, LedgerError> {
    SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options(storage).synchronous(SqliteSynchronous::Full))
        .await
        .map_err(|error| storage.refused(OPENING, error))
}

/// For readers: the tables must be exactly this program's.
pub(super) async fn check_tables(storage: &Storage, readers: &SqlitePool) -> Result<(), LedgerError> {
    let applied: Vec<i64> = sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
        .fetch_all(readers)
        .await
        .map_err(|error| match error {
            sqlx::Error::Database(words) if words.message().starts_with("no such table") => old(storage),
            other => storage.refused(OPENING, other),
        })?;
    let applied: BTreeSet<i64> = applied.into_iter().collect();
    let known: BTreeSet<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
    if !applied.is_subset(&known) {
        return Err(newer(storage));
    }
    if applied.len() < known.len() { Err(old(storage)) } else { Ok(()) }
}

fn options(storage: &Storage) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(storage.path()).busy_timeout(BUSY).disable_statement_logging()
}

/// Marks the file as ours before anything else is in it, then turns to the write-ahead log, for good.
async fn claim(storage: &Storage, connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    let refused = |error| storage.refused(OPENING, error);
    let claim = format!("PRAGMA application_id = {APPLICATION_ID}");
    let id: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await.map_err(refused)?;
    if id != i64::from(APPLICATION_ID) {
        sqlx::raw_sql(AssertSqlSafe(claim)).execute(&mut *connection).await.map_err(refused)?;
    }
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode = WAL").fetch_one(&mut *connection).await.map_err(refused)?;
    if mode != "wal" {
        let directory = storage.directory().display();
        return Err(
            storage.unusable(format!("the file system of {directory} cannot hold a write-ahead log; use a local disk"))
        );
    }
    Ok(())
}

async fn migrate(storage: &Storage, connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    MIGRATIONS.run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) => newer(storage),
        MigrateError::VersionMismatch(version) => {
            storage.damaged(format_args!("its tables of version {version} are not those of this program"))
        }
        MigrateError::Dirty(version) => storage.damaged(format_args!("its tables of version {version} are half made")),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => storage.refused(MIGRATING, error),
        other => LedgerError::Storage { action: MIGRATING, reason: other.to_string() },
    })
}

/// Checks the trees of the small tables, which every read goes through. Bodies carry checksums of their own.
async fn probe(storage: &Storage, connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    for check in ["PRAGMA quick_check('feed')", "PRAGMA quick_check('journal')"] {
        let words: String = sqlx::query_scalar(check)
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| storage.refused(OPENING, error))?;
        if words != "ok" {
            return Err(storage.damaged(words));
        }
    }
    connection.clear_cached_statements().await.map_err(|error| storage.refused(OPENING, error))
}

fn newer(storage: &Storage) -> LedgerError {
    storage.unusable(format!("a newer version of vitrina has used it; run that version again, or {MOVE_AWAY}"))
}

fn old(storage: &Storage) -> LedgerError {
    storage.unusable("its tables are of an older version; `vitrina run` or `vitrina migrate` brings them up to date")
}
