//! Open files: how many the process may have, and how many connections fit into that.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::serve::CONNECTIONS;

/// Files that the process itself needs: databases, portals, the ledger, and what its libraries hold.
const OWN: usize = 256;
/// Connections that the listener for bookings takes from strangers, and both other listeners.
const LISTENERS: usize = 2 * CONNECTIONS + 16;

/// Raises the limit of open files as far as the system allows. Gives how many connections for bookings fit into it, of so many that are
/// wanted; says so when they are fewer.
pub fn fit(wanted: usize) -> usize {
    let limit = raise();
    let fits = room(limit, wanted);
    if fits < wanted {
        tracing::warn!(
            limit,
            "the process may have {limit} open files, so that only {fits} connections for bookings are taken instead of {wanted}; raise LimitNOFILE of the service to {}, or lower booking.connections",
            wanted + OWN + LISTENERS
        );
    } else if limit < OWN + LISTENERS {
        tracing::warn!(
            limit,
            "the process may have {limit} open files, which may not do; raise LimitNOFILE of the service to {}",
            OWN + LISTENERS
        );
    }
    fits
}

/// Of so many files, how many of the wanted connections can be had beside everything else. Some are taken whatever the limit.
fn room(limit: usize, wanted: usize) -> usize {
    wanted.min(limit.saturating_sub(OWN + LISTENERS).max(limit / 8).max(1))
}

fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    now.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_never_take_the_files_of_the_rest() {
        for (limit, wanted, fits) in
            [(65_536, 2048, 2048), (2832, 2048, 2048), (2048, 2048, 2048 - OWN - LISTENERS), (256, 2048, 32), (0, 8, 1)]
        {
            assert_eq!(room(limit, wanted), fits, "{limit}");
        }
    }

    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        let limit = raise();
        assert!(getrlimit(Resource::Nofile).current.is_none_or(|current| current as usize == limit));
    }
}
