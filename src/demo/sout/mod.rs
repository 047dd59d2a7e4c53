//! The mock register of training: sets are pushed, drafts sent on by hand, records read back and numbered, as the document and the running
//! service do.
//!
//! A push passes `wire` (multipart, key, faults) and `parcel` (archive, XML, the published schema), and becomes a set of `register`.

mod fault;
mod parcel;
mod programs;
mod reading;
mod register;
mod settings;
mod wire;

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use fault::Fault;
pub use programs::PROGRAMS;
pub use register::{Counters, SetView};
pub use settings::{Envelope, RegisterSettings};

use register::Register;

/// How long a stopping mock waits for requests that are being answered.
const DRAIN: Duration = Duration::from_secs(5);

/// The mock: cheap to clone, all clones share one state.
#[derive(Clone)]
pub struct SoutMock {
    shared: Arc<Shared>,
}

/// State behind every handler. Locks are held for one set or one page, never across an await.
struct Shared {
    settings: RegisterSettings,
    register: Mutex<Register>,
    faults: Mutex<fault::Faults>,
}

impl Shared {
    fn register(&self) -> MutexGuard<'_, Register> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, fault::Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a mock does not start or did not stop cleanly.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// The address is taken or not ours.
    #[error("the mock register cannot listen on {listen}; choose another --listen address")]
    Listen {
        /// The address asked for.
        listen: SocketAddr,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The server ended with an error.
    #[error("the mock register stopped with an error")]
    Serve(#[source] std::io::Error),
}

impl SoutMock {
    /// An empty register, listening nowhere yet.
    pub fn new(settings: RegisterSettings) -> Self {
        let register = Register::new(settings.reads_before_number, settings.drafts_sent_after);
        SoutMock { shared: Arc::new(Shared { settings, register: Mutex::new(register), faults: Mutex::default() }) }
    }

    /// Its routes, to be mounted on a server of the caller's.
    pub fn router(&self) -> Router {
        wire::router(Arc::clone(&self.shared))
    }

    /// Starts a mock on an address (port 0 picks a free one) inside this process.
    pub async fn start(listen: SocketAddr, settings: RegisterSettings) -> Result<Running, MockError> {
        SoutMock::new(settings).serve(listen).await
    }

    /// Starts this mock on an address. Serving it again after a shutdown keeps what it holds.
    pub async fn serve(&self, listen: SocketAddr) -> Result<Running, MockError> {
        let refused = |source| MockError::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let addr = listener.local_addr().map_err(refused)?;
        let stop = CancellationToken::new();
        let server =
            axum::serve(listener, self.router()).with_graceful_shutdown(stop.clone().cancelled_owned()).into_future();
        Ok(Running { addr, mock: self.clone(), stop, server: tokio::spawn(server) })
    }

    /// All sets, drafts among them, in the order in which they were made.
    pub fn sets(&self) -> Vec<SetView> {
        self.shared.register().sets()
    }

    /// All records by their `outer_id`, drafts among them: their fields, and in `sent`, `set_id` and `base_no` where each stands.
    pub fn records(&self) -> Vec<(Option<String>, Map<String, Value>)> {
        self.shared.register().records()
    }

    /// In how many sets a record stands.
    pub fn copies(&self, outer_id: &str) -> usize {
        self.sets().iter().filter(|set| set.outer_ids.iter().any(|id| id == outer_id)).count()
    }

    /// The register's number of a record, once it has one.
    pub fn base_no(&self, outer_id: &str) -> Option<String> {
        self.shared.register().base_no(outer_id)
    }

    /// What was asked since the start.
    pub fn counters(&self) -> Counters {
        self.shared.register().counters()
    }

    /// Signs and sends all drafts, as a person does on the site; how many there were.
    pub fn send_drafts(&self) -> usize {
        self.shared.register().send_drafts()
    }

    /// Makes the next push end in this way.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults().push(fault);
    }

    /// Begins or ends a maintenance: everything is answered 503.
    pub fn set_maintenance(&self, on: bool) {
        self.shared.faults().maintenance = on;
    }

    /// Refuses any set with this record, in these words, as checks do of which nobody outside knows.
    pub fn refuse(&self, outer_id: &str, words: &str) {
        self.shared.faults().refuse(outer_id, words);
    }

    /// Refuses every set in these words, whatever its records: as when a certificate has run out.
    pub fn refuse_sets(&self, words: &str) {
        self.shared.faults().refuse_sets(words);
    }

    /// Refuses nothing any more beyond the published schema.
    pub fn refuse_nothing(&self) {
        self.shared.faults().refuse_nothing();
    }

    /// Takes the catalogue of programmes away (404), or brings it back.
    pub fn hide_programs(&self, hidden: bool) {
        self.shared.faults().programs_hidden = hidden;
    }
}

/// A mock that is listening.
pub struct Running {
    /// The address it listens on, with the port that was picked.
    pub addr: SocketAddr,
    mock: SoutMock,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

impl Running {
    /// The mock behind the address.
    pub fn mock(&self) -> &SoutMock {
        &self.mock
    }

    /// The base that a portal's `url` names.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops listening, lets requests that are being answered finish (at most five seconds), then ends.
    pub async fn shutdown(mut self) -> Result<(), MockError> {
        self.stop.cancel();
        match tokio::time::timeout(DRAIN, &mut self.server).await {
            Ok(Ok(served)) => served.map_err(MockError::Serve),
            Ok(Err(ended)) => Err(MockError::Serve(std::io::Error::other(ended))),
            Err(_) => {
                self.server.abort();
                Ok(())
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
