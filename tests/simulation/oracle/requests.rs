//! What may be sent, and when: invariants 3 (nothing twice without need), 4 (the newest, in one request at a time), 5 (parents first),
//! 10 (a place is kept for slots), 11 and 12 (who asks to be left alone is left alone).

use std::collections::{BTreeMap, BTreeSet};

use super::{Evidence, Mart, Violation, expiry, follow, is_recorded, parents, yields};
use crate::gateway::unit_of;
use crate::hospital::{Body, Feed, Id, Version};
use crate::stage::{SLOW_RETRY, UNIT_PAUSE};
use crate::trace::{Answer, Asked, Said, What};
use crate::wire;

/// A cycle may find that a record is past a little after its read ended.
const SOON: i64 = 180;

/// What the trace so far says of one record.
#[derive(Debug, Default)]
struct Known {
    /// The version that the engine was told is accepted.
    acknowledged: Option<Body>,
    /// Something else may be there, or the engine may not know what it was told.
    doubt: bool,
    /// Versions that were sent since, and of which nobody said what became.
    unanswered: Vec<Body>,
    /// It is in a request that has no answer yet.
    open: bool,
    refused: Option<Refused>,
    /// What its row said at the last look; more than one if there were several.
    shown: Vec<Option<Body>>,
    /// By which read, and when that began.
    look: Option<(usize, usize)>,
}

impl Known {
    /// Nobody said what became of a request with this version; of one to remove it, that is empty.
    fn leave_in_doubt(&mut self, body: &Body) {
        self.doubt = true;
        if !body.is_empty() {
            self.unanswered.push(body.clone());
        }
    }
}

/// A version that an answer refused by name.
#[derive(Debug)]
struct Refused {
    body: Body,
    holder: Option<Id>,
    /// When the request was sent that it was refused in.
    asked: usize,
    at: usize,
    second: i64,
}

/// A request without an answer.
struct Open {
    /// When it was sent.
    at: usize,
    feed: Feed,
    records: Vec<(Id, Body)>,
    removal: bool,
    /// What may go with the record, if this removes one.
    may_go: BTreeSet<(Feed, Id)>,
}

/// A read that goes on.
struct Look {
    feed: Feed,
    asked: Asked,
    begun: usize,
    seen: BTreeSet<Id>,
}

struct Watch<'a> {
    evidence: &'a Evidence,
    broken: &'a mut Vec<Violation>,
    mart: Mart,
    known: BTreeMap<(Feed, Id), Known>,
    /// When a record last changed at the portal, as the engine was told.
    told: BTreeMap<(Feed, Id), usize>,
    /// When a record was last there, and last there as RECORDED, if it is no more.
    gone: BTreeMap<(Feed, Id), usize>,
    unrecorded: BTreeMap<Id, usize>,
    open: BTreeMap<usize, Open>,
    looks: BTreeMap<usize, Look>,
    marks: BTreeMap<i64, Vec<(Feed, Id)>>,
    /// What the database's clock showed last.
    database_second: i64,
    /// The portal wants to be left alone until then.
    closed_until: i64,
    paused_units: BTreeMap<Id, i64>,
}

pub fn check(evidence: &Evidence, broken: &mut Vec<Violation>) {
    let mut watch = Watch {
        evidence,
        broken,
        mart: Mart::new(),
        known: BTreeMap::new(),
        told: BTreeMap::new(),
        gone: BTreeMap::new(),
        unrecorded: BTreeMap::new(),
        open: BTreeMap::new(),
        looks: BTreeMap::new(),
        marks: BTreeMap::new(),
        database_second: i64::MIN,
        closed_until: i64::MIN,
        paused_units: BTreeMap::new(),
    };
    for (at, event) in evidence.events.iter().enumerate() {
        watch.take(at, event.second, &event.what);
        watch.follow_mart(at, &event.what);
    }
}

impl Watch<'_> {
    fn take(&mut self, at: usize, second: i64, what: &What) {
        match what {
            What::Died => self.die(),
            What::ClockStepped => {
                self.forget_pauses();
                // When their slow retry comes is anybody's guess now.
                self.known.values_mut().for_each(|known| known.refused = None);
            }
            What::ReadBegun { read, feed, asked, .. } => {
                let look = Look { feed: *feed, asked: asked.clone(), begun: at, seen: BTreeSet::new() };
                self.looks.insert(*read, look);
            }
            What::DatabaseClock(second) => self.database_second = *second,
            What::Shown { read, rows } => rows.iter().for_each(|number| self.see(*read, *number)),
            What::KeysShown { read, ids } => {
                self.looks.get_mut(read).into_iter().for_each(|look| look.seen.extend(ids));
            }
            What::ReadDone { read } => self.end_look(*read, second),
            What::Marked { mark, feed, ids } => {
                self.marks.insert(*mark, ids.iter().map(|id| (*feed, *id)).collect());
            }
            What::Settled { mark } => drop(self.marks.remove(mark)),
            What::Sent { request, feed, records } => {
                self.check_pauses(at, second, *feed, records);
                records.iter().for_each(|(id, body)| self.check_record(at, second, (*feed, *id), body));
                self.open(at, *request, *feed, records.clone(), None);
                self.check_places(at, *feed);
            }
            What::Asked { request, feed, id } => {
                if self.known.entry((*feed, *id)).or_default().open {
                    self.complain(at, 4, (*feed, *id), "it is to be removed while it is in another request");
                }
                let body = self.mart.get(&(*feed, *id)).cloned().unwrap_or_else(|| Body::from(""));
                self.check_pauses(at, second, *feed, &[(*id, body)]);
                let may_go = self.doubt_what_may_go(*feed, *id);
                self.open(at, *request, *feed, vec![(*id, Body::from(""))], Some(may_go));
                self.check_places(at, *feed);
            }
            What::LookedFor { request, feed, .. } => {
                self.check_pauses(at, second, *feed, &[]);
                self.open(at, *request, *feed, Vec::new(), None);
                self.check_places(at, *feed);
            }
            What::Answered { request, answer } => {
                if let Some(open) = self.open.remove(request) {
                    self.hear(at, second, &open, answer);
                }
            }
            _ => {}
        }
    }

    fn complain(&mut self, at: usize, invariant: u8, record: (Feed, Id), text: &str) {
        self.broken.push(Violation { invariant, at: Some(at), about: Some(record), text: text.to_owned() });
    }

    /// Who takes a record away may not know what goes with it: what the mart holds in an old version, or in one of which nobody knows, and
    /// whatever hangs on that in turn.
    fn doubt_what_may_go(&mut self, feed: Feed, id: Id) -> BTreeSet<(Feed, Id)> {
        let behind: &[Feed] = match feed {
            Feed::Mo => &[Feed::Resource, Feed::Service, Feed::Slot, Feed::Book],
            Feed::Resource => &[Feed::Service, Feed::Slot, Feed::Book],
            Feed::Slot => &[Feed::Book],
            Feed::Service | Feed::Profile | Feed::Period | Feed::Referral | Feed::Book => &[],
        };
        let (mut go, mut may_go) = (BTreeSet::from([(feed, id)]), BTreeSet::from([(feed, id)]));
        for child in behind {
            let of_feed = self.known.range_mut((*child, Id::MIN)..=(*child, Id::MAX));
            let may_be_there = |known: &Known| known.acknowledged.is_some() || !known.unanswered.is_empty();
            for (record, known) in of_feed.filter(|(_, known)| may_be_there(known)) {
                let hangs_on = |body: &Body, all: &BTreeSet<(Feed, Id)>| {
                    parents(record.0, body).iter().any(|parent| all.contains(&(parent.feed, parent.id)))
                };
                let shown = known.shown.iter().flatten();
                let versions: Vec<&Body> = known.acknowledged.iter().chain(&known.unanswered).chain(shown).collect();
                let goes = !known.doubt && versions.iter().all(|body| hangs_on(body, &go));
                if goes {
                    go.insert(*record);
                }
                if versions.iter().any(|body| hangs_on(body, &may_go)) {
                    may_go.insert(*record);
                    known.doubt |= !goes;
                }
            }
        }
        may_go
    }

    /// A process that is no more has forgotten what was not settled.
    fn die(&mut self) {
        let open = std::mem::take(&mut self.open);
        let in_requests = open.into_values().flat_map(|open| {
            let feed = open.feed;
            open.records.into_iter().map(move |(id, body)| (feed, id, body))
        });
        let in_requests: Vec<_> = in_requests.collect();
        for (feed, id, body) in &in_requests {
            self.known.entry((*feed, *id)).or_default().leave_in_doubt(body);
        }
        let in_requests = in_requests.into_iter().map(|(feed, id, _)| (feed, id));
        let unsettled: Vec<_> = std::mem::take(&mut self.marks).into_values().flatten().chain(in_requests).collect();
        for record in unsettled {
            let known = self.known.entry(record).or_default();
            (known.open, known.doubt, known.refused) = (false, true, None);
        }
        self.looks.clear();
        self.forget_pauses();
    }

    fn forget_pauses(&mut self) {
        self.closed_until = i64::MIN;
        self.paused_units.clear();
    }

    fn see(&mut self, read: usize, number: usize) {
        let Version { feed, row, body, .. } = &self.evidence.versions[number];
        let Some(look) = self.looks.get_mut(&read) else { return };
        look.seen.insert(row.id);
        let known = self.known.entry((*feed, row.id)).or_default();
        if known.look.is_none_or(|(last, _)| last != read) {
            known.look = Some((read, look.begun));
            known.shown.clear();
        }
        known.shown.push(body.clone());
        if known.refused.as_ref().is_some_and(|refused| Some(&refused.body) != body.as_ref()) {
            known.refused = None;
        }
        if let Some(place) = body.as_ref().filter(|body| !yields(body)).and_then(|body| wire::place(*feed, body)) {
            self.let_others_give_way(*feed, row.id, &place);
        }
    }

    /// Another row claims a place: whatever gives it up counts as refused no longer, for it gave way in between.
    fn let_others_give_way(&mut self, feed: Feed, id: Id, place: &str) {
        for (_, known) in self.known.iter_mut().filter(|((of, other), _)| *of == feed && *other != id) {
            known
                .refused
                .take_if(|refused| yields(&refused.body) && wire::place(feed, &refused.body).as_deref() == Some(place));
        }
    }

    /// Rows that were asked for and did not come are gone; what is gone and past is forgotten, and what is gone was never refused.
    fn end_look(&mut self, read: usize, second: i64) {
        let Some(look) = self.looks.remove(&read) else { return };
        let asked_for = |id: &Id| match &look.asked {
            Asked::All | Asked::Swept(_) => true,
            Asked::Keys(keys) => keys.contains(id),
            Asked::Changed(_) => false,
        };
        let gone: Vec<_> = self
            .known
            .keys()
            .filter(|(feed, id)| *feed == look.feed && asked_for(id) && !look.seen.contains(id))
            .copied()
            .collect();
        for record in gone {
            let body = self.mart.get(&record);
            // Whichever clock is ahead tells what is past.
            let now = second.max(self.database_second);
            let past = body.and_then(|body| expiry(record.0, body, &self.mart)).is_some_and(|over| over < now + SOON);
            let known = self.known.entry(record).or_default();
            known.refused = None;
            known.shown.clear();
            if past {
                known.acknowledged = None;
            }
        }
    }

    fn open(
        &mut self,
        at: usize,
        request: usize,
        feed: Feed,
        records: Vec<(Id, Body)>,
        may_go: Option<BTreeSet<(Feed, Id)>>,
    ) {
        records.iter().for_each(|(id, _)| self.known.entry((feed, *id)).or_default().open = true);
        let removal = may_go.is_some();
        self.open.insert(request, Open { at, feed, records, removal, may_go: may_go.unwrap_or_default() });
    }

    /// One place in flight is for slots alone.
    fn check_places(&mut self, at: usize, feed: Feed) {
        let in_flight = self.evidence.in_flight;
        let others = self.open.values().filter(|open| open.feed != Feed::Slot).count();
        if self.open.len() > in_flight || (in_flight > 1 && others >= in_flight) {
            self.complain(at, 10, (feed, 0), "requests that are under way leave no place for slots");
        }
    }

    fn check_pauses(&mut self, at: usize, second: i64, feed: Feed, records: &[(Id, Body)]) {
        if second < self.closed_until {
            self.complain(at, 11, (feed, 0), "the portal asked to be left alone");
        }
        if self.paused_units.is_empty() {
            return;
        }
        for (id, body) in records {
            let unit = unit_of(&self.mart, feed, body);
            if unit.and_then(|unit| self.paused_units.get(&unit)).is_some_and(|until| second < *until) {
                self.complain(at, 12, (feed, *id), "its unit is blocked");
            }
        }
    }

    fn check_record(&mut self, at: usize, second: i64, record: (Feed, Id), body: &Body) {
        let known = self.known.entry(record).or_default();
        let (open, look) = (known.open, known.look);
        let repeated = !known.doubt && known.acknowledged.as_ref() == Some(body);
        let newest = known.shown.contains(&Some(body.clone()));
        if open {
            self.complain(at, 4, record, "it is in another request");
        }
        if repeated {
            self.complain(at, 3, record, "it is accepted and unchanged");
        }
        if !newest {
            self.complain(at, 4, record, "its row said otherwise at the last look");
        }
        if self.is_refused_again(second, record, body) {
            self.complain(at, 3, record, "this version was refused by name, and nothing has happened since");
        }
        self.check_parents(at, record, body, look.map_or(at, |(_, begun)| begun));
    }

    fn is_refused_again(&self, second: i64, record: (Feed, Id), body: &Body) -> bool {
        let Some(refused) = self.known.get(&record).and_then(|known| known.refused.as_ref()) else { return false };
        // The same answer may tell that the holder has moved away: the next request may have the place.
        let since = |other: (Feed, Id)| self.told.get(&other).is_some_and(|told| *told >= refused.at);
        // Of two requests that are under way at once nobody knows which the portal took first: the holder may have moved, or a parent have
        // come, after the refusal although its answer came before.
        let is_elsewhere = |holder: (Feed, Id)| {
            let held = self.known.get(&holder).and_then(|known| known.acknowledged.as_ref());
            held.is_none_or(|held| wire::place(record.0, held) != wire::place(record.0, body))
        };
        let has_moved = |holder: (Feed, Id)| {
            since(holder) || (self.told.get(&holder).is_some_and(|told| *told >= refused.asked) && is_elsewhere(holder))
        };
        let came_meanwhile = |parent: (Feed, Id)| self.told.get(&parent).is_some_and(|told| *told >= refused.asked);
        let cause = parents(record.0, body).iter().any(|parent| came_meanwhile((parent.feed, parent.id)))
            || refused.holder.is_some_and(|holder| has_moved((record.0, holder)));
        refused.body == *body && !cause && second < refused.second + SLOW_RETRY as i64
    }

    /// Parents must have been at the portal at some time since the look that made the child go.
    fn check_parents(&mut self, at: usize, record: (Feed, Id), body: &Body, since: usize) {
        for parent in parents(record.0, body) {
            let key = (parent.feed, parent.id);
            let held = self.mart.get(&key);
            let there = held.is_some() || self.gone.get(&key).is_some_and(|gone| *gone > since);
            let recorded = held.is_some_and(|body| is_recorded(body))
                || self.unrecorded.get(&parent.id).is_some_and(|gone| *gone > since);
            if !parent.if_ours && !there {
                self.complain(at, 5, record, "the portal does not hold its parent");
            } else if parent.recorded && !recorded {
                self.complain(at, 5, record, "its slot is not RECORDED at the portal");
            }
        }
    }

    fn hear(&mut self, at: usize, second: i64, open: &Open, answer: &Answer) {
        let feed = open.feed;
        for (position, (id, body)) in open.records.iter().enumerate() {
            let known = self.known.entry((feed, *id)).or_default();
            known.open = false;
            match answer {
                Answer::Judged(said) => match said.get(position) {
                    Some(Said::Accepted) => {
                        known.acknowledged = (!open.removal).then(|| body.clone());
                        known.unanswered.clear();
                        (known.doubt, known.refused) = (false, None);
                        self.told.insert((feed, *id), at);
                    }
                    Some(Said::Refused { holder }) if !open.removal => {
                        known.refused =
                            Some(Refused { body: body.clone(), holder: *holder, asked: open.at, at, second });
                    }
                    Some(Said::Refused { .. }) => {}
                    Some(Said::Nothing) | None => known.leave_in_doubt(body),
                },
                other if other.leaves_doubt() => known.leave_in_doubt(body),
                _ => {}
            }
        }
        if answer.leaves_doubt() {
            open.may_go.iter().for_each(|record| self.known.entry(*record).or_default().doubt = true);
        }
        if let Answer::Status { code, retry_after } = answer {
            match (code, retry_after) {
                (429 | 500..=503 | 505..=599, Some(seconds)) => self.close_until(second + *seconds as i64),
                (503, None) => self.close_until(second + 1),
                (405, _) => self.pause(open, second),
                _ => {}
            }
        }
    }

    fn close_until(&mut self, until: i64) {
        self.closed_until = self.closed_until.max(until);
    }

    /// A block is known to be a unit's when all records of the request are of that unit. Several requests may be under way when it is met: a
    /// pause that lasts already is not longer for it.
    fn pause(&mut self, open: &Open, second: i64) {
        let mut units: Vec<_> = open.records.iter().map(|(_, body)| unit_of(&self.mart, open.feed, body)).collect();
        units.dedup();
        self.doubt_own_records(open, &units);
        if let [Some(unit)] = units[..] {
            let until = self.paused_units.entry(unit).or_insert(i64::MIN);
            if *until <= second {
                *until = second + UNIT_PAUSE as i64;
            }
        }
    }

    /// A portal that blocks a unit closes it: its own record is to be sent once more. Of a removal nobody here knows to which units the
    /// engine counts it.
    fn doubt_own_records(&mut self, open: &Open, units: &[Option<Id>]) {
        let own = self.known.range_mut((Feed::Mo, Id::MIN)..=(Feed::Mo, Id::MAX));
        for (_, known) in own.filter(|((_, id), _)| open.removal || units.contains(&Some(*id))) {
            known.doubt = true;
        }
    }

    fn follow_mart(&mut self, at: usize, what: &What) {
        match what {
            What::Removed { feed, id, .. } => {
                self.gone.insert((*feed, *id), at);
                self.unrecorded.insert(*id, at);
                self.known.entry((*feed, *id)).or_default().acknowledged = None;
                self.told.insert((*feed, *id), at);
            }
            What::Stored { feed: Feed::Slot, id, body } => {
                let was_recorded = self.mart.get(&(Feed::Slot, *id)).is_some_and(|body| is_recorded(body));
                if was_recorded && !is_recorded(body) {
                    self.unrecorded.insert(*id, at);
                }
            }
            _ => {}
        }
        follow(&mut self.mart, what);
    }
}
