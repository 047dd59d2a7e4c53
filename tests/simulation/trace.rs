//! The trace: everything that crossed the engine's three seams, in order. The oracle reads nothing else but this and the tables.

use std::collections::BTreeSet;
use std::fmt;

use crate::hospital::{Body, Feed, Id, Version};

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// What the engine's clock showed: seconds since 1970.
    pub second: i64,
    pub what: What,
}

/// What can happen.
#[derive(Debug, Clone)]
pub enum What {
    /// A process of the engine begins.
    Started,
    /// It is no more, whatever it was doing.
    Died,
    /// A read begins. `table` is what the table held: numbers of versions.
    ReadBegun { read: usize, feed: Feed, asked: Asked, table: Vec<usize> },
    /// These rows of it reached the engine.
    Shown { read: usize, rows: Vec<usize> },
    /// The database said what its clock shows: seconds since 1970.
    DatabaseClock(i64),
    /// The keys of these rows of it reached the engine.
    KeysShown { read: usize, ids: Vec<Id> },
    /// It came to its end.
    ReadDone { read: usize },
    /// A cycle ended; a complete one read all that it wanted to.
    CycleDone { feed: Feed, complete: bool },
    /// A cycle could not be done.
    CycleFailed { feed: Feed },
    /// The ledger was told of a batch about to be sent.
    Marked { mark: i64, feed: Feed, ids: Vec<Id> },
    /// The ledger was told what came of it.
    Settled { mark: i64 },
    /// What the ledger was told of one record. Only for people who ask about a record.
    Stated { feed: Feed, id: Id, entry: String },
    /// The ledger was told that a record is refused which no answer named.
    Condemned { feed: Feed, id: Id },
    /// A request left.
    Sent { request: usize, feed: Feed, records: Vec<(Id, Body)> },
    /// A request to remove one record left.
    Asked { request: usize, feed: Feed, id: Id },
    /// A question left: what the mart holds of a record.
    LookedFor { request: usize, feed: Feed, id: Id },
    /// The mart took a record in.
    Stored { feed: Feed, id: Id, body: Body },
    /// The mart let a record go, maybe because another went.
    Removed { feed: Feed, id: Id, with: Option<(Feed, Id)> },
    /// The engine heard what came of a request.
    Answered { request: usize, answer: Answer },
    /// What the ledger says, read by somebody else.
    Remembered(Vec<Memory>),
    /// An operator lets the removals that a fuse holds back go.
    Word { feed: Feed },
    /// The engine's clock stepped.
    ClockStepped,
    /// From here on nothing fails any more.
    Quiet,
    /// Here begin the cycles after which all must be well.
    LastRounds,
}

/// What a read asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    All,
    /// Stamped at or after: microseconds since 1970.
    Changed(i64),
    /// All keys, and what is stamped at or after.
    Swept(i64),
    Keys(Vec<Id>),
}

/// What the engine heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A word on each record, in the order of the request.
    Judged(Vec<Said>),
    /// The record that was looked for, if it is there.
    Found(Option<Body>),
    /// A refusal or acceptance in part, without ids: 400 or 422.
    NoIds(u16),
    Status {
        code: u16,
        retry_after: Option<u64>,
    },
    /// No connection.
    Unconnected,
    /// No answer in time.
    Timeout,
    /// The connection broke.
    Cut,
    /// An answer that nobody can read.
    Garbage,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    Accepted,
    Refused { holder: Option<Id> },
    Nothing,
}

impl Answer {
    /// The request may have had an effect that the answer does not tell of.
    pub fn leaves_doubt(&self) -> bool {
        match self {
            Answer::Judged(_) | Answer::Found(_) | Answer::Unconnected => false,
            Answer::NoIds(code) | Answer::Status { code, .. } => {
                matches!(code, 200 | 408 | 422 | 500..=502 | 504..=599)
            }
            Answer::Timeout | Answer::Cut | Answer::Garbage => true,
        }
    }
}

/// What the ledger remembers of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    pub feed: Feed,
    pub id: Id,
    /// Hash of the version that it says the portal acknowledged.
    pub accepted: Option<u128>,
    /// It says that something else may be there as well.
    pub doubt: Option<Doubt>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Doubt {
    Version(u128),
    Removal,
}

/// Everything that happened in one run.
#[derive(Debug, Default)]
pub struct Trace {
    pub events: Vec<Event>,
    pub requests: usize,
    pub reads: usize,
}

impl Trace {
    pub fn push(&mut self, second: i64, what: What) {
        self.events.push(Event { second, what });
    }

    pub fn next_request(&mut self) -> usize {
        self.requests += 1;
        self.requests
    }

    pub fn next_read(&mut self) -> usize {
        self.reads += 1;
        self.reads
    }

    /// The last events, for people.
    pub fn tail(&self, most: usize) -> String {
        let from = self.events.len().saturating_sub(most);
        self.events[from..].iter().enumerate().map(|(at, event)| format!("{:>6} {event}\n", from + at)).collect()
    }

    /// The last events that speak of one record, for people.
    pub fn about(&self, feed: Feed, id: Id, versions: &[Version], most: usize) -> String {
        let mut requests = BTreeSet::new();
        let mut marks = BTreeSet::new();
        let mut lines = Vec::new();
        for (at, event) in self.events.iter().enumerate() {
            match &event.what {
                What::Sent { request, feed: of, records }
                    if *of == feed && records.iter().any(|(one, _)| *one == id) =>
                {
                    requests.insert(*request);
                    lines.push(format!("{at:>6} {event}\n"));
                }
                What::Asked { request, feed: of, id: one } | What::LookedFor { request, feed: of, id: one }
                    if (*of, *one) == (feed, id) =>
                {
                    requests.insert(*request);
                    lines.push(format!("{at:>6} {event}\n"));
                }
                What::Marked { mark, feed: of, ids } if *of == feed && ids.contains(&id) => drop(marks.insert(*mark)),
                What::Shown { read, rows } => {
                    let rows = rows.iter().filter(|row| versions[**row].feed == feed && versions[**row].row.id == id);
                    let shown = rows.map(|row| {
                        format!("{at:>6} {} read {read} shows {row}: {:?}\n", event.second, versions[*row].body)
                    });
                    lines.extend(shown);
                }
                What::Remembered(memories) => {
                    let of_it = memories.iter().filter(|memory| (memory.feed, memory.id) == (feed, id));
                    lines.extend(of_it.map(|memory| format!("{at:>6} {} {memory:?}\n", event.second)));
                }
                what if what.is_about(feed, id, &requests, &marks) => lines.push(format!("{at:>6} {event}\n")),
                _ => {}
            }
        }
        lines.split_off(lines.len().saturating_sub(most)).concat()
    }
}

impl What {
    fn is_about(&self, feed: Feed, wanted: Id, requests: &BTreeSet<usize>, marks: &BTreeSet<i64>) -> bool {
        match self {
            What::ReadBegun { feed: of, asked: Asked::Keys(ids), .. } => *of == feed && ids.contains(&wanted),
            What::Stored { feed: of, id, .. }
            | What::Removed { feed: of, id, .. }
            | What::Condemned { feed: of, id }
            | What::Stated { feed: of, id, .. } => (*of, *id) == (feed, wanted),
            What::Answered { request, .. } => requests.contains(request),
            What::Settled { mark } => marks.contains(mark),
            What::Started | What::Died | What::Quiet | What::LastRounds | What::ClockStepped => true,
            _ => false,
        }
    }
}

fn short(id: Id) -> String {
    format!("#{}", id as u64)
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = |ids: &[Id]| ids.iter().map(|id| short(*id)).collect::<Vec<_>>().join(" ");
        write!(f, "{} ", self.second)?;
        match &self.what {
            What::ReadBegun { read, feed, asked, table } => {
                let asked = match asked {
                    Asked::Keys(keys) => format!("keys {}", ids(keys)),
                    other => format!("{other:?}"),
                };
                write!(f, "read {read} of {} ({} rows): {asked}", feed.name(), table.len())
            }
            What::Marked { mark, feed, ids: marked } => write!(f, "mark {mark} {}: {}", feed.name(), ids(marked)),
            What::Sent { request, feed, records } => {
                let records: Vec<Id> = records.iter().map(|(id, _)| *id).collect();
                write!(f, "request {request} {}: {}", feed.name(), ids(&records))
            }
            What::Asked { request, feed, id } => {
                write!(f, "request {request} to remove {} {}", feed.name(), short(*id))
            }
            What::LookedFor { request, feed, id } => {
                write!(f, "request {request} for {} {}", feed.name(), short(*id))
            }
            What::Stored { feed, id, body } => write!(f, "stored {} {} {body}", feed.name(), short(*id)),
            What::Removed { feed, id, with } => {
                let with = with.map(|(feed, id)| format!(" with {} {}", feed.name(), short(id))).unwrap_or_default();
                write!(f, "removed {} {}{with}", feed.name(), short(*id))
            }
            What::Stated { feed, id, entry } => write!(f, "stated {} {}: {entry}", feed.name(), short(*id)),
            What::Remembered(memories) => write!(f, "the ledger remembers {} records", memories.len()),
            other => write!(f, "{other:?}"),
        }
    }
}
