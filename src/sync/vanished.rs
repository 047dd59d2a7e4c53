//! What is gone: records that a complete read should have seen and did not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::contest;
use super::index::{At, Index};
use crate::ledger::{Entry, Mark, Settlement, State};
use crate::record::{Key, KeyId};
use crate::transport::is_due;

/// How long the tombstone of a past record satisfies its children, in seconds.
const TOMBSTONE: i64 = 90 * 86_400;

/// Sorts records whose rows are gone. What never reached the portal is forgotten, and so is what is past at `moment`, but for a tombstone
/// where children may ask for it. What the portal holds, or may hold, and whose time is still to come is given back: it is to be removed, if the
/// fuse lets it.
pub(super) fn sort(
    index: &mut Index,
    settlement: &mut Settlement,
    gone: &[KeyId],
    has_children: bool,
    (now, moment): (i64, i64),
) -> Vec<At> {
    let mut to_remove = Vec::new();
    for at in gone.iter().filter_map(|id| index.find(*id)).collect::<Vec<_>>() {
        if index.in_flight(at) || index.is_stranger(at) {
            continue;
        }
        let held_by_portal = index.may_be_at_portal(at);
        let past = index.expiry(at).filter(|expiry| *expiry < moment);
        match (past, index.state(at)) {
            (_, State::Unknown) => {}
            (Some(expiry), state) if has_children && held_by_portal && moment - expiry < TOMBSTONE => {
                if state != State::Past {
                    restate(index, at, State::Past, settlement, now);
                }
            }
            (Some(_), _) => forget(index, at, settlement),
            (None, _) if !held_by_portal => forget(index, at, settlement),
            (None, _) => to_remove.push(at),
        }
    }
    to_remove
}

/// Those of the records that give way which the portal may hold, and whose time is still to come, each with the one that it gives way to.
pub(super) fn sort_giving_way(index: &Index, all: BTreeMap<KeyId, Key>, moment: i64) -> BTreeMap<At, Key> {
    let is_past = |at: At| index.expiry(at).is_some_and(|expiry| expiry < moment);
    let may = |at: &At| {
        let at_rest = !index.in_flight(*at) && !index.is_stranger(*at) && index.state(*at) != State::Unknown;
        at_rest && index.may_be_at_portal(*at) && !is_past(*at)
    };
    all.into_iter().filter_map(|(id, to)| Some((index.find(id).filter(may)?, to))).collect()
}

/// The fuse has let these records give way. One whose removal is under way already, or was refused, keeps its time.
pub(super) fn let_give_way(
    index: &mut Index,
    settlement: &mut Settlement,
    giving_way: BTreeMap<At, Key>,
    run: u64,
    now: i64,
) {
    for (at, to) in giving_way {
        if index.in_flight(at) || (index.state(at) == State::Yielded && contest::is_at_fault(index, at, &to)) {
            continue;
        }
        let entry = contest::giving_way(index.entry(at), &to);
        settlement.cleared.push(entry.key.clone());
        index.put_at(at, &entry, now);
        index.gone_in(at, run);
        settlement.entries.push(entry);
    }
}

/// The fuse has let these records pass. `run` numbers the present, so that feeds with their children can be seen to have run since.
pub(super) fn let_go(
    index: &mut Index,
    settlement: &mut Settlement,
    to_remove: &[At],
    run: u64,
    longest_wait: Duration,
    now: i64,
) {
    for at in to_remove {
        // It may have been taken since they were sorted: it goes with its parent.
        if index.in_flight(*at) {
            continue;
        }
        // One whose removal the portal has refused waits for its slow retry.
        let refused = index.state(*at) == State::Rejected
            && index.detail(*at).is_some_and(|detail| {
                detail.wanted.is_none()
                    && !detail.due
                    && detail.next_attempt.is_some_and(|next| !is_due(next, now, longest_wait))
            });
        if index.state(*at) != State::Gone && !refused {
            restate(index, *at, State::Gone, settlement, now);
            index.gone_in(*at, run);
        }
    }
}

/// The row of a record that was to be removed is there after all. What the portal holds of it is as wanted, unless a removal may have been
/// applied: then the row is read again.
pub(super) fn found_again(index: &mut Index, at: At, now: i64) -> Entry {
    let mut entry = index.entry(at);
    let is_sure = entry.mark.is_none() && entry.accepted.is_some();
    entry.state = if is_sure { State::Accepted } else { State::Pending };
    entry.wanted = None;
    entry.attempts = 0;
    entry.next_attempt = None;
    index.put_at(at, &entry, now);
    entry
}

/// The fuse holds these records back: they stay as the portal has them, and nothing newer is wanted of them.
pub(super) fn hold_back(index: &mut Index, settlement: &mut Settlement, to_remove: &[At], now: i64) {
    for at in to_remove {
        let open = index.in_flight(*at) || index.detail(*at).is_some_and(|detail| detail.mark.is_some());
        if !open && index.state(*at) != State::Accepted {
            restate(index, *at, State::Accepted, settlement, now);
        }
    }
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
    // A tombstone need not know which version is there, but whether one is, or may be.
    let tells = |mark: &Mark| state == State::Past && (*mark == Mark::Removal || entry.accepted.is_none());
    let mark = entry.mark.filter(|mark| state == State::Gone || tells(mark));
    if mark != entry.mark {
        // The version of unknown outcome may have brought another status.
        entry.status = None;
    }
    entry.mark = mark;
    entry.wanted = None;
    entry.attempts = 0;
    entry.next_attempt = None;
    settlement.cleared.push(entry.key.clone());
    index.put_at(at, &entry, now);
    if state == State::Past {
        index.give_up_doubtful_places(at);
    }
    settlement.entries.push(entry);
}
