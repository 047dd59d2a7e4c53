//! The scripted portal: a mart with the gateway's own rules, and all the ways in which it fails to do its work.

use std::collections::{BTreeMap, BTreeSet};

use crate::chance::Chance;
use crate::hospital::{Body, Feed, Id};
use crate::trace::{Answer, Said, Trace, What};
use crate::wire;

/// How bad the gateway is.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// Requests that meet a fault, in a hundred.
    pub faults: u64,
    /// Records that are refused whatever they say, in a hundred.
    pub dislikes: u64,
    /// Records that make it refuse a whole request without saying why, in a hundred.
    pub chokes: u64,
    /// Most records of a request; more is 413.
    pub most_records: usize,
    /// Units may be blocked for a while.
    pub blocks: bool,
    /// It asks for credentials, or is not where it was, for a while.
    pub parks: bool,
    /// A place is held by one record only.
    pub places: bool,
}

impl Manners {
    /// As the document describes it.
    pub fn good(places: bool) -> Self {
        Manners { faults: 0, dislikes: 0, chokes: 0, most_records: usize::MAX, blocks: false, parks: false, places }
    }
}

#[derive(Debug)]
pub struct Gateway {
    pub mart: BTreeMap<(Feed, Id), Body>,
    pub manners: Manners,
    chance: Chance,
    judged: BTreeSet<(Feed, Id)>,
    disliked: BTreeSet<(Feed, Id)>,
    choking: BTreeSet<(Feed, Id)>,
    closed_until: i64,
    /// A proxy answers everything like this, and until then.
    proxy: Option<(u16, i64)>,
    blocked: BTreeMap<Id, i64>,
}

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// It fails like this, and nothing of it is applied.
    Without(Trouble),
    /// It is applied, and the answer is this.
    After(Trouble),
    /// Some records are refused for no reason.
    RefuseSome,
    /// Some records are not mentioned; they may be applied.
    LeaveOut,
    /// A part is applied, and the answer names nobody.
    PartWithoutIds,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    Unconnected,
    Timeout,
    Cut,
    Garbage,
    NoIds,
    Status(u16),
}

const FAULTS: [Fault; 25] = [
    Fault::Without(Trouble::Unconnected),
    Fault::Without(Trouble::Timeout),
    Fault::Without(Trouble::Cut),
    Fault::Without(Trouble::NoIds),
    Fault::Without(Trouble::Status(408)),
    Fault::Without(Trouble::Status(413)),
    Fault::Without(Trouble::Status(429)),
    Fault::Without(Trouble::Status(500)),
    Fault::Without(Trouble::Status(502)),
    Fault::Without(Trouble::Status(503)),
    Fault::After(Trouble::Timeout),
    Fault::After(Trouble::Timeout),
    Fault::After(Trouble::Cut),
    Fault::After(Trouble::Cut),
    Fault::After(Trouble::Garbage),
    Fault::After(Trouble::Status(408)),
    Fault::After(Trouble::Status(500)),
    Fault::After(Trouble::Status(502)),
    Fault::RefuseSome,
    Fault::RefuseSome,
    Fault::RefuseSome,
    Fault::LeaveOut,
    Fault::LeaveOut,
    Fault::LeaveOut,
    Fault::PartWithoutIds,
];

impl Gateway {
    pub fn new(chance: Chance, manners: Manners) -> Self {
        Gateway {
            mart: BTreeMap::new(),
            manners,
            chance,
            judged: BTreeSet::new(),
            disliked: BTreeSet::new(),
            choking: BTreeSet::new(),
            closed_until: 0,
            proxy: None,
            blocked: BTreeMap::new(),
        }
    }

    /// From now on it does what the document says.
    pub fn behave(&mut self) {
        self.manners = Manners::good(self.manners.places);
        self.disliked.clear();
        self.choking.clear();
        self.blocked.clear();
        self.closed_until = 0;
        self.proxy = None;
    }

    /// Receives a request to store records.
    pub fn take(&mut self, feed: Feed, records: &[(Id, Body)], second: i64, trace: &mut Trace) -> Answer {
        if let Some(answer) = self.closed(second) {
            return answer;
        }
        if records.iter().any(|(_, body)| self.is_blocked(feed, body, second)) {
            return Answer::Status { code: 405, retry_after: None };
        }
        if records.len() > self.manners.most_records {
            return Answer::Status { code: 413, retry_after: None };
        }
        records.iter().for_each(|(id, _)| self.take_a_dislike(feed, *id));
        if records.iter().any(|(id, _)| self.choking.contains(&(feed, *id))) {
            return Answer::NoIds(400);
        }
        let mut fault = self.fault(feed, records, second);
        if records.len() == 1 {
            // One record alone is never too large.
            fault = fault.filter(|fault| *fault != Fault::Without(Trouble::Status(413)));
        }
        if let Some(Fault::Without(trouble)) = fault {
            return self.answer(trouble);
        }
        let mut said = Vec::new();
        for (id, body) in records {
            let left_out = fault == Some(Fault::LeaveOut) && self.chance.percent(40);
            let skipped = match fault {
                // Of one record that is refused nothing is applied.
                Some(Fault::PartWithoutIds) => records.len() == 1 || self.chance.percent(50),
                Some(Fault::LeaveOut) => left_out && self.chance.percent(50),
                _ => false,
            };
            let refused =
                (fault == Some(Fault::RefuseSome) && self.chance.percent(40)) || self.disliked.contains(&(feed, *id));
            let word = match (skipped, refused) {
                (true, _) => Said::Nothing,
                (false, true) => Said::Refused { holder: None },
                (false, false) => self.store(feed, *id, body, second, trace),
            };
            said.push(if left_out { Said::Nothing } else { word });
        }
        match fault {
            Some(Fault::After(trouble)) => self.answer(trouble),
            Some(Fault::PartWithoutIds) => Answer::NoIds(422),
            _ if said.iter().all(|word| *word == Said::Nothing) => Answer::NoIds(422),
            _ => Answer::Judged(said),
        }
    }

    /// Receives a request to remove a record.
    pub fn remove(&mut self, feed: Feed, id: Id, second: i64, trace: &mut Trace) -> Answer {
        if let Some(answer) = self.closed(second) {
            return answer;
        }
        let blocked = self.mart.get(&(feed, id)).cloned().is_some_and(|body| self.is_blocked(feed, &body, second));
        if blocked {
            return Answer::Status { code: 405, retry_after: None };
        }
        let fault = self.fault(feed, &[], second);
        match fault {
            Some(Fault::Without(Trouble::NoIds) | Fault::Without(Trouble::Status(413))) | None => {}
            Some(Fault::Without(trouble)) => return self.answer(trouble),
            Some(Fault::RefuseSome) => return Answer::Judged(vec![Said::Refused { holder: None }]),
            Some(Fault::After(_) | Fault::LeaveOut | Fault::PartWithoutIds) => {}
        }
        self.drop_record(feed, id, second, trace);
        match fault {
            Some(Fault::After(trouble)) => self.answer(trouble),
            _ => Answer::Judged(vec![Said::Accepted]),
        }
    }

    /// Is asked what it holds of a record.
    pub fn show(&mut self, feed: Feed, id: Id, second: i64) -> Answer {
        if let Some(answer) = self.closed(second) {
            return answer;
        }
        match self.fault(feed, &[], second) {
            // A question has no records that could be at fault, or too many.
            Some(Fault::Without(Trouble::NoIds | Trouble::Status(413))) => {}
            Some(Fault::Without(trouble) | Fault::After(trouble)) => return self.answer(trouble),
            Some(Fault::RefuseSome | Fault::LeaveOut | Fault::PartWithoutIds) | None => {}
        }
        Answer::Found(self.mart.get(&(feed, id)).cloned())
    }

    fn drop_record(&mut self, feed: Feed, id: Id, second: i64, trace: &mut Trace) {
        if self.mart.remove(&(feed, id)).is_none() {
            return;
        }
        trace.push(second, What::Removed { feed, id, with: None });
        let victims: Vec<_> = self.mart.keys().copied().filter(|victim| self.goes_with(*victim, feed, id)).collect();
        for (child, child_id) in victims {
            self.mart.remove(&(child, child_id));
            trace.push(second, What::Removed { feed: child, id: child_id, with: Some((feed, id)) });
        }
    }

    /// The document's cascades: a unit takes its resources, slots, books and services along, a resource its slots, books and
    /// services, a slot its books.
    fn goes_with(&self, (feed, id): (Feed, Id), parent: Feed, gone: Id) -> bool {
        let Some(body) = self.mart.get(&(feed, id)) else { return false };
        let names = |field: &str| wire::id_in(body, field) == Some(gone);
        match (parent, feed) {
            (Feed::Mo, Feed::Resource) => names("mo_id"),
            (Feed::Mo, Feed::Slot) => names("mo_id") || self.is_of_unit(body, gone),
            (Feed::Mo, Feed::Service) => self.is_of_unit(body, gone),
            (Feed::Resource, Feed::Slot | Feed::Service) => names("resource_id"),
            (Feed::Slot, Feed::Book) => names("slot_id"),
            (Feed::Mo | Feed::Resource, Feed::Book) => {
                let slot = wire::id_in(body, "slot_id").unwrap_or_default();
                self.goes_with((Feed::Slot, slot), parent, gone)
            }
            _ => false,
        }
    }

    fn is_of_unit(&self, body: &str, unit: Id) -> bool {
        let resource = wire::id_in(body, "resource_id").and_then(|id| self.mart.get(&(Feed::Resource, id)));
        resource.and_then(|body| wire::id_in(body, "mo_id")) == Some(unit)
    }

    fn store(&mut self, feed: Feed, id: Id, body: &Body, second: i64, trace: &mut Trace) -> Said {
        if let Some(place) = wire::place(feed, body).filter(|_| self.manners.places) {
            // The text of a place is in every body that claims it: most need no closer look.
            let last = place.rsplit(' ').next().unwrap_or_default();
            let others = self.mart.range((feed, Id::MIN)..=(feed, Id::MAX)).filter(|(other, _)| other.1 != id);
            let mut holds =
                others.filter(|(_, held)| held.contains(last) && wire::place(feed, held).as_ref() == Some(&place));
            if let Some(((_, holder), _)) = holds.next() {
                return Said::Refused { holder: Some(*holder) };
            }
        }
        self.mart.insert((feed, id), body.clone());
        trace.push(second, What::Stored { feed, id, body: body.clone() });
        Said::Accepted
    }

    fn closed(&self, second: i64) -> Option<Answer> {
        if let Some((code, _)) = self.proxy.filter(|(_, until)| *until > second) {
            return Some(Answer::Status { code, retry_after: None });
        }
        let left = self.closed_until - second;
        // A gateway that has a long way to go does not say how long.
        let retry_after = (left < 30).then_some(left.max(1) as u64);
        (left > 0).then_some(Answer::Status { code: 503, retry_after })
    }

    fn is_blocked(&self, feed: Feed, body: &str, second: i64) -> bool {
        if self.blocked.is_empty() {
            return false;
        }
        let unit = unit_of(&self.mart, feed, body);
        unit.and_then(|unit| self.blocked.get(&unit)).is_some_and(|until| *until > second)
    }

    fn take_a_dislike(&mut self, feed: Feed, id: Id) {
        if self.judged.insert((feed, id)) {
            if self.chance.percent(self.manners.dislikes) {
                self.disliked.insert((feed, id));
            }
            if self.chance.percent(self.manners.chokes) {
                self.choking.insert((feed, id));
            }
        }
    }

    fn fault(&mut self, feed: Feed, records: &[(Id, Body)], second: i64) -> Option<Fault> {
        if !self.chance.percent(self.manners.faults) {
            return None;
        }
        match self.chance.below(40) {
            0 => {
                self.closed_until = second + self.chance.between(3, 60) as i64;
                return Some(Fault::Without(Trouble::Status(503)));
            }
            3 => {
                let code = self.chance.any(&[400, 409, 413, 422]);
                self.proxy = Some((code, second + self.chance.between(3, 60) as i64));
                return Some(Fault::Without(Trouble::Status(code)));
            }
            1 if self.manners.blocks => {
                if let Some(unit) = records.first().and_then(|(_, body)| unit_of(&self.mart, feed, body)) {
                    self.blocked.insert(unit, second + self.chance.between(5, 200) as i64);
                    return Some(Fault::Without(Trouble::Status(405)));
                }
            }
            2 if self.manners.parks => return Some(Fault::Without(Trouble::Status(self.chance.any(&[401, 403, 404])))),
            _ => {}
        }
        Some(self.chance.any(&FAULTS))
    }

    fn answer(&mut self, trouble: Trouble) -> Answer {
        match trouble {
            Trouble::Unconnected => Answer::Unconnected,
            Trouble::Timeout => Answer::Timeout,
            Trouble::Cut => Answer::Cut,
            Trouble::Garbage => Answer::Garbage,
            Trouble::NoIds => Answer::NoIds(400),
            Trouble::Status(code) => {
                let named = matches!(code, 408 | 429 | 500..=599) && self.chance.percent(50);
                Answer::Status { code, retry_after: named.then(|| self.chance.between(1, 20)) }
            }
        }
    }
}

/// The unit that a record belongs to, as far as a mart knows it.
pub fn unit_of(mart: &BTreeMap<(Feed, Id), Body>, feed: Feed, body: &str) -> Option<Id> {
    let of_parent = |parent: Feed, field: &str| {
        let id = wire::id_in(body, field)?;
        wire::id_in(mart.get(&(parent, id))?, "mo_id")
    };
    match feed {
        Feed::Mo => wire::id_in(body, "id"),
        Feed::Resource | Feed::Slot => wire::id_in(body, "mo_id"),
        // The hospital's referrals name no unit that gives them.
        Feed::Referral => None,
        Feed::Service | Feed::Profile | Feed::Period => of_parent(Feed::Resource, "resource_id"),
        Feed::Book => of_parent(Feed::Slot, "slot_id"),
    }
}
