//! Why a transaction came to nothing. A database repeats values in its messages, so of its errors only the code goes on, with a sentence of our
//! own for the codes that operators meet.

use super::super::failure::{self, Class};

/// Why a transaction came to nothing, or why nobody knows. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// No connection.
    #[error("{key}: source {source_name}: cannot connect: {reason}")]
    Connect {
        /// The source's name in the configuration.
        source_name: String,
        /// The configuration's key of the statements.
        key: String,
        /// What went wrong, without credentials.
        reason: String,
    },
    /// The database refused a statement.
    #[error("{key}: source {source_name}: failed with {code}{hint}")]
    Statement {
        /// The source's name in the configuration.
        source_name: String,
        /// The configuration's key of the statements.
        key: String,
        /// `SQLSTATE 23505`, `SQLSTATE 23000 (1062)`, `SQLite error 2067`.
        code: String,
        /// What an operator can do, beginning with a colon and a space; may be empty.
        hint: &'static str,
    },
    /// The time was over: all connections were busy, a row was locked, or a statement took too long.
    #[error("{key}: source {source_name}: was not done in time; is a row locked, or the database overloaded?")]
    Timeout {
        /// The source's name in the configuration.
        source_name: String,
        /// The configuration's key of the statements.
        key: String,
    },
    /// The connection broke, or the database fell silent.
    #[error("{key}: source {source_name}: connection lost")]
    Lost {
        /// The source's name in the configuration.
        source_name: String,
        /// The configuration's key of the statements.
        key: String,
    },
    /// A value that the database cannot hold.
    #[error("{key}: source {source_name}: the value of :{parameter} has a character that the database cannot hold")]
    Value {
        /// The source's name in the configuration.
        source_name: String,
        /// The configuration's key of the statements.
        key: String,
        /// The parameter.
        parameter: &'static str,
    },
}

impl WriteError {
    /// True when the database ended the transaction for the sake of another one: run again, it may pass.
    pub fn is_collision(&self) -> bool {
        match self {
            WriteError::Statement { code, .. } => {
                matches!(code.as_str(), "SQLSTATE 40001" | "SQLSTATE 40P01") || code.ends_with("(1213)")
            }
            WriteError::Connect { .. }
            | WriteError::Timeout { .. }
            | WriteError::Lost { .. }
            | WriteError::Value { .. } => false,
        }
    }
}

/// Whose and which statements an error speaks of.
#[derive(Debug, Clone)]
pub(super) struct Place {
    source: String,
    key: String,
}

impl Place {
    pub(super) fn new(source: &str, key: &str) -> Self {
        Place { source: source.to_owned(), key: key.to_owned() }
    }

    /// An error while a connection is made.
    pub(super) fn connecting(&self, error: &sqlx::Error) -> WriteError {
        self.unreachable(&failure::connecting(error))
    }

    /// No connection, for this reason.
    pub(super) fn unreachable(&self, reason: &str) -> WriteError {
        WriteError::Connect { source_name: self.source.clone(), key: self.key.clone(), reason: reason.to_owned() }
    }

    /// An error while a statement runs.
    pub(super) fn failure(&self, error: &sqlx::Error) -> WriteError {
        let sqlx::Error::Database(refused) = error else {
            return match error {
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => self.lost(),
                _ => self.refused("an answer that cannot be read".to_owned(), ""),
            };
        };
        let (code, _, class) = failure::judge(refused.as_ref());
        match class {
            Class::Lost => self.lost(),
            Class::Timeout => self.timeout(),
            Class::Refused | Class::Cancelled if waited_in_vain(&code) => self.timeout(),
            Class::Refused | Class::Cancelled => {
                let hint = hint(&code);
                self.refused(code, hint)
            }
        }
    }

    /// More rows than anybody reads.
    pub(super) fn too_many_rows(&self) -> WriteError {
        self.refused("too many rows".to_owned(), ": the statements are to give one row")
    }

    /// A row that is no answer.
    pub(super) fn senseless(&self, why: &'static str) -> WriteError {
        self.refused("a row that is no answer".to_owned(), why)
    }

    pub(super) fn value(&self, parameter: &'static str) -> WriteError {
        WriteError::Value { source_name: self.source.clone(), key: self.key.clone(), parameter }
    }

    pub(super) fn timeout(&self) -> WriteError {
        WriteError::Timeout { source_name: self.source.clone(), key: self.key.clone() }
    }

    pub(super) fn lost(&self) -> WriteError {
        WriteError::Lost { source_name: self.source.clone(), key: self.key.clone() }
    }

    fn refused(&self, code: String, hint: &'static str) -> WriteError {
        WriteError::Statement { source_name: self.source.clone(), key: self.key.clone(), code, hint }
    }
}

/// The databases' codes for a lock that was not let go in time.
fn waited_in_vain(code: &str) -> bool {
    code == "SQLSTATE 55P03" || code.ends_with("(1205)") || is_sqlite(code, &[5, 6])
}

/// What an operator can do about a statement that was refused.
fn hint(code: &str) -> &'static str {
    let of = |codes: &[&str]| codes.iter().any(|known| code == format!("SQLSTATE {known}"));
    let of_mysql = |numbers: &[&str]| numbers.iter().any(|number| code.ends_with(&format!("({number})")));
    if of(&["42501"]) || of_mysql(&["1044", "1142", "1143", "1227", "1370"]) {
        ": the database account lacks a grant; write_url may name another account"
    } else if of(&["25006"]) || of_mysql(&["1290", "1792", "1836"]) || is_sqlite(code, &[8]) {
        ": the database, or this account, only lets us read; write_url may name another one"
    } else if of(&["42P01"]) || of_mysql(&["1146"]) {
        ": it names a table or view that is not there"
    } else if of(&["42703"]) || of_mysql(&["1054"]) {
        ": it names a column that is not there"
    } else if of(&["42883"]) || of_mysql(&["1305"]) {
        ": it calls a function or procedure that is not there, or not with such arguments"
    } else if of(&["42601"]) || of_mysql(&["1064"]) {
        ": its SQL cannot be read"
    } else if of(&["22P02", "22007", "22008", "22003", "22001", "22023"])
        || of_mysql(&["1366", "1292", "1264", "1406", "1690"])
    {
        ": a value does not fit the type of its column"
    } else if code.starts_with("SQLSTATE 23") || is_sqlite(code, &[19]) {
        ": a constraint of a table refuses the row"
    } else if of(&["40001", "40P01"]) || of_mysql(&["1213"]) {
        ": it collided with another transaction"
    } else if of(&["P0001"]) || of_mysql(&["1644"]) {
        ": the statement raised an error of its own"
    } else if of(&["57014"]) || of_mysql(&["1317"]) {
        ": an administrator, or a tool of theirs, cancelled it"
    } else if of(&["21000"]) || of_mysql(&["1242"]) {
        ": a subquery gives more than one row where one is wanted"
    } else if of(&["22012"]) || of_mysql(&["1365"]) {
        ": it divides by zero; write NULLIF(divisor, 0)"
    } else if of(&["22021", "22P05"]) {
        ": a value has a character that the database's encoding lacks"
    } else if of_mysql(&["1267", "1270", "1271"]) {
        ": it compares or joins texts of different collations; name one of them, as in COLLATE utf8mb4_unicode_ci"
    } else if of_mysql(&["1820", "1862"]) {
        ": the account's password has expired; give it another one, or ALTER USER … PASSWORD EXPIRE NEVER"
    } else if of(&["08P01"]) {
        ": a pooler (pgbouncer) broke off; its log says why"
    } else if is_sqlite(code, &[1]) {
        ": its SQL cannot be read, or names what is not there"
    } else {
        ""
    }
}

fn is_sqlite(code: &str, primary: &[i32]) -> bool {
    let number = code.strip_prefix("SQLite error ").and_then(|number| number.parse::<i32>().ok());
    number.is_some_and(|number| primary.contains(&(number & 0xff)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_every_engine_lead_to_what_an_operator_can_do() {
        for (code, expected) in [
            ("SQLSTATE 42501", "lacks a grant"),
            ("SQLSTATE 42000 (1142)", "lacks a grant"),
            ("SQLSTATE 25006", "only lets us read"),
            ("SQLite error 8", "only lets us read"),
            ("SQLSTATE 23505", "constraint"),
            ("SQLSTATE 23000 (1062)", "constraint"),
            ("SQLite error 2067", "constraint"),
            ("SQLSTATE 40P01", "collided"),
            ("SQLSTATE 57014", "cancelled"),
            ("SQLSTATE 21000 (1242)", "more than one row"),
            ("SQLSTATE 22012", "NULLIF"),
            ("SQLSTATE 22P05", "encoding"),
            ("SQLSTATE HY000 (1267)", "COLLATE"),
            ("SQLSTATE 08P01", "pooler"),
        ] {
            assert!(hint(code).contains(expected), "{code}: {}", hint(code));
        }
        assert_eq!(hint("SQLSTATE 99999"), "");
    }

    #[test]
    fn a_lock_that_was_not_let_go_is_a_matter_of_time() {
        for code in ["SQLSTATE 55P03", "SQLSTATE HY000 (1205)", "SQLite error 5", "SQLite error 517"] {
            assert!(waited_in_vain(code), "{code}");
        }
        assert!(!waited_in_vain("SQLSTATE 23505"));
    }
}
