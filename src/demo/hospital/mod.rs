//! The demo hospital: a small information system in SQLite that the daemon reads like any other, and that lives on while
//! it does.
//!
//! Filled from a seed: the same settings make the same rows. `expected` says, by code that shares nothing with the
//! engine, what the mart should hold; `life` changes rows as a day in a hospital does. `offices` holds what goes to the four
//! other portals, with an expectation and a life of its own.

mod compare;
mod expected;
mod faults;
mod fill;
mod life;
mod offices;
mod people;
mod rows;
mod wire;
mod work;

use std::path::{Path, PathBuf};

use chrono::{Days, Local, NaiveDate};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlitePool};

pub use compare::{Differences, compare};
pub use expected::Expected;
pub use life::{Life, Lived};
pub use offices::{OfficeLife, OfficeRecords, PaperError, write_papers};
pub(crate) use offices::{digest, signature};

use super::feed::Feed;
use super::fer::Subsystem;

/// The zone to name as the source's `timezone`: change times are written in UTC, visits stand on the wall clock as they are.
pub const TIMEZONE: &str = "UTC";

/// Most slots a demo hospital can be asked for.
const MOST_SLOTS: u32 = 10_000_000;
/// Most days of schedule.
const MOST_DAYS: u32 = 366;
/// Most rows made wrong on purpose.
const MOST_FAULTY: u32 = 10_000;

/// What a demo hospital is made from.
#[derive(Debug, Clone)]
pub struct HospitalSettings {
    /// Rows of the schedule, 1 to 10,000,000; everything else follows from them.
    pub slots: u32,
    /// Seed of everything random.
    pub seed: u64,
    /// Rows that are wrong on purpose, so that held and rejected records can be seen.
    pub faulty: u32,
    /// First day of the schedule. Tomorrow by default: no visit passes while somebody watches.
    pub first_day: NaiveDate,
    /// Days of the schedule, 1 to 366.
    pub days: u32,
}

impl Default for HospitalSettings {
    fn default() -> Self {
        let today = Local::now().date_naive();
        let first_day = today.checked_add_days(Days::new(1)).unwrap_or(today);
        HospitalSettings { slots: 5_000, seed: 1, faulty: 6, first_day, days: 14 }
    }
}

/// Why the demo hospital cannot be made, read or changed.
#[derive(Debug, thiserror::Error)]
pub enum HospitalError {
    /// A setting is out of its range.
    #[error("the demo hospital needs {setting} between {min} and {max}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// Smallest value.
        min: u32,
        /// Largest value.
        max: u32,
    },
    /// Something is at the path already.
    #[error("{path} exists already; name a new file for the demo hospital")]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// SQLite refused.
    #[error("the demo hospital's database {path} failed")]
    Database {
        /// The database's file.
        path: PathBuf,
        /// SQLite's reason.
        #[source]
        source: sqlx::Error,
    },
}

/// A hospital in a database file.
#[derive(Debug, Clone)]
pub struct Hospital {
    path: PathBuf,
    pool: SqlitePool,
}

impl Hospital {
    /// Makes the database at a path where nothing is yet, and fills it.
    pub async fn create(path: &Path, settings: HospitalSettings) -> Result<Self, HospitalError> {
        settings.validate()?;
        if path.exists() {
            return Err(HospitalError::Exists { path: path.to_owned() });
        }
        let failed = |source| HospitalError::Database { path: path.to_owned(), source };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            // A large hospital is read whole to be compared: that takes its time and is no news.
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await.map_err(failed)?;
        Box::pin(fill::fill(&pool, &settings)).await.map_err(failed)?;
        Ok(Hospital { path: path.to_owned(), pool })
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The `url` for a source in the configuration.
    pub fn source_url(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    /// Rows that the view of a feed shows now.
    pub async fn rows(&self, feed: impl Into<Feed>) -> Result<u64, HospitalError> {
        let query = match feed.into() {
            Feed::Fer(Subsystem::Mo) => "SELECT count(*) FROM departments",
            Feed::Fer(Subsystem::Resource) => "SELECT count(*) FROM resources WHERE archived = 0",
            Feed::Fer(Subsystem::Service) => "SELECT count(*) FROM services",
            Feed::Fer(Subsystem::ProfilecodeResource) => "SELECT count(*) FROM profiles",
            Feed::Fer(Subsystem::UnaccessablePeriod) => "SELECT count(*) FROM absences",
            Feed::Fer(Subsystem::Slot) => "SELECT count(*) FROM slots",
            Feed::Fer(Subsystem::Referral) => "SELECT count(*) FROM referrals",
            Feed::Fer(Subsystem::Book) => "SELECT count(*) FROM visits",
            Feed::Training => "SELECT count(*) FROM tests",
            Feed::Module => "SELECT count(*) FROM courses WHERE NOT closed",
            Feed::Result => "SELECT count(*) FROM learners",
            Feed::Poll => "SELECT count(*) FROM surveys",
            Feed::Voting => "SELECT count(*) FROM votings",
            Feed::VotingObject => "SELECT count(*) FROM candidates",
            Feed::Document => "SELECT count(*) FROM documents",
        };
        let count: i64 = sqlx::query_scalar(query).fetch_one(&self.pool).await.map_err(|source| self.failed(source))?;
        Ok(count.unsigned_abs())
    }

    /// What the mart should hold once everything has been sent: every valid row whose parents are there too.
    pub async fn expected(&self) -> Result<Expected, HospitalError> {
        Box::pin(expected::expected(&self.pool)).await.map_err(|source| self.failed(source))
    }

    /// Patients who may book: their identifiers in the patient register, and their dates of birth.
    pub async fn patients(&self, most: u32) -> Result<Vec<(String, String)>, HospitalError> {
        let query = sqlx::query_as("SELECT guid, birth_date FROM patients ORDER BY guid LIMIT $1").bind(most);
        query.fetch_all(&self.pool).await.map_err(|source| self.failed(source))
    }

    /// A slot that is free now and open to the state services site: the first one behind a place in the schedule, from 0 to 1.
    pub async fn free_slot(&self, place: f64) -> Result<Option<String>, HospitalError> {
        let query = "SELECT lower(guid) FROM slots WHERE state = 0 AND id >= (SELECT max(id) FROM slots) * $1 \
                     AND instr(channels, 'EPGU') > 0 ORDER BY id LIMIT 1";
        let query = sqlx::query_scalar(query).bind(place);
        query.fetch_optional(&self.pool).await.map_err(|source| self.failed(source))
    }

    /// What the other portals should hold, what they gave back included. `papers` is the folder into which [`write_papers`] wrote.
    pub async fn expected_of_offices(&self, papers: &Path) -> Result<OfficeRecords, HospitalError> {
        Box::pin(offices::expected(&self.pool, papers)).await.map_err(|source| self.failed(source))
    }

    /// Life in the hospital's other offices, with its own seed.
    pub fn office_life(&self, seed: u64) -> OfficeLife {
        OfficeLife::new(self.clone(), seed)
    }

    /// Life in this hospital, with its own seed.
    pub fn life(&self, seed: u64) -> Life {
        Life::new(self.clone(), seed)
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    fn failed(&self, source: sqlx::Error) -> HospitalError {
        HospitalError::Database { path: self.path.clone(), source }
    }
}

impl HospitalSettings {
    fn validate(&self) -> Result<(), HospitalError> {
        let ranges = [
            ("slots", self.slots, 1, MOST_SLOTS),
            ("days", self.days, 1, MOST_DAYS),
            ("faulty", self.faulty, 0, MOST_FAULTY),
        ];
        match ranges.into_iter().find(|(_, value, min, max)| !(min..=max).contains(&value)) {
            Some((setting, _, min, max)) => Err(HospitalError::Setting { setting, min, max }),
            None => Ok(()),
        }
    }
}
