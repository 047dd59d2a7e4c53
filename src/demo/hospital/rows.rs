//! Rows that both the first fill and later life write: slots, visits, referrals, absences.

use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

/// Rows of one INSERT. Eighteen columns of this many stay far below SQLite's 32,766 variables.
pub(super) const ROWS_PER_INSERT: usize = 500;

/// State of a slot as the hospital codes it.
pub(super) mod slot_state {
    pub(crate) const FREE: i64 = 0;
    pub(crate) const TAKEN: i64 = 1;
    pub(crate) const CANCELED: i64 = 2;
    pub(crate) const RESERVED: i64 = 3;
    pub(crate) const BLOCKED: i64 = 4;
}

/// State of a referral as the hospital codes it.
pub(super) mod referral_state {
    pub(crate) const AVAILABLE: i64 = 0;
    pub(crate) const TAKEN: i64 = 1;
    pub(crate) const CANCELED: i64 = 2;
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: i64,
    pub(super) guid: String,
    pub(super) department_id: i64,
    pub(super) resource_id: i64,
    pub(super) channels: &'static str,
    pub(super) ages: &'static str,
    pub(super) starts_at: String,
    pub(super) minutes: i64,
    pub(super) state: i64,
    pub(super) written_at: String,
}

#[derive(Debug)]
pub(super) struct Visit {
    pub(super) guid: String,
    pub(super) patient_id: String,
    pub(super) slot_id: i64,
    pub(super) referral_id: Option<i64>,
    pub(super) status: i64,
    pub(super) source: &'static str,
    pub(super) kind: &'static str,
    pub(super) written_at: String,
}

#[derive(Debug)]
pub(super) struct Referral {
    pub(super) id: i64,
    pub(super) guid: String,
    pub(super) patient_id: String,
    pub(super) kind: &'static str,
    pub(super) number: String,
    pub(super) speciality_code: Option<i64>,
    pub(super) post_title: Option<&'static str>,
    pub(super) service_code: Option<&'static str>,
    pub(super) starts_on: String,
    pub(super) ends_on: Option<String>,
    pub(super) to_department_id: i64,
    pub(super) profile_code: i64,
    pub(super) from_department_id: Option<i64>,
    pub(super) from_resource_id: i64,
    pub(super) state: i64,
    pub(super) written_at: String,
}

#[derive(Debug)]
pub(super) struct Absence {
    pub(super) guid: String,
    pub(super) resource_id: i64,
    pub(super) cause: &'static str,
    pub(super) begins_on: String,
    pub(super) ends_on: String,
    pub(super) written_at: String,
}

/// Inserts rows, some hundred per statement.
pub(super) async fn insert<T>(
    conn: &mut SqliteConnection,
    into: &'static str,
    rows: &[T],
    bind: impl Fn(&mut Separated<'_, Sqlite, &'static str>, &T),
) -> Result<(), sqlx::Error> {
    for chunk in rows.chunks(ROWS_PER_INSERT) {
        let mut query = QueryBuilder::new(into);
        query.push_values(chunk, |mut values, row| bind(&mut values, row));
        query.build().execute(&mut *conn).await?;
    }
    Ok(())
}

/// Inserts slots.
pub(super) async fn insert_slots(conn: &mut SqliteConnection, slots: &[Slot]) -> Result<(), sqlx::Error> {
    let into = "INSERT INTO slots (id, guid, department_id, resource_id, channels, ages, starts_at, minutes, state, \
                created_at, updated_at) ";
    insert(conn, into, slots, |values, row| {
        values.push_bind(row.id).push_bind(row.guid.clone()).push_bind(row.department_id).push_bind(row.resource_id);
        values.push_bind(row.channels).push_bind(row.ages).push_bind(row.starts_at.clone()).push_bind(row.minutes);
        values.push_bind(row.state).push_bind(row.written_at.clone()).push_bind(row.written_at.clone());
    })
    .await
}

/// Inserts visits.
pub(super) async fn insert_visits(conn: &mut SqliteConnection, visits: &[Visit]) -> Result<(), sqlx::Error> {
    let into = "INSERT INTO visits (guid, patient_id, slot_id, referral_id, status, source, kind, created_at, \
                updated_at) ";
    insert(conn, into, visits, |values, row| {
        values.push_bind(row.guid.clone()).push_bind(row.patient_id.clone()).push_bind(row.slot_id);
        values.push_bind(row.referral_id).push_bind(row.status).push_bind(row.source).push_bind(row.kind);
        values.push_bind(row.written_at.clone()).push_bind(row.written_at.clone());
    })
    .await
}

/// Inserts referrals. All of them are of form 057/у, code 1 of the forms of referrals.
pub(super) async fn insert_referrals(conn: &mut SqliteConnection, rows: &[Referral]) -> Result<(), sqlx::Error> {
    let into = "INSERT INTO referrals (id, guid, patient_id, kind, number, speciality_code, post_title, service_code, \
                starts_on, ends_on, to_department_id, profile_code, from_department_id, from_resource_id, form_code, \
                state, created_at, updated_at) ";
    insert(conn, into, rows, |values, row| {
        values.push_bind(row.id).push_bind(row.guid.clone()).push_bind(row.patient_id.clone()).push_bind(row.kind);
        values.push_bind(row.number.clone()).push_bind(row.speciality_code).push_bind(row.post_title);
        values.push_bind(row.service_code).push_bind(row.starts_on.clone()).push_bind(row.ends_on.clone());
        values.push_bind(row.to_department_id).push_bind(row.profile_code).push_bind(row.from_department_id);
        values.push_bind(row.from_resource_id).push_bind(1_i64).push_bind(row.state);
        values.push_bind(row.written_at.clone()).push_bind(row.written_at.clone());
    })
    .await
}

/// Inserts absences.
pub(super) async fn insert_absences(conn: &mut SqliteConnection, rows: &[Absence]) -> Result<(), sqlx::Error> {
    let into = "INSERT INTO absences (guid, resource_id, cause, begins_on, ends_on, created_at, updated_at) ";
    insert(conn, into, rows, |values, row| {
        values.push_bind(row.guid.clone()).push_bind(row.resource_id).push_bind(row.cause);
        values.push_bind(row.begins_on.clone()).push_bind(row.ends_on.clone());
        values.push_bind(row.written_at.clone()).push_bind(row.written_at.clone());
    })
    .await
}
