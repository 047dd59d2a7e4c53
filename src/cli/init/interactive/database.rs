//! The hospital's database: asked for, tried at once, its tables listed.

use chrono_tz::Tz;
use url::Url;

use super::talk::Talk;
use super::text::{Secret, Section};
use super::words;
use crate::cli::CliError;
use crate::cli::init::Dialect;
use crate::config::DatabaseUrl;
use crate::source::{AnySource, Source, SourceError, SourceSettings, Table};

/// Names of tables that are listed at once.
const LISTED: usize = 60;

/// The database that was settled on.
pub(super) struct Database {
    /// Its engine.
    pub(super) dialect: Dialect,
    /// Its address, without a password.
    pub(super) url: String,
    /// Its password.
    pub(super) password: Option<Secret>,
    /// What the account sees; nothing where the database could not be reached.
    pub(super) tables: Vec<Table>,
}

/// What was answered last, to be offered again.
struct Parts {
    host: String,
    port: String,
    name: String,
    user: String,
    file: String,
    whole: String,
}

/// Asks until a database answers, or is to be left as it is. None: the person stops.
pub(super) async fn ask(talk: &Talk, given: Option<Dialect>) -> Result<Option<Database>, CliError> {
    talk.say(&words::DATABASE, &[]);
    let mut parts = Parts::default();
    loop {
        let mut database = answers(talk, given, &mut parts)?;
        talk.say(&words::TRYING, &[&shown(&database.url)]);
        match tables(&database).await {
            Ok(tables) => {
                talk.say(&words::WORKS, &[]);
                list(talk, &tables);
                database.tables = tables;
                return Ok(Some(database));
            }
            Err(error) => talk.say(&words::FAILED, &[&error]),
        }
        match talk.decide(&words::AND_NOW, &[&words::ANSWER_AGAIN, &words::KEEP_ON, &words::STOP])? {
            0 => {}
            1 => return Ok(Some(database)),
            _ => return Ok(None),
        }
    }
}

impl Database {
    /// Its section, under the name that everything written here has.
    pub(super) fn section(&self, zone: &str) -> Section {
        let section = Section::new("sources.mis").text("url", &self.url);
        let section = match &self.password {
            Some(secret) => section.secret("password", secret.file.clone(), secret.value.clone()),
            None => section,
        };
        section.text("timezone", zone)
    }

    /// The command with which its owner makes the views.
    pub(super) fn command(&self, file: &str) -> String {
        let url = Url::parse(&self.url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or("localhost");
        let name = url.as_ref().map(|url| url.path().trim_matches('/').to_owned()).unwrap_or_default();
        let port = |flag: &str| {
            let port = url.as_ref().and_then(Url::port);
            port.map(|port| format!(" {flag} {port}")).unwrap_or_default()
        };
        match self.dialect {
            Dialect::Postgres => {
                let host = url.as_ref().and_then(socket).unwrap_or_else(|| host.to_owned());
                format!("psql -v ON_ERROR_STOP=1 -h {host}{} -U OWNER -d {name} -f {file}", port("-p"))
            }
            Dialect::Mysql => format!("mariadb -h {host}{} -u OWNER -p {name} < {file}", port("-P")),
            Dialect::Sqlite => format!("sqlite3 {} < {file}", self.url.trim_start_matches("sqlite:")),
        }
    }

    /// Those of the views that are not there.
    pub(super) async fn lacks(&self, views: impl Iterator<Item = String>) -> Result<Vec<String>, SourceError> {
        let source = self.open()?;
        let mut missing = Vec::new();
        for view in views {
            if !source.has_relation(&view).await? {
                missing.push(view);
            }
        }
        Ok(missing)
    }

    fn open(&self) -> Result<AnySource, SourceError> {
        let mut settings = SourceSettings::new("mis", &self.url, Tz::UTC);
        settings.password = self.password.as_ref().map(|secret| secret.value.clone().into());
        AnySource::open(settings)
    }

    /// The account that reads, where it needs a grant.
    pub(super) fn reader(&self) -> Option<String> {
        let url = Url::parse(&self.url).ok()?;
        (self.dialect == Dialect::Postgres && !url.username().is_empty()).then(|| decoded(url.username()))
    }
}

impl Default for Parts {
    fn default() -> Parts {
        Parts {
            host: "localhost".into(),
            port: String::new(),
            name: "mis".into(),
            user: "vitrina".into(),
            file: "/var/lib/mis/mis.db".into(),
            whole: String::new(),
        }
    }
}

fn answers(talk: &Talk, given: Option<Dialect>, parts: &mut Parts) -> Result<Database, CliError> {
    const ENGINES: [Dialect; 3] = [Dialect::Postgres, Dialect::Mysql, Dialect::Sqlite];
    let dialect = match given {
        Some(dialect) => dialect,
        None => {
            let names = ["PostgreSQL", "MySQL, MariaDB", "SQLite"].map(ToOwned::to_owned);
            ENGINES[talk.choose(&talk.words(&words::ENGINE, &[]), &names, 0)?]
        }
    };
    if dialect == Dialect::Sqlite {
        parts.file = talk.line(&words::SQLITE_FILE, &parts.file, |text| filled(talk, text))?;
        let url = format!("sqlite:{}", parts.file);
        return Ok(Database { dialect, url, password: None, tables: Vec::new() });
    }
    let by_parts = talk.decide(&words::HOW_ADDRESSED, &[&words::BY_PARTS, &words::AS_A_WHOLE])? == 0;
    let url = if by_parts { of_parts(talk, dialect, parts)? } else { whole(talk, dialect, parts)? };
    let (url, inside) = without_password(url);
    let password = match inside {
        Some(password) => password,
        None => talk.secret(&talk.words(&words::PASSWORD_OF, &[&decoded(url.username())]))?,
    };
    let secret = Secret { file: "mis-password".into(), value: password };
    let password = (!secret.value.is_empty()).then_some(secret);
    Ok(Database { dialect, url: url.into(), password, tables: Vec::new() })
}

fn of_parts(talk: &Talk, dialect: Dialect, parts: &mut Parts) -> Result<Url, CliError> {
    let (scheme, usual) = match dialect {
        Dialect::Mysql => ("mysql", "3306"),
        Dialect::Postgres | Dialect::Sqlite => ("postgres", "5432"),
    };
    let port = |text: &str| match text.parse::<u16>() {
        Ok(1..) => Ok(()),
        Ok(0) | Err(_) => Err(talk.words(&words::NO_NUMBER, &[])),
    };
    let host = |text: &str| with_host(scheme, text).map(|_| ());
    parts.host = talk.line(&words::HOST, &parts.host, host)?;
    let last = if parts.port.is_empty() { usual } else { &parts.port };
    parts.port = talk.line(&words::PORT, last, port)?;
    parts.name = talk.line(&words::DATABASE_NAME, &parts.name, |text| filled(talk, text))?;
    parts.user = talk.line(&words::ACCOUNT, &parts.user, |text| filled(talk, text))?;
    let mut url = with_host(scheme, &parts.host).map_err(CliError::Usage)?;
    url.set_path(&parts.name);
    // An address with a host takes both.
    let _ = url.set_port(parts.port.parse().ok().filter(|_| parts.port != usual));
    let _ = url.set_username(&parts.user);
    Ok(url)
}

/// An address with this host. A folder is one of PostgreSQL's sockets.
fn with_host(scheme: &str, host: &str) -> Result<Url, String> {
    if host.starts_with('/') && scheme == "postgres" {
        let mut url = Url::parse("postgres://localhost/").map_err(|error| error.to_string())?;
        url.query_pairs_mut().append_pair("host", host);
        return Ok(url);
    }
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    let plain = |c: char| c.is_alphanumeric() || ".-_[]:".contains(c);
    match Url::parse(&format!("{scheme}://{host}/")) {
        Ok(url) if host.chars().all(plain) && url.port().is_none() && url.has_host() => Ok(url),
        Ok(_) => Err("is not the name or the address of a host".into()),
        Err(error) => Err(format!("is not the name or the address of a host: {error}")),
    }
}

fn whole(talk: &Talk, dialect: Dialect, parts: &mut Parts) -> Result<Url, CliError> {
    let check = |text: &str| {
        let address = DatabaseUrl::parse(text)?;
        let engine: crate::source::Engine = address.engine().into();
        match engine == dialect.engine() {
            true => Url::parse(text).map(|_| ()).map_err(|error| error.to_string()),
            false => Err(format!("must begin with {}:", dialect.name())),
        }
    };
    let text = talk.line(&words::ADDRESS, &parts.whole, check)?;
    let url = Url::parse(&text).map_err(anyhow::Error::from)?;
    parts.whole = without_password(url.clone()).0.into();
    Ok(url)
}

/// The address alone, and the password that it held.
fn without_password(mut url: Url) -> (Url, Option<String>) {
    let password = url.password().map(decoded);
    let _ = url.set_password(None);
    (url, password)
}

fn decoded(text: &str) -> String {
    // What stands in an address is read as a form's value is, but for two signs, which stand for themselves.
    let form = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn socket(url: &Url) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == "host").map(|(_, value)| value.into_owned())
}

fn filled(talk: &Talk, text: &str) -> Result<(), String> {
    if text.is_empty() { Err(talk.words(&words::EMPTY, &[])) } else { Ok(()) }
}

fn shown(url: &str) -> String {
    DatabaseUrl::parse(url).map(|url| url.to_string()).unwrap_or_default()
}

async fn tables(database: &Database) -> Result<Vec<Table>, SourceError> {
    let source = database.open()?;
    source.now().await?;
    source.tables().await
}

fn list(talk: &Talk, tables: &[Table]) {
    if tables.is_empty() {
        return talk.say(&words::NO_TABLES, &[]);
    }
    let mut names: Vec<String> = tables.iter().take(LISTED).map(Table::shown).collect();
    if let Some(rest) = tables.len().checked_sub(LISTED).filter(|rest| *rest > 0) {
        names.push(talk.words(&words::AND_MORE, &[&rest]));
    }
    talk.say(&words::TABLES_SEEN, &[&tables.len(), &names.join(", ")]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_leaves_the_address_as_it_was_meant() {
        let url = Url::parse("postgres://vitrina:a%40b+c&d%2F@db/mis").expect("an address");
        let (url, password) = without_password(url);
        assert_eq!((url.as_str(), password.as_deref()), ("postgres://vitrina@db/mis", Some("a@b+c&d/")));
    }

    #[test]
    fn hosts_are_names_addresses_and_folders_of_sockets() {
        let url = |host| with_host("postgres", host).map(String::from);
        assert_eq!(url("db.lan"), Ok("postgres://db.lan/".into()));
        assert_eq!(url("::1"), Ok("postgres://[::1]/".into()));
        assert_eq!(url("/run/postgresql"), Ok("postgres://localhost/?host=%2Frun%2Fpostgresql".into()));
        for bad in ["", "db lan", "db/mis", "user@db", "db:5432x"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_command_names_the_database_and_no_secret() {
        let secret = Secret { file: "mis-password".into(), value: "hunter2".into() };
        let url = "postgres://vitrina@db:5433/mis".into();
        let database = Database { dialect: Dialect::Postgres, url, password: Some(secret), tables: Vec::new() };
        assert_eq!(database.command("v.sql"), "psql -v ON_ERROR_STOP=1 -h db -p 5433 -U OWNER -d mis -f v.sql");
    }
}
