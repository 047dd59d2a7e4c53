//! Statements of the site that write: named parameters as `:name`, outside quotes and comments, and nothing that would break the transaction
//! they run in.

use super::Engine;
use super::sql::{self, Token};

/// Statements that run in one transaction. The last row that they give is their answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    engine: Engine,
    statements: Vec<Statement>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Sql(String),
    Parameter(&'static str),
}

/// The values of parameters by name. One that is not listed is NULL.
pub type Values<'a> = &'a [(&'static str, Option<&'a str>)];

/// Why statements cannot be used. Never repeats them: they may hold what nobody should see.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// There is nothing to run.
    #[error("statement {statement} is empty")]
    Empty {
        /// Which, from 1.
        statement: usize,
    },
    /// A parameter that nobody fills.
    #[error("statement {statement} has the parameter :{name}; there are: {known}")]
    Parameter {
        /// Which, from 1.
        statement: usize,
        /// Its name.
        name: String,
        /// The names that are filled.
        known: String,
    },
    /// More than one statement in one text.
    #[error("statement {statement} has a semicolon inside; write several statements as a list of texts")]
    Several {
        /// Which, from 1.
        statement: usize,
    },
    /// It would end the transaction.
    #[error(
        "statement {statement} begins with {word}; all statements run in one transaction, which vitrina begins and commits"
    )]
    Transaction {
        /// Which, from 1.
        statement: usize,
        /// Its first word.
        word: &'static str,
    },
    /// A placeholder of the database's own, which nobody fills.
    #[error("statement {statement} has a ? as a parameter; write parameters as :name")]
    Placeholder {
        /// Which, from 1.
        statement: usize,
    },
}

/// First words of statements that begin or end transactions.
const TRANSACTION: [&str; 8] = ["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"];

impl Script {
    /// Reads statements in the dialect of an engine. `known` are the parameters that will be filled.
    pub fn parse<T: AsRef<str>>(
        engine: Engine,
        texts: &[T],
        known: &'static [&'static str],
    ) -> Result<Self, ScriptError> {
        let read = |(index, text): (usize, &T)| Reading { engine, known, number: index + 1 }.statement(text.as_ref());
        let statements: Vec<Statement> = texts.iter().enumerate().map(read).collect::<Result<_, _>>()?;
        match statements.is_empty() {
            true => Err(ScriptError::Empty { statement: 1 }),
            false => Ok(Script { engine, statements }),
        }
    }

    /// The engine in whose dialect they are.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// True when one of them has this parameter.
    pub fn has_parameter(&self, name: &str) -> bool {
        let is_it = |piece: &Piece| matches!(piece, Piece::Parameter(known) if *known == name);
        self.statements.iter().any(|statement| statement.pieces.iter().any(is_it))
    }

    pub(super) fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

impl Statement {
    /// The statement with quoted literals in place of its parameters: what the site's SQL compares them with decides their type, and one text
    /// serves a number, a GUID and a date. The error is the name of a parameter whose value the engine cannot hold.
    pub(super) fn with_literals(&self, engine: Engine, values: Values<'_>) -> Result<String, &'static str> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Sql(sql) => text.push_str(sql),
                Piece::Parameter(name) => {
                    let literal = match value(values, name) {
                        Some(value) => sql::literal(engine, value).ok_or(*name)?,
                        None => "NULL".to_owned(),
                    };
                    // Blanks, so that no letter before it becomes part of the literal.
                    text.extend([" ", &literal, " "]);
                }
            }
        }
        Ok(text)
    }

    /// The statement with numbered placeholders, and the values to bind, in their order.
    pub(super) fn with_placeholders<'a>(&self, values: Values<'a>) -> (String, Vec<Option<&'a str>>) {
        let (mut text, mut bound) = (String::new(), Vec::new());
        for piece in &self.pieces {
            match piece {
                Piece::Sql(sql) => text.push_str(sql),
                Piece::Parameter(name) => {
                    bound.push(value(values, name));
                    text.push_str(&format!(" ?{} ", bound.len()));
                }
            }
        }
        (text, bound)
    }
}

fn value<'a>(values: Values<'a>, name: &str) -> Option<&'a str> {
    values.iter().find(|(known, _)| *known == name).and_then(|(_, value)| *value)
}

/// One statement being read.
struct Reading {
    engine: Engine,
    known: &'static [&'static str],
    number: usize,
}

impl Reading {
    fn statement(&self, text: &str) -> Result<Statement, ScriptError> {
        let text = sql::without_terminator(self.engine, text);
        self.refuse_transaction(text)?;
        let bytes = text.as_bytes();
        let (mut pieces, mut at, mut copied) = (Vec::new(), 0, 0);
        while at < bytes.len() {
            let (next, _) = sql::token(self.engine, bytes, at);
            match &bytes[at..] {
                [b':', b':', ..] => at += 2,
                [b':', first, ..] if first.is_ascii_alphabetic() || *first == b'_' => {
                    let end = at + 1 + word(&bytes[at + 1..]);
                    pieces.push(Piece::Sql(text.get(copied..at).unwrap_or_default().to_owned()));
                    pieces.push(Piece::Parameter(self.parameter(text.get(at + 1..end).unwrap_or_default())?));
                    (at, copied) = (end, end);
                }
                [b';', ..] => return Err(ScriptError::Several { statement: self.number }),
                [b'?', ..] if self.engine == Engine::Sqlite => {
                    return Err(ScriptError::Placeholder { statement: self.number });
                }
                _ => at = next,
            }
        }
        pieces.push(Piece::Sql(text.get(copied..).unwrap_or_default().to_owned()));
        Ok(Statement { pieces })
    }

    fn parameter(&self, name: &str) -> Result<&'static str, ScriptError> {
        self.known.iter().copied().find(|known| *known == name).ok_or_else(|| {
            let known: Vec<String> = self.known.iter().map(|known| format!(":{known}")).collect();
            ScriptError::Parameter { statement: self.number, name: name.to_owned(), known: known.join(", ") }
        })
    }

    fn refuse_transaction(&self, text: &str) -> Result<(), ScriptError> {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let (next, kind) = sql::token(self.engine, bytes, at);
            if kind == Token::Matter {
                break;
            }
            at = next;
        }
        let first = bytes.get(at..).unwrap_or_default();
        let first = text.get(at..at + word(first)).unwrap_or_default();
        match TRANSACTION.into_iter().find(|word| word.eq_ignore_ascii_case(first)) {
            Some(word) => Err(ScriptError::Transaction { statement: self.number, word }),
            None if at >= bytes.len() => Err(ScriptError::Empty { statement: self.number }),
            None => Ok(()),
        }
    }
}

/// Length of the word at the beginning.
fn word(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_')).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["key", "base_no"];
    const VALUES: Values<'static> = &[("key", Some("a'b")), ("base_no", None)];

    fn literal(engine: Engine, text: &str) -> String {
        let script = Script::parse(engine, &[text], KNOWN).unwrap();
        script.statements()[0].with_literals(engine, VALUES).unwrap()
    }

    fn refusal(engine: Engine, text: &str) -> ScriptError {
        Script::parse(engine, &["SELECT 1", text], KNOWN).unwrap_err()
    }

    #[test]
    fn parameters_become_literals_and_what_only_looks_like_one_stays() {
        for (engine, text, expected) in [
            (Engine::Postgres, "UPDATE t SET n=:base_no WHERE id=:key;", "UPDATE t SET n= NULL  WHERE id= 'a''b' "),
            (Engine::Postgres, "SELECT x::key, :key::uuid", "SELECT x::key,  'a''b' ::uuid"),
            (Engine::Postgres, "SELECT ':key', \":key\" -- :key", "SELECT ':key', \":key\""),
            (
                Engine::Postgres,
                "SELECT $a$ :key; $a$ /* :nobody */, E'\\':key'",
                "SELECT $a$ :key; $a$ /* :nobody */, E'\\':key'",
            ),
            (Engine::Postgres, "SELECT a ? 'b', a[1:2]", "SELECT a ? 'b', a[1:2]"),
            (
                Engine::MySql,
                "SELECT @n := 5, ':key', `:key`, 'it\\':key' # :key",
                "SELECT @n := 5, ':key', `:key`, 'it\\':key'",
            ),
            (Engine::MySql, "CALL p(:key)", "CALL p( _utf8mb4 x'612762' )"),
            (Engine::Sqlite, "SELECT [:key], :key", "SELECT [:key],  'a''b' "),
            (Engine::Postgres, "SELECT 'Ж', :key", "SELECT 'Ж',  'a''b' "),
        ] {
            assert_eq!(literal(engine, text), expected, "{text}");
        }
    }

    #[test]
    fn a_parameter_may_be_used_twice_and_binds_twice() {
        let script = Script::parse(Engine::Sqlite, &["SELECT :key, :base_no, :key"], KNOWN).unwrap();
        let (text, bound) = script.statements()[0].with_placeholders(VALUES);
        assert_eq!(text, "SELECT  ?1 ,  ?2 ,  ?3 ");
        assert_eq!(bound, [Some("a'b"), None, Some("a'b")]);
    }

    #[test]
    fn a_parameter_that_nobody_fills_is_named_with_those_that_are() {
        let text = refusal(Engine::Postgres, "UPDATE t SET a = :nobody").to_string();
        assert_eq!(text, "statement 2 has the parameter :nobody; there are: :key, :base_no");
    }

    #[test]
    fn what_would_break_the_transaction_is_refused() {
        let several = refusal(Engine::MySql, "SELECT 1; SELECT 2");
        assert_eq!(several, ScriptError::Several { statement: 2 });
        for text in ["commit", "/* now */ ROLLBACK", "begin", "START TRANSACTION"] {
            assert!(matches!(refusal(Engine::Postgres, text), ScriptError::Transaction { statement: 2, .. }), "{text}");
        }
        assert_eq!(refusal(Engine::Sqlite, "SELECT ?"), ScriptError::Placeholder { statement: 2 });
        for text in ["", " ; ", "-- nothing"] {
            assert_eq!(refusal(Engine::Postgres, text), ScriptError::Empty { statement: 2 }, "{text}");
        }
    }

    #[test]
    fn a_value_that_the_engine_cannot_hold_is_named() {
        let script = Script::parse(Engine::Postgres, &["SELECT :key"], KNOWN).unwrap();
        assert_eq!(script.statements()[0].with_literals(Engine::Postgres, &[("key", Some("a\0b"))]), Err("key"));
    }
}
