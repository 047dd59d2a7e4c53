//! Life in the hospital: bookings, cancellations, visits done or missed, new days of schedule, doctors on leave.
//!
//! A tick is one transaction, as one click of a registrar is. Rows are added and changed, none is removed.

use std::ops::AddAssign;
use std::time::Duration;

use chrono::{NaiveDateTime, NaiveTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::{Row, Sqlite, SqliteConnection, Transaction};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::fill::{self, VISITS_PER_DAY};
use super::people::{self, pick};
use super::rows::{self, Absence, Slot, Visit, referral_state, slot_state};
use super::{Hospital, HospitalError};

/// Changes of one tick at most.
const MOST_CHANGES: u32 = 4;
/// One doctor out of this many is away at most.
const MOST_ON_LEAVE: i64 = 4;

/// The driver of a hospital's life.
#[derive(Debug)]
pub struct Life {
    hospital: Hospital,
    rng: StdRng,
}

/// What has happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lived {
    /// Slots booked.
    pub booked: u64,
    /// Bookings cancelled.
    pub canceled: u64,
    /// Visits done.
    pub done: u64,
    /// Patients who did not come.
    pub missed: u64,
    /// Days opened in somebody's schedule.
    pub opened: u64,
    /// Doctors gone on leave.
    pub on_leave: u64,
}

impl Lived {
    /// Everything that has happened.
    pub fn total(&self) -> u64 {
        self.booked + self.canceled + self.done + self.missed + self.opened + self.on_leave
    }
}

impl AddAssign for Lived {
    fn add_assign(&mut self, other: Self) {
        self.booked += other.booked;
        self.canceled += other.canceled;
        self.done += other.done;
        self.missed += other.missed;
        self.opened += other.opened;
        self.on_leave += other.on_leave;
    }
}

impl Life {
    pub(super) fn new(hospital: Hospital, seed: u64) -> Self {
        Life { hospital, rng: StdRng::seed_from_u64(seed) }
    }

    /// Lives until it is stopped, a tick every so often; what has happened in all.
    pub async fn run(mut self, every: Duration, stop: CancellationToken) -> Result<Lived, HospitalError> {
        let mut clock = tokio::time::interval(every);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lived = Lived::default();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(lived),
                _ = clock.tick() => lived += self.tick().await?,
            }
        }
    }

    /// A few random changes in one transaction.
    pub async fn tick(&mut self) -> Result<Lived, HospitalError> {
        Box::pin(self.change()).await.map_err(|source| self.hospital.failed(source))
    }

    async fn change(&mut self) -> Result<Lived, sqlx::Error> {
        let mut tx = self.hospital.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut lived = Lived::default();
        for _ in 0..self.rng.random_range(1..=MOST_CHANGES) {
            match self.rng.random_range(0..100) {
                0..50 => lived.booked += self.book(&mut tx).await?,
                50..70 => lived.canceled += self.cancel(&mut tx).await?,
                70..87 => lived.done += self.finish(&mut tx, 5020).await?,
                87..95 => lived.missed += self.finish(&mut tx, 5030).await?,
                95..99 => lived.opened += self.open_day(&mut tx).await?,
                _ => lived.on_leave += self.leave(&mut tx).await?,
            }
        }
        tx.commit().await?;
        Ok(lived)
    }

    /// A free slot becomes taken; one booking in seven is by a referral.
    async fn book(&mut self, tx: &mut Transaction<'_, Sqlite>) -> Result<u64, sqlx::Error> {
        let Some(slot_id) = self.some(tx, Table::Slots, slot_state::FREE).await? else { return Ok(0) };
        if is_citizens(tx, slot_id).await? {
            return Ok(0);
        }
        let referral_id = match self.rng.random_range(0..7) {
            0 => self.some(tx, Table::Referrals, referral_state::AVAILABLE).await?,
            _ => None,
        };
        let patient_id = match referral_id {
            Some(id) => {
                set(tx, Table::Referrals, id, referral_state::TAKEN).await?;
                sqlx::query_scalar("SELECT patient_id FROM referrals WHERE id = $1")
                    .bind(id)
                    .fetch_one(&mut **tx)
                    .await?
            }
            None => people::guid(&mut self.rng),
        };
        set(tx, Table::Slots, slot_id, slot_state::TAKEN).await?;
        let visit = Visit {
            guid: people::guid(&mut self.rng).to_uppercase(),
            patient_id,
            slot_id,
            referral_id,
            status: 5000,
            source: pick(&mut self.rng, &["REG", "DOCTOR", "INFOMAT"]),
            kind: "APPOINTMENT",
            written_at: now(),
        };
        rows::insert_visits(tx, &[visit]).await?;
        Ok(1)
    }

    /// A booking is given up: its slot and its referral are free again.
    async fn cancel(&mut self, tx: &mut Transaction<'_, Sqlite>) -> Result<u64, sqlx::Error> {
        let Some(visit_id) = self.some(tx, Table::Visits, 5000).await? else { return Ok(0) };
        let visit = sqlx::query("SELECT slot_id, referral_id FROM visits WHERE id = $1")
            .bind(visit_id)
            .fetch_one(&mut **tx)
            .await?;
        let slot_id = visit.try_get("slot_id")?;
        if is_citizens(tx, slot_id).await? {
            return Ok(0);
        }
        let status = if self.rng.random_bool(0.5) { 5010 } else { 5040 };
        set(tx, Table::Visits, visit_id, status).await?;
        set(tx, Table::Slots, slot_id, slot_state::FREE).await?;
        if let Some(referral) = visit.try_get("referral_id")? {
            set(tx, Table::Referrals, referral, referral_state::AVAILABLE).await?;
        }
        Ok(1)
    }

    /// A booking ends: the patient came, or did not.
    async fn finish(&mut self, tx: &mut Transaction<'_, Sqlite>, status: i64) -> Result<u64, sqlx::Error> {
        let Some(visit_id) = self.some(tx, Table::Visits, 5000).await? else { return Ok(0) };
        set(tx, Table::Visits, visit_id, status).await?;
        Ok(1)
    }

    /// The schedule of one resource gets the day after its last one.
    async fn open_day(&mut self, tx: &mut Transaction<'_, Sqlite>) -> Result<u64, sqlx::Error> {
        let Some(resource_id) = self.some(tx, Table::Resources, 0).await? else { return Ok(0) };
        let last = sqlx::query(
            "SELECT department_id, starts_at, (SELECT max(id) FROM slots) AS last_id FROM slots \
             WHERE resource_id = $1 ORDER BY starts_at DESC LIMIT 1",
        );
        let Some(last) = last.bind(resource_id).fetch_optional(&mut **tx).await? else { return Ok(0) };
        let last_start: NaiveDateTime = last.try_get("starts_at")?;
        let (last_id, department_id): (i64, i64) = (last.try_get("last_id")?, last.try_get("department_id")?);
        let day = last_start.date() + TimeDelta::days(1);
        let slots: Vec<Slot> = (0..i64::from(VISITS_PER_DAY))
            .map(|visit| Slot {
                id: last_id + 1 + visit,
                guid: people::guid(&mut self.rng),
                department_id,
                resource_id,
                channels: "EPGU,REGISTRY",
                ages: "ALL",
                starts_at: fill::starts_at(day, visit),
                minutes: fill::MINUTES,
                state: slot_state::FREE,
                written_at: now(),
            })
            .collect();
        rows::insert_slots(tx, &slots).await?;
        Ok(1)
    }

    /// A doctor who has no absence yet goes on leave: the free slots are blocked. A quarter of them at most.
    async fn leave(&mut self, tx: &mut Transaction<'_, Sqlite>) -> Result<u64, sqlx::Error> {
        let (doctors, away): (i64, i64) =
            sqlx::query_as("SELECT (SELECT count(*) FROM doctors), (SELECT count(*) FROM absences)")
                .fetch_one(&mut **tx)
                .await?;
        let Some(resource_id) = self.some(tx, Table::Resources, 0).await? else { return Ok(0) };
        let busy: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM absences WHERE resource_id = $1) + \
             (SELECT count(*) FROM resources WHERE id = $1 AND kind <> 'врач')",
        )
        .bind(resource_id)
        .fetch_one(&mut **tx)
        .await?;
        if busy > 0 || away * MOST_ON_LEAVE >= doctors {
            return Ok(0);
        }
        let today = Utc::now().date_naive().and_time(NaiveTime::MIN);
        let absence = Absence {
            guid: people::guid(&mut self.rng).to_uppercase(),
            resource_id,
            cause: if self.rng.random_bool(0.6) { "отпуск" } else { "больничный" },
            begins_on: fill::text(today),
            ends_on: fill::text(today + TimeDelta::days(14)),
            written_at: now(),
        };
        rows::insert_absences(tx, &[absence]).await?;
        let block = "UPDATE slots SET state = $1, updated_at = $2 WHERE resource_id = $3 AND state = $4";
        let blocked =
            sqlx::query(block).bind(slot_state::BLOCKED).bind(changed_at()).bind(resource_id).bind(slot_state::FREE);
        blocked.execute(&mut **tx).await?;
        Ok(1)
    }

    /// A random row in a state: the first one behind a random id, so that no table is sorted for it.
    async fn some(
        &mut self,
        conn: &mut SqliteConnection,
        table: Table,
        state: i64,
    ) -> Result<Option<i64>, sqlx::Error> {
        let last: Option<i64> = sqlx::query_scalar(table.last()).fetch_one(&mut *conn).await?;
        let from = self.rng.random_range(0..=last.unwrap_or_default().max(0));
        for from in [from, 0] {
            let found =
                sqlx::query_scalar(table.first_behind()).bind(state).bind(from).fetch_optional(&mut *conn).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

/// Tables that life changes.
#[derive(Debug, Clone, Copy)]
enum Table {
    Resources,
    Slots,
    Referrals,
    Visits,
}

impl Table {
    fn last(self) -> &'static str {
        match self {
            Table::Resources => "SELECT max(id) FROM resources",
            Table::Slots => "SELECT max(id) FROM slots",
            Table::Referrals => "SELECT max(id) FROM referrals",
            Table::Visits => "SELECT max(id) FROM visits",
        }
    }

    fn first_behind(self) -> &'static str {
        match self {
            Table::Resources => "SELECT id FROM resources WHERE archived = $1 AND id >= $2 ORDER BY id LIMIT 1",
            Table::Slots => "SELECT id FROM slots WHERE state = $1 AND id >= $2 ORDER BY id LIMIT 1",
            Table::Referrals => "SELECT id FROM referrals WHERE state = $1 AND id >= $2 ORDER BY id LIMIT 1",
            Table::Visits => "SELECT id FROM visits WHERE status = $1 AND id >= $2 ORDER BY id LIMIT 1",
        }
    }

    fn update(self) -> &'static str {
        match self {
            Table::Resources => "UPDATE resources SET archived = $1, updated_at = $2 WHERE id = $3",
            Table::Slots => "UPDATE slots SET state = $1, updated_at = $2 WHERE id = $3",
            Table::Referrals => "UPDATE referrals SET state = $1, updated_at = $2 WHERE id = $3",
            Table::Visits => "UPDATE visits SET status = $1, updated_at = $2 WHERE id = $3",
        }
    }
}

async fn set(conn: &mut SqliteConnection, table: Table, id: i64, state: i64) -> Result<(), sqlx::Error> {
    sqlx::query(table.update()).bind(state).bind(changed_at()).bind(id).execute(conn).await?;
    Ok(())
}

/// True when a citizen has booked or cancelled at a slot in these seconds. The registrars leave it alone: the gateway has written its own
/// version of it, and hears ours in a moment.
async fn is_citizens(conn: &mut SqliteConnection, slot_id: i64) -> Result<bool, sqlx::Error> {
    let query = "SELECT EXISTS (SELECT 1 FROM visits WHERE slot_id = $1 AND source = 'EPGU' \
                 AND updated_at > strftime('%Y-%m-%d %H:%M:%f', 'now', '-5 seconds'))";
    sqlx::query_scalar(query).bind(slot_id).fetch_one(conn).await
}

/// Now, as rows are dated: the tables keep whole seconds.
fn now() -> String {
    fill::text(Utc::now().naive_utc())
}

/// Now, as changes are dated: to the millisecond.
fn changed_at() -> String {
    Utc::now().format("%Y-%m-%d %H:%M:%S%.3f").to_string()
}
