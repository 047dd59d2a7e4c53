//! One connection: each request is read, noted, met by its fault or passed on, and answered as far as the fault lets it.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use rand::RngExt;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use vitrina::transport::inflate;

use super::fault::{Asked, CutAt, Fault, Garbage, RetryAfter};
use super::journal::{Judged, Number, Request};
use super::wire::{self, Answer, Connection, Head};
use super::{Shared, lock};

/// Most bytes that a request may inflate to.
const INFLATED: usize = 64 << 20;
/// Bytes of a body that a narrow gateway takes: a record fits.
const NARROW: usize = 4000;
/// What no client should swallow, in bytes.
const TOO_MUCH: usize = 9 << 20;
const HTML: &str = "<!DOCTYPE html><html><body><h1>It works!</h1></body></html>";

/// What became of a connection after an answer.
#[derive(PartialEq, Eq)]
enum After {
    GoOn,
    Close,
}

/// Serves a connection until it ends.
pub async fn serve(shared: Arc<Shared>, mut connection: Connection) {
    while let Some(head) = wire::read_head(&mut connection).await {
        let fault = lock(&shared.plan).draw(&head.method, &head.target);
        if fault == Some(Fault::CutUnread) {
            // The client hears of it first; what it had sent all the same is noted.
            let _ = connection.get_mut().shutdown().await;
        }
        let Some(body) = wire::read_body(&mut connection, &head).await else {
            lock(&shared.journal).arrive(&head, Request::Unread);
            return;
        };
        let visit = Visit::new(&shared, head, body);
        let fault = fault.filter(|fault| lock(&shared.plan).spend(*fault, visit.asked));
        if let Some(fault) = fault {
            lock(&shared.journal).met(visit.number, fault);
        }
        if fault == Some(Fault::CutUnread) || visit.answer(&mut connection, fault).await == After::Close {
            return wire::end(connection, fault == Some(Fault::CutBeforeApply));
        }
    }
}

/// A request that was read.
struct Visit<'a> {
    shared: &'a Shared,
    head: Head,
    body: Vec<u8>,
    /// The body after gunzip.
    plain: Vec<u8>,
    asked: Asked,
    number: Number,
}

impl<'a> Visit<'a> {
    fn new(shared: &'a Shared, head: Head, body: Vec<u8>) -> Self {
        let plain = match head.header("content-encoding") {
            Some("gzip") => inflate(&body, INFLATED).unwrap(),
            _ => body.clone(),
        };
        let request = Request::of(&head, &plain);
        let asked = match &request {
            Request::Token => Asked::Token,
            Request::Upsert { records, .. } => Asked::Upsert(records.len()),
            Request::Removal { .. } => Asked::Removal,
            Request::Read | Request::Unread => Asked::Other,
        };
        let number = lock(&shared.journal).arrive(&head, request);
        Visit { shared, head, body, plain, asked, number }
    }

    async fn answer(&self, connection: &mut Connection, fault: Option<Fault>) -> After {
        if let Some(answer) = self.weather(fault) {
            return self.plainly(connection, &answer, None).await;
        }
        match fault {
            Some(fault) => self.faulty(connection, fault).await,
            None => {
                let answer = self.forward().await;
                self.plainly(connection, &answer, Some(&answer)).await
            }
        }
    }

    /// What lasting conditions say to this request. A fault may be the beginning of one.
    fn weather(&self, fault: Option<Fault>) -> Option<Answer> {
        let lasts = Duration::from_millis(rand::rng().random_range(500..2000));
        let mut weather = lock(&self.shared.weather);
        match fault {
            Some(Fault::Maintenance) => weather.maintenance = Some(Instant::now() + lasts),
            Some(Fault::Narrow) => weather.narrow = Some(Instant::now() + lasts),
            Some(Fault::Revoked) if weather.may_revoke() => self.shared.gateway.gateway().revoke_tokens(),
            _ => {}
        }
        if weather.maintenance() {
            return Some(Answer::new(503, "text/html", HTML).with("retry-after", 1));
        }
        let large = matches!(self.asked, Asked::Upsert(records) if records > 1) && self.plain.len() > NARROW;
        (weather.narrow() && large).then(|| Answer::new(413, "text/html", "<html>Request Entity Too Large</html>"))
    }

    async fn faulty(&self, connection: &mut Connection, fault: Fault) -> After {
        let applied = if fault.applies() { Some(self.forward().await) } else { None };
        // What the gateway said, or would have said.
        let said = applied.clone().unwrap_or_else(|| Answer::new(200, "application/json", success()));
        match fault {
            Fault::CutUnread | Fault::CutBeforeApply => After::Close,
            Fault::CutAfterApply(at) => {
                let bytes = said.bytes();
                let end = match at {
                    CutAt::BeforeStatus => 0,
                    CutAt::InHead => 40,
                    CutAt::InBody => bytes.len() - said.body.len() / 2 - 1,
                };
                wire::write(connection, &bytes[..end]).await;
                After::Close
            }
            Fault::Hold { .. } => {
                tokio::time::sleep(self.shared.timeout * 3 / 2).await;
                After::Close
            }
            Fault::Slow => self.slowly(connection, &said).await,
            Fault::Garbage { kind, .. } => {
                wire::write(connection, &garbage(kind, &said)).await;
                if kind.is_whole() { After::GoOn } else { After::Close }
            }
            Fault::Later { status, retry_after, .. } => {
                self.plainly(connection, &later(status, retry_after), None).await
            }
            Fault::NoIds => self.plainly(connection, &nobody_named(422), None).await,
            Fault::NoSuccess => self.plainly(connection, &nobody_named(200), None).await,
            Fault::Refuse => {
                let answer = self.refuse_one().await;
                self.plainly(connection, &answer, Some(&answer)).await
            }
            Fault::Revoked | Fault::Maintenance | Fault::Narrow => {
                // The weather let this one through.
                let answer = match applied {
                    Some(answer) => answer,
                    None => self.forward().await,
                };
                self.plainly(connection, &answer, Some(&answer)).await
            }
        }
    }

    /// Sends an answer whole. `judged` is the gateway's answer in it, if it is one.
    async fn plainly(&self, connection: &mut Connection, answer: &Answer, judged: Option<&Answer>) -> After {
        self.note_answer(judged);
        // Noted before it is written: the client may react faster than this task goes on.
        let written = wire::write(connection, &answer.bytes()).await;
        self.note_written(written)
    }

    async fn slowly(&self, connection: &mut Connection, answer: &Answer) -> After {
        self.note_answer(Some(answer));
        let bytes = answer.bytes();
        let (slow, rest) = bytes.split_at(bytes.len().min(120));
        for byte in slow {
            if !wire::write(connection, &[*byte]).await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let written = wire::write(connection, rest).await;
        self.note_written(written)
    }

    /// Notes whether the client can have heard the answer.
    fn note_written(&self, written: bool) -> After {
        let mut journal = lock(&self.shared.journal);
        if !written {
            journal.lost(self.number);
            return After::Close;
        }
        // Where this process was late, the request may have been there long before it was seen.
        let lateness = journal.pulse.lateness(self.head.at - self.shared.timeout, Instant::now());
        if self.head.at.elapsed() + lateness > self.shared.timeout * 6 / 10 {
            journal.late(self.number);
        }
        After::GoOn
    }

    /// Asks the gateway.
    async fn forward(&self) -> Answer {
        self.ask(self.body.clone(), &["authorization", "content-type", "content-encoding"]).await
    }

    /// Asks the gateway for all records but the second, which is refused by name. (Every tenth slot is booked, the first of a table too: it
    /// would take its booking along.)
    async fn refuse_one(&self) -> Answer {
        let mut body: Value = serde_json::from_slice(&self.plain).unwrap();
        let refused = body["data"].as_array_mut().unwrap().remove(1);
        let stored = self.ask(body.to_string().into_bytes(), &["authorization", "content-type"]).await;
        let said: Value = serde_json::from_slice(&stored.body).unwrap();
        assert_eq!(said["isSuccess"], true, "the others are sound: {said}");
        let text = "Запись не найдена в справочнике";
        let body = json!({
            "isSuccess": false,
            "error": {"errorMessage": text, "errorCode": "R-310"},
            "errors": [{"id": refused["id"], "errorMessage": text, "errorCode": "R-310"}],
            "sendedGuids": said["sendedGuids"],
            "sendedGuidsToContactCenter": said["sendedGuidsToContactCenter"],
            "statusCode": 422,
        });
        Answer::new(422, "application/json; charset=utf-8", body.to_string())
    }

    async fn ask(&self, body: Vec<u8>, headers: &[&str]) -> Answer {
        let method = self.head.method.parse().unwrap();
        let url = format!("{}{}", self.shared.gateway.url(), self.head.target);
        let mut request = self.shared.http.request(method, url).body(body);
        for name in headers {
            if let Some(value) = self.head.header(name) {
                request = request.header(*name, value);
            }
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap().to_vec();
        lock(&self.shared.journal).forwarded(self.number, status);
        Answer::new(status, "application/json; charset=utf-8", body)
    }

    fn note_answer(&self, judged: Option<&Answer>) {
        let judged = judged.map(|answer| Judged::of(answer.status, &answer.body)).unwrap_or_default();
        lock(&self.shared.journal).answered(self.number, judged);
    }
}

fn success() -> String {
    json!({"isSuccess": true, "error": null, "errors": null, "sendedGuids": null, "statusCode": 200}).to_string()
}

/// A refusal of the gateway's form that says nothing of any record.
fn nobody_named(status: u16) -> Answer {
    let error = json!({"errorCode": "R-310", "errorMessage": "Ошибка обработки запроса"});
    let body: Value =
        json!({"isSuccess": false, "error": error, "errors": null, "sendedGuids": null, "statusCode": status});
    Answer::new(status, "application/json", body.to_string())
}

fn later(status: u16, retry_after: Option<RetryAfter>) -> Answer {
    let answer = Answer::new(status, "text/html", HTML);
    match retry_after {
        None => answer,
        Some(RetryAfter::Seconds) => answer.with("retry-after", 1),
        Some(RetryAfter::Date) => {
            let then = chrono::Utc::now() + TimeDelta::seconds(1);
            answer.with("retry-after", then.format("%a, %d %b %Y %H:%M:%S GMT"))
        }
    }
}

/// Bytes that are no answer of the gateway. `said` is what it would have been.
fn garbage(kind: Garbage, said: &Answer) -> Vec<u8> {
    let packed = |body: Vec<u8>| Answer { body, ..said.clone() }.with("content-encoding", "gzip").bytes();
    match kind {
        Garbage::Html200 => Answer::new(200, "text/html", HTML).bytes(),
        Garbage::TruncatedJson => Answer::new(200, "application/json", &said.body[..said.body.len() * 2 / 3]).bytes(),
        Garbage::Empty200 => Answer::new(200, "application/json", "").bytes(),
        Garbage::OtherJson => Answer::new(200, "application/json", r#"{"ok":true,"items":[]}"#).bytes(),
        Garbage::Plain422 => Answer::new(422, "text/plain", "Unprocessable").bytes(),
        Garbage::WrongEncoding => said.clone().with("content-encoding", "br").bytes(),
        Garbage::NotGzip => said.clone().with("content-encoding", "gzip").bytes(),
        Garbage::CutGzip => {
            let whole = wire::gzip(&said.body);
            packed(whole[..whole.len() / 2].to_vec())
        }
        Garbage::GzipBomb => {
            static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
            packed(BOMB.get_or_init(|| wire::gzip(&vec![b' '; TOO_MUCH])).clone())
        }
        Garbage::Oversized => [said.head(TOO_MUCH), vec![b' '; 1 << 16]].concat(),
        Garbage::OversizedChunks => {
            let mut bytes = [said.open_head(), b"transfer-encoding: chunked\r\n\r\n".to_vec()].concat();
            let chunk = [b"100000\r\n".to_vec(), vec![b' '; 1 << 20], b"\r\n".to_vec()].concat();
            (0..TOO_MUCH >> 20).for_each(|_| bytes.extend_from_slice(&chunk));
            bytes
        }
        Garbage::BadChunks => {
            [said.open_head(), b"transfer-encoding: chunked\r\n\r\nzz\r\n{\"isSuccess\":true}\r\n".to_vec()].concat()
        }
        Garbage::NotHttp => b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n".to_vec(),
    }
}
