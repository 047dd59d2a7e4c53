//! The desk: where a request becomes an answer. It keeps to its time, lets requests for one slot follow each other, and never lets a booking
//! stand of which the gateway was told that there is none.
//!
//! A booking whose COMMIT was not answered is a doubt. Before the next answer for its slot, and in between by itself, the desk asks whether it
//! was made, and cancels it if it was. The same request again is not asked about: the site's statement knows a repetition, and its answer is
//! the truth that the gateway then hears.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::Utc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Verb;
use super::answer::{Answer, Code};
use super::doubts::{Doubt, Doubts};
use super::fault::Fault;
use super::journal::{BookingStatus, Journal};
use super::mis::{Fate, Mis};
use super::refusals::Refusals;
use super::request::Fields;
use super::told::Told;
use super::turns::Turns;
use super::visits::{Nowhere, Visits};
use crate::record::Key;
use crate::telemetry::Metrics;

/// How long an answer may take: the gateway waits ten seconds, on its own clock and with the way there and back.
pub const LIMIT: Duration = Duration::from_secs(8);
/// How often it is looked whether a doubt's next attempt has come.
const PAUSE: Duration = Duration::from_secs(1);
/// What is kept of a request's time to give its answer in.
const LAST_WORD: Duration = Duration::from_millis(200);

/// The records that a booking or cancellation has changed, as far as it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// The slot.
    pub slot: Option<Key>,
    /// The booking.
    pub book: Option<Key>,
    /// The referral.
    pub referral: Option<Key>,
    /// Why they are to be looked at.
    pub cause: Cause,
}

/// Why records are looked at anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cause {
    /// Something may have been done of which the gateway hears nothing.
    #[default]
    Untold,
    /// The gateway hears that it is done, and writes slot and booking itself. The referral it leaves to us.
    Told,
    /// The mart has offered a slot that the hospital calls taken or annulled.
    Refused,
}

/// Hears of what has changed.
pub type Listening = Box<dyn Fn(Changed) + Send + Sync>;

/// The desk over a hospital's system.
pub struct Desk<M> {
    mis: M,
    limit: Duration,
    memory: Arc<Memory>,
    has_successor: AtomicBool,
    metrics: Metrics,
    changed: Listening,
    visits: Box<dyn Visits>,
    under_way: TaskTracker,
}

/// What a desk remembers, and hands on to its successor.
#[derive(Default)]
struct Memory {
    turns: Turns,
    doubts: Doubts,
    told: Told,
    refusals: Refusals,
    journal: Journal,
}

/// What came of one request.
struct Ruling {
    answer: Answer,
    uncertain: bool,
}

impl From<Answer> for Ruling {
    fn from(answer: Answer) -> Self {
        Ruling { answer, uncertain: false }
    }
}

impl<M: Mis> Desk<M> {
    /// A desk that answers within [`LIMIT`] and tells `changed` what to look at anew.
    pub fn new(mis: M, metrics: Metrics, changed: Listening) -> Self {
        Desk {
            mis,
            limit: LIMIT,
            memory: Arc::default(),
            has_successor: AtomicBool::new(false),
            metrics,
            changed,
            visits: Box::new(Nowhere),
            under_way: TaskTracker::new(),
        }
    }

    /// The same desk, which asks here for the visit of a cancelled booking when the site's statements do not tell it.
    pub fn asking(self, visits: Box<dyn Visits>) -> Self {
        Desk { visits, ..self }
    }

    /// The same desk, which goes on where another one over the same database ends: both keep the turns at slots, and what is unknown stays
    /// known to be.
    pub fn after(self, before: &Desk<M>) -> Self {
        Desk { memory: Arc::clone(&before.memory), ..self }
    }

    /// Another desk goes on. Where it remembers what this one does, it follows what is unknown.
    pub fn gives_way_to(&self, next: &Desk<M>) {
        self.has_successor.store(Arc::ptr_eq(&self.memory, &next.memory), Ordering::Relaxed);
    }

    /// The same desk with another limit.
    pub fn within(self, limit: Duration) -> Self {
        Desk { limit, ..self }
    }

    /// Answers a request that arrived at `arrived`. What is begun is brought to its end even if nobody waits for the answer any more.
    pub async fn answer(self: &Arc<Self>, verb: Verb, fields: Fields, arrived: Instant) -> Answer {
        let lost = Answer::failed(verb, &fields);
        let (desk, (tell, told)) = (Arc::clone(self), tokio::sync::oneshot::channel());
        self.under_way.spawn(async move {
            let ruling = desk.decide(verb, &fields, arrived + desk.limit).await;
            desk.note(verb, &ruling, arrived.elapsed());
            if tell.send(ruling.answer).is_err()
                && let Some(more) = desk.memory.journal.may_tell("hung up")
            {
                tracing::warn!(verb = verb.name(), more, "the caller hung up before its answer; what was done stands");
            }
        });
        told.await.unwrap_or(lost)
    }

    /// Waits until everything is answered that was begun. Nothing new may come.
    pub async fn finish(&self) {
        self.under_way.close();
        self.under_way.wait().await;
        if self.has_successor.load(Ordering::Relaxed) {
            return;
        }
        for doubt in self.memory.doubts.all() {
            let slot = doubt.fields.guid("slot_id").map(|slot| slot.to_string()).unwrap_or_default();
            tracing::error!(slot, "nobody knows whether a booking was made that was answered 18; look at this slot");
        }
    }

    /// Somebody called who may not.
    pub fn refused(&self, caller: std::net::IpAddr) {
        self.memory.journal.refused(caller);
    }

    /// A request could not be read. What is wrong with it says nothing about anybody.
    pub fn unread(&self, verb: Verb, why: &str) {
        if let Some(more) = self.memory.journal.may_tell("unread") {
            tracing::warn!(verb = verb.name(), more, "a request was not answered: {why}");
        }
    }

    /// What `status` shows of it.
    pub fn status(&self) -> BookingStatus {
        BookingStatus { lookup: self.mis.can_look_up(), ..self.memory.journal.status(&self.memory.doubts.all()) }
    }

    /// Finds out about doubts whenever their time has come.
    pub async fn resolve_doubts(self: Arc<Self>, stop: CancellationToken) {
        if !self.mis.can_look_up() {
            return stop.cancelled().await;
        }
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
            for doubt in self.memory.doubts.due() {
                let _turn = self.memory.turns.at(&doubt.fields.slot()).await;
                // A request may have settled it meanwhile.
                if let Some(doubt) = self.memory.doubts.get(doubt.id).filter(|_| !stop.is_cancelled()) {
                    let _tried_again_later = self.resolve(&doubt, Instant::now() + self.limit).await;
                }
            }
        }
    }

    fn note(&self, verb: Verb, ruling: &Ruling, took: Duration) {
        let (answer, code) = (&ruling.answer, ruling.answer.code);
        self.metrics.observe_booking(verb.name(), code.number(), took);
        self.metrics.show_uncertain_bookings(self.memory.doubts.len());
        self.memory.journal.answered(verb, answer, took, ruling.uncertain);
        let slot = answer.slot().map(|slot| slot.to_string()).unwrap_or_default();
        tracing::info!(verb = verb.name(), code = code.number(), slot, ms = took.as_millis() as u64, "answered");
    }

    async fn decide(&self, verb: Verb, fields: &Fields, deadline: Instant) -> Ruling {
        let needed: &[&str] = match verb {
            Verb::Book => &["slot_id", "patient_id"],
            Verb::Cancel => &["book_ext_id", "patient_id"],
        };
        if let Some(missing) = needed.iter().find(|name| fields.get(name).is_none()) {
            if let Some(more) = self.memory.journal.may_tell("mismatch") {
                tracing::warn!(verb = verb.name(), missing, more, "a request lacks a field that it must have");
            }
            return Answer::mismatch(verb, fields).into();
        }
        match verb {
            Verb::Book => self.book(fields, deadline).await,
            Verb::Cancel => self.cancel(fields, deadline).await,
        }
    }

    async fn book(&self, fields: &Fields, deadline: Instant) -> Ruling {
        let failed = || Ruling::from(Answer::failed(Verb::Book, fields));
        let slot = fields.slot();
        let Ok(_turn) = timeout_at(deadline, self.memory.turns.at(&slot)).await else {
            self.trouble(Verb::Book, "others were before it at the slot, and took all its time");
            return failed();
        };
        let doubts = self.memory.doubts.at(&slot);
        for doubt in doubts.iter().filter(|doubt| !doubt.fields.same_booking(fields)) {
            if self.mis.can_look_up() && self.resolve(doubt, deadline).await.is_err() {
                return failed();
            }
        }
        match self.mis.run(Verb::Book, fields, left(deadline)).await {
            Fate::Answered(answer) => {
                if answer.code == Code::Done {
                    // The gateway hears of it now: it may stand.
                    let told = doubts.iter().filter(|doubt| doubt.fields.same_booking(fields));
                    told.for_each(|doubt| self.memory.doubts.remove(doubt.id));
                    answer.book_ext_id().into_iter().for_each(|book| self.memory.told.made(book));
                    let slot = answer.slot().or_else(|| fields.guid("slot_id"));
                    let (book, referral) = (answer.book(), fields.guid("referral_id"));
                    // Who comes too late now needs no read of its own.
                    let _read_in_any_case = slot.as_ref().map(|slot| self.memory.refusals.may_look(slot));
                    (self.changed)(Changed { slot, book, referral, cause: Cause::Told });
                }
                self.look_at_refused(answer.code, fields);
                answer.into()
            }
            Fate::Undone(why) => {
                self.trouble(Verb::Book, &why);
                failed()
            }
            Fate::Faulty(fault, why) => {
                self.fault(Verb::Book, fault, &why);
                failed()
            }
            Fate::Uncertain(why) => {
                self.doubt(fields, &why);
                (self.changed)(Changed { slot: fields.guid("slot_id"), ..Changed::default() });
                Ruling { uncertain: true, ..failed() }
            }
        }
    }

    async fn cancel(&self, fields: &Fields, deadline: Instant) -> Ruling {
        let failed = || Ruling::from(Answer::failed(Verb::Cancel, fields));
        match self.mis.run(Verb::Cancel, fields, left(deadline)).await {
            Fate::Answered(answer) => {
                if answer.code != Code::Failed {
                    answer.book_ext_id().into_iter().for_each(|book| self.memory.told.cancelled(book));
                }
                if answer.code == Code::Done {
                    (self.changed)(Changed {
                        slot: answer.slot(),
                        book: answer.book(),
                        referral: None,
                        cause: Cause::Told,
                    });
                    return self.completed(answer, fields, deadline).await.into();
                }
                answer.into()
            }
            Fate::Undone(why) => {
                self.trouble(Verb::Cancel, &why);
                failed()
            }
            Fate::Faulty(fault, why) => {
                self.fault(Verb::Cancel, fault, &why);
                failed()
            }
            // The gateway may ask again and hears then whether it was done; what was done the mart hears at once.
            Fate::Uncertain(why) => {
                self.trouble(Verb::Cancel, &why);
                (self.changed)(Changed { book: fields.guid("book_ext_id"), ..Changed::default() });
                Ruling { uncertain: true, ..failed() }
            }
        }
    }

    /// A citizen chose what the mart showed as free. If it is not, the mart is to show it as it is before the citizen looks again.
    fn look_at_refused(&self, code: Code, fields: &Fields) {
        if let (Code::Taken | Code::Annulled, Some(slot)) = (code, fields.guid("slot_id"))
            && self.memory.refusals.may_look(&slot)
        {
            (self.changed)(Changed { slot: Some(slot), cause: Cause::Refused, ..Changed::default() });
        }
    }

    /// Adds slot, time and duration, which the document calls mandatory: from the site's lookup, else from the rows of the feeds. The
    /// cancellation stands in any case, and so is answered.
    async fn completed(&self, mut answer: Answer, fields: &Fields, deadline: Instant) -> Answer {
        if answer.is_complete() {
            return answer;
        }
        match self.mis.visit(fields, left(deadline) / 2).await {
            Ok(visit) => visit.into_iter().for_each(|visit| answer.fill(visit)),
            Err(why) => self.complain(Verb::Cancel, "visit", &format!("the visit of a cancelled booking: {why}")),
        }
        if !answer.is_complete()
            && let Some(book) = answer.book()
        {
            let limit = left(deadline).saturating_sub(LAST_WORD);
            answer.fill(timeout_at(deadline, self.visits.of(book, limit)).await.unwrap_or_default());
        }
        if !answer.is_complete() {
            self.metrics.count_booking_fault(Verb::Cancel.name(), Fault::Incomplete.label());
            let why = "booking.cancel is to give them, or booking.lookup by :book_ext_id";
            self.complain(Verb::Cancel, "incomplete", &format!("answered 0{}; {why}", Fault::Incomplete.text()));
        }
        answer
    }

    /// Finds out whether a booking was made that the gateway was told is not, and cancels it if it was. An error when neither is certain yet.
    /// The turn at its slot is the caller's.
    async fn resolve(&self, doubt: &Doubt, deadline: Instant) -> Result<(), ()> {
        let found = match &doubt.found {
            Some(found) => Some(found.clone()),
            None => match self.mis.look_up(&doubt.fields, left(deadline)).await {
                Ok(found) => found,
                Err(why) => {
                    self.memory.doubts.put_off(doubt.id, None);
                    self.trouble(Verb::Book, &format!("the outcome of an earlier booking is still unknown: {why}"));
                    return Err(());
                }
            },
        };
        let slot = doubt.fields.guid("slot_id");
        let shown = slot.as_ref().map(ToString::to_string).unwrap_or_default();
        let Some(found) = found else {
            if doubt.is_settled_by_absence() {
                self.memory.doubts.remove(doubt.id);
                tracing::info!(slot = shown, "a booking of unknown outcome was never made");
            } else {
                self.memory.doubts.put_off(doubt.id, None);
            }
            return Ok(());
        };
        if self.memory.told.is_made(&found) {
            self.memory.doubts.remove(doubt.id);
            tracing::info!(slot = shown, "a request of unknown outcome repeated a booking that the gateway knows");
            return Ok(());
        }
        let of = |name: &'static str| (name, doubt.fields.get(name).map(str::to_owned));
        let order = Fields::of([("book_ext_id", Some(found.clone())), of("patient_id"), of("united_guids")]);
        let why = match self.mis.run(Verb::Cancel, &order, left(deadline)).await {
            Fate::Answered(answer) if matches!(answer.code, Code::Done | Code::AlreadyCancelled) => {
                self.memory.doubts.remove(doubt.id);
                tracing::warn!(slot = shown, "a booking that was answered 18 had been made; it is cancelled");
                (self.changed)(Changed { slot, book: answer.book(), ..Changed::default() });
                return Ok(());
            }
            Fate::Answered(_) => "booking.cancel does not let it be cancelled".to_owned(),
            Fate::Faulty(fault, why) => {
                self.metrics.count_booking_fault(Verb::Cancel.name(), fault.label());
                why
            }
            Fate::Undone(why) | Fate::Uncertain(why) => why,
        };
        self.memory.doubts.put_off(doubt.id, Some(found));
        self.trouble(Verb::Cancel, &format!("a booking that was answered 18 stands and is to be cancelled: {why}"));
        Err(())
    }

    /// Notes a booking of unknown outcome.
    fn doubt(&self, fields: &Fields, why: &str) {
        let slot = fields.guid("slot_id").map(|slot| slot.to_string()).unwrap_or_default();
        match self.mis.can_look_up() {
            true => tracing::warn!(slot, "it is unknown whether a booking was made, and being found out: {why}"),
            false => tracing::error!(
                slot,
                "it is unknown whether a booking was made that was answered 18: {why}; look at this slot, and add booking.lookup, \
                 which finds it out"
            ),
        }
        if let Some(dropped) = self.memory.doubts.add(fields, Utc::now().timestamp()) {
            let slot = dropped.fields.guid("slot_id").map(|slot| slot.to_string()).unwrap_or_default();
            tracing::error!(
                slot,
                "too many bookings of unknown outcome; this one is no longer followed: look at its slot"
            );
        }
    }

    fn trouble(&self, verb: Verb, why: &str) {
        self.complain(verb, verb.name(), &format!("answered 18: {why}"));
    }

    /// The site's statement gave a row that no gateway could use: rolled back.
    fn fault(&self, verb: Verb, fault: Fault, why: &str) {
        self.metrics.count_booking_fault(verb.name(), fault.label());
        if let Some(more) = self.memory.journal.may_tell(fault.label()) {
            tracing::warn!(verb = verb.name(), fault = fault.label(), more, "answered 18: {why}");
        }
    }

    fn complain(&self, verb: Verb, trouble: &'static str, what: &str) {
        if let Some(more) = self.memory.journal.may_tell(trouble) {
            tracing::warn!(verb = verb.name(), more, "{what}");
        }
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests;
