//! What the journal proves. Nothing here knows the engine: it reads requests and answers, as an auditor at the portal would.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::journal::{Answered, Carried, Exchange, Journal, Request};

/// What the client was told to keep to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub requests_per_second: usize,
}

/// What a killed client had sent may be read so much later.
const ON_THE_WAY: Duration = Duration::from_millis(500);
/// Most violations that are told.
const TOLD: usize = 20;

/// What the portal's side knows of one record.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// The version last sent; none after a removal.
    version: Option<u64>,
    /// When.
    sent: Instant,
    /// When an answer that accepted this version had arrived.
    accepted: Option<Instant>,
    /// When one that refused it by name had.
    refused: Option<Instant>,
    /// Since when an acceptance may have been known to the client; none since the record was last removed.
    stands: Option<Instant>,
}

type RecordName = (String, String);

/// The journal, read from its beginning.
struct Reading<'a> {
    journal: &'a Journal,
    known: BTreeMap<RecordName, Known>,
    /// What was last sent as a child of a record.
    children: BTreeMap<RecordName, BTreeSet<RecordName>>,
    violations: Vec<String>,
}

impl Journal {
    /// Everything that should never happen and did.
    pub fn violations(&self, limits: Limits) -> Vec<String> {
        let mut violations = self.above_rate(limits.requests_per_second);
        let mut reading =
            Reading { journal: self, known: BTreeMap::new(), children: BTreeMap::new(), violations: Vec::new() };
        let mut order: Vec<&Exchange> = self.exchanges.iter().collect();
        order.sort_by_key(|exchange| exchange.at);
        order.iter().for_each(|exchange| reading.read(exchange));
        violations.extend(reading.violations);
        violations.truncate(TOLD);
        violations
    }

    /// Panics with the history of every record that something happened to which never should.
    pub fn assert_kept(&self, limits: Limits) {
        let violations = self.violations(limits);
        let ids = |text: &str| text.split([' ', '[', ']']).filter(|word| word.len() == 36).map(str::to_owned).collect();
        let named: BTreeSet<String> = violations.iter().flat_map(|text| -> Vec<String> { ids(text) }).take(2).collect();
        // Whoever their refusals name is part of the story.
        let told = named.iter().flat_map(|id| self.history(id)).collect::<Vec<_>>().join(" ");
        let all: BTreeSet<String> = named.into_iter().chain::<Vec<String>>(ids(&told)).collect();
        let of = |id: &String| format!("{id}\n{}", self.history(id).join("\n"));
        let histories: Vec<String> = all.iter().take(8).map(of).collect();
        assert!(violations.is_empty(), "{violations:#?}\n{}", histories.join("\n"));
    }

    /// Sliding seconds with more requests than allowed, whoever made them.
    fn above_rate(&self, most: usize) -> Vec<String> {
        let mut arrivals: Vec<Instant> = self.exchanges.iter().map(|exchange| exchange.at).collect();
        arrivals.sort_unstable();
        let too_close = |window: &[Instant]| {
            let (first, last) = (window[0], window[most]);
            let lateness = self.pulse.lateness(first - Duration::from_millis(200), last);
            last - first + lateness < Duration::from_secs(1)
        };
        let told = |window: &[Instant]| {
            format!("{} requests within {:?}, at {:?}", most + 1, window[most] - window[0], window[0] - arrivals[0])
        };
        arrivals.windows(most + 1).filter(|window| too_close(window)).map(told).collect()
    }

    /// True when a kill caught the record between one sending and the next: sent, and the answer not yet written down.
    fn killed_between(&self, name: &RecordName, from: Instant, to: Instant) -> bool {
        let caught = |at: Instant| from <= at + ON_THE_WAY && at <= to;
        self.kills.iter().any(|kill| caught(kill.at) && kill.in_flight.contains(name))
    }
}

impl Reading<'_> {
    fn read(&mut self, exchange: &Exchange) {
        match &exchange.request {
            Request::Upsert { feed, records } => {
                for record in records {
                    self.parents_first(exchange, feed, record);
                }
                for record in records {
                    self.sent(exchange, feed, record);
                }
            }
            Request::Removal { feed, id } => self.removed((feed.clone(), id.clone()), exchange.gateway == Some(200)),
            Request::Token | Request::Read | Request::Unread => {}
        }
    }

    /// Each parent was accepted, and the client had heard of it, before its child was sent.
    fn parents_first(&mut self, exchange: &Exchange, feed: &str, record: &Carried) {
        for (parent_feed, id) in &record.parents {
            let parent = self.known.get(&((*parent_feed).to_owned(), id.clone()));
            if parent.and_then(|parent| parent.stands).is_none_or(|since| since > exchange.at) {
                let at = self.offset(exchange.at);
                self.violations.push(format!("{feed} {} was sent before its {parent_feed} {id}, {at}", record.id));
            }
        }
    }

    fn sent(&mut self, exchange: &Exchange, feed: &str, record: &Carried) {
        let name = (feed.to_owned(), record.id.clone());
        let before = self.known.get(&name).copied();
        let same = before.filter(|before| before.version == Some(record.version));
        let answered = exchange.answered.as_ref();
        let holds = answered.filter(|answered| answered.judged.accepted.contains(&record.id));
        let refuses = answered.filter(|answered| holds.is_none() && answered.judged.refused.contains_key(&record.id));
        let heard =
            |answered: Option<&Answered>| answered.filter(|answered| answered.heard).map(|answered| answered.at);
        let (accepted, refused) = (heard(holds), heard(refuses));
        if let Some(same) = same {
            self.never_after("accepted", same.accepted, "sent again unchanged", same.sent, exchange, &name);
            if refused.is_some() {
                self.never_after("refused by name", same.refused, "refused again", same.sent, exchange, &name);
            }
        }
        // What was refused once stays so until another version is sent, or this one is accepted.
        let refused = refused.or(same.and_then(|same| same.refused)).filter(|_| accepted.is_none());
        let stands = before.and_then(|before| before.stands).or(holds.map(|answered| answered.at));
        for (parent_feed, id) in &record.parents {
            self.children.entry(((*parent_feed).to_owned(), id.clone())).or_default().insert(name.clone());
        }
        self.known.insert(name, Known { version: Some(record.version), sent: exchange.at, accepted, refused, stands });
    }

    /// What may not follow on what the client has heard, unless a kill kept it from writing that down.
    fn never_after(
        &mut self,
        what: &str,
        heard: Option<Instant>,
        then: &str,
        sent: Instant,
        exchange: &Exchange,
        name: &RecordName,
    ) {
        let Some(heard) = heard else { return };
        if !self.journal.killed_between(name, sent, exchange.at) {
            let (first, again) = (self.offset(heard), self.offset(exchange.at));
            self.violations.push(format!("{} {} was {what} {first} and {then} {again}", name.0, name.1));
        }
    }

    /// A removal, done or not: the record and what may have gone with it may be sent anew.
    fn removed(&mut self, name: RecordName, done: bool) {
        let mut pending = vec![name];
        while let Some(name) = pending.pop() {
            pending.extend(self.children.get(&name).into_iter().flatten().cloned());
            if let Some(known) = self.known.get_mut(&name) {
                let stands = known.stands.filter(|_| !done);
                *known = Known { version: None, accepted: None, refused: None, stands, ..*known };
            }
        }
    }

    /// A moment as people compare it with a log.
    fn offset(&self, at: Instant) -> String {
        let first = self.journal.exchanges.iter().map(|exchange| exchange.at).min().unwrap_or(at);
        format!("at {:.3} s", at.saturating_duration_since(first).as_secs_f64())
    }
}
