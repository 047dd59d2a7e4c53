//! The register of training in occupational safety (ФГИС СОУТ): its table, its set, its answers.
//!
//! Records go out in sets, each an archive with one XML document, signed outside where the site can sign. A set is taken or refused as a whole,
//! and a repeated push makes a second set: what became of a push without an answer is looked up in the register. A record is done when
//! the register has given it a number.

mod answer;
mod blame;
mod entry;
mod lookup;
mod pages;
mod programs;
mod remedy;
mod schema;
mod set;
mod sign;
mod wire;
mod wire_words;
mod xml;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing {
    //! What must hold of the reading of the portal's answers.
    pub(crate) use super::answer::fuzzing::{push, read};
    pub(crate) use super::programs::fuzzing::programs;
}

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use secrecy::SecretString;
use url::Url;

pub use entry::RegisterRecord;
pub use schema::SCHEMAS;
pub use sign::{SigEncoding, SignSettings};
pub use wire::Filter as RegisterFilter;

use super::{
    Abilities, Asked, Batch, Cure, Delivery, Finding, Inquiry, Kind, Likeness, Portal, Reading, Registered, Removal,
    Verdict,
};
use crate::record::{Key, Schema};
use crate::transport::{
    ClientError, ClientSettings, Failure, HostName, HttpClient, Mishap, Rate, Tape, Trouble, Witness,
};
use lookup::{Lookup, Terms};
use pages::PageSize;
use programs::{Programs, Titles};
use set::{MOST_RECORDS, Training};
use wire::{Filter, Wire};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A programme that the portal's catalogue does not have.
const NO_PROGRAM: &str = "NO_PROGRAM";
/// Neither the catalogue nor the row has a title.
const NO_TITLE: &str = "NO_TITLE";

/// What the portal's client needs to know.
#[derive(Debug, Clone)]
pub struct SoutSettings {
    /// Address of the portal, up to but without `/api`.
    pub url: Url,
    /// The key from the profile of the account, 32 characters.
    pub api_key: SecretString,
    /// Longest wait for a whole answer.
    pub timeout: Duration,
    /// Most requests in any second.
    pub requests_per_second: NonZeroU32,
    /// PEM file with root certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Who signs; without it sets stay at the portal as drafts until a person signs and sends them.
    pub sign: Option<SignSettings>,
    /// Records of a page that is read back, at most 5,000.
    pub page_size: u32,
    /// How long after its sending a signed set that the register does not know may still appear there.
    pub absent_after: Duration,
    /// More than one set may be on its way at a time. A process that ends then loses several of which nobody can say which is which.
    pub several_at_once: bool,
}

/// Person, programme, date and result tell whether a record is what a row says; person, programme, date and protocol, whose it is.
static LIKENESS: Likeness = Likeness {
    compared: &[
        "last_name",
        "first_name",
        "middle_name",
        "snils",
        "foreign_snils",
        "learn_program_id",
        "test_date",
        "is_passed",
    ],
    whose: &["snils", "foreign_snils"],
    which: &["learn_program_id", "test_date", "protocol_number"],
};

fn registered(record: RegisterRecord) -> Registered {
    let label = match (&record.base_no, &record.set_id) {
        (Some(number), _) => format!("no {number}"),
        (None, Some(set)) => format!("a record of the set {set}"),
        (None, None) => "a record without a number".to_owned(),
    };
    Registered {
        key: record.outer_id.as_deref().map(Key::parse),
        label,
        record: record.fields(),
        receipt: record.receipt(),
    }
}

/// What is said of a row that goes out and deserves a look.
pub(super) fn advice(_schema: &Schema, body: &[u8]) -> Option<&'static str> {
    let record: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    let has_number = ["snils", "foreign_snils"].iter().any(|field| record.contains_key(*field));
    (!has_number).then_some(
        "neither snils nor foreign_snils: the portal takes the record, but such a worker is hard to find in the register, and audit finds \
         the record by its outer_id alone",
    )
}

/// What is known of every portal of this kind.
pub(super) static KIND: Kind =
    Kind { name: "sout", schemas: SCHEMAS, remedies: remedy::CASES, unnamed: &[], wire_words: &wire_words::WORDS };

/// The portal.
pub struct SoutPortal {
    wire: Wire,
    programs: Programs,
    sign: Option<SignSettings>,
    turn: Turn,
    terms: Terms,
    page_size: PageSize,
}

/// Signed sets go one at a time: a device signs one thing after another, and what is wrong with the signature of one is wrong with those
/// behind it.
#[derive(Default)]
struct Turn {
    last: tokio::sync::Mutex<Option<Failure>>,
    faults: AtomicU64,
}

impl SoutPortal {
    /// A client of the portal. Connects to nothing. `witness` is told of every request.
    pub fn new(settings: SoutSettings, witness: Option<Witness>) -> Result<Self, ClientError> {
        let client_settings = ClientSettings {
            url: &settings.url,
            connect_timeout: CONNECT_TIMEOUT.min(settings.timeout / 2),
            timeout: settings.timeout,
            ca_file: settings.ca_file.as_deref(),
        };
        let client = HttpClient::new(&client_settings, witness)?;
        let rate = Arc::new(Rate::new(settings.requests_per_second));
        let terms = Terms { absent_after: settings.absent_after, several_at_once: settings.several_at_once };
        let page_size = PageSize::new(settings.page_size.clamp(1, MOST_RECORDS as u32));
        let wire = Wire::new(client, rate, settings.api_key);
        Ok(SoutPortal {
            wire,
            programs: Programs::default(),
            sign: settings.sign,
            turn: Turn::default(),
            terms,
            page_size,
        })
    }

    /// Has every request say this in its `Host` header: see [`HttpClient::name_host`].
    pub fn name_host(&self, host: HostName) {
        self.wire.client().name_host(host);
    }

    /// Has every exchange taken by a tape: see [`HttpClient::record_to`].
    pub fn record_to(&self, tape: Arc<dyn Tape>) {
        self.wire.client().record_to(tape);
    }

    /// Reads one record back: proves address, TLS and key.
    pub async fn authenticate(&self) -> Result<(), Failure> {
        let answer = self.wire.read_back(&Filter::default(), 1, 1).await.map_err(Failure::from)?;
        answer::page(&answer, self.wire.key()).map(|_| ())
    }

    /// How far the portal's clock was ahead of ours at its last answer, to the second; none before the first answer.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        self.wire.client().clock_skew()
    }

    /// Reads all records of the register that a filter finds, page by page. Asks only.
    pub async fn register(
        &self,
        filter: &RegisterFilter,
        take: impl FnMut(Vec<RegisterRecord>) + Send,
    ) -> Result<(), Failure> {
        pages::all(&self.wire, filter, &self.page_size, take).await
    }

    /// Sends a set, and says what became of it.
    async fn push(&self, batch: &Batch, records: Vec<Training>) -> Delivery {
        let data = match aside(move || set::data(&records)).await {
            Ok(data) => data,
            Err(failure) => return Delivery::Failed(failure),
        };
        let Some(settings) = &self.sign else { return self.push_set(batch, data, None).await };
        self.turn
            .take(async || match sign::sign(settings, &data).await {
                Ok(signature) => self.push_set(batch, data, Some(signature)).await,
                Err(mishap) => Delivery::Failed(mishap.into()),
            })
            .await
    }

    async fn push_set(&self, batch: &Batch, data: Vec<u8>, signature: Option<Vec<u8>>) -> Delivery {
        let signed = signature.is_some();
        let pushed = match aside(move || set::olot(&data, signature.as_deref())).await {
            Ok(olot) => self.wire.push(olot, signed).await,
            Err(failure) => Err(failure),
        };
        match pushed {
            Ok(answer) => answer::judge(batch, &answer, signed, self.wire.key()),
            Err(failure) => Delivery::Failed(failure),
        }
    }

    /// The batch's records with their titles, or why they cannot go.
    async fn prepare(&self, batch: &Batch) -> Result<Vec<Result<Training, Verdict>>, Failure> {
        let titles = self.programs.titles(&self.wire).await;
        (0..batch.len()).map(|at| titled(record(batch.body(at))?, &titles)).collect()
    }
}

impl Turn {
    /// Signs and sends in its turn. What waited while the set of another was found at fault shares that fault, unsigned and unsent.
    async fn take(&self, work: impl AsyncFnOnce() -> Delivery) -> Delivery {
        let before = self.faults.load(Ordering::Acquire);
        let mut last = self.last.lock().await;
        if let Some(failure) = last.as_ref().filter(|_| self.faults.load(Ordering::Acquire) != before) {
            return Delivery::Failed(Failure { maybe_applied: false, ..failure.clone() });
        }
        let delivery = work().await;
        if let Delivery::Failed(failure @ Failure { trouble: Trouble::BatchAtFault, .. }) = &delivery {
            *last = Some(failure.clone());
            self.faults.fetch_add(1, Ordering::Release);
        }
        delivery
    }
}

/// Work of some milliseconds, off the reactor.
async fn aside(work: impl FnOnce() -> std::io::Result<Vec<u8>> + Send + 'static) -> Result<Vec<u8>, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) | Err(_) => Err(Mishap::Unsendable { reason: "the set cannot be written".into() }.into()),
    }
}

fn record(body: &[u8]) -> Result<Training, Failure> {
    let wrong = || Mishap::Unsendable { reason: "a record is not what the schema of training says".into() };
    serde_json::from_slice(body).map_err(|_| wrong().into())
}

/// The record with the title of its programme: the catalogue's, or its own while there is no catalogue.
fn titled(mut record: Training, titles: &Result<Arc<Titles>, Failure>) -> Result<Result<Training, Verdict>, Failure> {
    let id = record.learn_program_id;
    let refused =
        |code: &str, text: String| Verdict::Rejected { code: code.into(), text, cure: Cure::Time, holder: None };
    match titles {
        Ok(titles) => match titles.get(&id) {
            Some(title) => record.learn_program_title = Some(title.clone()),
            None => {
                let text = format!("the portal's catalogue of programmes in force has no programme {id}");
                return Ok(Err(refused(NO_PROGRAM, text)));
            }
        },
        Err(_) if record.learn_program_title.is_some() => {}
        Err(failure) => match failure.trouble {
            Trouble::Transient { .. } | Trouble::Maintenance { .. } | Trouble::Foreign { .. } => {
                return Err(failure.clone());
            }
            // A request without a body is not too large: whoever says so has not looked at it.
            Trouble::TooLarge => return Err(failure.clone().of_portal()),
            Trouble::TimedOut => {
                return Err(Failure { trouble: Trouble::Transient { retry_after: None }, ..failure.clone() });
            }
            Trouble::Unattributed
            | Trouble::UnitBlocked
            | Trouble::FeedParked
            | Trouble::BatchAtFault
            | Trouble::Parked => {
                let text = format!("learn_program_title is empty, and {}", failure.text);
                return Ok(Err(refused(NO_TITLE, text)));
            }
        },
    }
    Ok(Ok(record))
}

/// The verdicts on all records: those of the portal in the places of the records that were sent.
fn joined(prepared: Vec<Option<Verdict>>, judged: Vec<Verdict>) -> Vec<Verdict> {
    let mut judged = judged.into_iter();
    prepared.into_iter().map(|refused| refused.or_else(|| judged.next()).unwrap_or(Verdict::Unknown)).collect()
}

impl Portal for SoutPortal {
    fn schemas(&self) -> &'static [&'static Schema] {
        SCHEMAS
    }

    fn abilities(&self, _schema: &Schema) -> Abilities {
        Abilities {
            idempotent: false,
            update: false,
            removal: Removal::Unsupported,
            inquiry: Inquiry::UntilConfirmed,
            registered: true,
            examines: false,
        }
    }

    fn signs(&self, _schema: &Schema) -> Option<bool> {
        Some(self.sign.is_some())
    }

    async fn deliver(&self, _schema: &'static Schema, batch: &Batch) -> Delivery {
        if batch.is_empty() {
            return Delivery::Judged(Vec::new());
        }
        if batch.len() > MOST_RECORDS {
            return Delivery::Failed(Mishap::Status { code: 413, retry_after: None }.into());
        }
        let prepared = match self.prepare(batch).await {
            Ok(prepared) => prepared,
            Err(failure) => return Delivery::Failed(failure),
        };
        let (mut records, mut refused, mut going) = (Vec::new(), Vec::new(), Vec::new());
        for (at, record) in prepared.into_iter().enumerate() {
            match record {
                Ok(record) => {
                    records.push(record);
                    going.push(at);
                    refused.push(None);
                }
                Err(verdict) => refused.push(Some(verdict)),
            }
        }
        if records.is_empty() {
            return Delivery::Judged(joined(refused, Vec::new()));
        }
        match self.push(&batch.pick(&going), records).await {
            Delivery::Judged(judged) => Delivery::Judged(joined(refused, judged)),
            failed @ (Delivery::Failed(_) | Delivery::Blocked { .. }) => failed,
        }
    }

    fn reading(&self, _schema: &Schema) -> Reading {
        Reading::Register(&LIKENESS)
    }

    async fn registered(&self, _schema: &'static Schema) -> Result<Vec<Registered>, Failure> {
        let mut all = Vec::new();
        self.register(&RegisterFilter::default(), |page| all.extend(page.into_iter().map(registered))).await?;
        Ok(all)
    }

    async fn inquire(&self, _schema: &'static Schema, asked: &[Asked]) -> Result<Vec<Finding>, Failure> {
        Lookup::new(&self.wire, &self.page_size, self.terms, Utc::now()).inquire(asked).await
    }

    async fn remove(&self, _schema: &'static Schema, _key: &Key) -> Delivery {
        let text = "the register of training takes no record away".to_owned();
        Delivery::Judged(vec![Verdict::Rejected { code: "NO_REMOVAL".into(), text, cure: Cure::Row, holder: None }])
    }
}
