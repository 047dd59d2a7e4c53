//! A client of the mock gateway that sends just what a test says, and valid records to start from.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use vitrina::demo::fer::{FerGateway, GatewaySettings, Running};

pub const UNIT: &str = "ab7cbc4b-2e68-40d2-881b-6f957b044818";
pub const DOCTOR: &str = "1919135c-7c9e-4564-a8b4-29aff7adfe72";
pub const ROOM: &str = "436b6461-effb-4f3c-ad6f-27f4b2c3e578";
pub const SLOT: &str = "aaaaaaa1-5eff-49b8-9d07-ff2486162b3f";
pub const BOOK: &str = "00000000-0000-0001-0000-000001017307";

/// A gateway on a port of its own with a client that has logged in.
pub struct Mart {
    pub running: Running,
    http: Client,
    token: String,
}

impl Mart {
    pub async fn start(settings: GatewaySettings) -> Mart {
        let running = FerGateway::start("127.0.0.1:0".parse().unwrap(), settings).await.unwrap();
        let mut mart = Mart { running, http: Client::new(), token: String::new() };
        let (status, answer) = mart.login("demo").await;
        assert_eq!(status, 200);
        mart.token = answer["Result"]["Value"].as_str().unwrap().to_owned();
        mart
    }

    /// A gateway with a unit, a doctor, a room and a free slot of the doctor at five o'clock.
    pub async fn with_schedule(settings: GatewaySettings) -> Mart {
        let mart = Mart::start(settings).await;
        mart.accepts("mo", &[unit()]).await;
        mart.accepts("resource", &[doctor(), room()]).await;
        mart.accepts("slot", &[slot()]).await;
        mart
    }

    pub async fn login(&self, password: &str) -> (StatusCode, Value) {
        let body = json!({"username": " 1.2.643.5.1.13.13.12.2.86.8902", "password": password});
        send(self.request(Method::POST, "/auth.svc").json(&body)).await
    }

    /// A request without a token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.running.url()))
    }

    /// A request with the token of the login.
    pub fn authorized(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header("Authorization", format!("bearer {}", self.token))
    }

    pub async fn post(&self, subsystem: &str, records: &[Value]) -> (StatusCode, Value) {
        let request = self.authorized(Method::POST, &format!("/api/{subsystem}"));
        send(request.json(&json!({ "data": records }))).await
    }

    pub async fn post_gzip(&self, subsystem: &str, body: &[u8]) -> (StatusCode, Value) {
        let request = self.authorized(Method::POST, &format!("/api/{subsystem}"));
        let request = request.header("Content-Encoding", "gzip").header("Content-Type", "application/json");
        send(request.body(gzip(body))).await
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        send(self.authorized(Method::GET, path)).await
    }

    pub async fn delete(&self, subsystem: &str, id: &str) -> (StatusCode, Value) {
        send(self.authorized(Method::DELETE, &format!("/api/{subsystem}?id={id}"))).await
    }

    /// Posts records that must all be stored.
    pub async fn accepts(&self, subsystem: &str, records: &[Value]) {
        let (status, answer) = self.post(subsystem, records).await;
        assert_eq!(status, 200, "{subsystem}: {answer}");
        assert_eq!(answer["sendedGuids"].as_array().unwrap().len(), records.len());
    }

    /// Posts one record that must be refused; the texts of its errors.
    pub async fn refuses(&self, subsystem: &str, record: Value) -> Vec<String> {
        let (status, answer) = self.post(subsystem, &[record]).await;
        assert_eq!(status, 422, "{subsystem}: {answer}");
        assert_eq!(answer["sendedGuids"], json!([]));
        let errors = answer["errors"].as_array().unwrap();
        errors.iter().map(|error| error["errorMessage"].as_str().unwrap().to_owned()).collect()
    }
}

/// Sends a request; an answer without JSON reads as null.
pub async fn send(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
}

pub fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// A record with some fields set anew; null takes a field away.
pub fn with(mut record: Value, fields: Value) -> Value {
    for (field, value) in fields.as_object().unwrap() {
        if value.is_null() {
            record.as_object_mut().unwrap().remove(field);
        } else {
            record[field] = value.clone();
        }
    }
    record
}

pub fn unit() -> Value {
    json!({
        "id": UNIT, "parent_id": "1.2.643.5.1.13.13.12.2.86.8916", "branch_oid": "1.2.643.5.1.13.13.12.2.86.8964.0.163227",
        "name": "Поликлиника № 1", "address": "ХМАО-Югра, г. Нефтеюганск, 10 микрорайон, дом 1", "enabled": "ALL",
        "create_ts": "2023-10-20T08:00:00", "tag_age": "ALL",
    })
}

pub fn doctor() -> Value {
    json!({
        "id": DOCTOR, "type": "SPECIALIST", "mo_id": UNIT, "enabled": "ALL", "create_ts": "2023-10-01T09:00:00",
        "post_id": "110", "speciality_id": "49", "snils": "11223344595", "last_name": "Иванов", "first_name": "Иван",
    })
}

pub fn room() -> Value {
    json!({
        "id": ROOM, "type": "ROOM", "mo_id": UNIT, "enabled": "ALL", "create_ts": "2023-10-01T09:00:00",
        "room_number": "12", "room_name": "Процедурный кабинет",
    })
}

pub fn slot() -> Value {
    json!({
        "id": SLOT, "mo_id": UNIT, "resource_id": DOCTOR, "tag_type": "EPGU", "tag_age": "ALL",
        "visit_time": "2024-03-28T05:00:00", "duration": 20, "create_ts": "2023-10-01T09:00:00", "status": "AVAILABLE",
    })
}

pub fn book() -> Value {
    json!({
        "id": BOOK, "patient_id": "953f8666-21ce-478f-8351-389f27ce8cde", "slot_id": SLOT, "status_code": 5000,
        "tag_source": "EPGU", "type": "APPOINTMENT", "create_ts": "2023-10-01T09:00:00",
    })
}

pub fn service() -> Value {
    json!({
        "id": "5e000000-0000-4000-8000-000000000001", "resource_id": DOCTOR, "code": "B01.047.001", "price": 250.5,
        "create_ts": "2023-10-01T09:00:00",
    })
}

pub fn profile() -> Value {
    json!({
        "id": "9f000000-0000-4000-8000-000000000001", "resource_id": DOCTOR, "profile_code": "97",
        "create_ts": "2023-10-01T09:00:00",
    })
}

pub fn absence() -> Value {
    json!({
        "period_id": "ab000000-0000-4000-8000-000000000001", "resource_id": DOCTOR, "reason": "VACATION",
        "beg_date": "2024-04-01T00:00:00", "end_date": "2024-04-28T23:59:59", "create_ts": "2023-10-01T09:00:00",
    })
}

pub fn referral() -> Value {
    json!({
        "id": "4ef00000-0000-4000-8000-000000000001", "patient_id": "patient-17", "speciality_id": "49", "number": "Н-1",
        "type": "CONSULTATION", "start_date": "2024-03-01T00:00:00", "to_mo_id": UNIT, "to_profile_code": "97",
        "to_post_name": "врач-терапевт участковый", "from_resource_id": DOCTOR, "status": "AVAILABLE",
        "create_ts": "2023-10-01T09:00:00", "referral_type_code": "1", "to_mo_oid": "1.2.643.5.1.13.13.12.2.86.8902",
        "from_mo_oid": "1.2.643.5.1.13.13.12.2.86.8902",
    })
}
