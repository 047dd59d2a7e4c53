//! The hospital's side of a booking: the statements that the site has configured, each run in one transaction of its own.

use std::future::Future;
use std::time::Duration;

use chrono_tz::Tz;
use tokio::time::Instant;

use super::Verb;
use super::answer::Answer;
use super::builtin;
use super::request::Fields;
use crate::config::{BOOK_PARAMETERS, BUILTIN, BookingConfig, CANCEL_PARAMETERS, LOOKUP_PARAMETERS};
use crate::record::Zone;
use crate::source::{Engine, Row, Run, Script, ScriptError, WriteError, Writer, Written};

/// How often a transaction that the database ended for the sake of another one is run.
const COLLISIONS: u32 = 4;

/// What became of a booking or cancellation.
#[derive(Debug)]
pub enum Fate {
    /// The hospital's system has decided, and what it did stands.
    Answered(Answer),
    /// Nothing was done, certainly.
    Undone(String),
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

impl Mis for Statements {
    async fn run(&self, verb: Verb, fields: &Fields, limit: Duration) -> Fate {
        let end = Instant::now() + limit;
        let (key, script) = match verb {
            Verb::Book => ("booking.book", &self.book),
            Verb::Cancel => ("booking.cancel", &self.cancel),
        };
        let values = fields.values();
        let read = |row: Option<&Row>| Answer::read(verb, fields, row, Zone::new(self.zone));
        let mut attempt = 1;
        loop {
            let limit = end.saturating_duration_since(Instant::now());
            let run = Run { key, script, values: &values, limit };
            return match self.writer.run_if(run, |row| read(row).map(drop)).await {
                Written::Done(row) => match read(row.as_ref()) {
                    Ok(answer) => Fate::Answered(answer),
                    // Such a row is not committed.
                    Err(why) => Fate::Uncertain(why.to_owned()),
                },
                Written::RolledBack(error) if error.is_collision() && attempt < COLLISIONS => {
                    attempt += 1;
                    continue;
                }
                Written::RolledBack(error) => Fate::Undone(error.to_string()),
                Written::Uncertain(error) => Fate::Uncertain(error.to_string()),
            };
        }
    }

    async fn look_up(&self, fields: &Fields, limit: Duration) -> Result<Option<String>, String> {
        let Some(script) = &self.lookup else { return Err("there is no booking.lookup".to_owned()) };
        let values = fields.values();
        let run = Run { key: "booking.lookup", script, values: &values, limit };
        let refused = |error: WriteError| error.to_string();
        match self.writer.run(run).await {
            Written::Done(None) => Ok(None),
            Written::Done(Some(row)) if !row.has("book_ext_id") => {
                Err("booking.lookup gives a row without a column book_ext_id".to_owned())
            }
            Written::Done(Some(row)) => {
                Ok(row.get("book_ext_id").map(str::to_owned).filter(|id| !id.trim().is_empty()))
            }
            Written::RolledBack(error) | Written::Uncertain(error) => Err(refused(error)),
        }
    }

    fn can_look_up(&self) -> bool {
        self.lookup.is_some()
    }
}
