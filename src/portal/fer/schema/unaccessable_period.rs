//! Table 9: periods in which a resource receives nobody. Its key is `period_id` in the body but `id` in addresses and answers.

use super::needs;
use crate::record::{Expiry, Kind, Schema, Unit, must};

pub(super) static SCHEMA: Schema = Schema {
    feed: "unaccessable_period",
    table: "приложение 1, таблица 9",
    fields: &[
        must("period_id", Kind::Guid),
        must("resource_id", Kind::Guid),
        must("reason", Kind::Enum(&["VACATION", "SICK_LEAVE", "FIRED", "REPAIR"])),
        must("beg_date", Kind::Time),
        must("end_date", Kind::PeriodEnd),
        must("create_ts", Kind::Time),
    ],
    key: "period_id",
    discriminator: None,
    parents: &[needs("resource_id", "resource")],
    unit: Unit::OfParent("resource_id"),
    expires: Expiry::At("end_date"),
    place: &[],
    status: None,
    spare: &[],
    yields: &[],
    cascades: &[],
    urgent: false,
    persons: false,
    derived_key: &[],
    shown: &["period_id", "resource_id"],
};
