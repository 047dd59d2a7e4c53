//! Table 1: units of a medical organisation.
//!
//! `address_fias_guid` is text of 36: the table does not ask for a GUID here. One in any form is written canonically all the same, and
//! another text goes out as it is.

use super::{ENABLED, ID, NAME};
use crate::record::{Expiry, Kind, Schema, Unit, may, must};

pub(super) static SCHEMA: Schema = Schema {
    feed: "mo",
    table: "приложение 1, таблица 1",
    fields: &[
        must("id", Kind::Guid),
        must("parent_id", Kind::Oid),
        must("branch_oid", Kind::Oid),
        must("name", Kind::Text(NAME)),
        must("address", Kind::Text(NAME)),
        may("address_fias_guid", Kind::GuidOrText(36)),
        may("region_okato", Kind::Text(11)),
        may("phone", Kind::Text(ID)),
        must("enabled", Kind::Enum(ENABLED)),
        must("create_ts", Kind::Time),
        must("tag_age", Kind::Enum(&["ADULT", "CHILD", "ALL"])),
    ],
    key: "id",
    discriminator: None,
    parents: &[],
    unit: Unit::Itself,
    expires: Expiry::Never,
    place: &["name"],
    status: None,
    spare: &[],
    yields: &[],
    cascades: &["resource", "slot", "book", "service"],
    urgent: false,
    persons: false,
    derived_key: &[],
    shown: &["id", "region_okato"],
};
