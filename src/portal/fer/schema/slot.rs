//! Table 4: slots of a schedule. `duration` is an integer here and a string in the samples; the integer is sent, within a day.

use super::{SLOT, needs};
use crate::record::{Expiry, Kind, Schema, Unit, must};

const TAG_TYPES: &[&str] = &[
    "EPGU",
    "ORDINARY",
    "RESERVE",
    "PAID",
    "CENTER",
    "REFERRAL",
    "D_OBSERVATION",
    "INFOMAT",
    "REGISTRY",
    "EQUEUE",
    "ONLINE",
];

pub(super) static SCHEMA: Schema = Schema {
    feed: SLOT,
    table: "приложение 1, таблица 4",
    fields: &[
        must("id", Kind::Guid),
        must("mo_id", Kind::Guid),
        must("resource_id", Kind::Guid),
        must("tag_type", Kind::EnumList(TAG_TYPES)),
        must("tag_age", Kind::Enum(&["ADULT", "CHILD", "BABY", "ALL"])),
        must("visit_time", Kind::VisitTime),
        must("duration", Kind::Int { min: 1, max: 24 * 60 }),
        must("status", Kind::Enum(&["AVAILABLE", "RECORDED", "CANCELED", "RESERVED", "BLOCKED"])),
        must("create_ts", Kind::Time),
    ],
    key: "id",
    discriminator: None,
    parents: &[needs("mo_id", "mo"), needs("resource_id", "resource")],
    unit: Unit::Field("mo_id"),
    expires: Expiry::At("visit_time"),
    place: &["resource_id", "visit_time"],
    status: Some("status"),
    // A booking may hang on the others, one of ours or one that only the gateway knows of.
    spare: &["AVAILABLE", "BLOCKED", "CANCELED"],
    // A slot that was called off, and a new one of another id at its time: the new one is what a citizen may book.
    yields: &["CANCELED", "BLOCKED"],
    cascades: &["book"],
    // Section «Требования к наполнению данными»: at the mart within half a minute.
    urgent: true,
    persons: false,
    derived_key: &[],
    shown: &["id", "mo_id", "resource_id"],
};
