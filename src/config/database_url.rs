//! Addresses of databases: checked, and never shown with their password.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    MySql,
    /// SQLite.
    Sqlite,
}

/// The address of a database. Printing it leaves out the password and all parameters.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl {
    engine: Engine,
    full: SecretString,
    shown: String,
    has_password: bool,
}

impl From<Engine> for crate::source::Engine {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Postgres => crate::source::Engine::Postgres,
            Engine::MySql => crate::source::Engine::MySql,
            Engine::Sqlite => crate::source::Engine::Sqlite,
        }
    }
}

impl Engine {
    fn of_scheme(scheme: &str) -> Option<Engine> {
        match scheme {
            "postgres" | "postgresql" => Some(Engine::Postgres),
            "mysql" | "mariadb" => Some(Engine::MySql),
            "sqlite" => Some(Engine::Sqlite),
            _ => None,
        }
    }
}

impl DatabaseUrl {
    /// Reads an address. The error never repeats it.
    pub fn parse(text: &str) -> Result<DatabaseUrl, String> {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
        let Some(engine) = Engine::of_scheme(&scheme) else {
            return Err("must begin with postgres:, mysql: or sqlite:".into());
        };
        match engine {
            Engine::Sqlite => sqlite(text),
            Engine::Postgres | Engine::MySql => server(engine, text),
        }
    }

    /// The kind of database.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The whole address with its password, if it has one.
    pub fn expose(&self) -> &str {
        self.full.expose_secret()
    }

    /// True when the address itself carries a password.
    pub fn has_password(&self) -> bool {
        self.has_password
    }

    /// Path of the file of a SQLite database; none for a server.
    pub fn sqlite_path(&self) -> Option<&str> {
        match self.engine {
            Engine::Sqlite => Some(sqlite_path(self.expose())),
            Engine::Postgres | Engine::MySql => None,
        }
    }
}

fn sqlite(text: &str) -> Result<DatabaseUrl, String> {
    let path = sqlite_path(text);
    if path.is_empty() {
        return Err("names no file; write sqlite:/path/to/file.db".into());
    }
    if path == ":memory:" || text.contains("mode=memory") {
        return Err("must be a file: a database in memory is gone when the process ends".into());
    }
    let shown = format!("sqlite:{path}");
    Ok(DatabaseUrl { engine: Engine::Sqlite, full: text.into(), shown, has_password: false })
}

fn server(engine: Engine, text: &str) -> Result<DatabaseUrl, String> {
    let mut url = Url::parse(text).map_err(|error| format!("is not an address: {error}"))?;
    let in_query = |key: &str| url.query_pairs().any(|(name, _)| name == key);
    if url.host_str().is_none_or(str::is_empty) && !in_query("host") && !in_query("socket") {
        return Err("names no host".into());
    }
    if url.path().trim_matches('/').is_empty() && !in_query("dbname") {
        return Err("names no database; add it after the host: /mis".into());
    }
    let has_password = url.password().is_some() || in_query("password");
    url.set_query(None);
    url.set_fragment(None);
    if url.password().is_some() && url.set_password(None).is_err() {
        return Err("is not an address with a host".into());
    }
    Ok(DatabaseUrl { engine, full: text.into(), shown: url.into(), has_password })
}

fn sqlite_path(text: &str) -> &str {
    let path = text.split_once(':').map_or("", |(_, rest)| rest);
    let path = path.strip_prefix("//").unwrap_or(path);
    path.split_once('?').map_or(path, |(path, _)| path)
}

impl TryFrom<String> for DatabaseUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        DatabaseUrl::parse(&text)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_and_never_shown() {
        for text in ["postgres://vitrina:hunter2@db/mis", "mysql://db/mis?user=v&password=hunter2"] {
            let url = DatabaseUrl::parse(text).expect("an address");
            assert!(url.has_password());
            assert_eq!(url.expose(), text);
            assert!(!format!("{url} {url:?}").contains("hunter2"));
        }
    }

    #[test]
    fn each_engine_is_known_by_its_scheme() {
        let engine = |text| DatabaseUrl::parse(text).map(|url| url.engine());
        assert_eq!(engine("postgresql://h/d"), Ok(Engine::Postgres));
        assert_eq!(engine("mariadb://h/d"), Ok(Engine::MySql));
        assert_eq!(engine("sqlite:mis.db"), Ok(Engine::Sqlite));
        assert_eq!(engine("oracle://h/d"), Err("must begin with postgres:, mysql: or sqlite:".into()));
    }

    #[test]
    fn an_address_without_its_parts_is_refused() {
        for bad in ["sqlite:", "sqlite::memory:", "postgres:///mis", "postgres://db", "mysql://db/", "mis.db", ""] {
            assert!(DatabaseUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_unix_socket_may_stand_in_for_the_host() {
        assert!(DatabaseUrl::parse("postgres:///mis?host=/run/postgresql").is_ok());
    }

    #[test]
    fn a_sqlite_path_is_found_in_every_spelling() {
        for text in ["sqlite:/a/b.db", "sqlite:///a/b.db", "sqlite:/a/b.db?mode=ro"] {
            assert_eq!(DatabaseUrl::parse(text).expect("an address").sqlite_path(), Some("/a/b.db"), "{text}");
        }
    }
}
