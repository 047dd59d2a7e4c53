//! The one way into a source that is not reading: statements of the site, in a transaction of their own, on connections of their own. What
//! became of them is never a guess: done, rolled back, or uncertain, and uncertain only when the answer to COMMIT was lost.

mod error;
mod mysql;
mod pool;
mod postgres;
mod session;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use self::error::Place;
use self::pool::Pool;
use self::session::Session;
use super::statement::{Script, Values};
use super::{SourceError, SourceSettings};

pub use self::error::WriteError;

/// Connections that one writer keeps at most.
const CONNECTIONS: usize = 8;
/// Longest part of a limit that is set aside for COMMIT.
const LONGEST_RESERVE: Duration = Duration::from_secs(1);
/// Longest time that a failed transaction is waited for to say that it is rolled back; it is so in any case.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(1);

/// Runs statements in a source. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Writer {
    pool: Arc<Pool>,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is committed; the last row that its statements gave, if they gave any.
    Done(Option<Row>),
    /// It never happened, certainly.
    RolledBack(WriteError),
    /// It was to be committed, and nobody knows whether it was.
    Uncertain(WriteError),
}

/// A row as texts, as the database prints them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Row {
    columns: Vec<(String, Option<String>)>,
}

/// One run of a script.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The configuration's key of the script, for errors.
    pub key: &'a str,
    /// The statements.
    pub script: &'a Script,
    /// What their parameters are filled with.
    pub values: Values<'a>,
    /// Longest time for everything: a connection, the statements, COMMIT.
    pub limit: Duration,
}

impl Writer {
    /// Checks the settings. Connects to nothing yet.
    pub fn open(settings: SourceSettings) -> Result<Self, SourceError> {
        Ok(Writer { pool: Arc::new(Pool::open(settings, CONNECTIONS)?) })
    }

    /// Runs a script in one transaction. Ends within the limit. Dropping the future before its end leaves the outcome unknown.
    pub async fn run(&self, run: Run<'_>) -> Written {
        self.run_if(run, |_| Ok(())).await
    }

    /// As [`Writer::run`], but commits only if the last row makes sense to the caller; the error says why it does not, without its values.
    pub async fn run_if(
        &self,
        run: Run<'_>,
        makes_sense: impl FnOnce(Option<&Row>) -> Result<(), &'static str> + Send,
    ) -> Written {
        let place = Place::new(self.pool.source(), run.key);
        let deadline = Instant::now() + run.limit;
        let statements_end = deadline - LONGEST_RESERVE.min(run.limit / 8);
        let (mut session, permit) = match timeout_at(statements_end, self.pool.begin(&place, statements_end)).await {
            Ok(Ok(begun)) => begun,
            Ok(Err(error)) => return Written::RolledBack(error),
            Err(_) => return Written::RolledBack(place.timeout()),
        };
        let work = session.run(run.script, run.values, statements_end, &place);
        let sensible = |row: Option<Row>| match makes_sense(row.as_ref()) {
            Ok(()) => Ok(row),
            Err(why) => Err(place.senseless(why)),
        };
        let row = match timeout_at(statements_end, work).await.map(|row| row.and_then(sensible)) {
            Ok(Ok(row)) => row,
            Ok(Err(error)) => {
                if rolled_back(&mut session, deadline).await {
                    self.pool.give_back(session, permit);
                }
                return Written::RolledBack(error);
            }
            // COMMIT was never sent, and the connection goes with the session: the database rolls back.
            Err(_) => return Written::RolledBack(place.timeout()),
        };
        match timeout_at(deadline, session.commit(&place)).await {
            Ok(Ok(())) => {
                self.pool.give_back(session, permit);
                Written::Done(row)
            }
            Ok(Err(session::Commit::Refused(error))) => Written::RolledBack(error),
            Ok(Err(session::Commit::Lost(error))) => Written::Uncertain(error),
            Err(_) => Written::Uncertain(place.lost()),
        }
    }
}

impl Writer {
    /// The columns of the row that a script would give, as far as the database can tell without running it.
    pub async fn columns(
        &self,
        key: &str,
        script: &Script,
        limit: Duration,
    ) -> Result<Option<Vec<String>>, WriteError> {
        let place = Place::new(self.pool.source(), key);
        let deadline = Instant::now() + limit;
        let describing = async {
            let (mut session, permit) = self.pool.begin(&place, deadline).await?;
            let columns = session.describe(script, &place).await;
            if rolled_back(&mut session, deadline).await {
                self.pool.give_back(session, permit);
            }
            columns
        };
        timeout_at(deadline, describing).await.unwrap_or_else(|_| Err(place.timeout()))
    }
}

/// True when the database has said so, and the session can be used again.
async fn rolled_back(session: &mut Session, deadline: Instant) -> bool {
    let patience = ROLLBACK_PATIENCE.min(deadline.saturating_duration_since(Instant::now()));
    matches!(timeout(patience, session.roll_back()).await, Ok(Ok(())))
}

impl Row {
    pub(crate) fn new(columns: Vec<(String, Option<String>)>) -> Self {
        Row { columns }
    }

    /// The text in a column, whose name is looked for in any letter case. None where it is NULL or not there.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.columns.iter().find(|(column, _)| column.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_deref())
    }

    /// True when there is such a column.
    pub fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|(column, _)| column.eq_ignore_ascii_case(name))
    }

    /// The names of the columns, in order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }
}

impl std::fmt::Debug for Row {
    /// Names of columns only: what stands in them may be a person's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.columns()).finish()
    }
}
