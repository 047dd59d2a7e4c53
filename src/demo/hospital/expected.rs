//! What the mart should hold: computed from the tables, not from the views, and by code of its own. A form that the
//! encoder gets wrong shows here.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use serde_json::{Map, Value};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};

use super::wire::Wire;
use crate::demo::fer::{Records, Subsystem};

/// What the mart should hold, by subsystem and id.
pub type Expected = BTreeMap<Subsystem, Records>;

/// Every valid row whose parents are valid, as the wire carries it. One read transaction: life may go on meanwhile.
pub(super) async fn expected(pool: &SqlitePool) -> Result<Expected, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let mut expected = Expected::new();
    for subsystem in Subsystem::ALL {
        let faulty = faulty(&mut tx, subsystem).await?;
        let mut rows = sqlx::query(query(subsystem)).fetch(&mut *tx);
        let mut records = Records::new();
        while let Some(row) = rows.try_next().await? {
            if faulty.contains(&row.try_get("row_id")?) {
                continue;
            }
            let record = record(subsystem, &row)?;
            if parents_stand(&expected, subsystem, &record) {
                records.insert(text_of(&record, subsystem.key_field()).to_owned(), record);
            }
        }
        drop(rows);
        expected.insert(subsystem, records);
    }
    tx.rollback().await?;
    Ok(expected)
}

async fn faulty(conn: &mut SqliteConnection, subsystem: Subsystem) -> Result<BTreeSet<i64>, sqlx::Error> {
    let query = sqlx::query_scalar("SELECT row_id FROM demo_faults WHERE feed = $1").bind(subsystem.name());
    Ok(query.fetch_all(conn).await?.into_iter().collect())
}

/// True when every record this one hangs on is expected too; a book that stands needs its slot taken.
fn parents_stand(expected: &Expected, subsystem: Subsystem, record: &Map<String, Value>) -> bool {
    let parent = |of: Subsystem, field: &str| expected.get(&of).and_then(|records| records.get(text_of(record, field)));
    match subsystem {
        Subsystem::Mo | Subsystem::Referral => true,
        Subsystem::Resource => parent(Subsystem::Mo, "mo_id").is_some(),
        Subsystem::Service | Subsystem::ProfilecodeResource | Subsystem::UnaccessablePeriod => {
            parent(Subsystem::Resource, "resource_id").is_some()
        }
        Subsystem::Slot => {
            parent(Subsystem::Mo, "mo_id").is_some() && parent(Subsystem::Resource, "resource_id").is_some()
        }
        Subsystem::Book => parent(Subsystem::Slot, "slot_id").is_some_and(|slot| {
            let given_up = matches!(record.get("status_code").and_then(Value::as_i64), Some(5010 | 5040));
            given_up || text_of(slot, "status") == "RECORDED"
        }),
    }
}

fn text_of<'a>(record: &'a Map<String, Value>, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn query(subsystem: Subsystem) -> &'static str {
    match subsystem {
        Subsystem::Mo => "SELECT *, id AS row_id FROM departments",
        Subsystem::Resource => {
            "SELECT r.*, r.id AS row_id, d.guid AS department, p.*, m.model, k.number, k.title \
             FROM resources r, departments d LEFT JOIN doctors p ON p.resource_id = r.id \
             LEFT JOIN machines m ON m.resource_id = r.id LEFT JOIN rooms k ON k.resource_id = r.id \
             WHERE d.id = r.department_id AND NOT r.archived"
        }
        Subsystem::Service => {
            "SELECT s.*, s.id AS row_id, r.guid AS resource FROM services s, resources r WHERE r.id = s.resource_id"
        }
        Subsystem::ProfilecodeResource => {
            "SELECT p.*, p.id AS row_id, r.guid AS resource FROM profiles p, resources r WHERE r.id = p.resource_id"
        }
        Subsystem::UnaccessablePeriod => {
            "SELECT a.*, a.id AS row_id, r.guid AS resource FROM absences a, resources r WHERE r.id = a.resource_id"
        }
        Subsystem::Slot => {
            "SELECT s.*, s.id AS row_id, (SELECT guid FROM departments WHERE id = s.department_id) AS department, \
             (SELECT guid FROM resources WHERE id = s.resource_id) AS resource FROM slots s"
        }
        Subsystem::Referral => {
            "SELECT f.*, f.id AS row_id, d.guid AS department, d.org_oid, r.guid AS resource, \
             (SELECT guid FROM departments WHERE id = f.from_department_id) AS from_department \
             FROM referrals f, departments d, resources r WHERE d.id = f.to_department_id AND r.id = f.from_resource_id"
        }
        Subsystem::Book => {
            "SELECT v.*, v.id AS row_id, (SELECT guid FROM slots WHERE id = v.slot_id) AS slot, \
             (SELECT guid FROM referrals WHERE id = v.referral_id) AS referral FROM visits v"
        }
    }
}

fn record(subsystem: Subsystem, row: &SqliteRow) -> Result<Map<String, Value>, sqlx::Error> {
    let mut out = Wire::new(row);
    match subsystem {
        Subsystem::Mo => unit(&mut out)?,
        Subsystem::Resource => resource(&mut out)?,
        Subsystem::Service => {
            out.guid("id", "guid")?;
            out.guid("resource_id", "resource")?;
            out.text("code", "code")?;
            out.put("price", row.try_get::<Option<f64>, _>("price")?.map(Value::from));
        }
        Subsystem::ProfilecodeResource => {
            out.guid("id", "guid")?;
            out.guid("resource_id", "resource")?;
            out.number_as_text("profile_code", "profile_code")?;
        }
        Subsystem::UnaccessablePeriod => absence(&mut out)?,
        Subsystem::Slot => slot(&mut out)?,
        Subsystem::Referral => referral(&mut out)?,
        Subsystem::Book => book(&mut out)?,
    }
    out.time("create_ts", "created_at")?;
    Ok(out.record())
}

fn unit(out: &mut Wire<'_>) -> Result<(), sqlx::Error> {
    out.guid("id", "guid")?;
    out.text("parent_id", "org_oid")?;
    out.text("branch_oid", "oid")?;
    out.text("name", "title")?;
    out.text("address", "address")?;
    out.text("address_fias_guid", "fias_guid")?;
    out.text("region_okato", "okato")?;
    out.text("phone", "phone")?;
    out.word("enabled", "attachment", &ATTACHMENT)?;
    let ages: String = out.row.try_get("ages")?;
    let ages = [("взрослые", "ADULT"), ("дети", "CHILD")].into_iter().find(|(ours, _)| *ours == ages);
    out.put("tag_age", Some(ages.map_or("ALL", |(_, wire)| wire).into()));
    Ok(())
}

fn resource(out: &mut Wire<'_>) -> Result<(), sqlx::Error> {
    out.guid("id", "guid")?;
    out.guid("mo_id", "department")?;
    out.word("enabled", "attachment", &ATTACHMENT)?;
    match out.row.try_get::<String, _>("kind")?.as_str() {
        "врач" => {
            out.put("type", Some("SPECIALIST".into()));
            out.number_as_text("post_id", "post_code")?;
            out.number_as_text("speciality_id", "speciality_code")?;
            let snils: i64 = out.row.try_get("snils")?;
            out.put("snils", Some(format!("{snils:011}").into()));
            for field in ["last_name", "first_name", "middle_name"] {
                out.text(field, field)?;
            }
            out.text("description", "note")
        }
        "аппарат" => {
            out.put("type", Some("MACHINE".into()));
            out.text("machine_name", "model")
        }
        _ => {
            out.put("type", Some("ROOM".into()));
            out.number_as_text("room_number", "number")?;
            out.text("room_name", "title")
        }
    }
}

fn absence(out: &mut Wire<'_>) -> Result<(), sqlx::Error> {
    out.guid("period_id", "guid")?;
    out.guid("resource_id", "resource")?;
    let reason = match out.row.try_get::<String, _>("cause")?.as_str() {
        "отпуск" => "VACATION",
        "больничный" => "SICK_LEAVE",
        "уволен" => "FIRED",
        _ => "REPAIR",
    };
    out.put("reason", Some(reason.into()));
    out.time("beg_date", "begins_on")?;
    out.time("end_date", "ends_on")
}

fn slot(out: &mut Wire<'_>) -> Result<(), sqlx::Error> {
    out.guid("id", "guid")?;
    out.guid("mo_id", "department")?;
    out.guid("resource_id", "resource")?;
    out.text("tag_type", "channels")?;
    out.text("tag_age", "ages")?;
    out.time("visit_time", "starts_at")?;
    out.number("duration", "minutes")?;
    out.word("status", "state", &["AVAILABLE", "RECORDED", "CANCELED", "RESERVED", "BLOCKED"])
}

fn referral(out: &mut Wire<'_>) -> Result<(), sqlx::Error> {
    out.guid("id", "guid")?;
    out.text("patient_id", "patient_id")?;
    let consultation = out.row.try_get::<String, _>("kind")? == "консультация";
    out.put("type", Some(if consultation { "CONSULTATION" } else { "RESEARCH" }.into()));
    out.text("number", "number")?;
    out.number_as_text("speciality_id", "speciality_code")?;
    out.text("to_post_name", "post_title")?;
    out.text("to_service_id", "service_code")?;
    out.time("start_date", "starts_on")?;
    out.time("end_date", "ends_on")?;
    out.guid("to_mo_id", "department")?;
    out.number_as_text("to_profile_code", "profile_code")?;
    out.guid("from_mo_id", "from_department")?;
    out.guid("from_resource_id", "resource")?;
    out.word("status", "state", &["AVAILABLE", "RECORDED", "CANCELED"])?;
    out.number_as_text("referral_type_code", "form_code")?;
    out.text("to_mo_oid", "org_oid")?;
    out.text("from_mo_oid", "org_oid")
}

fn book(out: &mut Wire<'_>) -> Result<(), sqlx::Error> {
    out.guid("id", "guid")?;
    out.guid("patient_id", "patient_id")?;
    out.guid("slot_id", "slot")?;
    out.number("status_code", "status")?;
    out.text("tag_source", "source")?;
    out.text("type", "kind")?;
    out.guid("referral_id", "referral")
}

/// Words of the wire by the hospital's codes.
const ATTACHMENT: [&str; 4] = ["NONE", "ATTACHED_MO", "ATTACHED_REG", "ALL"];
