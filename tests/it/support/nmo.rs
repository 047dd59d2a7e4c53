//! A mock portal of medical education, a client of it, and records for both.

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::{Value, json};
use vitrina::demo::nmo::{NmoMock, NmoMockSettings, RunningNmo};
use vitrina::portal::nmo::{NmoPortal, NmoSettings, SCHEMAS};
use vitrina::portal::{Batch, Delivery, Portal, Verdict};
use vitrina::record::{Fingerprint, Key, Schema};
use vitrina::transport::Pauses;

/// Secrets of the account, which must never come out anywhere.
pub const CLIENT_SECRET: &str = "c1ient-secret-never-shown";
pub const PASSWORD: &str = "pa55word-never-shown";
/// A specialist, and the portal's reviewer.
pub const SNILS: &str = "11223344595";
pub const REVIEWER: &str = "08765430300";
pub const PIN: &str = "DASJ23";

/// Settings of a mock with that account.
pub fn mock_settings() -> NmoMockSettings {
    NmoMockSettings { client_secret: CLIENT_SECRET.into(), password: PASSWORD.into(), ..NmoMockSettings::default() }
}

/// A mock that approves nothing by itself.
pub async fn mock() -> RunningNmo {
    start(NmoMockSettings { approved_after: None, ..mock_settings() }).await
}

pub async fn start(settings: NmoMockSettings) -> RunningNmo {
    NmoMock::start("127.0.0.1:0".parse().unwrap(), settings).await.unwrap()
}

/// Settings of a fast client of that account.
pub fn settings(url: &str) -> NmoSettings {
    NmoSettings {
        url: url.parse().unwrap(),
        client_id: "client".into(),
        client_secret: CLIENT_SECRET.into(),
        username: "smith".into(),
        password: PASSWORD.into(),
        timeout: Duration::from_secs(20),
        requests_per_second: NonZeroU32::new(1000).unwrap(),
        ca_file: None,
        pauses: Pauses::GUARDING,
        check_plan: true,
        reviewer_snils: Some("087-654-303 00".into()),
    }
}

pub fn portal(settings: NmoSettings) -> NmoPortal {
    NmoPortal::new(settings, None).unwrap()
}

pub fn schema(feed: &str) -> &'static Schema {
    SCHEMAS.iter().find(|schema| schema.feed == feed).unwrap()
}

/// The canonical body of a module.
pub fn module(id: &str) -> Value {
    json!({
        "module_id": id, "name": "Модуль", "description": "Для рецензента", "annotation": "Для всех", "hours": 2,
        "is_paid": true, "price": 12500, "type": "iomT", "kind": "onlineSimulator",
        "organization_inn": "7707083893", "organization_name": "Организация",
        "specialities": [{"level": "university", "name": "Терапия", "main": true}],
    })
}

/// The canonical body of a result of [`SNILS`].
pub fn result(module_id: &str, status: &str) -> Value {
    let mut result = json!({
        "id": "r-1", "module_id": module_id, "snils": SNILS, "pin": PIN, "status": status, "status_date": "2019-01-03",
    });
    if matches!(status, "completed" | "failed") {
        result["result_mark"] = json!(4);
    }
    result
}

/// A batch of these bodies; `known` are those that the portal has acknowledged before.
pub fn batch(bodies: &[Value], known: bool) -> Batch {
    let mut batch = Batch::default();
    for body in bodies {
        let key = Key::parse(body["module_id"].as_str().unwrap());
        let body = body.to_string();
        batch.push(key, Fingerprint::of(body.as_bytes()), None, known, body.as_bytes());
    }
    batch
}

/// Delivers one module.
pub async fn send_module(portal: &NmoPortal, body: &Value, known: bool) -> Delivery {
    portal.deliver(schema("module"), &batch(std::slice::from_ref(body), known)).await
}

/// Delivers one result.
pub async fn send_result(portal: &NmoPortal, body: &Value) -> Delivery {
    portal.deliver(schema("result"), &batch(std::slice::from_ref(body), false)).await
}

/// The verdict on the only record.
pub fn verdict(delivery: Delivery) -> Verdict {
    match delivery {
        Delivery::Judged(mut verdicts) if verdicts.len() == 1 => verdicts.remove(0),
        other => panic!("{other:?}"),
    }
}

/// The status of the receipt of an accepted record.
pub fn accepted(delivery: Delivery) -> String {
    match verdict(delivery) {
        Verdict::Accepted { receipt: Some(receipt) } => receipt.status.unwrap(),
        other => panic!("{other:?}"),
    }
}
