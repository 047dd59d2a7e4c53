//! Table 10: profiles of care that a resource belongs to.

use super::{ID, needs};
use crate::record::{Expiry, Kind, Schema, Unit, must};

pub(super) static SCHEMA: Schema = Schema {
    feed: "profilecode_resource",
    table: "приложение 1, таблица 10",
    fields: &[
        must("id", Kind::Guid),
        must("resource_id", Kind::Guid),
        must("profile_code", Kind::Text(ID)),
        must("create_ts", Kind::Time),
    ],
    key: "id",
    discriminator: None,
    parents: &[needs("resource_id", "resource")],
    unit: Unit::OfParent("resource_id"),
    expires: Expiry::Never,
    place: &[],
    status: None,
    spare: &[],
    yields: &[],
    cascades: &[],
    urgent: false,
    persons: false,
    derived_key: &[],
    shown: &["id", "resource_id", "profile_code"],
};
