//! A mock register of training and clients of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::{Value, json};
use vitrina::demo::sout::{PROGRAMS, RegisterSettings, Running, SoutMock};
use vitrina::portal::sout::{SCHEMAS, SigEncoding, SignSettings, SoutPortal, SoutSettings};
use vitrina::portal::{Asked, Batch};
use vitrina::record::{Fingerprint, Key, Receipt, Schema};

/// The key of every test account, and a string that must never come out anywhere.
pub const KEY: &str = "6f7d6a579e5d422d8a25026a2d02cd05";

pub fn schema() -> &'static Schema {
    SCHEMAS[0]
}

/// A register on a port of its own.
pub async fn register(settings: RegisterSettings) -> Running {
    SoutMock::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), settings).await.unwrap()
}

/// What signs in tests: it leaves something that begins like a signature.
pub fn signing() -> SignSettings {
    let command = ["sh", "-c", "printf 'MAMCAQE=' > \"$1.sig\"", "sign"].map(str::to_owned).to_vec();
    SignSettings { command, encoding: SigEncoding::Base64, timeout: Duration::from_secs(30) }
}

/// Settings of a fast account at this address that finds out at once that a record is not there.
pub fn settings(url: &str, sign: Option<SignSettings>) -> SoutSettings {
    SoutSettings {
        url: url.parse().unwrap(),
        api_key: KEY.into(),
        timeout: Duration::from_secs(30),
        requests_per_second: NonZeroU32::new(1000).unwrap(),
        ca_file: None,
        sign,
        page_size: 1000,
        absent_after: Duration::ZERO,
        several_at_once: false,
    }
}

pub fn portal(settings: SoutSettings) -> SoutPortal {
    SoutPortal::new(settings, None).unwrap()
}

/// A record that breaks no rule, as the encoder writes it.
pub fn training(id: &str) -> Value {
    json!({
        "outer_id": id, "last_name": "Секретова", "first_name": "Анна", "snils": "112-233-445 95", "position": "врач",
        "employer_inn": "7707083893", "employer_title": "ООО «Ромашка» & Ко", "organization_inn": "7707083893",
        "organization_title": "УЦ", "test_date": "2026-10-02", "protocol_number": "17/2", "learn_program_id": 4,
        "is_passed": true,
    })
}

/// The title that the catalogue has for the programme of every record.
pub fn title() -> &'static str {
    PROGRAMS.iter().find(|(id, _)| *id == 4).unwrap().1
}

pub fn batch(records: &[Value]) -> Batch {
    let mut batch = Batch::default();
    for record in records {
        let body = record.to_string();
        let key = Key::Text(record["outer_id"].as_str().unwrap().into());
        batch.push(key, Fingerprint::of(body.as_bytes()), None, false, body.as_bytes());
    }
    batch
}

/// Records `a-1` to `a-<count>`.
pub fn many(count: usize) -> Batch {
    batch(&(1..=count).map(|number| training(&format!("a-{number}"))).collect::<Vec<_>>())
}

/// The records of a batch as they are asked about, sent signed just now.
pub fn asked(batch: &Batch, receipt: Option<&Receipt>) -> Vec<Asked> {
    let sent = chrono::Utc::now().timestamp();
    let one = |key: &Key| Asked { key: key.clone(), receipt: receipt.cloned(), sent, signed: Some(true) };
    batch.records().iter().map(|record| one(&record.key)).collect()
}
