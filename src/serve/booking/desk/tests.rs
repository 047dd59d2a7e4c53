//! The desk over a hospital of the test's own, in simulated time.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::super::answer::Visit;
use super::super::mis::{Fate, Mis};
use super::*;
use crate::source::Row;

const SLOT: &str = "ac46c807-9d59-4f56-b30c-2d165ab21753";
const OTHER: &str = "bc46c807-9d59-4f56-b30c-2d165ab21753";
const BOOK: &str = "00000000-0000-0001-0000-000001017307";

/// What a call of the hospital's system leads to, and how long it takes.
#[derive(Clone)]
enum Step {
    Code(u8),
    /// A cancellation of which the statement says no more than this code.
    Bare(u8),
    Faulty,
    /// The visit of a cancelled booking, as the site's lookup tells it: its time and duration, or nothing.
    Visit(Option<(&'static str, &'static str)>),
    Undone,
    Uncertain,
    Found(Option<&'static str>),
    Away,
}

/// Plays its steps one after another, and remembers what it was asked.
#[derive(Default)]
struct Scripted {
    steps: Mutex<VecDeque<(Duration, Step)>>,
    asked: Mutex<Vec<String>>,
    looks_up: bool,
}

impl Scripted {
    fn next(&self, asked: String) -> (Duration, Step) {
        self.asked.lock().unwrap().push(asked);
        self.steps.lock().unwrap().pop_front().expect("a step")
    }
}

impl Mis for Arc<Scripted> {
    async fn run(&self, verb: Verb, fields: &Fields, limit: Duration) -> Fate {
        let patient = fields.get("patient_id").unwrap_or_default().to_owned();
        let (takes, step) = self.next(format!("{} {patient}", verb.name()));
        if takes > limit {
            tokio::time::sleep(limit).await;
            return Fate::Undone("was not done in time".into());
        }
        tokio::time::sleep(takes).await;
        match step {
            Step::Code(code) => {
                let column = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
                let row = Row::new(vec![
                    column("status_code", &code.to_string()),
                    column("book_ext_id", BOOK),
                    column("slot_id", SLOT),
                    column("visit_time", "2031-03-01 10:00:00"),
                    column("duration", "20"),
                ]);
                Fate::Answered(Answer::read(verb, fields, Some(&row), zone()).unwrap())
            }
            Step::Bare(code) => {
                let row = Row::new(vec![("status_code".to_owned(), Some(code.to_string()))]);
                Fate::Answered(Answer::read(verb, fields, Some(&row), zone()).unwrap())
            }
            Step::Faulty => Fate::Faulty(Fault::BookingNoGuid, "a row that is no answer".into()),
            Step::Undone => Fate::Undone("cannot connect".into()),
            Step::Uncertain => Fate::Uncertain("connection lost".into()),
            Step::Found(_) | Step::Away | Step::Visit(_) => panic!("a look-up was expected"),
        }
    }

    async fn look_up(&self, _: &Fields, _: Duration) -> Result<Option<String>, String> {
        match self.next("lookup".to_owned()) {
            (_, Step::Found(found)) => Ok(found.map(str::to_owned)),
            (_, Step::Away) => Err("cannot connect".into()),
            _ => panic!("no look-up was expected"),
        }
    }

    fn can_look_up(&self) -> bool {
        self.looks_up
    }

    async fn visit(&self, _: &Fields, _: Duration) -> Result<Option<Visit>, String> {
        match self.next("visit".to_owned()) {
            (_, Step::Visit(found)) => {
                Ok(found.map(|(time, minutes)| Visit::read(Some(SLOT), Some(time), Some(minutes), zone())))
            }
            (_, Step::Away) => Err("cannot connect".into()),
            _ => panic!("no visit was expected"),
        }
    }
}

/// What the feeds' rows say of a booking, and how long they take to say it.
struct FeedRows(Duration, Visit);

impl Visits for FeedRows {
    fn of(&self, _: Key, limit: Duration) -> futures_util::future::BoxFuture<'_, Visit> {
        Box::pin(async move {
            tokio::time::sleep(self.0.min(limit)).await;
            if self.0 > limit { Visit::default() } else { self.1.clone() }
        })
    }
}

fn zone() -> crate::record::Zone {
    crate::record::Zone::new(chrono_tz::Tz::UTC)
}

/// A desk, its hospital, and what it said has changed.
struct Office {
    desk: Arc<Desk<Arc<Scripted>>>,
    mis: Arc<Scripted>,
    changed: Arc<Mutex<Vec<Changed>>>,
}

fn office(looks_up: bool, steps: &[Step]) -> Office {
    let quick = steps.iter().map(|step| (Duration::from_millis(5), step.clone()));
    office_of(looks_up, quick.collect())
}

fn office_of(looks_up: bool, steps: VecDeque<(Duration, Step)>) -> Office {
    let mis = Arc::new(Scripted { steps: Mutex::new(steps), asked: Mutex::default(), looks_up });
    let changed: Arc<Mutex<Vec<Changed>>> = Arc::default();
    let hears = Arc::clone(&changed);
    let listening = Box::new(move |changed| hears.lock().unwrap().push(changed));
    let desk = Arc::new(Desk::new(Arc::clone(&mis), Metrics::new().unwrap(), listening));
    Office { desk, mis, changed }
}

fn fields(slot: &str, patient: &str) -> Fields {
    let of = |text: &str| Some(text.to_owned());
    Fields::of([("slot_id", of(slot)), ("patient_id", of(patient)), ("book_ext_id", of(BOOK)), ("case_number", None)])
}

impl Office {
    async fn book(&self, patient: &str) -> u8 {
        self.answer(Verb::Book, fields(SLOT, patient)).await
    }

    async fn answer(&self, verb: Verb, fields: Fields) -> u8 {
        self.desk.answer(verb, fields, Instant::now()).await.code.number()
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.mis.asked.lock().unwrap())
    }

    fn uncertain(&self) -> usize {
        self.desk.status().uncertain.len()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_done_changes_slot_booking_and_referral_and_what_is_not_changes_nothing() {
    let office = office(true, &[Step::Code(0), Step::Code(11), Step::Undone, Step::Code(0), Step::Code(1)]);
    let mut referred = fields(SLOT, "a")
        .values()
        .into_iter()
        .map(|(name, value)| (name, value.map(str::to_owned)))
        .collect::<Vec<_>>();
    referred.push(("referral_id", Some(OTHER.to_owned())));
    assert_eq!(office.answer(Verb::Book, Fields::of(referred)).await, 0);
    assert_eq!((office.book("b").await, office.book("c").await), (11, 18));
    assert_eq!(office.answer(Verb::Cancel, fields(SLOT, "a")).await, 0);
    assert_eq!(office.answer(Verb::Cancel, fields(SLOT, "a")).await, 1);
    let key = |text| Some(Key::parse(text));
    let booked = Changed { slot: key(SLOT), book: key(BOOK), referral: key(OTHER), cause: Cause::Told };
    let cancelled = Changed { referral: None, ..booked.clone() };
    assert_eq!(*office.changed.lock().unwrap(), [booked, cancelled], "who came too late was refused a slot just read");
}

#[tokio::test(start_paused = true)]
async fn a_request_without_what_it_must_have_is_18_and_troubles_nobody() {
    let office = office(true, &[]);
    assert_eq!(office.answer(Verb::Book, Fields::default()).await, 18);
    assert_eq!(office.answer(Verb::Cancel, Fields::of([("patient_id", Some("a".to_owned()))])).await, 18);
    assert!(office.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_within_its_time_though_others_are_before_it() {
    let slow = (Duration::from_secs(5), Step::Code(11));
    let office = office_of(true, VecDeque::from([slow.clone(), slow]));
    let start = Instant::now();
    let (first, second, third) = tokio::join!(office.book("a"), office.book("b"), office.book("c"));
    assert_eq!((first, second, third), (11, 18, 18), "five seconds, three that were left, none");
    assert_eq!(start.elapsed(), LIMIT);
}

#[tokio::test(start_paused = true)]
async fn slots_do_not_wait_for_each_other() {
    let slow = (Duration::from_secs(5), Step::Code(11));
    let office = office_of(true, VecDeque::from([slow.clone(), slow]));
    let other = office.answer(Verb::Book, fields(OTHER, "b"));
    assert_eq!(tokio::join!(office.book("a"), other), (11, 11));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_hangs_up_does_not_stop_what_was_begun() {
    let office = office_of(true, VecDeque::from([(Duration::from_secs(5), Step::Code(0))]));
    let waits = tokio::time::timeout(Duration::from_secs(1), office.book("a")).await;
    assert!(waits.is_err());
    office.desk.finish().await;
    assert_eq!(office.changed.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_booking_that_turns_out_made_is_cancelled_before_the_next_answer_for_its_slot() {
    let office = office(true, &[Step::Uncertain, Step::Found(Some(BOOK)), Step::Code(0), Step::Code(0)]);
    assert_eq!((office.book("a").await, office.uncertain()), (18, 1));
    assert_eq!((office.book("b").await, office.uncertain()), (0, 0));
    assert_eq!(office.asked(), ["book a", "lookup", "cancel a", "book b"]);
    let causes: Vec<Cause> = office.changed.lock().unwrap().iter().map(|changed| changed.cause).collect();
    assert_eq!(
        causes,
        [Cause::Untold, Cause::Untold, Cause::Told],
        "of the one that was made and cancelled the gateway knows nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_booking_that_the_gateway_knows_is_not_cancelled_for_the_sake_of_a_repetition() {
    let office = office(
        true,
        &[Step::Code(0), Step::Uncertain, Step::Found(Some(BOOK)), Step::Code(11), Step::Code(0), Step::Code(0)],
    );
    assert_eq!((office.book("a").await, office.book("a").await, office.uncertain()), (0, 18, 1));
    assert_eq!((office.book("b").await, office.uncertain()), (11, 0));
    assert_eq!(office.asked(), ["book a", "book a", "lookup", "book b"], "nothing was cancelled");
    assert_eq!(office.answer(Verb::Cancel, fields(SLOT, "a")).await, 0);
    assert!(!office.desk.memory.told.is_made(BOOK), "and is known no longer");
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_one_slot_however_its_id_is_written() {
    let office = office(true, &[Step::Uncertain, Step::Found(Some(BOOK)), Step::Code(0), Step::Code(0)]);
    assert_eq!(office.answer(Verb::Book, fields(&SLOT.to_uppercase(), "a")).await, 18);
    assert_eq!((office.book("b").await, office.uncertain()), (0, 0));
    assert_eq!(office.asked(), ["book a", "lookup", "cancel a", "book b"]);
}

#[tokio::test(start_paused = true)]
async fn the_same_request_again_settles_its_own_doubt() {
    let office = office(false, &[Step::Uncertain, Step::Code(0)]);
    assert_eq!((office.book("a").await, office.book("a").await), (18, 0));
    assert_eq!((office.uncertain(), office.asked()), (0, vec!["book a".to_owned(), "book a".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn while_an_outcome_cannot_be_found_out_its_slot_is_answered_18() {
    let office = office(
        true,
        &[Step::Uncertain, Step::Away, Step::Found(Some(BOOK)), Step::Undone, Step::Code(1), Step::Code(11)],
    );
    office.book("a").await;
    assert_eq!((office.book("b").await, office.book("b").await), (18, 18), "not found out; found and not cancelled");
    assert!(office.desk.status().uncertain[0].stands);
    assert_eq!((office.book("b").await, office.uncertain()), (11, 0));
    assert_eq!(office.asked(), ["book a", "lookup", "lookup", "cancel a", "cancel a", "book b"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_lookup_others_hear_what_the_database_says_and_the_doubt_stays() {
    let office = office(false, &[Step::Uncertain, Step::Code(11)]);
    assert_eq!((office.book("a").await, office.book("b").await), (18, 11));
    assert_eq!((office.uncertain(), office.desk.status().lookup), (1, false));
}

#[tokio::test(start_paused = true)]
async fn the_desk_finds_out_by_itself_and_trusts_absence_only_after_a_while() {
    let absent = Step::Found(None);
    let office =
        office(true, &[Step::Uncertain, absent.clone(), absent.clone(), absent.clone(), absent.clone(), absent]);
    office.book("a").await;
    let stop = CancellationToken::new();
    let resolving = tokio::spawn(Arc::clone(&office.desk).resolve_doubts(stop.clone()));
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(office.uncertain(), 1, "its COMMIT may still be under way");
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(office.uncertain(), 0);
    stop.cancel();
    resolving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_uncertain_cancellation_is_left_to_the_gateways_next_try() {
    let office = office(true, &[Step::Uncertain, Step::Code(1)]);
    assert_eq!(office.answer(Verb::Cancel, fields(SLOT, "a")).await, 18);
    assert_eq!(office.answer(Verb::Cancel, fields(SLOT, "a")).await, 1);
    assert_eq!(office.uncertain(), 0);
    let changed = office.changed.lock().unwrap();
    assert_eq!(changed[0].book, Some(Key::parse(BOOK)), "the mart hears the truth");
    assert_eq!(changed[0].cause, Cause::Untold, "and the gateway writes nothing after an 18");
}

/// What the gateway hears of a cancellation of which the statement says nothing but 0, and the desk's metrics.
async fn cancelled(steps: &[Step], rows: FeedRows) -> (serde_json::Value, String) {
    let office = office(true, steps);
    let metrics = Metrics::new().unwrap();
    let mis = Arc::clone(&office.mis);
    let desk = Arc::new(Desk::new(mis, metrics.clone(), Box::new(|_| ())).asking(Box::new(rows)));
    let start = Instant::now();
    let answer = desk.answer(Verb::Cancel, fields(SLOT, "a"), start).await;
    assert!(start.elapsed() <= LIMIT, "{:?}", start.elapsed());
    (serde_json::to_value(&answer).unwrap(), metrics.text().unwrap())
}

/// Time and duration of an answer, whose code is 0.
fn visit_of(answer: &serde_json::Value) -> [&str; 2] {
    assert_eq!(answer["status"]["status_code"], 0, "the cancellation stands");
    ["visit_time", "duration"].map(|name| answer[name].as_str().unwrap_or("-"))
}

const INCOMPLETE: &str = "vitrina_booking_faults_total{fault=\"incomplete\",verb=\"cancel\"} 1";

#[tokio::test(start_paused = true)]
async fn what_a_cancellation_does_not_say_comes_from_the_lookup_and_else_from_the_feeds() {
    let row = || Visit::read(Some(SLOT), Some("2031-03-02 11:00:00"), Some("30"), zone());
    let looked_up = Step::Visit(Some(("2031-03-01 10:00:00", "20")));
    let quick = |visit| FeedRows(Duration::from_millis(5), visit);
    let (answer, _) = cancelled(&[Step::Bare(0), looked_up], quick(row())).await;
    assert_eq!(visit_of(&answer), ["2031-03-01T10:00:00+00:00", "20"]);
    for silent in [Step::Visit(None), Step::Away] {
        let (answer, metrics) = cancelled(&[Step::Bare(0), silent], quick(row())).await;
        assert_eq!(visit_of(&answer), ["2031-03-02T11:00:00+00:00", "30"]);
        assert!(!metrics.contains(INCOMPLETE));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_of_which_nothing_tells_the_visit_is_answered_in_time_and_counted() {
    let row = Visit::read(Some(SLOT), Some("2031-03-02 11:00:00"), Some("30"), zone());
    for rows in [FeedRows(Duration::ZERO, Visit::default()), FeedRows(Duration::from_secs(60), row)] {
        let (answer, metrics) = cancelled(&[Step::Bare(0), Step::Visit(None)], rows).await;
        assert_eq!(visit_of(&answer), ["-", "-"]);
        assert!(metrics.contains(INCOMPLETE), "{metrics}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_the_mart_could_not_store_is_18_and_counted_by_its_fault() {
    let office = office(true, &[Step::Faulty]);
    assert_eq!((office.book("a").await, office.uncertain()), (18, 0));
    assert!(office.changed.lock().unwrap().is_empty());
    let metrics = office.desk.metrics.text().unwrap();
    let expected = "vitrina_booking_faults_total{fault=\"book_ext_id_no_guid\",verb=\"book\"} 1";
    assert!(metrics.contains(expected), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_was_offered_and_is_not_to_be_had_is_looked_at_once_in_a_while() {
    let office = office(false, &[Step::Code(11), Step::Code(15), Step::Code(12), Step::Code(15)]);
    for expected in [11, 15, 12] {
        assert_eq!(office.book("a").await, expected);
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(office.book("a").await, 15);
    let refused = Changed { slot: Some(Key::parse(SLOT)), cause: Cause::Refused, ..Changed::default() };
    assert_eq!(*office.changed.lock().unwrap(), [refused.clone(), refused], "the second within seconds is not");
}
