//! From a driver's error to ours. A database repeats values of rows in its messages (PostgreSQL in DETAIL, MySQL in "Duplicate
//! entry"), so of those only the code goes on, with a sentence of our own for the codes that operators meet.

mod codes;
mod connecting;

use std::path::Path;

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::sqlite::SqliteError;

pub(super) use self::connecting::{NO_HANDLE_LEFT, connecting, no_handle_left};
use super::{Column, Engine, SourceError, spool};

/// Whose and which statement an error speaks of.
#[derive(Debug, Clone)]
pub(super) struct Place {
    source: String,
    statement: String,
    /// True once the database has understood the statement.
    running: bool,
}

/// What a database's own error means for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The statement is refused.
    Refused,
    /// A person ended it.
    Cancelled,
    /// It took too long.
    Timeout,
    /// The connection is gone.
    Lost,
}

impl Place {
    /// `action` is what is done, `label` for whom.
    pub(super) fn new(source: &str, action: &str, label: &str) -> Self {
        Place { source: source.to_owned(), statement: format!("{action} of {label}"), running: false }
    }

    /// The same statement, while its rows are read.
    pub(super) fn running(&self) -> Self {
        Place { running: true, ..self.clone() }
    }

    /// An error while a connection is made.
    pub(super) fn connecting(&self, error: &sqlx::Error) -> SourceError {
        self.no_connection(connecting(error))
    }

    pub(super) fn no_connection(&self, reason: String) -> SourceError {
        SourceError::Connect { source_name: self.source.clone(), reason }
    }

    /// The connect time-out passed.
    pub(super) fn unreachable(&self) -> SourceError {
        self.no_connection("no answer within the connect_timeout".to_owned())
    }

    /// An error while a statement runs.
    pub(super) fn failure(&self, error: &sqlx::Error) -> SourceError {
        match error {
            sqlx::Error::Database(error) => {
                let (code, hint, class) = judge(error.as_ref());
                match class {
                    Class::Timeout => self.timeout(),
                    Class::Lost => self.lost(),
                    Class::Refused | Class::Cancelled if self.running => self.refused(code, codes::while_running(hint)),
                    Class::Refused | Class::Cancelled => self.refused(code, hint),
                }
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => self.lost(),
            _ => self.unreadable(),
        }
    }

    /// The answer does not follow the database's own format.
    pub(super) fn unreadable(&self) -> SourceError {
        self.refused("an answer that cannot be read".to_owned(), "")
    }

    /// A refusal that no database made, with a SQLSTATE as PostgreSQL would give it.
    pub(super) fn refused_as(&self, code: &str) -> SourceError {
        self.refused(format!("SQLSTATE {code}"), codes::postgres(code, "").1)
    }

    pub(super) fn timeout(&self) -> SourceError {
        SourceError::Timeout { source_name: self.source.clone(), statement: self.statement.clone() }
    }

    pub(super) fn lost(&self) -> SourceError {
        SourceError::Lost { source_name: self.source.clone(), statement: self.statement.clone() }
    }

    pub(super) fn no_column(&self, column: &str) -> SourceError {
        let (source_name, statement) = (self.source.clone(), self.statement.clone());
        SourceError::Column { source_name, statement, column: column.to_owned() }
    }

    /// Rows that had to wait, and could not.
    pub(super) fn no_room(&self, folder: &Path, fault: &spool::Fault) -> SourceError {
        let reason = match fault {
            spool::Fault::NoRoom => {
                "they need more than half of the space that is free there; free some, or let writers go on \
                                     while rows are read: SQLite with journal_mode = WAL, tables of InnoDB"
                    .to_owned()
            }
            spool::Fault::File(error) => error.kind().to_string(),
        };
        let (source_name, statement) = (self.source.clone(), self.statement.clone());
        SourceError::Spool { source_name, statement, folder: folder.display().to_string(), reason }
    }

    /// Refuses a query two of whose columns have one name.
    pub(super) fn need_distinct(&self, engine: Engine, columns: &[Column]) -> Result<(), SourceError> {
        let Some(repeated) = Column::repeated(engine, columns) else { return Ok(()) };
        let (source_name, statement) = (self.source.clone(), self.statement.clone());
        Err(SourceError::Duplicate { source_name, statement, column: repeated.name.clone() })
    }

    pub(super) fn no_change_column(&self, column: &str, type_name: &str) -> SourceError {
        let (column, type_name) = (column.to_owned(), type_name.to_owned());
        SourceError::ChangeColumn { source_name: self.source.clone(), column, type_name }
    }

    pub(super) fn no_type(&self, column: &str, type_name: &str) -> SourceError {
        let (column, type_name) = (column.to_owned(), type_name.to_owned());
        SourceError::Type { source_name: self.source.clone(), column, type_name }
    }

    fn refused(&self, code: String, hint: &'static str) -> SourceError {
        SourceError::Statement { source_name: self.source.clone(), statement: self.statement.clone(), code, hint }
    }
}

/// The code of a database's own error, a hint for a query that reads, and what it means.
pub(super) fn judge(error: &dyn DatabaseError) -> (String, &'static str, Class) {
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        let (class, hint) = codes::mysql(error.number());
        return (format!("SQLSTATE {} ({})", error.code().unwrap_or("HY000"), error.number()), hint, class);
    }
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<SqliteError>().is_some() {
        let (class, hint) = codes::sqlite(code.parse().unwrap_or(1), error.message());
        return (format!("SQLite error {code}"), hint, class);
    }
    let (class, hint) = codes::postgres(&code, error.message());
    (format!("SQLSTATE {code}"), hint, class)
}
