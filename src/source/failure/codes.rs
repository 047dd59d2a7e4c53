//! The databases' own codes: what each means for us, and the sentence that an operator reads. Tables, so that a code is added by a line.

use super::Class::{self, Cancelled, Lost, Refused, Timeout};

type Row<C> = (&'static [C], Class, &'static str);

/// By SQLSTATE.
const POSTGRES: &[Row<&str>] = &[
    (&["57014"], Timeout, ""),
    (&["57P01", "57P02", "57P03", "57P05", "08000", "08003", "08006"], Lost, ""),
    (&["08P01"], Refused, POOLER),
    (
        &["28P01", "28000"],
        Refused,
        ": wrong user or password, or pg_hba.conf does not let us in, perhaps not without TLS (sslmode)",
    ),
    (&["3D000"], Refused, ": there is no such database"),
    (&["42P01"], Refused, ": the query reads a table or view that is not there"),
    (&["42703"], Refused, ": the query names a column that is not there"),
    (&["42702"], Refused, ": two columns of the query have one name"),
    (&["42501"], Refused, ": the database account lacks a grant"),
    (&["42601"], Refused, ": the query is no single SELECT statement"),
    (&["42883"], Refused, ": the query calls a function or operator that is not there"),
    (&["25006"], Refused, ": the query writes; sources are only read"),
    (&["53300"], Refused, ": the server has no connection left for us"),
    (&["22P02", "22007", "22008"], Refused, ": the query casts a value that does not fit the type"),
    (&["40001", "40P01"], Refused, COLLIDED),
    (&["21000"], Refused, MANY_ROWS),
    (&["22012"], Refused, DIVISION),
    (&["22003"], Refused, TOO_LARGE),
    (&["P0001"], Refused, RAISED),
    (
        &["22021"],
        Refused,
        ": a text has bytes that are none in the encoding of the database; vitrina check names it and the way out",
    ),
    (&["22P05"], Refused, ": a text has a character that the other encoding lacks; vitrina check names the database's"),
    (
        &["22023"],
        Refused,
        ": a function or setting does not take its value; does the server know the zone, be it of the query or the source's \
         timezone?",
    ),
    (&["42P05", "26000"], Refused, ": prepared statements of others are in the way; is a pooler in between?"),
];

/// By number.
const MYSQL: &[Row<u16>] = &[
    // MariaDB's and MySQL's statement time-outs.
    (&[1969, 3024], Timeout, ""),
    (&[1317], Cancelled, CANCELLED),
    // Shutdown, killed connection, lost in between.
    (&[1053, 1927, 2006, 2013], Lost, ""),
    (&[1045, 1698], Refused, ": wrong user or password"),
    (&[1049], Refused, ": there is no such database"),
    (&[1044, 1142, 1143, 1227, 1370], Refused, ": the database account lacks a grant"),
    (&[1146], Refused, ": the query reads a table or view that is not there"),
    (&[1054], Refused, ": the query names a column that is not there"),
    (&[1060], Refused, ": two columns of the query have one name"),
    (&[1064], Refused, ": the query is no single SELECT statement"),
    (&[1305], Refused, ": the query calls a function that is not there"),
    (&[1356], Refused, ": a view reads something that is not there or may not be read"),
    (&[1792, 1290], Refused, ": the query writes; sources are only read"),
    (&[1040, 1203, 1226], Refused, ": the server has no connection left for us"),
    (&[1213], Refused, COLLIDED),
    (&[1242], Refused, MANY_ROWS),
    (&[1365], Refused, DIVISION),
    (&[1690], Refused, TOO_LARGE),
    (&[1644], Refused, RAISED),
    (
        &[1267, 1270, 1271],
        Refused,
        ": the query compares or joins texts of different collations; name one of them, as in COLLATE utf8mb4_unicode_ci",
    ),
    (
        &[1820, 1862],
        Refused,
        ": the account's password has expired; give it another one, or ALTER USER … PASSWORD EXPIRE NEVER",
    ),
    (&[4151, 3118], Refused, ": the account is locked; ALTER USER … ACCOUNT UNLOCK"),
];

/// By extended code, or by primary code for those that have no line of their own.
const SQLITE: &[Row<i32>] = &[
    (&[9], Timeout, ""),
    (&[1], Refused, SQLITE_ANY),
    (&[5, 6], Refused, ": the database is locked by a writer"),
    (&[7], Refused, ": there is no memory left"),
    (&[8], Refused, ": the query writes; sources are only read"),
    (
        &[776],
        Refused,
        ": a writer ended in the middle of a transaction, and who only reads may not undo it; let the hospital's program, or \
         the sqlite3 shell under its account, open the file once",
    ),
    (
        &[264, 520, 1288, 1544],
        Refused,
        ": reading needs files beside the database (-wal, -shm, -journal) that this user may not make or use; grant it the \
         right to write in the folder",
    ),
    (&[1032], Refused, ": the file was moved or replaced while it was open"),
    (
        &[10],
        Refused,
        ": the disk or the network share under the file failed; see the system's log (SQLite belongs on a local disk)",
    ),
    (&[11, 26], Refused, ": the file is damaged or is no SQLite database"),
    (&[14], Refused, ": the file or its folder is not there or may not be read"),
    (&[18], Refused, ": a value is too large"),
    (&[23], Refused, ": the file may not be read"),
];

/// SQLite has one code for most mistakes of a query, so its message decides the sentence; none of it goes on.
const SQLITE_MESSAGES: &[(&str, &str)] = &[
    ("no such table", ": the query reads a table or view that is not there"),
    ("no such column", ": the query names a column that is not there"),
    ("no such function", ": the query calls a function that is not there"),
    ("ambiguous column name", ": two columns of the query have one name"),
    ("malformed JSON", JSON),
    ("JSON", JSON),
    ("bad JSON path", JSON),
    ("integer overflow", TOO_LARGE),
];

const SQLITE_ANY: &str = ": the query is no single SELECT statement that SQLite understands";
const SQLITE_RUNNING: &str = ": a function of the query does not take the value of a row";

const JSON: &str = ": a text that the query reads as JSON is none, or a path into it is wrong";
const COLLIDED: &str = ": it collided with another transaction; the next cycle reads again";
const MANY_ROWS: &str = ": a subquery of the query, or of a view, gives more than one row where one is wanted";
const DIVISION: &str = ": the query divides by zero; write NULLIF(divisor, 0)";
const TOO_LARGE: &str = ": a number that the query computes or casts is too large for its type";
const RAISED: &str = ": a function that the query calls has raised an error of its own";
const CANCELLED: &str = ": an administrator, or a tool of theirs, cancelled it";
const POOLER: &str = ": a pooler (pgbouncer) turned us away: does it know the database and the account, has it a connection left, \
                      are there options in the url that it does not know? Its log says which";

/// What a cancellation that is no time-out says, in the languages in which servers are met.
const BY_HAND: &[&str] = &["user request", "по запросу пользователя"];

pub(super) fn postgres(code: &str, message: &str) -> (Class, &'static str) {
    if code == "57014" && BY_HAND.iter().any(|words| message.contains(words)) {
        return (Cancelled, CANCELLED);
    }
    find(POSTGRES, |known| *known == code).unwrap_or(if code.starts_with("08") { (Lost, "") } else { (Refused, "") })
}

pub(super) fn mysql(number: u16) -> (Class, &'static str) {
    find(MYSQL, |known| *known == number).unwrap_or((Refused, ""))
}

pub(super) fn sqlite(code: i32, message: &str) -> (Class, &'static str) {
    let by_message = SQLITE_MESSAGES.iter().filter(|_| code & 0xff == 1).find(|(start, _)| message.starts_with(start));
    if let Some((_, hint)) = by_message {
        return (Refused, hint);
    }
    let of = |code| find(SQLITE, |known| *known == code);
    of(code).or_else(|| of(code & 0xff)).unwrap_or((Refused, ""))
}

/// What stands for the general sentence once the statement was understood and runs.
pub(super) fn while_running(hint: &'static str) -> &'static str {
    if hint == SQLITE_ANY { SQLITE_RUNNING } else { hint }
}

fn find<C: PartialEq>(table: &[Row<C>], is_it: impl Fn(&C) -> bool) -> Option<(Class, &'static str)> {
    let row = table.iter().find(|(codes, _, _)| codes.iter().any(&is_it));
    row.map(|(_, class, hint)| (*class, *hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_time_outs_and_shutdowns_are_told_apart() {
        assert_eq!(postgres("57014", "canceling statement due to statement timeout").0, Timeout);
        assert_eq!(postgres("08006", "").0, Lost);
        assert_eq!(postgres("08001", "").0, Lost);
        assert_eq!(mysql(1969).0, Timeout);
        assert_eq!(mysql(3024).0, Timeout);
        assert_eq!(mysql(1053).0, Lost);
        assert_eq!(sqlite(9, "interrupted").0, Timeout);
        assert_eq!(sqlite(1, "syntax").0, Refused);
    }

    #[test]
    fn a_cancellation_by_hand_is_no_time_out_in_whatever_language() {
        for message in
            ["canceling statement due to user request", "выполнение оператора отменено по запросу пользователя"]
        {
            assert_eq!(postgres("57014", message), (Cancelled, CANCELLED));
        }
        assert_eq!(mysql(1317), (Cancelled, CANCELLED));
    }

    #[test]
    fn codes_that_no_test_can_provoke_have_their_sentences() {
        for (hint, words) in [
            (postgres("40001", "").1, "collided"),
            (postgres("40P01", "").1, "collided"),
            (mysql(1862).1, "password has expired"),
            (mysql(3118).1, "locked"),
            (mysql(1365).1, "divides by zero"),
            (sqlite(266, "disk I/O error").1, "network share"),
            (sqlite(522, "disk I/O error").1, "network share"),
            (sqlite(1544, "attempt to write a readonly database").1, "write in the folder"),
            (sqlite(264, "attempt to write a readonly database").1, "write in the folder"),
            (sqlite(1032, "attempt to write a readonly database").1, "moved or replaced"),
            (sqlite(8, "attempt to write a readonly database").1, "only read"),
        ] {
            assert!(hint.starts_with(": ") && hint.contains(words), "{hint}");
        }
    }

    #[test]
    fn no_code_stands_in_a_table_twice() {
        let codes: Vec<_> = POSTGRES.iter().flat_map(|(codes, _, _)| *codes).collect();
        let numbers: Vec<_> = MYSQL.iter().flat_map(|(numbers, _, _)| *numbers).collect();
        let of_sqlite: Vec<_> = SQLITE.iter().flat_map(|(codes, _, _)| *codes).collect();
        assert!(codes.iter().enumerate().all(|(at, code)| !codes[..at].contains(code)));
        assert!(numbers.iter().enumerate().all(|(at, number)| !numbers[..at].contains(number)));
        assert!(of_sqlite.iter().enumerate().all(|(at, code)| !of_sqlite[..at].contains(code)));
    }
}
