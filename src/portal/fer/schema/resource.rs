//! Table 2: resources, which are doctors, machines and rooms.
//!
//! `post_id` is marked mandatory without a condition but stands among the fields of a doctor: mandatory for SPECIALIST, left out
//! otherwise, as its neighbours say of themselves. Its list of posts is open: the table shows a part of the register.

use super::{ENABLED, ID, NAME, needs};
use crate::record::{Expiry, Kind, Schema, Unit, may, must, only_when};

const SPECIALIST: &str = "SPECIALIST";
const MACHINE: &str = "MACHINE";
const ROOM: &str = "ROOM";

pub(super) static SCHEMA: Schema = Schema {
    feed: "resource",
    table: "приложение 1, таблица 2",
    fields: &[
        must("id", Kind::Guid),
        must("type", Kind::Enum(&[SPECIALIST, MACHINE, ROOM])),
        must("mo_id", Kind::Guid),
        must("enabled", Kind::Enum(ENABLED)),
        must("create_ts", Kind::Time),
        only_when(SPECIALIST, "post_id", Kind::IdText(ID)),
        only_when(SPECIALIST, "speciality_id", Kind::IdText(ID)),
        only_when(SPECIALIST, "snils", Kind::Snils),
        only_when(SPECIALIST, "last_name", Kind::Text(NAME)),
        only_when(SPECIALIST, "first_name", Kind::Text(NAME)),
        may("middle_name", Kind::Text(NAME)),
        may("description", Kind::Text(NAME)),
        only_when(MACHINE, "machine_name", Kind::Text(NAME)),
        only_when(ROOM, "room_number", Kind::Text(ID)),
        only_when(ROOM, "room_name", Kind::Text(NAME)),
    ],
    key: "id",
    discriminator: Some("type"),
    parents: &[needs("mo_id", "mo")],
    unit: Unit::Field("mo_id"),
    expires: Expiry::Never,
    place: &[],
    status: None,
    spare: &[],
    yields: &[],
    cascades: &["slot", "book", "service"],
    urgent: false,
    persons: true,
    derived_key: &[],
    shown: &["id", "mo_id", "post_id", "speciality_id"],
};
