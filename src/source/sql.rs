//! The little SQL we write: a query of the site as a subquery, names and literals quoted for each engine, the forms in which a
//! key may be stored. COPY takes no parameters, so literals are ours to quote, in all engines alike.

use std::fmt::Write as _;

use super::Engine;
use crate::record::{Key, guid};

/// Most keys that one statement asks for.
pub(super) const KEYS_PER_STATEMENT: usize = 500;

/// Quotes an identifier.
pub(super) fn name(engine: Engine, name: &str) -> String {
    match engine {
        Engine::MySql => format!("`{}`", name.replace('`', "``")),
        Engine::Sqlite | Engine::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// Quotes a text. None when the engine cannot hold it at all.
pub(super) fn literal(engine: Engine, text: &str) -> Option<String> {
    match engine {
        Engine::Postgres => postgres_literal(text),
        Engine::MySql => Some(mysql_literal(text)),
        Engine::Sqlite => Some(sqlite_literal(text)),
    }
}

/// PostgreSQL has no NUL in texts. The E form reads a backslash the same under every `standard_conforming_strings`.
fn postgres_literal(text: &str) -> Option<String> {
    let doubled = text.replace('\'', "''");
    match (text.contains('\0'), text.contains('\\')) {
        (true, _) => None,
        (false, true) => Some(format!(" E'{}'", doubled.replace('\\', "\\\\"))),
        (false, false) => Some(format!("'{doubled}'")),
    }
}

/// What MySQL makes of quotes and backslashes depends on `sql_mode`: anything beyond plain characters goes as hex.
fn mysql_literal(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_alphanumeric() || " -_.:/{}".contains(c));
    if plain { format!("'{text}'") } else { format!("_utf8mb4 x'{}'", hex(text.as_bytes())) }
}

/// A NUL would end the statement's text.
fn sqlite_literal(text: &str) -> String {
    if text.contains('\0') {
        return format!("CAST(x'{}' AS TEXT)", hex(text.as_bytes()));
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// Bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The texts under which a key may be stored: a GUID with and without hyphens and braces, in both cases.
pub(super) fn key_texts(key: &Key) -> Vec<String> {
    let Key::Guid(_) = key else { return vec![key.to_string()] };
    let lower = key.to_string();
    let bare = lower.replace('-', "");
    let braced = format!("{{{lower}}}");
    let upper = [&lower, &bare, &braced].map(|text| text.to_ascii_uppercase());
    let mut texts = vec![lower, bare, braced];
    texts.extend(upper);
    texts
}

/// The bytes under which a key may be stored in a binary column.
pub(super) fn key_bytes(key: &Key) -> Vec<u8> {
    match key {
        Key::Guid(value) => value.to_be_bytes().to_vec(),
        Key::Text(text) => text.as_bytes().to_vec(),
    }
}

/// The key as a GUID, if it is one in any form.
pub(super) fn key_guid(key: &Key) -> Option<u128> {
    match key {
        Key::Guid(value) => Some(*value),
        Key::Text(text) => guid::parse(text),
    }
}

/// The key as a decimal number, if it is one: such text needs no quotes.
pub(super) fn key_number(key: &Key) -> Option<&str> {
    let Key::Text(text) = key else { return None };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| (1..=30).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (digits(whole.strip_prefix('-').unwrap_or(whole)) && digits(fraction)).then_some(text)
}

/// The query as a subquery called `q`. The line breaks end a comment that the query may end with.
pub(super) fn subquery(engine: Engine, sql: &str) -> String {
    format!("(\n{}\n) AS q", without_terminator(engine, sql))
}

/// The query without the semicolons, blanks and comments at its end.
pub(super) fn without_terminator(engine: Engine, sql: &str) -> &str {
    let bytes = sql.as_bytes();
    let (mut at, mut end) = (0, 0);
    while at < bytes.len() {
        let (next, kind) = token(engine, bytes, at);
        if kind == Token::Matter {
            end = next;
        }
        at = next;
    }
    sql.get(..end).unwrap_or(sql)
}

/// What a stretch of a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// It is part of what the statement says.
    Matter,
    /// A blank, a comment, a semicolon.
    Filler,
}

/// The end of the token at `at`, as far as quotes and comments go: any other byte is a token.
pub(super) fn token(engine: Engine, bytes: &[u8], at: usize) -> (usize, Token) {
    let rest = &bytes[at..];
    let before = at.checked_sub(1).map_or(b' ', |before| bytes[before]);
    let in_word = before.is_ascii_alphanumeric() || before == b'_';
    let (length, kind) = match rest {
        [b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' | b';', ..] => (1, Token::Filler),
        [b'-', b'-', after @ ..] if engine != Engine::MySql || after.first().is_none_or(u8::is_ascii_whitespace) => {
            (line(rest), Token::Filler)
        }
        [b'#', ..] if engine == Engine::MySql => (line(rest), Token::Filler),
        // MySQL runs what stands in such a comment.
        [b'/', b'*', b'!', ..] if engine == Engine::MySql => (comment(engine, rest), Token::Matter),
        [b'/', b'*', ..] => (comment(engine, rest), Token::Filler),
        [b'[', ..] if engine == Engine::Sqlite => (quoted(rest, b']', false), Token::Matter),
        [b'\'', ..] => {
            let escapes = match engine {
                Engine::MySql => true,
                Engine::Postgres => before.eq_ignore_ascii_case(&b'e'),
                Engine::Sqlite => false,
            };
            (quoted(rest, b'\'', escapes), Token::Matter)
        }
        [b'"', ..] => (quoted(rest, b'"', engine == Engine::MySql), Token::Matter),
        [b'`', ..] => (quoted(rest, b'`', false), Token::Matter),
        [b'$', ..] if engine == Engine::Postgres && !in_word => (dollar_quoted(rest), Token::Matter),
        _ => (1, Token::Matter),
    };
    (at + length, kind)
}

fn line(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
}

/// Length of a block comment; PostgreSQL nests them.
fn comment(engine: Engine, rest: &[u8]) -> usize {
    let (mut at, mut depth) = (2, 1);
    while at + 1 < rest.len() {
        match &rest[at..at + 2] {
            b"*/" if depth == 1 => return at + 2,
            b"*/" => (at, depth) = (at + 2, depth - 1),
            b"/*" if engine == Engine::Postgres => (at, depth) = (at + 2, depth + 1),
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of a quoted token. A doubled quote ends one token and begins the next, which comes to the same.
fn quoted(rest: &[u8], close: u8, escapes: bool) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'\\' if escapes => at += 2,
            byte if *byte == close => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of a `$tag$…$tag$` text, or of the lone dollar.
fn dollar_quoted(rest: &[u8]) -> usize {
    let tag = rest[1..].iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_')).map_or(0, |n| n + 1);
    if tag == 0 || rest[tag] != b'$' {
        return 1;
    }
    let quote = &rest[..=tag];
    let inside = &rest[quote.len()..];
    inside.windows(quote.len()).position(|window| window == quote).map_or(rest.len(), |at| at + 2 * quote.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a'b\\'c\"d`e;--";

    #[test]
    fn hostile_texts_stay_inside_their_quotes() {
        assert_eq!(literal(Engine::Postgres, HOSTILE).unwrap(), " E'a''b\\\\''c\"d`e;--'");
        assert_eq!(literal(Engine::Sqlite, HOSTILE).unwrap(), "'a''b\\''c\"d`e;--'");
        assert_eq!(literal(Engine::MySql, HOSTILE).unwrap(), format!("_utf8mb4 x'{}'", hex(HOSTILE.as_bytes())));
    }

    #[test]
    fn a_nul_is_refused_or_spelt_as_hex() {
        assert_eq!(literal(Engine::Postgres, "a\0b"), None);
        assert_eq!(literal(Engine::Sqlite, "a\0b").unwrap(), "CAST(x'610062' AS TEXT)");
        assert_eq!(literal(Engine::MySql, "a\0b").unwrap(), "_utf8mb4 x'610062'");
    }

    #[test]
    fn names_are_quoted_by_doubling() {
        assert_eq!(name(Engine::Postgres, "a\"b"), "\"a\"\"b\"");
        assert_eq!(name(Engine::MySql, "a`b"), "`a``b`");
    }

    #[test]
    fn what_ends_a_query_is_cut_and_what_only_looks_like_it_stays() {
        for (engine, sql, bare) in [
            (Engine::Postgres, "SELECT 1 ; -- all\n", "SELECT 1"),
            (Engine::Postgres, "SELECT 1;;/* a /* b */ ; */", "SELECT 1"),
            (Engine::Postgres, "SELECT '; --' ;", "SELECT '; --'"),
            (Engine::Postgres, r"SELECT E'\'; --'", r"SELECT E'\'; --'"),
            (Engine::Postgres, "SELECT $a$ ; -- $a$;", "SELECT $a$ ; -- $a$"),
            (Engine::Postgres, "SELECT \";\" -- x", "SELECT \";\""),
            (Engine::MySql, "SELECT 'it\\';' # x;", "SELECT 'it\\';'"),
            (Engine::MySql, "SELECT 5--3;", "SELECT 5--3"),
            (Engine::MySql, "SELECT 1 /*! + 1 */;", "SELECT 1 /*! + 1 */"),
            (Engine::Sqlite, "SELECT [;--] FROM t;", "SELECT [;--] FROM t"),
            (Engine::Sqlite, "SELECT 'Ж'", "SELECT 'Ж'"),
            (Engine::Sqlite, "SELECT 1 -- Ж", "SELECT 1"),
            (Engine::Sqlite, "", ""),
        ] {
            assert_eq!(without_terminator(engine, sql), bare, "{sql}");
        }
    }

    #[test]
    fn a_guid_is_looked_for_in_every_form_and_a_text_in_its_own() {
        let texts = key_texts(&Key::Guid(0xab7c_bc4b_2e68_40d2_881b_6f95_7b04_4818));
        assert_eq!(texts.len(), 6);
        assert!(texts.contains(&"{AB7CBC4B-2E68-40D2-881B-6F957B044818}".to_owned()));
        assert_eq!(key_texts(&Key::Text("x".into())), ["x"]);
    }

    #[test]
    fn only_plain_decimals_go_unquoted() {
        for (text, number) in [("12", true), ("-1.50", true), ("1e5", false), ("1;2", false), ("", false), ("-", false)]
        {
            assert_eq!(key_number(&Key::Text(text.into())).is_some(), number, "{text}");
        }
    }
}
