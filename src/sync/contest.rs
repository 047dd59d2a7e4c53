//! Contests: a record claims a place that another one holds at the portal (a resource at a time, the name of a unit).
//!
//! The portal refuses such a record (R-330 of the FER gateway), and blocks units that keep trying, so it is not sent. After a read the
//! contested records and the holders of their places are read again by key, in one state of the database, and what their rows say
//! decides: a holder whose row is gone is removed, one whose row wants another place goes first, and where both rows want the place
//! the site has a fault to mend. A ring of records that exchange their places is opened by taking one away for a moment.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{At, Index};
use super::said::{self, Said};
use crate::ledger::{Entry, Mark, State};
use crate::record::{Fingerprint, Key, KeyId, Rule, Schema, Violation};

/// Code of a record whose place the row of another record claims as well.
pub(super) const DUPLICATE_PLACE: &str = "DUPLICATE_PLACE";
/// Times that one version may be tried, and refused over a place that a stranger holds, before that is taken for an answer.
const MOST_REFUSALS: u16 = 3;

/// What each row of a read wants; rows that were not there are not in it.
pub(super) type Wants = BTreeMap<KeyId, Want>;

/// What the row of a record wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Want {
    /// Which place; none when the row breaks rules and so changes nothing.
    pub(super) place: Option<u64>,
    /// Its status says that it gives its place up to another.
    pub(super) yields: bool,
}

/// A record and who holds its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contest {
    pub(super) key: Key,
    pub(super) holder: Key,
    pub(super) place: u64,
    /// The portal's code and text, if it was the portal that noticed.
    pub(super) said: Option<(String, String)>,
}

/// What follows for a contested record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The holder's row is gone.
    HolderGone,
    /// Both rows want the place.
    Fault,
    /// Both rows want the place, and the holder's gives it up.
    HolderYields,
    /// Both rows want the place, and the other one gives it up: a record that is over waits for one that is there, whatever that one's status.
    Yields,
    /// The holder goes elsewhere, or cannot: wait.
    Wait,
}

/// Decides on a contest by what the rows of both want. None when the record's own row is gone, or wants another place by now.
pub(super) fn decide(contest: &Contest, wants: &Wants) -> Option<Decision> {
    let wanted = wants.get(&contest.key.id())?;
    if wanted.place != Some(contest.place) {
        return None;
    }
    Some(match wants.get(&contest.holder.id()) {
        None => Decision::HolderGone,
        Some(holder) if holder.place == Some(contest.place) => match (wanted.yields, holder.yields) {
            (true, _) => Decision::Yields,
            (false, true) => Decision::HolderYields,
            (false, false) => Decision::Fault,
        },
        Some(_) => Decision::Wait,
    })
}

/// True when the holder holds the place only in so far as a version of unknown outcome may have brought it there.
pub(super) fn is_doubtful(contest: &Contest, index: &Index) -> bool {
    let holder = index.find(contest.holder.id());
    holder.is_some_and(|at| !index.in_flight(at) && index.place(at) != Some(contest.place))
}

/// True when the holder may have left the place, or been removed from it, by a request of unknown outcome, and is not sent again by itself:
/// what comes of that tells more than a second refusal.
pub(super) fn may_be_free(contest: &Contest, index: &Index) -> bool {
    let at_rest = |at: &At| !index.in_flight(*at) && index.state(*at) != State::Pending;
    let holder = index.find(contest.holder.id()).filter(at_rest);
    holder.is_some_and(|at| index.may_have_moved(at) || is_doubtful(contest, index))
}

/// True when a fault may be over without anybody noticing: the other record may hold the place only by a version of unknown outcome, and
/// waits or is refused. Its row may want another place by now, and nothing that is sent of it would tell.
pub(super) fn may_be_over(fault: &Contest, index: &Index) -> bool {
    let holder = index.find(fault.holder.id());
    let rests = holder.is_some_and(|at| matches!(index.state(at), State::Held | State::Rejected | State::Yielded));
    rests && may_be_free(fault, index)
}

/// Rings of records of which each waits for the place of the next. Every record waits for at most one other.
pub(super) fn rings(contests: &[Contest]) -> Vec<Vec<KeyId>> {
    let next: BTreeMap<KeyId, KeyId> = contests.iter().map(|contest| (contest.key.id(), contest.holder.id())).collect();
    let mut done = BTreeSet::new();
    let mut rings = Vec::new();
    for start in next.keys() {
        let (mut path, mut position) = (Vec::new(), BTreeMap::new());
        let mut at = *start;
        while !done.contains(&at) && !position.contains_key(&at) {
            position.insert(at, path.len());
            path.push(at);
            match next.get(&at) {
                Some(holder) => at = *holder,
                None => break,
            }
        }
        if let Some(entry) = position.get(&at).filter(|_| next.contains_key(&at)) {
            rings.push(path[*entry..].to_vec());
        }
        done.extend(path);
    }
    rings
}

/// The member of a ring whose status says that nothing hangs on it, so that what the portal removes with it is nothing.
pub(super) fn spare(members: &[At], index: &Index, schema: &Schema) -> Option<At> {
    let is_in = |status: u8| members.iter().copied().find(|at| index.entry(*at).status == Some(status));
    schema.spare_statuses().find_map(is_in)
}

/// The portal refused a record because another holds its place. None when that is no contest: the record claims no place, names
/// itself, or has been refused over and over for a record that nobody here knows.
///
/// With it comes the holder as the ledger is to know it from now on, if something was learnt of it: a process that dies before the contest
/// is decided must not ask the portal again. A holder that is not known is taken into the index for the time being.
pub(super) fn of_refusal(
    feed: &str,
    index: &mut Index,
    entry: &Entry,
    holder: Key,
    said: (&str, &str),
    now: i64,
) -> Option<(Contest, Option<Entry>)> {
    let place = entry.place.filter(|_| holder != entry.key)?;
    let learnt = match index.find(holder.id()) {
        // Its own request says where it goes; if that comes to nothing, it is here.
        Some(at) if index.in_flight(at) => index.see_at(at, place).then(|| seen_in_flight(index, at, place)),
        // It was there when the portal refused, and has gone since: two requests were under way at once.
        Some(at) if index.has_moved(at) => None,
        Some(at) if index.place(at) == Some(place) && !index.may_have_moved(at) => None,
        Some(at) => {
            tracing::debug!(feed, key = %holder, "the portal holds a place for this record, which was not known for sure");
            index.is_at(at, place);
            Some(at).filter(|at| !index.is_stranger(*at)).map(|at| in_doubt(index, at, now))
        }
        None if entry.attempts + 1 >= MOST_REFUSALS => return None,
        None => {
            index.take_in(stranger(&holder, place), now);
            None
        }
    };
    let said = Some((said.0.to_owned(), said.1.to_owned()));
    Some((Contest { key: entry.key.clone(), holder, place, said }, learnt))
}

/// The portal has a record elsewhere than the version would be that it acknowledged, or has one that it never did: the record is to be sent
/// again. That the place is no guess is told from other entries by the mark, which is of the acknowledged version, or of none that anybody sent.
pub(super) fn in_doubt(index: &mut Index, at: At, now: i64) -> Entry {
    let mut entry = index.entry(at);
    entry.mark = Some(Mark::Version(entry.accepted.unwrap_or_else(Fingerprint::unknown)));
    if entry.state == State::Accepted {
        entry.state = State::Pending;
    }
    index.put_at(at, &entry, now);
    entry
}

/// A record in flight is here, unless its own request has moved it since: what a process needs to know that never hears of that request.
/// Which version is here, it cannot know.
fn seen_in_flight(index: &Index, at: At, place: u64) -> Entry {
    let mut entry = index.entry(at);
    let version = entry.accepted.unwrap_or_else(Fingerprint::unknown);
    entry.mark = Some(if index.is_leaving(at) { Mark::Removal } else { Mark::Version(version) });
    entry.place = Some(place);
    if entry.state == State::Accepted {
        entry.state = State::Pending;
    }
    entry
}

/// A record that the portal holds and nobody here knows.
pub(super) fn stranger(key: &Key, place: u64) -> Entry {
    Entry {
        accepted: Some(Fingerprint::unknown()),
        place: Some(place),
        state: State::Accepted,
        ..Entry::new(key.clone())
    }
}

/// Stands for the fault of claiming the place of this record, so that it is not reported anew by every scan.
pub(super) fn fault_of(holder: &Key) -> Fingerprint {
    Fingerprint::of(format!("{DUPLICATE_PLACE}/{holder}").as_bytes())
}

/// True when the ledger has it already that both rows of a contest claim the place.
pub(super) fn is_reported(contest: &Contest, index: &Index) -> bool {
    index.find(contest.key.id()).is_some_and(|at| is_at_fault(index, at, &contest.holder))
}

/// True when a record was reported, or gave way, because its row claims the place of this holder, whose row claims it too.
pub(super) fn is_at_fault(index: &Index, at: At, holder: &Key) -> bool {
    let wanted = index.detail(at).and_then(|detail| detail.wanted);
    matches!(index.state(at), State::Rejected | State::Yielded) && wanted == Some(fault_of(holder))
}

/// A record that gives way to another from now on.
pub(super) fn giving_way(entry: Entry, to: &Key) -> Entry {
    Entry { state: State::Yielded, wanted: Some(fault_of(to)), attempts: 0, next_attempt: None, ..entry }
}

/// What is wrong with a record that claims the place of another.
pub(super) fn fault(schema: &Schema, holder: &Key) -> Violation {
    let fields = schema.place.join(", ");
    let text = said::PLACE_CLAIMED_TWICE.about(&[&fields, &format_args!("{} {holder}", schema.feed)]);
    Violation { field: fields.into(), rule: Rule::DuplicatePlace, text: text.into() }
}

/// Why a contested record waits.
pub(super) fn waiting(feed: &str, holder: &Key) -> Said {
    Said::ours(said::PLACE_TAKEN, &[&format_args!("{feed} {holder}")])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contest(key: u128, holder: u128) -> Contest {
        Contest { key: Key::Guid(key), holder: Key::Guid(holder), place: 7, said: None }
    }

    fn wants(rows: &[(u128, Option<u64>)]) -> Wants {
        rows.iter().map(|(id, place)| (KeyId(*id), Want { place: *place, yields: false })).collect()
    }

    #[test]
    fn what_is_over_gives_way_to_what_counts_and_waits_for_all_else() {
        let decided = |yields: bool, holder_yields: bool| {
            let want = |yields| Want { place: Some(7), yields };
            decide(&contest(1, 2), &Wants::from([(KeyId(1), want(yields)), (KeyId(2), want(holder_yields))]))
        };
        assert_eq!(decided(false, true), Some(Decision::HolderYields));
        assert_eq!(decided(true, false), Some(Decision::Yields));
        assert_eq!(decided(true, true), Some(Decision::Yields), "two that are over are no fault");
        assert_eq!(decided(false, false), Some(Decision::Fault));
    }

    #[test]
    fn the_rows_of_both_decide() {
        type Rows = &'static [(u128, Option<u64>)];
        let table: [(Rows, _); 6] = [
            (&[(1, Some(7))], Some(Decision::HolderGone)),
            (&[(1, Some(7)), (2, Some(7))], Some(Decision::Fault)),
            (&[(1, Some(7)), (2, Some(8))], Some(Decision::Wait)),
            (&[(1, Some(7)), (2, None)], Some(Decision::Wait)),
            (&[(1, Some(9)), (2, Some(7))], None),
            (&[(2, Some(7))], None),
        ];
        for (rows, decision) in table {
            assert_eq!(decide(&contest(1, 2), &wants(rows)), decision, "{rows:?}");
        }
    }

    #[test]
    fn a_holder_that_is_sent_again_by_itself_is_waited_for() {
        let mut index = Index::default();
        let mut holder = Entry {
            accepted: Some(Fingerprint(1)),
            place: Some(7),
            mark: Some(Mark::Version(Fingerprint(2))),
            wanted: Some(Fingerprint(2)),
            state: State::Pending,
            ..Entry::new(Key::Guid(2))
        };
        index.put(&holder, 0);
        assert!(!may_be_free(&contest(1, 2), &index), "its next attempt says where it is");
        holder.state = State::Held;
        index.put(&holder, 0);
        assert!(may_be_free(&contest(1, 2), &index), "nobody but the one that waits can find out");
    }

    #[test]
    fn rings_are_found_and_chains_are_none() {
        assert!(rings(&[contest(1, 2), contest(2, 3)]).is_empty(), "3 moves away by itself");
        assert_eq!(rings(&[contest(1, 2), contest(2, 1)]), [[KeyId(1), KeyId(2)]]);
        let two = rings(&[contest(9, 1), contest(1, 2), contest(2, 3), contest(3, 1), contest(5, 6), contest(6, 5)]);
        assert_eq!(
            two,
            [vec![KeyId(1), KeyId(2), KeyId(3)], vec![KeyId(5), KeyId(6)]],
            "who waits at a ring is not in it"
        );
    }
}
