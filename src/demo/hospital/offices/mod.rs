//! The hospital's other offices: labour protection, the education platform, public relations, personnel. Each keeps tables of its own, lives
//! on while the demo runs, and says what its portal should hold.

mod cms;
mod courses;
mod documents;
mod life;
mod papers;
mod training;
mod voting;

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{Datelike, NaiveDate};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sqlx::{SqliteConnection, SqlitePool};

pub(crate) use cms::signature;
pub(crate) use documents::digest;
pub use life::OfficeLife;
pub use papers::{PaperError, write_papers};

use crate::demo::feed::Feed;
use crate::demo::fer::Records;

/// What the other portals should hold, by feed and key.
pub type OfficeRecords = BTreeMap<Feed, Records>;

/// Told from the seed of the schedules, so that neither depends on how much of the other is made.
const SALT: u64 = 0x0ff1_ce00;

/// An office at work: its tables, its dice, its calendar.
struct Office<'a> {
    conn: &'a mut SqliteConnection,
    rng: &'a mut StdRng,
    today: NaiveDate,
}

impl Office<'_> {
    /// A day so long ago, as the tables keep it.
    fn days_ago(&self, days: u64) -> String {
        self.today.checked_sub_days(chrono::Days::new(days)).unwrap_or(self.today).to_string()
    }

    /// The year that the papers of today are numbered by.
    fn year(&self) -> i32 {
        self.today.year()
    }
}

/// Makes tables, rows and views of all offices.
pub(super) async fn fill(conn: &mut SqliteConnection, seed: u64, today: NaiveDate) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(include_str!("schema.sql")).execute(&mut *conn).await?;
    let mut rng = StdRng::seed_from_u64(seed ^ SALT);
    let mut office = Office { conn: &mut *conn, rng: &mut rng, today };
    training::fill(&mut office).await?;
    courses::fill(&mut office).await?;
    voting::fill(&mut office).await?;
    documents::fill(&mut office).await?;
    sqlx::raw_sql(include_str!("views.sql")).execute(conn).await?;
    Ok(())
}

/// What the portals should hold now, what they gave back included. `papers` is the folder of the documents' files.
pub(super) async fn expected(pool: &SqlitePool, papers: &Path) -> Result<OfficeRecords, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let mut expected = OfficeRecords::new();
    expected.insert(Feed::Training, training::expected(&mut tx).await?);
    expected.insert(Feed::Module, courses::modules(&mut tx).await?);
    expected.insert(Feed::Result, courses::results(&mut tx).await?);
    expected.insert(Feed::Poll, voting::polls(&mut tx).await?);
    expected.insert(Feed::Voting, voting::votings(&mut tx).await?);
    expected.insert(Feed::VotingObject, voting::objects(&mut tx).await?);
    expected.insert(Feed::Document, documents::expected(&mut tx, papers).await?);
    tx.rollback().await?;
    Ok(expected)
}
