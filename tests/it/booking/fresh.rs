//! What a booking changes is at the mart within two seconds, beside what the gateway itself writes there.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use vitrina::config::{Environment, load};
use vitrina::daemon::{Access, Assembly, Daemon, DaemonSettings, open_booking};
use vitrina::demo::fer::{GatewaySettings, Subsystem};
use vitrina::demo::hospital::{Hospital, HospitalSettings};
use vitrina::serve::Listener;
use vitrina::telemetry::Metrics;

use super::site::{code, column, request};
use crate::support::command::write_private;
use crate::support::mart::{Mart, send};

/// A hospital, the daemon and the mock gateway, in which nothing but a poke moves anything.
struct Town {
    hospital: Hospital,
    mart: Mart,
    daemon: Daemon,
    url: String,
    client: reqwest::Client,
    folder: tempfile::TempDir,
}

const HEARS_WITHIN: Duration = Duration::from_secs(2);

impl Town {
    async fn open() -> Town {
        Town::open_with(|configuration| configuration).await
    }

    /// A town whose configuration is changed a little.
    async fn open_with(change: impl Fn(String) -> String) -> Town {
        let folder = tempfile::tempdir().unwrap();
        let settings = HospitalSettings { slots: 3_000, faulty: 0, ..HospitalSettings::default() };
        let hospital = Hospital::create(&folder.path().join("mis.db"), settings).await.unwrap();
        let mart = Mart::start(GatewaySettings::default()).await;
        let path =
            write_private(folder.path(), "vitrina.toml", &change(configuration(&hospital, &mart, folder.path())));
        let (daemon, url) = begin(&path).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let town = Town { hospital, mart, daemon, url, client, folder };
        let all = town.hospital.rows(Subsystem::Book).await.unwrap();
        town.until(Duration::from_secs(60), "the first pass", || {
            let feeds = town.daemon.status().feeds;
            feeds.iter().all(|feed| feed.state == "ok")
                && feeds.iter().any(|feed| feed.feed == "book" && feed.accepted == all)
        })
        .await;
        town
    }

    /// Stops the daemon and starts it anew.
    async fn begin_anew(self) -> Town {
        self.daemon.stop().await;
        let (daemon, url) = begin(&self.folder.path().join("vitrina.toml")).await;
        Town { daemon, url, ..self }
    }

    async fn until(&self, limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < limit, "{what}: not within {limit:?}; {:#?}", self.daemon.status());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        send(self.client.post(format!("{}{path}", self.url)).json(body)).await.1
    }

    async fn one(&self, query: &str) -> String {
        column(&self.hospital.source_url(), query).await.remove(0)
    }

    fn at_mart(&self, subsystem: Subsystem, id: &str) -> Option<Map<String, Value>> {
        self.mart.running.gateway().snapshot(subsystem).remove(id)
    }

    fn status_at_mart(&self, subsystem: Subsystem, id: &str, field: &str) -> Value {
        self.at_mart(subsystem, id).and_then(|record| record.get(field).cloned()).unwrap_or_default()
    }

    /// What the registrar does in the hospital's own database.
    async fn registrar(&self, statement: &str) {
        let done = column(&self.hospital.source_url(), &format!("{statement} RETURNING 'done'")).await;
        assert_eq!(done, ["done"], "{statement}");
    }

    /// What the gateway writes into the mart by itself when it hears that a booking is made, or given up.
    async fn gateway_writes(&self, slot: &str, status: &str, book: &Value, patient: &str, code: u16) {
        let mut own = self.at_mart(Subsystem::Slot, slot).unwrap();
        own.insert("status".into(), json!(status));
        self.mart.accepts("slot", &[Value::Object(own)]).await;
        let own = json!({
            "id": book, "patient_id": patient, "slot_id": slot, "status_code": code, "tag_source": "EPGU",
            "type": "APPOINTMENT", "create_ts": "2026-01-01T00:00:00",
        });
        self.mart.accepts("book", &[own]).await;
    }

    /// A free slot, and somebody who may have it.
    async fn pair(&self, number: usize) -> (String, String) {
        let slots = "SELECT guid FROM slots WHERE state = 0 AND ages = 'ALL' ORDER BY id LIMIT 1";
        (self.one(slots).await, self.hospital.patients(1000).await.unwrap().remove(number).0)
    }

    /// True when the last request with this record came from the daemon and not from the gateway itself: all were accepted.
    fn is_settled(&self, feed: &str) -> bool {
        let feeds = self.daemon.status().feeds;
        let feed = feeds.iter().find(|of| of.feed == feed).unwrap();
        feed.rejected + feed.pending + feed.held + feed.unknown == 0
    }
}

/// The daemon, and where it answers bookings.
async fn begin(config: &std::path::Path) -> (Daemon, String) {
    let config = load(config, &Environment::default()).unwrap().config;
    let metrics = Metrics::new().unwrap();
    let assembly = Assembly::open(&config, &metrics, Access::Write).await.unwrap();
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let booking = open_booking(&config, &metrics).await.unwrap().unwrap();
    let url = format!("http://{}", booking.address());
    let settings = DaemonSettings { workers: 4, ..DaemonSettings::of(&config) };
    let mut daemon = Daemon::start(assembly, listener, metrics, settings).await.unwrap();
    daemon.serve_booking(booking);
    (daemon, url)
}

fn configuration(hospital: &Hospital, mart: &Mart, folder: &std::path::Path) -> String {
    let account = GatewaySettings::default();
    let mut text = format!(
        "[sources.mis]\nurl = \"{}\"\ntimezone = \"Asia/Yekaterinburg\"\n[ledger]\nurl = \"sqlite:{}\"\n\
         [portals.fer]\nkind = \"fer\"\nurl = \"{}\"\nusername = \"{}\"\npassword = \"{}\"\n\
         [booking]\nlisten = \"{}\"\nallow = \"127.0.0.1\"\nbook = \"builtin\"\ncancel = \"builtin\"\n",
        hospital.source_url(),
        folder.join("ledger.db").display(),
        mart.running.url(),
        account.username,
        account.password,
        SocketAddr::from(([127, 0, 0, 1], 0)),
    );
    for subsystem in Subsystem::ALL {
        text.push_str(&format!("[portals.fer.feeds.{}]\nevery = \"1h\"\n", subsystem.name()));
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_by_referral_and_its_cancellation_are_at_the_mart_at_once() {
    let town = Town::open().await;
    let (referral, patient) = (
        town.one("SELECT guid FROM referrals WHERE state = 0 ORDER BY id LIMIT 1").await,
        town.one("SELECT patient_id FROM referrals WHERE state = 0 ORDER BY id LIMIT 1").await,
    );
    let slot = town.one("SELECT guid FROM slots WHERE state = 0 AND ages = 'ALL' ORDER BY id LIMIT 1").await;
    let mut body = request(&slot, &patient, json!("case"));
    body["referral_id"] = json!(referral);
    let answer = town.post("/booking/book", &body).await;
    assert_eq!(code(&answer), 0, "{answer}");
    let book = answer["book_ext_id"].as_str().unwrap().to_owned();
    town.until(HEARS_WITHIN, "booked", || {
        town.status_at_mart(Subsystem::Slot, &slot, "status") == "RECORDED"
            && town.status_at_mart(Subsystem::Book, &book, "status_code") == 5000
            && town.status_at_mart(Subsystem::Referral, &referral, "status") == "RECORDED"
    })
    .await;
    let cancel = json!({"book_ext_id": book, "patient_id": patient, "united_guids": []});
    assert_eq!(code(&town.post("/booking/cancel", &cancel).await), 0);
    town.until(HEARS_WITHIN, "cancelled", || {
        town.status_at_mart(Subsystem::Slot, &slot, "status") == "AVAILABLE"
            && town.status_at_mart(Subsystem::Book, &book, "status_code") == 5010
            && town.status_at_mart(Subsystem::Referral, &referral, "status") == "AVAILABLE"
    })
    .await;
    town.until(HEARS_WITHIN, "settled", || ["slot", "book", "referral"].iter().all(|feed| town.is_settled(feed))).await;
    town.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_gateway_writes_itself_stands_in_nobodys_way() {
    let town = Town::open().await;
    let slot = town.one("SELECT guid FROM slots WHERE state = 0 AND ages = 'ALL' ORDER BY id LIMIT 1").await;
    let patient = town.hospital.patients(1).await.unwrap().remove(0).0;
    let seen = town.mart.running.gateway().log().len();
    let answer = town.post("/booking/book", &request(&slot, &patient, Value::Null)).await;
    assert_eq!(code(&answer), 0, "{answer}");
    let book = answer["book_ext_id"].as_str().unwrap().to_owned();
    // As the document has it: the slot becomes RECORDED, and a booking stands under the id of our answer.
    town.gateway_writes(&slot, "RECORDED", &json!(book), &patient, 5000).await;
    let ours = |path: &str, id: &str| {
        let log = town.mart.running.gateway().log();
        log.iter().skip(seen).filter(|entry| entry.path == path && entry.ids.iter().any(|of| of == id)).count()
    };
    town.until(HEARS_WITHIN, "ours came too", || ours("/api/slot", &slot) == 2 && ours("/api/book", &book) == 2).await;
    town.until(HEARS_WITHIN, "settled", || town.is_settled("slot") && town.is_settled("book")).await;
    let accepted = town.daemon.status().feeds.into_iter().find(|feed| feed.feed == "book").unwrap().accepted;
    assert_eq!(accepted, town.hospital.rows(Subsystem::Book).await.unwrap());
    let booking = town.daemon.status().booking.unwrap();
    assert_eq!((booking.answered.len(), booking.last[0].code), (1, 0));
    town.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_registrar_undoes_at_once_is_undone_at_the_mart() {
    let town = Town::open().await;
    let (slot, patient) = town.pair(2).await;
    let answer = town.post("/booking/book", &request(&slot, &patient, Value::Null)).await;
    assert_eq!(code(&answer), 0, "{answer}");
    let book = answer["book_ext_id"].as_str().unwrap().to_owned();
    // From here on the slot's row says again what the ledger says.
    town.registrar(&format!("UPDATE visits SET status = 5010 WHERE guid = upper('{book}')")).await;
    town.registrar(&format!("UPDATE slots SET state = 0 WHERE guid = '{slot}'")).await;
    town.gateway_writes(&slot, "RECORDED", &json!(book), &patient, 5000).await;
    assert_eq!(town.status_at_mart(Subsystem::Slot, &slot, "status"), "RECORDED", "the gateway was first");
    town.until(HEARS_WITHIN, "undone", || {
        town.status_at_mart(Subsystem::Slot, &slot, "status") == "AVAILABLE"
            && town.status_at_mart(Subsystem::Book, &book, "status_code") == 5010
    })
    .await;
    town.until(HEARS_WITHIN, "settled", || town.is_settled("slot") && town.is_settled("book")).await;
    town.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_that_the_registrar_takes_back_at_once_is_taken_back_at_the_mart() {
    let town = Town::open().await;
    let (slot, patient) = town.pair(3).await;
    let answer = town.post("/booking/book", &request(&slot, &patient, Value::Null)).await;
    assert_eq!(code(&answer), 0, "{answer}");
    let book = answer["book_ext_id"].as_str().unwrap().to_owned();
    let stands = || {
        town.status_at_mart(Subsystem::Slot, &slot, "status") == "RECORDED"
            && town.status_at_mart(Subsystem::Book, &book, "status_code") == 5000
            && town.is_settled("slot")
            && town.is_settled("book")
    };
    town.until(HEARS_WITHIN, "booked", stands).await;
    let cancel = json!({"book_ext_id": book, "patient_id": patient, "united_guids": []});
    assert_eq!(code(&town.post("/booking/cancel", &cancel).await), 0);
    // From here on both rows say again what the ledger says.
    town.registrar(&format!("UPDATE visits SET status = 5000 WHERE guid = upper('{book}')")).await;
    town.registrar(&format!("UPDATE slots SET state = 1 WHERE guid = '{slot}'")).await;
    town.gateway_writes(&slot, "AVAILABLE", &json!(book), &patient, 5010).await;
    assert_eq!(town.status_at_mart(Subsystem::Book, &book, "status_code"), 5010, "the gateway was first");
    town.until(HEARS_WITHIN, "taken back", stands).await;
    town.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_whose_row_is_deleted_at_once_does_not_stay_at_the_mart() {
    let town = Town::open().await;
    let mut deleted = Vec::new();
    for number in 4..6 {
        let (slot, patient) = town.pair(number).await;
        let answer = town.post("/booking/book", &request(&slot, &patient, Value::Null)).await;
        assert_eq!(code(&answer), 0, "{answer}");
        let book = answer["book_ext_id"].as_str().unwrap().to_owned();
        town.registrar(&format!("DELETE FROM visits WHERE guid = upper('{book}')")).await;
        town.registrar(&format!("UPDATE slots SET state = 0 WHERE guid = '{slot}'")).await;
        town.gateway_writes(&slot, "RECORDED", &json!(book), &patient, 5000).await;
        town.until(HEARS_WITHIN, "the slot", || town.status_at_mart(Subsystem::Slot, &slot, "status") == "AVAILABLE")
            .await;
        deleted.push(book);
    }
    let stay = |town: &Town| deleted.iter().filter(|book| town.at_mart(Subsystem::Book, book).is_some()).count();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        stay(&town),
        2,
        "as far as we know the feed has no bookings of the gateway's: citizens' bookings are not removed"
    );
    let (slot, patient) = town.pair(6).await;
    assert_eq!(code(&town.post("/booking/book", &request(&slot, &patient, Value::Null)).await), 0);
    // The feed's own turn is asked for, and comes within its first pause.
    town.until(Duration::from_secs(60), "removed", || stay(&town) == 0).await;
    town.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_undone_before_a_look_that_never_came_is_undone_after_the_next_start() {
    let town = Town::open().await;
    let (slot, patient) = town.pair(7).await;
    let answer = town.post("/booking/book", &request(&slot, &patient, Value::Null)).await;
    assert_eq!(code(&answer), 0, "{answer}");
    let book = answer["book_ext_id"].as_str().unwrap().to_owned();
    town.registrar(&format!("UPDATE visits SET status = 5010 WHERE guid = upper('{book}')")).await;
    town.registrar(&format!("UPDATE slots SET state = 0 WHERE guid = '{slot}'")).await;
    town.gateway_writes(&slot, "RECORDED", &json!(book), &patient, 5000).await;
    let town = town.begin_anew().await;
    town.until(Duration::from_secs(60), "undone", || {
        town.status_at_mart(Subsystem::Slot, &slot, "status") == "AVAILABLE"
            && town.status_at_mart(Subsystem::Book, &book, "status_code") == 5010
    })
    .await;
    town.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_the_hospital_refuses_is_right_at_the_mart_for_the_citizens_next_look() {
    let town = Town::open().await;
    for (number, state, expected, status) in [(8, 1, 11, "RECORDED"), (9, 2, 15, "CANCELED")] {
        let (slot, patient) = town.pair(number).await;
        // What the feed's own turn would find in an hour.
        town.registrar(&format!("UPDATE slots SET state = {state} WHERE guid = '{slot}'")).await;
        assert_eq!(town.status_at_mart(Subsystem::Slot, &slot, "status"), "AVAILABLE", "so the citizen chose it");
        assert_eq!(code(&town.post("/booking/book", &request(&slot, &patient, Value::Null)).await), expected);
        town.until(HEARS_WITHIN, status, || town.status_at_mart(Subsystem::Slot, &slot, "status") == status).await;
    }
    town.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_only_the_mart_calls_free_is_sent_anew_when_it_is_refused() {
    let town = Town::open().await;
    let slot = town.one("SELECT guid FROM slots WHERE state = 1 AND ages = 'ALL' ORDER BY id LIMIT 1").await;
    let patient = town.hospital.patients(1000).await.unwrap().remove(10).0;
    let mut own = town.at_mart(Subsystem::Slot, &slot).unwrap();
    own.insert("status".into(), json!("AVAILABLE"));
    town.mart.accepts("slot", &[Value::Object(own)]).await;
    assert_eq!(code(&town.post("/booking/book", &request(&slot, &patient, Value::Null)).await), 11);
    town.until(HEARS_WITHIN, "sent anew", || {
        town.status_at_mart(Subsystem::Slot, &slot, "status") == "RECORDED" && town.is_settled("slot")
    })
    .await;
    town.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_is_completed_by_the_rows_of_the_feeds() {
    let ends = |end: &str| {
        let cancel = format!("cancel = [{end:?}, \"SELECT 0 AS status_code\"]");
        move |text: String| text.replace("cancel = \"builtin\"", &cancel)
    };
    for end in [
        "UPDATE visits SET status = 5010 WHERE guid = upper(:book_ext_id)",
        "DELETE FROM visits WHERE guid = upper(:book_ext_id)",
    ] {
        let town = Town::open_with(ends(end)).await;
        let (slot, patient) = town.pair(11).await;
        let booked = town.post("/booking/book", &request(&slot, &patient, Value::Null)).await;
        assert_eq!(code(&booked), 0, "{booked}");
        let book = booked["book_ext_id"].as_str().unwrap().to_owned();
        town.until(HEARS_WITHIN, "booked", || {
            town.at_mart(Subsystem::Book, &book).is_some() && town.is_settled("book")
        })
        .await;
        let cancel = json!({"book_ext_id": book, "patient_id": patient, "united_guids": []});
        let answer = town.post("/booking/cancel", &cancel).await;
        assert_eq!(code(&answer), 0, "{answer}");
        for name in ["book_ext_id", "slot_id", "visit_time", "duration"] {
            assert_eq!(answer[name], booked[name], "{end}: {name}");
        }
        town.daemon.stop().await;
    }
}
