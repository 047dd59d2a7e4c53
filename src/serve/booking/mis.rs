//! The hospital's side of a booking: the statements that the site has configured, each run in one transaction of its own.

use std::future::Future;
use std::time::Duration;

use chrono_tz::Tz;
use tokio::time::Instant;

use super::Verb;
use super::answer::{Answer, Visit};
use super::builtin;
use super::fault::Fault;
use super::request::Fields;
use crate::config::{BOOK_PARAMETERS, BUILTIN, BookingConfig, CANCEL_PARAMETERS, LOOKUP_PARAMETERS};
use crate::record::Zone;
use crate::source::{Engine, Row, Run, Script, ScriptError, Writer, Written};

/// How often a transaction that the database ended for the sake of another one is run.
const COLLISIONS: u32 = 4;
/// The parameter by which `lookup` tells the visit of a booking.
const BY_BOOKING: &str = "book_ext_id";

/// What became of a booking or cancellation.
#[derive(Debug)]
pub enum Fate {
    /// The hospital's system has decided, and what it did stands.
    Answered(Answer),
    /// Nothing was done, certainly.
    Undone(String),
    /// The hospital's system gave no answer that could be passed on, and so what it did was rolled back.
    Faulty(Fault, String),
    /// It was to be done, and nobody knows whether it was.
    Uncertain(String),
}

/// The hospital's information system. Every call ends within its limit; dropping its future before leaves the outcome unknown.
pub trait Mis: Send + Sync + 'static {
    /// Books or cancels.
    fn run(&self, verb: Verb, fields: &Fields, limit: Duration) -> impl Future<Output = Fate> + Send;

    /// The booking that stands for a slot, a patient and a case number. The error says why it could not be found out.
    fn look_up(&self, fields: &Fields, limit: Duration) -> impl Future<Output = Result<Option<String>, String>> + Send;

    /// True when bookings can be looked up.
    fn can_look_up(&self) -> bool;

    /// The visit that a booking is or was for, by the booking's id. None where the site's statements cannot tell.
    fn visit(&self, fields: &Fields, limit: Duration) -> impl Future<Output = Result<Option<Visit>, String>> + Send;
}

/// The site's statements.
#[derive(Debug)]
pub struct Statements {
    writer: Writer,
    book: Script,
    cancel: Script,
    lookup: Option<Script>,
    zone: Tz,
}

impl Statements {
    /// Those of a configuration, for a database of this engine on whose wall clock zone-less times are read.
    pub fn new(config: &BookingConfig, engine: Engine, writer: Writer, zone: Tz) -> Result<Self, ScriptError> {
        let is_builtin = |texts: &[String]| texts == [BUILTIN];
        let script = |texts: &[String], own: &[&str], known| match is_builtin(texts) {
            true => Script::parse(engine, own, known),
            false => Script::parse(engine, texts, known),
        };
        // Who books by our own statements has our own to look up with.
        let own_lookup = is_builtin(&config.book).then(|| vec![BUILTIN.to_owned()]);
        let lookup = config.lookup.clone().or(own_lookup);
        Ok(Statements {
            book: script(&config.book, builtin::BOOK, BOOK_PARAMETERS)?,
            cancel: script(&config.cancel, builtin::CANCEL, CANCEL_PARAMETERS)?,
            lookup: lookup.map(|texts| script(&texts, builtin::LOOKUP, LOOKUP_PARAMETERS)).transpose()?,
            writer,
            zone,
        })
    }
}

impl Statements {
    /// The scripts by their keys.
    pub fn scripts(&self) -> impl Iterator<Item = (&'static str, &Script)> {
        let lookup = self.lookup.as_ref().map(|lookup| ("booking.lookup", lookup));
        [("booking.book", &self.book), ("booking.cancel", &self.cancel)].into_iter().chain(lookup)
    }

    /// The columns that a script's row would have, where the database can tell without running it. The error is a sentence without values.
    pub async fn columns(&self, key: &str, script: &Script, limit: Duration) -> Result<Option<Vec<String>>, String> {
        self.writer.columns(key, script, limit).await.map_err(|error| error.to_string())
    }

    async fn ask_lookup(&self, fields: &Fields, limit: Duration) -> Result<Option<Row>, String> {
        let Some(script) = &self.lookup else { return Err("there is no booking.lookup".to_owned()) };
        let values = fields.values();
        match self.writer.run(Run { key: "booking.lookup", script, values: &values, limit }).await {
            Written::Done(row) => Ok(row),
            Written::RolledBack(error) | Written::Uncertain(error) => Err(error.to_string()),
        }
    }
}

impl Mis for Statements {
    async fn run(&self, verb: Verb, fields: &Fields, limit: Duration) -> Fate {
        let end = Instant::now() + limit;
        let (key, script) = match verb {
            Verb::Book => ("booking.book", &self.book),
            Verb::Cancel => ("booking.cancel", &self.cancel),
        };
        let values = fields.values();
        let read = |row: Option<&Row>| Answer::read(verb, fields, row, Zone::new(self.zone));
        let (mut attempt, mut fault) = (1, None);
        loop {
            let limit = end.saturating_duration_since(Instant::now());
            let run = Run { key, script, values: &values, limit };
            let makes_sense = |row: Option<&Row>| {
                fault = read(row).err();
                fault.map_or(Ok(()), |fault| Err(fault.text()))
            };
            return match self.writer.run_if(run, makes_sense).await {
                Written::Done(row) => match read(row.as_ref()) {
                    Ok(answer) => Fate::Answered(answer),
                    // Such a row is not committed.
                    Err(fault) => Fate::Uncertain(fault.text().to_owned()),
                },
                Written::RolledBack(error) if error.is_collision() && attempt < COLLISIONS => {
                    attempt += 1;
                    continue;
                }
                Written::RolledBack(error) => match fault {
                    Some(fault) => Fate::Faulty(fault, error.to_string()),
                    None => Fate::Undone(error.to_string()),
                },
                Written::Uncertain(error) => Fate::Uncertain(error.to_string()),
            };
        }
    }

    async fn look_up(&self, fields: &Fields, limit: Duration) -> Result<Option<String>, String> {
        match self.ask_lookup(fields, limit).await? {
            None => Ok(None),
            Some(row) if !row.has("book_ext_id") => {
                Err("booking.lookup gives a row without a column book_ext_id".to_owned())
            }
            Some(row) => Ok(row.get("book_ext_id").map(str::to_owned).filter(|id| !id.trim().is_empty())),
        }
    }

    async fn visit(&self, fields: &Fields, limit: Duration) -> Result<Option<Visit>, String> {
        // One that cannot be asked by the booking's id would look for a booking that stands no longer.
        if !self.lookup.as_ref().is_some_and(|script| script.has_parameter(BY_BOOKING)) {
            return Ok(None);
        }
        let row = self.ask_lookup(fields, limit).await?;
        let visit = |row: Row| {
            Visit::read(row.get("slot_id"), row.get("visit_time"), row.get("duration"), Zone::new(self.zone))
        };
        Ok(row.map(visit))
    }

    fn can_look_up(&self) -> bool {
        self.lookup.is_some()
    }
}
