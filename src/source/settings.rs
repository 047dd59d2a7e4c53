//! What is configured of a source, and what may stand in its URL. Nothing here prints a credential.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::SourceError;

/// The database engines that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A SQLite file.
    Sqlite,
    /// PostgreSQL and what speaks its protocol.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
}

/// One `[sources.NAME]` section.
#[derive(Clone)]
pub struct SourceSettings {
    /// The section's name.
    pub name: String,
    /// `postgres:`, `mysql:` or `sqlite:` address.
    pub url: String,
    /// The password, when it does not stand in the address.
    pub password: Option<SecretString>,
    /// How zone-less timestamps of this source are read.
    pub zone: Tz,
    /// Longest time one read may take.
    pub statement_timeout: Duration,
    /// Longest time a connection may take to be made.
    pub connect_timeout: Duration,
    /// Where rows wait whose database must not wait for us.
    pub spool_folder: PathBuf,
}

impl SourceSettings {
    /// A source with the default time-outs: five minutes for a read, ten seconds for a connection.
    pub fn new(name: impl Into<String>, url: impl Into<String>, zone: Tz) -> Self {
        SourceSettings {
            name: name.into(),
            url: url.into(),
            password: None,
            zone,
            statement_timeout: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(10),
            spool_folder: std::env::temp_dir(),
        }
    }

    /// The engine that the address names.
    pub fn engine(&self) -> Result<Engine, SourceError> {
        match self.url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Engine::Sqlite),
            Some("postgres" | "postgresql") => Ok(Engine::Postgres),
            Some("mysql" | "mariadb") => Ok(Engine::MySql),
            _ => Err(self.refuse("url", "must begin with postgres:, mysql: or sqlite:")),
        }
    }

    /// The address of a database server, with no parameter but those in `known`.
    pub(super) fn server_url(&self, known: &[&str]) -> Result<Url, SourceError> {
        let url = Url::parse(&self.url)
            .map_err(|_| self.refuse("url", "is no address; write it as engine://user@host:port/database"))?;
        if url.query_pairs().any(|(key, _)| !known.contains(&key.as_ref())) {
            return Err(self.refuse("url", &format!("has a parameter other than {}", known.join(", "))));
        }
        Ok(url)
    }

    pub(super) fn password(&self) -> Option<&str> {
        self.password.as_ref().map(|secret| secret.expose_secret())
    }

    pub(super) fn refuse(&self, key: &'static str, reason: &str) -> SourceError {
        SourceError::Settings { source_name: self.name.clone(), key, reason: reason.to_owned() }
    }
}

/// The address in the brackets of such a url, which the drivers would take for a name.
pub(super) fn ip_v6(url: &Url) -> Option<String> {
    let inside = url.host_str()?.strip_prefix('[')?.strip_suffix(']')?;
    Some(inside.to_owned())
}

impl fmt::Debug for SourceSettings {
    /// Leaves out the address, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceSettings")
            .field("name", &self.name)
            .field("zone", &self.zone)
            .field("statement_timeout", &self.statement_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> SourceSettings {
        SourceSettings::new("mis", url, Tz::Asia__Yekaterinburg)
    }

    #[test]
    fn debug_shows_no_credentials() {
        let mut settings = settings("postgres://reader:s3cret@db/mis");
        settings.password = Some("other".into());
        let shown = format!("{settings:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("other") && shown.contains("mis"), "{shown}");
    }

    #[test]
    fn a_bad_address_is_refused_by_its_key_without_being_repeated() {
        for url in ["oracle://reader:s3cret@db/mis", "s3cret"] {
            let error = settings(url).engine().unwrap_err().to_string();
            assert!(error.starts_with("sources.mis.url: ") && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn an_unknown_parameter_is_refused_without_being_repeated() {
        let error = settings("postgres://db/mis?pasword=s3cret").server_url(&["sslmode"]).unwrap_err().to_string();
        assert!(error.contains("sslmode") && !error.contains("s3cret"), "{error}");
    }
}
