//! Citizens who book and cancel: the gateway forwards each wish to the hospital's answering service, waits ten seconds, checks the answer,
//! and writes what came of it into its own mart (section «Сервис бронирования и отмены записи на прием»).

use std::time::{Duration, Instant};

use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::callback::{PATIENCE, booking};
use super::reply::{self, Asked, Told};
use super::subsystem::Subsystem;
use super::{FerGateway, Shared, form, intake};

/// Most bytes of an answer.
const ANSWER: usize = 64 << 10;

/// `POST /booking/book`. Names a person: it has no form that prints.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BookRequest {
    /// The slot.
    pub slot_id: String,
    /// The patient.
    pub patient_id: String,
    /// The kind of visit; empty means `APPOINTMENT`.
    pub booking_type: String,
    /// Number of the application at the state services.
    pub case_number: Option<String>,
    /// Always false.
    pub preliminary_reservation: bool,
    /// The referral.
    pub referral_id: Option<String>,
    /// The medical card.
    pub cards_id: Option<String>,
    /// Mail address given at the state services.
    pub email: Option<String>,
    /// Telephone number given there.
    pub mobile_phone: Option<String>,
    /// The service, for vaccinations.
    pub service_id: Option<String>,
    /// Its code, for vaccinations.
    pub dictionary_nsi_code: Option<String>,
    /// What the register of patients says.
    pub patient_data_rrp: PatientData,
}

/// A patient in the regional register.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PatientData {
    /// Their id there.
    pub id: Option<String>,
    /// Ids that were united with it.
    pub united_guids: Vec<String>,
    /// First name.
    pub firstname: Option<String>,
    /// Last name.
    pub lastname: Option<String>,
    /// Patronymic.
    pub middlename: Option<String>,
    /// Eleven digits.
    pub snils: Option<String>,
    /// Number of the insurance policy.
    pub oms_number: Option<String>,
    /// `1999-10-10T00:00:00`.
    pub birthdate: Option<String>,
    /// `1` or `2`.
    pub gender: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Mail address.
    pub email: Option<String>,
}

/// `POST /booking/cancel`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CancelRequest {
    /// The booking.
    pub book_ext_id: String,
    /// The patient.
    pub patient_id: String,
    /// Ids that were united with it.
    pub united_guids: Vec<String>,
}

/// What the hospital answered, in the form that the document asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forwarded {
    /// The status code.
    pub code: u8,
    /// Its text.
    pub message: Option<String>,
    /// The booking, where there is one.
    pub book_ext_id: Option<String>,
    /// How long the hospital took, in milliseconds.
    pub elapsed_ms: u64,
}

/// Why a citizen sees an error of the service instead of the hospital's answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// The slot is not on the mart.
    #[error("the mart holds no such slot")]
    NoSlot,
    /// The mart does not show it as free.
    #[error("the slot is not AVAILABLE on the mart")]
    NotFree,
    /// The gateway knows of no such booking.
    #[error("the gateway has no such booking")]
    NoBooking,
    /// Nobody is registered.
    #[error("no webhook is registered")]
    NoWebhook,
    /// No connection, or one that broke.
    #[error("the answering service is not reached")]
    Unreachable,
    /// No whole answer within ten seconds.
    #[error("the answering service took longer than 10 s")]
    TooLate,
    /// Another status than 200.
    #[error("the answering service answers with HTTP {0}")]
    Status(u16),
    /// An answer that is not as the document describes it.
    #[error("the answer is not of the documented form: {}", .0.join("; "))]
    Malformed(Vec<String>),
}

impl FerGateway {
    /// Books for a citizen, as the gateway does it. On code 0 the mart holds the slot as RECORDED and the booking with 5000.
    pub async fn book(&self, request: &BookRequest) -> Result<Forwarded, ForwardError> {
        let key = form::guid(&request.slot_id).ok_or(ForwardError::NoSlot)?;
        let slot = self.shared.slot(key).ok_or(ForwardError::NoSlot)?;
        if slot.get("status").and_then(Value::as_str) != Some("AVAILABLE") || self.shared.booking_of(key).is_some() {
            return Err(ForwardError::NotFree);
        }
        let mut request = request.clone();
        if request.booking_type.is_empty() {
            request.booking_type = "APPOINTMENT".to_owned();
        }
        let (told, elapsed) = self.forward("book", Asked::Book(&request.slot_id), &slot, &request).await?;
        if let (0, Some(id)) = (told.code, told.booking) {
            self.shared.write_booking(key, id, &request);
        }
        Ok(forwarded(told, elapsed))
    }

    /// Cancels for a citizen. On code 0 the mart holds the slot as AVAILABLE and the booking with 5010.
    pub async fn cancel(&self, request: &CancelRequest) -> Result<Forwarded, ForwardError> {
        let id = form::guid(&request.book_ext_id).ok_or(ForwardError::NoBooking)?;
        let key = self.shared.slot_of(id).ok_or(ForwardError::NoBooking)?;
        let slot = self.shared.slot(key).ok_or(ForwardError::NoSlot)?;
        let (told, elapsed) = self.forward("cancel", Asked::Cancel(&request.book_ext_id), &slot, request).await?;
        if told.code == 0 {
            self.shared.write_cancellation(key, id);
        }
        Ok(forwarded(told, elapsed))
    }

    async fn forward<R: Serialize>(
        &self,
        method: &str,
        asked: Asked<'_>,
        slot: &Map<String, Value>,
        request: &R,
    ) -> Result<(Told, Duration), ForwardError> {
        let address = self.shared.webhook_of(slot).ok_or(ForwardError::NoWebhook)?;
        let http = self.shared.http.as_ref().ok_or(ForwardError::Unreachable)?;
        self.shared.journal().count_total(|totals| totals.webhook_calls += 1);
        let started = Instant::now();
        let exchange = async {
            let answer =
                http.post(booking(&address, method)).json(request).send().await.map_err(|error| lost(&error))?;
            let status = answer.status().as_u16();
            if status != 200 { Err(ForwardError::Status(status)) } else { body(answer).await }
        };
        let body = tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| ForwardError::TooLate)??;
        let told = reply::read(asked, &body).map_err(ForwardError::Malformed)?;
        Ok((told, started.elapsed()))
    }
}

fn forwarded(told: Told, elapsed: Duration) -> Forwarded {
    Forwarded {
        code: told.code,
        message: told.message,
        book_ext_id: told.booking.map(form::print_guid),
        elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    }
}

fn lost(error: &reqwest::Error) -> ForwardError {
    if error.is_timeout() { ForwardError::TooLate } else { ForwardError::Unreachable }
}

async fn body(mut answer: reqwest::Response) -> Result<Vec<u8>, ForwardError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| lost(&error))? {
        if body.len() + chunk.len() > ANSWER {
            return Err(ForwardError::Malformed(vec![format!("the body has more than {ANSWER} bytes")]));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl Shared {
    fn slot(&self, key: u128) -> Option<Map<String, Value>> {
        match self.mart().get(Subsystem::Slot, key) {
            Some(Value::Object(slot)) => Some(slot),
            _ => None,
        }
    }

    /// The webhook of the slot's department, else the organisation's.
    fn webhook_of(&self, slot: &Map<String, Value>) -> Option<String> {
        let unit = slot.get("mo_id").and_then(Value::as_str).and_then(form::guid);
        let unit = unit.and_then(|unit| self.mart().get(Subsystem::Mo, unit)).unwrap_or_default();
        self.callbacks().address_for(unit["branch_oid"].as_str())
    }

    fn booking_of(&self, slot: u128) -> Option<u128> {
        self.callbacks().bookings.get(&slot).copied()
    }

    fn slot_of(&self, booking: u128) -> Option<u128> {
        let of_gateway = self.callbacks().bookings.iter().find(|(_, id)| **id == booking).map(|(slot, _)| *slot);
        of_gateway.or_else(|| {
            // A booking that the hospital made itself, or a second cancellation.
            let record = self.mart().get(Subsystem::Book, booking)?;
            record["slot_id"].as_str().and_then(form::guid)
        })
    }

    /// The slot as RECORDED, the booking with 5000 under the hospital's id.
    fn write_booking(&self, slot: u128, id: u128, request: &BookRequest) {
        self.callbacks().bookings.insert(slot, id);
        self.journal().count_total(|totals| totals.bookings += 1);
        let kind = match request.booking_type.as_str() {
            // The table of bookings has one word for both.
            "PROPHYLACTIC_ADULT" | "PROPHYLACTIC_CHILD" => "PROPHYLACTIC",
            other => other,
        };
        let mut record = json!({
            "id": form::print_guid(id),
            "patient_id": request.patient_id,
            "slot_id": request.slot_id,
            "status_code": 5000,
            "tag_source": "EPGU",
            "type": kind,
            "create_ts": Utc::now().format("%Y-%m-%dT%H:%M:%S").to_string(),
        });
        if let Some(referral) = &request.referral_id {
            record["referral_id"] = referral.as_str().into();
        }
        self.mart().book(slot, id);
        self.restate(Subsystem::Slot, slot, "status", "RECORDED".into());
        if let Value::Object(record) = record {
            self.put(Subsystem::Book, id, record);
        }
    }

    /// The slot as AVAILABLE, the booking with 5010.
    fn write_cancellation(&self, slot: u128, id: u128) {
        self.callbacks().bookings.remove(&slot);
        self.mart().cancel(slot);
        self.journal().count_total(|totals| totals.cancellations += 1);
        self.restate(Subsystem::Slot, slot, "status", "AVAILABLE".into());
        self.restate(Subsystem::Book, id, "status_code", 5010.into());
    }

    /// Sets a field of a record that the mart holds.
    fn restate(&self, subsystem: Subsystem, key: u128, field: &str, value: Value) {
        let found = self.mart().get(subsystem, key);
        if let Some(Value::Object(mut record)) = found {
            record.insert(field.to_owned(), value);
            self.put(subsystem, key, record);
        }
    }

    fn put(&self, subsystem: Subsystem, key: u128, record: Map<String, Value>) {
        let facts = intake::facts(subsystem, &record);
        self.mart().store(subsystem, key, Value::Object(record).to_string().into(), facts);
    }
}
