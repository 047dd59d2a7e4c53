//! What is gone: records that a complete full scan did not see.

use super::index::{At, Index};
use crate::ledger::{Settlement, State};

/// How long the tombstone of a past record satisfies its children, in seconds.
const TOMBSTONE: i64 = 90 * 86_400;

/// Records whose rows are gone. What never reached the portal is forgotten, and so is what is past, but for a tombstone where children may
/// ask for it. What the portal holds, or may hold, is counted; nothing newer is wanted of it any more.
pub(super) fn take(index: &mut Index, settlement: &mut Settlement, has_children: bool, now: i64) -> u64 {
    let mut vanished = 0;
    for at in index.unseen() {
        let marked = index.detail(at).is_some_and(|detail| detail.mark.is_some());
        let held_by_portal = index.accepted(at).is_some() || marked;
        let past = index.expiry(at).filter(|expiry| *expiry < now);
        match past {
            Some(expiry) if has_children && held_by_portal && now - expiry < TOMBSTONE => {
                if index.state(at) != State::Past {
                    restate(index, at, State::Past, settlement, now);
                }
            }
            Some(_) => forget(index, at, settlement),
            None if !held_by_portal => forget(index, at, settlement),
            None => {
                vanished += 1;
                if !marked && index.state(at) != State::Accepted {
                    restate(index, at, State::Accepted, settlement, now);
                }
            }
        }
    }
    vanished
}

fn forget(index: &mut Index, at: At, settlement: &mut Settlement) {
    let key = index.key(at);
    settlement.cleared.push(key.clone());
    settlement.dropped.push(key);
    index.forget(at);
}

fn restate(index: &mut Index, at: At, state: State, settlement: &mut Settlement, now: i64) {
    let mut entry = index.entry(at);
    entry.state = state;
    entry.mark = None;
    entry.wanted = None;
    entry.attempts = 0;
    entry.next_attempt = None;
    settlement.cleared.push(entry.key.clone());
    index.put_at(at, &entry, now);
    settlement.entries.push(entry);
}
