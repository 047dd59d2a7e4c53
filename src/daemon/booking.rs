//! Booking in the real process: from its section of the configuration to a desk that answers, and from what the desk did to the portals.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chrono_tz::Tz;
use futures_util::future::BoxFuture;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::files::fit;
use super::fresh::{BOOK, SLOT};
use super::tasks::Tasks;
use super::write_back::open_writer;
use super::{AnyLine, Shared};
use crate::config::{BookingConfig, Config};
use crate::portal::AnyPortal;
use crate::portal::fer::WebhookStanding;
use crate::record::{Key, Zone};
use crate::serve::Held;
use crate::serve::booking::{
    BookingBindError, BookingListener, BookingStatus, Callers, Changed, Code, Desk, Fault, LIMIT, Statements, TlsFiles,
    Verb, Visit, Visits, router,
};
use crate::source::{ScriptError, SourceError};
use crate::sync::CycleError;
use crate::telemetry::Metrics;

/// How long bookings that are begun may take to be answered when the process is asked to stop.
pub(super) const GRACE: Duration = LIMIT.saturating_add(Duration::from_secs(2));

/// When a gateway that could not say what it has registered is asked again.
const COMPARED_AGAIN: Duration = Duration::from_secs(600);

/// Booking that answers. It begins before anything else of the process, which may have to wait for a database that is not there yet: the
/// gateway is to hear even then that it cannot be done, and not to wait in vain.
pub struct Booking {
    answering: Answering,
    tasks: Tasks,
    stop: CancellationToken,
}

/// Booking that is about to answer: its listener is bound and its statements are read.
pub(super) struct Prepared {
    answering: Answering,
    listener: BookingListener,
    callers: Callers,
    max_body: usize,
    connections: usize,
}

/// The section of the configuration.
pub(super) const SECTION: &str = "booking";

/// Changes that are kept until there is somebody to tell. What is beyond is read at the process's start, as every row is.
const MOST_EARLY: usize = 5000;

/// Who is told of changes. Weak: the process owns the desk, and the desk must not own the process.
pub(super) struct Hears(Mutex<Hearing>);

enum Hearing {
    /// Nobody yet: what has changed since the start.
    Early(Vec<Changed>),
    /// The process.
    Process(Weak<Shared>),
}

impl Hears {
    fn state(&self) -> std::sync::MutexGuard<'_, Hearing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, changed: Changed) {
        match &mut *self.state() {
            Hearing::Early(early) if early.len() < MOST_EARLY => early.push(changed),
            Hearing::Early(_) => {}
            Hearing::Process(shared) => _ = shared.upgrade().map(|shared| shared.has_changed(&changed)),
        }
    }

    fn process(&self) -> Option<Arc<Shared>> {
        match &*self.state() {
            Hearing::Early(_) => None,
            Hearing::Process(shared) => shared.upgrade(),
        }
    }

    pub(super) fn join(&self, shared: &Arc<Shared>) {
        let before = std::mem::replace(&mut *self.state(), Hearing::Process(Arc::downgrade(shared)));
        if let Hearing::Early(early) = before {
            early.iter().for_each(|changed| shared.has_changed(changed));
        }
    }
}

/// The rows of the book and slot feeds, once there is a process that reads them.
struct Rows(Arc<Hears>);

impl Visits for Rows {
    fn of(&self, book: Key, limit: Duration) -> BoxFuture<'_, Visit> {
        let shared = self.0.process();
        Box::pin(async move {
            let Some(shared) = shared else { return Visit::default() };
            timeout(limit, shared.visit_of(&book)).await.ok().flatten().unwrap_or_default()
        })
    }
}

/// Why bookings cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum BookingError {
    /// The listener.
    #[error(transparent)]
    Bind(#[from] BookingBindError),
    /// The source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There is no such source.
    #[error("booking.source: there is no source {0}")]
    NoSource(String),
    /// A statement.
    #[error("booking: {0}")]
    Script(#[from] ScriptError),
}

/// Booking that answers, as the process sees it.
pub(super) struct Answering {
    desk: Arc<Desk<Statements>>,
    address: SocketAddr,
    public_url: Option<String>,
    source: String,
    held: Held,
    hears: Arc<Hears>,
}

impl Answering {
    /// What `status` shows.
    pub(super) fn status(&self) -> BookingStatus {
        BookingStatus { listen: self.address.to_string(), public_url: self.public_url.clone(), ..self.desk.status() }
    }

    /// True where a configuration of which these sections have changed answers bookings otherwise.
    pub(super) fn is_changed(&self, changed: &BTreeSet<String>) -> bool {
        changed.contains(SECTION) || self.has_another_source(changed)
    }

    fn has_another_source(&self, changed: &BTreeSet<String>) -> bool {
        changed.contains(&format!("sources.{}", self.source))
    }

    /// What its changes are told to.
    pub(super) fn hears(&self) -> &Arc<Hears> {
        &self.hears
    }
}

/// Begins to answer bookings as the configuration says. Connects to no database yet. None where it says nothing of them.
pub async fn open_booking(config: &Config, metrics: &Metrics) -> Result<Option<Booking>, BookingError> {
    Ok(prepare(config, metrics, None, &BTreeSet::new()).await?.map(Prepared::begin))
}

/// Reads all that answering needs and binds its listener. What answers now is gone on with, as far as these changed sections let it.
pub(super) async fn prepare(
    config: &Config,
    metrics: &Metrics,
    before: Option<&Answering>,
    changed: &BTreeSet<String>,
) -> Result<Option<Prepared>, BookingError> {
    let Some(booking) = &config.booking else { return Ok(None) };
    let statements = booking_statements(config, booking)?;
    let certificate = booking_certificate(booking);
    let held = before.map(|before| &before.held);
    let listener = BookingListener::take_over(booking.listen, certificate.as_ref(), held).await?;
    for verb in [Verb::Book, Verb::Cancel] {
        let faults = Fault::ALL.iter().map(|fault| fault.label());
        metrics.announce_booking(verb.name(), Code::of(verb).iter().map(|code| code.number()), faults);
    }
    let early = || Arc::new(Hears(Mutex::new(Hearing::Early(Vec::new()))));
    let hears = before.map_or_else(early, |before| Arc::clone(&before.hears));
    let told = Arc::clone(&hears);
    let changes = Box::new(move |changed: Changed| told.tell(changed));
    let visits = Box::new(Rows(Arc::clone(&hears)));
    let desk = Desk::new(statements, metrics.clone(), changes).asking(visits);
    // What is unknown of one database cannot be found out in another.
    let same = before.filter(|before| before.source == booking.source && !before.has_another_source(changed));
    let desk = Arc::new(match same {
        Some(before) => desk.after(&before.desk),
        None => desk,
    });
    let (address, public_url, held) = (listener.address, booking.public_url.clone(), listener.held());
    Ok(Some(Prepared {
        answering: Answering { desk, address, public_url, source: booking.source.clone(), held, hears },
        listener,
        callers: Callers::new(booking.allow.clone(), booking.proxies.clone()),
        max_body: booking.max_body,
        connections: fit(booking.connections),
    }))
}

impl Prepared {
    /// Answers from now on, in the place of what answered before.
    pub(super) fn begin_after(self, before: Option<&Answering>) -> Booking {
        before.into_iter().for_each(|before| before.desk.gives_way_to(&self.answering.desk));
        self.begin()
    }

    /// Answers from now on.
    fn begin(self) -> Booking {
        let Prepared { answering, listener, callers, max_body, connections } = self;
        let (mut tasks, stop) = (Tasks::default(), CancellationToken::new());
        tasks.spawn("doubts", Arc::clone(&answering.desk).resolve_doubts(stop.clone()));
        let routes = router(Arc::clone(&answering.desk), callers.clone(), max_body);
        let serving = listener.serve(routes, callers, connections, stop.clone());
        let closes = Arc::clone(&answering.desk);
        tasks.spawn("booking", async move {
            serving.await;
            closes.finish().await;
        });
        Booking { answering, tasks, stop }
    }
}

/// The files of the listener's certificate; none where it speaks plain HTTP.
pub fn booking_certificate(booking: &BookingConfig) -> Option<TlsFiles> {
    let (cert, key) = booking.tls_cert_file.clone().zip(booking.tls_key_file.clone())?;
    Some(TlsFiles { cert, key })
}

/// The site's statements, on connections that nothing else uses.
pub fn booking_statements(config: &Config, booking: &BookingConfig) -> Result<Statements, BookingError> {
    let name = &booking.source;
    let source = config.sources.get(name).ok_or_else(|| BookingError::NoSource(name.clone()))?;
    let writer = open_writer(name, source)?;
    Ok(Statements::new(booking, source.url.engine().into(), writer, source.timezone)?)
}

impl Booking {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.answering.address
    }

    /// Tells the process of changes from now on, and lets it show and stop this.
    pub(super) fn join(self, shared: &Arc<Shared>) -> (Tasks, CancellationToken) {
        let Booking { answering, tasks, stop } = self;
        answering.hears.join(shared);
        let _joined_once = shared.booking.set(Arc::new(answering));
        (tasks, stop)
    }
}

impl Shared {
    /// A booking or cancellation has changed these records: every gateway is to hear of it.
    fn has_changed(&self, changed: &Changed) {
        for (line, fresh) in self.lines.iter().zip(&self.fresh) {
            if is_gateway(line) {
                fresh.want(changed);
            }
        }
    }
}

impl Shared {
    /// The visit of a booking, as the rows of the first gateway's feeds say that know it.
    async fn visit_of(&self, book: &Key) -> Option<Visit> {
        for line in self.lines.iter().filter(|line| is_gateway(line)) {
            match visit_in(line, book).await {
                Ok(Some(visit)) => return Some(visit),
                Ok(None) => {}
                Err(error) => tracing::warn!(portal = line.name, "the visit of a cancelled booking: {error}"),
            }
        }
        None
    }
}

/// Reads the slot of a booking by key. A booking whose row is gone is still remembered with its slot.
async fn visit_in(line: &AnyLine, book: &Key) -> Result<Option<Visit>, CycleError> {
    let row = line.row(BOOK, book, &["slot_id"]).await?;
    let of_row = row.and_then(|row| row.texts.into_iter().next().flatten()).map(|slot| Key::parse(&slot));
    let remembered = || line.parents_of_record(BOOK, book).into_iter().find(|(feed, _)| *feed == SLOT);
    let Some(slot) = of_row.or_else(|| remembered().map(|(_, slot)| slot)) else { return Ok(None) };
    let shown = slot.to_string();
    let Some(row) = line.row(SLOT, &slot, &["visit_time", "duration"]).await? else {
        return Ok(Some(Visit::read(Some(&shown), None, None, Zone::new(Tz::UTC))));
    };
    let text = |index: usize| row.texts.get(index).and_then(|text| text.as_deref());
    Ok(Some(Visit::read(Some(&shown), text(0), text(1), Zone::new(row.zone))))
}

impl Shared {
    /// Holds what a gateway has registered against `public_url`, and says how it is.
    pub(super) async fn compare_webhook(&self, line: &AnyLine) {
        let AnyPortal::Fer(gateway) = line.portal() else { return };
        let public_url = self.booking.get().and_then(|booking| Url::parse(booking.public_url.as_deref()?).ok());
        let Some(public_url) = public_url else { return };
        let portal = line.name.as_str();
        let mut is_told = false;
        loop {
            let standing = tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                standing = gateway.webhook_standing(&public_url, None) => standing,
            };
            match standing {
                Ok(standing @ WebhookStanding::Registered) => return tracing::info!(portal, "{standing}"),
                Ok(standing) => return tracing::warn!(portal, "{standing}"),
                Err(failure) if !is_told => {
                    tracing::warn!(portal, "the gateway's webhook cannot be looked at yet: {}", failure.text);
                }
                Err(_) => {}
            }
            is_told = true;
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(COMPARED_AGAIN) => {}
            }
        }
    }
}

/// True for lines whose records bookings change.
fn is_gateway(line: &AnyLine) -> bool {
    matches!(line.portal(), AnyPortal::Fer(_))
}
