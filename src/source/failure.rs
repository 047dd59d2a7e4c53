//! From a driver's error to ours. A database repeats values of rows in its messages (PostgreSQL in DETAIL, MySQL in "Duplicate
//! entry"), so of those only the code goes on, with a sentence of our own for the codes that operators meet.

use std::io;

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::sqlite::SqliteError;

use super::{Column, Engine, SourceError};

/// Whose and which statement an error speaks of.
#[derive(Debug, Clone)]
pub(super) struct Place {
    source: String,
    statement: String,
}

/// What a database's own error means for us.
pub(super) enum Class {
    /// The statement is refused.
    Refused,
    /// It took too long.
    Timeout,
    /// The connection is gone.
    Lost,
}

impl Place {
    /// `action` is what is done, `label` for whom.
    pub(super) fn new(source: &str, action: &str, label: &str) -> Self {
        Place { source: source.to_owned(), statement: format!("{action} of {label}") }
    }

    /// An error while a connection is made.
    pub(super) fn connecting(&self, error: &sqlx::Error) -> SourceError {
        SourceError::Connect { source_name: self.source.clone(), reason: connecting(error) }
    }

    /// The connect time-out passed.
    pub(super) fn unreachable(&self) -> SourceError {
        let reason = "no answer within the connect_timeout".to_owned();
        SourceError::Connect { source_name: self.source.clone(), reason }
    }

    /// An error while a statement runs.
    pub(super) fn failure(&self, error: &sqlx::Error) -> SourceError {
        match error {
            sqlx::Error::Database(error) => {
                let (code, hint, class) = judge(error.as_ref());
                match class {
                    Class::Timeout => self.timeout(),
                    Class::Lost => self.lost(),
                    Class::Refused => self.refused(code, hint),
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
        let (code, hint, _) = judge_postgres(code);
        self.refused(code, hint)
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

/// Why no connection could be made, without credentials.
pub(super) fn connecting(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            let (code, hint, _) = judge(error.as_ref());
            format!("{code}{hint}")
        }
        sqlx::Error::Io(error) => io_reason(error).to_owned(),
        sqlx::Error::Tls(_) => "the TLS handshake failed; check sslmode and the certificate of the CA".to_owned(),
        sqlx::Error::Configuration(_) => "the url or a file it names cannot be used".to_owned(),
        _ => "the server's answer cannot be read; is it the right kind of database?".to_owned(),
    }
}

fn io_reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused; is the database running, are host and port right?",
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => "the server closed the connection",
        io::ErrorKind::TimedOut => "no answer from the host",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "the host cannot be reached",
        io::ErrorKind::NotFound => "the socket or a file that the url names is not there",
        io::ErrorKind::PermissionDenied => "access to the socket or a file that the url names is denied",
        _ => "network error; does the host's name resolve?",
    }
}

/// The code of a database's own error, a hint for a query that reads, and what it means.
pub(super) fn judge(error: &dyn DatabaseError) -> (String, &'static str, Class) {
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return judge_mysql(error.number(), error.code().unwrap_or("HY000"));
    }
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<SqliteError>().is_some() {
        return judge_sqlite(&code, error.message());
    }
    judge_postgres(&code)
}

fn judge_postgres(code: &str) -> (String, &'static str, Class) {
    let hint = match code {
        "28P01" | "28000" => ": wrong user or password, or pg_hba.conf does not let us in",
        "3D000" => ": there is no such database",
        "42P01" => ": the query reads a table or view that is not there",
        "42703" => ": the query names a column that is not there",
        "42702" => ": two columns of the query have one name",
        "42501" => ": the database account lacks a grant",
        "42601" => ": the query is no single SELECT statement",
        "42883" => ": the query calls a function or operator that is not there",
        "25006" => ": the query writes; sources are only read",
        "53300" => ": the server has no connection left for us",
        "22P02" | "22007" | "22008" => ": the query casts a value that does not fit the type",
        _ => "",
    };
    let class = match code {
        "57014" => Class::Timeout,
        "57P01" | "57P02" | "57P03" | "57P05" => Class::Lost,
        _ if code.starts_with("08") => Class::Lost,
        _ => Class::Refused,
    };
    (format!("SQLSTATE {code}"), hint, class)
}

fn judge_mysql(number: u16, state: &str) -> (String, &'static str, Class) {
    let hint = match number {
        1045 | 1698 => ": wrong user or password",
        1049 => ": there is no such database",
        1044 | 1142 | 1143 | 1227 | 1370 => ": the database account lacks a grant",
        1146 => ": the query reads a table or view that is not there",
        1054 => ": the query names a column that is not there",
        1060 => ": two columns of the query have one name",
        1064 => ": the query is no single SELECT statement",
        1305 => ": the query calls a function that is not there",
        1356 => ": a view reads something that is not there or may not be read",
        1792 | 1290 => ": the query writes; sources are only read",
        1040 | 1203 | 1226 => ": the server has no connection left for us",
        _ => "",
    };
    let class = match number {
        // MariaDB's and MySQL's statement time-outs.
        1969 | 3024 => Class::Timeout,
        // Shutdown, killed connection, lost in between.
        1053 | 1317 | 1927 | 2006 | 2013 => Class::Lost,
        _ => Class::Refused,
    };
    (format!("SQLSTATE {state} ({number})"), hint, class)
}

/// SQLite has one code for most mistakes of a query, so its message decides the sentence; none of it goes on.
fn judge_sqlite(code: &str, message: &str) -> (String, &'static str, Class) {
    let primary = code.parse::<i32>().unwrap_or(1) & 0xff;
    let hint = match primary {
        1 if message.starts_with("no such table") => ": the query reads a table or view that is not there",
        1 if message.starts_with("no such column") => ": the query names a column that is not there",
        1 if message.starts_with("no such function") => ": the query calls a function that is not there",
        1 => ": the query is no single SELECT statement that SQLite understands",
        5 | 6 => ": the database is locked by a writer",
        8 => ": the query writes; sources are only read",
        11 | 26 => ": the file is damaged or is no SQLite database",
        14 => ": the file or its folder is not there or may not be read",
        23 => ": the file may not be read",
        _ => "",
    };
    let class = if primary == 9 { Class::Timeout } else { Class::Refused };
    (format!("SQLite error {code}"), hint, class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_time_outs_and_shutdowns_are_told_apart() {
        assert!(matches!(judge_postgres("57014").2, Class::Timeout));
        assert!(matches!(judge_postgres("08006").2, Class::Lost));
        assert!(matches!(judge_mysql(1969, "70100").2, Class::Timeout));
        assert!(matches!(judge_mysql(3024, "HY000").2, Class::Timeout));
        assert!(matches!(judge_mysql(1053, "08S01").2, Class::Lost));
        assert!(matches!(judge_sqlite("9", "interrupted").2, Class::Timeout));
        assert!(matches!(judge_sqlite("1", "syntax").2, Class::Refused));
    }

    #[test]
    fn what_sqlite_names_in_its_message_stays_out_of_ours() {
        let (code, hint, _) = judge_sqlite("1", "no such column: Иванов");
        assert_eq!(format!("{code}{hint}"), "SQLite error 1: the query names a column that is not there");
    }

    #[test]
    fn an_extended_sqlite_code_is_read_by_its_primary_part() {
        assert!(judge_sqlite("1032", "attempt to write a readonly database").1.contains("only read"));
    }
}
