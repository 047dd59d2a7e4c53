//! The wire as the document has it, written a second time and independently of the encoder: what each row must look like when it
//! arrives, and how a field is read back.

use chrono::DateTime;

use crate::hospital::{Body, Feed, Id, Row};

const CREATED: &str = "2023-10-01T00:00:00";

/// A word that stands for personal data: it must turn up nowhere but on the wire.
pub const PERSON: &str = "Personova";

/// A GUID in its one form.
pub fn guid(id: Id) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The patient of a booking whose content is of this version.
pub fn patient(detail: u64) -> Id {
    0x9a71_0000_0000 + Id::from(detail)
}

pub fn time(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).expect("a year of four digits").format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Eleven digits; numbers as small as these have no check sum.
pub fn snils(detail: u64) -> String {
    format!("{:09}00", detail % 1_000_000 + 1)
}

/// The body of a row; none when it breaks a rule.
pub fn body(feed: Feed, row: &Row) -> Option<Body> {
    if row.bad {
        return None;
    }
    let (id, detail) = (guid(row.id), row.detail);
    let text = match feed {
        Feed::Mo => format!(
            r#"{{"id":"{id}","parent_id":"1.2.3","branch_oid":"1.2.3.4","name":"Unit {detail}","address":"Street 1","enabled":"ALL","create_ts":"{CREATED}","tag_age":"ALL"}}"#
        ),
        Feed::Resource => format!(
            r#"{{"id":"{id}","type":"SPECIALIST","mo_id":"{}","enabled":"ALL","create_ts":"{CREATED}","post_id":"4","speciality_id":"5","snils":"{}","last_name":"{PERSON}{detail}","first_name":"A"}}"#,
            guid(row.unit),
            snils(detail)
        ),
        Feed::Service => format!(
            r#"{{"id":"{id}","resource_id":"{}","code":"S{detail}","create_ts":"{CREATED}"}}"#,
            guid(row.resource)
        ),
        Feed::Profile => format!(
            r#"{{"id":"{id}","resource_id":"{}","profile_code":"P{detail}","create_ts":"{CREATED}"}}"#,
            guid(row.resource)
        ),
        Feed::Period => format!(
            r#"{{"period_id":"{id}","resource_id":"{}","reason":"REPAIR","beg_date":"{CREATED}","end_date":"{}","create_ts":"{CREATED}"}}"#,
            guid(row.resource),
            time(row.time)
        ),
        Feed::Slot => format!(
            r#"{{"id":"{id}","mo_id":"{}","resource_id":"{}","tag_type":"EPGU","tag_age":"ALL","visit_time":"{}","duration":{},"status":"{}","create_ts":"{CREATED}"}}"#,
            guid(row.unit),
            guid(row.resource),
            time(row.time),
            detail % 90 + 1,
            row.status
        ),
        Feed::Referral => {
            let end = if row.time == 0 { String::new() } else { format!(r#""end_date":"{}","#, time(row.time)) };
            format!(
                r#"{{"id":"{id}","patient_id":"{PERSON}","speciality_id":"5","number":"N{detail}","type":"CONSULTATION","start_date":"{CREATED}",{end}"to_mo_id":"{}","to_profile_code":"7","to_post_name":"Post","from_resource_id":"{}","status":"{}","create_ts":"{CREATED}","referral_type_code":"1","to_mo_oid":"1.2.3","from_mo_oid":"1.2.3"}}"#,
                guid(row.unit),
                guid(row.resource),
                row.status
            )
        }
        Feed::Book => {
            let referral = row.referral.map(|id| format!(r#""referral_id":"{}","#, guid(id))).unwrap_or_default();
            format!(
                r#"{{"id":"{id}","patient_id":"{}","slot_id":"{}","status_code":{},"tag_source":"REG","type":"APPOINTMENT",{referral}"create_ts":"{CREATED}"}}"#,
                guid(patient(detail)),
                guid(row.slot),
                row.status
            )
        }
    };
    Some(text.into())
}

/// The value of a text field of a body.
pub fn field<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let start = body.find(&format!("\"{name}\":\""))? + name.len() + 4;
    body[start..].split('"').next()
}

/// The id that a field of a body holds.
pub fn id_in(body: &str, name: &str) -> Option<Id> {
    Id::from_str_radix(&field(body, name)?.replace('-', ""), 16).ok()
}

/// What only one record of a feed may hold: a doctor's time, a unit's name.
pub fn place(feed: Feed, body: &str) -> Option<String> {
    match feed {
        Feed::Slot => Some(format!("{} {}", field(body, "resource_id")?, field(body, "visit_time")?)),
        Feed::Mo => field(body, "name").map(str::to_owned),
        Feed::Resource | Feed::Service | Feed::Profile | Feed::Period | Feed::Referral | Feed::Book => None,
    }
}
