//! Life in the offices: one errand after another, in rounds, so that a short demo shows each of them.
//!
//! Only what the portals can follow happens: the register of training gets new protocols and no changes, polls and votings change and stay,
//! courses come, change and go, documents stay as they are.

use chrono::Local;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{Office, courses, training, voting};
use crate::demo::hospital::{Hospital, HospitalError};

/// What an office can have to do.
#[derive(Debug, Clone, Copy)]
enum Errand {
    Learn,
    Test,
    Vote,
    CorrectCourse,
    CorrectPoll,
    Join,
    CloseCourse,
    OpenVoting,
    Decide,
    OpenCourse,
}

/// A round: as often as it happens in it.
const ROUND: [Errand; 12] = [
    Errand::Vote,
    Errand::CorrectCourse,
    Errand::Test,
    Errand::Learn,
    Errand::CorrectPoll,
    Errand::CloseCourse,
    Errand::Join,
    Errand::OpenVoting,
    Errand::Learn,
    Errand::Vote,
    Errand::Decide,
    Errand::OpenCourse,
];

/// The driver of the offices' life.
#[derive(Debug)]
pub struct OfficeLife {
    hospital: Hospital,
    rng: StdRng,
    done: usize,
}

impl OfficeLife {
    pub(in crate::demo::hospital) fn new(hospital: Hospital, seed: u64) -> Self {
        OfficeLife { hospital, rng: StdRng::seed_from_u64(seed), done: 0 }
    }

    /// The next errand, in one transaction; how many rows it added or changed.
    pub async fn tick(&mut self) -> Result<u64, HospitalError> {
        let errand = ROUND[self.done % ROUND.len()];
        self.done += 1;
        Box::pin(self.run(errand)).await.map_err(|source| self.hospital.failed(source))
    }

    async fn run(&mut self, errand: Errand) -> Result<u64, sqlx::Error> {
        let mut tx = self.hospital.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut office = Office { conn: &mut tx, rng: &mut self.rng, today: Local::now().date_naive() };
        let changed = match errand {
            Errand::Learn => courses::learn(&mut office).await?,
            Errand::Test => training::protocol(&mut office, 2, 0).await?,
            Errand::Vote => voting::vote(&mut office).await?,
            Errand::CorrectCourse => courses::correct(&mut office).await?,
            Errand::CorrectPoll => voting::correct(&mut office).await?,
            Errand::Join => courses::join(&mut office).await?,
            Errand::CloseCourse => courses::close(&mut office).await?,
            Errand::OpenVoting => voting::open(&mut office).await?,
            Errand::Decide => voting::decide(&mut office).await?,
            Errand::OpenCourse => courses::open(&mut office).await?,
        };
        tx.commit().await?;
        Ok(changed)
    }
}
