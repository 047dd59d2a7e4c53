//! Hospitals that can be booked in, of each engine, behind the real listener.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};
use tokio_util::sync::{CancellationToken, DropGuard};
use vitrina::config::BookingConfig;
use vitrina::demo::hospital::{Hospital, HospitalSettings};
use vitrina::serve::booking::{BookingListener, BookingStatus, Callers, Changed, Desk, Statements, TlsFiles, router};
use vitrina::source::{Engine, SourceSettings, Writer};
use vitrina::telemetry::Metrics;

use crate::support::database::{self, TestDb, ZONE};
use crate::support::mart::send;

/// How long answers may take in these tests.
pub const LIMIT: Duration = Duration::from_secs(2);

/// A hospital before anybody listens.
pub struct Hospitals {
    pub name: &'static str,
    pub settings: SourceSettings,
    pub config: BookingConfig,
    /// Free slots, and patients who may have them.
    pub slots: Vec<String>,
    pub patients: Vec<String>,
    /// The server's database; none of a file.
    pub db: Option<TestDb>,
    _folder: Option<tempfile::TempDir>,
}

/// A hospital whose bookings are answered.
pub struct Site {
    pub url: String,
    pub metrics: Metrics,
    pub changed: Arc<Mutex<Vec<Changed>>>,
    pub client: Client,
    desk: Arc<Desk<Statements>>,
    serving: tokio::task::JoinHandle<()>,
    stop: DropGuard,
}

/// Who may come in, and how.
pub struct Door {
    pub allow: Vec<&'static str>,
    pub proxies: Vec<&'static str>,
    pub tls: Option<TlsFiles>,
    pub max_body: usize,
    pub connections: usize,
    /// How long an answer may take.
    pub limit: Duration,
}

impl Default for Door {
    fn default() -> Self {
        Door { allow: vec!["127.0.0.1"], proxies: vec![], tls: None, max_body: 65_536, connections: 2048, limit: LIMIT }
    }
}

pub fn guid(kind: u32, number: usize) -> String {
    format!("{kind:08x}-0000-4000-8000-{number:012x}")
}

fn config(book: &str, cancel: &str, lookup: Option<&str>) -> BookingConfig {
    BookingConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        public_url: None,
        allow: Vec::new(),
        proxies: Vec::new(),
        source: "mis".into(),
        book: vec![book.into()],
        cancel: vec![cancel.into()],
        lookup: lookup.map(|lookup| vec![lookup.into()]),
        tls_cert_file: None,
        tls_key_file: None,
        max_body: 65_536,
        connections: 2048,
    }
}

const POSTGRES: [&str; 4] = [
    "CREATE TABLE slot (id uuid PRIMARY KEY)",
    "CREATE TABLE booking (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), slot_id uuid NOT NULL, patient text NOT NULL, \
     case_number text, status integer NOT NULL DEFAULT 5000)",
    "CREATE FUNCTION book(s uuid, p text, c text) RETURNS TABLE (status_code integer, book_ext_id uuid, visit_time timestamptz, \
     duration integer) LANGUAGE plpgsql AS $$ DECLARE made booking%ROWTYPE; BEGIN \
     PERFORM 1 FROM slot WHERE id = s FOR UPDATE; \
     IF NOT FOUND THEN RETURN QUERY SELECT 18, NULL::uuid, NULL::timestamptz, NULL::integer; RETURN; END IF; \
     IF p LIKE 'broken%' THEN RAISE EXCEPTION 'patient % is broken', p; END IF; \
     SELECT * INTO made FROM booking b WHERE b.slot_id = s AND b.status = 5000; \
     IF FOUND AND (made.patient <> p OR made.case_number IS DISTINCT FROM c) THEN \
       RETURN QUERY SELECT 11, NULL::uuid, NULL::timestamptz, NULL::integer; RETURN; END IF; \
     IF NOT FOUND THEN INSERT INTO booking (slot_id, patient, case_number) VALUES (s, p, c) RETURNING * INTO made; END IF; \
     RETURN QUERY SELECT 0, made.id, '2031-03-01 10:00:00+05'::timestamptz, 20; END $$",
    "CREATE FUNCTION cancel(b uuid, p text) RETURNS TABLE (status_code integer, slot_id uuid) LANGUAGE plpgsql AS $$ \
     DECLARE made booking%ROWTYPE; BEGIN \
     SELECT * INTO made FROM booking WHERE id = b AND patient = p FOR UPDATE; \
     IF NOT FOUND THEN RETURN QUERY SELECT 18, NULL::uuid; RETURN; END IF; \
     UPDATE booking SET status = 5010 WHERE id = b; \
     RETURN QUERY SELECT CASE made.status WHEN 5000 THEN 0 ELSE 1 END, made.slot_id; END $$",
];

const MARIADB: [&str; 4] = [
    "CREATE TABLE slot (id char(36) PRIMARY KEY) ENGINE = InnoDB",
    "CREATE TABLE booking (id char(36) PRIMARY KEY, slot_id char(36) NOT NULL, patient varchar(50) NOT NULL, \
     case_number varchar(50), status integer NOT NULL DEFAULT 5000, KEY (slot_id)) ENGINE = InnoDB",
    "CREATE PROCEDURE book(IN s char(36), IN p varchar(50), IN c varchar(50)) BEGIN \
     DECLARE known, mine integer; DECLARE made char(36); \
     SELECT COUNT(*) INTO known FROM slot WHERE id = s FOR UPDATE; \
     SELECT MAX(id), MAX(patient = p AND case_number <=> c) INTO made, mine FROM booking WHERE slot_id = s AND status = 5000; \
     IF known = 0 THEN SELECT 18 AS status_code; \
     ELSEIF made IS NOT NULL AND NOT mine THEN SELECT 11 AS status_code; \
     ELSE IF made IS NULL THEN SET made = UUID(); \
       INSERT INTO booking (id, slot_id, patient, case_number) VALUES (made, s, p, c); END IF; \
       SELECT 0 AS status_code, made AS book_ext_id, s AS slot_id, '2031-03-01 10:00:00' AS visit_time, 20 AS duration; \
     END IF; END",
    "CREATE PROCEDURE cancel(IN b char(36), IN p varchar(50)) BEGIN DECLARE known, was integer; DECLARE s char(36); \
     SELECT COUNT(*), MAX(status), MAX(slot_id) INTO known, was, s FROM booking WHERE id = b AND patient = p FOR UPDATE; \
     UPDATE booking SET status = 5010 WHERE id = b AND patient = p; \
     SELECT CASE WHEN known = 0 THEN 18 WHEN was = 5000 THEN 0 ELSE 1 END AS status_code, s AS slot_id; END",
];

/// Takes the slot's lock, so that what may still be committed is waited for.
const LOOKUP_POSTGRES: &str = "SELECT b.id AS book_ext_id FROM slot s LEFT JOIN booking b ON b.slot_id = s.id AND b.status = 5000 \
     AND b.patient = :patient_id AND b.case_number IS NOT DISTINCT FROM :case_number WHERE s.id = :slot_id FOR UPDATE OF s";
const LOOKUP_MARIADB: &str = "SELECT b.id AS book_ext_id FROM slot s LEFT JOIN booking b ON b.slot_id = s.id AND b.status = 5000 \
     AND b.patient = :patient_id AND b.case_number <=> :case_number WHERE s.id = :slot_id FOR UPDATE";

async fn on_server(db: TestDb, name: &'static str, tables: &[&str], config: BookingConfig) -> Hospitals {
    let slots: Vec<String> = (1..=40).map(|number| guid(6, number)).collect();
    let rows: Vec<String> = slots.iter().map(|slot| format!("('{slot}')")).collect();
    db.execute(tables).await;
    db.execute(&[&format!("INSERT INTO slot VALUES {}", rows.join(", "))]).await;
    let patients = (1..=200).map(|number| guid(9, number)).collect();
    Hospitals { name, settings: db.settings(), config, slots, patients, db: Some(db), _folder: None }
}

pub async fn postgres() -> Hospitals {
    let book = "SELECT * FROM book(:slot_id, :patient_id, :case_number)";
    let config = config(book, "SELECT * FROM cancel(:book_ext_id, :patient_id)", Some(LOOKUP_POSTGRES));
    on_server(database::postgres().await, "postgres", &POSTGRES, config).await
}

pub async fn mariadb() -> Hospitals {
    let book = "CALL book(:slot_id, :patient_id, :case_number)";
    let config = config(book, "CALL cancel(:book_ext_id, :patient_id)", Some(LOOKUP_MARIADB));
    on_server(database::mariadb().await, "mariadb", &MARIADB, config).await
}

/// The demo hospital with the statements that are built in.
pub async fn builtin() -> Hospitals {
    let folder = tempfile::tempdir().unwrap();
    let settings = HospitalSettings { slots: 6_000, ..HospitalSettings::default() };
    let hospital = Hospital::create(&folder.path().join("mis.db"), settings).await.unwrap();
    let patients = hospital.patients(1000).await.unwrap();
    let patients = patients.into_iter().map(|(guid, _)| guid).collect();
    let slots = "SELECT guid FROM slots WHERE state = 0 AND ages = 'ALL' ORDER BY id LIMIT 40";
    let slots = column(&hospital.source_url(), slots).await;
    let settings = SourceSettings::new("mis", hospital.source_url(), ZONE);
    hospital.close().await;
    let config = config("builtin", "builtin", None);
    Hospitals { name: "sqlite", settings, config, slots, patients, db: None, _folder: Some(folder) }
}

/// One of each engine.
pub async fn all() -> [Hospitals; 3] {
    [postgres().await, mariadb().await, builtin().await]
}

/// The texts of a query's one column, in a SQLite file.
pub async fn column(url: &str, query: &str) -> Vec<String> {
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| row.try_get_unchecked::<String, _>(0).unwrap()).collect()
}

impl Hospitals {
    pub async fn open(&self) -> Site {
        self.open_behind(Door::default()).await
    }

    pub async fn open_behind(&self, door: Door) -> Site {
        let networks = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        let callers = Callers::new(networks(&door.allow), networks(&door.proxies));
        let writer = Writer::open(self.settings.clone()).unwrap();
        let statements = Statements::new(&self.config, self.settings.engine().unwrap(), writer, ZONE).unwrap();
        let (metrics, changed) = (Metrics::new().unwrap(), Arc::<Mutex<Vec<Changed>>>::default());
        let hears = Arc::clone(&changed);
        let listening = Box::new(move |changed| hears.lock().unwrap().push(changed));
        let desk = Arc::new(Desk::new(statements, metrics.clone(), listening).within(door.limit));
        let listener = BookingListener::bind(self.config.listen, door.tls.as_ref()).await.unwrap();
        let scheme = if door.tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.address);
        let stop = CancellationToken::new();
        let routes = router(Arc::clone(&desk), callers.clone(), door.max_body);
        tokio::spawn(Arc::clone(&desk).resolve_doubts(stop.clone()));
        let serving = tokio::spawn(listener.serve(routes, callers, door.connections, stop.clone()));
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Site { url, metrics, changed, client, desk, serving, stop: stop.drop_guard() }
    }

    /// How many bookings of a slot stand.
    pub async fn standing(&self, slot: &str) -> String {
        let query = format!("SELECT count(*) AS n FROM booking WHERE slot_id = '{slot}' AND status = 5000");
        let in_demo = format!(
            "SELECT count(*) FROM visits WHERE status = 5000 AND slot_id = (SELECT id FROM slots WHERE guid = '{slot}')"
        );
        match self.settings.engine().unwrap() {
            Engine::Sqlite => column(&self.settings.url, &in_demo).await.remove(0),
            _ => self.db.as_ref().unwrap().number(&query).await,
        }
    }
}

/// A booking as the gateway asks for it.
pub fn request(slot: &str, patient: &str, case: Value) -> Value {
    json!({
        "slot_id": slot, "patient_id": patient, "booking_type": "APPOINTMENT", "case_number": case,
        "preliminary_reservation": false, "referral_id": null, "cards_id": null, "email": null,
        "mobile_phone": null, "service_id": null, "dictionary_nsi_code": null,
        "patient_data_rrp": {
            "id": patient, "united_guids": [], "firstname": "Анна", "lastname": "Иванова", "middlename": null,
            "snils": "11147535028", "oms_number": "11080835497", "birthdate": "1999-10-10T00:00:00", "gender": "2",
            "phone": null, "email": null,
        },
    })
}

impl Site {
    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        send(self.client.post(format!("{}{path}", self.url)).json(body)).await
    }

    /// Books, and gives the whole answer.
    pub async fn book(&self, slot: &str, patient: &str) -> Value {
        let (status, answer) = self.post("/booking/book", &request(slot, patient, Value::Null)).await;
        assert_eq!(status, 200);
        answer
    }

    /// Cancels, and gives the whole answer.
    pub async fn cancel(&self, book: &Value, patient: &str) -> Value {
        let body = json!({"book_ext_id": book, "patient_id": patient, "united_guids": []});
        let (status, answer) = self.post("/booking/cancel", &body).await;
        assert_eq!(status, 200);
        answer
    }

    /// Asks to stop, and waits until everything is answered that was begun.
    pub async fn stop(self) {
        drop(self.stop);
        self.serving.await.unwrap();
        self.desk.finish().await;
    }

    pub fn status(&self) -> BookingStatus {
        self.desk.status()
    }
}

/// The code of an answer.
pub fn code(answer: &Value) -> u64 {
    answer["status"]["status_code"].as_u64().unwrap_or_else(|| panic!("{answer}"))
}
