//! Table 3: services that a resource provides.

use super::{ID, needs};
use crate::record::{Expiry, Kind, Schema, Unit, may, must};

pub(super) static SCHEMA: Schema = Schema {
    feed: "service",
    table: "приложение 1, таблица 3",
    fields: &[
        must("id", Kind::Guid),
        must("resource_id", Kind::Guid),
        must("code", Kind::Text(ID)),
        may("price", Kind::Number),
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
    shown: &["id", "resource_id", "code"],
};
