//! Invariant 8: a read by change time shows every row that no finished cycle has seen, however late it was committed within the overlap,
//! and whatever stamp it shares with another.

use std::collections::{BTreeMap, BTreeSet};

use super::{Evidence, Violation};
use crate::hospital::Feed;
use crate::stage::OVERLAP;
use crate::trace::{Asked, What};

pub fn check(evidence: &Evidence, broken: &mut Vec<Violation>) {
    if !evidence.steady_database || !evidence.honest_source {
        return;
    }
    let mut handled = BTreeSet::new();
    let mut reads: BTreeMap<usize, (Feed, &Asked, &[usize])> = BTreeMap::new();
    // What the running cycle of each feed has been shown.
    let mut shown: BTreeMap<Feed, Vec<usize>> = BTreeMap::new();
    for (at, event) in evidence.events.iter().enumerate() {
        match &event.what {
            What::ReadBegun { read, feed, asked, table } => {
                reads.insert(*read, (*feed, asked, table));
            }
            What::Shown { read, rows } => {
                let feed = reads[read].0;
                shown.entry(feed).or_default().extend(rows);
            }
            What::ReadDone { read } => {
                let (feed, Asked::Changed(since) | Asked::Swept(since), table) = reads[read] else { continue };
                let missed = table.iter().find(|number| {
                    let version = &evidence.versions[**number];
                    let stamp = version.stamp.unwrap_or(i64::MAX);
                    let in_time = version.committed - stamp <= OVERLAP as i64 * 1_000_000;
                    let seen = shown.get(&feed).is_some_and(|shown| shown.contains(number));
                    !handled.contains(*number) && !seen && stamp < *since && in_time
                });
                broken.extend(missed.map(|number| Violation {
                    invariant: 8,
                    at: Some(at),
                    about: Some((feed, evidence.versions[*number].row.id)),
                    text: format!("read {read} begins after the stamp of a row that no cycle has seen"),
                }));
            }
            What::CycleDone { feed, complete } => {
                let rows = shown.remove(feed).unwrap_or_default();
                if *complete {
                    handled.extend(rows);
                }
            }
            What::CycleFailed { feed } => drop(shown.remove(feed)),
            What::Died => shown.clear(),
            _ => {}
        }
    }
}
