//! Whether a read keeps writers waiting. InnoDB reads an old state beside them; tables of MyISAM, Aria and the like are locked until the last
//! row is taken.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Executor, Row as _};

use super::super::{Engine, sql};

/// How long an answer holds: tables change their engines rarely.
const LASTS: Duration = Duration::from_secs(600);

/// What was found of queries.
#[derive(Default)]
pub(super) struct Holding(Mutex<HashMap<String, (Instant, bool)>>);

impl Holding {
    pub(super) fn get(&self, query: &str) -> Option<bool> {
        let (since, found) = *self.lock().get(query)?;
        (since.elapsed() < LASTS).then_some(found)
    }

    pub(super) fn put(&self, query: &str, found: bool) {
        self.lock().insert(query.to_owned(), (Instant::now(), found));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Instant, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Engines in which a reader holds no writer.
const HARMLESS: &str = "'InnoDB', 'ROCKSDB', 'TokuDB', 'ndbcluster'";

/// The tables that an account sees and that a read of them locks.
const SUSPECTS: &str = "SELECT table_schema = DATABASE(), CONCAT('`', table_schema, '`.`', table_name, '`') \
                        FROM information_schema.tables WHERE table_type = 'BASE TABLE' \
                        AND table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')";

/// True when a read of the query locks a table against writers, and where that cannot be told. An account that may explain a query may read
/// every table behind its views, and so sees their engines; one that may read the views alone sees nothing of them.
pub(super) async fn may_hold_writers(connection: &mut MySqlConnection, query: &str) -> Result<bool, sqlx::Error> {
    let Some(rewritten) = rewritten(connection, query).await? else { return Ok(true) };
    let suspects = format!("{SUSPECTS} AND (engine IS NULL OR engine NOT IN ({HARMLESS}))");
    let suspects = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(suspects))).await?;
    for suspect in suspects {
        // A table of the same database may also be read by a function, and one of a single row is not named at all.
        let (here, name) =
            (suspect.try_get_unchecked::<Option<i64>, _>(0)?, suspect.try_get_unchecked::<String, _>(1)?);
        if here == Some(1) || rewritten.contains(&name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The query as the server rewrites it, with the tables behind all views; none where the server does not tell.
async fn rewritten(connection: &mut MySqlConnection, query: &str) -> Result<Option<String>, sqlx::Error> {
    let query = sql::without_terminator(Engine::MySql, query);
    // MariaDB and old servers tell it only if asked for more; new ones do not know the word.
    for explain in ["EXPLAIN EXTENDED", "EXPLAIN"] {
        let statement = AssertSqlSafe(format!("{explain} {query}"));
        match connection.execute(sqlx::raw_sql(statement)).await {
            Ok(_) => {}
            Err(sqlx::Error::Database(_)) => continue,
            Err(error) => return Err(error),
        }
        for warning in connection.fetch_all(sqlx::raw_sql("SHOW WARNINGS")).await? {
            let (code, text) = (warning.try_get_unchecked::<u64, _>(1)?, warning.try_get_unchecked::<String, _>(2)?);
            if code == REWRITTEN {
                return Ok(Some(text));
            }
        }
    }
    Ok(None)
}

/// The note that holds the rewritten query.
const REWRITTEN: u64 = 1003;
