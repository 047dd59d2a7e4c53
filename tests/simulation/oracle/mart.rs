//! Invariant 1: when all is quiet, the mart holds the latest version of every valid row whose parents it holds, and nothing whose row
//! is gone, unless its time is past.

use super::forgotten::Forgotten;
use super::{Evidence, Mart, Rows, Violation, expiry, parents, yields};
use crate::hospital::{Body, Feed, Id, Version};
use crate::{PLACES, REMOVAL, wire};

pub fn check(evidence: &Evidence, broken: &mut Vec<Violation>) {
    let rows = Rows::of(evidence);
    let mart = &evidence.mart;
    let mut complain =
        |record, text: String| broken.push(Violation { invariant: 1, at: None, about: Some(record), text });
    for (record, copies) in &rows.by_record {
        if let Some(text) = row_is_missed(*record, copies, mart, &rows, evidence.second) {
            complain(*record, text);
        }
    }
    let forgotten = Forgotten::of(evidence);
    for (record, body) in mart {
        let is_past = expiry(record.0, body, mart).is_some_and(|expiry| expiry < evidence.second);
        let past = is_past || forgotten.contains(record);
        let is_gone = !rows.by_record.contains_key(record);
        if REMOVAL && is_gone && !past {
            complain(*record, "its row is gone, and the mart still holds it".to_owned());
        }
        // What is gone and past is forgotten: who takes its parent away later cannot know of it.
        if REMOVAL
            && !(is_gone && past)
            && parents(record.0, body)
                .iter()
                .any(|parent| !parent.if_ours && !mart.contains_key(&(parent.feed, parent.id)))
        {
            complain(*record, "the mart holds it without its parent".to_owned());
        }
    }
}

/// What is wrong with a record that has rows.
fn row_is_missed(record: (Feed, Id), copies: &[&Version], mart: &Mart, rows: &Rows<'_>, second: i64) -> Option<String> {
    let bodies: Vec<&Body> = copies.iter().filter_map(|version| version.body.as_ref()).collect();
    let held = mart.get(&record);
    let all_sound = bodies.len() == copies.len();
    if !all_sound || held.is_some_and(|held| bodies.contains(&held)) {
        return None;
    }
    let due: Vec<&&Body> = bodies.iter().filter(|body| rows.let_go(record.0, body, mart)).collect();
    if due.len() < bodies.len() || due.iter().any(|body| is_taken(record, body, mart, rows, second)) {
        let gives_way = due.iter().all(|body| gives_way(record, body, mart, rows, second));
        let stale = held.filter(|held| {
            !due.is_empty() && gives_way && expiry(record.0, held, mart).is_none_or(|over| over >= second)
        })?;
        return Some(format!("it gives way to another, and the mart still holds {stale}"));
    }
    Some(match held {
        Some(held) => format!("the mart holds {held}, the table {}", bodies[0]),
        None => format!("the mart lacks {}", bodies[0]),
    })
}

/// It is over, and its place is held by another whose row claims it too.
fn gives_way(record: (Feed, Id), body: &Body, mart: &Mart, rows: &Rows<'_>, second: i64) -> bool {
    let Some(place) = wire::place(record.0, body).filter(|_| PLACES && yields(body)) else { return false };
    mart.iter().any(|(other, held)| {
        let stands = other.0 == record.0 && *other != record && wire::place(other.0, held).as_ref() == Some(&place);
        let is_past = || expiry(other.0, held, mart).is_some_and(|over| over < second);
        let claims = || match rows.by_record.get(other).map(Vec::as_slice) {
            Some([Version { body: Some(wanted), .. }]) => wire::place(other.0, wanted).as_ref() == Some(&place),
            _ => false,
        };
        stands && !is_past() && claims()
    })
}

/// Its time is past, and so is that of all others that claim its place: what is past is not removed, be it only for being in doubt.
fn is_past_and_claimed_twice(record: (Feed, Id), body: &Body, rows: &Rows<'_>, mart: &Mart, second: i64) -> bool {
    let Some(place) = wire::place(record.0, body).filter(|_| PLACES) else { return false };
    let claims = |version: &&Version| {
        version.body.as_ref().is_some_and(|body| wire::place(record.0, body).as_ref() == Some(&place))
    };
    let others = rows.by_record.iter().filter(|(other, _)| other.0 == record.0 && **other != record);
    let is_past = expiry(record.0, body, mart).is_some_and(|over| over < second);
    is_past && others.flat_map(|(_, copies)| copies).any(claims)
}

/// Its place is held by another that cannot leave it: because the rows of both claim it, which is the site's own mistake; because the other
/// is held up itself, or is past and therefore left alone; or because all wait for each other in a ring of which none
/// can be taken away for a moment.
pub fn is_taken(record: (Feed, Id), body: &Body, mart: &Mart, rows: &Rows<'_>, second: i64) -> bool {
    let feed = record.0;
    if is_past_and_claimed_twice(record, body, rows, mart, second) {
        return true;
    }
    let (mut record, mut body) = (record, body);
    let mut waiting: Vec<(Feed, Id)> = Vec::new();
    loop {
        let Some(place) = wire::place(feed, body).filter(|_| PLACES) else { return false };
        let holds = |(other, held): &(&(Feed, Id), &Body)| {
            other.0 == feed && **other != record && wire::place(feed, held).as_ref() == Some(&place)
        };
        let Some((holder, held)) = mart.iter().find(holds) else { return false };
        if waiting.contains(holder) {
            // One of some slots is taken away for a moment; a unit is not torn down for a name.
            return feed != Feed::Slot;
        }
        let Some(copies) = rows.by_record.get(holder) else {
            return expiry(feed, held, mart).is_some_and(|expiry| expiry < second);
        };
        let [Version { body: Some(wanted), .. }] = copies.as_slice() else { return true };
        if !yields(body) && yields(wanted) && wire::place(feed, wanted).as_ref() == Some(&place) {
            // It has to give way, unless it is past and so left alone.
            return expiry(feed, held, mart).is_some_and(|expiry| expiry < second);
        }
        if !rows.let_go(feed, wanted, mart) || wire::place(feed, wanted) == Some(place) {
            return true;
        }
        waiting.push(record);
        (record, body) = (*holder, wanted);
    }
}
