//! The eight subsystems of the gateway (sections 5.1 to 5.10 of the document) and how they hang together.

use serde::Serialize;

/// A subsystem: one kind of record of the mart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subsystem {
    /// Departments, table 1.
    Mo,
    /// Doctors, machines and rooms, table 2.
    Resource,
    /// Services, table 3.
    Service,
    /// Profiles of resources, table 10.
    ProfilecodeResource,
    /// Absences of resources, table 9.
    UnaccessablePeriod,
    /// Slots of the schedule, table 4.
    Slot,
    /// Referrals, table 8.
    Referral,
    /// Bookings, table 7.
    Book,
}

impl Subsystem {
    /// All of them, parents before children.
    pub const ALL: [Subsystem; 8] = [
        Subsystem::Mo,
        Subsystem::Resource,
        Subsystem::Service,
        Subsystem::ProfilecodeResource,
        Subsystem::UnaccessablePeriod,
        Subsystem::Slot,
        Subsystem::Referral,
        Subsystem::Book,
    ];

    /// Its name in paths, which is also the name of the feed.
    pub fn name(self) -> &'static str {
        match self {
            Subsystem::Mo => "mo",
            Subsystem::Resource => "resource",
            Subsystem::Service => "service",
            Subsystem::ProfilecodeResource => "profilecode_resource",
            Subsystem::UnaccessablePeriod => "unaccessable_period",
            Subsystem::Slot => "slot",
            Subsystem::Referral => "referral",
            Subsystem::Book => "book",
        }
    }

    /// The subsystem of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Subsystem::ALL.into_iter().find(|subsystem| subsystem.name() == name)
    }

    /// The field with the record's id.
    pub fn key_field(self) -> &'static str {
        match self {
            Subsystem::UnaccessablePeriod => "period_id",
            _ => "id",
        }
    }

    /// Fields that name records which must be in the mart already, and where.
    pub(super) fn parents(self) -> &'static [(&'static str, Subsystem)] {
        match self {
            Subsystem::Mo | Subsystem::Referral => &[],
            Subsystem::Resource => &[("mo_id", Subsystem::Mo)],
            Subsystem::Service | Subsystem::ProfilecodeResource | Subsystem::UnaccessablePeriod => {
                &[("resource_id", Subsystem::Resource)]
            }
            Subsystem::Slot => &[("mo_id", Subsystem::Mo), ("resource_id", Subsystem::Resource)],
            Subsystem::Book => &[("slot_id", Subsystem::Slot)],
        }
    }

    /// What goes with a removed record, section 3.1.5. Profiles, absences and referrals are not named there and stay.
    pub(super) fn cascade(self) -> &'static [Subsystem] {
        match self {
            Subsystem::Mo => &[Subsystem::Resource, Subsystem::Slot],
            Subsystem::Resource => &[Subsystem::Slot, Subsystem::Service],
            Subsystem::Slot => &[Subsystem::Book],
            _ => &[],
        }
    }

    /// How the document's texts begin when they speak of one of its records.
    pub(super) fn locative(self) -> &'static str {
        match self {
            Subsystem::Mo => "В структурном подразделении",
            Subsystem::Resource => "В ресурсе",
            Subsystem::Service => "В услуге",
            Subsystem::ProfilecodeResource => "В профиле ресурса",
            Subsystem::UnaccessablePeriod => "В периоде недоступности",
            Subsystem::Slot => "В слоте",
            Subsystem::Referral => "В направлении",
            Subsystem::Book => "В бирке",
        }
    }

    /// The record's kind in the genitive, for the same texts.
    pub(super) fn genitive(self) -> &'static str {
        match self {
            Subsystem::Mo => "структурного подразделения",
            Subsystem::Resource => "ресурса",
            Subsystem::Service => "услуги",
            Subsystem::ProfilecodeResource => "профиля ресурса",
            Subsystem::UnaccessablePeriod => "периода недоступности",
            Subsystem::Slot => "слота",
            Subsystem::Referral => "направления",
            Subsystem::Book => "бирки",
        }
    }

    /// Position in arrays that hold one thing per subsystem.
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subsystem_stands_at_its_index_after_its_parents() {
        for (position, subsystem) in Subsystem::ALL.into_iter().enumerate() {
            assert_eq!(subsystem.index(), position);
            assert_eq!(Subsystem::parse(subsystem.name()), Some(subsystem));
            assert!(subsystem.parents().iter().all(|(_, parent)| *parent < subsystem));
        }
    }
}
