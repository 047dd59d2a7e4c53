//! The citizens of a demo: through the mock gateway they book free slots, race for one, ask again for what they have, give bookings up, and
//! give them up twice. The gateway holds each answer against the document; what it finds is counted here.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::demo::fer::{BookRequest, CancelRequest, FerGateway, ForwardError, Forwarded, PatientData};
use crate::demo::hospital::Hospital;
use crate::demo::view::BookingProgress;

/// How often somebody wants something.
const PACE: Duration = Duration::from_millis(400);
/// Most patients who do.
const PATIENTS: u32 = 500;
/// Bookings that citizens remember.
const REMEMBERED: usize = 100;

/// What they want, one after the other, so that a short demo shows all of it.
const WISHES: [Wish; 6] = [Wish::Book, Wish::Race, Wish::Cancel, Wish::CancelAgain, Wish::Book, Wish::Repeat];

#[derive(Debug, Clone, Copy)]
enum Wish {
    /// A free slot.
    Book,
    /// A free slot that somebody else wants at the same moment.
    Race,
    /// The same slot twice, as the site asks again when it has lost an answer.
    Repeat,
    /// To give a booking up, but to remember it.
    Cancel,
    /// To give up what was given up before.
    CancelAgain,
}

/// What citizens have heard so far.
#[derive(Debug, Default)]
pub(super) struct Heard(Mutex<BookingProgress>);

impl Heard {
    pub(super) fn so_far(&self) -> BookingProgress {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, note: impl FnOnce(&mut BookingProgress)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts an answer. None where there was none: the mart does not show the slot, or no longer, and the gateway did not ask.
    fn take(
        &self,
        answer: Result<Forwarded, ForwardError>,
        done: fn(&mut BookingProgress) -> &mut u64,
    ) -> Option<Forwarded> {
        match answer {
            Ok(told) => {
                self.note(|so_far| {
                    let count = if told.code == 0 { done(so_far) } else { &mut so_far.refused };
                    *count += 1;
                    so_far.slowest = so_far.slowest.max(Duration::from_millis(told.elapsed_ms));
                });
                Some(told)
            }
            Err(ForwardError::NoSlot | ForwardError::NotFree | ForwardError::NoBooking) => None,
            Err(fault) => {
                self.fault(fault.to_string());
                None
            }
        }
    }

    fn fault(&self, text: String) {
        self.note(|so_far| {
            so_far.faults += 1;
            so_far.first_fault.get_or_insert(text);
        });
    }
}

/// Everybody who books.
pub(super) struct Citizens {
    hospital: Hospital,
    gateway: FerGateway,
    patients: Vec<(String, String)>,
    made: Vec<CancelRequest>,
    given_up: Option<CancelRequest>,
    rng: StdRng,
}

impl Citizens {
    pub(super) async fn of(hospital: Hospital, gateway: FerGateway) -> Result<Self> {
        let patients = hospital.patients(PATIENTS).await?;
        let rng = StdRng::seed_from_u64(rand::random());
        Ok(Citizens { hospital, gateway, patients, made: Vec::new(), given_up: None, rng })
    }

    /// Books and cancels until it is stopped. What is begun is heard to its end.
    pub(super) async fn live(mut self, heard: &Heard, stop: CancellationToken) -> Result<()> {
        let mut clock = tokio::time::interval(PACE);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut wishes = WISHES.into_iter().cycle();
        let mut wish = wishes.next();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                _ = clock.tick() => {}
            }
            // A wish that came to nothing, because the mart does not show the slot yet, stays the next one.
            if let Some(wanted) = wish
                && self.try_to(wanted, heard).await?
            {
                wish = wishes.next();
            }
        }
    }

    /// Tries to get what is wished for. True when somebody heard an answer, or there is nothing to ask.
    async fn try_to(&mut self, wish: Wish, heard: &Heard) -> Result<bool> {
        match wish {
            Wish::Cancel => self.cancel(heard).await,
            Wish::CancelAgain => Ok(self.cancel_again(heard).await),
            Wish::Book => self.book(heard).await,
            Wish::Race | Wish::Repeat => self.book_at_once(wish, heard).await,
        }
    }

    async fn book(&mut self, heard: &Heard) -> Result<bool> {
        let Some(request) = self.request().await? else { return Ok(true) };
        let told = heard.take(self.gateway.book(&request).await, |so_far| &mut so_far.booked);
        self.remember(&request, told.as_ref());
        Ok(told.is_some())
    }

    /// Two requests for one slot that are both under way: of one patient, who must get one booking, or of two, of whom one must get it.
    async fn book_at_once(&mut self, wish: Wish, heard: &Heard) -> Result<bool> {
        let Some(first) = self.request().await? else { return Ok(true) };
        let second = match wish {
            Wish::Repeat => first.clone(),
            _ => BookRequest { slot_id: first.slot_id.clone(), ..self.anybody() },
        };
        let (one, other) = tokio::join!(self.gateway.book(&first), self.gateway.book(&second));
        let one = heard.take(one, |so_far| &mut so_far.booked);
        let repeated = matches!(wish, Wish::Repeat) && one.as_ref().is_some_and(|told| told.code == 0);
        let counter: fn(&mut BookingProgress) -> &mut u64 =
            if repeated { |so_far| &mut so_far.repeated } else { |so_far| &mut so_far.booked };
        let other = heard.take(other, counter);
        if let (Some(one), Some(other)) = (&one, &other) {
            let is_same = first.patient_id == second.patient_id;
            if let Some(fault) = contradiction(is_same, one, other) {
                heard.fault(fault.to_owned());
            }
        }
        self.remember(&first, one.as_ref());
        if !repeated {
            self.remember(&second, other.as_ref());
        }
        Ok(one.is_some() || other.is_some())
    }

    async fn cancel(&mut self, heard: &Heard) -> Result<bool> {
        if self.made.is_empty() {
            self.book(heard).await?;
            return Ok(false);
        }
        let request = self.made.swap_remove(self.rng.random_range(0..self.made.len()));
        let told = heard.take(self.gateway.cancel(&request).await, |so_far| &mut so_far.cancelled);
        self.given_up = told.as_ref().filter(|told| told.code == 0).map(|_| request);
        Ok(true)
    }

    async fn cancel_again(&mut self, heard: &Heard) -> bool {
        let Some(request) = self.given_up.take() else { return true };
        let told = heard.take(self.gateway.cancel(&request).await, |so_far| &mut so_far.cancelled);
        if told.is_some_and(|told| told.code != 1) {
            heard.fault("a second cancellation is not answered with 1".to_owned());
        }
        true
    }

    /// Somebody's request for some slot that is free. None where all are taken, or nobody is there.
    async fn request(&mut self) -> Result<Option<BookRequest>> {
        if self.patients.is_empty() {
            return Ok(None);
        }
        let slot = self.hospital.free_slot(self.rng.random_range(0.0..1.0)).await?;
        Ok(slot.map(|slot_id| BookRequest { slot_id, ..self.anybody() }))
    }

    /// A patient with a new application.
    fn anybody(&mut self) -> BookRequest {
        let number = self.rng.random_range(0..self.patients.len().max(1));
        let (patient_id, born) = self.patients.get(number).cloned().unwrap_or_default();
        let patient_data_rrp = PatientData {
            id: Some(patient_id.clone()),
            birthdate: Some(format!("{born}T00:00:00")),
            ..PatientData::default()
        };
        let case_number = Some(self.rng.random_range(1_000_000_000_u64..10_000_000_000).to_string());
        BookRequest { patient_id, case_number, patient_data_rrp, ..BookRequest::default() }
    }

    fn remember(&mut self, request: &BookRequest, told: Option<&Forwarded>) {
        let made = told.filter(|told| told.code == 0).and_then(|told| told.book_ext_id.clone());
        if let Some(book_ext_id) = made.filter(|_| self.made.len() < REMEMBERED) {
            let patient_id = request.patient_id.clone();
            self.made.push(CancelRequest { book_ext_id, patient_id, united_guids: Vec::new() });
        }
    }
}

/// What is wrong with two answers about one slot.
fn contradiction(is_same_patient: bool, one: &Forwarded, other: &Forwarded) -> Option<&'static str> {
    let both = one.code == 0 && other.code == 0;
    match is_same_patient {
        true if both && one.book_ext_id != other.book_ext_id => Some("a repeated request is given another booking"),
        false if both => Some("one slot is given to two patients"),
        true | false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: u8, booking: &str) -> Forwarded {
        Forwarded { code, message: None, book_ext_id: Some(booking.to_owned()), elapsed_ms: 30 }
    }

    #[test]
    fn two_answers_about_one_slot_may_not_contradict_each_other() {
        assert_eq!(contradiction(true, &told(0, "a"), &told(0, "a")), None);
        assert!(contradiction(true, &told(0, "a"), &told(0, "b")).is_some());
        assert_eq!(contradiction(false, &told(0, "a"), &told(11, "")), None);
        assert!(contradiction(false, &told(0, "a"), &told(0, "b")).is_some());
    }

    #[test]
    fn answers_are_counted_by_what_they_say_and_unsound_ones_are_faults() {
        let heard = Heard::default();
        for answer in [
            Ok(told(0, "a")),
            Ok(told(11, "")),
            Err(ForwardError::NotFree),
            Err(ForwardError::TooLate),
            Err(ForwardError::Malformed(vec!["duration: must be minutes".into()])),
        ] {
            heard.take(answer, |so_far| &mut so_far.booked);
        }
        let so_far = heard.so_far();
        assert_eq!((so_far.booked, so_far.refused, so_far.faults), (1, 1, 2));
        assert_eq!(so_far.slowest, Duration::from_millis(30));
        assert_eq!(so_far.first_fault.as_deref(), Some("the answering service took longer than 10 s"));
    }
}
