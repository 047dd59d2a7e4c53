//! A few connections, made when they are needed and kept for a while. One that has gone bad is found out by the first word of a transaction,
//! before anything was done, and replaced.

use std::sync::Arc;
use std::time::Duration;

use parking::Idle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::super::{Engine, SourceError, SourceSettings};
use super::error::{Place, WriteError};
use super::mysql::MySqlConnector;
use super::postgres::PostgresConnector;
use super::session::Session;
use super::sqlite::SqliteConnector;

/// Longest wait for a server's answer to the first word on a connection that was idle: it may have gone silently.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// The connections of one source.
#[derive(Debug)]
pub(super) struct Pool {
    settings: SourceSettings,
    connector: Connector,
    permits: Arc<Semaphore>,
    idle: Idle,
}

#[derive(Debug)]
enum Connector {
    Postgres(PostgresConnector),
    MySql(MySqlConnector),
    Sqlite(SqliteConnector),
}

impl Pool {
    pub(super) fn open(settings: SourceSettings, connections: usize) -> Result<Self, SourceError> {
        let connector = match settings.engine()? {
            Engine::Postgres => Connector::Postgres(PostgresConnector::open(&settings)?),
            Engine::MySql => Connector::MySql(MySqlConnector::open(&settings)?),
            Engine::Sqlite => Connector::Sqlite(SqliteConnector::open(&settings)?),
        };
        Ok(Pool { settings, connector, permits: Arc::new(Semaphore::new(connections)), idle: Idle::default() })
    }

    /// The source's name.
    pub(super) fn source(&self) -> &str {
        &self.settings.name
    }

    /// A session inside a transaction. The permit lasts as long as the session is used.
    pub(super) async fn begin(
        &self,
        place: &Place,
        end: Instant,
    ) -> Result<(Session, OwnedSemaphorePermit), WriteError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| place.lost())?;
        let left = || end.saturating_duration_since(Instant::now());
        while let Some(mut session) = self.idle.take() {
            let patience = if session.is_local() { left() } else { FIRST_WORD.min(left()) };
            if let Ok(Ok(())) = timeout(patience, session.begin(left())).await {
                return Ok((session, permit));
            }
        }
        let connecting = timeout(self.settings.connect_timeout, self.connect());
        let connected = connecting.await.map_err(|_| place.unreachable("no answer within the connect_timeout"))?;
        let mut session = connected.map_err(|error| place.connecting(&error))?;
        session.begin(left()).await.map_err(|error| place.failure(&error))?;
        Ok((session, permit))
    }

    async fn connect(&self) -> Result<Session, sqlx::Error> {
        Ok(match &self.connector {
            Connector::Postgres(connector) => Session::Postgres(connector.connect().await?),
            Connector::MySql(connector) => Session::MySql(connector.connect().await?),
            Connector::Sqlite(connector) => Session::Sqlite(connector.connect().await?),
        })
    }

    /// Keeps a session whose transaction is over.
    pub(super) fn give_back(&self, session: Session, permit: OwnedSemaphorePermit) {
        self.idle.put(session);
        drop(permit);
    }
}

mod parking {
    //! Sessions that nobody uses.

    use std::fmt;
    use std::sync::{Mutex, PoisonError};

    use super::{Duration, Instant, Session};

    /// Longest time that a session waits for its next use: shorter than most firewalls' patience with silence.
    const PATIENCE: Duration = Duration::from_secs(240);

    #[derive(Default)]
    pub(super) struct Idle(Mutex<Vec<(Instant, Session)>>);

    impl Idle {
        /// The session that was used last.
        pub(super) fn take(&self) -> Option<Session> {
            let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.retain(|(since, _)| since.elapsed() < PATIENCE);
            sessions.pop().map(|(_, session)| session)
        }

        pub(super) fn put(&self, session: Session) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), session));
        }
    }

    impl fmt::Debug for Idle {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Idle")
        }
    }
}
