//! Whichever engine the configuration names, as one type.

use super::{
    Advice, Column, Engine, MySqlSource, PostgresSource, Query, Read, Rows, Source, SourceError, SourceSettings,
    SqliteSource,
};

/// A source of any engine.
#[derive(Debug)]
pub enum AnySource {
    /// A SQLite file.
    Sqlite(SqliteSource),
    /// PostgreSQL.
    Postgres(PostgresSource),
    /// MySQL or MariaDB.
    MySql(MySqlSource),
}

impl AnySource {
    /// Checks the settings. Connects to nothing yet.
    pub fn open(settings: SourceSettings) -> Result<Self, SourceError> {
        Ok(match settings.engine()? {
            Engine::Sqlite => AnySource::Sqlite(SqliteSource::open(settings)?),
            Engine::Postgres => AnySource::Postgres(PostgresSource::open(settings)?),
            Engine::MySql => AnySource::MySql(MySqlSource::open(settings)?),
        })
    }
}

impl Source for AnySource {
    type Rows = Rows;

    async fn columns(&self, query: Query<'_>) -> Result<Vec<Column>, SourceError> {
        match self {
            AnySource::Sqlite(source) => source.columns(query).await,
            AnySource::Postgres(source) => source.columns(query).await,
            AnySource::MySql(source) => source.columns(query).await,
        }
    }

    async fn read(&self, query: Query<'_>, read: Read<'_>) -> Result<Rows, SourceError> {
        match self {
            AnySource::Sqlite(source) => source.read(query, read).await,
            AnySource::Postgres(source) => source.read(query, read).await,
            AnySource::MySql(source) => source.read(query, read).await,
        }
    }

    async fn now(&self) -> Result<i64, SourceError> {
        match self {
            AnySource::Sqlite(source) => source.now().await,
            AnySource::Postgres(source) => source.now().await,
            AnySource::MySql(source) => source.now().await,
        }
    }

    async fn has_relation(&self, name: &str) -> Result<bool, SourceError> {
        match self {
            AnySource::Sqlite(source) => source.has_relation(name).await,
            AnySource::Postgres(source) => source.has_relation(name).await,
            AnySource::MySql(source) => source.has_relation(name).await,
        }
    }

    async fn advice(&self) -> Result<Vec<Advice>, SourceError> {
        match self {
            AnySource::Sqlite(source) => source.advice().await,
            AnySource::Postgres(source) => source.advice().await,
            AnySource::MySql(source) => source.advice().await,
        }
    }
}
