//! What a resource of the demo hospital is and does: its id alone decides, so that no table has to be asked.

use super::people::{MACHINES, POSTS, Post, ROOMS};

/// The kinds of resources in the hospital's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResourceKind {
    Doctor,
    Machine,
    Room,
}

impl ResourceKind {
    /// How the hospital calls it.
    pub(super) fn word(self) -> &'static str {
        match self {
            ResourceKind::Doctor => "врач",
            ResourceKind::Machine => "аппарат",
            ResourceKind::Room => "кабинет",
        }
    }
}

/// Eight of ten resources are doctors.
pub(super) fn kind_of(resource_id: i64) -> ResourceKind {
    match resource_id % 10 {
        0 => ResourceKind::Room,
        5 => ResourceKind::Machine,
        _ => ResourceKind::Doctor,
    }
}

fn nth<const N: usize, T>(list: &'static [T; N], number: i64) -> &'static T {
    &list[number.unsigned_abs() as usize % N]
}

/// A doctor's post.
pub(super) fn post_of(resource_id: i64) -> &'static Post {
    nth(&POSTS, resource_id)
}

/// A machine with its service and profile.
pub(super) fn machine_of(resource_id: i64) -> &'static (&'static str, &'static str, i64) {
    nth(&MACHINES, resource_id)
}

/// A room with its service and profile.
pub(super) fn room_of(resource_id: i64) -> &'static (&'static str, &'static str, i64) {
    nth(&ROOMS, resource_id)
}

/// The code of a resource's service and of its profile.
pub(super) fn work_of(resource_id: i64) -> (&'static str, i64) {
    match kind_of(resource_id) {
        ResourceKind::Doctor => (post_of(resource_id).service, post_of(resource_id).profile),
        ResourceKind::Machine => (machine_of(resource_id).1, machine_of(resource_id).2),
        ResourceKind::Room => (room_of(resource_id).1, room_of(resource_id).2),
    }
}
