//! The first fill: departments, resources and what hangs on them, then the schedule with its visits, all from one seed
//! and in one transaction.

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::{Sqlite, SqlitePool, Transaction};

use super::HospitalSettings;
use super::faults;
use super::offices;
use super::people::{self, DEPARTMENTS, STREETS, pick};
use super::rows::{self, Absence, ROWS_PER_INSERT, Referral, Slot, Visit, referral_state, slot_state};
use super::work::{ResourceKind, kind_of, machine_of, post_of, room_of, work_of};

/// Visits of one resource in a day, one after another from eight o'clock.
pub(super) const VISITS_PER_DAY: u32 = 24;
/// Length of a visit in minutes.
pub(super) const MINUTES: i64 = 20;
/// The organization that all departments belong to.
const ORG_OID: &str = "1.2.643.5.1.13.13.12.2.86.8902";
/// Most patients with a referral who may book.
const MOST_PATIENTS: i64 = 1000;
/// Resources of one department.
const RESOURCES_PER_DEPARTMENT: u32 = 8;

/// Makes tables, rows, indexes and views.
pub(super) async fn fill(pool: &SqlitePool, settings: &HospitalSettings) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::raw_sql(include_str!("schema.sql")).execute(&mut *tx).await?;
    let mut filler = Filler::new(settings);
    filler.departments(&mut tx).await?;
    filler.resources(&mut tx).await?;
    filler.belongings(&mut tx).await?;
    filler.free_referrals(&mut tx).await?;
    filler.schedule(&mut tx).await?;
    faults::add(&mut tx, &mut filler).await?;
    filler.patients(&mut tx).await?;
    sqlx::raw_sql(include_str!("indexes.sql")).execute(&mut *tx).await?;
    sqlx::raw_sql(include_str!("views.sql")).execute(&mut *tx).await?;
    let today = settings.first_day.checked_sub_days(Days::new(1)).unwrap_or(settings.first_day);
    offices::fill(&mut tx, settings.seed, today).await?;
    tx.commit().await
}

/// State of a fill.
pub(super) struct Filler {
    pub(super) rng: StdRng,
    pub(super) first_day: NaiveDate,
    pub(super) faulty: u32,
    slots: u32,
    days: u32,
    departments: i64,
    resources: i64,
    last_slot: i64,
    last_referral: i64,
    written: u32,
}

impl Filler {
    fn new(settings: &HospitalSettings) -> Self {
        let resources = settings.slots.div_ceil(settings.days * VISITS_PER_DAY).max(RESOURCES_PER_DEPARTMENT);
        Filler {
            rng: StdRng::seed_from_u64(settings.seed),
            first_day: settings.first_day,
            faulty: settings.faulty,
            slots: settings.slots,
            days: settings.days,
            departments: i64::from(resources.div_ceil(RESOURCES_PER_DEPARTMENT)),
            resources: i64::from(resources),
            last_slot: 0,
            last_referral: 0,
            written: 0,
        }
    }

    /// A time of writing: a month before the schedule, a second later with every row.
    pub(super) fn written_at(&mut self) -> String {
        self.written = (self.written + 1) % (14 * 24 * 3600);
        let month_before = self.first_day.checked_sub_days(Days::new(30)).unwrap_or(self.first_day);
        text(month_before.and_time(NaiveTime::MIN) + TimeDelta::seconds(i64::from(self.written)))
    }

    async fn departments(&mut self, tx: &mut Transaction<'_, Sqlite>) -> Result<(), sqlx::Error> {
        for id in 1..=self.departments {
            let kind = DEPARTMENTS[(id - 1).unsigned_abs() as usize % DEPARTMENTS.len()];
            let at = self.written_at();
            let ages = ["все", "дети", "взрослые"][self.rng.random_range(0..3)];
            let query = "INSERT INTO departments VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)";
            sqlx::query(query)
                .bind(id)
                .bind(people::guid(&mut self.rng).to_uppercase())
                .bind(ORG_OID)
                .bind(format!("{ORG_OID}.0.{}", 163_000 + id))
                .bind(format!("{kind} № {id}"))
                .bind(format!("г. Югорск, {}, дом {}", pick(&mut self.rng, &STREETS), self.rng.random_range(1..120)))
                .bind(self.rng.random_bool(0.8).then(|| people::guid(&mut self.rng)))
                .bind("71187000000")
                .bind(self.rng.random_bool(0.9).then(|| format!("+7 (34675) 2-{:02}-{:02}", id % 100, id / 100 % 100)))
                .bind(self.rng.random_range(1..=3_i64))
                .bind(ages)
                .bind(at)
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }

    async fn resources(&mut self, tx: &mut Transaction<'_, Sqlite>) -> Result<(), sqlx::Error> {
        for id in 1..=self.resources {
            self.resource(tx, id, kind_of(id)).await?;
        }
        Ok(())
    }

    /// One resource; its id says its department.
    pub(super) async fn resource(
        &mut self,
        tx: &mut Transaction<'_, Sqlite>,
        id: i64,
        kind: ResourceKind,
    ) -> Result<(), sqlx::Error> {
        let query = "INSERT INTO resources VALUES ($1, $2, $3, $4, $5, 0, $6, $6)";
        sqlx::query(query)
            .bind(id)
            .bind(people::guid(&mut self.rng))
            .bind(kind.word())
            .bind(self.department_of(id))
            .bind(self.rng.random_range(1..=3_i64))
            .bind(self.written_at())
            .execute(&mut **tx)
            .await?;
        let detail = match kind {
            ResourceKind::Doctor => return self.doctor(tx, id).await,
            ResourceKind::Machine => {
                sqlx::query("INSERT INTO machines VALUES ($1, $2)").bind(id).bind(machine_of(id).0)
            }
            ResourceKind::Room => {
                sqlx::query("INSERT INTO rooms VALUES ($1, $3, $2)").bind(id).bind(room_of(id).0).bind(100 + id % 400)
            }
        };
        detail.execute(&mut **tx).await?;
        Ok(())
    }

    async fn doctor(&mut self, tx: &mut Transaction<'_, Sqlite>, id: i64) -> Result<(), sqlx::Error> {
        let person = people::person(&mut self.rng);
        let post = post_of(id);
        sqlx::query("INSERT INTO doctors VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(id)
            .bind(post.code)
            .bind(post.speciality)
            .bind(people::snils(&mut self.rng))
            .bind(person.last_name)
            .bind(person.first_name)
            .bind(person.middle_name)
            .bind(self.rng.random_bool(0.2).then_some("Приём по вторникам ведёт другой специалист"))
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// A service and a profile for every resource, an absence for some.
    async fn belongings(&mut self, tx: &mut Transaction<'_, Sqlite>) -> Result<(), sqlx::Error> {
        let mut absences = Vec::new();
        for id in 1..=self.resources {
            let (service, profile) = work_of(id);
            self.service(tx, id, service).await?;
            let query = "INSERT INTO profiles (guid, resource_id, profile_code, created_at, updated_at) \
                         VALUES ($1, $2, $3, $4, $4)";
            sqlx::query(query)
                .bind(people::guid(&mut self.rng))
                .bind(id)
                .bind(profile)
                .bind(self.written_at())
                .execute(&mut **tx)
                .await?;
            if id % 7 == 0 {
                absences.push(self.absence(id));
            }
        }
        rows::insert_absences(tx, &absences).await
    }

    /// A service; its GUID stands without hyphens, in upper case.
    pub(super) async fn service(
        &mut self,
        tx: &mut Transaction<'_, Sqlite>,
        resource_id: i64,
        code: &str,
    ) -> Result<i64, sqlx::Error> {
        let query = "INSERT INTO services (guid, resource_id, code, price, created_at, updated_at) \
                     VALUES ($1, $2, $3, $4, $5, $5)";
        let done = sqlx::query(query)
            .bind(people::guid(&mut self.rng).replace('-', "").to_uppercase())
            .bind(resource_id)
            .bind(code)
            .bind(self.rng.random_bool(0.5).then(|| f64::from(self.rng.random_range(1_000..9_000)) / 4.0))
            .bind(self.written_at())
            .execute(&mut **tx)
            .await?;
        Ok(done.last_insert_rowid())
    }

    /// An absence far behind the schedule, so that it stands in no slot's way.
    fn absence(&mut self, resource_id: i64) -> Absence {
        let begins = self.first_day.checked_add_days(Days::new(120)).unwrap_or(self.first_day).and_time(NaiveTime::MIN);
        let cause = if kind_of(resource_id) == ResourceKind::Doctor { "отпуск" } else { "ремонт" };
        Absence {
            guid: people::guid(&mut self.rng).to_uppercase(),
            resource_id,
            cause,
            begins_on: text(begins),
            ends_on: text(begins + TimeDelta::days(28) - TimeDelta::seconds(1)),
            written_at: self.written_at(),
        }
    }

    /// Referrals that nobody has used yet: one for fifty slots, at least three.
    async fn free_referrals(&mut self, tx: &mut Transaction<'_, Sqlite>) -> Result<(), sqlx::Error> {
        let mut left = (self.slots / 50).max(3);
        while left > 0 {
            let count = left.min(ROWS_PER_INSERT as u32);
            let chunk: Vec<Referral> = (0..count).map(|_| self.referral(referral_state::AVAILABLE)).collect();
            rows::insert_referrals(tx, &chunk).await?;
            left -= count;
        }
        Ok(())
    }

    /// A referral to some resource of the hospital, given out by another.
    pub(super) fn referral(&mut self, state: i64) -> Referral {
        self.last_referral += 1;
        let id = self.last_referral;
        let target = self.rng.random_range(1..=self.resources);
        let consultation = kind_of(target) == ResourceKind::Doctor;
        let (service, profile) = work_of(target);
        let from = self.rng.random_range(1..=self.resources);
        let starts = self.first_day.and_time(NaiveTime::MIN);
        Referral {
            id,
            guid: people::guid(&mut self.rng),
            patient_id: people::guid(&mut self.rng),
            kind: if consultation { "консультация" } else { "исследование" },
            number: format!("Н-{}/{id:06}", self.first_day.format("%y")),
            speciality_code: consultation.then(|| post_of(target).speciality),
            post_title: consultation.then(|| post_of(target).title),
            service_code: (!consultation).then_some(service),
            starts_on: text(starts),
            ends_on: self.rng.random_bool(0.7).then(|| text(starts + TimeDelta::days(30))),
            to_department_id: self.department_of(target),
            profile_code: profile,
            from_department_id: self.rng.random_bool(0.8).then(|| self.department_of(from)),
            from_resource_id: from,
            state,
            written_at: self.written_at(),
        }
    }

    /// The schedule day by day over all resources, with the visits of taken slots.
    async fn schedule(&mut self, tx: &mut Transaction<'_, Sqlite>) -> Result<(), sqlx::Error> {
        let resources = self.resources;
        let (mut slots, mut referrals, mut visits) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..i64::from(self.slots) {
            let visit = number / resources;
            let slot = self.slot(number % resources + 1, visit);
            if let Some(visit) = self.visit(&slot, &mut referrals) {
                visits.push(visit);
            }
            slots.push(slot);
            if slots.len() == ROWS_PER_INSERT || number + 1 == i64::from(self.slots) {
                rows::insert_slots(tx, &slots).await?;
                rows::insert_referrals(tx, &referrals).await?;
                rows::insert_visits(tx, &visits).await?;
                slots.clear();
                referrals.clear();
                visits.clear();
            }
        }
        Ok(())
    }

    /// The slot of a resource at the n-th visit of its schedule.
    pub(super) fn slot(&mut self, resource_id: i64, visit: i64) -> Slot {
        self.last_slot += 1;
        let state = match self.rng.random_range(0..100) {
            0..20 => slot_state::TAKEN,
            20..23 => slot_state::BLOCKED,
            23..25 => slot_state::CANCELED,
            25 => slot_state::RESERVED,
            _ => slot_state::FREE,
        };
        Slot {
            id: self.last_slot,
            guid: people::guid(&mut self.rng),
            department_id: self.department_of(resource_id),
            resource_id,
            channels: pick(&mut self.rng, &["EPGU,REGISTRY", "EPGU", "ORDINARY", "REFERRAL,EPGU", "INFOMAT,REGISTRY"]),
            ages: pick(&mut self.rng, &["ALL", "ADULT", "CHILD"]),
            starts_at: starts_at(self.first_day, visit),
            minutes: MINUTES,
            state,
            written_at: self.written_at(),
        }
    }

    /// The visit that makes a slot taken, or one that was given up again on some free slots.
    fn visit(&mut self, slot: &Slot, referrals: &mut Vec<Referral>) -> Option<Visit> {
        let dice = self.rng.random_range(0..100);
        let status = match (slot.state, dice) {
            (slot_state::TAKEN, 0..90) => 5000,
            (slot_state::TAKEN, 90..96) => 5020,
            (slot_state::TAKEN, _) => 5030,
            (slot_state::FREE, 0) => 5010,
            (slot_state::FREE, 1) => 5040,
            _ => return None,
        };
        let referral = (status == 5000 && dice < 10).then(|| self.referral(referral_state::TAKEN));
        let written_at = self.written_at();
        let visit = Visit {
            guid: people::guid(&mut self.rng).to_uppercase(),
            patient_id: referral.as_ref().map_or_else(|| people::guid(&mut self.rng), |by| by.patient_id.clone()),
            slot_id: slot.id,
            referral_id: referral.as_ref().map(|by| by.id),
            status,
            source: pick(&mut self.rng, &["EPGU", "REG", "INFOMAT", "DOCTOR"]),
            kind: pick(&mut self.rng, &["APPOINTMENT", "APPOINTMENT", "APPOINTMENT", "DISPENSARY", "PROPHYLACTIC"]),
            written_at,
        };
        referrals.extend(referral);
        Some(visit)
    }

    /// The patients of the free referrals, and as many others again; one in five is a child.
    async fn patients(&mut self, tx: &mut Transaction<'_, Sqlite>) -> Result<(), sqlx::Error> {
        let referred = "SELECT patient_id FROM referrals WHERE state = $1 ORDER BY id LIMIT $2";
        let referred = sqlx::query_scalar(referred).bind(referral_state::AVAILABLE).bind(MOST_PATIENTS);
        let mut guids: Vec<String> = referred.fetch_all(&mut **tx).await?;
        guids.extend((0..guids.len()).map(|_| people::guid(&mut self.rng)).collect::<Vec<_>>());
        for guid in guids {
            let years = if self.rng.random_bool(0.2) { 2..17 } else { 19..90 };
            let age = TimeDelta::days(365 * self.rng.random_range(years) + self.rng.random_range(1..365));
            sqlx::query("INSERT INTO patients (guid, birth_date) VALUES ($1, $2)")
                .bind(guid)
                .bind((self.first_day - age).format("%Y-%m-%d").to_string())
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }

    fn department_of(&self, resource_id: i64) -> i64 {
        (resource_id - 1) % self.departments + 1
    }

    /// An id behind all resources of the regular hospital.
    pub(super) fn resource_behind(&self, number: u32) -> i64 {
        self.resources + 1 + i64::from(number)
    }

    /// How many visits a resource's schedule can hold.
    pub(super) fn visits(&self) -> i64 {
        i64::from(self.days * VISITS_PER_DAY)
    }
}

/// Start of the n-th visit of a schedule that begins on a day.
pub(super) fn starts_at(first_day: NaiveDate, visit: i64) -> String {
    let per_day = i64::from(VISITS_PER_DAY);
    let since = TimeDelta::days(visit / per_day) + TimeDelta::minutes(8 * 60 + visit % per_day * MINUTES);
    text(first_day.and_time(NaiveTime::MIN) + since)
}

/// A time as the hospital's tables keep it.
pub(super) fn text(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}
