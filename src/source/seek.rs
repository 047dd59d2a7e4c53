//! A query for a person: rows of a feed whose key cannot be read, in the dialect of their database.

use super::{Engine, sql};

/// What is known of the keys to look for.
#[derive(Debug, Clone, Copy)]
pub enum Sought<'a> {
    /// There is none.
    Missing,
    /// It reads so, in full.
    Whole(&'a str),
    /// It ends so; the rest is not known here.
    Ending(&'a str),
    /// It is no GUID.
    NoGuid,
}

/// The SELECT that finds rows in a relation or subquery (`from`) by all that is known of their key.
pub fn rows_with_key(engine: Engine, from: &str, column: &str, sought: &[Sought<'_>]) -> String {
    let column = format!("q.{}", sql::name(engine, column));
    let text = match engine {
        Engine::MySql => format!("TRIM(CAST({column} AS CHAR))"),
        Engine::Postgres | Engine::Sqlite => format!("TRIM(CAST({column} AS TEXT))"),
    };
    let literal = |value: &str| sql::literal(engine, value).unwrap_or_else(|| "NULL".to_owned());
    let condition = |sought: &Sought<'_>| match sought {
        Sought::Missing => format!("({column} IS NULL OR {text} = '')"),
        Sought::Whole(key) => format!("{text} = {}", literal(key)),
        Sought::Ending(end) => format!("{} = {}", ending(engine, &text, end.chars().count()), literal(end)),
        Sought::NoGuid => no_guid(engine, &text),
    };
    let conditions: Vec<_> = sought.iter().map(condition).collect();
    format!("SELECT * FROM {from} q WHERE {}", conditions.join(" AND "))
}

fn ending(engine: Engine, text: &str, characters: usize) -> String {
    match engine {
        Engine::Sqlite => format!("substr({text}, -{characters})"),
        Engine::Postgres | Engine::MySql => format!("RIGHT({text}, {characters})"),
    }
}

fn no_guid(engine: Engine, text: &str) -> String {
    let bare = ["-", "{", "}"].iter().fold(text.to_owned(), |text, mark| format!("REPLACE({text}, '{mark}', '')"));
    match engine {
        Engine::Postgres => format!("{bare} !~ '^[0-9A-Fa-f]{{32}}$'"),
        Engine::MySql => format!("{bare} NOT REGEXP '^[0-9A-Fa-f]{{32}}$'"),
        Engine::Sqlite => format!("(length({bare}) <> 32 OR {bare} GLOB '*[^0-9A-Fa-f]*')"),
    }
}
