//! Table 7: bookings of patients («бирки»).
//!
//! - `patient_id` is a GUID, lower case with hyphens. The sample `11234455` stands in a request to cancel, not in a record.
//! - `referral_id` is marked mandatory although most bookings have no referral: optional here; the setting `no_referral_id` fills
//!   the gap where a region defines a value for it.
//! - `type`: the booking request splits the preventive examination by age, the table does not; both names are translated.
//! - A booking that stands, took place or was missed needs its slot on the mart as RECORDED (section «Описание подсистемы Book»).

use super::SLOT;
use crate::record::{Edge, Expiry, Hold, Kind, Schema, Unit, may, must};

const TYPES: &[&str] = &[
    "APPOINTMENT",
    "VACCINATION",
    "COVID_VACCINATION",
    "UDVN_DISPENSARY",
    "DISPENSARY",
    "PROPHYLACTIC",
    "D_OBSERVATION",
    "ONLINE_CONSULTING",
    "PAID_APPOINTMENT",
];

const TYPE_ALIASES: &[(&str, &str)] = &[("PROPHYLACTIC_ADULT", "PROPHYLACTIC"), ("PROPHYLACTIC_CHILD", "PROPHYLACTIC")];

const RECORDED_SLOT: Hold =
    Hold::AcceptedAs { status: "RECORDED", field: "status_code", values: &["5000", "5020", "5030"] };

pub(super) static SCHEMA: Schema = Schema {
    feed: "book",
    table: "приложение 1, таблица 7",
    fields: &[
        must("id", Kind::Guid),
        must("patient_id", Kind::Guid),
        must("slot_id", Kind::Guid),
        must("status_code", Kind::IntEnum(&[5000, 5010, 5020, 5030, 5040])),
        must("tag_source", Kind::Enum(&["EPGU", "INFOMAT", "DOCTOR", "REG", "OTHER_WEB"])),
        must("type", Kind::EnumWithAliases(TYPES, TYPE_ALIASES)),
        may("referral_id", Kind::Guid),
        must("create_ts", Kind::Time),
    ],
    key: "id",
    discriminator: None,
    parents: &[
        Edge { field: "slot_id", feed: SLOT, hold: RECORDED_SLOT },
        Edge { field: "referral_id", feed: "referral", hold: Hold::AcceptedIfOurs },
    ],
    unit: Unit::OfParent("slot_id"),
    expires: Expiry::WithParent("slot_id"),
    place: &[],
    status: None,
    spare: &[],
    yields: &[],
    cascades: &[],
    urgent: false,
    persons: true,
    derived_key: &[],
    shown: &["id", "slot_id", "referral_id"],
};
