//! The tables of appendix 1 as the gateway checks them.

use super::form::Form::{self, Code, Guid, Minutes, Oid, OneOf, Price, Snils, SomeOf, Text, Time};
use super::subsystem::Subsystem;

/// One row of a table.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) field: &'static str,
    pub(super) need: Need,
    pub(super) form: Form,
}

/// Whether a field must be there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    /// «Да».
    Yes,
    /// «Нет».
    No,
    /// «Обязательно при type = …, при type != … – не указывается».
    OnlyFor(&'static str),
    /// «Обязательно для … с type = …», otherwise free.
    For(&'static str),
    /// Marked «Да», yet most bookings have none: a setting of the gateway decides.
    Setting,
    /// Withdrawn by the document: must not be sent any more.
    Withdrawn,
}

/// Where a mart is free to read the document in two ways.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    /// A book must name a referral.
    pub(super) book_needs_referral: bool,
    /// A referral must hold what the chapter on booking by referral calls obligatory, instead of what table 8 does.
    pub(super) referral_by_scenario: bool,
}

impl Reading {
    /// Whether a field must be there.
    pub(super) fn need(self, subsystem: Subsystem, rule: &Rule) -> Need {
        const FREE: [&str; 6] =
            ["number", "from_resource_id", "create_ts", "referral_type_code", "to_mo_oid", "from_mo_oid"];
        match (rule.need, rule.field) {
            (Need::Setting, _) if self.book_needs_referral => Need::Yes,
            (Need::Setting, _) => Need::No,
            (_, field) if self.referral_by_scenario && subsystem == Subsystem::Referral && FREE.contains(&field) => {
                Need::No
            }
            (_, "to_service_name") if self.referral_by_scenario => Need::For("RESEARCH"),
            (need, _) => need,
        }
    }
}

/// No length is given.
const ANY: usize = usize::MAX;

const ATTACHMENT: Form = OneOf(&["ATTACHED_MO", "ATTACHED_REG", "ALL", "NONE"]);
const SPECIALIST: Need = Need::OnlyFor("SPECIALIST");

const fn yes(field: &'static str, form: Form) -> Rule {
    Rule { field, need: Need::Yes, form }
}

const fn no(field: &'static str, form: Form) -> Rule {
    Rule { field, need: Need::No, form }
}

const fn rule(need: Need, field: &'static str, form: Form) -> Rule {
    Rule { field, need, form }
}

/// The rules of a subsystem's records.
pub(super) fn rules(subsystem: Subsystem) -> &'static [Rule] {
    match subsystem {
        Subsystem::Mo => &MO,
        Subsystem::Resource => &RESOURCE,
        Subsystem::Service => &SERVICE,
        Subsystem::ProfilecodeResource => &PROFILECODE_RESOURCE,
        Subsystem::UnaccessablePeriod => &UNACCESSABLE_PERIOD,
        Subsystem::Slot => &SLOT,
        Subsystem::Referral => &REFERRAL,
        Subsystem::Book => &BOOK,
    }
}

/// Table 1.
static MO: [Rule; 11] = [
    yes("id", Guid),
    yes("parent_id", Oid(45)),
    yes("branch_oid", Oid(ANY)),
    yes("name", Text(512)),
    yes("address", Text(512)),
    no("address_fias_guid", Text(36)),
    no("region_okato", Text(11)),
    no("phone", Text(45)),
    yes("enabled", ATTACHMENT),
    yes("create_ts", Time),
    yes("tag_age", OneOf(&["ADULT", "CHILD", "ALL"])),
];

/// Table 2. The post belongs to the group «Специалист».
static RESOURCE: [Rule; 17] = [
    yes("id", Guid),
    yes("type", OneOf(&["SPECIALIST", "MACHINE", "ROOM"])),
    yes("mo_id", Guid),
    yes("enabled", ATTACHMENT),
    yes("create_ts", Time),
    rule(Need::Withdrawn, "update_ts", Time),
    rule(SPECIALIST, "post_id", Text(45)),
    rule(Need::Withdrawn, "post_name", Text(512)),
    rule(SPECIALIST, "speciality_id", Text(45)),
    rule(SPECIALIST, "snils", Snils),
    rule(SPECIALIST, "last_name", Text(512)),
    rule(SPECIALIST, "first_name", Text(512)),
    no("middle_name", Text(512)),
    no("description", Text(512)),
    rule(Need::OnlyFor("MACHINE"), "machine_name", Text(512)),
    rule(Need::OnlyFor("ROOM"), "room_number", Text(45)),
    rule(Need::OnlyFor("ROOM"), "room_name", Text(512)),
];

/// Table 3.
static SERVICE: [Rule; 5] =
    [yes("id", Guid), yes("resource_id", Guid), yes("code", Text(45)), no("price", Price), yes("create_ts", Time)];

/// Table 4.
static SLOT: [Rule; 9] = [
    yes("id", Guid),
    yes("mo_id", Guid),
    yes("resource_id", Guid),
    yes(
        "tag_type",
        SomeOf(&[
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
        ]),
    ),
    yes("tag_age", OneOf(&["ADULT", "CHILD", "BABY", "ALL"])),
    yes("visit_time", Time),
    yes("duration", Minutes),
    yes("status", OneOf(&["AVAILABLE", "RECORDED", "CANCELED", "RESERVED", "BLOCKED"])),
    yes("create_ts", Time),
];

/// Table 7.
static BOOK: [Rule; 8] = [
    yes("id", Guid),
    yes("patient_id", Guid),
    yes("slot_id", Guid),
    yes("status_code", Code(&[5000, 5010, 5020, 5030, 5040])),
    yes("tag_source", OneOf(&["EPGU", "INFOMAT", "DOCTOR", "REG", "OTHER_WEB"])),
    yes(
        "type",
        OneOf(&[
            "APPOINTMENT",
            "VACCINATION",
            "COVID_VACCINATION",
            "UDVN_DISPENSARY",
            "DISPENSARY",
            "PROPHYLACTIC",
            "D_OBSERVATION",
            "ONLINE_CONSULTING",
            "PAID_APPOINTMENT",
        ]),
    ),
    rule(Need::Setting, "referral_id", Guid),
    yes("create_ts", Time),
];

/// Table 8.
static REFERRAL: [Rule; 23] = [
    yes("id", Guid),
    yes("patient_id", Text(45)),
    rule(Need::For("CONSULTATION"), "speciality_id", Text(45)),
    yes("number", Text(45)),
    yes("type", OneOf(&["CONSULTATION", "RESEARCH"])),
    yes("start_date", Time),
    no("end_date", Time),
    yes("to_mo_id", Guid),
    yes("to_profile_code", Text(45)),
    rule(Need::For("CONSULTATION"), "to_post_name", Text(512)),
    rule(Need::For("RESEARCH"), "to_service_id", Text(45)),
    no("to_service_name", Text(ANY)),
    no("from_mo_id", Guid),
    yes("from_resource_id", Guid),
    yes("status", OneOf(&["AVAILABLE", "RECORDED", "CANCELED"])),
    yes("create_ts", Time),
    no("to_resource_id", Guid),
    no("from_referral_id", Text(ANY)),
    no("from_rmis_id", Text(ANY)),
    yes("referral_type_code", Text(ANY)),
    yes("to_mo_oid", Oid(ANY)),
    yes("from_mo_oid", Oid(ANY)),
    no("from_mnemonic_code", Text(ANY)),
];

/// Table 9.
static UNACCESSABLE_PERIOD: [Rule; 7] = [
    yes("period_id", Guid),
    yes("resource_id", Guid),
    yes("reason", OneOf(&["VACATION", "SICK_LEAVE", "FIRED", "REPAIR"])),
    yes("beg_date", Time),
    yes("end_date", Time),
    yes("create_ts", Time),
    rule(Need::Withdrawn, "update_ts", Time),
];

/// Table 10.
static PROFILECODE_RESOURCE: [Rule; 4] =
    [yes("id", Guid), yes("resource_id", Guid), yes("profile_code", Text(45)), yes("create_ts", Time)];
