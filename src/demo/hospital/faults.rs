//! Rows that are wrong on purpose, so that a demo shows held and rejected records with their reasons.

use rand::RngExt;
use sqlx::{Sqlite, Transaction};

use super::fill::Filler;
use super::people;
use super::rows::{self, referral_state, slot_state};
use super::work::ResourceKind;

/// Adds the set number of faults, kind after kind.
pub(super) async fn add(tx: &mut Transaction<'_, Sqlite>, filler: &mut Filler) -> Result<(), sqlx::Error> {
    for number in 0..filler.faulty {
        match number % 5 {
            0 => doctor_with_wrong_snils(tx, filler, number).await?,
            1 => slot_of_archived_doctor(tx, filler, number).await?,
            2 => slot_for_unknown_channel(tx, filler, number).await?,
            3 => consultation_without_speciality(tx, filler).await?,
            _ => service_with_overlong_code(tx, filler, number).await?,
        }
    }
    Ok(())
}

/// Rejected; the doctor's service and two slots are held.
async fn doctor_with_wrong_snils(
    tx: &mut Transaction<'_, Sqlite>,
    filler: &mut Filler,
    number: u32,
) -> Result<(), sqlx::Error> {
    let id = filler.resource_behind(number);
    filler.resource(tx, id, ResourceKind::Doctor).await?;
    let spoil = "UPDATE doctors SET snils = snils - snils % 100 + (snils + 1) % 100 WHERE resource_id = $1";
    sqlx::query(spoil).bind(id).execute(&mut **tx).await?;
    note(tx, "resource", id, "СНИЛС с неверной контрольной суммой").await?;
    filler.service(tx, id, "B01.047.001").await?;
    let slots = [0, 1].map(|visit| {
        let mut slot = filler.slot(id, visit);
        slot.state = slot_state::FREE;
        slot
    });
    rows::insert_slots(tx, &slots).await
}

/// Held: the doctor has left the view, a slot was forgotten in the schedule.
async fn slot_of_archived_doctor(
    tx: &mut Transaction<'_, Sqlite>,
    filler: &mut Filler,
    number: u32,
) -> Result<(), sqlx::Error> {
    let id = filler.resource_behind(number);
    filler.resource(tx, id, ResourceKind::Doctor).await?;
    sqlx::query("UPDATE resources SET archived = 1 WHERE id = $1").bind(id).execute(&mut **tx).await?;
    let mut slot = filler.slot(id, 0);
    slot.state = slot_state::FREE;
    rows::insert_slots(tx, &[slot]).await
}

/// Rejected: a word that the portal does not know among the channels.
async fn slot_for_unknown_channel(
    tx: &mut Transaction<'_, Sqlite>,
    filler: &mut Filler,
    number: u32,
) -> Result<(), sqlx::Error> {
    let resource = filler.rng.random_range(1..filler.resource_behind(0));
    let mut slot = filler.slot(resource, filler.visits() + i64::from(number));
    slot.state = slot_state::BLOCKED;
    slot.channels = "EPGU,PHONE";
    let id = slot.id;
    rows::insert_slots(tx, &[slot]).await?;
    note(tx, "slot", id, "неизвестный тип записи").await
}

/// Rejected: mandatory for this type.
async fn consultation_without_speciality(
    tx: &mut Transaction<'_, Sqlite>,
    filler: &mut Filler,
) -> Result<(), sqlx::Error> {
    let mut referral = filler.referral(referral_state::CANCELED);
    referral.kind = "консультация";
    referral.speciality_code = None;
    let id = referral.id;
    rows::insert_referrals(tx, &[referral]).await?;
    note(tx, "referral", id, "направление на консультацию без специальности").await
}

/// Rejected: longer than the portal takes.
async fn service_with_overlong_code(
    tx: &mut Transaction<'_, Sqlite>,
    filler: &mut Filler,
    number: u32,
) -> Result<(), sqlx::Error> {
    let resource = i64::from(number) % (filler.resource_behind(0) - 1) + 1;
    let id = filler.service(tx, resource, &format!("Приём {}", people::POSTS[0].title.repeat(2))).await?;
    note(tx, "service", id, "код услуги длиннее 45 символов").await
}

async fn note(tx: &mut Transaction<'_, Sqlite>, feed: &str, row_id: i64, reason: &str) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO demo_faults VALUES ($1, $2, $3)")
        .bind(feed)
        .bind(row_id)
        .bind(reason)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
